/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/macro.h"
#include "base/name.h"
#include "unit/unit.h"

#define TWICE(literal) literal literal
#define X6(literal) literal literal literal literal literal literal
#define X24(literal) X6(literal) X6(literal) X6(literal) X6(literal)

typedef struct RejectCase {
    int r;
    const char *in;
    size_t n;
} RejectCase;

START_TEST(test_parse_rejects)
{
    static const RejectCase cases[] = {
        {NAME_EMPTY, BYTES("")},
        /* Length: 25 characters of one to four bytes, then far too much */
        {NAME_TOO_LONG, BYTES(X24("a") "a")},
        {NAME_TOO_LONG, BYTES(X24("\u00e9") "a")},
        {NAME_TOO_LONG, BYTES(X24("\u65e5") "\u65e5")},
        {NAME_TOO_LONG, BYTES(X24("\U00010400") "\U00010400")},
        {NAME_TOO_LONG, BYTES(X24("e\u0301") "e")},
        {NAME_TOO_LONG, BYTES(X24("e\u0301") "\u0300")}, /* a 25th that does not compose */
        {NAME_TOO_LONG, BYTES(X24("\u1100\u1161\u11a8") "a")},
        {NAME_TOO_LONG, BYTES(TWICE(X24("\U0001d15e")) "a")},
        {NAME_TOO_LONG, BYTES(TWICE(TWICE(X24("abcd"))) "a")},
        {NAME_TOO_LONG, BYTES(TWICE(TWICE(X24("    "))) " ")},
        /* The first character */
        {NAME_FIRST_IS_DIGIT, BYTES("1")},
        {NAME_FIRST_IS_DIGIT, BYTES("7of9")},
        {NAME_FIRST_IS_DIGIT, BYTES("\u0663alice")}, /* Arabic */
        {NAME_FIRST_IS_DIGIT, BYTES("\u096b")},      /* Devanagari */
        {NAME_FIRST_IS_DIGIT, BYTES("\uff11")},      /* fullwidth */
        {NAME_FIRST_IS_DIGIT, BYTES("\U0001d7d8")},  /* mathematical */
        {NAME_FIRST_IS_DIGIT, BYTES("-")},
        {NAME_FIRST_IS_DIGIT, BYTES("-alice")},
        {NAME_FIRST_IS_DIGIT, BYTES("\u0301alice")},
        {NAME_FIRST_IS_DIGIT, BYTES("\u0903")},
        /* Characters that are none for names */
        {NAME_BAD_CHARACTER, BYTES(" ")},
        {NAME_BAD_CHARACTER, BYTES(" alice")},
        {NAME_BAD_CHARACTER, BYTES("alice ")},
        {NAME_BAD_CHARACTER, BYTES("a b")},
        {NAME_BAD_CHARACTER, BYTES("#dev")},
        {NAME_BAD_CHARACTER, BYTES("<alice>")},
        {NAME_BAD_CHARACTER, BYTES("a:b")},
        {NAME_BAD_CHARACTER, BYTES("a.b")},
        {NAME_BAD_CHARACTER, BYTES("a\0b")},
        {NAME_BAD_CHARACTER, BYTES("alice\0")},
        {NAME_BAD_CHARACTER, BYTES("a\nb")},
        {NAME_BAD_CHARACTER, BYTES("a\x1b[1m")},
        {NAME_BAD_CHARACTER, BYTES("a\x7f")},
        {NAME_BAD_CHARACTER, BYTES("a\u00a0b")},
        {NAME_BAD_CHARACTER, BYTES("a\u3000b")},
        {NAME_BAD_CHARACTER, BYTES("a\u2028b")},
        {NAME_BAD_CHARACTER, BYTES("a\u2010b")}, /* hyphen */
        {NAME_BAD_CHARACTER, BYTES("a\uff0db")}, /* fullwidth hyphen */
        {NAME_BAD_CHARACTER, BYTES("a\uff3fb")}, /* fullwidth low line */
        {NAME_BAD_CHARACTER, BYTES("a\u00b2")},  /* No */
        {NAME_BAD_CHARACTER, BYTES("\u2167")},   /* Nl: Roman numeral eight */
        {NAME_BAD_CHARACTER, BYTES("\u24b6")},   /* So: circled A */
        {NAME_BAD_CHARACTER, BYTES("\U0001f600")},
        {NAME_BAD_CHARACTER, BYTES("\ufffd")},
        {NAME_BAD_CHARACTER, BYTES("a\ue000")},       /* private use */
        {NAME_BAD_CHARACTER, BYTES("a\u0378")},       /* unassigned */
        {NAME_BAD_CHARACTER, BYTES("a\xef\xbf\xbe")}, /* noncharacter */
        /* Invisible ones, some of them letters and marks */
        {NAME_BAD_CHARACTER, BYTES("al\u200bice")},
        {NAME_BAD_CHARACTER, BYTES("al\u200dice")},
        {NAME_BAD_CHARACTER, BYTES("\u202ealice")},
        {NAME_BAD_CHARACTER, BYTES("al\u00adice")},
        {NAME_BAD_CHARACTER, BYTES("alice\ufe0f")},
        {NAME_BAD_CHARACTER, BYTES("al\u034fice")},
        {NAME_BAD_CHARACTER, BYTES("\u115f")},
        {NAME_BAD_CHARACTER, BYTES("alice\u1160")},
        {NAME_BAD_CHARACTER, BYTES("\u3164")},
        {NAME_BAD_CHARACTER, BYTES("alice\uffa0")},
        {NAME_BAD_CHARACTER, BYTES("alice\U000e0061")},
        /* Marks: after a letter, at most two, none that encloses */
        {NAME_BAD_CHARACTER, BYTES("x\u0301\u0302\u0303")},
        {NAME_BAD_CHARACTER, BYTES("e\u0301\u0302\u0303\u0304")},
        {NAME_BAD_CHARACTER, BYTES("a1\u0301")},
        {NAME_BAD_CHARACTER, BYTES("_\u0301")},
        {NAME_BAD_CHARACTER, BYTES("a-\u0301")},
        {NAME_BAD_CHARACTER, BYTES("a\u20dd")},
        /* Letters that fold to text with a space */
        {NAME_BAD_CHARACTER, BYTES("\ufdfa")},
        {NAME_BAD_CHARACTER, BYTES("a\u037a")},
        {NAME_BAD_CHARACTER, BYTES("\ufe70")},
        /* Not UTF-8 */
        {NAME_BAD_CHARACTER, BYTES("\x80")},
        {NAME_BAD_CHARACTER, BYTES("alice\xff")},
        {NAME_BAD_CHARACTER, BYTES("alic\xc3")},
        {NAME_BAD_CHARACTER, BYTES("al\xe6\x97")},
        {NAME_BAD_CHARACTER, BYTES("\xc1\xa1lice")}, /* overlong a */
        {NAME_BAD_CHARACTER, BYTES("\xed\xa0\x80")},
        {NAME_BAD_CHARACTER, BYTES("\xf4\x90\x80\x80")},
    };

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        Name name = {.n = 42};
        int r = name_parse(cases[i].in, cases[i].n, NAME_MAX_CHARS, &name);

        ck_assert_msg(r == cases[i].r, "row %zu: got %d instead of %d", i, r, cases[i].r);
        ck_assert_uint_eq(name.n, 42);
    }
}
END_TEST

