/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "chat/room.h"
#include "chat/session.h"
#include "unit/harness.h"
#include "unit/unit.h"

static Name name_of(const char *format, ...) _printf_(1, 2);

static Name name_of(const char *format, ...)
{
    char text[64];
    va_list arguments;
    Name name;

    va_start(arguments, format);
    (void) vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ck_assert_int_eq(name_parse(text, strlen(text), NAME_MAX_CHARS, &name), 0);
    return name;
}

static int join(Harness *harness, const Client *client, const char *room)
{
    Name name = name_of("%s", room);
    uint32_t found;
    int r;

    chat_reserve(harness->chat, client->session);
    r = room_join(harness->chat, client->session, &name, &found);
    chat_commit(harness->chat);
    return r;
}

static void leave(Harness *harness, const Client *client, const char *room)
{
    Name name = name_of("%s", room);

    chat_reserve(harness->chat, client->session);
    room_leave(harness->chat, client->session, room_find(harness->chat, &name));
    chat_commit(harness->chat);
}

static void set_topic(Harness *harness, const Client *client, const char *text, size_t n)
{
    chat_reserve(harness->chat, client->session);
    room_set_topic(harness->chat, ROOM_LOBBY, client->session, text, n);
    chat_commit(harness->chat);
}

/* As many are in rooms as there are records for, but for those who may still come: each of them finds a
 * place. */
START_TEST(test_place_for_who_comes)
{
    enum { MAX_PEOPLE = 5 };
    Harness *harness = harness_new(NULL, MAX_PEOPLE);
    const StateHeader *header = harness->chat->state.header;
    Slots *slots = &harness->chat->member_slots;
    Client *alice = client_named(harness, "alice");
    uint32_t filler = 0;

    while (slots_n_used(slots) + MAX_PEOPLE - 1 < header->max_members - 1)
        filler = slots_take(slots);
    ck_assert_int_eq(join(harness, alice, "a"), 0);
    ck_assert_int_eq(join(harness, alice, "b"), ROOM_TOO_MANY_OF_CLIENT);
    for (unsigned i = 1; i < MAX_PEOPLE; i++)
        ck_assert_ptr_nonnull(client_named(harness, (const char *[]){"bob", "carol", "dave", "eve"}[i - 1]));
    ck_assert_uint_eq(slots_n_used(slots), header->max_members);
    /* Without a record nobody is let in. */
    client_say(harness, alice, "/quit");
    ck_assert_uint_eq(slots_n_used(slots), header->max_members - 2);
    (void) slots_take(slots);
    filler = slots_take(slots);
    ck_assert_int_eq(session_may_open(harness->chat, &alice->peer, NULL), SESSION_FULL);
    slots_give(slots, filler);
    ck_assert_int_eq(session_may_open(harness->chat, &alice->peer, NULL), 0);
    harness_free(harness);
}
END_TEST

/* MaxRooms= besides the lobby: so many and not one more. */
START_TEST(test_too_many)
{
    Harness *harness;
    Config config;
    Client *alice, *bob;

    harness_config(&config);
    config.max_rooms = 3;
    harness = harness_new(&config, 10);
    alice = client_named(harness, "alice");
    bob = client_named(harness, "bob");
    ck_assert_int_eq(join(harness, alice, "a"), 0);
    ck_assert_int_eq(join(harness, alice, "b"), 0);
    ck_assert_int_eq(join(harness, bob, "c"), 0);
    ck_assert_int_eq(join(harness, bob, "d"), ROOM_TOO_MANY);
    ck_assert_int_eq(join(harness, bob, "a"), 0);
    ck_assert_int_eq(join(harness, bob, "lobby"), 0);
    harness_check(harness);
    client_say(harness, bob, "/leave #c");
    ck_assert_int_eq(join(harness, bob, "d"), 0);
    ck_assert_int_eq(join(harness, bob, "e"), ROOM_TOO_MANY);
    /* The lobby has its place also when it is empty. */
    client_say(harness, alice, "/leave #lobby");
    client_say(harness, bob, "/leave #lobby");
    ck_assert_int_eq(join(harness, bob, "e"), ROOM_TOO_MANY);
    ck_assert_int_eq(join(harness, bob, "lobby"), 0);
    harness_check(harness);
    harness_free(harness);
}
END_TEST

