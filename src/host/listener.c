/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/error.h"
#include "base/macro.h"
#include "chat/peer.h"
#include "chat/person.h"
#include "chat/rule.h"
#include "chat/session.h"
#include "host/server.h"

/* How long a listener pauses when nothing that this process does gives a descriptor back. */
#define PAUSE_USEC (200 * USEC_PER_MSEC)

static void set_option(int fd, int level, int option, int value)
{
    /* Where the socket is no TCP socket, or the kernel does not know the option, it goes without. */
    (void) setsockopt(fd, level, option, &value, sizeof value);
}

void listener_init(Listener *listener, int fd, bool is_local)
{
    *listener = (Listener){.fd = fd, .is_local = is_local};
    /*
     * Accepted sockets inherit these. The unit sets them too, but a socket from elsewhere must serve as well:
     * a silent peer is found dead within two minutes, lines are not held back, and urgent data stays in its
     * place (tcp(7)).
     */
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 15);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

void listener_done(Listener *listener)
{
    listener->fd = fd_close(listener->fd);
}

static void peer_from_address(Peer *peer, int fd, const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *) address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *) address;
    struct ucred credentials = {.uid = (uid_t) -1};
    socklen_t n = sizeof credentials;

    *peer = (Peer){0};
    if (address->ss_family == AF_INET) {
        peer->address[10] = peer->address[11] = 0xff;
        memcpy(peer->address + 12, &v4->sin_addr, 4);
        peer->port = ntohs(v4->sin_port);
    } else if (address->ss_family == AF_INET6) {
        memcpy(peer->address, &v6->sin6_addr, 16);
        peer->port = ntohs(v6->sin6_port);
    } else {
        (void) getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &n);
        peer->is_local = true;
        peer->uid = credentials.uid;
    }
}

/* Says `words` and closes. What the client sent already is read first: closing with it unread would reset the
 * connection under our words. */
void listener_turn_away_one(int fd, const char *words)
{
    char unread[4096];

    (void) send(fd, words, strlen(words), MSG_NOSIGNAL | MSG_DONTWAIT);
    (void) shutdown(fd, SHUT_WR);
    while (recv(fd, unread, sizeof unread, MSG_DONTWAIT) > 0)
        ;
    (void) shutdown(fd, SHUT_RDWR); /* a copy may be in a vault */
    (void) fd_close(fd);
}

