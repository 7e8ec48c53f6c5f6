/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What host/ takes for granted of the kernel, each with a test: where one of these fails, chatd can not work
 * there. */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/unit.h"

enum { TCP_STREAM, LOCAL_STREAM, N_KINDS };

/* How long something may take that happens at once. */
enum { SOON_MS = 10000, NOT_AT_ALL_MS = 50 };

static int listen_tcp(struct sockaddr_in *ret_address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t n = sizeof *ret_address;

    *ret_address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *) ret_address, sizeof *ret_address), 0);
    ck_assert_int_eq(listen(fd, 10), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *) ret_address, &n), 0);
    return fd;
}

/* fds[0] is the client's end, fds[1] the server's, which does not block. */
static void open_pair_at(int listener, const struct sockaddr_in *address, int fds[2])
{
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fds[0], 0);
    ck_assert_int_eq(connect(fds[0], (const struct sockaddr *) address, sizeof *address), 0);
    fds[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ck_assert_int_ge(fds[1], 0);
}

static void open_pair(int kind, int fds[2])
{
    struct sockaddr_in address;
    int listener;

    if (kind == LOCAL_STREAM) {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        ck_assert_int_eq(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
        return;
    }
    listener = listen_tcp(&address);
    open_pair_at(listener, &address, fds);
    (void) close(listener);
}

static void close_pair(int fds[2])
{
    (void) close(fds[0]);
    (void) close(fds[1]);
}

/* So that what the client sends has arrived. */
static void wait_for(int fd, short events)
{
    struct pollfd polled = {.fd = fd, .events = events};

    ck_assert_int_eq(poll(&polled, 1, SOON_MS), 1);
}

static void wait_for_bytes(int fd, int n)
{
    int queued = 0;

    for (unsigned i = 0; i < SOON_MS && queued < n; i++) {
        ck_assert_int_eq(ioctl(fd, FIONREAD, &queued), 0);
        if (queued < n)
            (void) poll(NULL, 0, 1);
    }
    ck_assert_int_eq(queued, n);
}

static void put(int fd, const char *text)
{
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t) strlen(text));
}

START_TEST(test_peek_leaves)
{
    for (int kind = 0; kind < N_KINDS; kind++) {
        char bytes[16];
        int fds[2];

        open_pair(kind, fds);
        ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT), -1);
        ck_assert_int_eq(errno, EAGAIN);
        put(fds[0], "hello");
        wait_for_bytes(fds[1], 5);
        for (unsigned i = 0; i < 3; i++)
            ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT), 5);
        /* In two pieces: a look sees both. */
        put(fds[0], " there");
        wait_for_bytes(fds[1], 11);
        ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT), 11);
        ck_assert_mem_eq(bytes, "hello there", 11);
        close_pair(fds);
    }
}
END_TEST

/* With MSG_TRUNC so many bytes are taken out, and not one more; TCP does not touch the buffer. */
START_TEST(test_truncate_takes)
{
    for (int kind = 0; kind < N_KINDS; kind++) {
        char bytes[16] = "untouched";
        int fds[2];

        open_pair(kind, fds);
        put(fds[0], "hello there");
        wait_for_bytes(fds[1], 11);
        ck_assert_int_eq(recv(fds[1], bytes, 6, MSG_DONTWAIT | MSG_TRUNC), 6);
        if (kind == TCP_STREAM)
            ck_assert_str_eq(bytes, "untouched");
        ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT), 5);
        ck_assert_mem_eq(bytes, "there", 5);
        ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC), 5);
        ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_DONTWAIT), -1);
        ck_assert_int_eq(errno, EAGAIN);
        close_pair(fds);
    }
}
END_TEST

static int watch(int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    ck_assert_int_ge(epoll, 0);
    ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
    return epoll;
}

/* The next event; 0 if there is none. */
static uint32_t next_event(int epoll, int timeout)
{
    struct epoll_event event;

    return epoll_wait(epoll, &event, 1, timeout) == 1 ? event.events : 0;
}

/* Bytes that wait unread are no event, and each new arrival is one, whether the old ones were looked at or
 * not. */
START_TEST(test_edge)
{
    for (int kind = 0; kind < N_KINDS; kind++) {
        char bytes[16];
        int fds[2], epoll;

        open_pair(kind, fds);
        epoll = watch(fds[1], EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET);
        ck_assert_uint_eq(next_event(epoll, 0), 0);
        for (unsigned i = 0; i < 10; i++) {
            put(fds[0], "x");
            ck_assert_uint_eq(next_event(epoll, SOON_MS), EPOLLIN);
            if (i % 2)
                ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT), i + 1);
            ck_assert_uint_eq(next_event(epoll, i == 0 ? NOT_AT_ALL_MS : 0), 0);
        }
        /* A part is taken out: no event by itself, and the next arrival is one. */
        ck_assert_int_eq(recv(fds[1], bytes, 3, MSG_DONTWAIT | MSG_TRUNC), 3);
        ck_assert_uint_eq(next_event(epoll, NOT_AT_ALL_MS), 0);
        put(fds[0], "y");
        ck_assert_uint_eq(next_event(epoll, SOON_MS), EPOLLIN);
        (void) close(epoll);
        close_pair(fds);
    }
}
END_TEST

