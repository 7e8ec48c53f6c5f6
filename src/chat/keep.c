/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <string.h>

#include "base/config.h"
#include "base/crash.h"
#include "base/error.h"
#include "base/macro.h"
#include "chat/keep.h"
#include "chat/note.h"
#include "chat/over.h"
#include "chat/person.h"
#include "chat/room.h"

bool keep_is_founder(const Chat *chat, uint32_t room, uint32_t session)
{
    const RoomRecord *record = &chat->state.rooms[room];

    return record->created_wall != 0 && (record->flags & ROOM_FOUNDED) &&
           person_is_account(chat, session, record->founder_uid, &record->founder);
}

bool keep_may_change(const Chat *chat, uint32_t room, uint32_t session)
{
    return keep_is_founder(chat, room, session) || person_is_operator(chat, session);
}

bool keep_may_enter(const Chat *chat, uint32_t room, uint32_t session)
{
    return !(chat->state.rooms[room].flags & ROOM_LOCKED) || keep_may_change(chat, room, session) ||
           invite_of(chat, room, session) != NULL;
}

bool keep_is_seen(const Chat *chat, uint32_t room, uint32_t session)
{
    return !(chat->state.rooms[room].flags & ROOM_HIDDEN) || room_member(chat, room, session) != SLOT_NONE ||
           keep_may_change(chat, room, session);
}

size_t keep_secrets(const Chat *chat, uint32_t session, bool may_know, NameKey *ret_keys, size_t max)
{
    size_t n = 0;

    for (uint32_t room = 0; room < chat->room_slots.n_touched; room++) {
        const RoomRecord *record = &chat->state.rooms[room];

        if (record->created_wall == 0 || !(record->flags & ROOM_SECRET) ||
            may_know != (room_member(chat, room, session) != SLOT_NONE ||
                         (keep_may_enter(chat, room, session) && keep_is_seen(chat, room, session))))
            continue;
        if (n < max)
            name_fold(record->name.bytes, record->name.n, &ret_keys[n]);
        n++;
    }
    return n;
}

bool keep_is_kept(const Chat *chat, uint32_t room)
{
    uint32_t flags = chat->state.rooms[room].flags;

    /* The lobby stays anyway, and nobody founds it. */
    if (room == ROOM_LOBBY)
        return flags & ROOM_SET;
    return (flags & ROOM_SET) || chat->rooms[room].n_invited_accounts > 0;
}

static void set_flag(Chat *chat, uint32_t room, uint32_t flag, bool is_on)
{
    RoomRecord *record = state_edit_room(&chat->state, room);

    record->flags = is_on ? record->flags | flag : record->flags & ~flag;
}

static Note noted(const Chat *chat, uint32_t room, NoteKind kind, uint32_t how)
{
    const RoomRecord *record = &chat->state.rooms[room];
    Note note;

    memset(&note, 0, sizeof note);
    note.kind = kind;
    note.room.founder = record->founder;
    note.room.founder_uid = record->founder_uid;
    note.room.flags = record->flags & ROOM_SET;
    note.room.how = how;
    return note;
}

/* What can not be seen any more when it is known what the archive has. */
static void tell_over(Chat *chat, uint32_t room, uint32_t session, const Note *note)
{
    Note said = *note;

    if (note_is_secret_end(note)) {
        said.room.how |= NOTE_ROOM_SAID;
        (void) note_append(chat, room, session, &said);
    } else if (note->kind == NOTE_ROOM && chat->recall != NULL) {
        note_tell_lost(chat->log, note, NULL, chat->state.rooms[room].name.bytes);
    }
}

/* While it is not known what the archive has, it may have other rooms of these names: it is told what is the
 * case when that is known. With `is_over` there is nothing to be seen of it by then. */
static void tell(Chat *chat, uint32_t room, uint32_t session, const Note *note, bool is_over)
{
    StateHeader *header = chat->state.header;
    uint64_t pos;

    if (header->archive.recalled == PAST_UNKNOWN) {
        *(uint64_t *) state_edit(&chat->state, &header->is_noting, sizeof(uint64_t)) = true;
        if (is_over)
            tell_over(chat, room, session, note);
        return;
    }
    pos = note_append(chat, room, session, note);
    if (is_over)
        over_add(chat, room, note, pos);
}

