/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * The socket for accounts: who comes in there is called by their login name, which nobody else can have. Here
 * that is whoever runs the tests.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/name.h"
#include "lib/self.h"

enum { TCP, UNIX, LOCAL };

#define ALL                                                                                                  \
    .listeners = {[TCP] = {.kind = LISTENER_TCP4},                                                           \
                  [UNIX] = {.kind = LISTENER_UNIX},                                                          \
                  [LOCAL] = {.kind = LISTENER_UNIX, .name = "local"}}

/* Somebody over TCP, and both of our connections; or one (NULL). */
static void meet(Daemon *daemon, Client **ret_alice, Client **ret_first, Client **ret_second)
{
    *ret_alice = client_connect_to(daemon, TCP, "alice");
    *ret_first = self_connect(daemon, LOCAL);
    if (ret_second != NULL)
        *ret_second = self_connect(daemon, LOCAL);
}

/* What is not as it was when one came. */
static void settle_in(Client *self)
{
    client_say(self, "/join #garden");
    client_expect(self, "-- You are in #garden now, alone.");
    client_say(self, "/away at lunch");
    client_say(self, "/set time off");
}

START_TEST(is_called_by_the_login_name)
{
    Daemon *daemon = daemon_start(ALL);
    Client *alice = client_connect_to(daemon, TCP, "alice"), *self, *other;

    self = client_open(daemon, .listener = LOCAL);
    client_expect_next(self, "-- Welcome to {any}. You are %s" MARK "; 1 other is here. {any}", self_name());
    client_expect_next(alice, "-- %s" MARK " is here", self_name());
    client_say(self, "it is me");
    client_expect_next(alice, "[{time}] <%s" MARK "> it is me", self_name());
    client_say(self, "/me waves");
    client_expect_next(alice, "[{time}] * %s" MARK " waves", self_name());
    client_say(self, "/msg alice psst");
    client_expect_next(alice, "[{time}] (private) <%s" MARK "> psst", self_name());
    client_say(alice, "/reply yes?");
    client_expect_next(self, "[{time}] (private) <alice> yes?");
    client_say(self, "/topic ours");
    client_expect_next(alice, "-- %s" MARK " set the topic: ours", self_name());
    client_say(alice, "/who");
    client_expect_next(alice, "-- 2 people in #lobby:");
    client_expect_next(alice, "-- %s" MARK ", alice", self_name());
    client_say(alice, "/whois %s", self_name());
    client_expect_next(alice, "-- %s" MARK " is in #lobby.", self_name());
    client_expect_next(alice, "-- Has an account of this host{any}");
    client_expect_next(alice, "-- Came {any}");
    /* Another socket, and the same uid: a guest like others. */
    other = client_open(daemon, .listener = UNIX);
    client_expect_next(other, "-- Welcome to {any}. You are guest{n}; 2 others are here. {any}");
    daemon_stop(daemon);
}
END_TEST

START_TEST(the_mark_can_be_ascii)
{
    Daemon *daemon = daemon_start(ALL);
    Client *alice = client_connect_to(daemon, TCP, "alice"), *bob = client_connect_to(daemon, TCP, "bob"),
           *self;

    daemon_settle(daemon);
    client_say(alice, "/set mark ascii");
    client_expect_next(alice, "-- mark is ascii now.");
    self = self_connect(daemon, LOCAL);
    client_expect_next(alice, "-- %s+ is here", self_name());
    client_expect_next(bob, "-- %s" MARK " is here", self_name());
    client_say(self, "hello");
    client_expect_next(alice, "[{time}] <%s+> hello", self_name());
    client_expect_next(bob, "[{time}] <%s" MARK "> hello", self_name());
    client_say(self, "/set mark ascii");
    client_expect(self, "-- mark is ascii now.");
    client_say(self, "/who");
    client_expect(self, "-- %s+, bob, alice", self_name());
    client_say(alice, "/set mark plain");
    client_expect(alice, "!! This setting is ascii or unicode: /set mark ascii");
    client_say(alice, "/set mark unicode");
    client_expect(alice, "-- mark is unicode now.");
    client_say(alice, "/set");
    client_expect(alice, "-- time on, bell off, color off, joins on, mark unicode.");
    daemon_stop(daemon);
}
END_TEST

