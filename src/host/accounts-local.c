/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/name.h"
#include "chat/index.h"
#include "host/accounts-local.h"

struct LocalList {
    AccountsStamp stamp;
    Index logins;   /* uids, by folded login name */
    Index others;   /* uids, by login name as it is, of those after the first of a folded one */
    Index nicks;    /* by folded name_from_login(), where that is another */
    unsigned n;     /* accounts looked at */
    bool is_failed; /* out of memory */
};

static LocalList *list_free(LocalList *list)
{
    if (list == NULL)
        return NULL;
    index_done(&list->nicks);
    index_done(&list->others);
    index_done(&list->logins);
    free(list);
    return NULL;
}

/* The first account of a name has it. False: that was another one. */
static bool list_add_key(LocalList *list, Index *index, const void *key, size_t n, uid_t uid)
{
    if (n == 0 || index_find(index, key, n) != NULL)
        return false;
    if (index_add(index, key, n, uid) < 0)
        list->is_failed = true;
    return true;
}

static bool list_add(void *userdata, const char *login, uid_t uid)
{
    LocalList *list = userdata;
    NameKey key, nick_key;
    Name nick;

    if (list->n++ >= ACCOUNTS_LOCAL_MAX)
        return false;
    if (!accounts_is_person(uid))
        return true;
    name_fold(login, strlen(login), &key);
    if (!list_add_key(list, &list->logins, key.bytes, key.n, uid))
        (void) list_add_key(list, &list->others, login, strlen(login), uid);
    if (name_from_login(login, &nick) == 0) {
        name_fold(nick.bytes, nick.n, &nick_key);
        if (memcmp(&nick_key, &key, sizeof key) != 0)
            (void) list_add_key(list, &list->nicks, nick_key.bytes, nick_key.n, uid);
    }
    return !list->is_failed;
}

/* 0, or ACCOUNTS_FAILED. */
static int list_new(const AccountsSource *source, const AccountsStamp *stamp, LocalList **ret_list)
{
    LocalList *list = calloc(1, sizeof *list);

    if (list == NULL)
        return ACCOUNTS_FAILED;
    list->stamp = *stamp;
    if (source->each(source->userdata, list_add, list) != 0 || list->is_failed) {
        (void) list_free(list);
        return ACCOUNTS_FAILED;
    }
    *ret_list = list;
    return 0;
}

void accounts_local_init(AccountsLocal *local)
{
    *local = (AccountsLocal){0};
    (void) pthread_mutex_init(&local->lock, NULL);
}

void accounts_local_done(AccountsLocal *local)
{
    local->list = list_free(local->list);
    (void) pthread_mutex_destroy(&local->lock);
}

/* Sees to it that the list is that of `stamp`. The source is asked without the lock. */
static int local_update(AccountsLocal *local, const AccountsSource *source, const AccountsStamp *stamp)
{
    LocalList *list, *old;
    bool is_current;
    int r;

    (void) pthread_mutex_lock(&local->lock);
    is_current = local->list != NULL && memcmp(&local->list->stamp, stamp, sizeof *stamp) == 0;
    (void) pthread_mutex_unlock(&local->lock);
    if (is_current)
        return 0;
    r = list_new(source, stamp, &list);
    if (r != 0)
        return r;
    (void) pthread_mutex_lock(&local->lock);
    old = TAKE(local->list, list);
    (void) pthread_mutex_unlock(&local->lock);
    (void) list_free(old);
    return 0;
}

int accounts_local_find(AccountsLocal *local, const AccountsSource *source, const char *name, uid_t *ret_uid)
{
    AccountsStamp stamp = {0};
    const uint32_t *uid;
    NameKey key;
    int r;

    r = source->stamp(source->userdata, &stamp);
    if (r != 0)
        return r;
    r = local_update(local, source, &stamp);
    if (r != 0)
        return r;
    name_fold(name, strlen(name), &key);
    (void) pthread_mutex_lock(&local->lock);
    uid = index_find(&local->list->others, name, strlen(name));
    if (uid == NULL)
        uid = index_find(&local->list->logins, key.bytes, key.n);
    if (uid == NULL)
        uid = index_find(&local->list->nicks, key.bytes, key.n);
    if (uid != NULL)
        *ret_uid = *uid;
    (void) pthread_mutex_unlock(&local->lock);
    return uid != NULL ? 0 : ACCOUNTS_NONE;
}
