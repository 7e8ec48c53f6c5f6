/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macro.h"
#include "clock.h"
#include "crowd.h"

enum { BUFFER_BYTES = 256 * 1024, N_EVENTS = 512, PEOPLE_PER_SOURCE = 200, OPENED_PER_PUMP = 32 };

/* Among the numbers of clients, what is no client. */
#define WATCHED UINT32_MAX

#define SETTLE_MOST_NSEC (60 * NSEC_PER_SEC)

int crowd_init(Crowd *crowd, unsigned n)
{
    *crowd = (Crowd){.epoll_fd = -1, .n = n};
    crowd->clients = calloc(n, sizeof(CrowdClient));
    crowd->buffer = malloc(BUFFER_BYTES);
    if (crowd->clients == NULL || crowd->buffer == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < n; i++)
        crowd->clients[i].fd = -1;
    crowd->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return crowd->epoll_fd < 0 ? -errno : 0;
}

void crowd_done(Crowd *crowd)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};

    for (unsigned i = 0; crowd->clients != NULL && i < crowd->n; i++) {
        CrowdClient *client = &crowd->clients[i];

        free(client->line);
        if (client->fd < 0)
            continue;
        (void) setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        (void) close(client->fd);
    }
    if (crowd->epoll_fd >= 0)
        (void) close(crowd->epoll_fd);
    free(crowd->clients);
    free(crowd->buffer);
    *crowd = (Crowd){.epoll_fd = -1};
}

int crowd_watch(Crowd *crowd, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = WATCHED};

    return epoll_ctl(crowd->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int crowd_give_line(Crowd *crowd, unsigned client, const char *line)
{
    CrowdClient *c = &crowd->clients[client];

    free(c->line);
    c->line = strdup(line);
    if (c->line == NULL)
        return -ENOMEM;
    c->n_line = strlen(line);
    return 0;
}

void crowd_send(Crowd *crowd, unsigned client, const char *data, size_t n)
{
    ssize_t k = send(crowd->clients[client].fd, data, n, MSG_NOSIGNAL);

    if (k < 0 ? errno == EAGAIN : (size_t) k < n)
        crowd->is_blocked = true;
}

void crowd_say(Crowd *crowd, unsigned client)
{
    crowd_send(crowd, client, crowd->clients[client].line, crowd->clients[client].n_line);
    crowd->n_said++;
}

static int bind_source(int fd, unsigned i)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    int yes = 1;

    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 + i / PEOPLE_PER_SOURCE);
    /* the port is chosen by connect(), which knows that only the pair of addresses must be unique */
    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes)) < 0 ||
        bind(fd, (struct sockaddr *) &from, sizeof(from)) < 0)
        return -errno;
    return 0;
}

static int open_one(Crowd *crowd, const CrowdDoor *door)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(door->port)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
    CrowdClient *client = &crowd->clients[crowd->n_opened];
    int r, yes = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client->fd < 0)
        return -errno;
    (void) setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (door->many_sources) {
        r = bind_source(client->fd, crowd->n_opened);
        if (r < 0)
            return r;
    }
    if (connect(client->fd, (struct sockaddr *) &to, sizeof(to)) < 0 && errno != EINPROGRESS)
        return -errno;
    event.data.u32 = crowd->n_opened++;
    if (epoll_ctl(crowd->epoll_fd, EPOLL_CTL_ADD, client->fd, &event) < 0)
        return -errno;
    return 0;
}

int crowd_open_first(Crowd *crowd, const CrowdDoor *door)
{
    return open_one(crowd, door);
}

static unsigned count_marks(const char *data, size_t n)
{
    const char *end = data + n;
    unsigned k = 0;

    while ((data = memchr(data, CROWD_MARK, (size_t) (end - data))) != NULL) {
        data++;
        k++;
    }
    return k;
}

static void keep_last_words(Crowd *crowd, size_t n)
{
    const char *from = crowd->buffer;

    while (n > 0 && (from[n - 1] == '\n' || from[n - 1] == '\r'))
        n--;
    for (size_t i = n; i > 0; i--)
        if (from[i - 1] == '\n') {
            from += i;
            n -= i;
            break;
        }
    n = MIN(n, sizeof(crowd->last_words) - 1);
    memcpy(crowd->last_words, from, n);
    crowd->last_words[n] = '\0';
}

