/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What is taken back goes from the archive, whatever the chat has of it in memory; and nothing else does. */

#include "unit/scene-fixture.h"
#include "unit/unit.h"

/* What is taken back while it is off is not there when it is on again. */
START_TEST(test_taken_back_while_off)
{
    Scene *scene = scene_new();
    Client *bea = scene_account(scene, "bea", 1003);

    (void) scene_hear(scene, bea, "one");
    (void) scene_hear(scene, bea, "two");
    (void) scene_hear(scene, bea, "three");
    TURN_UNTIL(scene, is_written(scene));
    scene_turn_off(scene);
    (void) scene_hear(scene, bea, "/undo");
    (void) scene_hear(scene, bea, "meanwhile");
    (void) scene_hear(scene, bea, "/undo");
    harness_survive(scene->harness);
    scene_serve(scene, true);
    (void) scene_hear(scene, bea, "/undo");
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text IN ('two', 'three')"), 0);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = 'one'"), 1);
    scene_forget(scene);
}
END_TEST

/* What is not in memory any more goes from the archive, if it is of the last five minutes. */
START_TEST(test_undo_archived)
{
    static const char ANSWER[] = "-- Nothing that you have said in #lobby is in memory. If the archive has "
                                 "something of the last five minutes, the last of it is deleted there.\n";
    Scene *scene = scene_new();
    Client *bea = scene_account(scene, "bea", 1003);

    (void) scene_hear(scene, bea, "old");
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    fixture_change(scene->world.fixture, "UPDATE lines SET wall = wall - 301000000");
    scene_open(scene);
    bea = scene_account(scene, "bea", 1003);
    (void) scene_hear(scene, bea, "new");
    for (unsigned i = 0; i < 300; i++)
        client_say(scene->harness, scene->alice, "%01900u", i);
    for (unsigned i = 0; i < 2; i++)
        ck_assert_str_eq(scene_hear(scene, bea, "/undo"), ANSWER);
    ck_assert_ptr_nonnull(strstr(scene_hear(scene, scene->alice, "/undo"), "-- Taken back"));
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = 'new'"), 0);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = 'old'"), 1);
    scene_forget(scene);
}
END_TEST

/* Not what somebody else has said under that name, a guest or the owner of another account. */
START_TEST(test_undo_of_others)
{
    Scene *scene = scene_new();
    Client *guest = client_named(scene->harness, "carol"), *bob = scene_account(scene, "bob", 1001), *carol,
           *other;

    (void) scene_hear(scene, guest, "of a guest");
    (void) scene_hear(scene, bob, "of the first");
    TURN_UNTIL(scene, is_written(scene));
    client_say(scene->harness, bob, "/quit");
    TURN_UNTIL(scene, bob->is_gone);
    other = scene_account(scene, "Bob", 1002);
    carol = scene_account(scene, "carol", 1003);
    scene->harness->chat->state.header->started_wall = scene->harness->chat->wall;
    ck_assert_ptr_nonnull(strstr(scene_hear(scene, other, "/undo"), "-- Nothing that you have said"));
    ck_assert_ptr_nonnull(strstr(scene_hear(scene, carol, "/undo"), "-- Nothing that you have said"));
    scene_say(scene, "after");
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text LIKE 'of %'"), 2);
    scene_forget(scene);
}
END_TEST

/* And what was said before a stop, of which the last lines are in memory again. */
START_TEST(test_undo_recalled)
{
    Scene *scene = scene_new();
    Client *bea = scene_account(scene, "bea", 1003);

    (void) scene_hear(scene, bea, "before");
    scene_say(scene, "of alice");
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    scene_open(scene);
    bea = scene_account(scene, "bea", 1003);
    ck_assert_str_eq(scene_hear(scene, bea, "/undo"), "-- Taken back, but for who has read it: before\n");
    /* A guest of that name may be another one. */
    ck_assert_ptr_nonnull(strstr(scene_hear(scene, scene->alice, "/undo"), "!! You have said nothing"));
    scene_say(scene, "after");
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = 'before'"), 0);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = 'of alice'"), 1);
    scene_forget(scene);
}
END_TEST

UNIT_MAIN("undone", test_taken_back_while_off, test_undo_archived, test_undo_of_others, test_undo_recalled)
