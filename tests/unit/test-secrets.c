/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What was said in a locked room is told to nobody else, whatever the archive and the state know of each
 * other; and rooms come back whole, or not. */

#include "unit/secrets-fixture.h"

/* The ring ends before the archive has heard of the lock; of the end it hears. */
START_TEST(test_lock_unheard)
{
    Scene *scene = scene_new();
    Client *fay;

    fay = scene_account(scene, "fay", 1001);
    (void) scene_hear(scene, fay, "/join #den");
    scene_say(scene, "hello");
    TURN_UNTIL(scene, is_written(scene));
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    scene_say(scene, "hello");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    (void) scene_hear(scene, fay, "/lock");
    scene_fill_ring(scene);
    (void) scene_hear(scene, fay, SECRET);
    (void) scene_hear(scene, fay, "/close");
    neighbour_does(&scene->world, "ROLLBACK");
    TURN_UNTIL(scene, remember_trouble(&scene->server) == NULL);
    TURN_UNTIL(scene, is_written(scene));
    expect_nothing_told(scene, true);
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = '" SECRET "'"), 0);
    scene_forget(scene);
}
END_TEST

/* A state that began without an archive, in which somebody else made a room of that name. */
START_TEST(test_enabled_later)
{
    Scene *scene = scene_new();

    (void) otto_makes_another(scene, "/lock");
    expect_nothing_told(scene, true);
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = '" SECRET "'"), 0);
    scene_forget(scene);
}
END_TEST

static void expect_locked(Scene *scene)
{
    ck_assert_str_eq(scene_hear(scene, scene_account(scene, "otto", 1002), "/join #den"),
                     "!! #den is locked: by invitation only. Ask fay for one.\n");
}

/* What can not be a name keeps no lock from coming back. */
START_TEST(test_bad_rows)
{
    Scene *scene = scene_new();

    (void) fay_comes(scene);
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    fixture_change(scene->world.fixture, "INSERT INTO invites VALUES(1, 'x', char(7) || 'x', 1007);"
                                         "INSERT INTO rooms(key, name, is_kept) VALUES('y', char(7), 1);"
                                         "INSERT INTO rules VALUES(9, 1, 'x', x'', 0, 'x', char(7), '', 1)");
    scene_open(scene);
    TURN_UNTIL(scene, scene->harness->chat->state.header->archive.recalled != PAST_UNKNOWN);
    ck_assert_uint_eq(scene->harness->chat->state.header->archive.recalled, PAST_KNOWN);
    expect_locked(scene);
    scene_free(scene);
}
END_TEST

/* Whose room it is can not be read: nobody's, then, and nothing of it is told. */
START_TEST(test_bad_founder)
{
    Scene *scene = scene_new();

    (void) fay_comes(scene);
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    fixture_change(scene->world.fixture, "UPDATE rooms SET founder = char(7) WHERE key = 'den'");
    scene_open(scene);
    TURN_UNTIL(scene, scene->harness->chat->state.header->archive.recalled != PAST_UNKNOWN);
    expect_nothing_told(scene, false);
    scene_free(scene);
}
END_TEST

/* fay's #den, for which there is no place in the next state until she closes #aaa. `sql` is done to the file
 * meanwhile. */
static Client *begin_without_place(Scene *scene, const char *sql)
{
    Client *fay = scene_account(scene, "fay", 1001);
    Config config;

    (void) scene_hear(scene, fay, "/join #aaa");
    (void) scene_hear(scene, fay, "/lock");
    (void) scene_hear(scene, fay, "/join #den");
    (void) scene_hear(scene, fay, "/lock");
    (void) scene_hear(scene, fay, SECRET);
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    fixture_change(scene->world.fixture, sql);
    harness_config(&config);
    config.max_rooms = 1;
    scene_begin(scene, &config, true);
    fay = scene_account(scene, "fay", 1001);
    TURN_UNTIL(scene, is_written(scene));
    ck_assert(has_room(scene, "aaa") && !has_room(scene, "den"));
    return fay;
}

