/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/crash.h"

enum {
    DEATHS_MAX = 3, /* that are asked for */
    RESTARTS_MAX = 6,
    STRIDE_SLOW = 5,      /* sanitizers */
    STRIDE_WRAPPED = 120, /* valgrind */
};

typedef struct CrashAt {
    unsigned points[DEATHS_MAX]; /* of one run after the other; 0: it does not die */
} CrashAt;

typedef struct CrashOutcome {
    size_t n_deaths;
    bool died_recovering; /* the second run to die did so before it was ready */
    size_t n_repeated;
} CrashOutcome;

unsigned crash_stride(void)
{
    if (daemon_is_wrapped())
        return STRIDE_WRAPPED;
    return deadline_scale() > 1 ? STRIDE_SLOW : 1;
}

static CrashOutcome run(const CrashScenario *scenario, CrashAt at)
{
    DaemonOptions options = scenario->options;
    CrashOutcome outcome;
    Daemon *daemon;
    Script script;

    suite_note("%s, TEST_CRASH_AT=%u,%u,%u", scenario->name, at.points[0], at.points[1], at.points[2]);
    options.program = DAEMON_FAULTY;
    options.restarts = RESTARTS_MAX;
    for (size_t i = 0; i < DEATHS_MAX; i++)
        options.crash_at[scenario->first_run + i] = at.points[i];
    daemon = daemon_start_with(&options);
    script_play(&script, daemon, scenario->steps, scenario->n_steps);
    if (scenario->is_sweeping && script.n_unstored == 0)
        daemon_fail(daemon, "nothing was removed from the store");
    outcome = (CrashOutcome){
        .n_deaths = script_n_deaths(daemon),
        .died_recovering = scenario->first_run + 1 < daemon->n_ends &&
                           WIFSIGNALED(daemon->ends[scenario->first_run + 1].status) &&
                           !daemon->ends[scenario->first_run + 1].was_ready,
        .n_repeated = script.n_repeated,
    };
    if (script.died_at_end) {
        daemon_start_again(daemon);
        daemon_stop(daemon);
    } else {
        daemon_free(daemon);
    }
    return outcome;
}

/* What the environment asks for, instead of everything. */
static bool run_only(const CrashScenario *scenario)
{
    const char *text = getenv("TEST_CRASH_AT");
    CrashAt at = {0};

    if (text == NULL || sscanf(text, "%u,%u,%u", &at.points[0], &at.points[1], &at.points[2]) < 1)
        return false;
    (void) fprintf(stderr, "%s at %s: %zu deaths\n", scenario->name, text, run(scenario, at).n_deaths);
    return true;
}

void crash_everywhere(const CrashScenario *scenario)
{
    size_t n_repeated = 0;
    unsigned n_runs = 0;

    if (run_only(scenario))
        return;
    for (unsigned n = 1;; n += crash_stride()) {
        CrashOutcome outcome = run(scenario, (CrashAt){{n}});

        if (outcome.n_deaths == 0)
            break;
        n_repeated += outcome.n_repeated;
        n_runs++;
    }
    ck_assert_msg(n_runs > 0, "%s has no crash points", scenario->name);
    (void) fprintf(stderr, "%s: died at %u crash points, %zu lines came twice\n", scenario->name, n_runs,
                   n_repeated);
}

unsigned crash_count(bool (*dies_at)(const void *userdata, unsigned point), const void *userdata)
{
    unsigned below = 0, above = 1;

    while (dies_at(userdata, above)) {
        below = above;
        above *= 2;
    }
    while (above - below > 1 + below / 10) {
        unsigned middle = below + (above - below) / 2;

        *(dies_at(userdata, middle) ? &below : &above) = middle;
    }
    return below;
}

static bool script_dies_at(const void *scenario, unsigned point)
{
    return run(scenario, (CrashAt){{point}}).n_deaths > 0;
}

/* The recovery after a death at point `n` dies at each of its points, once and then twice. Returns how many
 * there are. */
static unsigned crash_each_recovery(const CrashScenario *scenario, unsigned n)
{
    unsigned n_runs = 0;

    for (unsigned r = 1; run(scenario, (CrashAt){{n, r}}).died_recovering; r += crash_stride()) {
        (void) run(scenario, (CrashAt){{n, r, r}});
        n_runs++;
    }
    return n_runs;
}

void crash_in_recovery(const CrashScenario *scenario, unsigned n_points)
{
    unsigned n_all, n_runs = 0;

    if (run_only(scenario))
        return;
    n_all = crash_count(script_dies_at, scenario);
    n_points = MAX(n_points / crash_stride(), 1U);
    for (unsigned i = 1; i <= n_points; i++)
        n_runs += crash_each_recovery(scenario, (unsigned) ((uint64_t) n_all * i / (n_points + 1)) + 1);
    ck_assert_msg(n_runs > 0, "%s: recovery has no crash points", scenario->name);
    (void) fprintf(
        stderr,
        "%s: died at %u of about %u crash points, and then at each of %u of recovery, once and twice\n",
        scenario->name, n_points, n_all, n_runs);
}
