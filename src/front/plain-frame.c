/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The reading half of the plain front: bytes to lines. */

#include <string.h>

#include "base/macro.h"
#include "front/plain.h"
#include "front/telnet.h"

static void frame_answer(const FrameInput *input, Frame *frame, const char *command, size_t n)
{
    if (frame->n_answered++ < input->n_answered)
        return;
    /* A client that asks for more options than that at once gets no answer to the rest. */
    if (sizeof frame->answer - frame->answer_n >= 3)
        frame->answer_n += telnet_answer(command, n, frame->answer + frame->answer_n);
}

/*
 * Walks over a line and answers the telnet commands in it; what is not one is copied to frame->copy if
 * `is_kept`. Returns where it stopped: at the line end, at the end of the input, or at a command whose end is
 * not there yet.
 */
static const char *frame_walk(const FrameInput *input, Frame *frame, bool is_kept)
{
    const char *p = input->bytes, *end = p + input->n;
    size_t length;

    for (; p < end && *p != '\n'; p += length) {
        bool is_command = (unsigned char) *p == TELNET_IAC;

        length = is_command ? telnet_length(p, (size_t) (end - p)) : 1;
        if (length == 0)
            break;
        /* An IAC that is doubled, or begins no command, is a byte like any other. */
        if (length == 1 || (unsigned char) p[1] == TELNET_IAC) {
            if (is_kept)
                frame->copy[frame->line_n++] = *p;
        } else {
            frame_answer(input, frame, p, length);
        }
    }
    return p;
}

/* Consumes what was walked over, with the line end if that is there. An unfinished command stays, if more can
 * come. */
static void frame_consume(const FrameInput *input, Frame *frame, const char *stop)
{
    size_t n = (size_t) (stop - input->bytes);

    frame->is_end = n < input->n && *stop == '\n';
    if (frame->is_end)
        frame->n_consumed = n + 1;
    else if (input->is_all || (n == 0 && input->n == READ_BYTES))
        frame->n_consumed = input->n;
    else
        frame->n_consumed = n;
    if (frame->n_consumed > 0)
        frame->n_consumed = MAX(frame->n_consumed, input->n_kept);
    frame->is_end |= input->is_all;
}

FrameResult plain_frame(const FrameInput *input, Frame *frame)
{
    const char *stop, *iac;
    bool is_end;

    frame->n_consumed = frame->line_n = frame->answer_n = 0;
    frame->n_answered = 0;
    stop = memchr(input->bytes, '\n', input->n);
    if (stop == NULL)
        stop = input->bytes + input->n;
    iac = memchr(input->bytes, TELNET_IAC, (size_t) (stop - input->bytes));
    if (iac != NULL) {
        frame->line = frame->copy;
        stop = frame_walk(input, frame, !input->is_skipping);
    } else {
        frame->line = input->bytes;
        frame->line_n = (size_t) (stop - input->bytes);
    }
    if (frame->line_n > 0 && frame->line[frame->line_n - 1] == '\r')
        frame->line_n--;
    is_end = input->is_all || (stop < input->bytes + input->n && *stop == '\n');
    if (input->is_skipping) {
        frame_consume(input, frame, stop);
        return frame->n_consumed > 0 ? FRAME_SKIPPED : FRAME_MORE;
    }
    if (!is_end && frame->line_n <= input->max_line && input->n < READ_BYTES)
        return FRAME_MORE;
    frame_consume(input, frame, stop);
    return frame->line_n > input->max_line || !frame->is_end ? FRAME_TOO_LONG : FRAME_LINE;
}
