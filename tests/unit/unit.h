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

enum { UNIT_PATH = 128 };

/* An empty folder, for one test. It goes with the program, whatever becomes of the test. */
void unit_folder(char path[UNIT_PATH]);

/* Both give the exit code for main(). The suite is freed. */
int unit_run_suite(const char *name, Suite *suite);
int unit_run(const char *name, const TTest *const *tests, size_t n_tests);

#define UNIT_MAIN(name, ...)                                                                                 \
    int main(void)                                                                                           \
    {                                                                                                        \
        const TTest *const tests[] = {__VA_ARGS__};                                                          \
        return unit_run(name, tests, N_ELEMENTS(tests));                                                     \
    }
