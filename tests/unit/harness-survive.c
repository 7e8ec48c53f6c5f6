/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The process dies, and the next one goes on: what host/adopt and host/settle do, without sockets. */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macro.h"
#include "chat/lifecycle.h"
#include "chat/session.h"
#include "front/plain.h"
#include "unit/harness.h"

int harness_dup(const Harness *harness)
{
    int fd = fcntl(harness->chat->state.fd, F_DUPFD_CLOEXEC, 3);

    EXPECT(fd >= 0);
    return fd;
}

int harness_copy(int from)
{
    int to = memfd_create("copy", MFD_CLOEXEC);
    struct stat status;
    off_t data = 0, hole;

    EXPECT(to >= 0 && fstat(from, &status) == 0 && ftruncate(to, status.st_size) == 0);
    while ((data = lseek(from, data, SEEK_DATA)) >= 0) {
        _cleanup_(freep) char *bytes = NULL;

        hole = lseek(from, data, SEEK_HOLE);
        EXPECT(hole > data);
        bytes = harness_allocate((size_t) (hole - data));
        EXPECT(pread(from, bytes, (size_t) (hole - data), data) == hole - data);
        EXPECT(pwrite(to, bytes, (size_t) (hole - data), data) == hole - data);
        data = hole;
    }
    return to;
}

void harness_drop_next(Harness *harness)
{
    if (harness->next_chat != NULL)
        chat_done(harness->next_chat);
    free(TAKE_PTR(harness->next_chat));
}

/* Everything the chat had on the heap went with the process. */
static void harness_replace_chat(Harness *harness)
{
    Chat *chat = TAKE_PTR(harness->next_chat);

    harness->n_restarts++;
    chat_done(harness->chat);
    free(harness->chat);
    harness->chat = chat;
    harness_wait(harness, 0);
    chat->started_wall = chat->wall;
    /* That was set by the clock of the machine. */
    if (chat->next_summary != UINT64_MAX)
        chat->next_summary = chat->now;
}

/* Opened, and copied where the configuration wants that. What state_open() returns. */
static int open_state(const Harness *harness, int fd, State *ret_state)
{
    int r = state_open(fd, ret_state);
    State grown;

    EXPECT(r >= 0);
    if (r > 0 || !state_must_grow(ret_state, &harness->config, harness->max_sessions))
        return r;
    EXPECT(state_grow(ret_state, &harness->config, harness->max_sessions, &grown) == 0);
    EXPECT(!state_must_grow(&grown, &harness->config, harness->max_sessions));
    state_done(ret_state);
    *ret_state = grown;
    return 0;
}

bool harness_adopt(Harness *harness, int fd)
{
    State state;
    int r = open_state(harness, fd, &state);

    if (r > 0)
        return false;
    harness_drop_next(harness);
    harness->next_chat = harness_allocate(sizeof *harness->next_chat);
    harness->next_chat->state = state;
    if (harness->on_open != NULL)
        harness->on_open(harness->userdata, &state);
    r = chat_adopt(harness->next_chat, &state, &harness->config, &harness->log);
    EXPECT(r >= 0);
    if (r > 0) {
        free(TAKE_PTR(harness->next_chat));
        return false;
    }
    harness_replace_chat(harness);
    return true;
}

/* The kernel has counted what went either way. False: that is not what the state knows. */
static bool client_settle(Harness *harness, Client *client)
{
    const SessionRecord *record = session_record(harness->chat, client->session);
    uint64_t taken = record->bytes_in + record->n_half, in = client->n_typed - client->input_n;
    uint64_t out = client->n_before + client->output_n, sent = out - record->bytes_out;

    if (in > taken || taken - in > client->input_n || out < record->bytes_out)
        return false;
    client_consume(client, (size_t) (taken - in));
    if (sent == 0)
        return true;
    stream_open(&harness->stream, harness->chat, client->session);
    return front_store_sent(&front_plain, &harness->stream, harness->other, (size_t) sent);
}

/* Where that session is; it is likely to be where it was. */
static uint32_t find_serial(const Chat *chat, uint64_t serial, uint32_t session)
{
    if (session < chat->session_slots.n_touched && session_record(chat, session)->serial == serial)
        return session;
    for (uint32_t i = 0; i < chat->session_slots.n_touched; i++)
        if (serial != 0 && session_record(chat, i)->serial == serial)
            return i;
    return SLOT_NONE;
}

bool harness_settle(Harness *harness)
{
    bool is_known = true;

    for (unsigned i = 0; i < harness->n_clients; i++) {
        Client *client = harness->clients[i];

        if (client->is_gone || client->serial == harness->chat->state.header->next_serial)
            continue;
        client->session = find_serial(harness->chat, client->serial, client->session);
        client->is_gone = client->session == SLOT_NONE;
        client->is_blocked = client->is_behind = false;
        if (client->is_gone)
            continue;
        is_known = client_settle(harness, client) && is_known;
        chat_touch_session(harness->chat, client->session);
    }
    return is_known;
}

