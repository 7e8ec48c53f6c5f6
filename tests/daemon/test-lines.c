/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Where a line ends: at its limit, at the end of the connection, or never. */

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "lib/client.h"
#include "lib/proc.h"

enum {
    LINE_MAX_BYTES = 2000, /* the default of MaxLineLength= */
    ENDLESS_BYTES = 10 * 1024 * 1024,
    MEMORY_KB_MAX = 4096, /* what an endless line may cost */
    N_PASTED = 300,       /* more lines than are executed in one turn */
};

#define TOO_LONG "!! That line had more than 2000 bytes {any}"

/* How a line of so many bytes ends, and whether it is taken. */
static const struct {
    size_t n;
    const char *end;
    bool is_heard;
} lengths[] = {
    {1, "\n", true},      {1999, "\n", true},   {2000, "\n", true},
    {2000, "\r\n", true}, {2001, "\n", false},  {2001, "\r\n", false},
    {4000, "\n", false},  {16384, "\n", false}, {70000, "\r\n", false},
};

START_TEST(line_of_2000_bytes_yes_2001_no)
{
    Daemon *daemon = daemon_start();
    Client *alice, *carol;

    people_connect(daemon, "alice", &alice, "carol", &carol, NULL);
    for (size_t i = 0; i < N_ELEMENTS(lengths); i++) {
        suite_note("row %zu", i);
        client_send_run(carol, 'x', lengths[i].n);
        client_send_text(carol, lengths[i].end);
        client_send_text(carol, "next\n");
        if (lengths[i].is_heard)
            client_expect_next(alice, "[{time}] <carol> %s", run_of('x', lengths[i].n));
        else
            client_expect_next(carol, TOO_LONG);
        client_expect_next(alice, "[{time}] <carol> next");
        client_expect_nothing(carol);
    }
    client_expect_nothing(alice);
    daemon_stop(daemon);
}
END_TEST

/* The limit counts bytes as they came, so a line of bad ones is three times as long when it is heard. */
START_TEST(longest_line_of_bad_bytes)
{
    Daemon *daemon = daemon_start();
    Client *alice, *carol;
    Buffer wanted = {0};

    people_connect(daemon, "alice", &alice, "carol", &carol, NULL);
    client_send_run(carol, '\xfe', LINE_MAX_BYTES);
    client_send_text(carol, "\n");
    for (size_t i = 0; i < LINE_MAX_BYTES; i++)
        buffer_add_text(&wanted, "\xef\xbf\xbd");
    client_expect_next(alice, "[{time}] <carol> %s", wanted.data);
    buffer_done(&wanted);
    daemon_stop(daemon);
}
END_TEST

START_TEST(too_long_in_any_packets)
{
    static const size_t parts[] = {1, 7, 1000, 2001};
    Daemon *daemon = daemon_start();
    Client *alice, *carol, *witness;

    people_connect(daemon, "alice", &alice, "carol", &carol, NULL);
    witness = client_connect(daemon);
    daemon_settle(daemon);
    for (size_t i = 0; i < N_ELEMENTS(parts); i++) {
        suite_note("parts of %zu", parts[i]);
        client_send_parts(carol, witness, run_of('x', 2001), 2001, parts[i]);
        client_send_text(carol, "\nnext\n");
        client_expect_next(carol, TOO_LONG);
        client_expect_next(alice, "[{time}] <carol> next");
        client_expect_nothing(carol);
        client_expect_nothing(alice);
    }
    daemon_stop(daemon);
}
END_TEST

/* 10 MB without an end: one error, no memory, and the line after it is heard. */
START_TEST(endless_line)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob, *carol;
    uint64_t memory_before, memory_after;

    people_connect(daemon, "alice", &alice, "bob", &bob, "carol", &carol, NULL);
    memory_before = proc_status_number(daemon->pid, "VmRSS");
    for (size_t i = 0; i < 10; i++) {
        client_send_run(carol, 'x', ENDLESS_BYTES / 10);
        client_say(bob, "still %zu", i);
        client_expect_next(alice, "[{time}] <bob> still %zu", i);
    }
    memory_after = proc_status_number(daemon->pid, "VmRSS");
    client_send_text(carol, "\nhello\n");
    client_expect_next(alice, "[{time}] <carol> hello");
    for (size_t i = 0; i < 10; i++)
        client_expect(carol, "[{time}] <bob> still %zu", i);
    client_expect_nothing_but(carol, TOO_LONG);
    if (!daemon_is_wrapped())
        ck_assert_uint_le(memory_after, memory_before + MEMORY_KB_MAX);
    daemon_stop(daemon);
}
END_TEST

START_TEST(endless_line_has_one_answer)
{
    Daemon *daemon = daemon_start();
    Client *carol = client_connect_as(daemon, "carol");

    client_send_run(carol, 'x', 200 * 1024);
    client_send_text(carol, "\n");
    client_expect_next(carol, TOO_LONG);
    client_expect_nothing(carol);
    daemon_stop(daemon);
}
END_TEST

