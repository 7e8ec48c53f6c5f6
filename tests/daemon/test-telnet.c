/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* RFC 854: a telnet client's negotiation is refused and removed, wherever packets split it. */

#include <signal.h>
#include <poll.h>
#include <string.h>

#include "lib/client.h"

#define IAC "\xff"
#define DONT "\xfe"
#define DO "\xfd"
#define WONT "\xfc"
#define WILL "\xfb"
#define SB "\xfa"
#define SE "\xf0"
#define BAD "\xef\xbf\xbd" /* U+FFFD */

/* clang-format off */
#define BYTES(text) {text, sizeof(text) - 1}
/* clang-format on */

typedef struct Bytes {
    const char *data;
    size_t n;
} Bytes;

static const struct {
    const char *what;
    Bytes sent, refusal;
    const char *heard;
} rows[] = {
    {"WILL", BYTES(IAC WILL "\x01hi\n"), BYTES(IAC DONT "\x01"), "hi"},
    {"DO", BYTES(IAC DO "\x03hi\n"), BYTES(IAC WONT "\x03"), "hi"},
    {"WONT needs no answer", BYTES(IAC WONT "\x01hi\n"), BYTES(""), "hi"},
    {"DONT needs no answer", BYTES(IAC DONT "\x01hi\n"), BYTES(""), "hi"},
    {"between letters", BYTES("h" IAC WILL "\x01i\r\n"), BYTES(IAC DONT "\x01"), "hi"},
    {"before the end of the line", BYTES("hi" IAC DO "\x01\r\n"), BYTES(IAC WONT "\x01"), "hi"},
    {"between CR and LF", BYTES("hi\r" IAC DO "\x01\n"), BYTES(IAC WONT "\x01"), "hi"},
    {"option 10 is no line end", BYTES("h" IAC WILL "\x0ai\n"), BYTES(IAC DONT "\x0a"), "hi"},
    {"option 255", BYTES("h" IAC WILL IAC "i\n"), BYTES(IAC DONT IAC), "hi"},
    {"commands of two bytes", BYTES(IAC "\xf1h" IAC "\xf3" IAC "\xf4i" IAC "\xf9\n"), BYTES(""), "hi"},
    {"are you there", BYTES(IAC "\xf6hi\n"), BYTES(""), "hi"},
    {"subnegotiation", BYTES("h" IAC SB "\x18\x00xterm" IAC SE "i\n"), BYTES(""), "hi"},
    {"window of 10 columns", BYTES("h" IAC SB "\x1f\x00\x0a\x00\x0a" IAC SE "i\n"), BYTES(""), "hi"},
    {"window of 255 columns", BYTES("h" IAC SB "\x1f\x00" IAC IAC "\x00" IAC IAC IAC SE "i\n"), BYTES(""),
     "hi"},
    {"a byte 255", BYTES("h" IAC IAC "i\n"), BYTES(""), "h" BAD "i"},
    {"two bytes 255", BYTES("h" IAC IAC IAC IAC "i\n"), BYTES(""), "h" BAD BAD "i"},
    {"a command after a slash", BYTES("/me " IAC WILL "\x01waves\n"), BYTES(IAC DONT "\x01"), NULL},
    {"the first packet of telnet(1)",
     BYTES(IAC DO "\x03" IAC WILL "\x18" IAC WILL "\x1f" IAC WILL "\x20" IAC WILL "\x21" IAC WILL
                  "\x22" IAC WILL "\x27" IAC DO "\x05hello\r\n"),
     BYTES(IAC WONT "\x03" IAC DONT "\x18" IAC DONT "\x1f" IAC DONT "\x20" IAC DONT "\x21" IAC DONT
                    "\x22" IAC DONT "\x27" IAC WONT "\x05"),
     "hello"},
};

static void expect_row(Client *listener, Client *speaker, size_t row)
{
    client_expect_bytes(speaker, rows[row].refusal.data, rows[row].refusal.n);
    client_expect_nothing(speaker);
    if (rows[row].heard != NULL)
        client_expect_next(listener, "[{time}] <carol> %s", rows[row].heard);
    else
        client_expect_next(listener, "[{time}] * carol waves");
    client_expect_nothing(listener);
}

