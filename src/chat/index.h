/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* A hash index from a key of bytes to a number: who has a nick, which room has a name, how many come from an
 * address. */

#include <stddef.h>
#include <stdint.h>

typedef struct IndexItem IndexItem;

typedef struct Index {
    IndexItem *items;
} Index;

void index_done(Index *index);
/* The number under a key, which the caller may change; NULL: not there. Valid until the key is removed. */
uint32_t *index_find(const Index *index, const void *key, size_t n);
/* The key must not be there yet. 0, or -ENOMEM. */
int index_add(Index *index, const void *key, size_t n, uint32_t value);
/* The key must be there. */
void index_remove(Index *index, const void *key, size_t n);
