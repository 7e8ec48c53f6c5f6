/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * Around a restart: what is told about it, what an end for good is, other settings, limits and sockets than
 * before, and what was stored in part or not at all.
 */

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "lib/client.h"

enum { TCP, UNIX };

#define BOTH .listeners = {[TCP] = {.kind = LISTENER_TCP4}, [UNIX] = {.kind = LISTENER_UNIX}}
#define GOODBYE "-- The service is being stopped. Goodbye."
#define SECONDS_WAITED(since) ((double) (now_usec() - (since)) / (double) USEC_PER_SEC)

static void restart_with(Daemon *daemon, const char *config)
{
    daemon_write_file(daemon, "chatd.conf", config);
    daemon_restart(daemon);
}

/* One over TCP and one over a unix socket, who have nothing left to read. */
static void meet(Daemon *daemon, Client **ret_alice, Client **ret_uma)
{
    *ret_alice = client_connect_to(daemon, TCP, "alice");
    *ret_uma = client_connect_to(daemon, UNIX, "uma");
    daemon_settle(daemon);
}

static void expect_goodbye(Client *client)
{
    client_expect_next(client, GOODBYE);
    client_expect_eof(client);
}

START_TEST(version_and_status_tell_of_restarts)
{
    Daemon *daemon = daemon_start(BOTH);
    Client *alice = client_connect_as(daemon, "alice");

    client_say(alice, "/version");
    client_expect(
        alice, "-- chatd %s. The service is up since {any}, this process since {any}; 0 restarts survived.",
        getenv("CHATD_VERSION"));
    (void) daemon_expect_notify(daemon, "STATUS=1 person in 1 room");
    daemon_revive(daemon);
    client_say(alice, "/version");
    client_expect_next(alice, "-- chatd {any}; 1 restart survived.");
    daemon->notify.n_seen = daemon->n_notified_before;
    (void) daemon_expect_notify(daemon, "STATUS=1 person in 1 room, 1 restart survived");
    daemon_restart(daemon);
    client_say(alice, "/version");
    client_expect_next(alice, "-- chatd {any}; 2 restarts survived.");
    (void) client_connect_as(daemon, "bob");
    (void) daemon_expect_notify(daemon, "STATUS=2 people in 1 room, 2 restarts survived");
    daemon_end(daemon);
    daemon_start_again(daemon);
    client_say(client_connect_as(daemon, "carol"), "/version");
    client_expect(daemon->clients, "-- chatd {any}; 0 restarts survived.");
    daemon_stop(daemon);
}
END_TEST

/* The service is up since its first process began, whatever came after that. */
START_TEST(the_service_is_up_since_its_first_process)
{
    Daemon *daemon = daemon_start(BOTH);
    Client *alice = client_connect_as(daemon, "alice");
    char *before = client_ask(alice, "/time"), *since;

    client_say(alice, "/version");
    since = strdup(client_take_line(alice));
    (void) daemon_turn(daemon, -1, 0, deadline_exactly_in(1.1));
    daemon_expect_running_for(daemon, 1.1);
    daemon_revive(daemon);
    client_say(alice, "/version");
    ck_assert_msg(strncmp(client_take_line(alice), since, strcspn(since, ",")) == 0, "%s is not %s",
                  alice->line, since);
    ck_assert_str_ne(strstr(alice->line, "this process since "), strstr(since, "this process since "));
    free(before);
    free(since);
    daemon_stop(daemon);
}
END_TEST

START_TEST(sigint_says_goodbye)
{
    Daemon *daemon = daemon_start(BOTH);
    Client *alice, *uma, *next;

    meet(daemon, &alice, &uma);
    daemon_end(daemon);
    expect_goodbye(alice);
    expect_goodbye(uma);
    next = client_open(daemon, .listener = UNIX);
    daemon_start_again(daemon);
    client_expect_next(next, "-- Welcome to {any}nobody else is here.{any}");
    daemon_stop(daemon);
}
END_TEST

/* Somebody who has been carried over is told as well. */
START_TEST(sigint_after_a_restart)
{
    Daemon *daemon = daemon_start(BOTH);
    Client *alice, *uma;

    meet(daemon, &alice, &uma);
    daemon_revive(daemon);
    daemon_end(daemon);
    expect_goodbye(alice);
    expect_goodbye(uma);
    daemon_free(daemon);
}
END_TEST

START_TEST(without_a_store)
{
    Daemon *daemon = daemon_start(.no_notify = true, BOTH);
    Client *alice, *uma;

    meet(daemon, &alice, &uma);
    daemon_expect_log(daemon, "descriptor store");
    ck_assert_uint_eq(daemon_count_log(daemon, "descriptor store"), 1);
    client_say(alice, "all is well");
    client_expect_next(uma, "[{time}] <alice> all is well");
    daemon_signal(daemon, SIGTERM);
    daemon_expect_exit(daemon, 0);
    expect_goodbye(alice);
    expect_goodbye(uma);
    daemon_free(daemon);
}
END_TEST

