/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Everything that was said, as text and as JSON. */

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "archive/export.h"
#include "archive/purge.h"
#include "unit/archive-fixture.h"
#include "unit/harness.h"
#include "unit/unit.h"

static void export(Fixture *fixture, const ArchiveExport *options, const char *expected)
{
    char *text = NULL;
    size_t n = 0;
    FILE *file = open_memstream(&text, &n);

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(archive_export(fixture->archive, file, options), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_str_eq(text, expected);
    free(text);
}

static void put(Fixture *fixture, unsigned n, ArchiveLineKind kind, const char *who, const char *text)
{
    ArchiveLine line = {.id = archive_id(1, n * 8),
                        .wall = FIXTURE_NOW + n * USEC_PER_SEC + n,
                        .kind = kind,
                        .room = fixture_name(n % 2 ? "lobby" : "walks"),
                        .text = text,
                        .n = strlen(text)};

    if (kind == ARCHIVE_GAP)
        line.n_missing = n;
    else
        line.who = fixture_who(who);
    ck_assert_int_eq(archive_put_line(fixture->archive, &line), 0);
}

static Fixture *filled(const char *zone)
{
    Fixture *fixture = fixture_new_open();

    (void) setenv("TZ", zone, 1);
    tzset();
    put(fixture, 1, ARCHIVE_GAP, "", "");
    put(fixture, 2, ARCHIVE_SAID, "bob", "hello");
    put(fixture, 3, ARCHIVE_ACTION, "Straße!1000", "wäves");
    put(fixture, 4, ARCHIVE_SAID, "alice!4294967295", "\"quoted\" \\ and / 東京 😀");
    put(fixture, 5, ARCHIVE_ACTION, "bob", "goes");
    put(fixture, 6, ARCHIVE_GAP, "", "");
    put(fixture, 7, ARCHIVE_SAID, "bob", "");
    fixture_commit(fixture, 8);
    return fixture;
}

START_TEST(test_text)
{
    Fixture *fixture = filled("UTC");
    NameKey lobby = fixture_key("LOBBY"), nowhere = fixture_key("nowhere");

    export(fixture, &(ArchiveExport){0},
           "2026-11-22 14:03:06 -- 1 line is missing here\n"
           "2026-11-22 14:03:07 #walks <bob> hello\n"
           "2026-11-22 14:03:08 #lobby * Straße✓ wäves\n"
           "2026-11-22 14:03:09 #walks <alice✓> \"quoted\" \\ and / 東京 😀\n"
           "2026-11-22 14:03:10 #lobby * bob goes\n"
           "2026-11-22 14:03:11 -- 6 lines are missing here\n"
           "2026-11-22 14:03:12 #lobby <bob> \n");
    export(fixture, &(ArchiveExport){.room = &lobby, .since = FIXTURE_NOW + 4 * USEC_PER_SEC},
           "2026-11-22 14:03:10 #lobby * bob goes\n"
           "2026-11-22 14:03:12 #lobby <bob> \n");
    export(fixture, &(ArchiveExport){.since = FIXTURE_NOW + 6 * USEC_PER_SEC},
           "2026-11-22 14:03:11 -- 6 lines are missing here\n"
           "2026-11-22 14:03:12 #lobby <bob> \n");
    export(fixture, &(ArchiveExport){.room = &nowhere}, "");
    export(fixture, &(ArchiveExport){.since = UINT64_MAX}, "");
    fixture_free(fixture);
    fixture = filled("XYZ-1");
    export(fixture, &(ArchiveExport){.since = FIXTURE_NOW + 7 * USEC_PER_SEC},
           "2026-11-22 15:03:12 #lobby <bob> \n");
    fixture_free(fixture);
}
END_TEST

START_TEST(test_json)
{
    Fixture *fixture = filled("XYZ-1");

    export(
        fixture, &(ArchiveExport){.format = ARCHIVE_FORMAT_JSON},
        "{\"id\":8796093022209,\"time\":\"2026-11-22T14:03:06.000001Z\",\"missing\":1}\n"
        "{\"id\":8796093022210,\"time\":\"2026-11-22T14:03:07.000002Z\",\"room\":\"walks\",\"nick\":\"bob\","
        "\"verified\":false,\"action\":false,\"text\":\"hello\"}\n"
        "{\"id\":8796093022211,\"time\":\"2026-11-22T14:03:08.000003Z\",\"room\":\"lobby\",\"nick\":"
        "\"Straße\","
        "\"verified\":true,\"uid\":1000,\"action\":true,\"text\":\"wäves\"}\n"
        "{\"id\":8796093022212,\"time\":\"2026-11-22T14:03:09.000004Z\",\"room\":\"walks\",\"nick\":"
        "\"alice\","
        "\"verified\":true,\"uid\":4294967295,\"action\":false,"
        "\"text\":\"\\\"quoted\\\" \\\\ and / 東京 😀\"}\n"
        "{\"id\":8796093022213,\"time\":\"2026-11-22T14:03:10.000005Z\",\"room\":\"lobby\",\"nick\":\"bob\","
        "\"verified\":false,\"action\":true,\"text\":\"goes\"}\n"
        "{\"id\":8796093022214,\"time\":\"2026-11-22T14:03:11.000006Z\",\"missing\":6}\n"
        "{\"id\":8796093022215,\"time\":\"2026-11-22T14:03:12.000007Z\",\"room\":\"lobby\",\"nick\":\"bob\","
        "\"verified\":false,\"action\":false,\"text\":\"\"}\n");
    fixture_free(fixture);
}
END_TEST

/* Times that no calendar has. */
START_TEST(test_times)
{
    Fixture *fixture = fixture_new_open();
    ArchiveLine line = {.id = archive_id(1, 8),
                        .wall = INT64_MAX,
                        .room = fixture_name("lobby"),
                        .who = fixture_who("bob"),
                        .text = "x",
                        .n = 1};

    (void) setenv("TZ", "XYZ-14", 1);
    tzset();
    ck_assert_int_eq(archive_put_line(fixture->archive, &line), 0);
    line.id++;
    line.wall = 0;
    ck_assert_int_eq(archive_put_line(fixture->archive, &line), 0);
    fixture_commit(fixture, 2);
    export(fixture, &(ArchiveExport){0},
           "9999-12-31 14:00:00 #lobby <bob> x\n"
           "1970-01-01 14:00:00 #lobby <bob> x\n");
    fixture_free(fixture);
}
END_TEST

/* More than a step, while somebody else writes, and deletes. */
START_TEST(test_long)
{
    Fixture *fixture = fixture_new_open();
    Archive *writer = fixture->archive, *reader = NULL;
    unsigned n = 4321, n_lines = 0;
    char *text = NULL;
    size_t size = 0;
    FILE *file;

    for (unsigned i = 0; i < n; i++)
        put(fixture, i, i % 10 == 5 ? ARCHIVE_GAP : ARCHIVE_SAID, "bob", "hello");
    fixture_commit(fixture, n);
    ck_assert_int_eq(archive_open(fixture->path, ARCHIVE_READER, &reader), 0);
    for (unsigned round = 0; round < 2; round++) {
        file = open_memstream(&text, &size);
        ck_assert_ptr_nonnull(file);
        ck_assert_int_eq(archive_export(reader, file, &(ArchiveExport){0}), 0);
        ck_assert_int_eq(fclose(file), 0);
        n_lines = 0;
        for (size_t i = 0; i < size; i++)
            n_lines += text[i] == '\n';
        ck_assert_uint_eq(n_lines, round == 0 ? n : n - 1);
        free(text);
        ck_assert_int_eq(archive_put_take_back(writer, archive_id(1, 80)), 0);
        fixture_commit(fixture, n);
        /* It holds nothing. */
        ck_assert_int_eq(archive_clean(writer, UINT32_MAX), 0);
    }
    (void) archive_close(reader);
    fixture_free(fixture);
}
END_TEST

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;

    for (; (text = strstr(text, what)) != NULL; text++)
        n++;
    return n;
}

