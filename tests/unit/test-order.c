/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What operators do: who may, to whom, and what everybody hears of it. */

#include <stdio.h>
#include <string.h>

#include "chat/command.h"
#include "unit/harness.h"
#include "unit/unit.h"

#define MARK_ "\xe2\x9c\x93"

/* One of each kind, all in the lobby. */
typedef struct World {
    Harness *harness;
    Client *guest, *account, *operator, * root, *other;
} World;

static char last_id[40], last_nick[64], last_whom[64], last_reason[256];
static unsigned n_logged;

static void note(void *userdata, const LogEvent *event)
{
    (void) userdata;
    if (event->id == NULL ||
        (strcmp(event->id, LOG_ID_KICKED) != 0 && strcmp(event->id, LOG_ID_ANNOUNCED) != 0))
        return;
    n_logged++;
    (void) snprintf(last_id, sizeof last_id, "%s", event->id);
    (void) snprintf(last_nick, sizeof last_nick, "%s", event->nick);
    (void) snprintf(last_whom, sizeof last_whom, "%s", event->whom != NULL ? event->whom : "");
    (void) snprintf(last_reason, sizeof last_reason, "%s", event->reason != NULL ? event->reason : "");
}

static void world_begin(World *world)
{
    Harness *harness = harness_new(NULL, 20);

    n_logged = 0;
    harness->log = (Log){.sink = note};
    *world = (World){.harness = harness};
    world->root = client_account(harness, "root", 0);
    world->account = client_account(harness, "bea", 1000);
    world->operator= client_account(harness, "dora", 1001);
    ck_assert(world->root != NULL && world->account != NULL && world->operator!= NULL);
    state_edit_session(&harness->chat->state, world->operator->session)->standing |= STANDING_OPERATOR;
    chat_commit(harness->chat);
    harness_turn(harness);
    world->guest = client_named(harness, "alice");
    world->other = client_named(harness, "mallory");
    harness_take_all(harness);
}

static void world_end(World *world)
{
    harness_check(world->harness);
    harness_free(world->harness);
}

/* Every command for operators, by everybody who is none: an answer, and nothing else. */
START_TEST(test_who_may)
{
    for (const Command *command = COMMANDS; command->name != NULL; command++) {
        char wanted[64];
        World world;

        if (!command->is_for_operators)
            continue;
        world_begin(&world);
        (void) snprintf(wanted, sizeof wanted, "!! /%s is for operators.\n", command->name);
        client_say(world.harness, world.guest, "/%s mallory", command->name);
        ck_assert_str_eq(client_take(world.guest), wanted);
        client_say(world.harness, world.account, "/%s mallory", command->name);
        ck_assert_str_eq(client_take(world.account), wanted);
        client_say(world.harness, world.guest, "/%s", command->name);
        ck_assert_str_eq(client_take(world.guest), wanted);
        harness_turn(world.harness);
        ck_assert_str_eq(client_take(world.other), "");
        ck_assert_uint_eq(n_logged, 0);
        client_say(world.harness, world.operator, "/%s mallory", command->name);
        ck_assert_ptr_null(strstr(client_take(world.operator), "is for operators"));
        client_say(world.harness, world.root, "/%s alice", command->name);
        ck_assert_ptr_null(strstr(client_take(world.root), "is for operators"));
        ck_assert_uint_le(n_logged, 2);
        world_end(&world);
    }
}
END_TEST

START_TEST(test_kick)
{
    World world;

    world_begin(&world);
    client_say(world.harness, world.operator, "/kick mallory forging lines");
    ck_assert_str_eq(client_take(world.other), "!! You are disconnected by dora" MARK_ ": forging lines\n");
    ck_assert_str_eq(client_take(world.operator), "-- mallory is disconnected.\n");
    harness_turn(world.harness);
    ck_assert(world.other->is_gone);
    ck_assert_str_eq(client_take(world.guest), "-- mallory has left\n");
    ck_assert_str_eq(last_id, LOG_ID_KICKED);
    ck_assert_str_eq(last_nick, "dora");
    ck_assert_str_eq(last_whom, "mallory");
    ck_assert_str_eq(last_reason, "forging lines");
    client_say(world.harness, world.operator, "/kick mallory");
    ck_assert_str_eq(client_take(world.operator),
                     "-- mallory has left\n!! Nobody here is called mallory. /who lists who is.\n");
    client_say(world.harness, world.operator, "/kick bea" MARK_);
    ck_assert_str_eq(client_take(world.account),
                     "-- mallory has left\n!! You are disconnected by dora" MARK_ ".\n");
    ck_assert_str_eq(last_reason, "");
    world_end(&world);
}
END_TEST