static void take(Crowd *crowd, unsigned i, size_t n)
{
    CrowdClient *client = &crowd->clients[i];
    unsigned n_lines = count_marks(crowd->buffer, n);

    if (!client->is_greeted) {
        if (memchr(crowd->buffer, '\n', n) != NULL) {
            client->is_greeted = true;
            crowd->n_greeted++;
        }
        keep_last_words(crowd, n); /* a server that refuses says so at once */
    }
    if (n_lines == 0)
        return;
    client->n_heard += n_lines;
    crowd->n_heard += n_lines;
    if (crowd->on_heard != NULL)
        crowd->on_heard(crowd, i, n_lines, crowd->userdata);
}

/* Less than the buffer holds means that the socket is empty: whatever comes later makes a new edge. */
static void receive(Crowd *crowd, unsigned i)
{
    CrowdClient *client = &crowd->clients[i];
    ssize_t n;

    do {
        n = recv(client->fd, crowd->buffer, BUFFER_BYTES, 0);
        if (n > 0)
            take(crowd, i, (size_t) n);
    } while (n == BUFFER_BYTES || (n < 0 && errno == EINTR));
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        crowd->n_closed++;
        (void) close(client->fd);
        client->fd = -1;
    }
}

int crowd_pump(Crowd *crowd, int msec)
{
    struct epoll_event events[N_EVENTS];
    int n, n_watched = 0, r = 0;

    n = epoll_wait(crowd->epoll_fd, events, N_EVENTS, msec);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < n; i++) {
        CrowdClient *client;

        if (events[i].data.u32 == WATCHED) {
            n_watched++;
            continue;
        }
        client = &crowd->clients[events[i].data.u32];
        if (!client->is_connected && (events[i].events & EPOLLOUT) && !(events[i].events & EPOLLERR)) {
            client->is_connected = true;
            if (crowd->on_connected != NULL)
                crowd->on_connected(crowd, events[i].data.u32, crowd->userdata);
        }
        if (events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
            receive(crowd, events[i].data.u32);
    }
    if (n_watched > 0)
        r = crowd->on_watched(crowd->watcher);
    return r < 0 ? r : n - n_watched;
}

static int check(const Crowd *crowd)
{
    if (clock_interrupted())
        return -EINTR;
    if (crowd->n_closed > 0)
        return -ECONNRESET;
    return crowd->is_blocked ? -ENOBUFS : 0;
}

static unsigned n_wanted(const Crowd *crowd, const CrowdDoor *door)
{
    return door->n > 0 ? MIN(door->n, crowd->n) : crowd->n;
}

static bool may_open(const Crowd *crowd, const CrowdDoor *door)
{
    return crowd->n_opened < n_wanted(crowd, door) && crowd->n_opened - crowd->n_greeted < door->window;
}

int crowd_connect(Crowd *crowd, const CrowdDoor *door)
{
    int r;

    while (crowd->n_greeted < n_wanted(crowd, door)) {
        r = check(crowd);
        if (r < 0)
            return r;
        if (clock_nsec() > door->deadline)
            return -ETIMEDOUT;
        for (unsigned i = 0; i < OPENED_PER_PUMP && may_open(crowd, door); i++) {
            r = open_one(crowd, door);
            if (r < 0)
                return r;
        }
        r = crowd_pump(crowd, may_open(crowd, door) ? 0 : 50);
        if (r < 0)
            return r;
    }
    return check(crowd);
}

int crowd_pump_until(Crowd *crowd, uint64_t end)
{
    while (clock_nsec() < end) {
        int r = crowd_pump(crowd, clock_msec_to(end, 50));

        if (r < 0)
            return r;
        r = check(crowd);
        if (r < 0)
            return r;
    }
    return 0;
}

int crowd_wait_heard(Crowd *crowd, uint64_t n_heard, uint64_t patience)
{
    uint64_t last = clock_nsec(), seen = crowd->n_heard;
    int r;

    while (crowd->n_heard < n_heard) {
        r = check(crowd);
        if (r == 0)
            r = crowd_pump(crowd, 20);
        if (r < 0)
            return r;
        if (crowd->n_heard != seen) {
            seen = crowd->n_heard;
            last = clock_nsec();
        } else if (clock_nsec() - last > patience) {
            return -ETIMEDOUT;
        }
    }
    return check(crowd);
}

int crowd_settle(Crowd *crowd, uint64_t nsec)
{
    uint64_t start = clock_nsec(), quiet_since = start;
    int r;

    while (clock_nsec() - quiet_since < nsec) {
        r = clock_nsec() - start > SETTLE_MOST_NSEC ? -ETIMEDOUT : check(crowd);
        if (r == 0)
            r = crowd_pump(crowd, clock_msec_to(quiet_since + nsec, 50));
        if (r < 0)
            return r;
        if (r > 0)
            quiet_since = clock_nsec();
    }
    return 0;
}
