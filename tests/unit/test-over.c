/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Rooms that end while their archive is off, or does not hear of it: they do not come back, and what was said
 * in them is told to nobody, but what is said in others of that name stays. */

#include <stdio.h>

#include "chat/keep.h"
#include "chat/over.h"
#include "unit/secrets-fixture.h"

/* #den, #fen and #glen are locked, and the topic of the lobby: then the archive is off, and #den is closed,
 * #glen is closed and made again by otto, and #fen and the topic are opened. Nothing of that comes back, nor
 * is what was said behind a lock told, but to who is in the room that was opened. */
START_TEST(test_over_while_off)
{
    static const char *const BEFORE[] = {"/join #glen", "/lock", SECRET,
                                         "/join #fen",  "/hide", "of the open"},
                             *const MEANWHILE[] = {"/close #den", "/close #glen", "/hide off"};
    Scene *scene = scene_new();
    Client *root = scene_account(scene, "root", 0), *otto, *fay = fay_comes(scene);

    for (size_t i = 0; i < N_ELEMENTS(BEFORE); i++)
        (void) scene_hear(scene, fay, BEFORE[i]);
    (void) scene_hear(scene, root, "/topic tea");
    (void) scene_hear(scene, root, "/lock topic");
    TURN_UNTIL(scene, is_written(scene));
    scene_turn_off(scene);
    for (size_t i = 0; i < N_ELEMENTS(MEANWHILE); i++)
        (void) scene_hear(scene, fay, MEANWHILE[i]);
    (void) scene_hear(scene, root, "/lock topic off");
    scene_turn(scene);
    otto = scene_account(scene, "otto", 1002);
    ck_assert_ptr_nonnull(strstr(scene_hear(scene, otto, "/join #glen"), "You are in #glen now, alone."));
    scene_reload(scene, true);
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM rooms WHERE is_kept"), 0);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = '" SECRET "'"), 0);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = 'of the open'"), 1);
    scene_open(scene);
    expect_nothing_told(scene, true);
    otto = scene->harness->clients[scene->harness->n_clients - 1];
    ck_assert_ptr_nonnull(strstr(scene_hear(scene, otto, "/join #fen"), "of the open"));
    scene_free(scene);
}
END_TEST

/* fay closes #den while somebody has the file, and the ring has no word of it any more. */
static void close_unheard(Scene *scene, Client *fay)
{
    TURN_UNTIL(scene, is_written(scene));
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    (void) scene_hear(scene, fay, "/close #den");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    scene_fill_ring(scene);
}

/* The ring ends before the archive has heard of the end of a room: that is told once more. */
START_TEST(test_end_unheard)
{
    Scene *scene = scene_new();
    Client *fay = fay_comes(scene);

    close_unheard(scene, fay);
    expect_nothing_told(scene, false);
    neighbour_does(&scene->world, "ROLLBACK");
    TURN_UNTIL(scene, remember_trouble(&scene->server) == NULL);
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM rooms WHERE is_kept"), 0);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = '" SECRET "'"), 0);
    scene_forget(scene);
}
END_TEST

/* fay closes #den while the archive is off, and somebody makes it again. */
static Client *make_again(Scene *scene, const char *nick, uint32_t uid)
{
    Client *fay = fay_comes(scene), *maker;

    TURN_UNTIL(scene, is_written(scene));
    scene_turn_off(scene);
    (void) scene_hear(scene, fay, "/close #den");
    scene_turn(scene);
    maker = uid == 1001 ? fay : scene_account(scene, nick, uid);
    (void) scene_hear(scene, maker, "/join #den");
    return maker;
}

/* What that one sets, and sets back, is not what fay had set. */
START_TEST(test_opened_again)
{
    Scene *scene = scene_new();
    Client *otto = make_again(scene, "otto", 1002);

    (void) scene_hear(scene, otto, "/lock");
    (void) scene_hear(scene, otto, "/lock off");
    scene_reload(scene, true);
    TURN_UNTIL(scene, is_written(scene));
    ck_assert_ptr_null(strstr(scene_hear(scene, otto, "/history 100"), SECRET));
    ck_assert_ptr_null(strstr(scene_hear(scene, otto, "/search secret"), SECRET));
    scene_free(scene);
}
END_TEST

