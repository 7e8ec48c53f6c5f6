/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Pages of the program go and come back as they were. */

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "host/trim.h"
#include "unit/unit.h"

/* KiB of files that are mapped and in memory (proc(5)). */
static unsigned file_memory(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    unsigned n = 0;
    char line[256];

    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "RssFile:", 8) == 0)
            n = (unsigned) strtoul(line + 8, NULL, 10);
    (void) fclose(file);
    ck_assert_uint_gt(n, 0);
    return n;
}

static int written = 7;

START_TEST(test_trim)
{
    static const char TEXT[] = "what may not be written";
    unsigned before;

    (void) sqlite3_libversion();
    written++;
    before = file_memory();
    trim_program();
    ck_assert_uint_lt(file_memory(), before);
    ck_assert_int_eq(written, 8);
    ck_assert_str_eq(TEXT, "what may not be written");
    ck_assert_int_eq(sqlite3_libversion_number(), SQLITE_VERSION_NUMBER);
    trim_program();
    ck_assert_int_eq(written, 8);
}
END_TEST

UNIT_MAIN("trim", test_trim)
