/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The thread that writes: the file, its troubles, and when what is done. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/purge.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/macro.h"
#include "host/archivist-core.h"
#include "host/thread.h"

enum { ANSWER_STACK_BYTES = 1024 * 1024 };

#define RETRY_MIN_USEC (1 * USEC_PER_SEC)
#define RETRY_MAX_USEC (60 * USEC_PER_SEC)
#define PURGE_EVERY_USEC (10 * 60 * USEC_PER_SEC)
#define PURGE_BUDGET_USEC (50 * USEC_PER_MSEC) /* of one step; what was given comes before the next */

typedef struct Writing {
    Core *core;
    Archive *archive; /* owned; NULL: not open */
    uint32_t epoch;
    uint64_t retry;     /* usec between the last two attempts; 0: all is well */
    uint64_t next_open; /* usec, monotonic; while it is not open */
    bool is_damaged;    /* that came to light while it was open, and may not when it is opened */
    uint8_t file[ARCHIVE_STATE_ID_BYTES]; /* which one it is */
    bool has_not_written, has_not_tidied; /* what went wrong last, and has not gone well since */
    uint64_t next_purge;                  /* usec, monotonic */
    ArchivistSettings purged_by;          /* as it was last begun */
    uint64_t cleaned; /* position; what was committed since then has not been cleaned up after */
    bool is_purging;  /* it has more to do */
} Writing;

/* Told of while it is so; 0: all is well. With the lock held. */
static void tell(Writing *writing, int answer, const char *detail)
{
    ArchivistStatus *status = &writing->core->status;

    status->answer = answer;
    (void) snprintf(status->detail, sizeof status->detail, "%s", detail);
    core_tell(writing->core);
}

static int open_file(Writing *writing, uint64_t *ret_pos, uint64_t *ret_n_lines)
{
    uint32_t epoch = 0;
    int r;

    r = archive_open(writing->core->path, ARCHIVE_WRITER, &writing->archive);
    if (r == 0)
        r = archive_begin_epoch(writing->archive, writing->core->state_id, &writing->epoch);
    if (r == 0)
        r = archive_file(writing->archive, writing->file);
    if (r == 0)
        r = archive_cursor(writing->archive, &epoch, ret_pos);
    if (r == 0)
        r = archive_count(writing->archive, ret_n_lines);
    if (r == 0 && epoch != writing->epoch)
        *ret_pos = *ret_n_lines = 0;
    return error_trace(r);
}

/* With the lock held: the batches that were given are dropped. */
static void drop_batches(Core *core)
{
    while (core->first != NULL) {
        ArchivistBatch *batch = core->first;

        core->first = batch->next;
        core->n_bytes -= batch->n;
        core->n_done++;
        free(batch);
    }
}

/* A damaged file makes way for a new one, as journald does it. Without the lock. 0, or an answer. */
static int put_aside(Writing *writing)
{
    Core *core = writing->core;
    char path[ARCHIVIST_PATH_MAX + ARCHIVE_SUFFIX_BYTES];
    int r;

    (void) pthread_mutex_lock(&core->lock);
    core->wants_alone = true;
    (void) pthread_cond_broadcast(&core->wake);
    while (core->reader_is_open && !core->is_ending)
        core_wait(core, UINT64_MAX);
    r = core->reader_is_open ? ARCHIVE_DAMAGED : 0;
    (void) pthread_mutex_unlock(&core->lock);
    if (r == 0 && archive_set_aside(core->path, clock_wall(), path) < 0)
        r = ARCHIVE_DAMAGED;
    (void) pthread_mutex_lock(&core->lock);
    core->wants_alone = false;
    if (r == 0) {
        core->status.n_aside++;
        (void) snprintf(core->status.aside, sizeof core->status.aside, "%s", path);
        core_tell(core);
    }
    (void) pthread_mutex_unlock(&core->lock);
    return r;
}

static void close_file(Writing *writing, int r)
{
    char detail[ARCHIVE_DETAIL_BYTES] = "";
    Core *core = writing->core;

    writing->retry = MIN(MAX(2 * writing->retry, RETRY_MIN_USEC), RETRY_MAX_USEC);
    writing->next_open = clock_monotonic() + writing->retry;
    if (writing->archive != NULL)
        (void) snprintf(detail, sizeof detail, "%s", archive_detail(writing->archive));
    writing->archive = archive_close(writing->archive);
    (void) pthread_mutex_lock(&core->lock);
    if (core->status.is_open || core->status.answer == 0)
        core_end_era(core);
    core->status.is_open = false;
    drop_batches(core);
    tell(writing, r, detail);
    (void) pthread_mutex_unlock(&core->lock);
}

/* With the lock held. A file that can be opened and not be written is no end of the trouble. */
static void tell_if_well(Writing *writing)
{
    if (writing->has_not_written || writing->has_not_tidied)
        return;
    writing->retry = 0;
    if (writing->core->status.answer != 0)
        tell(writing, 0, "");
}

static void open_again(Writing *writing)
{
    uint64_t pos = 0, n_lines = 0;
    Core *core = writing->core;
    int r = writing->is_damaged ? ARCHIVE_DAMAGED : open_file(writing, &pos, &n_lines);

    writing->is_damaged = false;
    if (r == ARCHIVE_DAMAGED) {
        writing->archive = archive_close(writing->archive);
        r = put_aside(writing);
        if (r == 0)
            r = open_file(writing, &pos, &n_lines);
    }
    if (r != 0) {
        close_file(writing, r);
        return;
    }
    writing->next_purge = clock_monotonic();
    (void) pthread_mutex_lock(&core->lock);
    core_end_era(core);
    core->found = 0;
    core->status.is_open = true;
    core->status.n_openings++;
    memcpy(core->status.file, writing->file, sizeof core->status.file);
    core->status.epoch = writing->epoch;
    core->status.pos = core->status.committed = pos;
    core->status.n_lines = core->status.n_done_lines = n_lines;
    tell_if_well(writing);
    core_tell(core);
    (void) pthread_mutex_unlock(&core->lock);
}