/* What is kept of a room now, or that nothing is any more. */
static void note_room(Chat *chat, uint32_t room, uint32_t session, bool was_kept, uint32_t how)
{
    bool is_kept = keep_is_kept(chat, room);
    const Note note = noted(chat, room, is_kept ? NOTE_ROOM : NOTE_ROOM_OPENED, how);

    if (is_kept || was_kept)
        tell(chat, room, session, &note, !is_kept);
}

/* Who has the room now, and who had it. */
static void note_given(Chat *chat, uint32_t room, uint32_t session, const Name *former, uint32_t former_uid)
{
    Note note = noted(chat, room, NOTE_ROOM, NOTE_ROOM_GIVEN_BY);

    note.room.former = *former;
    note.room.former_uid = former_uid;
    tell(chat, room, session, &note, true);
}

/* That it was locked or hidden may be what the archive has not heard of. */
static Note closed(uint32_t flags)
{
    Note note;

    memset(&note, 0, sizeof note);
    note.kind = NOTE_ROOM_CLOSED;
    note.room.flags = flags & ROOM_SET;
    return note;
}

static void note_invited(Chat *chat, uint32_t session, const InviteRecord *invite, NoteKind kind)
{
    Note note;

    if (!invite_is_of_account(invite))
        return;
    memset(&note, 0, sizeof note);
    note.kind = kind;
    note.invited.name = invite->name;
    note.invited.uid = (uint32_t) invite->whom;
    tell(chat, invite->room, session, &note, false);
}

/* As if it had just been set by somebody. */
static void note_topic(Chat *chat, uint32_t room)
{
    const RoomRecord *record = &chat->state.rooms[room];
    Note note;

    memset(&note, 0, sizeof note);
    note.kind = NOTE_TOPIC;
    note.topic.by = record->topic_by;
    note.topic.n = record->topic_n;
    memcpy(note.topic.text, record->topic, record->topic_n);
    note_append(chat, room, SLOT_NONE, &note);
}

/* That is all that the archive may have of one that was not kept, but what was said. It may also have another
 * room of that name, which stays. */
static void note_no_topic(Chat *chat, uint32_t room)
{
    Note note;

    memset(&note, 0, sizeof note);
    note.kind = NOTE_TOPIC;
    note_append(chat, room, SLOT_NONE, &note);
}

void keep_note(Chat *chat, uint32_t room)
{
    const InviteRecord *invite = NULL;

    if (chat->state.rooms[room].created_wall == 0 || (chat->state.rooms[room].flags & ROOM_CLOSING))
        return;
    chat_reserve(chat, SLOT_NONE);
    if (keep_is_kept(chat, room))
        note_room(chat, room, SLOT_NONE, true, NOTE_ROOM_WHOLE);
    if (chat->state.rooms[room].topic_n > 0)
        note_topic(chat, room);
    chat_commit(chat);
    while ((invite = invite_next(chat, room, invite)) != NULL) {
        chat_reserve(chat, SLOT_NONE);
        note_invited(chat, SLOT_NONE, invite, NOTE_INVITED);
        chat_commit(chat);
    }
}

static unsigned count_founded(const Chat *chat, uint32_t session)
{
    unsigned n = 0;

    for (uint32_t room = 0; room < chat->room_slots.n_touched; room++)
        n += keep_is_founder(chat, room, session);
    return n;
}

int keep_found(Chat *chat, uint32_t room, uint32_t session, uint32_t founder)
{
    const SessionRecord *person = session_record(chat, founder);
    bool was_kept = keep_is_kept(chat, room);
    uint32_t former_uid;
    RoomRecord *record;
    Name former;

    if (count_founded(chat, founder) >= LIMIT_ROOMS_FOUNDED)
        return KEEP_TOO_MANY;
    record = state_edit_room(&chat->state, room);
    former = record->founder;
    former_uid = record->founder_uid;
    record->flags |= ROOM_FOUNDED;
    record->founder = person->nick;
    record->founder_uid = person->peer.uid;
    if (was_kept)
        note_given(chat, room, session, &former, former_uid);
    else
        note_room(chat, room, session, was_kept, 0);
    return 0;
}

void keep_set(Chat *chat, uint32_t room, uint32_t session, uint32_t flag, bool is_on)
{
    bool was_kept = keep_is_kept(chat, room);

    set_flag(chat, room, flag, is_on);
    note_room(chat, room, session, was_kept, 0);
}

