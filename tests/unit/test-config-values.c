/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What each key of the configuration may be set to, and what it is then. */

#include <check.h>
#include <inttypes.h>
#include <string.h>

#include "base/config.h"
#include "base/macro.h"
#include "config-fixture.h"

/* ---- bounds ---- */

/* A file of one value. */
static int load_value(const char *key, const char *value, Config *ret_config)
{
    char text[512];

    (void) snprintf(text, sizeof(text), "[%s]\n%s=%s\n", find_item(key)->section, key, value);
    return load_text(text, ret_config);
}

enum { NO = -1 };

static const struct {
    const char *key, *value;
    int64_t result; /* NO: refused */
} bounds[] = {
    {"MaxClients", "0", 0},
    {"MaxClients", "1", 1},
    {"MaxClients", "1000000", 1000000},
    {"MaxClients", "1000001", NO},
    {"MaxClientsPerAddress", "0", 0},
    {"MaxClientsPerAddress", "1", 1},
    {"MaxClientsPerAddress", "1000000", 1000000},
    {"MaxClientsPerAddress", "1000001", NO},
    {"MaxRooms", "0", 0},
    {"MaxRooms", "65000", 65000},
    {"MaxRooms", "65001", NO},
    {"MaxRoomsPerClient", "0", 0},
    {"MaxRoomsPerClient", "1000", 1000},
    {"MaxRoomsPerClient", "1001", NO},
    {"MaxIgnores", "0", 64},
    {"MaxIgnores", "1", 1},
    {"MaxIgnores", "64", 64},
    {"MaxIgnores", "65", NO},
    {"LinesPerSecond", "0", 0},
    {"LinesPerSecond", "1000000", 1000000},
    {"LinesPerSecond", "1000001", NO},
    {"LinesBurst", "0", 1},
    {"LinesBurst", "1", 1},
    {"LinesBurst", "2", 2},
    {"LinesBurst", "1000000", 1000000},
    {"LinesBurst", "1000001", NO},
    {"BytesPerSecond", "0", 0},
    {"BytesPerSecond", "1", 1},
    {"BytesPerSecond", "1G", 1073741824},
    {"BytesPerSecond", "1073741825", NO},
    {"BytesBurst", "0", 2000},
    {"BytesBurst", "1999", 2000},
    {"BytesBurst", "2001", 2001},
    {"BytesBurst", "1024M", 1073741824},
    {"BytesBurst", "1073741825", NO},
    {"MaxLineLength", "0", 8000},
    {"MaxLineLength", "1", NO},
    {"MaxLineLength", "79", NO},
    {"MaxLineLength", "80", 80},
    {"MaxLineLength", "2K", 2048},
    {"MaxLineLength", "8000", 8000},
    {"MaxLineLength", "8001", NO},
    {"MaxNickLength", "0", 24},
    {"MaxNickLength", "1", NO},
    {"MaxNickLength", "2", 2},
    {"MaxNickLength", "24", 24},
    {"MaxNickLength", "25", NO},
    {"MaxTopicLength", "0", 500},
    {"MaxTopicLength", "1", 1},
    {"MaxTopicLength", "500", 500},
    {"MaxTopicLength", "501", NO},
    {"TranscriptSize", "0", 1073741824},
    {"TranscriptSize", "262143", NO},
    {"TranscriptSize", "256K", 262144},
    {"TranscriptSize", "1G", 1073741824},
    {"TranscriptSize", "1073741825", NO},
    {"History", "0", 0},
    {"History", "200", 200},
    {"History", "201", NO},
    {"IdleExitSec", "0", 0},
    {"IdleExitSec", "infinity", 0},
    {"IdleExitSec", "1us", 1},
    {"IdleExitSec", "90", 90000000},
    {"IdleExitSec", "1h 30min", 5400000000},
    {"IdleExitSec", "18446744073709551615us", NO},
    {"Enabled", "0", 0},
    {"Enabled", "no", 0},
    {"Enabled", "False", 0},
    {"Enabled", "off", 0},
    {"Enabled", "1", 1},
    {"Enabled", "yes", 1},
    {"Enabled", "True", 1},
    {"Enabled", "ON", 1},
    {"Enabled", "2", NO},
    {"Enabled", "y", NO},
    {"Keep", "0", 0},
    {"Keep", "infinity", 0},
    {"Keep", "86399", NO},
    {"Keep", "86399999999us", NO},
    {"Keep", "1d", 86400000000},
    {"Keep", "90d", 7776000000000},
    {"Keep", "4611686018427387903us", INT64_C(4611686018427387903)},
    {"Keep", "4611686018427387904us", NO},
    {"MaxSize", "0", 0},
    {"MaxSize", "16777215", NO},
    {"MaxSize", "16M", 16777216},
    {"MaxSize", "1024G", INT64_C(1099511627776)},
    {"MaxSize", "1099511627777", NO},
};