/* What waits when the descriptor is added is an event. */
START_TEST(test_edge_of_old)
{
    for (int kind = 0; kind < N_KINDS; kind++) {
        int fds[2], epoll;

        open_pair(kind, fds);
        put(fds[0], "x");
        wait_for(fds[1], POLLIN);
        epoll = watch(fds[1], EPOLLIN | EPOLLRDHUP | EPOLLET);
        ck_assert_uint_eq(next_event(epoll, SOON_MS), EPOLLIN);
        ck_assert_uint_eq(next_event(epoll, NOT_AT_ALL_MS), 0);
        (void) close(epoll);
        close_pair(fds);
    }
}
END_TEST

/* Changing what is waited for reports what is there, so asking for EPOLLOUT loses nothing. */
START_TEST(test_modify)
{
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
        int fds[2], epoll;

        open_pair(kind, fds);
        epoll = watch(fds[1], EPOLLIN | EPOLLET);
        put(fds[0], "x");
        ck_assert_uint_eq(next_event(epoll, SOON_MS), EPOLLIN);
        ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_MOD, fds[1], &event), 0);
        ck_assert_uint_eq(next_event(epoll, SOON_MS), EPOLLIN | EPOLLOUT);
        (void) close(epoll);
        close_pair(fds);
    }
}
END_TEST

/* A full socket buffer is an EPOLLOUT once there is room again. */
START_TEST(test_writable_again)
{
    for (int kind = 0; kind < N_KINDS; kind++) {
        static char bytes[65536];
        size_t sent = 0, got = 0;
        uint32_t events = 0;
        int fds[2], epoll;
        ssize_t n;

        open_pair(kind, fds);
        while ((n = send(fds[1], bytes, sizeof bytes, MSG_NOSIGNAL | MSG_DONTWAIT)) > 0)
            sent += (size_t) n;
        ck_assert_int_eq(errno, EAGAIN);
        epoll = watch(fds[1], EPOLLIN | EPOLLOUT | EPOLLET);
        ck_assert_uint_eq(next_event(epoll, NOT_AT_ALL_MS), 0);
        while (got < sent && !(events & EPOLLOUT)) {
            n = recv(fds[0], bytes, sizeof bytes, 0);
            ck_assert_int_gt(n, 0);
            got += (size_t) n;
            events = next_event(epoll, 0);
        }
        if (!(events & EPOLLOUT))
            events = next_event(epoll, SOON_MS);
        ck_assert(events & EPOLLOUT);
        (void) close(epoll);
        close_pair(fds);
    }
}
END_TEST

/* When the end of file is told, all that came before it can be read. */
START_TEST(test_hangup_after_data)
{
    static char bytes[100000];

    for (int kind = 0; kind < N_KINDS; kind++) {
        for (unsigned round = 0; round < 50; round++) {
            int fds[2], epoll;

            open_pair(kind, fds);
            epoll = watch(fds[1], EPOLLIN | EPOLLRDHUP | EPOLLET);
            ck_assert_int_eq(send(fds[0], bytes, 50000, MSG_NOSIGNAL), 50000);
            put(fds[0], "last");
            ck_assert_int_eq(shutdown(fds[0], SHUT_WR), 0);
            while (!(next_event(epoll, SOON_MS) & EPOLLRDHUP))
                ;
            ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT), 50004);
            ck_assert_mem_eq(bytes + 50000, "last", 4);
            ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_DONTWAIT), 50004);
            ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT), 0);
            (void) close(epoll);
            close_pair(fds);
            bytes[50000] = '\0';
        }
    }
}
END_TEST

/* After a half-close the other direction goes on, and its end of file comes after the last byte. */
START_TEST(test_half_close)
{
    for (int kind = 0; kind < N_KINDS; kind++) {
        char bytes[16];
        int fds[2];

        open_pair(kind, fds);
        put(fds[0], "hello");
        ck_assert_int_eq(shutdown(fds[0], SHUT_WR), 0);
        wait_for(fds[1], POLLRDHUP);
        ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_DONTWAIT), 5);
        ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_DONTWAIT), 0);
        put(fds[1], "good");
        put(fds[1], "bye");
        ck_assert_int_eq(shutdown(fds[1], SHUT_WR), 0);
        ck_assert_int_eq(recv(fds[0], bytes, 7, MSG_WAITALL), 7);
        ck_assert_mem_eq(bytes, "goodbye", 7);
        ck_assert_int_eq(recv(fds[0], bytes, sizeof bytes, 0), 0);
        close_pair(fds);
    }
}
END_TEST