void listener_turn_away(int fd, const char *words)
{
    int client;

    while ((client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        listener_turn_away_one(client, words);
}

static void listener_refuse(Server *server, int fd, const Peer *peer, int why)
{
    const Config *config = &server->config;
    bool is_address = why == SESSION_ADDRESS_FULL;
    char text[160], from[PEER_TEXT_MAX];

    if (why == SESSION_PERSON_FULL) {
        (void) snprintf(text, sizeof text,
                        "!! You are connected %d times already. Close one and try again.\n",
                        LIMIT_PERSON_SESSIONS);
        listener_turn_away_one(fd, text);
        return;
    }
    if (is_address)
        (void) snprintf(text, sizeof text,
                        "!! Too many connections from your address (%u). Close one and try again.\n",
                        config->max_clients_per_address);
    else
        (void) snprintf(text, sizeof text, "!! The server is full (%u people). Try again later.\n",
                        chat_n_people(server->chat));
    listener_turn_away_one(fd, text);
    peer_format(peer, from);
    chat_log_limit(server->chat, is_address ? CHAT_LIMIT_CLIENTS_PER_ADDRESS : CHAT_LIMIT_CLIENTS,
                   (LogEvent){.peer = from});
}

static void listener_turn_away_banned(int fd, const RuleRecord *ban)
{
    char text[RULE_TEXT_MAX], line[RULE_TEXT_MAX + 8];

    rule_format(ban, "banned", text);
    (void) snprintf(line, sizeof line, "!! %s\n", text);
    listener_turn_away_one(fd, line);
}

/* `fd` is consumed. It is in the vault before it is a session: whoever dies in between leaves somebody whom
 * the next process greets. */
static int listener_admit(Server *server, int fd, const Peer *peer, const Identity *identity,
                          const VaultPlace *place)
{
    uint32_t session;
    int r;

    session_reserve(server->chat, identity);
    r = session_open(server->chat, peer, identity, &session);
    if (r < 0) {
        (void) fd_close(fd);
        return error_trace(r);
    }
    chat_commit(server->chat);
    vault_assign(&server->vault, place, session, fd);
    connection_open(server, session, fd);
    connection_log_came(server, session);
    return 0;
}

/* By whatever road. False: they were told why not, and `fd` is consumed. */
static bool listener_lets_in(Server *server, int fd, const Peer *peer, const Identity *identity)
{
    const RuleRecord *ban = rule_find(server->chat, RULE_BAN, peer);
    int r;

    if (ban != NULL && !(identity != NULL &&
                         (identity->is_operator || rule_is_operator(server->chat, peer, &identity->nick)))) {
        listener_turn_away_banned(fd, ban);
        return false;
    }
    r = session_may_open(server->chat, peer, identity);
    if (r > 0)
        listener_refuse(server, fd, peer, r);
    return r == 0;
}

int listener_take(Server *server, int fd, const Peer *peer, const Identity *identity)
{
    VaultPlace place;

    if (!listener_lets_in(server, fd, peer, identity))
        return 0;
    crash_point();
    vault_put(&server->vault, fd, server->chat->state.header->next_serial, &place);
    crash_point();
    return error_trace(listener_admit(server, fd, peer, identity, &place));
}

/* Who comes in by a socket for accounts has a name already, once that is looked up. */
static int listener_begin(Server *server, const Listener *listener, int fd,
                          const struct sockaddr_storage *address)
{
    Peer peer;

    peer_from_address(&peer, fd, address);
    if (listener->is_local)
        return error_trace(arrival_begin(server, fd, &peer));
    return error_trace(listener_take(server, fd, &peer, NULL));
}

/* Whether it came in by a socket for accounts: the address of a connection is that of its listener. */
static bool came_by_local(const Server *server, int fd)
{
    struct sockaddr_un address = {0}, own;
    socklen_t n = sizeof address, n_own;

    if (getsockname(fd, (struct sockaddr *) &address, &n) < 0 || address.sun_family != AF_UNIX)
        return false;
    for (unsigned i = 0; i < server->n_listeners; i++) {
        n_own = sizeof own;
        own = (struct sockaddr_un){0};
        if (server->listeners[i].is_local &&
            getsockname(server->listeners[i].fd, (struct sockaddr *) &own, &n_own) == 0 && n_own == n &&
            memcmp(&own, &address, n) == 0)
            return true;
    }
    return false;
}

int listener_admit_found(Server *server, const VaultFound *found)
{
    struct sockaddr_storage address = {0};
    socklen_t n = sizeof address;
    Peer peer;

    /* Whoever has gone meanwhile has no name any more. */
    if (getpeername(found->fd, (struct sockaddr *) &address, &n) < 0) {
        listener_turn_away_one(found->fd, "");
        return 0;
    }
    if (came_by_local(server, found->fd)) {
        listener_turn_away_one(found->fd, "!! The chat was restarted just now. Please connect again.\n");
        return 0;
    }
    peer_from_address(&peer, found->fd, &address);
    if (!listener_lets_in(server, found->fd, &peer, NULL))
        return 0;
    return error_trace(listener_admit(server, found->fd, &peer, NULL, &found->place));
}

static void listener_pause(Server *server, Listener *listener, int why)
{
    if (!server->is_pause_logged)
        log_event(server->log, (LogEvent){.priority = LOG_WARNING, .id = LOG_ID_LISTENER_PAUSED},
                  "Can not accept for now (%s). Whoever wants to come waits; nobody is lost.", strerror(why));
    server->is_pause_logged = true;
    listener->paused_until = server->chat->now + PAUSE_USEC;
}

int listener_accept(Server *server, Listener *listener)
{
    for (unsigned i = 0; i < TURN_ACCEPTS; i++) {
        struct sockaddr_storage address = {0};
        socklen_t n = sizeof address;
        int fd, r;

        if (chat_n_sessions(server->chat) + server->n_arrivals >= server->max_descriptors ||
            (listener->is_local && server->n_arrivals == ARRIVALS_MAX)) {
            listener_pause(server, listener, EMFILE);
            return 0;
        }
        fd = accept4(listener->fd, (struct sockaddr *) &address, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno_is_exhausted(errno)) {
                listener_pause(server, listener, errno);
                return 0;
            }
            if (errno == EAGAIN)
                break;
            if (errno_is_accept_again(errno))
                continue;
            return error_origin(-errno);
        }
        r = listener_begin(server, listener, fd, &address);
        if (r < 0)
            return error_trace(r);
    }
    if (server->is_pause_logged)
        log_event(server->log, (LogEvent){.priority = LOG_NOTICE, .id = LOG_ID_LISTENER_RESUMED},
                  "Accepting again.");
    server->is_pause_logged = false;
    return 0;
}

bool listener_is_open(const Server *server, Listener *listener)
{
    if (listener->paused_until <= server->chat->now)
        listener->paused_until = 0;
    return listener->paused_until == 0 && remember_is_ready(server);
}
