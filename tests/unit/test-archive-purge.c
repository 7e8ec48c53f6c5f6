/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What is deleted is gone: from the answers, and from the bytes of the files. */

#include <errno.h>

#include "unit/harness.h"
#include "unit/purge-fixture.h"
#include "unit/unit.h"

#define NICK "Qzforgottenqz"

static void forget(Fixture *fixture, const char *name, uint64_t expected)
{
    NameKey key = fixture_key(name);
    uint64_t n_lines = 0;
    unsigned n = 0;
    int r;

    do {
        r = archive_forget(fixture->archive, &key, 0, &n_lines);
    } while (r == ARCHIVE_MORE && n++ < 10000);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(n_lines, expected);
}

START_TEST(test_take_back)
{
    for (unsigned kind = 0; kind < 5; kind++) {
        Fixture *fixture = fixture_new_open();
        char text[ARCHIVE_TEXT_MAX + 1];

        chatter(fixture, 0, kind == 0 ? 0 : 1000);
        (void) snprintf(text, sizeof text, "a " RARE " %0*u" RARE "2", kind == 1 ? 3900 : 10, 7);
        for (unsigned twice = 0; twice < 2; twice++)
            fixture_say(fixture, 1000, "lobby", "bob", text);
        if (kind != 2)
            fixture_commit(fixture, 1001);
        if (kind == 0)
            ck_assert_int_eq(fixture_count(fixture, "SELECT n_written FROM parts"), 1);
        if (kind >= 3)
            chatter(fixture, 1001, 2000);
        if (kind >= 3)
            fixture_reopen(fixture);
        if (kind != 2)
            ck_assert_uint_ge(fixture_grep(fixture, RARE), 2);
        ck_assert_int_eq(archive_put_take_back(fixture->archive, archive_id(1, 8000)), 0);
        ck_assert(archive_is_unclean(fixture->archive));
        fixture_commit(fixture, 2000);
        if (kind == 4) {
            /* A death before it is cleaned: the next one does it. */
            fixture_reopen(fixture);
            ck_assert(archive_is_unclean(fixture->archive));
        }
        ck_assert_int_eq(clean(fixture), 0);
        ck_assert_uint_eq(fixture_grep(fixture, RARE), 0);
        fixture_expect_found(fixture, RARE, "");
        fixture_expect_found(fixture, "talk999",
                             kind == 0 ? "" : "999 walks <bob> talk999 about tea99 and the weather\n");
        fixture_free(fixture);
    }
}
END_TEST

static ArchiveLine like_said(const char *room, const char *who, const char *text, unsigned n)
{
    return (ArchiveLine){.id = archive_id(1, 8 * 5000) + n,
                         .wall = FIXTURE_NOW + 1000 * USEC_PER_SEC,
                         .room = fixture_name(room),
                         .who = fixture_who(who),
                         .text = text,
                         .n = strlen(text)};
}

static void take_back_like(Fixture *fixture, const ArchiveLine *line, size_t n_text, int64_t n_lines)
{
    ck_assert_int_eq(archive_put_take_back_said(fixture->archive, line, n_text), 0);
    fixture_commit(fixture, 5003);
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM lines"), n_lines);
}

/* By who said it where and when: the newest, and nothing else that was said in the same turn. */
START_TEST(test_take_back_said)
{
    Fixture *fixture = fixture_new_open();
    ArchiveLine line = like_said("lobby", "bob", RARE "2", 1), other;

    chatter(fixture, 0, 1000);
    for (unsigned i = 1; i <= 3; i++) {
        line.id++;
        ck_assert_int_eq(archive_put_line(fixture->archive, &line), 0);
    }
    other = like_said("lobby", "bob", RARE "3", 5);
    ck_assert_int_eq(archive_put_line(fixture->archive, &other), 0);
    other = like_said("lobby", "carol", RARE "2", 6);
    ck_assert_int_eq(archive_put_line(fixture->archive, &other), 0);
    fixture_commit(fixture, 5002);
    other = like_said("walks", "bob", RARE "2", 0);
    take_back_like(fixture, &other, SIZE_MAX, 1005);
    other = like_said("lobby", "Bob", RARE "2", 0);
    other.wall++;
    take_back_like(fixture, &other, SIZE_MAX, 1005);
    other.wall = UINT64_MAX;
    ck_assert_int_eq(archive_put_take_back_said(fixture->archive, &other, SIZE_MAX), -EINVAL);
    other = like_said("lobby", "bob", RARE "22", 0);
    take_back_like(fixture, &other, STRLEN(RARE "2"), 1005); /* another length */
    other = like_said("lobby", "bob", RARE "2", 0);
    take_back_like(fixture, &other, SIZE_MAX, 1004);
    other = like_said("lobby", "BOB", RARE "4", 0);
    take_back_like(fixture, &other, SIZE_MAX, 1004);
    take_back_like(fixture, &other, STRLEN(RARE), 1003); /* as far as it is known */
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM lines WHERE text = '" RARE "2'"), 3);
    ck_assert_int_eq(clean(fixture), 0);
    fixture_expect_found(fixture, RARE "3", "");
    fixture_free(fixture);
}
END_TEST

