/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What the archive answers to somebody who ignores people: their lines are left out, and do not count. */

#include "chat/ignore.h"
#include "unit/archivist-fixture.h"
#include "unit/unit.h"

static RecallIgnored ignored(const char *nick, uint64_t kinds)
{
    const NameKey key = fixture_key(nick);

    return (RecallIgnored){.hash = chat_name_hash(&key), .kinds = kinds};
}

/* Of a question that ignores bob, whoever bears the name. */
static Recall question_of(RecallKind kind, uint32_t n)
{
    Recall recall = recall_of(kind, "lobby", n);

    recall.ignored[0] = ignored("nobody", 0);
    recall.ignored[1] = ignored("bob", 0);
    recall.to = kind == RECALL_BETWEEN ? FIXTURE_NOW + USEC_PER_SEC * 1000000 : 0;
    if (kind == RECALL_SEARCH)
        recall.n_words = (uint16_t) (stpcpy(recall.words, "line") - recall.words);
    return recall;
}

/* The answer has these lines, and nothing else. */
static void expect_lines(World *world, const Recall *recall, const unsigned *numbers, size_t n, bool is_more)
{
    char expected[32];
    Recalled recalled;
    const char *at;

    world_ask(world, recall, &recalled);
    ck_assert_ptr_null(recalled.trouble);
    at = recalled.bytes;
    for (size_t i = 0; i < n; i++) {
        size_t n_expected = (size_t) snprintf(expected, sizeof expected, "> line %u", numbers[i]);
        const char *end = memchr(at, '\n', recalled.n - (size_t) (at - recalled.bytes));

        end = end != NULL ? end : recalled.bytes + recalled.n;
        ck_assert_msg((size_t) (end - at) > n_expected && memcmp(end - n_expected, expected, n_expected) == 0,
                      "%.*s instead of %s", (int) (end - at), at, expected);
        at = end + (end < recalled.bytes + recalled.n);
    }
    ck_assert_ptr_eq(at, recalled.bytes + recalled.n);
    ck_assert_int_eq(recalled.is_more, is_more);
    ck_assert(!recalled.is_partly);
}

/* Pages have as many lines as ever, and there is one more where there is. Of alice are the lines 0, 5, 10 and
 * so on. */
START_TEST(test_pages)
{
    enum { N = 60 };
    Recall between = question_of(RECALL_BETWEEN, RECALL_PAGE),
           search = question_of(RECALL_SEARCH, RECALL_PAGE);
    unsigned up[N], down[N];
    World world;

    world_begin(&world);
    for (unsigned i = 0; i < N; i++) {
        world_say(&world, 1);
        world_say_as(&world, i % 2 == 0 ? "bob" : "Bob", i % 3 == 0, 4);
        up[i] = 5 * i;
        down[N - 1 - i] = 5 * i;
    }
    for (unsigned page = 1; page <= 4; page++) {
        size_t n = page < 4 ? RECALL_PAGE : 0;

        between.page = search.page = page;
        expect_lines(&world, &between, up + MIN(RECALL_PAGE * (page - 1), (unsigned) N), n, page < 3);
        expect_lines(&world, &search, down + MIN(RECALL_PAGE * (page - 1), (unsigned) N), n, page < 3);
    }
    world_end(&world);
}
END_TEST

/* The last page that there may be, and a line more. */
START_TEST(test_last_page)
{
    Recall between = question_of(RECALL_BETWEEN, RECALL_PAGE),
           search = question_of(RECALL_SEARCH, RECALL_PAGE);
    const unsigned n_pages = harness_is_slow() ? 50 : RECALL_PAGES;
    unsigned up[RECALL_PAGE], down[RECALL_PAGE];
    World world;

    world_begin(&world);
    world_say(&world, 500);
    world_say_as(&world, "bob", false, 1100);
    for (unsigned i = 1; i < RECALL_PAGE * n_pages / 500; i++)
        world_say(&world, 500);
    world_say(&world, 1);
    for (unsigned i = 0; i < RECALL_PAGE; i++) {
        up[i] = 1100 + RECALL_PAGE * (n_pages - 1) + i;
        down[i] = RECALL_PAGE - i;
    }
    between.page = search.page = n_pages;
    expect_lines(&world, &between, up, RECALL_PAGE, true);
    expect_lines(&world, &search, down, RECALL_PAGE, true);
    world_end(&world);
}
END_TEST

/* The last lines, however much somebody else has said in between. */
START_TEST(test_last)
{
    static const unsigned all[] = {1, 2, 403, 404, 1405};
    Recall last = question_of(RECALL_LAST, 3);
    World world;

    world_begin(&world);
    world_say_as(&world, "bob", false, 1);
    world_say(&world, 2);
    world_say_as(&world, "bob", false, 400);
    world_say(&world, 2);
    world_say_as(&world, "bob", false, 1000);
    world_say(&world, 1);
    world_say_as(&world, "bob", false, 7);
    for (unsigned n = 1; n <= N_ELEMENTS(all) + 1; n++) {
        unsigned n_there = MIN(n, (unsigned) N_ELEMENTS(all));

        last.n = n;
        expect_lines(&world, &last, all + N_ELEMENTS(all) - n_there, n_there, false);
    }
    last.ignored[0] = ignored("alice", 0);
    expect_lines(&world, &last, NULL, 0, false);
    world_end(&world);
}
END_TEST

/* A guest and the owner of an account are two. */
START_TEST(test_kinds)
{
    static const struct {
        uint64_t kinds;
        unsigned numbers[3];
        size_t n;
    } cases[] = {
        {0, {0}, 1},
        {IGNORED_GUEST, {0, 2}, 2},
        {IGNORED_VERIFIED, {0, 1}, 2},
    };
    Recall last = question_of(RECALL_LAST, 3), search = question_of(RECALL_SEARCH, 3);
    World world;

    world_begin(&world);
    world_say(&world, 1);
    world_say_as(&world, "bob", false, 1);
    world_say_as(&world, "Bob", true, 1);
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        unsigned down[] = {cases[i].numbers[cases[i].n - 1], cases[i].numbers[0]};

        last.ignored[1].kinds = search.ignored[1].kinds = cases[i].kinds;
        expect_lines(&world, &last, cases[i].numbers, cases[i].n, false);
        expect_lines(&world, &search, down, cases[i].n, false);
    }
    world_end(&world);
}
END_TEST

/* As many as one may ignore. */
START_TEST(test_many)
{
    Recall last = question_of(RECALL_LAST, 2);
    World world;
    char nick[8];

    world_begin(&world);
    world_say(&world, 1);
    world_say_as(&world, "bob", false, 1);
    for (unsigned i = 0; i < LIMIT_IGNORES; i++) {
        (void) snprintf(nick, sizeof nick, "n%u", i);
        last.ignored[i] = ignored(i == LIMIT_IGNORES - 1 ? "bob" : nick, IGNORED_GUEST);
    }
    expect_lines(&world, &last, (const unsigned[]){0}, 1, false);
    world_end(&world);
}
END_TEST

UNIT_MAIN("left-out", test_pages, test_last_page, test_last, test_kinds, test_many)
