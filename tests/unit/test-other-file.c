/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* A file in the place of the one that the state has read, as when its disk comes late: what that one has is
 * in force, and nothing of it is lost. */

#include <stdio.h>

#include "unit/secrets-fixture.h"

static void move_file(const Scene *scene, const char *from, const char *to)
{
    static const char *const PARTS[] = {"", "-wal", "-shm"};
    char old[600], new[600];

    for (size_t i = 0; i < N_ELEMENTS(PARTS); i++) {
        (void) snprintf(old, sizeof old, "%s%s%s", scene->world.fixture->path, from, PARTS[i]);
        (void) snprintf(new, sizeof new, "%s%s%s", scene->world.fixture->path, to, PARTS[i]);
        ck_assert(rename(old, new) == 0 || i > 0);
    }
}

/* The file is another one, as when its disk comes late: what that one has is in force from then on, and
 * stays; also #fen, which somebody else has by then. */
START_TEST(test_other_file)
{
    Scene *scene = scene_new();
    Client *root = scene_account(scene, "root", 0), *otto, *fay = fay_comes(scene);

    (void) scene_hear(scene, fay, "/join #fen");
    (void) scene_hear(scene, fay, "/lock");
    (void) scene_hear(scene, root, "/ban 10.0.0.1");
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    move_file(scene, "", ".late");
    scene_open(scene);
    root = scene_account(scene, "root", 0);
    otto = scene_account(scene, "otto", 1002);
    (void) scene_hear(scene, otto, "/join #fen");
    (void) scene_hear(scene, scene->alice, "/join #den");
    (void) scene_hear(scene, root, "/ban 10.0.0.2");
    TURN_UNTIL(scene, is_written(scene));
    ck_assert_uint_eq(scene->harness->chat->state.header->archive.recalled, PAST_KNOWN);
    move_file(scene, "", ".early");
    move_file(scene, ".late", "");
    scene_say(scene, "hello");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    TURN_UNTIL(scene, remember_trouble(&scene->server) == NULL);
    TURN_UNTIL(scene, is_written(scene));
    scene_turn(scene);
    ck_assert_ptr_nonnull(strstr(client_take(scene->alice), "#den is locked. You are in #lobby now."));
    ck_assert_uint_eq(scene->harness->chat->state.header->archive.recalled, PAST_KNOWN);
    ck_assert_ptr_nonnull(strstr(scene_hear(scene, root, "/bans"), "10.0.0.1"));
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM rules"), 2);
    ck_assert_int_eq(number_in_file(scene, "SELECT sum(founder_uid) FROM rooms WHERE is_kept"), 2002);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = '" SECRET "'"), 1);
    scene_forget(scene);
}
END_TEST

/* A state that has read an early file, when the late one has #den, a ban, and settings of fay. */
static Scene *begin_early(void)
{
    Scene *scene = scene_new();
    Client *root = scene_account(scene, "root", 0), *fay = fay_comes(scene);

    (void) scene_hear(scene, fay, "/set color on");
    (void) scene_hear(scene, fay, "/ignore mallory");
    (void) scene_hear(scene, root, "/ban 10.0.0.1");
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    move_file(scene, "", ".late");
    scene_open(scene);
    TURN_UNTIL(scene, is_written(scene));
    return scene;
}

static void swap_late(Scene *scene)
{
    move_file(scene, "", ".early");
    move_file(scene, ".late", "");
}

static void notice(Scene *scene)
{
    scene_say(scene, "hello");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    TURN_UNTIL(scene, remember_trouble(&scene->server) == NULL);
    TURN_UNTIL(scene, is_written(scene) && scene->harness->chat->n_expecting == 0);
}

/* All that was in it still is, and what was said when nobody had noticed so far. */
static void end_late(Scene *scene, int n_said)
{
    scene_close(scene);
    ck_assert_int_ge(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = 'hello'"), n_said);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM rooms WHERE is_kept"), 1);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = '" SECRET "'"), 1);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM rules"), 1);
    ck_assert_int_eq(number_in_file(scene, "SELECT bits FROM settings"), SETTINGS_STANDARD | SETTING_COLOR);
    ck_assert_int_gt(number_in_file(scene, "SELECT length(ignored) FROM settings"), 0);
    scene_forget(scene);
}

/* The thread has it open. */
static void wait_until_open(const Scene *scene)
{
    Core *core = scene->server.remember.archivist->core;
    uint64_t deadline = clock_monotonic() + WORLD_DEADLINE_SECONDS * USEC_PER_SEC;
    bool is_open = false;

    while (!is_open) {
        const struct timespec moment = {.tv_nsec = 1000000};

        ck_assert(clock_monotonic() < deadline);
        (void) nanosleep(&moment, NULL);
        (void) pthread_mutex_lock(&core->lock);
        is_open = core->status.is_open;
        (void) pthread_mutex_unlock(&core->lock);
    }
}

