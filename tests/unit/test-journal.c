/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The log on standard error. What goes to the journal natively is tested with a real one: tests/system. */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "host/journal.h"
#include "unit/harness.h"
#include "unit/unit.h"

static int saved_stderr = -1, pipe_read = -1;

/* Standard error is a pipe with room for one page. */
static void catch_stderr(void)
{
    int fds[2];

    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    (void) fcntl(fds[1], F_SETPIPE_SZ, 4096);
    saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    ck_assert_int_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    (void) close(fds[1]);
    pipe_read = fds[0];
}

static void release_stderr(void)
{
    ck_assert_int_eq(dup2(saved_stderr, STDERR_FILENO), STDERR_FILENO);
    (void) close(saved_stderr);
}

/* All that was written, to the end of file. */
static char *read_all(void)
{
    size_t n = 0, size = 1 << 20;
    char *text = malloc(size);
    ssize_t got;

    ck_assert_ptr_nonnull(text);
    while ((got = read(pipe_read, text + n, size - n - 1)) > 0)
        n += (size_t) got;
    text[n] = '\0';
    (void) close(pipe_read);
    return text;
}

static Journal *begin(void)
{
    Journal *journal = NULL;

    catch_stderr();
    ck_assert_int_eq(journal_new(JOURNAL_STDERR, &journal), 0);
    return journal;
}

static char *end(Journal *journal)
{
    ck_assert_ptr_null(journal_free(journal));
    release_stderr();
    return read_all();
}

/* How many entries it says were dropped, in all. */
static unsigned count_dropped(const char *text)
{
    const char *at = text, *number;
    unsigned n = 0;

    for (; (at = strstr(at, " log entries were dropped")) != NULL; at++) {
        for (number = at; number > text && number[-1] != ' ';)
            number--;
        n += (unsigned) atoi(number);
    }
    return n;
}

START_TEST(test_nothing)
{
    char *text = end(begin());

    ck_assert_str_eq(text, "");
    free(text);
    ck_assert_ptr_null(journal_free(NULL));
    log_event(&(Log){0}, (LogEvent){.priority = LOG_ERR}, "to nobody");
}
END_TEST

/* One line each, in order, with nothing but the message. */
START_TEST(test_lines)
{
    Journal *journal = begin();
    char *text;

    log_event(journal_log(journal), (LogEvent){.priority = LOG_ERR, .id = LOG_ID_STARTED}, "one %d", 1);
    log_event(
        journal_log(journal),
        (LogEvent){.priority = LOG_INFO, .id = LOG_ID_CLIENT_CONNECTED, .nick = "alice", .peer = "uid 0"},
        "alice came (uid 0).");
    log_event(journal_log(journal),
              (LogEvent){.priority = LOG_WARNING,
                         .config_file = "/a",
                         .config_line = 3,
                         .room = "dev",
                         .limit = "MaxRooms"},
              "three");
    text = end(journal);
    ck_assert_str_eq(text, "chatd: one 1\nchatd: alice came (uid 0).\nchatd: three\n");
    free(text);
}
END_TEST

/* Longer than any line has room for: cut, and all its fields still fit or are left out. */
START_TEST(test_long)
{
    static char words[4000];
    Journal *journal = begin();
    char *text;

    memset(words, 'w', sizeof words - 1);
    log_event(journal_log(journal),
              (LogEvent){.priority = LOG_ERR, .nick = words, .peer = words, .config_file = words}, "%s",
              words);
    log_event(journal_log(journal), (LogEvent){.priority = LOG_ERR}, "after");
    text = end(journal);
    ck_assert_uint_gt(strlen(text), 500);
    ck_assert_uint_lt(strlen(text), 1100);
    ck_assert_ptr_nonnull(strstr(text, "w\nchatd: after\n"));
    free(text);
}
END_TEST

/* Chatter is bounded; what matters is not. */
START_TEST(test_chatter)
{
    Journal *journal = begin();
    unsigned n_chatter = 0, n_dropped;
    char *text, *at;

    for (unsigned i = 0; i < 300; i++) {
        log_event(journal_log(journal), (LogEvent){.priority = LOG_INFO}, "chatter");
        (void) poll(NULL, 0, i % 10 == 0); /* for the other thread */
    }
    log_event(journal_log(journal), (LogEvent){.priority = LOG_NOTICE}, "matters");
    text = end(journal);
    for (at = text; (at = strstr(at, "chatter\n")) != NULL; at++)
        n_chatter++;
    n_dropped = count_dropped(text);
    ck_assert_ptr_nonnull(strstr(text, "chatd: matters\n"));
    ck_assert_uint_ge(n_chatter, 50);
    ck_assert_uint_le(n_chatter, 150); /* the test may last into the next second, or the one after */
    ck_assert_uint_eq(n_chatter + n_dropped, 300);
    free(text);
}
END_TEST

