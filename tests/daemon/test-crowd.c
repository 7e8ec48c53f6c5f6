/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Thousands of people, and many who come and go. */

#include <stdlib.h>
#include <string.h>

#include "lib/client.h"
#include "lib/proc.h"

#define CROWD DAEMON_CONFIG "MaxClientsPerAddress=0\n"

enum {
    N_CROWD = 3000,
    N_SPARE_FILES = 100,
};

/* As many as this machine allows of those that the test wants. 0: too few for a crowd. */
static size_t crowd_size(void)
{
    size_t n_files = suite_n_files(), n = load_of(N_CROWD);

    if (n_files < n + N_SPARE_FILES)
        n = n_files - MIN(n_files, (size_t) N_SPARE_FILES);
    if (n < load_of(N_CROWD) / 3) {
        suite_skip("too few open files are allowed (ulimit -n)");
        return 0;
    }
    return n;
}

START_TEST(thousands_hear_every_line)
{
    size_t n = crowd_size();
    Daemon *daemon;
    Client *alice;

    if (n == 0)
        return;
    daemon = daemon_start(.config = CROWD);
    /* All of them first connect, then all are greeted: the backlog holds whom the daemon has not seen yet. */
    for (size_t i = 0; i < n; i++)
        (void) client_open(daemon, .listener = 0);
    for (Client *client = daemon->clients; client != NULL; client = client->next)
        client_expect_greeting(client);
    alice = client_connect_as(daemon, "alice");
    for (int i = 0; i < 10; i++)
        client_say(alice, "line %d", i);
    for (Client *client = daemon->clients; client != NULL; client = client->next) {
        if (client == alice)
            continue;
        client_expect(client, "[{time}] <alice> line 0");
        for (int i = 1; i < 10; i++)
            client_expect(client, "[{time}] <alice> line %d", i);
    }
    daemon_stop(daemon);
}
END_TEST

START_TEST(everybody_talks_and_hears_everybody)
{
    enum { N_PEOPLE = 60 };
    Daemon *daemon = daemon_start(.config = CROWD);
    Client *people[N_PEOPLE];

    for (size_t i = 0; i < N_PEOPLE; i++)
        people[i] = client_connect(daemon);
    daemon_settle(daemon);
    for (size_t i = 0; i < N_PEOPLE; i++)
        client_say(people[i], "hello of %s", people[i]->nick);
    for (size_t i = 0; i < N_PEOPLE; i++) {
        size_t n_heard = 0;

        suite_note("person %zu", i);
        while (n_heard < N_PEOPLE - 1) {
            client_expect(people[i], "[{time}] <{word}> hello of {word}");
            n_heard++;
        }
        client_expect_nothing_but(people[i], "-- {any}");
    }
    daemon_stop(daemon);
}
END_TEST

START_TEST(thousands_leave_at_once)
{
    size_t n = crowd_size(), n_fds;
    Daemon *daemon;
    Client *alice;

    if (n == 0)
        return;
    daemon = daemon_start(.config = CROWD);
    alice = client_connect_as(daemon, "alice");
    client_sync(alice);
    n_fds = proc_n_fds(daemon->pid);
    for (size_t i = 0; i < n; i++)
        client_expect_greeting(client_open(daemon, .listener = 0));
    while (daemon->clients != alice)
        client_close(daemon->clients);
    daemon_expect_n_fds(daemon, alice, n_fds);
    client_say(alice, "/version");
    client_expect(alice, "-- chatd {any}");
    (void) daemon_expect_notify(daemon, "STATUS=1 person in 1 room");
    daemon_stop(daemon);
}
END_TEST

/* In which state somebody is who goes. */
typedef enum Departure {
    AT_ONCE, /* not even greeted */
    GREETED,
    IN_MID_LINE,
    BY_RESET,
    IN_MID_LINE_BY_RESET,
    HALF_CLOSED,
    UNREAD, /* with output that was never read */
    N_DEPARTURES,
} Departure;

static void come_and_go(Daemon *daemon, Departure departure)
{
    Client *client = client_open(daemon, .listener = 0);

    if (departure == GREETED || departure == IN_MID_LINE)
        client_expect_greeting(client);
    if (departure == IN_MID_LINE || departure == IN_MID_LINE_BY_RESET)
        client_send_text(client, "/me begins to sa");
    if (departure == UNREAD)
        client_send_text(client, "/help\n/help\n/rooms\n/who\n");
    if (departure == HALF_CLOSED)
        client_half_close(client);
    if (departure == BY_RESET || departure == IN_MID_LINE_BY_RESET)
        client_reset(client);
    else
        client_close(client);
}

