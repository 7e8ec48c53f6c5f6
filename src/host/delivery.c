/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include "base/macro.h"
#include "chat/session.h"
#include "host/server.h"

/* A rendering is one chunk; a turn that gives more in one room is sent to each listener by itself. */
static bool delivery_render(Server *server, uint32_t room, Rendering *rendering)
{
    Stream *stream = &server->stream;
    size_t skip;
    Item item;

    stream_open_shared(stream, server->chat, room, rendering->key);
    rendering->n = front_render(server->front, stream, rendering->bytes, sizeof rendering->bytes, &skip);
    return !stream_next(stream, &item);
}

/* The rendering for a variety of listeners; NULL: they must be sent theirs one by one. */
static const Rendering *delivery_find(Server *server, uint32_t room, uint8_t key)
{
    Delivery *delivery = &server->delivery;
    Rendering *rendering;

    for (unsigned i = 0; i < delivery->n; i++)
        if (delivery->renderings[i].key == key)
            return &delivery->renderings[i];
    if (delivery->n == DELIVERY_VARIETIES)
        return NULL;
    rendering = &delivery->renderings[delivery->n];
    rendering->key = key;
    if (!delivery_render(server, room, rendering))
        return NULL;
    delivery->n++;
    return rendering;
}

static void deliver_to_member(Server *server, uint32_t room, uint32_t session)
{
    const Rendering *rendering;
    uint8_t key;
    size_t sent;

    if (!(server->connections[session].flags & CONNECTION_TCP) ||
        !stream_is_shared(server->chat, room, session, &key) ||
        (rendering = delivery_find(server, room, key)) == NULL) {
        /* Whoever was touched has been sent everything; whoever is blocked waits. */
        if (!server->chat->sessions[session].is_touched)
            connection_flush(server, session);
        return;
    }
    if (server->connections[session].flags & (CONNECTION_DEAD | CONNECTION_BLOCKED | CONNECTION_DEAF))
        return;
    if (rendering->n == 0)
        return;
    if (connection_send(server, session, rendering->bytes, rendering->n, &sent))
        stream_store_shared(server->chat, session, sent);
    else
        connection_held_back(server, session, sent);
}

/* What is looked at before a send lies in three places, and each send throws them out of the cache. */
static void deliver_prefetch(const Server *server, uint32_t session)
{
    __builtin_prefetch(session_record(server->chat, session));
    __builtin_prefetch(&server->chat->sessions[session]);
    __builtin_prefetch(&server->connections[session], 1);
}

static void deliver_to_room(Server *server, uint32_t room)
{
    enum { BATCH = 64, AHEAD = 3 };
    const MemberSide *members = server->chat->members;
    uint32_t member = server->chat->rooms[room].first_member, sessions[BATCH], n;

    server->delivery.n = 0;
    while (member != SLOT_NONE) {
        for (n = 0; n < BATCH && member != SLOT_NONE; member = members[member].next_in_room)
            sessions[n++] = members[member].session;
        for (uint32_t i = 0; i < n; i++) {
            deliver_prefetch(server, sessions[MIN(i + AHEAD, n - 1)]);
            deliver_to_member(server, room, sessions[i]);
        }
    }
}

/* Those who could be sent more than one turn allows; they may be again at the end of this one. */
static void deliver_to_behind(Server *server)
{
    SessionList *behind = &server->behind;
    uint32_t n = behind->n;

    behind->n = 0;
    for (uint32_t i = 0; i < n; i++) {
        server->connections[behind->items[i]].flags &= (uint16_t) ~CONNECTION_BEHIND;
        connection_flush(server, behind->items[i]);
    }
}

void delivery_run(Server *server)
{
    Chat *chat = server->chat;

    deliver_to_behind(server);
    for (uint32_t i = 0; i < chat->turn.n_sessions; i++)
        if (session_record(chat, chat->turn.sessions[i])->serial != 0)
            connection_flush(server, chat->turn.sessions[i]);
    for (uint32_t i = 0; i < chat->turn.n_rooms; i++)
        deliver_to_room(server, chat->turn.rooms[i]);
    chat_end_turn(chat);
}
