/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/folder.h"

enum { PARENT_MAX = 60 }; /* leaves room for names in it */

bool folder_make(char path[FOLDER_BYTES])
{
    const char *parent = getenv("TMPDIR");

    if (parent == NULL || *parent != '/' || strlen(parent) > PARENT_MAX)
        parent = "/tmp";
    (void) snprintf(path, FOLDER_BYTES, "%s/chatd-test-XXXXXX", parent);
    return mkdtemp(path) != NULL;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void) st;
    (void) flag;
    (void) ftw;
    (void) remove(path);
    return 0;
}

void folder_remove(const char *path)
{
    (void) nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
