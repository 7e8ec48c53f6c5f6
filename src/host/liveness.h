/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Finding peers that are gone without a word.
 *
 * Keep-alive probes find a silent one, but only while nothing is on its way to it: with unacknowledged data
 * TCP retransmits for a quarter of an hour instead (tcp(7), tcp_retries2). TCP_USER_TIMEOUT is no way out,
 * for it ends connections whose reader is alive and merely stopped. So those who were sent something are
 * looked at now and then: whoever has not acknowledged anything for too long, though the kernel asked again
 * and again, is gone.
 */

#include <stdbool.h>
#include <stdint.h>

typedef struct Server Server;

/* Something is on its way to it. */
void liveness_watch(Server *server, uint32_t session);
/* Looks at those who were sent something. */
void liveness_tick(Server *server);
/* Whether the peer of a closed TCP connection had ended its side by a FIN before the reset: this number
 * counts that as unread (tcp(7), TCP_INQ). */
bool liveness_has_fin(int fd);