START_TEST(negotiation_is_refused_at_every_split)
{
    Daemon *daemon = daemon_start();
    Client *alice, *carol, *witness;

    people_connect(daemon, "alice", &alice, "carol", &carol, NULL);
    witness = client_connect(daemon);
    daemon_settle(daemon);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        for (size_t split = 0; split < rows[i].sent.n; split++) {
            suite_note("%s, split at %zu", rows[i].what, split);
            client_send_bytes(carol, rows[i].sent.data, split);
            client_sync(witness);
            client_send_bytes(carol, rows[i].sent.data + split, rows[i].sent.n - split);
            expect_row(alice, carol, i);
        }
    }
    daemon_stop(daemon);
}
END_TEST

START_TEST(negotiation_is_refused_byte_by_byte)
{
    Daemon *daemon = daemon_start();
    Client *alice, *carol, *witness;

    people_connect(daemon, "alice", &alice, "carol", &carol, NULL);
    witness = client_connect(daemon);
    daemon_settle(daemon);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        suite_note("%s", rows[i].what);
        client_send_parts(carol, witness, rows[i].sent.data, rows[i].sent.n, 1);
        expect_row(alice, carol, i);
    }
    daemon_stop(daemon);
}
END_TEST

/* The answer does not wait for a line: a telnet client negotiates before its user types. */
START_TEST(refusal_comes_before_the_line_ends)
{
    Daemon *daemon = daemon_start();
    Client *carol = client_connect_as(daemon, "carol");

    client_send_text(carol, IAC WILL "\x18");
    client_expect_bytes(carol, IAC DONT "\x18", 3);
    client_send_text(carol, "half a line" IAC DO "\x01");
    client_expect_bytes(carol, IAC WONT "\x01", 3);
    client_send_text(carol, " and the rest\n");
    client_expect_nothing(carol);
    daemon_stop(daemon);
}
END_TEST

START_TEST(refusal_before_the_greeting_is_read)
{
    Daemon *daemon = daemon_start();
    Client *carol = client_open(daemon, .listener = 0);

    client_send_text(carol, IAC DO "\x03");
    client_expect_greeting(carol);
    client_expect_bytes(carol, IAC WONT "\x03", 3);
    client_expect_nothing(carol);
    daemon_stop(daemon);
}
END_TEST

/* IAC IP IAC DM, the last as urgent data: what telnet(1) sends for Ctrl-C. The next line arrives whole. */
START_TEST(synch_with_urgent_data)
{
    Daemon *daemon = daemon_start();
    Client *alice, *carol;

    people_connect(daemon, "alice", &alice, "carol", &carol, NULL);
    for (int i = 0; i < 3; i++) {
        client_send_text(carol, IAC "\xf4");
        client_send_urgent(carol, IAC "\xf2", 2);
        client_send_text(carol, "hello\r\n");
        client_expect_next(alice, "[{time}] <carol> hello");
    }
    client_send_urgent(carol, "!", 1);
    client_send_text(carol, "\nhello\n");
    client_expect(alice, "[{time}] <carol> hello");
    daemon_stop(daemon);
}
END_TEST

/* The mark hides what is behind it, and the end of the connection has come already: the line is one line. */
START_TEST(urgent_data_before_the_end)
{
    Daemon *daemon = daemon_start();
    Client *alice, *carol;

    people_connect(daemon, "alice", &alice, "carol", &carol, NULL);
    daemon_settle(daemon);
    daemon_signal(daemon, SIGSTOP);
    client_send_text(carol, "hel");
    client_send_urgent(carol, IAC "\xf2", 2);
    client_send_text(carol, "lo\r\nthe e");
    client_send_urgent(carol, IAC "\xf2", 2);
    client_send_text(carol, "nd");
    client_close(carol);
    daemon_signal(daemon, SIGCONT);
    client_expect_next(alice, "[{time}] <carol> hello");
    client_expect_next(alice, "[{time}] <carol> the end");
    client_expect_next(alice, "-- carol has left");
    daemon_stop(daemon);
}
END_TEST

/* Sends all of it, and reads whatever comes back meanwhile. */
static void send_and_read(Client *client, const char *bytes, size_t n)
{
    uint64_t deadline = deadline_in(SECONDS_TO_ANSWER);

    while (n > 0) {
        size_t n_sent = client_send_some(client, bytes, n);

        bytes += n_sent;
        n -= n_sent;
        (void) client_is_silent(client);
        ck_assert_msg(daemon_turn(client->daemon, client->fd, POLLIN | POLLOUT, deadline),
                      "the server reads no more");
    }
}

/* Somebody who makes the server refuse and refuse, and does not read it: nobody waits, and it may go on
 * talking later. */
