/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <string.h>

#include "archive/line.h"
#include "archive/search.h"
#include "archive/sql.h"
#include "archive/write.h"
#include "base/error.h"
#include "base/macro.h"

/* What was said by whom, and where: the values of the row of people. */
typedef struct Said {
    int64_t id, wall, room; /* room 0: nothing was said */
} Said;

/* The transaction is open, and nothing has failed since the cursor was read. */
static int begin(Archive *archive)
{
    int r;

    if (archive->failed != 0 || archive->is_open)
        return archive->failed;
    r = sql_begin_writing(archive);
    archive->is_open = r == 0;
    archive->failed = r;
    return error_trace(r);
}

static bool is_text(const char *text, size_t n)
{
    return n <= ARCHIVE_TEXT_MAX && (n == 0 || memchr(text, '\0', n) == NULL);
}

static bool is_time(uint64_t wall)
{
    return wall <= INT64_MAX;
}

/* The key of a name that has one. */
static bool fold(const Name *name, NameKey *ret_key)
{
    if (name->n == 0 || name->n > NAME_MAX_BYTES)
        return false;
    name_fold(name->bytes, name->n, ret_key);
    return ret_key->n > 0;
}

/* The row of a room, which is made if there is none. */
static int need_room(Archive *archive, const Name *name, const NameKey *key, int64_t *ret_room)
{
    int r;

    r = SQL_NUMBER(archive, "SELECT id FROM rooms WHERE key = ?1", ret_room, SQL_NAME(key));
    if (r != 0 || *ret_room != 0)
        return error_trace(r);
    r = SQL_RUN(archive, "INSERT INTO rooms(key, name) VALUES(?1, ?2)", SQL_NAME(key), SQL_NAME(name));
    *ret_room = sqlite3_last_insert_rowid(archive->db);
    return error_trace(r);
}

/* Writes down that somebody was here, and gives the number of the person; *ret_is_usual: spelt as
 * people.nick. */
static int need_person(Archive *archive, const ArchiveWho *who, const NameKey *key, const Said *said,
                       int64_t *ret_person, bool *ret_is_usual)
{
    static const char SQL[] =
        "INSERT INTO people(key, nick, spelling, is_verified, uid, first_seen, last_seen, last_line, "
        "last_wall,"
        " last_room) VALUES(?1, ?2, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8)"
        " ON CONFLICT(key) DO UPDATE SET spelling = ?2,"
        " uid = iif(?3, ?4, uid), is_verified = max(is_verified, ?3),"
        " first_seen = iif(first_seen = 0, ?5, min(first_seen, ?5)), last_seen = max(last_seen, ?5),"
        " last_wall = iif(?6 >= ifnull(last_line, 0), ?7, last_wall),"
        " last_room = iif(?6 >= ifnull(last_line, 0), ?8, last_room),"
        " last_line = iif(?6 >= ifnull(last_line, 0), ?6, last_line)"
        " RETURNING id, nick = ?2";
    _cleanup_(sql_endp) sqlite3_stmt *statement = NULL;
    bool has_line = said->room != 0, is_row = false;
    int r;

    r = sql_begin(archive, SQL,
                  SQL_VALUES(SQL_NAME(key), SQL_NAME(&who->nick), SQL_INT(who->is_verified),
                             SQL_INT(who->is_verified ? who->uid : 0), SQL_INT(said->wall),
                             has_line ? SQL_INT(said->id) : SQL_NULL(),
                             has_line ? SQL_INT(said->wall) : SQL_NULL(),
                             has_line ? SQL_INT(said->room) : SQL_NULL()),
                  &statement);
    if (r == 0)
        r = sql_next(archive, statement, &is_row);
    if (r != 0)
        return error_trace(r);
    if (!is_row)
        return sql_fail_damaged(archive, "a row was not returned");
    *ret_person = sqlite3_column_int64(statement, 0);
    *ret_is_usual = sqlite3_column_int(statement, 1) != 0;
    return error_trace(sql_next(archive, statement, &is_row));
}

