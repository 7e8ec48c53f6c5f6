/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* A folder with a chatd.conf and up to three drop-in folders, for the tests of base/config. */

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/config.h"
#include "base/macro.h"
#include "unit/unit.h"

/* Every test has a folder of its own, with chatd.conf and up to three drop-in folders in it. */
static char folder[UNIT_PATH];
/* What was reported, one line each: "E chatd.conf:3 words" or "W ..." */
static char reports[16384];

_unused_ static void enter_folder(void)
{
    reports[0] = '\0';
    unit_folder(folder);
    ck_assert_int_eq(chmod(folder, 0755), 0);
    ck_assert_int_eq(chdir(folder), 0);
}

_unused_ static void put_bytes(const char *path, const char *bytes, size_t n)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, n, file), n);
    ck_assert_int_eq(fclose(file), 0);
}

_unused_ static void put(const char *path, const char *text)
{
    put_bytes(path, text, strlen(text));
}

_unused_ static void put_folder(const char *path)
{
    ck_assert_int_eq(mkdir(path, 0755), 0);
}

_unused_ static void report(void *userdata, int level, const char *file, unsigned line, const char *message)
{
    size_t n = strlen(reports);

    ck_assert_ptr_eq(userdata, reports);
    ck_assert(level == LOG_ERR || level == LOG_WARNING);
    (void) snprintf(reports + n, sizeof(reports) - n, "%c %s:%u %s\n", level == LOG_ERR ? 'E' : 'W', file,
                    line, message);
}

_unused_ static int load(Config *ret_config)
{
    static const char *const folders[] = {"low.d", "middle.d", "high.d"};

    reports[0] = '\0';
    return config_load_from("chatd.conf", false, folders, N_ELEMENTS(folders), report, reports, ret_config);
}

_unused_ static int load_text(const char *text, Config *ret_config)
{
    put("chatd.conf", text);
    return load(ret_config);
}

_unused_ static const ConfigItem *find_item(const char *key)
{
    const ConfigItem *item;

    for (size_t i = 0; (item = config_item(i)) != NULL; i++)
        if (strcmp(item->key, key) == 0)
            return item;
    ck_abort_msg("no key %s", key);
    return NULL;
}

/* Whether its value is a number in some unit. */
_unused_ static bool is_number(const ConfigItem *item)
{
    return item->type != CONFIG_MOTD && item->type != CONFIG_GROUP;
}

_unused_ static uint64_t fetch(const Config *config, const char *key)
{
    const ConfigItem *item = find_item(key);
    const void *field = (const char *) config + item->offset;

    if (item->type == CONFIG_BOOL)
        return *(const bool *) field;
    if (item->type == CONFIG_NUMBER || item->type == CONFIG_BYTES)
        return *(const uint32_t *) field;
    ck_assert(is_number(item));
    return *(const uint64_t *) field;
}

_unused_ static void check_defaults(const Config *config)
{
    ck_assert_uint_eq(config->max_clients, 10000);
    ck_assert_uint_eq(config->max_clients_per_address, 256);
    ck_assert_uint_eq(config->max_rooms, 1000);
    ck_assert_uint_eq(config->max_rooms_per_client, 20);
    ck_assert_uint_eq(config->max_ignores, 32);
    ck_assert_uint_eq(config->lines_per_second, 10);
    ck_assert_uint_eq(config->lines_burst, 40);
    ck_assert_uint_eq(config->bytes_per_second, 8192);
    ck_assert_uint_eq(config->bytes_burst, 32768);
    ck_assert_uint_eq(config->max_line_length, 2000);
    ck_assert_uint_eq(config->max_nick_length, 24);
    ck_assert_uint_eq(config->max_topic_length, 300);
    ck_assert_uint_eq(config->transcript_size, 524288);
    ck_assert_uint_eq(config->history, 20);
    ck_assert_uint_eq(config->idle_exit_usec, 600000000);
    ck_assert(config->idle_exit_is_default);
    ck_assert(config->archive_is_enabled);
    ck_assert_uint_eq(config->archive_keep_usec, UINT64_C(30) * 24 * 3600 * 1000000);
    ck_assert_uint_eq(config->archive_max_size, 1073741824);
    ck_assert_str_eq(config->operator_group, "chat-operators");
    ck_assert_ptr_null(config->motd);
}

_unused_ static void check_same(const Config *a, const Config *b)
{
    const ConfigItem *item;

    for (size_t i = 0; (item = config_item(i)) != NULL; i++)
        if (is_number(item))
            ck_assert_msg(fetch(a, item->key) == fetch(b, item->key), "%s", item->key);
    ck_assert_int_eq(a->idle_exit_is_default, b->idle_exit_is_default);
    ck_assert_str_eq(a->operator_group, b->operator_group);
    ck_assert_int_eq(a->motd == NULL, b->motd == NULL);
    if (a->motd != NULL)
        ck_assert_str_eq(a->motd, b->motd);
}

_unused_ static void print_and_back(const Config *config, Config *ret_config)
{
    FILE *file = fopen("chatd.conf", "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(config_print(config, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_msg(load(ret_config) == 0, "%s", reports);
    ck_assert_str_eq(reports, "");
}

/* The tests, each in a folder of its own; the exit code for main(). */
_unused_ static int run_in_folders(const char *name, void (*add_tests)(TCase *))
{
    Suite *suite = suite_create(name);
    TCase *tests = tcase_create(name);

    tcase_add_checked_fixture(tests, enter_folder, NULL);
    add_tests(tests);
    suite_add_tcase(suite, tests);
    return unit_run_suite(name, suite);
}
