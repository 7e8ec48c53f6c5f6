/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* How a connection ended decides about half a line at its end, whoever notices it, and when. */

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/client.h"
#include "lib/proc.h"

enum { TCP, UNIX };

#define BOTH .listeners = {[TCP] = {.kind = LISTENER_TCP4}, [UNIX] = {.kind = LISTENER_UNIX}}
#define IAC "\xff"
#define DM "\xf2"

/* What a reset cut off is not said: the greeting meets the reset, or an event does. */
START_TEST(reset_in_the_middle_of_a_line)
{
    for (unsigned i_case = 0; i_case < 4; i_case++) {
        bool is_busy = i_case & 1, is_killed = i_case & 2;
        Daemon *daemon = daemon_start(BOTH);
        Client *alice = client_connect_to(daemon, TCP, "alice"), *bob = client_connect_to(daemon, TCP, "bob"),
               *hasty;
        char *heard;

        suite_note("busy %d, killed %d", is_busy, is_killed);
        daemon_settle(daemon);
        if (is_killed)
            daemon_kill(daemon);
        else
            daemon_signal(daemon, SIGSTOP);
        hasty = client_open(daemon, .listener = TCP);
        client_send_text(hasty, "a line\nhalf");
        client_reset(hasty);
        if (is_busy)
            client_say(alice, "who is that?");
        if (is_killed)
            daemon_start_again(daemon);
        else
            daemon_signal(daemon, SIGCONT);
        client_expect(bob, "-- guest{n} has left");
        /* In any order: two clients spoke at the same time. */
        heard = client_ask(bob, "/history");
        ck_assert_ptr_nonnull(strstr(heard, "> a line\n"));
        ck_assert_ptr_null(strstr(heard, "half"));
        free(heard);
        daemon_stop(daemon);
    }
}
END_TEST

/* Whole lines are, however many there are: more than one look sees, or behind an urgent mark. */
START_TEST(reset_behind_whole_lines)
{
    enum { N_LINES = 14, N_TEXT = 1500 };

    for (int is_urgent = 0; is_urgent <= 1; is_urgent++) {
        Daemon *daemon = daemon_start(BOTH);
        Client *alice = client_connect_to(daemon, TCP, "alice"), *hasty;

        suite_note("urgent %d", is_urgent);
        hasty = client_open(daemon, .listener = TCP);
        client_expect(alice, "-- guest{n} is here");
        daemon_signal(daemon, SIGSTOP);
        if (is_urgent) {
            client_send_text(hasty, "hel");
            client_send_urgent(hasty, IAC DM, 2);
            client_send_text(hasty, "lo\n");
        }
        for (int i = 0; i < N_LINES; i++) {
            client_send_text(hasty, run_of((char) ('a' + i % 26), N_TEXT));
            client_send_text(hasty, "\n");
        }
        client_send_text(hasty, "half");
        client_reset(hasty);
        daemon_signal(daemon, SIGCONT);
        if (is_urgent)
            client_expect_next(alice, "[{time}] <guest{n}> hello");
        for (int i = 0; i < N_LINES; i++)
            client_expect_next(alice, "[{time}] <guest{n}> %s", run_of((char) ('a' + i % 26), N_TEXT));
        client_expect_next(alice, "-- guest{n} has left");
        daemon_stop(daemon);
    }
}
END_TEST

/* Somebody reads nothing, so that what they are sent waits here, and is gone; a process that goes on from
 * another one sends before it looks. */
START_TEST(closed_with_something_unread)
{
    enum { N_LINES = 400, N_TEXT = 1900 };

    for (unsigned i_case = 0; i_case < 4; i_case++) {
        size_t listener = i_case & 1 ? UNIX : TCP;
        bool is_known = i_case & 2;
        Daemon *daemon = daemon_start(BOTH);
        Client *alice = client_connect_to(daemon, TCP, "alice"),
               *bob = client_connect_to(daemon, listener, "bob");

        suite_note("listener %zu, known %d", listener, is_known);
        for (int i = 0; i < N_LINES; i++)
            client_say(alice, "%s", run_of('x', N_TEXT));
        client_sync(alice);
        if (is_known)
            client_send_text(bob, "half");
        client_sync(alice);
        daemon_kill(daemon);
        if (!is_known)
            client_send_text(bob, "half");
        client_close(bob);
        daemon_start_again(daemon);
        client_expect_next(alice, "-- bob has left");
        daemon_stop(daemon);
    }
}
END_TEST

/* Half a line that is in the memory of the chat already, and then its end, and a reset. */
START_TEST(end_of_what_was_kept)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    client_send_text(bob, "hel");
    client_send_urgent(bob, IAC DM, 2);
    client_send_text(bob, "lo");
    client_say(alice, "unread");
    client_sync(alice);
    client_sync(alice);
    daemon_kill(daemon);
    client_half_close(bob);
    client_close(bob);
    daemon_start_again(daemon);
    client_expect_next(alice, "[{time}] <bob> hello");
    client_expect_next(alice, "-- bob has left");
    daemon_stop(daemon);
}
END_TEST

/* A connection that is older than the first process has none of the options that its listener has now. */
START_TEST(urgent_data_of_an_old_connection)
{
    Daemon *daemon = daemon_start();
    Client *alice = client_connect_to(daemon, 0, "alice"), *bob;
    const int off = 0;

    ck_assert_int_eq(setsockopt(daemon->listeners[0].fd, SOL_SOCKET, SO_OOBINLINE, &off, sizeof off), 0);
    bob = client_connect_to(daemon, 0, "bob");
    client_sync(alice);
    client_send_text(bob, "hel");
    client_send_urgent(bob, IAC DM, 2);
    client_send_text(bob, "lo\n");
    client_expect_next(alice, "[{time}] <bob> hello");
    daemon_revive(daemon);
    client_say(bob, "still here");
    client_expect_next(alice, "[{time}] <bob> still here");
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("ending", {reset_in_the_middle_of_a_line, 0}, {reset_behind_whole_lines, 0},
           {closed_with_something_unread, 0}, {end_of_what_was_kept, 0},
           {urgent_data_of_an_old_connection, 0})
