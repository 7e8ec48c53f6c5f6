/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Whatever somebody types is words, and the lines that have them are found. */

#include <errno.h>

#include "archive/part.h"
#include "base/text.h"
#include "unit/archive-fixture.h"
#include "unit/harness.h"
#include "unit/unit.h"

START_TEST(test_words)
{
    static const char SAID[] = "1 lobby <bob> The Quick brown-fox, naïve Straße 東京 x2\n";
    static const struct {
        const char *words;
        bool is_found;
    } CASES[] = {
        {"zebra", false},
        {"quick zebra", false},
        {"qui", false},
        {"*", false},
        {"", false},
        {"   ", false},
        {"!!!", false},
        {"fox-brown", false},
        {"brown*fox", true}, /* other signs separate words that follow each other */
        {"quick", true},
        {"QUICK", true},
        {"  brown   THE ", true},
        {"qui*", true},
        {"qui* br*", true},
        {"brown-fox", true},
        {"brown-f*", true},
        {"-fox", true},
        {"fox,", true},
        {"!!! fox", true},
        {"naive", true},
        {"NAÏVE", true},
        {"nai\xcc\x88ve", true},
        {"東京", true},
        {"東*", true},
        {"京", false},
        {"x2", true},
        {"x", false},
        {"nаive", false}, /* the a is Cyrillic */
    };
    Fixture *fixture = fixture_new_open();

    fixture_say(fixture, 1, "lobby", "bob", "The Quick brown-fox, naïve Straße 東京 x2");
    fixture_say(fixture, 2, "lobby", "bob", "something else");
    fixture_commit(fixture, 2);
    for (size_t i = 0; i < N_ELEMENTS(CASES); i++) {
        ArchiveSearch search = {.words = CASES[i].words,
                                .n_words = strlen(CASES[i].words),
                                .before = ARCHIVE_ID_END,
                                .n_max = 10};
        ArchivePage page;

        ck_assert_int_eq(archive_search(fixture->archive, &search, fixture_on_line, fixture, &page), 0);
        ck_assert_msg(page.n == CASES[i].is_found, "'%s'", CASES[i].words);
        fixture_expect(fixture, CASES[i].is_found ? SAID : "");
    }
    fixture_free(fixture);
}
END_TEST

/* Nothing is syntax, and nothing is an error. */
START_TEST(test_syntax)
{
    static const char *const WORDS[] = {
        "\"",
        "\"\"",
        "\"\"\"",
        "'",
        "''",
        "a\"b",
        "\"a",
        "AND",
        "OR",
        "NOT",
        "NEAR",
        "NEAR(a b)",
        "a AND",
        "NOT a",
        "(",
        ")",
        "((a",
        "a))",
        "{",
        "}",
        "{text}",
        "{text} : a",
        "text:a",
        "tags:r1",
        "tags : r1",
        "r1",
        "p1",
        "-text:a",
        "^a",
        "^",
        "+",
        "a + b",
        "a+b",
        "*",
        "**",
        "a**",
        "***a",
        "a*b*",
        ":",
        "::",
        ";",
        "--",
        "/*",
        "*/",
        "\\",
        "\\\"",
        "%",
        "_",
        "?1",
        "@a",
        "$a",
        ",",
        "a,b",
        "\x01",
        "\xff\xfe",
        "\xc3",
        "\xf0\x9f",
        "a\xffz",
        "\xef\xbf\xbf",
        "😀",
        "\u0301",
        "a\u0301\u0301",
        "ﬁ",
        "rank",
        "rowid",
        "words_1",
        "optimize",
        "delete",
        "a ; DROP TABLE lines",
    };
    Fixture *fixture = fixture_new_open();

    fixture_say(fixture, 1, "lobby", "bob", "nothing of it");
    fixture_commit(fixture, 1);
    for (size_t i = 0; i < N_ELEMENTS(WORDS); i++)
        fixture_expect_found(fixture, WORDS[i], "");
    fixture_expect_found(fixture, "\"nothing\" (of) 'it*'", "1 lobby <bob> nothing of it\n");
    /* Each of them, said, is found by itself if there is a letter in it. */
    for (unsigned i = 0; i < N_ELEMENTS(WORDS); i++)
        fixture_say(fixture, i + 10, "lobby", "bob", WORDS[i]);
    fixture_commit(fixture, 100);
    for (size_t i = 0; i < N_ELEMENTS(WORDS); i++) {
        ArchiveSearch search = {
            .words = WORDS[i], .n_words = strlen(WORDS[i]), .before = ARCHIVE_ID_END, .n_max = 200};
        ArchivePage page;

        ck_assert_int_eq(archive_search(fixture->archive, &search, fixture_on_line, fixture, &page), 0);
        ck_assert(page.n > 0 || strpbrk(WORDS[i], "abcdeoO1") == NULL);
        fixture->n_heard = 0;
    }
    fixture_free(fixture);
}
END_TEST

