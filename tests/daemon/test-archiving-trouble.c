/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * The daemon with an archive that can not be written, or takes its time: the chat goes on as if nothing were
 * wrong, it is told where it is to be told, and nothing is missing afterwards but what is counted.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/archiving.h"
#include "lib/proc.h"

/* Bytes that any file of the daemon may have from now on. */
static void limit_files(Daemon *daemon, rlim_t n_bytes)
{
    const struct rlimit limit = {.rlim_cur = n_bytes, .rlim_max = RLIM_INFINITY};

    ck_assert_int_eq(prlimit(daemon->pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

/* From now on nothing more can be written. */
static void fill_disk(Daemon *daemon, Client *alice)
{
    expect_archived(alice);
    limit_files(daemon, 4096);
}

/* Somebody else has the file, between two things that are said. */
static sqlite3 *lock(Daemon *daemon, Client *alice, Buffer *said)
{
    sqlite3 *other;

    say(alice, said, 3, 10);
    other = past_open(daemon);
    past_do(other, "BEGIN EXCLUSIVE");
    say(alice, said, 3, 10);
    return other;
}

static void unlock(sqlite3 *other)
{
    past_do(other, "COMMIT");
    past_close(other);
}

/* It waits, and does not go round and round. */
static void expect_idle(Daemon *daemon, double seconds)
{
    uint64_t before = proc_cpu_usec(daemon->pid);

    daemon_expect_running_for(daemon, seconds);
    ck_assert_uint_lt(proc_cpu_usec(daemon->pid) - before,
                      (uint64_t) (0.2 * seconds * deadline_scale() * USEC_PER_SEC));
}

/* The disk is full for some seconds. */
START_TEST(full)
{
    Daemon *daemon = daemon_start(.has_archive = true);
    Client *alice = client_connect_as(daemon, "alice");
    Buffer said = {0};

    say(alice, &said, 3, 10);
    fill_disk(daemon, alice);
    say(alice, &said, 40, 1000);
    daemon_expect_log(daemon, STOPPED);
    (void) daemon_expect_notify(daemon, "STATUS={any}; nothing is archived: {any}");
    expect_quick(alice);
    say(alice, &said, 3, 10);
    expect_idle(daemon, 4);
    ck_assert_uint_eq(daemon_count_log(daemon, STOPPED), 1);
    limit_files(daemon, RLIM_INFINITY);
    daemon_expect_log(daemon, "The archive goes on.");
    say(alice, &said, 1, 10);
    daemon_end(daemon);
    past_expect(daemon, buffer_text(&said));
    ck_assert_int_eq(past_number(daemon, "SELECT count(*) FROM gaps"), 0);
    ck_assert_uint_eq(daemon_count_log(daemon, STOPPED), 1);
    buffer_done(&said);
    daemon_free(daemon);
}
END_TEST

/* For longer than the transcript remembers: each line is there, or counted. */
START_TEST(full_for_long)
{
    enum { N = 500 };
    Daemon *daemon = daemon_start(.has_archive = true, .config = SMALL);
    Client *alice = client_connect_as(daemon, "alice");
    Buffer said = {0};
    int64_t n_there, n_missing;

    say(alice, &said, 3, 10);
    fill_disk(daemon, alice);
    say(alice, &said, N, 1500);
    daemon_expect_log(daemon, STOPPED);
    expect_quick(alice);
    /* The next process knows as well what is missing. */
    daemon_revive(daemon);
    say(alice, &said, 2, 10);
    daemon_end(daemon);
    n_there = past_number(daemon, "SELECT count(*) FROM lines");
    n_missing = past_number(daemon, "SELECT sum(n) FROM gaps");
    ck_assert_int_eq(n_there + n_missing, 3 + N + 2);
    ck_assert_int_gt(n_missing, N / 2);
    ck_assert_int_lt(n_missing, N);
    ck_assert_int_eq(past_number(daemon, "SELECT count(*) FROM gaps"), 1);
    buffer_done(&said);
    daemon_free(daemon);
}
END_TEST

/* What operators do meanwhile is known afterwards, although nobody could write it down then. */
START_TEST(full_with_bans)
{
    Daemon *daemon = daemon_start(.has_archive = true, .config = daemon_config_operators(SMALL), LISTENERS);
    Client *alice = client_connect_as(daemon, "alice"), *root = client_open(daemon, .listener = LOCAL);
    Buffer said = {0};

    client_expect(root, "-- Welcome to {any}");
    client_say(root, "/ban 127.0.0.2");
    client_say(root, "/ban 127.0.0.3");
    client_expect(root, "-- 127.0.0.3 is banned; that is number 2 of /bans.");
    client_say(root, "/seen nobody");
    client_expect(root, "-- Nobody called nobody has been seen.");
    limit_files(daemon, 4096);
    client_say(root, "/unban 1");
    client_say(root, "/ban 127.0.0.4");
    client_expect(root, "-- 127.0.0.4 is banned; that is number 3 of /bans.");
    say(alice, &said, 500, 1500);
    daemon_expect_log(daemon, STOPPED);
    limit_files(daemon, RLIM_INFINITY);
    daemon_expect_log(daemon, "The archive goes on.");
    daemon_end(daemon);
    ck_assert_int_gt(past_number(daemon, "SELECT sum(n) FROM gaps"), 0);
    ck_assert_int_eq(past_number(daemon, "SELECT count(*) FROM rules"), 2);
    ck_assert_int_eq(past_number(daemon, "SELECT count(*) FROM rules WHERE id IN (2, 3)"), 2);
    buffer_done(&said);
    daemon_free(daemon);
}
END_TEST

/* It is full until the end, which does not wait for ever, and says what is missing. */
START_TEST(full_at_the_end)
{
    Daemon *daemon = daemon_start(.has_archive = true, .no_runtime_directory = true);
    Client *alice = client_connect_as(daemon, "alice");
    Buffer said = {0};

    fill_disk(daemon, alice);
    say(alice, &said, 7, 1000);
    daemon_end(daemon);
    daemon_expect_log(daemon, "could not be archived: 7 at most are missing");
    buffer_done(&said);
    daemon_free(daemon);
}
END_TEST

/* By another process, for some seconds. */
START_TEST(locked)
{
    Daemon *daemon = daemon_start(.has_archive = true);
    Client *alice = client_connect_as(daemon, "alice");
    Buffer said = {0};
    sqlite3 *other;

    other = lock(daemon, alice, &said);
    daemon_expect_log(daemon, STOPPED);
    expect_quick(alice);
    expect_idle(daemon, 2.5);
    unlock(other);
    daemon_expect_log(daemon, "The archive goes on.");
    daemon_end(daemon);
    past_expect(daemon, buffer_text(&said));
    ck_assert_uint_eq(daemon_count_log(daemon, STOPPED), 1);
    buffer_done(&said);
    daemon_free(daemon);
}
END_TEST

/* While the service ends, somebody has the file for a moment. */
START_TEST(locked_at_the_end)
{
    Daemon *daemon = daemon_start(.has_archive = true);
    Client *alice = client_connect_as(daemon, "alice");
    Buffer said = {0};
    sqlite3 *other;

    other = lock(daemon, alice, &said);
    daemon_ask_to_stop(daemon);
    daemon_expect_running_for(daemon, 1);
    unlock(other);
    daemon_expect_exit(daemon, 0);
    past_expect(daemon, buffer_text(&said));
    buffer_done(&said);
    daemon_free(daemon);
}
END_TEST

/* While it is, it is turned off and on: nobody waits for that, and what was said before is counted as
 * missing. */
START_TEST(locked_and_reloaded)
{
    Daemon *daemon = daemon_start(.has_archive = true);
    Client *alice = client_connect_as(daemon, "alice");
    Buffer said = {0};
    uint64_t before;
    sqlite3 *other;

    say(alice, &said, 3, 10);
    expect_archived(alice);
    other = past_open(daemon);
    past_do(other, "BEGIN EXCLUSIVE");
    say(alice, &said, 3, 10);
    before = now_usec();
    daemon_write_file(daemon, "chatd.conf", DAEMON_CONFIG "[Archive]\nEnabled=no\n");
    daemon_reload(daemon);
    expect_quick(alice);
    daemon_write_file(daemon, "chatd.conf", DAEMON_CONFIG);
    daemon_reload(daemon);
    expect_quick(alice);
    ck_assert_uint_lt(now_usec() - before, (uint64_t) (2 * deadline_scale() * USEC_PER_SEC));
    say(alice, &said, 3, 10);
    daemon_expect_log(daemon, "The last lines that were said could not be archived: 3 at most are missing.");
    daemon_expect_log(daemon, STOPPED);
    unlock(other);
    daemon_expect_log(daemon, "The archive goes on.");
    daemon_end(daemon);
    ck_assert_int_eq(past_number(daemon, "SELECT count(*) FROM lines"), 6);
    ck_assert_int_eq(past_number(daemon, "SELECT count(*) FROM gaps"), 0);
    buffer_done(&said);
    daemon_free(daemon);
}
END_TEST

/* Who waits for an answer when it is turned off hears that, and is listened to. */
START_TEST(locked_and_turned_off)
{
    Daemon *daemon = daemon_start(.has_archive = true);
    Client *alice = client_connect_as(daemon, "alice"), *bob = client_connect_as(daemon, "bob");
    Buffer said = {0};
    sqlite3 *other;

    client_sync(alice);
    other = lock(daemon, alice, &said);
    client_say(alice, "/search words");
    client_sync(bob);
    daemon_write_file(daemon, "chatd.conf", DAEMON_CONFIG "[Archive]\nEnabled=no\n");
    daemon_reload(daemon);
    client_expect(alice, "!! What is said is not archived here.");
    unlock(other);
    buffer_done(&said);
    daemon_stop(daemon);
}
END_TEST

/* From the start and for everybody: people are let in after a while, and know nothing of the past. */
static void hang(Daemon *daemon, sqlite3 **ret_other)
{
    daemon_end(daemon);
    daemon_close_clients(daemon);
    *ret_other = past_open(daemon);
    past_do(*ret_other, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE t(x); DROP TABLE t");
    daemon_start_again(daemon);
}

/* What one had set is not known. It is waited for, and not for ever; what one sets then is in force, and what
 * one had set comes later. */
START_TEST(hanging_with_settings)
{
    Daemon *daemon = daemon_start(LISTENERS, .has_archive = true);
    Client *self = self_connect(daemon, LOCAL), *second;
    sqlite3 *other;
    uint64_t before;
    char *text;

    client_say(self, "/ignore mallory");
    client_expect(self, "-- You ignore mallory now.{any}");
    hang(daemon, &other);
    self = client_open(daemon, .listener = LOCAL);
    before = now_usec();
    client_send_text(self, "/set bell on\n");
    second = self_connect(daemon, LOCAL);
    client_expect(self, "-- bell is on now.");
    ck_assert_uint_gt(now_usec() - before, 3 * USEC_PER_SEC);
    client_say(self, "/ignore");
    client_expect(self, "-- You ignore nobody.");
    expect_idle(daemon, 1);
    client_close(self);
    unlock(other);
    daemon_expect_log(daemon, "The archive goes on.");
    while (strstr(text = client_ask(second, "/ignore"), "You ignore mallory.") == NULL) {
        free(text);
        daemon_expect_running_for(daemon, 0.05);
    }
    free(text);
    client_say(second, "/set color on");
    client_sync(second);
    daemon_end(daemon);
    ck_assert_int_eq(past_number(daemon, "SELECT bits FROM settings"), 15);
    ck_assert_int_gt(past_number(daemon, "SELECT length(ignored) FROM settings"), 0);
    daemon_free(daemon);
}
END_TEST

START_TEST(hanging)
{
    Daemon *daemon = daemon_start(.has_archive = true, .no_runtime_directory = true,
                                  .config = daemon_config_operators(DAEMON_CONFIG), LISTENERS);
    Client *alice = client_connect_as(daemon, "alice"), *root, *banned;
    Buffer said = {0};
    uint64_t before;
    sqlite3 *other;

    say(alice, &said, 2, 10);
    root = self_connect(daemon, LOCAL);
    client_say(root, "/ban 127.0.0.2");
    client_expect(root, "-- 127.0.0.2 is banned; {any}");
    before = now_usec();
    hang(daemon, &other);
    banned = client_open(daemon, .from = "127.0.0.2");
    client_expect_next(banned, "-- Welcome to {any}");
    ck_assert_uint_lt(now_usec() - before, (uint64_t) (4 * deadline_scale() * USEC_PER_SEC));
    alice = client_connect_as(daemon, "alice");
    say(alice, &said, 2, 10);
    (void) daemon_expect_notify(daemon, "STATUS={any}; nothing is archived: {any}");
    expect_idle(daemon, 3);
    unlock(other);
    client_expect(banned, "!! You are banned.");
    client_expect_eof(banned);
    root = self_connect(daemon, LOCAL);
    client_say(root, "/ban 127.0.0.3");
    client_expect(root, "-- 127.0.0.3 is banned; that is number 2 of /bans.");
    daemon_end(daemon);
    past_expect(daemon, buffer_text(&said));
    ck_assert_int_eq(past_number(daemon, "SELECT count(*) FROM rules"), 2);
    buffer_done(&said);
    daemon_free(daemon);
}
END_TEST

/* Somebody has the file when the service begins: what is kept of rooms is not known, and nobody is told of
 * what was said in one that was locked, nor gets it. */
START_TEST(hanging_with_a_locked_room)
{
    Daemon *daemon = daemon_start(.has_archive = true, .no_runtime_directory = true,
                                  .config = daemon_config_operators(DAEMON_CONFIG), LISTENERS);
    Client *root = client_open(daemon, .listener = LOCAL), *alice;
    sqlite3 *other;

    client_expect(root, "-- Welcome to {any}");
    client_say(root, "/join #den");
    client_say(root, "/lock");
    client_say(root, "the code is swordfish");
    client_say(root, "/search swordfish");
    client_expect(root, "-- {any} the code is swordfish");
    daemon_end(daemon);
    daemon_close_clients(daemon);
    other = past_open(daemon);
    past_do(other, "BEGIN IMMEDIATE");
    daemon_start_again(daemon);
    alice = client_connect_as(daemon, "alice");
    client_say(alice, "/search swordfish");
    client_expect_next(alice, "-- Nothing like that was said.");
    client_say(alice, "/join #den");
    client_expect_next(alice, "-- You are in #den now, alone.");
    client_say(alice, "/history 20");
    client_expect_next(alice, "-- Nothing is remembered of #den.");
    past_do(other, "COMMIT");
    past_close(other);
    client_expect_next(alice, "-- #den is locked. You are in #lobby now.");
    client_say(alice, "/join #den");
    client_expect_next(alice, "!! #den is locked: {any}");
    client_say(alice, "/search swordfish");
    client_expect_next(alice, "-- Nothing like that was said.");
    root = client_open(daemon, .listener = LOCAL);
    client_expect(root, "-- Welcome to {any}");
    client_say(root, "/join #den");
    client_expect(root, "[{time}] <{word}> the code is swordfish");
    daemon_stop(daemon);
}
END_TEST

/* An unlocked room keeps what was said, and its topic; a closed one does not. */
START_TEST(unlocked)
{
    Daemon *daemon =
        daemon_start(.has_archive = true, .config = daemon_config_operators(DAEMON_CONFIG), LISTENERS);
    Client *root = client_open(daemon, .listener = LOCAL);

    client_expect(root, "-- Welcome to {any}");
    client_say(root, "/join #den");
    client_say(root, "/topic roses");
    client_say(root, "before");
    client_say(root, "/lock");
    client_say(root, "within");
    client_say(root, "/lock off");
    client_say(root, "/seen nobody");
    client_expect(root, "-- Nobody called nobody has been seen.");
    ck_assert_int_eq(past_number(daemon, "SELECT count(*) FROM lines"), 2);
    ck_assert_int_eq(past_number(daemon, "SELECT count(*) FROM rooms WHERE topic = 'roses' AND flags = 0"),
                     1);
    client_say(root, "/lock");
    client_say(root, "/close");
    client_expect(root, "-- #den is closed. {any}");
    client_say(root, "/seen nobody");
    client_expect(root, "-- Nobody called nobody has been seen.");
    ck_assert_int_eq(past_number(daemon, "SELECT count(*) FROM lines"), 0);
    ck_assert_int_eq(past_number(daemon, "SELECT count(*) FROM rooms WHERE topic IS NOT NULL"), 0);
    daemon_stop(daemon);
}
END_TEST

/* Whoever asked has gone when there is no answer in time: nothing goes round and round for them. */
START_TEST(asker_gone)
{
    Daemon *daemon = daemon_start(.has_archive = true);
    Client *alice = client_connect_as(daemon, "alice"), *bob;
    sqlite3 *other;

    hang(daemon, &other);
    alice = client_connect_as(daemon, "alice");
    bob = client_connect_as(daemon, "bob");
    client_say(bob, "/search tea");
    client_sync(alice);
    client_reset(bob);
    client_sync(alice);
    daemon_expect_running_for(daemon, 5);
    expect_idle(daemon, 1);
    client_say(alice, "/search tea");
    client_expect(alice, "!! {any}. Please try again later.");
    unlock(other);
    daemon_stop(daemon);
}
END_TEST

/* The folder is not there, or may not be written. */
START_TEST(no_folder)
{
    Daemon *daemon = daemon_start(.has_archive = true, .env = {"STATE_DIRECTORY=/proc/absent"});
    Client *alice = client_connect_as(daemon, "alice");

    daemon_expect_log(daemon, STOPPED);
    (void) daemon_expect_notify(daemon, "STATUS={any}; nothing is archived: {any}");
    client_say(alice, "hello");
    client_sync(alice);
    expect_quick(alice);
    expect_idle(daemon, 3);
    client_say(alice, "/search hello");
    client_expect(alice, "!! {any}. Please try again later.");
    client_say(alice, "/join #garden");
    client_expect(alice, "-- You are in #garden now, alone.");
    ck_assert_uint_eq(daemon_count_log(daemon, STOPPED), 1);
    daemon_end(daemon);
    ck_assert_uint_eq(daemon_count_log(daemon, "could not be archived: 1 at most"), 1);
    daemon_free(daemon);
}
END_TEST

SUITE_MAIN("archiving-trouble", {full, 0}, {full_for_long, 0}, {full_with_bans, 0}, {full_at_the_end, 0},
           {locked, 0}, {locked_at_the_end, 0}, {locked_and_reloaded, 0}, {hanging, 0},
           {hanging_with_settings, 0}, {locked_and_turned_off, 0}, {hanging_with_a_locked_room, 0},
           {unlocked, 0}, {asker_gone, 0}, {no_folder, 0})