typedef struct ParseCase {
    const char *in;
    size_t n;
    const char *out;
} ParseCase;

/* The marks of verified people, and what looks like one of them: not within a name, nor at its end. */
START_TEST(test_parse_marks)
{
    static const char *const marks[] = {
        "\u2713",     "\u2714",       "\u2705",       "\u2611",     "\u2610", "\u221a", "\u237b",
        "\u2717",     "\u2718",       "\U0001f5f8",   "\U0001f5f9", "\u2bbd", "\u2b55", "\u25c9",
        "\U00010102", "\u2713\ufe0f", "\u2714\ufe0f", "\U0001fbb1", "+",      "\uff0b", "\u207a",
        "\u208a",     "\ufe62",       "\ufb29",       "\u2795",     "\u02d6", "\u2214", "\u271a",
        "\u2719",     "\u253c",       "\u2020",       "\U0001f7a1",
    };

    for (size_t i = 0; i < N_ELEMENTS(marks); i++) {
        char text[64];
        Name name;

        (void) snprintf(text, sizeof text, "alice%s", marks[i]);
        ck_assert_msg(name_parse(text, strlen(text), NAME_MAX_CHARS, &name) == NAME_BAD_CHARACTER, "row %zu",
                      i);
        ck_assert_msg(name_parse_nick(text, strlen(text), &name) == NAME_BAD_CHARACTER, "row %zu", i);
        (void) snprintf(text, sizeof text, "al%sice", marks[i]);
        ck_assert_msg(name_parse(text, strlen(text), NAME_MAX_CHARS, &name) == NAME_BAD_CHARACTER, "row %zu",
                      i);
    }
}
END_TEST