/* At the end of a step: the gap stands before the line that has its id, whichever of them is the last. */
START_TEST(test_same_id)
{
    for (unsigned at = 998; at < 1002; at++) {
        Fixture *fixture = fixture_new_open();
        char *text = NULL, missing[64];
        size_t size = 0;
        FILE *file;

        for (unsigned i = 0; i < 1500; i++)
            put(fixture, i, ARCHIVE_SAID, "bob", "hello");
        put(fixture, at, ARCHIVE_GAP, "", "");
        fixture_commit(fixture, 1500);
        file = open_memstream(&text, &size);
        ck_assert_ptr_nonnull(file);
        ck_assert_int_eq(archive_export(fixture->archive, file, &(ArchiveExport){0}), 0);
        ck_assert_int_eq(fclose(file), 0);
        ck_assert_uint_eq(count(text, "<bob> hello\n"), 1500);
        (void) snprintf(missing, sizeof missing, "-- %u lines are missing here\n", at);
        ck_assert_uint_eq(count(text, missing), 1);
        *strstr(text, missing) = '\0';
        ck_assert_uint_eq(count(text, "<bob> hello\n"), at);
        free(text);
        fixture_free(fixture);
    }
}
END_TEST

/* While a reader of the export does nothing, deleting goes on. */
static ssize_t on_write(void *userdata, const char *bytes, size_t n)
{
    Fixture *fixture = userdata;

    (void) bytes;
    ck_assert_int_eq(archive_put_take_back(fixture->archive, fixture->last_id), 0);
    fixture_commit(fixture, 2000);
    ck_assert(archive_is_unclean(fixture->archive));
    ck_assert_int_eq(archive_clean(fixture->archive, UINT32_MAX), 0);
    ck_assert(!archive_is_unclean(fixture->archive));
    fixture->last_id++;
    return (ssize_t) n;
}

