/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive/sql.h"
#include "base/error.h"
#include "base/macro.h"
#include "base/text.h"

enum { ROLLBACK_TRIES = 3 };

/* What a file answered last, if it was an error. */
static int errno_of_file(sqlite3 *db, int which)
{
    sqlite3_file *file = NULL;
    int e = 0;

    if (sqlite3_file_control(db, "main", which, &file) == SQLITE_OK && file != NULL && file->pMethods != NULL)
        (void) file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &e);
    return e;
}

static bool errno_is_full(int e)
{
    return e == ENOSPC || e == EDQUOT || e == EFBIG;
}

/* SQLite has a code of its own for ENOSPC alone. sqlite3_system_errno() may come too late to know of others.
 */
static bool is_full(sqlite3 *db, int code)
{
    if (errno_is_full(sqlite3_system_errno(db)))
        return true;
    return code == SQLITE_IOERR_WRITE && (errno_is_full(errno_of_file(db, SQLITE_FCNTL_FILE_POINTER)) ||
                                          errno_is_full(errno_of_file(db, SQLITE_FCNTL_JOURNAL_POINTER)));
}

/* An error of the system below SQLite. */
static int classify_io(sqlite3 *db, int code)
{
    if (code == SQLITE_IOERR_NOMEM)
        return error_origin(-ENOMEM);
    if (code == SQLITE_IOERR_CORRUPTFS)
        return ARCHIVE_DAMAGED;
    return is_full(db, code) ? ARCHIVE_FULL : ARCHIVE_IO;
}

static int classify_open(sqlite3 *db)
{
    const char *path = sqlite3_db_filename(db, "main"); /* NULL: it was never open */

    switch (sqlite3_system_errno(db)) {
    case ENOENT:
    case ENOTDIR:
        /* It is there, and what belongs to it can not be made. */
        return path != NULL && access(path, F_OK) == 0 ? ARCHIVE_READONLY : ARCHIVE_ABSENT;
    case EACCES:
    case EPERM:
    case EROFS:
        return ARCHIVE_READONLY;
    case ENOSPC:
    case EDQUOT:
        return ARCHIVE_FULL;
    default:
        return ARCHIVE_IO;
    }
}

static int classify(sqlite3 *db, int code)
{
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return error_origin(-ENOMEM);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: /* the index of the log stayed locked */
        return ARCHIVE_BUSY;
    case SQLITE_FULL:
        return ARCHIVE_FULL;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return code == SQLITE_READONLY_DBMOVED ? ARCHIVE_MOVED : ARCHIVE_READONLY;
    case SQLITE_IOERR:
        return classify_io(db, code);
    case SQLITE_CANTOPEN:
        return classify_open(db);
    default:
        /* Our statements are right, so a table or a row that they do not fit is wrong. */
        return ARCHIVE_DAMAGED;
    }
}

void sql_rollback(Archive *archive)
{
    for (unsigned i = 0; i < ROLLBACK_TRIES && sqlite3_get_autocommit(archive->db) == 0; i++) {
        if (archive->rollback != NULL) {
            (void) sqlite3_step(archive->rollback);
            (void) sqlite3_reset(archive->rollback);
        } else {
            (void) sqlite3_exec(archive->db, "ROLLBACK", NULL, NULL, NULL);
        }
    }
}

static int fail(Archive *archive, int r)
{
    sql_rollback(archive);
    if (archive->is_open && archive->failed == 0)
        archive->failed = r;
    archive->is_open = false;
    part_done(archive);
    return r;
}

int sql_fail(Archive *archive, int code)
{
    int r = classify(archive->db, code);

    (void) snprintf(archive->detail, sizeof archive->detail, "%s (%d)", sqlite3_errmsg(archive->db), code);
    return fail(archive, r);
}

int sql_fail_damaged(Archive *archive, const char *what)
{
    (void) snprintf(archive->detail, sizeof archive->detail, "%s", what);
    return fail(archive, ARCHIVE_DAMAGED);
}

int sql_fail_moved(Archive *archive)
{
    archive->detail[0] = '\0';
    return fail(archive, ARCHIVE_MOVED);
}

