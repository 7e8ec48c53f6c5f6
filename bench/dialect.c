/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <limits.h>
#include <stdio.h>

#include "base/macro.h"
#include "crowd.h"
#include "dialect.h"

size_t dialect_hello(ServerKind kind, unsigned client, unsigned room, char *to, size_t size)
{
    int n = 0;

    if (kind == SERVER_CHATD)
        /* Coming and going is not told to this crowd: the load alone is to be measured. */
        n = snprintf(to, size, "/set joins off\n/nick u%u\n/join #r%u\n/leave #lobby\n", client, room);
    else if (kind == SERVER_NGIRCD)
        n = snprintf(to, size, "NICK u%u\r\nUSER b 0 * :b\r\nJOIN #r%u\r\n", client, room);
    return (size_t) n;
}

size_t dialect_hello_idle(ServerKind kind, unsigned client, char *to, size_t size)
{
    int n = 0;

    if (kind == SERVER_NGIRCD)
        n = snprintf(to, size, "NICK u%u\r\nUSER b 0 * :b\r\n", client);
    return (size_t) n;
}

size_t dialect_line(ServerKind kind, unsigned client, unsigned room, unsigned n_text, char *to, size_t size)
{
    char text[DIALECT_TEXT_MAX + 1];
    int n;

    n_text = MAX(1U, MIN(n_text, (unsigned) DIALECT_TEXT_MAX));
    text[0] = CROWD_MARK;
    for (unsigned i = 1; i < n_text; i++)
        text[i] = i % 6 == 0 ? ' ' : (char) ('a' + i % 26);
    text[n_text - 1] = n_text > 1 ? '.' : CROWD_MARK; /* a space at the end might be cut off */
    text[n_text] = '\0';
    if (kind == SERVER_BARE)
        n = snprintf(to, size, "[12:03] <u%u> %s\n", client, text);
    else if (kind == SERVER_NGIRCD)
        n = snprintf(to, size, "PRIVMSG #r%u :%s\r\n", room, text);
    else
        n = snprintf(to, size, "%s\n", text);
    return (size_t) n;
}

unsigned dialect_window(ServerKind kind)
{
    /* ngircd and ncat listen with a backlog of 10. Above that the kernel drops a connection, and tries again
     * after a second. */
    return kind == SERVER_NGIRCD || kind == SERVER_NCAT ? 8 : 1024;
}

unsigned dialect_most_clients(ServerKind kind)
{
    /* ncat waits with select(2), which knows 1024 descriptors */
    return kind == SERVER_NCAT ? 900 : UINT_MAX;
}
