/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Everything that was said, for people or programs, oldest first.
 *
 * As text (local time, one line each):
 *
 *     2026-11-22 14:03:05 #lobby <nick✓> text
 *     2026-11-22 14:03:06 #lobby * nick waves
 *     2026-11-22 14:03:07 -- 12 lines are missing here
 *
 * As JSON Lines, one object (RFC 8259) each, with the time in UTC (RFC 3339):
 *
 *     {"id":8796093022209,"time":"2026-11-22T13:03:05.000123Z","room":"lobby","nick":"nick","verified":true,
 *      "uid":1000,"action":false,"text":"text"}
 *     {"id":8796093022210,"time":"2026-11-22T13:03:07.000000Z","missing":12}
 */

#include <stdio.h>

#include "archive/archive.h"

typedef enum ArchiveFormat {
    ARCHIVE_FORMAT_TEXT,
    ARCHIVE_FORMAT_JSON,
} ArchiveFormat;

typedef struct ArchiveExport {
    ArchiveFormat format;
    uint64_t since;      /* usec since the epoch */
    const NameKey *room; /* NULL: all rooms, and gaps */
} ArchiveExport;

/*
 * Reads in steps, and holds nothing of the archive while it writes to `file`, which may take its time: so a
 * service that writes at the same time can delete, and empty its log. Lines that are deleted meanwhile may be
 * left out. Returns a negative errno if `file` can not be written (-EPIPE, -ENOSPC); it has been flushed if
 * 0.
 */
int archive_export(Archive *archive, FILE *file, const ArchiveExport *options);
