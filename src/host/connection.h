/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* A connection: a socket and the session it belongs to. What comes in is the business of host/input.h. */

#include <stdbool.h>
#include <stdint.h>

typedef struct Server Server;

enum {
    CONNECTION_READABLE = 1 << 0,  /* there may be something to read */
    CONNECTION_HANGUP = 1 << 1,    /* nothing more will arrive than what has */
    CONNECTION_URGENT = 1 << 2,    /* there is an urgent mark in what waits */
    CONNECTION_BLOCKED = 1 << 3,   /* its socket buffer is full */
    CONNECTION_READY = 1 << 4,     /* on the list server->ready */
    CONNECTION_THROTTLED = 1 << 5, /* on server->throttled */
    CONNECTION_BEHIND = 1 << 6,    /* on server->behind */
    CONNECTION_UNSURE = 1 << 7,    /* on server->unsure */
    CONNECTION_DEAD = 1 << 8,      /* on server->dead */
    CONNECTION_TCP = 1 << 9,
    CONNECTION_BROKEN = 1 << 10,  /* it was reset: half a line is no line, unless there is a HANGUP too */
    CONNECTION_WAITING = 1 << 12, /* on server->waiting */
    CONNECTION_DEAF = 1 << 11,    /* nothing can be sent any more; what it said is executed, greeted or not */
};

typedef struct Connection {
    int fd; /* owned; -1: this place is free */
    uint16_t flags;
    uint64_t throttled_until; /* usec, monotonic */
    uint64_t progress;        /* usec, monotonic: when something was sent to it last, or it ended its side */
} Connection;

/* A connection for an open session. `fd` is consumed. */
void connection_open(Server *server, uint32_t session, int fd);
/* Says so in the log. */
void connection_log_came(const Server *server, uint32_t session);
/* At the end of a turn: closes the session and the socket. */
void connection_close(Server *server, uint32_t session);
/* What epoll_wait(2) says of it. */
void connection_handle(Server *server, uint32_t session, uint32_t events);
/* It may have something to read. */
void connection_set_ready(Server *server, uint32_t session);
/* Sends what the session has not read, a turn's worth at most. */
void connection_flush(Server *server, uint32_t session);
/* Sends bytes rendered for several. False: not all of them went; it must be told by connection_held_back().
 */
bool connection_send(Server *server, uint32_t session, const char *bytes, size_t n, size_t *ret_sent);
/* Only `sent` bytes of what the session reads next could be sent. */
void connection_held_back(Server *server, uint32_t session, size_t sent);
/* It is over; the session is closed at the end of the turn. */
void connection_drop(Server *server, uint32_t session);
