/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The first moments of a process: what an earlier service left is not lost by a death there, and signals that
 * come early are heard. */

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "daemon/scenario.h"

/* The lobby's topic and history, which an end for good left, outlive a death at that point. */
static bool history_outlives(unsigned point)
{
    Daemon *daemon = daemon_start(.program = DAEMON_FAULTY, .config = CRASH_CONFIG, .crash_at = {0, point});
    Client *alice = client_connect_as(daemon, "alice"), *next;
    bool dies;

    suite_note("history, dies at point %u", point);
    client_say(alice, "/topic the weekend");
    client_say(alice, "who brings the cake?");
    client_sync(alice);
    client_close(alice);
    daemon_end(daemon);
    daemon->options.may_end = true;
    daemon_start_again(daemon);
    dies = !daemon_comes_to_rest(daemon);
    if (!dies)
        daemon_kill(daemon);
    daemon->options.may_end = false;
    daemon_start_again(daemon);
    next = client_open(daemon, .listener = 0);
    client_expect_greeting(next);
    client_expect_next(next, "-- Topic of #lobby: the weekend");
    client_expect_next(next, "[{time}] <alice> who brings the cake?");
    client_expect_nothing(next);
    daemon_stop(daemon);
    return dies;
}

START_TEST(history_outlives_a_death_at_the_start)
{
    unsigned n = 1;

    while (history_outlives(n))
        n += crash_stride();
    ck_assert_uint_gt(n, 1);
    (void) fprintf(stderr, "history: died at %u crash points\n", (n - 1) / crash_stride());
}
END_TEST

/* Whichever signal comes before the loop begins means what it means later. */
static void get_early(int signal, unsigned point, int code)
{
    Daemon *daemon = daemon_start(.program = DAEMON_FAULTY, .config = CRASH_CONFIG, .crash_at = {0, point},
                                  .crash_signal = signal);
    Client *alice, *bob;

    suite_note("signal %d at point %u", signal, point);
    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    daemon_expect_sleep(daemon);
    daemon_kill(daemon);
    daemon->options.may_end = true;
    daemon_start_again(daemon);
    if (code >= 0) {
        daemon_expect_exit(daemon, code);
        daemon->options.may_end = false;
        if (code != 0)
            daemon_start_again(daemon);
    } else {
        (void) daemon_expect_notify(daemon, "READY=1");
    }
    if (code == 0) {
        client_expect_next(alice, "-- The service is being stopped. Goodbye.");
        client_expect_eof(alice);
        daemon_free(daemon);
        return;
    }
    client_say(alice, "still here?");
    client_expect_next(bob, "[{time}] <alice> still here?");
    client_expect_nothing(alice);
    daemon_stop(daemon);
}

START_TEST(signals_before_the_loop)
{
    enum { N_POINTS = 12 }; /* of which a recovery with two people has more */

    for (unsigned point = 1; point <= N_POINTS; point += crash_stride()) {
        get_early(SIGTERM, point, EXIT_LEFT_TO_NEXT);
        get_early(SIGHUP, point, -1);
        get_early(SIGINT, point, 0);
    }
}
END_TEST

SUITE_MAIN("crash-start", {history_outlives_a_death_at_the_start, 120}, {signals_before_the_loop, 120})
