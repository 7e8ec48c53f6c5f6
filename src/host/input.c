/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <assert.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>

#include "base/crash.h"
#include "base/error.h"
#include "base/macro.h"
#include "chat/command.h"
#include "chat/person.h"
#include "chat/session.h"
#include "host/input.h"
#include "host/server.h"

static void input_throttle(Server *server, uint32_t session, uint64_t when_nsec)
{
    Connection *connection = &server->connections[session];
    /* On a grid of 10 ms, so that many who wait wake the loop together. */
    const uint64_t grid = 10 * USEC_PER_MSEC;
    uint64_t when = when_nsec / NSEC_PER_USEC + grid;

    /* Whoever has reset the connection is not waited for: its nick would be taken as long. */
    if (connection->flags & CONNECTION_BROKEN) {
        connection_drop(server, session);
        return;
    }
    connection->throttled_until = when - when % grid;
    connection->flags |= CONNECTION_THROTTLED;
    session_list_add(&server->throttled, session);
    server->next_throttled = MIN(server->next_throttled, connection->throttled_until);
}

/* Until there is news: input_look_again(). */
static void input_wait(Server *server, uint32_t session)
{
    server->connections[session].flags |= CONNECTION_WAITING;
    session_list_add(&server->waiting, session);
}

void input_look_again(Server *server)
{
    SessionList *waiting = &server->waiting;
    uint32_t n = waiting->n;

    waiting->n = 0;
    for (uint32_t i = 0; i < n; i++) {
        server->connections[waiting->items[i]].flags &= (uint16_t) ~CONNECTION_WAITING;
        connection_set_ready(server, waiting->items[i]);
    }
}

/* Whether a line of `n` bytes may be said now; otherwise the client is left unread until it may. */
static bool input_may_say(Server *server, uint32_t session, size_t n)
{
    Chat *chat = server->chat;
    SessionRecord *record = state_edit_session(&chat->state, session);
    uint64_t now = chat->now * NSEC_PER_USEC, when = 0, when_bytes = 0;
    bool lines_fit = rate_fits(&chat->lines, record->lines_due, now, 1, &when);

    if (!rate_fits(&chat->bytes, record->bytes_due, now, n, &when_bytes) || !lines_fit) {
        input_throttle(server, session, MAX(when, when_bytes));
        return false;
    }
    record->lines_due = rate_charge(&chat->lines, record->lines_due, now, 1);
    record->bytes_due = rate_charge(&chat->bytes, record->bytes_due, now, n);
    return true;
}

static int input_execute(Server *server, uint32_t session, const Frame *frame, FrameResult result)
{
    Chat *chat = server->chat;

    server->turn_lines++;
    if (result == FRAME_LINE)
        return error_trace(command_execute(chat, session, frame->line, frame->line_n));
    if (!frame->is_end)
        state_edit_session(&chat->state, session)->flags |= SESSION_SKIPPING;
    chat_error(chat, session,
               "That line had more than %u bytes and was not sent. The rest of it was skipped.",
               chat->config->max_line_length);
    return 0;
}

typedef enum FramesResult {
    FRAMES_ALL,  /* nothing is left */
    FRAMES_MORE, /* what is left is no whole line */
    FRAMES_HELD, /* what is left must wait: for its rate, for others, or for ever */
} FramesResult;

/* What waits to be executed: the half line kept from before, and behind it what the socket has. */
typedef struct Look {
    size_t n_kept;
    size_t n;     /* bytes in server->read, with the kept ones */
    bool is_full; /* there may be more in the socket */
    bool is_last; /* nothing was behind it, nor hidden by an urgent mark */
    bool is_all;  /* nothing more will come, and the sender has ended it: half a line is a line */
} Look;

/* Whether this client has had its share of the turn, or the turn has had its share of lines. */
static bool input_must_wait(const Server *server, uint32_t session, uint32_t n_lines)
{
    return (session_record(server->chat, session)->flags & SESSION_ENDING) || n_lines == 0 ||
           server->turn_lines >= TURN_LINES || chat_turn_is_full(server->chat);
}