/* Whoever has it, and in whatever way it is written. */
START_TEST(the_name_is_nobody_elses)
{
    Daemon *daemon = daemon_start(ALL);
    Client *alice = client_connect_to(daemon, TCP, "alice"), *self;
    char other[NAME_MAX_BYTES + 1];

    (void) snprintf(other, sizeof(other), "%s", self_name());
    other[0] = (char) (other[0] ^ 0x20);
    for (int i = 0; i < 2; i++) {
        suite_note("round %d", i);
        client_say(alice, "/nick root");
        client_expect_next(alice, "!! root has an account of this host{any}");
        client_say(alice, "/nick ROOT");
        client_expect_next(alice, "!! ROOT has an account of this host{any}");
        client_say(alice, "/nick bob");
        client_expect_next(alice, "-- You are now bob.");
        client_say(alice, "/nick alice");
        client_expect_next(alice, "-- You are now alice.");
    }
    self = self_connect(daemon, LOCAL);
    client_expect_next(alice, "-- %s" MARK " is here", self_name());
    client_say(alice, "/nick %s", self_name());
    client_expect_next(alice, "!! Somebody else is called %s. Choose another.", self_name());
    client_say(alice, "/nick %s", other);
    client_expect_next(alice, "!! Somebody else is called %s. Choose another.", other);
    client_say(self, "/nick somebody");
    client_expect_next(self,
                       "!! Your name is that of your account. Who wants another one comes in as a guest.");
    daemon_stop(daemon);
}
END_TEST

/* More names at once than are looked up at a time: each is given, none refused; and whoever talks meanwhile
 * is heard. */
START_TEST(many_want_names)
{
    Daemon *daemon = daemon_start(ALL, .config = DAEMON_CONFIG "MaxClientsPerAddress=0\n");
    size_t n = MIN(load_of(400), suite_n_files() / 3);
    Client **crowd = calloc(n, sizeof(*crowd)), *alice = client_connect_to(daemon, TCP, "alice"),
           *bob = client_connect_to(daemon, TCP, "bob");

    for (size_t i = 0; i < n; i++)
        client_expect_greeting(crowd[i] = client_open(daemon, .listener = i % 2 == 0 ? TCP : UNIX));
    daemon_settle(daemon);
    for (size_t i = 0; i < n; i++)
        client_say(crowd[i], "/nick p%zu", i);
    client_say(alice, "hello");
    client_expect(bob, "[{time}] <alice> hello");
    for (size_t i = 0; i < n; i++)
        client_expect(crowd[i], "-- You are now p%zu.", i);
    free(crowd);
    daemon_stop(daemon);
}
END_TEST

/* Where there is no socket for accounts nobody could come in by that name, so it is free; when there is one
 * later, its owner gets it. */
START_TEST(a_guest_makes_way)
{
    Daemon *daemon = daemon_start(ALL);
    Client *alice, *guest, *self;

    daemon->n_listeners = LOCAL;
    daemon_revive(daemon);
    alice = client_connect_to(daemon, TCP, "alice");
    guest = client_connect_to(daemon, TCP, self_name());
    daemon_settle(daemon);
    daemon->n_listeners = LOCAL + 1;
    daemon_revive(daemon);
    client_say(guest, "/join #garden");
    client_expect(guest, "-- You are in #garden now, alone.");
    self = self_connect(daemon, LOCAL);
    client_expect_next(guest,
                       "-- The name you had is that of an account of this host, whose owner has come. You "
                       "are now guest{n}.");
    client_expect_next(alice, "-- %s is now guest{n}", self_name());
    client_expect_next(alice, "-- %s" MARK " is here", self_name());
    client_say(self, "here I am");
    client_expect_next(alice, "[{time}] <%s" MARK "> here I am", self_name());
    client_expect(guest, "[{time}] #lobby <%s" MARK "> here I am", self_name());
    daemon_stop(daemon);
}
END_TEST