/* A command that is too long is not obeyed in part, and its rest is not a line. */
START_TEST(too_long_command_does_nothing)
{
    Daemon *daemon = daemon_start();
    Client *alice, *carol;

    people_connect(daemon, "alice", &alice, "carol", &carol, NULL);
    client_send_text(carol, "/msg alice ");
    client_send_run(carol, 'x', LINE_MAX_BYTES);
    client_send_text(carol, "/quit\n");
    client_expect_next(carol, TOO_LONG);
    client_expect_nothing(carol);
    client_expect_nothing(alice);
    daemon_stop(daemon);
}
END_TEST

/* printf hi | nc -N: the last line needs no end. */
static const struct {
    const char *sent;
    const char *heard[3];
} last_lines[] = {
    {"hi", {"<carol> hi"}},
    {"hi\r", {"<carol> hi"}},
    {"hi\n", {"<carol> hi"}},
    {"one\ntwo", {"<carol> one", "<carol> two"}},
    {"/me waves", {"* carol waves"}},
    {"gr\xc3", {"<carol> gr\xef\xbf\xbd"}},
    {"", {NULL}},
    {"\n", {NULL}},
};

START_TEST(last_line_without_an_end)
{
    Daemon *daemon = daemon_start();
    Client *alice = client_connect_as(daemon, "alice");

    for (size_t i = 0; i < N_ELEMENTS(last_lines); i++) {
        Client *carol = client_connect_as(daemon, "carol");

        suite_note("row %zu", i);
        client_sync(alice);
        client_send_text(carol, last_lines[i].sent);
        client_half_close(carol);
        for (size_t k = 0; k < N_ELEMENTS(last_lines[i].heard) && last_lines[i].heard[k] != NULL; k++)
            client_expect_next(alice, "[{time}] %s", last_lines[i].heard[k]);
        client_expect_next(alice, "-- carol has left");
        client_expect_eof(carol);
        client_close(carol);
    }
    daemon_stop(daemon);
}
END_TEST

START_TEST(last_line_that_is_too_long)
{
    Daemon *daemon = daemon_start();
    Client *alice, *carol;

    people_connect(daemon, "alice", &alice, "carol", &carol, NULL);
    client_send_run(carol, 'x', 2001);
    client_half_close(carol);
    client_expect_next(carol, TOO_LONG);
    client_expect_eof(carol);
    client_expect_next(alice, "-- carol has left");
    client_expect_nothing(alice);
    daemon_stop(daemon);
}
END_TEST

/* Everything in one packet, end of file included, before the server has said a word. */
START_TEST(all_said_before_the_greeting)
{
    Daemon *daemon = daemon_start();
    Client *alice = client_connect_as(daemon, "alice"), *stranger = client_open(daemon, .listener = 0);
    const char *output;
    size_t n;

    client_send_text(stranger, "/nick carol\nhello\n/rooms\nbye");
    client_half_close(stranger);
    client_expect(alice, "[{time}] <carol> hello");
    client_expect_next(alice, "[{time}] <carol> bye");
    output = client_read_all_until_eof(stranger, &n);
    ck_assert_msg(strncmp(output, "-- Welcome", 10) == 0, "%s", output);
    ck_assert_msg(strstr(output, "-- You are now carol.\n") != NULL, "%s", output);
    ck_assert_msg(strstr(output, "#lobby") != NULL, "%s", output);
    ck_assert_int_eq(output[n - 1], '\n');
    daemon_stop(daemon);
}
END_TEST

/* All that the server has for a client is delivered after its half-close, though it reads slowly. */
START_TEST(pending_output_is_delivered_after_half_close)
{
    enum { N_LINES = 200, N_TEXT = 1000 };
    Daemon *daemon = daemon_start();
    Client *alice = client_connect_as(daemon, "alice"), *bob = client_connect_as(daemon, "bob"), *carol;
    char text[16];

    client_sync(alice);
    for (int i = 0; i < N_LINES; i++) {
        client_say(alice, "%06d %s", i, run_of('x', N_TEXT));
        client_expect_next(bob, "[{time}] <alice> %06d {any}", i);
    }
    carol = client_small_buffers(daemon, .listener = 0);
    client_send_text(carol, "/history 200\n/me was here");
    client_half_close(carol);
    client_expect(alice, "[{time}] * guest{n} was here");
    while (client_read_some(carol, 500) > 0)
        continue;
    /* The greeting shows the last 20 of them, then come all that were asked for. */
    for (int i = N_LINES - 20; i < N_LINES; i++)
        client_expect(carol, "[{time}] <alice> %06d %s", i, run_of('x', N_TEXT));
    for (int i = 0; i < N_LINES; i++) {
        (void) snprintf(text, sizeof(text), "%06d", i);
        client_expect(carol, "[{time}] <alice> %s %s", text, run_of('x', N_TEXT));
    }
    client_expect_eof(carol);
    daemon_stop(daemon);
}
END_TEST

