/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Every command: what it does, and what it says when it can not. */

#include <stdlib.h>
#include <string.h>

#include "lib/client.h"

static const char *const commands[] = {
    "nick",  "me",   "msg",    "reply",   "join", "leave", "rooms",   "who",  "whois",
    "topic", "away", "ignore", "history", "set",  "time",  "version", "help", "quit",
};

/* What cannot be done has one line of answer, and nobody else hears of it. */
static const struct {
    const char *line;
    const char *answer;
} errors[] = {
    {"/jion #dev", "!! Unknown command /jion. Did you mean /join? /help lists them."},
    {"/nikc bob", "!! Unknown command /nikc. Did you mean /nick? /help lists them."},
    {"/halp", "!! Unknown command /halp. Did you mean /help? /help lists them."},
    {"/xyzzyplugh", "!! Unknown command /xyzzyplugh. {any}"},
    {"/", "!! {any}"},
    {"/ nick bob", "!! {any}"},
    {"/nick", "!! {any}"},
    {"/nick 1st", "!! {any}"},
    {"/nick no/slash", "!! {any}"},
    {"/nick bob", "!! {any}bob{any}"},
    {"/nick BOB", "!! {any}"},
    {"/nick guest7", "!! {any}"},
    {"/nick abcdefghijklmnopqrstuvwxy", "!! {any}24{any}"},
    {"/me", "!! {any}"},
    {"/msg", "!! {any}"},
    {"/msg bob", "!! {any}"},
    {"/msg nobody hello", "!! {any}nobody{any}"},
    {"/reply", "!! {any}"},
    {"/reply hello", "!! {any}"},
    {"/join", "!! {any}"},
    {"/join #", "!! {any}"},
    {"/join #1st", "!! {any}"},
    {"/join #no/slash", "!! {any}"},
    {"/leave", "!! {any}"},
    {"/leave #lobby", "!! {any}"},
    {"/leave #nowhere", "!! {any}nowhere{any}"},
    {"/who #nowhere", "!! {any}nowhere{any}"},
    {"/whois", "!! {any}"},
    {"/whois nobody", "!! {any}nobody{any}"},
    {"/history many", "!! {any}"},
    {"/history -1", "!! {any}"},
    {"/set noise on", "!! {any}"},
    {"/set bell maybe", "!! {any}"},
    {"/help xyzzyplugh", "!! {any}"},
};

START_TEST(errors_have_one_line_and_reach_nobody)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    for (size_t i = 0; i < N_ELEMENTS(errors); i++) {
        suite_note("%s", errors[i].line);
        client_say(alice, "%s", errors[i].line);
        client_expect_next(alice, "%s", errors[i].answer);
        client_expect_nothing(alice);
    }
    client_expect_nothing(bob);
    daemon_stop(daemon);
}
END_TEST

START_TEST(help_lists_all_and_explains_each)
{
    Daemon *daemon = daemon_start();
    Client *alice = client_connect_as(daemon, "alice");
    char *list = client_ask(alice, "/help"), word[32];

    for (size_t i = 0; i < N_ELEMENTS(commands); i++) {
        char *help;

        suite_note("/%s", commands[i]);
        (void) snprintf(word, sizeof(word), "/%s", commands[i]);
        ck_assert_msg(strstr(list, word) != NULL, "%s is not in:\n%s", word, list);
        help = client_ask(alice, "/help %s", commands[i]);
        ck_assert_msg(strncmp(help, "-- ", 3) == 0 && strstr(help, word) != NULL, "/help %s says:\n%s",
                      commands[i], help);
        free(help);
        help = client_ask(alice, "/help /%s", commands[i]);
        ck_assert_msg(strncmp(help, "-- ", 3) == 0 && strstr(help, word) != NULL, "/help /%s says:\n%s",
                      commands[i], help);
        free(help);
    }
    free(list);
    daemon_stop(daemon);
}
END_TEST

/* Every line of every answer tells where it comes from. */
START_TEST(answers_are_marked_on_every_line)
{
    static const char *const asked[] = {
        "/help", "/rooms", "/who",      "/who #lobby", "/whois alice", "/whois bob",
        "/set",  "/time",  "/help set", "/topic",      "/ignore",
    };
    Daemon *daemon = daemon_start();
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    for (size_t i = 0; i < N_ELEMENTS(asked); i++) {
        char *answer = client_ask(alice, "%s", asked[i]), *state = NULL;

        ck_assert_msg(*answer != '\0', "%s has no answer", asked[i]);
        for (char *line = strtok_r(answer, "\n", &state); line != NULL; line = strtok_r(NULL, "\n", &state))
            ck_assert_msg(strncmp(line, "-- ", 3) == 0, "%s answers: %s", asked[i], line);
        free(answer);
    }
    client_expect_nothing(bob);
    daemon_stop(daemon);
}
END_TEST