/* Executes the line in `frame`, unless it must wait for its rate. 0 with *ret_result, or a negative errno. */
static int input_take_frame(Server *server, uint32_t session, FrameResult kind, uint32_t *n_lines,
                            FramesResult *ret_result)
{
    Chat *chat = server->chat;
    SessionRecord *record = state_edit_session(&chat->state, session);
    const Frame *frame = &server->frame;
    int r = 0;

    if (frame->answer_n > 0)
        chat_tell(chat, session, ENTRY_RAW, SLOT_NONE, frame->answer, frame->answer_n);
    record->answered = frame->n_answered;
    *ret_result = FRAMES_ALL;
    if (kind == FRAME_MORE) {
        *ret_result = FRAMES_MORE;
        return 0;
    }
    if (kind == FRAME_SKIPPED) {
        if (frame->is_end)
            record->flags &= (uint8_t) ~SESSION_SKIPPING;
    } else if (input_may_say(server, session, frame->n_consumed)) {
        --*n_lines;
        record->answered = 0;
        r = input_execute(server, session, frame, kind);
    } else {
        *ret_result = FRAMES_HELD;
        return 0;
    }
    assert(frame->n_consumed >= record->n_half);
    record->bytes_in += frame->n_consumed;
    record->n_half = 0;
    return error_trace(r);
}

/* A command may change what all sessions of a person hear: what was said before it is heard before. */
static void input_flush_person(Server *server, uint32_t session)
{
    uint32_t each = session;

    if (session == SLOT_NONE)
        return;
    do
        if (!(session_record(server->chat, each)->flags & SESSION_LAGGING))
            connection_flush(server, each);
    while ((each = person_next(server->chat, each)) != session);
}

/*
 * One line: a transaction. Should the process die by its own fault until it is done, the line is to blame. 0
 * with *ret_result, or a negative errno.
 */
static int input_take_line(Server *server, uint32_t session, const FrameInput *input, uint32_t *n_lines,
                           FramesResult *ret_result)
{
    Chat *chat = server->chat;
    const Frame *frame = &server->frame;
    FrameResult kind;
    int r;

    chat->state.header->executing = session + 1;
    kind = server->front->frame(input, &server->frame);
    if (kind == FRAME_LINE && command_must_wait(chat, session, frame->line, frame->line_n)) {
        input_wait(server, session);
        chat->state.header->executing = 0;
        *ret_result = FRAMES_HELD;
        return 0;
    }
    if (kind == FRAME_LINE && command_is(frame->line, frame->line_n)) {
        chat->state.header->executing = 0;
        input_flush_person(server, session);
        input_flush_person(server, command_whom(chat, frame->line, frame->line_n));
        chat->state.header->executing = session + 1;
    }
    chat_reserve(chat, session);
    r = input_take_frame(server, session, kind, n_lines, ret_result);
    if (r < 0)
        return error_trace(r);
    chat_commit(chat);
    chat->state.header->executing = 0;
    return 0;
}

/* Executes the lines in server->read. 0 with *ret_consumed and *ret_result, or a negative errno. */
static int input_take_frames(Server *server, uint32_t session, const Look *look, uint32_t *n_lines,
                             size_t *ret_consumed, FramesResult *ret_result)
{
    const SessionRecord *record = session_record(server->chat, session);
    FramesResult result = FRAMES_ALL;
    size_t at = 0;

    while (at < look->n && result == FRAMES_ALL) {
        FrameInput input = {
            .bytes = server->read + at,
            .n = look->n - at,
            .n_kept = record->n_half,
            .is_all = look->is_all,
            .is_skipping = record->flags & SESSION_SKIPPING,
            .n_answered = record->answered,
            .max_line = server->chat->config->max_line_length,
        };
        int r;

        if (input_must_wait(server, session, *n_lines)) {
            result = FRAMES_HELD;
            break;
        }
        r = input_take_line(server, session, &input, n_lines, &result);
        if (r < 0)
            return error_trace(r);
        if (result == FRAMES_ALL)
            at += server->frame.n_consumed;
    }
    *ret_consumed = at;
    *ret_result = result;
    return 0;
}