/* Not even if it is fay who makes and locks it again, and invites somebody. */
START_TEST(test_locked_again)
{
    Scene *scene = scene_new();
    Client *fay = make_again(scene, "fay", 1001), *otto = scene_account(scene, "otto", 1002);

    (void) scene_hear(scene, fay, "/lock");
    (void) scene_hear(scene, fay, "/invite otto");
    (void) scene_hear(scene, otto, "/join #den");
    scene_reload(scene, true);
    TURN_UNTIL(scene, is_written(scene));
    ck_assert_ptr_null(strstr(scene_hear(scene, otto, "/history 100"), SECRET));
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM rooms WHERE is_kept"), 1);
    scene_forget(scene);
}
END_TEST

/* Whoever asks in the very turn in which the archive is open is told nothing either. */
START_TEST(test_asked_at_once)
{
    static const char QUESTION[] = "/history 100";
    Scene *scene = scene_new();
    Client *otto = make_again(scene, "otto", 1002);
    Harness *harness = scene->harness;
    unsigned n_answered = 0;

    (void) scene_hear(scene, otto, "/lock");
    scene_reload(scene, true);
    while (n_answered < 20) {
        chat_set_time(harness->chat, clock_monotonic(), clock_wall());
        remember_take(&scene->server);
        if (!command_must_wait(harness->chat, otto->session, QUESTION, sizeof QUESTION - 1)) {
            client_say(harness, otto, "%s", QUESTION);
            n_answered++;
        }
        scene_turn(scene);
    }
    ck_assert_ptr_null(strstr(client_take(otto), SECRET));
    scene_free(scene);
}
END_TEST

/* What was said in the new #den is there, and nothing of the old one. */
static void end_in_the_open(Scene *scene)
{
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = 'in the open'"), 1);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = '" SECRET "'"), 0);
    scene_forget(scene);
}

/* What was said in the new one stays: with the archive on again, and if it was in trouble all the time. */
START_TEST(test_lines_of_new)
{
    Scene *scene = scene_new();
    Client *otto = make_again(scene, "otto", 1002);

    scene_reload(scene, true);
    client_say(scene->harness, otto, "in the open");
    TURN_UNTIL(scene, is_written(scene));
    end_in_the_open(scene);
}
END_TEST

START_TEST(test_lines_after_trouble)
{
    Scene *scene = scene_new();
    Client *fay = fay_comes(scene), *otto;

    close_unheard(scene, fay);
    otto = scene_account(scene, "otto", 1002);
    (void) scene_hear(scene, otto, "/join #den");
    (void) scene_hear(scene, otto, "in the open");
    /* The next process has that to tell, too. */
    remember_close(&scene->server, false);
    harness_survive(scene->harness);
    scene_serve(scene, true);
    neighbour_does(&scene->world, "ROLLBACK");
    TURN_UNTIL(scene, is_written(scene));
    ck_assert_ptr_null(over_next(scene->harness->chat, 0, UINT64_MAX));
    end_in_the_open(scene);
}
END_TEST

/* Many rooms that are kept, and what there was, in a state that may have them all, and then the archive is
 * off. */
static void begin_many(Scene *scene)
{
    Config config;

    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    fixture_change(scene->world.fixture,
                   "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 257)"
                   " INSERT INTO rooms(key, name, is_kept, flags) SELECT 'r' || i, 'r' || i, 1, 2 FROM n");
    harness_config(&config);
    config.max_rooms = 300;
    scene_begin(scene, &config, true);
    TURN_UNTIL(scene, is_written(scene));
    scene_turn_off(scene);
}

/* The first ones of these are closed, which the log is not told before the last of them. */
static void close_many(Scene *scene, unsigned n)
{
    Chat *chat = scene->harness->chat;
    const unsigned n_logged = scene->n_logged;

    for (unsigned i = 1; i <= n; i++) {
        char text[16];
        Name name;

        (void) snprintf(text, sizeof text, "r%u", i);
        name = fixture_name(text);
        ck_assert_uint_eq(scene->n_logged, n_logged);
        chat_reserve(chat, SLOT_NONE);
        keep_close(chat, room_find(chat, &name), SLOT_NONE);
        chat_commit(chat);
    }
}

/* The next process has the archive. */
static void survive_with_archive(Scene *scene)
{
    const unsigned n_logged = scene->n_logged;

    harness_survive(scene->harness);
    scene_serve(scene, true);
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    ck_assert_uint_eq(scene->n_logged, n_logged);
}

