/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <assert.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/macro.h"
#include "chat/command.h"
#include "chat/peer.h"
#include "chat/session.h"
#include "host/liveness.h"
#include "host/server.h"

#define EVENTS (EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET)

/* How much unread input is thrown away so that closing does not reset the connection under our last words. */
#define DISCARD_BYTES (1 << 20)

static Connection *connection_of(const Server *server, uint32_t session)
{
    return &server->connections[session];
}

static void connection_set_ready(Server *server, uint32_t session)
{
    Connection *connection = connection_of(server, session);

    if (connection->flags & (CONNECTION_READY | CONNECTION_THROTTLED))
        return;
    connection->flags |= CONNECTION_READY;
    session_list_add(&server->ready, session);
}

static void log_client(const Server *server, uint32_t session, const char *id, const char *did)
{
    const SessionRecord *record = session_record(server->chat, session);
    char peer[PEER_TEXT_MAX];

    peer_format(&record->peer, peer);
    log_event(server->log,
              (LogEvent){.priority = LOG_INFO, .id = id, .nick = record->nick.bytes, .peer = peer},
              "%s %s (%s).", record->nick.bytes, did, peer);
}

void connection_open(Server *server, uint32_t session, int fd, bool is_tcp)
{
    Connection *connection = connection_of(server, session);
    struct epoll_event event = {.events = EVENTS, .data.u32 = session};

    *connection = (Connection){.fd = fd,
                               .flags = CONNECTION_READABLE | (is_tcp ? CONNECTION_TCP : 0),
                               .progress = server->chat->now};
    log_client(server, session, LOG_ID_CLIENT_CONNECTED, "came");
    /* ENOSPC (max_user_watches) or ENOMEM: this one can not be served. */
    if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        connection_drop(server, session);
}

/* Throws away what is unread: with it in the queue, close(2) would reset the connection and destroy what is
 * still on its way out. */
static void connection_discard(Server *server, const Connection *connection)
{
    size_t left = DISCARD_BYTES;
    ssize_t n;

    (void) shutdown(connection->fd, SHUT_WR);
    do {
        n = recv(connection->fd, server->read, sizeof server->read, MSG_DONTWAIT);
        left -= MIN(left, (size_t) MAX(n, 0));
    } while (n > 0 && left > 0);
}

void connection_close(Server *server, uint32_t session)
{
    Connection *connection = connection_of(server, session);

    log_client(server, session, LOG_ID_CLIENT_LEFT, "left");
    connection_discard(server, connection);
    (void) shutdown(connection->fd, SHUT_RDWR);
    connection->fd = fd_close(connection->fd);
    session_close(server->chat, session);
}

void connection_drop(Server *server, uint32_t session)
{
    Connection *connection = connection_of(server, session);

    if (connection->flags & CONNECTION_DEAD)
        return;
    connection->flags |= CONNECTION_DEAD;
    session_list_add(&server->dead, session);
}

/* Writing is of interest only while the socket buffer is full. */
static void connection_set_blocked(Server *server, uint32_t session, bool is_blocked)
{
    Connection *connection = connection_of(server, session);
    struct epoll_event event = {.events = EVENTS | (is_blocked ? EPOLLOUT : 0), .data.u32 = session};

    if (is_blocked == !!(connection->flags & CONNECTION_BLOCKED))
        return;
    connection->flags ^= CONNECTION_BLOCKED;
    if (epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, connection->fd, &event) < 0)
        connection_drop(server, session);
}

void connection_handle(Server *server, uint32_t session, uint32_t events)
{
    Connection *connection = connection_of(server, session);

    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) {
        connection->flags |= CONNECTION_READABLE;
        if (events & EPOLLERR)
            connection->flags |= CONNECTION_BROKEN;
        else if (events & (EPOLLRDHUP | EPOLLHUP))
            connection->flags |= CONNECTION_HANGUP;
        /* Whoever has reset the connection is not waited for until it may speak again. */
        if ((events & EPOLLERR) && (connection->flags & CONNECTION_THROTTLED))
            connection_drop(server, session);
        if (events & EPOLLPRI)
            connection->flags |= CONNECTION_URGENT;
        connection_set_ready(server, session);
    }
    if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) && (connection->flags & CONNECTION_BLOCKED)) {
        connection_set_blocked(server, session, false);
        chat_touch_session(server->chat, session);
    }
}

