/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/guess.h"
#include "base/macro.h"

/* Whatever is longer was not meant to be one of our words. */
enum { WORD_MAX = 63 };

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

/*
 * Damerau-Levenshtein in its restricted form: insertions, deletions, replacements and swaps of neighbours,
 * where no part is edited twice. Three rows are enough, as a swap looks back two. Both words have at most
 * WORD_MAX bytes.
 */
static size_t distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2], *oldest;

    for (size_t j = 0; j <= n_b; j++)
        last[j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        now[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            bool same = lower(a[i - 1]) == lower(b[j - 1]);

            now[j] = MIN(last[j], now[j - 1]) + 1;
            now[j] = MIN(now[j], last[j - 1] + !same);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
                now[j] = MIN(now[j], before[j - 2] + 1);
        }
        oldest = before;
        before = last;
        last = now;
        now = oldest;
    }
    return last[n_b];
}

static bool begins_with(const char *text, const char *beginning, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (lower(text[i]) != lower(beginning[i]))
            return false;
    return true;
}

const char *guess_nearest(const char *word, const char *const *candidates, size_t n)
{
    size_t n_word = strlen(word), limit = MIN(1 + n_word / 4, (size_t) 3), best = SIZE_MAX;
    const char *nearest = NULL;

    if (n_word == 0 || n_word > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t n_candidate = strlen(candidates[i]), d, rank;

        if (n_candidate > WORD_MAX)
            continue;
        d = rank = distance(word, n_word, candidates[i], n_candidate);
        if (n_word >= 2 && n_candidate > n_word && begins_with(candidates[i], word, n_word))
            d = 1;
        /* A word of which nothing is left is not near. Of two that are equally near, the real distance
         * decides. */
        rank += d * (WORD_MAX + 1);
        if (d <= limit && d < MAX(n_word, n_candidate) && rank < best) {
            best = rank;
            nearest = candidates[i];
        }
    }
    return nearest;
}
