/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The reading half of the plain front: bytes to lines. */

#include <string.h>

#include "base/macro.h"
#include "front/plain.h"
#include "front/telnet.h"

static FrameResult frame_skip(const FrameInput *input, Frame *frame)
{
    const char *end = memchr(input->bytes, '\n', input->n);

    frame->is_end = end != NULL;
    frame->n_consumed = end != NULL ? (size_t) (end + 1 - input->bytes) : input->n;
    return FRAME_SKIPPED;
}

static void frame_answer(const FrameInput *input, Frame *frame, const char *command, size_t n)
{
    if (frame->n_answered++ < input->n_answered)
        return;
    /* A client that asks for more options than that at once gets no answer to the rest. */
    if (sizeof frame->answer - frame->answer_n >= 3)
        frame->answer_n += telnet_answer(command, n, frame->answer + frame->answer_n);
}

/* Copies a line without the telnet commands in it. Returns where its line end is; NULL: not there. */
static const char *frame_copy(const FrameInput *input, Frame *frame)
{
    const char *p = input->bytes, *end = p + input->n;
    size_t length;

    for (; p < end && *p != '\n'; p += length) {
        length = 1;
        if ((unsigned char) *p != TELNET_IAC) {
            frame->copy[frame->line_n++] = *p;
            continue;
        }
        length = telnet_length(p, (size_t) (end - p));
        if (length == 0)
            return NULL;
        if (length == 2 && (unsigned char) p[1] == TELNET_IAC)
            frame->copy[frame->line_n++] = *p;
        else
            frame_answer(input, frame, p, length);
    }
    return p < end ? p : NULL;
}

FrameResult plain_frame(const FrameInput *input, Frame *frame)
{
    const char *end, *iac;

    frame->n_consumed = frame->line_n = frame->answer_n = 0;
    frame->n_answered = 0;
    frame->is_end = false;
    if (input->is_skipping)
        return frame_skip(input, frame);

    end = memchr(input->bytes, '\n', input->n);
    iac = memchr(input->bytes, TELNET_IAC, end != NULL ? (size_t) (end - input->bytes) : input->n);
    if (iac == NULL) {
        frame->line = input->bytes;
        frame->line_n = end != NULL ? (size_t) (end - input->bytes) : input->n;
    } else {
        frame->line = frame->copy;
        end = frame_copy(input, frame);
    }
    if (frame->line_n > 0 && frame->line[frame->line_n - 1] == '\r')
        frame->line_n--;
    if (end == NULL && !input->is_all && frame->line_n <= input->max_line && input->n < READ_BYTES)
        return FRAME_MORE;

    frame->is_end = end != NULL || input->is_all;
    frame->n_consumed = end != NULL ? (size_t) (end + 1 - input->bytes) : input->n;
    return frame->line_n > input->max_line || !frame->is_end ? FRAME_TOO_LONG : FRAME_LINE;
}
