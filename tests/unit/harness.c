/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/macro.h"
#include "chat/command.h"
#include "chat/room.h"
#include "chat/session.h"
#include "front/plain.h"
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

static void *allocate(size_t n)
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
    Harness *harness = allocate(sizeof *harness);

    (void) setenv("TZ", "UTC", 1);
    tzset();
    if (config != NULL)
        harness->config = *config;
    else
        harness_config(&harness->config);
    harness->chat = allocate(sizeof *harness->chat);
    harness->renderings = allocate(HARNESS_VARIETIES * sizeof *harness->renderings);
    EXPECT(chat_init(harness->chat, &harness->config, &harness->log, max_sessions) == 0);
    (void) strcpy(harness->chat->state.header->host, "host");
    harness->now = HARNESS_NOW;
    harness_wait(harness, 0);
    harness->chat->state.header->started_wall = harness->chat->wall;
    return harness;
}

Harness *harness_free(Harness *harness)
{
    while (harness->n_clients > 0) {
        Client *client = harness->clients[--harness->n_clients];

        free(client->input);
        free(client->output);
        free(client);
    }
    chat_done(harness->chat);
    free(harness->chat);
    free(harness->renderings);
    config_done(&harness->config);
    free(harness);
    return NULL;
}

void harness_wait(Harness *harness, uint64_t usec)
{
    harness->now += usec;
    chat_set_time(harness->chat, harness->now, HARNESS_WALL + harness->now - HARNESS_NOW);
}

/* Sending */

static Client *client_of(const Harness *harness, uint32_t session)
{
    for (unsigned i = 0; i < harness->n_clients; i++)
        if (harness->clients[i]->session == session)
            return harness->clients[i];
    harness_fail(__FILE__, __LINE__, "the session has a client");
}

static void client_fall_behind(Harness *harness, Client *client)
{
    SessionRecord *record = session_record(harness->chat, client->session);

    record->cursor = session_cursor(harness->chat, client->session);
    session_set_lagging(harness->chat, client->session, true);
}

static void client_close(Harness *harness, Client *client)
{
    session_close(harness->chat, client->session);
    client->is_gone = true;
}

/* As a non-blocking send(2): takes what fits. */
static size_t client_receive(Client *client, const char *bytes, size_t n)
{
    n = MIN(n, client->window);
    if (client->window != SIZE_MAX)
        client->window -= n;
    if (client->output_n + n + 1 > client->output_size) {
        client->output_size = 2 * (client->output_n + n + 1);
        client->output = realloc(client->output, client->output_size);
        EXPECT(client->output != NULL);
    }
    memcpy(client->output + client->output_n, bytes, n);
    client->output_n += n;
    client->output[client->output_n] = '\0';
    return n;
}

/* What was not taken of a send is what the session reads next. */
static void check_rest(Harness *harness, const Client *client, const char *rest, size_t n_rest)
{
    size_t n, skip;

    stream_open(&harness->stream, harness->chat, client->session);
    n = front_render(&front_plain, &harness->stream, harness->other, sizeof harness->other, &skip);
    EXPECT(n - skip >= n_rest);
    EXPECT(memcmp(harness->other + skip, rest, n_rest) == 0);
}

static void client_hold_back(Harness *harness, Client *client, size_t sent)
{
    harness->n_partial += sent > 0;
    if (sent > 0) {
        stream_open(&harness->stream, harness->chat, client->session);
        front_store_sent(&front_plain, &harness->stream, harness->other, sent);
    }
    client_fall_behind(harness, client);
    client->is_blocked = true;
}

static void client_catch_up(Harness *harness, Client *client)
{
    session_set_lagging(harness->chat, client->session, false);
    if (session_record(harness->chat, client->session)->flags & SESSION_ENDING)
        client->is_gone = true; /* closed at the end of the turn */
}

static bool client_flush_chunk(Harness *harness, Client *client)
{
    Stream *stream = &harness->stream;
    size_t n, skip, sent;

    stream_open(stream, harness->chat, client->session);
    n = front_render(&front_plain, stream, harness->chunk, sizeof harness->chunk, &skip);
    EXPECT(skip <= n && n <= sizeof harness->chunk);
    if (n > skip) {
        sent = client_receive(client, harness->chunk + skip, n - skip);
        if (sent < n - skip) {
            client_hold_back(harness, client, sent);
            check_rest(harness, client, harness->chunk + skip + sent, n - skip - sent);
            return false;
        }
    }
    stream_store(stream);
    if (!stream_is_at_end(stream))
        return true;
    client_catch_up(harness, client);
    return false;
}

static void client_flush(Harness *harness, Client *client)
{
    for (unsigned i = 0; i < TURN_CHUNKS_PER_CLIENT; i++)
        if (client->is_gone || client->is_blocked || !client_flush_chunk(harness, client))
            return;
    client_fall_behind(harness, client);
    client->is_behind = true;
}

