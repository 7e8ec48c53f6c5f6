/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "archive/export.h"
#include "archive/line.h"
#include "archive/sql.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/macro.h"

enum {
    STEP_LINES = 1000, /* read in one state of the file, and in memory until they are written */
    STEP_BYTES = 1024 * 1024,
    TIME_BYTES = 80,
};

/* The last second but a day that has four digits of a year. */
#define ERA_END UINT64_C(253402214400)

typedef struct Writer {
    FILE *file;
    const ArchiveExport *options;
} Writer;

/* Where the next step begins. */
typedef struct Place {
    uint64_t line, gap; /* ids, of each the first that may be next */
    bool is_end;        /* there is nothing more */
} Place;

/* A line is what line_read() has read; a gap is a row without a room. */
#define GAP_COLUMNS "g.id, g.wall, g.n, NULL, NULL, NULL, NULL"

static void write_bytes(const Writer *writer, const char *bytes, size_t n)
{
    (void) fwrite(bytes, 1, n, writer->file);
}

/* In local time for people, in UTC for programs. What is not a time of this era is written as its end. */
static void write_time(const Writer *writer, uint64_t wall)
{
    bool is_local = writer->options->format == ARCHIVE_FORMAT_TEXT;
    time_t seconds = (time_t) MIN(wall / USEC_PER_SEC, ERA_END);
    char text[TIME_BYTES];
    struct tm tm;

    if ((is_local ? localtime_r(&seconds, &tm) : gmtime_r(&seconds, &tm)) == NULL)
        tm = (struct tm){.tm_mday = 1};
    (void) snprintf(text, sizeof text, "%04d-%02d-%02d%c%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
                    tm.tm_mday, is_local ? ' ' : 'T', tm.tm_hour, tm.tm_min, tm.tm_sec);
    write_bytes(writer, text, strlen(text));
}

static void write_as_text(const Writer *writer, const ArchiveLine *line)
{
    const char *mark = line->who.is_verified ? "✓" : "";

    write_time(writer, line->wall);
    if (line->kind == ARCHIVE_GAP) {
        (void) fprintf(writer->file, " -- %" PRIu64 " %s missing here\n", line->n_missing,
                       line->n_missing == 1 ? "line is" : "lines are");
        return;
    }
    (void) fprintf(writer->file, line->kind == ARCHIVE_ACTION ? " #%s * %s%s " : " #%s <%s%s> ",
                   line->room.bytes, line->who.nick.bytes, mark);
    write_bytes(writer, line->text, line->n);
    write_bytes(writer, "\n", 1);
}

/* RFC 8259, section 7. */
static void write_string(const Writer *writer, const char *text, size_t n)
{
    write_bytes(writer, "\"", 1);
    for (size_t i = 0; i < n; i++) {
        unsigned char byte = (unsigned char) text[i];

        if (byte == '"' || byte == '\\')
            (void) fprintf(writer->file, "\\%c", byte);
        else if (byte < 0x20)
            (void) fprintf(writer->file, "\\u%04x", byte);
        else
            (void) fputc(byte, writer->file);
    }
    write_bytes(writer, "\"", 1);
}

static void write_as_json(const Writer *writer, const ArchiveLine *line)
{
    (void) fprintf(writer->file, "{\"id\":%" PRIu64 ",\"time\":\"", line->id);
    write_time(writer, line->wall);
    (void) fprintf(writer->file, ".%06" PRIu64 "Z\"", line->wall % USEC_PER_SEC);
    if (line->kind == ARCHIVE_GAP) {
        (void) fprintf(writer->file, ",\"missing\":%" PRIu64 "}\n", line->n_missing);
        return;
    }
    (void) fprintf(writer->file, ",\"room\":");
    write_string(writer, line->room.bytes, line->room.n);
    (void) fprintf(writer->file, ",\"nick\":");
    write_string(writer, line->who.nick.bytes, line->who.nick.n);
    (void) fprintf(writer->file, ",\"verified\":%s", line->who.is_verified ? "true" : "false");
    if (line->who.is_verified)
        (void) fprintf(writer->file, ",\"uid\":%" PRIu32, line->who.uid);
    (void) fprintf(writer->file, ",\"action\":%s,\"text\":", line->kind == ARCHIVE_ACTION ? "true" : "false");
    write_string(writer, line->text, line->n);
    write_bytes(writer, "}\n", 2);
}

static int read_row(Archive *archive, sqlite3_stmt *statement, ArchiveLine *ret_line)
{
    if (sqlite3_column_type(statement, 4) != SQLITE_NULL)
        return error_trace(line_read(archive, statement, ret_line));
    *ret_line = (ArchiveLine){.id = sql_column_unsigned(statement, 0),
                              .wall = sql_column_unsigned(statement, 1),
                              .kind = ARCHIVE_GAP,
                              .n_missing = sql_column_unsigned(statement, 2)};
    return 0;
}

