/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * The bare loop: the least that a chat server with one send(2) per line and listener can do. It waits,
 * receives, splits lines, and sends each line as it came to everyone else in the room. It knows no names, no
 * times, no limits and no commands; whoever compares it with a real server sends it lines that already have
 * the prefix which the real one would add. What a delivery costs here is the price of the kernel's part.
 *
 * Rooms are filled in the order of the connections. The listening socket comes as descriptor 3
 * (sd_listen_fds(3)), from the load generator or from systemd-socket-activate(1).
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macro.h"

enum { LISTEN_FD = 3, LINE_BYTES = 2048, N_EVENTS = 256, N_ACCEPTS = 256 };

#define GREETING "-- Welcome to the bare loop.\n"

typedef struct Room {
    unsigned n;
    int *fds;
} Room;

typedef struct Client {
    unsigned room;
    unsigned place; /* in the room's fds */
    size_t n_kept;
    char kept[LINE_BYTES]; /* the beginning of a line whose end has not come */
} Client;

typedef struct Bare {
    int epoll_fd;
    unsigned room_size; /* 0: everyone in one room */
    unsigned n_fds;     /* descriptors there can be */
    unsigned filling;   /* the room the next client enters */
    Room *rooms;
    Client *clients; /* by descriptor; memory that was never used is never touched */
} Bare;

/* A reader who is behind stalls everybody: that is the least one can do without losing a line. */
static void send_all(int fd, const char *data, size_t n)
{
    while (n > 0) {
        ssize_t k = send(fd, data, n, MSG_NOSIGNAL);

        if (k >= 0) {
            data += k;
            n -= (size_t) k;
        } else if (errno == EAGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};

            (void) poll(&p, 1, -1);
        } else if (errno != EINTR) {
            return; /* gone: its end of file comes to the loop */
        }
    }
}

static void say(Bare *bare, int from, const char *line, size_t n)
{
    Room *room = &bare->rooms[bare->clients[from].room];

    for (unsigned i = 0; i < room->n; i++)
        if (room->fds[i] != from)
            send_all(room->fds[i], line, n);
}

static void leave(Bare *bare, int fd)
{
    Client *client = &bare->clients[fd];
    Room *room = &bare->rooms[client->room];

    assert(room->fds != NULL && room->n > 0);
    room->fds[client->place] = room->fds[--room->n];
    bare->clients[room->fds[client->place]].place = client->place;
    (void) close(fd);
}

static int enter(Bare *bare, int fd)
{
    Client *client = &bare->clients[fd];
    Room *room = &bare->rooms[bare->filling];
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (room->fds == NULL)
        room->fds = calloc(bare->room_size > 0 ? bare->room_size : bare->n_fds, sizeof(int));
    if (room->fds == NULL)
        return -ENOMEM;
    if (epoll_ctl(bare->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return -errno;
    client->room = bare->filling;
    client->place = room->n;
    client->n_kept = 0;
    room->fds[room->n++] = fd;
    if (room->n == bare->room_size && bare->filling + 1 < bare->n_fds)
        bare->filling++;
    send_all(fd, GREETING, STRLEN(GREETING));
    return 0;
}

static int accept_some(Bare *bare)
{
    for (unsigned i = 0; i < N_ACCEPTS; i++) {
        int r, fd = accept4(LISTEN_FD, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0)
            return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ? 0 : -errno;
        if ((unsigned) fd >= bare->n_fds) {
            (void) close(fd);
            continue;
        }
        r = enter(bare, fd);
        if (r < 0)
            return r;
    }
    return 0;
}

static void receive(Bare *bare, int fd)
{
    Client *client = &bare->clients[fd];
    char *line = client->kept, *end;
    ssize_t k = recv(fd, client->kept + client->n_kept, LINE_BYTES - client->n_kept, 0);
    size_t n;

    if (k <= 0) {
        if (k == 0 || (errno != EAGAIN && errno != EINTR))
            leave(bare, fd);
        return;
    }
    n = client->n_kept + (size_t) k;
    while ((end = memchr(line, '\n', n)) != NULL) {
        size_t n_line = (size_t) (end - line) + 1;

        say(bare, fd, line, n_line);
        line += n_line;
        n -= n_line;
    }
    if (n == LINE_BYTES) { /* a line without end is passed on in pieces */
        say(bare, fd, line, n);
        n = 0;
    }
    if (n > 0)
        memmove(client->kept, line, n);
    client->n_kept = n;
}

static int serve(Bare *bare)
{
    struct epoll_event events[N_EVENTS], door = {.events = EPOLLIN, .data.fd = LISTEN_FD};
    int r, n;

    if (epoll_ctl(bare->epoll_fd, EPOLL_CTL_ADD, LISTEN_FD, &door) < 0)
        return -errno;
    for (;;) {
        n = epoll_wait(bare->epoll_fd, events, N_EVENTS, -1);
        if (n < 0 && errno != EINTR)
            return -errno;
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd != LISTEN_FD) {
                receive(bare, events[i].data.fd);
                continue;
            }
            r = accept_some(bare);
            if (r < 0)
                return r;
        }
    }
}

static int setup(Bare *bare)
{
    const char *n_passed = getenv("LISTEN_FDS");
    struct rlimit limit;

    if (n_passed == NULL || strcmp(n_passed, "1") != 0) {
        (void) fprintf(stderr, "bare: needs one listening socket as descriptor 3: start it with "
                               "systemd-socket-activate, or through the program 'load'\n");
        return -EINVAL;
    }
    if (fcntl(LISTEN_FD, F_SETFL, O_NONBLOCK) < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    limit.rlim_cur = limit.rlim_max;
    (void) setrlimit(RLIMIT_NOFILE, &limit);
    bare->n_fds = limit.rlim_max > 65536 ? 65536 : (unsigned) limit.rlim_max;
    bare->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    bare->rooms = calloc(bare->n_fds, sizeof(Room));
    bare->clients = calloc(bare->n_fds, sizeof(Client));
    if (bare->epoll_fd < 0 || bare->rooms == NULL || bare->clients == NULL)
        return -ENOMEM;
    return 0;
}

int main(int argc, char *argv[])
{
    static const struct option options[] = {{"room", required_argument, NULL, 'r'}, {NULL, 0, NULL, 0}};
    Bare bare = {.epoll_fd = -1};
    int c, r;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c != 'r') {
            (void) fprintf(stderr, "Usage: bare [--room=PEOPLE]\n");
            return 64;
        }
        bare.room_size = (unsigned) strtoul(optarg, NULL, 10);
    }
    r = setup(&bare);
    if (r == 0)
        r = serve(&bare);
    (void) fprintf(stderr, "bare: %s\n", strerror(-r));
    return EXIT_FAILURE;
}
