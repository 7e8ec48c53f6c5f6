/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* /set: how one's own lines look. Bell and colour are off at first, times and joins are on. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/client.h"

#define BELL "\a"
#define ESC "\x1b["

static void set(Client *client, const char *what)
{
    client_say(client, "/set %s", what);
    client_expect(client, "-- {any}");
}

START_TEST(times)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob, *carol;

    people_connect(daemon, "alice", &alice, "bob", &bob, "carol", &carol, NULL);
    set(bob, "time off");
    client_say(alice, "hello");
    client_say(alice, "/me waves");
    client_say(alice, "/msg bob psst");
    client_expect_next(bob, "<alice> hello");
    client_expect_next(bob, "* alice waves");
    client_expect_next(bob, "(private) <alice> psst");
    client_expect_next(carol, "[{time}] <alice> hello");
    client_say(bob, "/join #dev");
    client_expect_next(bob, "-- You are in #dev now{any}");
    client_say(alice, "from the lobby");
    client_expect_next(bob, "#lobby <alice> from the lobby");
    set(bob, "time on");
    client_say(alice, "hello");
    client_expect_next(bob, "[{time}] #lobby <alice> hello");
    daemon_stop(daemon);
}
END_TEST

/* Who is spoken of, and whether the bell rings. */
static const struct {
    const char *said;
    bool rings;
} mentions[] = {
    {"hello bob", true},    {"bob: hello", true},       {"BOB!", true},
    {"is it (bob)?", true}, {"bobsleigh", false},       {"kebob", false},
    {"hello carol", false}, {"/me waves to bob", true}, {"/me waves", false},
};

START_TEST(bell)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob, *carol;

    people_connect(daemon, "alice", &alice, "bob", &bob, "carol", &carol, NULL);
    client_say(alice, "bob, no bell yet");
    client_expect_next(bob, "[{time}] <alice> bob, no bell yet");
    set(bob, "bell on");
    client_sync(carol);
    for (size_t i = 0; i < N_ELEMENTS(mentions); i++) {
        const char *said = mentions[i].said;
        bool is_action = strncmp(said, "/me ", 4) == 0;

        suite_note("%s", said);
        client_say(alice, "%s", said);
        client_expect_next(bob, "[{time}] %s %s%s", is_action ? "* alice" : "<alice>",
                           is_action ? said + 4 : said, mentions[i].rings ? BELL : "");
        client_expect_next(carol, "[{time}] {any}%s", is_action ? said + 4 : said);
    }
    suite_note("%s", "");
    set(bob, "bell off");
    client_say(alice, "bob?");
    client_expect_next(bob, "[{time}] <alice> bob?");
    daemon_stop(daemon);
}
END_TEST

START_TEST(color)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob, *carol;
    char first[128];

    people_connect(daemon, "alice", &alice, "bob", &bob, "carol", &carol, NULL);
    set(bob, "color on");
    client_say(alice, "one");
    client_expect_next(bob, "[{time}] <" ESC "{n}malice" ESC "0m> one");
    ck_assert_msg(bob->line[11] == '3' || bob->line[11] == '9', "no colour of text: %s", bob->line + 9);
    (void) snprintf(first, sizeof(first), "%.20s", bob->line + 9);
    client_expect_next(carol, "[{time}] <alice> one");
    /* The same nick always has the same colour, for everybody who sees one. */
    client_say(alice, "two");
    client_expect_next(bob, "[{time}] <" ESC "{n}malice" ESC "0m> two");
    ck_assert_int_eq(strncmp(first, bob->line + 9, strcspn(first, ">")), 0);
    set(carol, "color on");
    client_say(alice, "three");
    client_expect(carol, "[{time}] <" ESC "{n}malice" ESC "0m> three");
    ck_assert_int_eq(strncmp(first, carol->line + 9, strcspn(first, ">")), 0);
    client_say(alice, "/me waves");
    client_expect(bob, "[{time}] * " ESC "{n}malice" ESC "0m waves");
    set(bob, "color off");
    client_say(alice, "four");
    client_expect_next(bob, "[{time}] <alice> four");
    daemon_stop(daemon);
}
END_TEST

START_TEST(joins)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob, *carol;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    set(bob, "joins off");
    carol = client_connect_as(daemon, "carol");
    client_expect_next(alice, "-- guest{n} is here");
    client_expect_next(alice, "-- guest{n} is now carol");
    client_close(carol);
    client_expect_next(alice, "-- carol has left");
    client_say(alice, "did you see carol?");
    client_expect_next(bob, "[{time}] <alice> did you see carol?");
    client_say(alice, "/topic who was that");
    client_expect_next(bob, "-- alice set the topic: who was that");
    set(bob, "joins on");
    client_become(alice, "carol");
    client_expect_next(bob, "-- alice is now carol");
    daemon_stop(daemon);
}
END_TEST

START_TEST(settings_are_shown)
{
    Daemon *daemon = daemon_start();
    Client *alice = client_connect_as(daemon, "alice");

    for (size_t i = 0; i < 4; i++) {
        static const char *const names[] = {"time", "bell", "color", "joins"};
        char *answer = client_ask(alice, "/set");

        ck_assert_msg(strstr(answer, names[i]) != NULL, "%s is not in: %s", names[i], answer);
        free(answer);
    }
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("settings", {times, 0}, {bell, 0}, {color, 0}, {joins, 0}, {settings_are_shown, 0})