/* MaxRoomsPerClient=, the lobby included. */
START_TEST(test_too_many_of_client)
{
    Harness *harness;
    Config config;
    Client *alice, *bob;

    harness_config(&config);
    config.max_rooms_per_client = 3;
    harness = harness_new(&config, 10);
    alice = client_named(harness, "alice");
    bob = client_named(harness, "bob");
    ck_assert_int_eq(join(harness, bob, "c"), 0);
    ck_assert_int_eq(join(harness, alice, "a"), 0);
    ck_assert_int_eq(join(harness, alice, "b"), 0);
    ck_assert_int_eq(join(harness, alice, "c"), ROOM_TOO_MANY_OF_CLIENT);
    ck_assert_int_eq(join(harness, alice, "d"), ROOM_TOO_MANY_OF_CLIENT);
    ck_assert_int_eq(join(harness, alice, "A"), 0); /* it is in that one */
    client_say(harness, alice, "/leave #lobby");
    ck_assert_int_eq(join(harness, alice, "c"), 0);
    ck_assert_int_eq(join(harness, alice, "lobby"), ROOM_TOO_MANY_OF_CLIENT);
    harness_check(harness);
    harness_free(harness);
}
END_TEST

/* No limit: as many rooms as the file has room for, and the transcript for the words of somebody who leaves
 * them. */
START_TEST(test_unlimited)
{
    Harness *harness;
    Config config;
    Client *alice, *bob;
    char text[16];

    harness_config(&config);
    config.max_rooms_per_client = 0;
    config.max_rooms = 500;
    config.transcript_size = 1 << 20;
    harness = harness_new(&config, 2);
    ck_assert_uint_eq(chat_room_bound(harness->chat), 501);
    alice = client_named(harness, "alice");
    bob = client_named(harness, "bob");
    for (unsigned i = 0; i < 500; i++) {
        (void) snprintf(text, sizeof text, "room%u", i);
        ck_assert_int_eq(join(harness, alice, text), 0);
    }
    ck_assert_int_eq(join(harness, alice, "more"), ROOM_TOO_MANY_OF_CLIENT);
    ck_assert_int_eq(join(harness, bob, "more"), ROOM_TOO_MANY);
    harness_check(harness);
    ck_assert_uint_eq(chat_n_rooms(harness->chat), 501);
    client_break(harness, alice);
    client_break(harness, bob);
    ck_assert_uint_eq(chat_n_rooms(harness->chat), 0);
    harness_free(harness);
}
END_TEST

/* A room is gone with its last member, and the next one of its name is a new one; the lobby stays. */
START_TEST(test_gone)
{
    Harness *harness = harness_new(NULL, 10);
    Client *alice = client_named(harness, "alice");
    Name dev = name_of("dev"), upper = name_of("DEV"), lobby = name_of("Lobby");

    ck_assert_uint_eq(room_find(harness->chat, &dev), SLOT_NONE);
    ck_assert_uint_eq(room_find(harness->chat, &lobby), ROOM_LOBBY);
    ck_assert_uint_eq(chat_n_rooms(harness->chat), 1);
    client_say(harness, alice, "/join #dev");
    ck_assert_uint_ne(room_find(harness->chat, &upper), SLOT_NONE);
    ck_assert_uint_eq(chat_n_rooms(harness->chat), 2);
    client_say(harness, alice, "/topic words");
    client_say(harness, alice, "hello");
    client_say(harness, alice, "/leave #lobby");
    ck_assert_uint_eq(chat_n_rooms(harness->chat), 1);
    ck_assert_uint_eq(room_find(harness->chat, &lobby), ROOM_LOBBY);
    client_say(harness, alice, "/leave");
    ck_assert_uint_eq(room_find(harness->chat, &dev), SLOT_NONE);
    (void) client_take(alice);
    client_say(harness, alice, "/join #DEV");
    ck_assert_str_eq(client_take(alice), "-- You are in #DEV now, alone.\n");
    harness_check(harness);
    harness_free(harness);
}
END_TEST

