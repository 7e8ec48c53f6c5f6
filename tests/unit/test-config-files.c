/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"
#include "base/limits.h"
#include "base/macro.h"
#include "base/parse.h"
#include "config-fixture.h"

#define NUMBER_FROM(min, max) "Write a whole number from " #min " to " #max "."

START_TEST(test_large_file)
{
    Config config;

    ck_assert_int_eq(config_load_from("/dev/zero", false, NULL, 0, report, reports, &config), CONFIG_INVALID);
    ck_assert_str_eq(reports, "E /dev/zero:0 The file has more than 1048576 bytes. Shorten it.\n");
}
END_TEST

/* ---- files that are not there or cannot be read ---- */

START_TEST(test_missing_file)
{
    Config config;

    ck_assert_int_eq(load(&config), CONFIG_INVALID);
    ck_assert_str_eq(reports, "E chatd.conf:0 The file cannot be read: No such file or directory.\n");
    reports[0] = '\0';
    ck_assert_int_eq(config_load_from("chatd.conf", true, NULL, 0, report, reports, &config), 0);
    ck_assert_str_eq(reports, "");
    ck_assert_uint_eq(config.max_clients, 10000);
    config_done(&config);
}
END_TEST

START_TEST(test_folder_as_file)
{
    Config config;

    put_folder("chatd.conf");
    ck_assert_int_eq(load(&config), CONFIG_INVALID);
    ck_assert_str_eq(reports, "E chatd.conf:0 The file cannot be read: Is a directory.\n");
    ck_assert_int_eq(rmdir("chatd.conf"), 0);
    put("chatd.conf", "");
    put_folder("low.d");
    put_folder("low.d/10-folder.conf");
    ck_assert_int_eq(load(&config), CONFIG_INVALID);
    ck_assert_str_eq(reports, "E low.d/10-folder.conf:0 The file cannot be read: Is a directory.\n");
}
END_TEST

START_TEST(test_file_as_folder)
{
    Config config;

    put("chatd.conf", "");
    put("low.d", "");
    ck_assert_int_eq(load(&config), CONFIG_INVALID);
    ck_assert_str_eq(reports, "E low.d:0 The folder cannot be read: Not a directory.\n");
}
END_TEST

/* Nothing is unreadable for root. */
static void become_nobody(void)
{
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
}

static void become_root_again(void)
{
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
}

START_TEST(test_unreadable)
{
    Config config;

    put("chatd.conf", "[Limits]\nMaxClients=5\n");
    put_folder("low.d");
    ck_assert_int_eq(chmod("chatd.conf", 0), 0);
    become_nobody();
    ck_assert_int_eq(load(&config), CONFIG_INVALID);
    become_root_again();
    ck_assert_str_eq(reports, "E chatd.conf:0 The file cannot be read: Permission denied.\n");
    ck_assert_int_eq(chmod("chatd.conf", 0644), 0);
    ck_assert_int_eq(chmod("low.d", 0), 0);
    become_nobody();
    ck_assert_int_eq(load(&config), CONFIG_INVALID);
    become_root_again();
    ck_assert_str_eq(reports, "E low.d:0 The folder cannot be read: Permission denied.\n");
    ck_assert_int_eq(chmod("low.d", 0755), 0);
}
END_TEST

START_TEST(test_dangling_dropin)
{
    Config config;

    put("chatd.conf", "");
    put_folder("high.d");
    ck_assert_int_eq(symlink("/does/not/exist", "high.d/a.conf"), 0);
    ck_assert_int_eq(load(&config), CONFIG_INVALID);
    ck_assert_str_eq(reports, "E high.d/a.conf:0 The file cannot be read: No such file or directory.\n");
}
END_TEST

/* ---- the message of the day from a file ---- */

static int load_motd_file(const char *text, size_t n, Config *ret_config)
{
    char line[256];

    put_bytes("motd", text, n);
    (void) snprintf(line, sizeof(line), "[Chat]\nMotd=before\nMotd=%s/motd\nMotd=after\n", folder);
    return load_text(line, ret_config);
}

