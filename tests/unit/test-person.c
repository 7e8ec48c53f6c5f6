/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* People with accounts: chat/person.h, and their sessions. */

#include <stdio.h>
#include <string.h>

#include "chat/person.h"
#include "chat/session.h"
#include "unit/harness.h"
#include "unit/unit.h"

static const char *nick_of(const Harness *harness, const Client *client)
{
    return session_record(harness->chat, client->session)->nick.bytes;
}

/* The owner of an account, greeted; the others have seen it. */
static Client *come(Harness *harness, const char *login, uint32_t uid)
{
    Client *client = client_account(harness, login, uid);

    ck_assert_ptr_nonnull(client);
    harness_turn(harness);
    harness_take_all(harness);
    harness_check(harness);
    return client;
}

START_TEST(test_login_names)
{
    static const struct {
        const char *login, *name; /* NULL: none */
    } cases[] = {
        {"alice", "alice"},
        {"Alice", "Alice"},
        {"john.doe", "john_doe"},
        {"john@example.com", "john_example_com"},
        {"EXAMPLE\\john", "EXAMPLE_john"},
        {"host$", "host_"},
        {"1001", "_001"},
        {"-x", "_x"},
        {"_apt", "_apt"},
        {"a b", "a_b"},
        {"a", "a"},
        {"abcdefghijklmnopqrstuvwx", "abcdefghijklmnopqrstuvwx"},
        {"abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwx"},
        {"bj\xc3\xb6rn", "bj\xc3\xb6rn"},
        {"bj\xc3\xb6rn.x", NULL},
        {"\xff", NULL},
        {"", NULL},
        {".", "_"},
        {"guest", "guest"},
        {"guest5", "guest5_"},
        {"Guest5", "Guest5_"},
        {"guest5x", "guest5x"},
        {"guest5_", "guest5_"},
        {"guest1234567890123456789", "guest123456789012345678_"},
        {"guest12345678901234567890", "guest123456789012345678_"},
    };

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        Name name;
        int r = name_from_login(cases[i].login, &name);

        ck_assert_msg((r == 0) == (cases[i].name != NULL), "%s: %d", cases[i].login, r);
        if (r == 0)
            ck_assert_str_eq(name.bytes, cases[i].name);
    }
}
END_TEST

/* Two accounts that come to one name are two people; each gets its own back. */
START_TEST(test_same_name)
{
    Harness *harness = harness_new(NULL, 20);
    Client *first = come(harness, "john.doe", 1000), *second = come(harness, "john_doe", 1001), *third,
           *again;

    ck_assert_str_eq(nick_of(harness, first), "john_doe");
    ck_assert_str_eq(nick_of(harness, second), "john_doe~2");
    third = come(harness, "john+doe", 1002);
    ck_assert_str_eq(nick_of(harness, third), "john_doe~3");
    again = come(harness, "john_doe", 1001);
    ck_assert_str_eq(nick_of(harness, again), "john_doe~2");
    ck_assert_uint_eq(person_n_sessions(harness->chat, second->session), 2);
    ck_assert_uint_eq(person_n_sessions(harness->chat, first->session), 1);
    ck_assert_uint_eq(chat_n_people(harness->chat), 3);
    client_say(harness, first, "/quit");
    again = come(harness, "john_doe", 1001);
    ck_assert_str_eq(nick_of(harness, again), "john_doe~2");
    ck_assert_uint_eq(chat_n_people(harness->chat), 2);
    harness_check(harness);
    harness_free(harness);
}
END_TEST

/* No login name is taken by it, and nobody can choose it; it is a name for everything else. */
START_TEST(test_numbered_name_is_nobody_elses)
{
    Harness *harness = harness_new(NULL, 20);
    Client *second, *other, *guest = client_named(harness, "guest");

    (void) come(harness, "john.doe", 1000);
    second = come(harness, "john_doe", 1001);
    other = come(harness, "john_doe-2", 1002);
    ck_assert_str_eq(nick_of(harness, other), "john_doe-2");
    ck_assert_str_eq(nick_of(harness, come(harness, "john_doe~2", 1003)), "john_doe_2");
    client_say(harness, guest, "/nick john_doe~3");
    ck_assert_str_eq(client_take(guest),
                     "!! You can not be called that: it may have only letters, digits, - and _.\n");
    client_say(harness, guest, "/join #john~2");
    ck_assert_int_eq(strncmp(client_take(guest), "!! ", 3), 0);
    client_say(harness, guest, "/msg john_doe~2" MARK " psst");
    ck_assert_str_eq(client_take(second), "[12:03] (private) <guest> psst\n");
    client_say(harness, guest, "/ignore JOHN_DOE~2");
    client_say(harness, second, "/topic ours");
    harness_survive(harness);
    client_say(harness, second, "hello");
    harness_take_all(harness);
    client_say(harness, guest, "/whois john_doe~3");
    ck_assert_str_eq(client_take(guest), "!! Nobody here is called john_doe~3. /who lists who is.\n");
    harness_check(harness);
    harness_free(harness);
}
END_TEST