START_TEST(test_parse_accepts)
{
    static const ParseCase cases[] = {
        {BYTES("a"), "a"},
        {BYTES("Alice"), "Alice"},
        {BYTES("_"), "_"},
        {BYTES("__alice-7_"), "__alice-7_"},
        {BYTES("a-"), "a-"},
        {BYTES("a1234567890"), "a1234567890"},
        {BYTES("\u00c5ngstr\u00f6m"), "\u00c5ngstr\u00f6m"},
        {BYTES("\u212bngstro\u0308m"), "\u00c5ngstr\u00f6m"}, /* ANGSTROM SIGN is a letter of another name */
        {BYTES("e\u0301"), "\u00e9"},
        {BYTES("x\u0301\u0302"), "x\u0301\u0302"},
        {BYTES("e\u0301\u0302\u0303"), "\u00e9\u0302\u0303"}, /* one of three composes */
        {BYTES("a\u0302\u0301"), "\u1ea5"},                   /* and here two of two */
        {BYTES("q\u0307\u0323"), "q\u0323\u0307"},            /* canonical order */
        {BYTES("s\u0307\u0323"), "\u1e69"},                   /* composes across a mark */
        {BYTES("\u0958"), "\u0915\u093c"},                    /* excluded from composition: longer in NFC */
        {BYTES("\u1100\u1161\u11a8"), "\uac01"},
        {BYTES("\uac00\u11a8"), "\uac01"},
        {BYTES("\ud55c\uae00"), "\ud55c\uae00"},
        {BYTES("\u0915\u094d\u0937\u093f"), "\u0915\u094d\u0937\u093f"},
        {BYTES("\u0e17\u0e35\u0e48"), "\u0e17\u0e35\u0e48"},
        {BYTES("\u0645\u062d\u0645\u062f\u0663"), "\u0645\u062d\u0645\u062f\u0663"},
        {BYTES("\u0905\u096b"), "\u0905\u096b"},
        {BYTES("\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2"), "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2"},
        {BYTES("\uff21\uff4c\uff49\uff43\uff45\uff11"), "\uff21\uff4c\uff49\uff43\uff45\uff11"},
        {BYTES("\u82b1\u5b50"), "\u82b1\u5b50"},
        {BYTES("\U0001d400"), "\U0001d400"},
        {BYTES("\u0131\u0130"), "\u0131\u0130"},
        {BYTES("\u013f"), "\u013f"},             /* folds to l and a middle dot */
        {BYTES("\u0e17\u0e33"), "\u0e17\u0e33"}, /* folds to a mark and a letter */
        /* The boundary: 24 characters of one to four bytes, and of up to four code points */
        {BYTES(X24("a")), X24("a")},
        {BYTES(X24("\u00e9")), X24("\u00e9")},
        {BYTES(X24("e\u0301")), X24("\u00e9")},
        {BYTES(X24("\u65e5")), X24("\u65e5")},
        {BYTES(X24("\U00010400")), X24("\U00010400")},
        {BYTES(X24("\u1100\u1161\u11a8")), X24("\uac01")},
        {BYTES(X24("\u03b1\u0313\u0300\u0345")), X24("\u1f82")},
        {BYTES(X24("\ufdf2")), X24("\ufdf2")}, /* the longest key of letters only: 192 bytes */
        /* and of the longest: marks that fold to 9 bytes */
        {BYTES(X6("\ufdf2\u0f77\u0f77") "\ufdf2"), X6("\ufdf2\u0f77\u0f77") "\ufdf2"},
    };
    Name name, again;

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        int r = name_parse(cases[i].in, cases[i].n, NAME_MAX_CHARS, &name);

        ck_assert_msg(r == 0, "row %zu: %d", i, r);
        ck_assert_msg(strcmp(name.bytes, cases[i].out) == 0, "row %zu: got \"%s\"", i, name.bytes);
        ck_assert_uint_eq(name.n, strlen(cases[i].out));
        ck_assert_int_eq(name_parse(name.bytes, name.n, NAME_MAX_CHARS, &again), 0);
        ck_assert_mem_eq(&again, &name, sizeof(name));
    }
}
END_TEST

