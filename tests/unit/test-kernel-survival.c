/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What surviving the death of the process takes for granted of the kernel, each with a test: connections in a
 * vault, how far a local one was read, memory, signals. See test-kernel-counters.c for what TCP counts. */

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/proc.h"
#include "unit/sockets.h"
#include "unit/unit.h"

enum { SOON_MS = 10000, NOT_AT_ALL_MS = 50 };

static unsigned below(unsigned short seed[3], unsigned n)
{
    return (unsigned) nrand48(seed) % n;
}

/* Whatever becomes of the test, it does not stay. */
static pid_t fork_mortal(void)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    return pid;
}

static void limit_descriptors(pid_t pid, rlim_t n)
{
    struct rlimit limit;

    ck_assert_int_eq(prlimit(pid, RLIMIT_NOFILE, NULL, &limit), 0);
    limit.rlim_cur = n;
    ck_assert_int_eq(prlimit(pid, RLIMIT_NOFILE, &limit, NULL), 0);
}

/* Another process does it and is killed. It gets its limit from outside, once it runs: valgrind plays the one
 * that a process sets itself. */
static void do_and_die(void (*act)(void *), void *argument, rlim_t n_descriptors)
{
    int begin[2], status;
    char byte;
    pid_t pid;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, begin), 0);
    pid = fork_mortal();
    if (pid == 0) {
        (void) close(begin[0]);
        put(begin[1], "!");
        ck_assert_int_eq(recv(begin[1], &byte, 1, 0), 0);
        act(argument);
        (void) raise(SIGKILL);
    }
    begin[1] = fd_close(begin[1]);
    ck_assert_int_eq(recv(begin[0], &byte, 1, 0), 1);
    if (n_descriptors > 0)
        limit_descriptors(pid, n_descriptors);
    close_pair(begin);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Descriptors in flight */

enum { VAULT_MAX = 256 };

/* With the buffer that every process may ask for; the default has room for 256, but not for many more. */
static void open_vault(int vault[2])
{
    int size = 212992;

    open_local(vault);
    ck_assert_int_eq(setsockopt(vault[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
}

static bool vault_put(int vault, int fd, uint64_t serial)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control = {
        .header = {.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec part = {.iov_base = &serial, .iov_len = sizeof serial};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};

    (void) memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    return sendmsg(vault, &message, MSG_NOSIGNAL) == sizeof serial;
}

/* The next one, or -1; `ret_flags` says whether one was there that did not fit into this process. There is
 * room for much more than one. */
static int vault_get(int vault, int flags, uint64_t *ret_serial, int *ret_flags)
{
    union {
        char bytes[CMSG_SPACE(8 * sizeof(int))];
        struct cmsghdr header;
    } control;
    uint64_t serials[8];
    struct iovec part = {.iov_base = serials, .iov_len = sizeof serials};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(vault, &message, flags | MSG_CMSG_CLOEXEC);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    int fd = -1;

    *ret_flags = n < 0 ? 0 : message.msg_flags;
    if (n <= 0)
        return -1;
    ck_assert_int_eq(n, sizeof *ret_serial);
    *ret_serial = serials[0];
    if (header != NULL) {
        ck_assert_int_eq(header->cmsg_type, SCM_RIGHTS);
        ck_assert_uint_eq(header->cmsg_len, CMSG_LEN(sizeof fd));
        (void) memcpy(&fd, CMSG_DATA(header), sizeof fd);
    }
    return fd;
}

static void set_peek_offset(int fd, int offset)
{
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof offset), 0);
}

static int peek_offset(int fd)
{
    socklen_t n = sizeof(int);
    int offset = -2;

    ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, &n), 0);
    return offset;
}

/* With memory files, so that it is seen which one it is. */
static void fill_vault(void *vault)
{
    for (uint64_t i = 0; i < VAULT_MAX; i++) {
        int fd = memfd_create("test", MFD_CLOEXEC);

        ck_assert_int_eq(pwrite(fd, &i, sizeof i, 0), sizeof i);
        ck_assert(vault_put(*(int *) vault, fd, 1000 + i));
        (void) close(fd);
    }
}

