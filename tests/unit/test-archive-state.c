/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What the archive knows of people, rooms and rules. */

#include <errno.h>

#include "unit/archive-fixture.h"
#include "unit/unit.h"

/* People */

static ArchivePerson person(Fixture *fixture, const char *name)
{
    NameKey key = fixture_key(name);
    ArchivePerson found = {0};
    bool is_found = false;

    ck_assert_int_eq(archive_find_person(fixture->archive, &key, &is_found, &found), 0);
    ck_assert(is_found == (found.who.nick.n > 0));
    return found;
}

START_TEST(test_seen)
{
    Fixture *fixture = fixture_new_open();
    ArchiveWho guest = fixture_who("Straße"), verified = fixture_who("STRASSE!1000");
    ArchivePerson found;
    NameKey key = fixture_key("strasse");
    bool is_found = true;
    uint32_t uid = 0;

    ck_assert_uint_eq(person(fixture, "strasse").who.nick.n, 0);
    for (unsigned twice = 0; twice < 2; twice++) {
        ck_assert_int_eq(archive_put_seen(fixture->archive, &guest, 2000), 0);
        ck_assert_int_eq(archive_put_seen(fixture->archive, &guest, 1000), 0);
    }
    found = person(fixture, "strasse");
    ck_assert_str_eq(found.who.nick.bytes, "Straße");
    ck_assert(!found.who.is_verified);
    ck_assert_uint_eq(found.first_seen, 1000);
    ck_assert_uint_eq(found.last_seen, 2000);
    ck_assert_uint_eq(found.last_line + found.last_room.n, 0);
    ck_assert_int_eq(archive_find_verified(fixture->archive, &key, &is_found, &uid), 0);
    ck_assert(!is_found);

    ck_assert_int_eq(archive_put_seen(fixture->archive, &verified, 3000), 0);
    ck_assert_int_eq(archive_put_seen(fixture->archive, &guest, 4000), 0);
    found = person(fixture, "straSSe");
    ck_assert(found.who.is_verified);
    ck_assert_uint_eq(found.who.uid, 1000);
    ck_assert_uint_eq(found.last_seen, 4000);
    ck_assert_int_eq(archive_find_verified(fixture->archive, &key, &is_found, &uid), 0);
    ck_assert(is_found);
    ck_assert_uint_eq(uid, 1000);

    fixture_say(fixture, 5, "Walks", "Strasse", "hello");
    fixture_say(fixture, 4, "lobby", "strasse", "an older one");
    found = person(fixture, "strasse");
    ck_assert_uint_eq(found.last_line, FIXTURE_NOW + 5 * USEC_PER_SEC);
    ck_assert_str_eq(found.last_room.bytes, "Walks");
    ck_assert_uint_eq(found.last_seen, found.last_line);
    ck_assert_uint_eq(found.first_seen, 1000);
    fixture_free(fixture);
}
END_TEST

static int on_settings(void *userdata, const ArchiveSettings *settings)
{
    char text[FIXTURE_LINE_SAID];

    (void) snprintf(text, sizeof text, "%s %u %u %.*s %zu", settings->who.nick.bytes, settings->who.uid,
                    settings->bits, (int) settings->n_away, settings->away, settings->n_ignored);
    fixture_hear(userdata, text);
    return 0;
}

START_TEST(test_settings)
{
    Fixture *fixture = fixture_new_open();
    char ignored[ARCHIVE_IGNORED_MAX + 1] = "a\0b";
    ArchiveSettings settings = {.who = fixture_who("bob!1000"),
                                .bits = UINT32_MAX,
                                .away = "at lunch",
                                .n_away = 8,
                                .ignored = ignored,
                                .n_ignored = ARCHIVE_IGNORED_MAX};

    for (unsigned twice = 0; twice < 2; twice++) {
        ck_assert_int_eq(archive_put_settings(fixture->archive, &settings), 0);
        ck_assert_int_eq(archive_load_settings(fixture->archive, 1000, on_settings, fixture), 0);
        fixture_expect(fixture, "bob 1000 4294967295 at lunch 8192\n");
    }
    settings.n_ignored++;
    ck_assert_int_eq(archive_put_settings(fixture->archive, &settings), -EINVAL);
    settings = (ArchiveSettings){.who = fixture_who("bob!1000")};
    ck_assert_int_eq(archive_put_settings(fixture->archive, &settings), 0);
    ck_assert_int_eq(archive_load_settings(fixture->archive, 1000, on_settings, fixture), 0);
    fixture_expect(fixture, "bob 1000 0  0\n");
    ck_assert_int_eq(archive_load_settings(fixture->archive, 1001, on_settings, fixture), 0);
    fixture_expect(fixture, "");
    settings.who.is_verified = false;
    ck_assert_int_eq(archive_put_settings(fixture->archive, &settings), -EINVAL);
    fixture_free(fixture);
}
END_TEST

