/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * The idle exit: when everybody has gone for a while, but never within 30 s of the start. This test waits for
 * time itself, so it is a program of its own, and waits for several daemons at once.
 */

#include "lib/client.h"

#define MIN_LIFE_SECONDS 30.0
#define ONE_SECOND DAEMON_CONFIG "[Chat]\nIdleExitSec=1\n"

static void expect_end_between(Daemon *daemon, uint64_t start, double earliest, double latest)
{
    double passed;

    while (daemon->pid != 0) {
        if (!daemon_turn(daemon, -1, 0,
                         start + (uint64_t) (latest * deadline_scale() * (double) USEC_PER_SEC)))
            daemon_fail(daemon, "it did not exit within %.0f s", latest);
    }
    passed = (double) (now_usec() - start) / (double) USEC_PER_SEC;
    if (passed < earliest)
        daemon_fail(daemon, "it exited after %.1f s, which is less than %.1f s", passed, earliest);
    daemon_expect_exit(daemon, 0);
    daemon_expect_empty_store(daemon);
}

/* The one that exits: it says so, leaves the sockets alone, and serves again when it is started for the next
 * person, who hears what the lobby talked about. */
static void expect_return(Daemon *daemon)
{
    Client *next[2];

    (void) daemon_expect_notify(daemon, "STOPPING=1");
    for (size_t i = 0; i < 2; i++)
        next[i] = client_open(daemon, .listener = i);
    daemon_start_again(daemon);
    for (size_t i = 0; i < 2; i++) {
        client_expect_greeting(next[i]);
        client_expect_next(next[i], "-- Topic of #lobby: the weekend");
    }
    daemon_stop(daemon);
}

/* Those that never exit, or not yet. */
static const char *const lasting[] = {
    DAEMON_CONFIG "[Chat]\nIdleExitSec=0\n",
    DAEMON_CONFIG "[Chat]\nIdleExitSec=infinity\n",
    DAEMON_CONFIG "[Chat]\nIdleExitSec=10min\n",
    DAEMON_CONFIG,
};

START_TEST(idle_exit)
{
    Daemon *exits, *kept, *last[N_ELEMENTS(lasting)];
    uint64_t start = now_usec();
    Client *alice;

    exits =
        daemon_start(.config = ONE_SECOND, .listeners = {{.kind = LISTENER_TCP4}, {.kind = LISTENER_UNIX}});
    kept = daemon_start(.config = ONE_SECOND);
    for (size_t i = 0; i < N_ELEMENTS(last); i++) {
        last[i] = daemon_start_with(&(DaemonOptions){.config = lasting[i]});
        client_close(client_connect_as(last[i], "alice"));
    }
    alice = client_connect_as(exits, "alice");
    client_say(alice, "/topic the weekend");
    client_sync(alice);
    client_close(alice);
    alice = client_connect_as(kept, "alice");
    expect_end_between(exits, start, MIN_LIFE_SECONDS - 0.5, MIN_LIFE_SECONDS + 10);
    expect_return(exits);

    daemon_expect_running_for(kept, 3);
    for (size_t i = 0; i < N_ELEMENTS(last); i++) {
        suite_note("lasting %zu", i);
        client_expect_greeting(client_open(last[i], .listener = 0));
        daemon_stop(last[i]);
    }
    /* Somebody who is there keeps it, however quiet. After the first 30 s only the time without clients
     * counts. */
    suite_note("kept by alice");
    client_expect_nothing(alice);
    start = now_usec();
    client_close(alice);
    expect_end_between(kept, start, 0.9, 10);
    daemon_free(kept);
}
END_TEST

SUITE_MAIN("idle", {idle_exit, 120})