static const HarnessRendering *find_rendering(Harness *harness, uint32_t room, uint8_t key)
{
    HarnessRendering *rendering = harness->renderings;
    size_t skip;
    Item item;

    for (unsigned i = 0; i < harness->n_renderings; i++, rendering++)
        if (rendering->key == key)
            return rendering;
    EXPECT(harness->n_renderings < HARNESS_VARIETIES);
    rendering->key = key;
    stream_open_shared(&harness->stream, harness->chat, room, key);
    rendering->n =
        front_render(&front_plain, &harness->stream, rendering->bytes, sizeof rendering->bytes, &skip);
    if (stream_next(&harness->stream, &item))
        return NULL;
    harness->n_renderings++;
    return rendering;
}

/* Alone it would have been sent the same. */
static void check_shared(Harness *harness, const Client *client, const HarnessRendering *rendering)
{
    size_t n, skip;

    stream_open(&harness->stream, harness->chat, client->session);
    n = front_render(&front_plain, &harness->stream, harness->other, sizeof harness->other, &skip);
    EXPECT(skip == 0 && n == rendering->n);
    EXPECT(memcmp(harness->other, rendering->bytes, n) == 0);
    EXPECT(stream_is_at_end(&harness->stream));
}

static void deliver_to_member(Harness *harness, uint32_t room, uint32_t session)
{
    Client *client = client_of(harness, session);
    const HarnessRendering *rendering;
    uint8_t key;
    size_t sent;

    if (harness->is_alone || !stream_is_shared(harness->chat, room, session, &key) ||
        (rendering = find_rendering(harness, room, key)) == NULL) {
        if (!harness->chat->sessions[session].is_touched)
            client_flush(harness, client);
        return;
    }
    check_shared(harness, client, rendering);
    if (client->is_gone || client->is_blocked || rendering->n == 0)
        return;
    harness->n_shared++;
    sent = client_receive(client, rendering->bytes, rendering->n);
    if (sent < rendering->n) {
        client_hold_back(harness, client, sent);
        check_rest(harness, client, rendering->bytes + sent, rendering->n - sent);
    }
}

static void harness_deliver(Harness *harness)
{
    Chat *chat = harness->chat;
    uint32_t member;

    for (unsigned i = 0; i < harness->n_clients; i++) {
        if (!harness->clients[i]->is_behind || harness->clients[i]->is_gone)
            continue;
        harness->clients[i]->is_behind = false;
        client_flush(harness, harness->clients[i]);
    }
    for (uint32_t i = 0; i < chat->turn.n_sessions; i++)
        if (session_record(chat, chat->turn.sessions[i])->serial != 0)
            client_flush(harness, client_of(harness, chat->turn.sessions[i]));
    for (uint32_t i = 0; i < chat->turn.n_rooms; i++) {
        harness->n_renderings = 0;
        member = chat->rooms[chat->turn.rooms[i]].first_member;
        for (; member != SLOT_NONE; member = chat->members[member].next_in_room)
            deliver_to_member(harness, chat->turn.rooms[i], chat->state.members[member].session);
    }
    chat_end_turn(chat);
}

/* Reading */

static bool client_may_say(Harness *harness, const Client *client, size_t n)
{
    Chat *chat = harness->chat;
    SessionRecord *record = session_record(chat, client->session);
    uint64_t now = chat->now * NSEC_PER_USEC, when;

    if (!rate_fits(&chat->lines, record->lines_due, now, 1, &when) ||
        !rate_fits(&chat->bytes, record->bytes_due, now, n, &when))
        return false;
    record->lines_due = rate_charge(&chat->lines, record->lines_due, now, 1);
    record->bytes_due = rate_charge(&chat->bytes, record->bytes_due, now, n);
    return true;
}

static void client_execute(Harness *harness, Client *client, FrameResult result)
{
    const Frame *frame = &harness->frame;
    Chat *chat = harness->chat;
    SessionRecord *record = session_record(chat, client->session);

    if (result == FRAME_TOO_LONG) {
        if (!frame->is_end)
            record->flags |= SESSION_SKIPPING;
        chat_error(chat, client->session,
                   "That line had more than %u bytes and was not sent. The rest of it was skipped.",
                   chat->config->max_line_length);
        return;
    }
    if (harness->on_line != NULL)
        harness->on_line(harness->userdata, client, frame->line, frame->line_n);
    if (command_is(frame->line, frame->line_n) && !(record->flags & SESSION_LAGGING))
        client_flush(harness, client);
    EXPECT(command_execute(chat, client->session, frame->line, frame->line_n) == 0);
}