START_TEST(test_motd_file)
{
    static const struct {
        const char *text, *motd;
    } files[] = {
        {"", "before\nafter"},
        {"\n", "before\n\nafter"},
        {"one", "before\none\nafter"},
        {"one\n", "before\none\nafter"},
        {"one\r\ntwo\r\n", "before\none\ntwo\nafter"},
        {"\none\n\ntwo", "before\n\none\n\ntwo\nafter"},
        {"/etc/passwd\n\"quoted\" ; all", "before\n/etc/passwd\n\"quoted\" ; all\nafter"},
        {"\x1b[2Jclear\x07", "before\n[2Jclear\nafter"},
        {"bad \xff byte", "before\nbad \xef\xbf\xbd byte\nafter"},
    };
    Config config;

    for (size_t i = 0; i < N_ELEMENTS(files); i++) {
        ck_assert_msg(load_motd_file(files[i].text, strlen(files[i].text), &config) == 0, "%s", reports);
        ck_assert_str_eq(config.motd, files[i].motd);
        config_done(&config);
    }
    ck_assert_int_eq(load_motd_file("a\0b", 3, &config), 0);
    ck_assert_str_eq(config.motd, "before\nab\nafter");
    config_done(&config);
}
END_TEST

START_TEST(test_motd_length)
{
    static const char expected[] = " The message of the day has more than 4000 bytes. Shorten it.\n";
    size_t others = strlen("before\n") + strlen("\nafter");
    static char text[20000];
    Config config;

    memset(text, 'x', sizeof(text));
    ck_assert_int_eq(load_motd_file(text, LIMIT_MOTD_BYTES - others, &config), 0);
    ck_assert_uint_eq(strlen(config.motd), LIMIT_MOTD_BYTES);
    config_done(&config);
    ck_assert_int_eq(load_motd_file(text, LIMIT_MOTD_BYTES - others + 1, &config), CONFIG_INVALID);
    ck_assert_ptr_nonnull(strstr(reports, expected));
    ck_assert_ptr_nonnull(strstr(reports, "E chatd.conf:4"));
    ck_assert_int_eq(load_motd_file(text, sizeof(text), &config), CONFIG_INVALID);
    ck_assert_ptr_nonnull(strstr(reports, expected));
    ck_assert_ptr_nonnull(strstr(reports, "E chatd.conf:3"));
    /* What cleaning takes away does not count, but there is an end to that. */
    memset(text, '\x01', sizeof(text));
    ck_assert_int_eq(load_motd_file(text, 10000, &config), 0);
    ck_assert_str_eq(config.motd, "before\n\nafter");
    config_done(&config);
    ck_assert_int_eq(load_motd_file(text, 16384, &config), CONFIG_INVALID);
    ck_assert_ptr_nonnull(strstr(reports, expected));
}
END_TEST

START_TEST(test_motd_unreadable)
{
    char text[256], expected[256];
    Config config;

    put("motd", "secret\n");
    ck_assert_int_eq(chmod("motd", 0), 0);
    (void) snprintf(text, sizeof(text), "[Chat]\nMotd=\"%s/motd\"\n", folder);
    (void) snprintf(expected, sizeof(expected), "E chatd.conf:2 %s/motd cannot be read: Permission denied.\n",
                    folder);
    put("chatd.conf", text);
    become_nobody();
    ck_assert_int_eq(load(&config), CONFIG_INVALID);
    become_root_again();
    ck_assert_str_eq(reports, expected);
}
END_TEST

START_TEST(test_motd_fifo)
{
    char text[256];
    Config config;

    ck_assert_int_eq(mkfifo("motd", 0600), 0);
    (void) snprintf(text, sizeof(text), "[Chat]\nMotd=%s/motd\n", folder);
    ck_assert_int_eq(load_text(text, &config), CONFIG_INVALID);
    ck_assert_ptr_nonnull(strstr(reports, "it is not a file."));
}
END_TEST

/* ---- drop-ins ---- */

START_TEST(test_dropin_order)
{
    Config config;

    put("chatd.conf", "[Limits]\nMaxClients=1\nMaxRooms=1\nMaxIgnores=1\n[Chat]\nMotd=main\n");
    put_folder("low.d");
    put_folder("high.d"); /* there is no middle.d */
    /* By name, whatever the folder. */
    put("low.d/20-b.conf", "[Limits]\nMaxClients=3\n[Chat]\nMotd=20\n");
    put("high.d/10-a.conf", "[Limits]\nMaxClients=2\nMaxRooms=2\n[Chat]\nMotd=10\n");
    put("high.d/3-c.conf", "[Limits]\nMaxClients=4\n[Chat]\nMotd=3\n");
    /* Not drop-ins. */
    put("high.d/99.conf.bak", "[Limits]\nMaxClients=99\n");
    put("high.d/99", "[Limits]\nMaxClients=99\n");
    put("high.d/.99.conf", "[Limits]\nMaxClients=99\n");
    put("high.d/.conf", "[Limits]\nMaxClients=99\n");
    ck_assert_int_eq(load(&config), 0);
    ck_assert_str_eq(reports, "");
    ck_assert_uint_eq(config.max_ignores, 1);
    ck_assert_uint_eq(config.max_rooms, 2);
    ck_assert_uint_eq(config.max_clients, 4);
    ck_assert_str_eq(config.motd, "main\n10\n20\n3");
    config_done(&config);
}
END_TEST