START_TEST(flood_of_requests)
{
    enum { N_REQUESTS = 100 * 1000, N_PART = 30 * 1000 };
    Daemon *daemon = daemon_start();
    Client *alice, *bob, *carol;
    Buffer flood = {0};
    size_t n_sent = 0, n = 1;

    people_connect(daemon, "alice", &alice, "bob", &bob, "carol", &carol, NULL);
    for (int i = 0; i < N_REQUESTS; i++)
        buffer_add(&flood, IAC DO "\x01", 3);
    /* That the server stops reading carol would be an answer too. */
    while (n_sent < flood.n && n > 0) {
        n = client_send_some(carol, flood.data + n_sent, MIN(flood.n - n_sent, (size_t) N_PART));
        n_sent += n;
        client_say(bob, "still here");
        client_expect_next(alice, "[{time}] <bob> still here");
    }
    send_and_read(carol, flood.data + n_sent, flood.n - n_sent);
    send_and_read(carol, "\n", 1);
    client_sync(carol);
    client_say(carol, "hello");
    client_expect(alice, "[{time}] <carol> hello");
    buffer_done(&flood);
    daemon_stop(daemon);
}
END_TEST

/* A subnegotiation without end is skipped like a line without end: the client stays. */
START_TEST(endless_subnegotiation)
{
    Daemon *daemon = daemon_start();
    Client *alice, *carol;

    people_connect(daemon, "alice", &alice, "carol", &carol, NULL);
    client_send_text(carol, IAC SB "\x18");
    client_send_run(carol, 'x', 100 * 1024);
    client_send_text(carol, IAC SE "\nhello\n");
    client_expect_next(alice, "[{time}] <carol> hello");
    client_expect_nothing(alice);
    daemon_stop(daemon);
}
END_TEST

/* A half line of a unix client is kept in the state. What is kept ends with a request that is never finished,
 * and is given up as a whole when the line has become too long: after more bytes, or by a new limit. */
START_TEST(kept_request_that_is_too_long)
{
    Daemon *daemon = daemon_start(.listeners = {{.kind = LISTENER_TCP4}, {.kind = LISTENER_UNIX}});
    Client *alice = client_connect_as(daemon, "alice"), *carol = client_connect_to(daemon, 1, "carol");

    client_sync(alice);
    client_send_run(carol, 'a', 1900);
    client_send_parts(carol, alice, IAC SB, 2, 1);
    client_send_run(carol, 'x', 20000);
    client_expect(carol,
                  "!! That line had more than 2000 bytes and was not sent. The rest of it was skipped.");
    client_send_text(carol, IAC SE "\nhello\n");
    client_expect(alice, "[{time}] <carol> hello");

    client_send_run(carol, 'a', 1900);
    client_send_parts(carol, alice, IAC SB, 2, 1);
    daemon_write_file(daemon, "chatd.conf", DAEMON_CONFIG "MaxLineLength=80\n");
    daemon_reload(daemon);
    client_send_text(carol, "x");
    client_expect(carol, "!! That line had more than 80 bytes and was not sent. The rest of it was skipped.");
    client_send_text(carol, IAC SE "\nagain\n");
    client_expect(alice, "[{time}] <carol> again");
    daemon_stop(daemon);
}
END_TEST

START_TEST(request_cut_by_the_end)
{
    static const char *const ends[] = {"hi" IAC, "hi" IAC WILL, "hi" IAC SB "\x18x", "hi" IAC SB "\x18" IAC};
    Daemon *daemon = daemon_start();
    Client *alice = client_connect_as(daemon, "alice");

    for (size_t i = 0; i < N_ELEMENTS(ends); i++) {
        Client *carol = client_connect_as(daemon, "carol");

        suite_note("end %zu", i);
        client_sync(alice);
        client_send_text(carol, ends[i]);
        client_half_close(carol);
        client_expect_next(alice, "[{time}] <carol> hi");
        client_expect_next(alice, "-- carol has left");
        client_expect_eof(carol);
        client_close(carol);
    }
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("telnet", {negotiation_is_refused_at_every_split, 0}, {negotiation_is_refused_byte_by_byte, 0},
           {refusal_comes_before_the_line_ends, 0}, {refusal_before_the_greeting_is_read, 0},
           {synch_with_urgent_data, 0}, {urgent_data_before_the_end, 0}, {flood_of_requests, 0},
           {endless_subnegotiation, 0}, {request_cut_by_the_end, 0}, {kept_request_that_is_too_long, 0})
