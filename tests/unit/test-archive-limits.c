/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Keep= and MaxSize=: what is older, and what is too much. */

#include "unit/harness.h"
#include "unit/purge-fixture.h"
#include "unit/unit.h"

/* A line a day. */
static void say_daily(Fixture *fixture, unsigned n, unsigned n_per_part)
{
    ArchiveLine line = {.room = fixture_name("lobby")};
    char nick[20], text[40];

    for (unsigned i = 0; i < n; i++) {
        if (n_per_part > 0 && i % n_per_part == 0 && i > 0) {
            fixture_commit(fixture, i);
            fixture_end_part(fixture);
        }
        (void) snprintf(nick, sizeof nick, i % 2 ? "nick%u!%u" : "nick%u", i, i);
        (void) snprintf(text, sizeof text, "q%uzday hello", i);
        line.id = archive_id(1, i * 8);
        line.wall = FIXTURE_NOW + i * DAY;
        line.who = fixture_who(nick);
        line.text = text;
        line.n = strlen(text);
        ck_assert_int_eq(archive_put_line(fixture->archive, &line), 0);
        line.id++;
        line.kind = ARCHIVE_GAP;
        ck_assert_int_eq(archive_put_line(fixture->archive, &line), 0);
        line.kind = ARCHIVE_SAID;
    }
    fixture_commit(fixture, n);
}

/* After `keep` days nothing older is there, and everything younger. */
START_TEST(test_keep)
{
    static const unsigned PARTS[] = {0, 1, 7, 10, 40, 100};

    for (size_t i = 0; i < N_ELEMENTS(PARTS); i += harness_is_slow() ? 2 : 1) {
        Fixture *fixture = fixture_new_open();
        char word[20];

        say_daily(fixture, 100, PARTS[i]);
        for (unsigned day = 0; day <= 110; day += i == 0 ? 5 : 13) {
            purge(fixture, 30 * DAY, 0, FIXTURE_NOW + (day + 30) * DAY);
            for (unsigned k = 0; k < 100; k += 9) {
                (void) snprintf(word, sizeof word, "q%uzday", k);
                ck_assert_msg((fixture_grep(fixture, word) > 0) == (k >= day), "%s on day %u, %u in a part",
                              word, day, PARTS[i]);
            }
            ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM lines"), day > 100 ? 0 : 100 - day);
            ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM gaps"), day > 100 ? 0 : 100 - day);
            ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM people WHERE NOT is_verified"),
                             day > 100 ? 0
                                       : (100 - day) / 2 + (day % 2 == 0 && day < 100 ? (100 - day) % 2 : 0));
        }
        /* Names of verified people stay. */
        ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM people"), 50);
        ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM people WHERE last_seen > 0"), 0);
        ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM rooms"), 0);
        ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM parts"), 0);
        fixture_say(fixture, 5000, "lobby", "bob", "here again");
        fixture_commit(fixture, 5001);
        fixture_expect_found(fixture, "again", "5000 lobby <bob> here again\n");
        fixture_free(fixture);
    }
}
END_TEST

/* One line from a wrong future does not keep what comes after it. */
START_TEST(test_wrong_clock)
{
    Fixture *fixture = fixture_new_open();
    ArchiveLine line = {.id = archive_id(1, 8),
                        .wall = FIXTURE_NOW + 100000 * DAY,
                        .room = fixture_name("lobby"),
                        .who = fixture_who("bob"),
                        .text = "future",
                        .n = 6};

    ck_assert_int_eq(archive_put_line(fixture->archive, &line), 0);
    for (unsigned i = 2; i < 2500; i++)
        fixture_say(fixture, i, "lobby", "bob", RARE);
    fixture_commit(fixture, 2500);
    purge(fixture, DAY, 0, FIXTURE_NOW + 10 * DAY);
    fixture_expect_last(fixture, "lobby", "1 lobby <bob> future\n");
    ck_assert_uint_eq(fixture_grep(fixture, RARE), 0);
    /* For ever, and a keep that is longer than time. */
    purge(fixture, 0, 0, FIXTURE_NOW + 1000000 * DAY);
    purge(fixture, UINT64_MAX, 0, FIXTURE_NOW + 1000000 * DAY);
    purge(fixture, DAY, 0, 0);
    fixture_expect_last(fixture, "lobby", "1 lobby <bob> future\n");
    purge(fixture, DAY, 0, UINT64_MAX);
    fixture_expect_last(fixture, "lobby", "");
    fixture_free(fixture);
}
END_TEST

