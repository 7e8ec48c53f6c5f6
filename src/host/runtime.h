/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* Files in the runtime directory (systemd.exec(5), RuntimeDirectory=): in memory, kept while the service is
 * down, gone after a reboot. Without $RUNTIME_DIRECTORY there are none. */

#include <stdbool.h>

enum { RUNTIME_PATH_MAX = 512 };

/* The path of the file `name` there; false: there is no such directory. */
bool runtime_path(const char *name, char path[RUNTIME_PATH_MAX]);
/* Makes the contents of `fd` (borrowed) the file `name`, in one step; holes stay holes. False with errno: it
 * is as it was. */
bool runtime_save(const char *name, int fd);
/* Copies one file to another, which is empty. False with errno: not all of it. */
bool runtime_copy(int from, int to);
