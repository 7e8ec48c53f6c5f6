/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/macro.h"
#include "base/name.h"
#include "chat/index.h"
#include "host/accounts-local.h"
#include "host/accounts.h"
#include "host/thread.h"

enum {
    STACK_BYTES = 256 * 1024, /* NSS modules run on it */
    LINGER_SECONDS = 1,       /* how long a thread waits for more */
};

/* What is asked about. Zero to the end, so that it can be a key. */
typedef struct Subject {
    uint32_t is_name;
    uid_t uid;
    char text[ACCOUNTS_LOGIN_MAX + 1]; /* a name in ASCII, as it is spelt; or the group to go with the uid */
} Subject;

typedef struct Reply {
    AccountAnswer answer;
    uid_t uid;
    AccountPerson person;
} Reply;

typedef struct Question {
    struct Question *next;
    uint32_t entry; /* that is open for it */
    uint64_t asked;
    Subject subject;
    Reply reply;
} Question;

typedef struct Questions {
    Question *first, *last;
    unsigned n;
} Questions;

/* Somebody who has come waits for the name of a uid, and is in no chat meanwhile: that goes before names that
 * those want who are there. */
enum { QUEUE_UIDS, QUEUE_NAMES, QUEUES };

/* What the threads share with the loop. Whoever lets go of it last frees it. */
typedef struct Core {
    AccountsSource source;
    AccountsLocal local;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    unsigned n_references; /* the loop's, and one for each thread */
    int fd;                /* borrowed from the loop; -1: it has gone, and so should the threads */
    unsigned n_threads;
    unsigned n_idle;          /* of these, wait or are about to */
    Questions queues[QUEUES]; /* owned; oldest first */
    Questions answered;       /* owned */
    uint64_t next_start;      /* there is no further thread before this */

    /* Those that threads are at, which own them. */
    Question *begun[ACCOUNTS_THREADS];
} Core;

typedef struct Entry {
    Subject subject;
    Reply reply;
    bool is_open;   /* there is a question, so the entry has to stay */
    uint64_t until; /* the reply is good; or, of an open one, somebody waits for it */
} Entry;

struct Accounts {
    Core *core;
    int fd; /* owned */
    uint64_t taken;
    Index index; /* of entries by subject */
    uint32_t n_entries, next_entry;
    Entry entries[ACCOUNTS_CACHE]; /* used in turn */
};

static const Reply unknown = {.answer = ACCOUNT_UNKNOWN};
static const Reply timed_out = {.answer = ACCOUNT_TIMEOUT};

bool accounts_is_person(uid_t uid)
{
    if (uid < 65536)
        return uid == 0 || (uid >= 1000 && uid <= 60513);
    /* (uid_t) -1 is no uid, and -2 is what nobody was in some systems. */
    return uid < (uid_t) -2;
}

/*
 * Questions.
 */

static void questions_append(Questions *questions, Question *question)
{
    question->next = NULL;
    if (questions->n++ == 0)
        questions->first = question;
    else
        questions->last->next = question;
    questions->last = question;
}

/* NULL: there are none. */
static Question *questions_take(Questions *questions)
{
    Question *question = questions->first;

    if (question != NULL) {
        questions->first = question->next;
        questions->n--;
    }
    return question;
}

static void questions_done(Questions *questions)
{
    Question *question;

    while ((question = questions_take(questions)) != NULL)
        free(question);
}

/* When the oldest was asked; UINT64_MAX: there is none. */
static uint64_t questions_oldest(const Questions queues[QUEUES])
{
    uint64_t oldest = UINT64_MAX;

    for (size_t i = 0; i < QUEUES; i++)
        if (queues[i].n > 0)
            oldest = MIN(oldest, queues[i].first->asked);
    return oldest;
}

/* As of `now`, the question has been given up, but for a late answer. */
static bool question_is_old(const Question *question, uint64_t now)
{
    return now >= question->asked + ACCOUNTS_PATIENCE_USEC;
}

/*
 * Answers. These run in the threads, without the lock.
 */

static void answer_uid(const AccountsSource *source, const Subject *subject, Reply *reply)
{
    AccountPerson *person = &reply->person;
    int r;

    person->gid = ACCOUNTS_NO_GID;
    r = source->by_uid(source->userdata, subject->uid, person->login);
    if (r == ACCOUNTS_FAILED)
        return;
    if (subject->text[0] != '\0' &&
        source->by_group(source->userdata, subject->text, &person->gid) == ACCOUNTS_FAILED)
        return;
    reply->answer = r == 0 ? ACCOUNT_TAKEN : ACCOUNT_FREE;
}

