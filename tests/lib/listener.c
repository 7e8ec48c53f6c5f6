/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/listener.h"

enum {
    BACKLOG = 4096, /* as in chat.socket */
};

static socklen_t address_of(ListenerKind kind, const char *directory, size_t index,
                            struct sockaddr_storage *ret_address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *) ret_address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) ret_address;
    struct sockaddr_un *local = (struct sockaddr_un *) ret_address;
    int n;

    memset(ret_address, 0, sizeof(*ret_address));
    switch (kind) {
    case LISTENER_TCP4:
        v4->sin_family = AF_INET;
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return sizeof(*v4);
    case LISTENER_TCP6:
        v6->sin6_family = AF_INET6;
        v6->sin6_addr = in6addr_loopback;
        return sizeof(*v6);
    case LISTENER_MAPPED:
        v6->sin6_family = AF_INET6;
        ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:127.0.0.1", &v6->sin6_addr), 1);
        return sizeof(*v6);
    default:
        local->sun_family = AF_UNIX;
        n = snprintf(local->sun_path, sizeof(local->sun_path), "%s/listener-%zu", directory, index);
        ck_assert(n > 0 && (size_t) n < sizeof(local->sun_path));
        return sizeof(*local);
    }
}

static int open_socket(ListenerKind kind, struct sockaddr_storage *address, socklen_t n_address)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), off = 0, on = 1;

    if (fd < 0)
        return -1;
    if (kind == LISTENER_MAPPED)
        (void) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (kind != LISTENER_UNIX) /* connections inherit it, as from NoDelay=yes */
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *) address, n_address) < 0 || listen(fd, BACKLOG) < 0) {
        (void) close(fd);
        return -1;
    }
    return fd;
}

bool listener_is_possible(ListenerKind kind)
{
    struct sockaddr_storage address;
    socklen_t n = address_of(kind, "", 0, &address);
    int fd = open_socket(kind, &address, n);

    if (fd < 0)
        return false;
    (void) close(fd);
    return true;
}

static void listener_init_connection(Listener *listener)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    listener->fd = pair[0];
    listener->peer = pair[1];
}

void listener_init(Listener *listener, const ListenerOptions *options, const char *directory, size_t index)
{
    *listener = (Listener){
        .kind = options->kind, .name = options->name != NULL ? options->name : "plain", .fd = -1, .peer = -1};
    if (options->kind == LISTENER_CONNECTION) {
        listener_init_connection(listener);
        return;
    }
    listener->n_address = address_of(options->kind, directory, index, &listener->address);
    listener->fd = open_socket(options->kind, &listener->address, listener->n_address);
    ck_assert_msg(listener->fd >= 0, "cannot listen: %s", strerror(errno));
    if (options->send_buffer > 0)
        ck_assert_int_eq(setsockopt(listener->fd, SOL_SOCKET, SO_SNDBUF, &options->send_buffer, sizeof(int)),
                         0);
    listener->n_address = sizeof(listener->address);
    ck_assert_int_eq(getsockname(listener->fd, (struct sockaddr *) &listener->address, &listener->n_address),
                     0);
}

void listener_done(Listener *listener)
{
    if (listener->fd >= 0)
        (void) close(listener->fd);
    if (listener->peer >= 0)
        (void) close(listener->peer);
    if (listener->kind == LISTENER_UNIX)
        (void) unlink(((struct sockaddr_un *) &listener->address)->sun_path);
    *listener = (Listener){.fd = -1, .peer = -1};
}