/* One that was idle when it was told to leave everybody to the next has nobody to leave, but may as well do
 * so. */
START_TEST(restart_with_nobody_there)
{
    Daemon *daemon = daemon_start(BOTH);

    for (int i = 0; i < 3; i++)
        daemon_restart(daemon);
    (void) client_connect_as(daemon, "alice");
    daemon_stop(daemon);
}
END_TEST

/* What the lobby talked about outlives an end for good; who was there does not. */
START_TEST(topic_and_history_outlive_the_end)
{
    Daemon *daemon = daemon_start(BOTH);
    Client *alice = client_connect_to(daemon, TCP, "alice"), *next;

    client_say(alice, "/topic the weekend");
    client_say(alice, "first");
    client_say(alice, "/me goes");
    client_sync(alice);
    daemon_end(daemon);
    for (int i = 0; i < 2; i++) {
        suite_note("end %d", i);
        daemon_start_again(daemon);
        next = client_open(daemon, .listener = UNIX);
        client_expect_next(next, "-- Welcome to {any}nobody else is here.{any}");
        client_expect_next(next, "-- Topic of #lobby: the weekend");
        client_expect_next(next, "[{time}] <alice> first");
        client_expect_next(next, "[{time}] * alice goes");
        client_expect_nothing(next);
        client_become(next, "alice");
        daemon_revive(daemon);
        client_say(next, "/history");
        client_expect_next(next, "[{time}] <alice> first");
        daemon_end(daemon);
    }
    daemon_free(daemon);
}
END_TEST

START_TEST(nothing_is_written_without_a_directory)
{
    Daemon *daemon = daemon_start(BOTH, .no_runtime_directory = true);
    Client *next;

    client_say(client_connect_as(daemon, "alice"), "/topic the weekend");
    client_sync(daemon->clients);
    daemon_end(daemon);
    daemon_start_again(daemon);
    next = client_connect(daemon);
    client_say(next, "/topic");
    client_expect_next(next, "-- #lobby has no topic. /topic TEXT sets one.");
    daemon_stop(daemon);
}
END_TEST

/* Those who are there stay, also if they are more than may come now. */
START_TEST(fewer_people_than_are_there)
{
    Daemon *daemon = daemon_start(BOTH, .config = DAEMON_CONFIG "MaxClients=10\n");
    Client *people[8], *late;

    for (size_t i = 0; i < N_ELEMENTS(people); i++)
        people[i] = client_connect_to(daemon, i % 2 == 0 ? TCP : UNIX,
                                      (const char *[]){"a", "b", "c", "d", "e", "f", "g", "h"}[i]);
    daemon_settle(daemon);
    restart_with(daemon, DAEMON_CONFIG "MaxClients=5\n");
    client_say(people[0], "we are eight");
    for (size_t i = 1; i < N_ELEMENTS(people); i++)
        client_expect_next(people[i], "[{time}] <a> we are eight");
    for (size_t i = 0; i < 4; i++) {
        late = client_open(daemon, .listener = TCP);
        client_expect_next(late, "!! The server is full ({n} people). Try again later.");
        client_expect_eof(late);
        client_close(people[i]);
        client_expect(people[7], "-- {word} has left");
    }
    late = client_open(daemon, .listener = TCP);
    client_expect_greeting(late);
    daemon_revive(daemon);
    client_say(people[7], "we are five");
    client_expect(late, "[{time}] <h> we are five");
    daemon_stop(daemon);
}
END_TEST

START_TEST(more_people_than_before)
{
    Daemon *daemon =
        daemon_start(BOTH, .config = DAEMON_CONFIG "MaxClients=2\nMaxRooms=1\nMaxRoomsPerClient=2\n");
    Client *alice, *uma, *late;

    meet(daemon, &alice, &uma);
    client_say(alice, "/join #one");
    client_say(alice, "/topic the first");
    client_say(uma, "/join #two");
    client_expect(uma, "!! There are as many rooms as there may be: 1.{any}");
    late = client_open(daemon, .listener = TCP);
    client_expect_next(late, "!! The server is full (2 people). Try again later.");
    client_close(late);
    daemon_settle(daemon);
    restart_with(daemon,
                 DAEMON_CONFIG "MaxClients=400\nMaxRooms=300\nMaxRoomsPerClient=50\nTranscriptSize=1M\n");
    client_say(uma, "/join #two");
    client_expect_next(uma, "-- You are in #two now, alone.");
    client_say(alice, "/topic");
    client_expect_next(alice, "-- Topic of #one, set by alice: the first");
    for (int i = 0; i < 20; i++) {
        char name[16];

        (void) snprintf(name, sizeof(name), "p%d", i);
        late = client_connect_to(daemon, i % 2 == 0 ? TCP : UNIX, name);
    }
    for (int i = 0; i < 40; i++) {
        client_say(late, "/join #r%d", i);
        client_expect(late, "-- You are in #r%d now, alone.", i);
    }
    daemon_revive(daemon);
    client_say(late, "/rooms");
    client_expect_next(late, "-- 43 rooms:");
    restart_with(daemon, DAEMON_CONFIG "MaxClients=2\nMaxRooms=1\nMaxRoomsPerClient=2\n");
    client_say(late, "/join #r7");
    client_expect(late, "-- You are in #r7 now, alone.");
    client_say(late, "/join #more");
    client_expect(late, "!! {any}");
    daemon_stop(daemon);
}
END_TEST

