/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include "chat/stream.h"
#include "front/front.h"

size_t front_render(const Front *front, Stream *stream, char *to, size_t size, size_t *ret_skip)
{
    size_t n = 0;
    Item item;

    *ret_skip = stream->written;
    while (size - n >= LIMIT_ITEM_BYTES && stream_next(stream, &item))
        n += front->render(stream->chat, stream->session, &item, to + n);
    /* An item that is shorter than what was sent of it (its text is gone) is done. */
    if (*ret_skip > n)
        *ret_skip = n;
    return n;
}

bool front_store_sent(const Front *front, Stream *stream, char *scratch, size_t sent)
{
    size_t done = 0, all = sent + stream->written;
    Item item;

    while (stream_next(stream, &item)) {
        size_t n = front->render(stream->chat, stream->session, &item, scratch);

        if (done + n > all) {
            stream_store_within(stream, &item, scratch, (uint32_t) (all - done), sent);
            return true;
        }
        done += n;
        if (done == all)
            break;
    }
    stream_store(stream, sent);
    return done == all;
}
