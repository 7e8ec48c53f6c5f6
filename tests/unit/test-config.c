/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/macro.h"
#include "config-fixture.h"

/* A file of one value. */
static int load_value(const char *key, const char *value, Config *ret_config)
{
    char text[512];

    (void) snprintf(text, sizeof(text), "[%s]\n%s=%s\n", find_item(key)->section, key, value);
    return load_text(text, ret_config);
}

/* ---- what is refused ---- */

#define NUMBER_FROM(min, max) "Write a whole number from " #min " to " #max "."

static const struct {
    const char *text, *reports;
} refused[] = {
    {"[Limits]\nMaxClients=many\n",
     "E chatd.conf:2 MaxClients=many is not a number. " NUMBER_FROM(0, 1000000) "\n"},
    {"[Limits]\n\n# words\nMaxClients=-1\n",
     "E chatd.conf:4 MaxClients=-1 is not a number. " NUMBER_FROM(0, 1000000) "\n"},
    {"[Limits]\r\nMaxClients=1.5\r\n",
     "E chatd.conf:2 MaxClients=1.5 is not a number. " NUMBER_FROM(0, 1000000) "\n"},
    {"[Limits]\nMaxClients=10K\n",
     "E chatd.conf:2 MaxClients=10K is not a number. " NUMBER_FROM(0, 1000000) "\n"},
    {"[Limits]\nMaxClients=\"\"\n", "E chatd.conf:2 MaxClients= is empty. " NUMBER_FROM(0, 1000000) "\n"},
    {"[Limits]\nMaxClients=1000001\n",
     "E chatd.conf:2 MaxClients=1000001 is out of range. " NUMBER_FROM(0, 1000000) "\n"},
    {"[Limits]\nMaxClients=99999999999999999999\n",
     "E chatd.conf:2 MaxClients=99999999999999999999 is too large. " NUMBER_FROM(0, 1000000) "\n"},
    {"[Limits]\nMaxClients=4294967297\n",
     "E chatd.conf:2 MaxClients=4294967297 is out of range. " NUMBER_FROM(0, 1000000) "\n"},
    {"[Limits]\nMaxNickLength=1\n",
     "E chatd.conf:2 MaxNickLength=1 is out of range. Write a whole number from 2 to 24, or 0.\n"},
    {"[Limits]\nMaxLineLength=79\n", "E chatd.conf:2 MaxLineLength=79 is out of range. Write a number of "
                                     "bytes (K, M and G count in 1024s) from 80 "
                                     "to 8000, or 0.\n"},
    {"[Limits]\nTranscriptSize=255K\n", "E chatd.conf:2 TranscriptSize=255K is out of range. Write a number "
                                        "of bytes (K, M and G count in 1024s) from "
                                        "256K to 1G, or 0.\n"},
    {"[Limits]\nBytesBurst=32 K\n", "E chatd.conf:2 BytesBurst=32 K has an unknown unit. Write a number of "
                                    "bytes (K, M and G count in 1024s) from 0 "
                                    "to 1G.\n"},
    {"[Chat]\nIdleExitSec=10 fortnights\n", "E chatd.conf:2 IdleExitSec=10 fortnights has an unknown unit. "
                                            "Write a time span such as 90, 10min or 1h 30min; "
                                            "0 or infinity means never.\n"},
    {"[Archive]\nEnabled=maybe\n", "E chatd.conf:2 Enabled=maybe is neither yes nor no. Write yes or no.\n"},
    {"[Archive]\nEnabled=2\n", "E chatd.conf:2 Enabled=2 is neither yes nor no. Write yes or no.\n"},
    {"[Archive]\nKeep=23h\n", "E chatd.conf:2 Keep=23h is out of range. Write a time span such as 90, 10min "
                              "or 1h 30min, at least 1d; 0 or infinity means never.\n"},
    {"[Archive]\nMaxSize=15M\n", "E chatd.conf:2 MaxSize=15M is out of range. Write a number of bytes (K, M "
                                 "and G count in 1024s) from 16M to 1T, or 0.\n"},
    {"[Limits]\nMaxClients=1\x1b[31m\n",
     "E chatd.conf:2 MaxClients=1\\x1b[31m is not a number. " NUMBER_FROM(0, 1000000) "\n"},
    {"[Chat]\nMotd=\"hello\n", "E chatd.conf:2 The value of Motd= has no closing quote.\n"},
    {"[Chat]\nMotd=\"\n", "E chatd.conf:2 The value of Motd= has no closing quote.\n"},
    {"[Chat]\nMotd=\"hello\\\"\n", "E chatd.conf:2 The value of Motd= has no closing quote.\n"},
    {"[Chat]\nMotd=\"hello\\\n",
     "E chatd.conf:2 The value of Motd= has an unknown escape; in quotes a backslash is written \\\\.\n"},
    {"[Chat]\nMotd=\"a\\nb\"\n",
     "E chatd.conf:2 The value of Motd= has an unknown escape; in quotes a backslash is written \\\\.\n"},
    {"[Chat]\nMotd=\"a\" b\n",
     "E chatd.conf:2 The value of Motd= has text after the closing quote; a quote inside is written \\\".\n"},
    {"[Chat]\nMotd=/does/not/exist\n",
     "E chatd.conf:2 /does/not/exist cannot be read: No such file or directory.\n"},
    {"[Chat]\nMotd=/tmp\n", "E chatd.conf:2 /tmp cannot be read: Is a directory.\n"},
    {"[Chat]\nMotd=/dev/zero\n", "E chatd.conf:2 /dev/zero cannot be read: it is not a file.\n"},
    {"[Chat]\nMotd=h\xc3\xa4\nMotd=h\xe4\n",
     "E chatd.conf:3 The line is not UTF-8. Write the file as UTF-8 text.\n"},
    {"[Chat]\nMotd=\xed\xa0\x80\n", "E chatd.conf:2 The line is not UTF-8. Write the file as UTF-8 text.\n"},
    {"[Limits]\nMaxClients\n",
     "E chatd.conf:2 The line is neither [Section] nor Key=value nor a comment that begins with #.\n"},
    {"[Limits\nMaxClients=1\n",
     "W chatd.conf:2 MaxClients= belongs in section [Limits], ignoring.\n"
     "E chatd.conf:1 The line is neither [Section] nor Key=value nor a comment that begins with #.\n"},
    {"[Chat]\nMotd=Hello\n    and welcome\n",
     "E chatd.conf:3 The line is neither [Section] nor Key=value nor a comment that begins with #.\n"},
    /* Every wrong line is reported, not only the first. */
    {"[Limits]\nMaxRooms=x\nMaxClients=5\nMaxIgnores=65\n",
     "E chatd.conf:2 MaxRooms=x is not a number. " NUMBER_FROM(
         0, 65000) "\n"
                   "E chatd.conf:4 MaxIgnores=65 is out of range. " NUMBER_FROM(0, 64) "\n"},
};

