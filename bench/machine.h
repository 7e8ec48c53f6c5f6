/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* What was measured on. */

#include <stddef.h>

#include "server.h"

/* One sentence: processor, kernel, system, the versions of the servers, the day. `programs` by kind, or NULL.
 */
void machine_describe(const char *const programs[N_SERVERS], char *to, size_t size);
/* Where `name` is in PATH or in the sbin folders: malloced, or NULL. */
char *machine_find_program(const char *name);
