/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Over the limit the server stops reading: what was pasted arrives late, but whole and in order. */

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "lib/client.h"

enum { N_PASTED = 500 };

/* A paste of numbered lines, sent as fast as the server takes it. */
static void paste(Client *speaker, int n_lines, size_t n_text)
{
    Buffer text = {0};

    for (int i = 0; i < n_lines; i++) {
        char number[16];

        (void) snprintf(number, sizeof(number), "%06d ", i);
        buffer_add_text(&text, number);
        buffer_add_text(&text, run_of('x', n_text));
        buffer_add_text(&text, "\n");
    }
    client_send_bytes(speaker, text.data, text.n);
    buffer_done(&text);
}

static void expect_paste(Client *listener, int n_lines, size_t n_text)
{
    for (int i = 0; i < n_lines; i++)
        client_expect_next(listener, "[{time}] <alice> %06d %s", i, run_of('x', n_text));
}

/* At least that long since then. There is no upper bound: machines are busy. */
static void expect_seconds_since(uint64_t start, double seconds)
{
    double passed = (double) (now_usec() - start) / (double) USEC_PER_SEC;

    ck_assert_msg(passed >= seconds, "it took %.3f s, the limit means %.3f s at least", passed, seconds);
}

START_TEST(pasted_lines_arrive_late_but_whole)
{
    Daemon *daemon =
        daemon_start(.config = "[Limits]\nLinesPerSecond=250\nLinesBurst=50\nBytesPerSecond=0\n");
    Client *alice, *bob;
    uint64_t start;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    start = now_usec();
    paste(alice, N_PASTED, 20);
    expect_paste(bob, N_PASTED, 20);
    expect_seconds_since(start, 0.95 * (N_PASTED - 50) / 250.0);
    client_expect_nothing(bob);
    daemon_stop(daemon);
}
END_TEST

START_TEST(pasted_bytes_arrive_late_but_whole)
{
    Daemon *daemon =
        daemon_start(.config = "[Limits]\nLinesPerSecond=0\nBytesPerSecond=40K\nBytesBurst=10K\n");
    Client *alice, *bob;
    uint64_t start;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    start = now_usec();
    paste(alice, 100, 1000);
    expect_paste(bob, 100, 1000);
    expect_seconds_since(start, 0.95 * (100 * 1000 - 10 * 1024) / (40 * 1024.0));
    client_expect_nothing(bob);
    daemon_stop(daemon);
}
END_TEST

/* More than the sockets hold: the paste goes on as the server reads. */
START_TEST(long_paste_waits_at_the_sender)
{
    Daemon *daemon =
        daemon_start(.config = "[Limits]\nLinesPerSecond=2000\nLinesBurst=1\nBytesPerSecond=0\n");
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    paste(alice, 2 * N_PASTED, 1900);
    expect_paste(bob, 2 * N_PASTED, 1900);
    client_expect_nothing(bob);
    daemon_stop(daemon);
}
END_TEST

START_TEST(burst_is_free)
{
    /* One line more than the burst would take 1000 s. */
    Daemon *daemon =
        daemon_start(.config = "[Limits]\nLinesPerSecond=1\nLinesBurst=1000\nBytesPerSecond=0\n");
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    paste(alice, 900, 10);
    expect_paste(bob, 900, 10);
    daemon_stop(daemon);
}
END_TEST

START_TEST(nobody_else_waits)
{
    Daemon *daemon = daemon_start(.config = "[Limits]\nLinesPerSecond=50\nLinesBurst=30\nBytesPerSecond=0\n");
    Client *alice, *bob, *carol;

    people_connect(daemon, "alice", &alice, "bob", &bob, "carol", &carol, NULL);
    paste(alice, 100, 10);
    client_expect(carol, "[{time}] <alice> 000010 {any}");
    client_say(bob, "I may speak");
    /* bob's line comes before the rest of the paste, which takes a second more. */
    do {
        const char *line = client_take_line(carol);

        ck_assert_msg(line != NULL && strstr(line, "<alice> 000099 ") == NULL,
                      "bob had to wait for alice's paste");
    } while (strstr(carol->line, "<bob> I may speak") == NULL);
    client_expect(carol, "[{time}] <alice> 000099 {any}");
    daemon_stop(daemon);
}
END_TEST

