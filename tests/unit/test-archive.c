/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What is put into the archive is what is found there. */

#include <errno.h>
#include <time.h>

#include "unit/archive-fixture.h"
#include "unit/unit.h"

START_TEST(test_ids)
{
    ck_assert_uint_eq(archive_id(1, 0), UINT64_C(1) << ARCHIVE_POS_SHIFT);
    ck_assert_uint_eq(archive_id(1, 8), archive_id(1, 0) + 1);
    ck_assert_uint_lt(archive_id(1, ARCHIVE_POS_END - 8), archive_id(2, 0));
    ck_assert_uint_le(archive_id(ARCHIVE_EPOCH_MAX, ARCHIVE_POS_END - 8), INT64_MAX);
    ck_assert_uint_eq(archive_id(77, 4096), (UINT64_C(77) << ARCHIVE_POS_SHIFT) + 512);
}
END_TEST

START_TEST(test_open)
{
    Fixture *fixture = fixture_new();
    char log[FIXTURE_PATH + 8];
    struct stat status;
    Archive *archive = NULL;
    uint32_t epoch;
    uint64_t pos;

    ck_assert_int_eq(archive_open(fixture->path, ARCHIVE_READER, &archive), ARCHIVE_ABSENT);
    ck_assert_int_eq(archive_open(fixture->path, ARCHIVE_TOOL, &archive), ARCHIVE_ABSENT);
    ck_assert_int_eq(access(fixture->path, F_OK), -1);
    ck_assert_ptr_null(archive);
    (void) umask(0);
    fixture_open(fixture);
    ck_assert_int_eq(stat(fixture->path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0600);
    ck_assert_int_eq(archive_cursor(fixture->archive, &epoch, &pos), 0);
    ck_assert_uint_eq(epoch + pos, 0);
    ck_assert_int_eq(archive_commit(fixture->archive, 3, 800), 0);
    (void) snprintf(log, sizeof log, "%s-wal", fixture->path);
    ck_assert_int_eq(stat(log, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0600);
    fixture_reopen(fixture);
    ck_assert_int_eq(archive_cursor(fixture->archive, &epoch, &pos), 0);
    ck_assert_uint_eq(epoch, 3);
    ck_assert_uint_eq(pos, 800);
    ck_assert_ptr_null(archive_close(NULL));
    fixture_free(fixture);
}
END_TEST

START_TEST(test_sentences)
{
    for (int r = -200; r < 20; r++)
        ck_assert_uint_gt(strlen(archive_strerror(r)), 0);
    ck_assert_str_eq(archive_strerror(ARCHIVE_FULL), "The disk is full");
}
END_TEST

START_TEST(test_epochs)
{
    Fixture *fixture = fixture_new_open();
    uint8_t ids[3][ARCHIVE_STATE_ID_BYTES] = {{1}, {2}, {0}};
    uint32_t epoch = 0;

    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < N_ELEMENTS(ids); i++) {
            ck_assert_int_eq(archive_begin_epoch(fixture->archive, ids[i], &epoch), 0);
            ck_assert_uint_eq(epoch, i + 1);
        }
        fixture_reopen(fixture);
    }
    fixture_free(fixture);
}
END_TEST

START_TEST(test_last_epoch)
{
    Fixture *fixture = fixture_new_open();
    uint8_t id[ARCHIVE_STATE_ID_BYTES] = {7};
    uint32_t epoch = 0;

    fixture_change(fixture, "INSERT INTO epochs VALUES(1048574, x'00')");
    ck_assert_int_eq(archive_begin_epoch(fixture->archive, id, &epoch), 0);
    ck_assert_uint_eq(epoch, ARCHIVE_EPOCH_MAX);
    id[0]++;
    ck_assert_int_eq(archive_begin_epoch(fixture->archive, id, &epoch), ARCHIVE_FULL);
    ck_assert_int_eq(archive_commit(fixture->archive, epoch, 0), 0);
    fixture_free(fixture);
}
END_TEST