/* Every byte anywhere, NULs too, and long ones. */
START_TEST(test_garbage)
{
    Fixture *fixture = fixture_new_open();
    char *words = malloc(LIMIT_LINE_BYTES);
    uint64_t seed = 42;
    ArchivePage page;

    ck_assert_ptr_nonnull(words);
    for (unsigned i = 0; i < 300; i++) {
        char text[100];
        size_t n = text_clean(text, "a b c \" * ( ) : NOT AND", 23);

        text[n] = '\0';
        fixture_say(fixture, i, "lobby", "bob", text);
    }
    for (unsigned i = 0; i < (harness_is_slow() ? 50 : 2000); i++) {
        static const char SIGNS[] = "\0\"'*():{}^+-. abcANDORT\xc3\xa4\xff";
        bool is_any = random_below(&seed, 2) == 0;
        size_t n = random_below(&seed, i % 50 == 0 ? LIMIT_LINE_BYTES : 40);
        ArchiveSearch search = {.words = words, .n_words = n, .before = ARCHIVE_ID_END, .n_max = 10};

        for (size_t k = 0; k < n; k++)
            words[k] =
                is_any ? (char) random_below(&seed, 256) : SIGNS[random_below(&seed, sizeof SIGNS - 1)];
        fixture->n_heard = 0;
        QUICK_ASSERT(archive_search(fixture->archive, &search, fixture_on_line, fixture, &page) == 0, "%s",
                     archive_detail(fixture->archive));
    }
    memset(words, '-', LIMIT_LINE_BYTES);
    for (size_t i = 0; i < LIMIT_LINE_BYTES; i += 2)
        words[i] = 'a';
    ck_assert_int_eq(
        archive_search(fixture->archive,
                       &(ArchiveSearch){
                           .words = words, .n_words = LIMIT_LINE_BYTES, .n_max = 1, .before = ARCHIVE_ID_END},
                       fixture_on_line, fixture, &page),
        0);
    fixture_commit(fixture, 300);
    free(words);
    fixture_free(fixture);
}
END_TEST

