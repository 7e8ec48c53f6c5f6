/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The thread that answers questions. */

#include <string.h>

#include "archive/archive.h"
#include "base/clock.h"
#include "base/error.h"
#include "host/answer.h"
#include "host/archivist-core.h"

/* One that is quickly answered does not wait for searches. */
static bool comes_before(const Question *question, const Question *other)
{
    if (recall_is_search(&question->recall) != recall_is_search(&other->recall))
        return recall_is_search(&other->recall);
    return question->number < other->number;
}

/* With the lock held: the next question that can be answered now, because all that was given before it is
 * there or can not be; NULL: none. */
static Question *next_question(Core *core)
{
    bool is_known = core->status.is_open || core->status.answer != 0;
    Question *first = NULL;

    for (size_t i = 0; i < ARCHIVIST_QUESTIONS && is_known && !core->wants_alone; i++) {
        Question *question = &core->questions[i];

        if (question->state == QUESTION_ASKED && !question->is_done &&
            (first == NULL || comes_before(question, first)) &&
            (question->after <= core->n_done || !core->status.is_open))
            first = question;
    }
    return first;
}

typedef struct Reader {
    Archive *archive; /* NULL: it is not open */
    uint8_t file[ARCHIVE_STATE_ID_BYTES];
} Reader;

/* Of the file of that name, whichever it is by now. 0, or an answer. */
static int open_reader(const Core *core, Reader *reader)
{
    int r;

    if (reader->archive != NULL && archive_has_moved(reader->archive))
        reader->archive = archive_close(reader->archive);
    if (reader->archive != NULL)
        return 0;
    r = archive_open(core->path, ARCHIVE_READER, &reader->archive);
    if (r == 0)
        r = archive_file(reader->archive, reader->file);
    return error_trace(r);
}

/* With the lock held, which is given up in the meantime. What may be told of a room is known by what the file
 * that is written has been told, and of no other one. */
static void answer_next(Core *core, Question *question, Reader *reader)
{
    bool is_written = core->status.is_open;
    uint8_t written[ARCHIVE_STATE_ID_BYTES];
    Recalled recalled = {0};
    char *memory = NULL;
    int r;

    memcpy(written, core->status.file, sizeof written);
    question->epoch = core->status.epoch;
    question->state = QUESTION_BEGUN;
    core->reader_is_open = true;
    (void) pthread_mutex_unlock(&core->lock);
    r = open_reader(core, reader);
    if (r == 0 && is_written && memcmp(reader->file, written, sizeof written) != 0)
        r = ARCHIVE_MOVED;
    if (r == 0)
        r = answer_question(reader->archive, question, &recalled, &memory);
    if (r != 0)
        reader->archive = archive_close(reader->archive);
    recalled.trouble = r != 0 ? archive_strerror(r) : NULL;
    (void) pthread_mutex_lock(&core->lock);
    core->reader_is_open = reader->archive != NULL;
    /* The writer has pages of its own in memory, and may not come across that for long. But it may have
     * opened the file anew meanwhile. */
    if ((r == ARCHIVE_MOVED || r == ARCHIVE_DAMAGED) && is_written && core->status.is_open &&
        memcmp(written, core->status.file, sizeof written) == 0)
        core->found = r;
    question->memory = memory;
    question->recalled = recalled;
    question->answered = clock_monotonic();
    question->state = QUESTION_ANSWERED;
    core_tell(core);
}

void *archivist_answer(void *userdata)
{
    Core *core = userdata;
    Reader reader = {0};
    Question *question;

    (void) pthread_mutex_lock(&core->lock);
    while (core->fd >= 0 && !core->is_ending) {
        question = next_question(core);
        if (question != NULL) {
            answer_next(core, question, &reader);
        } else if (core->wants_alone && reader.archive != NULL) {
            reader.archive = archive_close(reader.archive);
            core->reader_is_open = false;
            (void) pthread_cond_broadcast(&core->wake);
        } else {
            core_wait(core, UINT64_MAX);
        }
    }
    (void) pthread_mutex_unlock(&core->lock);
    reader.archive = archive_close(reader.archive);
    (void) pthread_mutex_lock(&core->lock);
    core->reader_is_open = false;
    core->n_threads--;
    core_tell(core);
    core_release(core);
    return NULL;
}
