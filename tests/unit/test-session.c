/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdio.h>
#include <string.h>

#include "chat/room.h"
#include "chat/session.h"
#include "unit/harness.h"
#include "unit/unit.h"

static Peer peer_of(uint32_t uid)
{
    return (Peer){.is_local = true, .uid = uid};
}

static Name name_of(const char *text)
{
    Name name;

    ck_assert_int_eq(name_parse(text, strlen(text), NAME_MAX_CHARS, &name), 0);
    return name;
}

static void close_session(Harness *harness, uint32_t session)
{
    chat_reserve(harness->chat, session);
    session_close(harness->chat, session);
    chat_commit(harness->chat);
}

static int rename_session(Harness *harness, uint32_t session, const Name *nick)
{
    int r;

    chat_reserve(harness->chat, session);
    r = session_rename(harness->chat, session, nick);
    chat_commit(harness->chat);
    return r;
}

/* MaxClients=: so many and not one more, until one goes. */
START_TEST(test_full)
{
    Harness *harness;
    Config config;
    uint32_t session, last = SLOT_NONE;
    Peer peer = peer_of(1);

    harness_config(&config);
    config.max_clients = 5;
    harness = harness_new(&config, 100);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_int_eq(harness_open(harness, &peer, NULL, &last), 0);
    session = 4711;
    ck_assert_int_eq(harness_open(harness, &peer, NULL, &session), SESSION_FULL);
    ck_assert_uint_eq(session, 4711);
    ck_assert_uint_eq(chat_n_people(harness->chat), 5);
    close_session(harness, last);
    ck_assert_int_eq(harness_open(harness, &peer, NULL, &session), 0);
    ck_assert_int_eq(harness_open(harness, &peer, NULL, &session), SESSION_FULL);
    /* A new configuration counts for who comes from now on. */
    harness->config.max_clients = 6;
    ck_assert_int_eq(harness_open(harness, &peer, NULL, &session), 0);
    ck_assert_int_eq(harness_open(harness, &peer, NULL, &session), SESSION_FULL);
    harness_free(harness);
}
END_TEST

/* Without a limit, there are as many as there are places. */
START_TEST(test_places)
{
    Harness *harness;
    Config config;
    uint32_t session;
    Peer peer = peer_of(1);

    harness_config(&config);
    config.max_clients = 0;
    harness = harness_new(&config, 3);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(harness_open(harness, &peer, NULL, &session), 0);
    ck_assert_int_eq(harness_open(harness, &peer, NULL, &session), SESSION_FULL);
    harness_free(harness);
}
END_TEST

START_TEST(test_address_full)
{
    Harness *harness;
    Config config;
    uint32_t session, last = SLOT_NONE;
    Peer a = peer_of(1), b = peer_of(2);

    harness_config(&config);
    config.max_clients_per_address = 2;
    harness = harness_new(&config, 100);
    ck_assert_int_eq(harness_open(harness, &a, NULL, &last), 0);
    ck_assert_int_eq(harness_open(harness, &a, NULL, &last), 0);
    ck_assert_int_eq(harness_open(harness, &a, NULL, &session), SESSION_ADDRESS_FULL);
    ck_assert_int_eq(harness_open(harness, &b, NULL, &session), 0);
    close_session(harness, last);
    ck_assert_int_eq(harness_open(harness, &a, NULL, &session), 0);
    ck_assert_int_eq(harness_open(harness, &a, NULL, &session), SESSION_ADDRESS_FULL);
    harness->config.max_clients_per_address = 0;
    ck_assert_int_eq(harness_open(harness, &a, NULL, &session), 0);
    harness_check(harness);
    harness_free(harness);
}
END_TEST