static void check_vault(int vault, int flags)
{
    uint64_t serial, content;
    int fd, result;

    for (uint64_t i = 0; i < VAULT_MAX; i++) {
        fd = vault_get(vault, flags, &serial, &result);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(result & MSG_CTRUNC, 0);
        ck_assert_uint_eq(serial, 1000 + i);
        ck_assert_int_eq(pread(fd, &content, sizeof content, 0), sizeof content);
        ck_assert_uint_eq(content, i);
        (void) close(fd);
    }
    ck_assert_int_eq(vault_get(vault, flags, &serial, &result), -1);
    ck_assert_int_eq(errno, EAGAIN);
}

static void peek_some(void *vault)
{
    uint64_t serial;
    int result;

    set_peek_offset(*(int *) vault, 0);
    for (unsigned i = 0; i < 100; i++)
        ck_assert_int_ge(vault_get(*(int *) vault, MSG_PEEK, &serial, &result), 0);
}

/* What waits in it outlives who put it there, and who looked at it. */
START_TEST(test_vault)
{
    int vault[2];

    open_vault(vault);
    do_and_die(fill_vault, &vault[0], 0);
    for (unsigned i = 0; i < 3; i++) {
        do_and_die(peek_some, &vault[1], 0);
        ck_assert_int_eq(peek_offset(vault[1]), 100 * sizeof(uint64_t));
        set_peek_offset(vault[1], 0);
        check_vault(vault[1], MSG_PEEK);
        /* Where a look finds nothing now, this still says which of the two ends has the queue. */
        ck_assert_uint_eq(queue_of(vault[1], SIOCINQ), VAULT_MAX * sizeof(uint64_t));
        ck_assert_uint_eq(queue_of(vault[0], SIOCINQ), 0);
    }
    check_vault(vault[1], 0);
    close_pair(vault);
}
END_TEST

/* 256 fit with room to spare, and it says when it is full. */
START_TEST(test_vault_full)
{
    int vault[2], result;
    unsigned n_put = 0;
    uint64_t serial;

    open_vault(vault);
    while (vault_put(vault[0], vault[1], n_put))
        n_put++;
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_uint_ge(n_put, VAULT_MAX * 3 / 2);
    /* Looking makes no room. */
    set_peek_offset(vault[1], 0);
    for (unsigned i = 0; i < n_put; i++) {
        (void) close(vault_get(vault[1], MSG_PEEK, &serial, &result));
        ck_assert_uint_eq(serial, i);
    }
    ck_assert(!vault_put(vault[0], vault[1], n_put));
    close_pair(vault);
}
END_TEST

enum { FEW = 40 };

static void peek_till_full(void *argument)
{
    int vault = *(int *) argument, result;
    uint64_t serial, next = 1000;

    set_peek_offset(vault, 0);
    while (vault_get(vault, MSG_PEEK, &serial, &result) >= 0) {
        ck_assert_int_eq(result & MSG_CTRUNC, 0);
        ck_assert_uint_eq(serial, next++);
    }
    /* This one, and all that follow, are skipped. */
    do {
        ck_assert_int_eq(result & MSG_CTRUNC, MSG_CTRUNC);
        ck_assert_uint_eq(serial, next++);
        ck_assert_int_eq(vault_get(vault, MSG_PEEK, &serial, &result), -1);
    } while (result != 0);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_uint_eq(next, 1000 + VAULT_MAX);
}

/* Where a process has no descriptor left it learns the serial, and nothing is lost. */
START_TEST(test_vault_no_descriptors)
{
    int vault[2];

    open_vault(vault);
    do_and_die(fill_vault, &vault[0], 0);
    do_and_die(peek_till_full, &vault[1], FEW);
    set_peek_offset(vault[1], 0);
    check_vault(vault[1], MSG_PEEK);
    close_pair(vault);
}
END_TEST

