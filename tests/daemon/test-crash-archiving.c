/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Deaths at each point while the archive is written: each line is in it afterwards, once, and in order. */

#include <stdio.h>

#include "daemon/scenario.h"
#include "lib/past.h"

static const ScriptStep talk[] = {
    COMES('a', TCP, {"a", WELCOME("a") "nobody else is here." HELP}),
    SENDS('a', "/nick alice\n", {"a", "-- You are now alice.\n"}),
    SENDS('a', "one\ntwo\n/topic ours\n", {"a", "-- The topic of #lobby is set.\n"}),
    /* Whoever asks has it written at once. */
    SENDS('a', "/seen bob\n", {"a", "-- Nobody called bob has been seen.\n"}),
    SENDS('a', "three\n/me four\n"),
    SENDS('a', "/seen carol\n", {"a", "-- Nobody called carol has been seen.\n"}),
    SENDS('a', "five\n"),
    ENDS("a"),
};

#define SAID "alice: one\nalice: two\nalice: three\n* alice four\n"

/* Whether it died. */
static bool run(unsigned first, unsigned second)
{
    DaemonOptions options = {.program = DAEMON_FAULTY,
                             .config = CRASH_CONFIG,
                             .has_archive = true,
                             .restarts = 4,
                             .crash_at = {first, second},
                             .listeners = {{.kind = LISTENER_TCP4}}};
    Daemon *daemon = daemon_start_with(&options);
    Script script;
    size_t n_deaths;

    suite_note("point %u, %u", first, second);
    script_play(&script, daemon, talk, N_ELEMENTS(talk));
    n_deaths = script_n_deaths(daemon);
    if (script.died_at_end) {
        daemon->options.crash_at[1] = 0;
        daemon_start_again(daemon);
        daemon_end(daemon);
    }
    /* Who dies while the service is being stopped leaves no state, so what is not written yet is lost. */
    past_expect(daemon, script.died_at_end && past_number(daemon, "SELECT count(*) FROM lines") == 4 ? SAID
                                                                                                     : SAID
                            "alice: five\n");
    ck_assert_int_eq(past_number(daemon, "SELECT count(*) FROM gaps"), 0);
    daemon_free(daemon);
    return n_deaths > 0;
}

START_TEST(at_every_point)
{
    unsigned n = 1;

    while (run(n, 0))
        n += crash_stride();
    ck_assert_uint_gt(n, 100);
    (void) fprintf(stderr, "died at %u crash points\n", n - 1);
}
END_TEST

START_TEST(twice)
{
    for (unsigned n = 40; n < 400; n += 37 * crash_stride())
        for (unsigned m = 1; m < 80; m += 7 * crash_stride())
            (void) run(n, m);
}
END_TEST

SUITE_MAIN("crash-archiving", {at_every_point, 600}, {twice, 300})
