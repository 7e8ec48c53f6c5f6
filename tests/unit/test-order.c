/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What operators do: who may, to whom, and what everybody hears of it. */

#include <stdio.h>
#include <string.h>

#include "chat/command.h"
#include "unit/operator-fixture.h"
#include "unit/unit.h"

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
        client_say(world.harness, world.alice, "/%s mallory", command->name);
        ck_assert_str_eq(client_take(world.alice), wanted);
        client_say(world.harness, world.bea, "/%s mallory", command->name);
        ck_assert_str_eq(client_take(world.bea), wanted);
        client_say(world.harness, world.alice, "/%s", command->name);
        ck_assert_str_eq(client_take(world.alice), wanted);
        harness_turn(world.harness);
        ck_assert_str_eq(client_take(world.mallory), "");
        ck_assert_uint_eq(world.n_acts, 0);
        client_say(world.harness, world.dora, "/%s mallory", command->name);
        ck_assert_ptr_null(strstr(client_take(world.dora), "is for operators"));
        client_say(world.harness, world.root, "/%s alice", command->name);
        ck_assert_ptr_null(strstr(client_take(world.root), "is for operators"));
        ck_assert_uint_le(world.n_acts, 2);
        world_end(&world);
    }
}
END_TEST

START_TEST(test_kick)
{
    World world;

    world_begin(&world);
    client_say(world.harness, world.dora, "/kick mallory forging lines");
    ck_assert_str_eq(client_take(world.mallory), "!! You are disconnected by dora" MARK_ ": forging lines\n");
    ck_assert_str_eq(client_take(world.dora), "-- mallory is disconnected.\n");
    harness_turn(world.harness);
    ck_assert(world.mallory->is_gone);
    ck_assert_str_eq(client_take(world.alice), "-- mallory has left\n");
    ck_assert_str_eq(world.act, LOG_ID_KICKED " dora mallory: forging lines");
    client_say(world.harness, world.dora, "/kick mallory");
    ck_assert_str_eq(client_take(world.dora),
                     "-- mallory has left\n!! Nobody here is called mallory. /who lists who is.\n");
    client_say(world.harness, world.dora, "/kick bea" MARK_);
    ck_assert_str_eq(client_take(world.bea),
                     "-- mallory has left\n!! You are disconnected by dora" MARK_ ".\n");
    ck_assert_str_eq(world.act, LOG_ID_KICKED " dora bea: -");
    world_end(&world);
}
END_TEST

START_TEST(test_kick_spares_operators)
{
    World world;

    world_begin(&world);
    client_say(world.harness, world.dora, "/kick root go away");
    ck_assert_str_eq(client_take(world.dora), "!! root is an operator, too.\n");
    client_say(world.harness, world.root, "/kick dora");
    ck_assert_str_eq(client_take(world.root), "!! dora is an operator, too.\n");
    client_say(world.harness, world.root, "/kick root");
    ck_assert_str_eq(client_take(world.root), "!! root is an operator, too.\n");
    ck_assert_uint_eq(world.n_acts, 0);
    world_end(&world);
}
END_TEST

/* All of a person's connections. */
START_TEST(test_kick_a_person)
{
    Client *again;
    World world;

    world_begin(&world);
    again = world_bea_again(&world);
    client_say(world.harness, world.dora, "/kick bea enough");
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(again), "!! You are disconnected by dora" MARK_ ": enough\n");
    ck_assert(world.bea->is_gone && again->is_gone);
    ck_assert_str_eq(client_take(world.alice), "-- bea" MARK_ " has left\n");
    ck_assert_uint_eq(world.n_acts, 1);
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
    client_say(world.harness, world.dora, "/kick mallory %s", reason);
    ck_assert_str_eq(client_take(world.dora), "!! A reason may have 200 bytes; yours has 201.\n");
    ck_assert_str_eq(client_take(world.mallory), "");
    reason[LIMIT_REASON_BYTES] = '\0';
    client_say(world.harness, world.dora, "/kick mallory %s", reason);
    ck_assert_str_eq(client_take(world.dora), "-- mallory is disconnected.\n");
    ck_assert_ptr_nonnull(strstr(world.act, reason));
    world_end(&world);
}
END_TEST