START_TEST(test_long_name_with_a_number)
{
    Harness *harness = harness_new(NULL, 20);
    Client *first = come(harness, "abcdefghijklmnopqrstuvwx", 1000),
           *second = come(harness, "abcdefghijklmnopqrstuvwx-not", 1001);
    static const char *const cyrillic[] = {"абвгдежзиклмнопрст", "АБВГДЕЖЗИКЛМНОПРСТ"};
    Client *third, *fourth;

    ck_assert_str_eq(nick_of(harness, first), "abcdefghijklmnopqrstuvwx");
    ck_assert_str_eq(nick_of(harness, second), "abcdefghijklmnop~2");
    /* Not cut within a character. */
    third = come(harness, cyrillic[0], 1002);
    fourth = come(harness, cyrillic[1], 1003);
    ck_assert_str_eq(nick_of(harness, third), cyrillic[0]);
    ck_assert_str_eq(nick_of(harness, fourth), "АБВГДЕЖЗ~2");
    third = come(harness, "éééééééééé", 1004);
    fourth = come(harness, "aéééééééééÉ", 1005);
    ck_assert_str_eq(nick_of(harness, come(harness, "aééééééééé\xc3\x89", 1006)), "aééééééé~2");
    harness_survive(harness);
    harness_check(harness);
    harness_free(harness);
}
END_TEST

/* The uid is another account's now: who has it is not the person who is there. */
START_TEST(test_uid_that_changed_hands)
{
    Harness *harness = harness_new(NULL, 20);
    Client *alice = come(harness, "alice", 1000), *zoe = client_named(harness, "zoe"), *bob, *again;

    harness_take_all(harness);
    bob = client_account(harness, "bob", 1000);
    harness_turn(harness);
    ck_assert_int_eq(strncmp(nick_of(harness, bob), "guest", 5), 0);
    ck_assert(!person_is_verified(harness->chat, bob->session));
    ck_assert_ptr_nonnull(strstr(client_take(bob), "\n-- Your account had another name, alice, when "));
    ck_assert_int_eq(strncmp(client_take(alice), "-- guest", 8), 0);
    client_say(harness, zoe, "/msg alice psst");
    ck_assert_str_eq(client_take(alice), "[12:03] (private) <zoe> psst\n");
    ck_assert_str_eq(client_take(bob), "");
    client_say(harness, bob, "/nick alice");
    ck_assert_str_eq(client_take(bob), "!! Somebody else is called alice. Choose another.\n");
    again = come(harness, "Alice", 1000);
    ck_assert_uint_eq(person_n_sessions(harness->chat, again->session), 2);
    harness_survive(harness);
    harness_check(harness);
    /* Once the others have gone the uid is bob's. */
    client_say(harness, alice, "/quit");
    client_say(harness, again, "/quit");
    harness_turn(harness);
    again = come(harness, "bob", 1000);
    ck_assert_str_eq(nick_of(harness, again), "bob");
    ck_assert(person_is_verified(harness->chat, again->session));
    ck_assert(!person_is_same(harness->chat, again->session, bob->session));
    harness_free(harness);
}
END_TEST

/* What is meant for who had the uid before, or was said by them, is not for who has it now. */
START_TEST(test_next_of_uid)
{
    Harness *harness = harness_new(NULL, 20);
    Client *alice = come(harness, "alice", 1000), *zoe = client_named(harness, "zoe"), *bob;

    client_say(harness, alice, "/msg zoe psst");
    client_say(harness, alice, "said by alice");
    client_say(harness, alice, "/quit");
    harness_turn(harness);
    bob = come(harness, "bob", 1000);
    harness_take_all(harness);
    client_say(harness, zoe, "/reply a secret");
    ck_assert_str_eq(client_take(zoe),
                     "!! Whoever spoke to you in private last has left. Your line was not sent.\n");
    client_say(harness, bob, "/undo");
    ck_assert_str_eq(client_take(bob), "!! You have said nothing in #lobby in the last five minutes.\n");
    client_say(harness, bob, "/quit");
    harness_turn(harness);
    alice = come(harness, "Alice", 1000);
    harness_survive(harness);
    harness_take_all(harness);
    client_say(harness, zoe, "/reply a secret");
    ck_assert_str_eq(client_take(alice), "[12:03] (private) <zoe> a secret\n");
    client_say(harness, alice, "/undo");
    ck_assert_str_eq(client_take(alice), "-- Taken back, but for who has read it: said by alice\n");
    harness_free(harness);
}
END_TEST