START_TEST(nick_changes_and_frees)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob, *guest;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    client_say(alice, "/nick carol");
    client_expect_next(alice, "-- You are now carol.");
    client_expect_next(bob, "-- alice is now carol");
    client_say(bob, "/nick alice");
    client_expect_next(bob, "-- You are now alice.");
    client_expect_next(alice, "-- bob is now alice");
    /* Another spelling of one's own name is not taken by anybody else. */
    client_say(bob, "/nick Alice");
    client_expect_next(bob, "-- You are now Alice.");
    client_expect_next(alice, "-- alice is now Alice");
    guest = client_connect(daemon);
    client_expect_next(alice, "-- %s is here", guest->nick);
    client_say(guest, "/nick bob");
    client_expect_next(guest, "-- You are now bob.");
    client_expect_next(alice, "-- %s is now bob", guest->nick);
    daemon_stop(daemon);
}
END_TEST

START_TEST(msg_goes_to_one_by_any_spelling)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob, *carol;

    people_connect(daemon, "alice", &alice, "bob", &bob, "carol", &carol, NULL);
    client_say(alice, "/msg BOB  two  spaces");
    client_expect_next(bob, "[{time}] (private) <alice> {any}two  spaces");
    client_say(carol, "/join #dev");
    client_expect_next(carol, "-- You are in #dev now{any}");
    client_say(alice, "/msg carol where are you");
    client_expect_next(carol, "[{time}] (private) <alice> where are you");
    client_sync(alice);
    client_expect_nothing(bob);
    daemon_stop(daemon);
}
END_TEST

START_TEST(reply_goes_to_the_last_who_wrote)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob, *carol;

    people_connect(daemon, "alice", &alice, "bob", &bob, "carol", &carol, NULL);
    client_say(bob, "/msg alice one");
    client_expect_next(alice, "[{time}] (private) <bob> one");
    client_say(alice, "/reply two");
    client_expect_next(bob, "[{time}] (private) <alice> two");
    client_say(carol, "/msg alice three");
    client_expect(alice, "[{time}] (private) <carol> three");
    client_say(alice, "/reply four");
    client_expect(carol, "[{time}] (private) <alice> four");
    client_sync(alice);
    client_close(carol);
    client_expect_next(alice, "-- carol has left");
    client_say(alice, "/reply five");
    client_expect_next(alice, "!! {any}");
    daemon_stop(daemon);
}
END_TEST

/* Who takes the name of one who left does not get the answers to that one. */
START_TEST(reply_does_not_go_to_a_namesake)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob, *carol;

    people_connect(daemon, "alice", &alice, "bob", &bob, "carol", &carol, NULL);
    client_say(carol, "/msg alice secret");
    client_expect_next(alice, "[{time}] (private) <carol> secret");
    client_close(carol);
    client_expect_next(alice, "-- carol has left");
    client_become(bob, "carol");
    client_expect_next(alice, "-- bob is now carol");
    client_say(alice, "/reply answer");
    client_expect_next(alice, "!! {any}");
    client_expect_nothing(bob);
    daemon_stop(daemon);
}
END_TEST

START_TEST(who_and_whois)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob;
    char *answer;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    answer = client_ask(alice, "/who");
    ck_assert_msg(strstr(answer, "alice") != NULL && strstr(answer, "bob") != NULL, "%s", answer);
    free(answer);
    client_say(bob, "/join #dev");
    client_sync(bob);
    answer = client_ask(alice, "/who #dev");
    ck_assert_msg(strstr(answer, "alice") == NULL && strstr(answer, "bob") != NULL, "%s", answer);
    free(answer);
    answer = client_ask(alice, "/whois bob");
    ck_assert_msg(strstr(answer, "bob") != NULL && strstr(answer, "#dev") != NULL, "%s", answer);
    free(answer);
    daemon_stop(daemon);
}
END_TEST