/* Whatever is left out: a room, a nick, a time, a page. */
START_TEST(test_filters)
{
    Fixture *fixture = fixture_new_open();
    NameKey lobby = fixture_key("lobby"), walks = fixture_key("walks"), tea = fixture_key("tea");
    NameKey bob = fixture_key("BOB"), alice = fixture_key("alice"), nobody = fixture_key("nobody");
    NameKey hidden[] = {fixture_key("walks"), fixture_key("nowhere"), fixture_key("tea")};
    const struct {
        ArchiveSearch search;
        const char *expected;
    } cases[] = {
        {{.words = "tea"},
         "7 walks <bob> tea\n6 tea <alice> tea\n4 lobby <alice> tea\n2 walks <bob> tea\n"
         "1 lobby <bob> tea\n"},
        {{.words = "tea", .room = &lobby}, "4 lobby <alice> tea\n1 lobby <bob> tea\n"},
        {{.words = "tea", .room = &walks, .nick = &bob}, "7 walks <bob> tea\n2 walks <bob> tea\n"},
        {{.words = "tea", .room = &walks, .nick = &alice}, ""},
        {{.words = "tea", .nick = &alice}, "6 tea <alice> tea\n4 lobby <alice> tea\n"},
        {{.words = "tea", .nick = &nobody}, ""},
        {{.words = "tea", .room = &nobody}, ""},
        {{.words = "tea", .since = FIXTURE_NOW + 4 * USEC_PER_SEC},
         "7 walks <bob> tea\n6 tea <alice> tea\n4 lobby <alice> tea\n"},
        {{.words = "tea", .since = FIXTURE_NOW + 8 * USEC_PER_SEC}, ""},
        {{.words = "tea", .since = UINT64_MAX}, ""},
        {{.words = "tea", .before = archive_id(1, 4 * 8)}, "2 walks <bob> tea\n1 lobby <bob> tea\n"},
        {{.words = "tea", .before = 1}, ""},
        {{.words = "tea", .hidden = hidden, .n_hidden = 3}, "4 lobby <alice> tea\n1 lobby <bob> tea\n"},
        {{.words = "tea", .hidden = hidden, .n_hidden = 2},
         "6 tea <alice> tea\n4 lobby <alice> tea\n1 lobby <bob> tea\n"},
        {{.words = "tea", .room = &tea, .hidden = hidden, .n_hidden = 3}, ""},
        {{.words = "", .room = &tea}, "6 tea <alice> tea\n5 tea <bob> coffee\n"},
        {{.words = " ", .nick = &alice}, "6 tea <alice> tea\n4 lobby <alice> tea\n"},
        {{.words = "", .nick = &alice, .hidden = hidden, .n_hidden = 3}, "4 lobby <alice> tea\n"},
        {{.words = "", .hidden = hidden, .n_hidden = 3}, ""},
        {{.words = "!", .nick = &alice}, ""},
    };

    fixture_say(fixture, 1, "lobby", "bob", "tea");
    fixture_say(fixture, 2, "walks", "bob", "tea");
    fixture_say(fixture, 3, "walks", "bob", "coffee");
    fixture_say(fixture, 4, "lobby", "alice", "tea");
    fixture_say(fixture, 5, "tea", "bob", "coffee");
    fixture_say(fixture, 6, "tea", "alice", "tea");
    fixture_say(fixture, 7, "walks", "bob", "tea");
    fixture_commit(fixture, 7);
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        ArchiveSearch search = cases[i].search;
        ArchivePage page;

        search.n_words = strlen(search.words);
        search.n_max = 100;
        if (search.before == 0)
            search.before = ARCHIVE_ID_END;
        ck_assert_int_eq(archive_search(fixture->archive, &search, fixture_on_line, fixture, &page), 0);
        ck_assert_uint_eq(page.before, 0);
        fixture_expect(fixture, cases[i].expected);
    }
    fixture_free(fixture);
}
END_TEST

static void search_expect(Fixture *fixture, const ArchiveSearch *search, const char *expected)
{
    ArchivePage page;

    ck_assert_int_eq(archive_search(fixture->archive, search, fixture_on_line, fixture, &page), 0);
    fixture_expect(fixture, expected);
}

/* Rooms that are secret by what is kept of them, but for those that are known; more than the index leaves
 * out. */
