/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "chat/index.h"

/* uthash reports a failed allocation by leaving the item out of the table instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct IndexItem {
    UT_hash_handle hh;
    uint32_t value;
    char key[];
};

void index_done(Index *index)
{
    IndexItem *item = index->items, *next;

    HASH_CLEAR(hh, index->items);
    for (; item != NULL; item = next) {
        next = item->hh.next;
        free(item);
    }
}

static IndexItem *find_item(const Index *index, const void *key, size_t n)
{
    IndexItem *item;

    HASH_FIND(hh, index->items, key, n, item);
    return item;
}

uint32_t *index_find(const Index *index, const void *key, size_t n)
{
    IndexItem *item = find_item(index, key, n);

    return item != NULL ? &item->value : NULL;
}

int index_add(Index *index, const void *key, size_t n, uint32_t value)
{
    IndexItem *item = malloc(sizeof *item + n);

    if (item == NULL)
        return error_origin(-ENOMEM);
    item->value = value;
    memcpy(item->key, key, n);
    HASH_ADD_KEYPTR(hh, index->items, item->key, n, item);
    if (item->hh.tbl == NULL) {
        free(item);
        return error_origin(-ENOMEM);
    }
    return 0;
}

void index_remove(Index *index, const void *key, size_t n)
{
    IndexItem *item = find_item(index, key, n);

    assert(item != NULL);
    HASH_DEL(index->items, item);
    free(item);
}
