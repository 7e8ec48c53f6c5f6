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
    if (notify_store(vault->notify, name, fds, 2) == 0)
        pair = vault_append(vault, id, fds[0], fds[1]);
    crash_point();
    if (pair == NULL) {
        (void) fd_close(fds[0]);
        (void) fd_close(fds[1]);
    }
    return pair;
}

/* 0, or an errno: EAGAIN if the queue is full. */
static int pair_send(const VaultPair *pair, int fd, uint64_t serial)
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
    return sendmsg(pair->in, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof serial ? 0 : errno;
}

static bool pair_has_room(const VaultPair *pair)
{
    return pair->in >= 0 && pair->n < VAULT_PAIR_CLIENTS;
}

/* One with room, the last one first; NULL: there can be none. */
static VaultPair *vault_find_room(Vault *vault)
{
    for (uint32_t i = vault->n_pairs; i > 0; i--)
        if (pair_has_room(vault->pairs[i - 1]))
            return vault->pairs[i - 1];
    return vault_add_pair(vault);
}

void vault_put(Vault *vault, int fd, uint64_t serial, VaultPlace *ret_place)
{
    VaultPair *pair;
    int r = EAGAIN;

    *ret_place = (VaultPlace){0};
    if (!vault->notify->is_enabled)
        return;
    while (r == EAGAIN && (pair = vault_find_room(vault)) != NULL) {
        r = pair_send(pair, fd, serial);
        if (r == 0) {
            pair->entries[pair->n] = (VaultEntry){.serial = serial, .fd = fd, .session = SLOT_NONE};
            *ret_place = (VaultPlace){.pair = pair, .entry = pair->n++};
            return;
        }
        /* A queue that is full with fewer: net.core.wmem_max is small. An empty one that is full is of no
         * use. */
        if (r == EAGAIN && pair->n == 0)
            break;
        if (r == EAGAIN)
            pair->in = fd_close(pair->in);
    }
    if (!vault->is_logged)
        log_event(vault->log, (LogEvent){.priority = LOG_WARNING, .id = LOG_ID_NO_STORE},
                  "Not everybody can be kept over a restart: %s.", strerror(errno));
    vault->is_logged = true;
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

/* The one with the most dead entries. Between sweeps only those count that nothing can be added to, and half
 * of which is dead. */
static VaultPair *vault_pick(const Vault *vault, bool is_sweep)
{
    VaultPair *best = NULL;

    for (uint32_t i = 0; i < vault->n_pairs; i++) {
        VaultPair *pair = vault->pairs[i];
        uint32_t n_dead = pair->n - pair->n_living;
        bool is_closed = !pair_has_room(pair);

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

/* The descriptor that came with a message; -1: there is not just one. */
static int take_descriptor(struct msghdr *message)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    int fds[2] = {-1, -1};

    if (header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
        return -1;
    memcpy(fds, CMSG_DATA(header), MIN(header->cmsg_len - CMSG_LEN(0), sizeof fds));
    if (fds[1] < 0)
        return fds[0];
    (void) fd_close(fds[0]);
    (void) fd_close(fds[1]);
    return -1;
}

/* Copies the next descriptor out of a queue. 1, 0 at its end, or a negative errno. A message whose descriptor
 * can not be had (the limit of open files) has fd -1. */
static int queue_peek(int out, VaultFound *ret_found)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(2 * sizeof(int))]; /* no smaller than for one, on 64 bits */
    } control;
    struct iovec iov = {.iov_base = &ret_found->serial, .iov_len = sizeof ret_found->serial};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.space};
    ssize_t n;

    n = recvmsg(out, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    /* A pair of which only one end is left, in a store that was full, may be reset. */
    if (n < 0)
        return errno_is_transient(errno) || errno_is_disconnect(errno) ? 0 : error_origin(-errno);
    ret_found->fd = take_descriptor(&message);
    if (n == sizeof ret_found->serial)
        return 1;
    ret_found->fd = fd_close(ret_found->fd);
    return 0;
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

static int vault_look(VaultPair *pair, VaultVisit visit, void *userdata)
{
    VaultFound found = {.place = {.pair = pair}};
    int start = 0, r = 0;

    /* From the first message on, at each look the next one (socket(7), SO_PEEK_OFF). */
    if (setsockopt(pair->out, SOL_SOCKET, SO_PEEK_OFF, &start, sizeof start) < 0)
        return error_origin(-errno);
    while (pair->n < VAULT_PAIR_CLIENTS && (r = queue_peek(pair->out, &found)) > 0) {
        found.place.entry = pair->n;
        pair->entries[pair->n++] = (VaultEntry){.serial = found.serial, .fd = -1, .session = SLOT_NONE};
        visit(userdata, &found);
        crash_point();
    }
    return error_trace(MIN(r, 0));
}

static uint64_t pair_id(const Stored *stored)
{
    return strtoull(stored->name + STRLEN(INHERIT_VAULT), NULL, 10);
}

static int vault_adopt_pair(Vault *vault, Inherited *inherited, Stored *stored, VaultVisit visit,
                            void *userdata)
{
    uint64_t id = pair_id(stored);
    int out = TAKE_FD(stored->fd), in = take_partner(inherited, stored->name);
    VaultPair *pair;

    if (in >= 0 && has_queue(in)) {
        int other = in;

        in = out;
        out = other;
    }
    pair = vault_append(vault, id, in, out);
    if (pair == NULL) {
        (void) fd_close(in);
        (void) fd_close(out);
        return error_origin(-ENOMEM);
    }
    vault->header->next_vault = MAX(vault->header->next_vault, id + 1);
    return error_trace(vault_look(pair, visit, userdata));
}

/* The oldest pair that was not taken yet; NULL: there is none. */
static Stored *oldest_pair(const Inherited *inherited)
{
    Stored *oldest = NULL;

    for (unsigned i = 0; i < inherited->n_stored; i++) {
        Stored *stored = &inherited->stored[i];

        if (stored->fd >= 0 && strncmp(stored->name, INHERIT_VAULT, STRLEN(INHERIT_VAULT)) == 0 &&
            (oldest == NULL || pair_id(stored) < pair_id(oldest)))
            oldest = stored;
    }
    return oldest;
}

int vault_adopt(Vault *vault, Inherited *inherited, VaultVisit visit, void *userdata)
{
    Stored *stored;
    int r = 0;

    while (r == 0 && (stored = oldest_pair(inherited)) != NULL)
        r = vault_adopt_pair(vault, inherited, stored, visit, userdata);
    /* What turns out to be dead is swept up in time. */
    vault->next_sweep = vault->n_pairs > 0 ? 0 : UINT64_MAX;
    return error_trace(r);
}