/* Who was accepted, and was no session yet. */
static void harness_admit(Harness *harness)
{
    for (unsigned i = 0; i < harness->n_clients; i++)
        if (harness->clients[i]->serial == harness->chat->state.header->next_serial)
            EXPECT(client_admit(harness, harness->clients[i]));
}

void harness_attach(Harness *harness)
{
    const Chat *chat = harness->chat;

    harness_forget_clients(harness);
    for (uint32_t i = 0; i < chat->session_slots.n_touched; i++) {
        const SessionRecord *record = session_record(chat, i);
        Client *client;

        if (record->serial == 0)
            continue;
        client = harness_add_client(harness, record->serial);
        client->session = i;
        client->is_begun = record->written > 0;
        client->n_before = record->bytes_out;
        client->n_typed = record->bytes_in + record->n_half;
        chat_touch_session(harness->chat, i);
    }
}

void harness_survive(Harness *harness)
{
    EXPECT(harness_adopt(harness, harness_dup(harness)));
    EXPECT(harness_settle(harness));
    harness_admit(harness);
    harness_deliver(harness);
    harness_check(harness);
}

/* Comparing */

static void dump_session(const Chat *chat, uint32_t session, FILE *to)
{
    const State *state = &chat->state;
    SessionRecord record = state->sessions[session];
    size_t n_ignored = state->header->max_ignored;

    /* Where it reads, however it is told. */
    record.cursor = session_cursor(chat, session);
    record.flags &= (uint8_t) ~SESSION_LAGGING;
    if (record.written == 0) {
        record.item_key = 0;
        record.written_lines = 0;
        record.is_within_line = false;
    }
    if (!(record.flags & SESSION_ENDING))
        record.end = 0;
    (void) fwrite(&record, sizeof record, 1, to);
    if (record.flags & SESSION_AWAY)
        (void) fwrite(&state->aways[session], offsetof(AwayRecord, text) + state->aways[session].n, 1, to);
    (void) fwrite(&state->ignored[n_ignored * session], sizeof(IgnoredRecord), record.n_ignored, to);
    (void) fwrite(state->halves[session].bytes, 1, record.n_half, to);
}

static void dump_transcript(const Chat *chat, FILE *to)
{
    uint64_t pos = chat->state.header->tail;
    const Entry *entry;

    for (; (entry = transcript_read(&chat->transcript, &pos)) != NULL; pos += entry->size) {
        Entry copy = *entry;
        size_t n = offsetof(Entry, data);

        /* That is of its turn only. */
        copy.next = 0;
        (void) fwrite(&copy, n, 1, to);
        (void) fwrite((const char *) entry + n, (size_t) entry->nick_n + entry->room_n + entry->text_n, 1,
                      to);
    }
}

char *harness_dump(const Harness *harness, size_t *ret_n)
{
    const Chat *chat = harness->chat;
    const State *state = &chat->state;
    char *dump = NULL;
    FILE *to = open_memstream(&dump, ret_n);
    StateHeader *header = harness_allocate(sizeof *header);

    EXPECT(to != NULL);
    memcpy(header, state->header, sizeof *header);
    memset(header, 0, offsetof(StateHeader, tail)); /* how large it all is */
    header->executing = 0;
    (void) fwrite(header, sizeof *header, 1, to);
    free(header);
    for (uint32_t i = 0; i < chat->session_slots.n_touched; i++)
        if (state->sessions[i].serial != 0)
            dump_session(chat, i, to);
    for (uint32_t i = 0; i < chat->room_slots.n_touched; i++)
        if (state->rooms[i].created_wall != 0)
            (void) fwrite(&state->rooms[i], sizeof(RoomRecord), 1, to);
    for (uint32_t i = 0; i < chat->member_slots.n_touched; i++)
        if (state->members[i].joined != 0)
            (void) fwrite(&state->members[i], sizeof(MemberRecord), 1, to);
    for (uint32_t i = 0; i < chat->rule_slots.n_touched; i++)
        if (state->rules[i].number != 0)
            (void) fwrite(&state->rules[i], sizeof(RuleRecord), 1, to);
    for (uint32_t i = 0; i < chat->invite_slots.n_touched; i++)
        if (state->invites[i].whom != 0)
            (void) fwrite(&state->invites[i], sizeof(InviteRecord), 1, to);
    for (uint64_t i = state->header->over_first; i < state->header->over_end; i++)
        (void) fwrite(&state->overs[i % state->header->max_overs], sizeof(OverRecord), 1, to);
    dump_transcript(chat, to);
    EXPECT(fclose(to) == 0);
    return dump;
}