int keep_invite(Chat *chat, uint32_t session, const InviteRecord *invite)
{
    bool was_kept = keep_is_kept(chat, invite->room);
    int r = invite_add(chat, invite);

    if (r != 0)
        return r;
    if (!was_kept)
        note_room(chat, invite->room, session, was_kept, 0);
    note_invited(chat, session, invite, NOTE_INVITED);
    return 0;
}

void keep_uninvite(Chat *chat, uint32_t session, const InviteRecord *invite)
{
    InviteRecord old = *invite;
    bool was_kept = keep_is_kept(chat, old.room);

    invite_remove(chat, invite);
    note_invited(chat, session, &old, NOTE_UNINVITED);
    if (!keep_is_kept(chat, old.room))
        note_room(chat, old.room, session, was_kept, 0);
}

void keep_close(Chat *chat, uint32_t room, uint32_t session)
{
    bool was_kept = keep_is_kept(chat, room);
    RoomRecord *record = state_edit_room(&chat->state, room);
    const Note note = closed(record->flags);

    record->flags = ROOM_CLOSING;
    record->founder = (Name){0};
    record->founder_uid = 0;
    invite_remove_all(chat, room);
    if (was_kept)
        tell(chat, room, session, &note, true);
    else if (record->topic_n > 0)
        note_no_topic(chat, room);
    if (chat->rooms[room].n_members == 0)
        room_end(chat, room);
    else
        chat->close_from = MIN(chat->close_from, chat->state.header->head);
}

/* Of two rooms that belong to nobody nothing else says that they are not one. */
static bool is_another(const RoomRecord *record, const RecalledRoom *recalled)
{
    return (recalled->flags & ROOM_SECRET) && recalled->founder.n == 0 &&
           !(record->flags & (ROOM_FOUNDED | ROOM_RECALLED));
}

int keep_recall(Chat *chat, const RecalledRoom *recalled, uint32_t *ret_room)
{
    uint32_t room = room_find(chat, &recalled->name), max = chat->config->max_rooms;
    const Note another = closed(recalled->flags);
    RoomRecord *record;
    int r;

    *ret_room = SLOT_NONE;
    if (room == SLOT_NONE) {
        max = MIN(max != 0 ? max : LIMIT_ROOMS, chat->state.header->max_rooms - 1);
        if (slots_n_used(&chat->room_slots) > max)
            return 0;
        r = room_make(chat, &recalled->name, &room);
        if (r < 0)
            return error_trace(r);
        keep_begin_empty(chat, room);
    }
    record = state_edit_room(&chat->state, room);
    if (record->flags != 0) {
        if (room != ROOM_LOBBY && is_another(record, recalled))
            note_append(chat, room, SLOT_NONE, &another);
        return 0;
    }
    *ret_room = room;
    record->flags = recalled->flags & (room == ROOM_LOBBY ? (uint32_t) ROOM_TOPIC_LOCKED : ROOM_SET);
    if (chat->rooms[room].n_members > 0 && (record->flags & ROOM_LOCKED)) {
        record->flags |= ROOM_STRANGERS;
        chat->has_strangers = true;
    }
    if (room != ROOM_LOBBY)
        record->flags |= ROOM_RECALLED;
    if (room != ROOM_LOBBY && recalled->founder.n > 0) {
        record->flags |= ROOM_FOUNDED;
        record->founder = recalled->founder;
        record->founder_uid = recalled->founder_uid;
    }
    if (record->topic_n == 0 && recalled->topic_n <= LIMIT_TOPIC_BYTES) {
        record->topic_n = recalled->topic_n;
        memcpy(record->topic, recalled->topic, recalled->topic_n);
        if (name_parse_nick(recalled->topic_by.bytes, recalled->topic_by.n, &record->topic_by) != 0)
            record->topic_by = (Name){0};
    }
    return 0;
}

void keep_recall_invite(Chat *chat, uint32_t room, const RecalledInvite *recalled)
{
    InviteRecord invite = {.whom = PERSON_ADDRESS | recalled->uid, .room = room};

    if (room == ROOM_LOBBY || recalled->uid == UINT32_MAX ||
        name_parse_nick(recalled->name.bytes, recalled->name.n, &invite.name) != 0)
        return;
    (void) invite_add(chat, &invite);
}

