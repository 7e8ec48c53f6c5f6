/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* What the service manager is told: sd_notify(3). Without one (no $NOTIFY_SOCKET) nothing is sent. */

#include <stdbool.h>
#include <stdint.h>

typedef struct Notify {
    bool is_enabled;
    uint64_t watchdog_usec;      /* half of what the manager allows; 0: no watchdog */
    uint64_t next_watchdog;      /* usec, monotonic */
    uint64_t status_after;       /* usec, monotonic: the status may be sent from then on */
    uint32_t n_people, n_rooms;  /* as told last */
    uint32_t n_restarts;         /* that were survived */
    const char *archive_trouble; /* borrowed; a sentence without its full stop; NULL: none */
    const char *told_trouble;    /* the same, as told last */
} Notify;

void notify_init(Notify *notify, uint64_t now);
void notify_ready(Notify *notify, uint64_t now, uint32_t n_people, uint32_t n_rooms);
void notify_reloading(const Notify *notify, uint64_t now);
void notify_stopping(const Notify *notify);
/*
 * Keeps descriptors (borrowed) in the manager's store under a name, for the next process. When this returns
 * they are on their way in a queue that the manager reads before it learns of our death. 0, NOTIFY_NO_STORE,
 * or a negative errno: they are not.
 */
enum { NOTIFY_NO_STORE = 1 };
int notify_store(const Notify *notify, const char *name, const int *fds, unsigned n);
/* Lets go of all descriptors of that name. */
void notify_unstore(const Notify *notify, const char *name);
/* Sends what is due. Returns when something will be due next (usec, monotonic; UINT64_MAX: nothing). */
uint64_t notify_tick(Notify *notify, uint64_t now, uint32_t n_people, uint32_t n_rooms);
