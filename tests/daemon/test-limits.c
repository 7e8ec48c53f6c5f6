/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Each limit at its boundary: the last that is allowed, the first that is not and its answer, and 0 for none.
 */

#include <stdio.h>
#include <string.h>

#include "lib/client.h"

#define LIMITS "[Limits]\nLinesPerSecond=0\nBytesPerSecond=0\nMaxClientsPerAddress=0\n"
#define FULL "!! The server is full{any}"
#define ADDRESS_FULL "!! Too many connections from your address{any}"

/* The server tells the reason and closes; whoever is in hears nothing of it. */
static void expect_refusal(Daemon *daemon, const ClientOptions *options, const char *pattern)
{
    Client *client = client_open_with(daemon, options);

    client_expect_next(client, "%s", pattern);
    client_expect_eof(client);
    client_close(client);
}

START_TEST(max_clients)
{
    Daemon *daemon = daemon_start(.config = LIMITS "MaxClients=3\n");
    Client *alice, *bob, *carol;

    people_connect(daemon, "alice", &alice, "bob", &bob, "carol", &carol, NULL);
    expect_refusal(daemon, &(ClientOptions){0}, "!! The server is full (3 people). Try again later.");
    expect_refusal(daemon, &(ClientOptions){0}, FULL);
    client_expect_nothing(alice);
    client_say(alice, "we are full");
    client_expect_next(bob, "[{time}] <alice> we are full");
    client_close(carol);
    client_expect_next(bob, "-- carol has left");
    carol = client_connect_as(daemon, "carol");
    expect_refusal(daemon, &(ClientOptions){0}, FULL);
    daemon_expect_log(daemon, "MaxClients");
    daemon_stop(daemon);
}
END_TEST

/* A refused client who has already sent something gets to read why all the same. */
START_TEST(refusal_of_who_talks_at_once)
{
    Daemon *daemon = daemon_start(.config = LIMITS "MaxClients=1\n");
    Client *alice = client_connect_as(daemon, "alice"), *other;

    for (int i = 0; i < 20; i++) {
        other = client_open(daemon, .listener = 0);
        client_send_text(other, "hello\n");
        client_expect_next(other, FULL);
        client_close(other);
    }
    client_expect_nothing(alice);
    daemon_stop(daemon);
}
END_TEST

START_TEST(max_clients_per_address)
{
    static const ClientOptions here = {.from = "127.0.0.1"}, there = {.from = "127.0.0.2"};
    Daemon *daemon = daemon_start(.config = DAEMON_CONFIG "MaxClientsPerAddress=2\n");
    Client *first = client_open_with(daemon, &here), *second = client_open_with(daemon, &here), *third;

    client_expect_greeting(first);
    client_expect_greeting(second);
    expect_refusal(daemon, &here, "!! Too many connections from your address (2). Close one and try again.");
    third = client_open_with(daemon, &there);
    client_expect_greeting(third);
    client_sync(third);
    client_close(second);
    client_expect_next(third, "-- guest{n} has left");
    second = client_open_with(daemon, &here);
    client_expect_greeting(second);
    expect_refusal(daemon, &here, ADDRESS_FULL);
    daemon_expect_log(daemon, "MaxClientsPerAddress");
    daemon_stop(daemon);
}
END_TEST

/* IPv4 clients of an IPv6 socket all come from ::ffff:0:0/64, and are still told apart. */
START_TEST(max_clients_per_address_of_mapped_addresses)
{
    static const ClientOptions here = {.from = "127.0.0.1"}, there = {.from = "127.0.0.2"};
    Daemon *daemon;
    Client *first, *second;

    if (!listener_is_possible(LISTENER_MAPPED)) {
        suite_skip("no IPv6 here");
        return;
    }
    daemon = daemon_start(.config = DAEMON_CONFIG "MaxClientsPerAddress=1\n",
                          .listeners = {{.kind = LISTENER_MAPPED}});
    first = client_open_with(daemon, &here);
    client_expect_greeting(first);
    second = client_open_with(daemon, &there);
    client_expect_greeting(second);
    expect_refusal(daemon, &here, ADDRESS_FULL);
    expect_refusal(daemon, &there, ADDRESS_FULL);
    daemon_stop(daemon);
}
END_TEST

