/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Patterns for a whole line. Everything stands for itself, but for
 *
 *   {time}    hh:mm
 *   {n}       one or more digits
 *   {word}    one or more bytes that are no blanks
 *   {any}     any bytes, none too
 *
 * so that "[{time}] <alice> hello" is a line of speech, whenever it was said.
 */

#include <stdbool.h>
#include <stddef.h>

bool match_line(const char *pattern, const char *line, size_t n);