/* Closing a TCP socket with something unread resets it; with everything read, the last words arrive. */
START_TEST(test_close_with_unread)
{
    for (unsigned is_read = 0; is_read < 2; is_read++) {
        char bytes[16];
        int fds[2];

        open_pair(TCP_STREAM, fds);
        put(fds[0], "unread");
        wait_for_bytes(fds[1], 6);
        put(fds[1], "last words");
        if (is_read) {
            ck_assert_int_eq(shutdown(fds[1], SHUT_WR), 0);
            ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_DONTWAIT), 6);
        }
        (void) close(fds[1]);
        wait_for(fds[0], POLLRDHUP);
        if (is_read) {
            ck_assert_int_eq(recv(fds[0], bytes, sizeof bytes, 0), 10);
            ck_assert_int_eq(recv(fds[0], bytes, sizeof bytes, 0), 0);
        } else {
            while (recv(fds[0], bytes, sizeof bytes, 0) > 0)
                ;
            ck_assert_int_eq(errno, ECONNRESET);
        }
        (void) close(fds[0]);
    }
}
END_TEST

/* A reset is told as an error, besides the end of file, so that half a line before it is not taken for a last
 * line. */
START_TEST(test_reset)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    uint32_t events;
    int fds[2], epoll;

    open_pair(TCP_STREAM, fds);
    epoll = watch(fds[1], EPOLLIN | EPOLLRDHUP | EPOLLET);
    put(fds[0], "half a li");
    ck_assert_uint_eq(next_event(epoll, SOON_MS), EPOLLIN);
    ck_assert_int_eq(setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    (void) close(fds[0]);
    events = next_event(epoll, SOON_MS);
    ck_assert(events & EPOLLERR);
    (void) close(epoll);
    (void) close(fds[1]);
}
END_TEST

/* With SO_OOBINLINE urgent data stays in its place, and recv(2) stops before it; a look does, too. */
START_TEST(test_urgent)
{
    int on = 1, fds[2], epoll;
    char bytes[16];

    open_pair(TCP_STREAM, fds);
    ck_assert_int_eq(setsockopt(fds[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof on), 0);
    epoll = watch(fds[1], EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET);
    put(fds[0], "before");
    wait_for_bytes(fds[1], 6);
    (void) next_event(epoll, SOON_MS);
    ck_assert_int_eq(send(fds[0], "!", 1, MSG_OOB), 1);
    put(fds[0], "after");
    wait_for_bytes(fds[1], 12);
    ck_assert(next_event(epoll, SOON_MS) & EPOLLPRI);
    ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT), 6);
    ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC), 6);
    /* Once it is at the mark, it goes on past it. */
    ck_assert_int_eq(recv(fds[1], bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT), 6);
    ck_assert_mem_eq(bytes, "!after", 6);
    (void) close(epoll);
    close_pair(fds);
}
END_TEST

static int option_of(int fd, int level, int option)
{
    socklen_t n = sizeof(int);
    int value = -1;

    ck_assert_int_eq(getsockopt(fd, level, option, &value, &n), 0);
    return value;
}

/* What is set on the listening socket is so for those who are accepted, without a call for each. */
START_TEST(test_inherited_options)
{
    static const struct {
        int level, option, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},   {SOL_SOCKET, SO_KEEPALIVE, 1},    {SOL_SOCKET, SO_OOBINLINE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, 61}, {IPPROTO_TCP, TCP_KEEPINTVL, 17}, {IPPROTO_TCP, TCP_KEEPCNT, 3},
    };
    struct sockaddr_in address;
    int listener = listen_tcp(&address), fds[2];

    for (size_t i = 0; i < N_ELEMENTS(options); i++) {
        ck_assert_int_ne(option_of(listener, options[i].level, options[i].option), options[i].value);
        ck_assert_int_eq(
            setsockopt(listener, options[i].level, options[i].option, &options[i].value, sizeof(int)), 0);
    }
    open_pair_at(listener, &address, fds);
    for (size_t i = 0; i < N_ELEMENTS(options); i++)
        ck_assert_int_eq(option_of(fds[1], options[i].level, options[i].option), options[i].value);
    close_pair(fds);
    (void) close(listener);
}
END_TEST

/* A memory file is sparse: it costs what was written to. */
START_TEST(test_memory_file)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    struct stat status;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t) 1 << 40), 0);
    ck_assert_int_eq(pwrite(fd, "x", 1, (off_t) 1 << 39), 1);
    ck_assert_int_eq(fstat(fd, &status), 0);
    ck_assert_int_le(status.st_blocks, 4096 / 512 * 2);
    (void) close(fd);
}
END_TEST

UNIT_MAIN("kernel", test_peek_leaves, test_truncate_takes, test_edge, test_edge_of_old, test_modify,
          test_writable_again, test_hangup_after_data, test_half_close, test_close_with_unread, test_reset,
          test_urgent, test_inherited_options, test_memory_file)
