/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * Deaths while the next process takes over: at each point of that, once and twice, and also after a polite
 * restart. The third such death in a row is taken as a sign that the state itself is what kills.
 */

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/scenario.h"

/* Something of everything, in few steps. */
static const ScriptStep mixed[] = {
    THREE,
    SENDS('a', "/topic the weekend\nfirst\n", {"a", "-- The topic of #lobby is set.\n"},
          {"bu", "-- alice set the topic: the weekend\n" T "<alice> first\n"}),
    SENDS('b', "half "),
    SENDS('u', "and ha"),
    SENDS('a', "/join #garden\n/away a while\n",
          {"a", "-- You are in #garden now, alone.\n"
                "-- You are away. Whoever writes to you is told; /away says that you are back.\n"}),
    SENDS('b', "a line\n/msg alice psst\n", {"a", T "#lobby <bob> half a line\n" T "(private) <bob> psst\n"},
          {"u", T "<bob> half a line\n"}, {"b", "-- alice is away: a while\n"}),
    COMES('v', UNIX,
          {"v", WELCOME("v") "3 others are here." HELP "-- Topic of #lobby: the weekend\n" T
                             "<alice> first\n" T "<bob> half a line\n"},
          {"bu", "-- {v} is here\n"}, {"a", "-- #lobby: {v} is here\n"}),
    SENDS('u', "lf a line of uma's\n/ignore bob\n", {"a", T "#lobby <uma> and half a line of uma's\n"},
          {"bv", T "<uma> and half a line of uma's\n"},
          {"u", "-- You ignore bob now. The same command again ends it.\n"}),
    SENDS('b', "you can not hear me\n", {"a", T "#lobby <bob> you can not hear me\n"},
          {"v", T "<bob> you can not hear me\n"}),
    QUITS('b', "/quit\n", {"b", "-- Goodbye.\n"}, {"uv", "-- bob has left\n"},
          {"a", "-- #lobby: bob has left\n"}),
    DOES(SCRIPT_CLOSE, 'v', {"u", "-- {v} has left\n"}, {"a", "-- #lobby: {v} has left\n"}),
    SENDS('a', "/reply gone?\n/leave\n",
          {"a", "!! Whoever spoke to you in private last has left. Your line was not sent.\n"
                "-- You left #garden. You are in #lobby now, with 1 other.\n"}),
    ENDS("au"),
};

/* Between two polite restarts: with half a line, unread output, somebody who is away, and somebody who
 * leaves. */
static const ScriptStep polite[] = {
    THREE,
    SENDS('b', "half a "),
    DOES(SCRIPT_RESTART, '\0'),
    SENDS('b', "line\nand ", {"au", T "<bob> half a line\n"}),
    SENDS('u', "/away at lunch\nand ",
          {"u", "-- You are away. Whoever writes to you is told; /away says that you are back.\n"}),
    DOES(SCRIPT_RESTART, '\0'),
    SENDS('u', "on\n", {"ab", T "<uma> and on\n"}),
    QUITS('b', "another\n/msg uma x\n/quit\n", {"a", T "<bob> and another\n-- bob has left\n"},
          {"u", T "<bob> and another\n" T "(private) <bob> x\n-- bob has left\n"},
          {"b", "-- uma is away: at lunch\n-- Goodbye.\n"}),
    ENDS("au"),
};

START_TEST(in_recovery_once_and_twice)
{
    crash_in_recovery(&SCENARIO(mixed), 12);
}
END_TEST

/* The run that ends politely, the one after it, and the last one. */
START_TEST(around_polite_restarts)
{
    CrashScenario scenario = SCENARIO(polite);

    for (scenario.first_run = 0; scenario.first_run < 3; scenario.first_run++)
        crash_everywhere(&scenario);
}
END_TEST

static bool state_is_aside(const Daemon *daemon)
{
    char path[256];

    (void) snprintf(path, sizeof(path), "%s/state.broken", daemon->runtime_directory);
    return access(path, R_OK) == 0;
}

