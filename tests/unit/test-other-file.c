/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* A file in the place of the one that the state has read, as when its disk comes late: what that one has is
 * in force, and nothing of it is lost. */

#include <sys/stat.h>

#include "chat/mail.h"
#include "unit/other-file-fixture.h"

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

/* What becomes of rooms and settings of this state when nobody has noticed yet is not what becomes of those
 * of the same names in that file. */
START_TEST(test_of_others)
{
    static const struct {
        uint32_t uid;
        const char *nick, *first, *last, *sql;
    } cases[] = {
        {1002, "otto", "/lock", "/close #den",
         "SELECT count(*) FROM lines, rooms WHERE text = '" SECRET "' AND is_kept"},
        {1001, "fay", "/lock", "/close #den", "SELECT count(*) FROM lines WHERE text = '" SECRET "'"},
        {1001, "fay", "/set time off", "/set bell on", "SELECT length(ignored) > 0 FROM settings"},
        {0, "root", "hello", "/delete fay 1", "SELECT count(*) FROM lines WHERE text = '" SECRET "'"},
    };

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        Scene *scene = begin_early();
        Client *fay = scene_account(scene, "fay", 1001),
               *client = scene_account(scene, cases[i].nick, cases[i].uid);

        if (cases[i].uid == 0) {
            (void) scene_hear(scene, fay, "/join #den");
            (void) scene_hear(scene, fay, "of the early file");
        }
        TURN_UNTIL(scene, scene->harness->chat->n_expecting == 0);
        (void) scene_hear(scene, client, "/join #den");
        (void) scene_hear(scene, client, cases[i].first);
        if (cases[i].uid == 0)
            scene_fill_ring(scene);
        scene_say(scene, "hello");
        TURN_UNTIL(scene, is_written(scene));
        swap_late(scene);
        (void) scene_hear(scene, client, cases[i].last);
        settle(scene);
        scene_close(scene);
        ck_assert_msg(number_in_file(scene, cases[i].sql) == 1, "%s: %s", cases[i].last, cases[i].sql);
        scene_forget(scene);
    }
}
END_TEST

/* The log is told what the early one has not heard, and never will: of a room, and of lines that no file has.
 */
START_TEST(test_never_heard)
{
    Scene *scene = begin_early();
    Client *fay = scene_account(scene, "fay", 1001);

    (void) scene_hear(scene, fay, "/join #pen");
    (void) scene_hear(scene, fay, "/lock");
    TURN_UNTIL(scene, is_written(scene));
    scene_turn_off(scene);
    (void) scene_hear(scene, fay, "/close #pen");
    swap_late(scene);
    scene_reload(scene, true);
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    ck_assert_str_eq(scene->logged, "The archive could not be told that #pen was closed, and may keep it.");
    scene_forget(scene);
}
END_TEST

START_TEST(test_never_written)
{
    Scene *scene = begin_early();

    TURN_UNTIL(scene, is_written(scene));
    move_file(scene, "", ".early");
    ck_assert_int_eq(mkdir(scene->world.fixture->path, 0700), 0);
    scene_say(scene, "hello");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    scene_fill_ring(scene);
    ck_assert_int_eq(rmdir(scene->world.fixture->path), 0);
    move_file(scene, ".late", "");
    TURN_UNTIL(scene, scene->server.remember.n_openings > 1);
    ck_assert_ptr_nonnull(strstr(scene->logged, "The last lines that were said could not be archived"));
    scene_free(scene);
}
END_TEST

static void leave_message(Scene *scene)
{
    static const char TEXT[] = "the tea is ready";
    const Name otto = {4, "otto"};
    Chat *chat = scene->harness->chat;

    chat_reserve(chat, SLOT_NONE);
    mail_leave(chat, scene->alice->session, &otto, 1002, TEXT, sizeof TEXT - 1);
    chat_commit(chat);
}

static bool comes_and_hears(Scene *scene)
{
    Client *otto = scene_account(scene, "otto", 1002);
    bool is_told;

    TURN_UNTIL(scene, scene->harness->chat->n_expecting == 0);
    scene_turn(scene);
    is_told = strstr(client_take(otto), "the tea is ready") != NULL;
    (void) scene_hear(scene, otto, "/quit");
    TURN_UNTIL(scene, is_written(scene));
    return is_told;
}

/* A message that is left when it is noticed is told by the late file, and not by the early one again. */
START_TEST(test_message_back)
{
    Scene *scene = begin_early();

    swap_late(scene);
    leave_message(scene);
    settle(scene);
    ck_assert(comes_and_hears(scene));
    move_file(scene, "", ".late");
    move_file(scene, ".early", "");
    notice(scene);
    ck_assert(!comes_and_hears(scene));
    scene_free(scene);
}
END_TEST

/* Nor by a new one, in which this state has another number. */
START_TEST(test_message_new)
{
    Scene *scene = begin_early();

    swap_late(scene);
    notice(scene);
    leave_message(scene);
    TURN_UNTIL(scene, is_written(scene));
    ck_assert(comes_and_hears(scene));
    ck_assert_int_eq(unlink(scene->world.fixture->path), 0);
    notice(scene);
    ck_assert(!comes_and_hears(scene));
    scene_free(scene);
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
          test_of_others, test_never_heard, test_never_written, test_message_back, test_message_new,
          test_back_again, test_new_file)
