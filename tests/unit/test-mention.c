/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Whether a text mentions somebody: base/name.h. */

#include <string.h>
#include <utf8proc.h>

#include "base/macro.h"
#include "base/name.h"
#include "unit/harness.h"
#include "unit/unit.h"

#define X6(literal) literal literal literal literal literal literal
#define X24(literal) X6(literal) X6(literal) X6(literal) X6(literal)

static bool is_mentioned(const char *nick, const char *text)
{
    return name_is_mentioned(nick, strlen(nick), text, strlen(text));
}

START_TEST(test_mention)
{
    static const struct {
        bool yes;
        const char *nick, *text;
    } cases[] = {
        {false, "alice", ""},
        {false, "alice", "alic"},
        {false, "alice", "hello bob"},
        {false, "alice", "malice"},
        {false, "alice", "alices"},
        {false, "alice", "alice2"},
        {false, "alice", "_alice"},
        {false, "alice", "alice_"},
        {false, "alice", "2alice"},
        {false, "alice", "zalice"},
        {false, "alice", "alicez"},
        {false, "alice", "aliceZ"},
        {false, "alice", "alice9"},
        {false, "alice", "\u7530 malice"},
        {false, "alice", "\u0301alice"},
        {false, "alice", "alice-bob"},
        {false, "alice", "bob-alice"},
        {false, "alice", "alicealice"},
        {false, "alice", "ali ce"},
        {false, "alice", "alic\u00e9"},
        {false, "alice", "alice\u0301"},
        {false, "alice", "\u00e9alice"},
        {false, "alice", "e\u0301alice"},
        {false, "alice", "alice\u0663"},
        {false, "alice", "\u0430lice"},
        {false, "e", "\u00e9"},
        {false, "e", "e\u0301"},
        {false, "bob-", "bob-x"},
        {false, "\u00e9ric", "eric"},
        {false, "eric", "\u00e9ric"},
        {false, "\uac00", "\uac01"}, /* its first two sounds */
        {false, "\uac00", "\u1100\u1161\u11a8"},
        {false, "\u304b", "\u304c"}, /* ka in ga */
        {false, "alice", "\u03b2alice"},
        {false, "", "alice"},
        {false, "\xff", "alice \xff"},

        {true, "alice", "alice"},
        {true, "Alice", "hi aLICE!"},
        {true, "alice", "alice: hello"},
        {true, "alice", "@alice"},
        {true, "alice", "malice, alice"},
        {true, "alice", "alice's"},
        {true, "alice", "alice--look"},
        {true, "alice", "alice-"},
        {true, "alice", "-alice"},
        {true, "alice", "alice -- bob"},
        {true, "alice", "x--alice"},
        {true, "alice", "alicealice alice"},
        {true, "bob-", "bob-"},
        {true, "bob-", "bob-, hi"},
        {true, "a", "a"},
        {true, "a", "b a"},
        {true, "_", "a _ b"},
        {true, "alice",
         "\u00ab"
         "alice\u00bb"},
        {true, "alice", "\u201ealice\u201c"},
        {true, "alice", "\u00e9 alice"},
        {true, "alice", "\u00e9, alice-"},
        {true, "alice", "\uff21\uff4c\uff49\uff43\uff45"},
        {true, "\uff41lice", "hi ALICE"},
        {true, "alice", "al\u200bice"},
        {true, "\u00e9ric", "E\u0301ric"},
        {true, "e\u0301ric", "\u00c9RIC"},
        {true, "stra\u00dfe", "STRASSE"},
        {true, "strasse", "die Stra\u00dfe."},
        {true, "\u0430\u043d\u043d\u0430", "\u043f\u0440\u0438\u0432\u0435\u0442, \u0410\u041d\u041d\u0410!"},
        {true, "q\u0323\u0307", "q\u0307\u0323"},
        {true, "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2", "\u03c3\u03af\u03c3\u03c5\u03c6\u03bf\u03c3"},
        /* Wide letters need no spaces around */
        {true, "\u82b1\u5b50", "\u82b1\u5b50\u3055\u3093"},
        {true, "\u82b1\u5b50", "\u7530\u4e2d\u82b1\u5b50"},
        {true, "alice", "alice\u3055\u3093"},
        {true, "alice", "\u7530\u4e2d\u304calice"}, /* after a letter with a mark, in NFKD */
        {true, "\u3042\u304c", "\u3042\u304c2"},
        {true, "\ucca0\uc218", "\ucca0\uc218\uc57c"},
        {true, "\uc218", "\ucca0\uc218"},
        {true, "alice", "\ucca0\uc218\uc640alice"},
    };

    for (size_t i = 0; i < N_ELEMENTS(cases); i++)
        ck_assert_msg(is_mentioned(cases[i].nick, cases[i].text) == cases[i].yes, "row %zu: \"%s\" in \"%s\"",
                      i, cases[i].nick, cases[i].text);
}
END_TEST

