/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The archive: the chat's memory in an SQLite file.
 *
 * One connection writes what has happened (archive/write.h), in groups of events that become part of the file
 * together with the cursor, which says up to where in the transcript everything is there. Others ask
 * (archive/query.h, archive/search.h, archive/export.h) while it does so: the file is in WAL mode, so readers
 * see the last commit and hold up nobody (sqlite.org/wal.html). The words of the lines are indexed in
 * partitions (archive/part.h), so that what is deleted (archive/purge.h) is really gone from the file.
 *
 * Whoever writes goes on like this: archive_cursor(), events from there, archive_commit(), and so on; if
 * archive_is_unclean() then archive_clean() after a commit; archive_purge() now and then. After an answer it
 * waits, opens the file again if that seems right, and begins at archive_cursor().
 *
 * A handle is for one thread. Nobody else in the process may open and close the file while there is a handle:
 * close(2) gives up the locks of the whole process (fcntl(2), advisory record locking).
 *
 * Whatever talks to SQLite returns 0, -ENOMEM, or one of the answers below. After any of those that is not 0
 * the open transaction has been rolled back, and the handle can be used again, or closed and opened again.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/part.h"
#include "base/limits.h"
#include "base/name.h"

typedef struct sqlite3 sqlite3;
typedef struct SqlCached SqlCached;

enum {
    ARCHIVE_MORE = 1,    /* a step is done, and there is more to do */
    ARCHIVE_BUSY,        /* locked by somebody else; try again later */
    ARCHIVE_FULL,        /* no space on the disk, or a quota or file size limit is reached */
    ARCHIVE_READONLY,    /* the file or its folder may not be written */
    ARCHIVE_DAMAGED,     /* not a database, not ours, or not whole */
    ARCHIVE_TOO_NEW,     /* written by a later version */
    ARCHIVE_TOO_OLD,     /* by an earlier version, and not opened for writing yet by this one */
    ARCHIVE_IO,          /* the disk or the file system fails */
    ARCHIVE_ABSENT,      /* there is no such file, or nothing in it */
    ARCHIVE_UNSUPPORTED, /* SQLite has no FTS5, or can have no write-ahead log in this file system */
    ARCHIVE_MOVED,       /* somebody has removed the file, or put another one in its place */
};

typedef enum ArchiveMode {
    ARCHIVE_WRITER, /* creates the file (0600) and its schema; waits ARCHIVE_WAIT_MSEC for locks */
    ARCHIVE_READER, /* asks only; waits as long */
    ARCHIVE_TOOL,   /* asks and deletes, beside a service that writes; waits ARCHIVE_TOOL_WAIT_MSEC */
} ArchiveMode;

enum {
    ARCHIVE_WAIT_MSEC = 250,
    ARCHIVE_TOOL_WAIT_MSEC = 5000,
    ARCHIVE_TEXT_MAX = LIMIT_TEXT_BYTES, /* bytes of a line, a topic, a message, an away text, a reason */
    ARCHIVE_BYTES_MAX = 64,              /* of the opaque subject of a rule */
    ARCHIVE_IGNORED_MAX = 8192,          /* of the opaque list of ignored names */
    ARCHIVE_STATE_ID_BYTES = 16,         /* of what is given to archive_begin_epoch() */
    ARCHIVE_EPOCH_MAX = 0xfffff,         /* the last epoch there can be */
    ARCHIVE_STATEMENTS = 128,            /* prepared and kept: more than there are in src/archive */
    ARCHIVE_DETAIL_BYTES = 256,          /* of archive_detail() */
    ARCHIVE_SUFFIX_BYTES = 40,           /* what archive_set_aside() adds to a path, and the NUL */
    ARCHIVE_POS_SHIFT = 43,              /* bits of a position / 8 in an id */
};

/* Positions in a transcript are below this: 64 TiB. */
#define ARCHIVE_POS_END (UINT64_C(8) << ARCHIVE_POS_SHIFT)

/* Who says or does something. */
typedef struct ArchiveWho {
    Name nick;
    bool is_verified;
    uint32_t uid; /* of somebody verified; else not looked at, and 0 when it is read */
} ArchiveWho;

typedef enum ArchiveLineKind {
    ARCHIVE_SAID,
    ARCHIVE_ACTION,
    ARCHIVE_GAP, /* `n_missing` lines are not here: the archive stood still, or could not keep up */
} ArchiveLineKind;

