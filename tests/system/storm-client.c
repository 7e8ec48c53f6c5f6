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

static int connect_unix(const Storm *storm, int fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void) snprintf(address.sun_path, sizeof address.sun_path, "%s", storm->options.path);
    return connect(fd, (struct sockaddr *) &address, sizeof address);
}

int storm_connect(const Storm *storm, bool is_unix, bool is_slow)
{
    int yes = 1, small = SLOW_BUFFER, segment = SLOW_SEGMENT, r;
    int fd =
        socket(is_unix ? AF_UNIX : storm->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (is_slow)
        (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    if (is_slow && !is_unix)
        (void) setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
    if (!is_unix)
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    r = is_unix ? connect_unix(storm, fd)
                : connect(fd, (const struct sockaddr *) &storm->address, storm->address_n);
    if (r < 0 && errno != EINPROGRESS) {
        int error = errno;

        (void) close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

void client_open(Storm *storm, Client *client)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u32 = client->id};

    client->fd = storm_connect(storm, client->is_unix, client->is_slow);
    /* The backlog of a unix socket may be full: another time. */
    if (client->fd < 0 && errno == EAGAIN)
        return;
    if (client->fd < 0 || epoll_ctl(storm->epoll_fd, EPOLL_CTL_ADD, client->fd, &event) < 0) {
        storm_find(storm, client, NULL, 0, "can not connect: %s", strerror(errno));
        client_close(storm, client);
        return;
    }
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

/* Nobody has heard anything of it, nor it of anybody. */
static void client_begin_anew(Client *client)
{
    (void) close(client->fd);
    client->fd = -1;
    client->n_in = client->n_out = 0;
    client->n_answers = 0;
    client->is_readable = client->is_writable = false;
}

static void client_end(Storm *storm, Client *client, int error)
{
    if (client->n_before == 0 && client->n_in == 0 && storm->phase == PHASE_COME &&
        storm_may_lose_newcomer(storm)) {
        client_begin_anew(client);
        return;
    }
    if (error != 0)
        storm_find(storm, client, NULL, 0, "the connection has broken: %s", strerror(error));
    else
        hear_end(storm, client);
    client_close(storm, client);
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
        client_end(storm, client, n < 0 ? errno : 0);
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
        /* There may still be something to read. */
        client->n_out = 0;
        client->is_readable = true;
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