/* Up to 30 people are told of everyone who comes, goes, and takes another name. */
static Client *crowd(Harness *harness, unsigned n)
{
    Client *last = NULL;

    for (unsigned i = 0; i < n; i++) {
        last = client_new(harness);
        harness_turn(harness);
    }
    harness_take_all(harness);
    return last;
}

START_TEST(test_announce_30)
{
    Harness *harness = harness_new(NULL, 50);
    Client *alice = client_named(harness, "alice"), *last;

    (void) crowd(harness, 28);
    last = client_new(harness); /* the 30th */
    harness_turn(harness);
    ck_assert_str_eq(client_take(alice), "-- guest30 is here\n");
    client_say(harness, last, "/nick bob");
    ck_assert_str_eq(client_take(alice), "-- guest30 is now bob\n");
    client_break(harness, last);
    harness_turn(harness);
    ck_assert_str_eq(client_take(alice), "-- bob has left\n");
    ck_assert_uint_eq(harness->chat->next_summary, UINT64_MAX);
    harness_free(harness);
}
END_TEST

START_TEST(test_announce_31)
{
    Harness *harness = harness_new(NULL, 50);
    Client *alice = client_named(harness, "alice"), *last;

    (void) crowd(harness, 29);
    last = client_new(harness); /* the 31st */
    harness_turn(harness);
    client_say(harness, last, "/nick bob");
    client_say(harness, last, "/nick robert");
    client_break(harness, last);
    harness_turn(harness);
    ck_assert_str_eq(client_take(alice), "");
    /* Now they are 30 again. */
    last = client_new(harness);
    harness_turn(harness);
    harness_wait(harness, ANNOUNCE_SUM_USEC - 1);
    harness_turn(harness);
    ck_assert_str_eq(client_take(alice), "");
    harness_wait(harness, 1);
    harness_turn(harness);
    ck_assert_str_eq(client_take(alice), "-- 2 came, 1 left, 2 changed names\n");
    harness_wait(harness, 10 * ANNOUNCE_SUM_USEC);
    harness_turn(harness);
    ck_assert_str_eq(client_take(alice), "");
    harness_free(harness);
}
END_TEST

/* At most one line every 10 s, and only of what happened. */
START_TEST(test_summaries)
{
    Harness *harness = harness_new(NULL, 100);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob"), *last;
    unsigned n_lines = 0;

    client_say(harness, bob, "/set joins off");
    last = crowd(harness, 40);
    /* What came of filling the room. */
    harness_wait(harness, ANNOUNCE_SUM_USEC);
    harness_turn(harness);
    ck_assert_str_eq(client_take(alice), "-- 12 came\n");
    ck_assert_str_eq(client_take(bob), "");
    for (unsigned i = 0; i < 100; i++) {
        harness_wait(harness, USEC_PER_SEC);
        client_say(harness, last, "/nick name%u", i);
        n_lines += client_take(alice)[0] != '\0';
    }
    ck_assert_uint_ge(n_lines, 9);
    ck_assert_uint_le(n_lines, 10);
    /* Nobody is left to be told: nothing is due. */
    for (unsigned i = 0; i < harness->n_clients; i++)
        client_break(harness, harness->clients[i]);
    harness_wait(harness, ANNOUNCE_SUM_USEC);
    harness_turn(harness);
    ck_assert_uint_eq(harness->chat->next_summary, UINT64_MAX);
    harness_free(harness);
}
END_TEST

/* The last n things said, as far as they are there. */
static unsigned count_history(Harness *harness, uint32_t room, uint32_t n)
{
    TranscriptSpan span;
    const Entry *entry;
    unsigned found = 0;

    if (!room_history(harness->chat, room, n, &span))
        return 0;
    for (entry = transcript_at(&harness->chat->transcript, span.last);
         entry != NULL && entry->pos >= span.first;
         entry = transcript_at(&harness->chat->transcript, entry->prev))
        found++;
    return found;
}

