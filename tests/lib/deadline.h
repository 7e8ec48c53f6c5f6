/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* Time for tests: every wait is for an event and has a deadline; nothing sleeps. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USEC_PER_SEC UINT64_C(1000000)
#define USEC_PER_MSEC UINT64_C(1000)

/* How long a test waits for an answer that should come at once. Generous: it is only ever used up by a
 * failure. */
#define SECONDS_TO_ANSWER 20.0

/* CLOCK_MONOTONIC, the clock of MONOTONIC_USEC=. */
uint64_t now_usec(void);

/*
 * How much slower than usual things are here: TEST_TIMEOUT_SCALE, or 10 if there is a CHATD_WRAPPER
 * (valgrind) and nobody said otherwise, or 1.
 */
double deadline_scale(void);

/* The moment that is `seconds` from now, stretched by deadline_scale(). */
uint64_t deadline_in(double seconds);

/* The moment that is `seconds` from now by the clock, for waits that belong to what is tested. */
uint64_t deadline_exactly_in(double seconds);

/* Milliseconds until then, for poll(2): rounded up, 0 if it is past. */
int deadline_left_msec(uint64_t deadline);

/* A wrapper such as valgrind runs the daemon, so memory and descriptor counts mean little, and all is slow.
 */
bool daemon_is_wrapped(void);

/* `n` things of a load test, or a tenth of it where all is slow. */
size_t load_of(size_t n);
