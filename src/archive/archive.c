/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "archive/archive.h"
#include "archive/schema.h"
#include "archive/sql.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/macro.h"
#include "base/text.h"

enum {
    BROKEN_TRIES = 100,        /* files set aside within a second */
    VALUE_BYTES = 1024 * 1024, /* no value and no statement is longer */
};

/* Of what SQLite has beside the file. */
#define LOG_SUFFIX "-wal"
#define INDEX_SUFFIX "-shm"

static const char *const SENTENCES[] = {
    [ARCHIVE_MORE] = "There is more to do",
    [ARCHIVE_BUSY] = "The archive is locked by another process",
    [ARCHIVE_FULL] = "The disk is full",
    [ARCHIVE_READONLY] = "The archive may not be written",
    [ARCHIVE_DAMAGED] = "The archive is damaged",
    [ARCHIVE_TOO_NEW] = "The archive was written by a later version",
    [ARCHIVE_TOO_OLD] = "The archive was written by an earlier version",
    [ARCHIVE_IO] = "The archive can not be read or written",
    [ARCHIVE_ABSENT] = "There is no archive",
    [ARCHIVE_UNSUPPORTED] = "SQLite has no full-text index or no write-ahead log here",
    [ARCHIVE_MOVED] = "The archive was removed or replaced",
};

const char *archive_strerror(int r)
{
    if (r < 0)
        return strerror(-r);
    if (r > 0 && (size_t) r < N_ELEMENTS(SENTENCES))
        return SENTENCES[r];
    return "Nothing is wrong";
}

const char *archive_detail(const Archive *archive)
{
    return archive->detail;
}

/* SQLite would create it for everyone to read. Its log and index get the same mode as the file. */
static void create_file(const char *path)
{
    _cleanup_(fd_closep) int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    /* If that fails SQLite says why. */
    (void) fd;
}

/* What holds for this connection alone. */
static int configure(Archive *archive)
{
    int wait = archive->mode == ARCHIVE_TOOL ? ARCHIVE_TOOL_WAIT_MSEC : ARCHIVE_WAIT_MSEC;
    sqlite3 *db = archive->db;

    (void) sqlite3_extended_result_codes(db, 1);
    (void) sqlite3_busy_timeout(db, wait);
    (void) sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_BYTES);
    (void) sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void) sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    /* Not mapped: a file that becomes shorter under a mapping kills the process. */
    return error_trace(sql_execute(archive, "PRAGMA mmap_size = 0; PRAGMA cell_size_check = ON;"
                                            "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192;"
                                            "PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON;"
                                            "PRAGMA synchronous = FULL"));
}

static int check_features(Archive *archive)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(archive->db, "SELECT fts5_source_id()", -1, &statement, NULL);

    (void) sqlite3_finalize(statement);
    if (code != SQLITE_ERROR)
        return code == SQLITE_OK ? 0 : sql_fail(archive, code);
    (void) snprintf(archive->detail, sizeof archive->detail, "%s", sqlite3_errmsg(archive->db));
    return ARCHIVE_UNSUPPORTED;
}

/* Of the file: auto_vacuum has to be set before there is anything in it. A journal mode that is not possible
 * is no error for SQLite, which then stays with the old one. */
static int configure_file(Archive *archive)
{
    _cleanup_(sql_endp) sqlite3_stmt *statement = NULL;
    const char *mode;
    bool is_row = false;
    int r;

    r = sql_execute(archive, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_size_limit = 4194304");
    if (r == 0)
        r = sql_begin(archive, "PRAGMA journal_mode = WAL", NULL, 0, &statement);
    if (r == 0)
        r = sql_next(archive, statement, &is_row);
    if (r != 0)
        return error_trace(r);
    mode = is_row ? (const char *) sqlite3_column_text(statement, 0) : NULL;
    if (mode != NULL && strcmp(mode, "wal") == 0)
        return 0;
    (void) snprintf(archive->detail, sizeof archive->detail, "the journal mode is %s",
                    mode != NULL ? mode : "unknown");
    return ARCHIVE_UNSUPPORTED;
}

static int open_database(Archive *archive, const char *path)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    int code;

    if (archive->mode == ARCHIVE_WRITER) {
        create_file(path);
        flags |= SQLITE_OPEN_CREATE;
    }
    code = sqlite3_open_v2(path, &archive->db, flags, NULL);
    if (archive->db == NULL)
        return error_origin(-ENOMEM);
    return code == SQLITE_OK ? 0 : sql_fail(archive, sqlite3_extended_errcode(archive->db));
}

