/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * Another version goes on: one with the next layout reads this one's state, and everybody stays; this one
 * cannot read the state of that one, and says so instead of guessing.
 */

#include <string.h>

#include "lib/client.h"

enum { TCP, UNIX };

#define BOTH .listeners = {[TCP] = {.kind = LISTENER_TCP4}, [UNIX] = {.kind = LISTENER_UNIX}}

static void restart_as(Daemon *daemon, DaemonProgram program, bool is_killed)
{
    daemon->options.program = program;
    if (is_killed) {
        daemon_kill(daemon);
        daemon_start_again(daemon);
    } else {
        daemon_restart(daemon);
    }
}

static void upgrade(bool is_killed)
{
    Daemon *daemon = daemon_start(BOTH, .config = DAEMON_CONFIG "[Chat]\nMotd=Good morning.\n");
    Client *alice = client_connect_to(daemon, TCP, "alice"), *bob = client_connect_to(daemon, TCP, "bob");
    Client *uma = client_connect_to(daemon, UNIX, "uma"), *next;

    client_say(alice, "/join #garden");
    client_say(alice, "/topic roses");
    client_say(alice, "/ignore bob");
    client_say(uma, "/set time off");
    client_say(uma, "/away at lunch");
    client_say(bob, "before");
    daemon_settle(daemon);
    client_send_text(uma, "half a ");
    client_send_text(bob, "and ha");
    daemon_expect_sleep(daemon);
    restart_as(daemon, DAEMON_NEXT, is_killed);
    daemon_expect_sleep(daemon);
    for (Client *client = daemon->clients; client != NULL; client = client->next)
        ck_assert_msg(client_is_silent(client), "%s noticed", client->nick);
    ck_assert_uint_eq(store_count(&daemon->store, "state-{n}"), 1);
    client_send_text(uma, "line\n");
    client_expect_next(alice, "[{time}] #lobby <uma> half a line");
    client_expect_next(bob, "[{time}] <uma> half a line");
    client_send_text(bob, "lf a line\n");
    client_expect_next(uma, "<bob> and half a line");
    client_expect_nothing(alice);
    client_say(alice, "/topic");
    client_expect_next(alice, "-- Topic of #garden, set by alice: roses");
    client_say(alice, "/msg uma are you there?");
    client_expect_next(alice, "-- uma is away: at lunch");
    client_expect_next(uma, "(private) <alice> are you there?");
    client_say(alice, "/ignore");
    client_expect_next(alice, "-- You ignore bob.");
    next = client_open(daemon, .listener = UNIX);
    client_expect_greeting(next);
    client_expect_next(next, "-- Good morning.");
    client_expect_next(next, "[{time}] <bob> before");
    /* And on from there, in that layout. */
    restart_as(daemon, DAEMON_NEXT, is_killed);
    client_say(next, "me, too");
    client_expect(bob, "[{time}] <guest{n}> me, too");
    daemon_stop(daemon);
}

START_TEST(the_next_version_goes_on)
{
    upgrade(false);
}
END_TEST

START_TEST(the_next_version_goes_on_after_a_death)
{
    upgrade(true);
}
END_TEST

static void downgrade(bool is_killed)
{
    Daemon *daemon = daemon_start(BOTH, .program = DAEMON_NEXT);
    Client *alice = client_connect_to(daemon, TCP, "alice"), *uma = client_connect_to(daemon, UNIX, "uma"),
           *next;

    daemon_settle(daemon);
    client_send_text(alice, "half a li");
    daemon_expect_sleep(daemon);
    restart_as(daemon, DAEMON_CHATD, is_killed);
    client_expect_next(alice, "!! {any}");
    client_expect_eof(alice);
    client_expect_next(uma, "!! {any}");
    client_expect_eof(uma);
    daemon_expect_log(daemon, "later version");
    next = client_open(daemon, .listener = TCP);
    client_expect_next(next, "-- Welcome to {any}nobody else is here.{any}");
    client_sync(next);
    daemon_expect_sleep(daemon);
    ck_assert_uint_eq(store_count(&daemon->store, "state-{n}"), 1);
    ck_assert_uint_eq(store_count(&daemon->store, "vault-{n}"), 2);
    restart_as(daemon, DAEMON_CHATD, is_killed);
    client_expect_nothing(next);
    daemon_stop(daemon);
}

START_TEST(an_earlier_version_begins_anew)
{
    downgrade(false);
}
END_TEST

START_TEST(an_earlier_version_begins_anew_after_a_death)
{
    downgrade(true);
}
END_TEST

SUITE_MAIN("upgrade", {the_next_version_goes_on, 0}, {the_next_version_goes_on_after_a_death, 0},
           {an_earlier_version_begins_anew, 0}, {an_earlier_version_begins_anew_after_a_death, 0})