static int put_said(Archive *archive, const ArchiveLine *line, const NameKey *room_key,
                    const NameKey *nick_key)
{
    PartLine part_line = {
        .id = (int64_t) line->id, .wall = (int64_t) line->wall, .text = line->text, .n = line->n};
    int kind = (line->kind == ARCHIVE_ACTION ? 1 : 0) | (line->who.is_verified ? 2 : 0);
    bool is_usual = true;
    int r;

    r = need_room(archive, &line->room, room_key, &part_line.room);
    if (r == 0)
        r = need_person(archive, &line->who, nick_key, &(Said){part_line.id, part_line.wall, part_line.room},
                        &part_line.person, &is_usual);
    if (r == 0)
        r = SQL_RUN(archive,
                    "INSERT OR IGNORE INTO lines(id, wall, room, person, kind, uid, nick, text)"
                    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    SQL_INT(line->id), SQL_INT(line->wall), SQL_INT(part_line.room),
                    SQL_INT(part_line.person), SQL_INT(kind),
                    line->who.is_verified ? SQL_INT(line->who.uid) : SQL_NULL(),
                    is_usual ? SQL_NULL() : SQL_NAME(&line->who.nick), SQL_TEXT(line->text, line->n));
    if (r != 0)
        return error_trace(r);
    /* It was there already. */
    if (sqlite3_changes(archive->db) == 0)
        return 0;
    return error_trace(part_add(archive, &part_line));
}

int archive_put_line(Archive *archive, const ArchiveLine *line)
{
    NameKey room_key, nick_key;
    int r;

    if (line->id > INT64_MAX || !is_time(line->wall) || line->n_missing > INT64_MAX)
        return error_origin(-EINVAL);
    if (line->kind == ARCHIVE_GAP) {
        r = begin(archive);
        if (r != 0)
            return error_trace(r);
        return error_trace(SQL_RUN(archive, "INSERT OR IGNORE INTO gaps(id, wall, n) VALUES(?1, ?2, ?3)",
                                   SQL_INT(line->id), SQL_INT(line->wall), SQL_INT(line->n_missing)));
    }
    if (!is_text(line->text, line->n) || !fold(&line->room, &room_key) || !fold(&line->who.nick, &nick_key))
        return error_origin(-EINVAL);
    r = begin(archive);
    if (r != 0)
        return error_trace(r);
    return error_trace(put_said(archive, line, &room_key, &nick_key));
}

int archive_put_count(Archive *archive, uint64_t n)
{
    int r;

    if (n > INT64_MAX)
        return error_origin(-EINVAL);
    r = begin(archive);
    if (r != 0)
        return error_trace(r);
    return error_trace(SQL_RUN(archive, "UPDATE cursor SET n_lines = ?1", SQL_INT(n)));
}

int archive_put_take_back(Archive *archive, uint64_t id)
{
    char text[ARCHIVE_TEXT_MAX];
    PartLine line;
    bool is_found;
    int r;

    if (id > INT64_MAX)
        return error_origin(-EINVAL);
    r = begin(archive);
    if (r == 0)
        r = line_find(archive, (int64_t) id, text, &line, &is_found);
    if (r != 0 || !is_found)
        return error_trace(r);
    return error_trace(line_delete(archive, &line));
}

int archive_put_take_back_said(Archive *archive, const ArchiveLine *line, size_t n_text)
{
    /* The partitions say between which ids there can be something of that time. */
    static const char SQL[] =
        "SELECT max(id) FROM lines WHERE room = (SELECT id FROM rooms WHERE key = ?1)"
        " AND person = (SELECT id FROM people WHERE key = ?2) AND wall = ?3"
        " AND id >= (SELECT min(first_id) FROM parts WHERE max_wall >= ?3)"
        " AND id <= (SELECT max(last_id) FROM parts WHERE min_wall <= ?3)"
        " AND length(CAST(text AS BLOB)) = ?4 AND substr(CAST(text AS BLOB), 1, ?5) = ?6";
    NameKey room, nick;
    int64_t id;
    int r;

    if (!is_time(line->wall) || !fold(&line->room, &room) || !fold(&line->who.nick, &nick))
        return error_origin(-EINVAL);
    n_text = MIN(n_text, line->n);
    r = begin(archive);
    if (r == 0)
        r = SQL_NUMBER(archive, SQL, &id, SQL_NAME(&room), SQL_NAME(&nick), SQL_INT(line->wall),
                       SQL_INT(line->n), SQL_INT(n_text), SQL_BLOB(line->text, n_text));
    return r == 0 && id != 0 ? error_trace(archive_put_take_back(archive, (uint64_t) id)) : error_trace(r);
}