START_TEST(test_room_forgotten)
{
    const Name lobby = fixture_name("lobby"), nowhere = fixture_name("nowhere");
    Fixture *fixture = fixture_new_open();
    uint64_t last;

    chatter(fixture, 0, 1000);
    fixture_say(fixture, 1000, "lobby", "bob", RARE);
    fixture_commit(fixture, 1001);
    last = (uint64_t) fixture_count(fixture, "SELECT max(id) FROM lines");
    ck_assert_int_eq(archive_put_room_forgotten(fixture->archive, &nowhere, 0, ARCHIVE_ID_END), 0);
    ck_assert_int_eq(archive_put_room_forgotten(fixture->archive, &lobby, 0, 0), 0);
    ck_assert_int_eq(archive_put_room_forgotten(fixture->archive, &lobby, last + 1, ARCHIVE_ID_END), 0);
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM lines"), 1001);
    ck_assert_int_eq(archive_put_room_forgotten(fixture->archive, &lobby, 0, last), 0);
    fixture_commit(fixture, 1002);
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM lines"), 335);
    ck_assert_int_eq(archive_put_room_forgotten(fixture->archive, &lobby, last, last + 1), 0);
    ck_assert(archive_is_unclean(fixture->archive));
    fixture_commit(fixture, 1003);
    ck_assert_int_eq(clean(fixture), 0);
    ck_assert_uint_eq(fixture_grep(fixture, RARE), 0);
    /* What was said elsewhere stays. */
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM lines"), 334);
    fixture_expect_found(fixture, "talk999", "999 walks <bob> talk999 about tea99 and the weather\n");
    fixture_free(fixture);
}
END_TEST

START_TEST(test_delivered)
{
    const ArchiveMessage message = {.id = 7,
                                    .wall = FIXTURE_NOW,
                                    .from = fixture_who("bob"),
                                    .to = fixture_name("alice"),
                                    .to_uid = 1000,
                                    .text = RARE,
                                    .n = STRLEN(RARE)};
    Fixture *fixture = fixture_new_open();

    ck_assert_int_eq(clean(fixture), 0);
    ck_assert_int_eq(archive_put_message(fixture->archive, &message), 0);
    fixture_commit(fixture, 1);
    ck_assert_uint_ge(fixture_grep(fixture, RARE), 1);
    ck_assert_int_eq(archive_put_delivered(fixture->archive, message.id), 0);
    fixture_commit(fixture, 2);
    ck_assert(archive_is_unclean(fixture->archive));
    ck_assert_int_eq(clean(fixture), 0);
    ck_assert_uint_eq(fixture_grep(fixture, RARE), 0);
    fixture_free(fixture);
}
END_TEST

