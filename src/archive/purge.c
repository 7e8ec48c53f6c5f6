/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "archive/line.h"
#include "archive/purge.h"
#include "archive/sql.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/macro.h"

enum {
    STEP_LINES = 500,    /* deleted one by one, with their words, in a transaction */
    STEP_ROWS = 4000,    /* deleted in one go, when their words go all at once */
    SHED_MIN = 32,       /* deleted at least to get below MaxSize= */
    SLACK_PAGES = 64,    /* unused pages that are left to be used again, */
    SLACK_FRACTION = 16, /* or this fraction of the file */
};

/* One step of something: ARCHIVE_MORE if it has done anything, 0 if there was nothing to do. */
typedef int (*Step)(Archive *archive, void *what);

/* In a transaction, until it says that there is no more or the time is over. */
static int run_steps(Archive *archive, Step step, void *what, uint64_t deadline)
{
    int r, s;

    for (;;) {
        r = sql_begin_writing(archive);
        if (r == 0)
            r = step(archive, what);
        if (r != 0 && r != ARCHIVE_MORE)
            return error_trace(r);
        s = sql_commit(archive);
        if (s != 0 || r == 0)
            return error_trace(s);
        if (clock_monotonic() >= deadline)
            return ARCHIVE_MORE;
    }
}

