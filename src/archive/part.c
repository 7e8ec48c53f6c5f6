/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <inttypes.h>
#include <stdio.h>

#include "archive/part.h"
#include "archive/sql.h"
#include "base/error.h"
#include "base/macro.h"

enum { TAGS_BYTES = 48 };

#define COLUMNS "number, first_id, last_id, n_written, min_wall, max_wall, is_dirty"

void part_done(Archive *archive)
{
    (void) sqlite3_finalize(archive->part.insert);
    archive->part = (Part){0};
}

static int read_part(Archive *archive, const char *sql, int64_t id, Part *ret_part)
{
    _cleanup_(sql_endp) sqlite3_stmt *statement = NULL;
    bool is_row;
    int r;

    r = sql_begin(archive, sql, &SQL_INT(id), 1, &statement);
    if (r == 0)
        r = sql_next(archive, statement, &is_row);
    if (r != 0)
        return error_trace(r);
    *ret_part = (Part){.end = INT64_MAX};
    if (!is_row)
        return 0;
    *ret_part = (Part){
        .number = sqlite3_column_int64(statement, 0),
        .first_id = sqlite3_column_int64(statement, 1),
        .last_id = sqlite3_column_int64(statement, 2),
        .end = INT64_MAX,
        .n_written = sqlite3_column_int64(statement, 3),
        .min_wall = sqlite3_column_int64(statement, 4),
        .max_wall = sqlite3_column_int64(statement, 5),
        .state = (PartState) sqlite3_column_int(statement, 6),
    };
    if (ret_part->number <= 0 || ret_part->first_id < 0)
        return sql_fail_damaged(archive, "a partition has no number, or ids that are none");
    return 0;
}

int part_find(Archive *archive, int64_t number, Part *ret_part)
{
    return error_trace(
        read_part(archive, "SELECT " COLUMNS " FROM parts WHERE number = ?1", number, ret_part));
}

int part_before(Archive *archive, int64_t id, Part *ret_part)
{
    return error_trace(
        read_part(archive, "SELECT " COLUMNS " FROM parts WHERE first_id < ?1 ORDER BY first_id DESC LIMIT 1",
                  id, ret_part));
}

int part_after(Archive *archive, int64_t id, Part *ret_part)
{
    return error_trace(
        read_part(archive, "SELECT " COLUMNS " FROM parts WHERE first_id >= ?1 ORDER BY first_id LIMIT 1", id,
                  ret_part));
}

int part_unclean(Archive *archive, Part *ret_part)
{
    return error_trace(read_part(archive,
                                 "SELECT " COLUMNS
                                 " FROM parts WHERE is_dirty >= ?1 ORDER BY is_dirty DESC, first_id LIMIT 1",
                                 PART_DIRTY, ret_part));
}

int part_set_state(Archive *archive, const Part *part, PartState state)
{
    if (state != PART_CLEAN)
        archive->is_unclean = true;
    return error_trace(SQL_RUN(archive, "UPDATE parts SET is_dirty = ?2 WHERE number = ?1",
                               SQL_INT(part->number), SQL_INT(state)));
}

/* The partition that an id belongs to: what is older than all of them is the first one's. */
static int find_part(Archive *archive, int64_t id, Part *ret_part)
{
    Part next;
    int r;

    r = part_before(archive, id < INT64_MAX ? id + 1 : id, ret_part);
    if (r == 0 && ret_part->number == 0)
        r = part_after(archive, 0, ret_part);
    if (r != 0 || ret_part->number == 0)
        return error_trace(r);
    r = part_after(archive, ret_part->first_id + 1, &next);
    if (r == 0 && next.number != 0)
        ret_part->end = next.first_id;
    return error_trace(r);
}

static int create_part(Archive *archive, const PartLine *line)
{
    char sql[PART_SQL_BYTES];
    int64_t last;
    int r;

    r = sql_number_values(archive, "SELECT max(number) FROM parts", NULL, 0, &last);
    if (r != 0)
        return error_trace(r);
    archive->part = (Part){.number = last + 1,
                           .first_id = line->id,
                           .last_id = line->id,
                           .end = INT64_MAX,
                           .min_wall = line->wall,
                           .max_wall = line->wall};
    /* Merged a segment a commit; a line's words are not stored again, nor their number. */
    (void) snprintf(sql, sizeof sql,
                    "CREATE VIRTUAL TABLE words_%" PRIi64
                    " USING fts5(text, tags, content = '', columnsize = 0,"
                    " tokenize = 'unicode61 remove_diacritics 2')",
                    archive->part.number);
    r = sql_execute(archive, sql);
    if (r != 0)
        return error_trace(r);
    return error_trace(SQL_RUN(archive, "INSERT INTO parts(" COLUMNS ") VALUES(?1, ?2, ?2, 0, ?3, ?3, 0)",
                               SQL_INT(archive->part.number), SQL_INT(line->id), SQL_INT(line->wall)));
}

static bool is_full(const Part *part)
{
    return part->n_written >= PART_LINES || part->state == PART_GOING;
}