/* Connected twice, and one person to everybody. */
START_TEST(two_connections_are_one_person)
{
    Daemon *daemon = daemon_start(ALL);
    Client *alice, *first, *second;

    meet(daemon, &alice, &first, NULL);
    settle_in(first);
    client_say(first, "/ignore mallory");
    daemon_settle(daemon);
    second = self_connect(daemon, LOCAL);
    client_expect_nothing(alice);
    client_expect_nothing(first);
    client_say(second, "/topic roses");
    client_expect_next(second, "-- The topic of #garden is set.");
    client_expect_next(first, "-- %s" MARK " set the topic: roses", self_name());
    client_say(alice, "/msg %s psst", self_name());
    client_expect_next(alice, "-- %s is away: at lunch", self_name());
    client_expect_next(first, "(private) <alice> psst");
    client_expect_next(second, "(private) <alice> psst");
    client_say(second, "/ignore");
    client_expect_next(second, "-- You ignore mallory.");
    client_say(alice, "/who");
    client_expect_next(alice, "-- 2 people in #lobby:");
    client_expect_next(alice, "-- %s" MARK " (away), alice", self_name());
    client_say(alice, "/rooms");
    client_expect_next(alice, "-- 2 rooms:");
    client_expect_next(alice, "-- #lobby (2)");
    client_expect_next(alice, "-- #garden (1) roses");
    daemon_stop(daemon);
}
END_TEST

/* What one hears the other does, too, and what one says; and each does for both what it does. */
START_TEST(two_connections_do_one_thing)
{
    Daemon *daemon = daemon_start(ALL);
    Client *alice, *first, *second;

    meet(daemon, &alice, &first, NULL);
    settle_in(first);
    client_sync(first);
    second = self_connect(daemon, LOCAL);
    client_sync(alice);
    client_say(alice, "anybody?");
    client_expect_next(first, "#lobby <alice> anybody?");
    client_expect_next(second, "#lobby <alice> anybody?");
    client_say(first, "two of me");
    client_expect_next(second, "<%s" MARK "> two of me", self_name());
    client_say(second, "/join #attic");
    client_expect_next(second, "-- You are in #attic now, alone.");
    client_expect_next(first, "-- You came into #attic, by another of your connections.");
    client_say(first, "/leave #garden");
    client_expect_next(first, "-- You left #garden. You are in #attic now, alone.");
    client_expect_next(second, "-- You left #garden, by another of your connections.");
    client_say(first, "/away");
    client_expect_next(first, "-- You are back.");
    client_say(alice, "/msg %s" MARK " now?", self_name()); /* as it stands there */
    client_expect_next(second, "(private) <alice> now?");
    client_expect_nothing(alice);
    client_say(first, "/ignore alice");
    client_say(first, "/set time on");
    client_sync(first);
    client_say(alice, "do you hear me?");
    client_sync(alice);
    client_expect_nothing(second);
    /* One that goes is no person that goes. */
    client_close(first);
    client_say(second, "/ignore alice");
    client_expect_next(second, "-- You hear alice again.");
    client_expect_nothing(alice);
    client_say(alice, "and now?");
    client_expect_next(second, "[{time}] #lobby <alice> and now?");
    client_close(second);
    client_expect_next(alice, "-- %s" MARK " has left", self_name());
    daemon_stop(daemon);
}
END_TEST

/* What was said before one of them changed what both hear is heard by both. */
START_TEST(said_before_a_command)
{
    Daemon *daemon = daemon_start(ALL);
    Client *alice, *first, *second;

    meet(daemon, &alice, &first, &second);
    client_say(first, "/join #garden");
    client_say(alice, "/join #garden");
    daemon_settle(daemon);
    for (int i = 0; i < 10; i++) {
        suite_note("round %d", i);
        daemon_expect_sleep(daemon);
        daemon_signal(daemon, SIGSTOP);
        client_say(alice, "before %d", i);
        client_say(first, i % 2 == 0 ? "/leave #garden" : "/join #garden");
        daemon_signal(daemon, SIGCONT);
        if (i % 2 == 0) {
            client_expect(first, "-- You left #garden{any}");
            client_expect(second, "[{time}] #garden <alice> before %d", i);
            client_expect(second, "-- You left #garden, by another of your connections.");
        } else {
            client_expect(second, "-- You came into #garden, by another of your connections.");
        }
        client_sync(alice);
        client_sync(second);
    }
    daemon_stop(daemon);
}
END_TEST