/* Logs to a reader that has stopped, then ends the journal. */
static void run_blocked(void)
{
    uint64_t before, longest = 0;
    static char words[400];
    Journal *journal;

    journal = begin();
    memset(words, 'w', sizeof words - 1);
    before = clock_monotonic();
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t start = clock_monotonic();

        log_event(journal_log(journal), (LogEvent){.priority = LOG_ERR}, "%s", words);
        longest = MAX(longest, clock_monotonic() - start);
    }
    /* Generous, for valgrind: the queue and the pipe hold a tenth of that, and nobody reads. */
    EXPECT(clock_monotonic() - before < 20 * USEC_PER_SEC);
    EXPECT(longest < 5 * USEC_PER_SEC);
    /* It waits for a second and no longer, then goes on without. */
    before = clock_monotonic();
    (void) journal_free(journal);
    EXPECT(clock_monotonic() - before < 10 * USEC_PER_SEC);
    EXPECT(clock_monotonic() - before >= USEC_PER_SEC * 9 / 10);
}

/* A reader that has stopped holds nobody up, and at the end it is waited for only so long. */
START_TEST(test_blocked)
{
    pid_t child = fork();
    int status;

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        run_blocked();
        /* The thread hangs on; what looks for leaks at the end of a process would find what it keeps. */
        (void) kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
END_TEST

/* The same, with a reader that goes on in time: every entry was written or counted. */
START_TEST(test_slow)
{
    Journal *journal = begin();
    static char words[400];
    unsigned n = 0, n_dropped;
    char *text, *at;

    memset(words, 'w', sizeof words - 1);
    for (unsigned i = 0; i < 1000; i++)
        log_event(journal_log(journal), (LogEvent){.priority = LOG_ERR}, "%s", words);
    (void) fcntl(pipe_read, F_SETPIPE_SZ, 1 << 20);
    text = end(journal);
    for (at = text; (at = strstr(at, "www\n")) != NULL; at++)
        n++;
    n_dropped = count_dropped(text);
    ck_assert_uint_gt(n_dropped, 0);
    ck_assert_uint_eq(n + n_dropped, 1000);
    free(text);
}
END_TEST

START_TEST(test_pick_target)
{
    struct stat status;
    char stream[64];
    int fds[2], saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);

    (void) close(STDIN_FILENO);
    ck_assert_int_eq(open("/dev/null", O_RDONLY), STDIN_FILENO);
    (void) unsetenv("LISTEN_FDS");
    (void) unsetenv("JOURNAL_STREAM");
    ck_assert_int_eq(journal_pick_target(), JOURNAL_STDERR);
    (void) setenv("JOURNAL_STREAM", "nonsense", 1);
    ck_assert_int_eq(journal_pick_target(), JOURNAL_STDERR);
    /* Somebody has directed standard error elsewhere since. */
    (void) setenv("JOURNAL_STREAM", "1:1", 1);
    ck_assert_int_eq(journal_pick_target(), JOURNAL_STDERR);
    ck_assert_int_eq(fstat(STDERR_FILENO, &status), 0);
    (void) snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long) status.st_dev,
                    (unsigned long long) status.st_ino);
    (void) setenv("JOURNAL_STREAM", stream, 1);
    ck_assert_int_eq(journal_pick_target(), JOURNAL_NATIVE);
    /* Started by inetd: what looks like standard error is a client. */
    (void) unsetenv("JOURNAL_STREAM");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    ck_assert_int_eq(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
    ck_assert_int_eq(journal_pick_target(), JOURNAL_NATIVE);
    (void) close(fds[0]);
    (void) close(fds[1]);
    if (saved >= 0) {
        ck_assert_int_eq(dup2(saved, STDIN_FILENO), STDIN_FILENO);
        (void) close(saved);
    }
}
END_TEST

UNIT_MAIN("journal", test_nothing, test_lines, test_long, test_chatter, test_slow, test_pick_target,
          test_blocked)