/* While alice may not be read, what others say still reaches her. */
START_TEST(who_has_to_wait_still_hears)
{
    Daemon *daemon = daemon_start(.config = "[Limits]\nLinesPerSecond=1\nLinesBurst=5\nBytesPerSecond=0\n");
    Client *alice = client_open(daemon, .listener = 0), *bob = client_open(daemon, .listener = 0);

    client_expect_greeting(alice);
    client_expect_greeting(bob);
    for (int i = 0; i < 40; i++)
        client_say(alice, "line %d", i);
    client_expect(bob, "[{time}] <guest{n}> line 4");
    client_say(bob, "calm down");
    client_expect(alice, "[{time}] <guest{n}> calm down");
    daemon_stop(daemon);
}
END_TEST

/* cat file | nc -N: the end of file waits behind the lines. */
START_TEST(paste_and_half_close)
{
    Daemon *daemon =
        daemon_start(.config = "[Limits]\nLinesPerSecond=200\nLinesBurst=20\nBytesPerSecond=0\n");
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    paste(alice, 200, 10);
    client_send_text(alice, "the end");
    client_half_close(alice);
    expect_paste(bob, 200, 10);
    client_expect_next(bob, "[{time}] <alice> the end");
    client_expect_next(bob, "-- alice has left");
    client_expect_eof(alice);
    daemon_stop(daemon);
}
END_TEST

/* Not being read is no reason not to be missed: a reset is seen at once, and the name is free. */
START_TEST(who_has_to_wait_and_is_reset)
{
    Daemon *daemon = daemon_start(.config = "[Limits]\nLinesPerSecond=1\nLinesBurst=10\nBytesPerSecond=0\n");
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    paste(alice, 500, 10);
    client_expect(bob, "[{time}] <alice> 000000 {any}");
    client_reset(alice);
    client_expect(bob, "-- alice has left");
    client_become(bob, "alice");
    daemon_stop(daemon);
}
END_TEST

/* The same, when the reset is known before there is anything to wait for. */
START_TEST(who_is_reset_and_would_have_to_wait)
{
    Daemon *daemon = daemon_start(.config = "[Limits]\nLinesPerSecond=1\nLinesBurst=10\nBytesPerSecond=0\n");
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    daemon_signal(daemon, SIGSTOP);
    paste(alice, 500, 10);
    client_reset(alice);
    daemon_signal(daemon, SIGCONT);
    client_expect(bob, "-- alice has left");
    client_become(bob, "alice");
    daemon_stop(daemon);
}
END_TEST

START_TEST(burst_of_zero_is_one_line)
{
    Daemon *daemon = daemon_start(.config = "[Limits]\nLinesPerSecond=20\nLinesBurst=0\nBytesPerSecond=0\n");
    Client *alice, *bob;
    uint64_t start;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    start = now_usec();
    paste(alice, 20, 10);
    expect_paste(bob, 20, 10);
    expect_seconds_since(start, 0.95 * 18 / 20.0);
    daemon_stop(daemon);
}
END_TEST

/* A burst below the longest line counts as that: such a line can be said at all. */
START_TEST(longest_line_fits_in_the_smallest_burst)
{
    Daemon *daemon =
        daemon_start(.config = "[Limits]\nLinesPerSecond=0\nBytesPerSecond=2000\nBytesBurst=1\n");
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    paste(alice, 2, 1990);
    expect_paste(bob, 2, 1990);
    daemon_stop(daemon);
}
END_TEST

/* The defaults: 40 lines at once, then 10 a second. */
START_TEST(defaults_allow_a_burst_of_forty)
{
    Daemon *daemon = daemon_start(.config = "");
    Client *alice = client_open(daemon, .listener = 0), *bob = client_open(daemon, .listener = 0);
    uint64_t start;

    client_expect_greeting(alice);
    client_expect_greeting(bob);
    start = now_usec();
    for (int i = 0; i < 50; i++)
        client_say(alice, "line %d", i);
    client_expect(bob, "[{time}] <guest{n}> line 39");
    client_expect(bob, "[{time}] <guest{n}> line 49");
    expect_seconds_since(start, 0.95);
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("rates", {pasted_lines_arrive_late_but_whole, 0}, {pasted_bytes_arrive_late_but_whole, 0},
           {long_paste_waits_at_the_sender, 0}, {burst_is_free, 0}, {nobody_else_waits, 0},
           {who_has_to_wait_still_hears, 0}, {paste_and_half_close, 0}, {who_has_to_wait_and_is_reset, 0},
           {who_is_reset_and_would_have_to_wait, 0}, {burst_of_zero_is_one_line, 0},
           {longest_line_fits_in_the_smallest_burst, 0}, {defaults_allow_a_burst_of_forty, 0})