START_TEST(max_clients_per_address_of_ipv6)
{
    Daemon *daemon;
    Client *first;

    if (!listener_is_possible(LISTENER_TCP6)) {
        suite_skip("no IPv6 here");
        return;
    }
    daemon = daemon_start(.config = DAEMON_CONFIG "MaxClientsPerAddress=1\n",
                          .listeners = {{.kind = LISTENER_TCP6}, {.kind = LISTENER_TCP4}});
    first = client_open(daemon, .listener = 0);
    client_expect_greeting(first);
    expect_refusal(daemon, &(ClientOptions){.listener = 0}, ADDRESS_FULL);
    client_expect_greeting(client_open(daemon, .listener = 1));
    daemon_stop(daemon);
}
END_TEST

/* On a unix socket the address is the user. */
START_TEST(max_clients_per_address_of_unix)
{
    Daemon *daemon = daemon_start(.config = DAEMON_CONFIG "MaxClientsPerAddress=2\n",
                                  .listeners = {{.kind = LISTENER_UNIX}, {.kind = LISTENER_TCP4}});

    client_expect_greeting(client_open(daemon, .listener = 0));
    client_expect_greeting(client_open(daemon, .listener = 0));
    expect_refusal(daemon, &(ClientOptions){.listener = 0}, ADDRESS_FULL);
    client_expect_greeting(client_open(daemon, .listener = 1));
    daemon_stop(daemon);
}
END_TEST

START_TEST(default_of_256_for_an_address)
{
    Daemon *daemon = daemon_start();

    for (int i = 0; i < 256; i++)
        client_expect_greeting(client_open(daemon, .listener = 0));
    expect_refusal(daemon, &(ClientOptions){0}, "!! Too many connections from your address (256). {any}");
    daemon_stop(daemon);
}
END_TEST

START_TEST(zero_is_no_limit_for_an_address)
{
    Daemon *daemon = daemon_start(.config = LIMITS);

    for (int i = 0; i < 300; i++)
        client_expect_greeting(client_open(daemon, .listener = 0));
    daemon_stop(daemon);
}
END_TEST

START_TEST(zero_is_no_limit_for_clients)
{
    Daemon *daemon = daemon_start(.config = LIMITS "MaxClients=0\n");

    for (int i = 0; i < 300; i++)
        client_expect_greeting(client_open(daemon, .listener = 0));
    daemon_stop(daemon);
}
END_TEST

START_TEST(max_rooms)
{
    Daemon *daemon = daemon_start(.config = LIMITS "MaxRooms=2\n");
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    client_say(alice, "/join #one");
    client_expect_next(alice, "-- You are in #one now{any}");
    client_say(alice, "/join #two");
    client_expect_next(alice, "-- You are in #two now{any}");
    client_say(bob, "/join #three");
    client_expect_next(bob, "!! There are as many rooms as there may be: 2. {any}");
    client_say(bob, "/join #one");
    client_expect_next(bob, "-- You are in #one now{any}");
    client_say(alice, "/leave #two");
    client_sync(alice);
    client_say(bob, "/join #three");
    client_expect_next(bob, "-- You are in #three now{any}");
    client_say(alice, "/join #two");
    client_expect_next(alice, "!! There are as many rooms as there may be: 2. {any}");
    daemon_stop(daemon);
}
END_TEST

