/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The commands about rooms. */

#include <stdio.h>

#include "chat/room.h"
#include "chat/session.h"
#include "unit/play.h"

START_TEST(test_join)
{
    PLAY(NULL,
         {'a', "/join #", "!! A room can not be called that: its name needs at least one character.\n", ""},
         {'a', "/join #1", "!! A room can not be called that: its name has to begin with a letter or _.\n",
          ""},
         {'a', "/join #abcdefghijklmnopqrstuvwxy",
          "!! The name of a room may have 24 characters; that one has more.\n", ""},
         {'a', "/join #dev", "-- You are in #dev now, alone.\n", ""}, {'a', "hello", "", ""},
         {'b', "hello", "[12:03] #lobby <bob> hello\n", ""},
         {'b', "/me waves", "[12:03] #lobby * bob waves\n", ""},
         {'b', "/topic words", "-- #lobby: bob set the topic: words\n", "-- The topic of #lobby is set.\n"},
         {'b', "/join DEV", "-- bob is here\n",
          "-- You are in #dev now, with 1 other.\n[12:03] <alice> hello\n"},
         {'a', "welcome", "", "[12:03] <alice> welcome\n"},
         {'c', "/join #dev", "-- carol is here\n", "-- carol is here\n"},
         {'a', "/join #lobby", "-- You are in #lobby now, with 2 others.\n-- Topic of #lobby: words\n", ""},
         {'b', "here", "[12:03] #dev <bob> here\n", ""}, {'a', "there", "", "[12:03] #lobby <alice> there\n"},
         {'a', "/nick alicia", "-- You are now alicia.\n",
          "-- alice is now alicia\n-- #lobby: alice is now alicia\n"},
         {'a', "/join #abcdefghijklmnopqrstuvwx", "-- You are in #abcdefghijklmnopqrstuvwx now, alone.\n",
          ""});
}
END_TEST

START_TEST(test_leave)
{
    PLAY(NULL,
         {'a', "/leave", "!! The lobby is the only room you are in. /join another first, or /quit.\n", ""},
         {'a', "/leave #dev", "!! There is no room #dev. /rooms lists them, /join makes one.\n", ""},
         {'b', "/join #dev", "", "-- You are in #dev now, alone.\n"},
         {'a', "/leave #dev", "!! You are not in #dev.\n", ""},
         {'b', "/leave #lobby", "-- bob has left\n", "-- You left #lobby. You are in #dev now, alone.\n"},
         {'a', "hello", "", ""},
         {'b', "/leave", "-- bob is here\n", "-- You left #dev. You are in #lobby now, with 1 other.\n"},
         {'a', "/join #a", "-- You are in #a now, alone.\n", ""},
         {'a', "/join #b", "-- You are in #b now, alone.\n", ""},
         {'a', "/leave a", "-- You left #a. You are in #b now, alone.\n", ""},
         {'a', "/leave", "-- You left #b. You are in #lobby now, with 1 other.\n", ""});
}
END_TEST

START_TEST(test_limits)
{
    Config config;

    harness_config(&config);
    config.max_rooms = 2;
    config.max_rooms_per_client = 2;
    PLAY(&config, {'a', "/join #a", "-- You are in #a now, alone.\n", ""},
         {'a', "/join #b", "!! You are in as many rooms as you may be: 2. /leave one of them first.\n", ""},
         {'b', "/join #b", "", "-- You are in #b now, alone.\n"}, {'c', "/join #b", "", "-- carol is here\n"},
         {'a', "/join #c", "!! You are in as many rooms as you may be: 2. /leave one of them first.\n", ""},
         {'a', "/leave #lobby", "-- You left #lobby. You are in #a now, alone.\n",
          "-- #lobby: alice has left\n"},
         {'a', "/join #c",
          "!! There are as many rooms as there may be: 2. /rooms lists them; join one of those.\n", ""},
         {'a', "/join #lobby", "-- You are in #lobby now, with 2 others.\n", "-- #lobby: alice is here\n"});
}
END_TEST

START_TEST(test_topic)
{
    PLAY(NULL, {'a', "/topic", "-- #lobby has no topic. /topic TEXT sets one.\n", ""},
         {'a', "/topic words  of  mine", "-- The topic of #lobby is set.\n",
          "-- alice set the topic: words  of  mine\n"},
         {'b', "/topic", "", "-- Topic of #lobby, set by alice: words  of  mine\n"},
         {'b', "/topic -", "-- bob cleared the topic\n", "-- The topic of #lobby is cleared.\n"},
         {'b', "/topic", "", "-- #lobby has no topic. /topic TEXT sets one.\n"},
         {'b', "/topic --", "-- bob set the topic: --\n", "-- The topic of #lobby is set.\n"});
}
END_TEST