START_TEST(so_many_connections_and_not_one_more)
{
    Daemon *daemon = daemon_start(ALL);
    Client *alice = client_connect_to(daemon, TCP, "alice"), *each[LIMIT_PERSON_SESSIONS], *late;

    client_sync(alice);
    for (size_t i = 0; i < LIMIT_PERSON_SESSIONS; i++)
        each[i] = self_connect(daemon, LOCAL);
    late = client_open(daemon, .listener = LOCAL);
    client_expect_next(late, "!! You are connected %d times already. Close one and try again.",
                       LIMIT_PERSON_SESSIONS);
    client_expect_eof(late);
    client_close(late);
    client_expect_next(alice, "-- %s" MARK " is here", self_name());
    client_say(alice, "/msg %s all of you?", self_name());
    for (size_t i = 0; i < LIMIT_PERSON_SESSIONS; i++)
        client_expect_next(each[i], "[{time}] (private) <alice> all of you?");
    client_say(each[3], "/join #garden");
    for (size_t i = 0; i < LIMIT_PERSON_SESSIONS; i++)
        client_expect_next(each[i], i == 3 ? "-- You are in #garden now, alone."
                                           : "-- You came into #garden, by another of your connections.");
    daemon_settle(daemon);
    daemon_revive(daemon);
    client_say(alice, "/msg %s still?", self_name());
    for (size_t i = 0; i < LIMIT_PERSON_SESSIONS; i++)
        client_expect_next(each[i], "[{time}] (private) <alice> still?");
    for (size_t i = 0; i < LIMIT_PERSON_SESSIONS - 1; i++)
        client_close(each[i]);
    client_expect_nothing(alice);
    client_close(each[LIMIT_PERSON_SESSIONS - 1]);
    client_expect_next(alice, "-- %s" MARK " has left", self_name());
    daemon_stop(daemon);
}
END_TEST

START_TEST(who_they_are_survives)
{
    Daemon *daemon = daemon_start(ALL);
    Client *alice, *first, *second;

    meet(daemon, &alice, &first, &second);
    for (int i = 0; i < 3; i++) {
        suite_note("round %d", i);
        daemon_settle(daemon);
        if (i == 1)
            daemon_restart(daemon);
        else
            daemon_revive(daemon);
        client_say(first, "round %d", i);
        client_expect_next(alice, "[{time}] <%s" MARK "> round %d", self_name(), i);
        client_expect_next(second, "[{time}] <%s" MARK "> round %d", self_name(), i);
        client_say(alice, "/msg %s psst", self_name());
        client_expect_next(first, "[{time}] (private) <alice> psst");
        client_expect_next(second, "[{time}] (private) <alice> psst");
        client_say(alice, "/who");
        client_expect_next(alice, "-- 2 people in #lobby:");
        client_expect_next(alice, "-- %s" MARK ", alice", self_name());
    }
    client_close(self_connect(daemon, LOCAL));
    client_close(first);
    client_expect_nothing(alice);
    client_close(second);
    client_expect_next(alice, "-- %s" MARK " has left", self_name());
    daemon_stop(daemon);
}
END_TEST

/* Only of a unix socket the kernel tells who is at the other end. */
START_TEST(not_over_tcp)
{
    Daemon *daemon =
        daemon_start(.listeners = {
                         [TCP] = {.kind = LISTENER_TCP4}, [UNIX] = {.kind = LISTENER_TCP4, .name = "local"}});

    daemon_expect_log(daemon, "Closed a descriptor named \"local\"");
    client_expect_greeting(client_open(daemon, .listener = TCP));
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("local", {is_called_by_the_login_name, 0}, {the_mark_can_be_ascii, 0},
           {the_name_is_nobody_elses, 0}, {many_want_names, 0}, {a_guest_makes_way, 0},
           {two_connections_are_one_person, 0}, {two_connections_do_one_thing, 0}, {said_before_a_command, 0},
           {so_many_connections_and_not_one_more, 0}, {who_they_are_survives, 0}, {not_over_tcp, 0})