START_TEST(test_parse_max_chars)
{
    Name name;

    ck_assert_int_eq(name_parse("alice", 5, 5, &name), 0);
    ck_assert_int_eq(name_parse("alice", 5, 4, &name), NAME_TOO_LONG);
    ck_assert_int_eq(name_parse("alice", 5, 2, &name), NAME_TOO_LONG);
    ck_assert_int_eq(name_parse("al", 2, 2, &name), 0);
    ck_assert_int_eq(name_parse(BYTES("e\u0301e\u0301"), 2, &name), 0);
    ck_assert_int_eq(name_parse(BYTES("x\u0301x\u0301"), 3, &name), NAME_TOO_LONG);
    ck_assert_int_eq(name_parse(BYTES(X24("a")), SIZE_MAX, &name), 0);
    ck_assert_int_eq(name_parse(BYTES(X24("a") "a"), SIZE_MAX, &name), NAME_TOO_LONG);
}
END_TEST

START_TEST(test_strerror)
{
    for (int r = NAME_EMPTY; r <= NAME_FIRST_IS_DIGIT; r++) {
        ck_assert_str_ne(name_strerror(r), "");
        ck_assert_str_ne(name_strerror(r), name_strerror(0));
        for (int other = NAME_EMPTY; other < r; other++)
            ck_assert_str_ne(name_strerror(r), name_strerror(other));
    }
}
END_TEST

static void fold(const char *name, NameKey *ret_key)
{
    memset(ret_key, 0xee, sizeof(*ret_key));
    name_fold(name, strlen(name), ret_key);
}

START_TEST(test_fold_keeps_apart)
{
    static const char *const cases[][2] = {
        {"alice", "alicf"},   {"alice", "alic"},    {"alice", "alice_"},  {"a-b", "a_b"},
        {"a", "\u0430"},                       /* Cyrillic */
        {"e", "\u00e9"},      {"i", "\u0131"}, /* dotless i has no dotted capital here: nobody's name depends
                                                  on the language */
        {"I", "\u0130"},      {"\u0131", "\u0130"}, {"\u0663", "\u0664"}, {"a3", "a\u0663"},
        {"\uac00", "\uac01"}, {"\u304b", "\u304c"}, {"o", "\u00f8"},
    };
    NameKey a, b;

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        fold(cases[i][0], &a);
        fold(cases[i][1], &b);
        ck_assert_msg(a.n > 0 && b.n > 0, "row %zu", i);
        ck_assert_msg(memcmp(&a, &b, sizeof(a)) != 0, "row %zu", i);
    }
}
END_TEST

START_TEST(test_fold_joins)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"Alice", "alice"},
        {"ALICE_7-Z", "alice_7-z"},
        {"Stra\u00dfe", "strasse"},
        {"STRA\u1e9eE", "strasse"},
        {"\u03a3\u0399\u03a3\u03a5\u03a6\u039f\u03a3", "\u03c3\u03b9\u03c3\u03c5\u03c6\u03bf\u03c3"},
        {"\u03c2", "\u03c3"},
        {"\u0130", "i\u0307"},
        {"\uff21\uff4c\uff29\uff43\uff25\uff11", "alice1"},
        {"\U0001d400lice\U0001d7d9", "alice1"},
        {"\u212a", "k"}, /* Kelvin */
        {"\u017f", "s"},
        {"\ufb03", "ffi"},
        {"E\u0301", "\u00e9"},
        {"al\u200bi\u00adce\ufe0f", "alice"},
        {"e\u034f\u0301", "\u00e9"}, /* dropped before what it holds apart is composed */
        {"\u1100\u1161\u11a8", "\uac01"},
        {"\uff76\uff9e", "\u30ac"},
        {"\u1fb4", "\u03ac\u03b9"},
        {"\u1fb3\u0301", "\u03ac\u03b9"}, /* as is not with folding before canonical order */
        {"\u03b1\u0345\u0301", "\u03ac\u03b9"},
        {"\u03b1\u0301\u0345", "\u03ac\u03b9"},
        {"\u1f82", "\u1f02\u03b9"},
        {"\u13a0", "\u13a0"}, /* Cherokee folds to capitals */
        {"\uab70", "\u13a0"},
        {"\u10a0", "\u2d00"},
    };
    NameKey key, again;

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        const char *expected = cases[i][1];

        fold(cases[i][0], &key);
        ck_assert_msg(key.n == strlen(expected) && memcmp(key.bytes, expected, key.n) == 0,
                      "row %zu: got \"%.*s\"", i, key.n, key.bytes);
        fold(expected, &again);
        ck_assert_mem_eq(&again, &key, sizeof(key));
    }
}
END_TEST

