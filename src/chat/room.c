/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/error.h"
#include "base/macro.h"
#include "chat/keep.h"
#include "chat/person.h"
#include "chat/room.h"

int room_index(Chat *chat, uint32_t room, const Name *name)
{
    NameKey key;

    name_fold(name->bytes, name->n, &key);
    if (index_find(&chat->room_names, key.bytes, key.n) != NULL)
        return ROOM_NAME_TAKEN;
    chat->rooms[room].first_member = SLOT_NONE;
    chat->rooms[room].n_members = chat->rooms[room].n_people = 0;
    chat->rooms[room].n_invites = chat->rooms[room].n_invited_accounts = 0;
    chat->n_empty_rooms++;
    return error_trace(index_add(&chat->room_names, key.bytes, key.n, room));
}

int room_make(Chat *chat, const Name *name, uint32_t *ret_room)
{
    uint32_t room = slots_take(&chat->room_slots);
    int r;

    assert(room != SLOT_NONE);
    r = room_index(chat, room, name);
    if (r != 0) {
        slots_give(&chat->room_slots, room);
        return error_fold(r);
    }
    *state_edit_room(&chat->state, room) = (RoomRecord){.created_wall = chat->wall, .name = *name};
    *ret_room = room;
    return 0;
}

void room_end(Chat *chat, uint32_t room)
{
    RoomRecord *record = state_edit_room(&chat->state, room);
    NameKey key;

    assert(chat->rooms[room].n_members == 0 && room != ROOM_LOBBY);
    invite_remove_all(chat, room);
    chat->n_empty_rooms--;
    name_fold(record->name.bytes, record->name.n, &key);
    index_remove(&chat->room_names, key.bytes, key.n);
    record->created_wall = 0;
    slots_give(&chat->room_slots, room);
}

int room_make_lobby(Chat *chat)
{
    Name name = {.n = STRLEN("lobby"), .bytes = "lobby"};
    uint32_t room;
    int r = room_make(chat, &name, &room);

    assert(r < 0 || room == ROOM_LOBBY);
    return error_trace(r);
}

uint32_t room_find(const Chat *chat, const Name *name)
{
    NameKey key;

    name_fold(name->bytes, name->n, &key);
    return room_find_key(chat, &key);
}

uint32_t room_find_key(const Chat *chat, const NameKey *key)
{
    const uint32_t *room = index_find(&chat->room_names, key->bytes, key->n);

    return room != NULL ? *room : SLOT_NONE;
}

void room_link(Chat *chat, uint32_t member, uint32_t session, uint32_t room)
{
    SessionSide *of_session = &chat->sessions[session];
    RoomSide *of_room = &chat->rooms[room];
    MemberSide *side = &chat->members[member];

    chat->n_empty_rooms -= of_room->n_members == 0;
    of_room->n_people += !person_is_elsewhere(chat, room, session);
    *side = (MemberSide){
        .previous_in_room = SLOT_NONE,
        .next_in_room = of_room->first_member,
        .next_of_session = of_session->first_member,
        .session = session,
    };
    if (of_room->first_member != SLOT_NONE)
        chat->members[of_room->first_member].previous_in_room = member;
    of_room->first_member = of_session->first_member = member;
    of_room->n_members++;
    of_session->n_rooms++;
}

static void room_unlink(Chat *chat, uint32_t member, uint32_t session, uint32_t room)
{
    MemberSide *side = &chat->members[member];
    uint32_t *link = &chat->sessions[session].first_member;

    if (side->previous_in_room != SLOT_NONE)
        chat->members[side->previous_in_room].next_in_room = side->next_in_room;
    else
        chat->rooms[room].first_member = side->next_in_room;
    if (side->next_in_room != SLOT_NONE)
        chat->members[side->next_in_room].previous_in_room = side->previous_in_room;
    while (*link != member)
        link = &chat->members[*link].next_of_session;
    *link = side->next_of_session;
    chat->rooms[room].n_members--;
    chat->n_empty_rooms += chat->rooms[room].n_members == 0;
    chat->rooms[room].n_people -= !person_is_elsewhere(chat, room, session);
    chat->sessions[session].n_rooms--;
}

