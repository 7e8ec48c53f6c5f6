/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* Where somebody comes from: for the log, to count how many come from one place, and to ignore them. */

#include <stddef.h>

#include "chat/state.h"

enum { PEER_TEXT_MAX = 64 };

/* "192.0.2.1 port 5", "2001:db8::1 port 5", "uid 1000". */
void peer_format(const Peer *peer, char text[PEER_TEXT_MAX]);
/*
 * What counts as one place: an IPv4 address, the /64 of an IPv6 address (RFC 6177: a site has at least that
 * much, and picks addresses in it at will), or a local uid. Never 0.
 */
uint64_t peer_place(const Peer *peer);
/* "192.0.2.1", "2001:db8::/64", "uid 1000". */
void peer_format_place(uint64_t place, char text[PEER_TEXT_MAX]);
