/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * libFuzzer target for the line reader. The first three bytes choose the longest line, whether the end of the
 * input is the end of file, and where the rest of the input is cut into pieces. However it is cut, it must
 * come to the same lines and the same answers. Only after a line that was too long may that depend on the
 * cuts, where telnet commands are in its skipped rest: then a frame has to keep its promises, and no more.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "front/plain.h"

#define EXPECT(condition)                                                                                    \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                   \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

/* The answers of one look; a client that asks for more at once gets no more. */
enum { LOOK_ANSWERS = sizeof(((Frame *) NULL)->answer) / 3 };

typedef struct Reader {
    size_t max_line;
    bool is_skipping;
    uint16_t n_answered;
    bool is_exact; /* no line was too long, and no look had more requests than it answers */
    char *lines, *answers;
    size_t n_lines, n_answers;
} Reader;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Frame frame;

static void *allocate(size_t n)
{
    void *result = malloc(n > 0 ? n : 1);

    EXPECT(result != NULL);
    return result;
}

static void reader_init(Reader *reader, size_t n, size_t max_line)
{
    *reader = (Reader){.max_line = max_line, .is_exact = true};
    reader->lines = allocate(2 * n + 2);
    reader->answers = allocate(3 * n);
}

static void reader_done(Reader *reader)
{
    free(reader->lines);
    free(reader->answers);
}

static void check_frame(const Reader *reader, const FrameInput *input, FrameResult r)
{
    EXPECT(frame.answer_n <= sizeof frame.answer && frame.answer_n % 3 == 0);
    EXPECT(frame.n_consumed <= input->n);
    if (r == FRAME_MORE) {
        EXPECT(frame.n_consumed == 0 && !input->is_all);
        EXPECT(frame.n_answered >= input->n_answered);
        return;
    }
    EXPECT(frame.n_consumed > 0);
    EXPECT(input->is_skipping == (r == FRAME_SKIPPED));
    if (r == FRAME_LINE) {
        EXPECT(frame.is_end && frame.line_n <= reader->max_line && frame.line_n < input->n + input->is_all);
        EXPECT(memchr(frame.line, '\n', frame.line_n) == NULL);
        EXPECT(input->is_all || input->bytes[frame.n_consumed - 1] == '\n');
    }
}

static void put_frame(Reader *reader, FrameResult r)
{
    for (size_t i = 0; i < frame.answer_n; i++)
        reader->answers[reader->n_answers++] = frame.answer[i];
    if (frame.n_answered > LOOK_ANSWERS)
        reader->is_exact = false;
    if (r == FRAME_TOO_LONG || r == FRAME_SKIPPED)
        reader->is_skipping = !frame.is_end;
    if (r == FRAME_LINE) {
        memcpy(reader->lines + reader->n_lines, frame.line, frame.line_n);
        reader->n_lines += frame.line_n;
        reader->lines[reader->n_lines++] = '\n';
    }
}

/* Looks at what waits. Returns what of it was consumed. */
static size_t reader_look(Reader *reader, const uint8_t *bytes, size_t n, bool is_all)
{
    size_t at = 0;

    while (at < n) {
        char *exact = allocate(n - at);
        FrameInput input = {.bytes = memcpy(exact, bytes + at, n - at), .n = n - at, .is_all = is_all};
        FrameResult r;

        input.is_skipping = reader->is_skipping;
        input.n_answered = reader->n_answered;
        input.max_line = reader->max_line;
        r = plain_frame(&input, &frame);
        check_frame(reader, &input, r);
        put_frame(reader, r);
        free(exact);
        reader->n_answered = r == FRAME_MORE ? frame.n_answered : 0;
        if (r == FRAME_MORE)
            break;
        at += frame.n_consumed;
    }
    return at;
}

/* `step` 0: in one piece; else pieces of up to that many bytes. */
static void reader_run(Reader *reader, const uint8_t *bytes, size_t n, size_t step, bool is_all)
{
    size_t consumed = 0, end = 0;

    do {
        size_t piece = step == 0 ? n : 1 + (step * 2654435761u + end * 40503u) % step;

        end = MIN(n, end + piece);
        consumed += reader_look(reader, bytes + consumed, end - consumed, is_all && end == n);
    } while (end < n);
    EXPECT(consumed == n || !is_all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t steps[2], max_line;
    Reader whole, pieces;
    bool is_all;

    if (size < 3 || size > READ_BYTES)
        return 0;
    max_line = 1 + data[0];
    is_all = data[1] & 1;
    steps[0] = 1;
    steps[1] = 2 + data[2];
    reader_init(&whole, size, max_line);
    reader_run(&whole, data + 3, size - 3, 0, is_all);
    for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
        reader_init(&pieces, size, max_line);
        reader_run(&pieces, data + 3, size - 3, steps[i], is_all);
        EXPECT(!whole.is_exact || pieces.is_exact);
        if (whole.is_exact) {
            EXPECT(pieces.n_lines == whole.n_lines && memcmp(pieces.lines, whole.lines, whole.n_lines) == 0);
            EXPECT(pieces.n_answers == whole.n_answers &&
                   memcmp(pieces.answers, whole.answers, whole.n_answers) == 0);
        }
        reader_done(&pieces);
    }
    reader_done(&whole);
    return 0;
}