/* Whether there are places for all sessions of somebody in one more room: for everybody who may still come
 * one is kept free, so that nobody is without the lobby. */
static bool has_places(const Chat *chat, uint32_t session)
{
    uint64_t to_come = chat->state.header->max_sessions - chat_n_sessions(chat);
    uint64_t n = person_n_sessions(chat, session);

    return chat->sessions[session].n_rooms == 0 ||
           slots_n_used(&chat->member_slots) + to_come + n <= chat->state.header->max_members;
}

/* Hears what is said in the room from now on. */
static void room_add(Chat *chat, uint32_t session, uint32_t room, uint64_t order)
{
    uint32_t member = slots_take(&chat->member_slots);

    assert(member != SLOT_NONE);
    *state_edit_member(&chat->state, member) =
        (MemberRecord){.joined = chat->state.header->head, .session = session, .room = room, .order = order};
    room_link(chat, member, session, room);
    /* Until now it has heard nothing of this room, so it can not share what the others are sent in this turn.
     */
    chat_touch_session(chat, session);
}

static void room_remove(Chat *chat, uint32_t session, uint32_t room)
{
    uint32_t member = room_member(chat, room, session);

    assert(member != SLOT_NONE);
    room_unlink(chat, member, session, room);
    state_edit_member(&chat->state, member)->joined = 0;
    slots_give(&chat->member_slots, member);
}

static void room_settle_if_empty(Chat *chat, uint32_t room)
{
    if (chat->rooms[room].n_members > 0 || room == ROOM_LOBBY)
        return;
    if (keep_is_kept(chat, room))
        keep_begin_empty(chat, room);
    else
        room_end(chat, room);
}

/* Whether somebody who is not in it may enter the room, or make one (SLOT_NONE). 0, or one of the answers of
 * room_join(). */
static int room_may_join(const Chat *chat, uint32_t session, uint32_t room)
{
    uint32_t max = chat_room_bound(chat);

    if (room != SLOT_NONE && (chat->state.rooms[room].flags & ROOM_CLOSING))
        return ROOM_IS_CLOSED;
    if (room != SLOT_NONE && !keep_may_enter(chat, room, session))
        return ROOM_NOT_INVITED;
    if (chat->config->max_rooms_per_client != 0)
        max = MIN(max, chat->config->max_rooms_per_client);
    if (chat->sessions[session].n_rooms >= max || !has_places(chat, session))
        return ROOM_TOO_MANY_OF_CLIENT;
    if (room != SLOT_NONE)
        return 0;
    /* The lobby is not one of those that MaxRooms= counts. */
    max = chat->config->max_rooms != 0 ? chat->config->max_rooms : LIMIT_ROOMS;
    return slots_n_used(&chat->room_slots) > MIN(max, chat->state.header->max_rooms - 1) ? ROOM_TOO_MANY : 0;
}

int room_join(Chat *chat, uint32_t session, const Name *name, uint32_t *ret_room)
{
    uint32_t room = room_find(chat, name), other = session;
    int r;

    if (room != SLOT_NONE && room_member(chat, room, session) != SLOT_NONE) {
        *ret_room = room;
        return 0;
    }
    r = room_may_join(chat, session, room);
    if (r != 0)
        return r;
    if (room == SLOT_NONE) {
        r = room_make(chat, name, &room);
        if (r < 0)
            return error_trace(r);
    }
    if (chat->state.rooms[room].empty_since != 0)
        state_edit_room(&chat->state, room)->empty_since = 0;
    do
        room_add(chat, other, room, state_edit_counters(&chat->state)->next_member++);
    while ((other = person_next(chat, other)) != session);
    room_announce(chat, room, ENTRY_JOINED, session, NULL, 0);
    /* None of them is told that they have come. */
    do
        state_edit_member(&chat->state, room_member(chat, room, other))->joined = chat->state.header->head;
    while ((other = person_next(chat, other)) != session);
    *ret_room = room;
    return 0;
}