static void overfill(void *vault)
{
    unsigned n_put = 0;

    /* Root may put as many as it likes. */
    if (geteuid() == 0)
        ck_assert(setgid(65534) == 0 && setuid(65534) == 0);
    while (vault_put(*(int *) vault, STDIN_FILENO, n_put))
        n_put++;
    ck_assert_int_eq(errno, ETOOMANYREFS);
    ck_assert_uint_le(n_put, FEW + 1);
}

/* A user has no more descriptors in flight, in all its pairs, than a process of it may have open. */
START_TEST(test_vault_limit)
{
    int vault[2];

    open_vault(vault);
    do_and_die(overfill, &vault[0], FEW);
    close_pair(vault);
}
END_TEST

/* A connection that has a copy in the vault ends by shutdown(2), and not by close(2). */
START_TEST(test_vault_connection)
{
    for (unsigned is_tcp = 0; is_tcp < 2; is_tcp++) {
        struct pollfd polled = {.events = POLLIN | POLLRDHUP};
        int vault[2], fds[2], result;
        uint64_t serial;
        char bytes[16];

        open_vault(vault);
        if (is_tcp)
            open_tcp(fds);
        else
            open_local(fds);
        ck_assert(vault_put(vault[0], fds[1], 1));
        (void) close(fds[1]);
        polled.fd = fds[0];
        ck_assert_int_eq(poll(&polled, 1, NOT_AT_ALL_MS), 0);
        put(fds[0], "unread");
        set_peek_offset(vault[1], 0);
        fds[1] = vault_get(vault[1], MSG_PEEK, &serial, &result);
        put(fds[1], "goodbye");
        ck_assert_int_eq(shutdown(fds[1], SHUT_RDWR), 0);
        fds[1] = fd_close(fds[1]);
        polled.events = POLLRDHUP;
        ck_assert_int_eq(poll(&polled, 1, SOON_MS), 1);
        ck_assert_int_eq(recv(fds[0], bytes, sizeof bytes, 0), STRLEN("goodbye"));
        ck_assert_int_eq(recv(fds[0], bytes, sizeof bytes, 0), 0);
        /* What is left in the vault is of no use, and says so. */
        set_peek_offset(vault[1], 0);
        fds[1] = vault_get(vault[1], MSG_PEEK, &serial, &result);
        ck_assert_int_eq(send(fds[1], "x", 1, MSG_NOSIGNAL), -1);
        ck_assert_int_eq(errno, EPIPE);
        close_pair(fds);
        close_pair(vault);
    }
}
END_TEST

/* How far a local connection was read */

/* The offset is moved by what is peeked, and back by what is taken, wherever one message ends and the next
 * begins. */
START_TEST(test_peek_offset_random)
{
    static char bytes[5000], pattern[sizeof bytes + 251];
    unsigned short seed[3] = {12, 13, 14};
    size_t n_sent = 0, n_taken = 0, offset = 0;
    int fds[2];

    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (char) (i % 251);
    open_local(fds);
    ck_assert_int_eq(peek_offset(fds[1]), -1);
    set_peek_offset(fds[1], 0);
    for (unsigned i = 0; i < 6000; i++) {
        size_t size = 1 + below(seed, below(seed, 2) ? 10 : sizeof bytes), n_there = n_sent - n_taken;
        unsigned kind = below(seed, 6);
        ssize_t n;

        if (kind == 0) {
            set_peek_offset(fds[1], 0);
            offset = 0;
        } else if (kind < 3 && n_there < 50000) {
            ck_assert_int_eq(send(fds[0], pattern + n_sent % 251, size, MSG_NOSIGNAL), (ssize_t) size);
            n_sent += size;
        } else if (kind < 5) {
            n = recv(fds[1], bytes, size, MSG_PEEK);
            ck_assert_int_eq(n, n_there <= offset ? -1 : (ssize_t) MIN(size, n_there - offset));
            if (n > 0)
                ck_assert_mem_eq(bytes, pattern + (n_taken + offset) % 251, (size_t) n);
            offset += n > 0 ? (size_t) n : 0;
        } else {
            n = recv(fds[1], bytes, size, below(seed, 2) ? MSG_TRUNC : 0);
            ck_assert_int_eq(n, n_there == 0 ? -1 : (ssize_t) MIN(size, n_there));
            if (n > 0) {
                n_taken += (size_t) n;
                offset -= MIN(offset, (size_t) n);
            }
        }
        ck_assert_int_eq(peek_offset(fds[1]), (int) offset);
        ck_assert_uint_eq(queue_of(fds[1], SIOCINQ), n_sent - n_taken);
    }
    close_pair(fds);
}
END_TEST

