/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What the archive has not got when it ends, or is turned off: the log is told, and of nothing else. */

#include <stdio.h>
#include <sys/stat.h>

#include "unit/scene-fixture.h"

/* The end comes before the threads of before have ended: it waits for them, and for what was said since. */
START_TEST(test_end_after_off_and_on)
{
    Scene *scene = scene_new();

    scene_say(scene, "before");
    TURN_UNTIL(scene, is_written(scene));
    scene_say(scene, "just before");
    scene_reload(scene, false);
    scene_reload(scene, true);
    scene_say(scene, "after");
    ck_assert_ptr_nonnull(scene->server.remember.ending);
    scene_close(scene);
    ck_assert_uint_eq(scene->n_logged, 0);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines"), 3);
    scene_forget(scene);
}
END_TEST

/* Somebody has the file when the service ends: what could not be written is told. */
START_TEST(test_end_while_locked)
{
    Scene *scene = scene_new();
    Client *fay = client_account(scene->harness, "fay", 1001);

    (void) scene_hear(scene, fay, "/join #den");
    (void) scene_hear(scene, fay, "/lock");
    TURN_UNTIL(scene, is_written(scene));
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    client_say(scene->harness, fay, "/close #den");
    scene_close(scene);
    ck_assert_str_eq(scene->logged, "The archive could not be told that #den was closed, and may keep it.");
    neighbour_does(&scene->world, "ROLLBACK");
    scene_forget(scene);
}
END_TEST

/* It is turned off while somebody has the file: what could not be written, and is not told again, is told to
 * the log. */
START_TEST(test_off_in_trouble)
{
    Scene *scene = scene_new();

    scene_say(scene, "taken back");
    TURN_UNTIL(scene, is_written(scene));
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    scene_say(scene, "/undo");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    scene_turn_off(scene);
    neighbour_does(&scene->world, "ROLLBACK");
    ck_assert_str_eq(
        scene->logged,
        "The archive could not be told that a line of alice in #lobby was taken back, and may have it.");
    scene_free(scene);
}
END_TEST

/* What ended while it was off is told to the log at the end, but not what it had heard of before. */
START_TEST(test_end_while_off)
{
    Scene *scene = scene_new();
    Client *fay = client_account(scene->harness, "fay", 1001);
    unsigned n_logged;

    (void) scene_hear(scene, fay, "/join #fen");
    (void) scene_hear(scene, fay, "/lock");
    (void) scene_hear(scene, fay, "/join #den");
    (void) scene_hear(scene, fay, "/lock");
    TURN_UNTIL(scene, is_written(scene));
    client_say(scene->harness, fay, "/close #fen");
    scene_turn_off(scene);
    client_say(scene->harness, fay, "/close #den");
    n_logged = scene->n_logged;
    scene_close(scene);
    ck_assert_uint_eq(scene->n_logged, n_logged + 1);
    ck_assert_str_eq(scene->logged, "The archive could not be told that #den was closed, and may keep it.");
    scene_forget(scene);
}
END_TEST

/* A process that can not open it knows all the same what an earlier one has written. */
START_TEST(test_end_unopened)
{
    Scene *scene = scene_new();
    Client *fay = client_account(scene->harness, "fay", 1001);
    char aside[600];

    TURN_UNTIL(scene, is_written(scene));
    (void) scene_hear(scene, fay, "taken back");
    (void) scene_hear(scene, fay, "/undo");
    (void) scene_hear(scene, fay, "this is there");
    TURN_UNTIL(scene, is_written(scene));
    remember_close(&scene->server, false);
    (void) snprintf(aside, sizeof aside, "%s.aside", scene->world.fixture->path);
    ck_assert_int_eq(rename(scene->world.fixture->path, aside), 0);
    ck_assert_int_eq(mkdir(scene->world.fixture->path, 0700), 0);
    harness_survive(scene->harness);
    scene_serve(scene, true);
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    client_say(scene->harness, scene->alice, "this is not");
    client_say(scene->harness, scene->alice, "nor this");
    scene_close(scene);
    ck_assert_str_eq(scene->logged,
                     "The last lines that were said could not be archived: 2 at most are missing.");
    ck_assert_uint_eq(scene->n_logged, 2);
    ck_assert_int_eq(rmdir(scene->world.fixture->path), 0);
    ck_assert_int_eq(rename(aside, scene->world.fixture->path), 0);
    scene_forget(scene);
}
END_TEST

