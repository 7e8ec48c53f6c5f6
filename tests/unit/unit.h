/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* The main() of a unit test program: its tests, each in a process of its own (libcheck). */

#include <check.h>
#include <stdlib.h>

#include "base/macro.h"

/* A literal and its length, NULs in it too. */
#define BYTES(literal) literal, STRLEN(literal)

/* In loops of thousands: libcheck writes each assertion that holds to a pipe, which takes microseconds. */
#define QUICK_ASSERT(condition, ...)                                                                         \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            ck_abort_msg("" __VA_ARGS__);                                                                    \
    } while (0)

/* Long enough for valgrind: a limit that ends what hangs, not a measurement. */
enum { UNIT_TIMEOUT_SECONDS = 300 };

static inline int unit_run(const char *name, const TTest *const *tests, size_t n_tests)
{
    Suite *suite = suite_create(name);
    TCase *cases = tcase_create(name);
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(cases, UNIT_TIMEOUT_SECONDS);
    for (size_t i = 0; i < n_tests; i++)
        tcase_add_test(cases, tests[i]);
    suite_add_tcase(suite, cases);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define UNIT_MAIN(name, ...)                                                                                 \
    int main(void)                                                                                           \
    {                                                                                                        \
        const TTest *const tests[] = {__VA_ARGS__};                                                          \
        return unit_run(name, tests, N_ELEMENTS(tests));                                                     \
    }
