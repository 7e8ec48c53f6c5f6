/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Damaged states, for unit tests and fuzz targets: a small state with something of everything in it, and what
 * must be true of a chat that goes on with whatever became of it.
 */

#include "unit/harness.h"

enum { DAMAGE_RANGES = 64 };

/* Bytes of a state that mean something. */
typedef struct Range {
    const char *what;
    size_t offset, n;
} Range;

/*
 * People who are in rooms with topics, ignore each other, are away, have said things in public and in
 * private, have typed half a line, have been sent half a line, are being shown the history, are leaving, and
 * come just now.
 */
Harness *damage_world(void);
unsigned damage_ranges(const Harness *harness, Range ranges[DAMAGE_RANGES]);
/*
 * Goes on with the state in `fd` (consumed): everyone speaks, asks, reads, and leaves; ends the process with
 * abort() where somebody can not or is sent what a terminal should not be shown. False: it was refused.
 * `harness` is any one, whose configuration is kept.
 */
bool damage_try(Harness *harness, int fd);
