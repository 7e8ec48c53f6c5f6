/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include "archive/line.h"
#include "archive/query.h"
#include "archive/sql.h"
#include "base/error.h"
#include "base/macro.h"

static int64_t limit_time(uint64_t wall)
{
    return (int64_t) MIN(wall, (uint64_t) INT64_MAX);
}

static int64_t limit_rows(unsigned n)
{
    return MIN(n, (unsigned) ARCHIVE_ROWS_MAX);
}

/* Calls `function` for each row. */
static int give_lines(Archive *archive, const char *sql, const SqlValue *values, size_t n_values,
                      ArchiveLineFunction function, void *userdata)
{
    _cleanup_(sql_endp) sqlite3_stmt *statement = NULL;
    ArchiveLine line;
    bool is_row;
    int r;

    r = sql_begin(archive, sql, values, n_values, &statement);
    while (r == 0) {
        r = sql_next(archive, statement, &is_row);
        if (r != 0 || !is_row)
            break;
        r = line_read(archive, statement, &line);
        if (r == 0)
            r = function(userdata, &line);
    }
    return error_trace(r);
}

int archive_last_lines(Archive *archive, const NameKey *room, uint64_t before, unsigned n_max,
                       ArchiveLineFunction function, void *userdata)
{
    static const char SQL[] =
        "SELECT " LINE_COLUMNS
        " FROM (SELECT id FROM lines WHERE room = (SELECT id FROM rooms WHERE key = ?1)"
        " AND id < ?2 ORDER BY id DESC LIMIT ?3) AS found CROSS JOIN lines AS l ON l.id = found.id" LINE_JOIN
        " ORDER BY l.id";

    return error_trace(give_lines(
        archive, SQL, SQL_VALUES(SQL_NAME(room), SQL_INT(limit_time(before)), SQL_INT(limit_rows(n_max))),
        function, userdata));
}

int archive_lines_between(Archive *archive, const NameKey *room, const ArchiveSpan *span,
                          ArchiveLineFunction function, void *userdata)
{
    /* The partitions say between which ids there can be something of that time. */
    static const char SQL[] =
        "SELECT " LINE_COLUMNS " FROM lines AS l" LINE_JOIN
        " WHERE l.room = (SELECT id FROM rooms WHERE key = ?1)"
        " AND l.id >= max(?2, ifnull((SELECT min(first_id) FROM parts WHERE max_wall >= ?3), 0))"
        " AND l.id <= (SELECT max(last_id) FROM parts WHERE min_wall < ?4)"
        " AND l.wall >= ?3 AND l.wall < ?4 ORDER BY l.id LIMIT ?5";

    return error_trace(give_lines(archive, SQL,
                                  SQL_VALUES(SQL_NAME(room), SQL_INT(limit_time(span->first_id)),
                                             SQL_INT(limit_time(span->from)), SQL_INT(limit_time(span->to)),
                                             SQL_INT(limit_rows(span->n_max))),
                                  function, userdata));
}

int archive_find_person(Archive *archive, const NameKey *key, bool *ret_is_found, ArchivePerson *ret_person)
{
    static const char SQL[] =
        "SELECT spelling, is_verified, uid, first_seen, last_seen, ifnull(last_wall, 0), r.name"
        " FROM people LEFT JOIN rooms AS r ON r.id = last_room WHERE people.key = ?1";
    _cleanup_(sql_endp) sqlite3_stmt *statement = NULL;
    ArchivePerson person;
    bool is_row;
    int r;

    r = sql_begin(archive, SQL, SQL_VALUES(SQL_NAME(key)), &statement);
    if (r == 0)
        r = sql_next(archive, statement, &is_row);
    if (r != 0)
        return error_trace(r);
    *ret_is_found = is_row;
    if (!is_row)
        return 0;
    person = (ArchivePerson){
        .who = {.is_verified = sqlite3_column_int(statement, 1) != 0,
                .uid = (uint32_t) sqlite3_column_int64(statement, 2)},
        .first_seen = sql_column_unsigned(statement, 3),
        .last_seen = sql_column_unsigned(statement, 4),
        .last_line = sql_column_unsigned(statement, 5),
    };
    r = sql_column_name(archive, statement, 0, &person.who.nick);
    if (r == 0)
        r = sql_column_name(archive, statement, 6, &person.last_room);
    if (r == 0)
        *ret_person = person;
    return error_trace(r);
}

