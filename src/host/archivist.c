/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/macro.h"
#include "host/archivist-core.h"
#include "host/thread.h"

enum { STACK_BYTES = 1024 * 1024 }; /* a line has 24000 bytes, and SQLite's own */

static const char TOO_SLOW[] = "The archive takes too long to answer";
static const char TOO_MUCH[] = "The archive is busy";

/*
 * What both sides use.
 */

void core_release(Core *core)
{
    bool is_last = --core->n_references == 0;

    (void) pthread_mutex_unlock(&core->lock);
    if (!is_last)
        return;
    for (size_t i = 0; i < ARCHIVIST_QUESTIONS; i++) {
        free(core->questions[i].memory);
        free(core->questions[i].hidden);
    }
    while (core->first != NULL)
        free(TAKE(core->first, core->first->next));
    (void) pthread_cond_destroy(&core->wake);
    (void) pthread_mutex_destroy(&core->lock);
    free(core);
}

void core_tell(Core *core)
{
    const uint64_t one = 1;

    (void) pthread_cond_broadcast(&core->wake);
    if (core->fd >= 0 && write(core->fd, &one, sizeof one) < 0)
        errno = 0; /* EAGAIN: it is readable as it is, eventfd(2) */
}

void core_wait(Core *core, uint64_t until)
{
    struct timespec deadline = {.tv_sec = (time_t) (until / USEC_PER_SEC),
                                .tv_nsec = (long) (until % USEC_PER_SEC * NSEC_PER_USEC)};

    if (until == UINT64_MAX)
        (void) pthread_cond_wait(&core->wake, &core->lock);
    else
        (void) pthread_cond_timedwait(&core->wake, &core->lock, &deadline);
}

/* The loop may be looking at an answer; it is the one that frees them. */
void core_end_era(Core *core)
{
    core->era++;
    for (size_t i = 0; i < ARCHIVIST_QUESTIONS; i++)
        core->questions[i].is_done = core->questions[i].state != QUESTION_FREE;
}

static int core_new(const char *path, const uint8_t state_id[STATE_ID_BYTES],
                    const ArchivistSettings *settings, Core **ret_core)
{
    Core *core = calloc(1, sizeof *core);
    pthread_condattr_t attributes;

    if (core == NULL)
        return error_origin(-ENOMEM);
    if (snprintf(core->path, sizeof core->path, "%s", path) >=
        (int) (sizeof core->path - ARCHIVE_SUFFIX_BYTES)) {
        free(core);
        return error_origin(-ENAMETOOLONG);
    }
    memcpy(core->state_id, state_id, STATE_ID_BYTES);
    core->settings = *settings;
    core->n_references = 1;
    (void) pthread_mutex_init(&core->lock, NULL);
    (void) pthread_condattr_init(&attributes);
    (void) pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void) pthread_cond_init(&core->wake, &attributes);
    (void) pthread_condattr_destroy(&attributes);
    *ret_core = core;
    return 0;
}

/*
 * The loop's side.
 */

int archivist_new(const char *path, const uint8_t state_id[STATE_ID_BYTES], const ArchivistSettings *settings,
                  Archivist **ret_archivist)
{
    Archivist *archivist = calloc(1, sizeof *archivist);
    int r;

    if (archivist == NULL)
        return error_origin(-ENOMEM);
    archivist->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    r = archivist->fd < 0 ? error_origin(-errno) : core_new(path, state_id, settings, &archivist->core);
    if (r == 0) {
        archivist->core->fd = archivist->fd;
        archivist->core->n_references++;
        archivist->core->n_threads++;
        r = thread_start(archivist_write, archivist->core, STACK_BYTES);
        if (r < 0) {
            archivist->core->n_references--;
            archivist->core->n_threads--;
        }
    }
    if (r < 0) {
        (void) archivist_free(archivist, 0);
        return error_trace(r);
    }
    *ret_archivist = archivist;
    return 0;
}

void archivist_end(Archivist *archivist)
{
    (void) pthread_mutex_lock(&archivist->core->lock);
    archivist->core->is_ending = true;
    core_tell(archivist->core);
    (void) pthread_mutex_unlock(&archivist->core->lock);
}

bool archivist_has_ended(Archivist *archivist, uint64_t usec, ArchivistStatus *ret_status)
{
    uint64_t deadline = clock_monotonic() + usec, n;
    Core *core = archivist->core;
    bool has_ended;

    (void) pthread_mutex_lock(&core->lock);
    while (core->n_threads > 0 && clock_monotonic() < deadline)
        core_wait(core, deadline);
    has_ended = core->n_threads == 0;
    if (read(archivist->fd, &n, sizeof n) < 0)
        errno = 0; /* EAGAIN: there is no news */
    *ret_status = core->status;
    (void) pthread_mutex_unlock(&core->lock);
    return has_ended;
}