/* Rules and topics have words, too. */
START_TEST(test_rows)
{
    ArchiveRule rule = {.id = 7,
                        .subject = "192.0.2.0/24",
                        .n_subject = 12,
                        .by = fixture_name("alice"),
                        .reason = RARE,
                        .n_reason = STRLEN(RARE),
                        .wall = 1000};
    ArchiveTopic topic = {.room = fixture_name("lobby"),
                          .by = fixture_who("bob"),
                          .wall = FIXTURE_NOW,
                          .text = RARE,
                          .n = STRLEN(RARE)};

    for (unsigned kind = 0; kind < 4; kind++) {
        Fixture *fixture = fixture_new_open();

        rule.until = kind == 1 ? 2000 : 0;
        topic.n = STRLEN(RARE);
        ck_assert_int_eq(clean(fixture), 0);
        if (kind < 2)
            ck_assert_int_eq(archive_put_rule(fixture->archive, &rule), 0);
        else
            ck_assert_int_eq(archive_put_topic(fixture->archive, &topic), 0);
        fixture_commit(fixture, 1);
        ck_assert_uint_ge(fixture_grep(fixture, RARE), 1);
        topic.n = 0;
        if (kind == 0)
            ck_assert_int_eq(archive_put_rule_removed(fixture->archive, rule.id), 0);
        else if (kind == 2)
            ck_assert_int_eq(archive_put_topic(fixture->archive, &topic), 0);
        else if (kind == 3)
            ck_assert_int_eq(archive_put_room_removed(fixture->archive, &topic.room), 0);
        if (kind == 1)
            purge(fixture, 0, 0, 2000);
        else
            fixture_commit(fixture, 2);
        ck_assert_int_eq(archive_is_unclean(fixture->archive), kind != 1);
        ck_assert_int_eq(clean(fixture), 0);
        ck_assert_msg(fixture_grep(fixture, RARE) == 0, "kind %u", kind);
        fixture_free(fixture);
    }
}
END_TEST

/* Of a partition that is on its way out a line is taken back: it goes all the same, with all of its words. */
START_TEST(test_of_one_that_goes)
{
    Fixture *fixture = fixture_new_open();

    chatter(fixture, 0, 100);
    fixture_end_part(fixture);
    chatter(fixture, 100, 200);
    fixture_change(fixture,
                   "UPDATE parts SET is_dirty = 2 WHERE first_id = (SELECT min(first_id) FROM parts);"
                   "DELETE FROM lines WHERE id IN (SELECT id FROM lines ORDER BY id LIMIT 10)");
    ck_assert_int_eq(archive_put_take_back(fixture->archive, archive_id(1, 8 * 50)), 0);
    fixture_commit(fixture, 200);
    ck_assert_int_eq(clean(fixture), 0);
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM parts"), 1);
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM lines"), 100);
    fixture_free(fixture);
}
END_TEST