/* guestN, each once, past those that somebody bears. */
START_TEST(test_guests)
{
    Harness *harness = harness_new(NULL, 10);
    uint32_t a, b, c;
    Peer peer = peer_of(1);
    Name two = name_of("Guest2");

    ck_assert_int_eq(harness_open(harness, &peer, NULL, &a), 0);
    ck_assert_str_eq(session_record(harness->chat, a)->nick.bytes, "guest1");
    ck_assert_int_eq(rename_session(harness, a, &two), 0);
    ck_assert_int_eq(harness_open(harness, &peer, NULL, &b), 0);
    ck_assert_str_eq(session_record(harness->chat, b)->nick.bytes, "guest3");
    close_session(harness, b);
    ck_assert_int_eq(harness_open(harness, &peer, NULL, &c), 0);
    ck_assert_uint_eq(b, c);
    ck_assert_str_eq(session_record(harness->chat, c)->nick.bytes, "guest4");
    harness_check(harness);
    harness_free(harness);
}
END_TEST

/* A place is used again; a serial never. */
START_TEST(test_serials)
{
    Harness *harness = harness_new(NULL, 2);
    uint64_t last = 0;
    uint32_t session;
    Peer peer = peer_of(1);

    for (unsigned i = 0; i < 100; i++) {
        ck_assert_int_eq(harness_open(harness, &peer, NULL, &session), 0);
        ck_assert_uint_gt(session_record(harness->chat, session)->serial, last);
        last = session_record(harness->chat, session)->serial;
        state_edit_session(&harness->chat->state, session)->flags |= SESSION_AWAY;
        chat_commit(harness->chat);
        close_session(harness, session);
        ck_assert_uint_eq(session_record(harness->chat, session)->serial, 0);
        chat_end_turn(harness->chat);
    }
    ck_assert_int_eq(harness_open(harness, &peer, NULL, &session), 0);
    ck_assert_int_eq(session_record(harness->chat, session)->flags, 0);
    harness_free(harness);
}
END_TEST

START_TEST(test_rename)
{
    static const struct {
        const char *nick;
        int r;
    } steps[] = {
        {"bob", SESSION_NICK_TAKEN},
        {"BOB", SESSION_NICK_TAKEN},
        {"\xef\xbd\x82\xef\xbd\x8f\xef\xbd\x82", SESSION_NICK_TAKEN}, /* fullwidth */
        {"Alice", 0},                                                 /* one's own in another case */
        {"alice", 0},
        {"alice", 0},
        {"bobo", 0},
    };
    Harness *harness = harness_new(NULL, 10);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");
    Name name = name_of("alice");

    for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
        Name nick = name_of(steps[i].nick);
        Name before = session_record(harness->chat, alice->session)->nick;

        ck_assert_int_eq(rename_session(harness, alice->session, &nick), steps[i].r);
        ck_assert_str_eq(session_record(harness->chat, alice->session)->nick.bytes,
                         steps[i].r == 0 ? nick.bytes : before.bytes);
        harness_check(harness);
    }
    /* The old one is free, and a nick goes with whoever bears it. */
    ck_assert_uint_eq(session_find(harness->chat, &name), SLOT_NONE);
    ck_assert_int_eq(rename_session(harness, bob->session, &name), 0);
    ck_assert_uint_eq(session_find(harness->chat, &name), bob->session);
    client_break(harness, bob);
    ck_assert_uint_eq(session_find(harness->chat, &name), SLOT_NONE);
    harness_free(harness);
}
END_TEST

/* Who hears what: alice, who is in #lobby and #dev, ignores bob, and does not want to be told of comings and
 * goings. */
