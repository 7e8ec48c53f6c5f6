/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <inttypes.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/crash.h"
#include "base/error.h"
#include "base/macro.h"
#include "host/vault.h"

/* More than the kernel charges for a pair full of descriptors, a packet each; it gives what net.core.wmem_max
 * allows. */
#define SEND_BUFFER (1 << 20)

int vault_init(Vault *vault, const Notify *notify, const Log *log, StateHeader *header)
{
    *vault = (Vault){.notify = notify, .log = log, .header = header, .next_sweep = UINT64_MAX};
    vault->places = calloc(header->max_sessions, sizeof *vault->places);
    return vault->places == NULL ? error_origin(-ENOMEM) : 0;
}

static void pair_free(VaultPair *pair)
{
    (void) fd_close(pair->in);
    (void) fd_close(pair->out);
    free(pair);
}

void vault_done(Vault *vault)
{
    while (vault->n_pairs > 0)
        pair_free(vault->pairs[--vault->n_pairs]);
    free(vault->pairs);
    free(vault->places);
    *vault = (Vault){0};
}

static VaultPair *vault_append(Vault *vault, uint64_t id, int in, int out)
{
    VaultPair **pairs = realloc(vault->pairs, (vault->n_pairs + 1) * sizeof(VaultPair *)), *pair;

    if (pairs == NULL)
        return NULL;
    vault->pairs = pairs;
    pair = malloc(sizeof *pair);
    if (pair == NULL)
        return NULL;
    pair->id = id;
    pair->in = in;
    pair->out = out;
    pair->n = pair->n_living = 0;
    pairs[vault->n_pairs++] = pair;
    return pair;
}

static void pair_name(uint64_t id, char name[32])
{
    (void) snprintf(name, 32, INHERIT_VAULT "%" PRIu64, id);
}

/* A new pair, in the store; NULL: there can be none. */
static VaultPair *vault_add_pair(Vault *vault)
{
    uint64_t id = vault->header->next_vault++;
    int fds[2], size = SEND_BUFFER;
    VaultPair *pair = NULL;
    char name[32];

    if (!vault->notify->is_enabled ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return NULL;
    (void) setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    pair_name(id, name);
    crash_point();
    if (notify_store(vault->notify, name, fds, 2))
        pair = vault_append(vault, id, fds[0], fds[1]);
    crash_point();
    if (pair == NULL) {
        (void) fd_close(fds[0]);
        (void) fd_close(fds[1]);
    }
    return pair;
}

/* False: the queue is full, or nothing can be sent at all. */
static bool pair_send(const VaultPair *pair, int fd, uint64_t serial)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof fd)];
    } control = {
        .header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)}};
    struct iovec iov = {.iov_base = &serial, .iov_len = sizeof serial};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.space};

    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    return sendmsg(pair->in, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof serial;
}

static bool vault_try(VaultPair *pair, int fd, uint64_t serial, VaultPlace *ret_place)
{
    if (pair == NULL || pair->in < 0 || pair->n == VAULT_PAIR_CLIENTS)
        return false;
    if (!pair_send(pair, fd, serial)) {
        pair->in = fd_close(pair->in);
        return false;
    }
    pair->entries[pair->n] = (VaultEntry){.serial = serial, .fd = fd, .session = SLOT_NONE};
    *ret_place = (VaultPlace){.pair = pair, .entry = pair->n};
    pair->n++;
    return true;
}

void vault_put(Vault *vault, int fd, uint64_t serial, VaultPlace *ret_place)
{
    VaultPair *pair = vault->n_pairs > 0 ? vault->pairs[vault->n_pairs - 1] : NULL;

    *ret_place = (VaultPlace){0};
    if (!vault->notify->is_enabled || vault_try(pair, fd, serial, ret_place) ||
        vault_try(vault_add_pair(vault), fd, serial, ret_place) || vault->is_logged)
        return;
    vault->is_logged = true;
    log_event(vault->log, (LogEvent){.priority = LOG_WARNING, .id = LOG_ID_NO_STORE},
              "Not everybody can be kept over a restart: %s.", strerror(errno));
}

void vault_assign(Vault *vault, const VaultPlace *place, uint32_t session, int fd)
{
    vault->places[session] = *place;
    if (place->pair == NULL)
        return;
    place->pair->entries[place->entry].session = session;
    place->pair->entries[place->entry].fd = fd;
    place->pair->n_living++;
}

void vault_forget(Vault *vault, uint32_t session, uint64_t now)
{
    VaultPlace *place = &vault->places[session];

    if (place->pair == NULL)
        return;
    place->pair->entries[place->entry].fd = -1;
    place->pair->n_living--;
    *place = (VaultPlace){0};
    vault->next_sweep = MIN(vault->next_sweep, now + VAULT_SWEEP_USEC);
}

static void vault_give_up(Vault *vault, VaultPair *pair)
{
    char name[32];
    uint32_t i = 0;

    pair_name(pair->id, name);
    crash_point();
    notify_unstore(vault->notify, name);
    crash_point();
    while (vault->pairs[i] != pair)
        i++;
    vault->n_pairs--;
    memmove(&vault->pairs[i], &vault->pairs[i + 1], (vault->n_pairs - i) * sizeof(VaultPair *));
    pair_free(pair);
}

/* Puts the living ones elsewhere. Who dies on the way leaves some of them in two pairs, which does no harm.
 */
static bool vault_move(Vault *vault, VaultPair *pair)
{
    pair->in = fd_close(pair->in);
    for (uint32_t i = 0; i < pair->n; i++) {
        VaultEntry *entry = &pair->entries[i];
        VaultPlace place;

        if (entry->fd < 0)
            continue;
        vault_put(vault, entry->fd, entry->serial, &place);
        if (place.pair == NULL)
            return false;
        crash_point();
        vault_assign(vault, &place, entry->session, entry->fd);
        entry->fd = -1;
        pair->n_living--;
    }
    return true;
}

