/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* A service manager's end of sd_notify(3), with a descriptor store: a socket in the abstract namespace
 * (unix(7)), which needs no file. */

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/inherit.h"
#include "unit/unit.h"

enum { MANAGER_MAX = 64 };

typedef struct Manager {
    int fd;
    char last[512]; /* the last message */
    unsigned n_messages;
    Stored stored[MANAGER_MAX]; /* in the order they came */
    unsigned n_stored;
} Manager;

static inline void manager_open(Manager *manager)
{
    static unsigned n_opened;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    int n = snprintf(name, sizeof name, "@chatd-test-manager-%d-%u", (int) getpid(), n_opened++);

    *manager = (Manager){.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    ck_assert_int_ge(manager->fd, 0);
    memcpy(address.sun_path + 1, name + 1, (size_t) n - 1);
    ck_assert_int_eq(bind(manager->fd, (struct sockaddr *) &address,
                          (socklen_t) (offsetof(struct sockaddr_un, sun_path) + (size_t) n)),
                     0);
    (void) setenv("NOTIFY_SOCKET", name, 1);
    (void) unsetenv("WATCHDOG_PID");
    (void) unsetenv("WATCHDOG_USEC");
}

/* Closes all of that name. */
static inline void manager_remove(Manager *manager, const char *name)
{
    unsigned n = 0;

    for (unsigned i = 0; i < manager->n_stored; i++)
        if (strcmp(manager->stored[i].name, name) == 0)
            (void) close(manager->stored[i].fd);
        else
            manager->stored[n++] = manager->stored[i];
    manager->n_stored = n;
}

static inline void manager_add(Manager *manager, const char *name, int fd)
{
    ck_assert_uint_lt(manager->n_stored, MANAGER_MAX);
    manager->stored[manager->n_stored].fd = fd;
    (void) snprintf(manager->stored[manager->n_stored++].name, sizeof manager->stored->name, "%s", name);
}

static inline void manager_handle(Manager *manager, struct msghdr *message)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    const char *name = strstr(manager->last, "FDNAME=");
    size_t n = 0;

    manager->n_messages++;
    if (strncmp(manager->last, "FDSTOREREMOVE=1\n", 16) == 0)
        manager_remove(manager, name + strlen("FDNAME="));
    if (header != NULL && header->cmsg_type == SCM_RIGHTS)
        n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < n; i++) {
        int fd;

        memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
        manager_add(manager, name + strlen("FDNAME="), fd);
    }
}

/* Does what the messages ask for that have come. */
static inline void manager_run(Manager *manager)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(16 * sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = manager->last, .iov_len = sizeof manager->last - 1};
    struct msghdr message;
    ssize_t n;

    do {
        message = (struct msghdr){
            .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        n = recvmsg(manager->fd, &message, MSG_CMSG_CLOEXEC);
        if (n >= 0) {
            manager->last[n] = '\0';
            manager_handle(manager, &message);
        }
    } while (n >= 0);
}

/* How many descriptors have that name. */
static inline unsigned manager_count(const Manager *manager, const char *name)
{
    unsigned n = 0;

    for (unsigned i = 0; i < manager->n_stored; i++)
        n += strcmp(manager->stored[i].name, name) == 0;
    return n;
}

/* What the next process is given: copies, in order or in the opposite one. */
static inline void manager_give(const Manager *manager, bool is_reversed, Inherited *ret_inherited)
{
    *ret_inherited = (Inherited){.stored = calloc(manager->n_stored + 1, sizeof(Stored))};
    for (unsigned i = 0; i < manager->n_stored; i++) {
        const Stored *from = &manager->stored[is_reversed ? manager->n_stored - 1 - i : i];
        Stored *to = &ret_inherited->stored[ret_inherited->n_stored++];

        *to = *from;
        to->fd = dup(from->fd);
        ck_assert_int_ge(to->fd, 0);
    }
}

static inline void manager_close(Manager *manager)
{
    while (manager->n_stored > 0)
        (void) close(manager->stored[--manager->n_stored].fd);
    (void) close(manager->fd);
    (void) unsetenv("NOTIFY_SOCKET");
}
