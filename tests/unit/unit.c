/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/folder.h"
#include "unit/unit.h"

enum {
    EXIT_HARD_ERROR = 99,       /* Automake's: not a failed test, the test could not be run */
    UNIT_TIMEOUT_SECONDS = 300, /* long enough for valgrind: it ends what hangs, and measures nothing */
};

void unit_folder(char path[UNIT_PATH])
{
    (void) snprintf(path, UNIT_PATH, "%s/XXXXXX", getenv("TMPDIR"));
    QUICK_ASSERT(mkdtemp(path) != NULL, "%s: %s", path, strerror(errno));
}

int unit_run_suite(const char *name, Suite *suite)
{
    char folder[FOLDER_BYTES];
    SRunner *runner;
    int n_failed;

    /* Some tests become nobody and look for their files. */
    if (!folder_make(folder) || chmod(folder, 0711) < 0 || setenv("TMPDIR", folder, 1) < 0) {
        (void) fprintf(stderr, "%s: cannot make %s: %s\n", name, folder, strerror(errno));
        return EXIT_HARD_ERROR;
    }
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    folder_remove(folder);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int unit_run(const char *name, const TTest *const *tests, size_t n_tests)
{
    Suite *suite = suite_create(name);
    TCase *cases = tcase_create(name);

    tcase_set_timeout(cases, UNIT_TIMEOUT_SECONDS);
    for (size_t i = 0; i < n_tests; i++)
        tcase_add_test(cases, tests[i]);
    suite_add_tcase(suite, cases);
    return unit_run_suite(name, suite);
}
