/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "chat/peer.h"

static const uint8_t V4_MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/*
 * A place is the first half of an IPv6 address. What is none begins with bits that no address of a peer
 * has: 0000::/8 is reserved (RFC 4291, section 2.4).
 */
#define PLACE_KINDS UINT64_C(0xffffffff00000000)
#define PLACE_UID UINT64_C(0x100000000)
#define PLACE_V4 UINT64_C(0x200000000)
#define PLACE_V6_ZERO UINT64_C(0x300000000) /* ::1, of this host */

enum { SITE_BITS = 64 };

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

uint64_t peer_place(const Peer *peer)
{
    uint64_t prefix;
    uint32_t v4;

    if (peer->is_local)
        return PLACE_UID | peer->uid;
    if (peer_is_v4(peer)) {
        memcpy(&v4, peer->address + sizeof V4_MAPPED, sizeof v4);
        return PLACE_V4 | be32toh(v4);
    }
    memcpy(&prefix, peer->address, sizeof prefix);
    return prefix != 0 ? be64toh(prefix) : PLACE_V6_ZERO;
}

void peer_format_place(uint64_t place, char text[PEER_TEXT_MAX])
{
    uint64_t prefix[2] = {place != PLACE_V6_ZERO ? htobe64(place) : 0, 0};
    uint32_t v4 = htobe32((uint32_t) place);
    char address[INET6_ADDRSTRLEN] = "?";

    switch (place & PLACE_KINDS) {
    case PLACE_UID:
        (void) snprintf(text, PEER_TEXT_MAX, "uid %u", (uint32_t) place);
        return;
    case PLACE_V4:
        (void) inet_ntop(AF_INET, &v4, text, PEER_TEXT_MAX);
        return;
    default:
        (void) inet_ntop(AF_INET6, prefix, address, sizeof address);
        (void) snprintf(text, PEER_TEXT_MAX, "%s/%d", address, SITE_BITS);
    }
}