START_TEST(test_topic_length)
{
    char text[NAME_MAX_BYTES + 1] = "", expected[LIMIT_TOPIC_BYTES + 400];
    Harness *harness;
    Client *alice;
    Config config;

    harness_config(&config);
    config.max_topic_length = LIMIT_TOPIC_BYTES;
    harness = harness_new(&config, 10);
    /* The longest names there can be, too: 24 characters of four bytes. */
    for (size_t i = 0; i < 96; i += 4)
        memcpy(text + i, "\xf0\x90\x90\xa8", 4);
    alice = client_named(harness, text);
    client_say(harness, alice, "/join #%s", text);
    (void) client_take(alice);
    (void) snprintf(expected, sizeof expected, "-- Topic of #%s, set by %s: %0500d\n", text, text, 1);
    client_say(harness, alice, "/topic %0501d", 1);
    ck_assert_str_eq(client_take(alice), "!! A topic may have 500 bytes; yours has 501.\n");
    client_say(harness, alice, "/topic %0500d", 1);
    (void) client_take(alice);
    client_say(harness, alice, "/topic");
    ck_assert_str_eq(client_take(alice), expected);
    harness_free(harness);
}
END_TEST

START_TEST(test_history)
{
    PLAY(NULL, {'a', "/history", "-- Nothing is remembered of #lobby.\n", ""},
         {'a', "one", "", "[12:03] <alice> one\n"}, {'b', "/me two", "[12:03] * bob two\n", ""},
         {'a', "/history 0",
          "!! /history takes a number of lines from 1 to 200, or a day such as 2026-11-22, today or "
          "yesterday.\n",
          ""},
         {'a', "/history 201",
          "!! /history takes a number of lines from 1 to 200, or a day such as 2026-11-22, today or "
          "yesterday.\n",
          ""},
         {'a', "/history -1",
          "!! /history takes a number of lines from 1 to 200, or a day such as 2026-11-22, today or "
          "yesterday.\n",
          ""},
         {'a', "/history 1 2",
          "!! /history takes a number of lines from 1 to 200, or a day such as 2026-11-22, today or "
          "yesterday.\n",
          ""},
         {'a', "/history 00000000000000001", "[12:03] * bob two\n", ""},
         {'a', "/history 18446744073709551617",
          "!! /history takes a number of lines from 1 to 200, or a day such as 2026-11-22, today or "
          "yesterday.\n",
          ""},
         {'a', "/history two",
          "!! /history takes a number of lines from 1 to 200, or a day such as 2026-11-22, today or "
          "yesterday.\n",
          ""},
         {'a', "/history 200", "[12:03] <alice> one\n[12:03] * bob two\n", ""},
         {'a', "/history 1", "[12:03] * bob two\n", ""},
         {'b', "/history", "", "[12:03] <alice> one\n[12:03] * bob two\n"},
         {'b', "/msg alice psst", "[12:03] (private) <bob> psst\n", ""},
         {'a', "/join #dev", "-- You are in #dev now, alone.\n", ""},
         {'a', "/history 5", "-- Nothing is remembered of #dev.\n", ""});
}
END_TEST

static unsigned count_lines(const char *text)
{
    unsigned n = 0;

    for (; (text = strchr(text, '\n')) != NULL; text++)
        n++;
    return n;
}

/* As many as were asked for, in order, and 20 for a newcomer. */
START_TEST(test_long_history)
{
    static const unsigned numbers[] = {1, 2, 20, 199, 200};
    Harness *harness = harness_new(NULL, 10);
    Client *alice = client_named(harness, "alice"), *bob;
    char first[80];

    for (unsigned i = 0; i < 250; i++)
        client_say(harness, alice, "line %u", i);
    for (size_t i = 0; i < N_ELEMENTS(numbers); i++) {
        const char *text;

        client_say(harness, alice, "/history %u", numbers[i]);
        text = client_take(alice);
        (void) snprintf(first, sizeof first, "[12:03] <alice> line %u\n", 250 - numbers[i]);
        ck_assert_mem_eq(text, first, strlen(first));
        ck_assert_uint_eq(count_lines(text), numbers[i]);
        ck_assert_ptr_nonnull(strstr(text, "line 249\n"));
    }
    bob = client_new(harness);
    client_say(harness, alice, "after");
    ck_assert_uint_eq(count_lines(bob->output), 22);
    ck_assert_ptr_nonnull(
        strstr(bob->output, "commands.\n[12:03] <alice> line 230\n[12:03] <alice> line 231\n"));
    ck_assert_ptr_nonnull(strstr(bob->output, "line 249\n[12:03] <alice> after\n"));
    harness_free(harness);
}
END_TEST

