/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Who has come in by a socket for accounts and is not in the chat yet: the kernel says which uid it is
 * (SO_PEERCRED, unix(7)), and the name of that is being looked up. It is greeted by that name, and nobody has
 * heard of it before; if the process ends meanwhile it has to connect again.
 */

#include <stdint.h>

#include "chat/state.h"

typedef struct Server Server;

enum { ARRIVALS_MAX = 64 }; /* more wait in the backlog */

typedef struct Arrival {
    int fd; /* owned */
    Peer peer;
} Arrival;

/* `fd` is consumed; there must be room. 0, or a negative errno. */
int arrival_begin(Server *server, int fd, const Peer *peer);
/* Lets in whose name is known by now. 0, or a negative errno. */
int arrivals_look(Server *server);
/* Nobody is let in any more. */
void arrivals_done(Server *server);