/* It is there when the archive is turned on, and off and on before the loop has seen which one it is. */
START_TEST(test_off_and_on)
{
    Scene *scene = begin_early();

    scene_turn_off(scene);
    swap_late(scene);
    scene_reload(scene, true);
    wait_until_open(scene);
    scene_reload(scene, false);
    scene_reload(scene, true);
    TURN_UNTIL(scene, is_written(scene));
    end_late(scene, 0);
}
END_TEST

/* The process dies before it has seen that. */
START_TEST(test_death)
{
    Scene *scene = begin_early();

    remember_close(&scene->server, false);
    swap_late(scene);
    scene_serve(scene, true);
    wait_until_open(scene);
    remember_close(&scene->server, false);
    harness_survive(scene->harness);
    scene_serve(scene, true);
    TURN_UNTIL(scene, is_written(scene));
    end_late(scene, 0);
}
END_TEST

/* What this state has said in the early one, and noted of rooms of the same names, is not for it; nor is what
 * fay has not set. */
START_TEST(test_notes_of_before)
{
    Scene *scene = begin_early();
    Client *fay = scene_account(scene, "fay", 1001);

    (void) scene_hear(scene, fay, "/join #den");
    (void) scene_hear(scene, fay, "/lock");
    (void) scene_hear(scene, fay, "/close #den");
    TURN_UNTIL(scene, is_written(scene));
    swap_late(scene);
    notice(scene);
    ck_assert_ptr_nonnull(strstr(scene_hear(scene, fay, "/ignore"), "mallory"));
    end_late(scene, 1);
}
END_TEST

/* A state that does not say which file it has read, as one of layout 4: the one that it is found with is
 * that, and when it has gone the new one is given what is in force. */
START_TEST(test_unknown_file)
{
    Scene *scene = scene_new();
    Client *fay = fay_comes(scene);

    TURN_UNTIL(scene, is_written(scene));
    remember_close(&scene->server, false);
    harness_survive(scene->harness);
    memset(scene->harness->chat->state.header->archive_file, 0, STATE_ID_BYTES);
    scene_serve(scene, true);
    scene_say(scene, "hello");
    TURN_UNTIL(scene, is_written(scene));
    ck_assert_mem_eq(scene->harness->chat->state.header->archive_file, scene->server.remember.status.file,
                     STATE_ID_BYTES);
    (void) scene_hear(scene, fay, "/topic of fay");
    TURN_UNTIL(scene, is_written(scene));
    ck_assert_int_eq(unlink(scene->world.fixture->path), 0);
    notice(scene);
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM rooms WHERE is_kept"), 1);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = '" SECRET "'"), 1);
    scene_forget(scene);
}
END_TEST

/* One is away, and comes back. */
START_TEST(test_back_again)
{
    Scene *scene = begin_early();

    swap_late(scene);
    notice(scene);
    move_file(scene, "", ".late");
    move_file(scene, ".early", "");
    notice(scene);
    swap_late(scene);
    notice(scene);
    end_late(scene, 0);
}
END_TEST

/* The file is removed: all that is in memory is given to the new one, and how it went on with it. */
START_TEST(test_new_file)
{
    Scene *scene = scene_new();
    Client *otto = scene_account(scene, "otto", 1002), *fay;
    const char *heard;

    (void) scene_hear(scene, otto, "/set bell on");
    (void) scene_hear(scene, otto, "/quit");
    fay = fay_comes(scene);
    (void) scene_hear(scene, fay, "/topic of fay");
    TURN_UNTIL(scene, is_written(scene));
    neighbour_does(&scene->world,
                   "INSERT INTO messages VALUES(5, 1795348984000000, 'bob', 'bob', 0, 0, 1002, 'otto',"
                   " 'otto', 'the tea is ready')");
    otto = scene_account(scene, "otto", 1002);
    TURN_UNTIL(scene, scene->harness->chat->n_expecting == 0);
    scene_turn(scene);
    ck_assert_ptr_nonnull(strstr(client_take(otto), "the tea is ready"));
    (void) scene_hear(scene, otto, "/quit");
    (void) scene_hear(scene, fay, "/close #den");
    TURN_UNTIL(scene, is_written(scene));
    ck_assert_int_eq(unlink(scene->world.fixture->path), 0);
    scene_say(scene, "hello");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    TURN_UNTIL(scene, remember_trouble(&scene->server) == NULL);
    TURN_UNTIL(scene, is_written(scene));
    otto = scene_account(scene, "otto", 1002);
    heard = scene_hear(scene, otto, "/join #den");
    ck_assert_ptr_null(strstr(heard, "of fay"));
    ck_assert_ptr_null(strstr(scene_hear(scene, otto, "/history 100"), SECRET));
    ck_assert_ptr_null(strstr(scene_hear(scene, otto, "/search secret"), SECRET));
    ck_assert_ptr_nonnull(strstr(scene_hear(scene, otto, "/set"), "bell on"));
    scene_free(scene);
}
END_TEST

UNIT_MAIN("other-file", test_other_file, test_off_and_on, test_death, test_notes_of_before, test_unknown_file,
          test_back_again, test_new_file)