START_TEST(test_other_versions)
{
    static const struct {
        const char *sql;
        int writer, reader;
    } CASES[] = {
        {"PRAGMA user_version = 2", ARCHIVE_TOO_NEW, ARCHIVE_TOO_NEW},
        {"PRAGMA user_version = 2147483647", ARCHIVE_TOO_NEW, ARCHIVE_TOO_NEW},
        {"PRAGMA user_version = 0", ARCHIVE_DAMAGED, ARCHIVE_DAMAGED},
        {"PRAGMA user_version = -1", ARCHIVE_DAMAGED, ARCHIVE_DAMAGED},
        {"PRAGMA application_id = 1", ARCHIVE_DAMAGED, ARCHIVE_DAMAGED},
    };

    for (size_t i = 0; i < N_ELEMENTS(CASES); i++) {
        Fixture *fixture = fixture_new_open();
        Archive *archive = NULL;

        fixture->archive = archive_close(fixture->archive);
        fixture_change(fixture, CASES[i].sql);
        ck_assert_int_eq(archive_open(fixture->path, ARCHIVE_WRITER, &archive), CASES[i].writer);
        ck_assert_int_eq(archive_open(fixture->path, ARCHIVE_READER, &archive), CASES[i].reader);
        ck_assert_int_eq(archive_open(fixture->path, ARCHIVE_TOOL, &archive), CASES[i].reader);
        ck_assert_int_eq(access(fixture->path, F_OK), 0);
        fixture_free(fixture);
    }
}
END_TEST

START_TEST(test_set_aside)
{
    Fixture *fixture = fixture_new_open();
    char path[FIXTURE_PATH + ARCHIVE_SUFFIX_BYTES], other[FIXTURE_PATH + 8];
    Archive *archive = NULL;

    (void) setenv("TZ", "UTC", 1);
    tzset();
    fixture_say(fixture, 1, "lobby", "bob", "hello");
    fixture_commit(fixture, 1);
    fixture->archive = archive_close(fixture->archive);
    (void) snprintf(other, sizeof other, "%s-wal", fixture->path);
    ck_assert_int_ge(close(open(other, O_CREAT | O_WRONLY, 0600)), 0);
    ck_assert_int_eq(archive_set_aside(fixture->path, FIXTURE_NOW, path), 0);
    ck_assert_str_eq(path + strlen(fixture->path), ".broken-20261122-140305");
    ck_assert_int_eq(access(fixture->path, F_OK), -1);
    ck_assert_int_eq(access(other, F_OK), -1);
    (void) snprintf(other, sizeof other, "%s.broken-20261122-140305-wal", fixture->path);
    ck_assert_int_eq(access(other, F_OK), 0);
    ck_assert_int_eq(archive_set_aside(fixture->path, FIXTURE_NOW, path), -ENOENT);
    /* A second one in the same second. */
    fixture_open(fixture);
    fixture->archive = archive_close(fixture->archive);
    ck_assert_int_eq(archive_set_aside(fixture->path, FIXTURE_NOW, path), 0);
    ck_assert_str_eq(path + strlen(fixture->path), ".broken-20261122-140305-2");
    (void) snprintf(path, sizeof path, "%s.broken-20261122-140305", fixture->path);
    ck_assert_int_eq(archive_open(path, ARCHIVE_READER, &archive), 0);
    (void) archive_close(archive);
    fixture_free(fixture);
}
END_TEST

/* Lines */

START_TEST(test_lines)
{
    Fixture *fixture = fixture_new_open();
    ArchiveLine line = {.id = archive_id(1, 32),
                        .wall = FIXTURE_NOW,
                        .kind = ARCHIVE_ACTION,
                        .room = fixture_name("Lobby"),
                        .who = fixture_who("BOB!1000"),
                        .text = "waves",
                        .n = 5};
    NameKey key = fixture_key("lobby");

    for (unsigned twice = 0; twice < 2; twice++) {
        fixture_say(fixture, 1, "lobby", "bob", "one");
        fixture_say(fixture, 2, "walks", "alice", "two");
        fixture_say(fixture, 3, "LOBBY", "Bob", "");
        ck_assert_int_eq(archive_put_line(fixture->archive, &line), 0);
        fixture_expect_last(fixture, "lobby",
                            "1 lobby <bob> one\n3 lobby <Bob> \n4 lobby * BOB!1000 waves\n");
        if (twice == 0)
            fixture_commit(fixture, 4);
    }
    fixture_reopen(fixture); /* the second time was not committed */
    fixture_expect_last(fixture, "lobby", "1 lobby <bob> one\n3 lobby <Bob> \n4 lobby * BOB!1000 waves\n");
    fixture_expect_last(fixture, "walks", "2 walks <alice> two\n");
    fixture_expect_last(fixture, "nowhere", "");
    ck_assert_int_eq(
        archive_last_lines(fixture->archive, &key, archive_id(1, 32), 1, fixture_on_line, fixture), 0);
    fixture_expect(fixture, "3 lobby <Bob> \n");
    ck_assert_int_eq(archive_last_lines(fixture->archive, &key, ARCHIVE_ID_END, 0, fixture_on_line, fixture),
                     0);
    ck_assert_int_eq(archive_last_lines(fixture->archive, &key, 0, 5, fixture_on_line, fixture), 0);
    ck_assert_int_eq(archive_last_lines(fixture->archive, &key, UINT64_MAX, 1, fixture_on_line, fixture), 0);
    fixture_expect(fixture, "4 lobby * BOB!1000 waves\n");
    fixture_free(fixture);
}
END_TEST

