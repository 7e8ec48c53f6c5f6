/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Deaths at each point while the archive is written: each line is in it afterwards, once, and in order. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/scenario.h"
#include "lib/past.h"
#include "lib/self.h"

static const ScriptStep talk[] = {
    COMES('a', TCP, {"a", WELCOME("a") "nobody else is here." HELP}),
    SENDS('a', "/nick alice\n", {"a", "-- You are now alice.\n"}),
    SENDS('a', "one\ntwo\n/topic ours\n", {"a", "-- The topic of #lobby is set.\n"}),
    /* Whoever asks has it written at once. */
    SENDS('a', "/seen bob\n", {"a", "-- Nobody called bob has been seen.\n"}),
    SENDS('a', "three\n/me four\n"),
    SENDS('a', "/seen carol\n", {"a", "-- Nobody called carol has been seen.\n"}),
    SENDS('a', "five\n"),
    ENDS("a"),
};

#define SAID "alice: one\nalice: two\nalice: three\n* alice four\n"

/* Whether it died. */
static bool run(unsigned first, unsigned second)
{
    DaemonOptions options = {.program = DAEMON_FAULTY,
                             .config = CRASH_CONFIG,
                             .has_archive = true,
                             .restarts = 4,
                             .crash_at = {first, second},
                             .listeners = {{.kind = LISTENER_TCP4}}};
    Daemon *daemon = daemon_start_with(&options);
    Script script;
    size_t n_deaths;

    suite_note("point %u, %u", first, second);
    script_play(&script, daemon, talk, N_ELEMENTS(talk));
    n_deaths = script_n_deaths(daemon);
    if (script.died_at_end) {
        daemon->options.crash_at[1] = 0;
        daemon_start_again(daemon);
        daemon_end(daemon);
    }
    /* Who dies while the service is being stopped leaves no state, so what is not written yet is lost. */
    past_expect(daemon, script.died_at_end && past_number(daemon, "SELECT count(*) FROM lines") == 4 ? SAID
                                                                                                     : SAID
                            "alice: five\n");
    ck_assert_int_eq(past_number(daemon, "SELECT count(*) FROM gaps"), 0);
    daemon_free(daemon);
    return n_deaths > 0;
}

START_TEST(at_every_point)
{
    unsigned n = 1;

    while (run(n, 0))
        n += crash_stride();
    ck_assert_uint_gt(n, 100);
    (void) fprintf(stderr, "died at %u crash points\n", n - 1);
}
END_TEST

START_TEST(twice)
{
    for (unsigned n = 40; n < 400; n += 37 * crash_stride())
        for (unsigned m = 1; m < 80; m += 7 * crash_stride())
            (void) run(n, m);
}
END_TEST

static void lock_den(Daemon *daemon)
{
    Client *founder = client_open(daemon, .listener = UNIX);

    client_expect(founder, "-- Welcome to {any}");
    client_say(founder, "/join #den\n/lock");
    client_expect(founder, "-- #den is locked: only who is invited {any}");
    client_say(founder, "/seen nobody");
    client_expect(founder, "-- Nobody called nobody has been seen.");
    daemon_end(daemon);
    daemon_close_clients(daemon);
}

#define WITHOUT_ARCHIVE CRASH_CONFIG "[Archive]\nEnabled=no\n"

enum { N_STRANGERS = 3 };

/* What is said in #den from now on these do not hear. */
static void expect_out(Daemon *daemon, Client *strangers[N_STRANGERS])
{
    Client *founder = client_open(daemon, .listener = UNIX);

    client_expect(founder, "-- Welcome to {any}");
    client_say(founder, "/join #den\nthe code is swordfish\n/quit");
    client_expect(founder, "-- Goodbye.");
    for (size_t i = 0; i < N_STRANGERS; i++) {
        client_say(strangers[i], "/leave #nowhere");
        client_expect_next(strangers[i], "!! {any}#nowhere{any}");
    }
}

static void move_archive(const Daemon *daemon, const char *from, const char *to)
{
    static const char *const PARTS[] = {"", "-wal", "-shm"};
    char old[PAST_PATH], new[PAST_PATH];

    for (size_t i = 0; i < N_ELEMENTS(PARTS); i++) {
        (void) snprintf(old, sizeof old, "%s/%s%s", daemon->state_directory, from, PARTS[i]);
        (void) snprintf(new, sizeof new, "%s/%s%s", daemon->state_directory, to, PARTS[i]);
        ck_assert(rename(old, new) == 0 || (i > 0 && errno == ENOENT));
    }
}

/* What the service begins with until its archive comes. */
typedef enum Until { UNTIL_NOTHING, UNTIL_OTHER_FILE } Until;

