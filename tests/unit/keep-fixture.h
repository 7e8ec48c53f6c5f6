/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* A room that belongs to somebody, for the tests of what founders do. */

#include <string.h>

#include "base/limits.h"
#include "chat/room.h"
#include "unit/harness.h"
#include "unit/unit.h"

/* fay, who has founded #garden and is in it; otto, who has an account; alice and mallory, guests. */
typedef struct World {
    Harness *harness;
    Client *fay, *otto, *alice, *mallory;
} World;

static inline void world_begin_with(World *world, const Config *config)
{
    Harness *harness = harness_new(config, 60);

    *world = (World){.harness = harness};
    world->fay = client_account(harness, "fay", 1001);
    world->otto = client_account(harness, "otto", 1002);
    harness_turn(harness);
    world->alice = client_named(harness, "alice");
    world->mallory = client_named(harness, "mallory");
    client_say(harness, world->fay, "/join #garden");
    harness_take_all(harness);
}

static inline void world_begin(World *world)
{
    world_begin_with(world, NULL);
}

/* One may be in more rooms than one may found. */
static inline void world_begin_roomy(World *world)
{
    Config config;

    harness_config(&config);
    config.max_rooms_per_client = 2 * LIMIT_ROOMS_FOUNDED;
    world_begin_with(world, &config);
}

static inline void world_end(World *world)
{
    harness_check(world->harness);
    harness_free(world->harness);
}

/* What somebody reads who says that. */
static inline const char *ask(World *world, Client *client, const char *line)
{
    harness_turn(world->harness);
    (void) client_take(client);
    client_say(world->harness, client, "%s", line);
    harness_turn(world->harness);
    return client_take(client);
}

static inline uint32_t room_named(const World *world, const char *text)
{
    Name name;

    ck_assert_int_eq(name_parse(text, strlen(text), NAME_MAX_CHARS, &name), 0);
    return room_find(world->harness->chat, &name);
}
