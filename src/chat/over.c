/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include "chat/over.h"
#include "chat/room.h"

const RoomOver *over_next(const Chat *chat, uint64_t from, uint64_t end)
{
    const RoomOver *next = NULL;

    for (size_t i = 0; i < LIMIT_ROOMS_OVER; i++) {
        const RoomOver *over = &chat->state.header->over[i];

        if (over->pos != 0 && over->pos >= from && over->pos < end && (next == NULL || over->pos < next->pos))
            next = over;
    }
    return next;
}

/* Unless its note is still where the archive will read it. */
static void lose(const Chat *chat, const RoomOver *over)
{
    const StateHeader *header = chat->state.header;

    if (over->pos < header->tail || over->pos < header->archive.from)
        log_event(chat->log,
                  (LogEvent){.priority = LOG_ERR, .id = LOG_ID_ARCHIVE_LOST, .room = over->name.bytes},
                  "The archive could not be told that nothing is kept of #%s any more, and may keep it.",
                  over->name.bytes);
}

void over_lose(const Chat *chat)
{
    for (size_t i = 0; i < LIMIT_ROOMS_OVER; i++)
        if (chat->state.header->over[i].pos != 0)
            lose(chat, &chat->state.header->over[i]);
}

/* A record for one more. */
static const RoomOver *make_place(Chat *chat)
{
    const StateHeader *header = chat->state.header;
    const RoomOver *oldest;

    for (size_t i = 0; i < LIMIT_ROOMS_OVER; i++)
        if (header->over[i].pos == 0)
            return &header->over[i];
    oldest = over_next(chat, 0, UINT64_MAX);
    lose(chat, oldest);
    return oldest;
}

void over_add(Chat *chat, uint32_t room, uint32_t flags, bool is_open, uint64_t pos)
{
    /* Nor has any archive heard that it began. */
    if (chat->state.header->archive.recalled == PAST_UNKNOWN)
        return;
    *(RoomOver *) state_edit(&chat->state, make_place(chat), sizeof(RoomOver)) = (RoomOver){
        .pos = pos, .name = chat->state.rooms[room].name, .flags = flags & ROOM_SET, .is_open = is_open};
}

void over_forget(Chat *chat, uint64_t pos)
{
    for (size_t i = 0; i < LIMIT_ROOMS_OVER; i++)
        if (chat->state.header->over[i].pos != 0 && chat->state.header->over[i].pos < pos)
            chat->state.header->over[i].pos = 0; /* one store each */
}
