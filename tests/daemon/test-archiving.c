/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The daemon with an archive: what is in it after a stop, after deaths, and what a new chat begins with. */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/past.h"
#include "lib/self.h"

enum { TCP, LOCAL };

#define LISTENERS                                                                                            \
    .listeners = {[TCP] = {.kind = LISTENER_TCP4}, [LOCAL] = {.kind = LISTENER_UNIX, .name = "local"}}
#define OFF DAEMON_CONFIG "[Archive]\nEnabled=no\n"

START_TEST(what_is_said)
{
    Daemon *daemon = daemon_start(.has_archive = true);
    Client *alice = client_connect_as(daemon, "alice"), *bob = client_connect_as(daemon, "bob");

    client_say(alice, "hello");
    client_say(alice, "/me waves");
    client_say(alice, "/msg bob a secret");
    client_say(alice, "/topic ours");
    client_expect(bob, "-- alice set the topic: ours");
    client_say(bob, "good bye");
    client_sync(bob);
    daemon_end(daemon);
    past_expect(daemon, "alice: hello\n* alice waves\nbob: good bye\n");
    ck_assert_int_eq(past_number(daemon, "SELECT count(*) FROM lines WHERE text LIKE '%secret%'"), 0);
    ck_assert_int_eq(past_number(daemon, "SELECT count(*) FROM gaps"), 0);
    ck_assert_uint_eq(daemon_count_log(daemon, "archive"), 0);
    daemon_free(daemon);
}
END_TEST

START_TEST(it_is_there_soon)
{
    Daemon *daemon = daemon_start(.has_archive = true);
    Client *alice = client_connect_as(daemon, "alice");
    uint64_t deadline = deadline_in(SECONDS_TO_ANSWER);

    client_say(alice, "hello");
    client_sync(alice);
    while (past_number(daemon, "SELECT count(*) FROM lines") == 0)
        if (!daemon_turn(daemon, -1, 0, deadline_exactly_in(0.05)) && now_usec() > deadline)
            daemon_fail(daemon, "nothing is written");
    daemon_stop(daemon);
}
END_TEST

/* Whenever it dies, nothing is missing and nothing is there twice. */
START_TEST(deaths_at_any_time)
{
    enum { ROUNDS = 14 };
    Daemon *daemon = daemon_start(.has_archive = true, .restarts = ROUNDS + 1);
    Client *alice = client_connect_as(daemon, "alice");
    Buffer said = {0};
    unsigned n = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < 20; i++, n++) {
            char line[64];

            (void) snprintf(line, sizeof(line), "alice: line %u of %u\n", i, round);
            buffer_add_text(&said, line);
            client_say(alice, "line %u of %u", i, round);
        }
        /* Some of these are when it is about to write, or at it, and some when it has just begun. */
        (void) daemon_turn(daemon, -1, 0, now_usec());
        daemon_expect_running_for(daemon, 0.1 * (round % 13));
        daemon_signal(daemon, SIGKILL);
    }
    client_sync(alice);
    daemon_end(daemon);
    past_expect(daemon, buffer_text(&said));
    ck_assert_int_eq(past_number(daemon, "SELECT count(*) FROM gaps"), 0);
    buffer_done(&said);
    daemon_free(daemon);
}
END_TEST

/* The same over polite restarts, which wait for nothing. */
START_TEST(restarts)
{
    Daemon *daemon = daemon_start(.has_archive = true);
    Client *alice = client_connect_as(daemon, "alice");

    for (unsigned round = 0; round < 3; round++) {
        client_say(alice, "line %u", round);
        client_sync(alice);
        daemon_restart(daemon);
    }
    daemon_end(daemon);
    past_expect(daemon, "alice: line 0\nalice: line 1\nalice: line 2\n");
    daemon_free(daemon);
}
END_TEST

