/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The server: the chat, its connections and listening sockets, and the loop that drives them.
 *
 * One turn: wait; accept; read and execute lines, which append to the transcript; send everyone what is new,
 * in one send each; let go of the connections that have ended. Nothing is freed before the end of the turn.
 */

#include "base/config.h"
#include "base/log.h"
#include "chat/chat.h"
#include "chat/stream.h"
#include "front/front.h"
#include "host/accounts.h"
#include "host/arrival.h"
#include "host/connection.h"
#include "host/delivery.h"
#include "host/inherit.h"
#include "host/listener.h"
#include "host/notify.h"
#include "host/remember.h"
#include "host/vault.h"

/* Numbers of sessions, each at most once. Memory for all, touched when used. */
typedef struct SessionList {
    uint32_t *items; /* owned */
    uint32_t n;
} SessionList;

typedef enum ServerEnd {
    SERVER_GOES_ON,
    SERVER_HANDS_OVER, /* everybody stays connected, for the next process */
    SERVER_STOPS,      /* everybody is told and let go */
} ServerEnd;

typedef struct Server {
    const char *config_path; /* borrowed; NULL: the default */
    Config config;           /* owned; in force */
    const Log *log;          /* borrowed */
    const Front *front;
    Chat *chat; /* owned */
    Notify notify;
    Vault vault;

    int epoll_fd, signal_fd; /* owned */
    Listener listeners[INHERIT_MAX];
    unsigned n_listeners;
    Accounts *accounts; /* owned; NULL: no socket needs any */
    Arrival arrivals[ARRIVALS_MAX];
    unsigned n_arrivals;
    Remember remember;
    bool is_started_on_demand; /* whoever holds the listening sockets would start the service again */
    ServerEnd end;             /* how it was asked to */
    bool is_recovering;        /* in the first turn of a process that adopted a state */
    uint32_t max_descriptors;  /* for clients */
    bool is_pause_logged;      /* that listeners pause */
    Connection *connections;   /* owned; in the place of their sessions */

    SessionList ready;                      /* may have something to read */
    SessionList waiting;                    /* for an answer without which their line can not be executed */
    SessionList throttled;                  /* spoke too much: read again later */
    SessionList behind;                     /* have more to be sent than one turn allows */
    SessionList unsure;                     /* may owe acknowledgements: host/liveness.h */
    SessionList dead;                       /* go at the end of the turn */
    uint64_t next_throttled, next_liveness; /* usec, monotonic; UINT64_MAX: none */
    uint32_t turn_lines;                    /* executed in this turn */
    uint64_t started, idle_since;           /* usec, monotonic */
    uint64_t
        next_trim; /* usec, monotonic: when nothing has happened for a while; UINT64_MAX: that was done */

    Frame frame;
    Stream stream;
    Delivery delivery;
    char read[READ_BYTES];
    char chunk[CHUNK_BYTES];
} Server;

/*
 * `config` (moved in) and `inherited` (moved in) are the server's from now on, also on failure. `config_path`
 * and `log` must outlive it. 0, or a negative errno.
 */
int server_new(Config *config, const char *config_path, const Log *log, Inherited *inherited,
               Server **ret_server);
/* Takes NULL; returns NULL. */
Server *server_free(Server *server);
/* Serves until it is told to end, or has been idle for long. 0 with how it ended, or a negative errno. */
int server_run(Server *server, ServerEnd *ret_end);

static inline void session_list_add(SessionList *list, uint32_t session)
{
    list->items[list->n++] = session;
}
