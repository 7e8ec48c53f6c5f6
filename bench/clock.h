/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* Time in nanoseconds, and whether the user has asked to stop. */

#include <stdbool.h>
#include <stdint.h>

#define NSEC_PER_SEC UINT64_C(1000000000)
#define NSEC_PER_MSEC UINT64_C(1000000)

uint64_t clock_nsec(void);
/* Milliseconds to `when`, rounded up, for poll(2): 0 if it has passed, at most `most`. */
int clock_msec_to(uint64_t when, int most);
void clock_sleep(uint64_t nsec);

/* From now on SIGINT, SIGTERM and SIGHUP only set what clock_interrupted() tells. */
void clock_catch_signals(void);
/* Every loop here asks this and ends, so that whoever started a server ends it. */
bool clock_interrupted(void);