START_TEST(test_fold_limits)
{
    char long_name[NAME_KEY_MAX + 1];
    NameKey key, zero = {0};

    memset(long_name, 'A', sizeof(long_name));
    name_fold(long_name, NAME_KEY_MAX, &key);
    ck_assert_uint_eq(key.n, NAME_KEY_MAX);
    ck_assert_int_eq(key.bytes[NAME_KEY_MAX - 1], 'a');
    name_fold(long_name, NAME_KEY_MAX + 1, &key);
    ck_assert_mem_eq(&key, &zero, sizeof(key));

    /* 33 bytes each: 7 fit and 8 do not. A sharp s has 2 bytes still: 128 fit and 129 do not. */
    name_fold(BYTES(X6("\ufdfa") "\ufdfa"), &key);
    ck_assert_uint_eq(key.n, 7 * 33);
    name_fold(BYTES(X6("\ufdfa") "\ufdfa\ufdfa"), &key);
    ck_assert_mem_eq(&key, &zero, sizeof(key));
    name_fold(BYTES(X24(TWICE(TWICE("\u00df")) "\u00df") X6("\u00df") "\u00df\u00df"), &key);
    ck_assert_uint_eq(key.n, NAME_KEY_MAX);
    name_fold(BYTES(X24(TWICE(TWICE("\u00df")) "\u00df") X6("\u00df") "\u00df\u00df\u00df"), &key);
    ck_assert_mem_eq(&key, &zero, sizeof(key));
    /* More code points than there is room for, before and after folding */
    name_fold(BYTES(X24(X24("\u00e9"))), &key);
    ck_assert_mem_eq(&key, &zero, sizeof(key));
    name_fold(BYTES(TWICE(X24("\ufdfa"))), &key);
    ck_assert_mem_eq(&key, &zero, sizeof(key));

    name_fold(NULL, 0, &key);
    ck_assert_mem_eq(&key, &zero, sizeof(key));
    name_fold(BYTES("alice\xff"), &key);
    ck_assert_mem_eq(&key, &zero, sizeof(key));
    name_fold(BYTES("\u200b"), &key);
    ck_assert_mem_eq(&key, &zero, sizeof(key));
}
END_TEST

START_TEST(test_number)
{
    static const char *const bad[] = {"~2",
                                      "a~",
                                      "a~0",
                                      "a~02",
                                      "a~x",
                                      "a~2x",
                                      "a~-2",
                                      "a~~2",
                                      "a~2~3",
                                      "a b~2",
                                      "a~12345678",
                                      "1~2",
                                      "abcdefghijklmnopqrstuvw~2"};
    static const char *const good[] = {"a~2", "a~1234567", "john-2", "abcdefghijklmnopqrstuv~2", "\u00e9~10"};
    Name name, numbered;

    for (size_t i = 0; i < N_ELEMENTS(bad); i++)
        ck_assert_msg(name_parse_nick(bad[i], strlen(bad[i]), &name) != 0, "%s", bad[i]);
    ck_assert_int_eq(name_parse_nick(NULL, 0, &name), NAME_EMPTY);
    for (size_t i = 0; i < N_ELEMENTS(good); i++) {
        memset(&name, 0xee, sizeof(name));
        ck_assert_msg(name_parse_nick(good[i], strlen(good[i]), &name) == 0, "%s", good[i]);
        ck_assert_str_eq(name.bytes, good[i]);
        ck_assert_uint_eq(name.n, strlen(good[i]));
    }
    ck_assert_int_eq(name_parse("a~2", 3, NAME_MAX_CHARS, &name), NAME_BAD_CHARACTER);
    ck_assert_int_eq(name_parse("abcdefghijklmnopqrstuvwx", 24, NAME_MAX_CHARS, &name), 0);
    name_number(&name, 9999999, &numbered);
    ck_assert_str_eq(numbered.bytes, "abcdefghijklmnop~9999999");
    ck_assert_int_eq(name_parse_nick(numbered.bytes, numbered.n, &name), 0);
}
END_TEST

