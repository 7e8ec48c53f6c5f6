/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* What a daemon with an archive (DaemonOptions.has_archive) has written down, and somebody else with that
 * file. */

#include <sqlite3.h>

#include "lib/daemon.h"

enum { PAST_PATH = 256 };

void past_path(const Daemon *daemon, char path[PAST_PATH]);

/* What was said in the lobby, up to 1000 lines: "nick: text" and a line end each, or "* nick text". The
 * caller frees it. */
char *past_read(Daemon *daemon);
/* These lines, each of them once and in order, and no others. */
void past_expect(Daemon *daemon, const char *lines);
/* The first column of the first row; NULL is 0. */
int64_t past_number(Daemon *daemon, const char *sql);

/* Somebody else opens the file, and does something with it; closes it. */
sqlite3 *past_open(const Daemon *daemon);
void past_do(sqlite3 *db, const char *sql);
void past_close(sqlite3 *db);