typedef struct Newest {
    uint64_t ids[LIMIT_DELETED];
    unsigned n, n_max;
    const ArchiveWho *who; /* NULL: of whoever has that name */
} Newest;

static int newest_add(void *userdata, const ArchiveLine *line)
{
    Newest *newest = userdata;
    const ArchiveWho *who = newest->who;

    if (newest->n < newest->n_max && (who == NULL || (line->who.is_verified && line->who.uid == who->uid)))
        newest->ids[newest->n++] = line->id;
    return 0;
}

/* Of the `n_max` newest lines that were said under that name since then. */
static int delete_newest(Archive *archive, const Name *room, const Name *nick, uint64_t since, unsigned n_max,
                         Newest *newest)
{
    NameKey room_key, nick_key;
    const ArchiveSearch search = {.words = "",
                                  .room = &room_key,
                                  .nick = &nick_key,
                                  .since = since,
                                  .before = ARCHIVE_ID_END,
                                  .n_max = n_max};
    ArchivePage page;
    int r;

    if (!fold(room, &room_key) || !fold(nick, &nick_key))
        return error_origin(-EINVAL);
    r = begin(archive);
    if (r == 0)
        r = archive_search(archive, &search, newest_add, newest, &page);
    for (unsigned i = 0; i < newest->n && r == 0; i++)
        r = archive_put_take_back(archive, newest->ids[i]);
    return error_trace(r);
}

int archive_put_deleted(Archive *archive, const Name *room, const Name *nick, uint64_t n)
{
    Newest newest = {.n_max = LIMIT_DELETED};
    unsigned n_max = n < LIMIT_DELETED ? (unsigned) n : LIMIT_DELETED;

    return error_trace(delete_newest(archive, room, nick, 0, n_max, &newest));
}

int archive_put_undone(Archive *archive, const Name *room, const ArchiveWho *who, uint64_t since)
{
    Newest newest = {.n_max = 1, .who = who};

    return error_trace(delete_newest(archive, room, &who->nick, since, ARCHIVE_ROWS_MAX, &newest));
}

int archive_put_seen(Archive *archive, const ArchiveWho *who, uint64_t wall)
{
    int64_t person;
    NameKey key;
    bool is_usual;
    int r;

    if (!is_time(wall) || !fold(&who->nick, &key))
        return error_origin(-EINVAL);
    r = begin(archive);
    if (r != 0)
        return error_trace(r);
    return error_trace(need_person(archive, who, &key, &(Said){.wall = (int64_t) wall}, &person, &is_usual));
}

int archive_put_topic(Archive *archive, const ArchiveTopic *topic)
{
    NameKey room_key, nick_key;
    bool is_cleared = topic->n == 0;
    int64_t room;
    int r;

    if (!is_time(topic->wall) || !is_text(topic->text, topic->n) || !fold(&topic->room, &room_key) ||
        !fold(&topic->by.nick, &nick_key))
        return error_origin(-EINVAL);
    r = begin(archive);
    if (r == 0)
        r = need_room(archive, &topic->room, &room_key, &room);
    if (r != 0)
        return error_trace(r);
    if (is_cleared)
        archive->is_unclean = true;
    return error_trace(
        SQL_RUN(archive,
                "UPDATE rooms SET topic = ?2, topic_wall = ?3, topic_key = ?4, topic_nick = ?5,"
                " topic_is_verified = ?6, topic_uid = ?7 WHERE id = ?1",
                SQL_INT(room), is_cleared ? SQL_NULL() : SQL_TEXT(topic->text, topic->n),
                SQL_INT(topic->wall), SQL_NAME(&nick_key), SQL_NAME(&topic->by.nick),
                SQL_INT(topic->by.is_verified), SQL_INT(topic->by.is_verified ? topic->by.uid : 0)));
}