/* The names that one account may have had; in whatever order they are asked for. */
START_TEST(test_looks_marked)
{
    static const struct {
        const char *name;
        bool looks_marked;
    } cases[] = {
        {"alice", false},   {"alic\u00e9", false},  {"alice\u1429", true},
        {"a\uaa9c", true},  {"a\U0001029bb", true}, {"\u1429", true},
        {"a\u1428", false}, {"a\u142a", false},     {"a\U0001029a", false},
    };

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        Name name;

        ck_assert_int_eq(name_parse(cases[i].name, strlen(cases[i].name), NAME_MAX_CHARS, &name), 0);
        ck_assert_msg(name_looks_marked(&name) == cases[i].looks_marked, "%s", cases[i].name);
    }
}
END_TEST

START_TEST(test_one_login)
{
    static const struct {
        const char *one, *other;
        bool is_one;
    } cases[] = {
        {"john", "JOHN", true},
        {"john", "john~2", true},
        {"John~3", "john~12", true},
        {"john", "johnny", false},
        {"john~2", "johnny", false},
        {"john~2", "johnny~2", false},
        {"abcdefghijklmnopqrst", "abcdefghijklmnop~2", true},
        {"abcdefghijklmnopqrst", "abcdefghijklmnopqrsu", false},
        {"abcdefghijklmno", "abcdefghijklmnop~2", false},
        {"", "john~2", false},
        {"", "", false},
    };

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        Name one = {.n = (uint8_t) strlen(cases[i].one)}, other = {.n = (uint8_t) strlen(cases[i].other)};

        memcpy(one.bytes, cases[i].one, one.n);
        memcpy(other.bytes, cases[i].other, other.n);
        ck_assert_msg(name_is_one_login(&one, &other) == cases[i].is_one, "%s and %s", cases[i].one,
                      cases[i].other);
        ck_assert_msg(name_is_one_login(&other, &one) == cases[i].is_one, "%s and %s", cases[i].other,
                      cases[i].one);
    }
}
END_TEST

START_TEST(test_same)
{
    static const struct {
        const char *one, *other;
        bool is_same;
    } cases[] = {
        {"alice", "alice", true},
        {"alice", "ALICE", true},
        {"Stra\u00dfe", "STRASSE", true},
        {"alice", "alice2", false},
        {"alice2", "alice", false},
        {"alice", "\u0430lice", false}, /* with a Cyrillic letter */
        {"alice", "", false},
        {"", "", false},
    };

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        Name one = {.n = (uint8_t) strlen(cases[i].one)}, other = {.n = (uint8_t) strlen(cases[i].other)};

        memcpy(one.bytes, cases[i].one, one.n);
        memcpy(other.bytes, cases[i].other, other.n);
        ck_assert_msg(name_is_same(&one, &other) == cases[i].is_same, "%s and %s", cases[i].one,
                      cases[i].other);
    }
}
END_TEST

