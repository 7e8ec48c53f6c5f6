/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "chat/over.h"

static const NoteKind KINDS[] = {
    [OVER_CLOSED] = NOTE_ROOM_CLOSED, [OVER_OPENED] = NOTE_ROOM_OPENED, [OVER_GIVEN] = NOTE_ROOM};

static uint32_t place_of(const Chat *chat, uint64_t n)
{
    return (uint32_t) (n % chat->state.header->max_overs);
}

/* Which is the first that has a note at `from` or later; over_end: none has. They stand in the order of their
 * notes. */
static uint64_t find(const Chat *chat, uint64_t from)
{
    uint64_t n = chat->state.header->over_first;

    while (n < chat->state.header->over_end && chat->state.overs[place_of(chat, n)].pos < from)
        n++;
    return n;
}

const OverRecord *over_next(const Chat *chat, uint64_t from, uint64_t end)
{
    uint64_t n = find(chat, from);
    const OverRecord *over = &chat->state.overs[place_of(chat, n)];

    return n < chat->state.header->over_end && over->pos < end ? over : NULL;
}

static void get_note(const OverRecord *over, Note *ret_note)
{
    memset(ret_note, 0, sizeof *ret_note);
    ret_note->kind = KINDS[over->how];
    ret_note->room.flags = over->flags;
    if (over->how != OVER_GIVEN)
        return;
    ret_note->room.how = NOTE_ROOM_GIVEN_BY;
    ret_note->room.founder = over->founder;
    ret_note->room.founder_uid = over->founder_uid;
    ret_note->room.former = over->former;
    ret_note->room.former_uid = over->former_uid;
}

size_t over_write(const Chat *chat, const OverRecord *over, Entry *ret_entry)
{
    Note note;

    get_note(over, &note);
    return note_write(&note, over->pos, chat->wall, &over->name, ret_entry);
}

/* What is lost */

uint64_t over_heard(const Chat *chat)
{
    return MAX(chat->state.header->archived, chat->state.header->archive.from);
}

/* Unless its note is still where the archive will read it. */
static void lose(const Chat *chat, const OverRecord *over)
{
    const StateHeader *header = chat->state.header;
    Note note;

    if (over->pos >= header->tail && over->pos >= header->archive.from)
        return;
    get_note(over, &note);
    note_tell_lost(chat->log, &note, NULL, over->name.bytes);
}

void over_lose(const Chat *chat)
{
    const StateHeader *header = chat->state.header;

    for (uint64_t n = header->over_first; n < header->over_end; n++)
        lose(chat, &chat->state.overs[place_of(chat, n)]);
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

static uint8_t how_of(const Note *note)
{
    if (note->kind == NOTE_ROOM)
        return OVER_GIVEN;
    return note->kind == NOTE_ROOM_OPENED ? OVER_OPENED : OVER_CLOSED;
}

void over_add(Chat *chat, uint32_t room, const Note *note, uint64_t pos)
{
    StateHeader *header = chat->state.header;
    uint32_t place = place_of(chat, header->over_end);

    (void) state_edit(&chat->state, &header->over_first, 2 * sizeof(uint64_t)); /* and over_end */
    if (header->over_end - header->over_first == header->max_overs) {
        lose(chat, &chat->state.overs[place]);
        header->over_first++;
    }
    *state_edit_over(&chat->state, place) = (OverRecord){.pos = pos,
                                                         .name = chat->state.rooms[room].name,
                                                         .flags = note->room.flags,
                                                         .how = how_of(note),
                                                         .founder = note->room.founder,
                                                         .former = note->room.former,
                                                         .founder_uid = note->room.founder_uid,
                                                         .former_uid = note->room.former_uid};
    header->over_end++;
}

void over_forget(Chat *chat, uint64_t pos)
{
    chat->state.header->over_first = find(chat, pos); /* one store */
}
