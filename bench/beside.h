/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * What people notice while others search: one of two talks, and how long each line takes to the other is
 * measured, first alone and then beside four who search without a pause. The time is that of a line between
 * two sockets of this process, so whatever else holds up the machine is in it, in both cases.
 */

#include "server.h"

enum { BESIDE_LINES_MAX = 1500 };

/* Prints rows of a table in Markdown. `folder` has the archive; questions are NULL-terminated, what follows
 * "/search "; `n_lines` are said, up to BESIDE_LINES_MAX. 0, or -errno after saying why. */
int beside_measure(const char *chatd, const char *folder, const char *const *questions, unsigned n_lines);