START_TEST(the_past_of_the_lobby)
{
    Daemon *daemon = daemon_start(.has_archive = true, .no_runtime_directory = true);
    Client *alice = client_connect_as(daemon, "alice");

    for (unsigned i = 0; i < 3; i++)
        client_say(alice, "line %u", i);
    client_say(alice, "/topic ours");
    client_say(alice, "/join #garden");
    client_say(alice, "flowers");
    client_sync(alice);
    for (unsigned round = 0; round < 2; round++) {
        daemon_end(daemon);
        daemon_close_clients(daemon);
        daemon_start_again(daemon);
        alice = client_open(daemon);
        client_expect_next(alice, "-- Welcome to {any}");
        client_expect_next(alice, "-- Topic of #lobby: ours");
        for (unsigned i = 0; i < 3; i++)
            client_expect_next(alice, "[{time}] <alice> line %u", i);
        client_say(alice, "/join #Garden");
        client_expect(alice, "[{time}] <alice> flowers");
        client_say(alice, "/search flowers");
        client_expect_next(alice, "-- {any} #garden <alice> flowers");
        client_say(alice, "/seen ALICE");
        client_expect_next(alice, "-- alice was here last on {any}");
    }
    daemon_end(daemon);
    past_expect(daemon, "alice: line 0\nalice: line 1\nalice: line 2\n");
    daemon_free(daemon);
}
END_TEST

/* Operators delete what is remembered, and what only the archive has. */
START_TEST(deleting)
{
    Daemon *daemon = daemon_start(LISTENERS, .has_archive = true, .no_runtime_directory = true,
                                  .config = daemon_config_operators(DAEMON_CONFIG "[Chat]\nHistory=2\n"));
    Client *alice = client_connect_to(daemon, TCP, "alice"), *bob = client_connect_to(daemon, TCP, "bob");
    Client *root;

    for (unsigned i = 0; i < 6; i++)
        client_say(alice, "line %u", i);
    client_sync(alice);
    client_say(bob, "stays");
    client_sync(bob);
    daemon_end(daemon);
    daemon_close_clients(daemon);
    daemon_start_again(daemon);
    root = self_connect(daemon, LOCAL);
    client_expect(root, "[{time}] <bob> stays");
    client_say(root, "/delete Alice 4");
    client_expect_next(root, "-- 1 line of Alice is deleted, and up to 3 older in the archive.");
    client_say(root, "/delete carol");
    client_expect_next(root, "-- 0 lines of carol are deleted, and up to 1 older in the archive.");
    client_sync(root);
    daemon_end(daemon);
    past_expect(daemon, "alice: line 0\nalice: line 1\nbob: stays\n");
    daemon_free(daemon);
}
END_TEST

/* Also with nothing but the archive to remember it. */
START_TEST(bans)
{
    Daemon *daemon;
    Client *root;

    daemon = daemon_start(LISTENERS, .has_archive = true, .no_runtime_directory = true,
                          .config = daemon_config_operators(DAEMON_CONFIG));
    root = self_connect(daemon, LOCAL);
    client_say(root, "/ban 127.0.0.2 1h spam");
    client_expect(root, "-- 127.0.0.2 is banned until {any}; that is number 1 of /bans.");
    client_say(root, "/mute 127.0.0.3");
    client_expect(root, "-- 127.0.0.3 is muted; that is number 2 of /bans.");
    client_say(root, "/ban 127.0.0.4");
    client_expect(root, "-- 127.0.0.4 is banned; that is number 3 of /bans.");
    client_say(root, "/unban 3");
    client_sync(root);
    for (unsigned round = 0; round < 2; round++) {
        Client *client;

        daemon_end(daemon);
        daemon_close_clients(daemon);
        daemon_start_again(daemon);
        client = client_open(daemon, .from = "127.0.0.2");
        client_expect_next(client, "!! You are banned until {any}: spam");
        client_expect_eof(client);
        client = client_open(daemon, .from = "127.0.0.3");
        client_expect_next(client, "-- Welcome to {any}");
        client_say(client, "hello");
        client_expect(client, "!! You are muted.");
        client = client_open(daemon, .from = "127.0.0.4");
        client_expect_next(client, "-- Welcome to {any}");
        root = self_connect(daemon, LOCAL);
        client_say(root, "/ban 127.0.0.%u", 9 + round);
        client_expect(root, "-- 127.0.0.{n} is banned; that is number %u of /bans.", 3 + round);
    }
    daemon_stop(daemon);
}
END_TEST