START_TEST(test_refused)
{
    Config config = {.max_clients = 4711};

    ck_assert_int_eq(load_text(refused[_i].text, &config), CONFIG_INVALID);
    ck_assert_str_eq(reports, refused[_i].reports);
    ck_assert_uint_eq(config.max_clients, 4711);
}
END_TEST

START_TEST(test_nul_byte)
{
    static const char text[] = "[Limits]\nMaxClients=1\0#\n";
    Config config;

    put_bytes("chatd.conf", text, sizeof(text) - 1);
    ck_assert_int_eq(load(&config), CONFIG_INVALID);
    ck_assert_str_eq(reports, "E chatd.conf:2 The line has a NUL byte. Write the file as UTF-8 text.\n");
}
END_TEST

START_TEST(test_without_report)
{
    Config config;

    put("chatd.conf", "[Limits]\nUnknown=1\nMaxClients=x\n");
    ck_assert_int_eq(config_load_from("chatd.conf", false, NULL, 0, NULL, NULL, &config), CONFIG_INVALID);
}
END_TEST

/* A line of `n` bytes before its end, which is `end`. */
static int load_long_line(size_t n, const char *end, Config *ret_config)
{
    char text[9000] = "[Chat]\nMotd=";
    size_t start = strlen("[Chat]\n"), used = strlen(text);

    memset(text + used, 'x', start + n - used);
    (void) strcpy(text + start + n, end);
    return load_text(text, ret_config);
}

START_TEST(test_long_line)
{
    static const size_t long_lines[] = {200, 201, 1000, 4095, 4096, 4097, 8000};
    char expected[256];
    Config config;

    for (size_t i = 0; i < N_ELEMENTS(long_lines); i++) {
        ck_assert_int_eq(load_long_line(long_lines[i], "\n[Limits]\nMaxClients=x\n", &config),
                         CONFIG_INVALID);
        (void) snprintf(
            expected, sizeof(expected),
            "E chatd.conf:2 The line has %zu bytes; at most 199 can be read. Shorten it (Motd= may name a "
            "file).\n"
            "E chatd.conf:4 MaxClients=x is not a number. " NUMBER_FROM(0, 1000000) "\n",
            long_lines[i]);
        ck_assert_str_eq(reports, expected);
    }
    for (int i = 0; i < 3; i++) {
        static const char *const ends[] = {"", "\n", "\r\n"};

        ck_assert_int_eq(load_long_line(199, ends[i], &config), 0);
        ck_assert_uint_eq(strlen(config.motd), 199 - strlen("Motd="));
        config_done(&config);
    }
}
END_TEST