/* archive->part becomes the one for the line. */
static int choose_part(Archive *archive, const PartLine *line)
{
    Part *part = &archive->part;
    bool is_here = part->number != 0 && line->id >= part->first_id && line->id < part->end;
    int r;

    if (!is_here) {
        r = part_flush(archive);
        if (r != 0)
            return error_trace(r);
        part_done(archive);
        r = find_part(archive, line->id, part);
        if (r != 0)
            return error_trace(r);
    }
    if (part->number != 0 && (part->end != INT64_MAX || line->id <= part->last_id || !is_full(part)))
        return 0;
    if (part->number != 0) {
        /* One segment makes it small and quick to look through. */
        r = part->state == PART_GOING ? 0 : part_set_state(archive, part, PART_DIRTY);
        if (r == 0)
            r = part_flush(archive);
        if (r != 0)
            return error_trace(r);
        part_done(archive);
    }
    return error_trace(create_part(archive, line));
}

static int prepare_insert(Archive *archive)
{
    char sql[PART_SQL_BYTES];

    if (archive->part.insert != NULL)
        return 0;
    (void) snprintf(sql, sizeof sql, "INSERT INTO words_%" PRIi64 "(rowid, text, tags) VALUES(?1, ?2, ?3)",
                    archive->part.number);
    return error_trace(sql_begin_once(archive, sql, NULL, 0, &archive->part.insert));
}

static size_t write_tags(char *to, const PartLine *line)
{
    return (size_t) snprintf(to, TAGS_BYTES, "r%" PRIi64 " p%" PRIi64, line->room, line->person);
}

int part_add(Archive *archive, const PartLine *line)
{
    Part *part = &archive->part;
    char tags[TAGS_BYTES];
    size_t n_tags = write_tags(tags, line);
    const SqlValue values[] = {SQL_INT(line->id), SQL_TEXT(line->text, line->n), SQL_TEXT(tags, n_tags)};
    bool is_row;
    int r;

    r = choose_part(archive, line);
    if (r == 0)
        r = prepare_insert(archive);
    if (r == 0)
        r = sql_bind(archive, part->insert, values, N_ELEMENTS(values));
    if (r == 0)
        r = sql_next(archive, part->insert, &is_row);
    if (r != 0)
        return error_trace(r);
    (void) sql_end(part->insert);
    part->n_written++;
    part->first_id = MIN(part->first_id, line->id);
    part->last_id = MAX(part->last_id, line->id);
    part->min_wall = MIN(part->min_wall, line->wall);
    part->max_wall = MAX(part->max_wall, line->wall);
    return 0;
}

int part_flush(Archive *archive)
{
    const Part *part = &archive->part;

    if (part->number == 0)
        return 0;
    return error_trace(SQL_RUN(archive,
                               "UPDATE parts SET first_id = ?2, last_id = ?3, n_written = ?4, min_wall = ?5,"
                               " max_wall = ?6 WHERE number = ?1",
                               SQL_INT(part->number), SQL_INT(part->first_id), SQL_INT(part->last_id),
                               SQL_INT(part->n_written), SQL_INT(part->min_wall), SQL_INT(part->max_wall)));
}

static int run_once(Archive *archive, const char *sql, const SqlValue *values, size_t n)
{
    _cleanup_(sql_finalizep) sqlite3_stmt *statement = NULL;
    bool is_row;
    int r;

    r = sql_begin_once(archive, sql, values, n, &statement);
    if (r == 0)
        r = sql_next(archive, statement, &is_row);
    return error_trace(r);
}

int part_remove(Archive *archive, const PartLine *line)
{
    char sql[PART_SQL_BYTES], tags[TAGS_BYTES];
    size_t n_tags = write_tags(tags, line);
    const SqlValue values[] = {SQL_INT(line->id), SQL_TEXT(line->text, line->n), SQL_TEXT(tags, n_tags)};
    Part part;
    int r;

    /* What part_add() has counted decides which one it is. */
    r = part_flush(archive);
    if (r == 0)
        r = find_part(archive, line->id, &part);
    if (r != 0 || part.number == 0)
        return error_trace(r);
    (void) snprintf(sql, sizeof sql,
                    "INSERT INTO words_%" PRIi64 "(words_%" PRIi64
                    ", rowid, text, tags) VALUES('delete', ?1, ?2, ?3)",
                    part.number, part.number);
    r = run_once(archive, sql, values, N_ELEMENTS(values));
    if (r != 0)
        return error_trace(r);
    archive->is_unclean = true;
    return error_trace(SQL_RUN(archive, "UPDATE parts SET is_dirty = max(is_dirty, ?2) WHERE number = ?1",
                               SQL_INT(part.number), SQL_INT(PART_DIRTY)));
}

int part_optimize(Archive *archive, const Part *part)
{
    char sql[PART_SQL_BYTES];
    int r;

    (void) snprintf(sql, sizeof sql, "INSERT INTO words_%" PRIi64 "(words_%" PRIi64 ") VALUES('optimize')",
                    part->number, part->number);
    r = run_once(archive, sql, NULL, 0);
    if (r != 0)
        return error_trace(r);
    return error_trace(part_set_state(archive, part, PART_CLEAN));
}

int part_drop(Archive *archive, const Part *part)
{
    char sql[PART_SQL_BYTES];
    int r;

    (void) snprintf(sql, sizeof sql, "DROP TABLE words_%" PRIi64, part->number);
    r = run_once(archive, sql, NULL, 0);
    if (r != 0)
        return error_trace(r);
    archive->is_unclean = true;
    return error_trace(SQL_RUN(archive, "DELETE FROM parts WHERE number = ?1", SQL_INT(part->number)));
}
