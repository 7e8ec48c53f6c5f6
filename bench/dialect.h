/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* How one talks to each of the servers. */

#include <stdbool.h>
#include <stddef.h>

#include "server.h"

enum { DIALECT_MAX = 1024, DIALECT_TEXT_MAX = 512 };

/* What a client sends first, to have a name and be in its room. `size` is DIALECT_MAX. Returns the length. */
size_t dialect_hello(ServerKind kind, unsigned client, unsigned room, char *to, size_t size);
/* The same without entering a room: a client who is merely connected. */
size_t dialect_hello_idle(ServerKind kind, unsigned client, char *to, size_t size);
/*
 * A line that client says in its room, with the mark and `n_text` bytes of text. To the bare loop it has the
 * time and the name before it that chatd will add, so that both deliver the same bytes.
 */
size_t dialect_line(ServerKind kind, unsigned client, unsigned room, unsigned n_text, char *to, size_t size);
/* How many may wait to be accepted at once: what the server's own backlog takes. */
unsigned dialect_window(ServerKind kind);
/* The largest crowd that the server can hold. */
unsigned dialect_most_clients(ServerKind kind);