/* A server that looks at ten bytes, takes four, and is killed. */
static void read_a_little(void *vault)
{
    char bytes[16];
    int fds[2];

    open_local(fds);
    ck_assert(vault_put(*(int *) vault, fds[0], 0));
    ck_assert(vault_put(*(int *) vault, fds[1], 1));
    set_peek_offset(fds[1], 0);
    put(fds[0], "hello ");
    put(fds[0], "there");
    ck_assert_int_eq(recv(fds[1], bytes, 10, MSG_PEEK), 10);
    ck_assert_int_eq(recv(fds[1], bytes, 4, MSG_TRUNC), 4);
}

/* The next process finds the offset, and the rest; at the end of file nothing moves. */
START_TEST(test_peek_offset_inherited)
{
    int vault[2], fds[2], result;
    char bytes[16];
    uint64_t serial;

    open_vault(vault);
    do_and_die(read_a_little, &vault[0], 0);
    for (unsigned i = 0; i < 2; i++)
        fds[i] = vault_get(vault[1], 0, &serial, &result);
    ck_assert_int_eq(peek_offset(fds[1]), 6);
    ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_PEEK), 1);
    ck_assert_int_eq(bytes[0], 'e');
    ck_assert_int_eq(peek_offset(fds[1]), 7);
    ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_PEEK), -1);
    ck_assert_int_eq(errno, EAGAIN);
    fds[0] = fd_close(fds[0]);
    ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_PEEK), 0);
    ck_assert_int_eq(recv(fds[1], bytes, 0, MSG_PEEK), 0);
    ck_assert_int_eq(peek_offset(fds[1]), 7);
    set_peek_offset(fds[1], 0);
    ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_PEEK), 7);
    ck_assert_mem_eq(bytes, "o there", 7);
    ck_assert_int_eq(recv(fds[1], bytes, 9, 0), 7);
    ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, 0), 0);
    ck_assert_int_eq(peek_offset(fds[1]), 0);
    close_pair(fds);
    close_pair(vault);
}
END_TEST

/* A client may send descriptors, which nobody asked for: a look, and what is taken after it, end with their
 * message, and they are closed. */
START_TEST(test_peek_offset_rights)
{
    char bytes[32];
    int fds[2];

    open_local(fds);
    set_peek_offset(fds[1], 0);
    put(fds[0], "before");
    ck_assert(vault_put(fds[0], fds[1], 0));
    put(fds[0], "after");
    for (unsigned i = 0; i < 2; i++) {
        set_peek_offset(fds[1], 0);
        ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_PEEK), 14);
    }
    ck_assert_int_eq(recv(fds[1], bytes, 10, MSG_TRUNC), 10);
    ck_assert_int_eq(peek_offset(fds[1]), 4);
    set_peek_offset(fds[1], 0);
    ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_PEEK), 9);
    ck_assert_int_eq(recv(fds[1], bytes, 9, MSG_TRUNC), 9);
    ck_assert_int_eq(peek_offset(fds[1]), 0);
    close_pair(fds);
}
END_TEST

/* Memory */

enum { SLOTS = 4096 };