static int on_message(void *userdata, const ArchiveMessage *message)
{
    char text[FIXTURE_LINE_SAID];

    (void) snprintf(text, sizeof text, "%u %s%s -> %s %u: %.*s", fixture_number(message->id),
                    message->from.nick.bytes, message->from.is_verified ? "!" : "", message->to.bytes,
                    message->to_uid, (int) message->n, message->text);
    fixture_hear(userdata, text);
    return 0;
}

static void leave(Fixture *fixture, unsigned n, const char *from, const char *to, const char *text)
{
    ArchiveWho receiver = fixture_who(to);
    ArchiveMessage message = {.id = archive_id(1, n * 8),
                              .wall = FIXTURE_NOW + n,
                              .from = fixture_who(from),
                              .to_uid = receiver.uid,
                              .to = receiver.nick,
                              .text = text,
                              .n = strlen(text)};

    ck_assert_int_eq(archive_put_message(fixture->archive, &message), 0);
}

START_TEST(test_messages)
{
    Fixture *fixture = fixture_new_open();
    NameKey alice = fixture_key("Alice");
    uint64_t n = 0;

    for (unsigned twice = 0; twice < 2; twice++) {
        leave(fixture, 3, "alice", "bob!1000", "third");
        leave(fixture, 1, "alice", "bob!1000", "first");
        leave(fixture, 2, "carol!7", "bob!1000", "second");
        leave(fixture, 4, "alice", "dan!1001", "for dan");
        ck_assert_int_eq(archive_load_messages(fixture->archive, 1000, 10, on_message, fixture), 0);
        fixture_expect(fixture, "1 alice -> bob 1000: first\n2 carol! -> bob 1000: second\n"
                                "3 alice -> bob 1000: third\n");
    }
    ck_assert_int_eq(archive_count_messages_from(fixture->archive, &alice, &n), 0);
    ck_assert_uint_eq(n, 3);
    ck_assert_int_eq(archive_count_messages_to(fixture->archive, 1000, &n), 0);
    ck_assert_uint_eq(n, 3);
    for (unsigned twice = 0; twice < 2; twice++)
        ck_assert_int_eq(archive_put_delivered(fixture->archive, archive_id(1, 8)), 0);
    ck_assert_int_eq(archive_load_messages(fixture->archive, 1000, 1, on_message, fixture), 0);
    fixture_expect(fixture, "2 carol! -> bob 1000: second\n");
    ck_assert_int_eq(archive_count_messages_to(fixture->archive, 1002, &n), 0);
    ck_assert_uint_eq(n, 0);
    fixture_free(fixture);
}
END_TEST

/* Rooms and rules */

static int on_room(void *userdata, const ArchiveRoomRow *row)
{
    char text[FIXTURE_LINE_SAID];

    (void) snprintf(text, sizeof text, "%s %s flags %x founder %s%s %u topic '%.*s' by %s",
                    row->record.room.bytes, row->is_kept ? "kept" : "-", row->record.flags,
                    row->record.has_founder ? "" : "-", row->record.founder.nick.bytes,
                    row->record.founder.uid, (int) row->topic.n, row->topic.text, row->topic.by.nick.bytes);
    fixture_hear(userdata, text);
    return 0;
}

static void topic(Fixture *fixture, const char *room, const char *who, const char *text)
{
    ArchiveTopic set = {.room = fixture_name(room),
                        .by = fixture_who(who),
                        .wall = FIXTURE_NOW,
                        .text = text,
                        .n = strlen(text)};

    ck_assert_int_eq(archive_put_topic(fixture->archive, &set), 0);
}

static void expect_rooms(Fixture *fixture, const char *expected)
{
    ck_assert_int_eq(archive_load_rooms(fixture->archive, on_room, fixture), 0);
    fixture_expect(fixture, expected);
}

START_TEST(test_rooms)
{
    Fixture *fixture = fixture_new_open();
    ArchiveRoom walks = {.room = fixture_name("Walks"),
                         .has_founder = true,
                         .founder = fixture_who("alice!1001"),
                         .flags = UINT32_MAX};

    expect_rooms(fixture, "");
    fixture_say(fixture, 1, "tea", "bob", "only talk");
    for (unsigned twice = 0; twice < 2; twice++) {
        topic(fixture, "lobby", "bob", "the weekend");
        ck_assert_int_eq(archive_put_room(fixture->archive, &walks), 0);
        topic(fixture, "walks", "alice!1001", "a bridge");
        expect_rooms(fixture, "lobby - flags 0 founder - 0 topic 'the weekend' by bob\n"
                              "Walks kept flags ffffffff founder alice 1001 topic 'a bridge' by alice\n");
    }
    topic(fixture, "lobby", "bob", "");
    walks.has_founder = false;
    walks.flags = 1;
    ck_assert_int_eq(archive_put_room(fixture->archive, &walks), 0);
    expect_rooms(fixture, "Walks kept flags 1 founder - 0 topic 'a bridge' by alice\n");
    for (unsigned twice = 0; twice < 2; twice++) {
        ck_assert_int_eq(archive_put_room_removed(fixture->archive, &walks.room), 0);
        expect_rooms(fixture, "");
    }
    fixture_free(fixture);
}
END_TEST