START_TEST(test_secret)
{
    Fixture *fixture = fixture_new_open();
    NameKey known[] = {fixture_key("nowhere"), fixture_key("room7")};
    ArchiveSearch search = {
        .words = "hello", .n_words = 5, .secret = 6, .before = ARCHIVE_ID_END, .n_max = ARCHIVE_ROWS_MAX};
    char name[16];

    for (unsigned i = 0; i < ARCHIVE_SEARCH_INDEXED + 3; i++) {
        ArchiveRoom room = {.flags = i % 2 == 0 ? 2 : 13};

        (void) snprintf(name, sizeof name, "room%u", i);
        room.room = fixture_name(name);
        fixture_say(fixture, i + 1, name, "bob", "hello");
        ck_assert_int_eq(archive_put_room(fixture->archive, &room), 0);
    }
    fixture_say(fixture, 5000, "lobby", "bob", "hello");
    fixture_commit(fixture, 5000);
    search_expect(fixture, &search, "5000 lobby <bob> hello\n");
    search.known = known;
    search.n_known = 2;
    search_expect(fixture, &search, "5000 lobby <bob> hello\n8 room7 <bob> hello\n");
    search.room = &known[1];
    search_expect(fixture, &search, "8 room7 <bob> hello\n");
    search.n_known = 1;
    search_expect(fixture, &search, "");
    search.room = NULL;
    search.n_known = 0;
    search.secret = 2;
    search.n_max = 1;
    search.before = archive_id(1, 5000 * 8);
    search_expect(fixture, &search, "1026 room1025 <bob> hello\n");
    fixture_free(fixture);
}
END_TEST

START_TEST(test_many_hidden)
{
    Fixture *fixture = fixture_new_open();
    NameKey *hidden = calloc(ARCHIVE_SEARCH_HIDDEN + 1, sizeof *hidden);
    ArchiveSearch search = {.words = "hello",
                            .n_words = 5,
                            .hidden = hidden,
                            .n_hidden = ARCHIVE_SEARCH_HIDDEN,
                            .before = UINT64_MAX,
                            .n_max = UINT32_MAX};
    ArchivePage page;

    ck_assert_ptr_nonnull(hidden);
    for (unsigned i = 0; i < ARCHIVE_SEARCH_HIDDEN; i++) {
        char room[16];

        (void) snprintf(room, sizeof room, "room%u", i);
        hidden[i] = fixture_key(room);
        fixture_say(fixture, i, room, "bob", "hello");
    }
    fixture_say(fixture, 5000, "lobby", "bob", "hello");
    fixture_commit(fixture, 5000);
    ck_assert_int_eq(archive_search(fixture->archive, &search, fixture_on_line, fixture, &page), 0);
    fixture_expect(fixture, "5000 lobby <bob> hello\n");
    search.n_hidden++;
    ck_assert_int_eq(archive_search(fixture->archive, &search, fixture_on_line, fixture, &page), -EINVAL);
    free(hidden);
    fixture_free(fixture);
}
END_TEST

/* Partitions that are full after a few lines: there is a row that says so. */
static void fill_parts(Fixture *fixture, unsigned n, unsigned n_per_part)
{
    for (unsigned i = 0; i < n; i++) {
        if (i % n_per_part == 0 && i > 0) {
            fixture_commit(fixture, i);
            fixture_end_part(fixture);
        }
        fixture_say(fixture, i, i % 2 ? "lobby" : "walks", "bob", i % 10 == 3 ? "hello kumquat" : "hello");
    }
    fixture_commit(fixture, n);
}

static unsigned walk_pages(Fixture *fixture, const char *words, unsigned n_max, uint64_t budget)
{
    ArchiveSearch search = {
        .words = words, .n_words = strlen(words), .before = ARCHIVE_ID_END, .n_max = n_max, .budget = budget};
    unsigned n = 0;
    ArchivePage page;

    do {
        uint64_t before = search.before;

        ck_assert_int_eq(archive_search(fixture->archive, &search, fixture_on_line, fixture, &page), 0);
        ck_assert_uint_lt(page.before, before);
        ck_assert(page.n == n_max || page.is_cut || page.before == 0);
        n += page.n;
        search.before = page.before;
    } while (page.before != 0);
    return n;
}