START_TEST(topic_is_set_shown_and_taken_away)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob, *carol;
    char *answer;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    client_say(alice, "/topic tea  and cake");
    client_expect_next(bob, "-- alice set the topic: tea  and cake");
    answer = client_ask(bob, "/topic");
    ck_assert_msg(strstr(answer, "tea  and cake") != NULL, "%s", answer);
    free(answer);
    carol = client_open(daemon, .listener = 0);
    client_expect_greeting(carol);
    client_expect_next(carol, "-- Topic of #lobby: tea  and cake");
    client_expect_nothing(carol);
    client_say(alice, "/topic -");
    client_expect(bob, "-- alice cleared the topic");
    carol = client_open(daemon, .listener = 0);
    client_expect_greeting(carol);
    client_expect_nothing(carol);
    daemon_stop(daemon);
}
END_TEST

START_TEST(away_is_told_to_who_asks)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob;
    char *answer;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    client_say(alice, "/away lunch until two");
    client_expect_next(alice, "-- {any}");
    answer = client_ask(bob, "/whois alice");
    ck_assert_msg(strstr(answer, "lunch until two") != NULL, "%s", answer);
    free(answer);
    client_say(bob, "/msg alice hungry?");
    client_expect_next(bob, "-- {any}alice{any}lunch until two{any}");
    client_expect_next(alice, "[{time}] (private) <bob> hungry?");
    client_say(alice, "/away");
    client_expect_next(alice, "-- {any}");
    answer = client_ask(bob, "/whois alice");
    ck_assert_msg(strstr(answer, "lunch until two") == NULL, "%s", answer);
    free(answer);
    daemon_stop(daemon);
}
END_TEST

START_TEST(ignore_is_switched_on_and_off)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob, *carol;
    char *answer;

    people_connect(daemon, "alice", &alice, "bob", &bob, "carol", &carol, NULL);
    client_say(alice, "/ignore bob");
    client_expect_next(alice, "-- {any}bob{any}");
    answer = client_ask(alice, "/ignore");
    ck_assert_msg(strstr(answer, "bob") != NULL, "%s", answer);
    free(answer);
    client_say(bob, "hello");
    client_say(bob, "/me waves");
    client_say(bob, "/msg alice hello");
    client_sync(bob);
    client_expect_next(carol, "[{time}] <bob> hello");
    client_expect_nothing(alice);
    client_say(carol, "is bob here?");
    client_expect_next(alice, "[{time}] <carol> is bob here?");
    client_say(alice, "/ignore bob");
    client_expect_next(alice, "-- {any}bob{any}");
    client_say(bob, "and now?");
    client_expect_next(alice, "[{time}] <bob> and now?");
    daemon_stop(daemon);
}
END_TEST

/* A new name does not help who is ignored. */
START_TEST(ignore_follows_a_new_name)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    client_say(alice, "/ignore bob");
    client_expect_next(alice, "-- {any}bob{any}");
    client_become(bob, "carol");
    client_say(bob, "hello");
    client_sync(bob);
    client_expect_nothing_but(alice, "-- bob is now carol");
    daemon_stop(daemon);
}
END_TEST

START_TEST(time_and_version)
{
    Daemon *daemon = daemon_start();
    Client *alice = client_connect_as(daemon, "alice");

    client_say(alice, "/time");
    client_expect_next(alice, "-- {n}-{n}-{n} {time}:{n} {word}{any}");
    client_say(alice, "/version");
    client_expect_next(alice, "-- chatd {n}.{n}.{n}{any}. The service is up since {any}");
    daemon_stop(daemon);
}
END_TEST

START_TEST(quit_ends_and_nothing_after_it_is_done)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob;
    const char *rest;
    size_t n;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    client_send_text(alice, "bye\n/quit\nand another thing\n");
    client_expect_next(bob, "[{time}] <alice> bye");
    client_expect_next(bob, "-- alice has left");
    client_expect_nothing(bob);
    rest = client_read_all_until_eof(alice, &n);
    ck_assert_msg(strstr(rest, "another") == NULL, "%s", rest);
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("commands", {errors_have_one_line_and_reach_nobody, 0}, {help_lists_all_and_explains_each, 0},
           {answers_are_marked_on_every_line, 0}, {nick_changes_and_frees, 0},
           {msg_goes_to_one_by_any_spelling, 0}, {reply_goes_to_the_last_who_wrote, 0},
           {reply_does_not_go_to_a_namesake, 0}, {who_and_whois, 0}, {topic_is_set_shown_and_taken_away, 0},
           {away_is_told_to_who_asks, 0}, {ignore_is_switched_on_and_off, 0}, {ignore_follows_a_new_name, 0},
           {time_and_version, 0}, {quit_ends_and_nothing_after_it_is_done, 0})