Archivist *archivist_free(Archivist *archivist, uint64_t usec)
{
    ArchivistStatus status;
    Core *core;

    if (archivist == NULL)
        return NULL;
    core = archivist->core;
    if (core != NULL) {
        archivist_end(archivist);
        (void) archivist_has_ended(archivist, usec, &status);
        (void) pthread_mutex_lock(&core->lock);
        core->fd = -1;
        core_release(core);
    }
    (void) fd_close(archivist->fd);
    free(archivist);
    return NULL;
}

void archivist_set(Archivist *archivist, const ArchivistSettings *settings)
{
    (void) pthread_mutex_lock(&archivist->core->lock);
    archivist->core->settings = *settings;
    (void) pthread_cond_broadcast(&archivist->core->wake);
    (void) pthread_mutex_unlock(&archivist->core->lock);
}

int archivist_fd(const Archivist *archivist)
{
    return archivist->fd;
}

static bool is_open(const Question *question)
{
    return (question->state == QUESTION_ASKED || question->state == QUESTION_BEGUN) && !question->is_done;
}

/* Who asked may be gone: the loop is told once. */
static bool is_waited_for(const Question *question)
{
    return is_open(question) && !question->is_late;
}

static void question_free(Question *question)
{
    free(question->memory);
    free(question->hidden);
    *question = (Question){.state = QUESTION_FREE};
}

/* What the thread is at is its own. True: there is a place more. */
static bool core_drop_old(Core *core, uint64_t now)
{
    bool is_dropped = false;

    for (size_t i = 0; i < ARCHIVIST_QUESTIONS; i++) {
        Question *question = &core->questions[i];
        bool is_old = question->state == QUESTION_ANSWERED && now >= question->answered + ARCHIVIST_KEEP_USEC;

        if (question->state == QUESTION_BEGUN || (!question->is_done && !is_old))
            continue;
        question_free(question);
        is_dropped = true;
    }
    return is_dropped;
}

uint64_t archivist_due(Archivist *archivist)
{
    Core *core = archivist->core;
    uint64_t due = UINT64_MAX;

    (void) pthread_mutex_lock(&core->lock);
    for (size_t i = 0; i < ARCHIVIST_QUESTIONS; i++) {
        const Question *question = &core->questions[i];

        if (is_waited_for(question))
            due = MIN(due, question->asked + ARCHIVIST_PATIENCE_USEC);
        else if (core->is_short && question->state == QUESTION_ANSWERED)
            due = MIN(due, question->answered + ARCHIVIST_KEEP_USEC);
    }
    (void) pthread_mutex_unlock(&core->lock);
    return due;
}

bool archivist_take(Archivist *archivist, uint64_t now, ArchivistStatus *ret_status)
{
    Core *core = archivist->core;
    bool is_news;
    uint64_t n;

    (void) pthread_mutex_lock(&core->lock);
    is_news = read(archivist->fd, &n, sizeof n) > 0;
    for (size_t i = 0; i < ARCHIVIST_QUESTIONS; i++) {
        Question *question = &core->questions[i];

        if (!is_waited_for(question) || now < question->asked + ARCHIVIST_PATIENCE_USEC)
            continue;
        question->is_late = is_news = true;
    }
    is_news |= core->is_short && core_drop_old(core, now);
    if (is_news)
        core->is_short = false; /* they ask again */
    *ret_status = core->status;
    archivist->era = core->era;
    (void) pthread_mutex_unlock(&core->lock);
    return is_news;
}

/* Batches. */

ArchivistBatch *archivist_batch(Archivist *archivist, size_t n)
{
    Core *core = archivist->core;
    ArchivistBatch *batch = NULL;

    (void) pthread_mutex_lock(&core->lock);
    if (core->n_bytes + n <= ARCHIVIST_QUEUE_BYTES)
        batch = calloc(1, sizeof *batch + n);
    (void) pthread_mutex_unlock(&core->lock);
    if (batch != NULL)
        batch->n = n;
    return batch;
}

void archivist_give(Archivist *archivist, ArchivistBatch *batch)
{
    Core *core = archivist->core;

    (void) pthread_mutex_lock(&core->lock);
    batch->next = NULL;
    if (core->first == NULL)
        core->first = batch;
    else
        core->last->next = batch;
    core->last = batch;
    core->n_bytes += batch->n;
    core->n_given++;
    (void) pthread_cond_broadcast(&core->wake);
    (void) pthread_mutex_unlock(&core->lock);
}

void archivist_finish(Archivist *archivist, uint64_t usec)
{
    uint64_t deadline = clock_monotonic() + usec;
    Core *core = archivist->core;

    (void) pthread_mutex_lock(&core->lock);
    while (core->n_done < core->n_given && core->n_threads > 0 && clock_monotonic() < deadline)
        core_wait(core, deadline);
    (void) pthread_mutex_unlock(&core->lock);
}

