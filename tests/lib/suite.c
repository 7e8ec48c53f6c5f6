/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "lib/deadline.h"
#include "lib/folder.h"
#include "lib/suite.h"

enum {
    EXIT_HARD_ERROR = 99, /* Automake's: not a failed test, the test could not be run */
    SECONDS_PER_TEST = 60,
};

/* One program, one suite: the only state that is not handed around. */
static char directory[FOLDER_BYTES];
static char note[256];

const char *suite_directory(void)
{
    return directory;
}

void suite_note(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void) vsnprintf(note, sizeof(note), format, args);
    va_end(args);
}

const char *suite_get_note(void)
{
    return note;
}

void suite_skip(const char *reason)
{
    const char *no_skip = getenv("TEST_NO_SKIP");

    ck_assert_msg(no_skip == NULL || *no_skip == '\0', "cannot run here, and must: %s", reason);
    (void) fprintf(stderr, "skipped: %s\n", reason);
}

size_t suite_n_files(void)
{
    struct rlimit limit = {0};

    (void) getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

/* A time zone in which it is about noon: what was said on another day is shown with its date, and no day is
 * to end while a test is under way. */
static void move_to_noon(void)
{
    time_t now = time(NULL);
    struct tm utc;
    char zone[32];

    (void) gmtime_r(&now, &utc);
    (void) snprintf(zone, sizeof zone, "NOON%+d", utc.tm_hour - 12);
    (void) setenv("TZ", zone, 1);
    tzset();
}

static void raise_n_files(void)
{
    struct rlimit limit = {0};

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void) setrlimit(RLIMIT_NOFILE, &limit);
}

static Suite *suite_of(const char *name, const SuiteTest *tests, size_t n_tests)
{
    Suite *suite = suite_create(name);

    /* A case for each test, because the time limit belongs to the case. */
    for (size_t i = 0; i < n_tests; i++) {
        TCase *tcase = tcase_create(tests[i].test->name);
        double seconds = tests[i].seconds != 0 ? tests[i].seconds : SECONDS_PER_TEST;

        tcase_set_timeout(tcase, seconds * deadline_scale());
        tcase_add_test(tcase, tests[i].test);
        suite_add_tcase(suite, tcase);
    }
    return suite;
}

int suite_run(const char *name, const SuiteTest *tests, size_t n_tests)
{
    const char *chatd = getenv("CHATD");
    SRunner *runner;
    int n_failed;

    if (chatd == NULL || access(chatd, X_OK) != 0) {
        (void) fprintf(
            stderr,
            "%s: CHATD=%s is not a program that can be run. Use `make check`, or set CHATD to src/chatd.\n",
            name, chatd != NULL ? chatd : "");
        return EXIT_HARD_ERROR;
    }
    if (!folder_make(directory)) {
        (void) fprintf(stderr, "%s: cannot make %s: %s\n", name, directory, strerror(errno));
        return EXIT_HARD_ERROR;
    }
    (void) signal(SIGPIPE, SIG_IGN);
    raise_n_files();
    move_to_noon();
    runner = srunner_create(suite_of(name, tests, n_tests));
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    folder_remove(directory);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
