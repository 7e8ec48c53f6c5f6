/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* Rows of the table lines: reading one, and deleting one with its words. */

#include "archive/archive.h"

/* What line_read() reads, for a statement about lines AS l, rooms AS r, people AS p. */
#define LINE_COLUMNS "l.id, l.wall, l.kind, l.uid, r.name, ifnull(l.nick, p.nick), l.text"
#define LINE_JOIN " CROSS JOIN rooms AS r ON r.id = l.room CROSS JOIN people AS p ON p.id = l.person"

enum { LINE_N_COLUMNS = 7 };

/* The text is in archive->clean, until the next one is read. ARCHIVE_DAMAGED if it can not be a line. */
int line_read(Archive *archive, sqlite3_stmt *statement, ArchiveLine *ret_line);

/* As the index knows it; its text is copied to `text`. */
int line_find(Archive *archive, int64_t id, char text[ARCHIVE_TEXT_MAX], PartLine *ret_line,
              bool *ret_is_found);
/* Row and words, in the caller's transaction. */
int line_delete(Archive *archive, const PartLine *line);