static void connection_throttle(Server *server, uint32_t session, uint64_t when_nsec)
{
    Connection *connection = connection_of(server, session);
    /* On a grid of 10 ms, so that many who wait wake the loop together. */
    const uint64_t grid = 10 * USEC_PER_MSEC;
    uint64_t when = when_nsec / NSEC_PER_USEC + grid;

    connection->throttled_until = when - when % grid;
    connection->flags |= CONNECTION_THROTTLED;
    session_list_add(&server->throttled, session);
    server->next_throttled = MIN(server->next_throttled, connection->throttled_until);
}

/* Whether a line of `n` bytes may be said now; otherwise the client is left unread until it may. */
static bool connection_may_say(Server *server, uint32_t session, size_t n)
{
    Chat *chat = server->chat;
    SessionRecord *record = session_record(chat, session);
    uint64_t now = chat->now * NSEC_PER_USEC, when = 0, when_bytes = 0;
    bool lines_fit = rate_fits(&chat->lines, record->lines_due, now, 1, &when);

    if (!rate_fits(&chat->bytes, record->bytes_due, now, n, &when_bytes) || !lines_fit) {
        connection_throttle(server, session, MAX(when, when_bytes));
        return false;
    }
    record->lines_due = rate_charge(&chat->lines, record->lines_due, now, 1);
    record->bytes_due = rate_charge(&chat->bytes, record->bytes_due, now, n);
    return true;
}

static int connection_execute(Server *server, uint32_t session, const Frame *frame, FrameResult result)
{
    Chat *chat = server->chat;
    SessionRecord *record = session_record(chat, session);

    server->turn_lines++;
    if (result == FRAME_TOO_LONG) {
        if (!frame->is_end)
            record->flags |= SESSION_SKIPPING;
        chat_error(chat, session,
                   "That line had more than %u bytes and was not sent. The rest of it was skipped.",
                   chat->config->max_line_length);
        return 0;
    }
    /* A command may change what its session hears: what was said before it is heard before. */
    if (command_is(frame->line, frame->line_n) && !(record->flags & SESSION_LAGGING))
        connection_flush(server, session);
    return error_trace(command_execute(chat, session, frame->line, frame->line_n));
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
    bool is_all;  /* nothing more will come */
} Look;

/* Whether this client has had its share of the turn, or the turn has had its share of lines. */
static bool connection_must_wait(const Server *server, uint32_t session, uint32_t n_lines)
{
    return (session_record(server->chat, session)->flags & SESSION_ENDING) || n_lines == 0 ||
           server->turn_lines >= TURN_LINES || chat_turn_is_full(server->chat);
}

/* Executes the line in `frame`, unless it must wait for its rate. 0 with *ret_result, or a negative errno. */
static int connection_take_frame(Server *server, uint32_t session, FrameResult kind, uint32_t *n_lines,
                                 FramesResult *ret_result)
{
    SessionRecord *record = session_record(server->chat, session);
    const Frame *frame = &server->frame;

    if (frame->answer_n > 0)
        chat_tell(server->chat, session, ENTRY_RAW, SLOT_NONE, frame->answer, frame->answer_n);
    record->answered = frame->n_answered;
    *ret_result = FRAMES_ALL;
    if (kind == FRAME_MORE) {
        *ret_result = FRAMES_MORE;
        return 0;
    }
    if (kind == FRAME_SKIPPED) {
        if (frame->is_end)
            record->flags &= (uint8_t) ~SESSION_SKIPPING;
        return 0;
    }
    if (!connection_may_say(server, session, frame->n_consumed)) {
        *ret_result = FRAMES_HELD;
        return 0;
    }
    --*n_lines;
    record->answered = 0;
    return error_trace(connection_execute(server, session, frame, kind));
}

/* Executes the lines in server->read. 0 with *ret_consumed and *ret_result, or a negative errno. */
static int connection_take_frames(Server *server, uint32_t session, const Look *look, uint32_t *n_lines,
                                  size_t *ret_consumed, FramesResult *ret_result)
{
    const SessionRecord *record = session_record(server->chat, session);
    FramesResult result = FRAMES_ALL;
    size_t at = 0;

    while (at < look->n && result == FRAMES_ALL) {
        FrameInput input = {
            .bytes = server->read + at,
            .n = look->n - at,
            .is_all = look->is_all,
            .is_skipping = record->flags & SESSION_SKIPPING,
            .n_answered = record->answered,
            .max_line = server->chat->config->max_line_length,
        };
        FrameResult kind;
        int r;

        if (connection_must_wait(server, session, *n_lines)) {
            result = FRAMES_HELD;
            break;
        }
        kind = server->front->frame(&input, &server->frame);
        r = connection_take_frame(server, session, kind, n_lines, &result);
        if (r < 0)
            return error_trace(r);
        if (result == FRAMES_ALL)
            at += server->frame.n_consumed;
    }
    *ret_consumed = at;
    *ret_result = result;
    return 0;
}