/* What comes after a row: a gap stands before the line that has its id. */
static void go_on(Place *place, const ArchiveLine *line)
{
    place->line = line->id + (line->kind != ARCHIVE_GAP);
    place->gap = line->id + 1;
}

/* The next rows, into memory: STEP_LINES, or fewer and STEP_BYTES. */
static int collect(Archive *archive, const Writer *writer, sqlite3_stmt *statement, Place *place)
{
    unsigned n = 0;
    ArchiveLine line;
    bool is_row;
    int r;

    do {
        r = sql_next(archive, statement, &is_row);
        if (r == 0 && is_row)
            r = read_row(archive, statement, &line);
        if (r != 0)
            return error_trace(r);
        if (!is_row)
            break;
        go_on(place, &line);
        if (writer->options->format == ARCHIVE_FORMAT_JSON)
            write_as_json(writer, &line);
        else
            write_as_text(writer, &line);
    } while (++n < STEP_LINES && ftello(writer->file) < STEP_BYTES);
    place->is_end = !is_row;
    return 0;
}

/* The first id that can be that young: times go backwards now and then, so there may be older ones after it.
 */
static int find_first(Archive *archive, int64_t since, int64_t *ret_id)
{
    return error_trace(SQL_NUMBER(archive,
                                  "SELECT ifnull(min(id), 9223372036854775807) FROM"
                                  " (SELECT min(first_id) AS id FROM parts WHERE max_wall >= ?1"
                                  " UNION ALL SELECT min(id) FROM gaps WHERE wall >= ?1)",
                                  ret_id, SQL_INT(since)));
}

static int read_step(Archive *archive, const Writer *writer, int64_t since, Place *place)
{
    static const char ALL[] =
        "SELECT " LINE_COLUMNS ", 1 FROM lines AS l" LINE_JOIN " WHERE l.id >= ?1 AND l.wall >= ?2"
        " UNION ALL SELECT " GAP_COLUMNS ", 0 FROM gaps AS g WHERE g.id >= ?4 AND g.wall >= ?2"
        " ORDER BY 1, 8 LIMIT ?3";
    static const char ROOM[] = "SELECT " LINE_COLUMNS " FROM lines AS l" LINE_JOIN " WHERE l.room ="
                               " (SELECT id FROM rooms WHERE key = ?4) AND l.id >= ?1 AND l.wall >= ?2"
                               " ORDER BY l.id LIMIT ?3";
    _cleanup_(sql_endp) sqlite3_stmt *statement = NULL;
    const NameKey *room = writer->options->room;
    SqlValue values[] = {SQL_INT(place->line), SQL_INT(since), SQL_INT(STEP_LINES), SQL_INT(place->gap)};
    int r;

    if (room != NULL)
        values[3] = SQL_NAME(room);
    r = sql_begin(archive, room != NULL ? ROOM : ALL, values, N_ELEMENTS(values), &statement);
    return r == 0 ? error_trace(collect(archive, writer, statement, place)) : error_trace(r);
}

/* Whoever reads what is written may take their time: it is read before, and then nothing is open any more. */
static int step(Archive *archive, FILE *file, const ArchiveExport *options, int64_t since, Place *place)
{
    char *bytes = NULL;
    size_t n = 0;
    Writer writer = {.file = open_memstream(&bytes, &n), .options = options};
    int r;

    if (writer.file == NULL)
        return error_origin(-ENOMEM);
    r = read_step(archive, &writer, since, place);
    if (r == 0 && ferror(writer.file))
        r = error_origin(-ENOMEM);
    if (fclose(writer.file) != 0 && r == 0)
        r = error_origin(-ENOMEM);
    errno = 0;
    if (r == 0 && fwrite(bytes, 1, n, file) != n)
        r = error_origin(errno != 0 ? -errno : -EIO);
    free(bytes);
    return error_trace(r);
}

int archive_export(Archive *archive, FILE *file, const ArchiveExport *options)
{
    int64_t since = (int64_t) MIN(options->since, (uint64_t) INT64_MAX);
    Place place = {0};
    int64_t first;
    int r;

    r = find_first(archive, since, &first);
    if (r == 0)
        place.line = place.gap = (uint64_t) first;
    while (r == 0 && !place.is_end)
        r = step(archive, file, options, since, &place);
    if (r != 0)
        return error_trace(r);
    return fflush(file) == 0 ? 0 : error_origin(-errno);
}