/* Questions. */

/* The one that is the same, and that nobody has the answer of; NULL: there is none. */
static Question *core_find(Core *core, const Recall *recall)
{
    for (size_t i = 0; i < ARCHIVIST_QUESTIONS; i++) {
        Question *question = &core->questions[i];

        if (question->state != QUESTION_FREE && !question->is_done &&
            memcmp(&question->recall, recall, sizeof *recall) == 0)
            return question;
    }
    return NULL;
}

/* Some question of its kind has waited too long: then the next one need not begin to. */
static bool core_is_stuck(const Core *core, bool is_search, uint64_t now)
{
    for (size_t i = 0; i < ARCHIVIST_QUESTIONS; i++) {
        const Question *question = &core->questions[i];

        if (is_open(question) && recall_is_search(&question->recall) == is_search &&
            now >= question->asked + ARCHIVIST_PATIENCE_USEC)
            return true;
    }
    return false;
}

/* NULL: all are taken. */
static Question *core_place(Core *core, bool is_search)
{
    Question *place = NULL;
    unsigned n_searches = 0;

    for (size_t i = 0; i < ARCHIVIST_QUESTIONS; i++) {
        Question *question = &core->questions[i];

        if (question->state == QUESTION_FREE)
            place = place != NULL ? place : question;
        else
            n_searches += recall_is_search(&question->recall);
    }
    return is_search && n_searches >= ARCHIVIST_SEARCHES ? NULL : place;
}

/* False: all places are taken, or there is no memory. */
static bool core_ask(Core *core, const Recall *recall, const ArchivistHidden *hidden, uint64_t now)
{
    size_t n = hidden->n + hidden->n_known;
    Question *question = core_place(core, recall_is_search(recall));
    NameKey *rooms = NULL;

    if (question == NULL)
        return false;
    if (n > 0) {
        rooms = malloc(n * sizeof *rooms);
        if (rooms == NULL)
            return false;
        memcpy(rooms, hidden->rooms, n * sizeof *rooms);
    }
    *question = (Question){.state = QUESTION_ASKED,
                           .number = core->n_questions++,
                           .after = core->n_given,
                           .asked = now,
                           .recall = *recall,
                           .hidden = rooms,
                           .n_hidden = hidden->n,
                           .n_known = hidden->n_known};
    (void) pthread_cond_broadcast(&core->wake);
    return true;
}

/* Where all places are taken it is asked later: as soon as one is free there is news. */
static RecallState core_begin(Core *core, const Recall *recall, const ArchivistHidden *hidden, uint64_t now,
                              Recalled *ret_recalled)
{
    if (core_ask(core, recall, hidden, now))
        return RECALL_AWAITED;
    if (!core_is_stuck(core, recall_is_search(recall), now)) {
        core->is_short = true;
        return RECALL_AWAITED;
    }
    if (ret_recalled != NULL)
        *ret_recalled = (Recalled){.trouble = TOO_MUCH};
    return RECALL_ANSWERED;
}

static RecallState core_look(Core *core, const Recall *recall, const ArchivistHidden *hidden, uint64_t now,
                             Recalled *ret_recalled)
{
    Question *question;

    (void) core_drop_old(core, now);
    question = core_find(core, recall);
    if (question == NULL)
        return core_begin(core, recall, hidden, now, ret_recalled);
    if (question->state != QUESTION_ANSWERED && now < question->asked + ARCHIVIST_PATIENCE_USEC)
        return RECALL_AWAITED;
    if (ret_recalled != NULL) {
        question->is_done = true;
        if (core->is_short)
            core_tell(core);
        *ret_recalled =
            question->state == QUESTION_ANSWERED ? question->recalled : (Recalled){.trouble = TOO_SLOW};
    }
    return RECALL_ANSWERED;
}

RecallState archivist_search(Archivist *archivist, const Recall *recall, const ArchivistHidden *hidden,
                             uint64_t now, Recalled *ret_recalled)
{
    Core *core = archivist->core;
    RecallState state;

    (void) pthread_mutex_lock(&core->lock);
    /* What the loop does not know of yet is news, and then it asks again. */
    state = archivist->era == core->era ? core_look(core, recall, hidden, now, ret_recalled) : RECALL_AWAITED;
    (void) pthread_mutex_unlock(&core->lock);
    return state;
}

RecallState archivist_ask(Archivist *archivist, const Recall *recall, uint64_t now, Recalled *ret_recalled)
{
    static const ArchivistHidden nothing;

    return archivist_search(archivist, recall, &nothing, now, ret_recalled);
}
