/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * The threads that ask for names of the host's accounts: how many there are, what becomes of those that hang,
 * and what they have of this process.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macro.h"
#include "unit/accounts-fixture.h"
#include "unit/harness.h"
#include "unit/unit.h"

/* So many may wait, and not one more; none of them is forgotten. */
START_TEST(test_queue)
{
    Accounts *accounts = fixture_begin();
    AccountPerson person;

    ck_assert_int_eq(look(accounts, "hang"), ACCOUNT_UNKNOWN);
    wait_hanging(1);
    for (unsigned i = 0; i < ACCOUNTS_QUEUE; i++)
        QUICK_ASSERT(accounts_uid(accounts, 100000 + i, NULL, now, &person) == ACCOUNT_UNKNOWN, "%u", i);
    /* More are not asked yet, and not refused. */
    ck_assert_int_eq(accounts_uid(accounts, 1000, NULL, now, &person), ACCOUNT_UNKNOWN);
    ck_assert_int_eq(look(accounts, "dave"), ACCOUNT_UNKNOWN);
    ck_assert_int_eq(accounts_uid(accounts, 100000, NULL, now, &person), ACCOUNT_UNKNOWN);
    ck_assert_uint_eq(fake_read(&fake.n_by_uid), 0);
    fake_open();
    for (unsigned i = 0; i < ACCOUNTS_QUEUE; i++)
        QUICK_ASSERT(ask_uid(accounts, 100000 + i, NULL, &person) == ACCOUNT_FREE, "%u", i);
    ck_assert_uint_eq(fake_read(&fake.n_by_uid), ACCOUNTS_QUEUE);
    /* There is room again. */
    ck_assert_int_eq(ask_uid(accounts, 1000, NULL, &person), ACCOUNT_TAKEN);
    ck_assert_int_eq(ask_quietly(accounts, "hang"), ACCOUNT_FREE);
    fixture_end(accounts);
}
END_TEST

/* Who arrives does not wait for all those who want another name. */
START_TEST(test_uids_come_first)
{
    Accounts *accounts = fixture_begin();
    AccountPerson person;
    char text[16];

    ck_assert_int_eq(look(accounts, "hang"), ACCOUNT_UNKNOWN);
    wait_hanging(1);
    for (unsigned i = 0; i < ACCOUNTS_QUEUE; i++) {
        (void) snprintf(text, sizeof text, "n%u", i);
        QUICK_ASSERT(look(accounts, text) == ACCOUNT_UNKNOWN, "%s", text);
    }
    ck_assert_int_eq(accounts_uid(accounts, 1000, NULL, now, &person), ACCOUNT_UNKNOWN);
    ck_assert_int_eq(accounts_uid(accounts, 4242, NULL, now, &person), ACCOUNT_UNKNOWN);
    /* One more thread, for what has waited so long: it begins with the uids, in their order. */
    now += ACCOUNTS_HURRY_USEC;
    ck_assert(!accounts_take(accounts, now));
    wait_hanging(2);
    take(accounts);
    ck_assert_int_eq(accounts_uid(accounts, 1000, NULL, now, &person), ACCOUNT_TAKEN);
    ck_assert_str_eq(person.login, "alice");
    ck_assert_uint_eq(fake_read(&fake.n_by_name), 1);
    fixture_end(accounts);
}
END_TEST

/* However often it is looked for, it is asked once. */
START_TEST(test_once)
{
    Accounts *accounts = fixture_begin();

    for (unsigned i = 0; i < 10; i++)
        ck_assert_int_eq(look(accounts, "hang"), ACCOUNT_UNKNOWN);
    wait_hanging(1);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_int_eq(look(accounts, "hang"), ACCOUNT_UNKNOWN);
    ck_assert(!accounts_take(accounts, now));
    /* Nor is it asked again while a thread still hangs in it. */
    for (unsigned i = 0; i < 100; i++) {
        now += ACCOUNTS_PATIENCE_USEC;
        (void) accounts_take(accounts, now);
        ck_assert_int_eq(look(accounts, "hang"), ACCOUNT_TIMEOUT);
        ck_assert_uint_eq(accounts_due(accounts), UINT64_MAX);
    }
    ck_assert_uint_eq(fake_read(&fake.n_by_name), 1);
    ck_assert_uint_eq(count_new_threads(), 1);
    fixture_end(accounts);
}
END_TEST

