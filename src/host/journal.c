/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/macro.h"
#include "host/inherit.h"
#include "host/journal.h"

enum {
    QUEUE_LENGTH = 64,
    RECORD_BYTES = 1024,
    RECORD_FIELDS = 12,
    CHATTER_PER_SECOND = 50, /* entries at LOG_INFO and below */
    STACK_BYTES = 64 * 1024,
    LINGER_SECONDS = 1, /* how long the thread waits for more */
};

/* The fields of one entry, "NAME=value", each ended by a NUL. The message is the first in `bytes`. */
typedef struct Record {
    size_t n;
    char *line; /* owned; "CHAT_LINE=value", which may be much longer than the rest; mostly NULL */
    char bytes[RECORD_BYTES];
} Record;

struct Journal {
    Log log;
    JournalTarget target;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake, end;
    Record queue[QUEUE_LENGTH];
    unsigned first, n;
    unsigned n_dropped;
    uint64_t chatter_second;
    unsigned n_chatter;
    bool is_running; /* there is a thread */
    bool is_ending;
};

static void record_add(Record *record, const char *name, const char *value)
{
    size_t room = sizeof record->bytes - record->n;
    int n;

    if (value == NULL)
        return;
    n = snprintf(record->bytes + record->n, room, "%s=%s", name, value);
    if (n > 0 && (size_t) n < room)
        record->n += (size_t) n + 1;
}

static void record_fill(Record *record, const LogEvent *event)
{
    char number[16];

    record->n = 0;
    record->line = NULL;
    if (event->line != NULL && asprintf(&record->line, "CHAT_LINE=%s", event->line) < 0)
        record->line = NULL;
    record_add(record, "MESSAGE", event->message);
    (void) snprintf(number, sizeof number, "%d", event->priority);
    record_add(record, "PRIORITY", number);
    record_add(record, "SYSLOG_IDENTIFIER", "chatd");
    record_add(record, "MESSAGE_ID", event->id);
    record_add(record, "CHAT_NICK", event->nick);
    record_add(record, "CHAT_WHOM", event->whom);
    record_add(record, "CHAT_REASON", event->reason);
    record_add(record, "CHAT_ROOM", event->room);
    record_add(record, "CHAT_PEER", event->peer);
    record_add(record, "CHAT_LIMIT", event->limit);
    record_add(record, "CONFIG_FILE", event->config_file);
    if (event->config_line > 0) {
        (void) snprintf(number, sizeof number, "%u", event->config_line);
        record_add(record, "CONFIG_LINE", number);
    }
}

static void record_write(const Record *record, JournalTarget target)
{
    struct iovec fields[RECORD_FIELDS];
    int n = 0;

    if (target == JOURNAL_STDERR) {
        char line[RECORD_BYTES];
        int length = snprintf(line, sizeof line, "chatd: %s\n", record->bytes + STRLEN("MESSAGE="));
        size_t size = MIN((size_t) length, sizeof line - 1);

        fields[n++] = (struct iovec){.iov_base = line, .iov_len = size};
        if (record->line != NULL) {
            fields[n++] = (struct iovec){.iov_base = record->line, .iov_len = strlen(record->line)};
            fields[n++] = (struct iovec){.iov_base = (void *) (uintptr_t) "\n", .iov_len = 1};
        }
        /* Not by stdio: at exit that would wait for a write that hangs. */
        if (writev(STDERR_FILENO, fields, n) < 0)
            errno = 0; /* nobody reads it, ignoring */
        return;
    }
    if (record->line != NULL)
        fields[n++] = (struct iovec){.iov_base = record->line, .iov_len = strlen(record->line)};
    for (size_t at = 0; at < record->n && n < RECORD_FIELDS; at += fields[n++].iov_len + 1)
        fields[n] = (struct iovec){.iov_base = (void *) (uintptr_t) (record->bytes + at),
                                   .iov_len = strlen(record->bytes + at)};
    /* A journal that is not there loses entries; the chat goes on. */
    (void) sd_journal_sendv(fields, n);
}

/* Called with the lock held: what was dropped is told once there is room again. */
static void journal_tell_dropped(Journal *journal)
{
    char message[96];

    if (journal->n_dropped == 0 || journal->n == QUEUE_LENGTH)
        return;
    (void) snprintf(message, sizeof message, "%u log entries were dropped: they came too fast.",
                    journal->n_dropped);
    record_fill(&journal->queue[(journal->first + journal->n++) % QUEUE_LENGTH],
                &(LogEvent){.priority = LOG_NOTICE, .id = LOG_ID_LOG_DROPPED, .message = message});
    journal->n_dropped = 0;
}