START_TEST(test_hears)
{
    Harness *harness = harness_new(NULL, 10);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");
    Client *carol = client_named(harness, "carol");
    Chat *chat = harness->chat;
    const uint64_t serials[] = {session_record(chat, alice->session)->serial,
                                session_record(chat, bob->session)->serial,
                                session_record(chat, carol->session)->serial};
    enum { SERVER = -1, ALICE, BOB, CAROL };
    const struct {
        EntryKind kind;
        int from, to;
        const char *room;
        bool hears, with_joins;
    } cases[] = {
        {ENTRY_SAID, ALICE, SERVER, "lobby", false, false},
        {ENTRY_JOINED, ALICE, SERVER, "lobby", false, false},
        {ENTRY_SAID, BOB, SERVER, "lobby", false, false},
        {ENTRY_ACTION, BOB, SERVER, "lobby", false, false},
        {ENTRY_PRIVATE, BOB, ALICE, NULL, false, false},
        {ENTRY_SAID, CAROL, SERVER, "other", false, false},
        {ENTRY_TOPIC, CAROL, SERVER, "other", false, false},
        {ENTRY_PRIVATE, CAROL, BOB, NULL, false, false},
        {ENTRY_REPLY, SERVER, BOB, NULL, false, false},
        {ENTRY_JOINED, CAROL, SERVER, "lobby", false, true},
        {ENTRY_LEFT, CAROL, SERVER, "lobby", false, true},
        {ENTRY_RENAMED, CAROL, SERVER, "lobby", false, true},
        {ENTRY_SUMMARY, SERVER, SERVER, "lobby", false, true},
        {ENTRY_LEFT, BOB, SERVER, "lobby", false, true},
        {ENTRY_TOPIC, BOB, SERVER, "lobby", true, true},
        {ENTRY_SAID, CAROL, SERVER, "lobby", true, true},
        {ENTRY_SAID, CAROL, SERVER, "dev", true, true},
        {ENTRY_ACTION, CAROL, SERVER, "dev", true, true},
        {ENTRY_PRIVATE, CAROL, ALICE, NULL, true, true},
        {ENTRY_PRIVATE, ALICE, ALICE, NULL, true, true},
        {ENTRY_REPLY, SERVER, ALICE, NULL, true, true},
        {ENTRY_ERROR, SERVER, ALICE, NULL, true, true},
        {ENTRY_RAW, SERVER, ALICE, NULL, true, true},
    };

    client_say(harness, carol, "/join #other");
    client_say(harness, alice, "/join #dev");
    client_say(harness, alice, "/ignore bob");
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        Name room = name_of(cases[i].room != NULL ? cases[i].room : "lobby");
        Entry entry = {.kind = (uint8_t) cases[i].kind, .room = SLOT_NONE, .pos = chat->state.header->head};

        entry.from = cases[i].from != SERVER ? serials[cases[i].from] : 0;
        entry.to = cases[i].to != SERVER ? serials[cases[i].to] : 0;
        if (cases[i].room != NULL)
            entry.room = room_find(chat, &room);
        state_edit_session(&chat->state, alice->session)->settings &= (uint8_t) ~SETTING_JOINS;
        ck_assert_msg(session_hears(chat, alice->session, &entry) == cases[i].hears, "case %zu", i);
        state_edit_session(&chat->state, alice->session)->settings |= SETTING_JOINS;
        ck_assert_msg(session_hears(chat, alice->session, &entry) == cases[i].with_joins, "case %zu", i);
        /* What was before it joined, and what comes after it ended, is not for it. */
        entry.pos = 8;
        ck_assert(entry.room == SLOT_NONE || !session_hears(chat, alice->session, &entry));
    }
    harness_free(harness);
}
END_TEST

START_TEST(test_end)
{
    Harness *harness = harness_new(NULL, 10);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");

    client_stop(alice);
    client_say(harness, bob, "before");
    session_end(harness->chat, alice->session);
    chat_commit(harness->chat);
    client_say(harness, bob, "after");
    /* A second end changes nothing. */
    session_end(harness->chat, alice->session);
    chat_commit(harness->chat);
    client_say(harness, bob, "later");
    ck_assert(!alice->is_gone);
    client_open_window(harness, alice, SIZE_MAX);
    harness_turn(harness);
    ck_assert_str_eq(client_take(alice), "[12:03] <bob> before\n");
    ck_assert(alice->is_gone);
    harness_check(harness);
    harness_free(harness);
}
END_TEST

