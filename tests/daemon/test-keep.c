/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Rooms that belong to somebody, over real sockets: whoever runs the tests is the founder, the others are
 * guests. */

#include "lib/self.h"

enum { TCP, LOCAL };

#define ALL .listeners = {[TCP] = {.kind = LISTENER_TCP4}, [LOCAL] = {.kind = LISTENER_UNIX, .name = "local"}}

/* From the founding of a room to its end; a process dies between any two steps. */
START_TEST(from_beginning_to_end)
{
    Daemon *daemon = daemon_start(ALL);
    Client *alice = client_connect_to(daemon, TCP, "alice"), *bob = client_connect_to(daemon, TCP, "bob"),
           *self = self_connect(daemon, LOCAL);

    daemon_settle(daemon);
    client_say(self, "/join #garden");
    client_expect(self, "-- You are in #garden now, alone.");
    client_say(self, "/topic roses");
    client_expect_next(self, "-- The topic of #garden is set.");
    client_say(self, "/lock");
    client_expect_next(self, "-- #garden is locked: only who is invited may come in. /invite NICK invites.");
    client_say(self, "/invite alice");
    client_expect_next(self, "-- alice is invited into #garden, as long as they are connected.");
    client_expect(alice, "-- %s" MARK " invites you: /join #garden", self_name());
    daemon_settle(daemon);
    daemon_revive(daemon);
    client_say(bob, "/join #garden");
    client_expect(bob, "!! #garden is locked: by invitation only. Ask %s for one.", self_name());
    client_say(alice, "/join #garden");
    client_expect(alice, "-- You are in #garden now, with 1 other.");
    client_expect(self, "-- alice is here");
    client_say(self, "/invite");
    client_expect(self, "-- Invited into #garden: alice.");
    client_say(self, "/give alice");
    client_expect(self, "!! alice has no account of this host, and so can not keep a room.");
    client_say(self, "/lock topic");
    client_expect(alice, "-- %s" MARK " locked the topic", self_name());
    client_say(alice, "/topic tulips");
    client_expect_next(alice, "!! The topic of #garden is locked: only %s and operators set it.",
                       self_name());
    /* Nobody is there, and it waits for its founder. */
    client_say(self, "/leave");
    client_say(alice, "/leave");
    client_expect(alice, "-- You left #garden. {any}");
    daemon_settle(daemon);
    daemon_restart(daemon);
    client_say(bob, "/rooms");
    client_expect(bob, "-- #garden (0, locked) roses");
    client_say(self, "/join #garden");
    client_expect(self, "-- Topic of #garden: roses");
    client_say(alice, "/join #garden");
    client_expect(alice, "-- Topic of #garden: roses");
    client_say(self, "/close");
    client_expect(self, "-- #garden is closed. You are in #lobby now.");
    client_expect_next(alice, "-- %s" MARK " closed the room", self_name());
    client_expect_next(alice, "-- #garden is closed. You are in #lobby now.");
    client_say(bob, "/join #garden");
    client_expect(bob, "-- You are in #garden now, alone.");
    daemon_stop(daemon);
}
END_TEST

/* Everybody hears what was said before, and is put out by the process that comes next. */
START_TEST(a_crowd_is_put_out)
{
    enum { CROWD = 200 };
    Daemon *daemon = daemon_start(ALL);
    Client *crowd[CROWD], *self = self_connect(daemon, LOCAL);

    client_say(self, "/join #garden");
    for (size_t i = 0; i < CROWD; i++)
        client_expect_greeting(crowd[i] = client_open(daemon, .listener = TCP));
    for (size_t i = 0; i < CROWD; i++) {
        client_say(crowd[i], "/join #garden");
        client_expect(crowd[i], "-- You are in #garden now, with {n} other{any}");
    }
    daemon_settle(daemon);
    client_say(crowd[0], "the last words");
    client_sync(crowd[0]);
    client_say(self, "/close");
    daemon_revive(daemon);
    for (size_t i = 0; i < CROWD; i++) {
        if (i > 0)
            client_expect(crowd[i], "[{time}] <guest{n}> the last words");
        client_expect(crowd[i], "-- %s" MARK " closed the room", self_name());
        client_expect(crowd[i], "-- #garden is closed. You are in #lobby now.");
    }
    client_expect(self, "-- #garden is closed. You are in #lobby now.");
    client_say(crowd[0], "/who");
    client_expect(crowd[0], "-- 201 people in #lobby:");
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("keep", {from_beginning_to_end, 0}, {a_crowd_is_put_out, 0})