/* One frame of what was typed. False: there is no more to do in this turn. */
static bool client_read_frame(Harness *harness, Client *client, const char *bytes, size_t n,
                              size_t *ret_consumed)
{
    SessionRecord *record = session_record(harness->chat, client->session);
    FrameInput input = {
        .bytes = bytes,
        .n = n,
        .is_all = client->has_ended && n < READ_BYTES,
        .is_skipping = record->flags & SESSION_SKIPPING,
        .n_answered = record->answered,
        .max_line = harness->config.max_line_length,
    };
    Frame *frame = &harness->frame;
    FrameResult result = front_plain.frame(&input, frame);

    if (frame->answer_n > 0)
        chat_tell(harness->chat, client->session, ENTRY_RAW, SLOT_NONE, frame->answer, frame->answer_n);
    record->answered = frame->n_answered;
    if (result == FRAME_MORE)
        return false;
    if (result == FRAME_SKIPPED) {
        if (frame->is_end)
            record->flags &= (uint8_t) ~SESSION_SKIPPING;
    } else {
        if (!client_may_say(harness, client, frame->n_consumed))
            return false;
        client_execute(harness, client, result);
    }
    record->answered = 0;
    *ret_consumed = frame->n_consumed;
    return true;
}

static void client_read(Harness *harness, Client *client)
{
    const SessionRecord *record = session_record(harness->chat, client->session);

    for (unsigned i = 0; i < TURN_LINES_PER_CLIENT; i++) {
        size_t n = MIN(client->input_n, (size_t) READ_BYTES), consumed = 0;
        char *exact;
        bool again;

        if (client->is_gone || (record->flags & (SESSION_GREETED | SESSION_ENDING)) != SESSION_GREETED)
            return;
        if (n == 0 && client->has_ended)
            session_end(harness->chat, client->session);
        if (n == 0 || chat_turn_is_full(harness->chat))
            return;
        /* A block of just that size, so that a step past its end is seen. */
        exact = memcpy(allocate(n), client->input, n);
        again = client_read_frame(harness, client, exact, n, &consumed);
        free(exact);
        client->input_n -= consumed;
        memmove(client->input, client->input + consumed, client->input_n);
        if (!again)
            return;
    }
}

void harness_turn(Harness *harness)
{
    for (unsigned i = 0; i < harness->n_clients; i++)
        client_read(harness, harness->clients[i]);
    chat_tick(harness->chat);
    harness_deliver(harness);
    for (unsigned i = 0; i < harness->n_clients; i++) {
        Client *client = harness->clients[i];

        if (client->is_gone && client->session != SLOT_NONE) {
            session_close(harness->chat, client->session);
            client->session = SLOT_NONE;
        }
    }
}

/* Clients */

Client *client_new(Harness *harness)
{
    Peer peer = {.address = {0x20, 0x01, 0x0d, 0xb8}, .port = ++harness->next_port};
    uint32_t session;
    Client *client;

    peer.address[6] = (uint8_t) (harness->next_port >> 8);
    peer.address[7] = (uint8_t) harness->next_port;
    if (session_open(harness->chat, &peer, &session) != 0)
        return NULL;
    EXPECT(harness->n_clients < HARNESS_CLIENTS);
    client = allocate(sizeof *client);
    client->session = session;
    client->window = SIZE_MAX;
    harness->clients[harness->n_clients++] = client;
    (void) client_receive(client, "", 0);
    return client;
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

void client_stop(Client *client)
{
    client->window = 0;
}

void client_break(Harness *harness, Client *client)
{
    if (client->session == SLOT_NONE)
        return;
    client_close(harness, client);
    client->session = SLOT_NONE;
}

/* Checking */

static void check_session(const Chat *chat, uint32_t session, uint32_t *n_members)
{
    const SessionRecord *record = session_record(chat, session);
    const SessionSide *side = &chat->sessions[session];
    uint32_t member = side->first_member, n = 0;

    EXPECT(session_find(chat, &record->nick) == session);
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
    uint32_t previous = SLOT_NONE, member = chat->rooms[room].first_member, n = 0;

    EXPECT(room_find(chat, &chat->state.rooms[room].name) == room);
    for (; member != SLOT_NONE; previous = member, member = chat->members[member].next_in_room, n++) {
        EXPECT(chat->members[member].previous_in_room == previous);
        EXPECT(chat->state.members[member].room == room);
        EXPECT(session_record(chat, chat->state.members[member].session)->serial != 0);
    }
    EXPECT(n == chat->rooms[room].n_members && (n > 0 || room == ROOM_LOBBY));
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
    uint32_t n_sessions = 0, n_rooms = 0, n_members = 0, n_lagging = 0;

    for (uint32_t i = 0; i < chat->session_slots.n_touched; i++) {
        if (session_record(chat, i)->serial == 0)
            continue;
        check_session(chat, i, &n_members);
        n_lagging += !!(session_record(chat, i)->flags & SESSION_LAGGING);
        n_sessions++;
    }
    for (uint32_t i = 0; i < chat->room_slots.n_touched; i++) {
        if (chat->state.rooms[i].created_wall == 0)
            continue;
        check_room(chat, i);
        n_rooms++;
    }
    check_lagging(chat, n_lagging);
    EXPECT(chat_n_people(chat) == n_sessions);
    EXPECT(slots_n_used(&chat->room_slots) == n_rooms);
    EXPECT(slots_n_used(&chat->member_slots) == n_members);
    EXPECT(chat->state.header->tail <= chat->state.header->flushed);
    EXPECT(chat->state.header->flushed <= chat->state.header->head);
}