START_TEST(test_history)
{
    static const uint32_t numbers[] = {0, 1, 2, 199, 200, 201, 249, 250, 251, 1000};
    Harness *harness = harness_new(NULL, 10);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");

    ck_assert_uint_eq(count_history(harness, ROOM_LOBBY, 10), 0);
    client_say(harness, bob, "/join #dev");
    for (unsigned i = 0; i < 250; i++) {
        client_say(harness, alice, "%s%u", i % 2 ? "/me " : "", i);
        client_say(harness, bob, "elsewhere");
        client_say(harness, bob, "/msg alice psst");
        client_say(harness, alice, "/topic %u", i);
    }
    for (size_t i = 0; i < N_ELEMENTS(numbers); i++)
        ck_assert_uint_eq(count_history(harness, ROOM_LOBBY, numbers[i]), MIN(numbers[i], 250U));
    /* What is overwritten is forgotten. */
    for (unsigned i = 0; i < 300; i++)
        client_say(harness, bob, "%0900d", 0);
    ck_assert_uint_eq(count_history(harness, ROOM_LOBBY, 10), 0);
    ck_assert_uint_gt(count_history(harness, 1, 1000), 180);
    ck_assert_uint_lt(count_history(harness, 1, 1000), 300);
    harness_free(harness);
}
END_TEST

START_TEST(test_topic)
{
    static char text[LIMIT_TOPIC_BYTES];
    Harness *harness = harness_new(NULL, 10);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");
    const RoomRecord *lobby = &harness->chat->state.rooms[ROOM_LOBBY];

    memset(text, 't', sizeof text);
    set_topic(harness, alice, text, sizeof text);
    ck_assert_uint_eq(lobby->topic_n, sizeof text);
    ck_assert_mem_eq(lobby->topic, text, sizeof text);
    ck_assert_str_eq(lobby->topic_by.bytes, "alice");
    set_topic(harness, bob, NULL, 0);
    ck_assert_uint_eq(lobby->topic_n, 0);
    harness_turn(harness);
    ck_assert_str_eq(client_take(alice), "-- bob cleared the topic\n");
    harness_free(harness);
}
END_TEST

/* Against a table of who is where. */

enum { PEOPLE = 40, ROOMS = 12 };

static void check_table(Harness *harness, Client *const *people, bool is_in[PEOPLE][ROOMS])
{
    for (unsigned room = 0; room < ROOMS; room++) {
        Name name = name_of("room%u", room);
        uint32_t found = room_find(harness->chat, &name);
        unsigned n = 0;

        for (unsigned i = 0; i < PEOPLE; i++) {
            n += is_in[i][room];
            if (found != SLOT_NONE)
                ck_assert_int_eq(room_member(harness->chat, found, people[i]->session) != SLOT_NONE,
                                 is_in[i][room]);
        }
        ck_assert_int_eq(found != SLOT_NONE, n > 0);
        ck_assert(n == 0 || harness->chat->rooms[found].n_members == n);
    }
}

START_TEST(test_random)
{
    static bool is_in[PEOPLE][ROOMS];
    Client *people[PEOPLE];
    Harness *harness;
    Config config;
    uint64_t seed = 21;

    harness_config(&config);
    config.max_rooms_per_client = 6;
    harness = harness_new(&config, PEOPLE);
    for (unsigned i = 0; i < PEOPLE; i++)
        people[i] = client_new(harness);
    harness_turn(harness);
    for (unsigned step = 0; step < 10000; step++) {
        unsigned who = random_below(&seed, PEOPLE), room = random_below(&seed, ROOMS), n = 1;
        char name[8];

        (void) snprintf(name, sizeof name, "room%u", room);
        for (unsigned i = 0; i < ROOMS; i++)
            n += is_in[who][i];
        if (is_in[who][room] && random_below(&seed, 4) != 0) {
            leave(harness, people[who], name);
            is_in[who][room] = false;
        } else {
            int r = join(harness, people[who], name);

            ck_assert_int_eq(r, is_in[who][room] || n < 6 ? 0 : ROOM_TOO_MANY_OF_CLIENT);
            is_in[who][room] = r == 0;
        }
        if (random_below(&seed, 10) == 0) {
            harness_turn(harness);
            harness_check(harness);
            check_table(harness, people, is_in);
        }
    }
    harness_free(harness);
}
END_TEST