/* As many as are remembered, and one more, which is told to the log. */
START_TEST(test_many)
{
    Scene *scene = scene_new();

    begin_many(scene);
    ck_assert_uint_eq(chat_n_rooms(scene->harness->chat), 1);
    /* Wherever in their region they begin. */
    scene->harness->chat->state.header->over_first = LIMIT_ROOMS_OVER - 3;
    scene->harness->chat->state.header->over_end = LIMIT_ROOMS_OVER - 3;
    close_many(scene, LIMIT_ROOMS_OVER + 1);
    ck_assert_str_eq(scene->logged, "The archive could not be told that #r1 was closed, and may keep it.");
    survive_with_archive(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM rooms WHERE is_kept"), 1);
    scene_forget(scene);
}
END_TEST

/* otto and dora are in #den, and its founder hands it over to one of them. */
static void give(Scene *scene, Client *founder, const char *nick)
{
    char line[64];

    (void) snprintf(line, sizeof line, "#den belongs to %s now.", nick);
    client_say(scene->harness, founder, "/join #den\n/give %s", nick);
    ck_assert_ptr_nonnull(strstr(client_take(founder), line));
}

static Client *joins(Scene *scene, const char *nick, uint32_t uid)
{
    Client *client = scene_account(scene, nick, uid);

    (void) scene_hear(scene, client, "/join #den");
    return client;
}

/* Whom the archive has as the founder, and how often what fay said. */
static void expect_in_file(Scene *scene, int uid, int n_secrets)
{
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT sum(founder_uid) FROM rooms WHERE is_kept"), uid);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = '" SECRET "'"),
                     n_secrets);
    scene_forget(scene);
}

static Client *begin_to_give(Scene *scene)
{
    Client *fay = fay_comes(scene);

    (void) scene_account(scene, "otto", 1002);
    (void) scene_account(scene, "dora", 1003);
    (void) scene_hear(scene, fay, "/invite otto");
    (void) scene_hear(scene, fay, "/invite dora");
    TURN_UNTIL(scene, is_written(scene));
    return fay;
}

/* What was said in a room is for those to whom it was handed over while the archive was off. */
START_TEST(test_given_while_off)
{
    Scene *scene = scene_new();
    Client *fay = begin_to_give(scene), *dora;

    scene_turn_off(scene);
    dora = joins(scene, "dora", 1003);
    (void) joins(scene, "otto", 1002);
    give(scene, fay, "dora");
    (void) scene_hear(scene, dora, "/hide");
    give(scene, dora, "otto");
    scene_reload(scene, true);
    TURN_UNTIL(scene, is_written(scene));
    ck_assert_ptr_null(over_next(scene->harness->chat, 0, UINT64_MAX));
    expect_in_file(scene, 1002, 1);
}
END_TEST

/* The ring has no word of the first time, but of what came then. */
START_TEST(test_given_unheard)
{
    Scene *scene = scene_new();
    Client *fay = begin_to_give(scene), *dora = joins(scene, "dora", 1003);

    (void) joins(scene, "otto", 1002);
    scene_say(scene, "hello");
    TURN_UNTIL(scene, is_written(scene));
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    give(scene, fay, "dora");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    scene_fill_ring(scene);
    client_say(scene->harness, dora, "/hide");
    give(scene, dora, "otto");
    neighbour_does(&scene->world, "ROLLBACK");
    TURN_UNTIL(scene, remember_trouble(&scene->server) == NULL);
    scene_say(scene, "hello");
    TURN_UNTIL(scene, is_written(scene));
    expect_in_file(scene, 1002, 1);
}
END_TEST

/* That note is of a version that did not say who had it. */
START_TEST(test_given_before)
{
    const Note note = {
        .kind = NOTE_ROOM,
        .room = {{4, "dora"}, .founder_uid = 1003, .flags = ROOM_LOCKED, .how = NOTE_ROOM_GIVEN}};
    const Name den = {3, "den"};
    Scene *scene = scene_new();
    Chat *chat = scene->harness->chat;

    (void) begin_to_give(scene);
    chat_reserve(chat, SLOT_NONE);
    note_append(chat, room_find(chat, &den), SLOT_NONE, &note);
    chat_commit(chat);
    TURN_UNTIL(scene, is_written(scene));
    expect_in_file(scene, 1003, 1);
}
END_TEST

