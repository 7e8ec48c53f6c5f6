/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/macro.h"
#include "manager.h"

enum { TEXT_MAX = 1024, MESSAGE_FDS_MAX = 8 };

typedef struct Message {
    char text[TEXT_MAX + 1];
    int fds[MESSAGE_FDS_MAX];
    unsigned n_fds;
} Message;

int manager_init(Manager *manager, const char *folder)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n;

    *manager = (Manager){.fd = -1};
    n = snprintf(manager->path, sizeof(manager->path), "%s/notify", folder);
    if (n < 0 || (size_t) n >= sizeof(manager->path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, manager->path, sizeof(manager->path));
    manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (manager->fd < 0 || bind(manager->fd, (struct sockaddr *) &address, sizeof(address)) < 0)
        return -errno;
    return 0;
}

void manager_done(Manager *manager)
{
    while (manager->n_items > 0)
        (void) close(manager->items[--manager->n_items].fd);
    free(manager->items);
    manager->items = NULL;
    if (manager->path[0] != '\0')
        (void) unlink(manager->path);
    manager->path[0] = '\0';
    manager->fd = fd_close(manager->fd);
}

/* The value of `field` up to its line's end, or NULL. */
static const char *message_get(const Message *message, const char *field, size_t *ret_n)
{
    size_t n = strlen(field);

    for (const char *line = message->text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, field, n) == 0 && line[n] == '=') {
            *ret_n = strcspn(line + n + 1, "\n");
            return line + n + 1;
        }
    }
    return NULL;
}

static bool message_says(const Message *message, const char *field)
{
    size_t n;
    const char *value = message_get(message, field, &n);

    return value != NULL && n == 1 && *value == '1';
}

static int manager_store(Manager *manager, Message *message, const char *name)
{
    ManagerItem *items = reallocarray(manager->items, manager->n_items + message->n_fds, sizeof(*items));

    if (items == NULL)
        return -ENOMEM;
    manager->items = items;
    while (message->n_fds > 0) {
        ManagerItem *item = &items[manager->n_items++];

        item->fd = message->fds[--message->n_fds];
        (void) snprintf(item->name, sizeof(item->name), "%s", name);
    }
    return 0;
}

static void manager_remove(Manager *manager, const char *name)
{
    unsigned n = 0;

    for (unsigned i = 0; i < manager->n_items; i++)
        if (strcmp(manager->items[i].name, name) == 0)
            (void) close(manager->items[i].fd);
        else
            manager->items[n++] = manager->items[i];
    manager->n_items = n;
}

static int manager_take(Manager *manager, Message *message)
{
    char name[MANAGER_NAME_MAX] = "stored"; /* what systemd calls what has no name */
    size_t n;
    const char *value = message_get(message, "FDNAME", &n);
    int r = 0;

    if (value != NULL)
        (void) snprintf(name, sizeof(name), "%.*s", (int) n, value);
    manager->n_messages++;
    manager->n_ready += message_says(message, "READY");
    if (message_says(message, "FDSTORE") && message->n_fds > 0)
        r = manager_store(manager, message, name);
    if (message_says(message, "FDSTOREREMOVE"))
        manager_remove(manager, name);
    while (message->n_fds > 0)
        (void) close(message->fds[--message->n_fds]);
    return r;
}

static void take_rights(Message *message, struct msghdr *header)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        message->n_fds = (unsigned) ((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(message->fds, CMSG_DATA(c), message->n_fds * sizeof(int));
    }
}

int manager_receive(Manager *manager)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
    } control;
    Message message;
    int r = 0;

    while (r == 0 && manager->fd >= 0) {
        struct iovec iov = {.iov_base = message.text, .iov_len = TEXT_MAX};
        struct msghdr header = {
            .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        ssize_t n = recvmsg(manager->fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        message.text[n] = '\0';
        message.n_fds = 0;
        take_rights(&message, &header);
        if (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
            return -EMSGSIZE;
        r = manager_take(manager, &message);
    }
    return r;
}
