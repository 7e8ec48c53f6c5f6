/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* What the loop and the archive's two threads share. */

#include <pthread.h>

#include "host/archivist.h"

struct Archivist {
    Core *core;   /* one reference */
    int fd;       /* owned */
    uint64_t era; /* of the status that the loop was told last */
};

typedef enum QuestionState {
    QUESTION_FREE,
    QUESTION_ASKED,
    QUESTION_BEGUN, /* the thread has it */
    QUESTION_ANSWERED,
} QuestionState;

typedef struct Question {
    QuestionState state;
    bool is_done;    /* whoever asked has the answer, or has given up, or has to ask again */
    bool is_late;    /* the loop was told that there is none in time */
    uint64_t number; /* in the order in which they came */
    uint64_t after;  /* batches that were given before it */
    uint64_t asked, answered;
    Recall recall;
    Recalled recalled;
    char *memory;    /* owned; what `recalled` has */
    NameKey *hidden; /* owned; behind them those that are known */
    size_t n_hidden, n_known;
    uint32_t epoch; /* of the state that asks, in the file that is read */
} Question;

struct Core {
    char path[ARCHIVIST_PATH_MAX];
    uint8_t state_id[STATE_ID_BYTES];

    pthread_mutex_t lock;  /* of all that follows */
    pthread_cond_t wake;   /* whatever has changed */
    unsigned n_references; /* the loop's, and one for each thread. Whoever lets go last frees it. */
    unsigned n_threads;
    int fd;         /* borrowed from the loop; -1: it has gone, and so should the threads */
    bool is_ending; /* what was given is still written, and then the threads end */
    ArchivistSettings settings;
    ArchivistStatus status;

    ArchivistBatch *first, *last; /* owned */
    size_t n_bytes;               /* of these, and of the one that is being written */
    uint64_t n_given, n_done;     /* batches, written or dropped */

    bool reader_is_open; /* has a handle */
    int found;           /* by the reader, that it is wrong with the file that is open: an answer, or 0 */
    bool wants_alone;    /* the file is being put aside: nobody else may have a handle */
    bool is_short;       /* somebody could not ask, for want of a place */
    uint64_t era;        /* grows when the file is opened or closed; an answer is of one era */
    uint64_t n_questions;
    Question questions[ARCHIVIST_QUESTIONS];
};

/* It may take seconds. */
static inline bool recall_is_search(const Recall *recall)
{
    /* What is left out is searched for, too. */
    return recall->kind == RECALL_SEARCH || recall->ignored[0].hash != 0;
}

/* All with the lock held: */

/* Gives the lock up. */
void core_release(Core *core);
/* Tells the loop that something has changed, and whoever waits here. */
void core_tell(Core *core);
/* Waits for a change, until then (usec, monotonic; UINT64_MAX: for ever). */
void core_wait(Core *core, uint64_t until);

/* What was asked before and what is asked from now on are not of the same file, or what had been given before
 * a question is not written: whoever waits asks again. core_tell() is to follow. */
void core_end_era(Core *core);

/* Without the lock: a batch in one transaction. 0, or an answer of archive/archive.h, and then none of it. */
int archivist_put_batch(Archive *archive, uint32_t epoch, const ArchivistBatch *batch);

/* The threads; `userdata` is the Core, of which each has a reference. */
void *archivist_write(void *userdata);
void *archivist_answer(void *userdata);
