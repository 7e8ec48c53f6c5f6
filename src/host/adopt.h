/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Going on where another process stopped, however that was: with its state and its clients, out of the
 * descriptor store.
 *
 * Nothing here destroys what it reads, so that a process that dies on the way is followed by one that finds
 * the same. If that happens three times in a row the state itself must be what kills them, and it is set
 * aside.
 */

#include <stdbool.h>

#include "host/inherit.h"

typedef struct Server Server;

/* Whether there is somebody whom another process left connected. */
bool adopt_has_state(const Inherited *inherited);
/*
 * Sets server->chat up from what is in the store. 0 with *ret_is_adopted false if nothing was, or nothing
 * that can be used: then whoever was connected has been told and let go. Or a negative errno.
 */
int adopt_state(Server *server, Inherited *inherited, uint32_t max_clients, bool *ret_is_adopted);
/* The connections of an adopted state. 0, or a negative errno. */
int adopt_clients(Server *server, Inherited *inherited);
/* Everyone has been sent what they had not read: a recovery is complete. */
void adopt_complete(Server *server);
