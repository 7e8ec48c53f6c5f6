/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* A turn, as host/server runs it: what host/input, host/connection and host/delivery do, without sockets. */

#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "chat/command.h"
#include "chat/lifecycle.h"
#include "chat/mail.h"
#include "chat/room.h"
#include "chat/session.h"
#include "front/plain.h"
#include "unit/harness.h"

/* Sending */

Client *client_of(const Harness *harness, uint32_t session)
{
    for (unsigned i = 0; i < harness->n_clients; i++)
        if (harness->clients[i]->session == session)
            return harness->clients[i];
    harness_fail(__FILE__, __LINE__, "the session has a client");
}

/* As a non-blocking send(2): takes what fits. */
static size_t client_send(Client *client, const char *bytes, size_t n)
{
    n = MIN(n, client->window);
    if (client->window != SIZE_MAX)
        client->window -= n;
    if (client->output_n + n >= client->output_size) {
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
        EXPECT(front_store_sent(&front_plain, &harness->stream, harness->other, sent));
    }
    session_fall_behind(harness->chat, client->session);
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
        sent = client_send(client, harness->chunk + skip, n - skip);
        if (sent < n - skip) {
            client_hold_back(harness, client, sent);
            check_rest(harness, client, harness->chunk + skip + sent, n - skip - sent);
            return false;
        }
    }
    stream_store(stream, n - skip);
    if (!stream_is_at_end(stream))
        return true;
    client_catch_up(harness, client);
    return false;
}

static void client_flush(Harness *harness, Client *client)
{
    if (!client->is_gone && mail_holds_greeting(harness->chat, client->session)) {
        session_fall_behind(harness->chat, client->session);
        return;
    }
    for (unsigned i = 0; i < TURN_CHUNKS_PER_CLIENT; i++)
        if (client->is_gone || client->is_blocked || !client_flush_chunk(harness, client))
            return;
    session_fall_behind(harness->chat, client->session);
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
    sent = client_send(client, rendering->bytes, rendering->n);
    if (sent == rendering->n) {
        stream_store_shared(harness->chat, session, sent);
        return;
    }
    client_hold_back(harness, client, sent);
    check_rest(harness, client, rendering->bytes + sent, rendering->n - sent);
}

void harness_deliver(Harness *harness)
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
    for (unsigned i = 0; i < harness->n_clients; i++) {
        Client *client = harness->clients[i];

        if (client->is_gone && client->session != SLOT_NONE)
            client_close(harness, client);
    }
}

/* Reading */

static bool client_may_say(Harness *harness, const Client *client, size_t n)
{
    Chat *chat = harness->chat;
    SessionRecord *record = state_edit_session(&chat->state, client->session);
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

    if (result == FRAME_LINE) {
        if (harness->on_line != NULL)
            harness->on_line(harness->userdata, client, frame->line, frame->line_n);
        EXPECT(command_execute(chat, client->session, frame->line, frame->line_n) == 0);
        return;
    }
    if (!frame->is_end)
        state_edit_session(&chat->state, client->session)->flags |= SESSION_SKIPPING;
    chat_error(chat, client->session,
               "That line had more than %u bytes and was not sent. The rest of it was skipped.",
               chat->config->max_line_length);
}

/* False: nothing was consumed, and there is no more to do in this turn. */
static bool client_take_frame(Harness *harness, Client *client, FrameResult result)
{
    Chat *chat = harness->chat;
    SessionRecord *record = state_edit_session(&chat->state, client->session);
    const Frame *frame = &harness->frame;

    if (frame->answer_n > 0)
        chat_tell(chat, client->session, ENTRY_RAW, SLOT_NONE, frame->answer, frame->answer_n);
    record->answered = frame->n_answered;
    if (result == FRAME_MORE)
        return false;
    if (result == FRAME_SKIPPED) {
        if (frame->is_end)
            record->flags &= (uint8_t) ~SESSION_SKIPPING;
    } else {
        if (!client_may_say(harness, client, frame->n_consumed))
            return false;
        record->answered = 0;
        client_execute(harness, client, result);
    }
    EXPECT(frame->n_consumed >= record->n_half);
    record->bytes_in += frame->n_consumed;
    record->n_half = 0;
    return true;
}