typedef struct ArchiveLine {
    uint64_t id;   /* archive_id() */
    uint64_t wall; /* usec since the epoch */
    ArchiveLineKind kind;
    Name room; /* this, who, and text: not of a gap */
    ArchiveWho who;
    const char *text; /* UTF-8 without NUL, at most ARCHIVE_TEXT_MAX bytes; borrowed */
    size_t n;
    uint64_t n_missing; /* of a gap */
} ArchiveLine;

/* The fields belong to the files of src/archive. */
typedef struct Archive {
    sqlite3 *db;
    ArchiveMode mode;
    bool is_open;              /* events have been put and not committed */
    bool is_unclean;           /* there may be bytes of something deleted in the file or its log */
    int failed;                /* what puts and commits answer until archive_cursor() is called */
    Part part;                 /* where lines go, while is_open */
    sqlite3_stmt *rollback;    /* prepared; owned */
    uint64_t file, log, index; /* inodes, of it and of what stands beside it; 0: unknown */
    SqlCached *cached;         /* ARCHIVE_STATEMENTS; owned */
    char *clean;               /* room for one text_clean() of ARCHIVE_TEXT_MAX bytes; owned */
    char detail[ARCHIVE_DETAIL_BYTES];
} Archive;

/*
 * Opens the archive at `path`, which belongs to whoever runs the service. A WRITER creates what is not there
 * and brings an older schema up to date; for the others ARCHIVE_ABSENT is an answer. Also says so if the
 * file is damaged as far as can be seen at once; there may be damage that later calls come across. Writes
 * *ret_archive only with 0.
 */
int archive_open(const char *path, ArchiveMode mode, Archive **ret_archive);
/* What has not been committed is not written. What a WRITER leaves beside a file that has moved goes, so that
 * it is not taken for that of the next file of this name. Takes NULL; returns NULL. */
Archive *archive_close(Archive *archive);

/* Whether this is not the file any more that others find by its name. */
bool archive_has_moved(Archive *archive);

/* A short sentence for a log line and a status, without its full stop: "The disk is full". */
const char *archive_strerror(int r);
/* SQLite's words for what went wrong last, for a log line; never NULL, and valid until the next call. */
const char *archive_detail(const Archive *archive);

/*
 * Renames a damaged file, with its log and index, to PATH.broken-YYYYMMDD-HHMMSS (local time of `now`, usec).
 * No handle may be open. Returns 0 or a negative errno; an absent file is -ENOENT. The path of the kept file
 * goes to `ret_path`, which has strlen(path) + ARCHIVE_SUFFIX_BYTES bytes; it may be NULL.
 */
int archive_set_aside(const char *path, uint64_t now, char *ret_path);

/*
 * The number of the state with this random id: the same id gives the same number for ever, and a new one a
 * larger number than all before. 1 to ARCHIVE_EPOCH_MAX; ARCHIVE_FULL when all are given out. For a WRITER,
 * between groups of events.
 */
int archive_begin_epoch(Archive *archive, const uint8_t state_id[ARCHIVE_STATE_ID_BYTES],
                        uint32_t *ret_epoch);
/* Which file it is: random bytes that it keeps for ever. When an epoch has begun. */
int archive_file(Archive *archive, uint8_t ret_id[ARCHIVE_STATE_ID_BYTES]);

/*
 * The id of what stands at `pos` of the transcript of an epoch; `pos` is a multiple of 8 and below
 * ARCHIVE_POS_END. Ids grow with time. (20 bits of epoch: at one new state every ten minutes these last for
 * 19 years. 43 bits of position: at 1 MB/s for 2 years.)
 */
static inline uint64_t archive_id(uint32_t epoch, uint64_t pos)
{
    return ((uint64_t) epoch << ARCHIVE_POS_SHIFT) | pos / 8;
}

static inline uint32_t archive_epoch(uint64_t id)
{
    return (uint32_t) (id >> ARCHIVE_POS_SHIFT);
}

static inline uint64_t archive_pos(uint64_t id)
{
    return (id & ((UINT64_C(1) << ARCHIVE_POS_SHIFT) - 1)) * 8;
}

/* Up to where everything has been written: epoch 0 and position 0 in a new archive. After an answer above 0
 * this is where to go on from, and it has to be asked for first. */
int archive_cursor(Archive *archive, uint32_t *ret_epoch, uint64_t *ret_pos);
/* How many lines of that epoch stand before the cursor, archived or missing: what archive_put_count() said
 * last. */
int archive_count(Archive *archive, uint64_t *ret_n);
/* What has been put since the last commit, and the cursor, become part of the archive; not of one that has
 * moved. */
int archive_commit(Archive *archive, uint32_t epoch, uint64_t pos);
