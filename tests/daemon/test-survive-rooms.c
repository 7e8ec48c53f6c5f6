/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Rooms over a restart: their order, and how many one may be in when the settings become others meanwhile. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/client.h"

static void set_config(Daemon *daemon, const char *limits)
{
    char text[512];

    (void) snprintf(text, sizeof(text), DAEMON_CONFIG "MaxClientsPerAddress=0\n%s", limits);
    daemon_write_file(daemon, "chatd.conf", text);
}

static void join_rooms(Client *client, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        client_say(client, "/join #r%u", i);
        client_expect(client, "-- You are in #r%u now{any}", i);
    }
}

/* How many of the rooms "r0", "r1", ... it may enter. */
static unsigned join_as_may_be(Client *client, unsigned n_max)
{
    unsigned n = 0;

    while (n < n_max) {
        char *answer = client_ask(client, "/join #r%u", n);
        bool is_in = strstr(answer, "-- You are in ") != NULL;

        free(answer);
        if (!is_in)
            break;
        n++;
    }
    return n;
}

/* Greeted, and has said nothing: the transcript has no entry of it by which to tell what came first. */
static Client *newcomer(Daemon *daemon)
{
    Client *client = client_open(daemon, .listener = 0);

    client_expect_greeting(client);
    return client;
}

/* With free places among the records of members, so that who came last has not the last of these. */
START_TEST(a_room_lists_people_in_the_order_they_came)
{
    enum { N_PEOPLE = 34 }; /* so many that their coming is announced in sum */
    Daemon *daemon = daemon_start();
    Client *people[N_PEOPLE], *alice, *xavier, *yolanda;
    char *before, *after;

    for (size_t i = 0; i < N_PEOPLE; i++)
        people[i] = client_connect(daemon);
    alice = people[0];
    for (size_t i = 30; i < 32; i++) {
        client_close(people[i]);
        daemon_expect_sleep(daemon);
    }
    xavier = newcomer(daemon);
    yolanda = newcomer(daemon);
    client_become(xavier, "xavier");
    client_become(yolanda, "yolanda");
    client_sync(alice);
    before = client_ask(alice, "/who");
    for (int i = 0; i < 3; i++) {
        daemon_revive(daemon);
        client_sync(alice);
        after = client_ask(alice, "/who");
        ck_assert_str_eq(before, after);
        free(after);
    }
    free(before);
    daemon_stop(daemon);
}
END_TEST

/* Who leaves a room is in the one entered before it. */
START_TEST(rooms_are_left_in_order)
{
    for (int is_revived = 0; is_revived <= 1; is_revived++) {
        Daemon *daemon = daemon_start();
        Client *first = client_connect(daemon), *second = client_connect(daemon), *alice;

        suite_note("revived: %d", is_revived);
        client_close(first);
        daemon_expect_sleep(daemon);
        client_close(second);
        daemon_expect_sleep(daemon);
        alice = newcomer(daemon);
        client_say(alice, "/join #x");
        client_say(alice, "/join #y");
        client_sync(alice);
        if (is_revived)
            daemon_revive(daemon);
        client_say(alice, "/leave #y");
        client_expect_next(alice, "-- You left #y. You are in #x now, alone.");
        if (is_revived)
            daemon_revive(daemon);
        client_say(alice, "/leave #lobby");
        client_expect_next(alice, "-- You left #lobby. You are in #x now, alone.");
        client_say(alice, "/leave #x");
        client_expect_next(alice, "-- You left #x. You are in #lobby now, alone.");
        daemon_stop(daemon);
    }
}
END_TEST

START_TEST(many_rooms_of_many_people)
{
    enum { N_PEOPLE = 40, N_ROOMS = 200 };
    Daemon *daemon =
        daemon_start(.config = DAEMON_CONFIG "MaxClientsPerAddress=0\nMaxRoomsPerClient=0\nMaxRooms=0\n");
    Client *people[N_PEOPLE];

    for (size_t i = 0; i < N_PEOPLE; i++) {
        people[i] = client_connect(daemon);
        join_rooms(people[i], N_ROOMS);
    }
    daemon_settle(daemon);
    daemon_revive(daemon);
    for (size_t i = 0; i < N_PEOPLE; i++) {
        client_say(people[i], "/leave #r%u", N_ROOMS - 1);
        client_expect(people[i], "-- You left #r%u. You are in #r%u now, with %d others.", N_ROOMS - 1,
                      N_ROOMS - 2, N_PEOPLE - 1);
    }
    daemon_stop(daemon);
}
END_TEST