START_TEST(test_held_up)
{
    Fixture *fixture = fixture_new_open();
    Archive *reader = NULL;
    sqlite3_stmt *statement = NULL;

    fixture_say(fixture, 1, "lobby", "bob", RARE);
    fixture_commit(fixture, 1);
    ck_assert_int_eq(archive_open(fixture->path, ARCHIVE_READER, &reader), 0);
    ck_assert_int_eq(sqlite3_prepare_v2(reader->db, "SELECT * FROM lines", -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    ck_assert_int_eq(archive_put_take_back(fixture->archive, archive_id(1, 8)), 0);
    fixture_commit(fixture, 2);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(clean(fixture), ARCHIVE_BUSY);
        ck_assert(archive_is_unclean(fixture->archive));
        chatter(fixture, 10 + i * 10, 20 + i * 10);
    }
    (void) sqlite3_finalize(statement);
    ck_assert_int_eq(clean(fixture), 0);
    ck_assert_uint_eq(fixture_grep(fixture, RARE), 0);
    (void) archive_close(reader);
    fixture_free(fixture);
}
END_TEST

static void fill_person(Fixture *fixture)
{
    ArchiveSettings settings = {.who = fixture_who(NICK "!1001"),
                                .away = RARE " away",
                                .n_away = STRLEN(RARE " away"),
                                .ignored = RARE,
                                .n_ignored = STRLEN(RARE)};
    ArchiveTopic topic = {.room = fixture_name("lobby"),
                          .by = fixture_who(NICK "!1001"),
                          .wall = FIXTURE_NOW,
                          .text = "the topic stays",
                          .n = 15};
    ArchiveMessage message = {.id = 7,
                              .wall = FIXTURE_NOW,
                              .from = fixture_who(NICK),
                              .to = fixture_name("bob"),
                              .to_uid = 1002,
                              .text = RARE,
                              .n = STRLEN(RARE)};
    ArchiveRule rule = {
        .id = 9, .by = fixture_name(NICK), .subject = "x", .n_subject = 1, .bytes = "", .reason = ""};

    ck_assert_int_eq(archive_put_settings(fixture->archive, &settings), 0);
    ck_assert_int_eq(archive_put_topic(fixture->archive, &topic), 0);
    ck_assert_int_eq(archive_put_message(fixture->archive, &message), 0);
    message = (ArchiveMessage){.id = 8,
                               .from = fixture_who("bob"),
                               .to = fixture_name(NICK),
                               .to_uid = 1001,
                               .text = RARE,
                               .n = STRLEN(RARE)};
    ck_assert_int_eq(archive_put_message(fixture->archive, &message), 0);
    message.id = 9;
    message.to = fixture_name("alice");
    message.text = "stays";
    message.n = 5;
    message.to_uid = 1000;
    ck_assert_int_eq(archive_put_message(fixture->archive, &message), 0);
    ck_assert_int_eq(archive_put_rule(fixture->archive, &rule), 0);
}

START_TEST(test_forget)
{
    Fixture *fixture = fixture_new_open();
    NameKey key = fixture_key(NICK);
    bool is_found = true;
    uint64_t n = 0;
    uint32_t uid;

    for (unsigned i = 0; i < 10; i++) {
        chatter(fixture, i * 400, i * 400 + 300);
        for (unsigned k = 300; k < 400; k++)
            fixture_say(fixture, i * 400 + k, "lobby", k % 2 ? NICK : "QZFORGOTTENQZ!1001",
                        k % 3 ? RARE : "hello");
        fixture_commit(fixture, i * 400 + 400);
        fixture_end_part(fixture);
    }
    fill_person(fixture);
    fixture_commit(fixture, 4000);
    ck_assert_uint_gt(fixture_grep(fixture, RARE), 700);
    forget(fixture, "qzFORGOTTENqz", 1000);
    ck_assert_uint_eq(fixture_grep(fixture, RARE), 0);
    ck_assert_uint_eq(fixture_grep(fixture, NICK), 0);
    ck_assert_uint_eq(fixture_grep(fixture, "QZFORGOTTENQZ"), 0);
    ck_assert_uint_eq(fixture_grep(fixture, "qzforgottenqz"), 0);
    ck_assert_uint_gt(fixture_grep(fixture, "the topic stays"), 0);
    ck_assert_int_eq(archive_find_verified(fixture->archive, &key, &is_found, &uid), 0);
    ck_assert(!is_found);
    ck_assert_int_eq(archive_count_messages_to(fixture->archive, 1000, &n), 0);
    ck_assert_uint_eq(n, 1);
    fixture_expect_found(fixture, RARE, "");
    fixture_expect_found(fixture, "talk3", "3 walks <bob> talk3 about tea3 and the weather\n");
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM lines"), 3000);
    forget(fixture, NICK, 0);
    forget(fixture, "nobody", 0);
    fixture_free(fixture);
}
END_TEST

/* By a tool, while the service writes on. */
START_TEST(test_forget_beside)
{
    Fixture *fixture = fixture_new_open();
    Archive *writer = fixture->archive, *tool = NULL;
    NameKey key = fixture_key(NICK);
    unsigned n = 1;
    int r;

    for (; n < 3000; n++)
        fixture_say(fixture, n, "lobby", n % 2 ? NICK : "bob", RARE);
    fixture_commit(fixture, n);
    ck_assert_int_eq(archive_open(fixture->path, ARCHIVE_TOOL, &tool), 0);
    do {
        fixture_say(fixture, n++, "lobby", "bob", "meanwhile");
        fixture_commit(fixture, n);
        r = archive_forget(tool, &key, 0, NULL);
    } while (r == ARCHIVE_MORE);
    ck_assert_int_eq(r, 0);
    (void) archive_close(tool);
    ck_assert_uint_eq(fixture_grep(fixture, NICK), 0);
    ck_assert_uint_ge(fixture_grep(fixture, "meanwhile"), 2);
    ck_assert_int_eq(fixture_count(fixture, "SELECT count(*) FROM lines WHERE text = '" RARE "'"), 1499);
    fixture->archive = writer;
    fixture_say(fixture, n, "lobby", NICK, "again");
    fixture_commit(fixture, n);
    fixture_free(fixture);
}
END_TEST

UNIT_MAIN("archive-purge", test_take_back, test_take_back_said, test_room_forgotten, test_delivered,
          test_held_up, test_rows, test_of_one_that_goes, test_forget, test_forget_beside)
