/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <check.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/macro.h"
#include "lib/match.h"
#include "lib/store.h"

void store_init(Store *store, size_t max)
{
    *store = (Store){.max = max};
}

static void remove_at(Store *store, size_t i)
{
    (void) close(store->items[i].fd);
    free(store->items[i].name);
    memmove(&store->items[i], &store->items[i + 1], (store->n - i - 1) * sizeof(*store->items));
    store->n--;
}

void store_done(Store *store)
{
    while (store->n > 0)
        remove_at(store, store->n - 1);
    free(store->items);
    *store = (Store){0};
}

static bool is_same_file(int a, int b)
{
    pid_t self = getpid();

    /* Where kcmp(2) is not allowed, a descriptor counts as new. */
    return syscall(SYS_kcmp, self, self, KCMP_FILE, a, b) == 0;
}

static bool has(const Store *store, int fd)
{
    for (size_t i = 0; i < store->n; i++) {
        if (is_same_file(store->items[i].fd, fd))
            return true;
    }
    return false;
}

static void add(Store *store, const char *name, int fd, bool is_polled)
{
    if (store->n >= store->max) {
        store->n_refused++;
        (void) close(fd);
        return;
    }
    if (has(store, fd)) {
        (void) close(fd);
        return;
    }
    if (store->n == store->n_allocated) {
        store->n_allocated = MAX(store->n_allocated * 2, (size_t) 16);
        store->items = realloc(store->items, store->n_allocated * sizeof(*store->items));
        ck_assert(store->items != NULL);
    }
    store->items[store->n++] = (StoredFd){.name = strdup(name), .fd = fd, .is_polled = is_polled};
}

static void add_all(Store *store, NotifyMessage *message)
{
    bool is_polled = !notify_message_match(message, "FDPOLL=0");
    char name[256] = "stored";

    (void) notify_message_get(message, "FDNAME", name, sizeof(name));
    ck_assert_msg(strchr(name, ':') == NULL, "not a name for a descriptor: %s", name);
    for (size_t i = 0; i < message->n_fds; i++) {
        if (message->fds[i] >= 0)
            add(store, name, notify_message_take_fd(message, i), is_polled);
    }
}

static bool has_name(const StoredFd *item, const char *pattern)
{
    return match_line(pattern, item->name, strlen(item->name));
}

void store_remove(Store *store, const char *pattern)
{
    for (size_t i = store->n; i > 0; i--) {
        if (has_name(&store->items[i - 1], pattern))
            remove_at(store, i - 1);
    }
}

static void remove_named(Store *store, const NotifyMessage *message)
{
    char name[256];

    ck_assert_msg(notify_message_get(message, "FDNAME", name, sizeof(name)),
                  "FDSTOREREMOVE=1 without a name");
    store_remove(store, name);
}

static void drop_hung_up(Store *store)
{
    for (size_t i = store->n; i > 0; i--) {
        struct pollfd fd = {.fd = store->items[i - 1].fd};

        if (store->items[i - 1].is_polled && poll(&fd, 1, 0) > 0)
            remove_at(store, i - 1);
    }
}

void store_handle(Store *store, Notify *notify)
{
    for (; store->n_handled < notify->n_messages; store->n_handled++) {
        NotifyMessage *message = &notify->messages[store->n_handled];

        if (notify_message_match(message, "FDSTOREREMOVE=1"))
            remove_named(store, message);
        else if (notify_message_match(message, "FDSTORE=1"))
            add_all(store, message);
    }
    drop_hung_up(store);
}

void store_shuffle(Store *store, size_t seed)
{
    StoredFd swap;

    /* The last one first, as systemd does it, but it promises no order. */
    for (size_t i = 0; i < store->n; i++) {
        size_t k = i + (i == 0 ? store->n - 1 : seed * 7 % (store->n - i));

        swap = store->items[i];
        store->items[i] = store->items[k];
        store->items[k] = swap;
    }
}

size_t store_count(const Store *store, const char *pattern)
{
    size_t n = 0;

    for (size_t i = 0; i < store->n; i++)
        n += has_name(&store->items[i], pattern);
    return n;
}
