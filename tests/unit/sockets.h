/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* Connections without a server, and what is often done to them. */

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "unit/unit.h"

/* fds[0] is the client's end, fds[1] the server's; neither blocks. */
static inline void open_tcp(int fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    socklen_t n = sizeof address;

    ck_assert_int_ge(listener, 0);
    ck_assert_int_eq(setsockopt(listener, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on), 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *) &address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *) &address, &n), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fds[0], (struct sockaddr *) &address, sizeof address), 0);
    ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    fds[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ck_assert_int_ge(fds[1], 0);
    (void) close(listener);
}

static inline void open_local(int fds[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
}

static inline void close_pair(int fds[2])
{
    fds[0] = fd_close(fds[0]);
    fds[1] = fd_close(fds[1]);
}

static inline void put(int fd, const char *text)
{
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t) strlen(text));
}

/* A count that ioctl(2) knows, as SIOCINQ. */
static inline unsigned queue_of(int fd, unsigned long request)
{
    int n = -1;

    if (ioctl(fd, request, &n) < 0 || n < 0)
        ck_abort_msg("no such count");
    return (unsigned) n;
}
