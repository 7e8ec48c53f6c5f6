/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/error.h"
#include "base/macro.h"
#include "chat/chat.h"
#include "chat/restore.h"
#include "chat/room.h"
#include "chat/session.h"

static int chat_allocate(Chat *chat)
{
    const StateHeader *header = chat->state.header;
    int r;

    r = slots_init(&chat->session_slots, header->max_sessions);
    if (r == 0)
        r = slots_init(&chat->room_slots, header->max_rooms);
    if (r == 0)
        r = slots_init(&chat->member_slots, header->max_members);
    if (r < 0)
        return error_trace(r);
    chat->sessions = calloc(header->max_sessions, sizeof *chat->sessions);
    chat->rooms = calloc(header->max_rooms, sizeof *chat->rooms);
    chat->members = calloc(header->max_members, sizeof *chat->members);
    chat->turn.sessions = calloc(header->max_sessions, sizeof *chat->turn.sessions);
    chat->turn.rooms = calloc(header->max_rooms, sizeof *chat->turn.rooms);
    if (chat->sessions == NULL || chat->rooms == NULL || chat->members == NULL ||
        chat->turn.sessions == NULL || chat->turn.rooms == NULL)
        return error_origin(-ENOMEM);
    return 0;
}

static void chat_reclaim(void *userdata, uint64_t tail)
{
    session_lose(userdata, tail);
}

static void chat_set_rates(Chat *chat, const Config *config)
{
    /* A line of any length that is allowed must fit, with its line end. */
    uint32_t burst = MAX(config->bytes_burst, config->max_line_length + 2);

    chat->config = config;
    chat->lines = (Rate){.per_second = config->lines_per_second, .burst = config->lines_burst};
    chat->bytes = (Rate){.per_second = config->bytes_per_second, .burst = burst};
}

/* What is needed beside the state, which is there. */
static int chat_setup(Chat *chat, const Config *config, const Log *log)
{
    chat_set_rates(chat, config);
    chat->log = log;
    chat->first_lagging = SLOT_NONE;
    chat->next_summary = UINT64_MAX;
    chat_set_time(chat, clock_monotonic(), clock_wall());
    chat->started_wall = chat->wall;
    transcript_init(&chat->transcript, &chat->state, chat_reclaim, chat);
    return error_trace(chat_allocate(chat));
}

int chat_init(Chat *chat, const Config *config, const Log *log, uint32_t max_sessions)
{
    int r;

    *chat = (Chat){0};
    r = state_new(&chat->state, config, max_sessions);
    if (r < 0)
        return error_trace(r);
    r = chat_setup(chat, config, log);
    if (r == 0) {
        chat->state.header->started_wall = chat->wall;
        chat_set_config(chat, config);
        r = room_make_lobby(chat);
    }
    if (r < 0) {
        chat_done(chat);
        return error_trace(r);
    }
    chat_commit(chat);
    return 0;
}

int chat_adopt(Chat *chat, State *state, const Config *config, const Log *log)
{
    int r;

    *chat = (Chat){.state = *state};
    r = chat_setup(chat, config, log);
    if (r == 0)
        r = restore_run(chat);
    if (r != 0) {
        chat_done(chat);
        return r > 0 ? CHAT_DAMAGED : error_trace(r);
    }
    return 0;
}

void chat_done(Chat *chat)
{
    index_done(&chat->nicks);
    index_done(&chat->room_names);
    index_done(&chat->addresses);
    free(chat->turn.rooms);
    free(chat->turn.sessions);
    free(chat->members);
    free(chat->rooms);
    free(chat->sessions);
    slots_done(&chat->member_slots);
    slots_done(&chat->room_slots);
    slots_done(&chat->session_slots);
    state_done(&chat->state);
}

/* What greetings say of the host and of the day. */
static void chat_set_greeting(Chat *chat, const char *text)
{
    StateHeader *header = chat->state.header;
    Motd motd = {0};
    char host[sizeof header->host] = "";

    if (text != NULL) {
        motd.n = (uint32_t) MIN(strlen(text), sizeof motd.text);
        memcpy(motd.text, text, motd.n);
    }
    (void) gethostname(host, sizeof host - 1);
    if (strcmp(header->host, host) == 0 && memcmp(&header->motd, &motd, sizeof motd) == 0)
        return;
    session_cut_greetings(chat);
    memcpy(state_edit(&chat->state, &header->motd, sizeof motd), &motd, sizeof motd);
    memcpy(state_edit(&chat->state, header->host, sizeof host), host, sizeof host);
    chat_commit(chat);
}

void chat_set_config(Chat *chat, const Config *config)
{
    chat_set_rates(chat, config);
    chat_set_greeting(chat, config->motd);
}

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

void chat_tick(Chat *chat)
{
    if (chat->now >= chat->next_summary)
        room_tell_summaries(chat);
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
    /* One line said, one answer, and a word in each of the rooms. */
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

uint32_t chat_n_people(const Chat *chat)
{
    return slots_n_used(&chat->session_slots);
}

uint32_t chat_n_rooms(const Chat *chat)
{
    return slots_n_used(&chat->room_slots) - (chat->rooms[ROOM_LOBBY].n_members == 0);
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

static void draft_set_from(const Chat *chat, EntryDraft *draft, uint32_t from)
{
    const SessionRecord *record;

    if (from == SLOT_NONE)
        return;
    record = session_record(chat, from);
    draft->from = record->serial;
    draft->from_hash = chat->sessions[from].nick_hash;
    draft->nick = record->nick.bytes;
    draft->nick_n = record->nick.n;
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

    draft_set_from(chat, &draft, from);
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

    draft_set_from(chat, &draft, from);
    chat_touch_session(chat, to);
    chain_add(chat, &chat->sessions[to].chain, transcript_append(&chat->transcript, &draft));
    /* Answers are part of what a client may make the server say. */
    if (from == SLOT_NONE)
        state_edit_session(&chat->state, to)->bytes_due =
            rate_charge(&chat->bytes, record->bytes_due, chat->now * NSEC_PER_USEC, n);
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
