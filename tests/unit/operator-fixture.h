/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* People of each kind, all in the lobby, for the tests of what operators do; and what is logged of that. */

#include "unit/harness.h"

/* The guests of the harness come from 2001:db8:0:1::, 2001:db8:0:2:: and so on. */
typedef struct World {
    Harness *harness;
    Client *root, *dora;     /* operators */
    Client *bea;             /* has an account, too: uid 1000 */
    Client *alice, *mallory; /* guests */
    unsigned n_acts;         /* that operators did so far, by the log */
    char act[512];           /* the last one: "MESSAGE_ID WHO WHOM: REASON", with "-" for none */
} World;

void world_begin(World *world);
void world_end(World *world);
/* One more connection of bea's. */
Client *world_bea_again(World *world);
