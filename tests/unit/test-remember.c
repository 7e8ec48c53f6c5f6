/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The chat's memory as the loop has it, with threads, a file, and somebody else who has that file too. */

#include "host/giving.h"
#include "unit/scene-fixture.h"
#include "unit/unit.h"

/* Messages that wait are not counted in a file that others have still to get into. */
START_TEST(test_mail)
{
    const Recall mail = {.kind = RECALL_MAIL, .uid = 1003, .nick = fixture_key("bea")};
    Scene *scene = scene_new();
    Recalled recalled;

    scene_say(scene, "hello");
    TURN_UNTIL(scene, is_written(scene));
    TURN_UNTIL(scene, scene_ask(scene, &mail, NULL) == RECALL_ANSWERED);
    ck_assert_int_eq(scene_ask(scene, &mail, &recalled), RECALL_ANSWERED);
    ck_assert_ptr_null(recalled.trouble);
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    scene_say(scene, "hello");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    for (unsigned i = 0; i < 20; i++) {
        ck_assert_int_eq(scene_ask(scene, &mail, NULL), RECALL_ANSWERED);
        ck_assert_int_eq(scene_ask(scene, &mail, &recalled), RECALL_ANSWERED);
        ck_assert_str_eq(recalled.trouble, archive_strerror(ARCHIVE_BUSY));
        scene_turn(scene);
    }
    neighbour_does(&scene->world, "ROLLBACK");
    TURN_UNTIL(scene, is_written(scene));
    TURN_UNTIL(scene, scene_ask(scene, &mail, NULL) == RECALL_ANSWERED);
    ck_assert_int_eq(scene_ask(scene, &mail, &recalled), RECALL_ANSWERED);
    ck_assert_ptr_null(recalled.trouble);
    scene_free(scene);
}
END_TEST

/* Nor is what is kept for somebody taken from there. */
START_TEST(test_person)
{
    const Recall person = {.kind = RECALL_PERSON, .uid = 1003, .nick = fixture_key("bea")};
    Scene *scene = scene_new();
    Recalled recalled;

    scene_say(scene, "hello");
    TURN_UNTIL(scene, is_written(scene));
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    scene_say(scene, "hello");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    for (unsigned i = 0; i < 20; i++) {
        ck_assert_int_eq(scene_ask(scene, &person, &recalled), RECALL_AWAITED);
        scene_turn(scene);
    }
    neighbour_does(&scene->world, "ROLLBACK");
    TURN_UNTIL(scene, scene_ask(scene, &person, &recalled) == RECALL_ANSWERED && recalled.trouble == NULL);
    scene_free(scene);
}
END_TEST

/* Who wants to set something does not wait for what may never be. */
START_TEST(test_person_in_trouble)
{
    const Recall person = {.kind = RECALL_PERSON, .uid = 1003, .nick = fixture_key("bea")};
    Scene *scene = scene_new();
    Recalled recalled;

    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    fixture_clear(scene->world.fixture);
    ck_assert_int_eq(mkdir(scene->world.fixture->path, 0700), 0);
    scene_open(scene);
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    ck_assert_int_eq(scene_ask(scene, &person, &recalled), RECALL_ANSWERED);
    ck_assert_str_eq(recalled.trouble, remember_trouble(&scene->server));
    scene_close(scene);
    ck_assert_int_eq(rmdir(scene->world.fixture->path), 0);
    scene_forget(scene);
}
END_TEST

/* The file is removed, with what is in force and was not said in this state: the next one knows it. */
START_TEST(test_removed)
{
    Scene *scene = scene_new();
    Client *root = client_account(scene->harness, "root", 0);

    client_say(scene->harness, root, "/ban 10.0.0.1");
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    scene_open(scene);
    scene_say(scene, "hello");
    TURN_UNTIL(scene, is_written(scene));
    ck_assert_uint_eq(scene->n_logged, 1);
    ck_assert_int_eq(unlink(scene->world.fixture->path), 0);
    scene_say(scene, "hello");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    ck_assert_ptr_nonnull(strstr(scene->logged, "The archive was removed or replaced."));
    TURN_UNTIL(scene, remember_trouble(&scene->server) == NULL);
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    ck_assert_uint_eq(scene->n_logged, 3);
    fixture_open(scene->world.fixture);
    ck_assert_int_eq(fixture_count(scene->world.fixture, "SELECT count(*) FROM rules"), 1);
    ck_assert_int_eq(fixture_count(scene->world.fixture, "SELECT count(*) FROM lines"), 2);
    scene->world.fixture->archive = archive_close(scene->world.fixture->archive);
    scene_forget(scene);
}
END_TEST

