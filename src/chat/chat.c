/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/config.h"
#include "base/macro.h"
#include "chat/chat.h"
#include "chat/peer.h"
#include "chat/person.h"

/* Clocks change for the summer at full quarters of an hour, in every zone of today. */
#define UTC_OFFSET_USEC (15 * 60 * USEC_PER_SEC)

void chat_set_time(Chat *chat, uint64_t now, uint64_t wall)
{
    time_t seconds = (time_t) (wall / USEC_PER_SEC);
    struct tm local;

    chat->now = now;
    chat->wall = wall;
    if (wall < chat->utc_offset_until && wall + UTC_OFFSET_USEC >= chat->utc_offset_until)
        return;
    chat->utc_offset = localtime_r(&seconds, &local) != NULL ? local.tm_gmtoff : 0;
    chat->utc_offset_until = wall - wall % UTC_OFFSET_USEC + UTC_OFFSET_USEC;
}

void chat_begin_turn(Chat *chat, uint64_t now, uint64_t wall)
{
    uint64_t seconds, today;

    chat_set_time(chat, now, wall);
    /* A day more, as in the front: not negative, whatever the clock says. */
    seconds = wall / USEC_PER_SEC + SECONDS_PER_DAY + (uint64_t) chat->utc_offset;
    today = wall - MIN(wall, seconds % SECONDS_PER_DAY * USEC_PER_SEC + wall % USEC_PER_SEC);
    /* One store, and true at any time: it needs no transaction. */
    if (chat->state.header->today != today)
        chat->state.header->today = today;
}

void chat_end_turn(Chat *chat)
{
    Turn *turn = &chat->turn;

    for (uint32_t i = 0; i < turn->n_sessions; i++) {
        chat->sessions[turn->sessions[i]].is_touched = false;
        chat->sessions[turn->sessions[i]].chain = (TurnChain){0};
    }
    for (uint32_t i = 0; i < turn->n_rooms; i++) {
        chat->rooms[turn->rooms[i]].is_touched = false;
        chat->rooms[turn->rooms[i]].chain = (TurnChain){0};
    }
    turn->n_sessions = turn->n_rooms = 0;
    turn->everybody = (TurnChain){0};
    chat->state.header->flushed = chat->state.header->head;
}

bool chat_turn_is_full(const Chat *chat)
{
    const StateHeader *header = chat->state.header;

    /* Those who keep up must never lose a line: what one turn appends stays well below the size of the ring.
     */
    return header->head - header->flushed > header->transcript_size / 4;
}

/* What one entry without a text of its own takes. */
#define NOTICE_BYTES (sizeof(Entry) + 3 * NAME_MAX_BYTES + 8)

void chat_reserve(Chat *chat, uint32_t session)
{
    /* One line said, one answer, and a word in each of the rooms. What a command notes for the archive, and
     * tells others, is less than a line. */
    size_t n_rooms = session != SLOT_NONE ? chat->sessions[session].n_rooms : 0;

    transcript_reserve(&chat->transcript, 2 * ENTRY_MAX_BYTES + (n_rooms + 1) * NOTICE_BYTES);
}

void chat_commit(Chat *chat)
{
    state_commit(&chat->state);
}

uint32_t chat_room_bound(const Chat *chat)
{
    uint64_t said = (chat->state.header->transcript_size / 2 - 3 * ENTRY_MAX_BYTES) / NOTICE_BYTES - 1;

    return (uint32_t) MIN(said, (uint64_t) chat->state.header->max_rooms_each);
}

uint32_t chat_n_sessions(const Chat *chat)
{
    return slots_n_used(&chat->session_slots);
}

uint32_t chat_n_people(const Chat *chat)
{
    return chat_n_sessions(chat) - chat->n_more_sessions;
}

uint32_t chat_n_rooms(const Chat *chat)
{
    return slots_n_used(&chat->room_slots) - chat->n_empty_rooms;
}

/* A limit that has not been hit for so long is worth a line in the log again. */
#define QUIET_USEC (60 * USEC_PER_SEC)

void chat_log_limit(Chat *chat, ChatLimit limit, LogEvent about)
{
    static const char *const KEYS[] = {
        [CHAT_LIMIT_CLIENTS] = "MaxClients",
        [CHAT_LIMIT_CLIENTS_PER_ADDRESS] = "MaxClientsPerAddress",
        [CHAT_LIMIT_ROOMS] = "MaxRooms",
    };
    bool is_quiet = chat->now < chat->quiet_until[limit];

    chat->quiet_until[limit] = chat->now + QUIET_USEC;
    if (is_quiet)
        return;
    about.priority = LOG_WARNING;
    about.id = LOG_ID_LIMIT_REACHED;
    about.limit = KEYS[limit];
    log_event(chat->log, about,
              "Refused %s: %s= is reached. This is told again after a minute without refusals.",
              about.peer != NULL ? about.peer : about.nick, KEYS[limit]);
}

void chat_touch_session(Chat *chat, uint32_t session)
{
    if (chat->sessions[session].is_touched)
        return;
    chat->sessions[session].is_touched = true;
    chat->turn.sessions[chat->turn.n_sessions++] = session;
}

static void chat_touch_room(Chat *chat, uint32_t room)
{
    if (chat->rooms[room].is_touched)
        return;
    chat->rooms[room].is_touched = true;
    chat->turn.rooms[chat->turn.n_rooms++] = room;
}

static void chain_add(Chat *chat, TurnChain *chain, uint64_t pos)
{
    if (chain->first == 0)
        chain->first = pos;
    else
        transcript_link(&chat->transcript, chain->last, pos);
    chain->last = pos;
}

