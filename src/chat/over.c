/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "chat/over.h"

static const NoteKind KINDS[] = {
    [OVER_CLOSED] = NOTE_ROOM_CLOSED, [OVER_OPENED] = NOTE_ROOM_OPENED, [OVER_GIVEN] = NOTE_ROOM};

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

static const RoomGiven *given_of(const Chat *chat, const RoomOver *over)
{
    return &chat->state.header->given[over - chat->state.header->over];
}

static void get_note(const Chat *chat, const RoomOver *over, Note *ret_note)
{
    const RoomGiven *given;

    memset(ret_note, 0, sizeof *ret_note);
    ret_note->kind = KINDS[over->how];
    ret_note->room.flags = over->flags;
    if (over->how != OVER_GIVEN)
        return;
    given = given_of(chat, over);
    ret_note->room.how = NOTE_ROOM_GIVEN_BY;
    ret_note->room.founder = given->founder;
    ret_note->room.founder_uid = given->founder_uid;
    ret_note->room.former = given->former;
    ret_note->room.former_uid = given->former_uid;
}

size_t over_write(const Chat *chat, const RoomOver *over, Entry *ret_entry)
{
    Note note;

    get_note(chat, over, &note);
    return note_write(&note, over->pos, chat->wall, &over->name, ret_entry);
}

/* What is lost */

uint64_t over_heard(const Chat *chat)
{
    return MAX(chat->state.header->archived, chat->state.header->archive.from);
}

/* Unless its note is still where the archive will read it. */
static void lose(const Chat *chat, const RoomOver *over)
{
    const StateHeader *header = chat->state.header;
    Note note;

    if (over->pos >= header->tail && over->pos >= header->archive.from)
        return;
    get_note(chat, over, &note);
    note_tell_lost(chat->log, &note, NULL, over->name.bytes);
}

void over_lose(const Chat *chat)
{
    for (size_t i = 0; i < LIMIT_ROOMS_OVER; i++)
        if (chat->state.header->over[i].pos != 0)
            lose(chat, &chat->state.header->over[i]);
}

/* By host/noting.h, or as something that is over; or to the other file. */
static bool is_told_again(const Chat *chat, const Note *note, uint64_t pos, OverWhy why)
{
    if (why == OVER_FOR_OTHER)
        return note_is_for_any(note);
    return why == OVER_FOR_NOW && (note->kind == NOTE_UNINVITED || over_next(chat, pos, pos + 1) != NULL);
}

void over_lose_notes(const Chat *chat, uint64_t from, uint64_t end, OverWhy why)
{
    char nick[NAME_MAX_BYTES + 1], room[NAME_MAX_BYTES + 1];
    uint64_t pos = chat->state.header->tail;
    const Entry *entry;
    Note note;

    if (from >= end)
        return;
    for (; (entry = transcript_read(&chat->transcript, &pos)) != NULL && pos < end; pos += entry->size) {
        if (entry->kind != ENTRY_NOTE || pos < from || !note_read(entry, &note) ||
            is_told_again(chat, &note, pos, why))
            continue;
        (void) snprintf(nick, sizeof nick, "%.*s", entry->nick_n, entry_nick(entry));
        (void) snprintf(room, sizeof room, "%.*s", entry->room_n, entry_room(entry));
        note_tell_lost(chat->log, &note, nick, room);
    }
}

/* What is remembered */

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

static uint8_t how_of(const Note *note)
{
    if (note->kind == NOTE_ROOM)
        return OVER_GIVEN;
    return note->kind == NOTE_ROOM_OPENED ? OVER_OPENED : OVER_CLOSED;
}

void over_add(Chat *chat, uint32_t room, const Note *note, uint64_t pos)
{
    const RoomOver *over;

    over = make_place(chat);
    *(RoomGiven *) state_edit(&chat->state, given_of(chat, over), sizeof(RoomGiven)) =
        (RoomGiven){.founder = note->room.founder,
                    .former = note->room.former,
                    .founder_uid = note->room.founder_uid,
                    .former_uid = note->room.former_uid};
    *(RoomOver *) state_edit(&chat->state, over, sizeof(RoomOver)) = (RoomOver){
        .pos = pos, .name = chat->state.rooms[room].name, .flags = note->room.flags, .how = how_of(note)};
}

void over_forget(Chat *chat, uint64_t pos)
{
    for (size_t i = 0; i < LIMIT_ROOMS_OVER; i++)
        if (chat->state.header->over[i].pos != 0 && chat->state.header->over[i].pos < pos)
            chat->state.header->over[i].pos = 0; /* one store each */
}