/* One is waited for, for so long; a late answer is one, too. */
START_TEST(test_timeout)
{
    Accounts *accounts = fixture_begin();
    uint64_t asked = now;

    ck_assert_int_eq(look(accounts, "hang"), ACCOUNT_UNKNOWN);
    wait_hanging(1);
    now = asked + 1;
    ck_assert(!accounts_take(accounts, now));
    ck_assert_uint_eq(accounts_due(accounts), asked + ACCOUNTS_PATIENCE_USEC);
    now = asked + ACCOUNTS_PATIENCE_USEC - 1;
    ck_assert_int_eq(look(accounts, "hang"), ACCOUNT_UNKNOWN);
    ck_assert(!accounts_take(accounts, now));
    now++;
    ck_assert_int_eq(look(accounts, "hang"), ACCOUNT_TIMEOUT);
    ck_assert(accounts_take(accounts, now));
    ck_assert(!accounts_take(accounts, now));
    ck_assert_uint_eq(accounts_due(accounts), UINT64_MAX);
    ck_assert_int_eq(look(accounts, "hang"), ACCOUNT_TIMEOUT);
    now += USEC_PER_SEC;
    fake_open();
    take(accounts);
    ck_assert_int_eq(look(accounts, "hang"), ACCOUNT_FREE);
    now += ACCOUNTS_KEEP_USEC - 1;
    ck_assert_int_eq(look(accounts, "hang"), ACCOUNT_FREE);
    now++;
    ck_assert_int_eq(look(accounts, "hang"), ACCOUNT_UNKNOWN);
    fixture_end(accounts);
}
END_TEST

/* What no thread began with in time is given up, and may be asked again after a while. */
START_TEST(test_timeout_queued)
{
    Accounts *accounts = fixture_begin();
    uint64_t asked;

    hang_all(accounts);
    asked = now;
    ck_assert_int_eq(look(accounts, "alice"), ACCOUNT_UNKNOWN);
    now = asked + ACCOUNTS_PATIENCE_USEC - 1;
    (void) accounts_take(accounts, now);
    ck_assert_int_eq(look(accounts, "alice"), ACCOUNT_UNKNOWN);
    ck_assert_uint_eq(accounts_due(accounts), asked + ACCOUNTS_PATIENCE_USEC);
    now++;
    ck_assert_int_eq(look(accounts, "alice"), ACCOUNT_TIMEOUT);
    ck_assert(accounts_take(accounts, now));
    ck_assert_uint_eq(accounts_due(accounts), UINT64_MAX);
    fake_open();
    wait_hanging(0);
    now = asked + ACCOUNTS_PATIENCE_USEC + ACCOUNTS_RETRY_USEC - 1;
    ck_assert_int_eq(look(accounts, "alice"), ACCOUNT_TIMEOUT);
    now++;
    ck_assert_int_eq(look(accounts, "alice"), ACCOUNT_UNKNOWN);
    ck_assert_int_eq(ask_quietly(accounts, "alice"), ACCOUNT_TAKEN);
    /* It was not asked the first time. */
    ck_assert_uint_eq(fake_read(&fake.n_by_name), ACCOUNTS_THREADS + 1);
    fixture_end(accounts);
}
END_TEST

/* While one thread hangs, another one answers the rest. */
START_TEST(test_hurry)
{
    Accounts *accounts = fixture_begin();
    uint64_t asked = now;

    ck_assert_int_eq(look(accounts, "hang"), ACCOUNT_UNKNOWN);
    wait_hanging(1);
    ck_assert_uint_eq(accounts_due(accounts), asked + ACCOUNTS_PATIENCE_USEC);
    now += 1000;
    ck_assert_int_eq(look(accounts, "alice"), ACCOUNT_UNKNOWN);
    ck_assert_uint_eq(accounts_due(accounts), now + ACCOUNTS_HURRY_USEC);
    now += ACCOUNTS_HURRY_USEC - 1;
    ck_assert(!accounts_take(accounts, now));
    ck_assert_uint_eq(count_new_threads(), 1);
    now++;
    ck_assert(!accounts_take(accounts, now));
    take(accounts);
    ck_assert_int_eq(look(accounts, "alice"), ACCOUNT_TAKEN);
    ck_assert_int_eq(look(accounts, "hang"), ACCOUNT_UNKNOWN);
    ck_assert_uint_eq(count_new_threads(), 2);
    fixture_end(accounts);
}
END_TEST