/* Called with the lock held: whether there is something to write, after waiting for it. */
static bool journal_wait(Journal *journal)
{
    struct timespec deadline;

    (void) clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += LINGER_SECONDS;
    while (journal->n == 0 && !journal->is_ending)
        if (pthread_cond_timedwait(&journal->wake, &journal->lock, &deadline) == ETIMEDOUT)
            break;
    return journal->n > 0;
}

static void *journal_main(void *userdata)
{
    Journal *journal = userdata;
    Record record;

    (void) pthread_mutex_lock(&journal->lock);
    while (journal_wait(journal)) {
        record = journal->queue[journal->first];
        journal->first = (journal->first + 1) % QUEUE_LENGTH;
        journal->n--;
        (void) pthread_mutex_unlock(&journal->lock);
        record_write(&record, journal->target);
        free(record.line);
        (void) pthread_mutex_lock(&journal->lock);
        if (journal->n == 0)
            journal_tell_dropped(journal);
    }
    journal->is_running = false;
    (void) pthread_cond_signal(&journal->end);
    (void) pthread_mutex_unlock(&journal->lock);
    return NULL;
}

/* Called with the lock held. False: there can be no thread now. */
static bool journal_start(Journal *journal)
{
    pthread_attr_t attributes;
    sigset_t all, old;
    pthread_t thread;

    if (journal->is_running)
        return true;
    (void) pthread_attr_init(&attributes);
    (void) pthread_attr_setstacksize(&attributes, STACK_BYTES);
    (void) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    /* Signals are for the loop. */
    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &old);
    journal->is_running = pthread_create(&thread, &attributes, journal_main, journal) == 0;
    (void) pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void) pthread_attr_destroy(&attributes);
    return journal->is_running;
}

/* Called with the lock held. */
static bool journal_takes(Journal *journal, int priority)
{
    uint64_t second = clock_monotonic() / USEC_PER_SEC;

    if (journal->chatter_second != second) {
        journal->chatter_second = second;
        journal->n_chatter = 0;
    }
    if (priority >= LOG_INFO && journal->n_chatter++ >= CHATTER_PER_SECOND)
        return false;
    return journal->n < QUEUE_LENGTH;
}

static void journal_sink(void *userdata, const LogEvent *event)
{
    Journal *journal = userdata;

    (void) pthread_mutex_lock(&journal->lock);
    if (journal_takes(journal, event->priority) && journal_start(journal)) {
        record_fill(&journal->queue[(journal->first + journal->n++) % QUEUE_LENGTH], event);
        (void) pthread_cond_signal(&journal->wake);
    } else {
        journal->n_dropped++;
    }
    (void) pthread_mutex_unlock(&journal->lock);
}

JournalTarget journal_pick_target(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat status;

    if (inherit_is_inetd())
        return JOURNAL_NATIVE;
    if (stream == NULL || sscanf(stream, "%llu:%llu", &device, &inode) != 2 ||
        fstat(STDERR_FILENO, &status) < 0)
        return JOURNAL_STDERR;
    return status.st_dev == device && status.st_ino == inode ? JOURNAL_NATIVE : JOURNAL_STDERR;
}

int journal_new(JournalTarget target, Journal **ret_journal)
{
    Journal *journal = calloc(1, sizeof *journal);

    if (journal == NULL)
        return error_origin(-ENOMEM);
    journal->target = target;
    journal->log = (Log){.sink = journal_sink, .userdata = journal};
    (void) pthread_mutex_init(&journal->lock, NULL);
    (void) pthread_cond_init(&journal->wake, NULL);
    (void) pthread_cond_init(&journal->end, NULL);
    *ret_journal = journal;
    return 0;
}

Journal *journal_free(Journal *journal)
{
    struct timespec deadline;
    bool is_running;

    if (journal == NULL)
        return NULL;
    (void) clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec++;
    (void) pthread_mutex_lock(&journal->lock);
    journal->is_ending = true;
    (void) pthread_cond_signal(&journal->wake);
    while (journal->is_running)
        if (pthread_cond_timedwait(&journal->end, &journal->lock, &deadline) == ETIMEDOUT)
            break;
    is_running = journal->is_running;
    (void) pthread_mutex_unlock(&journal->lock);
    /* A thread that hangs in a write keeps its memory; the process is about to end. */
    if (is_running)
        return NULL;
    (void) pthread_cond_destroy(&journal->end);
    (void) pthread_cond_destroy(&journal->wake);
    (void) pthread_mutex_destroy(&journal->lock);
    free(journal);
    return NULL;
}

const Log *journal_log(const Journal *journal)
{
    return &journal->log;
}
