/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <netinet/in.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/macro.h"
#include "chat/session.h"
#include "host/liveness.h"
#include "host/server.h"

typedef enum Liveness {
    LIVENESS_SURE, /* it has acknowledged everything */
    LIVENESS_UNSURE,
    LIVENESS_GONE,
} Liveness;

/* The kernel asked this often without an answer. A reader that is merely stopped answers each time. */
enum { UNANSWERED = 2 };

static Liveness liveness_of_tcp(int fd)
{
    struct tcp_info info = {0};
    socklen_t n = sizeof info;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0)
        return LIVENESS_SURE;
    if (info.tcpi_unacked == 0 && info.tcpi_notsent_bytes == 0)
        return LIVENESS_SURE;
    if ((info.tcpi_retransmits >= UNANSWERED || info.tcpi_probes >= UNANSWERED) &&
        info.tcpi_last_ack_recv >= PEER_DEAD_USEC / USEC_PER_MSEC)
        return LIVENESS_GONE;
    return LIVENESS_UNSURE;
}

static Liveness liveness_of(const Server *server, uint32_t session)
{
    const Connection *connection = &server->connections[session];
    const SessionRecord *record = session_record(server->chat, session);

    /* After its end of file a client gets what is pending for as long as it reads on, but it is not waited
     * for without end. */
    if ((record->flags & SESSION_ENDING) && server->chat->now - connection->progress > PEER_DEAD_USEC)
        return LIVENESS_GONE;
    if (connection->flags & CONNECTION_TCP)
        return liveness_of_tcp(connection->fd);
    return connection->flags & CONNECTION_BLOCKED ? LIVENESS_UNSURE : LIVENESS_SURE;
}

void liveness_watch(Server *server, uint32_t session)
{
    server->connections[session].flags |= CONNECTION_UNSURE;
    session_list_add(&server->unsure, session);
    server->next_liveness = MIN(server->next_liveness, server->chat->now + PEER_CHECK_USEC);
}

void liveness_tick(Server *server)
{
    SessionList *unsure = &server->unsure;
    uint32_t n = 0;

    if (server->chat->now < server->next_liveness)
        return;
    for (uint32_t i = 0; i < unsure->n; i++) {
        uint32_t session = unsure->items[i];
        Liveness liveness = liveness_of(server, session);

        if (liveness == LIVENESS_GONE)
            connection_drop(server, session);
        if (liveness == LIVENESS_UNSURE)
            unsure->items[n++] = session;
        else
            server->connections[session].flags &= (uint16_t) ~CONNECTION_UNSURE;
    }
    unsure->n = n;
    server->next_liveness = n > 0 ? server->chat->now + PEER_CHECK_USEC : UINT64_MAX;
}

bool liveness_has_fin(int fd)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    int on = 1, unread = 0, with_fin = 0;
    struct cmsghdr *header;

    if (ioctl(fd, SIOCINQ, &unread) < 0 || setsockopt(fd, IPPROTO_TCP, TCP_INQ, &on, sizeof on) < 0 ||
        recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT) < 0)
        return false;
    header = CMSG_FIRSTHDR(&message);
    if (header == NULL || header->cmsg_level != IPPROTO_TCP || header->cmsg_type != TCP_CM_INQ)
        return false;
    memcpy(&with_fin, CMSG_DATA(header), sizeof with_fin);
    return with_fin > unread;
}
