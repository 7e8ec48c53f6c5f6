/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* How far the kernel says that a TCP connection was read and written: what has to be taken off for the FINs,
 * in every state, and that it is exact. */

#include <ctype.h>
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/wait.h>

#include "unit/sockets.h"
#include "unit/unit.h"

/* tcpi_state; <netinet/tcp.h>, which names them, is not to be had beside <linux/tcp.h>. */
enum {
    ESTABLISHED = 1,
    FIN_WAIT1 = 4,
    FIN_WAIT2 = 5,
    TIME_WAIT = 6,
    CLOSED = 7,
    CLOSE_WAIT = 8,
    LAST_ACK = 9,
    CLOSING = 11,
};

/* How long something may take that happens at once. */
enum { SOON_MS = 10000 };

static unsigned below(unsigned short seed[3], unsigned n)
{
    return (unsigned) nrand48(seed) % n;
}

static struct tcp_info info_of(int fd)
{
    struct tcp_info info = {0};
    socklen_t n = sizeof info;

    /* Not by ck_assert(): each notes where it is in a file, which takes longer than all the rest. */
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0 || n < offsetof(struct tcp_info, tcpi_segs_out))
        ck_abort_msg("no TCP_INFO, or an old one");
    return info;
}

/* As SIOCINQ, but a FIN counts as a byte, even once it was read (Linux 4.18). A recv(2) that fails says that
 * there is neither a byte nor a FIN; it also takes the pending error, if there is one. */
static unsigned queue_with_fin(int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control;
    char byte;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    int on = 1, off = 0, n = 0;

    ck_assert_int_eq(setsockopt(fd, IPPROTO_TCP, TCP_INQ, &on, sizeof on), 0);
    if (recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT) >= 0) {
        ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&message));
        ck_assert_int_eq(control.header.cmsg_type, TCP_CM_INQ);
        (void) memcpy(&n, CMSG_DATA(&control.header), sizeof n);
    }
    ck_assert_int_eq(setsockopt(fd, IPPROTO_TCP, TCP_INQ, &off, sizeof off), 0);
    return (unsigned) n;
}

/* Whether the peer's FIN has come. A closed connection may have ended with it or by a reset. */
static bool has_peer_fin(int fd, unsigned state)
{
    switch (state) {
    case CLOSE_WAIT:
    case LAST_ACK:
    case CLOSING:
    case TIME_WAIT:
        return true;
    case CLOSED:
        return queue_with_fin(fd) > queue_of(fd, SIOCINQ);
    default:
        return false;
    }
}

/* tcpi_bytes_received counts the peer's FIN, SIOCINQ does not. The state is taken before the socket's lock,
 * so it can be older than the rest; and something may come between the calls. */
static uint64_t tcp_n_read(int fd)
{
    struct tcp_info info, again = info_of(fd);
    uint64_t n;

    do {
        info = again;
        n = info.tcpi_bytes_received - queue_of(fd, SIOCINQ) - has_peer_fin(fd, info.tcpi_state);
        again = info_of(fd);
    } while (again.tcpi_bytes_received != info.tcpi_bytes_received || again.tcpi_state != info.tcpi_state);
    return n;
}

/* Both tcpi_bytes_acked and SIOCOUTQ count our own FIN, from shutdown(2) on and whatever becomes of the
 * connection; when it is closed the state does not tell whether there was one. */
static uint64_t tcp_n_written(int fd, bool is_shut)
{
    struct tcp_info info, again = info_of(fd);
    uint64_t n;

    do {
        info = again;
        n = info.tcpi_bytes_acked + queue_of(fd, SIOCOUTQ) - is_shut;
        again = info_of(fd);
    } while (again.tcpi_bytes_acked != info.tcpi_bytes_acked);
    return n;
}

/* A connection, and what must be true of it. */
typedef struct Wire {
    int peer, fd;
    uint64_t n_read, n_written;
    bool is_shut;
    unsigned short seed[3];
} Wire;

static void wire_open(Wire *wire)
{
    int fds[2];

    open_tcp(fds);
    wire->peer = fds[0];
    wire->fd = fds[1];
    wire->n_read = wire->n_written = 0;
    wire->is_shut = false;
}

static void wire_close(Wire *wire)
{
    wire->peer = fd_close(wire->peer);
    wire->fd = fd_close(wire->fd);
}