static int prepare(Archive *archive, const char *sql, unsigned flags, sqlite3_stmt **ret_statement)
{
    int code = sqlite3_prepare_v3(archive->db, sql, -1, flags, ret_statement, NULL);

    return code == SQLITE_OK ? 0 : sql_fail(archive, code);
}

static int find_cached(Archive *archive, const char *sql, SqlCached **ret_cached)
{
    for (unsigned i = 0; i < ARCHIVE_STATEMENTS; i++) {
        SqlCached *cached = &archive->cached[i];
        int r;

        if (cached->sql == sql) {
            *ret_cached = cached;
            return 0;
        }
        if (cached->sql != NULL)
            continue;
        r = prepare(archive, sql, SQLITE_PREPARE_PERSISTENT, &cached->statement);
        if (r != 0)
            return error_trace(r);
        cached->sql = sql;
        *ret_cached = cached;
        return 0;
    }
    return error_origin(-ENOBUFS);
}

static int bind_value(sqlite3_stmt *statement, int i, const SqlValue *value)
{
    /* A pointer to nothing would be NULL. */
    const void *bytes = value->n > 0 ? value->bytes : "";

    switch (value->type) {
    case SQL_TYPE_INT:
        return sqlite3_bind_int64(statement, i, value->number);
    case SQL_TYPE_TEXT:
        return sqlite3_bind_text64(statement, i, bytes, value->n, SQLITE_STATIC, SQLITE_UTF8);
    case SQL_TYPE_BLOB:
        return sqlite3_bind_blob64(statement, i, bytes, value->n, SQLITE_STATIC);
    case SQL_TYPE_NULL:
    default:
        return sqlite3_bind_null(statement, i);
    }
}

int sql_bind(Archive *archive, sqlite3_stmt *statement, const SqlValue *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int code = bind_value(statement, (int) i + 1, &values[i]);

        if (code != SQLITE_OK)
            return sql_fail(archive, code);
    }
    return 0;
}

int sql_begin(Archive *archive, const char *sql, const SqlValue *values, size_t n,
              sqlite3_stmt **ret_statement)
{
    SqlCached *cached;
    int r;

    r = find_cached(archive, sql, &cached);
    if (r != 0)
        return error_trace(r);
    r = sql_bind(archive, cached->statement, values, n);
    if (r != 0)
        return error_trace(r);
    *ret_statement = cached->statement;
    return 0;
}

int sql_begin_once(Archive *archive, const char *sql, const SqlValue *values, size_t n,
                   sqlite3_stmt **ret_statement)
{
    _cleanup_(sql_finalizep) sqlite3_stmt *statement = NULL;
    int r;

    r = prepare(archive, sql, 0, &statement);
    if (r != 0)
        return error_trace(r);
    r = sql_bind(archive, statement, values, n);
    if (r != 0)
        return error_trace(r);
    *ret_statement = TAKE_PTR(statement);
    return 0;
}

int sql_next(Archive *archive, sqlite3_stmt *statement, bool *ret_is_row)
{
    int code = sqlite3_step(statement);

    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return sql_fail(archive, code);
    *ret_is_row = code == SQLITE_ROW;
    return 0;
}

sqlite3_stmt *sql_end(sqlite3_stmt *statement)
{
    if (statement != NULL) {
        (void) sqlite3_reset(statement);
        (void) sqlite3_clear_bindings(statement);
    }
    return NULL;
}

int sql_run_values(Archive *archive, const char *sql, const SqlValue *values, size_t n)
{
    _cleanup_(sql_endp) sqlite3_stmt *statement = NULL;
    bool is_row = false;
    int r;

    r = sql_begin(archive, sql, values, n, &statement);
    if (r != 0)
        return error_trace(r);
    do {
        r = sql_next(archive, statement, &is_row);
    } while (r == 0 && is_row);
    return error_trace(r);
}

int sql_number_values(Archive *archive, const char *sql, const SqlValue *values, size_t n,
                      int64_t *ret_number)
{
    _cleanup_(sql_endp) sqlite3_stmt *statement = NULL;
    bool is_row = false;
    int r;

    r = sql_begin(archive, sql, values, n, &statement);
    if (r != 0)
        return error_trace(r);
    r = sql_next(archive, statement, &is_row);
    if (r != 0)
        return error_trace(r);
    *ret_number = is_row ? sqlite3_column_int64(statement, 0) : 0;
    return 0;
}