START_TEST(test_guest)
{
    static const char *const no[] = {"guest",   "gues7",   "guest_7",     "guest-7", "guest7a",
                                     "aguest7", "guests7", "gu\u00e9st7", "a",       "gast7"};
    static const char *const yes[] = {"guest7",          "guest0",      "guest007",    "GuEsT12",
                                      "guest1234567890", "gueSt\uff17", "\uff47uest7", "gue\u017ft7",
                                      "gue\ufb067",      "guest\u0667", "guest7\u096b"};
    Name name;

    for (size_t i = 0; i < N_ELEMENTS(no); i++) {
        ck_assert_int_eq(name_parse(no[i], strlen(no[i]), NAME_MAX_CHARS, &name), 0);
        ck_assert_msg(!name_is_guest(&name), "row %zu", i);
    }
    for (size_t i = 0; i < N_ELEMENTS(yes); i++) {
        ck_assert_int_eq(name_parse(yes[i], strlen(yes[i]), NAME_MAX_CHARS, &name), 0);
        ck_assert_msg(name_is_guest(&name), "row %zu", i);
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

static int32_t random_code(uint64_t *state)
{
    static const int32_t interesting[] = {
        '-',    '_',     '7',     'A',     'z',     'k',    0xdf,   0x130,  0x131,  0x17f,  0x301,
        0x308,  0x323,   0x345,   0x3a3,   0x3c2,   0x390,  0x1c6,  0x663,  0x915,  0x93c,  0x94d,
        0x903,  0x958,   0xf77,   0x1100,  0x1161,  0x11a7, 0x11a8, 0x1e9e, 0x1fb3, 0x1fb4, 0x1f82,
        0x212b, 0x3042,  0x304b,  0x3099,  0x314f,  0xac00, 0xac01, 0xfb06, 0xfdf2, 0xff21, 0xff76,
        0xff9e, 0x1d15e, 0x110ba, 0x16121, 0x1d400, 0x34f,  0x200d, 0x3164, ' ',    '.',    0xe000,
    };
    uint64_t kind = random_next(state) % 8, value = random_next(state);

    if (kind < 4)
        return interesting[value % N_ELEMENTS(interesting)];
    if (kind < 6)
        return 'a' + value % 26;
    if (kind < 7)
        return 0x300 + value % 0x70;
    return value % 0xd800;
}

static size_t random_name(uint64_t *state, char *to, size_t max_codes)
{
    size_t n = 0;

    for (size_t i = random_next(state) % max_codes + 1; i > 0; i--)
        n += utf8proc_encode_char(random_code(state), (uint8_t *) to + n);
    return n;
}

/* The other normalisation forms of the same name. Returns the length. */
static size_t normalize(char *to, size_t size, const char *from, size_t n, int options)
{
    uint8_t *result;
    utf8proc_ssize_t length = utf8proc_map((const uint8_t *) from, n, &result, options);

    QUICK_ASSERT(length >= 0 && (size_t) length <= size, "length %td", length);
    memcpy(to, result, length);
    free(result);
    return length;
}

static void check_name(const Name *name)
{
    char other[4 * NAME_MAX_BYTES + 1];
    NameKey key, other_key;
    Name again;
    size_t n;

    QUICK_ASSERT(name->n > 0 && name->n <= NAME_MAX_BYTES && name->bytes[name->n] == '\0', "n %u", name->n);
    QUICK_ASSERT(name_parse(name->bytes, name->n, NAME_MAX_CHARS, &again) == 0, "\"%s\"", name->bytes);
    QUICK_ASSERT(memcmp(&again, name, sizeof(again)) == 0, "\"%s\"", name->bytes);
    QUICK_ASSERT(name_is_mentioned(name->bytes, name->n, name->bytes, name->n), "\"%s\"", name->bytes);

    name_fold(name->bytes, name->n, &key);
    QUICK_ASSERT(key.n > 0, "\"%s\"", name->bytes);
    name_fold(key.bytes, key.n, &other_key);
    QUICK_ASSERT(memcmp(&key, &other_key, sizeof(key)) == 0, "\"%s\": folding is not idempotent",
                 name->bytes);

    n = normalize(other, sizeof(other), name->bytes, name->n, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
    QUICK_ASSERT(name_parse(other, n, NAME_MAX_CHARS, &again) == 0, "\"%s\"", name->bytes);
    QUICK_ASSERT(memcmp(&again, name, sizeof(again)) == 0, "\"%s\"", name->bytes);
    name_fold(other, n, &other_key);
    QUICK_ASSERT(memcmp(&key, &other_key, sizeof(key)) == 0, "\"%s\": in NFD has another key", name->bytes);
}

START_TEST(test_names_random)
{
    char text[4 * 12];
    uint64_t state = 31415926;
    unsigned n_good = 0;
    Name name;

    for (unsigned round = 0; round < 40000; round++) {
        size_t n = random_name(&state, text, round % 4 == 0 ? 12 : 5);

        if (name_parse(text, n, NAME_MAX_CHARS, &name) == 0) {
            n_good++;
            check_name(&name);
        }
    }
    ck_assert_uint_gt(n_good, 2000);
}
END_TEST

UNIT_MAIN("name", test_parse_rejects, test_parse_marks, test_parse_accepts, test_parse_max_chars,
          test_strerror, test_fold_keeps_apart, test_fold_joins, test_fold_limits, test_number,
          test_looks_marked, test_one_login, test_same, test_guest, test_names_random)
