/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Which deaths are a process's own fault: each in a process of its own, which leaves word in memory that is
 * shared. */

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/fault.h"
#include "unit/harness.h"
#include "unit/unit.h"

static StateHeader *header;

/* What a process does to die. */
typedef void (*Deed)(void);

/* Who sends a signal instead. */
typedef enum Sender {
    NOBODY,
    PARENT,
    STRANGER,
} Sender;

static void child(Deed deed, int ready)
{
    static const struct rlimit no_core;

    (void) setrlimit(RLIMIT_CORE, &no_core);
    (void) signal(SIGTERM, SIG_DFL); /* libcheck has a handler for it */
    (void) signal(SIGQUIT, SIG_DFL); /* what a shell begins in the background ignores it */
    if (fault_watch(header) < 0)
        _exit(99);
    (void) !write(ready, "x", 1);
    if (deed != NULL)
        deed();
    else
        for (;;)
            (void) pause();
    _exit(0);
}

static void send_from_stranger(pid_t pid, int number)
{
    pid_t stranger = fork();

    ck_assert_int_ge(stranger, 0);
    if (stranger == 0)
        _exit(kill(pid, number) == 0 ? 0 : 1);
    ck_assert_int_eq(waitpid(stranger, NULL, 0), stranger);
}

/* The signal by which the process died; header->fault is what it says of that. */
static int die(Deed deed, Sender sender, int number)
{
    int ready[2], status;
    char byte;
    pid_t pid;

    if (header == NULL)
        header = mmap(NULL, sizeof *header, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(header, MAP_FAILED);
    memset(header, 0, sizeof *header);
    ck_assert_int_eq(pipe(ready), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        child(deed, ready[1]);
    (void) close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    (void) close(ready[0]);
    if (sender == PARENT)
        ck_assert_int_eq(kill(pid, number), 0);
    else if (sender == STRANGER)
        send_from_stranger(pid, number);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    /* Nothing else is touched. */
    for (size_t i = 0; i < sizeof *header; i++)
        if (i < offsetof(StateHeader, fault) || i >= offsetof(StateHeader, fault) + sizeof header->fault)
            ck_assert_int_eq(((char *) header)[i], 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static void do_store(void)
{
    int *volatile nowhere = (int *) (uintptr_t) 4096;

    *nowhere = 1;
}

static void do_jump(void)
{
    void (*volatile nowhere)(void) = (void (*)(void))(uintptr_t) 4096;

    nowhere();
}

/* Behind the end of a file. */
static void do_bus(void)
{
    int fd = memfd_create("empty", MFD_CLOEXEC);
    volatile char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    page[0] = 1;
}

static void do_raise_fpe(void)
{
    (void) raise(SIGFPE);
}

static void do_raise_ill(void)
{
    (void) raise(SIGILL);
}

static void do_raise_abort(void)
{
    (void) raise(SIGABRT);
}

static void do_kill_self(void)
{
    (void) kill(getpid(), SIGSEGV);
}

/* Never 0, which the compiler can not know. */
static int recurse(volatile char *above)
{
    volatile char here[4096];

    here[0] = above[0];
    return here[0] == 0 ? 0 : recurse(here) + here[0];
}

static void do_overflow(void)
{
    volatile char here[1] = {1};

    (void) recurse(here);
}

static void *in_thread(void *unused)
{
    do_store();
    return unused;
}

static void do_in_thread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, in_thread, NULL) == 0)
        (void) pthread_join(thread, NULL);
}

typedef struct Case {
    Deed deed;
    int number;
} Case;

static void check_own(const Case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int number = die(cases[i].deed, NOBODY, 0);

        ck_assert_msg(number == cases[i].number && header->fault == (uint32_t) cases[i].number,
                      "case %zu: signal %d, fault %u", i, number, header->fault);
    }
}

START_TEST(test_own)
{
    static const Case cases[] = {
        {do_store, SIGSEGV},    {do_jump, SIGSEGV},      {do_bus, SIGBUS},
        {do_overflow, SIGSEGV}, {do_in_thread, SIGSEGV},
    };

    check_own(cases, N_ELEMENTS(cases));
}
END_TEST

/* Valgrind loses a signal that is sent to one that handles it, now and then. */
START_TEST(test_own_signals)
{
    static const Case cases[] = {
        {abort, SIGABRT},       {do_raise_abort, SIGABRT}, {do_raise_fpe, SIGFPE},
        {do_raise_ill, SIGILL}, {do_kill_self, SIGSEGV},
    };

    if (!harness_is_slow())
        check_own(cases, N_ELEMENTS(cases));
}
END_TEST

/* The manager aborts what hangs. */
START_TEST(test_manager)
{
    if (harness_is_slow())
        return;
    ck_assert_int_eq(die(NULL, PARENT, SIGABRT), SIGABRT);
    ck_assert_uint_eq(header->fault, SIGABRT);
}
END_TEST

/* Whatever somebody else sends, and what the manager sends for other reasons. */
START_TEST(test_others)
{
    static const int NUMBERS[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGKILL, SIGTERM, SIGQUIT};

    for (size_t i = 0; !harness_is_slow() && i < N_ELEMENTS(NUMBERS); i++) {
        ck_assert_int_eq(die(NULL, STRANGER, NUMBERS[i]), NUMBERS[i]);
        ck_assert_uint_eq(header->fault, 0);
        if (NUMBERS[i] == SIGABRT)
            continue;
        ck_assert_int_eq(die(NULL, PARENT, NUMBERS[i]), NUMBERS[i]);
        ck_assert_uint_eq(header->fault, 0);
    }
}
END_TEST

static void do_end(void)
{
    _exit(7);
}

static void do_forget(void)
{
    fault_forget();
    do_store();
}

START_TEST(test_no_fault)
{
    ck_assert_int_eq(die(do_end, NOBODY, 0), -7);
    ck_assert_uint_eq(header->fault, 0);
    /* The header may be gone when a process ends, so nothing is said then. */
    ck_assert_int_eq(die(do_forget, NOBODY, 0), SIGSEGV);
    ck_assert_uint_eq(header->fault, 0);
}
END_TEST

UNIT_MAIN("fault", test_own, test_own_signals, test_manager, test_others, test_no_fault)