START_TEST(test_stuck)
{
    Fixture *fixture = fixture_new_open();
    Archive *reader = NULL;
    FILE *file;

    for (unsigned i = 0; i < 1500; i++)
        put(fixture, i, ARCHIVE_SAID, "bob", "hello");
    fixture_commit(fixture, 1500);
    fixture->last_id = archive_id(1, 8 * 100);
    ck_assert_int_eq(archive_open(fixture->path, ARCHIVE_READER, &reader), 0);
    file = fopencookie(fixture, "w", (cookie_io_functions_t){.write = on_write});
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(archive_export(reader, file, &(ArchiveExport){0}), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_uint_gt(fixture->last_id, archive_id(1, 8 * 100) + 1);
    (void) archive_close(reader);
    fixture_free(fixture);
}
END_TEST

START_TEST(test_not_written)
{
    Fixture *fixture = filled("UTC");
    FILE *file = fopen("/dev/full", "w");
    char small[16];
    int fds[2];

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(archive_export(fixture->archive, file, &(ArchiveExport){0}), -ENOSPC);
    ck_assert_int_eq(setvbuf(file, small, _IOFBF, sizeof small), 0);
    ck_assert_int_eq(archive_export(fixture->archive, file, &(ArchiveExport){.format = ARCHIVE_FORMAT_JSON}),
                     -ENOSPC);
    (void) fclose(file);
    ck_assert_ptr_ne(signal(SIGPIPE, SIG_IGN), SIG_ERR);
    for (unsigned is_buffered = 0; is_buffered < 2; is_buffered++) {
        ck_assert_int_eq(pipe(fds), 0);
        file = fdopen(fds[1], "w");
        ck_assert_ptr_nonnull(file);
        if (!is_buffered)
            ck_assert_int_eq(setvbuf(file, NULL, _IONBF, 0), 0);
        (void) close(fds[0]);
        ck_assert_int_eq(archive_export(fixture->archive, file, &(ArchiveExport){0}), -EPIPE);
        (void) fclose(file);
    }
    fixture_expect_last(fixture, "walks",
                        "2 walks <bob> hello\n4 walks <alice!4294967295> \"quoted\" \\ and / 東京 😀\n");
    fixture_free(fixture);
}
END_TEST

UNIT_MAIN("archive-export", test_text, test_json, test_times, test_long, test_same_id, test_stuck,
          test_not_written)
