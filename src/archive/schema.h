/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The tables, and how an older version's become these. A version is never changed once it was released: what
 * changes is added to the end of the list in schema.c.
 */

typedef struct Archive Archive;

/* The version that this program reads and writes. */
enum { SCHEMA_VERSION = 1 };

/* For a WRITER: creates or brings up to date. ARCHIVE_TOO_NEW, or ARCHIVE_DAMAGED if it is another program's.
 */
int schema_prepare(Archive *archive);
/* For the others: is it what it has to be? ARCHIVE_ABSENT, ARCHIVE_TOO_NEW, ARCHIVE_TOO_OLD. */
int schema_check(Archive *archive);
