/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Signals during load, system calls that are interrupted, and the end of the service while people are
 * connected. */

#include <signal.h>
#include <string.h>

#include "lib/client.h"

/* Each line of alice's is heard once and in order, whatever signals come meanwhile. */
static void talk_under_signals(Daemon *daemon, const int *signals, size_t n_signals)
{
    enum { N_ROUNDS = 200, N_LINES = 10 };
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    for (int i = 0; i < N_ROUNDS; i++) {
        for (int k = 0; k < N_LINES; k++) {
            client_say(alice, "%d %d", i, k);
            if (k % 3 == 0)
                for (size_t s = 0; s < n_signals; s++)
                    daemon_signal(daemon, signals[s]);
        }
        for (int k = 0; k < N_LINES; k++)
            client_expect_next(bob, "[{time}] <alice> %d %d", i, k);
    }
    client_expect_nothing(bob);
    client_expect_nothing(alice);
}

/* After a stop and a continue, epoll_wait(2) and others are interrupted though nobody handles a signal:
 * signal(7). */
START_TEST(stopped_and_continued_under_load)
{
    static const int signals[] = {SIGSTOP, SIGCONT};
    Daemon *daemon = daemon_start();

    talk_under_signals(daemon, signals, N_ELEMENTS(signals));
    daemon_stop(daemon);
}
END_TEST

START_TEST(reloads_under_load)
{
    static const int signals[] = {SIGHUP};
    Daemon *daemon = daemon_start();

    talk_under_signals(daemon, signals, N_ELEMENTS(signals));
    ck_assert_uint_gt(notify_count(&daemon->notify, "RELOADING=1"), 0);
    daemon_stop(daemon);
}
END_TEST

START_TEST(signals_that_mean_nothing)
{
    static const int signals[] = {SIGCHLD, SIGWINCH, SIGCONT, SIGURG};
    Daemon *daemon = daemon_start();

    talk_under_signals(daemon, signals, N_ELEMENTS(signals));
    daemon_stop(daemon);
}
END_TEST

/* Stopping does not wait for clients: those who never read, those in mid-line, those who have half-closed. */
START_TEST(stop_while_people_are_connected)
{
    Daemon *daemon = daemon_start(.config = DAEMON_CONFIG "TranscriptSize=256K\n");
    Client *alice, *bob, *stuck, *half, *mid_line;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    stuck = client_small_buffers(daemon, .listener = 0);
    half = client_connect(daemon);
    mid_line = client_connect(daemon);
    client_send_text(mid_line, "half a li");
    for (int i = 0; i < 200; i++) {
        client_say(alice, "%d %s", i, run_of('x', 1500));
        client_expect(bob, "[{time}] <alice> %d {any}", i);
    }
    client_half_close(half);
    client_say(alice, "/set bell on");
    daemon_ask_to_stop(daemon);
    daemon_expect_exit(daemon, 0);
    while (client_take_line(bob) != NULL)
        continue;
    ck_assert(!client_is_silent(stuck));
    daemon_free(daemon);
}
END_TEST

/* What was said before the signal is heard. */
START_TEST(last_words_are_heard)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    for (int i = 0; i < 10; i++)
        client_say(alice, "line %d", i);
    client_sync(alice);
    daemon_ask_to_stop(daemon);
    for (int i = 0; i < 10; i++)
        client_expect_next(bob, "[{time}] <alice> line %d", i);
    daemon_expect_exit(daemon, 0);
    daemon_free(daemon);
}
END_TEST

START_TEST(stop_right_after_start)
{
    for (int i = 0; i < 10; i++)
        daemon_stop(daemon_start());
}
END_TEST

START_TEST(stop_with_a_thousand_connected)
{
    Daemon *daemon = daemon_start(.config = DAEMON_CONFIG "MaxClientsPerAddress=0\n");
    size_t n = MIN(load_of(1000), suite_n_files() / 2);

    for (size_t i = 0; i < n; i++)
        client_expect_greeting(client_open(daemon, .listener = 0));
    daemon_stop(daemon);
}
END_TEST

/* The listening sockets are the service manager's: they are neither shut down nor unlinked, and serve the
 * next start. */
START_TEST(sockets_outlive_the_service)
{
    Daemon *daemon = daemon_start(.listeners = {{.kind = LISTENER_TCP4}, {.kind = LISTENER_UNIX}});
    Client *waiting[2];

    client_expect_greeting(client_open(daemon, .listener = 0));
    client_expect_greeting(client_open(daemon, .listener = 1));
    daemon_ask_to_stop(daemon);
    daemon_expect_exit(daemon, 0);
    for (size_t i = 0; i < 2; i++) {
        waiting[i] = client_open(daemon, .listener = i);
        client_send_text(waiting[i], "anybody here?\n");
    }
    daemon_start_again(daemon);
    client_expect_greeting(waiting[0]);
    client_expect_greeting(waiting[1]);
    client_expect(waiting[0], "[{time}] <guest{n}> anybody here?");
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("signals", {stopped_and_continued_under_load, 0}, {reloads_under_load, 0},
           {signals_that_mean_nothing, 0}, {stop_while_people_are_connected, 0}, {last_words_are_heard, 0},
           {stop_right_after_start, 0}, {stop_with_a_thousand_connected, 0}, {sockets_outlive_the_service, 0})