/* What was the last of its rooms is the first. */
static void reverse_rooms(Chat *chat, uint32_t session)
{
    uint32_t member = chat->sessions[session].first_member, reversed = SLOT_NONE;

    while (member != SLOT_NONE) {
        uint32_t next = chat->members[member].next_of_session;

        chat->members[member].next_of_session = reversed;
        reversed = member;
        member = next;
    }
    chat->sessions[session].first_member = reversed;
}

void room_follow(Chat *chat, uint32_t session, uint32_t other)
{
    uint64_t *next_order = &state_edit_counters(&chat->state)->next_member;
    uint64_t order = *next_order += chat->sessions[other].n_rooms;

    /* The list begins with the room that was entered last. */
    for (uint32_t member = chat->sessions[other].first_member; member != SLOT_NONE;
         member = chat->members[member].next_of_session)
        room_add(chat, session, chat->state.members[member].room, --order);
    reverse_rooms(chat, session);
}

void room_put_out(Chat *chat, uint32_t session, uint32_t room)
{
    Name lobby = chat->state.rooms[ROOM_LOBBY].name;
    uint32_t each = session, next;
    int r = 0;

    do
        room_remove(chat, each, room);
    while ((each = person_next(chat, each)) != session);
    room_settle_if_empty(chat, room);
    if (chat->sessions[session].n_rooms == 0)
        r = room_join(chat, session, &lobby, &next);
    assert(r == 0); /* the lobby is there, and has a place for everybody */
    do
        if (session_record(chat, each)->current_room == room)
            state_edit_session(&chat->state, each)->current_room =
                chat->state.members[chat->sessions[each].first_member].room;
    while ((each = person_next(chat, each)) != session);
}

void room_leave(Chat *chat, uint32_t session, uint32_t room)
{
    room_announce(chat, room, ENTRY_LEFT, session, NULL, 0);
    room_put_out(chat, session, room);
}

void room_drop(Chat *chat, uint32_t session, uint32_t room)
{
    if (!person_is_elsewhere(chat, room, session))
        room_announce(chat, room, ENTRY_LEFT, session, NULL, 0);
    room_remove(chat, session, room);
    room_settle_if_empty(chat, room);
}

void room_announce(Chat *chat, uint32_t room, EntryKind kind, uint32_t session, const char *text, size_t n)
{
    RoomRecord *record;

    if (chat->rooms[room].n_people <= ANNOUNCE_PEOPLE) {
        /* Whoever is alone need not be told. */
        if (chat->rooms[room].n_people > 1)
            chat_tell_room(chat, room, kind, session, text, n);
        return;
    }
    record = state_edit_room(&chat->state, room);
    if (record->n_came + record->n_left + record->n_renamed == 0) {
        record->sum_due = chat->now + ANNOUNCE_SUM_USEC;
        chat->next_summary = MIN(chat->next_summary, record->sum_due);
    }
    record->n_came += kind == ENTRY_JOINED;
    record->n_left += kind == ENTRY_LEFT;
    record->n_renamed += kind == ENTRY_RENAMED;
}

static void room_tell_summary(Chat *chat, uint32_t room)
{
    RoomRecord *record = state_edit_room(&chat->state, room);
    const struct {
        uint32_t n;
        const char *did;
    } parts[] = {
        {record->n_came, "came"},
        {record->n_left, "left"},
        {record->n_renamed, "changed names"},
    };
    char text[128];
    size_t n = 0;

    for (size_t i = 0; i < N_ELEMENTS(parts); i++)
        if (parts[i].n > 0)
            n += (size_t) snprintf(text + n, sizeof text - n, "%s%u %s", n > 0 ? ", " : "", parts[i].n,
                                   parts[i].did);
    record->n_came = record->n_left = record->n_renamed = 0;
    record->sum_due = 0;
    if (chat->rooms[room].n_members > 0)
        chat_tell_room(chat, room, ENTRY_SUMMARY, SLOT_NONE, text, n);
}

