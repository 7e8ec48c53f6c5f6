/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * What every test program of the daemon begins with: its tests, each in a process of its own with a time
 * limit (libcheck), and a directory for sockets and files that is gone afterwards.
 *
 *   CHATD               the daemon to test; must be set
 *   CHATD_FAULTY, CHATD_NEXT  variants of it, for the tests that use them (DaemonProgram)
 *   CHATD_WRAPPER       a command that runs it, words separated by blanks ("valgrind -q --error-exitcode=99")
 *   TEST_TIMEOUT_SCALE  stretches every deadline
 *   TEST_NO_SKIP        if not empty, a test that cannot run here fails
 */

#include <check.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"

typedef struct SuiteTest {
    const TTest *test;
    unsigned seconds; /* time limit; 0: a minute */
} SuiteTest;

/* Runs the tests; the exit code for main(). */
int suite_run(const char *name, const SuiteTest *tests, size_t n_tests);

#define SUITE_MAIN(name, ...)                                                                                \
    int main(void)                                                                                           \
    {                                                                                                        \
        const SuiteTest tests[] = {__VA_ARGS__};                                                             \
        return suite_run(name, tests, N_ELEMENTS(tests));                                                    \
    }

/* A directory of its own for each test program, removed at the end. */
const char *suite_directory(void);

/* Says what a loop over a table is at; failure messages begin with it until the next note. */
void suite_note(const char *format, ...) _printf_(1, 2);
const char *suite_get_note(void);

/* A test that cannot run here says why and returns; where TEST_NO_SKIP is set, it fails instead. */
void suite_skip(const char *reason);

/* The soft limit of open files, which every program raises to the hard one. */
size_t suite_n_files(void);
