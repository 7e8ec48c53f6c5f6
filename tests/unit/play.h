/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* Plays: who types what, and what alice and bob read then, to the byte. */

#include <string.h>

#include "unit/harness.h"
#include "unit/unit.h"

typedef struct Step {
    char who; /* 'a' and 'b', who were there from the beginning; 'c' is carol, who comes when she first says
                 something */
    const char *line;
    const char *alice, *bob; /* what they read */
} Step;

/* In a chat with that configuration (moved in; NULL: the usual one). */
static inline void play(const Config *config, const Step *steps, size_t n_steps)
{
    Harness *harness = harness_new(config, 10);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob"), *carol = NULL;

    for (size_t i = 0; i < n_steps; i++) {
        const Step *step = &steps[i];
        const char *read;

        if (step->who == 'c' && carol == NULL)
            carol = client_named(harness, "carol");
        client_say(harness, step->who == 'a' ? alice : step->who == 'b' ? bob : carol, "%s", step->line);
        harness_turn(harness);
        read = client_take(alice);
        ck_assert_msg(strcmp(read, step->alice) == 0, "step %zu, %s: alice reads: %s", i, step->line, read);
        read = client_take(bob);
        ck_assert_msg(strcmp(read, step->bob) == 0, "step %zu, %s: bob reads: %s", i, step->line, read);
        harness_check(harness);
    }
    harness_free(harness);
}

#define PLAY(config, ...)                                                                                    \
    do {                                                                                                     \
        static const Step STEPS[] = {__VA_ARGS__};                                                           \
        play((config), STEPS, N_ELEMENTS(STEPS));                                                            \
    } while (0)
