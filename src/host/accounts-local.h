/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The names of the local accounts of root and of people, folded (base/name.h), so that each is found in
 * whatever way it is spelt. An account has up to two: its login name, and the nick that is made of it, so
 * that nobody else is `john_doe` where there is a `john.doe`.
 *
 * Several threads may look for names at a time. The list is made again when the accounts have changed.
 */

#include <pthread.h>
#include <sys/types.h>

#include "host/accounts.h"

typedef struct LocalList LocalList;

typedef struct AccountsLocal {
    pthread_mutex_t lock; /* of what follows */
    LocalList *list;      /* owned; NULL: not made yet */
} AccountsLocal;

void accounts_local_init(AccountsLocal *local);
void accounts_local_done(AccountsLocal *local);
/*
 * Whose login name that is; else, of whose login name that nick is made. Of several, who is called just so,
 * or the first in the list. May block as `source` may. 0, ACCOUNTS_NONE, or ACCOUNTS_FAILED.
 */
int accounts_local_find(AccountsLocal *local, const AccountsSource *source, const char *name, uid_t *ret_uid);
