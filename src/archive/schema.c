/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include "archive/schema.h"
#include "archive/sql.h"
#include "base/error.h"
#include "base/macro.h"

/* "chat", in the header of the file (sqlite.org/pragma.html#pragma_application_id). */
enum { APPLICATION_ID = 0x63686174 };

/*
 * The columns that need words:
 *
 *   lines.kind      bit 0: an action; bit 1: said by somebody verified (then with a uid)
 *   lines.nick      as it was spelt, if that is not people.nick
 *   people.nick     the spelling that was seen first, which stays; `spelling` the last one
 *   people.*_seen   0: not known any more
 *   epochs.state    the random id of a state; that of number 0 is the file's own
 *   rooms.is_kept   there is a record of it; any room that somebody spoke in has a row
 *   parts           see archive/part.h
 *
 * Times are usec since the epoch, `key` is a NameKey, ids of lines and messages are archive_id().
 */
static const char VERSION_1[] =
    "CREATE TABLE cursor(one INTEGER PRIMARY KEY CHECK(one = 1), epoch INTEGER NOT NULL, pos INTEGER NOT "
    "NULL,"
    " n_lines INTEGER NOT NULL);"
    "INSERT INTO cursor VALUES(1, 0, 0, 0);"
    "CREATE TABLE epochs(number INTEGER PRIMARY KEY, state BLOB NOT NULL UNIQUE);"
    "CREATE TABLE people(id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, nick TEXT NOT NULL,"
    " spelling TEXT NOT NULL, is_verified INTEGER NOT NULL, uid INTEGER NOT NULL,"
    " first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL,"
    " last_line INTEGER, last_wall INTEGER, last_room INTEGER);"
    "CREATE TABLE rooms(id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
    " is_kept INTEGER NOT NULL DEFAULT 0, flags INTEGER NOT NULL DEFAULT 0,"
    " has_founder INTEGER NOT NULL DEFAULT 0, founder TEXT, founder_is_verified INTEGER NOT NULL DEFAULT 0,"
    " founder_uid INTEGER NOT NULL DEFAULT 0,"
    " topic TEXT, topic_wall INTEGER NOT NULL DEFAULT 0, topic_key TEXT, topic_nick TEXT,"
    " topic_is_verified INTEGER NOT NULL DEFAULT 0, topic_uid INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE lines(id INTEGER PRIMARY KEY, wall INTEGER NOT NULL, room INTEGER NOT NULL,"
    " person INTEGER NOT NULL, kind INTEGER NOT NULL, uid INTEGER, nick TEXT, text TEXT NOT NULL);"
    "CREATE INDEX lines_by_room ON lines(room);"
    "CREATE TABLE gaps(id INTEGER PRIMARY KEY, wall INTEGER NOT NULL, n INTEGER NOT NULL);"
    "CREATE TABLE parts(number INTEGER PRIMARY KEY, first_id INTEGER NOT NULL UNIQUE, last_id INTEGER NOT "
    "NULL,"
    " n_written INTEGER NOT NULL, min_wall INTEGER NOT NULL, max_wall INTEGER NOT NULL,"
    " is_dirty INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE invites(room INTEGER NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL, uid INTEGER NOT NULL,"
    " PRIMARY KEY(room, key)) WITHOUT ROWID;"
    "CREATE TABLE rules(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, subject TEXT NOT NULL,"
    " bytes BLOB NOT NULL, until INTEGER NOT NULL, by_key TEXT, by TEXT, reason TEXT NOT NULL,"
    " wall INTEGER NOT NULL);"
    "CREATE TABLE settings(uid INTEGER PRIMARY KEY, key TEXT NOT NULL, nick TEXT NOT NULL,"
    " bits INTEGER NOT NULL, away TEXT NOT NULL, ignored BLOB NOT NULL);"
    "CREATE TABLE messages(id INTEGER PRIMARY KEY, wall INTEGER NOT NULL, from_key TEXT NOT NULL,"
    " from_nick TEXT NOT NULL, from_is_verified INTEGER NOT NULL, from_uid INTEGER NOT NULL,"
    " to_uid INTEGER NOT NULL, to_key TEXT NOT NULL, to_nick TEXT NOT NULL, text TEXT NOT NULL);"
    "CREATE INDEX messages_by_receiver ON messages(to_uid);"
    "CREATE INDEX messages_by_sender ON messages(from_key);";

/* What makes version i + 1 of version i. */
static const char *const STEPS[SCHEMA_VERSION] = {VERSION_1};

static int read_version(Archive *archive, int64_t *ret_version)
{
    int64_t id, version, n_tables;
    int r;

    r = sql_number_values(archive, "PRAGMA application_id", NULL, 0, &id);
    if (r == 0)
        r = sql_number_values(archive, "PRAGMA user_version", NULL, 0, &version);
    if (r == 0)
        r = sql_number_values(archive, "SELECT count(*) FROM sqlite_schema", NULL, 0, &n_tables);
    if (r != 0)
        return error_trace(r);
    if (id == 0 && version == 0 && n_tables == 0) {
        *ret_version = 0;
        return 0;
    }
    if (id != APPLICATION_ID || version < 1)
        return sql_fail_damaged(archive, "the file belongs to another program");
    *ret_version = version;
    return 0;
}

int schema_check(Archive *archive)
{
    int64_t version = 0;
    int r;

    r = read_version(archive, &version);
    if (r != 0)
        return error_trace(r);
    if (version > SCHEMA_VERSION)
        return ARCHIVE_TOO_NEW;
    if (version == 0)
        return ARCHIVE_ABSENT;
    return version < SCHEMA_VERSION ? ARCHIVE_TOO_OLD : 0;
}

/* In a transaction: another process may have done it meanwhile. */
static int upgrade(Archive *archive)
{
    char sql[80];
    int64_t version = 0;
    int r;

    r = read_version(archive, &version);
    if (r != 0)
        return error_trace(r);
    if (version > SCHEMA_VERSION)
        return ARCHIVE_TOO_NEW;
    for (; version < SCHEMA_VERSION; version++) {
        r = sql_execute(archive, STEPS[version]);
        if (r != 0)
            return error_trace(r);
    }
    (void) snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
                    SCHEMA_VERSION);
    return error_trace(sql_execute(archive, sql));
}

int schema_prepare(Archive *archive)
{
    int r;

    r = schema_check(archive);
    if (r != ARCHIVE_ABSENT && r != ARCHIVE_TOO_OLD)
        return error_trace(r);
    r = sql_begin_writing(archive);
    if (r != 0)
        return error_trace(r);
    r = upgrade(archive);
    if (r == 0)
        r = sql_commit(archive);
    return error_trace(r);
}
