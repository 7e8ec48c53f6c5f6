/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The vault over many restarts, with many who come and go, and with few descriptors to be had. */

#include <signal.h>
#include <stdio.h>

#include "lib/client.h"
#include "lib/proc.h"

enum { TCP, UNIX };

#define CROWD DAEMON_CONFIG "MaxClientsPerAddress=0\n"

/* Those who come after a restart find places in the pairs of those who were there before. */
START_TEST(pairs_are_filled)
{
    enum { N_PEOPLE = 280, N_RESTARTS = 15, N_PAIRS = 2 };
    Daemon *daemon =
        daemon_start(.config = CROWD,
                     .listeners = {[TCP] = {.kind = LISTENER_TCP4}, [UNIX] = {.kind = LISTENER_UNIX}});
    Client *first, *late;

    client_expect_greeting(first = client_open(daemon, .listener = TCP));
    for (size_t i = 1; i < N_PEOPLE; i++)
        client_expect_greeting(client_open(daemon, .listener = i % 2 == 0 ? TCP : UNIX));
    for (size_t i = 0; i < N_RESTARTS; i++) {
        daemon_settle(daemon);
        if (i % 2 == 0)
            daemon_revive(daemon);
        else
            daemon_restart(daemon);
        late = client_open(daemon, .listener = i % 2 == 0 ? TCP : UNIX);
        client_expect_greeting(late);
        client_say(late, "round %zu", i);
        client_expect(first, "[{time}] <guest{n}> round %zu", i);
        ck_assert_uint_eq(store_count(&daemon->store, "vault-{n}"), 2 * N_PAIRS);
    }
    daemon_stop(daemon);
}
END_TEST

/* Whoever is in connects, until one is not greeted at once. Returns how many are. */
static size_t fill(Daemon *daemon, Client **people, size_t n_max)
{
    size_t n = 0;

    while (n < n_max) {
        people[n] = client_open(daemon, .listener = 0);
        daemon_expect_sleep(daemon);
        if (client_is_silent(people[n]))
            break;
        client_expect_greeting(people[n++]);
    }
    return n;
}

/* The kernel bounds descriptors in flight, the dead ones as well, by how many may be open (unix(7),
 * ETOOMANYREFS): with as many people as there may be, and many who went and others who came since the last
 * sweep, nobody is lost. */
START_TEST(few_descriptors)
{
    enum { N_FILES = 400, N_MAX = 390, N_CHANGED = 120 };
    Daemon *daemon;
    Client *people[N_MAX];
    size_t n;

    if (daemon_is_wrapped())
        return; /* valgrind needs descriptors of its own */
    daemon = daemon_start(.config = CROWD, .n_files = N_FILES);
    n = fill(daemon, people, N_MAX);
    ck_assert_uint_gt(n, N_CHANGED + 2);
    ck_assert_uint_lt(n, N_MAX);
    client_close(people[n]); /* the one that was not greeted */
    for (size_t i = 0; i < N_CHANGED; i++)
        client_reset(people[i]);
    daemon_expect_sleep(daemon);
    for (size_t i = 0; i < N_CHANGED; i++)
        client_expect_greeting(people[i] = client_open(daemon, .listener = 0));
    for (int round = 0; round < 2; round++) {
        suite_note("round %d", round);
        daemon_settle(daemon);
        daemon_revive(daemon);
        for (size_t i = 0; i < n; i++) {
            client_say(people[i], "/version");
            client_expect(people[i], "-- chatd {any}; %d restart{any} survived.", round + 1);
        }
        ck_assert_uint_le(proc_n_fds(daemon->pid), N_FILES);
    }
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("survive-vault", {pairs_are_filled, 0}, {few_descriptors, 0})