/* Somebody may be in as many rooms as the transcript can tell about, should they leave. */
START_TEST(zero_is_no_limit_for_rooms)
{
    enum { N_ROOMS = 1005, N_EACH = 500 };
    Daemon *daemon = daemon_start(.config = LIMITS "MaxRooms=0\nMaxRoomsPerClient=0\n");
    Client *client = NULL;

    for (int i = 0; i < N_ROOMS; i++) {
        if (i % N_EACH == 0)
            client = client_connect(daemon);
        client_say(client, "/join #room%d", i);
        client_expect(client, "-- You are in #room%d now{any}", i);
    }
    daemon_stop(daemon);
}
END_TEST

START_TEST(max_rooms_per_client)
{
    Daemon *daemon = daemon_start(.config = LIMITS "MaxRoomsPerClient=3\n");
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    client_say(alice, "/join #one");
    client_expect_next(alice, "-- You are in #one now{any}");
    client_say(alice, "/join #two");
    client_expect_next(alice, "-- You are in #two now{any}");
    client_say(alice, "/join #three");
    client_expect_next(alice, "!! {any}3{any}");
    client_say(alice, "/join #one");
    client_expect_next(alice, "-- You are in #one now{any}");
    client_say(bob, "/join #three");
    client_expect(bob, "-- You are in #three now{any}");
    client_say(alice, "/leave #two");
    client_expect_next(alice, "-- You left #two.{any}");
    client_say(alice, "/join #three");
    client_expect_next(alice, "-- You are in #three now{any}");
    daemon_stop(daemon);
}
END_TEST

/* So many others are there, and so many of them can be ignored. */
static void ignore_boundary(const char *config, int n_max)
{
    Daemon *daemon = daemon_start_with(&(DaemonOptions){.config = config});
    Client *alice = client_connect_as(daemon, "alice");
    char nick[16];

    for (int i = 0; i <= n_max; i++) {
        (void) snprintf(nick, sizeof(nick), "n%d", i);
        (void) client_connect_as(daemon, nick);
    }
    client_sync(alice);
    for (int i = 0; i < n_max; i++) {
        client_say(alice, "/ignore n%d", i);
        client_expect(alice, "-- {any}n%d{any}", i);
    }
    client_say(alice, "/ignore n%d", n_max);
    client_expect_next(alice, "!! {any}");
    client_say(alice, "/ignore n0");
    client_expect_next(alice, "-- {any}n0{any}");
    client_say(alice, "/ignore n%d", n_max);
    client_expect_next(alice, "-- {any}n%d{any}", n_max);
    daemon_stop(daemon);
}

START_TEST(max_ignores)
{
    ignore_boundary(LIMITS "MaxIgnores=2\n", 2);
}
END_TEST

START_TEST(default_of_32_ignores)
{
    ignore_boundary(LIMITS, 32);
}
END_TEST

START_TEST(zero_is_64_ignores)
{
    ignore_boundary(LIMITS "MaxIgnores=0\n", 64);
}
END_TEST

static const struct {
    const char *config;
    size_t n_max;
} line_lengths[] = {
    {LIMITS "MaxLineLength=80\n", 80},
    {LIMITS "MaxLineLength=8000\n", 8000},
    {LIMITS "MaxLineLength=0\n", 8000},
};

START_TEST(max_line_length)
{
    for (size_t i = 0; i < N_ELEMENTS(line_lengths); i++) {
        Daemon *daemon = daemon_start(.config = line_lengths[i].config);
        Client *alice, *bob;
        size_t n = line_lengths[i].n_max;

        suite_note("row %zu", i);
        people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
        client_say(alice, "%s", run_of('x', n));
        client_expect_next(bob, "[{time}] <alice> %s", run_of('x', n));
        client_say(alice, "%s", run_of('x', n + 1));
        client_expect_next(alice, "!! That line had more than %zu bytes{any}", n);
        client_expect_nothing(bob);
        daemon_stop(daemon);
    }
}
END_TEST

static const struct {
    const char *config;
    size_t n_max;
} name_lengths[] = {
    {LIMITS "MaxNickLength=5\n", 5},
    {LIMITS, 24},
    {LIMITS "MaxNickLength=0\n", 24},
};

