/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The vault over many restarts. */

#include "lib/client.h"

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

SUITE_MAIN("survive-vault", {pairs_are_filled, 0})