/* As if a thread were at something. */
static void set_busy(Archivist *archivist, bool is_busy)
{
    Core *core = archivist->core;

    (void) pthread_mutex_lock(&core->lock);
    core->n_threads += is_busy ? 1U : -1U;
    core_tell(core);
    (void) pthread_mutex_unlock(&core->lock);
}

/* It is turned off and on while the threads are busy: new ones begin when these have ended, and meanwhile it
 * is a trouble. Nothing is lost but what was said while it was off. */
START_TEST(test_off_and_on)
{
    const Recall seen = {.kind = RECALL_SEEN, .nick = fixture_key("bea")},
                 person = {.kind = RECALL_PERSON, .nick = fixture_key("bea")},
                 mail = {.kind = RECALL_MAIL, .nick = fixture_key("bea")};
    Scene *scene = scene_new();
    Remember *remember = &scene->server.remember;
    Recalled recalled;

    scene_say(scene, "before");
    TURN_UNTIL(scene, is_written(scene));
    scene_say(scene, "just before");
    set_busy(remember->archivist, true);
    scene_reload(scene, false);
    ck_assert_ptr_null(remember_trouble(&scene->server));
    ck_assert_ptr_null(scene->harness->chat->recall);
    scene_say(scene, "meanwhile");
    for (unsigned i = 0; i < 3; i++) {
        scene_reload(scene, true);
        scene_reload(scene, i == 2);
    }
    scene_say(scene, "after");
    for (unsigned i = 0; i < 50; i++) {
        scene_turn(scene);
        ck_assert_ptr_null(remember->archivist);
        ck_assert_ptr_nonnull(remember_trouble(&scene->server));
        ck_assert_int_eq(scene_ask(scene, &seen, NULL), RECALL_ANSWERED);
        ck_assert_int_eq(scene_ask(scene, &seen, &recalled), RECALL_ANSWERED);
        ck_assert_str_eq(recalled.trouble, remember_trouble(&scene->server));
        ck_assert_int_eq(scene_ask(scene, &mail, &recalled), RECALL_ANSWERED);
        ck_assert_str_eq(recalled.trouble, remember_trouble(&scene->server));
        ck_assert_int_eq(scene_ask(scene, &person, &recalled), RECALL_ANSWERED);
        ck_assert_str_eq(recalled.trouble, remember_trouble(&scene->server));
    }
    ck_assert_uint_eq(remember_due(&scene->server), UINT64_MAX);
    set_busy(remember->ending, false);
    ck_assert_int_eq(remember_fd(&scene->server), archivist_fd(remember->ending));
    TURN_UNTIL(scene, is_written(scene));
    ck_assert_ptr_null(remember->ending);
    ck_assert_int_eq(remember_fd(&scene->server), archivist_fd(remember->archivist));
    ck_assert_ptr_null(remember_trouble(&scene->server));
    scene_close(scene);
    ck_assert_uint_eq(scene->n_logged, 0);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines"), 3);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = 'meanwhile'"), 0);
    scene_forget(scene);
}
END_TEST

/* All rules are told once more, and what else the file has goes: but not if that could not be read. */
START_TEST(test_rules_unread)
{
    Scene *scene = scene_new();
    uint64_t *recalled = &scene->harness->chat->state.header->archive.recalled;

    scene_say(scene, "before");
    TURN_UNTIL(scene, is_written(scene));
    ck_assert_uint_eq(*recalled, PAST_KNOWN);
    neighbour_does(&scene->world, "INSERT INTO rules VALUES(5, 1, '', x'00', 0, 'root', 'root', '', 1)");
    *recalled = PAST_UNREADABLE;
    noting_begin(&scene->server);
    scene_say(scene, "after");
    TURN_UNTIL(scene, is_written(scene));
    /* A rule has a kind, so this fails if there is no rule 5. */
    neighbour_does(&scene->world,
                   "INSERT INTO rules VALUES(6, (SELECT kind FROM rules WHERE id = 5), '', x'00',"
                   " 0, 'root', 'root', '', 1)");
    *recalled = PAST_KNOWN;
    noting_begin(&scene->server);
    scene_say(scene, "once more");
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM rules"), 0);
    scene_forget(scene);
}
END_TEST