/* The length counts characters, for nicks and rooms. */
START_TEST(max_nick_length)
{
    for (size_t i = 0; i < N_ELEMENTS(name_lengths); i++) {
        Daemon *daemon = daemon_start(.config = name_lengths[i].config);
        Client *alice = client_connect(daemon);
        size_t n = name_lengths[i].n_max;
        Buffer name = {0};

        suite_note("row %zu", i);
        for (size_t k = 0; k < n; k++)
            buffer_add_text(&name, "\xd1\x8f");
        client_become(alice, run_of('x', n));
        client_say(alice, "/nick %s", run_of('x', n + 1));
        client_expect_next(alice, "!! {any}");
        client_become(alice, name.data);
        client_say(alice, "/nick %s\xd1\x8f", name.data);
        client_expect_next(alice, "!! {any}");
        client_say(alice, "/join #%s", name.data);
        client_expect_next(alice, "-- You are in #%s now{any}", name.data);
        client_say(alice, "/join #%s\xd1\x8f", name.data);
        client_expect_next(alice, "!! {any}");
        buffer_done(&name);
        daemon_stop(daemon);
    }
}
END_TEST

static const struct {
    const char *config;
    size_t n_max;
} topic_lengths[] = {
    {LIMITS "MaxTopicLength=20\n", 20},
    {LIMITS, 300},
    {LIMITS "MaxTopicLength=0\n", 500},
};

/* Topics and away texts, in bytes. */
START_TEST(max_topic_length)
{
    for (size_t i = 0; i < N_ELEMENTS(topic_lengths); i++) {
        Daemon *daemon = daemon_start(.config = topic_lengths[i].config);
        Client *alice, *bob;
        size_t n = topic_lengths[i].n_max;

        suite_note("row %zu", i);
        people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
        client_say(alice, "/topic %s", run_of('x', n));
        client_expect_next(bob, "-- alice set the topic: %s", run_of('x', n));
        client_sync(alice);
        client_say(alice, "/topic %s", run_of('y', n + 1));
        client_expect_next(alice, "!! {any}");
        client_say(alice, "/away %s", run_of('z', n));
        client_expect_next(alice, "-- {any}");
        client_say(alice, "/away %s", run_of('w', n + 1));
        client_expect_next(alice, "!! {any}");
        client_expect_nothing(bob);
        client_say(bob, "/topic");
        client_expect_next(bob, "-- {any}%s{any}", run_of('x', n));
        client_say(bob, "/whois alice");
        client_expect(bob, "-- {any}%s{any}", run_of('z', n));
        daemon_stop(daemon);
    }
}
END_TEST

/* The first refusal is logged, then there is silence, however many follow. */
START_TEST(refusals_do_not_flood_the_log)
{
    Daemon *daemon = daemon_start(.config = LIMITS "MaxClients=1\n");
    Client *alice = client_connect_as(daemon, "alice");

    for (int i = 0; i < 200; i++)
        expect_refusal(daemon, &(ClientOptions){0}, FULL);
    client_expect_nothing(alice);
    daemon_expect_log(daemon, "MaxClients");
    ck_assert_uint_lt(daemon_count_log(daemon, "MaxClients"), 5);
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("limits", {max_clients, 0}, {refusal_of_who_talks_at_once, 0}, {max_clients_per_address, 0},
           {max_clients_per_address_of_mapped_addresses, 0}, {max_clients_per_address_of_ipv6, 0},
           {max_clients_per_address_of_unix, 0}, {default_of_256_for_an_address, 0},
           {zero_is_no_limit_for_an_address, 0}, {zero_is_no_limit_for_clients, 0}, {max_rooms, 0},
           {zero_is_no_limit_for_rooms, 0}, {max_rooms_per_client, 0}, {max_ignores, 0},
           {default_of_32_ignores, 0}, {zero_is_64_ignores, 0}, {max_line_length, 0}, {max_nick_length, 0},
           {max_topic_length, 0}, {refusals_do_not_flood_the_log, 0})
