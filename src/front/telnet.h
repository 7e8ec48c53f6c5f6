/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Telnet commands in a client's bytes (RFC 854). Options are refused, WILL with DONT and DO with WONT (RFC
 * 1143, section 7: the state NO needs no memory to do that without loops); everything else is removed.
 */

#include <stddef.h>

enum {
    TELNET_IAC = 255,
    TELNET_DONT = 254,
    TELNET_DO = 253,
    TELNET_WONT = 252,
    TELNET_WILL = 251,
    TELNET_SB = 250,
    TELNET_SE = 240,
    TELNET_FIRST = 236, /* end of file, RFC 1184: commands are this and above */
};

/*
 * The length of the telnet command that `bytes` (n > 0, an IAC first) begin with: 0 if its end is not there
 * yet, 1 if what follows the IAC makes no command. IAC IAC, which stands for the byte 255, is a command of
 * two bytes.
 */
size_t telnet_length(const char *bytes, size_t n);
/* The answer to a whole command: three bytes, or none. Returns their number. */
size_t telnet_answer(const char *command, size_t n, char answer[3]);