/* Two words in different pages: the second one follows the first. */
static void store_for_ever(int fd)
{
    volatile uint64_t *words = mmap(NULL, SLOTS * sizeof *words, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    for (uint64_t i = 1;; i++) {
        words[0] = i;
        words[SLOTS - 1] = i;
    }
}

/* No store is lost when its process is killed, and none overtakes another. */
START_TEST(test_memory_of_dead)
{
    for (unsigned i = 0; i < 20; i++) {
        int fd = memfd_create("test", MFD_CLOEXEC);
        volatile uint64_t *words;
        pid_t pid;

        ck_assert_int_eq(ftruncate(fd, SLOTS * sizeof *words), 0);
        words = mmap(NULL, SLOTS * sizeof *words, PROT_READ, MAP_SHARED, fd, 0);
        ck_assert(words != MAP_FAILED);
        pid = fork_mortal();
        if (pid == 0)
            store_for_ever(fd);
        while (words[SLOTS - 1] < 1000)
            (void) sched_yield();
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        ck_assert_uint_ge(words[SLOTS - 1], 1000);
        ck_assert(words[0] == words[SLOTS - 1] || words[0] == words[SLOTS - 1] + 1);
        (void) munmap((void *) (uintptr_t) words, SLOTS * sizeof *words);
        (void) close(fd);
    }
}
END_TEST

/* What a signal says of where it comes from */

enum { READY = -1 };

typedef struct Death {
    int signal, code;
    pid_t pid;
} Death;

/* In memory that is shared with the process that asks. */
static volatile Death *death;

static void on_signal(int number, siginfo_t *info, _unused_ void *context)
{
    *death = (Death){.signal = number, .code = info->si_code, .pid = info->si_pid};
}

static void die_by_abort(void)
{
    abort();
}

static void die_by_segv(void)
{
    volatile char *page = mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *page = 1;
}

/* Beyond the end of a file. */
static void die_by_bus(void)
{
    volatile char *page = mmap(NULL, 1, PROT_WRITE, MAP_SHARED, memfd_create("test", MFD_CLOEXEC), 0);

    *page = 1;
}

static void wait_for_signal(void)
{
    death->signal = READY;
    (void) poll(NULL, 0, -1);
}

static pid_t start_dying(void (*act)(void), int number)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = (int) (SA_SIGINFO | SA_RESETHAND)};
    pid_t pid = fork_mortal();

    if (pid == 0) {
        /* No core file. */
        (void) prctl(PR_SET_DUMPABLE, 0);
        (void) sigaction(number, &action, NULL);
        act();
        (void) raise(SIGKILL);
    }
    return pid;
}

/* A fault has a code above 0, abort(3) is by the process itself, and kill(2) says who it was. */
START_TEST(test_signal_origin)
{
    static const struct {
        void (*act)(void);
        int signal;
        bool is_fault, is_sent;
    } rows[] = {
        {die_by_segv, SIGSEGV, .is_fault = true},    {die_by_bus, SIGBUS, .is_fault = true},
        {die_by_abort, SIGABRT, .is_sent = false},   {wait_for_signal, SIGABRT, .is_sent = true},
        {wait_for_signal, SIGSEGV, .is_sent = true},
    };

    death = mmap(NULL, sizeof *death, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(death != MAP_FAILED);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        pid_t pid;

        *death = (Death){0};
        pid = start_dying(rows[i].act, rows[i].signal);
        /* Within poll(2): valgrind can lose a signal that comes at another time, or fail by it. */
        while (rows[i].is_sent && (death->signal != READY || !proc_is_asleep(pid)))
            (void) sched_yield();
        if (rows[i].is_sent)
            ck_assert_int_eq(kill(pid, rows[i].signal), 0);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        ck_assert_int_eq(death->signal, rows[i].signal);
        if (rows[i].is_fault) {
            ck_assert_int_gt(death->code, 0);
            continue;
        }
        ck_assert_int_eq(death->code, rows[i].is_sent ? SI_USER : SI_TKILL);
        ck_assert_int_eq(death->pid, rows[i].is_sent ? getpid() : pid);
    }
}
END_TEST

UNIT_MAIN("kernel-survival", test_vault, test_vault_full, test_vault_no_descriptors, test_vault_limit,
          test_vault_connection, test_peek_offset_random, test_peek_offset_inherited, test_peek_offset_rights,
          test_memory_of_dead, test_signal_origin)