static int on_invite(void *userdata, const ArchiveInvite *invite)
{
    char text[FIXTURE_LINE_SAID];

    (void) snprintf(text, sizeof text, "%s %s %u", invite->room.bytes, invite->name.bytes, invite->uid);
    fixture_hear(userdata, text);
    return 0;
}

START_TEST(test_invites)
{
    Fixture *fixture = fixture_new_open();
    ArchiveInvite invites[] = {{fixture_name("walks"), fixture_name("bob"), 1000},
                               {fixture_name("Walks"), fixture_name("alice"), 1001},
                               {fixture_name("tea"), fixture_name("bob"), 1000}};

    for (unsigned twice = 0; twice < 2; twice++) {
        for (size_t i = 0; i < N_ELEMENTS(invites); i++)
            ck_assert_int_eq(archive_put_invite(fixture->archive, &invites[i]), 0);
        ck_assert_int_eq(archive_load_invites(fixture->archive, on_invite, fixture), 0);
        fixture_expect(fixture, "walks alice 1001\nwalks bob 1000\ntea bob 1000\n");
    }
    for (unsigned twice = 0; twice < 2; twice++) {
        ck_assert_int_eq(archive_put_invite_removed(fixture->archive, &invites[0].room, &invites[0].name), 0);
        ck_assert_int_eq(archive_load_invites(fixture->archive, on_invite, fixture), 0);
        fixture_expect(fixture, "walks alice 1001\ntea bob 1000\n");
    }
    ck_assert_int_eq(archive_put_room_removed(fixture->archive, &invites[1].room), 0);
    ck_assert_int_eq(archive_load_invites(fixture->archive, on_invite, fixture), 0);
    fixture_expect(fixture, "tea bob 1000\n");
    fixture_free(fixture);
}
END_TEST

static int on_rule(void *userdata, const ArchiveRule *rule)
{
    char text[FIXTURE_LINE_SAID];

    (void) snprintf(text, sizeof text, "%llx %u %.*s %zu by %s: %.*s", (unsigned long long) rule->id,
                    rule->kind, (int) rule->n_subject, rule->subject, rule->n_bytes, rule->by.bytes,
                    (int) rule->n_reason, rule->reason);
    fixture_hear(userdata, text);
    return 0;
}

START_TEST(test_rules)
{
    static const uint64_t KEPT[] = {9, 4, 2};
    Fixture *fixture = fixture_new_open();
    ArchiveRule rule = {.id = UINT64_MAX,
                        .kind = 255,
                        .subject = "192.0.2.0/24",
                        .n_subject = 12,
                        .bytes = "\xc0\0\x02",
                        .n_bytes = 3,
                        .until = 2000,
                        .by = fixture_name("alice"),
                        .reason = "noise",
                        .n_reason = 5,
                        .wall = 1000};

    for (unsigned twice = 0; twice < 2; twice++) {
        ck_assert_int_eq(archive_put_rule(fixture->archive, &rule), 0);
        ck_assert_int_eq(archive_load_rules(fixture->archive, 1999, on_rule, fixture), 0);
        fixture_expect(fixture, "ffffffffffffffff 255 192.0.2.0/24 3 by alice: noise\n");
    }
    ck_assert_int_eq(archive_load_rules(fixture->archive, 2000, on_rule, fixture), 0);
    fixture_expect(fixture, "");
    rule.until = 0;
    ck_assert_int_eq(archive_put_rule(fixture->archive, &rule), 0);
    ck_assert_int_eq(archive_load_rules(fixture->archive, UINT64_MAX, on_rule, fixture), 0);
    fixture_expect(fixture, "ffffffffffffffff 255 192.0.2.0/24 3 by alice: noise\n");
    rule.n_bytes = ARCHIVE_BYTES_MAX + 1;
    ck_assert_int_eq(archive_put_rule(fixture->archive, &rule), -EINVAL);
    rule.n_bytes = 3;
    for (unsigned twice = 0; twice < 2; twice++)
        ck_assert_int_eq(archive_put_rule_removed(fixture->archive, UINT64_MAX), 0);
    ck_assert_int_eq(archive_load_rules(fixture->archive, 0, on_rule, fixture), 0);
    fixture_expect(fixture, "");
    for (rule.id = 1; rule.id <= 4; rule.id++)
        ck_assert_int_eq(archive_put_rule(fixture->archive, &rule), 0);
    ck_assert_int_eq(archive_put_rules_kept(fixture->archive, KEPT, N_ELEMENTS(KEPT)), 0);
    ck_assert_int_eq(archive_load_rules(fixture->archive, 0, on_rule, fixture), 0);
    fixture_expect(fixture, "2 255 192.0.2.0/24 3 by alice: noise\n4 255 192.0.2.0/24 3 by alice: noise\n");
    ck_assert_int_eq(archive_put_rules_kept(fixture->archive, NULL, 0), 0);
    ck_assert_int_eq(archive_load_rules(fixture->archive, 0, on_rule, fixture), 0);
    fixture_expect(fixture, "");
    fixture_free(fixture);
}
END_TEST

UNIT_MAIN("archive-state", test_seen, test_settings, test_messages, test_rooms, test_invites, test_rules)
