/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "chat/peer.h"

static const uint8_t V4_MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool peer_is_v4(const Peer *peer)
{
    return memcmp(peer->address, V4_MAPPED, sizeof V4_MAPPED) == 0;
}

void peer_format(const Peer *peer, char text[PEER_TEXT_MAX])
{
    char address[INET6_ADDRSTRLEN] = "?";

    if (peer->is_local) {
        (void) snprintf(text, PEER_TEXT_MAX, "uid %u", peer->uid);
        return;
    }
    if (peer_is_v4(peer))
        (void) inet_ntop(AF_INET, peer->address + sizeof V4_MAPPED, address, sizeof address);
    else
        (void) inet_ntop(AF_INET6, peer->address, address, sizeof address);
    (void) snprintf(text, PEER_TEXT_MAX, "%s port %u", address, peer->port);
}

void peer_key(const Peer *peer, char key[PEER_KEY_BYTES])
{
    memset(key, 0, PEER_KEY_BYTES);
    if (peer->is_local) {
        key[0] = 'u';
        memcpy(key + 1, &peer->uid, sizeof peer->uid);
    } else if (peer_is_v4(peer)) {
        key[0] = '4';
        memcpy(key + 1, peer->address + sizeof V4_MAPPED, 4);
    } else {
        key[0] = '6';
        memcpy(key + 1, peer->address, 8);
    }
}
