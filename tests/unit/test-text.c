/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/macro.h"
#include "base/text.h"
#include "unit/unit.h"

#define FFFD "\xef\xbf\xbd"
#define ACUTE "\xcc\x81" /* U+0301 COMBINING ACUTE ACCENT */
#define ACUTE8 ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE

typedef struct Case {
    const char *in;
    size_t n_in;
    const char *out;
    size_t n_out;
} Case;

static char *copy_exact(const char *from, size_t n)
{
    char *copy = malloc(n > 0 ? n : 1);

    /* On the heap and no byte longer, so that sanitizers and valgrind see each step past the end. */
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, from, n);
    return copy;
}

static void expect_clean(const char *in, size_t n_in, const char *out, size_t n_out, size_t row)
{
    _cleanup_(freep) char *from = copy_exact(in, n_in);
    _cleanup_(freep) char *to = malloc(TEXT_GROWTH * n_in + 1);
    size_t n;

    to[TEXT_GROWTH * n_in] = 'X';
    n = text_clean(to, from, n_in);
    ck_assert_msg(n == n_out && memcmp(to, out, n) == 0, "row %zu: got %zu bytes: \"%.*s\"", row, n, (int) n,
                  to);
    ck_assert_msg(to[TEXT_GROWTH * n_in] == 'X', "row %zu: wrote too far", row);
}

static void expect_all_clean(const Case *cases, size_t n_cases)
{
    for (size_t i = 0; i < n_cases; i++)
        expect_clean(cases[i].in, cases[i].n_in, cases[i].out, cases[i].n_out, i);
}