void chat_draft_from(const Chat *chat, EntryDraft *draft, uint32_t from)
{
    const SessionRecord *record;

    if (from == SLOT_NONE)
        return;
    record = session_record(chat, from);
    draft->from = record->serial;
    draft->from_hash = chat->sessions[from].nick_hash;
    draft->nick = record->nick.bytes;
    draft->nick_n = record->nick.n;
    draft->is_verified = record->standing & STANDING_VERIFIED;
    if (draft->is_verified)
        draft->uid = record->peer.uid;
    else
        draft->place = peer_place(&record->peer);
}

void chat_tell_room(Chat *chat, uint32_t room, EntryKind kind, uint32_t from, const char *text, size_t n)
{
    const RoomRecord *record = &chat->state.rooms[room];
    bool is_speech = kind == ENTRY_SAID || kind == ENTRY_ACTION;
    EntryDraft draft = {
        .kind = kind,
        .room = room,
        .prev = is_speech ? record->last_said : 0,
        .wall = chat->wall,
        .room_name = record->name.bytes,
        .room_name_n = record->name.n,
        .text = text,
        .text_n = n,
    };
    uint64_t pos;

    chat_draft_from(chat, &draft, from);
    pos = transcript_append(&chat->transcript, &draft);
    if (is_speech)
        state_edit_room(&chat->state, room)->last_said = pos;
    /* Who speaks does not hear it, and so can not share what the others are sent. */
    if (from != SLOT_NONE)
        chat_touch_session(chat, from);
    chat_touch_room(chat, room);
    chain_add(chat, &chat->rooms[room].chain, pos);
}

void chat_tell(Chat *chat, uint32_t to, EntryKind kind, uint32_t from, const char *text, size_t n)
{
    const SessionRecord *record = session_record(chat, to);
    EntryDraft draft = {
        .kind = kind,
        .room = SLOT_NONE,
        .to = record->serial,
        .wall = chat->wall,
        .text = text,
        .text_n = n,
    };

    chat_draft_from(chat, &draft, from);
    chat_touch_session(chat, to);
    chain_add(chat, &chat->sessions[to].chain, transcript_append(&chat->transcript, &draft));
    /* Answers are part of what a client may make the server say. */
    if (from == SLOT_NONE)
        state_edit_session(&chat->state, to)->bytes_due =
            rate_charge(&chat->bytes, record->bytes_due, chat->now * NSEC_PER_USEC, n);
}

void chat_tell_everybody(Chat *chat, uint32_t from, const char *text, size_t n)
{
    EntryDraft draft = {
        .kind = ENTRY_ANNOUNCED,
        .room = SLOT_NONE,
        .to = PERSON_EVERYBODY,
        .wall = chat->wall,
        .text = text,
        .text_n = n,
    };

    chat_draft_from(chat, &draft, from);
    for (uint32_t session = 0; session < chat->session_slots.n_touched; session++)
        if (session_record(chat, session)->serial != 0)
            chat_touch_session(chat, session);
    chain_add(chat, &chat->turn.everybody, transcript_append(&chat->transcript, &draft));
}

void chat_tell_person(Chat *chat, uint32_t to, EntryKind kind, uint32_t from, const char *text, size_t n)
{
    EntryDraft draft = {
        .kind = kind,
        .room = SLOT_NONE,
        .to = person_address(chat, to),
        .wall = chat->wall,
        .text = text,
        .text_n = n,
    };
    uint32_t session = to;

    chat_draft_from(chat, &draft, from);
    do
        chat_touch_session(chat, session);
    while ((session = person_next(chat, session)) != to);
    /* Of several sessions any may be gone when the others read. */
    chain_add(chat, person_next(chat, to) == to ? &chat->sessions[to].chain : &chat->turn.everybody,
              transcript_append(&chat->transcript, &draft));
}

void chat_error(Chat *chat, uint32_t to, const char *format, ...)
{
    char text[LIMIT_TOPIC_BYTES + 256];
    va_list arguments;

    va_start(arguments, format);
    (void) vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    chat_tell(chat, to, ENTRY_ERROR, SLOT_NONE, text, strlen(text));
}

void chat_reply(Chat *chat, uint32_t to, const char *format, ...)
{
    char text[LIMIT_TOPIC_BYTES + 256];
    va_list arguments;

    va_start(arguments, format);
    (void) vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    chat_tell(chat, to, ENTRY_REPLY, SLOT_NONE, text, strlen(text));
}

void chat_answer(Chat *chat, const char *format, ...)
{
    Answer *answer = &chat->answer;
    size_t room = sizeof answer->text - answer->n;
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(answer->text + answer->n, room, format, arguments);
    va_end(arguments);
    if (n > 0 && (size_t) n < room)
        answer->n += (size_t) n;
}

void chat_answer_send(Chat *chat, uint32_t to)
{
    Answer *answer = &chat->answer;

    if (answer->n > 0 && answer->text[answer->n - 1] == '\n')
        answer->n--;
    if (answer->n > 0)
        chat_tell(chat, to, ENTRY_REPLY, SLOT_NONE, answer->text, answer->n);
    answer->n = 0;
}

uint64_t chat_name_hash(const NameKey *key)
{
    /* FNV-1a, 64 bits (draft-eastlake-fnv): for telling names apart, not for secrets. */
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (uint16_t i = 0; i < key->n; i++) {
        hash ^= (uint8_t) key->bytes[i];
        hash *= UINT64_C(0x100000001b3);
    }
    return hash != 0 ? hash : 1;
}