/* A newcomer is shown what was said before, each line once. */
START_TEST(test_newcomer)
{
    Harness *harness;
    Client *alice, *bob;
    Config config;

    harness_config(&config);
    config.history = 0;
    harness = harness_new(&config, 10);
    alice = client_named(harness, "alice");
    client_say(harness, alice, "before");
    bob = client_new(harness);
    harness_turn(harness);
    ck_assert_str_eq(client_take(bob),
                     "-- Welcome to host. You are guest2; 1 other is here. /help lists the commands.\n");
    harness->config.history = 5;
    client_break(harness, bob);
    client_type(alice, "same turn\n", 10);
    bob = client_new(harness);
    harness_turn(harness);
    ck_assert_str_eq(client_take(bob),
                     "-- Welcome to host. You are guest3; 1 other is here. /help lists the commands.\n"
                     "[12:03] <alice> before\n[12:03] <alice> same turn\n");
    harness_free(harness);
}
END_TEST

/* What waits to be read when a room is joined comes before what is told of that. */
START_TEST(test_order_in_turn)
{
    Harness *harness = harness_new(NULL, 10);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");

    client_type(alice, "one\n/join #dev\ntwo\n", 19);
    client_type(bob, "three\n/join #dev\nfour\n", 22);
    harness_turn(harness);
    ck_assert_str_eq(client_take(bob),
                     "[12:03] <alice> one\n-- You are in #dev now, with 1 other.\n[12:03] <alice> two\n");
    ck_assert_str_eq(client_take(alice),
                     "-- You are in #dev now, alone.\n[12:03] #lobby <bob> three\n-- bob is here\n"
                     "[12:03] <bob> four\n");
    harness_free(harness);
}
END_TEST

START_TEST(test_lists)
{
    PLAY(
        NULL, {'a', "/rooms", "-- 1 room:\n-- #lobby (2)\n", ""},
        {'a', "/who", "-- 2 people in #lobby:\n-- bob, alice\n", ""},
        {'a', "/who #dev", "!! There is no room #dev. /rooms lists them, /join makes one.\n", ""},
        {'a', "/join #dev", "-- You are in #dev now, alone.\n", ""},
        {'a', "/topic words", "-- The topic of #dev is set.\n", ""},
        {'b', "/away", "", "-- You are away. Whoever writes to you is told; /away says that you are back.\n"},
        {'a', "/rooms", "-- 2 rooms:\n-- #lobby (2)\n-- #dev (1) words\n", ""},
        {'a', "/who", "-- 1 person in #dev:\n-- alice\n", ""},
        {'b', "/who #DEV", "", "-- 1 person in #dev:\n-- alice\n"},
        {'a', "/who lobby", "-- 2 people in #lobby:\n-- bob (away), alice\n", ""});
}
END_TEST

/* Long lists end with how many are left out. */
START_TEST(test_long_lists)
{
    enum { PEOPLE = 400 };
    Harness *harness = harness_new(NULL, PEOPLE + 1);
    Client *alice = client_named(harness, "alice");
    char nick[NAME_MAX_BYTES + 1] = "";
    const char *text;
    unsigned n_listed = 0;

    for (unsigned i = 0; i < 20; i++)
        (void) strcat(nick, "\xf0\x90\x90\xa8");
    for (unsigned i = 1; i < PEOPLE; i++) {
        Client *client = client_new(harness);

        harness_turn(harness);
        client_say(harness, client, "/nick %s%u", nick, i);
        client_say(harness, client, "/join #room%u", i);
    }
    harness_take_all(harness);
    client_say(harness, alice, "/rooms");
    text = client_take(alice);
    ck_assert_mem_eq(text, "-- 400 rooms:\n-- #lobby (400)\n", 30);
    ck_assert_uint_eq(count_lines(text), 32);
    ck_assert_ptr_nonnull(strstr(text, "\n-- and 370 smaller ones\n"));
    client_say(harness, alice, "/who");
    text = client_take(alice);
    ck_assert_mem_eq(text, "-- 400 people in #lobby:\n", 25);
    for (const char *at = text; (at = strstr(at, nick)) != NULL; at++)
        n_listed++;
    (void) snprintf(nick, sizeof nick, "\n-- and %u more\n", PEOPLE - n_listed);
    ck_assert_uint_gt(n_listed, 100);
    ck_assert_str_eq(text + strlen(text) - strlen(nick), nick);
    harness_free(harness);
}
END_TEST

UNIT_MAIN("command-room", test_join, test_leave, test_limits, test_topic, test_topic_length, test_history,
          test_long_history, test_newcomer, test_order_in_turn, test_lists, test_long_lists)
