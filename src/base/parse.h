/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* Numbers, byte sizes and time spans as people write them. */

#include <stddef.h>
#include <stdint.h>

/* A time span without end, written "infinity". */
#define PARSE_FOREVER UINT64_MAX

/* Room for whatever parse_format_size() and parse_format_span() write. */
enum { PARSE_TEXT_MAX = 64 };

enum {
    PARSE_EMPTY = 1,
    PARSE_NOT_A_NUMBER,
    PARSE_BAD_UNIT,
    PARSE_TOO_LARGE,
    PARSE_NOT_A_BOOLEAN,
    PARSE_NOT_A_DAY,
};

/*
 * Decimal digits and nothing else: no sign, no space, no base prefix. Leading zeros do not mean octal.
 * Like the other two, this returns 0 or one of the answers above, and sets the result only with 0.
 */
int parse_number(const char *text, uint64_t *ret_number);

/* A number, directly followed by K, M, G or T (of either case) for powers of 1024, or by nothing for bytes.
 */
int parse_size(const char *text, uint64_t *ret_bytes);

/*
 * A time span as systemd.time(7) describes it, in microseconds: "90", "10min", "1h 30min", "2.5s",
 * "infinity" (PARSE_FOREVER). A number without a unit counts seconds.
 */
int parse_span(const char *text, uint64_t *ret_usec);

/* "yes", "true", "on", "1", or "no", "false", "off", "0", of either case (systemd.syntax(7)): 1 or 0. */
int parse_boolean(const char *text, uint64_t *ret_value);

/*
 * A day of the local calendar: "2026-11-22", "today" or "yesterday", as seen at `now` (usec since the epoch).
 * *ret_from is its first microsecond and *ret_to that of the day after it.
 */
int parse_day(const char *text, uint64_t now, uint64_t *ret_from, uint64_t *ret_to);

/* A part of a sentence, such as "is not a number"; what it is about goes before it. */
const char *parse_strerror(int r);

/* The shortest form that parse_size() and parse_span() read back as the same value. `to` has PARSE_TEXT_MAX
 * bytes. */
void parse_format_size(char *to, uint64_t bytes);
void parse_format_span(char *to, uint64_t usec);