/* As many rooms as one can be in, each with so many people in it that coming and going is counted there: one
 * transaction has room for it all, in the transcript and to be undone. */
START_TEST(test_bound)
{
    enum { CROWD = ANNOUNCE_PEOPLE + 2 };
    Client *crowd[CROWD];
    Harness *harness;
    Config config;
    uint32_t bound;
    char name[16];

    harness_config(&config);
    config.max_rooms = 1000;
    config.max_rooms_per_client = 0;
    harness = harness_new(&config, CROWD);
    bound = chat_room_bound(harness->chat);
    ck_assert_uint_gt(bound, 100);
    ck_assert_uint_lt(bound, 1000);
    for (unsigned i = 0; i < CROWD; i++) {
        (void) snprintf(name, sizeof name, "p%u", i);
        crowd[i] = client_named(harness, name);
        for (uint32_t room = 1; room <= bound; room++) {
            (void) snprintf(name, sizeof name, "r%u", room);
            ck_assert_int_eq(join(harness, crowd[i], name), room < bound ? 0 : ROOM_TOO_MANY_OF_CLIENT);
            harness_turn(harness);
        }
    }
    client_say(harness, crowd[0], "/nick other");
    client_say(harness, crowd[0], "/quit");
    ck_assert(crowd[0]->is_gone);
    for (unsigned i = 1; i < CROWD; i++) {
        client_break(harness, crowd[i]);
        harness_turn(harness);
    }
    ck_assert_uint_eq(chat_n_rooms(harness->chat), 0);
    harness_check(harness);
    harness_free(harness);
}
END_TEST

static unsigned copy_history(const Harness *from, uint64_t transcript_size, uint32_t n)
{
    Harness *to;
    Config config;
    unsigned found;

    harness_config(&config);
    config.transcript_size = transcript_size;
    to = harness_new(&config, 2);
    room_copy(to->chat, from->chat, ROOM_LOBBY);
    ck_assert(!state_is_open(&to->chat->state));
    ck_assert_uint_eq(to->chat->state.header->flushed, to->chat->state.header->head);
    found = count_history(to, ROOM_LOBBY, n);
    harness_check(to);
    harness_survive(to);
    ck_assert_uint_eq(count_history(to, ROOM_LOBBY, n), found);
    harness_free(to);
    return found;
}

/* The history of a room for another chat: the last of it, as far as there is room for it. */
START_TEST(test_copied)
{
    Harness *harness;
    Config config;
    Client *alice;

    harness_config(&config);
    config.transcript_size = 4 << 20;
    harness = harness_new(&config, 10);
    ck_assert_uint_eq(copy_history(harness, 256 * 1024, 10), 0);
    alice = client_named(harness, "alice");
    client_say(harness, alice, "one");
    ck_assert_uint_eq(copy_history(harness, 256 * 1024, 10), 1);
    for (unsigned i = 0; i < 250; i++)
        client_say(harness, alice, "%01900d", 0);
    ck_assert_uint_eq(copy_history(harness, 4 << 20, 1000), LIMIT_HISTORY);
    ck_assert_uint_gt(copy_history(harness, 256 * 1024, 1000), 80);
    ck_assert_uint_lt(copy_history(harness, 256 * 1024, 1000), 256 * 1024 / 1900);
    harness_free(harness);
}
END_TEST

UNIT_MAIN("room", test_too_many, test_too_many_of_client, test_unlimited, test_gone, test_announce_30,
          test_announce_31, test_summaries, test_history, test_topic, test_random, test_bound, test_copied,
          test_place_for_who_comes)
