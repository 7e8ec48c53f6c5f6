/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/crash.h"
#include "base/error.h"
#include "base/macro.h"
#include "chat/person.h"
#include "host/arrival.h"
#include "host/server.h"

enum { FEW_GROUPS = 64 };

/* The groups of the process at the other end, when it connected (SO_PEERGROUPS, unix(7)). `few` is used where
 * they fit, else the memory is the caller's. NULL: they can not be told. */
static gid_t *peer_groups(int fd, gid_t few[FEW_GROUPS], size_t *ret_n)
{
    socklen_t size = FEW_GROUPS * sizeof *few;
    gid_t *groups = few;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, few, &size) < 0) {
        /* ERANGE, with the size that it takes: at most 65536 of them (credentials(7)). */
        groups = errno == ERANGE ? malloc(size) : NULL;
        if (groups != NULL && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0) {
            free(groups);
            groups = NULL;
        }
    }
    *ret_n = groups != NULL ? size / sizeof *groups : 0;
    return groups;
}

/* By its own gid, or by one of the others. */
static bool peer_is_in_group(int fd, gid_t gid)
{
    struct ucred credentials = {.gid = ACCOUNTS_NO_GID};
    socklen_t n = sizeof credentials;
    gid_t few[FEW_GROUPS], *groups;
    size_t n_groups;
    bool is_in;

    if (gid == ACCOUNTS_NO_GID)
        return false;
    is_in = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &n) == 0 && credentials.gid == gid;
    groups = peer_groups(fd, few, &n_groups);
    for (size_t i = 0; i < n_groups; i++)
        is_in = is_in || groups[i] == gid;
    if (groups != few)
        free(groups);
    return is_in;
}

/* A uid without a name, or whose name can not be told now, is a guest like others. */
static int arrival_admit(Server *server, const Arrival *arrival, AccountAnswer answer,
                         const AccountPerson *person)
{
    Identity identity = {.uid = arrival->peer.uid};
    bool has_name = answer == ACCOUNT_TAKEN && name_from_login(person->login, &identity.nick) == 0;

    identity.is_operator = identity.uid == 0 || peer_is_in_group(arrival->fd, person->gid);
    return error_trace(listener_take(server, arrival->fd, &arrival->peer, has_name ? &identity : NULL));
}

/* 0 with *ret_is_done, or a negative errno. */
static int arrival_look(Server *server, const Arrival *arrival, bool *ret_is_done)
{
    AccountPerson person = {.gid = ACCOUNTS_NO_GID};
    const char *group =
        strcmp(server->config.operator_group, "-") != 0 ? server->config.operator_group : NULL;
    AccountAnswer answer = ACCOUNT_FREE;

    /* The name of a part of the system is reserved for nobody; and whoever has no uid in this user namespace
     * is the overflow uid here, which may be several people (user_namespaces(7)). */
    if (accounts_is_person(arrival->peer.uid))
        answer = accounts_uid(server->accounts, arrival->peer.uid, group, server->chat->now, &person);
    *ret_is_done = answer != ACCOUNT_UNKNOWN;
    return answer != ACCOUNT_UNKNOWN ? error_trace(arrival_admit(server, arrival, answer, &person)) : 0;
}

int arrival_begin(Server *server, int fd, const Peer *peer)
{
    Arrival arrival = {.fd = fd, .peer = *peer};
    bool is_done;
    int r = arrival_look(server, &arrival, &is_done);

    if (r == 0 && !is_done)
        server->arrivals[server->n_arrivals++] = arrival;
    crash_point();
    return error_trace(r);
}

int arrivals_look(Server *server)
{
    unsigned n = server->n_arrivals;

    server->n_arrivals = 0;
    for (unsigned i = 0; i < n; i++) {
        Arrival arrival = server->arrivals[i];
        bool is_done = false;
        int r;

        crash_point();
        r = arrival_look(server, &arrival, &is_done);
        if (!is_done)
            server->arrivals[server->n_arrivals++] = arrival;
        if (r < 0)
            return error_trace(r);
    }
    return 0;
}

void arrivals_done(Server *server)
{
    while (server->n_arrivals > 0)
        listener_turn_away_one(server->arrivals[--server->n_arrivals].fd,
                               "!! The chat is being restarted. Please connect again.\n");
}
