/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <string.h>

#include "lib/match.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return c != ' ';
}

static bool is_any(char c)
{
    (void) c;
    return true;
}

static bool is_time(const char *line, size_t n)
{
    return n >= 5 && is_digit(line[0]) && is_digit(line[1]) && line[2] == ':' && is_digit(line[3]) &&
           is_digit(line[4]);
}

/* At least `n_min` bytes of the class, then the rest of the pattern; the shortest way first. */
static bool match_run(const char *pattern, const char *line, size_t n, size_t n_min, bool (*is_class)(char c))
{
    for (size_t i = 0; i <= n; i++) {
        if (i >= n_min && match_line(pattern, line + i, n - i))
            return true;
        if (i < n && !is_class(line[i]))
            return false;
    }
    return false;
}

static bool skip(const char **pattern, const char *token)
{
    size_t n = strlen(token);

    if (strncmp(*pattern, token, n) != 0)
        return false;
    *pattern += n;
    return true;
}

bool match_line(const char *pattern, const char *line, size_t n)
{
    while (*pattern != '\0') {
        if (skip(&pattern, "{any}"))
            return *pattern == '\0' || match_run(pattern, line, n, 0, is_any);
        if (skip(&pattern, "{word}"))
            return match_run(pattern, line, n, 1, is_word);
        if (skip(&pattern, "{n}"))
            return match_run(pattern, line, n, 1, is_digit);
        if (skip(&pattern, "{time}")) {
            if (!is_time(line, n))
                return false;
            line += 5;
            n -= 5;
            continue;
        }
        if (n == 0 || *line != *pattern)
            return false;
        line++;
        n--;
        pattern++;
    }
    return n == 0;
}