void room_tell_summaries(Chat *chat)
{
    chat->next_summary = UINT64_MAX;
    for (uint32_t room = 0; room < chat->room_slots.n_touched; room++) {
        const RoomRecord *record = &chat->state.rooms[room];

        if (record->created_wall == 0 || record->n_came + record->n_left + record->n_renamed == 0)
            continue;
        if (record->sum_due <= chat->now && !chat_turn_is_full(chat)) {
            chat_reserve(chat, SLOT_NONE);
            room_tell_summary(chat, room);
            state_commit(&chat->state);
        } else {
            chat->next_summary = MIN(chat->next_summary, record->sum_due);
        }
    }
}

bool room_history(const Chat *chat, uint32_t room, uint32_t n, TranscriptSpan *ret_span)
{
    uint64_t last = chat->state.rooms[room].last_said;
    const Entry *entry = transcript_at(&chat->transcript, last);

    if (entry == NULL || n == 0)
        return false;
    *ret_span = (TranscriptSpan){.first = 0, .last = last};
    for (; entry != NULL && n > 0; entry = transcript_at(&chat->transcript, entry->prev)) {
        if (entry->is_taken_back)
            continue;
        ret_span->first = entry->pos;
        n--;
    }
    return ret_span->first != 0;
}

void room_set_topic(Chat *chat, uint32_t room, uint32_t session, const char *text, size_t n)
{
    RoomRecord *record = state_edit_room(&chat->state, room);

    assert(n <= sizeof record->topic);
    record->topic_n = (uint16_t) n;
    if (n > 0)
        memcpy(record->topic, text, n);
    record->topic_by = chat->state.sessions[session].nick;
    chat_tell_room(chat, room, ENTRY_TOPIC, session, text, n);
}

void room_recall(Chat *chat, uint32_t room, const Entry *entry)
{
    RoomRecord *record = state_edit_room(&chat->state, room);
    EntryDraft draft = {
        .kind = entry->kind,
        .room = room,
        .from_hash = entry->from_hash,
        .prev = record->last_said,
        .wall = entry->wall,
        .nick = entry_nick(entry),
        .room_name = record->name.bytes,
        .text = entry_text(entry),
        .nick_n = entry->nick_n,
        .room_name_n = record->name.n,
        .text_n = entry->text_n,
        .is_verified = entry->is_verified,
        .is_recalled = true,
        .uid = entry_uid(entry),
    };

    record->last_said = transcript_append(&chat->transcript, &draft);
}

void room_copy(Chat *to, const Chat *from, uint32_t room)
{
    const RoomRecord *old = &from->state.rooms[room];
    const Entry *entry = transcript_at(&from->transcript, old->last_said);
    uint64_t places[LIMIT_HISTORY];
    RoomRecord *new = state_edit_room(&to->state, room);
    uint32_t n = 0;

    new->topic_by = old->topic_by;
    new->topic_n = old->topic_n;
    memcpy(new->topic, old->topic, sizeof new->topic);
    new->flags = old->flags &ROOM_TOPIC_LOCKED;
    chat_commit(to);
    for (; entry != NULL && n < LIMIT_HISTORY; entry = transcript_at(&from->transcript, entry->prev))
        if (!entry->is_taken_back)
            places[n++] = entry->pos;
    while (n > 0) {
        chat_reserve(to, SLOT_NONE);
        room_recall(to, room, transcript_at(&from->transcript, places[--n]));
        chat_commit(to);
    }
    chat_end_turn(to);
}
