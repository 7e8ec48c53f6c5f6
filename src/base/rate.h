/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * A token bucket in one number: the generic cell rate algorithm (ITU-T I.371, annex A).
 *
 * `due` is the time, in nanoseconds of the monotonic clock, at which all that was charged so far has been
 * paid off at the steady rate. A bucket never used has 0. What is owed at `now` is `due - now`; a charge
 * fits while it and what is owed are at most the burst. A rate of 0 means no limit.
 */

#include <stdbool.h>
#include <stdint.h>

typedef struct Rate {
    uint32_t per_second; /* units a second; 0: no limit */
    uint32_t burst;      /* units at once; 0 counts as 1 */
} Rate;

/* Whether `n` units fit now. If not, *ret_when is the time (ns) at which they will; otherwise it is
 * untouched. */
bool rate_fits(const Rate *rate, uint64_t due, uint64_t now, uint64_t n, uint64_t *ret_when);
/* The new `due` after `n` units, which may be more than fits: then a debt is owed. */
uint64_t rate_charge(const Rate *rate, uint64_t due, uint64_t now, uint64_t n);