/* A storm of connections, in every state, beside two who talk: nobody is disturbed, and nothing is left of
 * it. */
static void storm(ListenerKind kind)
{
    size_t n_rounds = load_of(200), n_fds;
    Daemon *daemon = daemon_start(.config = CROWD, .listeners = {{.kind = kind}});
    Client *alice, *bob;
    char *who;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    n_fds = proc_n_fds(daemon->pid);
    for (size_t i = 0; i < n_rounds; i++) {
        for (Departure departure = AT_ONCE; departure < N_DEPARTURES; departure++)
            come_and_go(daemon, departure);
        client_say(alice, "round %zu", i);
        client_expect(bob, "[{time}] <alice> round %zu", i);
    }
    daemon_expect_n_fds(daemon, alice, n_fds);
    client_sync(alice);
    who = client_ask(alice, "/who");
    ck_assert_msg(strstr(who, "alice") != NULL && strstr(who, "bob") != NULL && strstr(who, "guest") == NULL,
                  "%s", who);
    free(who);
    daemon_stop(daemon);
}

START_TEST(storm_over_tcp)
{
    storm(LISTENER_TCP4);
}
END_TEST

START_TEST(storm_over_unix)
{
    storm(LISTENER_UNIX);
}
END_TEST

/* Half a line is not said by who is reset or lost, but by who ends in order. Either way the nick is free. */
START_TEST(reset_in_mid_line)
{
    Daemon *daemon = daemon_start();
    Client *alice = client_connect_as(daemon, "alice");

    for (int i = 0; i < 20; i++) {
        Client *carol = client_connect_as(daemon, "carol");

        client_sync(alice);
        client_send_text(carol, "said\nbut this is not compl");
        client_expect_next(alice, "[{time}] <carol> said");
        client_reset(carol);
        client_expect_next(alice, "-- carol has left");
        client_expect_nothing(alice);
    }
    daemon_stop(daemon);
}
END_TEST

START_TEST(storm_of_rooms_and_nicks)
{
    size_t n_rounds = load_of(1000);
    Daemon *daemon = daemon_start(.config = CROWD);
    Client *alice, *bob, *carol;
    uint64_t memory = 0;

    people_connect(daemon, "alice", &alice, "bob", &bob, "carol", &carol, NULL);
    for (size_t i = 0; i < n_rounds; i++) {
        if (i == n_rounds / 2)
            memory = proc_status_number(daemon->pid, "VmRSS");
        client_say(bob, "/join #room%zu", i);
        client_say(bob, "/nick bob%zu", i);
        client_say(bob, "/leave");
        client_say(carol, "/join #room%zu", i);
        client_say(carol, "/leave");
        client_sync(bob);
        client_sync(carol);
        client_expect(alice, "-- {word} is now bob%zu", i);
    }
    if (!daemon_is_wrapped())
        ck_assert_uint_le(proc_status_number(daemon->pid, "VmRSS"), memory + 1024);
    daemon_stop(daemon);
}
END_TEST

/* Idle clients wake nobody up. */
START_TEST(idle_clients_cost_no_turns)
{
    Daemon *daemon = daemon_start(.config = CROWD);
    uint64_t n_before, cpu_before;

    for (int i = 0; i < 200; i++)
        client_expect_greeting(client_open(daemon, .listener = 0));
    (void) daemon_expect_notify(daemon, "STATUS=200 people in 1 room");
    daemon_expect_running_for(daemon, 0.2);
    n_before = proc_status_number(daemon->pid, "voluntary_ctxt_switches");
    cpu_before = proc_cpu_usec(daemon->pid);
    daemon_expect_running_for(daemon, 2);
    if (!daemon_is_wrapped()) {
        ck_assert_uint_le(proc_status_number(daemon->pid, "voluntary_ctxt_switches") - n_before, 3);
        ck_assert_uint_le(proc_cpu_usec(daemon->pid) - cpu_before, 20 * USEC_PER_MSEC);
    }
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("crowd", {thousands_hear_every_line, 120}, {everybody_talks_and_hears_everybody, 0},
           {thousands_leave_at_once, 120}, {storm_over_tcp, 120}, {storm_over_unix, 120},
           {reset_in_mid_line, 0}, {storm_of_rooms_and_nicks, 120}, {idle_clients_cost_no_turns, 0})