static bool is_ascii(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((uint8_t) text[i] >= 0x80)
            return false;
    return true;
}

/* Of a directory service nothing but ASCII is asked for: that is what login names are there. */
static void answer_name(Core *core, const Subject *subject, Reply *reply)
{
    const char *spellings[] = {NULL, subject->text};
    char folded[NAME_KEY_MAX + 1] = {0};
    bool is_failed;
    NameKey key;
    int r;

    name_fold(subject->text, strlen(subject->text), &key);
    memcpy(folded, key.bytes, key.n);
    spellings[0] = folded;
    r = accounts_local_find(&core->local, &core->source, subject->text, &reply->uid);
    is_failed = r == ACCOUNTS_FAILED;
    for (size_t i = 0; r != 0 && is_ascii(folded, key.n) && i < N_ELEMENTS(spellings); i++) {
        if (i > 0 && strcmp(spellings[i], folded) == 0)
            break;
        r = core->source.by_name(core->source.userdata, spellings[i], &reply->uid);
        is_failed |= r == ACCOUNTS_FAILED;
        if (r == 0 && !accounts_is_person(reply->uid))
            r = ACCOUNTS_NONE;
    }
    if (r == 0)
        reply->answer = ACCOUNT_TAKEN;
    else if (!is_failed)
        reply->answer = ACCOUNT_FREE;
}

static void question_answer(Question *question, Core *core)
{
    question->reply = timed_out;
    if (question->subject.is_name)
        answer_name(core, &question->subject, &question->reply);
    else
        answer_uid(&core->source, &question->subject, &question->reply);
}

/*
 * Threads.
 */

/* Called with the lock held, which is given up. */
static void core_release(Core *core)
{
    bool is_last = --core->n_references == 0;

    (void) pthread_mutex_unlock(&core->lock);
    if (!is_last)
        return;
    (void) pthread_cond_destroy(&core->wake);
    (void) pthread_mutex_destroy(&core->lock);
    accounts_local_done(&core->local);
    free(core);
}

/* Called with the lock held: the next question, after waiting for it; NULL: the thread should end. */
static Question *core_next(Core *core)
{
    struct timespec deadline;

    (void) clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += LINGER_SECONDS;
    while (questions_oldest(core->queues) == UINT64_MAX && core->fd >= 0)
        if (pthread_cond_timedwait(&core->wake, &core->lock, &deadline) == ETIMEDOUT)
            break;
    if (core->fd < 0)
        return NULL;
    return questions_take(&core->queues[core->queues[QUEUE_UIDS].n > 0 ? QUEUE_UIDS : QUEUE_NAMES]);
}

/* Called with the lock held, which is given up in the meantime. */
static void core_serve(Core *core, Question *question)
{
    const uint64_t one = 1;
    size_t at = 0;

    while (core->begun[at] != NULL)
        at++;
    core->begun[at] = question;
    core->n_idle--;
    (void) pthread_mutex_unlock(&core->lock);
    question_answer(question, core);
    (void) pthread_mutex_lock(&core->lock);
    core->begun[at] = NULL;
    core->n_idle++;
    if (core->fd < 0) {
        free(question);
        return;
    }
    questions_append(&core->answered, question);
    /* Under the lock: the number means this eventfd as long as the loop has not gone. */
    if (write(core->fd, &one, sizeof one) < 0)
        errno = 0; /* EAGAIN: it is readable as it is, eventfd(2) */
}

static void *thread_main(void *userdata)
{
    Core *core = userdata;
    Question *question;
    int fd;

    (void) pthread_mutex_lock(&core->lock);
    fd = core->fd;
    (void) pthread_mutex_unlock(&core->lock);
    if (fd >= 0)
        thread_leave_descriptors(fd);
    (void) pthread_mutex_lock(&core->lock);
    while ((question = core_next(core)) != NULL)
        core_serve(core, question);
    core->n_threads--;
    core->n_idle--;
    core_release(core);
    return NULL;
}

/* Called with the lock held. False: there can be no thread now. */
static bool core_start_thread(Core *core)
{
    if (thread_start(thread_main, core, STACK_BYTES) < 0)
        return false;
    core->n_references++;
    core->n_threads++;
    core->n_idle++;
    return true;
}

/* Called with the lock held: when there should be one more thread; UINT64_MAX: as it is now, never. */
static uint64_t core_next_start(const Core *core)
{
    uint64_t oldest = questions_oldest(core->queues);

    if (oldest == UINT64_MAX || core->n_idle > 0 || core->n_threads == ACCOUNTS_THREADS)
        return UINT64_MAX;
    return MAX(oldest + ACCOUNTS_HURRY_USEC, core->next_start);
}

