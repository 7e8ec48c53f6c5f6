/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Scripts that are played again and again, while the process dies at its first crash point (base/crash.h),
 * its second, and so on, until a run has no such point any more. One run can be looked at by itself:
 *
 *   TEST_CRASH_AT=120      only the run that dies at its point 120
 *   TEST_CRASH_AT=120,7,7  and the process after that at its point 7, and the one after that, too
 */

#include "lib/script.h"

typedef struct CrashScenario {
    const char *name;
    const ScriptStep *steps;
    size_t n_steps;
    DaemonOptions options;
    unsigned first_run; /* the run that dies; those before it end as the script has it */
    bool is_sweeping;   /* something is removed from the store before the end */
} CrashScenario;

/* A small chat starts quickly, and these start often. */
#define CRASH_CONFIG DAEMON_CONFIG "MaxClients=40\nMaxRooms=12\nTranscriptSize=256K\n"

/* 1, or where things are slow, how many points are passed over. */
unsigned crash_stride(void);

/* How many crash points there are, to a tenth: dies_at() says whether there is one of that number. */
unsigned crash_count(bool (*dies_at)(const void *userdata, unsigned point), const void *userdata);

/* At each point, or each n-th one where things are slow. */
void crash_everywhere(const CrashScenario *scenario);

/*
 * At `n_points` points spread over the script, and there at each point of the recovery that follows; and at
 * each of these again in the second recovery.
 */
void crash_in_recovery(const CrashScenario *scenario, unsigned n_points);