START_TEST(fewer_ignores_than_somebody_has)
{
    Daemon *daemon = daemon_start(BOTH, .config = DAEMON_CONFIG "MaxIgnores=4\n");
    Client *alice = client_connect_to(daemon, TCP, "alice"), *bob = client_connect_to(daemon, TCP, "bob");

    client_say(alice, "/ignore one");
    client_say(alice, "/ignore two");
    client_say(alice, "/ignore bob");
    daemon_settle(daemon);
    restart_with(daemon, DAEMON_CONFIG "MaxIgnores=1\n");
    client_say(bob, "can you hear me?");
    client_sync(bob);
    client_expect_nothing(alice);
    client_say(alice, "/ignore");
    client_expect_next(alice, "-- You ignore one, two, bob.");
    client_say(alice, "/ignore three");
    client_expect_next(alice, "!! {any}");
    restart_with(daemon, DAEMON_CONFIG "MaxIgnores=30\n");
    client_say(alice, "/ignore three");
    client_expect_next(alice, "-- You ignore three now. The same command again ends it.");
    daemon_revive(daemon);
    client_say(alice, "/ignore");
    client_expect_next(alice, "-- You ignore one, two, bob, three.");
    daemon_stop(daemon);
}
END_TEST

START_TEST(an_address_has_no_more_than_before)
{
    Daemon *daemon = daemon_start(BOTH, .config = DAEMON_CONFIG "MaxClientsPerAddress=3\n");
    Client *people[3], *other, *late;

    for (size_t i = 0; i < N_ELEMENTS(people); i++)
        client_expect_greeting(people[i] = client_open(daemon, .listener = TCP));
    other = client_open(daemon, .listener = TCP, .from = "127.0.0.2");
    client_expect_greeting(other);
    daemon_settle(daemon);
    daemon_revive(daemon);
    late = client_open(daemon, .listener = TCP);
    client_expect_next(late, "!! Too many connections from your address (3). Close one and try again.");
    client_close(people[0]);
    client_expect(people[1], "-- guest{n} has left");
    client_expect_greeting(client_open(daemon, .listener = TCP));
    client_expect_greeting(client_open(daemon, .listener = TCP, .from = "127.0.0.2"));
    for (size_t i = 0; i < 3; i++)
        client_expect_greeting(client_open(daemon, .listener = UNIX));
    late = client_open(daemon, .listener = UNIX);
    client_expect_next(late, "!! Too many connections from your address (3). Close one and try again.");
    daemon_stop(daemon);
}
END_TEST

/* A restart forgives nobody their haste. */
START_TEST(who_talked_too_fast_still_waits)
{
    Daemon *daemon = daemon_start(BOTH, .config = "[Limits]\nLinesPerSecond=1\nLinesBurst=8\n");
    Client *alice = client_connect_to(daemon, TCP, "alice"), *bob = client_connect_to(daemon, TCP, "bob");
    uint64_t begun;

    daemon_settle(daemon);
    begun = now_usec();
    for (int i = 0; i < 12; i++)
        client_say(alice, "line %d", i);
    client_expect(bob, "[{time}] <alice> line 4");
    daemon_revive(daemon);
    for (int i = 5; i < 12; i++) {
        client_expect_next(bob, "[{time}] <alice> line %d", i);
        if (i == 9)
            daemon_revive(daemon);
    }
    /* Five have been said to become alice and to settle, or fewer, so of twelve lines at least some had to
     * wait. */
    ck_assert_msg(SECONDS_WAITED(begun) > 3, "after %.1f s", SECONDS_WAITED(begun));
    daemon_stop(daemon);
}
END_TEST

