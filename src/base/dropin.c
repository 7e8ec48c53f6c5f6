/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/dropin.h"
#include "base/error.h"
#include "base/macro.h"

typedef struct Dropin {
    char *path;
    const char *name; /* in path */
    size_t folder;
} Dropin;

typedef struct Collection {
    Dropin *items;
    size_t n;
} Collection;

static void collection_done(Collection *collection)
{
    int saved = errno;

    for (size_t i = 0; i < collection->n; i++)
        free(collection->items[i].path);
    free(collection->items);
    errno = saved;
}

static void closedirp(DIR **dir)
{
    int saved = errno;

    if (*dir != NULL)
        (void) closedir(*dir);
    errno = saved;
}

static int collection_add(Collection *collection, const char *folder, size_t index, const char *name)
{
    size_t n_folder = strlen(folder), size = n_folder + 1 + strlen(name) + 1;
    Dropin *items;
    char *path;

    items = realloc(collection->items, (collection->n + 1) * sizeof(*items));
    if (items == NULL)
        return error_origin(-ENOMEM);
    collection->items = items;
    path = malloc(size);
    if (path == NULL)
        return error_origin(-ENOMEM);
    (void) snprintf(path, size, "%s/%s", folder, name);
    items[collection->n++] = (Dropin){.path = path, .name = path + n_folder + 1, .folder = index};
    return 0;
}

static int collection_read(Collection *collection, const char *folder, size_t index)
{
    _cleanup_(closedirp) DIR *dir = opendir(folder);
    const struct dirent *entry;
    int r;

    if (dir == NULL && errno == ENOENT)
        return 0;
    if (dir == NULL)
        return errno == ENOMEM ? error_origin(-ENOMEM) : DROPIN_UNREADABLE;
    for (;;) {
        size_t n;

        errno = 0;
        entry = readdir(dir);
        if (entry == NULL)
            return errno == 0 ? 0 : DROPIN_UNREADABLE;
        n = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || n <= STRLEN(".conf") ||
            strcmp(entry->d_name + n - STRLEN(".conf"), ".conf") != 0)
            continue;
        r = collection_add(collection, folder, index, entry->d_name);
        if (r != 0)
            return error_trace(r);
    }
}

static int compare(const void *a, const void *b)
{
    const Dropin *left = a, *right = b;
    int order = strcmp(left->name, right->name);

    if (order != 0)
        return order;
    return (left->folder > right->folder) - (left->folder < right->folder);
}

static bool is_masked(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

int dropin_list(const char *const *folders, size_t n_folders, DropinList *ret_list, const char **ret_folder)
{
    _cleanup_(collection_done) Collection collection = {0};
    DropinList list = {0};
    int r;

    for (size_t i = 0; i < n_folders; i++) {
        r = collection_read(&collection, folders[i], i);
        if (r > 0)
            *ret_folder = folders[i];
        if (r != 0)
            return r;
    }
    list.paths = calloc(collection.n + 1, sizeof(*list.paths));
    if (list.paths == NULL)
        return error_origin(-ENOMEM);
    if (collection.n > 1)
        qsort(collection.items, collection.n, sizeof(*collection.items), compare);
    for (size_t i = 0; i < collection.n; i++) {
        Dropin *item = &collection.items[i];

        if (i + 1 < collection.n && strcmp(item->name, item[1].name) == 0)
            continue;
        if (!is_masked(item->path))
            list.paths[list.n++] = TAKE_PTR(item->path);
    }
    *ret_list = list;
    return 0;
}

void dropin_list_done(DropinList *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->paths[i]);
    free(list->paths);
    *list = (DropinList){0};
}
