/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What is said, who hears it, and how it looks, whatever packets it came in. */

#include <string.h>

#include "lib/client.h"

START_TEST(speech_is_heard_by_all_but_the_speaker)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob, *carol;

    people_connect(daemon, "alice", &alice, "bob", &bob, "carol", &carol, NULL);
    client_say(alice, "hello");
    client_expect_next(bob, "[{time}] <alice> hello");
    client_expect_next(carol, "[{time}] <alice> hello");
    client_expect_nothing(alice);
    client_say(bob, "hi alice");
    client_expect_next(alice, "[{time}] <bob> hi alice");
    client_expect_next(carol, "[{time}] <bob> hi alice");
    client_expect_nothing(bob);
    daemon_stop(daemon);
}
END_TEST

START_TEST(greeting_says_who_you_are_and_how_many_are_here)
{
    Daemon *daemon = daemon_start();
    Client *first = client_open(daemon, .listener = 0), *second, *third;

    client_expect_next(
        first, "-- Welcome to {word}. You are guest{n}; nobody else is here. /help lists the commands.");
    second = client_open(daemon, .listener = 0);
    client_expect_next(second,
                       "-- Welcome to {word}. You are guest{n}; 1 other is here. /help lists the commands.");
    third = client_open(daemon, .listener = 0);
    client_expect_next(
        third, "-- Welcome to {word}. You are guest{n}; 2 others are here. /help lists the commands.");
    client_expect_nothing(third);
    client_expect_next(first, "-- guest{n} is here");
    client_expect_next(first, "-- guest{n} is here");
    client_expect_nothing(first);
    daemon_stop(daemon);
}
END_TEST

START_TEST(first_line_needs_no_login)
{
    Daemon *daemon = daemon_start();
    Client *alice, *stranger;

    people_connect(daemon, "alice", &alice, NULL);
    stranger = client_open(daemon, .listener = 0);
    client_say(stranger, "hello");
    client_expect(alice, "[{time}] <guest{n}> hello");
    daemon_stop(daemon);
}
END_TEST

START_TEST(action_and_private_line)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob, *carol;

    people_connect(daemon, "alice", &alice, "bob", &bob, "carol", &carol, NULL);
    client_say(alice, "/me waves");
    client_expect_next(bob, "[{time}] * alice waves");
    client_expect_next(carol, "[{time}] * alice waves");
    client_say(alice, "/msg bob only for you");
    client_expect_next(bob, "[{time}] (private) <alice> only for you");
    client_sync(alice);
    client_expect_nothing(carol);
    daemon_stop(daemon);
}
END_TEST

START_TEST(double_slash_says_a_slash)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    client_say(alice, "//nick is a command");
    client_expect_next(bob, "[{time}] <alice> /nick is a command");
    client_say(alice, "///");
    client_expect_next(bob, "[{time}] <alice> //");
    daemon_stop(daemon);
}
END_TEST

/* What carol sends, in one packet and then byte by byte, and what alice hears of it: always with carol's name
 * before it. */
static const struct {
    const char *sent;
    const char *heard[4];
} packets[] = {
    {"one\n", {"<carol> one"}},
    {"one\r\n", {"<carol> one"}},
    {"one\ntwo\nthree\n", {"<carol> one", "<carol> two", "<carol> three"}},
    {"one\r\ntwo\nthree\r\n", {"<carol> one", "<carol> two", "<carol> three"}},
    {"\n\n\r\none\n\n", {"<carol> one"}},
    {"hi\n[12:00] <bob> it was me\n", {"<carol> hi", "<carol> [12:00] <bob> it was me"}},
    {"hi\r[12:00] <bob> it was me\n", {"<carol> hi[12:00] <bob> it was me"}},
    {"hi\v[12:00] <bob> it was me\n", {"<carol> hi[12:00] <bob> it was me"}},
    {"hi\f[12:00] <bob> it was me\n", {"<carol> hi[12:00] <bob> it was me"}},
    {"hi\xc2\x85[12:00] <bob> it was me\n", {"<carol> hi[12:00] <bob> it was me"}},
    {"hi\xe2\x80\xa8[12:00] <bob> it was me\n", {"<carol> hi [12:00] <bob> it was me"}},
    {"hi\xe2\x80\xa9[12:00] <bob> it was me\n", {"<carol> hi [12:00] <bob> it was me"}},
    {"hi\x1b[2K\x1b[G[12:00] <bob> it was me\n", {"<carol> hi[2K[G[12:00] <bob> it was me"}},
    {"hi\b\b\b\b[12:00] <bob> it was me\n", {"<carol> hi[12:00] <bob> it was me"}},
    {"-- bob has left\n", {"<carol> -- bob has left"}},
    {"!! The server is full\n", {"<carol> !! The server is full"}},
    {"* bob waves\n", {"<carol> * bob waves"}},
    {"(private) <bob> psst\n", {"<carol> (private) <bob> psst"}},
    {"#lobby <bob> psst\n", {"<carol> #lobby <bob> psst"}},
    {"/me waves\n[12:00] <bob> hi\n", {"* carol waves", "<carol> [12:00] <bob> hi"}},
    {"/me waves\r-- bob is here\n", {"* carol waves-- bob is here"}},
    {"/me <bob> hi\n", {"* carol <bob> hi"}},
    {"/msg alice x\n[12:00] <bob> y\n", {"(private) <carol> x", "<carol> [12:00] <bob> y"}},
    {"//me waves\n", {"<carol> /me waves"}},
    {"\xe2\x80\xae>bob<\n", {"<carol> >bob<"}},
};