START_TEST(test_bounds)
{
    Config config;

    for (size_t i = 0; i < N_ELEMENTS(bounds); i++) {
        int r = load_value(bounds[i].key, bounds[i].value, &config);

        ck_assert_msg(r == (bounds[i].result == NO ? CONFIG_INVALID : 0), "%s=%s gives %d: %s", bounds[i].key,
                      bounds[i].value, r, reports);
        if (r != 0)
            continue;
        ck_assert_msg(fetch(&config, bounds[i].key) == (uint64_t) bounds[i].result, "%s=%s becomes %" PRIu64,
                      bounds[i].key, bounds[i].value, fetch(&config, bounds[i].key));
        config_done(&config);
    }
}
END_TEST

/* The table above has every key at its largest value and one above. */
START_TEST(test_bounds_are_complete)
{
    const ConfigItem *item;

    for (size_t i = 0; (item = config_item(i)) != NULL; i++) {
        bool has_max = item->type == CONFIG_SPAN || !is_number(item), has_zero = !is_number(item);

        for (size_t j = 0; j < N_ELEMENTS(bounds); j++)
            if (strcmp(bounds[j].key, item->key) == 0) {
                has_max = has_max || bounds[j].result == (int64_t) item->max;
                has_zero = has_zero || strcmp(bounds[j].value, "0") == 0;
            }
        ck_assert_msg(has_max && has_zero, "%s", item->key);
    }
}
END_TEST

START_TEST(test_long_lines_raise_the_burst)
{
    Config config;

    ck_assert_int_eq(load_text("[Limits]\nBytesBurst=4000\nMaxLineLength=0\n", &config), 0);
    ck_assert_uint_eq(config.bytes_burst, 8000);
    config_done(&config);
}
END_TEST

/* ---- defaults ---- */

START_TEST(test_defaults)
{
    Config config;

    config_init(&config);
    check_defaults(&config);
    config_resolve(&config);
    check_defaults(&config);
    config_done(&config);
    config_done(&config);
    ck_assert_int_eq(load_text("", &config), 0);
    check_defaults(&config);
    ck_assert_int_eq(load_text("\n# [Limits]\n;MaxClients=1\n\n[Limits]\n#MaxClients=2\n[Chat]", &config), 0);
    check_defaults(&config);
    ck_assert_str_eq(reports, "");
}
END_TEST

/* "Key=" takes back what came before, in each key. */
START_TEST(test_empty_is_default)
{
    const ConfigItem *item;
    char text[4096];
    Config config;

    (void) strcpy(text, "[Limits]\n");
    for (size_t i = 0; (item = config_item(i)) != NULL; i++)
        (void) snprintf(text + strlen(text), sizeof(text) - strlen(text), "[%s]\n%s=%s\n%s=%s\n",
                        item->section, item->key, strcmp(item->key, "TranscriptSize") == 0 ? "300K" : "0",
                        item->key, i % 2 == 0 ? "" : "  ; nothing");
    ck_assert_int_eq(load_text(text, &config), 0);
    ck_assert_str_eq(reports, "");
    check_defaults(&config);
}
END_TEST

START_TEST(test_idle_exit_was_set)
{
    Config config;

    ck_assert_int_eq(load_text("[Chat]\nIdleExitSec=10min\n", &config), 0);
    ck_assert(!config.idle_exit_is_default);
    ck_assert_uint_eq(config.idle_exit_usec, 600000000);
}
END_TEST

/* ---- texts ---- */

