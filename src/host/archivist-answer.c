/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The thread that answers questions. */

#include "archive/archive.h"
#include "base/clock.h"
#include "host/answer.h"
#include "host/archivist-core.h"

/* One that is quickly answered does not wait for searches. */
static bool comes_before(const Question *question, const Question *other)
{
    if (question_is_search(question) != question_is_search(other))
        return question_is_search(other);
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

/* With the lock held, which is given up in the meantime. */
static void answer_next(Core *core, Question *question, Archive **archive)
{
    Recalled recalled = {0};
    char *memory = NULL;
    int r = 0;

    question->state = QUESTION_BEGUN;
    core->reader_is_open = true;
    (void) pthread_mutex_unlock(&core->lock);
    if (*archive != NULL && archive_has_moved(*archive))
        *archive = archive_close(*archive);
    if (*archive == NULL)
        r = archive_open(core->path, ARCHIVE_READER, archive);
    if (r == 0)
        r = answer_question(*archive, question, &recalled, &memory);
    if (r != 0)
        *archive = archive_close(*archive);
    recalled.trouble = r != 0 ? archive_strerror(r) : NULL;
    (void) pthread_mutex_lock(&core->lock);
    core->reader_is_open = *archive != NULL;
    question->memory = memory;
    question->recalled = recalled;
    question->answered = clock_monotonic();
    question->state = QUESTION_ANSWERED;
    core_tell(core);
}

void *archivist_answer(void *userdata)
{
    Core *core = userdata;
    Archive *archive = NULL;
    Question *question;

    (void) pthread_mutex_lock(&core->lock);
    while (core->fd >= 0 && !core->is_ending) {
        question = next_question(core);
        if (question != NULL) {
            answer_next(core, question, &archive);
        } else if (core->wants_alone && archive != NULL) {
            archive = archive_close(archive);
            core->reader_is_open = false;
            (void) pthread_cond_broadcast(&core->wake);
        } else {
            core_wait(core, UINT64_MAX);
        }
    }
    (void) pthread_mutex_unlock(&core->lock);
    archive = archive_close(archive);
    (void) pthread_mutex_lock(&core->lock);
    core->reader_is_open = false;
    core->n_threads--;
    core_tell(core);
    core_release(core);
    return NULL;
}
