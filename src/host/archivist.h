/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The archive's threads: one writes down what the loop gives it, the other one answers questions. The loop
 * never waits for either; a disk may take seconds, or for ever.
 *
 * What is to be written comes in batches, copies of entries of the transcript, which become part of the
 * archive together with the position behind them. When something goes wrong the batches are dropped, the file
 * is opened again after a while, and the loop is told from where on to give them again: what has not been
 * committed is still in the transcript, or was overwritten there, and then that is what the archive is told.
 *
 * Both threads share one descriptor table (host/thread.h), which is not that of the loop: SQLite opens its
 * files once for the whole process, and the locks on them belong to a descriptor table (fcntl(2)).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/archive.h"
#include "chat/recall.h"

typedef struct Archivist Archivist;
typedef struct Core Core;

enum {
    ARCHIVIST_BATCH_BYTES = 128 * 1024, /* of entries; above ENTRY_MAX_BYTES */
    ARCHIVIST_QUEUE_BYTES = 16 << 20,   /* of batches that wait; then the transcript waits */
    ARCHIVIST_QUESTIONS = 32,           /* at once; further ones are put later */
    ARCHIVIST_SEARCHES = 16,            /* of these; they take long, and the others come before them */
    ARCHIVIST_PATH_MAX = 512,
};

#define ARCHIVIST_PATIENCE_USEC (5 * USEC_PER_SEC) /* a question that is older is given up */
#define ARCHIVIST_KEEP_USEC (10 * USEC_PER_SEC)    /* an answer that nobody looks at goes after this */
#define ARCHIVIST_BUDGET_USEC (2 * USEC_PER_SEC)   /* one search takes no longer */

/* What chatd.conf(5) says. */
typedef struct ArchivistSettings {
    uint64_t keep;     /* usec; 0: for ever */
    uint64_t max_size; /* bytes; 0: any number */
} ArchivistSettings;

typedef struct ArchivistBatch {
    struct ArchivistBatch *next;
    uint64_t opening;                     /* ArchivistStatus.n_openings, for which it is */
    uint64_t end;                         /* the position behind it */
    uint64_t n_lines;                     /* said before that since the state began, there or missing */
    uint64_t n_missing, missing_at, wall; /* lines that are missing before it: how many, where, and when */
    size_t n;                             /* bytes of entries, one behind the other */
    char entries[] __attribute__((aligned(8)));
} ArchivistBatch;

typedef struct ArchivistStatus {
    int answer; /* 0: all is well, else why the archive stands still: archive_strerror() */
    char detail[ARCHIVE_DETAIL_BYTES];
    bool is_open;        /* batches are taken */
    uint64_t n_openings; /* since this changed the next batch begins with: */
    uint64_t pos, n_lines;
    uint64_t committed, n_done_lines; /* what stands before this position is there, or known to be missing:
                                         so many lines */
    uint8_t file[ARCHIVE_STATE_ID_BYTES]; /* which one is open: archive_file() */
    uint32_t epoch;   /* of this state in it; 1: the file was begun for it, by this or another process */
    unsigned n_aside; /* damaged files put aside, and */
    char aside[ARCHIVIST_PATH_MAX + ARCHIVE_SUFFIX_BYTES]; /* where the last one is */
} ArchivistStatus;

/* The file at `path` is for the state with that id. No thread runs before this returns 0; else it is a
 * negative errno. */
int archivist_new(const char *path, const uint8_t state_id[STATE_ID_BYTES], const ArchivistSettings *settings,
                  Archivist **ret_archivist);
/*
 * Nothing more is to be given or asked: the threads write what was given, as far as that is possible at once,
 * and end. Whether they have, for which it waits so long; archivist_fd() tells. There may be no other
 * archivist of the file before.
 */
void archivist_end(Archivist *archivist);
bool archivist_has_ended(Archivist *archivist, uint64_t usec, ArchivistStatus *ret_status);
/*
 * Waits until the threads have ended, which is when they have done what they are at, but not longer than
 * `usec`; those that hang then keep what they need. Takes NULL; returns NULL.
 */
Archivist *archivist_free(Archivist *archivist, uint64_t usec);
void archivist_set(Archivist *archivist, const ArchivistSettings *settings);

/* Readable when something has changed: for poll(2), borrowed. */
int archivist_fd(const Archivist *archivist);
/* When archivist_take() is to be called although nothing is readable; UINT64_MAX: never. */
uint64_t archivist_due(Archivist *archivist);
/* Takes what is new. True: whoever was told RECALL_AWAITED should look again. */
bool archivist_take(Archivist *archivist, uint64_t now, ArchivistStatus *ret_status);

/* Memory for a batch with `n` bytes of entries, or NULL: there is none, or too much waits already. */
ArchivistBatch *archivist_batch(Archivist *archivist, size_t n);
/* Gives it away. */
void archivist_give(Archivist *archivist, ArchivistBatch *batch);
/* Waits until all that was given is there, or nothing more can be written, but not longer than `usec`. */
void archivist_finish(Archivist *archivist, uint64_t usec);

/* Answers come after all that was given before the question is there. When the file is closed or opened again
 * meanwhile, what was asked before has to be asked again: that is news. */
RecallState archivist_ask(Archivist *archivist, const Recall *recall, uint64_t now, Recalled *ret_recalled);

/* The same of a search that tells nothing of some rooms, and of those that the archive says are locked or
 * hidden only of some. */
typedef struct ArchivistHidden {
    const NameKey *rooms; /* first those of which nothing is told, then the others; copied */
    size_t n, n_known;    /* each at most ARCHIVE_SEARCH_HIDDEN */
} ArchivistHidden;
RecallState archivist_search(Archivist *archivist, const Recall *recall, const ArchivistHidden *hidden,
                             uint64_t now, Recalled *ret_recalled);
