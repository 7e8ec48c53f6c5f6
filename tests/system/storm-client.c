/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The sockets of the people: cut writing, and reading at once or in bursts. */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>

#include "system/storm.h"

enum {
    READS_AT_ONCE = 16,
    SLOW_PERIOD = 2000, /* ms: a slow reader reads for a part of this, and then not */
    SLOW_OPEN = 250,
    SLOW_BUFFER = 8192,
    SLOW_SEGMENT = 1400, /* as of a network: with those of the loopback a small window hardly opens */
    SLOW_BYTES = 4000,   /* at most, in one read */
    PAUSE = 30,          /* ms: at most, between two parts of a line; or */
    LONG_PAUSE = 400,    /* one time in 50 */
};

static int client_connect(const Storm *storm, const Client *client)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (!client->is_unix)
        return connect(client->fd, (const struct sockaddr *) &storm->address, storm->address_n);
    (void) snprintf(address.sun_path, sizeof address.sun_path, "%s", storm->options.path);
    return connect(client->fd, (struct sockaddr *) &address, sizeof address);
}

void client_open(Storm *storm, Client *client)
{
    int family = client->is_unix ? AF_UNIX : storm->address.ss_family;
    int yes = 1, small = SLOW_BUFFER, segment = SLOW_SEGMENT;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u32 = client->id};

    client->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0) {
        storm_find(storm, client, NULL, 0, "no socket: %s", strerror(errno));
        client_close(storm, client);
        return;
    }
    if (!client->is_unix)
        (void) setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (client->is_slow) {
        (void) setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        (void) setsockopt(client->fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
    }
    if (client_connect(storm, client) < 0 && errno != EINPROGRESS) {
        /* The backlog of a unix socket is full: another time. */
        if (errno != EAGAIN)
            storm_find(storm, client, NULL, 0, "can not connect: %s", strerror(errno));
        if (errno != EAGAIN || storm->phase != PHASE_COME)
            client_close(storm, client);
        if (client->fd >= 0)
            (void) close(client->fd);
        client->fd = -1;
        return;
    }
    if (epoll_ctl(storm->epoll_fd, EPOLL_CTL_ADD, client->fd, &event) < 0)
        storm_find(storm, client, NULL, 0, "no place in epoll: %s", strerror(errno));
    say_greetings(storm, client);
}

/* Nobody waits for what it said in private. */
static void client_lose(Storm *storm, Client *client)
{
    client->is_lost = true;
    for (unsigned i = 0; i < PARTNERS; i++) {
        Partner *partner = &client->partners[i];

        storm->clients[partner->whom].n_private -= partner->said - partner->heard;
    }
}

void client_close(Storm *storm, Client *client)
{
    if (client->is_gone)
        return;
    client->is_gone = true;
    if (!client->is_shut && !client->is_bidden)
        client_lose(storm, client);
    /* Who has shut down its side was counted then. */
    client->rooms[MAIN]->n_gone += !client->is_shut;
    if (client->fd >= 0)
        (void) close(client->fd);
    client->fd = -1;
}

static bool may_read(const Storm *storm, const Client *client)
{
    if (!client->is_slow || storm->phase == PHASE_COME || storm->phase >= PHASE_HEAR_OUT ||
        (storm->options.is_lossy && storm->phase == PHASE_SPEAK_OUT))
        return true;
    return (storm->now + client->id * UINT64_C(61)) % SLOW_PERIOD < SLOW_OPEN;
}

void client_read(Storm *storm, Client *client)
{
    for (unsigned i = 0; i < READS_AT_ONCE && client->is_readable && may_read(storm, client); i++) {
        size_t room = sizeof client->in - client->n_in;
        ssize_t n;

        if (client->is_slow && storm->phase < PHASE_HEAR_OUT)
            room = MIN(room, 1 + (size_t) random_below(&client->random, SLOW_BYTES));
        n = recv(client->fd, client->in + client->n_in, room, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            client->is_readable = false;
            return;
        }
        if (n > 0) {
            client->n_in += (size_t) n;
            hear(storm, client);
            continue;
        }
        if (n < 0)
            storm_find(storm, client, NULL, 0, "the connection has broken: %s", strerror(errno));
        else
            hear_end(storm, client);
        client_close(storm, client);
        return;
    }
}

/* All, or a part that ends anywhere. */
static size_t client_cut(Client *client)
{
    switch (random_below(&client->random, 10)) {
    case 0:
    case 1:
        return MIN(client->n_out, 1 + (size_t) random_below(&client->random, 20));
    case 2:
    case 3:
    case 4:
        return 1 + random_below(&client->random, (unsigned) client->n_out);
    default:
        return client->n_out;
    }
}

static void client_shut(Storm *storm, Client *client)
{
    hear_require(storm, client, MAIN);
    if (client->in_side)
        hear_require(storm, client, SIDE);
    client->is_shut = true;
    client->rooms[MAIN]->n_gone++;
    if (shutdown(client->fd, SHUT_WR) < 0)
        storm_find(storm, client, NULL, 0, "shutdown: %s", strerror(errno));
}

void client_write(Storm *storm, Client *client)
{
    size_t n;
    ssize_t sent;

    if (client->n_out == 0 || !client->is_writable || storm->now < client->write_at)
        return;
    n = client_cut(client);
    sent = send(client->fd, client->out, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
        client->is_writable = errno == EINTR;
        return;
    }
    if (sent < 0) {
        storm_find(storm, client, NULL, 0, "can not send: %s", strerror(errno));
        client_close(storm, client);
        return;
    }
    client->n_out -= (size_t) sent;
    memmove(client->out, client->out + sent, client->n_out);
    if (client->n_out > 0 || random_below(&client->random, 4) == 0) {
        unsigned pause = random_below(&client->random, 50) == 0 ? LONG_PAUSE : PAUSE;

        client->write_at = storm->now + random_below(&client->random, pause);
    }
    if (client->n_out > 0)
        return;
    if (storm->n_owed == 0)
        storm->heard_at = storm->now;
    storm->n_owed += client->n_owed;
    client->n_owed = 0;
    if (client->is_early && client->is_leaving)
        client_shut(storm, client);
}