/* The service begins without its archive, or with another one in its place, and then a process goes on that
 * has it and dies at that point: the room that strangers are in turns out to be locked. */
static Daemon *begin_late(unsigned point, Until until, Client *strangers[N_STRANGERS])
{
    Daemon *daemon =
        daemon_start(.program = DAEMON_FAULTY, .config = CRASH_CONFIG, .has_archive = true,
                     .no_runtime_directory = true, .restarts = 6, .crash_at = {0, 0, point},
                     .listeners = {
                         [TCP] = {.kind = LISTENER_TCP4}, [UNIX] = {.kind = LISTENER_UNIX, .name = "local"}});

    suite_note("point %u", point);
    lock_den(daemon);
    if (until == UNTIL_NOTHING)
        daemon_write_file(daemon, "chatd.conf", WITHOUT_ARCHIVE);
    else
        move_archive(daemon, "archive.db", "late.db");
    daemon_start_again(daemon);
    for (size_t i = 0; i < N_STRANGERS; i++) {
        strangers[i] = client_open(daemon, .listener = TCP);
        client_expect_greeting(strangers[i]);
        client_say(strangers[i], "/set joins off\n/join #den");
        client_expect(strangers[i], "-- You are in #den now{any}");
    }
    if (until == UNTIL_OTHER_FILE) {
        client_say(strangers[0], "/seen nobody");
        client_expect_next(strangers[0], "-- Nobody called nobody has been seen.");
    }
    daemon_kill(daemon);
    daemon_write_file(daemon, "chatd.conf", CRASH_CONFIG);
    if (until == UNTIL_OTHER_FILE) {
        move_archive(daemon, "archive.db", "early.db");
        move_archive(daemon, "late.db", "archive.db");
    }
    daemon_start_again(daemon);
    return daemon;
}

/* Each of them is put out and told so, once. */
static bool put_out(unsigned point, Until until)
{
    Client *strangers[N_STRANGERS];
    Daemon *daemon = begin_late(point, until, strangers);
    size_t n_deaths;

    for (size_t i = 0; i < N_STRANGERS; i++)
        client_expect_next(strangers[i], "-- #den is locked. You are in #lobby now.");
    n_deaths = script_n_deaths(daemon);
    /* Or it is still to come to that point. */
    if (n_deaths == 1) {
        daemon_kill(daemon);
        daemon_start_again(daemon);
    }
    expect_out(daemon, strangers);
    daemon_stop(daemon);
    return n_deaths > 1;
}

static bool put_out_late(unsigned point)
{
    return put_out(point, UNTIL_NOTHING);
}

static bool put_out_swapped(unsigned point)
{
    return put_out(point, UNTIL_OTHER_FILE);
}

/* The process after that one has no archive again: if the room is locked by then, all are put out. */
static bool put_out_without(unsigned point)
{
    uint64_t deadline = deadline_in(SECONDS_TO_ANSWER);
    Client *strangers[N_STRANGERS];
    Daemon *daemon = begin_late(point, UNTIL_NOTHING, strangers);
    bool has_died;
    char *rooms;

    daemon_write_file(daemon, "chatd.conf", WITHOUT_ARCHIVE);
    while (script_n_deaths(daemon) == 1 && !client_receive(strangers[N_STRANGERS - 1])) {
        ck_assert_msg(now_usec() < deadline, "neither told nor dead");
        (void) daemon_turn(daemon, -1, 0, deadline_exactly_in(0.0002));
    }
    has_died = script_n_deaths(daemon) > 1;
    rooms = client_ask(strangers[0], "/rooms");
    ck_assert_msg(strstr(rooms, "locked") == NULL || strstr(rooms, "#den (0, locked)") != NULL, "%s", rooms);
    free(rooms);
    if (!has_died) {
        daemon_kill(daemon);
        daemon_start_again(daemon);
    }
    daemon_stop(daemon);
    return has_died;
}

static void at_each(bool (*dies_at)(unsigned point))
{
    unsigned n = 1;

    while (dies_at(n))
        n += crash_stride();
    ck_assert_uint_gt(n, 60);
    (void) fprintf(stderr, "died at %u crash points\n", n - 1);
}

START_TEST(late)
{
    at_each(put_out_late);
}
END_TEST

START_TEST(swapped)
{
    at_each(put_out_swapped);
}
END_TEST

START_TEST(late_and_without)
{
    at_each(put_out_without);
}
END_TEST

SUITE_MAIN("crash-archiving", {at_every_point, 600}, {twice, 300}, {late, 600}, {swapped, 600},
           {late_and_without, 600})
