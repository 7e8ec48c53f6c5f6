/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Out of descriptors: the listener pauses, whoever waits in the backlog is served later, those who are in
 * notice nothing. */

#include "lib/client.h"
#include "lib/proc.h"

enum {
    N_FILES = 64,
    N_PEOPLE = 120, /* more than there are descriptors */
    N_SURE = 12,    /* so many fit, whatever the daemon needs for itself */
};

#define CROWD DAEMON_CONFIG "MaxClientsPerAddress=0\n"

/* Whoever wants to be in connects; the first of them are greeted. */
static void connect_all(Daemon *daemon, Client *people[N_PEOPLE])
{
    for (size_t i = 0; i < N_PEOPLE; i++)
        people[i] = client_open(daemon, .listener = 0);
    for (size_t i = 0; i < N_SURE; i++)
        client_expect_greeting(people[i]);
}

START_TEST(nobody_is_lost)
{
    Daemon *daemon;
    Client *alice, *bob, *people[N_PEOPLE];

    if (daemon_is_wrapped())
        return; /* valgrind needs descriptors of its own */
    daemon = daemon_start(.config = CROWD, .n_files = N_FILES);
    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    connect_all(daemon, people);
    /* Whoever is in can talk, and who is not yet in has not been turned away. */
    for (int i = 0; i < 20; i++) {
        client_say(alice, "round %d", i);
        client_expect(bob, "[{time}] <alice> round %d", i);
        ck_assert(client_is_silent(people[N_PEOPLE - 1]));
    }
    daemon_expect_log(daemon, "accept");
    for (size_t i = 0; i < N_PEOPLE; i++) {
        suite_note("person %zu", i);
        if (i >= N_SURE)
            client_expect_greeting(people[i]);
        client_say(people[i], "I am number %zu", i);
        client_expect(alice, "[{time}] <guest{n}> I am number %zu", i);
        client_close(people[i]);
    }
    suite_note("%s", "");
    client_expect_greeting(client_open(daemon, .listener = 0));
    daemon_stop(daemon);
}
END_TEST

/* A descriptor table that grows while another thread shares it makes everybody wait. */
START_TEST(the_table_is_large_enough)
{
    static const struct {
        const char *config;
        size_t n_files;
        uint64_t n_min;
    } cases[] = {
        {DAEMON_CONFIG, 0, 10000},
        {DAEMON_CONFIG "MaxClients=300\n", 0, 300},
        {DAEMON_CONFIG, N_FILES, N_FILES},
        {DAEMON_CONFIG "MaxClients=0\n", 1000, 1000},
    };

    if (daemon_is_wrapped())
        return; /* the table is valgrind's */
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        Daemon *daemon = daemon_start(.config = cases[i].config, .n_files = cases[i].n_files);

        suite_note("case %zu", i);
        client_expect_greeting(client_open(daemon, .listener = 0));
        ck_assert_uint_ge(proc_status_number(daemon->pid, "FDSize"), cases[i].n_min);
        ck_assert_uint_lt(proc_status_number(daemon->pid, "FDSize"), 2 * (cases[i].n_min + 1024));
        daemon_stop(daemon);
    }
}
END_TEST

/* While it is paused it waits instead of trying again and again, and says so once. */
START_TEST(a_paused_listener_does_not_spin)
{
    Daemon *daemon;
    Client *alice, *people[N_PEOPLE];
    uint64_t cpu;

    if (daemon_is_wrapped())
        return;
    daemon = daemon_start(.config = CROWD, .n_files = N_FILES);
    alice = client_connect_as(daemon, "alice");
    connect_all(daemon, people);
    client_sync(alice);
    daemon_expect_log(daemon, "accept");
    cpu = proc_cpu_usec(daemon->pid);
    daemon_expect_running_for(daemon, 2);
    ck_assert_uint_le(proc_cpu_usec(daemon->pid) - cpu, 200 * USEC_PER_MSEC);
    ck_assert_uint_le(daemon_count_log(daemon, "accept"), 3);
    ck_assert_uint_le(proc_n_fds(daemon->pid), N_FILES);
    daemon_stop(daemon);
}
END_TEST

/* A reload needs a descriptor for the file: without one the old configuration stays, and nobody is harmed. */
START_TEST(reload_without_descriptors)
{
    Daemon *daemon;
    Client *alice, *bob, *people[N_PEOPLE];

    if (daemon_is_wrapped())
        return;
    daemon = daemon_start(.config = CROWD, .n_files = N_FILES);
    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    connect_all(daemon, people);
    client_sync(alice);
    daemon_reload(daemon);
    client_say(alice, "still here");
    client_expect(bob, "[{time}] <alice> still here");
    daemon_stop(daemon);
}
END_TEST

/* To feed the watchdog needs a descriptor too, if the daemon has not kept one: without, everybody would be
 * lost after a while. */
START_TEST(watchdog_is_fed_without_descriptors)
{
    Daemon *daemon;
    Client *alice, *people[N_PEOPLE];

    if (daemon_is_wrapped())
        return;
    daemon = daemon_start(.config = CROWD, .n_files = N_FILES, .watchdog_usec = 500 * 1000);
    alice = client_connect_as(daemon, "alice");
    connect_all(daemon, people);
    client_sync(alice);
    daemon_expect_log(daemon, "accept");
    (void) daemon_turn(daemon, -1, 0, now_usec());
    daemon->notify.n_seen = daemon->notify.n_messages;
    for (int i = 0; i < 4; i++)
        (void) daemon_expect_notify(daemon, "WATCHDOG=1");
    daemon_stop(daemon);
}
END_TEST

/* Two listeners: the second does not starve when the first is full of people. */
START_TEST(both_listeners_recover)
{
    Daemon *daemon;
    Client *alice, *people[N_PEOPLE], *late;

    if (daemon_is_wrapped())
        return;
    daemon = daemon_start(.config = CROWD, .n_files = N_FILES,
                          .listeners = {{.kind = LISTENER_TCP4}, {.kind = LISTENER_UNIX}});
    alice = client_connect_as(daemon, "alice");
    connect_all(daemon, people);
    late = client_open(daemon, .listener = 1);
    for (size_t i = 0; i < N_PEOPLE; i++)
        client_close(people[i]);
    client_expect_greeting(late);
    client_say(late, "here I am");
    client_expect(alice, "[{time}] <guest{n}> here I am");
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("descriptors", {nobody_is_lost, 0}, {the_table_is_large_enough, 0},
           {a_paused_listener_does_not_spin, 0}, {reload_without_descriptors, 0},
           {watchdog_is_fed_without_descriptors, 0}, {both_listeners_recover, 0})