#define TWO_LISTENERS .listeners = {[TCP] = {.kind = LISTENER_TCP4}, [UNIX] = {.kind = LISTENER_UNIX}}

/* Two people, and the process is killed while nothing happens. */
static Daemon *daemon_that_dies(const DaemonOptions *options, Client **alice, Client **uma)
{
    Daemon *daemon = daemon_start_with(options);

    *alice = client_connect_to(daemon, TCP, "alice");
    *uma = client_connect_to(daemon, UNIX, "uma");
    daemon_settle(daemon);
    daemon_expect_sleep(daemon);
    daemon_signal(daemon, SIGKILL);
    return daemon;
}

static bool recovery_dies_at(_unused_ const void *userdata, unsigned point)
{
    Client *alice, *uma;
    Daemon *daemon = daemon_that_dies(&(DaemonOptions){.program = DAEMON_FAULTY,
                                                       .restarts = 2,
                                                       .config = CRASH_CONFIG,
                                                       TWO_LISTENERS,
                                                       .crash_at = {0, point}},
                                      &alice, &uma);
    bool is_in_recovery;

    client_sync(alice);
    is_in_recovery = daemon->n_ends > 1 && !daemon->ends[1].was_ready;
    daemon_kill(daemon);
    daemon_free(daemon);
    return is_in_recovery;
}

/* A point that every recovery of those two comes to, when it is well under way. */
static unsigned point_in_recovery(void)
{
    unsigned n = crash_count(recovery_dies_at, NULL);

    ck_assert_uint_gt(n, 4);
    return n * 3 / 4;
}

/* Three deaths in a row set the state aside, and two do not. */
static void die_recovering(unsigned n_deaths)
{
    unsigned point = point_in_recovery();
    Client *alice, *uma, *next;
    Daemon *daemon =
        daemon_that_dies(&(DaemonOptions){.program = DAEMON_FAULTY,
                                          .restarts = n_deaths + 1,
                                          .config = CRASH_CONFIG,
                                          TWO_LISTENERS,
                                          .crash_at = {0, point, point, n_deaths > 2 ? point : 0}},
                         &alice, &uma);

    suite_note("each at point %u", point);
    client_say(alice, "what now?");
    if (n_deaths > 2) {
        client_expect_next(alice, "!! {any}");
        client_expect_eof(alice);
        client_expect_next(uma, "!! {any}");
        client_expect_eof(uma);
        daemon_expect_log(daemon, "state.broken");
    } else {
        client_expect_next(uma, "[{time}] <alice> what now?");
        client_expect_nothing(alice);
    }
    ck_assert_uint_eq(script_n_deaths(daemon), n_deaths + 1);
    ck_assert(state_is_aside(daemon) == (n_deaths > 2));
    next = client_open(daemon, .listener = UNIX);
    client_expect_next(next,
                       n_deaths > 2 ? "-- Welcome to {any}nobody else is here.{any}" : "-- Welcome to {any}");
    client_become(next, n_deaths > 2 ? "alice" : "carol");
    /* What is counted is deaths in a row: now there is room for two more. */
    daemon->options.crash_at[daemon->n_runs] = daemon->options.crash_at[daemon->n_runs + 1] = point;
    daemon->options.restarts += 3;
    daemon_expect_sleep(daemon);
    daemon_signal(daemon, SIGKILL);
    client_say(next, "/version");
    client_expect(next, "-- chatd {any} {n} restart{any} survived.");
    daemon_stop(daemon);
}

START_TEST(two_deaths_in_recovery_are_survived)
{
    die_recovering(2);
}
END_TEST

START_TEST(three_deaths_in_recovery_set_the_state_aside)
{
    die_recovering(3);
}
END_TEST

SUITE_MAIN("crash-recovery", {in_recovery_once_and_twice, 300}, {around_polite_restarts, 300},
           {two_deaths_in_recovery_are_survived, 0}, {three_deaths_in_recovery_set_the_state_aside, 0})