int archive_put_room(Archive *archive, const ArchiveRoom *record)
{
    NameKey key;
    int64_t room;
    int r;

    if (!fold(&record->room, &key) || (record->has_founder && !fold(&record->founder.nick, &(NameKey){0})))
        return error_origin(-EINVAL);
    r = begin(archive);
    if (r == 0)
        r = need_room(archive, &record->room, &key, &room);
    if (r != 0)
        return error_trace(r);
    return error_trace(
        SQL_RUN(archive,
                "UPDATE rooms SET name = ?2, is_kept = 1, flags = ?3, has_founder = ?4, founder = ?5,"
                " founder_is_verified = ?6, founder_uid = ?7 WHERE id = ?1",
                SQL_INT(room), SQL_NAME(&record->room), SQL_INT(record->flags), SQL_INT(record->has_founder),
                record->has_founder ? SQL_NAME(&record->founder.nick) : SQL_NULL(),
                SQL_INT(record->has_founder && record->founder.is_verified),
                SQL_INT(record->has_founder && record->founder.is_verified ? record->founder.uid : 0)));
}

int archive_put_room_opened(Archive *archive, const Name *room)
{
    NameKey key;
    int r;

    if (!fold(room, &key))
        return error_origin(-EINVAL);
    r = begin(archive);
    if (r == 0)
        r = SQL_RUN(archive, "DELETE FROM invites WHERE room = (SELECT id FROM rooms WHERE key = ?1)",
                    SQL_NAME(&key));
    if (r != 0)
        return error_trace(r);
    archive->is_unclean = true;
    return error_trace(SQL_RUN(archive,
                               "UPDATE rooms SET is_kept = 0, flags = 0, has_founder = 0, founder = NULL,"
                               " founder_is_verified = 0, founder_uid = 0 WHERE key = ?1",
                               SQL_NAME(&key)));
}

int archive_put_room_removed(Archive *archive, const Name *room)
{
    NameKey key;
    int r;

    r = archive_put_room_opened(archive, room);
    if (r != 0)
        return error_trace(r);
    name_fold(room->bytes, room->n, &key);
    return error_trace(SQL_RUN(archive,
                               "UPDATE rooms SET topic = NULL, topic_wall = 0, topic_key = NULL,"
                               " topic_nick = NULL, topic_is_verified = 0, topic_uid = 0 WHERE key = ?1",
                               SQL_NAME(&key)));
}

int archive_put_room_forgotten(Archive *archive, const Name *room, uint64_t from, uint64_t before)
{
    static const char SQL[] = "SELECT id FROM lines WHERE room = (SELECT id FROM rooms WHERE key = ?1)"
                              " AND id >= ?2 AND id < ?3 LIMIT 1";
    int64_t id;
    NameKey key;
    int r;

    if (!fold(room, &key) || before > ARCHIVE_ID_END)
        return error_origin(-EINVAL);
    do {
        r = begin(archive);
        if (r == 0)
            r = SQL_NUMBER(archive, SQL, &id, SQL_NAME(&key), SQL_INT(from), SQL_INT(before));
        if (r == 0 && id != 0)
            r = archive_put_take_back(archive, (uint64_t) id);
    } while (r == 0 && id != 0);
    return error_trace(r);
}

int archive_put_invite(Archive *archive, const ArchiveInvite *invite)
{
    NameKey room_key, key;
    int64_t room;
    int r;

    if (!fold(&invite->room, &room_key) || !fold(&invite->name, &key))
        return error_origin(-EINVAL);
    r = begin(archive);
    if (r == 0)
        r = need_room(archive, &invite->room, &room_key, &room);
    if (r != 0)
        return error_trace(r);
    return error_trace(SQL_RUN(archive,
                               "INSERT OR REPLACE INTO invites(room, key, name, uid) VALUES(?1, ?2, ?3, ?4)",
                               SQL_INT(room), SQL_NAME(&key), SQL_NAME(&invite->name), SQL_INT(invite->uid)));
}

int archive_put_invite_removed(Archive *archive, const Name *room, const Name *name)
{
    NameKey room_key, key;
    int r;

    if (!fold(room, &room_key) || !fold(name, &key))
        return error_origin(-EINVAL);
    r = begin(archive);
    if (r != 0)
        return error_trace(r);
    archive->is_unclean = true;
    return error_trace(SQL_RUN(
        archive, "DELETE FROM invites WHERE room = (SELECT id FROM rooms WHERE key = ?1) AND key = ?2",
        SQL_NAME(&room_key), SQL_NAME(&key)));
}

