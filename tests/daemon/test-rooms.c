/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Several rooms at a time, one of them current; what is shown on coming in; what is left when all have gone.
 */

#include <stdlib.h>
#include <string.h>

#include "lib/client.h"

static void join(Client *client, const char *room)
{
    client_say(client, "/join %s", room);
    client_expect(client, "-- You are in %s now{any}", room);
}

START_TEST(a_room_is_heard_by_those_in_it)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob, *carol;

    people_connect(daemon, "alice", &alice, "bob", &bob, "carol", &carol, NULL);
    client_say(alice, "/join #dev");
    client_expect_next(alice, "-- You are in #dev now{any}");
    client_say(bob, "/join #dev");
    client_expect_next(bob, "-- You are in #dev now, with 1 other.");
    client_expect_next(alice, "-- bob is here");
    client_say(alice, "only here");
    client_expect_next(bob, "[{time}] <alice> only here");
    client_say(alice, "/me waves");
    client_expect_next(bob, "[{time}] * alice waves");
    client_expect_nothing(alice);
    client_expect_nothing(carol);
    daemon_stop(daemon);
}
END_TEST

START_TEST(another_room_is_named)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob, *carol;

    people_connect(daemon, "alice", &alice, "bob", &bob, "carol", &carol, NULL);
    join(alice, "#dev");
    client_say(bob, "hello");
    client_expect_next(alice, "[{time}] #lobby <bob> hello");
    client_expect_next(carol, "[{time}] <bob> hello");
    client_say(bob, "/me waves");
    client_expect_next(alice, "[{time}] #lobby * bob waves");
    client_say(bob, "/msg alice psst");
    client_expect_next(alice, "[{time}] (private) <bob> psst");
    client_say(bob, "/topic tea");
    client_expect_next(alice, "-- #lobby: bob set the topic: tea");
    client_close(carol);
    client_expect_next(alice, "-- #lobby: carol has left");
    client_say(bob, "/join #dev");
    client_expect_next(alice, "-- bob is here");
    client_say(alice, "/join #lobby");
    client_expect_next(alice, "-- You are in #lobby now, with 1 other.");
    client_sync(bob);
    client_say(bob, "in dev");
    client_expect(alice, "[{time}] #dev <bob> in dev");
    client_say(alice, "in the lobby");
    client_expect_next(bob, "[{time}] #lobby <alice> in the lobby");
    daemon_stop(daemon);
}
END_TEST

START_TEST(leaving_goes_back)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    join(alice, "#dev");
    join(bob, "#dev");
    client_expect_next(alice, "-- bob is here");
    client_say(alice, "/leave");
    client_expect_next(alice, "-- You left #dev. You are in #lobby now{any}");
    client_expect_next(bob, "-- alice has left");
    client_say(bob, "still in dev");
    client_sync(bob);
    client_expect_nothing(alice);
    client_say(bob, "/leave #lobby");
    client_expect_next(bob, "-- You left #lobby.{any}");
    client_expect_next(alice, "-- bob has left");
    client_say(alice, "bob does not hear this");
    client_sync(alice);
    client_expect_nothing(bob);
    client_say(bob, "/leave");
    client_expect_next(bob, "-- You left #dev. You are in #lobby now{any}");
    client_expect_next(alice, "-- bob is here");
    client_say(bob, "back");
    client_expect_next(alice, "[{time}] <bob> back");
    daemon_stop(daemon);
}
END_TEST

START_TEST(leaving_another_room_keeps_the_current_one)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    join(alice, "#one");
    join(alice, "#two");
    join(bob, "#two");
    client_expect_next(alice, "-- bob is here");
    client_say(alice, "/leave #one");
    client_expect_next(alice, "-- You left #one.{any}");
    client_say(alice, "in two");
    client_expect_next(bob, "[{time}] <alice> in two");
    daemon_stop(daemon);
}
END_TEST

static void expect_in_rooms(Client *client, const char *room, bool is_there)
{
    char *rooms = client_ask(client, "/rooms");

    ck_assert_msg((strstr(rooms, room) != NULL) == is_there, "%s should %sbe in:\n%s", room,
                  is_there ? "" : "not ", rooms);
    free(rooms);
}

START_TEST(a_room_is_gone_when_it_is_empty)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    expect_in_rooms(bob, "#lobby", true);
    expect_in_rooms(bob, "#dev", false);
    join(alice, "#dev");
    client_say(alice, "/topic secret plans");
    client_say(alice, "remember this");
    client_sync(alice);
    expect_in_rooms(bob, "#dev", true);
    join(bob, "#dev");
    client_close(alice);
    client_expect(bob, "-- alice has left");
    expect_in_rooms(bob, "#dev", true);
    client_say(bob, "/leave #dev");
    client_sync(bob);
    expect_in_rooms(bob, "#dev", false);
    /* The next room of that name has nothing of it. */
    client_say(bob, "/join #dev");
    client_expect_next(bob, "-- You are in #dev now{any}");
    client_expect_nothing(bob);
    daemon_stop(daemon);
}
END_TEST