START_TEST(test_group)
{
    static const struct {
        const char *value, *group; /* NULL: refused */
    } cases[] = {
        {"wheel", "wheel"},
        {"-", "-"},
        {"", "chat-operators"},
        {"a.b_c-D9", "a.b_c-D9"},
        {"an_empty_folder_has_no_files_in_", "an_empty_folder_has_no_files_in_"},
        {"an_empty_folder_has_no_files_in_x", NULL},
        {"two words", NULL},
        {"\"\"", NULL},
        {"a:b", NULL},
        {"\xc3\xa9", NULL},
    };
    char text[128];
    Config config;

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        (void) snprintf(text, sizeof(text), "[Chat]\nOperatorGroup=%s\n", cases[i].value);
        if (cases[i].group == NULL) {
            ck_assert_msg(load_text(text, &config) == CONFIG_INVALID, "%s", text);
            ck_assert_msg(strstr(reports, "is no name of a group. Write up to 32 letters") != NULL, "%s",
                          reports);
            continue;
        }
        ck_assert_msg(load_text(text, &config) == 0, "%s: %s", text, reports);
        ck_assert_str_eq(config.operator_group, cases[i].group);
        config_done(&config);
    }
}
END_TEST

static const struct {
    const char *text, *motd; /* NULL: none */
} motds[] = {
    {"Motd=", NULL},
    {"Motd=Hello\nMotd=", NULL},
    {"Motd=Hello", "Hello"},
    {"Motd=Hello\nMotd=you", "Hello\nyou"},
    {"Motd=Hello\nMotd=\nMotd=you", "you"},
    {"Motd=Hello\nMotd=\"\"\nMotd=you", "Hello\n\nyou"},
    {"Motd=\"\"", ""},
    {"Motd=\"\"\nMotd=\"\"", "\n"},
    {"Motd=  spaces  around  ", "spaces  around"},
    {"Motd=\"  spaces  around  \"", "  spaces  around  "},
    {"Motd=it's \"quoted\" inside", "it's \"quoted\" inside"},
    {"Motd=\"it's \\\"quoted\\\" inside\"", "it's \"quoted\" inside"},
    {"Motd=\"a \\\\ backslash\"", "a \\ backslash"},
    {"Motd=a \\ backslash", "a \\ backslash"},
    {"Motd=one ; two", "one"},
    {"Motd=one;two # three", "one;two # three"},
    {"Motd=\"one ; two\"", "one ; two"},
    {"Motd=\"one ; two\" ; three", "one ; two"},
    {"Motd=\"one ; two\";three", "one ; two"},
    {"Motd=\"\\/help lists the commands\"", "/help lists the commands"},
    {"Motd=a=b:c", "a=b:c"},
    {"Motd=\"a=b\"", "a=b"},
    {"Motd:\"a=b\"", "a=b"},
    {"Motd=gr\xc3\xbc\xc3\x9f dich \xf0\x9f\x91\x8b", "gr\xc3\xbc\xc3\x9f dich \xf0\x9f\x91\x8b"},
    {"Motd=\x1b[31mred", "[31mred"},
    {"Motd=tab\tulator", "tab ulator"},
    {"Motd=left\xe2\x80\xaeright", "leftright"}, /* RIGHT-TO-LEFT OVERRIDE */
};

START_TEST(test_motd)
{
    char text[256];
    Config config;

    (void) snprintf(text, sizeof(text), "[Chat]\n%s\n", motds[_i].text);
    ck_assert_msg(load_text(text, &config) == 0, "%s", reports);
    if (motds[_i].motd == NULL)
        ck_assert_ptr_null(config.motd);
    else
        ck_assert_str_eq(config.motd, motds[_i].motd);
    config_done(&config);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, test_bounds);
    tcase_add_test(tests, test_bounds_are_complete);
    tcase_add_test(tests, test_long_lines_raise_the_burst);
    tcase_add_test(tests, test_defaults);
    tcase_add_test(tests, test_empty_is_default);
    tcase_add_test(tests, test_idle_exit_was_set);
    tcase_add_test(tests, test_group);
    tcase_add_loop_test(tests, test_motd, 0, N_ELEMENTS(motds));
}

int main(void)
{
    return run_in_folders("config-values", add_tests);
}
