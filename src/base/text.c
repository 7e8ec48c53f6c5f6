/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <utf8proc.h>

#include "base/macro.h"
#include "base/text.h"

#define REPLACEMENT "\xef\xbf\xbd"                 /* U+FFFD */
#define BYTES(value) (UINT64_MAX / 0xff * (value)) /* a word with `value` in each byte */

typedef enum Class {
    CLASS_PRINTABLE,
    CLASS_PRIVATE,
    CLASS_UNASSIGNED,
    CLASS_MARK,
    CLASS_SPACE,        /* to be shown as one */
    CLASS_NONCHARACTER, /* or ill-formed */
    CLASS_INVISIBLE,
} Class;

static inline bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x7f;
}

/*
 * Zero if all bytes of the word are 0x20 to 0x7e. The three parts find bytes from 0x80, below 0x20 and
 * 0x7f. A carry or borrow into a neighbour cannot lie: it only comes out of a byte that is itself found.
 */
static inline uint64_t word_not_plain(uint64_t word)
{
    return (word | (word - BYTES(0x20)) | (word + BYTES(0x01))) & BYTES(0x80);
}

static inline uint64_t word_load(const char *from)
{
    uint64_t word;

    memcpy(&word, from, sizeof(word));
    return word;
}

/* Copies printable ASCII up to the first byte that is something else; returns how much that was. */
static inline size_t copy_plain(char *to, const char *from, size_t n)
{
    const size_t w = sizeof(uint64_t);
    size_t i = 0;

    for (; n - i >= 4 * w; i += 4 * w) {
        uint64_t a = word_load(from + i), b = word_load(from + i + w);
        uint64_t c = word_load(from + i + 2 * w), d = word_load(from + i + 3 * w);

        if ((word_not_plain(a) | word_not_plain(b) | word_not_plain(c) | word_not_plain(d)) != 0)
            break;
        memcpy(to + i, from + i, 4 * w);
    }
    for (; n - i >= w && word_not_plain(word_load(from + i)) == 0; i += w)
        memcpy(to + i, from + i, w);
    for (; i < n && is_plain(from[i]); i++)
        to[i] = from[i];
    return i;
}

/*
 * Decodes one code point at `from`, of which there is at least one byte. Returns its length; or, with
 * *ret_code = -1, the length of the maximal ill-formed part. The range of the second byte depends on the
 * first (The Unicode Standard, table 3-7), which rules out overlong forms, surrogates and > U+10FFFF.
 */
static size_t decode(const char *from, size_t n, int32_t *ret_code)
{
    const uint8_t *p = (const uint8_t *) from;
    uint8_t low = 0x80, high = 0xbf;
    size_t length, i;
    int32_t code;

    *ret_code = -1;
    if (p[0] < 0x80) {
        *ret_code = p[0];
        return 1;
    }
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 1;
    length = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    code = p[0] & (0x7f >> length);
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;

    for (i = 1; i < length; i++) {
        if (i >= n || p[i] < low || p[i] > high)
            return i;
        code = code << 6 | (p[i] & 0x3f);
        low = 0x80;
        high = 0xbf;
    }
    *ret_code = code;
    return length;
}

/*
 * The ranges that the standard reserves for default-ignorable characters to come (DerivedCoreProperties,
 * Other_Default_Ignorable_Code_Point): utf8proc knows only the assigned ones.
 */
static bool is_reserved_ignorable(int32_t code)
{
    return code == 0x2065 || (code >= 0xfff0 && code <= 0xfff8) || (code >= 0xe0000 && code <= 0xe0fff);
}