/* A comment may be as long as it likes, and in any encoding. */
START_TEST(test_long_comment)
{
    static const char *const starts[] = {"#", ";", "  #", "\t;"};
    char text[9000];
    Config config;

    for (size_t i = 0; i < N_ELEMENTS(starts); i++) {
        memset(text, '\xe4', sizeof(text));
        memcpy(text, starts[i], strlen(starts[i]));
        (void) strcpy(text + 8000, "\n[Limits]\nMaxClients=5\n");
        ck_assert_int_eq(load_text(text, &config), 0);
        ck_assert_str_eq(reports, "");
        ck_assert_uint_eq(config.max_clients, 5);
    }
    memset(text, ' ', sizeof(text));
    (void) strcpy(text + 8000, "MaxClients=5\n");
    ck_assert_int_eq(load_text(text, &config), CONFIG_INVALID);
}
END_TEST

/* ---- what is warned about ---- */

static const struct {
    const char *text, *reports;
} warned[] = {
    {"[limits]\nMaxClients=1\nMaxRooms=1\n",
     "W chatd.conf:1 Unknown section [limits], ignoring. Did you mean [Limits]?\n"},
    {"[Foo]\nA=1\n[Limits]\nMaxClients=5\n[Bar]\nB=1\n",
     "W chatd.conf:1 Unknown section [Foo], ignoring.\nW chatd.conf:5 Unknown section [Bar], ignoring.\n"},
    {"[Limit]\n", ""}, /* nothing in it, so nothing is ignored */
    {"[Limits]\nMaxClient=1\n",
     "W chatd.conf:2 Unknown key MaxClient=, ignoring. Did you mean MaxClients=?\n"},
    {"[Chat]\nMotd=tea ; and cake\nMotd=\"tea ; and cake\"\nMotd=tea;cake\n",
     "W chatd.conf:2 What follows \" ;\" is a comment. To have it in Motd= write the value in quotes.\n"},
    {"[Limits]\nmaxclients=1\n",
     "W chatd.conf:2 Unknown key maxclients=, ignoring. Did you mean MaxClients=?\n"},
    {"[Limits]\nColour=green\n", "W chatd.conf:2 Unknown key Colour=, ignoring.\n"},
    {"[Limits]\n=green\n", "W chatd.conf:2 Unknown key =, ignoring.\n"},
    {"[Limits]\nHistory=5\n", "W chatd.conf:2 History= belongs in section [Chat], ignoring.\n"},
    {"MaxClients=1\n", "W chatd.conf:1 MaxClients= belongs in section [Limits], ignoring.\n"},
    {"MaxClient=1\n", "W chatd.conf:1 Unknown key MaxClient=, ignoring. Did you mean MaxClients=?\n"},
    {"[Limits]\nMax\x1b"
     "Clients=1\n",
     "W chatd.conf:2 Unknown key Max\\x1b"
     "Clients=, ignoring. Did you mean MaxClients=?\n"},
};

START_TEST(test_warned)
{
    Config config, standard;

    config_init(&standard);
    ck_assert_int_eq(load_text(warned[_i].text, &config), 0);
    ck_assert_str_eq(reports, warned[_i].reports);
    ck_assert(config.max_clients == standard.max_clients || config.max_clients == 5);
    ck_assert_uint_eq(config.history, standard.history);
    config_done(&config);
}
END_TEST

/* ---- bounds ---- */

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
        bool has_max = item->type == CONFIG_SPAN || !config_is_number(item),
             has_zero = !config_is_number(item);

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

/* ---- how lines are read ---- */