START_TEST(test_dropin_of_one_name)
{
    Config config;

    put("chatd.conf", "");
    put_folder("low.d");
    put_folder("middle.d");
    put_folder("high.d");
    put("low.d/a.conf", "[Limits]\nMaxClients=1\nMaxRooms=1\n");
    put("middle.d/a.conf", "[Limits]\nMaxClients=2\nMaxIgnores=2\n");
    ck_assert_int_eq(load(&config), 0);
    ck_assert_uint_eq(config.max_clients, 2);
    ck_assert_uint_eq(config.max_rooms, 1000);
    ck_assert_uint_eq(config.max_ignores, 2);
    put("high.d/a.conf", "[Limits]\nMaxClients=3\n");
    ck_assert_int_eq(load(&config), 0);
    ck_assert_uint_eq(config.max_clients, 3);
    ck_assert_uint_eq(config.max_ignores, 32);
    /* An empty file hides as well as a link to /dev/null. */
    put("high.d/a.conf", "");
    ck_assert_int_eq(load(&config), 0);
    check_defaults(&config);
    ck_assert_int_eq(unlink("high.d/a.conf"), 0);
    ck_assert_int_eq(symlink("/dev/null", "high.d/a.conf"), 0);
    ck_assert_int_eq(load(&config), 0);
    check_defaults(&config);
    ck_assert_str_eq(reports, "");
    /* A mask in a lower folder masks nothing above it. */
    ck_assert_int_eq(unlink("middle.d/a.conf"), 0);
    ck_assert_int_eq(rename("high.d/a.conf", "middle.d/a.conf"), 0);
    put("high.d/a.conf", "[Limits]\nMaxClients=3\n");
    ck_assert_int_eq(load(&config), 0);
    ck_assert_uint_eq(config.max_clients, 3);
}
END_TEST

/* A mistake is reported with the drop-in's own name and line, and a section does not reach into the next
 * file. */
START_TEST(test_dropin_messages)
{
    Config config;

    put("chatd.conf", "[Limits]\nMaxClients=x\n[Chat]\n");
    put_folder("low.d");
    put("low.d/1.conf", "History=5\n");
    put("low.d/2.conf", "\n[Chat]\n  History=x\n");
    ck_assert_int_eq(load(&config), CONFIG_INVALID);
    ck_assert_str_eq(reports,
                     "E chatd.conf:2 MaxClients=x is not a number. " NUMBER_FROM(
                         0, 1000000) "\n"
                                     "W low.d/1.conf:1 History= belongs in section [Chat], ignoring.\n"
                                     "E low.d/2.conf:3 History=x is not a number. " NUMBER_FROM(0, 200) "\n");
}
END_TEST

/* The public function: --config=FILE has FILE.d beside it. */
START_TEST(test_own_folder)
{
    Config config;

    reports[0] = '\0';
    ck_assert_int_eq(config_load("my.conf", report, reports, &config), CONFIG_INVALID);
    ck_assert_str_eq(reports, "E my.conf:0 The file cannot be read: No such file or directory.\n");
    put("my.conf", "[Limits]\nMaxClients=1\nMaxRooms=1\n");
    put_folder("my.conf.d");
    put("my.conf.d/a.conf", "[Limits]\nMaxClients=2\n");
    ck_assert_int_eq(config_load("my.conf", report, reports, &config), 0);
    ck_assert_uint_eq(config.max_clients, 2);
    ck_assert_uint_eq(config.max_rooms, 1);
}
END_TEST

START_TEST(test_many_dropins)
{
    Config config;
    char name[64], text[64];

    put("chatd.conf", "");
    put_folder("low.d");
    for (int i = 0; i < 300; i++) {
        (void) snprintf(name, sizeof(name), "low.d/%03d.conf", 299 - i);
        (void) snprintf(text, sizeof(text), "[Limits]\nMaxClients=%d\n", 299 - i);
        put(name, text);
    }
    ck_assert_int_eq(load(&config), 0);
    ck_assert_uint_eq(config.max_clients, 299);
}
END_TEST

/* A line of the message of the day that came from a file may be too long for chatd.conf: it is printed as a
 * comment. */
