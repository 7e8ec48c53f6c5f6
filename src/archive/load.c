/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What a chat begins with. */

#include <string.h>

#include "archive/query.h"
#include "archive/sql.h"
#include "base/error.h"
#include "base/macro.h"
#include "base/text.h"

/* One row that can not be right keeps nobody from all the others. */
static int skip_damaged(int r)
{
    return r == ARCHIVE_DAMAGED ? 0 : error_trace(r);
}

static int read_topic(Archive *archive, sqlite3_stmt *statement, int column, ArchiveTopic *topic)
{
    int r;

    topic->text = archive->clean;
    topic->wall = sql_column_unsigned(statement, column + 1);
    topic->by.is_verified = sqlite3_column_int(statement, column + 3) != 0;
    topic->by.uid = (uint32_t) sqlite3_column_int64(statement, column + 4);
    r = sql_column_name(archive, statement, column + 2, &topic->by.nick);
    if (r == 0)
        r = sql_column_clean(archive, statement, column, ARCHIVE_TEXT_MAX, archive->clean, &topic->n);
    return error_trace(r);
}

static int read_room(Archive *archive, sqlite3_stmt *statement, ArchiveRoomRow *ret_row)
{
    ArchiveRoom *record = &ret_row->record;
    int r;

    *ret_row = (ArchiveRoomRow){.is_kept = sqlite3_column_int(statement, 1) != 0};
    record->flags = (uint32_t) sqlite3_column_int64(statement, 2);
    record->has_founder = sqlite3_column_int(statement, 3) != 0;
    record->founder.is_verified = sqlite3_column_int(statement, 5) != 0;
    record->founder.uid = (uint32_t) sqlite3_column_int64(statement, 6);
    r = sql_column_name(archive, statement, 0, &record->room);
    if (r == 0)
        r = sql_column_name(archive, statement, 4, &record->founder.nick);
    ret_row->topic.room = record->room;
    if (r == 0)
        r = read_topic(archive, statement, 7, &ret_row->topic);
    return error_trace(r);
}

/* What is kept of a room, or a topic. */
#define ROOM_SELECT                                                                                          \
    "SELECT name, is_kept, flags, has_founder, founder, founder_is_verified, founder_uid, topic,"            \
    " topic_wall, topic_nick, topic_is_verified, topic_uid FROM rooms WHERE (is_kept OR topic IS NOT NULL)"

static int give_rooms(Archive *archive, const char *sql, const SqlValue *values, size_t n_values,
                      ArchiveRoomFunction function, void *userdata)
{
    _cleanup_(sql_endp) sqlite3_stmt *statement = NULL;
    ArchiveRoomRow row;
    bool is_row;
    int r;

    r = sql_begin(archive, sql, values, n_values, &statement);
    while (r == 0) {
        r = sql_next(archive, statement, &is_row);
        if (r != 0 || !is_row)
            break;
        r = read_room(archive, statement, &row);
        /* Of one that is asked for nothing may be thought that is not so: it may be locked. */
        r = r == 0 ? function(userdata, &row) : n_values > 0 ? error_trace(r) : skip_damaged(r);
    }
    return error_trace(r);
}

int archive_load_rooms(Archive *archive, ArchiveRoomFunction function, void *userdata)
{
    return error_trace(give_rooms(archive, ROOM_SELECT " ORDER BY id", NULL, 0, function, userdata));
}

int archive_load_room(Archive *archive, const NameKey *key, ArchiveRoomFunction function, void *userdata)
{
    return error_trace(
        give_rooms(archive, ROOM_SELECT " AND key = ?1", SQL_VALUES(SQL_NAME(key)), function, userdata));
}

int archive_room_flags(Archive *archive, const NameKey *key, uint32_t *ret_flags)
{
    int64_t flags;
    int r = SQL_NUMBER(archive, "SELECT flags FROM rooms WHERE key = ?1", &flags, SQL_NAME(key));

    if (r == 0)
        *ret_flags = (uint32_t) flags;
    return error_trace(r);
}

int archive_load_invites(Archive *archive, ArchiveInviteFunction function, void *userdata)
{
    _cleanup_(sql_endp) sqlite3_stmt *statement = NULL;
    ArchiveInvite invite;
    bool is_row;
    int r;

    r = sql_begin(archive,
                  "SELECT r.name, i.name, i.uid FROM invites AS i CROSS JOIN rooms AS r ON r.id = i.room"
                  " ORDER BY i.room, i.key",
                  NULL, 0, &statement);
    while (r == 0) {
        r = sql_next(archive, statement, &is_row);
        if (r != 0 || !is_row)
            break;
        invite = (ArchiveInvite){.uid = (uint32_t) sqlite3_column_int64(statement, 2)};
        r = sql_column_name(archive, statement, 0, &invite.room);
        if (r == 0)
            r = sql_column_name(archive, statement, 1, &invite.name);
        r = r == 0 ? function(userdata, &invite) : skip_damaged(r);
    }
    return error_trace(r);
}

/* The subject is in `subject`, the reason in archive->clean. */
static int read_rule(Archive *archive, sqlite3_stmt *statement, char *subject, ArchiveRule *ret_rule)
{
    int r;

    *ret_rule = (ArchiveRule){.id = (uint64_t) sqlite3_column_int64(statement, 0),
                              .kind = (uint8_t) sqlite3_column_int(statement, 1),
                              .until = sql_column_unsigned(statement, 4),
                              .subject = subject,
                              .reason = archive->clean,
                              .wall = sql_column_unsigned(statement, 7)};
    r = sql_column_clean(archive, statement, 2, ARCHIVE_TEXT_MAX, subject, &ret_rule->n_subject);
    if (r == 0)
        r = sql_column_clean(archive, statement, 6, ARCHIVE_TEXT_MAX, archive->clean, &ret_rule->n_reason);
    if (r == 0)
        r = sql_column_name(archive, statement, 5, &ret_rule->by);
    if (r == 0)
        r = sql_column_blob(archive, statement, 3, ARCHIVE_BYTES_MAX, &ret_rule->bytes, &ret_rule->n_bytes);
    return error_trace(r);
}

int archive_load_rules(Archive *archive, uint64_t now, ArchiveRuleFunction function, void *userdata)
{
    _cleanup_(sql_endp) sqlite3_stmt *statement = NULL;
    int64_t at = (int64_t) MIN(now, (uint64_t) INT64_MAX);
    char subject[TEXT_GROWTH * ARCHIVE_TEXT_MAX];
    ArchiveRule rule;
    bool is_row;
    int r;

    r = sql_begin(archive,
                  "SELECT id, kind, subject, bytes, until, by, reason, wall FROM rules"
                  " WHERE until = 0 OR until > ?1 ORDER BY id",
                  &SQL_INT(at), 1, &statement);
    while (r == 0) {
        r = sql_next(archive, statement, &is_row);
        if (r != 0 || !is_row)
            break;
        r = read_rule(archive, statement, subject, &rule);
        r = r == 0 ? function(userdata, &rule) : skip_damaged(r);
    }
    return error_trace(r);
}