/* Of its own record, one number by one store: that needs no transaction. */
static SessionRecord *record_of(const Server *server, uint32_t session)
{
    return (SessionRecord *) (uintptr_t) session_record(server->chat, session);
}

void input_consume(Server *server, uint32_t session, uint64_t n)
{
    const Connection *connection = &server->connections[session];
    SessionRecord *record = record_of(server, session);

    /* TCP does that without copying (tcp(7), MSG_TRUNC). */
    while (n > 0) {
        ssize_t taken =
            recv(connection->fd, server->read, MIN(n, sizeof server->read), MSG_DONTWAIT | MSG_TRUNC);

        crash_point();
        if (taken < 0 && errno == EINTR)
            continue;
        if (taken <= 0)
            break;
        n -= (uint64_t) taken;
    }
    if (!(connection->flags & CONNECTION_TCP))
        record->bytes_taken = (uint32_t) (record->bytes_in + record->n_half);
}

/*
 * Whether half a line can not stay in the socket. TCP charges a packet to the receive buffer until its last
 * byte is read, and packets grow by what is joined to them: then the window closes, and the other half can
 * not come. An urgent mark hides what is behind it as long as something before it is unread (tcp(7)). And a
 * unix socket charges its sender.
 */
static bool input_must_keep_half(const Connection *connection)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t n = sizeof info;

    if (!(connection->flags & CONNECTION_TCP) || (connection->flags & CONNECTION_URGENT))
        return true;
    return getsockopt(connection->fd, SOL_SOCKET, SO_MEMINFO, info, &n) == 0 &&
           info[SK_MEMINFO_RMEM_ALLOC] > info[SK_MEMINFO_RCVBUF] / 4;
}

/* What was executed, `consumed` of the bytes looked at, is consumed; a half line behind it is kept if it must
 * be. */
static void input_settle(Server *server, uint32_t session, const Look *look, size_t consumed, bool is_half)
{
    HalfRecord *half = &server->chat->state.halves[session];
    size_t n_left = look->n - consumed, n_still_kept = consumed == 0 ? look->n_kept : 0;

    if (is_half && n_left > n_still_kept && n_left <= sizeof half->bytes &&
        input_must_keep_half(&server->connections[session])) {
        /* What was kept before is the beginning of the same bytes. */
        memcpy(half->bytes, server->read + consumed, n_left);
        state_barrier();
        crash_point();
        record_of(server, session)->n_half = (uint16_t) n_left;
        state_barrier();
        input_consume(server, session, look->n - look->n_kept);
    } else if (consumed > 0) {
        input_consume(server, session, consumed - look->n_kept);
    }
}