START_TEST(test_refused)
{
    Fixture *fixture = fixture_new_open();
    char text[ARCHIVE_TEXT_MAX + 1];
    ArchiveLine line = {.id = archive_id(1, 8),
                        .wall = FIXTURE_NOW,
                        .room = fixture_name("lobby"),
                        .who = fixture_who("bob"),
                        .text = text,
                        .n = sizeof text},
                other;

    memset(text, 'x', sizeof text);
    ck_assert_int_eq(archive_put_line(fixture->archive, &line), -EINVAL);
    line.n--;
    ck_assert_int_eq(archive_put_line(fixture->archive, &line), 0);
    text[17] = '\0';
    ck_assert_int_eq(archive_put_line(fixture->archive, &line), -EINVAL);
    line.n = 17;
    other = line;
    other.id = UINT64_MAX;
    ck_assert_int_eq(archive_put_line(fixture->archive, &other), -EINVAL);
    other = line;
    other.wall = UINT64_MAX;
    ck_assert_int_eq(archive_put_line(fixture->archive, &other), -EINVAL);
    other = line;
    other.room = (Name){0};
    ck_assert_int_eq(archive_put_line(fixture->archive, &other), -EINVAL);
    other = line;
    other.who.nick = (Name){.n = 2, .bytes = "\xff\xff"};
    ck_assert_int_eq(archive_put_line(fixture->archive, &other), -EINVAL);
    /* What was put before is still there. */
    fixture_commit(fixture, 1);
    fixture_reopen(fixture);
    ck_assert_int_eq(archive_last_lines(fixture->archive, &(NameKey){.n = 5, .bytes = "lobby"},
                                        ARCHIVE_ID_END, 5, fixture_on_line, fixture),
                     0);
    ck_assert_uint_eq(fixture->n_heard, strlen("1 lobby <bob> \n") + ARCHIVE_TEXT_MAX);
    fixture_free(fixture);
}
END_TEST

/* A callback ends it, with an answer of its own. */
static int stop(void *userdata, const ArchiveLine *line)
{
    (void) fixture_on_line(userdata, line);
    return -ECANCELED;
}

START_TEST(test_stopped)
{
    Fixture *fixture = fixture_new_open();
    NameKey key = fixture_key("lobby");

    for (unsigned i = 1; i < 10; i++)
        fixture_say(fixture, i, "lobby", "bob", "hello");
    ck_assert_int_eq(archive_last_lines(fixture->archive, &key, ARCHIVE_ID_END, 9, stop, fixture),
                     -ECANCELED);
    fixture_expect(fixture, "1 lobby <bob> hello\n");
    fixture_commit(fixture, 9);
    fixture_free(fixture);
}
END_TEST

