/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdio.h>
#include <string.h>

#include "system/storm.h"

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

unsigned random_below(uint64_t *state, unsigned n)
{
    return (unsigned) (random_next(state) % n);
}

void nick_format(const Storm *storm, unsigned id, char variant, char nick[NAME_BYTES])
{
    (void) snprintf(nick, NAME_BYTES, "%s%u%s", storm->options.name, id, variant == 'b' ? "_" : "");
}

/* FNV-1a with 32 bits. It begins with the seed, so the lines of another storm are not taken for ours. */
static uint32_t checksum(const Storm *storm, const char *text, size_t n)
{
    uint32_t sum = UINT32_C(0x811c9dc5) ^ (uint32_t) storm->options.seed;

    for (size_t i = 0; i < n; i++)
        sum = (sum ^ (uint8_t) text[i]) * UINT32_C(0x01000193);
    return sum;
}

/* Characters of all lengths, and what could be taken for the beginning of another line. */
static const char *const PIECES[] = {
    " ",   "\xc3\xa9",     "\xc3\x9f",     "\xce\xa9",         "\xd0\xb6",  "\xe6\xbc\xa2", "\xe5\xad\x97",
    " / ", "\xe2\x82\xac", "\xe2\x9c\x93", "\xf0\x9f\x98\x80", "e\xcc\x81", "-- ",          "(private) <",
};

static size_t add_piece(uint64_t *random, char *to)
{
    const char *piece;

    if (random_below(random, 4) != 0) {
        *to = (char) ('!' + random_below(random, '~' - '!' + 1));
        return 1;
    }
    piece = PIECES[random_below(random, N_ELEMENTS(PIECES))];
    memcpy(to, piece, strlen(piece));
    return strlen(piece);
}

size_t mark_format(const Storm *storm, const Mark *mark, uint64_t *random, size_t max, char text[TEXT_BYTES])
{
    enum { LONGEST_PIECE = 11, SUM_BYTES = 9 };
    size_t n = (size_t) snprintf(text, TEXT_BYTES, "%u%c %c%c %u ", mark->speaker, mark->variant, mark->kind,
                                 mark->channel, mark->number);
    size_t end = MIN(max, (size_t) TEXT_BYTES) - LONGEST_PIECE - SUM_BYTES - 1;

    /* Half of the lines are short, as people's are. */
    if (random_below(random, 2) == 0)
        end = MIN(end, n + 60);
    if (end > n)
        end = n + random_below(random, (unsigned) (end - n));
    do
        n += add_piece(random, text + n);
    while (n < end);
    return n + (size_t) snprintf(text + n, TEXT_BYTES - n, " %08x", checksum(storm, text, n));
}

static bool parse_number(const char **p, const char *end, unsigned *ret_number)
{
    const char *from = *p;
    unsigned number = 0;

    for (; *p < end && **p >= '0' && **p <= '9' && *p - from < 9; (*p)++)
        number = number * 10 + (unsigned) (**p - '0');
    *ret_number = number;
    return *p > from;
}

MarkResult mark_parse(const Storm *storm, const char *text, size_t n, Mark *ret_mark)
{
    const char *p = text, *end = text + n;
    char sum[16];

    if (!parse_number(&p, end, &ret_mark->speaker) || ret_mark->speaker >= storm->options.clients ||
        end - p < 5 || p[1] != ' ' || p[4] != ' ')
        return MARK_STRANGE;
    ret_mark->variant = p[0];
    ret_mark->kind = p[2];
    ret_mark->channel = p[3];
    p += 5;
    if (!parse_number(&p, end, &ret_mark->number) || end - p < 11)
        return MARK_STRANGE;
    n -= 9;
    (void) snprintf(sum, sizeof sum, " %08x", checksum(storm, text, n));
    return memcmp(text + n, sum, 9) == 0 ? MARK_RIGHT : MARK_SPOILT;
}

char *text_escape(const char *from, size_t n, char *to, size_t size)
{
    char *p = to, *end = to + size - 5;

    for (size_t i = 0; i < n && p < end; i++) {
        if (from[i] >= ' ' && from[i] <= '~' && from[i] != '\\')
            *p++ = from[i];
        else
            p += sprintf(p, "\\x%02x", (uint8_t) from[i]);
    }
    *p = '\0';
    return to;
}
