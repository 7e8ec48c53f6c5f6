/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * Two rooms of one name, one of the state and one of the archive, while neither knows of the other, because
 * the archive could not be read, or is another file: nobody is told of the one who may only know the other.
 */

#include "chat/keep.h"
#include "host/noting.h"
#include "unit/other-file-fixture.h"

#define PEN "the tea of the pen"

static void expect_untold(Scene *scene, Client *client)
{
    static const char *const LINES[] = {"/history 100", "/history 99", "/search tea"};

    for (size_t i = 0; i < N_ELEMENTS(LINES); i++) {
        const char *heard = scene_hear(scene, client, LINES[i]);

        ck_assert_msg(strstr(heard, PEN) == NULL, "%s: %s", LINES[i], heard);
    }
}

/* A stranger, who looks for what was said in #pen, and makes one. */
static void expect_pen_untold(Scene *scene)
{
    Client *otto = scene_account(scene, "otto", 1002);

    expect_untold(scene, otto);
    ck_assert_ptr_null(strstr(scene_hear(scene, otto, "/join #pen"), PEN));
    expect_untold(scene, otto);
}

/* A state that begins while somebody else has the file. */
static void begin_anew_locked_out(Scene *scene)
{
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    scene_open(scene);
}

/* It is gone, and the archive has heard of that. */
static void expect_over(Scene *scene, const char *room)
{
    TURN_UNTIL(scene, !has_room(scene, room));
    scene_say(scene, "x");
    TURN_UNTIL(scene, is_written(scene));
}

/* It was locked when that was said, and closed before it was seen that the file is another one. */
START_TEST(test_closed_before_other_file)
{
    Scene *scene = begin_early();
    Client *fay = scene_account(scene, "fay", 1001);

    (void) scene_hear(scene, fay, "/join #pen");
    (void) scene_hear(scene, fay, "/lock");
    TURN_UNTIL(scene, is_written(scene));
    swap_late(scene);
    client_say(scene->harness, fay, PEN);
    (void) scene_hear(scene, fay, "/close #pen");
    settle(scene);
    expect_pen_untold(scene);
    scene_close(scene);
    scene_open(scene);
    expect_pen_untold(scene);
    scene_free(scene);
}
END_TEST

START_TEST(test_closed_while_unknown)
{
    Scene *scene = scene_new();
    Client *root;

    begin_anew_locked_out(scene);
    root = scene_account(scene, "root", 0);
    (void) scene_hear(scene, scene->alice, "/join #pen");
    (void) scene_hear(scene, root, "/join #pen");
    ck_assert_ptr_nonnull(strstr(scene_hear(scene, root, "/lock"), "is locked"));
    client_say(scene->harness, scene->alice, PEN);
    ck_assert_uint_eq(scene->harness->chat->state.header->archive.recalled, PAST_UNKNOWN);
    (void) scene_hear(scene, root, "/close #pen");
    scene_turn(scene);
    neighbour_does(&scene->world, "ROLLBACK");
    TURN_UNTIL(scene, is_written(scene));
    expect_pen_untold(scene);
    scene_free(scene);
}
END_TEST

START_TEST(test_closed_after_turned_on)
{
    Scene *scene = scene_new();
    Client *fay;

    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    scene_begin(scene, NULL, false);
    fay = scene_account(scene, "fay", 1001);
    (void) scene_hear(scene, fay, "/join #pen");
    (void) scene_hear(scene, fay, "/lock");
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    scene_reload(scene, true);
    scene_turn(scene);
    client_say(scene->harness, fay, PEN);
    (void) scene_hear(scene, fay, "/close #pen");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    neighbour_does(&scene->world, "ROLLBACK");
    TURN_UNTIL(scene, is_written(scene));
    expect_pen_untold(scene);
    scene_free(scene);
}
END_TEST

/* What the file has of a room of that name stays with it. */
START_TEST(test_other_is_kept)
{
    Scene *scene = begin_early();
    Client *otto = scene_account(scene, "otto", 1002);

    (void) scene_hear(scene, otto, "/join #den");
    (void) scene_hear(scene, otto, "/lock");
    TURN_UNTIL(scene, is_written(scene));
    swap_late(scene);
    client_say(scene->harness, otto, PEN);
    (void) scene_hear(scene, otto, "/close #den");
    settle(scene);
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = '" PEN "'"), 0);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = '" SECRET "'"), 1);
    ck_assert_int_eq(number_in_file(scene, "SELECT is_kept FROM rooms WHERE key = 'den'"), 1);
    scene_forget(scene);
}
END_TEST