START_TEST(test_pages)
{
    Fixture *fixture = fixture_new_open();

    fill_parts(fixture, 205, 20);
    for (unsigned n_max = 1; n_max < 50; n_max += 3) {
        unsigned n = walk_pages(fixture, "kumquat", n_max, 0);

        ck_assert_uint_eq(n, 21);
        ck_assert_uint_eq(fixture_number(fixture->last_id), 3);
        ck_assert_ptr_nonnull(strstr(fixture->heard, "203 lobby <bob> hello kumquat\n193 lobby"));
        fixture->n_heard = 0;
        ck_assert_uint_eq(walk_pages(fixture, "hello", n_max, 0), 205);
        fixture->n_heard = 0;
    }
    /* As if it took far too long: a partition at a time. */
    ck_assert_uint_eq(walk_pages(fixture, "kumquat", 50, 1), 21);
    ck_assert_uint_eq(walk_pages(fixture, "hello", 500, 1), 205);
    ck_assert_uint_eq(walk_pages(fixture, "nothing", 500, 1), 0);
    ck_assert_uint_eq(walk_pages(fixture, "nothing", 500, 0), 0);
    fixture_free(fixture);
}
END_TEST

/* What comes late goes where it belongs. */
START_TEST(test_late)
{
    Fixture *fixture = fixture_new_open();
    ArchiveLine line = {.wall = FIXTURE_NOW,
                        .room = fixture_name("lobby"),
                        .who = fixture_who("bob"),
                        .text = "late",
                        .n = 4};
    static const uint64_t POSITIONS[] = {1999, 1, 401, 777, 3, 5000};

    fill_parts(fixture, 200, 20);
    for (unsigned twice = 0; twice < 2; twice++)
        for (size_t i = 0; i < N_ELEMENTS(POSITIONS); i++) {
            line.id = archive_id(1, 0) + POSITIONS[i];
            ck_assert_int_eq(archive_put_line(fixture->archive, &line), 0);
        }
    line.id = 5;
    ck_assert_int_eq(archive_put_line(fixture->archive, &line), 0);
    fixture_commit(fixture, 200);
    fixture_expect_found(
        fixture, "late",
        "5000 lobby <bob> late\n1999 lobby <bob> late\n777 lobby <bob> late\n401 lobby <bob> late\n"
        "5 lobby <bob> late\n");
    ck_assert_int_eq(archive_put_take_back(fixture->archive, archive_id(1, 0) + 401), 0);
    ck_assert_int_eq(archive_put_take_back(fixture->archive, 5), 0);
    ck_assert_int_eq(archive_put_take_back(fixture->archive, archive_id(1, 0) + 20), 0);
    fixture_commit(fixture, 200);
    fixture_expect_found(fixture, "late",
                         "5000 lobby <bob> late\n1999 lobby <bob> late\n777 lobby <bob> late\n");
    fixture_free(fixture);
}
END_TEST

/* A new partition without anybody's help. */
START_TEST(test_full_part)
{
    Fixture *fixture = fixture_new_open();
    unsigned n = PART_LINES + 10;
    Part part;

    if (harness_is_slow()) {
        fixture_free(fixture);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        QUICK_ASSERT(fixture_put(fixture->archive, i, "lobby", "bob", i % 8192 == 1 ? "kumquat" : "x") == 0,
                     "%u", i);
    fixture_commit(fixture, n);
    ck_assert_int_eq(part_after(fixture->archive, (int64_t) archive_id(1, 8), &part), 0);
    ck_assert_int_eq(part.number, 2);
    ck_assert_int_eq(part.first_id, (int64_t) archive_id(1, 0) + PART_LINES);
    ck_assert_int_eq(part.n_written, 10);
    fixture_expect_found(fixture, "kumquat",
                         "32769 lobby <bob> kumquat\n24577 lobby <bob> kumquat\n16385 lobby <bob> kumquat\n"
                         "8193 lobby <bob> kumquat\n1 lobby <bob> kumquat\n");
    fixture_free(fixture);
}
END_TEST

UNIT_MAIN("archive-search", test_words, test_syntax, test_garbage, test_filters, test_secret,
          test_many_hidden, test_pages, test_late, test_full_part)
