/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The service manager's end of NOTIFY_SOCKET, as far as a server needs one that is measured: what it tells is
 * read and counted (sd_notify(3)), and what it stores (FDSTORE=1) is kept for the process after it.
 *
 * There is no thread for it: whoever waits for clients waits for this socket as well, and it has something to
 * read at most once a second, or when 256 clients have come.
 */

enum { MANAGER_NAME_MAX = 32 };

typedef struct ManagerItem {
    int fd; /* owned */
    char name[MANAGER_NAME_MAX];
} ManagerItem;

typedef struct Manager {
    int fd; /* the socket; -1: there is no manager */
    char path[108];
    ManagerItem *items; /* the store; in the order of coming */
    unsigned n_items;
    unsigned n_messages, n_ready; /* since manager_init(); n_ready: those with READY=1 */
} Manager;

/* The socket lies in `folder`. Like manager_receive() 0 or -errno. */
int manager_init(Manager *manager, const char *folder);
void manager_done(Manager *manager);
/* Reads all that is there, without waiting. */
int manager_receive(Manager *manager);