/* With the lock held, which is given up in the meantime. */
static void write_next(Writing *writing)
{
    Core *core = writing->core;
    ArchivistBatch *batch = core->first;
    bool is_stale = batch->opening != core->status.n_openings;
    int r = 0;

    core->first = batch->next;
    (void) pthread_mutex_unlock(&core->lock);
    if (!is_stale)
        r = archivist_put_batch(writing->archive, writing->epoch, batch);
    if (r != 0) {
        writing->has_not_written = true;
        writing->is_damaged = r == ARCHIVE_DAMAGED;
        close_file(writing, r);
    }
    (void) pthread_mutex_lock(&core->lock);
    core->n_bytes -= batch->n;
    core->n_done++;
    if (r == 0 && !is_stale) {
        core->status.committed = batch->end;
        core->status.n_done_lines = batch->n_lines;
        writing->has_not_written = false;
        tell_if_well(writing);
    }
    core_tell(core);
    free(batch);
}

static bool has_new_settings(const Writing *writing, const ArchivistSettings *settings)
{
    return writing->purged_by.keep != settings->keep || writing->purged_by.max_size != settings->max_size;
}

/* Cleans and purges, one step. Without the lock. */
static void tidy(Writing *writing, const ArchivistSettings *settings)
{
    const ArchivePurge purge = {.keep = settings->keep,
                                .max_size = settings->max_size,
                                .now = clock_wall(),
                                .budget = PURGE_BUDGET_USEC};
    bool is_due;
    int r = 0;

    if (has_new_settings(writing, settings))
        writing->next_purge = clock_monotonic();
    is_due = clock_monotonic() >= writing->next_purge;
    writing->purged_by = *settings;
    if (archive_is_unclean(writing->archive))
        r = archive_clean(writing->archive, PURGE_BUDGET_USEC);
    if (r == 0 && is_due)
        r = archive_purge(writing->archive, &purge);
    writing->is_purging = r == ARCHIVE_MORE;
    /* Busy: somebody reads an older state of the file, or deletes from it. Later, then. */
    if (is_due && (r == 0 || r == ARCHIVE_BUSY))
        writing->next_purge = clock_monotonic() + PURGE_EVERY_USEC;
    writing->has_not_tidied = r != 0 && r != ARCHIVE_BUSY && r != ARCHIVE_MORE;
    if (!writing->has_not_tidied)
        return;
    writing->is_damaged = r == ARCHIVE_DAMAGED;
    close_file(writing, r);
}

static void start_reader(Core *core)
{
    (void) pthread_mutex_lock(&core->lock);
    core->n_references++;
    core->n_threads++;
    if (thread_start(archivist_answer, core, ANSWER_STACK_BYTES) < 0) {
        core->n_references--;
        core->n_threads--;
    }
    (void) pthread_mutex_unlock(&core->lock);
}

/* With the lock held, which is given up in the meantime: does what there is to do, or waits for it. */
static void turn(Writing *writing)
{
    ArchivistSettings settings = writing->core->settings;
    Core *core = writing->core;

    if (writing->archive == NULL && clock_monotonic() < writing->next_open) {
        core_wait(core, writing->next_open);
    } else if (writing->archive == NULL) {
        (void) pthread_mutex_unlock(&core->lock);
        open_again(writing);
        (void) pthread_mutex_lock(&core->lock);
    } else if (core->found != 0) {
        int found = core->found;

        (void) pthread_mutex_unlock(&core->lock);
        writing->is_damaged = found == ARCHIVE_DAMAGED;
        close_file(writing, found);
        (void) pthread_mutex_lock(&core->lock);
    } else if (core->first != NULL) {
        write_next(writing);
    } else if (!core->is_ending &&
               (writing->is_purging || clock_monotonic() >= writing->next_purge ||
                has_new_settings(writing, &settings) || core->status.committed != writing->cleaned)) {
        writing->cleaned = core->status.committed;
        (void) pthread_mutex_unlock(&core->lock);
        tidy(writing, &settings);
        (void) pthread_mutex_lock(&core->lock);
        tell_if_well(writing);
    } else if (!core->is_ending) {
        core_wait(core, writing->next_purge);
    }
}

void *archivist_write(void *userdata)
{
    Core *core = userdata;
    Writing writing = {.core = core};
    int fd;

    (void) pthread_mutex_lock(&core->lock);
    fd = core->fd;
    (void) pthread_mutex_unlock(&core->lock);
    if (fd >= 0)
        thread_leave_descriptors(fd);
    start_reader(core);
    (void) pthread_mutex_lock(&core->lock);
    while (core->fd >= 0 && !(core->is_ending && (core->first == NULL || writing.archive == NULL)))
        turn(&writing);
    drop_batches(core);
    (void) pthread_mutex_unlock(&core->lock);
    writing.archive = archive_close(writing.archive);
    (void) pthread_mutex_lock(&core->lock);
    core->n_threads--;
    core_tell(core);
    core_release(core);
    return NULL;
}
