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

static Client *operator_come(Harness *harness, const char *login, uint32_t uid)
{
    Client *client = client_account(harness, login, uid);

    EXPECT(client != NULL);
    state_edit_session(&harness->chat->state, client->session)->standing |= STANDING_OPERATOR;
    chat_commit(harness->chat);
    return client;
}

void world_begin(World *world)
{
    Harness *harness = harness_new(NULL, 20);

    *world = (World){.harness = harness};
    harness->log = (Log){.sink = note, .userdata = world};
    world->root = operator_come(harness, "root", 0);
    world->dora = operator_come(harness, "dora", 1001);
    world->bea = client_account(harness, "bea", 1000);
    EXPECT(world->bea != NULL);
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
