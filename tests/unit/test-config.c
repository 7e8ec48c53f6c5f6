/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/config.h"
#include "base/macro.h"
#include "config-fixture.h"

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

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, test_refused, 0, N_ELEMENTS(refused));
    tcase_add_test(tests, test_nul_byte);
    tcase_add_test(tests, test_without_report);
    tcase_add_test(tests, test_long_line);
    tcase_add_test(tests, test_long_comment);
    tcase_add_loop_test(tests, test_warned, 0, N_ELEMENTS(warned));
    tcase_add_test(tests, test_layout);
    tcase_add_test(tests, test_print_and_back);
    tcase_add_test(tests, test_print_default);
}

int main(void)
{
    return run_in_folders("config", add_tests);
}
