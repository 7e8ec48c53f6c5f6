/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdio.h>

#include "unit/operator-fixture.h"

static const char *or_none(const char *text)
{
    return text != NULL ? text : "-";
}

static void note(void *userdata, const LogEvent *event)
{
    World *world = userdata;

    /* What else is logged here is a warning or worse. */
    if (event->priority != LOG_NOTICE)
        return;
    world->n_acts++;
    (void) snprintf(world->act, sizeof world->act, "%s %s %s: %s", event->id, event->nick,
                    or_none(event->whom), or_none(event->reason));
}

void world_begin(World *world)
{
    Harness *harness = harness_new(NULL, 20);

    *world = (World){.harness = harness};
    harness->log = (Log){.sink = note, .userdata = world};
    world->root = client_account(harness, "root", 0);
    world->dora = client_operator(harness, "dora", 1001, true);
    world->bea = client_account(harness, "bea", 1000);
    EXPECT(world->root != NULL && world->dora != NULL && world->bea != NULL);
    harness_turn(harness);
    world->alice = client_named(harness, "alice");
    world->mallory = client_named(harness, "mallory");
    harness_take_all(harness);
}

void world_end(World *world)
{
    harness_check(world->harness);
    harness_free(world->harness);
}

Client *world_bea_again(World *world)
{
    Client *again = client_account(world->harness, "bea", 1000);

    EXPECT(again != NULL);
    harness_turn(world->harness);
    harness_take_all(world->harness);
    return again;
}