/* Takes what was executed out of the socket. TCP does that without copying (tcp(7), MSG_TRUNC). */
static void connection_consume(Server *server, const Connection *connection, size_t n)
{
    while (n > 0) {
        ssize_t taken =
            recv(connection->fd, server->read, MIN(n, sizeof server->read), MSG_DONTWAIT | MSG_TRUNC);

        if (taken <= 0 && errno != EINTR)
            break;
        n -= (size_t) MAX(taken, 0);
    }
}

/*
 * Whether half a line can not stay in the socket. TCP charges a packet to the receive buffer until its last
 * byte is read, and packets grow by what is joined to them: then the window closes, and the other half can
 * not come. An urgent mark hides what is behind it as long as something before it is unread (tcp(7)). And a
 * unix socket charges its sender.
 */
static bool connection_must_keep_half(const Connection *connection)
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
static void connection_settle(Server *server, uint32_t session, const Look *look, size_t consumed,
                              bool is_half)
{
    Connection *connection = connection_of(server, session);
    HalfRecord *half = &server->chat->state.halves[session];
    size_t n_left = look->n - consumed, n_still_kept = consumed == 0 ? look->n_kept : 0;

    /* A kept half line has no end in it: either nothing or all of it was executed. */
    assert(consumed == 0 || consumed >= look->n_kept);
    if (is_half && n_left > n_still_kept && n_left <= sizeof half->bytes &&
        connection_must_keep_half(connection)) {
        memcpy(half->bytes, server->read + consumed, n_left);
        half->n = (uint16_t) n_left;
        connection_consume(server, connection, look->n - look->n_kept);
    } else if (consumed > 0) {
        if (half->n > 0)
            half->n = 0;
        connection_consume(server, connection, consumed - look->n_kept);
    }
}

/* Looks at what waits. False: there is nothing. */
static bool connection_look(Server *server, uint32_t session, Look *ret_look)
{
    Connection *connection = connection_of(server, session);
    const HalfRecord *half = &server->chat->state.halves[session];
    size_t n_kept = half->n, room = sizeof server->read - n_kept;
    ssize_t n;

    do
        n = recv(connection->fd, server->read + n_kept, room, MSG_PEEK | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n > 0 || (n == 0 && n_kept > 0)) {
        memcpy(server->read, half->bytes, n_kept);
        *ret_look = (Look){.n_kept = n_kept, .n = n_kept + (size_t) n, .is_full = (size_t) n == room};
        ret_look->is_all = n == 0 || ((connection->flags & CONNECTION_HANGUP) && !ret_look->is_full);
        return true;
    }
    connection->flags &= (uint16_t) ~(CONNECTION_READABLE | CONNECTION_URGENT);
    if (n == 0) {
        session_end(server->chat, session);
        connection->progress = server->chat->now;
    } else if (!errno_is_transient(errno) || (connection->flags & CONNECTION_BROKEN)) {
        connection_drop(server, session);
    }
    return false;
}

/* One look at what waits, and one go at it. 0 with *ret_again, or a negative errno. */
static int connection_read_once(Server *server, uint32_t session, uint32_t *n_lines, bool *ret_again)
{
    const uint16_t later = CONNECTION_HANGUP | CONNECTION_BROKEN | CONNECTION_URGENT;
    Connection *connection = connection_of(server, session);
    FramesResult result;
    size_t consumed;
    Look look;
    int r;

    *ret_again = false;
    if (!connection_look(server, session, &look))
        return 0;
    r = connection_take_frames(server, session, &look, n_lines, &consumed, &result);
    if (r < 0)
        return error_trace(r);
    connection_settle(server, session, &look, consumed, result == FRAMES_MORE);
    /*
     * A look that was not full has seen everything, and what comes now is a new event. But the end of the
     * file is none of its own, nor is what an urgent mark hid.
     */
    if (result != FRAMES_HELD && !look.is_full && !(connection->flags & later))
        connection->flags &= (uint16_t) ~CONNECTION_READABLE;
    /* Half a line of a connection that was reset will never be a whole one. */
    if (result == FRAMES_MORE && (connection->flags & CONNECTION_BROKEN))
        connection_drop(server, session);
    *ret_again = result != FRAMES_HELD;
    return 0;
}