/* Once, in whatever rooms one is, and also by those whom one ignores. */
START_TEST(test_announce)
{
    Client *late;
    World world;

    world_begin(&world);
    client_say(world.harness, world.alice, "/join #garden");
    client_say(world.harness, world.alice, "/leave #lobby");
    client_say(world.harness, world.alice, "/ignore dora");
    client_say(world.harness, world.mallory, "/join #garden");
    client_say(world.harness, world.mallory, "/set mark ascii");
    harness_take_all(world.harness);
    client_say(world.harness, world.dora, "/announce down at noon");
    ck_assert_str_eq(client_take(world.alice), "-- Announcement by dora" MARK_ ": down at noon\n");
    ck_assert_str_eq(client_take(world.mallory), "-- Announcement by dora+: down at noon\n");
    ck_assert_str_eq(client_take(world.root), "-- Announcement by dora" MARK_ ": down at noon\n");
    ck_assert_str_eq(client_take(world.dora), "-- Told to all 5 people.\n");
    ck_assert_str_eq(world.act, LOG_ID_ANNOUNCED " dora -: -");
    late = client_named(world.harness, "late");
    ck_assert_str_eq(client_take(late), "");
    /* With other lines in the same turn everything comes in order. */
    client_type(world.mallory, "one\n", 4);
    client_type(world.dora, "/announce two\n", strlen("/announce two\n"));
    client_type(world.root, "three\n", 6);
    harness_take_all(world.harness);
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(world.bea),
                     "[12:03] <root" MARK_ "> three\n-- Announcement by dora" MARK_ ": two\n");
    ck_assert_str_eq(client_take(world.alice),
                     "-- Announcement by dora" MARK_ ": two\n[12:03] <mallory> one\n");
    harness_survive(world.harness);
    client_say(world.harness, world.dora, "/announce again");
    ck_assert_str_eq(client_take(world.alice), "-- Announcement by dora" MARK_ ": again\n");
    world_end(&world);
}
END_TEST

/* Somebody was taken out of the group, or into it, and connects once more: the groups of now count, also for
 * the connections that were there. */
START_TEST(test_groups_of_now)
{
    World world;

    world_begin(&world);
    (void) client_account(world.harness, "dora", 1001);
    harness_turn(world.harness);
    harness_check(world.harness);
    client_say(world.harness, world.dora, "/announce down at noon");
    ck_assert_str_eq(client_take(world.dora), "!! /announce is for operators.\n");
    ck_assert_str_eq(client_take(world.alice), "");
    harness_survive(world.harness);
    client_say(world.harness, world.root, "/kick bea");
    (void) client_operator(world.harness, "dora", 1001, true);
    harness_turn(world.harness);
    harness_check(world.harness);
    harness_take_all(world.harness);
    client_say(world.harness, world.dora, "/announce down at noon");
    ck_assert_str_eq(client_take(world.dora), "-- Told to all 4 people.\n");
    client_say(world.harness, world.root, "/kick dora");
    ck_assert_str_eq(client_take(world.root),
                     "-- Announcement by dora" MARK_ ": down at noon\n!! dora is an operator, too.\n");
    world_end(&world);
}
END_TEST

/* The newest of the connections that are there: an older one that goes takes nothing with it, and what a
 * newer one brought goes with it. */
START_TEST(test_groups_of_who_is_left)
{
    Client *newer;
    World world;

    world_begin(&world);
    newer = client_account(world.harness, "dora", 1001);
    harness_turn(world.harness);
    client_break(world.harness, newer);
    harness_turn(world.harness);
    harness_take_all(world.harness);
    client_say(world.harness, world.dora, "/announce one");
    ck_assert_str_eq(client_take(world.dora),
                     "-- Told to all 5 people.\n");
    newer = client_operator(world.harness, "bea", 1000, true);
    harness_turn(world.harness);
    client_say(world.harness, world.bea, "/announce two");
    ck_assert_ptr_nonnull(strstr(client_take(world.bea), "-- Told to all 5 people.\n"));
    client_break(world.harness, newer);
    harness_survive(world.harness);
    harness_take_all(world.harness);
    client_say(world.harness, world.bea, "/announce three");
    ck_assert_str_eq(client_take(world.bea), "!! /announce is for operators.\n");
    world_end(&world);
}
END_TEST

/* They are in the list of those who may use them. */
START_TEST(test_help)
{
    World world;

    world_begin(&world);
    client_say(world.harness, world.alice, "/help");
    ck_assert_ptr_null(strstr(client_take(world.alice), "/ban"));
    client_say(world.harness, world.dora, "/help");
    ck_assert_ptr_nonnull(strstr(client_take(world.dora), "/ban WHO [TIME] [REASON]"));
    client_say(world.harness, world.alice, "/help ban");
    ck_assert_ptr_nonnull(strstr(client_take(world.alice), "/ban WHO [TIME] [REASON]"));
    client_say(world.harness, world.alice, "/bann mallory");
    ck_assert_ptr_null(strstr(client_take(world.alice), "Did you mean /ban"));
    client_say(world.harness, world.dora, "/bann mallory");
    ck_assert_ptr_nonnull(strstr(client_take(world.dora), "Did you mean /ban?"));
    world_end(&world);
}
END_TEST

UNIT_MAIN("order", test_who_may, test_kick, test_kick_spares_operators, test_kick_a_person, test_reason,
          test_announce, test_groups_of_now, test_groups_of_who_is_left, test_help)