/* The list of those who lag, in any order of coming and going. */
START_TEST(test_lagging)
{
    Harness *harness = harness_new(NULL, 20);
    uint64_t seed = 5;

    for (unsigned i = 0; i < 20; i++)
        (void) client_new(harness);
    harness_turn(harness);
    for (unsigned i = 0; i < 5000; i++) {
        uint32_t session = random_below(&seed, 20);
        bool is_lagging = random_below(&seed, 2);

        if (is_lagging)
            session_fall_behind(harness->chat, session);
        else
            session_set_lagging(harness->chat, session, false);
        ck_assert_int_eq(!!(session_record(harness->chat, session)->flags & SESSION_LAGGING), is_lagging);
        harness_check(harness);
    }
    harness_free(harness);
}
END_TEST

/* Who keeps up reads on from what was sent to all; who lags from its own place. */
START_TEST(test_cursor)
{
    Harness *harness = harness_new(NULL, 10);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");
    Chat *chat = harness->chat;
    uint64_t before;

    client_say(harness, bob, "one");
    ck_assert_uint_eq(session_cursor(chat, alice->session), chat->state.header->flushed);
    ck_assert_uint_eq(chat->state.header->flushed, chat->state.header->head);
    before = chat->state.header->head;
    client_stop(alice);
    client_say(harness, bob, "two");
    client_say(harness, bob, "three");
    ck_assert_uint_eq(session_cursor(chat, alice->session), before);
    ck_assert_uint_gt(chat->state.header->flushed, before);
    client_open_window(harness, alice, SIZE_MAX);
    harness_turn(harness);
    ck_assert_uint_eq(session_cursor(chat, alice->session), chat->state.header->flushed);
    ck_assert_str_eq(client_take(alice), "[12:03] <bob> one\n[12:03] <bob> two\n[12:03] <bob> three\n");
    harness_free(harness);
}
END_TEST

/* Many come and go at once: what they leave behind may be more than the transcript holds, and nobody falls
 * over that. */
START_TEST(test_crowd_leaves)
{
    enum { PEOPLE = 100, ROOMS = 20 };
    char room[NAME_MAX_BYTES + 1] = "", nick[NAME_MAX_BYTES + 1] = "";
    Harness *harness = harness_new(NULL, PEOPLE + 1);
    Client *witness = client_named(harness, "witness"), *crowd[PEOPLE];

    /* Long names, in letters of four bytes: 𐐨 */
    for (unsigned i = 0; i < 20; i++)
        (void) strcat(room, "\xf0\x90\x90\xa8");
    for (unsigned i = 0; i < PEOPLE; i++) {
        (void) snprintf(nick, sizeof nick, "%.80s%u", room, i);
        crowd[i] = client_named(harness, nick);
    }
    for (unsigned i = 0; i < PEOPLE; i++) {
        for (unsigned j = 1; j < ROOMS; j++)
            client_say(harness, crowd[i], "/join #%s%c%c", room, 'a' + (int) j, 'a' + (int) (i / 25));
        harness_turn(harness);
    }
    client_say(harness, witness, "/join #%sba", room);
    harness_check(harness);
    harness_take_all(harness);
    for (unsigned i = 0; i < PEOPLE; i++)
        client_break(harness, crowd[i]);
    harness_turn(harness);
    harness_turn(harness);
    ck_assert(strstr(client_take(witness), " has left\n") != NULL);
    client_say(harness, witness, "/join #lobby");
    ck_assert_str_eq(client_take(witness), "-- You are in #lobby now, alone.\n");
    harness_check(harness);
    harness_free(harness);
}
END_TEST

UNIT_MAIN("session", test_full, test_places, test_address_full, test_guests, test_serials, test_rename,
          test_hears, test_end, test_lagging, test_cursor, test_crowd_leaves)
