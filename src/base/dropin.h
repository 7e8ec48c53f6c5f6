/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Drop-in folders, as systemd.unit(5) has them: the files "*.conf" of all folders are taken together, sorted
 * by name. Of files with one name only that of the last folder counts, and a link to /dev/null masks the
 * name.
 */

#include <stddef.h>

typedef struct DropinList {
    char **paths; /* in the order in which they are to be read */
    size_t n;
} DropinList;

enum { DROPIN_UNREADABLE = 1 };

/*
 * `folders` has the one that wins last; one that does not exist is empty. Hidden files are left out. Returns
 * 0, -ENOMEM, or DROPIN_UNREADABLE with errno and the folder that could not be read (one of `folders`).
 */
int dropin_list(const char *const *folders, size_t n_folders, DropinList *ret_list, const char **ret_folder);

void dropin_list_done(DropinList *list);