/* More invitations than there may be leave no lock out of the answer. */
START_TEST(test_many_invited)
{
    Scene *scene = scene_new();
    Client *fay;

    fay = begin_without_place(
        scene, "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
               " INSERT INTO invites SELECT rooms.id, 'x' || i, 'x' || i, 2000 + i FROM n, rooms"
               " WHERE rooms.key = 'den'");
    (void) scene_hear(scene, fay, "/close #aaa");
    expect_locked(scene);
    scene_free(scene);
}
END_TEST

/* There is no place for it in the state, and then there is, but the archive can not be asked. */
START_TEST(test_no_place)
{
    Scene *scene = scene_new();
    Client *fay = begin_without_place(scene, "");

    (void) scene_hear(scene, fay, "/close #aaa");
    TURN_UNTIL(scene, is_written(scene));
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    scene_say(scene, "hello");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    expect_nothing_told(scene, false);
    neighbour_does(&scene->world, "ROLLBACK");
    TURN_UNTIL(scene, remember_trouble(&scene->server) == NULL);
    TURN_UNTIL(scene, is_written(scene));
    expect_nothing_told(scene, true);
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT founder_uid FROM rooms WHERE key = 'den'"), 1001);
    scene_forget(scene);
}
END_TEST

/* By its founder: then it is the other's, with all that was said there. */
START_TEST(test_given)
{
    Scene *scene = scene_new();
    Client *fay = fay_comes(scene), *otto = scene_account(scene, "otto", 1002);

    (void) scene_hear(scene, fay, "/invite otto");
    (void) scene_hear(scene, otto, "/join #den");
    (void) scene_hear(scene, fay, "/give otto");
    (void) scene_hear(scene, fay, "/leave");
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    scene_open(scene);
    TURN_UNTIL(scene, is_written(scene));
    otto = scene_account(scene, "otto", 1002);
    ck_assert_ptr_nonnull(strstr(scene_hear(scene, otto, "/join #den"), SECRET));
    scene_free(scene);
}
END_TEST

/* The file says that it is kept, and not for whom. */
START_TEST(test_nothing_keeps_it)
{
    Scene *scene = scene_new();
    Client *fay = scene_account(scene, "fay", 1001);

    (void) scene_account(scene, "otto", 1002);
    (void) scene_hear(scene, fay, "/join #den");
    (void) scene_hear(scene, fay, "/invite otto");
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    fixture_change(scene->world.fixture, "DELETE FROM invites");
    scene_open(scene);
    TURN_UNTIL(scene, is_written(scene));
    ck_assert(!has_room(scene, "den"));
    /* And when somebody wants to enter. */
    fay = scene_account(scene, "fay", 1001);
    ck_assert_ptr_nonnull(strstr(scene_hear(scene, fay, "/join #den"), "You are in #den now, alone."));
    (void) scene_hear(scene, fay, "/leave");
    ck_assert(!has_room(scene, "den"));
    remember_close(&scene->server, true);
    ck_assert(harness_adopt(scene->harness, harness_copy(scene->harness->chat->state.fd)));
    harness_free(scene->harness);
    scene_forget(scene);
}
END_TEST

/* What is not the case any more when the archive is told of it again. */
START_TEST(test_uninvited_while_off)
{
    Scene *scene = scene_new();
    Client *fay = fay_comes(scene);

    (void) scene_account(scene, "otto", 1002);
    (void) scene_account(scene, "dora", 1003);
    (void) scene_hear(scene, fay, "/invite otto");
    (void) scene_hear(scene, fay, "/invite dora");
    TURN_UNTIL(scene, is_written(scene));
    scene_turn_off(scene);
    (void) scene_hear(scene, fay, "/uninvite otto");
    scene_reload(scene, true);
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT sum(uid) FROM invites"), 1003);
    scene_open(scene);
    TURN_UNTIL(scene, is_written(scene));
    expect_locked(scene);
    scene_free(scene);
}
END_TEST

UNIT_MAIN("secrets", test_lock_unheard, test_enabled_later, test_bad_rows, test_bad_founder,
          test_many_invited, test_no_place, test_given, test_nothing_keeps_it, test_uninvited_while_off)