/* What is said while it is off is not archived, then or ever. */
START_TEST(off_for_a_while)
{
    Daemon *daemon = daemon_start(.has_archive = true);
    Client *alice = client_connect_as(daemon, "alice");

    client_say(alice, "before");
    client_sync(alice);
    daemon_write_file(daemon, "chatd.conf", OFF);
    daemon_reload(daemon);
    client_say(alice, "meanwhile");
    client_say(alice, "/search before");
    client_expect(alice, "!! What is said is not archived here.");
    /* It is not waited for. */
    while (past_number(daemon, "SELECT count(*) FROM lines") == 0)
        daemon_expect_running_for(daemon, 0.02);
    past_expect(daemon, "alice: before\n");
    daemon_revive(daemon);
    client_say(alice, "meanwhile");
    client_sync(alice);
    daemon_write_file(daemon, "chatd.conf", DAEMON_CONFIG);
    daemon_reload(daemon);
    client_say(alice, "after");
    client_sync(alice);
    daemon_revive(daemon);
    client_say(alice, "after that");
    client_sync(alice);
    daemon_end(daemon);
    past_expect(daemon, "alice: before\nalice: after\nalice: after that\n");
    ck_assert_int_eq(past_number(daemon, "SELECT count(*) FROM gaps"), 0);
    daemon_free(daemon);
}
END_TEST

/* Nothing is missing of what was said while it was off. */
START_TEST(off_and_on)
{
    Daemon *daemon = daemon_start(.has_archive = true, .config = OFF);
    Client *alice = client_connect_as(daemon, "alice");

    client_say(alice, "meanwhile");
    client_sync(alice);
    daemon_write_file(daemon, "chatd.conf", DAEMON_CONFIG);
    daemon_reload(daemon);
    client_sync(alice);
    daemon_end(daemon);
    past_expect(daemon, "");
    ck_assert_uint_eq(daemon_count_log(daemon, "could not be archived"), 0);
    daemon_free(daemon);
}
END_TEST

/* Who sets something with the first packet, as scripts do, keeps what they had set before. */
START_TEST(set_at_once)
{
    Daemon *daemon = daemon_start(LISTENERS, .has_archive = true);
    Client *self = self_connect(daemon, LOCAL);

    client_say(self, "/ignore mallory");
    client_expect(self, "-- You ignore mallory now.{any}");
    for (unsigned round = 0; round < 3; round++) {
        daemon_end(daemon);
        daemon_close_clients(daemon);
        daemon_start_again(daemon);
        self = client_open(daemon, .listener = LOCAL);
        client_send_text(self, round % 2 == 0 ? "/set bell on\n/ignore\n" : "/set color on\n/ignore\n");
        client_expect(self, "-- You ignore mallory.");
    }
    client_say(self, "/set");
    client_expect(self, "-- time on, bell on, color on, joins on, mark unicode.");
    daemon_stop(daemon);
}
END_TEST

/* Who comes again is greeted by what they have set: none of the history is from whom they ignore. In the
 * archive it is not found either. */
START_TEST(set_before_the_greeting)
{
    Daemon *daemon = daemon_start(LISTENERS, .has_archive = true);
    Client *alice = client_connect_as(daemon, "alice"), *bob = client_connect_as(daemon, "bob");
    Client *self = self_connect(daemon, LOCAL);

    client_say(self, "/ignore bob");
    client_expect(self, "-- You ignore bob now.{any}");
    client_say(self, "/set mark ascii");
    client_expect(self, "-- mark is ascii now.");
    client_say(bob, "words of bob");
    client_sync(bob);
    client_say(alice, "words of alice");
    client_sync(alice);
    client_close(self);
    client_expect(alice, "-- %s" MARK " has left", self_name());
    for (unsigned round = 0; round < 2; round++) {
        if (round > 0) {
            daemon_end(daemon);
            daemon_close_clients(daemon);
            daemon_start_again(daemon);
        }
        self = client_open(daemon, .listener = LOCAL);
        client_expect_next(self, "-- Welcome to {any} You are %s+; {any}", self_name());
        client_expect_next(self, "[{time}] <alice> words of alice");
        client_say(self, "/search words");
        client_expect_next(self, "-- {any} #lobby <alice> words of alice");
        client_say(self, "/history today");
        client_expect_next(self, "-- {any} #lobby <alice> words of alice");
        client_sync(self);
    }
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("archiving", {what_is_said, 0}, {it_is_there_soon, 0}, {deaths_at_any_time, 0}, {restarts, 0},
           {the_past_of_the_lobby, 0}, {deleting, 0}, {bans, 0}, {off_for_a_while, 0}, {off_and_on, 0},
           {set_at_once, 0}, {set_before_the_greeting, 0})
