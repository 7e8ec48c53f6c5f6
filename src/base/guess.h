/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* What was meant by a word that is not known. */

#include <stddef.h>

/*
 * The candidate nearest to `word`, the first of equals, or NULL when none is near. The case of ASCII letters
 * does not matter. A beginning of two letters or more counts as near: "hist" finds "history".
 */
const char *guess_nearest(const char *word, const char *const *candidates, size_t n);