START_TEST(test_layout)
{
    static const char *const layouts[] = {
        "[Limits]\nMaxClients=5",
        "[Limits]\nMaxClients=5\n",
        "[Limits]\r\nMaxClients=5\r\n",
        "\xef\xbb\xbf[Limits]\nMaxClients=5\n",
        "  [Limits]  \n \tMaxClients \t=  5 \n",
        "[Limits]\nMaxClients = 5 ; five\n",
        "[Limits]\nMaxClients: 5\n",
        "[Limits]\nMaxClients=\"5\"\n",
        "[Limits]\nMaxClients=\"5\" ; five\n",
        "[Limits]\nMaxClients=7\nMaxClients=5\n",
        "[Limits]\nMaxRooms=7\n    MaxClients=5\n", /* indented: a line of its own, not the value before
                                                       continued */
        "[Limits]\nMaxRooms=7\n\r\v\f MaxClients=\"5\"\n",
        "[Limits]\nMaxClients=7\n[Chat]\nHistory=0\n[Limits]\nMaxClients=5\n",
    };
    Config config;

    for (size_t i = 0; i < N_ELEMENTS(layouts); i++) {
        ck_assert_msg(load_text(layouts[i], &config) == 0, "%zu: %s", i, reports);
        ck_assert_str_eq(reports, "");
        ck_assert_msg(config.max_clients == 5, "%zu: %" PRIu32, i, config.max_clients);
    }
}
END_TEST

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

/* ---- printing ---- */

START_TEST(test_print_and_back)
{
    static const char *const texts[] = {
        "",
        "[Chat]\nMotd=\"\"\n",
        "[Chat]\nMotd=one\nMotd=\"\\/two \\\" \\\\ ; #\"\nMotd=\"\"\nMotd=\"  x  \"\nMotd=;\nMotd=#\n",
        "[Limits]\nMaxClients=0\nMaxIgnores=0\nLinesBurst=0\nBytesBurst=0\nMaxLineLength=0\nMaxNickLength=0\n"
        "MaxTopicLength=0\nTranscriptSize=0\nMaxRooms=0\nBytesPerSecond=1025\n[Chat]\nIdleExitSec=0\nHistory="
        "0\n",
        "[Chat]\nIdleExitSec=10min\n",
        "[Chat]\nIdleExitSec=1h 2.5s\n",
        "[Archive]\nEnabled=off\nKeep=0\nMaxSize=0\n",
        "[Archive]\nEnabled=1\nKeep=1d 1us\nMaxSize=16777217\n",
    };
    Config first, second;

    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        ck_assert_msg(load_text(texts[i], &first) == 0, "%s", reports);
        print_and_back(&first, &second);
        check_same(&first, &second);
        config_done(&first);
        config_done(&second);
    }
}
END_TEST

START_TEST(test_print_default)
{
    static const char expected[] = "[Limits]\nMaxClients=10000\nMaxClientsPerAddress=256\nMaxRooms=1000\n"
                                   "MaxRoomsPerClient=20\nMaxIgnores=32\nLinesPerSecond=10\nLinesBurst=40\n"
                                   "BytesPerSecond=8K\nBytesBurst=32K\nMaxLineLength=2000\nMaxNickLength=24\n"
                                   "MaxTopicLength=300\nTranscriptSize=512K\n\n[Chat]\n#Motd=\nHistory=20\n"
                                   "OperatorGroup=chat-operators\n#IdleExitSec=10min\n\n"
                                   "[Archive]\nEnabled=yes\nKeep=30d\nMaxSize=1G\n";
    char text[4096];
    Config config;
    FILE *file;
    size_t n;

    config_init(&config);
    file = fopen("out", "w+");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(config_print(&config, file), 0);
    rewind(file);
    n = fread(text, 1, sizeof(text) - 1, file);
    text[n] = '\0';
    ck_assert_str_eq(text, expected);
    ck_assert_int_eq(fclose(file), 0);
    file = fopen("/dev/full", "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(config_print(&config, file), -ENOSPC);
    (void) fclose(file);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *tests = tcase_create("config");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tests, enter_folder, leave_folder);
    tcase_add_loop_test(tests, test_refused, 0, N_ELEMENTS(refused));
    tcase_add_test(tests, test_nul_byte);
    tcase_add_test(tests, test_group);
    tcase_add_test(tests, test_without_report);
    tcase_add_test(tests, test_long_line);
    tcase_add_test(tests, test_long_comment);
    tcase_add_loop_test(tests, test_warned, 0, N_ELEMENTS(warned));
    tcase_add_test(tests, test_bounds);
    tcase_add_test(tests, test_bounds_are_complete);
    tcase_add_test(tests, test_long_lines_raise_the_burst);
    tcase_add_test(tests, test_defaults);
    tcase_add_test(tests, test_empty_is_default);
    tcase_add_test(tests, test_idle_exit_was_set);
    tcase_add_test(tests, test_layout);
    tcase_add_loop_test(tests, test_motd, 0, N_ELEMENTS(motds));
    tcase_add_test(tests, test_print_and_back);
    tcase_add_test(tests, test_print_default);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