static void expect_packet(Client *listener, size_t row)
{
    for (size_t i = 0; i < N_ELEMENTS(packets[row].heard) && packets[row].heard[i] != NULL; i++)
        client_expect_next(listener, "[{time}] %s", packets[row].heard[i]);
    client_expect_nothing(listener);
}

START_TEST(no_packet_can_pose_as_somebody_else)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob, *carol, *witness;

    people_connect(daemon, "alice", &alice, "bob", &bob, "carol", &carol, NULL);
    witness = client_connect(daemon);
    daemon_settle(daemon);
    for (size_t i = 0; i < N_ELEMENTS(packets); i++) {
        suite_note("packet %zu at once", i);
        client_send_text(carol, packets[i].sent);
        client_sync(carol);
        expect_packet(alice, i);
        suite_note("packet %zu byte by byte", i);
        client_send_parts(carol, witness, packets[i].sent, strlen(packets[i].sent), 1);
        client_sync(carol);
        expect_packet(alice, i);
    }
    daemon_stop(daemon);
}
END_TEST

START_TEST(a_line_in_two_packets_at_every_split)
{
    static const char sent[] = "/msg alice gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\r\nh\xc3\xa9\r\n";
    Daemon *daemon = daemon_start();
    Client *alice, *carol, *witness;

    people_connect(daemon, "alice", &alice, "carol", &carol, NULL);
    witness = client_connect(daemon);
    daemon_settle(daemon);
    for (size_t i = 1; i < sizeof(sent) - 1; i++) {
        suite_note("split at %zu", i);
        client_send_bytes(carol, sent, i);
        client_sync(witness);
        client_send_bytes(carol, sent + i, sizeof(sent) - 1 - i);
        client_expect_next(alice, "[{time}] (private) <carol> gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80");
        client_expect_next(alice, "[{time}] <carol> h\xc3\xa9");
    }
    client_expect_nothing(alice);
    daemon_stop(daemon);
}
END_TEST

START_TEST(many_lines_in_one_packet_stay_in_order)
{
    enum { N_LINES = 2000 };
    Daemon *daemon = daemon_start();
    Client *alice, *carol;
    Buffer paste = {0};

    people_connect(daemon, "alice", &alice, "carol", &carol, NULL);
    for (int i = 0; i < N_LINES; i++) {
        char line[32];

        (void) snprintf(line, sizeof(line), "line %d\n", i);
        buffer_add_text(&paste, line);
    }
    client_send_bytes(carol, paste.data, paste.n);
    for (int i = 0; i < N_LINES; i++)
        client_expect_next(alice, "[{time}] <carol> line %d", i);
    client_expect_nothing(alice);
    buffer_done(&paste);
    daemon_stop(daemon);
}
END_TEST

START_TEST(two_speakers_are_never_mixed)
{
    enum { N_LINES = 300 };
    Daemon *daemon = daemon_start();
    Client *alice, *bob, *carol;
    int n_bob = 0, n_carol = 0;

    people_connect(daemon, "alice", &alice, "bob", &bob, "carol", &carol, NULL);
    for (int i = 0; i < N_LINES; i++) {
        char line[32];
        int n = snprintf(line, sizeof(line), "line %d of mine\n", i);

        client_send_bytes(bob, line, 5);
        client_send_bytes(carol, line, 9);
        client_send_bytes(bob, line + 5, (size_t) n - 5);
        client_send_bytes(carol, line + 9, (size_t) n - 9);
    }
    while (n_bob + n_carol < 2 * N_LINES) {
        char wanted[64];
        const char *line = client_take_line(alice);
        bool is_bob = strstr(line, "] <bob> ") != NULL;

        (void) snprintf(wanted, sizeof(wanted), "] <%s> line %d of mine", is_bob ? "bob" : "carol",
                        is_bob ? n_bob++ : n_carol++);
        ck_assert_str_eq(line + strlen("[00:00"), wanted);
    }
    client_expect_nothing(alice);
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("speech", {speech_is_heard_by_all_but_the_speaker, 0},
           {greeting_says_who_you_are_and_how_many_are_here, 0}, {first_line_needs_no_login, 0},
           {action_and_private_line, 0}, {double_slash_says_a_slash, 0},
           {no_packet_can_pose_as_somebody_else, 0}, {a_line_in_two_packets_at_every_split, 0},
           {many_lines_in_one_packet_stay_in_order, 0}, {two_speakers_are_never_mixed, 0})