START_TEST(the_lobby_stays)
{
    Daemon *daemon = daemon_start();
    Client *alice = client_connect_as(daemon, "alice"), *bob;

    client_say(alice, "said in the lobby");
    join(alice, "#dev");
    client_say(alice, "/leave #lobby");
    client_sync(alice);
    bob = client_open(daemon, .listener = 0);
    client_expect_greeting(bob);
    client_expect_next(bob, "[{time}] <alice> said in the lobby");
    client_expect_nothing(bob);
    daemon_stop(daemon);
}
END_TEST

/* Names of rooms are the same under folding, and shown as the first who came wrote them. */
START_TEST(room_names_are_folded)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    join(alice, "#Dev");
    client_say(bob, "/join #dEV");
    client_expect_next(bob, "-- You are in #Dev now, with 1 other.");
    client_expect_next(alice, "-- bob is here");
    daemon_stop(daemon);
}
END_TEST

START_TEST(joining_shows_topic_and_history)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    join(alice, "#dev");
    client_say(alice, "/topic tea");
    client_say(alice, "first");
    client_say(alice, "/me waves");
    client_say(alice, "/msg bob not part of it");
    client_sync(alice);
    client_sync(bob);
    client_say(bob, "/join #dev");
    client_expect_next(bob, "-- You are in #dev now, with 1 other.");
    client_expect_next(bob, "-- Topic of #dev: tea");
    client_expect_next(bob, "[{time}] <alice> first");
    client_expect_next(bob, "[{time}] * alice waves");
    client_expect_nothing(bob);
    daemon_stop(daemon);
}
END_TEST

START_TEST(newcomers_see_the_last_twenty_lines)
{
    Daemon *daemon = daemon_start(.config = DAEMON_CONFIG "[Chat]\nMotd=Be kind.\nMotd=Have fun.\n");
    Client *alice = client_connect_as(daemon, "alice"), *bob = client_connect_as(daemon, "bob"), *carol;

    client_say(alice, "/topic tea");
    for (int i = 0; i < 30; i++)
        client_say(alice, "line %d", i);
    client_sync(alice);
    client_close(bob);
    client_expect(alice, "-- bob has left");
    carol = client_open(daemon, .listener = 0);
    client_expect_next(carol, "-- Welcome to {any}; 1 other is here. /help lists the commands.");
    client_expect_next(carol, "-- Be kind.");
    client_expect_next(carol, "-- Have fun.");
    client_expect_next(carol, "-- Topic of #lobby: tea");
    for (int i = 10; i < 30; i++)
        client_expect_next(carol, "[{time}] <alice> line %d", i);
    client_expect_nothing(carol);
    daemon_stop(daemon);
}
END_TEST

static const struct {
    const char *config;
    int n_shown;
} histories[] = {
    {DAEMON_CONFIG "[Chat]\nHistory=0\n", 0},
    {DAEMON_CONFIG "[Chat]\nHistory=3\n", 3},
    {DAEMON_CONFIG "[Chat]\nHistory=200\n", 30},
};

START_TEST(history_is_as_long_as_configured)
{
    for (size_t row = 0; row < N_ELEMENTS(histories); row++) {
        Daemon *daemon = daemon_start(.config = histories[row].config);
        Client *alice = client_connect_as(daemon, "alice"), *carol;

        suite_note("row %zu", row);
        for (int i = 0; i < 30; i++)
            client_say(alice, "line %d", i);
        client_sync(alice);
        carol = client_open(daemon, .listener = 0);
        client_expect_greeting(carol);
        for (int i = 30 - histories[row].n_shown; i < 30; i++)
            client_expect_next(carol, "[{time}] <alice> line %d", i);
        client_expect_nothing(carol);
        daemon_stop(daemon);
    }
}
END_TEST

/* /history shows one's own lines too, and only the room's. */
START_TEST(history_on_request)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    for (int i = 0; i < 5; i++) {
        client_say(alice, "alice %d", i);
        client_sync(alice);
        client_say(bob, "bob %d", i);
        client_sync(bob);
    }
    client_sync(alice);
    client_say(alice, "/history 4");
    client_expect(alice, "[{time}] <alice> alice 3");
    client_expect_next(alice, "[{time}] <bob> bob 3");
    client_expect_next(alice, "[{time}] <alice> alice 4");
    client_expect_next(alice, "[{time}] <bob> bob 4");
    client_expect_nothing(alice);
    client_say(alice, "/history");
    client_expect(alice, "[{time}] <alice> alice 0");
    client_expect(alice, "[{time}] <bob> bob 4");
    client_expect_nothing(alice);
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("rooms", {a_room_is_heard_by_those_in_it, 0}, {another_room_is_named, 0}, {leaving_goes_back, 0},
           {leaving_another_room_keeps_the_current_one, 0}, {a_room_is_gone_when_it_is_empty, 0},
           {the_lobby_stays, 0}, {room_names_are_folded, 0}, {joining_shows_topic_and_history, 0},
           {newcomers_see_the_last_twenty_lines, 0}, {history_is_as_long_as_configured, 0},
           {history_on_request, 0})
