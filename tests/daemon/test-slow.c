/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * Readers who are slow, or do not read at all, beside fast ones. The fast ones notice nothing; the slow ones
 * get all, as long as the transcript holds it; the stuck ones are told exactly how many lines they missed,
 * and no line is torn without saying so.
 */

#include <stdio.h>

#include "lib/account.h"
#include "lib/proc.h"

enum {
    N_STUCK = 5,
    N_LINES = 900, /* with N_TEXT more than twice what the transcript and a stuck reader's socket hold */
    N_TEXT = 1500,
    SEND_BUFFER =
        64 * 1024, /* of each of the server's connections; the kernel would let TCP's grow to megabytes */
    N_WINDOW = 8,  /* lines under way: a fast reader is never more behind than that */
};

#define SMALL_TRANSCRIPT DAEMON_CONFIG "TranscriptSize=256K\n"

/* alice says so many lines, and bob, who is fast, hears each of them in time. */
static void talk(Client *alice, Client *bob, int n_lines, size_t n_text)
{
    for (int i = 0; i < n_lines; i++) {
        account_say(alice, i, n_text);
        if (i >= N_WINDOW)
            account_expect(bob, "alice", i - N_WINDOW, n_text);
    }
    for (int i = MAX(n_lines - N_WINDOW, 0); i < n_lines; i++)
        account_expect(bob, "alice", i, n_text);
}

static void stuck_readers(ListenerKind kind)
{
    Daemon *daemon =
        daemon_start(.config = SMALL_TRANSCRIPT, .listeners = {{.kind = kind, .send_buffer = SEND_BUFFER}});
    Client *alice, *bob, *stuck[N_STUCK];

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    for (size_t i = 0; i < N_STUCK; i++)
        stuck[i] = client_small_buffers(daemon, .listener = 0);
    for (size_t i = 0; i < N_STUCK; i++)
        client_sync(stuck[i]);
    daemon_settle(daemon);
    talk(alice, bob, N_LINES, N_TEXT);
    client_expect_nothing(bob);
    for (size_t i = 0; i < N_STUCK; i++) {
        suite_note("stuck reader %zu", i);
        ck_assert_int_gt(account_for(stuck[i], N_LINES, N_TEXT, 0).n_skipped, 0);
    }
    client_say(alice, "all awake?");
    for (size_t i = 0; i < N_STUCK; i++)
        client_expect_next(stuck[i], "[{time}] <alice> all awake?");
    client_say(stuck[0], "yes");
    client_expect_next(alice, "[{time}] <guest{n}> yes");
    daemon_stop(daemon);
}

START_TEST(stuck_readers_over_tcp)
{
    stuck_readers(LISTENER_TCP4);
}
END_TEST

START_TEST(stuck_readers_over_unix)
{
    stuck_readers(LISTENER_UNIX);
}
END_TEST

/* As long as the transcript holds it, nothing is lost, however small the bites. */
static void slow_reader(ListenerKind kind, size_t n_bite)
{
    enum { N_SLOW_LINES = 100, N_SLOW_TEXT = 300 };
    Daemon *daemon = daemon_start(.listeners = {{.kind = kind}});
    Client *alice, *bob, *slow;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    slow = client_small_buffers(daemon, .listener = 0);
    client_sync(slow);
    daemon_settle(daemon);
    for (int i = 0; i < N_SLOW_LINES; i++) {
        account_say(alice, i, N_SLOW_TEXT);
        account_expect(bob, "alice", i, N_SLOW_TEXT);
        (void) client_read_some(slow, n_bite);
    }
    for (int i = 0; i < N_SLOW_LINES; i++)
        account_expect(slow, "alice", i, N_SLOW_TEXT);
    client_expect_nothing(slow);
    daemon_stop(daemon);
}

START_TEST(slow_reader_loses_nothing)
{
    slow_reader(LISTENER_TCP4, 7);
}
END_TEST

START_TEST(slow_reader_over_unix_loses_nothing)
{
    slow_reader(LISTENER_UNIX, 100);
}
END_TEST