START_TEST(test_old_messages)
{
    Fixture *fixture = fixture_new_open();
    ArchiveMessage message = {.id = 7,
                              .wall = FIXTURE_NOW,
                              .from = fixture_who("bob"),
                              .to = fixture_name("alice"),
                              .to_uid = 1002,
                              .text = RARE,
                              .n = STRLEN(RARE)};
    ArchiveRule rule = {
        .id = 9, .by = fixture_name("bob"), .subject = "x", .n_subject = 1, .bytes = "", .reason = ""};

    rule.until = FIXTURE_NOW + DAY;
    ck_assert_int_eq(archive_put_message(fixture->archive, &message), 0);
    ck_assert_int_eq(archive_put_rule(fixture->archive, &rule), 0);
    fixture_commit(fixture, 1);
    purge(fixture, DAY, 0, FIXTURE_NOW + DAY - 1);
    ck_assert_uint_gt(fixture_grep(fixture, RARE), 0);
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM rules"), 1);
    purge(fixture, DAY, 0, FIXTURE_NOW + DAY + 1);
    ck_assert_uint_eq(fixture_grep(fixture, RARE), 0);
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM rules"), 0);
    fixture_free(fixture);
}
END_TEST

static int64_t size_of(const Fixture *fixture)
{
    struct stat status;

    ck_assert_int_eq(stat(fixture->path, &status), 0);
    return status.st_size;
}

START_TEST(test_max_size)
{
    for (unsigned kind = 0; kind < 2; kind++) {
        Fixture *fixture = fixture_new_open();
        unsigned n = harness_is_slow() ? 2000 : 10000, n_before = 0;
        int64_t before, n_left;

        for (unsigned i = 0; i < 10; i++) {
            chatter(fixture, i * n / 10, (i + 1) * n / 10);
            if (kind == 1)
                fixture_end_part(fixture);
        }
        purge(fixture, 0, 0, FIXTURE_NOW);
        before = size_of(fixture);
        purge(fixture, 0, (uint64_t) before, FIXTURE_NOW);
        ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM lines"), n);
        for (unsigned part = 2; part <= (harness_is_slow() ? 2 : 8); part *= 2) {
            purge(fixture, 0, (uint64_t) before / part, FIXTURE_NOW);
            ck_assert_int_le(size_of(fixture), before / part);
            n_left = fixture_count(fixture, "SELECT count(*) FROM lines");
            ck_assert_int_gt(n_left, n / part / 8);
            ck_assert_int_eq(fixture_count(fixture, "SELECT max(id) - min(id) FROM lines"), n_left - 1);
            ck_assert_uint_eq(fixture_grep(fixture, "talk0 "), 0);
            ck_assert_int_ne(n_left, n_before);
        }
        /* It can not be that small, and that is no reason to go on for ever. */
        purge(fixture, 0, 1, FIXTURE_NOW);
        ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM lines"), 0);
        ck_assert_int_lt(size_of(fixture), 200 * 1024);
        chatter(fixture, n, n + 10);
        fixture_expect_found(fixture, "tea1",
                             n == 10000 ? "10001 lobby <bob> talk10001 about tea1 and the weather\n"
                                        : "2001 walks <bob> talk2001 about tea1 and the weather\n");
        fixture_free(fixture);
    }
}
END_TEST

static void put_litter(Fixture *fixture, unsigned n)
{
    char name[32], text[200];

    for (unsigned i = 0; i < n; i++) {
        ArchiveTopic topic = {.by = fixture_who("mallory"), .wall = FIXTURE_NOW + i, .text = text};
        ArchiveWho who;

        (void) snprintf(name, sizeof name, "nobody%u", i);
        who = fixture_who(name);
        ck_assert_int_eq(archive_put_seen(fixture->archive, &who, FIXTURE_NOW + i), 0);
        (void) snprintf(name, sizeof name, "room%u", i);
        topic.room = fixture_name(name);
        topic.n = (size_t) snprintf(text, sizeof text, "%0150u", i);
        ck_assert_int_eq(archive_put_topic(fixture->archive, &topic), 0);
    }
    fixture_commit(fixture, 100000);
}

