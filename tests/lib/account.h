/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* Numbered lines, and whether a reader who may miss some got each of the others whole, once and in order. */

#include "lib/client.h"

/* Line `i` of a talk, with `n_text` letters. */
void account_say(Client *speaker, int i, size_t n_text);
void account_expect(Client *listener, const char *speaker, int i, size_t n_text);

typedef struct Account {
    size_t n_text;
    int next; /* the number of the line that comes next */
    int n_skipped;
    bool was_cut;       /* the last line was */
    int n_just_skipped; /* told of by the last line; 0: it was another one */
    int n_repeated;
} Account;

/*
 * Reads up to now and compares what came with the lines said, from 0 to n_lines - 1: each is heard, or
 * counted as skipped, or, up to `may_repeat` of them, heard once more directly after itself.
 */
Account account_for(Client *client, int n_lines, size_t n_text, int may_repeat);