/* One of which nothing was set, and whose topic goes: it says nothing of the other. */
START_TEST(test_other_is_kept_with_topic)
{
    Scene *scene = scene_new();
    Client *otto = otto_makes_another(scene, "/topic of coffee");

    (void) scene_hear(scene, otto, "/close #den");
    expect_over(scene, "den");
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = '" SECRET "'"), 1);
    ck_assert_int_eq(number_in_file(scene, "SELECT is_kept FROM rooms WHERE key = 'den'"), 1);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM rooms WHERE topic IS NOT NULL"), 0);
    scene_forget(scene);
}
END_TEST

/* In each turn, as soon as that need not wait. */
static void join_at_once(Scene *scene, Client *client)
{
    static const char QUESTION[] = "/join #den";
    Harness *harness = scene->harness;

    for (unsigned n_answered = 0; n_answered < 50;) {
        const char *heard;

        chat_set_time(harness->chat, clock_monotonic(), clock_wall());
        remember_take(&scene->server);
        if (!command_must_wait(harness->chat, client->session, QUESTION, sizeof QUESTION - 1)) {
            client_say(harness, client, "%s", QUESTION);
            client_say(harness, client, "/leave");
            n_answered += remember_trouble(&scene->server) == NULL;
        }
        scene_turn(scene);
        heard = client_take(client);
        ck_assert_msg(strstr(heard, SECRET) == NULL, "after %u: %s", n_answered, heard);
    }
}

START_TEST(test_join_of_a_locked_one)
{
    Scene *scene = scene_new();
    Client *root;

    (void) fay_comes(scene);
    begin_anew_locked_out(scene);
    root = scene_account(scene, "root", 0);
    (void) scene_hear(scene, root, "/join #den");
    ck_assert_ptr_nonnull(strstr(scene_hear(scene, root, "/lock"), "is locked"));
    (void) scene_hear(scene, root, "/invite alice");
    (void) scene_hear(scene, root, "/leave");
    neighbour_does(&scene->world, "ROLLBACK");
    join_at_once(scene, scene->alice);
    scene_free(scene);
}
END_TEST

START_TEST(test_join_after_other_file)
{
    Scene *scene = begin_early();
    Client *otto = scene_account(scene, "otto", 1002);

    (void) scene_hear(scene, otto, "/join #den");
    (void) scene_hear(scene, otto, "/lock");
    (void) scene_hear(scene, otto, "/leave");
    TURN_UNTIL(scene, is_written(scene));
    swap_late(scene);
    join_at_once(scene, otto);
    scene_free(scene);
}
END_TEST

/* Neither has a founder, by whom they could be told apart. */
START_TEST(test_of_nobody)
{
    Scene *scene = scene_new();
    Client *root = scene_account(scene, "root", 0), *bob;

    (void) scene_hear(scene, scene->alice, "/join #den");
    (void) scene_hear(scene, root, "/join #den");
    (void) scene_hear(scene, root, "/lock");
    (void) scene_hear(scene, scene->alice, SECRET);
    begin_anew_locked_out(scene);
    root = scene_account(scene, "root", 0);
    bob = client_named(scene->harness, "bob");
    (void) scene_hear(scene, bob, "/join #den");
    (void) scene_hear(scene, root, "/join #den");
    ck_assert_ptr_nonnull(strstr(scene_hear(scene, root, "/lock"), "is locked"));
    neighbour_does(&scene->world, "ROLLBACK");
    TURN_UNTIL(scene, is_written(scene));
    ck_assert_ptr_null(strstr(scene_hear(scene, bob, "/history 100"), SECRET));
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT is_kept FROM rooms WHERE key = 'den'"), 1);
    scene_forget(scene);
}
END_TEST

/* The process dies after the room has come back, before it is written down that all have. */
START_TEST(test_of_nobody_after_death)
{
    Scene *scene = scene_new();
    Client *root = scene_account(scene, "root", 0);
    StateHeader *header;

    (void) scene_hear(scene, scene->alice, "/join #den");
    (void) scene_hear(scene, root, "/join #den");
    (void) scene_hear(scene, root, "/lock");
    (void) scene_hear(scene, scene->alice, SECRET);
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = '" SECRET "'"), 1);
    scene_open(scene);
    ck_assert(has_room(scene, "den"));
    header = scene->harness->chat->state.header;
    remember_close(&scene->server, false);
    header->archive.recalled = PAST_UNKNOWN;
    memset(header->archive_file, 0, sizeof header->archive_file);
    header->is_noting = true;
    scene_serve(scene, true);
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT is_kept FROM rooms WHERE key = 'den'"), 1);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = '" SECRET "'"), 1);
    scene_forget(scene);
}
END_TEST

