/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Untrusted text: UTF-8, and what a terminal may be shown.
 *
 * Whatever one person typed and another will see passes text_clean() first, and whatever a log will
 * show passes text_escape(). Nothing here allocates or fails.
 */

#include <stddef.h>

enum {
    TEXT_GROWTH = 3,    /* text_clean() writes at most this many bytes for each byte it reads */
    TEXT_MAX_MARKS = 8, /* combining marks in a row that text_clean() lets through */
};

/*
 * Writes to `to`, which has room for TEXT_GROWTH * n bytes and does not overlap `from`, what of the `n`
 * bytes at `from` is fit to be seen, as valid UTF-8. Returns the number of bytes written; adds no NUL.
 *
 *  - Each maximal ill-formed part (The Unicode Standard, section 3.9, "U+FFFD Substitution of Maximal
 *    Subparts") becomes one U+FFFD, and so does each noncharacter.
 *  - TAB, LINE SEPARATOR and PARAGRAPH SEPARATOR become one space each.
 *  - Dropped: the other controls (C0, DEL, C1), format characters (general category Cf: bidirectional
 *    overrides, joiners, BOM, tags), and all that Unicode calls Default_Ignorable_Code_Point (fillers,
 *    variation selectors, and the ranges reserved for more of these).
 *  - Of more than TEXT_MAX_MARKS combining marks in a row the rest is dropped.
 *
 * Cleaning clean text changes nothing. Cleaning the pieces of a text is not the same as cleaning the
 * text: a character cut in two becomes two U+FFFD.
 */
size_t text_clean(char *to, const char *from, size_t n);

/*
 * Writes to `to` the `n` bytes at `from` as a log may show them: a backslash as \\, and each byte of what
 * is not printable (as text_clean() sees it, and also unassigned and private-use characters) or not
 * UTF-8 as \xNN. If that does not fit in `size` bytes with the NUL, whole characters are left out at the
 * end and "..." takes their place. Returns the length without the NUL, which is always there unless
 * `size` is 0.
 */
size_t text_escape(char *to, size_t size, const char *from, size_t n);

/* How many of the `n` bytes of clean text are shown where there is place for `max`: whole characters. */
size_t text_cut(const char *text, size_t n, size_t max);