/* Nothing waits for somebody else who has the file, and what could not be written is told. */
START_TEST(test_off_while_locked)
{
    Scene *scene = scene_new();

    scene_say(scene, "before");
    TURN_UNTIL(scene, is_written(scene));
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    scene_say(scene, "one");
    scene_say(scene, "two");
    scene_turn_off(scene);
    ck_assert_int_eq(remember_fd(&scene->server), -1);
    ck_assert_uint_eq(scene->n_logged, 1);
    ck_assert_str_eq(scene->logged,
                     "The last lines that were said could not be archived: 2 at most are missing.");
    neighbour_does(&scene->world, "ROLLBACK");
    scene_free(scene);
}
END_TEST

/* From within an entry on nothing can be given: that comes to an end, and the rest is given. */
START_TEST(test_astray)
{
    Scene *scene = scene_new();
    StateHeader *header = scene->harness->chat->state.header;
    uint64_t pos;

    scene_say(scene, "before");
    TURN_UNTIL(scene, is_written(scene));
    pos = header->head;
    scene_say(scene, "not given");
    /* Where the room of that is, number 0, looks like a size: as if a gap began. */
    scene->server.remember.given = pos + offsetof(Entry, room) - offsetof(Entry, size);
    scene->server.remember.due = 0;
    scene_turn(scene);
    ck_assert_uint_eq(scene->server.remember.given, header->head);
    scene_say(scene, "after");
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines"), 2);
    scene_forget(scene);
}
END_TEST

static const char MESSAGE_OF_BOB[] = "INSERT INTO messages VALUES(5, 1795348984000000, 'bob', 'bob', 0, 0, "
                                     "1001, 'fay', 'fay', 'the tea is ready')";

/* The archive says what it has for fay; nobody is there. */
static void begin_anew(Scene *scene, const char *sql)
{
    scene_close(scene);
    fixture_change(scene->world.fixture, sql);
    scene_open(scene);
}

static unsigned n_of(const char *text, const char *what)
{
    unsigned n = 0;

    while ((text = strstr(text, what)) != NULL) {
        text += strlen(what);
        n++;
    }
    return n;
}

/* Two connections of a person wait for what is kept while somebody else has the file, and another process
 * goes on: they are told once. */
START_TEST(test_told_once)
{
    Scene *scene = scene_new();
    Client *one, *two;

    scene_say(scene, "hello");
    TURN_UNTIL(scene, is_written(scene));
    begin_anew(scene, MESSAGE_OF_BOB);
    scene_say(scene, "hello");
    TURN_UNTIL(scene, is_written(scene));
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    scene_say(scene, "hello");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    one = client_account(scene->harness, "fay", 1001);
    two = client_account(scene->harness, "fay", 1001);
    scene_turn(scene);
    scene_turn(scene);
    ck_assert_ptr_null(strstr(client_take(one), "the tea is ready"));
    (void) client_take(two);

    remember_close(&scene->server, false);
    harness_survive(scene->harness);
    scene_serve(scene, true);
    neighbour_does(&scene->world, "ROLLBACK");
    TURN_UNTIL(scene, is_written(scene) && scene->harness->chat->n_expecting == 0);
    scene_turn(scene);
    ck_assert_uint_eq(n_of(client_take(one), "the tea is ready"), 1);
    ck_assert_uint_eq(n_of(client_take(two), "the tea is ready"), 1);
    scene_free(scene);
}
END_TEST

/* The one for which it was asked goes before the answer comes. What is kept stays, also when all that is
 * known is noted meanwhile, and the other one is told. */
START_TEST(test_first_goes)
{
    Scene *scene = scene_new();
    Client *fay = client_account(scene->harness, "fay", 1001), *two;

    TURN_UNTIL(scene, scene->harness->chat->n_expecting == 0);
    client_say(scene->harness, fay, "/ignore mallory");
    TURN_UNTIL(scene, is_written(scene));
    begin_anew(scene, MESSAGE_OF_BOB);
    fay = client_account(scene->harness, "fay", 1001);
    two = client_account(scene->harness, "fay", 1001);
    noting_begin(&scene->server);
    noting_go_on(&scene->server);
    client_break(scene->harness, fay);
    TURN_UNTIL(scene, is_written(scene) && scene->harness->chat->n_expecting == 0);
    scene_turn(scene);
    ck_assert_uint_eq(n_of(client_take(two), "the tea is ready"), 1);
    client_say(scene->harness, two, "/set bell on");
    client_say(scene->harness, two, "/ignore");
    ck_assert_ptr_nonnull(strstr(client_take(two), "You ignore mallory.\n"));
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    ck_assert_int_gt(number_in_file(scene, "SELECT length(ignored) FROM settings"), 0);
    scene_forget(scene);
}
END_TEST