/* The log is emptied even if nobody has deleted anything since: the last process may have died before it
 * could. */
static int prepare(Archive *archive, const char *path)
{
    int r;

    r = open_database(archive, path);
    if (r == 0)
        r = sql_init(archive);
    if (r == 0)
        r = configure(archive);
    if (r != 0)
        return error_trace(r);
    r = check_features(archive);
    if (r != 0)
        return error_trace(r);
    archive->is_unclean = archive->mode == ARCHIVE_WRITER;
    if (archive->mode == ARCHIVE_READER)
        r = sql_execute(archive, "PRAGMA query_only = ON");
    if (archive->mode == ARCHIVE_WRITER)
        r = configure_file(archive);
    if (r != 0)
        return error_trace(r);
    return error_trace(archive->mode == ARCHIVE_WRITER ? schema_prepare(archive) : schema_check(archive));
}

/* 0: there is none, or that is not known. */
static uint64_t inode_of(const Archive *archive, const char *suffix)
{
    char path[PATH_MAX];
    struct stat status;

    (void) snprintf(path, sizeof path, "%s%s", sqlite3_db_filename(archive->db, "main"), suffix);
    return stat(path, &status) == 0 ? status.st_ino : 0;
}

int archive_open(const char *path, ArchiveMode mode, Archive **ret_archive)
{
    Archive *archive = calloc(1, sizeof *archive);
    int r = error_origin(-ENOMEM);

    if (archive == NULL)
        return r;
    archive->mode = mode;
    archive->cached = calloc(ARCHIVE_STATEMENTS, sizeof *archive->cached);
    archive->clean = malloc(TEXT_GROWTH * ARCHIVE_TEXT_MAX);
    if (archive->cached != NULL && archive->clean != NULL)
        r = prepare(archive, path);
    if (r != 0) {
        (void) archive_close(archive);
        return error_trace(r);
    }
    archive->file = inode_of(archive, "");
    archive->log = inode_of(archive, LOG_SUFFIX);
    archive->index = inode_of(archive, INDEX_SUFFIX);
    *ret_archive = archive;
    return 0;
}

