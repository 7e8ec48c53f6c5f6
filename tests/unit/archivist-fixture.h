/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The archive's two threads with a file of their own, and a test in the place of the loop.
 *
 * While they run this process must not open the file by itself: SQLite would share their descriptors, which
 * are not in its table. What somebody else does with the file, another process does: the neighbour.
 */

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "chat/note.h"
#include "chat/transcript.h"
#include "host/archivist-core.h"
#include "unit/archive-fixture.h"
#include "unit/harness.h"

enum { WORLD_DEADLINE_SECONDS = 60 };

typedef struct Neighbour {
    pid_t pid;
    int fd;
} Neighbour;

typedef struct World {
    Fixture *fixture;
    Archivist *archivist;
    ArchivistStatus status;
    Neighbour neighbour;
    uint64_t pos, n_lines; /* of what is said next */
} World;

/* All pages of the file but the first `n`. */
static inline bool neighbour_damage(const char *path, unsigned n)
{
    static const char garbage[4096] = {[0 ... 4095] = '\xa5'};
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat status;
    bool is_done = fd >= 0 && fstat(fd, &status) == 0 && status.st_size > n * (off_t) sizeof garbage;

    for (off_t at = n * (off_t) sizeof garbage; is_done && at < status.st_size; at += sizeof garbage)
        is_done = pwrite(fd, garbage, sizeof garbage, at) == sizeof garbage;
    (void) close(fd);
    return is_done;
}

/* Each statement that comes is executed, "close" and "damage N" too, and answered with one byte. */
static inline void neighbour_run(const char *path, int fd)
{
    sqlite3 *db = NULL;
    char sql[256];
    ssize_t n;

    while ((n = read(fd, sql, sizeof sql - 1)) > 0) {
        char answer = 'n';

        sql[n] = '\0';
        if (strcmp(sql, "close") == 0) {
            answer = sqlite3_close(db) == SQLITE_OK ? 'y' : 'n';
            db = NULL;
        } else if (strncmp(sql, "damage ", 7) == 0) {
            answer = neighbour_damage(path, (unsigned) atoi(sql + 7)) ? 'y' : 'n';
        } else if (db != NULL || sqlite3_open(path, &db) == SQLITE_OK) {
            (void) sqlite3_busy_timeout(db, 20000);
            answer = sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 'y' : 'n';
        }
        if (write(fd, &answer, 1) != 1)
            break;
    }
    (void) sqlite3_close(db);
    _exit(0);
}

static inline void neighbour_does(const World *world, const char *sql)
{
    char answer = 0;
    int status;

    ck_assert_int_eq(write(world->neighbour.fd, sql, strlen(sql)), (ssize_t) strlen(sql));
    if (read(world->neighbour.fd, &answer, 1) != 1) {
        (void) waitpid(world->neighbour.pid, &status, 0);
        ck_abort_msg("%s: the neighbour ended with status %#x", sql, (unsigned) status);
    }
    ck_assert_msg(answer == 'y', "%s", sql);
}

static inline unsigned count_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    unsigned n = 0;

    ck_assert_ptr_nonnull(tasks);
    while ((entry = readdir(tasks)) != NULL)
        n += entry->d_name[0] != '.';
    (void) closedir(tasks);
    return n;
}

/* An archive that was left in a hurry may have threads for a while, and SQLite in this process their
 * descriptors: neither a fork(2) nor another archive may meet them. */
static inline void wait_for_last_thread(void)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    uint64_t deadline = clock_monotonic() + WORLD_DEADLINE_SECONDS * USEC_PER_SEC;

    while (count_threads() > 1) {
        ck_assert_msg(clock_monotonic() < deadline, "there are threads of before");
        (void) nanosleep(&moment, NULL);
    }
}

static inline void neighbour_begin(World *world)
{
    int fds[2];

    wait_for_last_thread();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    world->neighbour.fd = fds[0];
    world->neighbour.pid = fork();
    ck_assert_int_ge(world->neighbour.pid, 0);
    if (world->neighbour.pid == 0) {
        (void) close(fds[0]);
        neighbour_run(world->fixture->path, fds[1]);
    }
    (void) close(fds[1]);
}

/* Nothing runs yet. */
static inline void world_init(World *world)
{
    *world = (World){.fixture = fixture_new()};
    neighbour_begin(world);
}

static inline void world_start(World *world)
{
    static const uint8_t id[STATE_ID_BYTES] = "the state's id.";
    const ArchivistSettings settings = {0};

    ck_assert_int_eq(archivist_new(world->fixture->path, id, &settings, &world->archivist), 0);
}

/* Waits until something has changed, or for so long. */
static inline void world_poll(World *world, int msec)
{
    struct pollfd pollfd = {.fd = archivist_fd(world->archivist), .events = POLLIN};

    (void) poll(&pollfd, 1, msec);
    (void) archivist_take(world->archivist, clock_monotonic(), &world->status);
}