/* A topic of one that is being closed is not told once more: nobody would take it away again. */
START_TEST(test_topic_of_closing)
{
    Scene *scene = scene_new();
    Client *fay = fay_comes(scene), *otto;
    Chat *chat = scene->harness->chat;
    const Name den = fixture_name("den");

    (void) scene_hear(scene, fay, "/topic the secret topic");
    TURN_UNTIL(scene, is_written(scene));
    noting_begin(&scene->server); /* as when it has missed something */
    chat_reserve(chat, fay->session);
    keep_close(chat, room_find(chat, &den), fay->session);
    chat_commit(chat);
    remember_tick(&scene->server); /* the end of the turn of /close */
    scene_turn(scene);
    expect_over(scene, "den");
    otto = scene_account(scene, "otto", 1002);
    ck_assert_ptr_null(strstr(scene_hear(scene, otto, "/join #den"), "the secret topic"));
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM rooms WHERE topic LIKE '%secret%'"), 0);
    scene_forget(scene);
}
END_TEST

/* Of a room of which nothing was set there is a topic all the same, which goes when the room is closed. */
START_TEST(test_topic_of_closed)
{
    Scene *scene = scene_new();
    Client *fay = scene_account(scene, "fay", 1001), *otto;

    (void) scene_hear(scene, fay, "/join #shed");
    (void) scene_hear(scene, fay, "/topic of coffee");
    TURN_UNTIL(scene, is_written(scene));
    (void) scene_hear(scene, fay, "/close #shed");
    expect_over(scene, "shed");
    otto = scene_account(scene, "otto", 1002);
    ck_assert_ptr_null(strstr(scene_hear(scene, otto, "/join #shed"), "of coffee"));
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM rooms WHERE topic IS NOT NULL"), 0);
    scene_forget(scene);
}
END_TEST

/* What that costs is told to the log. */
START_TEST(test_given_while_unknown)
{
    Scene *scene = begin_early();
    Client *fay = scene_account(scene, "fay", 1001), *dora = scene_account(scene, "dora", 1003);
    const StateHeader *header = scene->harness->chat->state.header;
    const struct timespec moment = {.tv_nsec = 1000000};

    (void) scene_hear(scene, fay, "/join #den");
    (void) scene_hear(scene, fay, "/lock");
    (void) scene_hear(scene, fay, "/invite dora");
    (void) scene_hear(scene, dora, "/join #den");
    TURN_UNTIL(scene, is_written(scene));
    swap_late(scene);
    scene_say(scene, "hello");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    while (header->archive.recalled != PAST_UNKNOWN) {
        chat_set_time(scene->harness->chat, clock_monotonic(), clock_wall());
        remember_take(&scene->server);
        (void) nanosleep(&moment, NULL);
    }
    client_say(scene->harness, fay, "/give dora");
    ck_assert_str_eq(scene->logged_before,
                     "The archive could not be told that #den was handed over to dora, and may "
                     "delete what was said in it before.");
    scene_free(scene);
}
END_TEST

/* Those of rooms of which nothing is kept, too. */
START_TEST(test_topics)
{
    Scene *scene = begin_early();
    Client *root = scene_account(scene, "root", 0);

    TURN_UNTIL(scene, is_written(scene));
    swap_late(scene);
    (void) scene_hear(scene, root, "/topic of tea");
    (void) scene_hear(scene, root, "/join #shed");
    (void) scene_hear(scene, root, "/topic of coffee");
    settle(scene);
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM rooms WHERE topic LIKE 'of %'"), 2);
    scene_forget(scene);
}
END_TEST

UNIT_MAIN("namesake", test_closed_before_other_file, test_closed_while_unknown, test_closed_after_turned_on,
          test_other_is_kept, test_other_is_kept_with_topic, test_join_of_a_locked_one,
          test_join_after_other_file, test_of_nobody, test_of_nobody_after_death, test_topic_of_closing,
          test_topic_of_closed, test_given_while_unknown, test_topics)