static Class classify(int32_t code)
{
    const utf8proc_property_t *property;

    if (code < 0)
        return CLASS_NONCHARACTER;
    property = utf8proc_get_property(code);
    if (property->ignorable)
        return CLASS_INVISIBLE;
    switch (property->category) {
    case UTF8PROC_CATEGORY_CC:
        return code == '\t' ? CLASS_SPACE : CLASS_INVISIBLE;
    case UTF8PROC_CATEGORY_CF:
        return CLASS_INVISIBLE;
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return CLASS_SPACE;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return CLASS_MARK;
    case UTF8PROC_CATEGORY_CO:
        return CLASS_PRIVATE;
    case UTF8PROC_CATEGORY_CN:
        if ((code & 0xfffe) == 0xfffe || (code >= 0xfdd0 && code <= 0xfdef))
            return CLASS_NONCHARACTER;
        return is_reserved_ignorable(code) ? CLASS_INVISIBLE : CLASS_UNASSIGNED;
    default:
        return CLASS_PRINTABLE;
    }
}

size_t text_clean(char *to, const char *from, size_t n)
{
    size_t o = 0, length, n_piece;
    unsigned n_marks = 0;
    const char *piece;
    int32_t code;

    for (size_t i = 0; i < n; i += length) {
        length = copy_plain(to + o, from + i, n - i);
        o += length;
        if (length > 0) {
            n_marks = 0;
            continue;
        }

        length = decode(from + i, n - i, &code);
        piece = from + i;
        n_piece = length;
        switch (classify(code)) {
        case CLASS_PRINTABLE:
        case CLASS_PRIVATE:
        case CLASS_UNASSIGNED:
            n_marks = 0;
            break;
        case CLASS_SPACE:
            n_marks = 0;
            piece = " ";
            n_piece = 1;
            break;
        case CLASS_NONCHARACTER:
            n_marks = 0;
            piece = REPLACEMENT;
            n_piece = STRLEN(REPLACEMENT);
            break;
        case CLASS_MARK:
            if (n_marks++ >= TEXT_MAX_MARKS)
                n_piece = 0;
            break;
        case CLASS_INVISIBLE:
            /* n_marks stays: the marks around what is dropped come to stand in a row. */
            n_piece = 0;
            break;
        }
        memcpy(to + o, piece, n_piece);
        o += n_piece;
    }
    return o;
}

static bool is_printable_in_log(int32_t code)
{
    Class class = classify(code);

    return class == CLASS_PRINTABLE || class == CLASS_MARK;
}

/* Escapes the `n` bytes of one character to `to`, which has room for 4 times that; returns the length. */
static size_t escape_character(char *to, const char *from, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    size_t o = 0;

    if (n == 1 && from[0] == '\\') {
        to[0] = to[1] = '\\';
        return 2;
    }
    for (size_t i = 0; i < n; i++) {
        to[o++] = '\\';
        to[o++] = 'x';
        to[o++] = digits[(uint8_t) from[i] >> 4];
        to[o++] = digits[(uint8_t) from[i] & 15];
    }
    return o;
}

size_t text_escape(char *to, size_t size, const char *from, size_t n)
{
    size_t o = 0, length, n_escaped, n_dots;
    size_t fallback = 0; /* the longest output so far that leaves room for the dots */
    const char *escaped;
    char buffer[4 * 4];
    int32_t code;

    if (size == 0)
        return 0;
    for (size_t i = 0; i < n; i += length) {
        length = decode(from + i, n - i, &code);
        if (code != '\\' && is_printable_in_log(code)) {
            escaped = from + i;
            n_escaped = length;
        } else {
            escaped = buffer;
            n_escaped = escape_character(buffer, from + i, length);
        }

        if (n_escaped > size - 1 - o) {
            n_dots = MIN(STRLEN("..."), size - 1 - fallback);
            memset(to + fallback, '.', n_dots);
            o = fallback + n_dots;
            break;
        }
        memcpy(to + o, escaped, n_escaped);
        o += n_escaped;
        if (size - 1 - o >= STRLEN("..."))
            fallback = o;
    }
    to[o] = '\0';
    return o;
}

size_t text_cut(const char *text, size_t n, size_t max)
{
    if (n <= max)
        return n;
    while (max > 0 && ((uint8_t) text[max] & 0xc0) == 0x80)
        max--;
    return max;
}
