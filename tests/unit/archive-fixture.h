/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* An archive in a folder of its own. */

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/archive.h"
#include "archive/query.h"
#include "archive/search.h"
#include "archive/write.h"
#include "base/limits.h"
#include "base/macro.h"
#include "unit/unit.h"

enum { FIXTURE_PATH = 512, FIXTURE_HEARD = 65536, FIXTURE_LINE_SAID = ARCHIVE_TEXT_MAX + 400 };

/* 2026-11-22 14:03:05 UTC */
#define FIXTURE_NOW (UINT64_C(1795356185) * USEC_PER_SEC)

typedef struct Fixture {
    char folder[UNIT_PATH];
    char path[FIXTURE_PATH];
    Archive *archive;
    char heard[FIXTURE_HEARD]; /* what callbacks were given, one line each */
    size_t n_heard;
    uint64_t last_id;
} Fixture;

static inline Name fixture_name(const char *text)
{
    Name name;

    /* Also in children that are killed: libcheck must not be in the middle of a message. */
    QUICK_ASSERT(name_parse(text, strlen(text), NAME_MAX_CHARS, &name) == 0, "%s", text);
    return name;
}

static inline NameKey fixture_key(const char *text)
{
    NameKey key;

    name_fold(text, strlen(text), &key);
    return key;
}

/* "bob" is a guest, "bob!1000" is verified. */
static inline ArchiveWho fixture_who(const char *text)
{
    const char *mark = strchr(text, '!');
    ArchiveWho who = {.is_verified = mark != NULL};
    char nick[64];

    (void) snprintf(nick, sizeof nick, "%.*s", (int) strcspn(text, "!"), text);
    who.nick = fixture_name(nick);
    if (mark != NULL)
        who.uid = (uint32_t) strtoul(mark + 1, NULL, 10);
    return who;
}

static inline void fixture_open(Fixture *fixture)
{
    int r = archive_open(fixture->path, ARCHIVE_WRITER, &fixture->archive);

    ck_assert_msg(r == 0, "opening: %s", archive_strerror(r));
}

static inline Fixture *fixture_new(void)
{
    Fixture *fixture = calloc(1, sizeof *fixture);

    ck_assert_ptr_nonnull(fixture);
    unit_folder(fixture->folder);
    (void) snprintf(fixture->path, sizeof fixture->path, "%s/archive.db", fixture->folder);
    return fixture;
}

static inline Fixture *fixture_new_open(void)
{
    Fixture *fixture = fixture_new();

    fixture_open(fixture);
    return fixture;
}

static inline void fixture_clear(const Fixture *fixture)
{
    DIR *folder = opendir(fixture->folder);
    struct dirent *entry;

    ck_assert_ptr_nonnull(folder);
    while ((entry = readdir(folder)) != NULL)
        (void) unlinkat(dirfd(folder), entry->d_name, 0);
    (void) closedir(folder);
}

static inline void fixture_free(Fixture *fixture)
{
    fixture->archive = archive_close(fixture->archive);
    fixture_clear(fixture);
    ck_assert_int_eq(rmdir(fixture->folder), 0);
    free(fixture);
}

static inline void fixture_reopen(Fixture *fixture)
{
    fixture->archive = archive_close(fixture->archive);
    fixture_open(fixture);
}

/* The line with position 8 * n of epoch 1, said n seconds after FIXTURE_NOW. */
static inline int fixture_put(Archive *archive, unsigned n, const char *room, const char *who,
                              const char *text)
{
    ArchiveLine line = {.id = archive_id(1, (uint64_t) n * 8),
                        .wall = FIXTURE_NOW + n * USEC_PER_SEC,
                        .room = fixture_name(room),
                        .who = fixture_who(who),
                        .text = text,
                        .n = strlen(text)};

    return archive_put_line(archive, &line);
}

static inline void fixture_say(Fixture *fixture, unsigned n, const char *room, const char *who,
                               const char *text)
{
    int r = fixture_put(fixture->archive, n, room, who, text);

    ck_assert_msg(r == 0, "line %u: %s (%s)", n, archive_strerror(r), archive_detail(fixture->archive));
}

static inline void fixture_commit(Fixture *fixture, unsigned n)
{
    int r = archive_commit(fixture->archive, 1, (uint64_t) n * 8);

    ck_assert_msg(r == 0, "commit: %s (%s)", archive_strerror(r), archive_detail(fixture->archive));
}