static void wire_check(const Wire *wire)
{
    uint64_t n_read = tcp_n_read(wire->fd), n_written = tcp_n_written(wire->fd, wire->is_shut);

    if (n_read != wire->n_read || n_written != wire->n_written)
        ck_abort_msg("%ju read and not %ju, %ju written and not %ju", (uintmax_t) n_read,
                     (uintmax_t) wire->n_read, (uintmax_t) n_written, (uintmax_t) wire->n_written);
}

static ssize_t wire_read(Wire *wire, size_t size, int flags)
{
    static char bytes[100000];
    ssize_t n = recv(wire->fd, bytes, MIN(size, sizeof bytes), flags);

    if (n > 0 && !(flags & MSG_PEEK))
        wire->n_read += (size_t) n;
    return n;
}

static ssize_t wire_write(Wire *wire, size_t size)
{
    static const char bytes[100000];
    ssize_t n = send(wire->fd, bytes, MIN(size, sizeof bytes), MSG_NOSIGNAL);

    if (n > 0)
        wire->n_written += (size_t) n;
    return n;
}

/* So that what is sent is not held back, and it is a reset that ends the connection. */
static void wire_reset(Wire *wire)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    ck_assert_int_eq(setsockopt(wire->peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    wire->peer = fd_close(wire->peer);
}

/* Capitals are what the peer does. It may fail: whoever writes after a reset writes nothing. */
static void wire_step(Wire *wire, char step)
{
    static char bytes[100000];

    if (wire->peer < 0 && isupper((unsigned char) step))
        return;
    switch (step) {
    case 'D': /* data */
        (void) send(wire->peer, bytes, 1 + below(wire->seed, 4000), MSG_NOSIGNAL);
        break;
    case 'U': /* urgent */
        (void) send(wire->peer, "\xf2", 1, MSG_OOB | MSG_NOSIGNAL);
        break;
    case 'G': /* gets */
        (void) recv(wire->peer, bytes, 1 + below(wire->seed, sizeof bytes), 0);
        break;
    case 'F': /* FIN */
        (void) shutdown(wire->peer, SHUT_WR);
        break;
    case 'R': /* reset */
        wire_reset(wire);
        break;
    case 'C': /* close, which is a reset if anything is unread */
        wire->peer = fd_close(wire->peer);
        break;
    case 'p': /* peek */
        (void) wire_read(wire, 1 + below(wire->seed, 9000), MSG_PEEK);
        break;
    case 'r': /* read */
        (void) wire_read(wire, 1 + below(wire->seed, 3000), 0);
        break;
    case 't': /* take */
        (void) wire_read(wire, 1 + below(wire->seed, 3000), MSG_TRUNC);
        break;
    case 'e': /* to the end */
        while (wire_read(wire, SIZE_MAX, 0) > 0)
            ;
        break;
    case 'w': /* write */
        (void) wire_write(wire, 1 + below(wire->seed, 5000));
        break;
    case 'x': /* all that fits */
        while (wire_write(wire, SIZE_MAX) > 0)
            ;
        break;
    case 'f': /* FIN */
        wire->is_shut |= shutdown(wire->fd, SHUT_WR) == 0;
        break;
    case 's': /* FIN, and a reset for who goes on sending */
        wire->is_shut |= shutdown(wire->fd, SHUT_RDWR) == 0;
        break;
    default:
        ck_abort_msg("%c?", step);
    }
}

static void wait_for_state(int fd, unsigned state)
{
    for (unsigned i = 0; i < SOON_MS && info_of(fd).tcpi_state != state; i++)
        (void) poll(NULL, 0, 1);
    ck_assert_uint_eq(info_of(fd).tcpi_state, state);
}

/* In every state, and ended in each of them by a FIN or a reset. */
START_TEST(test_tcp_states)
{
    static const struct {
        const char *steps;
        unsigned state;
    } rows[] = {
        {"", ESTABLISHED},     {"Dprtw", ESTABLISHED}, {"DF", CLOSE_WAIT},  {"DFe", CLOSE_WAIT},
        {"DFewG", CLOSE_WAIT}, {"DrFxf", LAST_ACK},    {"Drf", FIN_WAIT2},  {"Drxf", FIN_WAIT1},
        {"DrxfF", CLOSING},    {"DrfF", CLOSED},       {"DrFf", CLOSED},    {"DefFe", CLOSED},
        {"DrR", CLOSED},       {"DrxR", CLOSED},       {"DrFR", CLOSED},    {"DFeR", CLOSED},
        {"DeR", CLOSED},       {"DrRe", CLOSED},       {"DrFRe", CLOSED},   {"DrFxfR", CLOSED},
        {"DrxfR", CLOSED},     {"DrxfFR", CLOSED},     {"DrfR", CLOSED},    {"DrwwC", CLOSED},
        {"DrFwC", CLOSED},     {"DrwRwf", CLOSED},     {"DUDrptR", CLOSED}, {"DUDF", CLOSE_WAIT},
        {"FUe", CLOSE_WAIT},   {"R", CLOSED},          {"FR", CLOSED},      {"Fe", CLOSE_WAIT},
        {"Drs", FIN_WAIT2},    {"DrsF", CLOSED},       {"DrsD", CLOSED},    {"DrFs", CLOSED},
        {"DrxsFR", CLOSED},
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        Wire wire = {.seed = {1, 2, (unsigned short) i}};

        wire_open(&wire);
        for (const char *step = rows[i].steps; *step != '\0'; step++) {
            wire_step(&wire, *step);
            wire_check(&wire);
        }
        wait_for_state(wire.fd, rows[i].state);
        /* Again and again: asking for it changes nothing. */
        for (unsigned n = 0; n < 3; n++)
            wire_check(&wire);
        wire_step(&wire, 'e');
        wire_check(&wire);
        wire_close(&wire);
    }
}
END_TEST

START_TEST(test_tcp_random)
{
    static const char steps[] = "DDDDDDDUpprrrrtttteewwwwwwwwxxGGGGGGGGGGfsFRC";
    Wire wire = {.seed = {3, 4, 5}};

    for (unsigned i = 0; i < 300; i++) {
        wire_open(&wire);
        for (unsigned n_after = 0; n_after < 5; n_after += wire.peer < 0) {
            wire_step(&wire, steps[below(wire.seed, sizeof steps - 1 - 5 * (below(wire.seed, 3) > 0))]);
            wire_check(&wire);
        }
        wire_close(&wire);
    }
}
END_TEST

enum { RUSH = 20000000 };

/* The peer reads and writes as fast as it can, ends, and reads to the end. */
static void rush(int fd)
{
    static char bytes[8000];
    unsigned short seed[3] = {6, 7, 8};
    size_t n_left = RUSH;
    ssize_t n;

    for (bool is_end = false; !is_end;) {
        struct pollfd polled = {.fd = fd, .events = (short) (POLLIN | (n_left > 0 ? POLLOUT : 0))};

        (void) poll(&polled, 1, SOON_MS);
        if (n_left > 0) {
            n = send(fd, bytes, MIN(n_left, (size_t) 1 + below(seed, sizeof bytes)), MSG_NOSIGNAL);
            n_left -= n > 0 ? (size_t) n : 0;
            if (n_left == 0)
                (void) shutdown(fd, SHUT_WR);
        }
        n = recv(fd, bytes, 1 + below(seed, sizeof bytes), 0);
        is_end = n == 0 || (n < 0 && errno != EAGAIN);
    }
}

/* While the bytes move. */
START_TEST(test_tcp_rush)
{
    Wire wire = {.seed = {9, 10, 11}};
    int status;
    pid_t pid;

    wire_open(&wire);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        (void) close(wire.fd);
        rush(wire.peer);
        _exit(EXIT_SUCCESS);
    }
    wire.peer = fd_close(wire.peer);
    for (ssize_t n = -1; n != 0 || wire.n_written < RUSH;) {
        struct pollfd polled = {.fd = wire.fd, .events = POLLIN | POLLOUT};

        ck_assert_int_eq(poll(&polled, 1, SOON_MS), 1);
        if (wire.n_written < RUSH)
            (void) wire_write(&wire, 1 + below(wire.seed, 8000));
        wire_check(&wire);
        n = wire_read(&wire, 1 + below(wire.seed, 8000), below(wire.seed, 2) ? MSG_TRUNC : 0);
        wire_check(&wire);
    }
    ck_assert_uint_eq(wire.n_read, RUSH);
    wire_step(&wire, 'f');
    wait_for_state(wire.fd, CLOSED);
    wire_check(&wire);
    wire_close(&wire);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

UNIT_MAIN("kernel-counters", test_tcp_states, test_tcp_random, test_tcp_rush)
