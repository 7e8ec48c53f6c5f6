/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * What an earlier process did with a connection after it last said so in the state. The kernel has counted
 * all that went through a TCP connection, and of a unix socket what was taken out of it, so this can be known
 * exactly:
 *
 *  - input that was executed, but is still in the socket, is taken out of it;
 *  - output that was sent, but not counted, is counted, by rendering it once more.
 */

#include <stdint.h>

typedef struct Server Server;

/* And has it sent what it has not read, and listened to. False: there is nothing more to be had from the
 * connection, or it is not what the state knows. */
bool settle_connection(Server *server, uint32_t session);
