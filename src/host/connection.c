/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/error.h"
#include "base/macro.h"
#include "chat/mail.h"
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

void connection_set_ready(Server *server, uint32_t session)
{
    Connection *connection = connection_of(server, session);

    if (connection->flags & (CONNECTION_READY | CONNECTION_THROTTLED | CONNECTION_WAITING))
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

void connection_log_came(const Server *server, uint32_t session)
{
    log_client(server, session, LOG_ID_CLIENT_CONNECTED, "came");
}

void connection_open(Server *server, uint32_t session, int fd)
{
    Connection *connection = connection_of(server, session);
    struct epoll_event event = {.events = EVENTS, .data.u32 = session};
    bool is_local = session_record(server->chat, session)->peer.is_local;
    const int on = 1;

    /* It may be older than what listener_init() has set. */
    if (!is_local)
        (void) setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
    *connection = (Connection){.fd = fd,
                               .flags = CONNECTION_READABLE | (is_local ? 0 : CONNECTION_TCP),
                               .progress = server->chat->now};
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
    /* In this order: whom the next process finds in the vault, but not in the state, it shuts down. */
    chat_reserve(server->chat, session);
    session_close(server->chat, session);
    chat_commit(server->chat);
    (void) shutdown(connection->fd, SHUT_RDWR);
    crash_point();
    /* close(2) would not do it: the copy in the vault is the same socket. */
    (void) epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, connection->fd, NULL);
    vault_forget(&server->vault, session, server->chat->now);
    connection->fd = fd_close(connection->fd);
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

/* The connection was reset. What was said before it was ended, if it was, is whole; later events do not tell,
 * for whoever asks the socket takes the error away. */
static void connection_break(Connection *connection)
{
    connection->flags |= CONNECTION_BROKEN;
    if ((connection->flags & CONNECTION_TCP) && liveness_has_fin(connection->fd))
        connection->flags |= CONNECTION_HANGUP;
}

void connection_handle(Server *server, uint32_t session, uint32_t events)
{
    Connection *connection = connection_of(server, session);

    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) {
        connection->flags |= CONNECTION_READABLE;
        if (events & EPOLLERR)
            connection_break(connection);
        else if ((events & (EPOLLRDHUP | EPOLLHUP)) && !(connection->flags & CONNECTION_BROKEN))
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

static void connection_caught_up(Server *server, uint32_t session)
{
    const SessionRecord *record = session_record(server->chat, session);

    session_set_lagging(server->chat, session, false);
    if (record->flags & SESSION_ENDING)
        connection_drop(server, session);
}

/* Of a unix socket that was closed with something unread. Takes the error away. */
static bool was_reset(int fd)
{
    int error = 0;
    socklen_t n = sizeof error;

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error != 0;
}

/* The other end of a unix socket that was closed with nothing unread is no reset; EPIPE it is in any case. */
static void connection_deafen(Server *server, uint32_t session, int error)
{
    Connection *connection = connection_of(server, session);
    bool was_closed = error == EPIPE && !(connection->flags & (CONNECTION_TCP | CONNECTION_BROKEN)) &&
                      !was_reset(connection->fd);

    connection->flags |= CONNECTION_DEAF | CONNECTION_READABLE;
    if (was_closed)
        connection->flags |= CONNECTION_HANGUP;
    else
        connection_break(connection);
    if ((connection->flags & CONNECTION_THROTTLED) && !was_closed)
        connection_drop(server, session);
    connection_set_ready(server, session);
}

bool connection_send(Server *server, uint32_t session, const char *bytes, size_t n, size_t *ret_sent)
{
    Connection *connection = connection_of(server, session);
    ssize_t sent;

    do
        sent = send(connection->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    crash_point();
    *ret_sent = 0;
    if (sent < 0 && !errno_is_transient(errno) && !errno_is_exhausted(errno)) {
        connection_deafen(server, session, errno);
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

/* Of what the session reads next, `sent` bytes were sent. */
static void connection_count(Server *server, uint32_t session, size_t sent)
{
    if (sent == 0)
        return;
    stream_open(&server->stream, server->chat, session);
    (void) front_store_sent(server->front, &server->stream, server->chunk, sent);
}

/* Who is to be sent nothing more has gone when there is nothing more to listen to either. */
static void connection_end_deaf(Server *server, uint32_t session)
{
    if (session_record(server->chat, session)->flags & SESSION_ENDING)
        connection_drop(server, session);
}

void connection_held_back(Server *server, uint32_t session, size_t sent)
{
    Connection *connection = connection_of(server, session);

    if (connection->flags & CONNECTION_DEAD)
        return;
    connection_count(server, session, sent);
    session_fall_behind(server->chat, session);
    if (connection->flags & CONNECTION_DEAF) {
        connection_end_deaf(server, session);
        return;
    }
    connection_set_blocked(server, session, true);
    if (!(connection->flags & CONNECTION_UNSURE))
        liveness_watch(server, session);
}

/* Sends one chunk. True: all of it went, and there is more. */
static bool connection_flush_chunk(Server *server, uint32_t session)
{
    bool is_tcp = connection_of(server, session)->flags & CONNECTION_TCP;
    Stream *stream = &server->stream;
    uint8_t flags = session_record(server->chat, session)->flags;
    size_t n, skip, sent;

    stream_open(stream, server->chat, session);
    n = front_render(server->front, stream, server->chunk, is_tcp ? CHUNK_BYTES : LIMIT_ITEM_BYTES, &skip);
    if (!is_tcp && n > skip) {
        /* Nobody counts what was written to a unix socket, so it gets one line at a time, and each is counted
         * here. */
        const char *end = memchr(server->chunk + skip, '\n', n - skip);

        if (end != NULL && end + 1 < server->chunk + n) {
            n = (size_t) (end + 1 - server->chunk) - skip;
            if (connection_send(server, session, server->chunk + skip, n, &sent))
                connection_count(server, session, sent);
            else
                connection_held_back(server, session, sent);
            return sent == n;
        }
    }
    if (n > skip && !connection_send(server, session, server->chunk + skip, n - skip, &sent)) {
        connection_held_back(server, session, sent);
        return false;
    }
    stream_store(stream, n - skip);
    /* Only now it is listened to, and what it said before was an event of an earlier turn. */
    if ((!(flags & SESSION_GREETED) || (flags & SESSION_LAGGING)) &&
        (connection_of(server, session)->flags & CONNECTION_READABLE))
        connection_set_ready(server, session);
    if (!stream_is_at_end(stream))
        return true;
    connection_caught_up(server, session);
    return false;
}

static void flush(Server *server, uint32_t session)
{
    Connection *connection = connection_of(server, session);
    unsigned n = connection->flags & CONNECTION_TCP ? TURN_CHUNKS_PER_CLIENT : TURN_LINES_TO_CLIENT;

    if (connection->flags & CONNECTION_DEAF) {
        connection_end_deaf(server, session);
        return;
    }
    /* What is said meanwhile is read behind the greeting. */
    if (mail_holds_greeting(server->chat, session)) {
        session_fall_behind(server->chat, session);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        if ((connection->flags & (CONNECTION_DEAD | CONNECTION_BLOCKED | CONNECTION_DEAF)) ||
            !connection_flush_chunk(server, session))
            return;
    session_fall_behind(server->chat, session);
    if (connection->flags & CONNECTION_BEHIND)
        return;
    connection->flags |= CONNECTION_BEHIND;
    session_list_add(&server->behind, session);
}

void connection_flush(Server *server, uint32_t session)
{
    flush(server, session);
    /* Who was expelled has had the chance to read why. */
    if (session_record(server->chat, session)->standing & STANDING_EXPELLED)
        connection_drop(server, session);
}
