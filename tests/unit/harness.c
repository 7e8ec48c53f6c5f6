/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#include "base/macro.h"
#include "chat/keep.h"
#include "chat/lifecycle.h"
#include "chat/room.h"
#include "chat/session.h"
#include "unit/harness.h"

void harness_fail(const char *file, int line, const char *what)
{
    (void) fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

uint32_t random_below(uint64_t *seed, uint32_t n)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return (uint32_t) ((*seed * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % n;
}

bool harness_is_slow(void)
{
    return RUNNING_ON_VALGRIND;
}

void *harness_allocate(size_t n)
{
    void *result = calloc(1, n > 0 ? n : 1);

    EXPECT(result != NULL);
    return result;
}

void harness_config(Config *config)
{
    config_init(config);
    config->lines_per_second = config->bytes_per_second = 0;
    config->transcript_size = 256 * 1024;
    config->max_clients_per_address = 0;
}

Harness *harness_new(const Config *config, uint32_t max_sessions)
{
    Harness *harness = harness_allocate(sizeof *harness);

    (void) setenv("TZ", "UTC", 1);
    tzset();
    if (config != NULL)
        harness->config = *config;
    else
        harness_config(&harness->config);
    harness->chat = harness_allocate(sizeof *harness->chat);
    harness->renderings = harness_allocate(HARNESS_VARIETIES * sizeof *harness->renderings);
    EXPECT(chat_init(harness->chat, &harness->config, &harness->log, max_sessions) == 0);
    (void) strcpy(harness->chat->state.header->host, "host");
    memset(harness->chat->state.header->id, 7, STATE_ID_BYTES);
    harness->max_sessions = max_sessions;
    harness->now = HARNESS_NOW;
    harness_wait(harness, 0);
    harness->chat->state.header->started_wall = harness->chat->started_wall = harness->chat->wall;
    state_edit_room(&harness->chat->state, ROOM_LOBBY)->created_wall = harness->chat->wall;
    chat_commit(harness->chat);
    return harness;
}

void harness_forget_clients(Harness *harness)
{
    while (harness->n_clients > 0) {
        Client *client = harness->clients[--harness->n_clients];

        free(client->input);
        free(client->output);
        free(client);
    }
}

Harness *harness_free(Harness *harness)
{
    harness_forget_clients(harness);
    harness_drop_next(harness);
    chat_done(harness->chat);
    free(harness->chat);
    free(harness->renderings);
    free(harness->looked);
    config_done(&harness->config);
    free(harness);
    return NULL;
}

void harness_wait(Harness *harness, uint64_t usec)
{
    harness->now += usec;
    chat_begin_turn(harness->chat, harness->now,
                    HARNESS_WALL + harness->now - HARNESS_NOW + (uint64_t) harness->stepped);
}

void harness_step(Harness *harness, int64_t usec)
{
    harness->stepped += usec;
    harness_wait(harness, 0);
}

/* Clients */

int harness_open(Harness *harness, const Peer *peer, const Identity *identity, uint32_t *ret_session)
{
    int r = session_may_open(harness->chat, peer, identity);

    if (r != 0)
        return r;
    session_reserve(harness->chat, identity);
    EXPECT(session_open(harness->chat, peer, identity, ret_session) == 0);
    chat_commit(harness->chat);
    return 0;
}

Client *harness_add_client(Harness *harness, uint64_t serial)
{
    Client *client = harness_allocate(sizeof *client);

    EXPECT(harness->n_clients < HARNESS_CLIENTS);
    client->session = SLOT_NONE;
    client->serial = serial;
    client->window = SIZE_MAX;
    client->output = harness_allocate(1);
    harness->clients[harness->n_clients++] = client;
    return client;
}

bool client_admit(Harness *harness, Client *client)
{
    const Identity *identity = client->identity.nick.n > 0 ? &client->identity : NULL;
    uint32_t session;
    int r = harness_open(harness, &client->peer, identity, &session);

    if (r == 0)
        client->session = session;
    return r == 0;
}

Client *client_from(Harness *harness, const Peer *peer)
{
    Client *client;

    if (session_may_open(harness->chat, peer, NULL) != 0)
        return NULL;
    client = harness_add_client(harness, harness->chat->state.header->next_serial);
    client->peer = *peer;
    EXPECT(client_admit(harness, client));
    return client;
}

Client *client_new(Harness *harness)
{
    Peer peer = {.address = {0x20, 0x01, 0x0d, 0xb8}, .port = ++harness->next_port};

    peer.address[6] = (uint8_t) (harness->next_port >> 8);
    peer.address[7] = (uint8_t) harness->next_port;
    return client_from(harness, &peer);
}

Client *client_operator(Harness *harness, const char *login, uint32_t uid, bool is_operator)
{
    Peer peer = {.is_local = true, .uid = uid};
    Identity identity = {.uid = uid, .is_operator = is_operator};
    Client *client;

    EXPECT(name_from_login(login, &identity.nick) == 0);
    if (session_may_open(harness->chat, &peer, &identity) != 0)
        return NULL;
    client = harness_add_client(harness, harness->chat->state.header->next_serial);
    client->peer = peer;
    client->identity = identity;
    EXPECT(client_admit(harness, client));
    return client;
}

Client *client_account(Harness *harness, const char *login, uint32_t uid)
{
    return client_operator(harness, login, uid, uid == 0);
}

Client *client_named(Harness *harness, const char *nick)
{
    Client *client = client_new(harness);

    EXPECT(client != NULL);
    harness_turn(harness);
    client_say(harness, client, "/nick %s", nick);
    harness_take_all(harness);
    return client;
}

void client_type(Client *client, const char *bytes, size_t n)
{
    client->input = realloc(client->input, client->input_n + n + 1);
    EXPECT(client->input != NULL);
    memcpy(client->input + client->input_n, bytes, n);
    client->input_n += n;
    client->n_typed += n;
}

void client_say(Harness *harness, Client *client, const char *format, ...)
{
    static char text[LIMIT_LINE_BYTES + 2];
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    EXPECT(n >= 0 && (size_t) n < sizeof text);
    client_type(client, text, (size_t) n);
    client_type(client, "\n", 1);
    harness_turn(harness);
}

const char *client_take(Client *client)
{
    const char *text = client->output + client->taken;

    client->taken = client->output_n;
    return text;
}

void harness_take_all(Harness *harness)
{
    for (unsigned i = 0; i < harness->n_clients; i++)
        (void) client_take(harness->clients[i]);
}

void client_open_window(Harness *harness, Client *client, size_t n)
{
    client->window = n == SIZE_MAX || client->window == SIZE_MAX ? n : client->window + n;
    if (client->is_blocked && client->window > 0 && !client->is_gone) {
        client->is_blocked = false;
        chat_touch_session(harness->chat, client->session);
    }
}

void client_close(Harness *harness, Client *client)
{
    chat_reserve(harness->chat, client->session);
    session_close(harness->chat, client->session);
    chat_commit(harness->chat);
    client->is_gone = true;
    client->session = SLOT_NONE;
}

void client_stop(Client *client)
{
    client->window = 0;
}

void client_break(Harness *harness, Client *client)
{
    if (client->session == SLOT_NONE)
        return;
    client_close(harness, client);
}

/* Checking */

/* Its sessions have the same name, are in the same rooms, and one of them is the first. */
static void check_person(const Chat *chat, uint32_t session)
{
    const SessionRecord *record = session_record(chat, session);
    uint32_t other = session, n = 0, n_first = 0;

    do {
        const SessionRecord *its = session_record(chat, other);
        uint32_t member = chat->sessions[other].first_member;

        EXPECT(its->serial != 0 && person_is_same(chat, session, other));
        EXPECT(memcmp(&its->nick, &record->nick, sizeof its->nick) == 0);
        EXPECT(its->settings == record->settings && its->n_ignored == record->n_ignored);
        EXPECT((its->flags & SESSION_AWAY) == (record->flags & SESSION_AWAY));
        EXPECT(person_is_operator(chat, other) == person_is_operator(chat, session));
        for (; member != SLOT_NONE; member = chat->members[member].next_of_session)
            EXPECT(room_member(chat, chat->state.members[member].room, session) != SLOT_NONE);
        n_first += person_is_first(chat, other);
        n++;
    } while ((other = person_next(chat, other)) != session);
    EXPECT(n_first == 1 && n <= LIMIT_PERSON_SESSIONS && n == person_n_sessions(chat, session));
}

static void check_session(const Chat *chat, uint32_t session, uint32_t *n_members)
{
    const SessionRecord *record = session_record(chat, session);
    const SessionSide *side = &chat->sessions[session];
    uint32_t member = side->first_member, n = 0;

    EXPECT(person_is_same(chat, session_find(chat, &record->nick), session));
    check_person(chat, session);
    EXPECT(room_member(chat, record->current_room, session) != SLOT_NONE);
    for (; member != SLOT_NONE; member = chat->members[member].next_of_session, n++) {
        EXPECT(chat->state.members[member].session == session);
        EXPECT(chat->state.rooms[chat->state.members[member].room].created_wall != 0);
    }
    EXPECT(n == side->n_rooms && n > 0);
    *n_members += n;
}

static void check_room(const Chat *chat, uint32_t room)
{
    uint32_t previous = SLOT_NONE, member = chat->rooms[room].first_member, n = 0, n_people = 0;

    EXPECT(room_find(chat, &chat->state.rooms[room].name) == room);
    for (; member != SLOT_NONE; previous = member, member = chat->members[member].next_in_room, n++) {
        EXPECT(chat->members[member].previous_in_room == previous);
        EXPECT(chat->state.members[member].room == room);
        EXPECT(session_record(chat, chat->state.members[member].session)->serial != 0);
        n_people += person_is_first(chat, chat->state.members[member].session);
    }
    EXPECT(n_people == chat->rooms[room].n_people);
    EXPECT(n == chat->rooms[room].n_members);
    EXPECT(n > 0 || room == ROOM_LOBBY || keep_is_kept(chat, room));
    EXPECT(room == ROOM_LOBBY || (n == 0) == (chat->state.rooms[room].empty_since != 0));
}

static void check_invites(const Chat *chat)
{
    uint32_t *n = harness_allocate((chat->room_slots.n_touched + 1) * sizeof *n), n_all = 0;

    for (uint32_t i = 0; i < chat->invite_slots.n_touched; i++) {
        const InviteRecord *invite = &chat->state.invites[i];

        if (invite->whom == 0)
            continue;
        EXPECT(chat->state.rooms[invite->room].created_wall != 0);
        n[invite->room]++;
        n_all++;
    }
    for (uint32_t room = 0; room < chat->room_slots.n_touched; room++)
        if (chat->state.rooms[room].created_wall != 0)
            EXPECT(chat->rooms[room].n_invites == n[room] && n[room] <= LIMIT_INVITES_ROOM);
    EXPECT(slots_n_used(&chat->invite_slots) == n_all);
    free(n);
}

static void check_lagging(const Chat *chat, uint32_t n_lagging)
{
    uint32_t previous = SLOT_NONE, session = chat->first_lagging, n = 0;

    for (; session != SLOT_NONE; previous = session, session = chat->sessions[session].lag_next, n++) {
        EXPECT(session_record(chat, session)->flags & SESSION_LAGGING);
        EXPECT(chat->sessions[session].lag_previous == previous);
        EXPECT(session_record(chat, session)->cursor >= chat->state.header->tail);
    }
    EXPECT(n == n_lagging);
}

void harness_check(const Harness *harness)
{
    const Chat *chat = harness->chat;
    uint32_t n_sessions = 0, n_people = 0, n_rooms = 0, n_members = 0, n_lagging = 0;
    uint32_t n_empty = 0;

    for (uint32_t i = 0; i < chat->session_slots.n_touched; i++) {
        if (session_record(chat, i)->serial == 0)
            continue;
        check_session(chat, i, &n_members);
        n_lagging += !!(session_record(chat, i)->flags & SESSION_LAGGING);
        n_sessions++;
        n_people += person_is_first(chat, i);
    }
    for (uint32_t i = 0; i < chat->room_slots.n_touched; i++) {
        if (chat->state.rooms[i].created_wall == 0)
            continue;
        check_room(chat, i);
        n_rooms++;
        n_empty += chat->rooms[i].n_members == 0;
    }
    check_invites(chat);
    check_lagging(chat, n_lagging);
    EXPECT(chat_n_sessions(chat) == n_sessions && chat_n_people(chat) == n_people);
    EXPECT(slots_n_used(&chat->room_slots) == n_rooms && chat_n_rooms(chat) == n_rooms - n_empty);
    EXPECT(slots_n_used(&chat->member_slots) == n_members);
    EXPECT(chat->state.header->tail <= chat->state.header->flushed);
    EXPECT(chat->state.header->flushed <= chat->state.header->head);
}