START_TEST(test_clean_ill_formed)
{
    static const Case cases[] = {
        /* The Unicode Standard 15.0, tables 3-8 to 3-11 */
        {BYTES("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41"), BYTES(FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A")},
        {BYTES("\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41"), BYTES(FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A")},
        {BYTES("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42"), BYTES(FFFD FFFD FFFD FFFD FFFD "A" FFFD FFFD "B")},
        {BYTES("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41"), BYTES(FFFD FFFD FFFD FFFD "A")},
        /* and of its earlier versions */
        {BYTES("a\xf1\x80\x80\xe1\x80\xc2"
               "b\x80"
               "c\x80\xbf"
               "d"),
         BYTES("a" FFFD FFFD FFFD "b" FFFD "c" FFFD FFFD "d")},
        {BYTES("\x80"), BYTES(FFFD)},
        {BYTES("\xff\xfe"), BYTES(FFFD FFFD)},
        {BYTES("\xc2"), BYTES(FFFD)},
        {BYTES("\xc1\xbf"), BYTES(FFFD FFFD)},
        {BYTES("\xe0\x9f\xbf"), BYTES(FFFD FFFD FFFD)},
        {BYTES("\xe0\xa0"), BYTES(FFFD)},
        {BYTES("\xe0\xa0z"), BYTES(FFFD "z")},
        {BYTES("\xed\x9f"), BYTES(FFFD)},
        {BYTES("\xef\xbf"), BYTES(FFFD)},
        {BYTES("\xf0\x8f\xbf\xbf"), BYTES(FFFD FFFD FFFD FFFD)},
        {BYTES("\xf0\x90\x80"), BYTES(FFFD)},
        {BYTES("\xf4\x8f\xbf"), BYTES(FFFD)},
        {BYTES("\xf4\x90\x80\x80"), BYTES(FFFD FFFD FFFD FFFD)},
        {BYTES("\xf5\x80\x80\x80"), BYTES(FFFD FFFD FFFD FFFD)},
        {BYTES("\xf8\x88\x80\x80\x80"), BYTES(FFFD FFFD FFFD FFFD FFFD)},
        {BYTES("\xc3\n"), BYTES(FFFD)},
        {BYTES("\xc3\x1b[31m"), BYTES(FFFD "[31m")},
        /* An overlong ESC and an overlong newline */
        {BYTES("\xc0\x9b[2J"), BYTES(FFFD FFFD "[2J")},
        {BYTES("\xe0\x80\x8a"), BYTES(FFFD FFFD FFFD)},
        /* Noncharacters */
        {BYTES("\xef\xbf\xbe"), BYTES(FFFD)},
        {BYTES("\xef\xbf\xbf"), BYTES(FFFD)},
        {BYTES("\xef\xb7\x90\xef\xb7\xaf"), BYTES(FFFD FFFD)},
        {BYTES("\xf0\x9f\xbf\xbe"), BYTES(FFFD)},
        {BYTES("\xf3\xaf\xbf\xbf"), BYTES(FFFD)},
        {BYTES("\xf4\x8f\xbf\xbf"), BYTES(FFFD)},
    };

    expect_all_clean(cases, N_ELEMENTS(cases));
}
END_TEST

START_TEST(test_clean_drops)
{
    static const Case cases[] = {
        {BYTES(""), BYTES("")},
        {BYTES("\0"), BYTES("")},
        {BYTES("a\0b"), BYTES("ab")},
        {BYTES("\a\b\n\v\f\r"), BYTES("")},
        {BYTES("\x1b[31mred\x1b[0m"), BYTES("[31mred[0m")},
        {BYTES("\x1f \x7f~"), BYTES(" ~")},
        {BYTES("line\r\n"), BYTES("line")},
        {BYTES("x\r-- alice is here"), BYTES("x-- alice is here")},
        /* C1: CSI, NEL, the first and the last; then the first that is none */
        {BYTES("\xc2\x9b\x32J"), BYTES("2J")},
        {BYTES("\xc2\x85\xc2\x80\xc2\x9f\xc2\xa0"), BYTES("\xc2\xa0")},
        {BYTES("a\xc2\xad"
               "b"),
         BYTES("ab")}, /* soft hyphen */
        {BYTES("a\xcd\x8f"
               "b"),
         BYTES("ab")},                              /* combining grapheme joiner */
        {BYTES("\xd8\x9c\xe1\xa0\x8e"), BYTES("")}, /* Arabic letter mark, Mongolian vowel separator */
        {BYTES("\xd8\x80\xdb\x9d"), BYTES("")},     /* Cf, but not default-ignorable: Arabic number signs */
        {BYTES("\xef\xbf\xb9x\xef\xbf\xbb"), BYTES("x")},                       /* interlinear annotation */
        {BYTES("\xe1\x85\x9f\xe1\x85\xa0\xe3\x85\xa4\xef\xbe\xa0"), BYTES("")}, /* Hangul fillers */
        {BYTES("\xe2\x80\x8b\xe2\x80\x8c\xe2\x80\x8d\xe2\x80\x8e\xe2\x80\x8f"), BYTES("")}, /* ZWSP to RLM */
        {BYTES("\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad\xe2\x80\xae"), BYTES("")}, /* LRE to RLO */
        {BYTES("\xe2\x81\xa0\xe2\x81\xa4\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xaf"),
         BYTES("")},                            /* 2065 reserved */
        {BYTES("\xef\xbb\xbfhi"), BYTES("hi")}, /* BOM */
        {BYTES("\xef\xb8\x80\xef\xb8\x8f\xf3\xa0\x84\x80\xf3\xa0\x87\xaf"),
         BYTES("")},                                                            /* variation selectors */
        {BYTES("\xef\xbf\xb0\xef\xbf\xb8"), BYTES("")},                         /* reserved: U+FFF0, U+FFF8 */
        {BYTES("\xf3\xa0\x80\x81\xf3\xa0\x81\xa1\xf3\xa0\x81\xbf"), BYTES("")}, /* tags */
        {BYTES("\xf3\xa0\x80\x80\xf3\xa0\xbf\xbf"), BYTES("")}, /* reserved: U+E0000, U+E0FFF */
    };

    expect_all_clean(cases, N_ELEMENTS(cases));
}
END_TEST

START_TEST(test_clean_keeps)
{
    static const Case cases[] = {
        {BYTES(" ~"), BYTES(" ~")},
        {BYTES("hello, world"), BYTES("hello, world")},
        {BYTES("\t"), BYTES(" ")},
        {BYTES("a\t\tb"), BYTES("a  b")},
        {BYTES("a\xe2\x80\xa8"
               "b\xe2\x80\xa9"
               "c"),
         BYTES("a b c")},
        {BYTES("Gr\xc3\xbc\xc3\x9f dich"), BYTES("Gr\xc3\xbc\xc3\x9f dich")},
        {BYTES("\xe6\x97\xa5\xe6\x9c\xac"), BYTES("\xe6\x97\xa5\xe6\x9c\xac")},
        {BYTES("\xf0\x9f\x98\x80"), BYTES("\xf0\x9f\x98\x80")},
        {BYTES(FFFD), BYTES(FFFD)},
        {BYTES("\xef\xbf\xbc"), BYTES("\xef\xbf\xbc")}, /* U+FFFC, between the reserved and the replacement */
        {BYTES("\xed\x9f\xbf\xee\x80\x80"), BYTES("\xed\x9f\xbf\xee\x80\x80")}, /* beside the surrogates */
        {BYTES("\xcd\xb8"), BYTES("\xcd\xb8")},                                 /* U+0378, unassigned */
        {BYTES("\xee\x80\x80\xf4\x8f\xbf\xbd"), BYTES("\xee\x80\x80\xf4\x8f\xbf\xbd")}, /* private use */
        {BYTES("\xf3\x9f\xbf\xbd\xf3\xa1\x80\x80"),
         BYTES("\xf3\x9f\xbf\xbd\xf3\xa1\x80\x80")}, /* DFFFD, E1000 */
    };

    expect_all_clean(cases, N_ELEMENTS(cases));
}
END_TEST

START_TEST(test_clean_marks)
{
    static const Case cases[] = {
        {BYTES("e" ACUTE8 ACUTE), BYTES("e" ACUTE8)},
        {BYTES("e" ACUTE8 ACUTE ACUTE8 "x"), BYTES("e" ACUTE8 "x")},
        {BYTES("e" ACUTE8 "\xe2\x80\x8b" ACUTE), BYTES("e" ACUTE8)}, /* what is dropped does not part them */
        {BYTES("e" ACUTE8 "\x01" ACUTE), BYTES("e" ACUTE8)},
        {BYTES("e" ACUTE8 "\xe2\x83\x9d"), BYTES("e" ACUTE8)}, /* enclosing marks count */
        {BYTES("e" ACUTE8 "\xe0\xa4\xbe"), BYTES("e" ACUTE8)}, /* and so do spacing ones */
        {BYTES(ACUTE8), BYTES(ACUTE8)},
        {BYTES("e" ACUTE8 "e" ACUTE8), BYTES("e" ACUTE8 "e" ACUTE8)},
        {BYTES("e" ACUTE8 "\t" ACUTE8), BYTES("e" ACUTE8 " " ACUTE8)},
        {BYTES("e" ACUTE8 "\xff" ACUTE8), BYTES("e" ACUTE8 FFFD ACUTE8)},
        {BYTES("e" ACUTE8 "\xe2\x80\xa8" ACUTE8), BYTES("e" ACUTE8 " " ACUTE8)},
        {BYTES("\xc3\xa9" ACUTE8), BYTES("\xc3\xa9" ACUTE8)},
    };

    ck_assert_uint_eq(TEXT_MAX_MARKS, 8);
    expect_all_clean(cases, N_ELEMENTS(cases));
}
END_TEST

/* Each length around the word sizes of the fast road, with each byte at each place in it. */
START_TEST(test_clean_ascii)
{
    char in[80], out[TEXT_GROWTH * sizeof(in)];

    for (size_t n = 0; n <= sizeof(in); n++)
        for (size_t at = 0; at < n; at++)
            for (unsigned byte = 0; byte < 0x100; byte = byte == 0x21   ? 0x7d
                                                         : byte == 0x82 ? 0xfe
                                                                        : byte + 1) {
                size_t expected = n - 1 + (byte >= 0x80 ? 3 : byte == '\t' || (byte >= 0x20 && byte < 0x7f));

                for (size_t i = 0; i < n; i++)
                    in[i] = ' ' + i;
                in[at] = byte;
                QUICK_ASSERT(text_clean(out, in, n) == expected, "n %zu at %zu byte %02x", n, at, byte);
                QUICK_ASSERT(memcmp(out, in, at) == 0, "n %zu at %zu byte %02x", n, at, byte);
                QUICK_ASSERT(memcmp(out + expected - (n - at - 1), in + at + 1, n - at - 1) == 0,
                             "n %zu at %zu byte %02x", n, at, byte);
            }
}
END_TEST

static bool is_mark(int32_t code)
{
    utf8proc_category_t category = utf8proc_category(code);

    return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC ||
           category == UTF8PROC_CATEGORY_ME;
}

static bool is_to_be_dropped(int32_t code)
{
    utf8proc_category_t category = utf8proc_category(code);
    int32_t to[4];

    if (code == '\t')
        return false;
    /* Not by the property that the module reads, but by what the library does with it. */
    return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
           utf8proc_decompose_char(code, to, N_ELEMENTS(to), UTF8PROC_IGNORE, NULL) == 0 || code == 0x2065 ||
           (code >= 0xfff0 && code <= 0xfff8) || (code >= 0xe0000 && code <= 0xe0fff);
}

/* What becomes of a code point; *marks counts those in a row. Returns the length. */
static size_t reference_code(char *to, int32_t code, unsigned *marks)
{
    if (is_to_be_dropped(code) || (is_mark(code) && *marks >= TEXT_MAX_MARKS))
        return 0;
    *marks = is_mark(code) ? *marks + 1 : 0;
    if ((code & 0xffff) >= 0xfffe || (code >= 0xfdd0 && code < 0xfdf0))
        code = 0xfffd;
    if (code == '\t' || code == 0x2028 || code == 0x2029)
        code = ' ';
    return utf8proc_encode_char(code, (uint8_t *) to);
}

/* Can the bytes be completed to a character of UTF-8? Tries, with no knowledge of the ranges. */
static bool is_beginning(const uint8_t *from, size_t n)
{
    static const uint8_t more[] = {0x80, 0x90, 0xa0};
    uint8_t bytes[4];
    int32_t code;

    if (n > 3)
        return false;
    memcpy(bytes, from, n);
    if (utf8proc_iterate(bytes, n, &code) == (utf8proc_ssize_t) n)
        return true;
    for (size_t i = 0; i < N_ELEMENTS(more); i++) {
        bytes[n] = more[i];
        memset(bytes + n + 1, 0x80, sizeof(bytes) - n - 1);
        for (size_t length = n + 1; length <= 4; length++)
            if (utf8proc_iterate(bytes, length, &code) == (utf8proc_ssize_t) length)
                return true;
    }
    return false;
}

static size_t reference_clean(char *to, const char *from, size_t n)
{
    const uint8_t *p = (const uint8_t *) from;
    size_t o = 0, length;
    unsigned marks = 0;
    int32_t code;

    for (size_t i = 0; i < n; i += length) {
        utf8proc_ssize_t r = utf8proc_iterate(p + i, n - i, &code);

        length = r > 0 ? r : 1;
        if (r <= 0) {
            code = 0xfffd;
            while (i + length < n && is_beginning(p + i, length + 1))
                length++;
        }
        o += reference_code(to + o, code, &marks);
    }
    return o;
}

START_TEST(test_clean_every_code_point)
{
    char in[4], out[TEXT_GROWTH * sizeof(in)], expected[sizeof(in)];
    size_t n_in, n_out, n_expected;

    for (int32_t code = 0; code <= 0x10ffff; code++) {
        unsigned marks = 0;

        if (!utf8proc_codepoint_valid(code))
            continue;
        n_in = utf8proc_encode_char(code, (uint8_t *) in);
        n_out = text_clean(out, in, n_in);
        n_expected = reference_code(expected, code, &marks);
        QUICK_ASSERT(n_out == n_expected && memcmp(out, expected, n_out) == 0, "U+%04X", (unsigned) code);
    }
}
END_TEST

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state >> 11;
}

/* Text of the kinds that matter: runs of ASCII, interesting characters, any characters, cut ones, noise. */
static size_t random_text(uint64_t *state, char *to, size_t size)
{
    static const int32_t interesting[] = {'\t',   '\\',   0x1b,   0x7f,    0x85,   0xad,    0x301,
                                          0x301,  0x34f,  0x5d0,  0x903,   0x200d, 0x202e,  0x2028,
                                          0x20dd, 0x3042, 0xfffe, 0x1f600, 0xe000, 0xe0001, 0x10ffff};
    size_t n = 0, wanted = random_next(state) % size;

    while (n + 4 <= wanted) {
        uint64_t kind = random_next(state) % 16, value = random_next(state);
        int32_t code = value % 0x110000;

        if (kind < 6)
            for (uint64_t i = value % 40; i > 0 && n + 4 <= wanted; i--)
                to[n++] = 0x20 + random_next(state) % 0x5f;
        else if (kind < 9)
            n += utf8proc_encode_char(interesting[value % N_ELEMENTS(interesting)], (uint8_t *) to + n);
        else if (kind < 10)
            for (uint64_t i = value % 12; i > 0 && n + 4 <= wanted; i--)
                n += utf8proc_encode_char(0x300 + i, (uint8_t *) to + n);
        else if (kind < 12)
            n += utf8proc_encode_char(code, (uint8_t *) to + n); /* surrogates too */
        else if (kind < 13)
            n += MIN((size_t) utf8proc_encode_char(code, (uint8_t *) to + n), (size_t) 1 + value % 3);
        else if (kind < 14)
            to[n++] = 0x80 + value % 0x40;
        else
            to[n++] = value;
    }
    return n;
}

static void check_clean(const char *text, size_t n)
{
    unsigned marks = 0;
    int32_t code;

    for (size_t i = 0; i < n;) {
        utf8proc_ssize_t length = utf8proc_iterate((const uint8_t *) text + i, n - i, &code);

        QUICK_ASSERT(length > 0, "at %zu", i);
        QUICK_ASSERT(code >= 0x20 && code != 0x7f && !is_to_be_dropped(code), "U+%04X", (unsigned) code);
        QUICK_ASSERT((code & 0xfffe) != 0xfffe, "U+%04X", (unsigned) code);
        marks = is_mark(code) ? marks + 1 : 0;
        QUICK_ASSERT(marks <= TEXT_MAX_MARKS, "at %zu", i);
        i += length;
    }
}

START_TEST(test_clean_random)
{
    char in[300], out[TEXT_GROWTH * sizeof(in)], again[TEXT_GROWTH * sizeof(out)];
    uint64_t state = 20240229;

    for (unsigned round = 0; round < 20000; round++) {
        size_t n_in = random_text(&state, in, sizeof(in)), n, n_again;
        _cleanup_(freep) char *from = copy_exact(in, n_in);
        _cleanup_(freep) char *to = malloc(TEXT_GROWTH * n_in + 1);

        n = text_clean(to, from, n_in);
        QUICK_ASSERT(n <= TEXT_GROWTH * n_in, "round %u", round);
        check_clean(to, n);
        n_again = text_clean(again, to, n);
        QUICK_ASSERT(n_again == n && memcmp(again, to, n) == 0, "round %u: not idempotent", round);
        n_again = reference_clean(out, in, n_in);
        QUICK_ASSERT(n_again == n && memcmp(out, to, n) == 0, "round %u: differs from the reference", round);
    }
}
END_TEST

typedef struct EscapeCase {
    size_t size;
    const char *in;
    size_t n_in;
    const char *out;
} EscapeCase;

START_TEST(test_escape)
{
    static const EscapeCase cases[] = {
        {100, BYTES("\x1b[31m"), "\\x1b[31m"},
        {100, BYTES("a\0b\tc\nd"), "a\\x00b\\x09c\\x0ad"},
        {100, BYTES("\x7f\x80\xff"), "\\x7f\\x80\\xff"},
        {100, BYTES("\xc2\x9b"), "\\xc2\\x9b"},
        {100, BYTES("\xe2\x80\xae"), "\\xe2\\x80\\xae"},
        {100, BYTES("\xe2\x80\xa8"), "\\xe2\\x80\\xa8"},
        {100, BYTES("\xe0\x80\xbf"), "\\xe0\\x80\\xbf"},
        {100, BYTES("\xed\xa0\x80"), "\\xed\\xa0\\x80"},
        {100, BYTES("\xef\xbf\xbe"), "\\xef\\xbf\\xbe"},
        {100, BYTES("\xcd\xb8\xee\x80\x80"), "\\xcd\\xb8\\xee\\x80\\x80"},
        {100, BYTES("\xf3\xa0\x80\x81"), "\\xf3\\xa0\\x80\\x81"},
        {100, BYTES("\\"), "\\\\"},
        {100, BYTES("\\x1b"), "\\\\x1b"},
        {100, BYTES(""), ""},
        {100, BYTES("alice ~"), "alice ~"},
        {100, BYTES("Gr\xc3\xbc\xc3\x9f e" ACUTE " \xf0\x9f\x98\x80"),
         "Gr\xc3\xbc\xc3\x9f e" ACUTE " \xf0\x9f\x98\x80"},
        /* The cut */
        {7, BYTES("abcdef"), "abcdef"},
        {6, BYTES("abcdef"), "ab..."},
        {5, BYTES("abcdef"), "a..."},
        {4, BYTES("abcdef"), "..."},
        {4, BYTES("abc"), "abc"},
        {3, BYTES("abc"), ".."},
        {2, BYTES("abc"), "."},
        {1, BYTES("abc"), ""},
        {1, BYTES(""), ""},
        {7, BYTES("\xc3\xbc\xc3\xbc\xc3\xbc"), "\xc3\xbc\xc3\xbc\xc3\xbc"},
        {6, BYTES("\xc3\xbc\xc3\xbc\xc3\xbc"), "\xc3\xbc..."},
        {5, BYTES("\xc3\xbc\xc3\xbc\xc3\xbc"), "..."},
        {13, BYTES("\xe2\x80\xae"), "\\xe2\\x80\\xae"},
        {12, BYTES("\xe2\x80\xae"), "..."}, /* the escapes of one character stay together */
        {9, BYTES("abcd\x01"), "abcd\\x01"},
        {8, BYTES("abcd\x01"), "abcd..."},
        {8, BYTES("abcde\x01"), "abcd..."},
        {6, BYTES("ab\\\\"), "ab..."},
        {7, BYTES("ab\\\\"), "ab\\\\\\\\"},
    };
    char to[100];

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        const EscapeCase *c = &cases[i];
        size_t n = text_escape(to, c->size, c->in, c->n_in);

        ck_assert_msg(strcmp(to, c->out) == 0, "row %zu: got \"%s\"", i, to);
        ck_assert_uint_eq(n, strlen(to));
    }
}
END_TEST

START_TEST(test_escape_without_room)
{
    char to[] = "X";

    ck_assert_uint_eq(text_escape(to, 0, "abc", 3), 0);
    ck_assert_str_eq(to, "X");
}
END_TEST

static size_t unescape(char *to, const char *from, size_t n)
{
    size_t o = 0;
    unsigned byte;

    for (size_t i = 0; i < n; i++) {
        if (from[i] != '\\') {
            to[o++] = from[i];
        } else if (from[i + 1] == '\\') {
            to[o++] = '\\';
            i++;
        } else {
            QUICK_ASSERT(sscanf(from + i, "\\x%2x", &byte) == 1, "at %zu", i);
            to[o++] = byte;
            i += 3;
        }
    }
    return o;
}

START_TEST(test_escape_random)
{
    char in[60], full[4 * sizeof(in) + 1], back[4 * sizeof(in)], clean[TEXT_GROWTH * sizeof(full)];
    uint64_t state = 19700101;

    for (unsigned round = 0; round < 5000; round++) {
        size_t n_in = random_text(&state, in, sizeof(in));
        size_t n_full = text_escape(full, sizeof(full), in, n_in);

        ck_assert_uint_eq(n_full, strlen(full));
        ck_assert_uint_eq(unescape(back, full, n_full), n_in);
        ck_assert_int_eq(memcmp(back, in, n_in), 0);
        /* Combining marks are not counted here, so only what shows no long run of them is clean text. */
        if (text_clean(clean, full, n_full) == n_full)
            ck_assert_int_eq(memcmp(clean, full, n_full), 0);

        for (size_t size = 1; size <= n_full + 2; size++) {
            _cleanup_(freep) char *to = malloc(size);
            size_t n = text_escape(to, size, in, n_in);

            QUICK_ASSERT(n < size, "round %u size %zu", round, size);
            QUICK_ASSERT(to[n] == '\0', "round %u size %zu", round, size);
            if (size > n_full) {
                QUICK_ASSERT(n == n_full, "round %u size %zu", round, size);
            } else {
                size_t n_dots = MIN(n, STRLEN("..."));

                QUICK_ASSERT(memcmp(to + n - n_dots, "...", n_dots) == 0, "round %u size %zu", round, size);
                n -= n_dots;
                /* What precedes the dots is whole characters. */
                QUICK_ASSERT(unescape(back, to, n) <= n_in, "round %u size %zu", round, size);
            }
            QUICK_ASSERT(memcmp(to, full, n) == 0, "round %u size %zu", round, size);
        }
    }
}
END_TEST

UNIT_MAIN("text", test_clean_ill_formed, test_clean_drops, test_clean_keeps, test_clean_marks,
          test_clean_ascii, test_clean_every_code_point, test_clean_random, test_escape,
          test_escape_without_room, test_escape_random)
