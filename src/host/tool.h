/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * What the administrator does with the archive from a shell, whether the service runs or not: chatd --export
 * and chatd --forget.
 *
 * The folder of the archive belongs to the user of the service, who is trusted with less than root. So root
 * first shuts itself up in that folder (chroot(2)), and becomes its owner: no link that somebody puts there
 * leads anywhere else, and whatever SQLite creates there is the service's.
 */

#include <stdbool.h>

typedef struct ToolOptions {
    bool is_export;
    const char *since, *room, *format; /* as typed; NULL: not given */
    const char *forget;                /* the name; NULL: nobody */
} ToolOptions;

/* Returns the exit status (sysexits.h), after saying on standard error what is wrong. */
int tool_run(const ToolOptions *options);
