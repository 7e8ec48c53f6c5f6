/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Whoever else has the file, and a limit of the system, is an answer, and nobody waits for long. */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "archive/purge.h"
#include "base/clock.h"
#include "unit/archive-fixture.h"
#include "unit/harness.h"
#include "unit/unit.h"

START_TEST(test_locked)
{
    Fixture *fixture = fixture_new_open();
    Archive *other = NULL;
    uint32_t epoch;
    uint64_t begin, pos;

    ck_assert_int_eq(archive_open(fixture->path, ARCHIVE_WRITER, &other), 0);
    ck_assert_int_eq(fixture_put(other, 1, "lobby", "bob", "first"), 0);
    begin = clock_monotonic();
    ck_assert_int_eq(fixture_put(fixture->archive, 2, "lobby", "bob", "second"), ARCHIVE_BUSY);
    ck_assert_uint_lt(clock_monotonic() - begin, (harness_is_slow() ? 60 : 2) * USEC_PER_SEC);
    /* Nothing is left out because somebody forgets to look. */
    ck_assert_int_eq(archive_commit(other, 1, 8), 0);
    ck_assert_int_eq(fixture_put(fixture->archive, 3, "lobby", "bob", "third"), ARCHIVE_BUSY);
    ck_assert_int_eq(archive_commit(fixture->archive, 1, 24), ARCHIVE_BUSY);
    ck_assert_int_eq(archive_cursor(fixture->archive, &epoch, &pos), 0);
    ck_assert_uint_eq(pos, 8);
    fixture_say(fixture, 2, "lobby", "bob", "second");
    fixture_commit(fixture, 2);
    fixture_expect_last(fixture, "lobby", "1 lobby <bob> first\n2 lobby <bob> second\n");
    (void) archive_close(other);
    fixture_free(fixture);
}
END_TEST

/* A program that has the file for itself. */
START_TEST(test_locked_out)
{
    Fixture *fixture = fixture_new_open();
    static const ArchiveMode MODES[] = {ARCHIVE_WRITER, ARCHIVE_READER};
    sqlite3 *db;

    fixture_say(fixture, 1, "lobby", "bob", "first");
    fixture_commit(fixture, 1);
    fixture->archive = archive_close(fixture->archive);
    ck_assert_int_eq(sqlite3_open(fixture->path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; DELETE FROM lines",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    for (size_t i = 0; i < N_ELEMENTS(MODES); i++) {
        Archive *archive = NULL;
        uint64_t begin = clock_monotonic();

        ck_assert_int_eq(archive_open(fixture->path, MODES[i], &archive), ARCHIVE_BUSY);
        ck_assert_uint_lt(clock_monotonic() - begin, (harness_is_slow() ? 60 : 2) * USEC_PER_SEC);
    }
    (void) sqlite3_close(db);
    fixture_open(fixture);
    fixture_expect_last(fixture, "lobby", "1 lobby <bob> first\n");
    fixture_free(fixture);
}
END_TEST

/* A thread writes, and another one asks. */

typedef struct Writing {
    Archive *archive;
    unsigned n; /* commits, of ten lines each */
    int r;
} Writing;

/* Taking one of ten back. */
static void *write_on(void *userdata)
{
    Writing *writing = userdata;

    for (unsigned i = 0; writing->r == 0 && i < writing->n * 10; i++) {
        writing->r = fixture_put(writing->archive, i, "lobby", "bob", "hello there");
        if (i % 10 != 9 || writing->r != 0)
            continue;
        writing->r = archive_put_take_back(writing->archive, archive_id(1, (i - 5) * 8));
        if (writing->r == 0)
            writing->r = archive_commit(writing->archive, 1, (i + 1) * 8);
        if (writing->r == 0 && i % 100 == 99)
            writing->r = archive_clean(writing->archive, 0);
        if (writing->r == ARCHIVE_MORE || writing->r == ARCHIVE_BUSY)
            writing->r = 0; /* the log is being read */
    }
    return NULL;
}

START_TEST(test_threads)
{
    Fixture *fixture = fixture_new_open();
    Writing writing = {.archive = fixture->archive, .n = harness_is_slow() ? 20 : 300};
    NameKey lobby = fixture_key("lobby");
    ArchiveSearch search = {.words = "there hello", .n_words = 11, .before = ARCHIVE_ID_END, .n_max = 1000};
    Archive *reader = NULL;
    unsigned n_before = 0;
    ArchivePage page;
    pthread_t thread;

    ck_assert_int_eq(archive_open(fixture->path, ARCHIVE_READER, &reader), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, write_on, &writing), 0);
    do {
        QUICK_ASSERT(archive_search(reader, &search, fixture_on_line, fixture, &page) == 0, "%s",
                     archive_detail(reader));
        QUICK_ASSERT(page.n % 9 == 0 || page.n == 1000, "half a commit: %u", page.n);
        QUICK_ASSERT(page.n >= n_before, "%u after %u", page.n, n_before);
        n_before = page.n;
        fixture->n_heard = 0;
        QUICK_ASSERT(archive_last_lines(reader, &lobby, ARCHIVE_ID_END, 9, fixture_on_line, fixture) == 0,
                     "%s", archive_detail(reader));
        fixture->n_heard = 0;
    } while (page.n < MIN(writing.n * 9, 1000U) && writing.r == 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_msg(writing.r == 0, "%s (%s)", archive_strerror(writing.r), archive_detail(fixture->archive));
    (void) archive_close(reader);
    ck_assert_int_eq(archive_clean(fixture->archive, UINT32_MAX), 0);
    fixture_free(fixture);
}
END_TEST

/* A limit that is not ENOSPC is a full disk too. */
START_TEST(test_size_limit)
{
    Fixture *fixture = fixture_new_open();
    struct rlimit limit, low;
    uint32_t epoch;
    uint64_t pos;
    unsigned n = 0;
    int r = 0;

    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_ptr_ne(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
    low = (struct rlimit){.rlim_cur = 256 * 1024, .rlim_max = limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
    while (r == 0 && n < 100000) {
        r = fixture_put(fixture->archive, ++n, "lobby", "bob", "and so on and so on and so on and so on");
        if (r == 0 && n % 100 == 0)
            r = archive_commit(fixture->archive, 1, n * 8);
    }
    ck_assert_msg(r == ARCHIVE_FULL, "%s (%s)", archive_strerror(r), archive_detail(fixture->archive));
    ck_assert_int_eq(archive_cursor(fixture->archive, &epoch, &pos), 0);
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM lines"), (int64_t) pos / 8);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (n = (unsigned) (pos / 8) + 1; n <= 10000; n++)
        fixture_say(fixture, n, "lobby", "bob", "and so on");
    fixture_commit(fixture, n);
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM lines"), 10000);
    fixture_free(fixture);
}
END_TEST

UNIT_MAIN("archive-locked", test_locked, test_locked_out, test_threads, test_size_limit)