/* Whom she ignores fay does not read again: not when she comes back, nor in the archive. */
START_TEST(test_ignored)
{
    static const char *const LINES[] = {"/history today", "/history 200", "/search words"};
    Scene *scene = scene_new();
    Client *fay = scene_account(scene, "fay", 1001), *bob = client_named(scene->harness, "bob");
    const char *heard;

    (void) scene_hear(scene, fay, "/ignore bob");
    scene_say(scene, "words of alice");
    client_say(scene->harness, bob, "words of bob");
    client_say(scene->harness, fay, "/quit");
    TURN_UNTIL(scene, is_written(scene));
    begin_anew(scene, "");
    ck_assert_ptr_nonnull(strstr(client_take(scene_account(scene, "otto", 1002)), "words of bob"));
    fay = scene_account(scene, "fay", 1001);
    heard = client_take(fay);
    ck_assert_ptr_nonnull(strstr(heard, "words of alice"));
    ck_assert_ptr_null(strstr(heard, "words of bob"));
    for (size_t i = 0; i < N_ELEMENTS(LINES); i++) {
        heard = scene_hear(scene, fay, LINES[i]);
        ck_assert_msg(strstr(heard, "words of alice") != NULL && strstr(heard, "words of bob") == NULL,
                      "%s: %s", LINES[i], heard);
    }
    scene_free(scene);
}
END_TEST

/* A message in a file that was tampered with, longer than one may be, is cut between characters: the next
 * process takes the state. */
START_TEST(test_long_message)
{
    Scene *scene = scene_new();
    Client *fay;

    scene_say(scene, "hello");
    TURN_UNTIL(scene, is_written(scene));
    begin_anew(scene,
               "INSERT INTO messages VALUES(5, 1795348984000000, 'bob', 'bob', 0, 0, 1001, 'fay', 'fay',"
               " replace(printf('%1999s', ''), ' ', 'a') || char(233, 233))");
    fay = client_account(scene->harness, "fay", 1001);
    TURN_UNTIL(scene, scene->harness->chat->n_expecting == 0);
    scene_turn(scene);
    ck_assert_ptr_nonnull(strstr(client_take(fay), "aaa\n"));
    TURN_UNTIL(scene, is_written(scene));
    remember_close(&scene->server, false);
    ck_assert(harness_adopt(scene->harness, harness_dup(scene->harness)));
    scene_serve(scene, true);
    scene_free(scene);
}
END_TEST

/* fay comes while the archive is off, which is turned on after that: what she had set is in force, and what
 * was left for her is told. What she sets while it is off again stays. */
START_TEST(test_came_while_off)
{
    Scene *scene = scene_new();
    Client *fay = client_account(scene->harness, "fay", 1001);

    TURN_UNTIL(scene, scene->harness->chat->n_expecting == 0);
    client_say(scene->harness, fay, "/set bell on\n/ignore mallory\n/ignore trudy");
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    fixture_change(scene->world.fixture, MESSAGE_OF_BOB);
    scene_begin(scene, NULL, false);
    fay = client_account(scene->harness, "fay", 1001);
    for (unsigned i = 0; i < 3; i++)
        scene_turn(scene);
    client_say(scene->harness, fay, "/ignore walter");
    scene_reload(scene, true);
    TURN_UNTIL(scene, is_written(scene) && scene->harness->chat->n_expecting == 0);
    scene_turn(scene);
    ck_assert_uint_eq(n_of(client_take(fay), "the tea is ready"), 1);
    client_say(scene->harness, fay, "/ignore\n/set");
    ck_assert_str_eq(client_take(fay), "-- You ignore walter, mallory, trudy.\n"
                                       "-- time on, bell on, color off, joins on, mark unicode.\n");

    scene_reload(scene, false);
    client_say(scene->harness, fay, "/ignore mallory\n/set bell off");
    TURN_UNTIL(scene, scene->server.remember.ending == NULL);
    scene_reload(scene, true);
    TURN_UNTIL(scene, is_written(scene) && scene->harness->chat->n_expecting == 0);
    remember_close(&scene->server, false);
    harness_survive(scene->harness);
    scene_serve(scene, true);
    TURN_UNTIL(scene, is_written(scene) && scene->harness->chat->n_expecting == 0);
    begin_anew(scene, "");
    fay = client_account(scene->harness, "fay", 1001);
    TURN_UNTIL(scene, scene->harness->chat->n_expecting == 0);
    (void) client_take(fay);
    client_say(scene->harness, fay, "/ignore\n/set");
    ck_assert_str_eq(client_take(fay), "-- You ignore walter, trudy.\n"
                                       "-- time on, bell off, color off, joins on, mark unicode.\n");
    scene_free(scene);
}
END_TEST