/* A number behind the name is no other name. */
START_TEST(test_uid_with_a_number)
{
    Harness *harness = harness_new(NULL, 20);
    Client *second, *again, *other;

    (void) come(harness, "john.doe", 1000);
    second = come(harness, "john_doe", 1001);
    again = come(harness, "john_doe", 1001);
    ck_assert(person_is_same(harness->chat, second->session, again->session));
    other = come(harness, "john", 1001);
    ck_assert_int_eq(strncmp(nick_of(harness, other), "guest", 5), 0);
    harness_free(harness);
}
END_TEST

/* Nobody is told of it by a line of their own; the rooms are. */
START_TEST(test_displaced)
{
    Harness *harness = harness_new(NULL, 20);
    Client *guest = client_named(harness, "carol"), *alice = client_named(harness, "alice"), *carol;

    client_say(harness, guest, "/join #garden");
    harness_take_all(harness);
    carol = client_account(harness, "carol", 1000);
    ck_assert_ptr_nonnull(carol);
    harness_turn(harness);
    ck_assert_str_eq(nick_of(harness, carol), "carol");
    ck_assert_int_eq(strncmp(nick_of(harness, guest), "guest", 5), 0);
    ck_assert_str_eq(client_take(guest),
                     "-- The name you had is that of an account of this host, whose owner has "
                     "come. You are now guest3.\n-- #lobby: carol\xe2\x9c\x93 is here\n");
    ck_assert_str_eq(client_take(alice), "-- carol is now guest3\n-- carol\xe2\x9c\x93 is here\n");
    harness_check(harness);
    harness_free(harness);
}
END_TEST

/* In as many rooms as the transcript can tell of at once. */
START_TEST(test_displaced_from_many_rooms)
{
    Harness *harness;
    Config config;
    Client *guest, *other;

    harness_config(&config);
    config.max_rooms = config.max_rooms_per_client = 1000;
    harness = harness_new(&config, 20);
    guest = client_named(harness, "carol");
    other = client_named(harness, "alice");
    for (unsigned i = 0; i < 150; i++) {
        client_say(harness, guest, "/join #r%u", i);
        client_say(harness, other, "/join #r%u", i);
    }
    for (unsigned i = 0; i < 40; i++) {
        client_say(harness, other, "fill %01900u", i);
        harness_take_all(harness);
    }
    (void) come(harness, "carol", 1000);
    ck_assert_int_eq(strncmp(nick_of(harness, guest), "guest", 5), 0);
    harness_free(harness);
}
END_TEST

/* One session is told something in private and goes in the same turn: the other has it all the same. And a
 * reply finds whichever is there. */
START_TEST(test_told_and_gone)
{
    for (unsigned i = 0; i < 2; i++) {
        Harness *harness = harness_new(NULL, 20);
        Client *alice = client_named(harness, "alice"), *each[2];

        each[0] = come(harness, "bea", 1000);
        each[1] = come(harness, "bea", 1000);
        client_say(harness, each[i], "/msg alice psst");
        harness_take_all(harness);
        client_type(alice, "/reply one\n/msg bea two\n", strlen("/reply one\n/msg bea two\n"));
        client_type(each[i], "/quit\n", 6);
        harness_turn(harness);
        harness_turn(harness);
        ck_assert_str_eq(client_take(each[1 - i]),
                         "[12:03] (private) <alice> one\n[12:03] (private) <alice> two\n");
        client_say(harness, alice, "/reply three");
        ck_assert_str_eq(client_take(each[1 - i]), "[12:03] (private) <alice> three\n");
        client_say(harness, each[1 - i], "/quit");
        harness_turn(harness);
        (void) client_take(alice);
        client_say(harness, alice, "/reply four");
        ck_assert_str_eq(client_take(alice),
                         "!! Whoever spoke to you in private last has left. Your line was not sent.\n");
        harness_free(harness);
    }
}
END_TEST

START_TEST(test_limits)
{
    Harness *harness = harness_new(NULL, LIMIT_PERSON_SESSIONS + 2);
    Client *each[LIMIT_PERSON_SESSIONS];
    Peer peer = {.is_local = true, .uid = 1000};
    Identity identity = {.uid = 1000};

    ck_assert_int_eq(name_from_login("alice", &identity.nick), 0);
    for (size_t i = 0; i < LIMIT_PERSON_SESSIONS; i++)
        each[i] = come(harness, "alice", 1000);
    ck_assert_int_eq(session_may_open(harness->chat, &peer, &identity), SESSION_PERSON_FULL);
    client_say(harness, each[2], "/quit");
    ck_assert_int_eq(session_may_open(harness->chat, &peer, &identity), 0);
    each[2] = come(harness, "alice", 1000);
    (void) come(harness, "bob", 1001);
    (void) come(harness, "carol", 1002);
    identity.uid = peer.uid = 1003;
    ck_assert_int_eq(session_may_open(harness->chat, &peer, &identity), SESSION_FULL);
    harness_free(harness);
}
END_TEST