#define WAIT_UNTIL(world, condition)                                                                         \
    do {                                                                                                     \
        uint64_t deadline_ = clock_monotonic() + WORLD_DEADLINE_SECONDS * USEC_PER_SEC;                      \
                                                                                                             \
        (void) archivist_take((world)->archivist, clock_monotonic(), &(world)->status);                      \
        while (!(condition)) {                                                                               \
            ck_assert_msg(clock_monotonic() < deadline_, "not in time: %s", #condition);                     \
            world_poll(world, 50);                                                                           \
        }                                                                                                    \
    } while (0)

static inline void world_begin(World *world)
{
    world_init(world);
    world_start(world);
    WAIT_UNTIL(world, world->status.is_open);
}

/* All that was given is there. The threads have ended: the file may be looked at. */
static inline void world_stop(World *world)
{
    archivist_finish(world->archivist, WORLD_DEADLINE_SECONDS * USEC_PER_SEC);
    world->archivist = archivist_free(world->archivist, WORLD_DEADLINE_SECONDS * USEC_PER_SEC);
}

static inline void world_end(World *world)
{
    if (world->archivist != NULL)
        world_stop(world);
    (void) close(world->neighbour.fd);
    ck_assert_int_eq(waitpid(world->neighbour.pid, NULL, 0), world->neighbour.pid);
    fixture_free(world->fixture);
}

/* A batch with `n` lines of `n_text` bytes, which say their numbers. Not given yet. */
static inline ArchivistBatch *world_batch_of(World *world, const char *nick, bool is_verified, unsigned n,
                                             size_t n_text)
{
    static char memory[ARCHIVIST_BATCH_BYTES + ENTRY_MAX_BYTES] __attribute__((aligned(8)));
    ArchivistBatch *batch;
    char text[8192];
    size_t n_bytes = 0;

    for (unsigned i = 0; i < n; i++) {
        Entry *entry = (Entry *) (memory + n_bytes);
        int n_number = snprintf(text, sizeof text, "line %u", (unsigned) world->n_lines + i);
        EntryDraft draft = {.kind = ENTRY_SAID,
                            .wall = FIXTURE_NOW + (world->n_lines + i) * USEC_PER_SEC,
                            .nick = nick,
                            .nick_n = strlen(nick),
                            .is_verified = is_verified,
                            .uid = is_verified ? 1001 : 0,
                            .room_name = "lobby",
                            .room_name_n = 5,
                            .text = text,
                            .text_n = MAX(n_text, (size_t) n_number)};

        memset(text + n_number, '.', draft.text_n - (size_t) n_number);
        ck_assert_uint_lt(n_bytes, ARCHIVIST_BATCH_BYTES);
        n_bytes += entry_write(entry, &draft);
        entry->pos = world->pos + ((size_t) ((char *) entry - memory));
    }
    batch = archivist_batch(world->archivist, n_bytes);
    if (batch == NULL)
        return NULL;
    memcpy(batch->entries, memory, n_bytes);
    world->pos += n_bytes;
    world->n_lines += n;
    batch->opening = world->status.n_openings;
    batch->end = world->pos;
    batch->n_lines = world->n_lines;
    return batch;
}

static inline ArchivistBatch *world_batch(World *world, unsigned n, size_t n_text)
{
    return world_batch_of(world, "alice", false, n, n_text);
}

static inline void world_say_as(World *world, const char *nick, bool is_verified, unsigned n)
{
    ArchivistBatch *batch = world_batch_of(world, nick, is_verified, n, 0);

    ck_assert_ptr_nonnull(batch);
    archivist_give(world->archivist, batch);
}

static inline void world_say(World *world, unsigned n)
{
    ArchivistBatch *batch = world_batch(world, n, 0);

    ck_assert_ptr_nonnull(batch);
    archivist_give(world->archivist, batch);
}

static inline int world_on_line(void *userdata, const ArchiveLine *line)
{
    unsigned *next = userdata;
    char text[32];
    size_t n = (size_t) snprintf(text, sizeof text, "line %u", *next);

    ck_assert_msg(line->n >= n && memcmp(line->text, text, n) == 0, "%.*s instead of %s",
                  (int) MIN(line->n, (size_t) 40), line->text, text);
    (*next)++;
    return 0;
}

/* The threads have ended: the file has these lines and nothing else. */
static inline void world_expect_lines(const World *world, unsigned first, unsigned end)
{
    NameKey room = fixture_key("lobby");

    fixture_open(world->fixture);
    ck_assert_int_eq(archive_last_lines(world->fixture->archive, &room, ARCHIVE_ID_END, ARCHIVE_ROWS_MAX,
                                        world_on_line, &first),
                     0);
    ck_assert_uint_eq(first, end);
    world->fixture->archive = archive_close(world->fixture->archive);
}

static inline Recall recall_of(RecallKind kind, const char *room, uint32_t n)
{
    return (Recall){.kind = kind, .n = n, .page = 1, .room = fixture_key(room)};
}

/* The answer, waited for. */
static inline void world_ask(World *world, const Recall *recall, Recalled *ret_recalled)
{
    uint64_t deadline = clock_monotonic() + WORLD_DEADLINE_SECONDS * USEC_PER_SEC;

    while (archivist_ask(world->archivist, recall, clock_monotonic(), ret_recalled) == RECALL_AWAITED) {
        ck_assert_uint_lt(clock_monotonic(), deadline);
        world_poll(world, 50);
    }
}

/* Nothing is read any more, as from a disk that hangs; or again. */
static inline void world_hang(World *world, bool is_hanging)
{
    Core *core = world->archivist->core;

    (void) pthread_mutex_lock(&core->lock);
    core->wants_alone = is_hanging;
    (void) pthread_cond_broadcast(&core->wake);
    (void) pthread_mutex_unlock(&core->lock);
}
