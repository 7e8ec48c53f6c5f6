/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdio.h>
#include <string.h>

#include "archive/query.h"
#include "lib/past.h"

enum { BUSY_MSEC = 20000 };

void past_path(const Daemon *daemon, char path[PAST_PATH])
{
    (void) snprintf(path, PAST_PATH, "%s/archive.db", daemon->state_directory);
}

static int add_line(void *userdata, const ArchiveLine *line)
{
    bool is_action = line->kind == ARCHIVE_ACTION;
    Buffer *text = userdata;

    buffer_add_text(text, is_action ? "* " : "");
    buffer_add_text(text, line->who.nick.bytes);
    buffer_add_text(text, is_action ? " " : ": ");
    buffer_add(text, line->text, line->n);
    buffer_add_text(text, "\n");
    return 0;
}

char *past_read(Daemon *daemon)
{
    char path[PAST_PATH];
    Buffer text = {0};
    Archive *archive;
    NameKey lobby;
    int r;

    past_path(daemon, path);
    r = archive_open(path, ARCHIVE_TOOL, &archive);
    if (r != 0)
        daemon_fail(daemon, "%s: %s", path, archive_strerror(r));
    name_fold("lobby", 5, &lobby);
    r = archive_last_lines(archive, &lobby, ARCHIVE_ID_END, ARCHIVE_ROWS_MAX, add_line, &text);
    if (r != 0)
        daemon_fail(daemon, "reading %s: %s", path, archive_strerror(r));
    (void) archive_close(archive);
    buffer_add(&text, "", 1);
    return text.data;
}

void past_expect(Daemon *daemon, const char *lines)
{
    char *text = past_read(daemon);
    size_t n = 0;

    while (text[n] != '\0' && text[n] == lines[n])
        n++;
    if (text[n] != lines[n])
        daemon_fail(daemon, "from byte %zu on the archive has:\n%.300s\n--- and not:\n%.300s", n, text + n,
                    lines + n);
    free(text);
}

sqlite3 *past_open(const Daemon *daemon)
{
    char path[PAST_PATH];
    sqlite3 *db;

    past_path(daemon, path);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    (void) sqlite3_busy_timeout(db, BUSY_MSEC);
    return db;
}

void past_do(sqlite3 *db, const char *sql)
{
    char *error = NULL;

    (void) sqlite3_exec(db, sql, NULL, NULL, &error);
    ck_assert_msg(error == NULL, "%s: %s", sql, error);
}

void past_close(sqlite3 *db)
{
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

int64_t past_number(Daemon *daemon, const char *sql)
{
    sqlite3 *db = past_open(daemon);
    sqlite3_stmt *statement;
    int64_t n;

    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    n = sqlite3_column_int64(statement, 0);
    (void) sqlite3_finalize(statement);
    past_close(db);
    return n;
}