START_TEST(test_between)
{
    Fixture *fixture = fixture_new_open();
    NameKey key = fixture_key("lobby");
    ArchiveSpan span = {
        .from = FIXTURE_NOW + 3 * USEC_PER_SEC, .to = FIXTURE_NOW + 9 * USEC_PER_SEC, .n_max = 2};

    for (unsigned i = 0; i < 20; i++)
        fixture_say(fixture, i, i % 3 == 2 ? "walks" : "lobby", "bob", "hello");
    fixture_commit(fixture, 20);
    ck_assert_int_eq(archive_lines_between(fixture->archive, &key, &span, fixture_on_line, fixture), 0);
    fixture_expect(fixture, "3 lobby <bob> hello\n4 lobby <bob> hello\n");
    span.first_id = fixture->last_id + 1;
    ck_assert_int_eq(archive_lines_between(fixture->archive, &key, &span, fixture_on_line, fixture), 0);
    fixture_expect(fixture, "6 lobby <bob> hello\n7 lobby <bob> hello\n");
    span.first_id = fixture->last_id + 1;
    ck_assert_int_eq(archive_lines_between(fixture->archive, &key, &span, fixture_on_line, fixture), 0);
    fixture_expect(fixture, "");
    span = (ArchiveSpan){.to = UINT64_MAX, .n_max = UINT32_MAX};
    ck_assert_int_eq(archive_lines_between(fixture->archive, &key, &span, fixture_on_line, fixture), 0);
    ck_assert_uint_eq(fixture->n_heard, 14 * strlen("3 lobby <bob> hello\n") + 7);
    fixture_free(fixture);
}
END_TEST

/* The clock was set back, and forth again. */
START_TEST(test_clock)
{
    for (unsigned first = 0; first < 2; first++) {
        Fixture *fixture = fixture_new_open();
        NameKey key = fixture_key("lobby");
        ArchiveSpan span = {.from = 100, .to = 200, .n_max = 10};
        ArchiveSearch search = {
            .words = "hello", .n_words = 5, .since = FIXTURE_NOW, .before = ARCHIVE_ID_END, .n_max = 10};
        ArchivePage page;

        for (unsigned i = 1; i < 6; i++) {
            ArchiveLine line = {.id = archive_id(1, i * 8),
                                .wall = i % 2 == first ? 150 : FIXTURE_NOW,
                                .room = fixture_name("lobby"),
                                .who = fixture_who("bob"),
                                .text = "hello",
                                .n = 5};

            ck_assert_int_eq(archive_put_line(fixture->archive, &line), 0);
        }
        fixture_commit(fixture, 7);
        ck_assert_int_eq(archive_lines_between(fixture->archive, &key, &span, fixture_on_line, fixture), 0);
        fixture_expect(fixture, first ? "1 lobby <bob> hello\n3 lobby <bob> hello\n5 lobby <bob> hello\n"
                                      : "2 lobby <bob> hello\n4 lobby <bob> hello\n");
        span = (ArchiveSpan){.from = FIXTURE_NOW, .to = FIXTURE_NOW + 1, .n_max = 10};
        ck_assert_int_eq(archive_lines_between(fixture->archive, &key, &span, fixture_on_line, fixture), 0);
        fixture_expect(fixture, first ? "2 lobby <bob> hello\n4 lobby <bob> hello\n"
                                      : "1 lobby <bob> hello\n3 lobby <bob> hello\n5 lobby <bob> hello\n");
        ck_assert_int_eq(archive_search(fixture->archive, &search, fixture_on_line, fixture, &page), 0);
        fixture_expect(fixture, first ? "4 lobby <bob> hello\n2 lobby <bob> hello\n"
                                      : "5 lobby <bob> hello\n3 lobby <bob> hello\n1 lobby <bob> hello\n");
        fixture_free(fixture);
    }
}
END_TEST

START_TEST(test_take_back)
{
    Fixture *fixture = fixture_new_open();

    fixture_say(fixture, 1, "lobby", "bob", "kumquat one");
    fixture_say(fixture, 2, "lobby", "bob", "kumquat two");
    for (unsigned twice = 0; twice < 2; twice++) {
        ck_assert_int_eq(archive_put_take_back(fixture->archive, archive_id(1, 8)), 0);
        fixture_expect_last(fixture, "lobby", "2 lobby <bob> kumquat two\n");
        fixture_expect_found(fixture, "kumquat", "2 lobby <bob> kumquat two\n");
        fixture_expect_found(fixture, "one", "");
    }
    ck_assert_int_eq(archive_put_take_back(fixture->archive, 12345), 0);
    ck_assert_int_eq(archive_put_take_back(fixture->archive, UINT64_MAX), -EINVAL);
    fixture_commit(fixture, 3);
    fixture_expect_last(fixture, "lobby", "2 lobby <bob> kumquat two\n");
    fixture_free(fixture);
}
END_TEST

