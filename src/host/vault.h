/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The vault: where client sockets outlive the process.
 *
 * systemd's descriptor store is not made for thousands: it compares each new descriptor with all it has. So
 * only a few socket pairs are in it, and the clients are in flight in these: sent into one end (SCM_RIGHTS,
 * unix(7)), and never received at the other. Whatever happens to the process, the kernel keeps them there;
 * the next process looks at the queue with MSG_PEEK, which makes copies and leaves it as it is, so that it
 * may die on the way, too.
 *
 * With a copy in the vault close(2) does not end a connection: shutdown(2) does. What has ended stays in the
 * queue as a dead entry, until the living of its pair move to another one and the pair is given up.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "chat/state.h"
#include "host/inherit.h"
#include "host/notify.h"

/* A client in flight. */
typedef struct VaultEntry {
    uint64_t serial;  /* of its session */
    int fd;           /* borrowed: the connection's own; -1: this entry is dead */
    uint32_t session; /* SLOT_NONE: not assigned yet */
} VaultEntry;

typedef struct VaultPair {
    uint64_t id; /* its name in the store is "vault-" and this */
    int in, out; /* owned; in: -1: nothing can be added */
    uint32_t n;  /* entries in its queue, the dead ones as well */
    uint32_t n_living;
    VaultEntry entries[VAULT_PAIR_CLIENTS];
} VaultPair;

typedef struct VaultPlace {
    VaultPair *pair; /* NULL: it is not in the vault */
    uint32_t entry;
} VaultPlace;

typedef struct Vault {
    const Notify *notify; /* borrowed */
    const Log *log;       /* borrowed */
    StateHeader *header;  /* borrowed; has the number of the next pair */
    VaultPlace *places;   /* owned; of each session */
    VaultPair **pairs;    /* owned */
    uint32_t n_pairs;
    uint64_t next_sweep; /* usec, monotonic; UINT64_MAX: there is nothing dead */
    bool is_logged;      /* that somebody could not be kept */
} Vault;

/* An entry that another process left. */
typedef struct VaultFound {
    uint64_t serial; /* of the session */
    int fd;          /* a copy; -1: it could not be had */
    VaultPlace place;
} VaultFound;

/* 0, or -ENOMEM. All that is borrowed must outlive it. */
int vault_init(Vault *vault, const Notify *notify, const Log *log, StateHeader *header);
void vault_done(Vault *vault);
/*
 * Keeps a copy of `fd` for the session of that serial, which need not be there yet; it is there when this
 * returns. If it can not be kept, it is served all the same, but will not outlive this process: *ret_place
 * has no pair then.
 */
void vault_put(Vault *vault, int fd, uint64_t serial, VaultPlace *ret_place);
/* The session is there, and `fd` its connection. */
void vault_assign(Vault *vault, const VaultPlace *place, uint32_t session, int fd);
/* The connection of that session has ended. */
void vault_forget(Vault *vault, uint32_t session, uint64_t now);
/* Gives up a pair with many dead entries, if there is one at this time. */
void vault_tidy(Vault *vault, uint64_t now);
/* Nobody is there any more: gives up all pairs. */
void vault_clear(Vault *vault);

/* What to do with an entry that another process left: it owns `found->fd`. */
typedef void (*VaultVisit)(void *userdata, const VaultFound *found);

/*
 * Takes the pairs over that another process left, and shows each entry to `visit`, pair by pair in the order
 * they were made. 0, or a negative errno.
 */
int vault_adopt(Vault *vault, Inherited *inherited, VaultVisit visit, void *userdata);