/* As many rooms as there may be, and as many sessions: leaving and coming are transactions all the same, and
 * one more session finds a place in all of them or is refused. */
START_TEST(test_many_rooms)
{
    enum { ROOMS = 40 };
    Harness *harness;
    Config config;
    Client *first, *other;

    harness_config(&config);
    config.max_rooms = config.max_rooms_per_client = ROOMS;
    harness = harness_new(&config, 6);
    first = come(harness, "alice", 1000);
    for (unsigned i = 0; i < ROOMS - 1; i++)
        client_say(harness, first, "/join #r%u", i);
    for (unsigned i = 0; i < 4; i++) {
        other = come(harness, "alice", 1000);
        ck_assert_uint_eq(harness->chat->sessions[other->session].n_rooms, ROOMS);
    }
    client_say(harness, other, "/leave #r3");
    ck_assert_uint_eq(harness->chat->sessions[first->session].n_rooms, ROOMS - 1);
    harness_survive(harness);
    harness_check(harness);
    client_say(harness, first, "/join #r3");
    client_say(harness, first, "/quit");
    ck_assert_uint_eq(chat_n_rooms(harness->chat), ROOMS);
    harness_check(harness);
    harness_free(harness);
}
END_TEST

/* The most that one line changes: the list of names of all sessions of a person. */
START_TEST(test_undo_of_many_names)
{
    const uint64_t names = LIMIT_IGNORES * (sizeof(IgnoredRecord) + 2 * sizeof(uint64_t));
    const StateHeader *header;
    Harness *harness;
    Config config;
    Client *first;

    harness_config(&config);
    config.max_ignores = LIMIT_IGNORES;
    harness = harness_new(&config, LIMIT_PERSON_SESSIONS);
    header = harness->chat->state.header;
    first = come(harness, "alice", 1000);
    for (unsigned i = 1; i < LIMIT_PERSON_SESSIONS; i++)
        (void) come(harness, "alice", 1000);
    for (unsigned i = 0; i < LIMIT_IGNORES - 1; i++)
        client_say(harness, first, "/ignore n%u", i);
    harness->dies_before_commit = true;
    client_say(harness, first, "/ignore n%u", LIMIT_IGNORES);
    /* There is as much left as there was for all else before this was counted. */
    ck_assert_uint_ge(header->undo_n, (LIMIT_PERSON_SESSIONS - 1) * names);
    ck_assert_uint_le(header->undo_n, LIMIT_PERSON_SESSIONS * names);
    ck_assert_uint_ge(header->undo_size - LIMIT_PERSON_SESSIONS * names, 65536);
    harness->dies_before_commit = false;
    harness_survive(harness);
    harness_turn(harness);
    ck_assert_uint_eq(session_record(harness->chat, first->session)->n_ignored, LIMIT_IGNORES);
    harness_check(harness);
    harness_free(harness);
}
END_TEST

/* When a session of another goes, the next one bears the name. */
START_TEST(test_any_may_go)
{
    for (unsigned first = 0; first < 3; first++) {
        Harness *harness = harness_new(NULL, 10);
        Client *alice = client_named(harness, "zoe"), *each[3];

        for (unsigned i = 0; i < 3; i++)
            each[i] = come(harness, "alice", 1000);
        for (unsigned i = 0; i < 2; i++) {
            Client *goes = each[(first + i) % 3], *stays = each[(first + 2) % 3];

            client_say(harness, goes, "/quit");
            harness_take_all(harness);
            harness_check(harness);
            client_say(harness, alice, "/msg alice psst");
            ck_assert_str_eq(client_take(stays), "[12:03] (private) <zoe> psst\n");
            ck_assert_str_eq(client_take(alice), "");
        }
        client_say(harness, each[(first + 2) % 3], "/quit");
        harness_turn(harness);
        ck_assert_str_eq(client_take(alice), "-- alice\xe2\x9c\x93 has left\n");
        harness_free(harness);
    }
}
END_TEST

UNIT_MAIN("person", test_login_names, test_same_name, test_numbered_name_is_nobody_elses,
          test_long_name_with_a_number, test_uid_that_changed_hands, test_next_of_uid, test_uid_with_a_number,
          test_displaced, test_displaced_from_many_rooms, test_told_and_gone,
          test_limits, test_many_rooms, test_undo_of_many_names, test_any_may_go)
