/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Statements: prepared once, bound by value, and every error turned into an answer of archive/archive.h. Each
 * of these functions that fails has rolled back the transaction.
 */

#include <sqlite3.h>

#include "archive/archive.h"

struct SqlCached {
    const char *sql;
    sqlite3_stmt *statement;
};

typedef enum SqlType {
    SQL_TYPE_NULL,
    SQL_TYPE_INT,
    SQL_TYPE_TEXT,
    SQL_TYPE_BLOB,
} SqlType;

/* A value to be bound; bytes are borrowed until the statement ends. */
typedef struct SqlValue {
    SqlType type;
    int64_t number;
    const void *bytes;
    size_t n;
} SqlValue;

#define SQL_NULL() ((SqlValue){.type = SQL_TYPE_NULL})
#define SQL_INT(value) ((SqlValue){.type = SQL_TYPE_INT, .number = (int64_t) (value)})
#define SQL_TEXT(pointer, length) ((SqlValue){.type = SQL_TYPE_TEXT, .bytes = (pointer), .n = (length)})
#define SQL_BLOB(pointer, length) ((SqlValue){.type = SQL_TYPE_BLOB, .bytes = (pointer), .n = (length)})
/* A Name, a NameKey. */
#define SQL_NAME(name) SQL_TEXT((name)->bytes, (name)->n)

/* SQLite's code as an answer; it is kept for archive_detail(), and the transaction is rolled back. */
int sql_fail(Archive *archive, int code);
/* The same for something that SQLite has not noticed. */
int sql_fail_damaged(Archive *archive, const char *what);
/* The same of a file that is not there any more. */
int sql_fail_moved(Archive *archive);

/*
 * A statement with its values, ready for sql_next(). `sql` is a constant whose statement is kept for the next
 * time; it is not used twice at once. Until sql_end() it holds a snapshot.
 */
int sql_begin(Archive *archive, const char *sql, const SqlValue *values, size_t n,
              sqlite3_stmt **ret_statement);
/* The same with a text that is not a constant; its statement is for sqlite3_finalize(). */
int sql_begin_once(Archive *archive, const char *sql, const SqlValue *values, size_t n,
                   sqlite3_stmt **ret_statement);
int sql_bind(Archive *archive, sqlite3_stmt *statement, const SqlValue *values, size_t n);
int sql_next(Archive *archive, sqlite3_stmt *statement, bool *ret_is_row);
/* Takes NULL; returns NULL. */
sqlite3_stmt *sql_end(sqlite3_stmt *statement);

static inline void sql_endp(sqlite3_stmt **statement)
{
    (void) sql_end(*statement);
}

static inline void sql_finalizep(sqlite3_stmt **statement)
{
    (void) sqlite3_finalize(*statement);
}

/* A statement without rows, or whose rows do not matter. */
int sql_run_values(Archive *archive, const char *sql, const SqlValue *values, size_t n);
/* The first column of the first row; 0 if there is no row, or NULL is in it. */
int sql_number_values(Archive *archive, const char *sql, const SqlValue *values, size_t n,
                      int64_t *ret_number);
/* One or more statements without values, not kept. */
int sql_execute(Archive *archive, const char *sql);

#define SQL_VALUES(...) ((const SqlValue[]){__VA_ARGS__}), N_ELEMENTS(((const SqlValue[]){__VA_ARGS__}))
#define SQL_RUN(archive, sql, ...) sql_run_values(archive, sql, SQL_VALUES(__VA_ARGS__))
#define SQL_NUMBER(archive, sql, ret, ...) sql_number_values(archive, sql, SQL_VALUES(__VA_ARGS__), ret)

/* Prepares what ends a transaction, which must not fail for want of memory. */
int sql_init(Archive *archive);
/* Finalizes all that is kept. */
void sql_done(Archive *archive);

/* A transaction that writes, in a handle where none is open. */
int sql_begin_writing(Archive *archive);
int sql_commit(Archive *archive);
/* Of whatever is open. */
void sql_rollback(Archive *archive);
/* Several statements of one question see one state. Within a transaction that is the case, and then
 * *ret_is_begun is false; sql_end_reading() is given that. */
int sql_begin_reading(Archive *archive, bool *ret_is_begun);
void sql_end_reading(Archive *archive, bool is_begun);

/* Columns of a row, as far as they can be what they should be; else the answer is ARCHIVE_DAMAGED. */

/* A time or an id. What is below 0 is 0. */
static inline uint64_t sql_column_unsigned(sqlite3_stmt *statement, int column)
{
    int64_t number = sqlite3_column_int64(statement, column);

    return number > 0 ? (uint64_t) number : 0;
}

/* A name that may be absent: then it is empty. */
int sql_column_name(Archive *archive, sqlite3_stmt *statement, int column, Name *ret_name);
/* Not more than `max` bytes, and no NUL in a text. Valid until the next row. */
int sql_column_text(Archive *archive, sqlite3_stmt *statement, int column, size_t max, const char **ret_text,
                    size_t *ret_n);
/* The same through text_clean(), written to `to`; it is not longer than `max` then either. */
int sql_column_clean(Archive *archive, sqlite3_stmt *statement, int column, size_t max, char *to,
                     size_t *ret_n);
int sql_column_blob(Archive *archive, sqlite3_stmt *statement, int column, size_t max, const void **ret_bytes,
                    size_t *ret_n);