void keep_recall_end(Chat *chat, uint32_t room)
{
    if (room != ROOM_LOBBY && chat->rooms[room].n_members == 0 && !keep_is_kept(chat, room))
        room_end(chat, room);
}

void keep_begin_empty(Chat *chat, uint32_t room)
{
    /* The clock on the wall may be set by years, which is no time in which nobody came. */
    uint32_t now = (uint32_t) (chat->now / USEC_PER_SEC);

    state_edit_room(&chat->state, room)->empty_since = MAX(now, 1U);
    chat->next_given_up = MIN(chat->next_given_up, ((uint64_t) now + ROOM_KEPT_SEC) * USEC_PER_SEC);
}

/* The person of that session is out of a room, which `is` so. */
static void put_out(Chat *chat, uint32_t room, uint32_t session, const char *is)
{
    Name name = chat->state.rooms[room].name;
    uint32_t each = session;

    chat_reserve(chat, session);
    room_put_out(chat, session, room);
    do
        chat_reply(chat, each, "#%s is %s. You are in #%s now.", name.bytes, is,
                   chat->state.rooms[session_record(chat, each)->current_room].name.bytes);
    while ((each = person_next(chat, each)) != session);
    chat_commit(chat);
}

static void close_rooms(Chat *chat)
{
    bool is_done = true;

    for (uint32_t room = 0; room < chat->room_slots.n_touched && is_done; room++) {
        if (chat->state.rooms[room].created_wall == 0 || !(chat->state.rooms[room].flags & ROOM_CLOSING))
            continue;
        while (chat->rooms[room].n_members > 0 && !chat_turn_is_full(chat))
            put_out(chat, room, chat->members[chat->rooms[room].first_member].session, "closed");
        is_done = chat->rooms[room].n_members == 0;
    }
    if (is_done)
        chat->close_from = UINT64_MAX;
}

static uint32_t find_stranger(const Chat *chat, uint32_t room)
{
    uint32_t member = chat->rooms[room].first_member;

    while (member != SLOT_NONE && keep_may_enter(chat, room, chat->members[member].session))
        member = chat->members[member].next_in_room;
    return member;
}

static bool put_out_strangers_of(Chat *chat, uint32_t room)
{
    uint32_t member;

    while ((member = find_stranger(chat, room)) != SLOT_NONE) {
        if (chat_turn_is_full(chat))
            return false;
        put_out(chat, room, chat->members[member].session, "locked");
        crash_point();
    }
    set_flag(chat, room, ROOM_STRANGERS, false);
    chat_commit(chat);
    return true;
}

bool keep_put_out_strangers(Chat *chat)
{
    for (uint32_t room = 0; room < chat->room_slots.n_touched && chat->has_strangers; room++)
        if (chat->state.rooms[room].created_wall != 0 && (chat->state.rooms[room].flags & ROOM_STRANGERS) &&
            !put_out_strangers_of(chat, room))
            return false;
    chat->has_strangers = false;
    return true;
}

static void give_up_empty(Chat *chat)
{
    chat->next_given_up = UINT64_MAX;
    for (uint32_t room = ROOM_LOBBY + 1; room < chat->room_slots.n_touched; room++) {
        const RoomRecord *record = &chat->state.rooms[room];
        uint64_t until = ((uint64_t) record->empty_since + ROOM_KEPT_SEC) * USEC_PER_SEC;

        if (record->created_wall == 0 || chat->rooms[room].n_members > 0)
            continue;
        if (until > chat->now || chat_turn_is_full(chat)) {
            chat->next_given_up = MIN(chat->next_given_up, until);
            continue;
        }
        log_event(chat->log,
                  (LogEvent){.priority = LOG_INFO, .id = LOG_ID_ROOM_GIVEN_UP, .room = record->name.bytes},
                  "Nobody has been in #%s for a long time; it is not kept any more.", record->name.bytes);
        chat_reserve(chat, SLOT_NONE);
        keep_close(chat, room, SLOT_NONE);
        chat_commit(chat);
    }
}

void keep_tick(Chat *chat)
{
    /* Who is put out of a room hears no more of it: so all that was said there is sent before. */
    if (chat->close_from <= chat->state.header->flushed)
        close_rooms(chat);
    if (chat->now >= chat->next_given_up)
        give_up_empty(chat);
}