/* Called with the lock held: whether anybody would answer one more question. */
static bool core_takes(Core *core, uint64_t now)
{
    unsigned n_stuck = 0;

    for (size_t i = 0; i < ACCOUNTS_THREADS; i++)
        n_stuck += core->begun[i] != NULL && question_is_old(core->begun[i], now);
    if (n_stuck == ACCOUNTS_THREADS)
        return false;
    return core->n_threads > 0 || core_start_thread(core);
}

static int core_new(const AccountsSource *source, int fd, Core **ret_core)
{
    Core *core = calloc(1, sizeof *core);
    pthread_condattr_t attributes;

    if (core == NULL)
        return error_origin(-ENOMEM);
    core->source = *source;
    accounts_local_init(&core->local);
    core->fd = fd;
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

int accounts_new(const AccountsSource *source, Accounts **ret_accounts)
{
    Accounts *accounts = calloc(1, sizeof *accounts);
    int r;

    if (accounts == NULL)
        return error_origin(-ENOMEM);
    accounts->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (accounts->fd < 0)
        r = error_origin(-errno);
    else
        r = core_new(source != NULL ? source : &accounts_nss, accounts->fd, &accounts->core);
    if (r < 0) {
        (void) accounts_free(accounts);
        return error_trace(r);
    }
    *ret_accounts = accounts;
    return 0;
}

Accounts *accounts_free(Accounts *accounts)
{
    Core *core;

    if (accounts == NULL)
        return NULL;
    core = accounts->core;
    if (core != NULL) {
        (void) pthread_mutex_lock(&core->lock);
        core->fd = -1;
        for (size_t i = 0; i < QUEUES; i++)
            questions_done(&core->queues[i]);
        questions_done(&core->answered);
        (void) pthread_cond_broadcast(&core->wake);
        core_release(core);
    }
    index_done(&accounts->index);
    (void) fd_close(accounts->fd);
    free(accounts);
    return NULL;
}

int accounts_fd(const Accounts *accounts)
{
    return accounts->fd;
}

uint64_t accounts_due(Accounts *accounts)
{
    Core *core = accounts->core;
    uint64_t due, oldest;

    (void) pthread_mutex_lock(&core->lock);
    due = core_next_start(core);
    oldest = questions_oldest(core->queues);
    if (oldest != UINT64_MAX)
        due = MIN(due, oldest + ACCOUNTS_PATIENCE_USEC);
    for (size_t i = 0; i < ACCOUNTS_THREADS; i++)
        if (core->begun[i] != NULL && !question_is_old(core->begun[i], accounts->taken))
            due = MIN(due, core->begun[i]->asked + ACCOUNTS_PATIENCE_USEC);
    (void) pthread_mutex_unlock(&core->lock);
    return due;
}

/* The question has come back; frees it. */
static void accounts_close_entry(Accounts *accounts, Question *question, uint64_t until)
{
    Entry *entry = &accounts->entries[question->entry];

    entry->is_open = false;
    entry->reply = question->reply;
    entry->until = until;
    free(question);
}

bool accounts_take(Accounts *accounts, uint64_t now)
{
    Questions answered, old = {0};
    Core *core = accounts->core;
    Question *question;
    bool is_news;
    uint64_t n;

    (void) pthread_mutex_lock(&core->lock);
    /* Under the lock, as threads write: it is readable only while there are answers. */
    if (read(accounts->fd, &n, sizeof n) < 0)
        errno = 0; /* EAGAIN: nothing has come */
    answered = TAKE(core->answered, (Questions){0});
    for (size_t i = 0; i < QUEUES; i++)
        while (core->queues[i].n > 0 && question_is_old(core->queues[i].first, now))
            questions_append(&old, questions_take(&core->queues[i]));
    is_news = answered.n > 0 || old.n > 0;
    for (size_t i = 0; i < ACCOUNTS_THREADS; i++)
        is_news |= core->begun[i] != NULL && question_is_old(core->begun[i], now) &&
                   !question_is_old(core->begun[i], accounts->taken);
    if (now >= core_next_start(core)) {
        (void) core_start_thread(core);
        core->next_start = now + ACCOUNTS_HURRY_USEC;
    }
    (void) pthread_mutex_unlock(&core->lock);
    accounts->taken = now;

    while ((question = questions_take(&answered)) != NULL)
        accounts_close_entry(
            accounts, question,
            now + (question->reply.answer == ACCOUNT_TIMEOUT ? ACCOUNTS_RETRY_USEC : ACCOUNTS_KEEP_USEC));
    while ((question = questions_take(&old)) != NULL) {
        question->reply = timed_out;
        accounts_close_entry(accounts, question,
                             question->asked + ACCOUNTS_PATIENCE_USEC + ACCOUNTS_RETRY_USEC);
    }
    return is_news;
}

/* An entry for a new subject, in the place of the oldest if need be. False: out of memory, or all are open.
 */
static bool accounts_add_entry(Accounts *accounts, const Subject *subject, uint32_t *ret_at)
{
    bool is_full = accounts->n_entries == ACCOUNTS_CACHE;
    uint32_t at = accounts->n_entries;
    unsigned n_tried = 0;
    Entry *entry;

    if (is_full) {
        do {
            if (n_tried++ == ACCOUNTS_CACHE)
                return false;
            at = accounts->next_entry;
            accounts->next_entry = (at + 1) % ACCOUNTS_CACHE;
        } while (accounts->entries[at].is_open);
    }
    entry = &accounts->entries[at];
    if (index_add(&accounts->index, subject, sizeof *subject, at) < 0)
        return false;
    if (is_full)
        index_remove(&accounts->index, &entry->subject, sizeof entry->subject);
    else
        accounts->n_entries++;
    *entry = (Entry){.subject = *subject};
    *ret_at = at;
    return true;
}

/* `at`: its entry, or NULL if it has none. */
static const Reply *accounts_ask(Accounts *accounts, const Subject *subject, const uint32_t *at, uint64_t now)
{
    Question *question = malloc(sizeof *question);
    Core *core = accounts->core;
    Questions *queue = &core->queues[subject->is_name ? QUEUE_NAMES : QUEUE_UIDS];
    bool is_asked, is_full;

    if (question == NULL)
        return &timed_out;
    *question = (Question){.entry = at != NULL ? *at : 0, .asked = now, .subject = *subject};
    (void) pthread_mutex_lock(&core->lock);
    is_full = queue->n >= ACCOUNTS_QUEUE;
    is_asked = !is_full && core_takes(core, now) &&
               (at != NULL || accounts_add_entry(accounts, subject, &question->entry));
    if (is_asked) {
        accounts->entries[question->entry].is_open = true;
        accounts->entries[question->entry].until = now + ACCOUNTS_PATIENCE_USEC;
        questions_append(queue, question);
        (void) pthread_cond_signal(&core->wake);
    }
    (void) pthread_mutex_unlock(&core->lock);
    if (is_asked)
        return &unknown;
    free(question);
    /* Those in the queue are answered or given up, and that is news: then there is room. */
    return is_full ? &unknown : &timed_out;
}

/* What is known, or that it has been asked. */
static const Reply *accounts_look(Accounts *accounts, const Subject *subject, uint64_t now)
{
    const uint32_t *at = index_find(&accounts->index, subject, sizeof *subject);
    const Entry *entry;

    if (at == NULL)
        return accounts_ask(accounts, subject, NULL, now);
    entry = &accounts->entries[*at];
    if (entry->is_open)
        return now < entry->until ? &unknown : &timed_out;
    return now < entry->until ? &entry->reply : accounts_ask(accounts, subject, at, now);
}

AccountAnswer accounts_uid(Accounts *accounts, uid_t uid, const char *group, uint64_t now,
                           AccountPerson *ret_person)
{
    size_t n = group != NULL ? strlen(group) : 0;
    Subject subject = {.uid = uid};
    const Reply *reply;

    /* No group has a name as long as that. */
    if (n <= ACCOUNTS_LOGIN_MAX && n > 0)
        memcpy(subject.text, group, n);
    reply = accounts_look(accounts, &subject, now);
    if (reply->answer == ACCOUNT_TAKEN || reply->answer == ACCOUNT_FREE)
        *ret_person = reply->person;
    return reply->answer;
}

AccountAnswer accounts_name(Accounts *accounts, const Name *name, uint64_t now, uid_t *ret_uid)
{
    Subject subject = {.is_name = true};
    const Reply *reply;
    NameKey key;

    name_fold(name->bytes, name->n, &key);
    if (key.n == 0 || key.n > ACCOUNTS_LOGIN_MAX)
        return ACCOUNT_FREE;
    if (is_ascii(name->bytes, name->n))
        memcpy(subject.text, name->bytes, name->n);
    else
        memcpy(subject.text, key.bytes, key.n);
    reply = accounts_look(accounts, &subject, now);
    if (reply->answer == ACCOUNT_TAKEN)
        *ret_uid = reply->uid;
    return reply->answer;
}
