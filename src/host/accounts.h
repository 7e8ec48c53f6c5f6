/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Names of the host's accounts.
 *
 * Who has a uid, and whose login name somebody wants for a nick, is known to NSS (nsswitch.conf(5)), which
 * may ask a directory service and take seconds, or for ever. So threads of their own ask, and the loop never
 * waits: it looks, is told ACCOUNT_UNKNOWN, and looks again when accounts_fd() is readable or accounts_due()
 * has come. Answers are kept for a minute, so that the second look finds them.
 *
 * One thread does for all questions while NSS is quick. When a question has not been begun for a while,
 * there is another one, up to four. Uids go before names. A thread that hangs is left alone; it costs its
 * stack and its place. A thread ends when there has been nothing to ask for a second.
 *
 * A thread has a descriptor table of its own (host/thread.h).
 *
 * Time is CLOCK_MONOTONIC in microseconds (base/clock.h), and always told; it must not go backwards.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/limits.h"

typedef struct Accounts Accounts;
typedef struct Name Name;

enum {
    ACCOUNTS_CACHE = 1024,    /* answers that are kept; then the oldest goes */
    ACCOUNTS_QUEUE = 256,     /* questions of each kind that no thread has begun with; others are put later */
    ACCOUNTS_THREADS = 4,     /* stuck ones too */
    ACCOUNTS_LOGIN_MAX = 255, /* bytes of a login or group name: LOGIN_NAME_MAX less its NUL, sysconf(3) */
    ACCOUNTS_LOCAL_MAX = 100000, /* accounts in the local list; those beyond are only found by NSS */
};

#define ACCOUNTS_KEEP_USEC (60 * USEC_PER_SEC)    /* an answer is kept this long */
#define ACCOUNTS_PATIENCE_USEC (5 * USEC_PER_SEC) /* a question that is older is given up */
#define ACCOUNTS_RETRY_USEC (10 * USEC_PER_SEC)   /* and asked again no sooner than this after that */
/* A question that no thread has begun with for this long is a reason for one more thread. */
#define ACCOUNTS_HURRY_USEC (250 * USEC_PER_MSEC)

/* Which no group has: chown(2) and setresgid(2) take it for "leave as it is". */
#define ACCOUNTS_NO_GID ((gid_t) -1)

typedef enum AccountAnswer {
    ACCOUNT_UNKNOWN, /* it has been asked: look again later */
    ACCOUNT_TIMEOUT, /* it can not be looked up now: no answer in time, an error, or all threads are stuck */
    ACCOUNT_FREE,    /* there is no such account, or it is none of a person */
    ACCOUNT_TAKEN,   /* there is such an account */
} AccountAnswer;

typedef struct AccountPerson {
    char login[ACCOUNTS_LOGIN_MAX + 1]; /* as NSS has it: any bytes but NUL; empty with ACCOUNT_FREE */
    gid_t gid;                          /* of the group asked about; ACCOUNTS_NO_GID: there is none */
} AccountPerson;

/* What a source answers besides 0. */
enum {
    ACCOUNTS_NONE = 1, /* there is none */
    ACCOUNTS_FAILED,   /* it can not be told */
};

/* Changes whenever the local accounts do. */
typedef struct AccountsStamp {
    uint64_t words[4];
} AccountsStamp;

/* Called for each local account; false: no more. `name` is borrowed for the time of the call. */
typedef bool (*AccountsOnLocal)(void *local, const char *name, uid_t uid);

/*
 * Where answers come from. The functions run in other threads, several at a time, may block, and return 0 or
 * one of the above. Whatever `userdata` leads to has to outlive every thread that may hang in them.
 */
typedef struct AccountsSource {
    void *userdata;
    /* getpwuid_r(3). `ret_login` has room for ACCOUNTS_LOGIN_MAX bytes and a NUL. */
    int (*by_uid)(void *userdata, uid_t uid, char *ret_login);
    /* getpwnam_r(3) */
    int (*by_name)(void *userdata, const char *name, uid_t *ret_uid);
    /* getgrnam_r(3) */
    int (*by_group)(void *userdata, const char *name, gid_t *ret_gid);
    int (*stamp)(void *userdata, AccountsStamp *ret_stamp);
    int (*each)(void *userdata, AccountsOnLocal on_local, void *local);
} AccountsSource;

/* NSS; the local accounts are those in the file whose name `userdata` is, by default passwd(5). */
extern const AccountsSource accounts_nss;

/* `source` is copied; NULL: accounts_nss. No thread begins before the first question. 0, or a negative errno
 * (eventfd(2), ENOMEM). */
int accounts_new(const AccountsSource *source, Accounts **ret_accounts);
/* Never waits: threads that hang keep what they need, and free it when they come back. Takes NULL; returns
 * NULL. */
Accounts *accounts_free(Accounts *accounts);

/* Readable when there are new answers: for poll(2), borrowed. The same for the whole life of `accounts`. */
int accounts_fd(const Accounts *accounts);
/* When accounts_take() has to be called although nothing is readable; UINT64_MAX: never. */
uint64_t accounts_due(Accounts *accounts);
/*
 * Takes what is new, so that the descriptor is no longer readable, and gives up what is too old. True: who
 * was told ACCOUNT_UNKNOWN should look again, for some of them have an answer now.
 */
bool accounts_take(Accounts *accounts, uint64_t now);

/*
 * Whose uid is this, and which gid has the group `group` (NULL or empty: no group is asked about)? With
 * ACCOUNT_TAKEN and ACCOUNT_FREE, *ret_person is written; all accounts count here, not only those of people
 * (accounts_is_person()).
 */
AccountAnswer accounts_uid(Accounts *accounts, uid_t uid, const char *group, uint64_t now,
                           AccountPerson *ret_person);
/*
 * Is this the login name of a person or of root, or the name that name_from_login() makes of one? Under
 * folding (base/name.h): local accounts are found in whatever way the name is spelt, `john.doe` as `john_doe`
 * and `John_Doe`. Of a directory service one can only ask for a name, so its accounts are found if the name
 * is theirs, or folded is theirs; one of whose login name name_from_login() makes another name is not found
 * by that. What folds to other than ASCII is looked for in the local list alone. *ret_uid is written with
 * ACCOUNT_TAKEN.
 */
AccountAnswer accounts_name(Accounts *accounts, const Name *name, uint64_t now, uid_t *ret_uid);

/*
 * Is this uid root's or a person's, and not one of a part of the system, a dynamic user, or nobody? The
 * ranges are those of login.defs(5) (UID_MIN, UID_MAX), systemd-homed, and directory services and containers,
 * as described in https://systemd.io/UIDS-GIDS.
 */
bool accounts_is_person(uid_t uid);