/* Nor does one that is turned off before it could. */
START_TEST(test_off_unopened)
{
    Scene *scene = scene_new();
    unsigned n_logged;

    scene_say(scene, "one");
    scene_say(scene, "two");
    scene_say(scene, "/undo");
    TURN_UNTIL(scene, is_written(scene));
    remember_close(&scene->server, false);
    harness_survive(scene->harness);
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    scene_serve(scene, true);
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    n_logged = scene->n_logged;
    scene_turn_off(scene);
    neighbour_does(&scene->world, "ROLLBACK");
    ck_assert_uint_eq(scene->n_logged, n_logged);
    scene_free(scene);
}
END_TEST

/* It is turned off while somebody has the file, and the process makes way before the threads have ended. */
START_TEST(test_off_and_leave)
{
    Scene *scene = scene_new();

    scene_say(scene, "hello");
    TURN_UNTIL(scene, is_written(scene));
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    scene_say(scene, "one");
    scene_say(scene, "two");
    scene_reload(scene, false);
    remember_close(&scene->server, false);
    neighbour_does(&scene->world, "ROLLBACK");
    ck_assert_str_eq(scene->logged,
                     "The last lines that were said could not be archived: 2 at most are missing.");
    harness_survive(scene->harness);
    scene_serve(scene, false);
    scene_free(scene);
}
END_TEST

/* That a message was delivered is what is overwritten: it is delivered once more. */
START_TEST(test_delivered_unheard)
{
    Scene *scene = scene_new();
    Client *otto;

    TURN_UNTIL(scene, is_written(scene));
    neighbour_does(&scene->world,
                   "INSERT INTO messages VALUES(5, 1795348984000000, 'bob', 'bob', 0, 0, 1002, 'otto',"
                   " 'otto', 'the tea is ready')");
    otto = scene_account(scene, "otto", 1002);
    TURN_UNTIL(scene, scene->harness->chat->n_expecting == 0);
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    harness_turn(scene->harness);
    ck_assert_ptr_nonnull(strstr(client_take(otto), "the tea is ready"));
    scene_say(scene, "hello");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    scene_fill_ring(scene);
    neighbour_does(&scene->world, "ROLLBACK");
    ck_assert_str_eq(
        scene->logged,
        "The archive could not be told that a message for otto was delivered, and may deliver it once more.");
    scene_free(scene);
}
END_TEST

/* Whatever the archive says of how many lines it has: another process goes on with the state. */
START_TEST(test_strange_count)
{
    Scene *scene = scene_new();

    scene_say(scene, "hello");
    TURN_UNTIL(scene, is_written(scene));
    scene_turn_off(scene);
    neighbour_does(&scene->world, "UPDATE cursor SET n_lines = 9223372036854775807");
    scene_reload(scene, true);
    TURN_UNTIL(scene, is_written(scene));
    remember_close(&scene->server, false);
    harness_survive(scene->harness);
    scene_serve(scene, true);
    scene_free(scene);
}
END_TEST

/* A service that fails before it has a chat. */
START_TEST(test_no_chat)
{
    Server server = {0};

    remember_close(&server, false);
    remember_close(&server, true);
}
END_TEST

UNIT_MAIN("remember-end", test_end_after_off_and_on, test_end_while_locked, test_off_in_trouble,
          test_end_while_off, test_end_unopened, test_off_unopened, test_off_and_leave,
          test_delivered_unheard, test_strange_count, test_no_chat)