/* Nothing is due while somebody has the file, but to try again. */
START_TEST(test_rest_in_trouble)
{
    Scene *scene = scene_new();
    uint64_t until;

    scene_say(scene, "before");
    TURN_UNTIL(scene, is_written(scene));
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    scene_say(scene, "one");
    TURN_UNTIL(scene, scene->server.remember.due < UINT64_MAX);
    scene_ask(scene, &(Recall){.kind = RECALL_SEEN, .nick = fixture_key("bea")}, NULL);
    scene_say(scene, "two");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    until = clock_monotonic() + 2 * USEC_PER_SEC;
    while (clock_monotonic() < until) {
        scene_turn(scene);
        if (!scene->server.remember.status.is_open)
            ck_assert_uint_gt(remember_due(&scene->server), scene->harness->chat->now);
    }
    neighbour_does(&scene->world, "ROLLBACK");
    TURN_UNTIL(scene, is_written(scene));
    scene_free(scene);
}
END_TEST

static void fill_queue(Core *core, bool is_full)
{
    (void) pthread_mutex_lock(&core->lock);
    core->n_bytes += is_full ? (size_t) ARCHIVIST_QUEUE_BYTES : -(size_t) ARCHIVIST_QUEUE_BYTES;
    (void) pthread_mutex_unlock(&core->lock);
}

/* What was refused before a trouble is given after it. */
START_TEST(test_refused)
{
    Scene *scene = scene_new();
    Remember *remember = &scene->server.remember;

    TURN_UNTIL(scene, is_written(scene));
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    scene_say(scene, "one");
    giving_run(&scene->server);
    fill_queue(remember->archivist->core, true);
    scene_say(scene, "two");
    giving_run(&scene->server);
    ck_assert(remember->is_refused);
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    fill_queue(remember->archivist->core, false);
    neighbour_does(&scene->world, "ROLLBACK");
    TURN_UNTIL(scene, remember_trouble(&scene->server) == NULL);
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines"), 2);
    scene_forget(scene);
}
END_TEST

/* While it can be given nothing it is not told anew, again and again, what is the case. */
START_TEST(test_refused_for_long)
{
    Scene *scene = scene_new();
    const StateHeader *header = scene->harness->chat->state.header;
    Remember *remember = &scene->server.remember;

    TURN_UNTIL(scene, is_written(scene));
    fill_queue(remember->archivist->core, true);
    while (header->tail <= remember->given)
        client_say(scene->harness, scene->alice, "on and on");
    for (unsigned i = 0; i < 3; i++) {
        giving_run(&scene->server);
        ck_assert(remember->is_refused);
        ck_assert(!header->is_noting);
    }
    fill_queue(remember->archivist->core, false);
    giving_run(&scene->server);
    ck_assert(header->is_noting);
    TURN_UNTIL(scene, is_written(scene) && !header->is_noting);
    scene_free(scene);
}
END_TEST

/* What could not be read is not tried for ever. */
START_TEST(test_given_up)
{
    Scene *scene = scene_new();

    TURN_UNTIL(scene, is_written(scene));
    scene->server.remember.next_try = 1;
    ck_assert_uint_gt(remember_due(&scene->server), scene->harness->chat->now);
    scene->harness->chat->state.header->archive.recalled = PAST_UNKNOWN;
    ck_assert_uint_eq(remember_due(&scene->server), 1);
    scene->server.remember.status.is_open = false;
    ck_assert_uint_gt(remember_due(&scene->server), 1);
    scene_free(scene);
}
END_TEST

UNIT_MAIN("remember", test_mail, test_person, test_person_in_trouble, test_removed, test_off_and_on,
          test_off_while_locked, test_rules_unread, test_astray, test_told_once, test_first_goes,
          test_long_message, test_came_while_off, test_ignored, test_rest_in_trouble, test_refused,
          test_refused_for_long, test_given_up)