/* When all hang, what is known is known, and nothing else will be, until one of them comes back. */
START_TEST(test_stuck)
{
    Accounts *accounts = fixture_begin();
    uint64_t stuck;

    ck_assert_int_eq(ask_quietly(accounts, "alice"), ACCOUNT_TAKEN);
    hang_all(accounts);
    stuck = HARNESS_NOW + ACCOUNTS_PATIENCE_USEC;
    now = stuck - 1;
    ck_assert_int_eq(look(accounts, "dave"), ACCOUNT_UNKNOWN);
    now++;
    ck_assert_int_eq(look(accounts, "erin"), ACCOUNT_TIMEOUT);
    ck_assert_int_eq(look(accounts, "alice"), ACCOUNT_TAKEN);
    ck_assert(accounts_take(accounts, now));
    /* Who was before that waits its time. */
    ck_assert_int_eq(look(accounts, "dave"), ACCOUNT_UNKNOWN);
    ck_assert_uint_eq(accounts_due(accounts), stuck - 1 + ACCOUNTS_PATIENCE_USEC);
    ck_assert_uint_eq(count_new_threads(), ACCOUNTS_THREADS);
    ck_assert_uint_eq(fake_read(&fake.n_by_name), 1 + ACCOUNTS_THREADS);
    fake_open();
    ck_assert_int_eq(ask_quietly(accounts, "dave"), ACCOUNT_FREE);
    ck_assert_int_eq(ask_quietly(accounts, "erin"), ACCOUNT_FREE);
    fixture_end(accounts);
}
END_TEST

/* Ending waits for nobody: not for who hangs, nor for what is queued. */
START_TEST(test_free_hanging)
{
    Accounts *accounts = fixture_begin();
    uint64_t before;

    hang_all(accounts);
    ck_assert_int_eq(look(accounts, "alice"), ACCOUNT_UNKNOWN);
    before = clock_monotonic();
    ck_assert_ptr_null(accounts_free(accounts));
    ck_assert_uint_lt(clock_monotonic() - before, 10 * USEC_PER_SEC);
    ck_assert_uint_eq(fake_read(&fake.n_hanging), ACCOUNTS_THREADS);
    ck_assert_uint_eq(count_new_threads(), ACCOUNTS_THREADS);
    fake_open();
    wait_threads(0);
    ck_assert_uint_eq(fake_read(&fake.n_by_name), ACCOUNTS_THREADS);
}
END_TEST

/* Answers that nobody took. */
START_TEST(test_free_answered)
{
    struct pollfd pollfd = {.events = POLLIN};
    Accounts *accounts = fixture_begin();

    pollfd.fd = accounts_fd(accounts);
    ck_assert_int_eq(look(accounts, "alice"), ACCOUNT_UNKNOWN);
    ck_assert_int_eq(poll(&pollfd, 1, DEADLINE_SECONDS * 1000), 1);
    fixture_end(accounts);
}
END_TEST

/* A thread ends when there is nothing to do for a second; the next question has another one. */
START_TEST(test_idle)
{
    Accounts *accounts = fixture_begin();
    uint64_t before;

    for (unsigned i = 0; i < 2; i++) {
        before = clock_monotonic();
        ck_assert_int_eq(ask_quietly(accounts, i == 0 ? "alice" : "dave"),
                         i == 0 ? ACCOUNT_TAKEN : ACCOUNT_FREE);
        wait_threads(0);
        ck_assert_uint_ge(clock_monotonic() - before, USEC_PER_SEC * 9 / 10);
    }
    ck_assert(!is_readable(accounts));
    ck_assert_uint_eq(accounts_due(accounts), UINT64_MAX);
    fixture_end(accounts);
}
END_TEST

/* A sum of 2 to the power of the descriptors of the thread `tid`; those from 63 on are one. */
static uint64_t descriptors_of(pid_t tid)
{
    uint64_t all = 0;
    DIR *directory;
    char path[64];

    (void) snprintf(path, sizeof path, "/proc/self/task/%d/fd", (int) tid);
    directory = opendir(path);
    ck_assert_ptr_nonnull(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (entry->d_name[0] != '.')
            all |= UINT64_C(1) << MIN(atoi(entry->d_name), 63);
    (void) closedir(directory);
    return all;
}

/* A thread has no copies of our descriptors, and we still have them all. */
START_TEST(test_descriptors)
{
    int low[2], high[2];
    Accounts *accounts;
    uint64_t mine;
    char byte;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, low), 0);
    accounts = fixture_begin();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, high), 0);
    ck_assert_int_eq(look(accounts, "hang"), ACCOUNT_UNKNOWN);
    wait_hanging(1);
    mine = UINT64_C(1) << accounts_fd(accounts) | 7;
    /* Those that only valgrind has are above. */
    ck_assert_uint_eq(descriptors_of(fake.thread) & (UINT64_MAX >> 1) & ~mine, 0);
    ck_assert_uint_ne(descriptors_of(fake.thread) & UINT64_C(1) << accounts_fd(accounts), 0);
    for (unsigned i = 0; i < 2; i++) {
        int *pair = i == 0 ? low : high;

        ck_assert_int_eq(write(pair[0], "x", 1), 1);
        ck_assert_int_eq(read(pair[1], &byte, 1), 1);
        (void) close(pair[0]);
        ck_assert_int_eq(read(pair[1], &byte, 1), 0);
        (void) close(pair[1]);
    }
    ck_assert_uint_eq(fake_read(&fake.n_hanging), 1);
    fixture_end(accounts);
}
END_TEST