int archive_find_verified(Archive *archive, const NameKey *key, bool *ret_is_found, uint32_t *ret_uid)
{
    _cleanup_(sql_endp) sqlite3_stmt *statement = NULL;
    bool is_row;
    int r;

    r = sql_begin(archive, "SELECT uid FROM people WHERE key = ?1 AND is_verified", SQL_VALUES(SQL_NAME(key)),
                  &statement);
    if (r == 0)
        r = sql_next(archive, statement, &is_row);
    if (r != 0)
        return error_trace(r);
    *ret_is_found = is_row;
    if (is_row)
        *ret_uid = (uint32_t) sqlite3_column_int64(statement, 0);
    return 0;
}

int archive_load_settings(Archive *archive, uint32_t uid, ArchiveSettingsFunction function, void *userdata)
{
    _cleanup_(sql_endp) sqlite3_stmt *statement = NULL;
    ArchiveSettings settings = {.who = {.is_verified = true, .uid = uid}, .away = archive->clean};
    bool is_row;
    int r;

    r = sql_begin(archive, "SELECT nick, bits, away, ignored FROM settings WHERE uid = ?1", &SQL_INT(uid), 1,
                  &statement);
    if (r == 0)
        r = sql_next(archive, statement, &is_row);
    if (r != 0 || !is_row)
        return error_trace(r);
    settings.bits = (uint32_t) sqlite3_column_int64(statement, 1);
    r = sql_column_name(archive, statement, 0, &settings.who.nick);
    if (r == 0)
        r = sql_column_clean(archive, statement, 2, ARCHIVE_TEXT_MAX, archive->clean, &settings.n_away);
    if (r == 0)
        r = sql_column_blob(archive, statement, 3, ARCHIVE_IGNORED_MAX, &settings.ignored,
                            &settings.n_ignored);
    if (r != 0)
        return error_trace(r);
    return function(userdata, &settings);
}

static int read_message(Archive *archive, sqlite3_stmt *statement, ArchiveMessage *ret_message)
{
    int r;

    *ret_message = (ArchiveMessage){
        .text = archive->clean,
        .id = sql_column_unsigned(statement, 0),
        .wall = sql_column_unsigned(statement, 1),
        .from = {.is_verified = sqlite3_column_int(statement, 3) != 0,
                 .uid = (uint32_t) sqlite3_column_int64(statement, 4)},
        .to_uid = (uint32_t) sqlite3_column_int64(statement, 5),
    };
    r = sql_column_name(archive, statement, 2, &ret_message->from.nick);
    if (r == 0)
        r = sql_column_name(archive, statement, 6, &ret_message->to);
    if (r == 0)
        r = sql_column_clean(archive, statement, 7, ARCHIVE_TEXT_MAX, archive->clean, &ret_message->n);
    return error_trace(r);
}

int archive_load_messages(Archive *archive, uint32_t to_uid, unsigned n_max, ArchiveMessageFunction function,
                          void *userdata)
{
    _cleanup_(sql_endp) sqlite3_stmt *statement = NULL;
    ArchiveMessage message;
    bool is_row;
    int r;

    r = sql_begin(
        archive,
        "SELECT id, wall, from_nick, from_is_verified, from_uid, to_uid, to_nick, text FROM messages"
        " WHERE to_uid = ?1 ORDER BY id LIMIT ?2",
        SQL_VALUES(SQL_INT(to_uid), SQL_INT(limit_rows(n_max))), &statement);
    while (r == 0) {
        r = sql_next(archive, statement, &is_row);
        if (r != 0 || !is_row)
            break;
        r = read_message(archive, statement, &message);
        if (r == 0)
            r = function(userdata, &message);
    }
    return error_trace(r);
}

static int count(Archive *archive, const char *sql, SqlValue value, uint64_t *ret_n)
{
    int64_t n;
    int r = sql_number_values(archive, sql, &value, 1, &n);

    if (r == 0)
        *ret_n = (uint64_t) n;
    return error_trace(r);
}

int archive_count_messages_from(Archive *archive, const NameKey *from, uint64_t *ret_n)
{
    return error_trace(
        count(archive, "SELECT count(*) FROM messages WHERE from_key = ?1", SQL_NAME(from), ret_n));
}

int archive_count_messages_to(Archive *archive, uint32_t to_uid, uint64_t *ret_n)
{
    return error_trace(
        count(archive, "SELECT count(*) FROM messages WHERE to_uid = ?1", SQL_INT(to_uid), ret_n));
}