/* fay's #den is closed, and otto makes a later one and hands that over to dora. */
static void give_later(Scene *scene, Client *fay)
{
    Client *otto;

    (void) scene_hear(scene, fay, "/close #den");
    scene_turn(scene);
    otto = joins(scene, "otto", 1002);
    (void) joins(scene, "dora", 1003);
    (void) scene_hear(scene, otto, "/lock");
    give(scene, otto, "dora");
}

/* A later room of that name is given away, and what fay said was not in that one. */
START_TEST(test_given_later)
{
    Scene *scene = scene_new();
    Client *fay = begin_to_give(scene);

    scene_turn_off(scene);
    give_later(scene, fay);
    scene_reload(scene, true);
    TURN_UNTIL(scene, is_written(scene));
    expect_in_file(scene, 1003, 0);
}
END_TEST

/* To an account that has a number, which is none of a name that one may choose. */
START_TEST(test_given_to_numbered)
{
    Scene *scene = scene_new();
    Client *fay = fay_comes(scene), *other;

    (void) scene_account(scene, "otto", 1002);
    other = scene_account(scene, "otto", 1003);
    ck_assert_str_eq(session_record(scene->harness->chat, other->session)->nick.bytes, "otto~2");
    (void) scene_hear(scene, fay, "/invite otto~2");
    TURN_UNTIL(scene, is_written(scene));
    (void) scene_hear(scene, other, "/join #den");
    scene_turn_off(scene);
    (void) scene_hear(scene, fay, "/join #den");
    ck_assert_ptr_nonnull(strstr(scene_hear(scene, fay, "/give otto~2"), "belongs to otto~2"));
    harness_survive(scene->harness);
    scene_serve(scene, false);
    (void) scene_hear(scene, fay, "/invite fay");
    ck_assert_ptr_nonnull(strstr(scene_hear(scene, other, "/give fay"), "belongs to fay"));
    harness_survive(scene->harness);
    scene_serve(scene, false);
    scene_free(scene);
}
END_TEST

/* Nor if that it was closed is what is lost. */
START_TEST(test_given_and_many)
{
    Scene *scene = scene_new();

    (void) fay_comes(scene);
    begin_many(scene);
    give_later(scene, scene_account(scene, "fay", 1001));
    close_many(scene, LIMIT_ROOMS_OVER - 1);
    ck_assert_str_eq(scene->logged, "The archive could not be told that #den was closed, and may keep it.");
    survive_with_archive(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = '" SECRET "'"), 0);
    scene_forget(scene);
}
END_TEST

/* What is lost is that it was handed over. */
START_TEST(test_given_is_lost)
{
    Scene *scene = scene_new();
    Client *fay;

    (void) fay_comes(scene);
    begin_many(scene);
    fay = scene_account(scene, "fay", 1001);
    (void) scene_hear(scene, fay, "/join #den");
    (void) scene_account(scene, "dora", 1003);
    (void) scene_hear(scene, fay, "/invite dora");
    (void) joins(scene, "dora", 1003);
    give(scene, fay, "dora");
    close_many(scene, LIMIT_ROOMS_OVER);
    ck_assert_str_eq(scene->logged,
                     "The archive could not be told that #den was handed over to dora, and may "
                     "delete what was said in it before.");
    scene_free(scene);
}
END_TEST

/* It is told although nothing else is. */
START_TEST(test_nothing_else)
{
    Scene *scene = scene_new();
    Client *fay = fay_comes(scene);

    TURN_UNTIL(scene, is_written(scene));
    scene_turn_off(scene);
    (void) scene_hear(scene, fay, "/close #den");
    scene->harness->chat->state.header->archive.recalled = PAST_UNREADABLE;
    scene_reload(scene, true);
    TURN_UNTIL(scene, over_next(scene->harness->chat, 0, UINT64_MAX) == NULL);
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM rooms WHERE is_kept"), 0);
    scene_forget(scene);
}
END_TEST

UNIT_MAIN("over", test_over_while_off, test_end_unheard, test_opened_again, test_locked_again,
          test_asked_at_once, test_lines_of_new, test_lines_after_trouble, test_many, test_given_while_off,
          test_given_unheard, test_given_before, test_given_later, test_given_to_numbered,
          test_given_and_many, test_given_is_lost, test_nothing_else)