/* A reload allows more rooms than there is memory for: not more than that may be entered, and to leave all of
 * them at once is still one transaction. */
START_TEST(more_rooms_by_a_reload)
{
    Daemon *daemon = daemon_start(.config = DAEMON_CONFIG "MaxClients=200\nMaxRoomsPerClient=2\n");
    Client *alice = client_connect_as(daemon, "alice"), *bob;
    unsigned n;

    client_say(alice, "/join #garden");
    client_say(alice, "/join #attic");
    client_expect(alice, "!! You are in as many rooms as you may be: 2.{any}");
    set_config(daemon, "MaxClients=200\nMaxRoomsPerClient=0\n");
    daemon_reload(daemon);
    daemon_expect_log(daemon, "after a restart");
    n = join_as_may_be(alice, 300);
    ck_assert_uint_lt(n, 300);
    bob = client_connect_as(daemon, "bob");
    client_say(alice, "/nick eve");
    client_expect(bob, "-- alice is now eve");
    daemon_restart(daemon);
    ck_assert_uint_eq(join_as_may_be(alice, 300), 300);
    daemon_revive(daemon);
    client_say(alice, "/quit");
    client_expect(bob, "-- eve has left");
    daemon_stop(daemon);
}
END_TEST

/* Room for more people, and fewer rooms for each: somebody who is in more of them than that stays there. */
START_TEST(more_people_and_fewer_rooms)
{
    Daemon *daemon = daemon_start(.config = DAEMON_CONFIG "MaxClients=10\nMaxRoomsPerClient=1000\n");
    Client *alice = client_connect_as(daemon, "alice");

    join_rooms(alice, 100);
    set_config(daemon, "MaxClients=10000\nMaxRoomsPerClient=20\n");
    daemon_restart(daemon);
    client_say(alice, "/leave #r99");
    client_expect_next(alice, "-- You left #r99. You are in #r98 now, alone.");
    client_say(alice, "/join #r99");
    client_expect_next(alice, "!! You are in as many rooms as you may be: 100.{any}");
    /* And the other way round, which asks for more at once than either did. */
    set_config(daemon, "MaxClients=10\nMaxRoomsPerClient=1000\n");
    daemon_restart(daemon);
    client_say(alice, "/join #r99");
    client_expect_next(alice, "-- You are in #r99 now, alone.");
    client_say(alice, "/quit");
    client_expect_next(alice, "-- Goodbye.");
    daemon_stop(daemon);
}
END_TEST

/* Some who are in as many rooms as they can be leave a place in the lobby to everybody to come. */
START_TEST(a_place_for_everybody_to_come)
{
    enum { N_PEOPLE = 60, N_ROOMS = 100 };
    static const char many[] = "MaxRooms=100\nMaxClients=60\nMaxRoomsPerClient=0\n";
    Daemon *daemon = daemon_start(.config = DAEMON_CONFIG "MaxRooms=100\nMaxClients=2\n");
    Client *first = client_connect(daemon);

    set_config(daemon, "MaxRooms=100\nMaxClients=2\nMaxRoomsPerClient=100\n");
    daemon_restart(daemon);
    set_config(daemon, "MaxRooms=100\nMaxClients=60\nMaxRoomsPerClient=2\n");
    daemon_restart(daemon);
    set_config(daemon, many);
    daemon_reload(daemon);
    ck_assert_uint_gt(join_as_may_be(first, N_ROOMS), 90);
    for (size_t i = 1; i < N_PEOPLE; i++) {
        Client *next = client_connect(daemon);

        if (i < 5)
            ck_assert_uint_gt(join_as_may_be(next, N_ROOMS), 90);
    }
    daemon_revive(daemon);
    client_say(first, "everybody there?");
    client_expect(first->next != NULL ? first->next : first->previous, "[{time}] {any}everybody there?");
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("survive-rooms", {a_room_lists_people_in_the_order_they_came, 0}, {rooms_are_left_in_order, 0},
           {many_rooms_of_many_people, 0}, {more_rooms_by_a_reload, 0}, {more_people_and_fewer_rooms, 0},
           {a_place_for_everybody_to_come, 0})
