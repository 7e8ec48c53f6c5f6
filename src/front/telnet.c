/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include "front/telnet.h"

static size_t subnegotiation_length(const unsigned char *bytes, size_t n)
{
    /* IAC SB option ... IAC SE; an IAC within is doubled. */
    for (size_t i = 2; i + 1 < n; i++) {
        if (bytes[i] != TELNET_IAC)
            continue;
        if (bytes[i + 1] == TELNET_SE)
            return i + 2;
        i++;
    }
    return 0;
}

size_t telnet_length(const char *bytes, size_t n)
{
    const unsigned char *u = (const unsigned char *) bytes;

    if (n < 2)
        return 0;
    if (u[1] < TELNET_FIRST)
        return 1;
    if (u[1] == TELNET_SB)
        return subnegotiation_length(u, n);
    if (u[1] >= TELNET_WILL && u[1] <= TELNET_DONT)
        return n >= 3 ? 3 : 0;
    return 2;
}

size_t telnet_answer(const char *command, size_t n, char answer[3])
{
    const unsigned char *u = (const unsigned char *) command;

    if (n != 3 || (u[1] != TELNET_WILL && u[1] != TELNET_DO))
        return 0;
    answer[0] = (char) TELNET_IAC;
    answer[1] = (char) (u[1] == TELNET_WILL ? TELNET_DONT : TELNET_WONT);
    answer[2] = command[2];
    return 3;
}
