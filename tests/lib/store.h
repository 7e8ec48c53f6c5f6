/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The service manager's descriptor store, sd_notify(3): FDSTORE=1 with FDNAME= adds the descriptors of a
 * message, FDSTOREREMOVE=1 closes all of a name. As in systemd, what goes beyond FileDescriptorStoreMax= is
 * closed and nobody is told, one that is there already is not added, and without FDPOLL=0 one that hangs up
 * is dropped. They are handed over in another order than the one they came in.
 */

#include <stdbool.h>
#include <stddef.h>

#include "lib/notify.h"

typedef struct StoredFd {
    char *name;
    int fd;
    bool is_polled;
} StoredFd;

typedef struct Store {
    StoredFd *items;
    size_t n;
    size_t n_allocated;
    size_t max;       /* FileDescriptorStoreMax= */
    size_t n_refused; /* descriptors there was no room for, so far */
    size_t n_handled; /* notifications that were looked at */
} Store;

void store_init(Store *store, size_t max);
void store_done(Store *store);

/* Does what the new notifications ask for, and takes their descriptors from them. */
void store_handle(Store *store, Notify *notify);

/* In the order in which the next process gets them; another one each time. */
void store_shuffle(Store *store, size_t seed);

/* How many have a name that matches. */
size_t store_count(const Store *store, const char *pattern);

/* Removes those whose name matches, as nobody but a test would. */
void store_remove(Store *store, const char *pattern);