/* Lines that a reader would not have heard are not counted as missed: those of another room, and of who is
 * ignored. */
START_TEST(only_what_was_for_you_is_missed)
{
    Daemon *daemon = daemon_start(.config = SMALL_TRANSCRIPT,
                                  .listeners = {{.kind = LISTENER_UNIX, .send_buffer = SEND_BUFFER}});
    Client *alice, *bob, *carol, *stuck;
    Account account;

    people_connect(daemon, "alice", &alice, "bob", &bob, "carol", &carol, NULL);
    stuck = client_small_buffers(daemon, .listener = 0);
    client_sync(stuck);
    client_say(stuck, "/ignore carol");
    client_say(alice, "/join #dev");
    client_say(bob, "/join #dev");
    daemon_settle(daemon);
    for (int i = 0; i < N_LINES; i++) {
        client_say(alice, "for #dev %d %s", i, run_of('x', 300));
        client_expect_next(bob, "[{time}] <alice> for #dev {any}");
        client_say(carol, "for nobody %d %s", i, run_of('x', 300));
        client_expect_next(bob, "[{time}] #lobby <carol> for nobody {any}");
    }
    client_say(alice, "/leave #dev");
    client_say(bob, "/leave #dev");
    client_sync(alice);
    client_sync(bob);
    talk(alice, bob, N_LINES, N_TEXT);
    account = account_for(stuck, N_LINES, N_TEXT, 0);
    ck_assert_int_gt(account.n_skipped, 0);
    ck_assert_int_lt(account.n_skipped, N_LINES);
    daemon_stop(daemon);
}
END_TEST

START_TEST(stuck_reader_who_leaves)
{
    Daemon *daemon = daemon_start(.config = SMALL_TRANSCRIPT,
                                  .listeners = {{.kind = LISTENER_TCP4, .send_buffer = SEND_BUFFER}});
    Client *alice, *bob, *stuck, *reset;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    stuck = client_small_buffers(daemon, .listener = 0);
    reset = client_small_buffers(daemon, .listener = 0);
    daemon_settle(daemon);
    talk(alice, bob, 400, N_TEXT);
    client_close(stuck);
    client_expect_next(bob, "-- guest{n} has left");
    client_expect_next(alice, "-- guest{n} has left");
    talk(alice, bob, 400, N_TEXT);
    client_reset(reset);
    client_expect_next(bob, "-- guest{n} has left");
    talk(alice, bob, 10, N_TEXT);
    daemon_stop(daemon);
}
END_TEST

/* Somebody asks and asks and reads no answer: it costs no memory and nobody else's time. */
START_TEST(questions_without_reading)
{
    enum { N_QUESTIONS = 20000, MEMORY_KB_MAX = 4096 };
    Daemon *daemon = daemon_start(.config = SMALL_TRANSCRIPT);
    Client *alice, *bob, *carol;
    uint64_t memory;
    size_t n = 1;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    carol = client_small_buffers(daemon, .listener = 0);
    daemon_settle(daemon);
    talk(alice, bob, 400, N_TEXT); /* the transcript has been written all over once */
    client_sync(carol);
    memory = proc_status_number(daemon->pid, "VmRSS");
    for (int i = 0; i < N_QUESTIONS && n > 0; i++) {
        n = client_send_some(carol, "/help\n", 6);
        if (i % 100 != 0)
            continue;
        client_say(alice, "round %d", i);
        client_expect_next(bob, "[{time}] <alice> round %d", i);
    }
    if (!daemon_is_wrapped())
        ck_assert_uint_le(proc_status_number(daemon->pid, "VmRSS"), memory + MEMORY_KB_MAX);
    client_expect(carol, "-- {any}");
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("slow", {stuck_readers_over_tcp, 0}, {stuck_readers_over_unix, 0}, {slow_reader_loses_nothing, 0},
           {slow_reader_over_unix_loses_nothing, 0}, {only_what_was_for_you_is_missed, 0},
           {stuck_reader_who_leaves, 0}, {questions_without_reading, 0})