static inline void fixture_hear(Fixture *fixture, const char *line)
{
    size_t n = strlen(line);

    ck_assert_uint_lt(fixture->n_heard + n + 1, sizeof fixture->heard);
    memcpy(fixture->heard + fixture->n_heard, line, n);
    fixture->heard[fixture->n_heard + n] = '\n';
    fixture->n_heard += n + 1;
    fixture->heard[fixture->n_heard] = '\0';
}

/* The n of fixture_put(). */
static inline unsigned fixture_number(uint64_t id)
{
    return (unsigned) (id & ((UINT64_C(1) << ARCHIVE_POS_SHIFT) - 1));
}

/* "3 lobby <bob!1000> text" */
static inline int fixture_on_line(void *userdata, const ArchiveLine *line)
{
    Fixture *fixture = userdata;
    char text[FIXTURE_LINE_SAID], uid[16] = "";

    if (line->who.is_verified)
        (void) snprintf(uid, sizeof uid, "!%u", line->who.uid);
    (void) snprintf(
        text, sizeof text, line->kind == ARCHIVE_ACTION ? "%u %s * %s%s %.*s" : "%u %s <%s%s> %.*s",
        fixture_number(line->id), line->room.bytes, line->who.nick.bytes, uid, (int) line->n, line->text);
    fixture->last_id = line->id;
    fixture_hear(fixture, text);
    return 0;
}

static inline void fixture_expect(Fixture *fixture, const char *expected)
{
    ck_assert_str_eq(fixture->heard, expected);
    fixture->heard[0] = '\0';
    fixture->n_heard = 0;
}

/* The last lines of a room. */
static inline void fixture_expect_last(Fixture *fixture, const char *room, const char *expected)
{
    NameKey key = fixture_key(room);

    ck_assert_int_eq(
        archive_last_lines(fixture->archive, &key, ARCHIVE_ID_END, 200, fixture_on_line, fixture), 0);
    fixture_expect(fixture, expected);
}

static inline void fixture_expect_found(Fixture *fixture, const char *words, const char *expected)
{
    ArchiveSearch search = {.words = words, .n_words = strlen(words), .before = ARCHIVE_ID_END, .n_max = 200};
    ArchivePage page;

    ck_assert_int_eq(archive_search(fixture->archive, &search, fixture_on_line, fixture, &page), 0);
    fixture_expect(fixture, expected);
}

/* As somebody else with the file would. */
static inline void fixture_change(const Fixture *fixture, const char *sql)
{
    sqlite3 *db;
    char *error = NULL;

    ck_assert_int_eq(sqlite3_open(fixture->path, &db), SQLITE_OK);
    (void) sqlite3_exec(db, sql, NULL, NULL, &error);
    ck_assert_msg(error == NULL, "%s: %s", sql, error);
    (void) sqlite3_close(db);
}

/* The next line that is put goes to another partition. Between commits. */
static inline void fixture_end_part(const Fixture *fixture)
{
    fixture_change(fixture, "UPDATE parts SET n_written = 1000000");
}

static inline int64_t fixture_count(const Fixture *fixture, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    int64_t n;

    ck_assert_int_eq(sqlite3_open(fixture->path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    n = sqlite3_column_int64(statement, 0);
    (void) sqlite3_finalize(statement);
    (void) sqlite3_close(db);
    return n;
}

/* How often the bytes are in the files: the database, its log, its index, and whatever else is there. */
static inline unsigned fixture_grep(const Fixture *fixture, const char *word)
{
    DIR *folder = opendir(fixture->folder);
    struct dirent *entry;
    unsigned n = 0;

    ck_assert_ptr_nonnull(folder);
    while ((entry = readdir(folder)) != NULL) {
        int fd = openat(dirfd(folder), entry->d_name, O_RDONLY);
        struct stat status;
        char *bytes, *at;

        /* Opening and closing it ends the locks of this process: only where there is no handle, or nobody
         * else. */
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(fstat(fd, &status), 0);
        if (S_ISREG(status.st_mode)) {
            bytes = malloc((size_t) status.st_size + 1);
            ck_assert_ptr_nonnull(bytes);
            ck_assert_int_eq(pread(fd, bytes, (size_t) status.st_size, 0), status.st_size);
            for (at = bytes;
                 (at = memmem(at, (size_t) (bytes + status.st_size - at), word, strlen(word))) != NULL; at++)
                n++;
            free(bytes);
        }
        (void) close(fd);
    }
    (void) closedir(folder);
    return n;
}