/* Signals are for the loop. */
START_TEST(test_signals)
{
    unsigned long long blocked = 0;
    Accounts *accounts = fixture_begin();
    char path[64], line[256];
    FILE *file;

    ck_assert_int_eq(look(accounts, "hang"), ACCOUNT_UNKNOWN);
    wait_hanging(1);
    (void) snprintf(path, sizeof path, "/proc/self/task/%d/status", (int) fake.thread);
    file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "SigBlk: %llx", &blocked) == 1)
            break;
    (void) fclose(file);
    for (int i = 0; i < 4; i++) {
        static const int signals[] = {SIGTERM, SIGHUP, SIGINT, SIGCHLD};

        ck_assert_uint_ne(blocked & 1ULL << (signals[i] - 1), 0);
    }
    fixture_end(accounts);
}
END_TEST

/* The kernel refuses close_range(2) to this process, as a system call filter may. */
static void refuse_close_range(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = N_ELEMENTS(code), .filter = code};

    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    EXPECT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
    EXPECT(close_range(1000, 1001, 0) < 0 && errno == EPERM);
}

static void run_refused(void)
{
    Accounts *accounts = fixture_begin();
    int fds[2], pipe_fds[2], number = accounts_fd(accounts);
    char byte;

    refuse_close_range();
    EXPECT(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) == 0);
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    EXPECT(ask_quietly(accounts, "alice") == ACCOUNT_TAKEN);
    EXPECT(look(accounts, "hang") == ACCOUNT_UNKNOWN);
    wait_hanging(1);
    EXPECT(descriptors_of(fake.thread) == descriptors_of(getpid()));
    EXPECT(write(fds[0], "x", 1) == 1 && read(fds[1], &byte, 1) == 1);
    (void) close(fds[0]);
    EXPECT(read(fds[1], &byte, 1) == 0);
    /* What has the eventfd's number next is not written to. */
    (void) accounts_free(accounts);
    EXPECT(dup2(pipe_fds[1], number) == number);
    fake_open();
    wait_threads(0);
    EXPECT(read(pipe_fds[0], &byte, 1) < 0 && errno == EAGAIN);
}

/* Then the threads have our table: nothing in it is closed, and all else is as before. */
START_TEST(test_refused)
{
    pid_t child = fork();
    int status;

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        run_refused();
        /* What looks for leaks at the end of a process would find what the other tests have. */
        (void) kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
END_TEST

/* Anything, in any order: everybody gets the answer that is theirs. */
START_TEST(test_random)
{
    unsigned n = harness_is_slow() ? 2000 : 20000, n_told[ACCOUNT_TAKEN + 1] = {0};
    Accounts *accounts = fixture_begin();
    uint64_t seed = 1;

    for (unsigned i = 0; i < n; i++) {
        uint32_t uid = 1000 + random_below(&seed, 2000);
        AccountAnswer answer;
        AccountPerson person;

        switch (random_below(&seed, 16)) {
        case 0:
            (random_below(&seed, 2) == 0 ? fake_open : fake_shut)();
            break;
        case 1:
            (void) accounts_uid(accounts, 4242, random_below(&seed, 2) == 0 ? NULL : "wheel", now, &person);
            break;
        case 2:
            now += random_below(&seed, 2 * USEC_PER_SEC);
            break;
        case 3:
            (void) poll(NULL, 0, random_below(&seed, 2));
            break;
        default:
            answer = accounts_uid(accounts, uid, NULL, now, &person);
            n_told[answer]++;
            if (answer == ACCOUNT_TAKEN)
                QUICK_ASSERT(uid == 1000 && strcmp(person.login, "alice") == 0, "%u", uid);
            if (answer == ACCOUNT_FREE)
                QUICK_ASSERT(uid != 1000 && uid != 5000 && person.login[0] == '\0', "%u", uid);
        }
        if (is_readable(accounts))
            (void) accounts_take(accounts, now);
        /* What is due is done by taking; or a thread is just on its way to it. */
        for (uint64_t deadline = deadline_in(DEADLINE_SECONDS); accounts_due(accounts) <= now;) {
            (void) accounts_take(accounts, now);
            QUICK_ASSERT(clock_monotonic() < deadline, "%u", i);
        }
    }
    ck_assert_uint_gt(n_told[ACCOUNT_UNKNOWN], 0);
    ck_assert_uint_gt(n_told[ACCOUNT_FREE], 0);
    fixture_end(accounts);
}
END_TEST

UNIT_MAIN("accounts-threads", test_queue, test_uids_come_first, test_once, test_timeout, test_timeout_queued,
          test_hurry, test_stuck, test_free_hanging, test_free_answered, test_idle, test_descriptors,
          test_signals, test_refused, test_random)
