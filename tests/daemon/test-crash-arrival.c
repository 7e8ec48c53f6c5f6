/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The process is killed, or asked to make way, at each point of its recovery and of letting in somebody who
 * comes by the socket for accounts: they are in, or have to connect again, and are told of once. */

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "daemon/scenario.h"

/* Whoever came while the process ended was greeted by this one or the next, or was told to connect again, or
 * sees the end of the connection. */
static Client *come_in(Daemon *daemon, Client *client)
{
    const char *line = client_take_line(client);

    if (line == NULL || strncmp(line, "!! The chat ", strlen("!! The chat ")) == 0) {
        if (line != NULL)
            client_expect_eof(client);
        client_close(client);
        client = client_open(daemon, .listener = LOCAL);
        line = client_take_line(client);
    }
    ck_assert_msg(line != NULL && sscanf(line, "-- Welcome to %*[^ ] You are %127[^;];", client->nick) == 1,
                  "[%s] %s", suite_get_note(), line != NULL ? line : "the connection has ended");
    return client;
}

/* Whether there is a crash point of that number. */
static bool arrives(int signal, unsigned point)
{
    Daemon *daemon = daemon_start(.program = DAEMON_FAULTY, .config = CRASH_CONFIG,
                                  .listeners = {[TCP] = {.kind = LISTENER_TCP4},
                                                [UNIX] = {.kind = LISTENER_UNIX},
                                                [NARROW] = {.kind = LISTENER_UNIX},
                                                [LOCAL] = {.kind = LISTENER_UNIX, .name = "local"}},
                                  .crash_at = {0, point}, .crash_signal = signal);
    Client *alice = client_connect_as(daemon, "alice"), *self;
    bool ends;

    suite_note("signal %d at point %u", signal, point);
    daemon_settle(daemon);
    daemon_kill(daemon);
    daemon->options.may_end = true;
    daemon_start_again(daemon);
    self = client_open(daemon, .listener = LOCAL);
    ends = !daemon_comes_to_rest(daemon);
    if (!ends)
        daemon_kill(daemon);
    daemon->options.may_end = false;
    daemon_start_again(daemon);
    self = come_in(daemon, self);
    client_expect_next(alice, "-- %s is here", self->nick);
    client_say(self, "it is me");
    client_expect_next(alice, "[{time}] <%s> it is me", self->nick);
    client_say(alice, "/who");
    client_expect_next(alice, "-- 2 people in #lobby:");
    client_expect_next(alice, "-- %s, alice", self->nick);
    daemon_stop(daemon);
    return ends;
}

static void arrive_everywhere(int signal)
{
    unsigned n = 1;

    while (arrives(signal, n))
        n += crash_stride();
    ck_assert_uint_gt(n, 1);
    (void) fprintf(stderr, "arrival: signal %d at %u crash points\n", signal, (n - 1) / crash_stride());
}

START_TEST(killed_while_somebody_arrives)
{
    arrive_everywhere(SIGKILL);
}
END_TEST

START_TEST(making_way_while_somebody_arrives)
{
    arrive_everywhere(SIGTERM);
}
END_TEST

SUITE_MAIN("crash-arrival", {killed_while_somebody_arrives, 300}, {making_way_while_somebody_arrives, 300})
