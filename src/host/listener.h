/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * A listening socket. It belongs to whoever started the service, so it is never shut down or unlinked. While
 * there are no descriptors it pauses: who wants to come waits in the backlog.
 */

#include <stdbool.h>
#include <stdint.h>

typedef struct Server Server;
typedef struct VaultFound VaultFound;
typedef struct Identity Identity;
typedef struct Peer Peer;

typedef struct Listener {
    int fd;                /* owned */
    bool is_local;         /* for accounts: host/arrival.h */
    uint64_t paused_until; /* usec, monotonic; 0: it accepts */
} Listener;

/* `fd` is consumed. */
void listener_init(Listener *listener, int fd, bool is_local);
void listener_done(Listener *listener);
/* Lets somebody in, or tells why not. `fd` is consumed. 0, or a negative errno. */
int listener_take(Server *server, int fd, const Peer *peer, const Identity *identity);
/* Accepts who waits, a turn's worth at most. 0, or a negative errno. */
int listener_accept(Server *server, Listener *listener);
/* Somebody who is in the vault, but was not greeted yet. What is found is consumed. 0, or a negative errno.
 */
int listener_admit_found(Server *server, const VaultFound *found);
/* Whether it accepts; a pause that is over ends. */
bool listener_is_open(const Server *server, Listener *listener);
/* Tells whoever waits at a listening socket why nobody comes, and closes their connections. `fd` is borrowed.
 */
void listener_turn_away(int fd, const char *words);
/* The same, to one connection. `fd` is consumed. */
void listener_turn_away_one(int fd, const char *words);