bool archive_has_moved(Archive *archive)
{
    int has_moved = 0;

    (void) sqlite3_file_control(archive->db, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
    return has_moved != 0;
}

/* What SQLite has in memory hides for long that the file was cut off, or overwritten from its beginning.
 * Looked at by its own handle: to close another one would end its locks (fcntl(2)). */
static bool has_no_head(Archive *archive)
{
    static const char MAGIC[] =
        "SQLite format 3"; /* and its NUL: https://www.sqlite.org/fileformat.html, 1.3 */
    sqlite3_file *file = NULL;
    char head[sizeof MAGIC] = "";

    if (sqlite3_file_control(archive->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
        file == NULL || file->pMethods == NULL)
        return false;
    switch (file->pMethods->xRead(file, head, sizeof head, 0)) {
    case SQLITE_OK:
    case SQLITE_IOERR_SHORT_READ:
        return memcmp(head, MAGIC, sizeof MAGIC) != 0;
    default:
        return false; /* That comes to light by itself. */
    }
}

/* While it is still open, so that the inode is no other's. */
static void remove_own(const Archive *archive, const char *suffix, uint64_t inode)
{
    char path[PATH_MAX];

    if (inode == 0 || inode_of(archive, suffix) != inode)
        return;
    (void) snprintf(path, sizeof path, "%s%s", sqlite3_db_filename(archive->db, "main"), suffix);
    (void) unlink(path);
}

/* Of one that has been opened. Where the file system only fails, nothing has moved. */
static void remove_log(const Archive *archive)
{
    uint64_t file;

    if (archive->file == 0)
        return;
    file = inode_of(archive, "");
    if (file == archive->file || (file == 0 && errno != ENOENT))
        return;
    remove_own(archive, LOG_SUFFIX, archive->log);
    remove_own(archive, INDEX_SUFFIX, archive->index);
}

Archive *archive_close(Archive *archive)
{
    if (archive == NULL)
        return NULL;
    part_done(archive);
    if (archive->cached != NULL)
        sql_done(archive);
    if (archive->mode == ARCHIVE_WRITER)
        remove_log(archive);
    (void) sqlite3_close(archive->db);
    free(archive->cached);
    free(archive->clean);
    free(archive);
    return NULL;
}

/* The damaged file */

static int rename_with(const char *from, const char *to, const char *suffix)
{
    char *old = NULL, *new = NULL;
    int r = error_origin(-ENOMEM);

    if (asprintf(&old, "%s%s", from, suffix) < 0)
        old = NULL;
    if (asprintf(&new, "%s%s", to, suffix) < 0)
        new = NULL;
    if (old != NULL && new != NULL)
        r = rename(old, new) == 0 ? 0 : error_origin(-errno);
    free(old);
    free(new);
    return r;
}

/* The log first: one that is left behind would be taken for that of the next file of this name. */
static int set_aside(const char *path, const char *to)
{
    static const char *const SUFFIXES[] = {LOG_SUFFIX, INDEX_SUFFIX, ""};
    int r = 0;

    for (size_t i = 0; i < N_ELEMENTS(SUFFIXES) && r == 0; i++) {
        r = rename_with(path, to, SUFFIXES[i]);
        if (r == -ENOENT && SUFFIXES[i][0] != '\0')
            r = 0;
    }
    return error_trace(r);
}

int archive_set_aside(const char *path, uint64_t now, char *ret_path)
{
    time_t seconds = (time_t) (now / USEC_PER_SEC);
    size_t size = strlen(path) + ARCHIVE_SUFFIX_BYTES;
    char *to = malloc(size);
    struct tm tm;
    char stamp[20];
    int r;

    if (to == NULL)
        return error_origin(-ENOMEM);
    if (localtime_r(&seconds, &tm) == NULL || strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &tm) == 0)
        (void) snprintf(stamp, sizeof stamp, "00000000-000000");
    for (unsigned i = 0; i < BROKEN_TRIES; i++) {
        if (i == 0)
            (void) snprintf(to, size, "%s.broken-%s", path, stamp);
        else
            (void) snprintf(to, size, "%s.broken-%s-%u", path, stamp, i + 1);
        if (access(to, F_OK) != 0)
            break;
    }
    r = access(path, F_OK) == 0 ? set_aside(path, to) : error_origin(-errno);
    if (r == 0 && ret_path != NULL)
        memcpy(ret_path, to, strlen(to) + 1);
    free(to);
    return error_trace(r);
}

/* Epochs and the cursor */

static int find_epoch(Archive *archive, const uint8_t *state_id, int64_t *ret_number)
{
    return error_trace(SQL_NUMBER(archive, "SELECT number FROM epochs WHERE state = ?1", ret_number,
                                  SQL_BLOB(state_id, ARCHIVE_STATE_ID_BYTES)));
}

static int add_epoch(Archive *archive, const uint8_t *state_id, int64_t *ret_number)
{
    int64_t last;
    int r;

    r = sql_number_values(archive, "SELECT max(number) FROM epochs", NULL, 0, &last);
    if (r == 0 && last >= ARCHIVE_EPOCH_MAX) {
        sql_rollback(archive);
        (void) snprintf(archive->detail, sizeof archive->detail, "all epochs are given out");
        return ARCHIVE_FULL;
    }
    if (r == 0)
        r = SQL_RUN(archive, "INSERT INTO epochs(number, state) VALUES(?1, ?2)", SQL_INT(last + 1),
                    SQL_BLOB(state_id, ARCHIVE_STATE_ID_BYTES));
    if (r == 0)
        *ret_number = last + 1;
    return error_trace(r);
}

int archive_begin_epoch(Archive *archive, const uint8_t state_id[ARCHIVE_STATE_ID_BYTES], uint32_t *ret_epoch)
{
    int64_t number = 0;
    int r;

    assert(!archive->is_open);
    r = sql_begin_writing(archive);
    if (r != 0)
        return error_trace(r);
    r = SQL_RUN(archive, "INSERT OR IGNORE INTO epochs(number, state) VALUES(0, randomblob(?1))",
                SQL_INT(ARCHIVE_STATE_ID_BYTES));
    if (r == 0)
        r = find_epoch(archive, state_id, &number);
    if (r == 0 && number == 0)
        r = add_epoch(archive, state_id, &number);
    if (r == 0)
        r = sql_commit(archive);
    if (r != 0)
        return error_trace(r);
    *ret_epoch = (uint32_t) number;
    return 0;
}

int archive_file(Archive *archive, uint8_t ret_id[ARCHIVE_STATE_ID_BYTES])
{
    _cleanup_(sql_endp) sqlite3_stmt *statement = NULL;
    const void *bytes = NULL;
    size_t n = 0;
    bool is_row;
    int r;

    r = sql_begin(archive, "SELECT state FROM epochs WHERE number = 0", NULL, 0, &statement);
    if (r == 0)
        r = sql_next(archive, statement, &is_row);
    if (r == 0 && is_row)
        r = sql_column_blob(archive, statement, 0, ARCHIVE_STATE_ID_BYTES, &bytes, &n);
    if (r != 0)
        return error_trace(r);
    if (n != ARCHIVE_STATE_ID_BYTES)
        return sql_fail_damaged(archive, "it does not say which file it is");
    memcpy(ret_id, bytes, n);
    return 0;
}

int archive_cursor(Archive *archive, uint32_t *ret_epoch, uint64_t *ret_pos)
{
    _cleanup_(sql_endp) sqlite3_stmt *statement = NULL;
    bool is_row;
    int64_t epoch, pos;
    int r;

    r = sql_begin(archive, "SELECT epoch, pos FROM cursor", NULL, 0, &statement);
    if (r == 0)
        r = sql_next(archive, statement, &is_row);
    if (r != 0)
        return error_trace(r);
    epoch = is_row ? sqlite3_column_int64(statement, 0) : -1;
    pos = is_row ? sqlite3_column_int64(statement, 1) : -1;
    if (epoch < 0 || epoch > ARCHIVE_EPOCH_MAX || pos < 0 || (uint64_t) pos >= ARCHIVE_POS_END ||
        pos % 8 != 0)
        return sql_fail_damaged(archive, "the cursor is not one");
    archive->failed = 0;
    *ret_epoch = (uint32_t) epoch;
    *ret_pos = (uint64_t) pos;
    return 0;
}

int archive_count(Archive *archive, uint64_t *ret_n)
{
    int64_t n;
    int r;

    r = sql_number_values(archive, "SELECT n_lines FROM cursor", NULL, 0, &n);
    if (r == 0)
        *ret_n = n > 0 ? (uint64_t) n : 0;
    return error_trace(r);
}

int archive_commit(Archive *archive, uint32_t epoch, uint64_t pos)
{
    int r;

    assert(epoch <= ARCHIVE_EPOCH_MAX && pos < ARCHIVE_POS_END && pos % 8 == 0);
    if (archive->failed != 0)
        return archive->failed;
    if (archive_has_moved(archive))
        return sql_fail_moved(archive);
    if (has_no_head(archive))
        return sql_fail_damaged(archive, "the file does not begin as it should");
    if (!archive->is_open) {
        r = sql_begin_writing(archive);
        if (r != 0)
            return error_trace(r);
    }
    r = part_flush(archive);
    if (r == 0)
        r = SQL_RUN(archive, "UPDATE cursor SET epoch = ?1, pos = ?2", SQL_INT(epoch), SQL_INT(pos));
    if (r == 0)
        r = sql_commit(archive);
    if (r != 0)
        return error_trace(r);
    archive->is_open = false;
    part_done(archive);
    return 0;
}