static void flush_person(Harness *harness, uint32_t session)
{
    uint32_t each = session;

    if (session == SLOT_NONE)
        return;
    do
        if (!(session_record(harness->chat, each)->flags & SESSION_LAGGING))
            client_flush(harness, client_of(harness, each));
    while ((each = person_next(harness->chat, each)) != session);
}

/* One frame of what waits, in a transaction. */
static bool client_take_line(Harness *harness, Client *client, const char *bytes, size_t n,
                             FrameResult *ret_result)
{
    Chat *chat = harness->chat;
    const SessionRecord *record = session_record(chat, client->session);
    FrameInput input = {
        .bytes = bytes,
        .n = n,
        .n_kept = record->n_half,
        .is_all = client->has_ended && n < READ_BYTES,
        .is_skipping = record->flags & SESSION_SKIPPING,
        .n_answered = record->answered,
        .max_line = harness->config.max_line_length,
    };
    const Frame *frame = &harness->frame;
    bool is_taken;

    *ret_result = front_plain.frame(&input, &harness->frame);
    if (*ret_result == FRAME_LINE && command_is(frame->line, frame->line_n)) {
        flush_person(harness, client->session);
        flush_person(harness, command_whom(chat, frame->line, frame->line_n));
    }
    chat_reserve(chat, client->session);
    is_taken = client_take_frame(harness, client, *ret_result);
    if (is_taken && harness->dies_before_commit)
        return false;
    chat_commit(chat);
    return is_taken;
}

void client_consume(Client *client, size_t n)
{
    EXPECT(n <= client->input_n);
    if (n == 0)
        return;
    client->input_n -= n;
    memmove(client->input, client->input + n, client->input_n);
}

/* Half a line leaves the socket. */
static void client_keep_half(Harness *harness, Client *client, const char *bytes, size_t n)
{
    const State *state = &harness->chat->state;
    SessionRecord *record = (SessionRecord *) (uintptr_t) &state->sessions[client->session];
    size_t n_before = record->n_half;

    memcpy(state->halves[client->session].bytes, bytes, n);
    record->n_half = (uint16_t) n;
    client_consume(client, n - n_before);
}

/* Looks at what waits and executes one line of it. False: there is none, or it must wait. */
static bool client_read_once(Harness *harness, Client *client)
{
    const SessionRecord *record = session_record(harness->chat, client->session);
    const HalfRecord *half = &harness->chat->state.halves[client->session];
    size_t n_kept = record->n_half, n = n_kept + MIN(client->input_n, READ_BYTES - n_kept);
    FrameResult result;
    char *bytes;

    /* A block of just that size, so that a step past its end is seen. */
    free(harness->looked);
    bytes = harness->looked = harness_allocate(n);

    if (n_kept > 0)
        memcpy(bytes, half->bytes, n_kept);
    if (n > n_kept)
        memcpy(bytes + n_kept, client->input, n - n_kept);
    if (client_take_line(harness, client, bytes, n, &result)) {
        client_consume(client, harness->frame.n_consumed - n_kept);
        return true;
    }
    if (result == FRAME_MORE && client->is_half_kept && n > n_kept)
        client_keep_half(harness, client, bytes, n);
    return false;
}

static void client_read(Harness *harness, Client *client)
{
    const Chat *chat = harness->chat;

    for (unsigned i = 0; i < TURN_LINES_PER_CLIENT && !client->is_gone; i++) {
        const SessionRecord *record = session_record(chat, client->session);
        bool has_some = client->input_n > 0 || record->n_half > 0;

        if ((record->flags & (SESSION_GREETED | SESSION_ENDING)) != SESSION_GREETED)
            return;
        if (!has_some && client->has_ended) {
            session_end(harness->chat, client->session);
            chat_commit(harness->chat);
        }
        if (!has_some || chat_turn_is_full(chat) || !client_read_once(harness, client))
            return;
    }
}

void harness_turn(Harness *harness)
{
    for (unsigned i = 0; i < harness->n_clients; i++) {
        client_read(harness, harness->clients[i]);
        if (harness->dies_before_commit && state_is_open(&harness->chat->state))
            return;
    }
    chat_tick(harness->chat);
    harness_deliver(harness);
}