START_TEST(test_print_long_motd)
{
    char text[1000];
    Config first, second;

    memset(text, '"', sizeof(text));
    (void) memcpy(text + 95, "\n", 1);
    (void) memcpy(text + 95 + 1 + 96, "\n", 1);
    ck_assert_int_eq(load_motd_file(text, sizeof(text), &first), 0);
    print_and_back(&first, &second);
    /* 95 quotes take 190 bytes, 96 are too long. */
    ck_assert_uint_eq(strlen(second.motd), strlen("before\n") + 95 + strlen("\nafter"));
    config_done(&first);
    config_done(&second);
}
END_TEST

/* ---- the words that describe all this ---- */

/* A file of the source, as a string. */
static void read_source(const char *name, char *to, size_t size)
{
    char path[4096];
    FILE *file;
    size_t n;

    (void) snprintf(path, sizeof(path), "%s/%s", TEST_SOURCES, name);
    file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
    n = fread(to, 1, size - 1, file);
    ck_assert_uint_lt(n, size - 1);
    to[n] = '\0';
    ck_assert_int_eq(fclose(file), 0);
}

/* The range of an item in the words of the manual page; empty if it has none. */
static void format_range(const ConfigItem *item, char *to, size_t size)
{
    char min[PARSE_TEXT_MAX], max[PARSE_TEXT_MAX];

    to[0] = '\0';
    if (!is_number(item) || item->type == CONFIG_SPAN || item->type == CONFIG_BOOL)
        return;
    if (item->type == CONFIG_NUMBER) {
        (void) snprintf(min, sizeof(min), "%" PRIu64, item->min);
        (void) snprintf(max, sizeof(max), "%" PRIu64, item->max);
    } else {
        parse_format_size(min, item->min);
        parse_format_size(max, item->max);
    }
    (void) snprintf(to, size, "\nRange: %s to %s%s.\n", min, max, item->min > 0 ? ", or 0" : "");
}

/* The defaults are compared elsewhere, in test-docs.c. */
START_TEST(test_ranges_in_manual_page)
{
    static char page[65536];
    const ConfigItem *item;
    char text[256], *entry, *end;

    read_source("man/chatd.conf.5.in", page, sizeof(page));
    for (size_t i = 0; (item = config_item(i)) != NULL; i++) {
        (void) snprintf(text, sizeof(text), "\n.It Va %s=\n", item->key);
        entry = strstr(page, text);
        ck_assert_msg(entry != NULL, "%s= is missing", item->key);
        end = strstr(strstr(entry, "\nDefault: "), "\n.");
        format_range(item, text, sizeof(text));
        entry = strstr(entry, text);
        ck_assert_msg(entry != NULL && entry < end, "%s= does not say%s", item->key, text);
    }
}
END_TEST

/* It sets nothing, and with the comment signs taken away from the keys it is still right. */
START_TEST(test_example_is_valid)
{
    static char example[65536];
    Config config;

    read_source("systemd/chatd.conf", example, sizeof(example));
    ck_assert_int_eq(load_text(example, &config), 0);
    check_defaults(&config);
    for (char *c = example; (c = strstr(c, "\n#")) != NULL; c++)
        if (c[2] >= 'A' && c[2] <= 'Z' && strcspn(c + 2, " =") == strcspn(c + 2, "="))
            c[1] = ' ';
    ck_assert_int_eq(load_text(example, &config), 0);
    ck_assert_str_eq(reports, "");
    ck_assert(!config.idle_exit_is_default);
    config.idle_exit_is_default = true;
    check_defaults(&config);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, test_large_file);
    tcase_add_test(tests, test_missing_file);
    tcase_add_test(tests, test_folder_as_file);
    tcase_add_test(tests, test_file_as_folder);
    tcase_add_test(tests, test_unreadable);
    tcase_add_test(tests, test_dangling_dropin);
    tcase_add_test(tests, test_motd_file);
    tcase_add_test(tests, test_motd_length);
    tcase_add_test(tests, test_motd_unreadable);
    tcase_add_test(tests, test_motd_fifo);
    tcase_add_test(tests, test_dropin_order);
    tcase_add_test(tests, test_dropin_of_one_name);
    tcase_add_test(tests, test_dropin_messages);
    tcase_add_test(tests, test_own_folder);
    tcase_add_test(tests, test_many_dropins);
    tcase_add_test(tests, test_print_long_motd);
    tcase_add_test(tests, test_ranges_in_manual_page);
    tcase_add_test(tests, test_example_is_valid);
}

int main(void)
{
    return run_in_folders("config-files", add_tests);
}
