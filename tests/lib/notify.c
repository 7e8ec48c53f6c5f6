/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/macro.h"
#include "lib/deadline.h"
#include "lib/match.h"
#include "lib/notify.h"

void notify_init(Notify *notify, const char *directory)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int r;

    *notify = (Notify){.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    ck_assert_msg(notify->fd >= 0, "socket: %s", strerror(errno));
    r = snprintf(notify->path, sizeof(notify->path), "%s/notify", directory);
    ck_assert(r > 0 && (size_t) r < sizeof(notify->path));
    memcpy(address.sun_path, notify->path, sizeof(address.sun_path));
    r = bind(notify->fd, (struct sockaddr *) &address, sizeof(address));
    ck_assert_msg(r == 0, "bind %s: %s", notify->path, strerror(errno));
}

static void notify_message_done(NotifyMessage *message)
{
    for (size_t i = 0; i < message->n_fds; i++) {
        if (message->fds[i] >= 0)
            (void) close(message->fds[i]);
    }
    free(message->fds);
    free(message->text);
    *message = (NotifyMessage){0};
}

void notify_done(Notify *notify)
{
    for (size_t i = 0; i < notify->n_messages; i++)
        notify_message_done(&notify->messages[i]);
    free(notify->messages);
    if (notify->fd >= 0)
        (void) close(notify->fd);
    (void) unlink(notify->path);
    *notify = (Notify){.fd = -1};
}

static void notify_message_take_rights(NotifyMessage *message, struct msghdr *header)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        size_t n;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        message->fds = realloc(message->fds, (message->n_fds + n) * sizeof(int));
        ck_assert(message->fds != NULL);
        memcpy(message->fds + message->n_fds, CMSG_DATA(c), n * sizeof(int));
        message->n_fds += n;
    }
}

static void notify_add(Notify *notify, NotifyMessage message)
{
    if (notify->n_messages == notify->n_allocated) {
        notify->n_allocated = MAX(notify->n_allocated * 2, (size_t) 16);
        notify->messages = realloc(notify->messages, notify->n_allocated * sizeof(*notify->messages));
        ck_assert(notify->messages != NULL);
    }
    notify->messages[notify->n_messages++] = message;
}

void notify_receive(Notify *notify)
{
    static char text[64 * 1024];
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * NOTIFY_FDS_MAX)];
    } control;

    for (;;) {
        struct iovec iov = {.iov_base = text, .iov_len = sizeof(text)};
        struct msghdr header = {
            .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        ssize_t n = recvmsg(notify->fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        NotifyMessage message = {.usec = now_usec()};

        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR)
                ck_abort_msg("notify socket: %s", strerror(errno));
            return;
        }
        if (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
            ck_abort_msg("a notification was cut");
        notify->n_received++;
        message.text = strndup(text, (size_t) n);
        notify_message_take_rights(&message, &header);
        if (notify_message_match(&message, "BARRIER=1"))
            notify_message_done(&message);
        else
            notify_add(notify, message);
    }
}

/* The next line at `*text`, or NULL; advances. */
static const char *next_line(const char **text, size_t *ret_n)
{
    const char *line = *text, *end;

    if (*line == '\0')
        return NULL;
    end = strchrnul(line, '\n');
    *ret_n = (size_t) (end - line);
    *text = *end == '\n' ? end + 1 : end;
    return line;
}

bool notify_message_get(const NotifyMessage *message, const char *field, char *value, size_t size)
{
    const char *text = message->text, *line;
    size_t n, n_field = strlen(field);

    while ((line = next_line(&text, &n)) != NULL) {
        if (n <= n_field || memcmp(line, field, n_field) != 0 || line[n_field] != '=')
            continue;
        (void) snprintf(value, size, "%.*s", (int) (n - n_field - 1), line + n_field + 1);
        return true;
    }
    return false;
}

bool notify_message_match(const NotifyMessage *message, const char *pattern)
{
    const char *text = message->text, *line;
    size_t n;

    while ((line = next_line(&text, &n)) != NULL) {
        if (match_line(pattern, line, n))
            return true;
    }
    return false;
}

int notify_message_take_fd(NotifyMessage *message, size_t index)
{
    int fd;

    ck_assert_uint_lt(index, message->n_fds);
    fd = message->fds[index];
    message->fds[index] = -1;
    return fd;
}

NotifyMessage *notify_find(Notify *notify, const char *pattern)
{
    for (size_t i = notify->n_seen; i < notify->n_messages; i++) {
        if (!notify_message_match(&notify->messages[i], pattern))
            continue;
        notify->n_seen = i + 1;
        return &notify->messages[i];
    }
    return NULL;
}

size_t notify_count(const Notify *notify, const char *pattern)
{
    size_t n = 0;

    for (size_t i = 0; i < notify->n_messages; i++)
        n += notify_message_match(&notify->messages[i], pattern);
    return n;
}
