/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * What clients say.
 *
 * Input stays in the kernel until it is executed: it is looked at with MSG_PEEK, and what made up whole lines
 * is consumed afterwards. So a client that sends more than it may costs no memory here, and is held back by
 * its own socket buffer. Half a line stays there too, unless that would keep the other half from coming; then
 * it is kept in the state. That needs edge-triggered epoll(7): bytes that wait are no event, new ones are.
 */

#include <stdint.h>

typedef struct Server Server;

/* Executes lines of one client, a turn's worth at most. 0, or a negative errno that is fatal for the service.
 */
int input_read(Server *server, uint32_t session);
/* Whoever waits for an answer looks whether it is there. */
void input_look_again(Server *server);
/* Takes `n` bytes out of the socket that were executed or kept. */
void input_consume(Server *server, uint32_t session, uint64_t n);
/*
 * The line that waits to be executed, without its end; the first READ_BYTES of it, in server->read. For one
 * that must never be.
 */
size_t input_peek_line(Server *server, uint32_t session);