START_TEST(test_mention_lengths)
{
    ck_assert(!name_is_mentioned("alice", 5, NULL, 0));
    ck_assert(!name_is_mentioned(NULL, 0, "alice", 5));
    ck_assert(name_is_mentioned("alicex", 5, "alicex", 5));
    ck_assert(!name_is_mentioned("alice", 5, "alicex", 6));
    ck_assert(name_is_mentioned("alice", 5, "a\0alice", 7));
    ck_assert(name_is_mentioned(BYTES(X24("\u1f82")), BYTES(X24("\u1f8a"))));
    ck_assert(name_is_mentioned(BYTES(X24("\ufdf2")), BYTES("x " X24("\ufdf2") " x")));
    ck_assert(!name_is_mentioned(BYTES(X24("\ufdf2")), BYTES("x " X24("\ufdf2") "x")));
    /* No names: too many bytes, and too many code points when folded */
    ck_assert(!name_is_mentioned(BYTES(X24("\U00010400") "a"), BYTES(X24("\U00010400") "a")));
    ck_assert(!name_is_mentioned(BYTES(X24("\ufdfa") X6("\ufdfa") "\ufdfa\ufdfa"),
                                 BYTES(X24("\ufdfa") X6("\ufdfa") "\ufdfa\ufdfa")));
}
END_TEST

/* Long text is folded piece by piece: no place in it is special. */
START_TEST(test_mention_anywhere)
{
    static const char *const nicks[] = {"alice", "\u00e9ric", "q\u0323\u0307", "q\u0307\u0323x",
                                        X24("\u1f82")};
    static const char *const fillers[] = {"\u00e9 ", "x \u00e9\u0323\u0307", "\u03b1\u0345 b "};
    char text[4096];

    for (size_t i = 0; i < N_ELEMENTS(nicks) * N_ELEMENTS(fillers); i++) {
        const char *nick = nicks[i / N_ELEMENTS(fillers)], *filler = fillers[i % N_ELEMENTS(fillers)];
        size_t n_nick = strlen(nick), n_filler = strlen(filler);

        for (size_t before = 0; before + n_filler <= 2600;
             before += n_filler + (before < 1200 ? 57 * n_filler : 0)) {
            size_t n = 0, end;

            while (n < before) {
                memcpy(text + n, filler, n_filler);
                n += n_filler;
            }
            text[n++] = ' ';
            memcpy(text + n, nick, n_nick);
            end = n += n_nick;
            QUICK_ASSERT(name_is_mentioned(nick, n_nick, text, end), "row %zu: at the end, %zu", i, before);
            for (text[n++] = '-'; n + n_filler <= sizeof(text) - 1; n += n_filler)
                memcpy(text + n, filler, n_filler);
            QUICK_ASSERT(!name_is_mentioned(nick, n_nick, text, n), "row %zu: joined at %zu", i, before);
            text[end] = ' ';
            QUICK_ASSERT(name_is_mentioned(nick, n_nick, text, n), "row %zu: at %zu", i, before);
            text[end] = '_';
            QUICK_ASSERT(!name_is_mentioned(nick, n_nick, text, n), "row %zu: joined at %zu", i, before);
        }
    }
}
END_TEST

START_TEST(test_mention_long_run_of_marks)
{
    char text[6000];
    size_t n = 0;

    /* Not clean text, and still no trouble. */
    text[n++] = 'x';
    while (n < 5000)
        n += utf8proc_encode_char(n % 3 == 0 ? 0x323 : 0x301, (uint8_t *) text + n);
    ck_assert(!name_is_mentioned("alice", 5, text, n));
    memcpy(text + n, " alice", 6);
    ck_assert(name_is_mentioned("alice", 5, text, n + 6));
}
END_TEST

/* The road for ASCII and the one for everything agree: a far "é" changes nothing but the road. */
START_TEST(test_mention_roads_agree)
{
    static const char letters[] = "abAB01_--  .";
    char nick[4], text[40];
    uint64_t state = 27182818;
    unsigned n_yes = 0;

    for (unsigned round = 0; round < 40000; round++) {
        size_t n_nick = random_below(&state, sizeof(nick)) + 1, n = random_below(&state, 30);
        bool yes;

        for (size_t i = 0; i < n_nick; i++)
            nick[i] = letters[random_below(&state, 9)];
        for (size_t i = 0; i < n; i++)
            text[i] = letters[random_below(&state, sizeof(letters) - 1)];
        yes = name_is_mentioned(nick, n_nick, text, n);
        n_yes += yes;
        memcpy(text + n, " \xc3\xa9", 3);
        QUICK_ASSERT(name_is_mentioned(nick, n_nick, text, n + 3) == yes, "\"%.*s\" in \"%.*s\"",
                     (int) n_nick, nick, (int) n, text);
    }
    ck_assert_uint_gt(n_yes, 1000);
}
END_TEST

UNIT_MAIN("mention", test_mention, test_mention_lengths, test_mention_anywhere,
          test_mention_long_run_of_marks, test_mention_roads_agree)
