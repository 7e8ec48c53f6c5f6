/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The index of words, in partitions.
 *
 * FTS5 keeps the words of deleted rows in its older segments until these are merged (there is no
 * 'secure-delete' before SQLite 3.42). Merging an index of millions of lines takes minutes, so each range of
 * at most PART_LINES ids has an index of its own, words_N: one that was deleted from is marked as dirty and
 * rewritten as a whole later, in one short step, and one that is too old is dropped. Searches walk from the
 * newest partition to the oldest.
 *
 * Each line has its words and, in a second column, two tags: rR (its room) and pP (who said it), so that
 * looking for the words of one person or in one room is a matter of the index too.
 */

#include <stddef.h>
#include <stdint.h>

typedef struct Archive Archive;
typedef struct sqlite3_stmt sqlite3_stmt;

/* The column parts.is_dirty. */
typedef enum PartState {
    PART_CLEAN,
    PART_DIRTY, /* something was removed, or it is full: to be optimized */
    PART_GOING, /* its lines are being deleted, and then it is dropped; nothing is added */
} PartState;

enum {
    PART_LINES = 32768,   /* optimizing one takes about 60 ms */
    PART_SQL_BYTES = 640, /* a statement about one partition */
};

/* A row of the table parts. Ids belong to the partition with the largest `first_id` not above them, or to
 * the first one. */
typedef struct Part {
    int64_t number; /* 0: there is none */
    int64_t first_id, last_id;
    int64_t end; /* ids from here on belong to the next one */
    int64_t n_written;
    int64_t min_wall, max_wall; /* usec; no line is outside of these, but there may be none at them */
    PartState state;
    sqlite3_stmt *insert;
} Part;

/* A line as the index has to know it. */
typedef struct PartLine {
    int64_t id, wall, room, person;
    const char *text;
    size_t n;
} PartLine;

/* All of these run in the caller's transaction. */

/* A line that is in the table lines, and not yet in the index. */
int part_add(Archive *archive, const PartLine *line);
/* A line that is in the index, with just what was given to part_add(). The partition is dirty then. */
int part_remove(Archive *archive, const PartLine *line);
/* Stores what part_add() has counted: before a commit, and before anybody else changes the table parts. */
int part_flush(Archive *archive);
/* Forgets what part_add() remembers. */
void part_done(Archive *archive);
int part_find(Archive *archive, int64_t number, Part *ret_part);
/* The newest partition whose ids are below `id`; number 0: none. */
int part_before(Archive *archive, int64_t id, Part *ret_part);
/* The one with the smallest ids from `id` on; number 0: none. */
int part_after(Archive *archive, int64_t id, Part *ret_part);
/* One that is dirty or going, those that are going first; number 0: none. */
int part_unclean(Archive *archive, Part *ret_part);
int part_set_state(Archive *archive, const Part *part, PartState state);
/* Rewrites the index without anything that was removed. */
int part_optimize(Archive *archive, const Part *part);
int part_drop(Archive *archive, const Part *part);