int sql_execute(Archive *archive, const char *sql)
{
    int code = sqlite3_exec(archive->db, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? 0 : sql_fail(archive, code);
}

int sql_init(Archive *archive)
{
    return error_trace(prepare(archive, "ROLLBACK", SQLITE_PREPARE_PERSISTENT, &archive->rollback));
}

void sql_done(Archive *archive)
{
    (void) sqlite3_finalize(archive->rollback);
    archive->rollback = NULL;
    for (unsigned i = 0; i < ARCHIVE_STATEMENTS; i++) {
        (void) sqlite3_finalize(archive->cached[i].statement);
        archive->cached[i] = (SqlCached){0};
    }
}

int sql_begin_writing(Archive *archive)
{
    /* One that could not be ended for want of memory. */
    sql_rollback(archive);
    return error_trace(sql_run_values(archive, "BEGIN IMMEDIATE", NULL, 0));
}

int sql_commit(Archive *archive)
{
    return error_trace(sql_run_values(archive, "COMMIT", NULL, 0));
}

int sql_begin_reading(Archive *archive, bool *ret_is_begun)
{
    *ret_is_begun = false;
    if (archive->is_open)
        return 0;
    sql_rollback(archive);
    *ret_is_begun = true;
    return error_trace(sql_run_values(archive, "BEGIN", NULL, 0));
}

void sql_end_reading(Archive *archive, bool is_begun)
{
    /* A failure has rolled it back. */
    if (is_begun && sqlite3_get_autocommit(archive->db) == 0)
        (void) sqlite3_exec(archive->db, "COMMIT", NULL, NULL, NULL);
}

int sql_column_name(Archive *archive, sqlite3_stmt *statement, int column, Name *ret_name)
{
    const char *text = (const char *) sqlite3_column_text(statement, column);
    size_t n = (size_t) sqlite3_column_bytes(statement, column);
    char clean[TEXT_GROWTH * NAME_MAX_BYTES];

    if (text == NULL && sqlite3_errcode(archive->db) == SQLITE_NOMEM)
        return sql_fail(archive, SQLITE_NOMEM);
    if (text == NULL)
        n = 0;
    if (n > NAME_MAX_BYTES)
        return sql_fail_damaged(archive, "a name is too long");
    if (n > 0 && (text_clean(clean, text, n) != n || memcmp(clean, text, n) != 0))
        return sql_fail_damaged(archive, "a name is not one");
    *ret_name = (Name){.n = (uint8_t) n};
    if (n > 0)
        memcpy(ret_name->bytes, text, n);
    return 0;
}

int sql_column_blob(Archive *archive, sqlite3_stmt *statement, int column, size_t max, const void **ret_bytes,
                    size_t *ret_n)
{
    const void *bytes = sqlite3_column_blob(statement, column);
    size_t n = (size_t) sqlite3_column_bytes(statement, column);

    if (bytes == NULL && sqlite3_errcode(archive->db) == SQLITE_NOMEM)
        return sql_fail(archive, SQLITE_NOMEM);
    if (bytes == NULL)
        n = 0;
    if (n > max)
        return sql_fail_damaged(archive, "a value is too long");
    *ret_bytes = bytes != NULL ? bytes : "";
    *ret_n = n;
    return 0;
}

int sql_column_text(Archive *archive, sqlite3_stmt *statement, int column, size_t max, const char **ret_text,
                    size_t *ret_n)
{
    const void *bytes;
    int r;

    /* Converts a number that somebody has put there. */
    (void) sqlite3_column_text(statement, column);
    r = sql_column_blob(archive, statement, column, max, &bytes, ret_n);
    if (r == 0)
        *ret_text = bytes;
    return error_trace(r);
}

int sql_column_clean(Archive *archive, sqlite3_stmt *statement, int column, size_t max, char *to,
                     size_t *ret_n)
{
    const char *text;
    size_t n;
    int r;

    r = sql_column_text(archive, statement, column, max, &text, &n);
    if (r != 0)
        return error_trace(r);
    n = text_clean(to, text, n);
    if (n > max)
        return sql_fail_damaged(archive, "a text is not one");
    *ret_n = n;
    return 0;
}