/* echo hi > /dev/tcp/HOST/PORT: who closes with the greeting unread is reset by the kernel, and has still
 * said something. */
START_TEST(close_without_reading)
{
    Daemon *daemon = daemon_start();
    Client *alice = client_connect_as(daemon, "alice");

    for (int i = 0; i < 20; i++) {
        Client *stranger = client_open(daemon, .listener = 0);

        client_expect(alice, "-- guest{n} is here");
        client_sync(alice); /* by now the stranger has been greeted */
        client_say(stranger, "line %d", i);
        client_close(stranger);
        client_expect_next(alice, "[{time}] <guest{n}> line %d", i);
        client_expect_next(alice, "-- guest{n} has left");
    }
    daemon_stop(daemon);
}
END_TEST

/* Says much and is gone, without having read even the greeting. */
static void say_much_and_go(Daemon *daemon, size_t listener, bool is_greeted)
{
    Client *hasty = client_open(daemon, .listener = listener);
    Buffer paste = {0};
    char line[32];

    if (is_greeted) {
        daemon_signal(daemon, SIGCONT);
        client_expect_greeting(hasty);
        daemon_signal(daemon, SIGSTOP);
    }
    for (int i = 0; i < N_PASTED; i++) {
        (void) snprintf(line, sizeof(line), "line %d\n", i);
        buffer_add_text(&paste, line);
    }
    buffer_add_text(&paste, "the end");
    client_send_bytes(hasty, paste.data, paste.n);
    client_close(hasty);
    buffer_done(&paste);
}

/* All of that is heard, half a line at its end where nothing was unread, and nobody waits for the sender.
 * Whether alice has something to say decides if the end is seen before the greeting resets the connection. */
START_TEST(says_much_and_is_gone)
{
    for (unsigned i_case = 0; i_case < 8; i_case++) {
        size_t listener = i_case & 1;
        bool is_greeted = i_case & 2, is_busy = i_case & 4;
        Daemon *daemon = daemon_start(.listeners = {{.kind = LISTENER_TCP4}, {.kind = LISTENER_UNIX}});
        Client *alice = client_connect_to(daemon, 0, "alice"), *bob = client_connect_to(daemon, 0, "bob");

        suite_note("listener %zu, greeted %d, busy %d", listener, is_greeted, is_busy);
        daemon_settle(daemon);
        daemon_signal(daemon, SIGSTOP);
        say_much_and_go(daemon, listener, is_greeted);
        if (is_busy)
            client_say(alice, "who is that?");
        daemon_signal(daemon, SIGCONT);
        for (int i = 0; i < N_PASTED; i++)
            client_expect(bob, "[{time}] <guest{n}> line %d", i);
        client_expect(bob, "[{time}] <guest{n}> the end");
        client_expect(bob, "-- guest{n} has left");
        daemon_stop(daemon);
    }
}
END_TEST

/*
 * A paste that is larger than the socket's buffers, of lines that packets cut anywhere. The kernel charges a
 * packet to the receive buffer until its last byte was read, so a server that leaves the beginning of a line
 * unread must not wait for the end of it.
 */
START_TEST(paste_larger_than_the_buffers)
{
    enum { N_LINES = 2000, N_TEXT = 1900 };
    Daemon *daemon = daemon_start();
    Client *alice, *carol;
    Buffer paste = {0};
    size_t n_sent = 0;

    people_connect(daemon, "alice", &alice, "carol", &carol, NULL);
    for (int i = 0; i < N_LINES; i++) {
        buffer_add_text(&paste, run_of((char) ('a' + i % 26), N_TEXT));
        buffer_add_text(&paste, "\n");
    }
    for (int i = 0; i < N_LINES; i++) {
        n_sent += client_send_some(carol, paste.data + n_sent, paste.n - n_sent);
        client_expect_next(alice, "[{time}] <carol> %s", run_of((char) ('a' + i % 26), N_TEXT));
    }
    client_expect_nothing(alice);
    buffer_done(&paste);
    daemon_stop(daemon);
}
END_TEST

START_TEST(half_close_frees_the_nick)
{
    Daemon *daemon = daemon_start();
    Client *alice, *carol;

    people_connect(daemon, "alice", &alice, "carol", &carol, NULL);
    client_half_close(carol);
    client_expect_next(alice, "-- carol has left");
    client_become(alice, "carol");
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("lines", {line_of_2000_bytes_yes_2001_no, 0}, {longest_line_of_bad_bytes, 0},
           {too_long_in_any_packets, 0}, {endless_line, 0}, {endless_line_has_one_answer, 0},
           {too_long_command_does_nothing, 0}, {last_line_without_an_end, 0}, {last_line_that_is_too_long, 0},
           {all_said_before_the_greeting, 0}, {pending_output_is_delivered_after_half_close, 0},
           {close_without_reading, 0}, {says_much_and_is_gone, 0}, {paste_larger_than_the_buffers, 0},
           {half_close_frees_the_nick, 0})