/* Without waiting for whoever still reads an older state, but for a TOOL, which has nothing else to do. */
static int empty_log(Archive *archive)
{
    bool is_tool = archive->mode == ARCHIVE_TOOL;
    int code;

    if (!is_tool)
        (void) sqlite3_busy_timeout(archive->db, 0);
    code = sqlite3_wal_checkpoint_v2(archive->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (!is_tool)
        (void) sqlite3_busy_timeout(archive->db, ARCHIVE_WAIT_MSEC);
    return code == SQLITE_OK ? 0 : sql_fail(archive, code);
}

/* Lines one by one, with their words */

typedef struct Ids {
    unsigned n;
    int64_t ids[STEP_LINES];
} Ids;

static int collect(Archive *archive, sqlite3_stmt *statement, Ids *ids)
{
    bool is_row;
    int r;

    for (ids->n = 0; ids->n < STEP_LINES; ids->n++) {
        r = sql_next(archive, statement, &is_row);
        if (r != 0 || !is_row)
            return error_trace(r);
        ids->ids[ids->n] = sqlite3_column_int64(statement, 0);
    }
    return 0;
}

static int delete_lines(Archive *archive, const Ids *ids)
{
    char text[ARCHIVE_TEXT_MAX];
    PartLine line;
    bool is_found;
    int r;

    for (unsigned i = 0; i < ids->n; i++) {
        r = line_find(archive, ids->ids[i], text, &line, &is_found);
        if (r == 0 && is_found)
            r = line_delete(archive, &line);
        if (r != 0)
            return error_trace(r);
    }
    return 0;
}

/* Partitions as wholes */

/* The ids that belong to it: the first one has everything that is older. */
static int find_end(Archive *archive, Part *part)
{
    Part next;
    int r = part_after(archive, part->first_id + 1, &next);

    if (r == 0 && next.number != 0)
        part->end = next.first_id;
    return error_trace(r);
}

/* Deletes some of its lines, and in the end the partition. From the first step on nothing is added to it, and
 * if this is interrupted clean_step() goes on. */
static int drop_step(Archive *archive, Part *part)
{
    int r;

    r = find_end(archive, part);
    if (r == 0 && part->state != PART_GOING)
        r = part_set_state(archive, part, PART_GOING);
    if (r == 0)
        r = SQL_RUN(
            archive,
            "DELETE FROM lines WHERE id IN (SELECT id FROM lines WHERE id >= ?1 AND id < ?2 LIMIT ?3)",
            SQL_INT(part->first_id), SQL_INT(part->end), SQL_INT(STEP_ROWS));
    if (r == 0 && sqlite3_changes(archive->db) == 0)
        r = part_drop(archive, part);
    return r == 0 ? ARCHIVE_MORE : error_trace(r);
}

/* Cleaning */

static int clean_step(Archive *archive, void *what _unused_)
{
    Part part;
    int r;

    r = part_unclean(archive, &part);
    if (r != 0 || part.number == 0)
        return error_trace(r);
    if (part.state == PART_GOING)
        return error_trace(drop_step(archive, &part));
    r = part_optimize(archive, &part);
    return r == 0 ? ARCHIVE_MORE : error_trace(r);
}

static int clean(Archive *archive, uint64_t deadline)
{
    int r;

    r = run_steps(archive, clean_step, NULL, deadline);
    if (r == 0)
        r = empty_log(archive);
    if (r == 0)
        archive->is_unclean = false;
    return error_trace(r);
}

int archive_clean(Archive *archive, uint64_t budget)
{
    assert(!archive->is_open);
    return error_trace(clean(archive, clock_monotonic() + budget));
}

bool archive_is_unclean(const Archive *archive)
{
    return archive->is_unclean;
}

/* Keep= */

/* After lines of a partition were deleted: what it has now. Without any it goes. */
static int measure(Archive *archive, Part *part, int64_t min_wall)
{
    int64_t first_id;
    int r;

    r = SQL_NUMBER(archive, "SELECT id FROM lines WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 1", &first_id,
                   SQL_INT(part->first_id), SQL_INT(part->end));
    if (r == 0 && first_id == 0)
        return error_trace(part_drop(archive, part));
    if (r == 0)
        r = SQL_RUN(archive, "UPDATE parts SET first_id = ?2, min_wall = max(min_wall, ?3) WHERE number = ?1",
                    SQL_INT(part->number), SQL_INT(first_id), SQL_INT(min_wall));
    return error_trace(r);
}

/* The lines in a partition of which a part is too old. */
static int trim_step(Archive *archive, Part *part, int64_t before)
{
    _cleanup_(sql_endp) sqlite3_stmt *statement = NULL;
    Ids ids = {.n = 0};
    int r;

    r = find_end(archive, part);
    if (r == 0)
        r = sql_begin(archive, "SELECT id FROM lines WHERE id >= ?1 AND id < ?2 AND wall < ?3 ORDER BY id",
                      SQL_VALUES(SQL_INT(part->first_id), SQL_INT(part->end), SQL_INT(before)), &statement);
    if (r == 0)
        r = collect(archive, statement, &ids);
    statement = sql_end(statement);
    if (r == 0)
        r = delete_lines(archive, &ids);
    if (r == 0 && ids.n < STEP_LINES)
        r = measure(archive, part, before);
    return r == 0 ? ARCHIVE_MORE : error_trace(r);
}

static int keep_step(Archive *archive, void *what)
{
    const int64_t *before = what;
    int64_t number;
    Part part;
    int r;

    r = SQL_NUMBER(archive, "SELECT number FROM parts WHERE min_wall < ?1 ORDER BY first_id LIMIT 1", &number,
                   SQL_INT(*before));
    if (r != 0 || number == 0)
        return error_trace(r);
    r = part_find(archive, number, &part);
    if (r != 0)
        return error_trace(r);
    if (part.max_wall < *before || part.state == PART_GOING)
        return error_trace(drop_step(archive, &part));
    return error_trace(trim_step(archive, &part, *before));
}

/* The first of these statements that changes anything; what they delete is overwritten behind them. */
static int run_until_changed(Archive *archive, const char *const *sql, size_t n_sql, const SqlValue *values,
                             size_t n_values)
{
    for (size_t i = 0; i < n_sql; i++) {
        int r = sql_run_values(archive, sql[i], values, n_values);

        if (r != 0)
            return error_trace(r);
        if (sqlite3_changes(archive->db) > 0) {
            archive->is_unclean = true;
            return ARCHIVE_MORE;
        }
    }
    return 0;
}

/* A guest who has no lines left, or never said anything: lines are there from the first partition on. */
#define OF_NO_LINE                                                                                           \
    "NOT is_verified AND (last_line IS NULL OR"                                                              \
    " last_line < ifnull((SELECT min(first_id) FROM parts), 9223372036854775807))"
/* A topic of a room of which there is nothing else. */
#define OF_NO_ROOM                                                                                           \
    "topic IS NOT NULL AND NOT is_kept AND NOT EXISTS (SELECT 1 FROM lines WHERE lines.room = rooms.id)"
#define NO_TOPIC                                                                                             \
    "topic = NULL, topic_wall = 0, topic_key = NULL, topic_nick = NULL, topic_is_verified = 0, topic_uid = " \
    "0"

/* What else is too old. Each of these is few rows, but of people and messages there may be many. */
static int forget_step(Archive *archive, void *what)
{
    static const char *const SQL[] = {
        "DELETE FROM people WHERE id IN (SELECT id FROM people WHERE last_seen < ?1 AND " OF_NO_LINE
        " LIMIT ?2)",
        "UPDATE rooms SET " NO_TOPIC
        " WHERE id IN (SELECT id FROM rooms WHERE topic_wall < ?1 AND " OF_NO_ROOM " LIMIT ?2)",
        "UPDATE people SET first_seen = 0, last_seen = 0, last_line = NULL, last_wall = NULL, last_room = "
        "NULL"
        " WHERE id IN (SELECT id FROM people WHERE last_seen > 0 AND last_seen < ?1 AND is_verified LIMIT "
        "?2)",
        "DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE wall < ?1 ORDER BY id LIMIT ?2)",
        "DELETE FROM gaps WHERE id IN (SELECT id FROM gaps WHERE wall < ?1 ORDER BY id LIMIT ?2)",
    };
    const int64_t *before = what;

    return error_trace(
        run_until_changed(archive, SQL, N_ELEMENTS(SQL), SQL_VALUES(SQL_INT(*before), SQL_INT(STEP_LINES))));
}

/* Of which nothing is left; `more` is one more condition. */
#define DELETE_ROOMS(more)                                                                                   \
    "DELETE FROM rooms WHERE id IN (SELECT id FROM rooms WHERE NOT is_kept" more                             \
    " AND NOT EXISTS (SELECT 1 FROM lines WHERE lines.room = rooms.id)"                                      \
    " AND id NOT IN (SELECT room FROM invites)"                                                              \
    " AND id NOT IN (SELECT last_room FROM people WHERE last_room IS NOT NULL) ORDER BY id LIMIT ?1)"

/* Rules that have ended, and rooms that nobody speaks of. */
static int tidy_step(Archive *archive, void *what)
{
    static const char *const rooms = DELETE_ROOMS(" AND topic IS NULL");
    const int64_t *now = what;
    int r;

    r = SQL_RUN(archive, "DELETE FROM rules WHERE until <> 0 AND until <= ?1", SQL_INT(*now));
    if (r == 0 && sqlite3_changes(archive->db) > 0)
        archive->is_unclean = true;
    return r == 0 ? error_trace(run_until_changed(archive, &rooms, 1, SQL_VALUES(SQL_INT(STEP_LINES))))
                  : error_trace(r);
}

/* MaxSize= */

typedef struct Size {
    uint64_t page, pages, unused; /* bytes; numbers of pages */
} Size;

static int measure_file(Archive *archive, Size *ret_size)
{
    int64_t page, pages, unused;
    int r;

    r = sql_number_values(archive, "PRAGMA page_size", NULL, 0, &page);
    if (r == 0)
        r = sql_number_values(archive, "PRAGMA page_count", NULL, 0, &pages);
    if (r == 0)
        r = sql_number_values(archive, "PRAGMA freelist_count", NULL, 0, &unused);
    if (r != 0)
        return error_trace(r);
    if (unused < 0 || unused > pages)
        return sql_fail_damaged(archive, "there are more unused pages than pages");
    *ret_size = (Size){.page = (uint64_t) page, .pages = (uint64_t) pages, .unused = (uint64_t) unused};
    return 0;
}

/* The oldest lines of the only partition: as many as their share of what is too much, and a few more. */
static int shed(Archive *archive, Part *part, const Size *size, uint64_t max_size)
{
    _cleanup_(sql_endp) sqlite3_stmt *statement = NULL;
    double used = (double) (size->pages - size->unused) * (double) size->page;
    int64_t n;
    Ids ids = {.n = 0};
    int r;

    r = SQL_NUMBER(archive, "SELECT count(*) FROM lines WHERE id >= ?1 AND id < ?2", &n,
                   SQL_INT(part->first_id), SQL_INT(part->end));
    if (r == 0)
        r = sql_begin(archive, "SELECT id FROM lines WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3",
                      SQL_VALUES(SQL_INT(part->first_id), SQL_INT(part->end),
                                 SQL_INT((double) n * (1 - (double) max_size / used) + SHED_MIN)),
                      &statement);
    if (r == 0)
        r = collect(archive, statement, &ids);
    statement = sql_end(statement);
    if (r == 0)
        r = delete_lines(archive, &ids);
    if (r == 0)
        r = measure(archive, part, 0);
    return r == 0 ? ARCHIVE_MORE : error_trace(r);
}

/* The size is known once everything that is deleted has left the index, so that is first. */
static int look_at_size(Archive *archive, const uint64_t *max_size, Size *ret_size, bool *ret_is_too_large)
{
    int r;

    *ret_size = (Size){0};
    r = clean_step(archive, NULL);
    if (r == 0)
        r = measure_file(archive, ret_size);
    *ret_is_too_large = (ret_size->pages - ret_size->unused) * ret_size->page > *max_size;
    return error_trace(r);
}

/* Before anything that was said: who came and said nothing, and topics of rooms that are gone; anybody can
 * make any number of both. Those that came first go first, in the order of the table, so that no step looks
 * at all. */
static int litter_step(Archive *archive, void *what)
{
    static const char *const SQL[] = {
        "DELETE FROM people WHERE id IN (SELECT id FROM people WHERE " OF_NO_LINE " ORDER BY id LIMIT ?1)",
        DELETE_ROOMS(""),
        "UPDATE rooms SET " NO_TOPIC " WHERE id IN (SELECT id FROM rooms WHERE " OF_NO_ROOM
        " ORDER BY id LIMIT ?1)",
    };
    bool is_too_large;
    Size size;
    int r;

    r = look_at_size(archive, what, &size, &is_too_large);
    if (r != 0 || !is_too_large)
        return error_trace(r);
    return error_trace(run_until_changed(archive, SQL, N_ELEMENTS(SQL), SQL_VALUES(SQL_INT(STEP_LINES))));
}

static int shed_step(Archive *archive, void *what)
{
    const uint64_t *max_size = what;
    bool is_too_large;
    Size size = {0};
    Part part;
    int r;

    r = look_at_size(archive, max_size, &size, &is_too_large);
    if (r != 0 || !is_too_large)
        return error_trace(r);
    r = part_after(archive, 0, &part);
    if (r == 0 && part.number != 0)
        r = find_end(archive, &part);
    if (r != 0 || part.number == 0)
        return error_trace(r);
    return error_trace(part.end != INT64_MAX ? drop_step(archive, &part)
                                             : shed(archive, &part, &size, *max_size));
}

static int give_back_step(Archive *archive, void *what)
{
    const uint64_t *max_size = what;
    bool is_too_large;
    Size size = {0};
    uint64_t pages;
    int r;

    r = measure_file(archive, &size);
    if (r != 0)
        return error_trace(r);
    is_too_large = *max_size != 0 && size.pages * size.page > *max_size && size.unused > 0;
    if (!is_too_large && size.unused <= MAX((uint64_t) SLACK_PAGES, size.pages / SLACK_FRACTION))
        return 0;
    /* In a file that was made without auto_vacuum it does nothing. */
    r = sql_run_values(archive, "PRAGMA incremental_vacuum(512)", NULL, 0);
    archive->is_unclean = true; /* the file becomes shorter when the log is emptied */
    pages = size.pages;
    if (r == 0)
        r = measure_file(archive, &size);
    return r == 0 && size.pages < pages ? ARCHIVE_MORE : error_trace(r);
}

int archive_purge(Archive *archive, const ArchivePurge *purge)
{
    uint64_t deadline = clock_monotonic() + purge->budget;
    int64_t now = (int64_t) MIN(purge->now, (uint64_t) INT64_MAX), before = 0;
    uint64_t max_size = purge->max_size;
    int r = 0;

    assert(!archive->is_open);
    if (purge->keep != 0 && purge->keep < purge->now)
        before = now - (int64_t) purge->keep;
    if (before > 0)
        r = run_steps(archive, keep_step, &before, deadline);
    if (r == 0 && before > 0)
        r = run_steps(archive, forget_step, &before, deadline);
    if (r == 0)
        r = run_steps(archive, tidy_step, &now, deadline);
    if (r == 0 && max_size != 0)
        r = run_steps(archive, litter_step, &max_size, deadline);
    if (r == 0 && max_size != 0)
        r = run_steps(archive, shed_step, &max_size, deadline);
    if (r == 0)
        r = run_steps(archive, clean_step, NULL, deadline);
    if (r == 0)
        r = run_steps(archive, give_back_step, &max_size, deadline);
    if (r == 0 && archive->is_unclean)
        r = clean(archive, deadline);
    return error_trace(r);
}

/* Forgetting */

typedef struct Forgotten {
    const NameKey *key;
    int64_t person;
    uint64_t n_lines;
} Forgotten;

/* In one partition, through the tags of its index. */
static int find_said(Archive *archive, const Part *part, int64_t person, Ids *ids)
{
    _cleanup_(sql_finalizep) sqlite3_stmt *statement = NULL;
    char sql[PART_SQL_BYTES], match[48];
    size_t n = (size_t) snprintf(match, sizeof match, "{tags} : p%" PRIi64, person);
    int r;

    (void) snprintf(sql, sizeof sql,
                    "SELECT l.id FROM words_%" PRIi64
                    " AS w CROSS JOIN lines AS l ON l.id = w.rowid WHERE words_%" PRIi64
                    " MATCH ?1 AND l.person = ?2",
                    part->number, part->number);
    r = sql_begin_once(archive, sql, SQL_VALUES(SQL_TEXT(match, n), SQL_INT(person)), &statement);
    return r == 0 ? error_trace(collect(archive, statement, ids)) : error_trace(r);
}

/* Some of what somebody said, from any partition. */
static int forget_said_step(Archive *archive, Forgotten *forgotten)
{
    int64_t before = INT64_MAX;
    Part part;
    Ids ids = {.n = 0};
    int r;

    r = part_unclean(archive, &part);
    if (r == 0 && part.number != 0 && part.state == PART_GOING)
        return error_trace(drop_step(archive, &part));
    while (r == 0 && ids.n == 0) {
        r = part_before(archive, before, &part);
        if (r != 0 || part.number == 0)
            return error_trace(r);
        before = part.first_id;
        r = find_said(archive, &part, forgotten->person, &ids);
    }
    if (r == 0)
        r = delete_lines(archive, &ids);
    if (r == 0)
        forgotten->n_lines += ids.n;
    return r == 0 ? ARCHIVE_MORE : error_trace(r);
}

static int forget_rest(Archive *archive, const Forgotten *forgotten)
{
    static const char *const SQL[] = {
        "DELETE FROM settings WHERE key = ?1 OR uid IN (SELECT uid FROM people WHERE key = ?1 AND "
        "is_verified)",
        "DELETE FROM messages WHERE from_key = ?1 OR to_key = ?1",
        "UPDATE rooms SET topic_key = NULL, topic_nick = NULL, topic_is_verified = 0, topic_uid = 0"
        " WHERE topic_key = ?1",
        "UPDATE rules SET by_key = NULL, by = NULL WHERE by_key = ?1",
        "DELETE FROM people WHERE key = ?1",
    };

    for (size_t i = 0; i < N_ELEMENTS(SQL); i++) {
        int r = SQL_RUN(archive, SQL[i], SQL_NAME(forgotten->key));

        if (r != 0)
            return error_trace(r);
    }
    archive->is_unclean = true;
    return 0;
}

/* Lines may come while this goes on, so who it is is looked up each time, and forgotten with the last line.
 */
static int forget_person_step(Archive *archive, void *what)
{
    Forgotten *forgotten = what;
    int r;

    r = SQL_NUMBER(archive, "SELECT id FROM people WHERE key = ?1", &forgotten->person,
                   SQL_NAME(forgotten->key));
    if (r == 0 && forgotten->person != 0)
        r = forget_said_step(archive, forgotten);
    return r == 0 ? error_trace(forget_rest(archive, forgotten)) : error_trace(r);
}

int archive_forget(Archive *archive, const NameKey *key, uint64_t budget, uint64_t *ret_n_lines)
{
    Forgotten forgotten = {.key = key};
    uint64_t deadline = clock_monotonic() + budget;
    int r;

    assert(!archive->is_open);
    r = run_steps(archive, forget_person_step, &forgotten, deadline);
    if (ret_n_lines != NULL)
        *ret_n_lines += forgotten.n_lines;
    if (r == 0)
        r = clean(archive, deadline);
    return error_trace(r);
}