static void delete_newest(Fixture *fixture, const char *room, const char *nick, uint64_t n)
{
    const Name in = fixture_name(room), who = fixture_name(nick);

    ck_assert_int_eq(archive_put_deleted(fixture->archive, &in, &who, n), 0);
}

static int64_t count_lines(Fixture *fixture, unsigned n)
{
    fixture_commit(fixture, n);
    return fixture_count(fixture, "SELECT count(*) FROM lines");
}

/* The newest of one person in one room, also those of this transaction. */
START_TEST(test_deleted)
{
    Fixture *fixture = fixture_new_open();
    const Name bob = fixture_name("bob"), no_name = {.n = NAME_MAX_BYTES + 1};

    for (unsigned i = 1; i <= 60; i++)
        fixture_say(fixture, i, "lobby", "bob", "more");
    fixture_commit(fixture, 60);
    fixture_say(fixture, 61, "walks", "bob", "stays");
    fixture_say(fixture, 62, "lobby", "alice!1000", "stays");
    fixture_say(fixture, 63, "lobby", "bob", "kumquat");
    delete_newest(fixture, "Lobby", "BOB", 2);
    delete_newest(fixture, "lobby", "bob", 0);
    delete_newest(fixture, "lobby", "nobody", 20);
    delete_newest(fixture, "nowhere", "bob", 20);
    ck_assert_int_eq(count_lines(fixture, 63), 61);
    fixture_expect_found(fixture, "kumquat", "");
    ck_assert_int_eq(fixture_count(fixture, "SELECT max(id) & 511 FROM lines WHERE text = 'more'"), 59);
    delete_newest(fixture, "lobby", "bob", LIMIT_DELETED);
    ck_assert_int_eq(count_lines(fixture, 64), 61 - LIMIT_DELETED);
    delete_newest(fixture, "lobby", "bob", LIMIT_DELETED + 1);
    ck_assert_int_eq(count_lines(fixture, 65), 61 - 2 * LIMIT_DELETED);
    delete_newest(fixture, "lobby", "bob", UINT64_MAX);
    ck_assert_int_eq(count_lines(fixture, 66), 2);
    ck_assert_int_eq(archive_put_deleted(fixture->archive, &no_name, &bob, 1), -EINVAL);
    ck_assert_int_eq(archive_put_deleted(fixture->archive, &bob, &no_name, 1), -EINVAL);
    ck_assert_int_eq(count_lines(fixture, 67), 2);
    fixture_expect_found(fixture, "stays", "62 lobby <alice!1000> stays\n61 walks <bob> stays\n");
    fixture_free(fixture);
}
END_TEST

/* Somebody asks while somebody else writes. */
START_TEST(test_reader)
{
    Fixture *fixture = fixture_new_open();
    Archive *writer = fixture->archive, *reader = NULL;

    ck_assert_int_eq(archive_open(fixture->path, ARCHIVE_READER, &reader), 0);
    fixture_say(fixture, 1, "lobby", "bob", "hello");
    fixture->archive = reader;
    fixture_expect_last(fixture, "lobby", "");
    fixture_expect_found(fixture, "hello", "");
    ck_assert_int_eq(archive_commit(writer, 1, 8), 0);
    fixture_expect_last(fixture, "lobby", "1 lobby <bob> hello\n");
    fixture_expect_found(fixture, "hello", "1 lobby <bob> hello\n");
    for (unsigned i = 2; i < 500; i++) {
        ck_assert_int_eq(fixture_put(writer, i, "lobby", "bob", "hello"), 0);
        ck_assert_int_eq(archive_commit(writer, 1, i * 8), 0);
        fixture_expect_found(fixture, "hello nothing", "");
    }
    /* It can not write. */
    ck_assert_int_eq(fixture_put(reader, 1000, "lobby", "bob", "hello"), ARCHIVE_READONLY);
    (void) archive_close(reader);
    fixture->archive = writer;
    fixture_free(fixture);
}
END_TEST

UNIT_MAIN("archive", test_ids, test_open, test_sentences, test_epochs, test_last_epoch, test_other_versions,
          test_set_aside, test_lines, test_refused, test_stopped, test_between, test_clock, test_take_back,
          test_deleted, test_reader)