int connection_read(Server *server, uint32_t session)
{
    Connection *connection = connection_of(server, session);
    const SessionRecord *record = session_record(server->chat, session);
    uint32_t n_lines = TURN_LINES_PER_CLIENT;
    uint32_t n_looks = TURN_LINES_PER_CLIENT;
    bool again = true;
    int r;

    /* What a newcomer says comes after its greeting. */
    while (again && n_looks-- > 0 && (record->flags & SESSION_GREETED) &&
           (connection->flags & CONNECTION_READABLE)) {
        if ((connection->flags & (CONNECTION_DEAD | CONNECTION_THROTTLED)) ||
            (record->flags & SESSION_ENDING))
            return 0;
        r = connection_read_once(server, session, &n_lines, &again);
        if (r < 0)
            return error_trace(r);
    }
    if ((connection->flags & CONNECTION_READABLE) && !(connection->flags & CONNECTION_DEAD) &&
        (record->flags & (SESSION_GREETED | SESSION_ENDING)) == SESSION_GREETED)
        connection_set_ready(server, session);
    return 0;
}

static void connection_caught_up(Server *server, uint32_t session)
{
    const SessionRecord *record = session_record(server->chat, session);

    session_set_lagging(server->chat, session, false);
    if (record->flags & SESSION_ENDING)
        connection_drop(server, session);
}

/* It reads by its own cursor from now on. */
static void connection_fall_behind(Server *server, uint32_t session)
{
    SessionRecord *record = session_record(server->chat, session);

    record->cursor = session_cursor(server->chat, session);
    session_set_lagging(server->chat, session, true);
}

bool connection_send(Server *server, uint32_t session, const char *bytes, size_t n, size_t *ret_sent)
{
    Connection *connection = connection_of(server, session);
    ssize_t sent;

    do
        sent = send(connection->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    *ret_sent = 0;
    if (sent < 0 && !errno_is_transient(errno) && !errno_is_exhausted(errno)) {
        connection_drop(server, session);
        return false;
    }
    if (sent > 0) {
        *ret_sent = (size_t) sent;
        connection->progress = server->chat->now;
        if ((connection->flags & (CONNECTION_UNSURE | CONNECTION_TCP)) == CONNECTION_TCP)
            liveness_watch(server, session);
    }
    return *ret_sent == n;
}

void connection_held_back(Server *server, uint32_t session, size_t sent)
{
    Connection *connection = connection_of(server, session);

    if (connection->flags & CONNECTION_DEAD)
        return;
    if (sent > 0) {
        stream_open(&server->stream, server->chat, session);
        front_store_sent(server->front, &server->stream, server->chunk, sent);
    }
    connection_fall_behind(server, session);
    connection_set_blocked(server, session, true);
    if (!(connection->flags & CONNECTION_UNSURE))
        liveness_watch(server, session);
}

/* Sends one chunk. True: all of it went, and there is more. */
static bool connection_flush_chunk(Server *server, uint32_t session)
{
    Stream *stream = &server->stream;
    bool is_greeted = session_record(server->chat, session)->flags & SESSION_GREETED;
    size_t n, skip, sent;

    stream_open(stream, server->chat, session);
    n = front_render(server->front, stream, server->chunk, sizeof server->chunk, &skip);
    if (n > skip && !connection_send(server, session, server->chunk + skip, n - skip, &sent)) {
        connection_held_back(server, session, sent);
        return false;
    }
    stream_store(stream);
    /* Only now it is listened to, and what it said before was an event of an earlier turn. */
    if (!is_greeted)
        connection_set_ready(server, session);
    if (!stream_is_at_end(stream))
        return true;
    connection_caught_up(server, session);
    return false;
}

void connection_flush(Server *server, uint32_t session)
{
    Connection *connection = connection_of(server, session);

    for (unsigned i = 0; i < TURN_CHUNKS_PER_CLIENT; i++)
        if ((connection->flags & (CONNECTION_DEAD | CONNECTION_BLOCKED)) ||
            !connection_flush_chunk(server, session))
            return;
    connection_fall_behind(server, session);
    if (connection->flags & CONNECTION_BEHIND)
        return;
    connection->flags |= CONNECTION_BEHIND;
    session_list_add(&server->behind, session);
}