/* A socket unit with another name, or one socket less: who came in by it stays. */
START_TEST(a_listener_that_is_gone)
{
    Daemon *daemon = daemon_start(BOTH);
    Client *alice, *uma, *late;

    meet(daemon, &alice, &uma);
    daemon->listeners[UNIX].name = "another";
    daemon_restart(daemon);
    daemon_expect_log(daemon, "another");
    client_say(uma, "I am still here");
    client_expect_next(alice, "[{time}] <uma> I am still here");
    daemon->listeners[UNIX].name = "plain";
    daemon->n_listeners = 1;
    daemon_restart(daemon);
    client_say(alice, "are you?");
    client_expect_next(uma, "[{time}] <alice> are you?");
    daemon->n_listeners = 2;
    daemon_revive(daemon);
    late = client_connect_to(daemon, UNIX, "late");
    client_say(late, "I am, too");
    client_expect(uma, "[{time}] <late> I am, too");
    daemon_stop(daemon);
}
END_TEST

/* The store has room for so many: who does not find a place in it is served, and lost with the process. */
START_TEST(a_full_store)
{
    for (size_t max = 1; max <= 4; max++) {
        Daemon *daemon = daemon_start(BOTH, .store_max = max);
        Client *alice, *uma, *next;

        suite_note("room for %zu", max);
        meet(daemon, &alice, &uma);
        client_say(alice, "hello");
        client_expect_next(uma, "[{time}] <alice> hello");
        daemon_revive(daemon);
        if (max < 3) {
            client_expect_eof(alice);
            client_expect_eof(uma);
        } else {
            client_say(alice, "hello again");
            client_expect_next(uma, "[{time}] <alice> hello again");
        }
        next = client_connect_to(daemon, UNIX, "next");
        client_say(next, "/who");
        client_expect(next, max < 3 ? "-- 1 person in #lobby:" : "-- 3 people in #lobby:");
        daemon_stop(daemon);
    }
}
END_TEST

/* A part of what was stored is gone: those whose connection is lost have left, the others go on. */
START_TEST(a_vault_that_is_lost)
{
    enum { N_PEOPLE = 300 }; /* more than one pair holds */
    Daemon *daemon = daemon_start(BOTH, .config = DAEMON_CONFIG "MaxClientsPerAddress=0\n");
    Client *people[N_PEOPLE];
    char *answer;

    for (size_t i = 0; i < N_PEOPLE; i++)
        client_expect_greeting(people[i] = client_open(daemon, .listener = i % 2 == 0 ? TCP : UNIX));
    daemon_settle(daemon);
    daemon_expect_sleep(daemon);
    ck_assert_uint_eq(store_count(&daemon->store, "vault-{n}"), 4);
    daemon_kill(daemon);
    store_remove(&daemon->store, "vault-1");
    ck_assert_uint_eq(store_count(&daemon->store, "vault-{n}"), 2);
    daemon_start_again(daemon);
    client_expect_eof(people[0]);
    client_expect_eof(people[1]);
    client_say(people[N_PEOPLE - 1], "who is left?");
    client_expect(people[N_PEOPLE - 2], "[{time}] <guest{n}> who is left?");
    answer = client_ask(people[N_PEOPLE - 2], "/who");
    ck_assert_msg(strncmp(answer, "-- 44 people in #lobby:\n", 24) == 0, "%s", answer);
    free(answer);
    daemon_stop(daemon);
}
END_TEST

/* Nothing but the vault is left: nobody is known any more, so they are told. */
START_TEST(a_state_that_is_lost)
{
    Daemon *daemon = daemon_start(BOTH);
    Client *alice, *uma, *next;

    meet(daemon, &alice, &uma);
    daemon_kill(daemon);
    store_remove(&daemon->store, "state-{n}");
    daemon_start_again(daemon);
    client_expect_next(alice, "!! {any}");
    client_expect_eof(alice);
    client_expect_next(uma, "!! {any}");
    client_expect_eof(uma);
    next = client_open(daemon, .listener = TCP);
    client_expect_next(next, "-- Welcome to {any}nobody else is here.{any}");
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("restart", {version_and_status_tell_of_restarts, 0},
           {the_service_is_up_since_its_first_process, 0}, {sigint_says_goodbye, 0},
           {sigint_after_a_restart, 0}, {without_a_store, 0}, {restart_with_nobody_there, 0},
           {topic_and_history_outlive_the_end, 0}, {nothing_is_written_without_a_directory, 0},
           {fewer_people_than_are_there, 0}, {more_people_than_before, 0},
           {fewer_ignores_than_somebody_has, 0}, {an_address_has_no_more_than_before, 0},
           {who_talked_too_fast_still_waits, 0}, {a_listener_that_is_gone, 0}, {a_full_store, 0},
           {a_vault_that_is_lost, 0}, {a_state_that_is_lost, 0})