int archive_put_rule(Archive *archive, const ArchiveRule *rule)
{
    NameKey key;
    int r;

    if (!is_time(rule->wall) || !is_time(rule->until) || rule->n_bytes > ARCHIVE_BYTES_MAX ||
        !is_text(rule->subject, rule->n_subject) || !is_text(rule->reason, rule->n_reason) ||
        !fold(&rule->by, &key))
        return error_origin(-EINVAL);
    r = begin(archive);
    if (r != 0)
        return error_trace(r);
    return error_trace(
        SQL_RUN(archive,
                "INSERT OR REPLACE INTO rules(id, kind, subject, bytes, until, by_key, by, reason, wall)"
                " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                SQL_INT(rule->id), SQL_INT(rule->kind), SQL_TEXT(rule->subject, rule->n_subject),
                SQL_BLOB(rule->bytes, rule->n_bytes), SQL_INT(rule->until), SQL_NAME(&key),
                SQL_NAME(&rule->by), SQL_TEXT(rule->reason, rule->n_reason), SQL_INT(rule->wall)));
}

int archive_put_rule_removed(Archive *archive, uint64_t id)
{
    int r;

    r = begin(archive);
    if (r != 0)
        return error_trace(r);
    archive->is_unclean = true;
    return error_trace(SQL_RUN(archive, "DELETE FROM rules WHERE id = ?1", SQL_INT(id)));
}

static bool is_one_of(uint64_t id, const uint64_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

int archive_put_rules_kept(Archive *archive, const uint64_t *ids, size_t n)
{
    int64_t id = 0;
    int r;

    r = begin(archive);
    while (r == 0) {
        r = SQL_NUMBER(archive, "SELECT min(id) FROM rules WHERE id > ?1", &id, SQL_INT(id));
        if (r != 0 || id == 0)
            break;
        if (!is_one_of((uint64_t) id, ids, n))
            r = archive_put_rule_removed(archive, (uint64_t) id);
    }
    return error_trace(r);
}

int archive_put_settings(Archive *archive, const ArchiveSettings *settings)
{
    NameKey key;
    int r;

    if (!settings->who.is_verified || !is_text(settings->away, settings->n_away) ||
        settings->n_ignored > ARCHIVE_IGNORED_MAX || !fold(&settings->who.nick, &key))
        return error_origin(-EINVAL);
    r = begin(archive);
    if (r != 0)
        return error_trace(r);
    return error_trace(SQL_RUN(archive,
                               "INSERT OR REPLACE INTO settings(uid, key, nick, bits, away, ignored)"
                               " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                               SQL_INT(settings->who.uid), SQL_NAME(&key), SQL_NAME(&settings->who.nick),
                               SQL_INT(settings->bits), SQL_TEXT(settings->away, settings->n_away),
                               SQL_BLOB(settings->ignored, settings->n_ignored)));
}

int archive_put_message(Archive *archive, const ArchiveMessage *message)
{
    NameKey from_key, to_key;
    int r;

    if (message->id > INT64_MAX || !is_time(message->wall) || !is_text(message->text, message->n) ||
        !fold(&message->from.nick, &from_key) || !fold(&message->to, &to_key))
        return error_origin(-EINVAL);
    r = begin(archive);
    if (r != 0)
        return error_trace(r);
    return error_trace(SQL_RUN(
        archive,
        "INSERT OR IGNORE INTO messages(id, wall, from_key, from_nick, from_is_verified, from_uid, to_uid,"
        " to_key, to_nick, text) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        SQL_INT(message->id), SQL_INT(message->wall), SQL_NAME(&from_key), SQL_NAME(&message->from.nick),
        SQL_INT(message->from.is_verified), SQL_INT(message->from.is_verified ? message->from.uid : 0),
        SQL_INT(message->to_uid), SQL_NAME(&to_key), SQL_NAME(&message->to),
        SQL_TEXT(message->text, message->n)));
}

int archive_put_delivered(Archive *archive, uint64_t id)
{
    int r;

    if (id > INT64_MAX)
        return error_origin(-EINVAL);
    r = begin(archive);
    if (r != 0)
        return error_trace(r);
    archive->is_unclean = true;
    return error_trace(SQL_RUN(archive, "DELETE FROM messages WHERE id = ?1", SQL_INT(id)));
}