/* Who comes and says nothing, and topics of rooms that are gone, take no place from what was said. */
START_TEST(test_litter)
{
    const unsigned n = harness_is_slow() ? 500 : 5000;
    Fixture *fixture = fixture_new_open();
    ArchiveTopic topic = {
        .room = fixture_name("lobby"), .by = fixture_who("bob"), .wall = FIXTURE_NOW, .text = "tea", .n = 3};
    ArchiveRoom kept = {.room = fixture_name("room7"), .flags = 2};
    int64_t before;

    chatter(fixture, 0, 300);
    purge(fixture, 0, 0, FIXTURE_NOW);
    before = size_of(fixture) + 64 * 1024;
    ck_assert_int_eq(archive_put_topic(fixture->archive, &topic), 0);
    put_litter(fixture, n);
    ck_assert_int_eq(archive_put_room(fixture->archive, &kept), 0);
    fixture_commit(fixture, 100001);
    purge(fixture, 0, (uint64_t) before, FIXTURE_NOW);
    ck_assert_int_le(size_of(fixture), before);
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM lines"), 300);
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM rooms WHERE topic = 'tea'"), 1);
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM rooms WHERE key = 'room7'"), 1);
    ck_assert_int_lt(fixture_count(fixture, "SELECT count(*) FROM people"), n);
    /* Of age they go, too. */
    put_litter(fixture, 10);
    purge(fixture, 1000 * DAY, 0, FIXTURE_NOW + 1000 * DAY + 1);
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM rooms WHERE key = 'room0'"), 0);
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM rooms WHERE key = 'room1'"), 1);
    purge(fixture, DAY, 0, FIXTURE_NOW + DAY + 100000);
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM rooms WHERE key LIKE 'room%'"), 1);
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM rooms WHERE topic = 'tea'"), 1);
    ck_assert_uint_eq(fixture_grep(fixture, "nobody1"), 0);
    fixture_free(fixture);
}
END_TEST

/* Lines come between any two steps. */
START_TEST(test_interleaved)
{
    for (unsigned kind = 0; kind < 3; kind++) {
        Fixture *fixture = fixture_new_open();
        ArchivePurge options = {.keep = DAY, .now = FIXTURE_NOW + 2 * DAY};
        ArchiveLine line = {.wall = FIXTURE_NOW + 2 * DAY,
                            .room = fixture_name("lobby"),
                            .who = fixture_who("carol"),
                            .text = "young",
                            .n = 5};
        unsigned n_young = 0;
        int r;

        chatter(fixture, 0, kind == 2 ? 9000 : 3000);
        if (kind == 1)
            fixture_end_part(fixture);
        do {
            r = archive_purge(fixture->archive, &options);
            line.id = archive_id(1, 8 * (20000 + n_young++));
            ck_assert_int_eq(archive_put_line(fixture->archive, &line), 0);
            fixture_commit(fixture, 20000);
        } while (r == ARCHIVE_MORE);
        ck_assert_int_eq(r, 0);
        ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM lines"), n_young);
        ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM lines WHERE text = 'young'"), n_young);
        ck_assert_uint_eq(fixture_grep(fixture, "weather"), 0);
        fixture_free(fixture);
    }
}
END_TEST

/* Somebody has made the file anew, so that it can not become shorter: that is no work without an end. */
START_TEST(test_without_vacuum)
{
    Fixture *fixture = fixture_new_open();

    fixture->archive = archive_close(fixture->archive);
    fixture_change(fixture, "PRAGMA auto_vacuum = NONE; VACUUM");
    fixture_open(fixture);
    chatter(fixture, 0, 3000);
    purge(fixture, DAY, 0, FIXTURE_NOW + 2 * DAY);
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM lines"), 0);
    purge(fixture, DAY, 4096, FIXTURE_NOW + 2 * DAY);
    fixture_free(fixture);
}
END_TEST

/* Searches while partitions go. */
START_TEST(test_searched_meanwhile)
{
    Fixture *fixture = fixture_new_open();
    Archive *writer = fixture->archive, *reader = NULL;
    ArchiveSearch search = {.words = "hello", .n_words = 5, .before = ARCHIVE_ID_END, .n_max = 1000};
    ArchivePage page;
    unsigned n_before = 100;
    int r;

    say_daily(fixture, 100, 10);
    ck_assert_int_eq(archive_open(fixture->path, ARCHIVE_READER, &reader), 0);
    for (unsigned day = 0; day < 100; day++)
        do {
            r = archive_purge(writer, &(ArchivePurge){.keep = DAY, .now = FIXTURE_NOW + (day + 1) * DAY});
            ck_assert(r == 0 || r == ARCHIVE_MORE);
            ck_assert_int_eq(archive_search(reader, &search, fixture_on_line, fixture, &page), 0);
            ck_assert_uint_le(page.n, n_before);
            ck_assert_uint_ge(page.n, 100 - day);
            n_before = page.n;
            fixture->n_heard = 0;
        } while (r == ARCHIVE_MORE);
    ck_assert_uint_eq(n_before, 1);
    (void) archive_close(reader);
    fixture_free(fixture);
}
END_TEST

UNIT_MAIN("archive-limits", test_keep, test_wrong_clock, test_old_messages, test_max_size, test_litter,
          test_interleaved, test_without_vacuum, test_searched_meanwhile)
