/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * A process that dies at a store to its state: not between two lines of its source, but between two
 * instructions.
 *
 * The state is made read-only, so each store to it faults; the handler counts it, lets that one instruction
 * through (the trap flag of the processor), and makes the state read-only again. At the n-th it jumps out of
 * all that is being done, which is what dying looks like for the state and for the connections.
 */

#include <stdbool.h>

#include "chat/state.h"

/* Not on every processor, and not under valgrind. */
bool torn_is_possible(void);
/*
 * Calls `run`, and ends it before the n-th of its stores to the state, counted from 1. False: it has not so
 * many, and has been done. With `state` NULL the stores count from where `run` calls torn_watch().
 */
bool torn_run(const State *state, unsigned long n, void (*run)(void *userdata), void *userdata);
void torn_watch(const State *state);
