/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/macro.h"
#include "host/accounts.h"

/* Names of accounts from NSS: accounts_nss. */

enum {
    NSS_BYTES = 4096,        /* of memory for a record, at first */
    NSS_BYTES_MAX = 4 << 20, /* a group of 100,000 members has more than 1 MB */
    PASSWD_LINE_BYTES = 65536,
};

/* Under "ERRORS", getpwnam(3) has those that mean "not found". Others leave it open. */
static int nss_error(int error)
{
    switch (error) {
    case 0:
    case ENOENT:
    case ESRCH:
    case EBADF:
    case EPERM:
        return ACCOUNTS_NONE;
    default:
        return ACCOUNTS_FAILED;
    }
}

/* By name, or with NULL by uid. What `ret_passwd` points to is in `ret_memory`, which the caller frees in any
 * case. */
static int nss_passwd(const char *name, uid_t uid, struct passwd *ret_passwd, char **ret_memory)
{
    struct passwd *found = NULL;
    int error = ERANGE;

    for (size_t size = NSS_BYTES; size <= NSS_BYTES_MAX && error == ERANGE; size *= 4) {
        free(*ret_memory);
        *ret_memory = malloc(size);
        if (*ret_memory == NULL)
            return ACCOUNTS_FAILED;
        error = name != NULL ? getpwnam_r(name, ret_passwd, *ret_memory, size, &found)
                             : getpwuid_r(uid, ret_passwd, *ret_memory, size, &found);
    }
    return found != NULL ? 0 : nss_error(error);
}

static int nss_by_uid(void *userdata _unused_, uid_t uid, char *ret_login)
{
    _cleanup_(freep) char *memory = NULL;
    struct passwd passwd;
    size_t n;
    int r = nss_passwd(NULL, uid, &passwd, &memory);

    if (r != 0)
        return r;
    n = strlen(passwd.pw_name);
    if (n > ACCOUNTS_LOGIN_MAX)
        return ACCOUNTS_NONE;
    memcpy(ret_login, passwd.pw_name, n + 1);
    return 0;
}

static int nss_by_name(void *userdata _unused_, const char *name, uid_t *ret_uid)
{
    _cleanup_(freep) char *memory = NULL;
    struct passwd passwd;
    int r = nss_passwd(name, 0, &passwd, &memory);

    if (r != 0)
        return r;
    *ret_uid = passwd.pw_uid;
    return 0;
}

static int nss_by_group(void *userdata _unused_, const char *name, gid_t *ret_gid)
{
    _cleanup_(freep) char *memory = NULL;
    struct group group, *found = NULL;
    int error = ERANGE;

    for (size_t size = NSS_BYTES; size <= NSS_BYTES_MAX && error == ERANGE; size *= 4) {
        free(memory);
        memory = malloc(size);
        if (memory == NULL)
            return ACCOUNTS_FAILED;
        error = getgrnam_r(name, &group, memory, size, &found);
    }
    if (found == NULL)
        return nss_error(error);
    *ret_gid = group.gr_gid;
    return 0;
}

static const char *nss_path(const void *userdata)
{
    return userdata != NULL ? userdata : "/etc/passwd";
}

static int nss_stamp(void *userdata, AccountsStamp *ret_stamp)
{
    struct stat status;

    *ret_stamp = (AccountsStamp){0};
    if (stat(nss_path(userdata), &status) < 0)
        return errno == ENOENT ? 0 : ACCOUNTS_FAILED;
    /* Whoever changes accounts puts another file in its place; an editor may not. */
    ret_stamp->words[0] = status.st_ino;
    ret_stamp->words[1] = status.st_size;
    ret_stamp->words[2] = status.st_mtim.tv_sec * NSEC_PER_SEC + status.st_mtim.tv_nsec;
    ret_stamp->words[3] = status.st_ctim.tv_sec * NSEC_PER_SEC + status.st_ctim.tv_nsec;
    return 0;
}

/*
 * Not getpwent(3): that has one position and one lock for the whole process, so a thread that hangs in it, in
 * a directory service, would take the others with it.
 */
static int nss_each(void *userdata, AccountsOnLocal on_local, void *local)
{
    _cleanup_(file_closep) FILE *file = fopen(nss_path(userdata), "re");
    _cleanup_(freep) char *memory = malloc(PASSWD_LINE_BYTES);
    struct passwd passwd, *found;
    int error;

    if (file == NULL)
        return errno == ENOENT ? 0 : ACCOUNTS_FAILED;
    if (memory == NULL)
        return ACCOUNTS_FAILED;
    while ((error = fgetpwent_r(file, &passwd, memory, PASSWD_LINE_BYTES, &found)) == 0)
        if (!on_local(local, passwd.pw_name, passwd.pw_uid))
            return 0;
    /* ENOENT is the end, and ERANGE a line that is too long, beyond which only NSS finds anybody. */
    return error == ENOENT || error == ERANGE ? 0 : ACCOUNTS_FAILED;
}

const AccountsSource accounts_nss = {
    .by_uid = nss_by_uid,
    .by_name = nss_by_name,
    .by_group = nss_by_group,
    .stamp = nss_stamp,
    .each = nss_each,
};
