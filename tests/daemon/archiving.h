/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* For tests of a daemon whose archive does not work. */

#include <stdio.h>

#include "lib/past.h"
#include "lib/self.h"

enum { TCP, LOCAL };

#define LISTENERS                                                                                            \
    .listeners = {[TCP] = {.kind = LISTENER_TCP4}, [LOCAL] = {.kind = LISTENER_UNIX, .name = "local"}}
#define SMALL DAEMON_CONFIG "MaxClients=40\nMaxRooms=12\nTranscriptSize=256K\n"
#define STOPPED "What is said is not archived for now"

/* All that was said is written: a question is answered after that. */
static inline void expect_archived(Client *client)
{
    client_say(client, "/seen nobody");
    client_expect(client, "-- Nobody called nobody has been seen.");
}

/* Says lines of so many bytes, and remembers them. */
static inline void say(Client *alice, Buffer *said, unsigned n, size_t n_text)
{
    static unsigned number;

    for (unsigned i = 0; i < n; i++) {
        char text[32];

        (void) snprintf(text, sizeof(text), "line %u ", number++);
        client_say(alice, "%s%s", text, run_of('x', n_text));
        buffer_add_text(said, "alice: ");
        buffer_add_text(said, text);
        buffer_add_text(said, run_of('x', n_text));
        buffer_add_text(said, "\n");
    }
    client_sync(alice);
}

/* Answers come as fast as ever, but for a few that a busy machine delays. */
static inline void expect_quick(Client *client)
{
    enum { N_ANSWERS = 20, N_LATE = 5 };
    unsigned n_late = 0;

    for (unsigned i = 0; i < N_ANSWERS; i++) {
        uint64_t before = now_usec();

        client_say(client, "/version");
        client_expect(client, "-- chatd {any}");
        n_late += now_usec() - before >= (uint64_t) (0.2 * deadline_scale() * USEC_PER_SEC);
    }
    ck_assert_uint_le(n_late, N_LATE);
}
