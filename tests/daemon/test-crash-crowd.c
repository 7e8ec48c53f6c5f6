/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * Crash points where many come and go, so that dead entries are swept out of the vault; and where a reader is
 * so slow that lines are lost to it, which it is told exactly.
 */

#include <signal.h>
#include <stdio.h>

#include "daemon/scenario.h"
#include "lib/account.h"

/* One on a unix socket and one on TCP come, and go again, each in another way. */
#define VISIT                                                                                                \
    COMES('c', UNIX, {"c", WELCOME("c") "2 others are here." HELP}, {"ab", "-- {c} is here\n"}),             \
        COMES('d', TCP, {"d", WELCOME("d") "3 others are here." HELP}, {"abc", "-- {d} is here\n"}),         \
        QUITS('c', "/quit\n", {"c", "-- Goodbye.\n"}, {"abd", "-- {c} has left\n"}),                         \
        DOES(SCRIPT_CLOSE, 'd', {"ab", "-- {d} has left\n"})

/* Those who stay are in pairs that are given up under them. */
static const ScriptStep visits[] = {
    COMES('a', TCP, {"a", WELCOME("a") "nobody else is here." HELP}),
    COMES('b', UNIX, {"b", WELCOME("b") "1 other is here." HELP}, {"a", "-- {b} is here\n"}),
    VISIT,
    VISIT,
    VISIT,
    COMES('e', TCP, {"e", WELCOME("e") "2 others are here." HELP}, {"ab", "-- {e} is here\n"}),
    DOES(SCRIPT_CLOSE, 'e', {"ab", "-- {e} has left\n"}),
    VISIT,
    SENDS('b', "are we alone?\n", {"a", T "<{b}> are we alone?\n"}),
    ENDS("ab"),
};

START_TEST(while_people_come_and_go)
{
    CrashScenario scenario = SCENARIO(visits);

    scenario.is_sweeping = true;
    crash_everywhere(&scenario);
    crash_in_recovery(&scenario, 8);
}
END_TEST

enum {
    N_LINES = 400, /* with N_TEXT more than the transcript and a socket hold */
    N_TEXT = 1500,
    N_WINDOW = 4,
    N_POINTS = 60,
    SEND_BUFFER = 16 * 1024,
};

/* alice talks, bob keeps up, and two do not read until the end. The process that takes over when all are
 * there dies at that point. */
static bool lose_lines(_unused_ const void *userdata, unsigned crash_at)
{
    Daemon *daemon =
        daemon_start(.program = DAEMON_FAULTY, .restarts = 3, .crash_at = {0, crash_at},
                     .config = CRASH_CONFIG,
                     .listeners = {[TCP] = {.kind = LISTENER_TCP4},
                                   [UNIX] = {.kind = LISTENER_UNIX},
                                   [NARROW] = {.kind = LISTENER_TCP4, .send_buffer = SEND_BUFFER}});
    Client *alice, *bob, *slow, *uma;
    Account account;
    size_t n_deaths;

    suite_note("lines are lost, dies at point %u", crash_at);
    alice = client_connect_to(daemon, TCP, "alice");
    bob = client_connect_to(daemon, TCP, "bob");
    slow = client_small_buffers(daemon, .listener = NARROW);
    uma = client_open(daemon, .listener = UNIX);
    client_expect_greeting(slow);
    client_expect_greeting(uma);
    daemon_settle(daemon);
    daemon_expect_sleep(daemon);
    daemon_signal(daemon, SIGKILL);
    for (int i = 0; i < N_LINES + N_WINDOW; i++) {
        if (i < N_LINES)
            account_say(alice, i, N_TEXT);
        if (i >= N_WINDOW)
            account_expect(bob, "alice", i - N_WINDOW, N_TEXT);
    }
    client_expect_nothing(bob);
    ck_assert_int_gt(account_for(slow, N_LINES, N_TEXT, 0).n_skipped, 0);
    account = account_for(uma, N_LINES, N_TEXT, 1);
    ck_assert_int_gt(account.n_skipped, 0);
    n_deaths = script_n_deaths(daemon) - 1;
    ck_assert_uint_le((size_t) account.n_repeated, n_deaths);
    daemon_kill(daemon);
    daemon_free(daemon);
    return n_deaths > 0;
}

/* The points are too many to die at each. */
START_TEST(while_lines_are_lost)
{
    unsigned n_all = crash_count(lose_lines, NULL), n_runs = 0, n_points = MAX(N_POINTS / crash_stride(), 1U);

    for (unsigned i = 0; i < n_points; i++)
        n_runs += lose_lines(NULL, n_all / n_points * i + 1);
    (void) fprintf(stderr, "lines are lost: died at %u of about %u crash points\n", n_runs, n_all);
}
END_TEST

SUITE_MAIN("crash-crowd", {while_people_come_and_go, 300}, {while_lines_are_lost, 300})
