/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <netinet/in.h>
#include <stdbool.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/crash.h"
#include "base/error.h"
#include "base/macro.h"
#include "chat/session.h"
#include "host/input.h"
#include "host/liveness.h"
#include "host/server.h"
#include "host/settle.h"

/* TCP states, numbered as in tcp_info (include/net/tcp_states.h of the kernel). */
enum { STATE_ESTABLISHED = 1, STATE_CLOSE = 7, STATE_CLOSE_WAIT = 8 };

/* What became of a connection. */
typedef enum Condition {
    CONDITION_OPEN,
    CONDITION_OVER, /* the peer has ended it; what it said can still be read */
    CONDITION_GONE,
} Condition;

/* Bytes that a process has read from and written to a connection. */
typedef struct Counts {
    uint64_t in, out;
    int unread;
    bool has_fin; /* the peer's */
} Counts;

static bool look_once(int fd, struct tcp_info *info, Counts *counts)
{
    socklen_t n = sizeof *info;
    int unsent = 0;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &n) < 0 || ioctl(fd, SIOCINQ, &counts->unread) < 0 ||
        ioctl(fd, SIOCOUTQ, &unsent) < 0)
        return false;
    counts->has_fin =
        info->tcpi_state == STATE_CLOSE_WAIT || (info->tcpi_state == STATE_CLOSE && liveness_has_fin(fd));
    /* The FIN counts as a byte that was received, and not as one that can be read. */
    counts->in = info->tcpi_bytes_received - (uint64_t) counts->unread - counts->has_fin;
    counts->out = info->tcpi_bytes_acked + (uint64_t) unsent;
    return true;
}

/* Packets come and are acknowledged meanwhile: what is seen must have been true at one moment. */
static Condition count_tcp(int fd, bool has_half, Counts *ret_counts)
{
    struct tcp_info before, after = {0};
    Counts counts;

    if (!look_once(fd, &after, ret_counts))
        return CONDITION_GONE;
    do {
        before = after;
        counts = *ret_counts;
        if (!look_once(fd, &after, ret_counts))
            return CONDITION_GONE;
    } while (before.tcpi_bytes_received != after.tcpi_bytes_received ||
             before.tcpi_bytes_acked != after.tcpi_bytes_acked || before.tcpi_state != after.tcpi_state ||
             counts.in != ret_counts->in || counts.out != ret_counts->out);
    if (after.tcpi_state == STATE_ESTABLISHED || after.tcpi_state == STATE_CLOSE_WAIT)
        return CONDITION_OPEN;
    /* In the other states we have ended our side: it was being closed. */
    if (after.tcpi_state == STATE_CLOSE && (ret_counts->unread > 0 || (has_half && ret_counts->has_fin)))
        return CONDITION_OVER;
    return CONDITION_GONE;
}

/*
 * The offset for peeking moves forward by what is peeked and back by what is taken, and belongs to the socket
 * (socket(7), SO_PEEK_OFF); it is 0 before each look.
 */
static Condition count_unix(int fd, const SessionRecord *record, Counts *ret_counts)
{
    uint64_t taken = record->bytes_in + record->n_half;
    uint32_t n_left = (uint32_t) taken - record->bytes_taken;
    socklen_t n = sizeof(int);
    int offset;

    *ret_counts = (Counts){.in = taken, .out = record->bytes_out};
    if (n_left == 0)
        return CONDITION_OPEN;
    if (n_left > record->n_peeked || getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, &n) < 0 || offset < 0 ||
        offset > record->n_peeked || (uint32_t) (record->n_peeked - offset) > n_left)
        return CONDITION_GONE;
    ret_counts->in -= n_left - (uint32_t) (record->n_peeked - offset);
    return CONDITION_OPEN;
}

/* An item that was begun by a process that rendered otherwise ends where it is. */
static void skip_begun(Server *server, uint32_t session, uint64_t bytes_out)
{
    Stream *stream = &server->stream;
    SessionRecord *record;
    Item item;

    stream_open(stream, server->chat, session);
    if (!stream_next(stream, &item))
        stream->next = stream->item;
    stream->next.lost++;
    stream->next.flags |= SESSION_CUT;
    record = state_edit_reading(&server->chat->state, session);
    record->bytes_out = bytes_out;
    stream_store(stream, 0);
}

static void settle_output(Server *server, uint32_t session, uint64_t bytes_out)
{
    const SessionRecord *record = session_record(server->chat, session);
    uint64_t sent = bytes_out - record->bytes_out;

    if (server->chat->state.header->rendering != FRONT_RENDERING) {
        if (sent > 0 || record->written > 0)
            skip_begun(server, session, bytes_out);
        return;
    }
    if (sent == 0)
        return;
    stream_open(&server->stream, server->chat, session);
    (void) front_store_sent(server->front, &server->stream, server->chunk, sent);
}

bool settle_connection(Server *server, uint32_t session)
{
    Connection *connection = &server->connections[session];
    const SessionRecord *record = session_record(server->chat, session);
    uint64_t taken = record->bytes_in + record->n_half;
    Counts counts = {0};
    Condition condition;

    condition = connection->flags & CONNECTION_TCP ? count_tcp(connection->fd, record->n_half > 0, &counts)
                                                   : count_unix(connection->fd, record, &counts);
    if (condition == CONDITION_GONE || counts.in > taken || counts.out < record->bytes_out)
        return false;
    crash_point();
    input_consume(server, session, taken - counts.in);
    crash_point();
    settle_output(server, session, counts.out);
    if (condition == CONDITION_OPEN)
        chat_touch_session(server->chat,
                           session); /* it is sent what it has not read before it is listened to */
    else if (!(record->flags & SESSION_ENDING))
        connection->flags |= CONNECTION_DEAF | (counts.has_fin ? CONNECTION_HANGUP : CONNECTION_BROKEN);
    else
        return false; /* nobody would listen to it */
    connection_set_ready(server, session);
    return true;
}
