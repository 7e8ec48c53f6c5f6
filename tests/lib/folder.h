/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* The folder of a test program, in which its tests, each a process of its own, make theirs. So whatever
 * becomes of a test, its files are gone at the end of the program. */

#include <stdbool.h>

enum { FOLDER_BYTES = 96 }; /* a socket's path has 107 */

/* In $TMPDIR, or in /tmp where that is not set, or too long. False: errno says why. */
bool folder_make(char path[FOLDER_BYTES]);
/* With all that is in it. */
void folder_remove(const char *path);