START_TEST(test_kick_spares_operators)
{
    World world;

    world_begin(&world);
    client_say(world.harness, world.operator, "/kick root go away");
    ck_assert_str_eq(client_take(world.operator), "!! root is an operator, too.\n");
    client_say(world.harness, world.root, "/kick dora");
    ck_assert_str_eq(client_take(world.root), "!! dora is an operator, too.\n");
    client_say(world.harness, world.root, "/kick root");
    ck_assert_str_eq(client_take(world.root), "!! root is an operator, too.\n");
    ck_assert_uint_eq(n_logged, 0);
    world_end(&world);
}
END_TEST

/* All of a person's connections. */
START_TEST(test_kick_a_person)
{
    Client *again;
    World world;

    world_begin(&world);
    again = client_account(world.harness, "bea", 1000);
    harness_turn(world.harness);
    harness_take_all(world.harness);
    client_say(world.harness, world.operator, "/kick bea enough");
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(again), "!! You are disconnected by dora" MARK_ ": enough\n");
    ck_assert(world.account->is_gone && again->is_gone);
    ck_assert_str_eq(client_take(world.guest), "-- bea" MARK_ " has left\n");
    ck_assert_uint_eq(n_logged, 1);
    world_end(&world);
}
END_TEST

START_TEST(test_reason)
{
    char reason[LIMIT_REASON_BYTES + 2];
    World world;

    world_begin(&world);
    memset(reason, 'x', sizeof reason);
    reason[LIMIT_REASON_BYTES + 1] = '\0';
    client_say(world.harness, world.operator, "/kick mallory %s", reason);
    ck_assert_str_eq(client_take(world.operator), "!! A reason may have 200 bytes; yours has 201.\n");
    ck_assert_str_eq(client_take(world.other), "");
    reason[LIMIT_REASON_BYTES] = '\0';
    client_say(world.harness, world.operator, "/kick mallory %s", reason);
    ck_assert_str_eq(client_take(world.operator), "-- mallory is disconnected.\n");
    ck_assert_str_eq(last_reason, reason);
    world_end(&world);
}
END_TEST

/* Once, in whatever rooms one is, and also by those whom one ignores. */
START_TEST(test_announce)
{
    Client *late;
    World world;

    world_begin(&world);
    client_say(world.harness, world.guest, "/join #garden");
    client_say(world.harness, world.guest, "/leave #lobby");
    client_say(world.harness, world.guest, "/ignore dora");
    client_say(world.harness, world.other, "/join #garden");
    client_say(world.harness, world.other, "/set mark ascii");
    harness_take_all(world.harness);
    client_say(world.harness, world.operator, "/announce down at noon");
    ck_assert_str_eq(client_take(world.guest), "-- Announcement by dora" MARK_ ": down at noon\n");
    ck_assert_str_eq(client_take(world.other), "-- Announcement by dora+: down at noon\n");
    ck_assert_str_eq(client_take(world.root), "-- Announcement by dora" MARK_ ": down at noon\n");
    ck_assert_str_eq(client_take(world.operator), "-- Told to all 5 people.\n");
    ck_assert_str_eq(last_id, LOG_ID_ANNOUNCED);
    late = client_named(world.harness, "late");
    ck_assert_str_eq(client_take(late), "");
    /* With other lines in the same turn everything comes in order. */
    client_type(world.other, "one\n", 4);
    client_type(world.operator, "/announce two\n", strlen("/announce two\n"));
    client_type(world.root, "three\n", 6);
    harness_take_all(world.harness);
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(world.account),
                     "[12:03] <root" MARK_ "> three\n-- Announcement by dora" MARK_ ": two\n");
    ck_assert_str_eq(client_take(world.guest),
                     "-- Announcement by dora" MARK_ ": two\n[12:03] <mallory> one\n");
    harness_survive(world.harness);
    client_say(world.harness, world.operator, "/announce again");
    ck_assert_str_eq(client_take(world.guest), "-- Announcement by dora" MARK_ ": again\n");
    world_end(&world);
}
END_TEST

/* They are in the list of those who may use them. */
START_TEST(test_help)
{
    World world;

    world_begin(&world);
    client_say(world.harness, world.guest, "/help");
    ck_assert_ptr_null(strstr(client_take(world.guest), "/kick"));
    client_say(world.harness, world.operator, "/help");
    ck_assert_ptr_nonnull(strstr(client_take(world.operator), "/kick NICK [REASON]"));
    client_say(world.harness, world.guest, "/help kick");
    ck_assert_ptr_nonnull(strstr(client_take(world.guest), "/kick NICK [REASON]"));
    client_say(world.harness, world.guest, "/kik mallory");
    ck_assert_ptr_null(strstr(client_take(world.guest), "/kick"));
    client_say(world.harness, world.operator, "/kik mallory");
    ck_assert_ptr_nonnull(strstr(client_take(world.operator), "Did you mean /kick?"));
    world_end(&world);
}
END_TEST

UNIT_MAIN("order", test_who_may, test_kick, test_kick_spares_operators, test_kick_a_person, test_reason,
          test_announce, test_help)