/* The one with the most dead entries. Between sweeps only those count that nothing can be added to, half of
 * which is dead. */
static VaultPair *vault_pick(const Vault *vault, bool is_sweep)
{
    VaultPair *best = NULL;

    for (uint32_t i = 0; i < vault->n_pairs; i++) {
        VaultPair *pair = vault->pairs[i];
        uint32_t n_dead = pair->n - pair->n_living;
        bool is_closed = pair->in < 0 || pair->n == VAULT_PAIR_CLIENTS || i + 1 < vault->n_pairs;

        if (n_dead == 0 || (!is_sweep && (!is_closed || n_dead < pair->n / 2)))
            continue;
        if (best == NULL || n_dead > best->n - best->n_living)
            best = pair;
    }
    return best;
}

void vault_tidy(Vault *vault, uint64_t now)
{
    bool is_sweep = now >= vault->next_sweep;
    VaultPair *pair = NULL;

    if (vault->next_sweep == UINT64_MAX)
        return;
    pair = vault_pick(vault, is_sweep);
    if (pair != NULL && vault_move(vault, pair))
        vault_give_up(vault, pair);
    if (is_sweep)
        vault->next_sweep = vault_pick(vault, true) != NULL ? now + VAULT_SWEEP_USEC : UINT64_MAX;
}

void vault_clear(Vault *vault)
{
    while (vault->n_pairs > 0)
        vault_give_up(vault, vault->pairs[vault->n_pairs - 1]);
}

/* What another process left */

/* Copies the next descriptor out of a queue. 1, 0 at its end, or a negative errno. A message whose descriptor
 * can not be had (the limit of open files) has fd -1. */
static int queue_peek(int out, VaultFound *ret_found)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = &ret_found->serial, .iov_len = sizeof ret_found->serial};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.space};
    struct cmsghdr *header;
    ssize_t n;

    n = recvmsg(out, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    /* A pair of which only one end is left, in a store that was full, may be reset. */
    if (n < 0 && !errno_is_transient(errno) && !errno_is_disconnect(errno))
        return error_origin(-errno);
    if (n != sizeof ret_found->serial)
        return 0;
    ret_found->fd = -1;
    header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&ret_found->fd, CMSG_DATA(header), sizeof ret_found->fd);
    return 1;
}

/* The other descriptor of that name; -1: there is none. */
static int take_partner(Inherited *inherited, const char *name)
{
    for (unsigned i = 0; i < inherited->n_stored; i++)
        if (inherited->stored[i].fd >= 0 && strcmp(inherited->stored[i].name, name) == 0)
            return TAKE_FD(inherited->stored[i].fd);
    return -1;
}

/* Which of the two has the queue; an empty one may be either. Not by a look: somebody who died may have left
 * the offset for that at the end. */
static bool has_queue(int fd)
{
    int n = 0;

    return ioctl(fd, SIOCINQ, &n) == 0 && n > 0;
}

static int vault_look(VaultPair *pair, VaultFound *found, uint32_t *n)
{
    int start = 0, r = 0;

    /* From the first message on, at each look the next one (socket(7), SO_PEEK_OFF). */
    if (setsockopt(pair->out, SOL_SOCKET, SO_PEEK_OFF, &start, sizeof start) < 0)
        return error_origin(-errno);
    while (pair->n < VAULT_PAIR_CLIENTS && (r = queue_peek(pair->out, &found[*n])) > 0) {
        pair->entries[pair->n] = (VaultEntry){.serial = found[*n].serial, .fd = -1, .session = SLOT_NONE};
        found[*n].place = (VaultPlace){.pair = pair, .entry = pair->n++};
        ++*n;
        crash_point();
    }
    return error_trace(MIN(r, 0));
}

static int vault_adopt_pair(Vault *vault, Inherited *inherited, unsigned i, VaultFound **found, uint32_t *n)
{
    const char *name = inherited->stored[i].name;
    int out = TAKE_FD(inherited->stored[i].fd), in = take_partner(inherited, name);
    uint64_t id = strtoull(name + STRLEN(INHERIT_VAULT), NULL, 10);
    VaultFound *more = realloc(*found, (*n + VAULT_PAIR_CLIENTS) * sizeof *more);
    VaultPair *pair;

    if (more != NULL)
        *found = more;
    if (in >= 0 && has_queue(in)) {
        int other = in;

        in = out;
        out = other;
    }
    pair = more != NULL ? vault_append(vault, id, in, out) : NULL;
    if (pair == NULL) {
        (void) fd_close(in);
        (void) fd_close(out);
        return error_origin(-ENOMEM);
    }
    vault->header->next_vault = MAX(vault->header->next_vault, id + 1);
    return error_trace(vault_look(pair, *found, n));
}

int vault_adopt(Vault *vault, Inherited *inherited, VaultFound **ret_found, uint32_t *ret_n)
{
    int r = 0;

    *ret_found = NULL;
    *ret_n = 0;
    for (unsigned i = 0; i < inherited->n_stored && r == 0; i++)
        if (inherited->stored[i].fd >= 0 &&
            strncmp(inherited->stored[i].name, INHERIT_VAULT, STRLEN(INHERIT_VAULT)) == 0)
            r = vault_adopt_pair(vault, inherited, i, ret_found, ret_n);
    /* What turns out to be dead is swept up in time. */
    vault->next_sweep = *ret_n > 0 ? 0 : UINT64_MAX;
    return error_trace(r);
}