/* What waits in the socket is copied to `to`; returned is what recv(2) returns. */
static ssize_t input_peek(const Server *server, uint32_t session, char *to, size_t size)
{
    const Connection *connection = &server->connections[session];
    bool is_tcp = connection->flags & CONNECTION_TCP;
    int start = 0;
    ssize_t n;

    /* From now on the kernel counts what is taken out of it: host/settle.c. */
    if (!is_tcp)
        (void) setsockopt(connection->fd, SOL_SOCKET, SO_PEEK_OFF, &start, sizeof start);
    do
        n = recv(connection->fd, to, size, MSG_PEEK | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (!is_tcp && n >= 0) {
        crash_point();
        record_of(server, session)->n_peeked = (uint16_t) n;
        state_barrier();
    }
    return n;
}

size_t input_peek_line(Server *server, uint32_t session)
{
    size_t n_kept = session_record(server->chat, session)->n_half;
    const char *end;
    ssize_t n;

    memcpy(server->read, server->chat->state.halves[session].bytes, n_kept);
    n = input_peek(server, session, server->read + n_kept, sizeof server->read - n_kept);
    n_kept += (size_t) MAX(n, 0);
    end = memchr(server->read, '\n', n_kept);
    return end != NULL ? (size_t) (end - server->read) : n_kept;
}

/* Reset by a peer that had not ended it: half a line will never be a whole one. */
static bool input_is_cut(const Connection *connection)
{
    return (connection->flags & (CONNECTION_BROKEN | CONNECTION_HANGUP)) == CONNECTION_BROKEN;
}

/* Looks at what waits. False: there is nothing. */
static bool input_look(Server *server, uint32_t session, Look *ret_look)
{
    Connection *connection = &server->connections[session];
    size_t n_kept = session_record(server->chat, session)->n_half, room = sizeof server->read - n_kept;
    ssize_t n = input_peek(server, session, server->read + n_kept, room);

    if (n > 0 || (n == 0 && n_kept > 0)) {
        if (n_kept > 0)
            memcpy(server->read, server->chat->state.halves[session].bytes, n_kept);
        *ret_look = (Look){.n_kept = n_kept, .n = n_kept + (size_t) n, .is_full = (size_t) n == room};
        ret_look->is_last = n == 0 || (!ret_look->is_full && !(connection->flags & CONNECTION_URGENT));
        ret_look->is_all = ret_look->is_last && ((connection->flags & CONNECTION_HANGUP) ||
                                                 (n == 0 && !(connection->flags & CONNECTION_BROKEN)));
        return true;
    }
    connection->flags &= (uint16_t) ~(CONNECTION_READABLE | CONNECTION_URGENT);
    if (n == 0) {
        session_end(server->chat, session);
        chat_commit(server->chat);
        connection->progress = server->chat->now;
    } else if (!errno_is_transient(errno) || (connection->flags & CONNECTION_BROKEN)) {
        connection_drop(server, session);
    }
    return false;
}

/* One look at what waits, and one go at it. 0 with *ret_again, or a negative errno. */
static int input_read_once(Server *server, uint32_t session, uint32_t *n_lines, bool *ret_again)
{
    const uint16_t later = CONNECTION_HANGUP | CONNECTION_BROKEN | CONNECTION_URGENT;
    Connection *connection = &server->connections[session];
    FramesResult result;
    size_t consumed;
    Look look;
    int r;

    *ret_again = false;
    if (!input_look(server, session, &look))
        return 0;
    r = input_take_frames(server, session, &look, n_lines, &consumed, &result);
    if (r < 0)
        return error_trace(r);
    input_settle(server, session, &look, consumed, result == FRAMES_MORE);
    /*
     * A look that was not full has seen everything, and what comes now is a new event. But the end of the
     * file is none of its own, nor is what an urgent mark hid.
     */
    if (result != FRAMES_HELD && !look.is_full && !(connection->flags & later))
        connection->flags &= (uint16_t) ~CONNECTION_READABLE;
    if (result == FRAMES_MORE && look.is_last && input_is_cut(connection))
        connection_drop(server, session);
    *ret_again = result != FRAMES_HELD;
    return 0;
}

/* What a newcomer says comes after its greeting, unless that can not be sent. */
static bool input_is_heard(const Connection *connection, const SessionRecord *record)
{
    return !(record->flags & SESSION_ENDING) &&
           ((record->flags & SESSION_GREETED) || (connection->flags & CONNECTION_DEAF));
}

int input_read(Server *server, uint32_t session)
{
    Connection *connection = &server->connections[session];
    const SessionRecord *record = session_record(server->chat, session);
    uint32_t n_lines = TURN_LINES_PER_CLIENT;
    uint32_t n_looks = TURN_LINES_PER_CLIENT;
    bool again = true;
    int r;

    while (again && n_looks-- > 0 && input_is_heard(connection, record) &&
           (connection->flags & CONNECTION_READABLE)) {
        if (connection->flags & (CONNECTION_DEAD | CONNECTION_THROTTLED | CONNECTION_WAITING))
            return 0;
        r = input_read_once(server, session, &n_lines, &again);
        if (r < 0)
            return error_trace(r);
    }
    if ((connection->flags & CONNECTION_READABLE) && !(connection->flags & CONNECTION_DEAD) &&
        input_is_heard(connection, record))
        connection_set_ready(server, session);
    return 0;
}
