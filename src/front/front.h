/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * A front is how one kind of client sees the chat: bytes to lines, items to bytes. It has no state of its
 * own; what it must know from one read to the next is in the session.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

typedef struct Chat Chat;
typedef struct Item Item;
typedef struct Stream Stream;

/* Changes whenever the same item gives other bytes than before: what one version began another can not go on
 * with then. */
enum { FRONT_RENDERING = 1 };

typedef enum FrameResult {
    FRAME_MORE,     /* no whole line yet */
    FRAME_LINE,     /* a line */
    FRAME_TOO_LONG, /* more than the limit, and no end yet: what was consumed is lost, and so is the rest of
                       the line */
    FRAME_SKIPPED,  /* a part of such a rest; the line ended if `is_end` */
} FrameResult;

/* What is known of the bytes that wait to be read. They stay in the kernel until a frame consumes them. */
typedef struct FrameInput {
    const char *bytes;
    size_t n;
    size_t n_kept;       /* of these were taken before: a frame that consumes any consumes them all */
    bool is_all;         /* nothing follows: the last line needs no line end */
    bool is_skipping;    /* in the rest of a line that was too long */
    uint16_t n_answered; /* requests in these bytes that were answered when they were looked at before */
    size_t max_line;
} FrameInput;

typedef struct Frame {
    size_t n_consumed;
    const char *line; /* of FRAME_LINE: without its line end; lies in the input or in `copy` */
    size_t line_n;
    bool is_end;
    uint16_t n_answered; /* to be remembered until bytes are consumed */
    size_t answer_n;
    char answer[256]; /* to be sent to the client as it is */
    char copy[READ_BYTES];
} Frame;

typedef struct Front {
    const char *name;
    FrameResult (*frame)(const FrameInput *input, Frame *ret_frame);
    /* At most LIMIT_ITEM_BYTES (the greeting: with the message of the day). The same item always gives the
     * same bytes. */
    size_t (*render)(const Chat *chat, uint32_t session, const Item *item, char *to);
} Front;

extern const Front front_plain;

/*
 * Renders items until there are no more or less than one item's room is left of `size` (at least
 * LIMIT_ITEM_BYTES). What was sent of the first one before is left out: *ret_skip bytes at the start. Returns
 * the bytes with those.
 */
size_t front_render(const Front *front, Stream *stream, char *to, size_t size, size_t *ret_skip);
/*
 * Only the first `sent` of these bytes have been sent: renders `stream`, opened anew, up to there and stores
 * that, in a transaction. False: there are not that many.
 */
bool front_store_sent(const Front *front, Stream *stream, char *scratch, size_t sent);
