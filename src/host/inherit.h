/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The descriptors this process was started with: listening sockets from systemd (sd_listen_fds(3)), or from a
 * classic inetd in wait mode, which gives its listening socket as descriptor 0; and what an earlier process
 * left in systemd's descriptor store, a state and a vault (host/adopt.h).
 */

#include <stdbool.h>

#include "base/log.h"

enum { INHERIT_MAX = 64 }; /* listening sockets; more are logged and closed */

/* Something out of the descriptor store. */
typedef struct Stored {
    char name[32]; /* FDNAME= */
    int fd;        /* owned; -1: somebody took it */
} Stored;

typedef struct Inherited {
    int fds[INHERIT_MAX];        /* listening; owned; CLOEXEC and NONBLOCK */
    bool are_local[INHERIT_MAX]; /* named "local": who comes in there has an account of this host */
    unsigned n;
    Stored *stored; /* owned; in no order */
    unsigned n_stored;
    bool from_inetd;
} Inherited;

#define INHERIT_STATE "state-"
#define INHERIT_VAULT "vault-"

enum {
    INHERIT_NOTHING = 1, /* no socket at all */
    INHERIT_CONNECTED,   /* a connected socket: Accept=yes, or inetd nowait */
    INHERIT_UNKNOWN,     /* only sockets whose names mean nothing; they are closed */
};

/* Whether descriptor 0 is a socket, and so descriptors 0 to 2 are no place for messages. */
bool inherit_is_inetd(void);
int inherit_sockets(const Log *log, Inherited *ret_inherited);
void inherit_done(Inherited *inherited);
