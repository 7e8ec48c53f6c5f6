/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * Whatever ends the process, the next one goes on: everybody stays connected, is who they were, where they
 * were, and reads on as if nothing had happened.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/client.h"
#include "lib/match.h"
#include "lib/proc.h"

enum { TCP, UNIX };

#define BOTH .listeners = {[TCP] = {.kind = LISTENER_TCP4}, [UNIX] = {.kind = LISTENER_UNIX}}

typedef void (*Way)(Daemon *daemon);

/* As the watchdog does it. */
static void by_abort(Daemon *daemon)
{
    daemon_expect_sleep(daemon);
    daemon_signal(daemon, SIGABRT);
    daemon_expect_death(daemon, SIGABRT);
    daemon_start_again(daemon);
}

static const Way ways[] = {daemon_revive, daemon_restart, by_abort};

/* The daemon has done all that there was to do, and nobody read anything of it. */
static void expect_nobody_noticed(Daemon *daemon)
{
    daemon_expect_sleep(daemon);
    for (Client *client = daemon->clients; client != NULL; client = client->next) {
        if (!client_is_silent(client))
            client_expect_nothing(client); /* says what it was */
    }
}

/* alice on TCP and uma on a unix socket in the lobby, and bob, who is in #garden too. */
static void meet(Daemon *daemon, Client **alice, Client **bob, Client **uma)
{
    *alice = client_connect_to(daemon, TCP, "alice");
    *bob = client_connect_to(daemon, TCP, "bob");
    *uma = client_connect_to(daemon, UNIX, "uma");
    daemon_settle(daemon);
}

START_TEST(everybody_is_still_there)
{
    for (size_t i = 0; i < N_ELEMENTS(ways); i++) {
        Daemon *daemon = daemon_start(BOTH);
        Client *alice, *bob, *uma;

        suite_note("way %zu", i);
        meet(daemon, &alice, &bob, &uma);
        ways[i](daemon);
        expect_nobody_noticed(daemon);
        client_say(alice, "still here?");
        client_expect_next(bob, "[{time}] <alice> still here?");
        client_expect_next(uma, "[{time}] <alice> still here?");
        client_say(uma, "yes");
        client_expect_next(alice, "[{time}] <uma> yes");
        client_expect_next(bob, "[{time}] <uma> yes");
        client_expect_nothing(alice);
        client_expect_nothing(uma);
        daemon_stop(daemon);
    }
}
END_TEST

/* With nothing in between, and the store in another order each time. */
START_TEST(many_times_in_a_row)
{
    Daemon *daemon = daemon_start(BOTH);
    Client *alice, *bob, *uma;

    meet(daemon, &alice, &bob, &uma);
    for (size_t i = 0; i < 12; i++)
        ways[i % N_ELEMENTS(ways)](daemon);
    expect_nobody_noticed(daemon);
    client_say(alice, "still here?");
    client_expect_next(bob, "[{time}] <alice> still here?");
    client_expect_next(uma, "[{time}] <alice> still here?");
    daemon_stop(daemon);
}
END_TEST

START_TEST(everybody_is_who_and_where_they_were)
{
    for (size_t i = 0; i < N_ELEMENTS(ways); i++) {
        Daemon *daemon = daemon_start(BOTH);
        Client *alice, *bob, *uma;

        suite_note("way %zu", i);
        meet(daemon, &alice, &bob, &uma);
        client_say(bob, "/join #garden");
        client_say(bob, "/topic roses, all red");
        client_say(uma, "/away at lunch");
        client_say(alice, "/join #attic");
        client_say(alice, "/join #garden");
        daemon_settle(daemon);
        ways[i](daemon);
        expect_nobody_noticed(daemon);
        client_say(alice, "/topic");
        client_expect_next(alice, "-- Topic of #garden, set by bob: roses, all red");
        client_say(alice, "/who");
        client_expect_next(alice, "-- 2 people in #garden:");
        client_expect_next(alice, "-- alice, bob");
        client_say(alice, "/whois uma");
        client_expect_next(alice, "-- uma is in #lobby.");
        client_expect_next(alice, "-- Came less than a minute ago, has said nothing yet.");
        client_expect_next(alice, "-- Away: at lunch");
        client_say(alice, "/whois alice");
        client_expect_next(alice, "-- alice is in {any}#attic{any}");
        client_expect_next(alice, "-- Came {any}");
        client_say(alice, "here");
        client_expect_next(bob, "[{time}] <alice> here");
        client_say(alice, "/leave");
        client_expect_next(bob, "-- alice has left");
        client_say(uma, "/away");
        client_expect_next(uma, "-- You are back.");
        client_expect_nothing(bob);
        daemon_stop(daemon);
    }
}
END_TEST

START_TEST(settings_are_kept)
{
    Daemon *daemon = daemon_start(BOTH);
    Client *alice, *bob, *uma;

    meet(daemon, &alice, &bob, &uma);
    client_say(alice, "/set time off");
    client_say(alice, "/set bell on");
    client_say(uma, "/set joins off");
    client_say(uma, "/set color on");
    daemon_settle(daemon);
    daemon_revive(daemon);
    client_say(bob, "hello alice");
    client_expect_next(alice, "<bob> hello alice\a");
    client_expect_next(uma, "[{time}] <\033[{n}mbob\033[0m> hello alice");
    client_say(bob, "/nick rob");
    client_expect_next(alice, "-- bob is now rob");
    client_say(alice, "/set");
    client_expect_next(alice, "-- time off, bell on, color off, joins on, mark unicode.");
    client_say(uma, "/set");
    client_expect_next(uma, "-- time on, bell off, color on, joins off, mark unicode.");
    daemon_stop(daemon);
}
END_TEST

START_TEST(ignored_stays_ignored)
{
    Daemon *daemon = daemon_start(BOTH);
    Client *alice, *bob, *uma;

    meet(daemon, &alice, &bob, &uma);
    client_say(alice, "/ignore bob");
    client_say(alice, "/ignore somebody");
    daemon_settle(daemon);
    daemon_revive(daemon);
    client_say(bob, "/nick rob"); /* it is the person that is ignored */
    client_say(bob, "can you hear me?");
    client_say(bob, "/msg alice and now?");
    client_expect(uma, "[{time}] <rob> can you hear me?");
    client_expect_next(alice, "-- bob is now rob");
    client_expect_nothing(alice);
    client_say(alice, "/ignore");
    client_expect_next(alice, "-- You ignore bob, somebody.");
    client_say(alice, "/ignore bob");
    client_expect_next(alice, "-- You hear bob again.");
    client_say(bob, "and now?");
    client_expect_next(alice, "[{time}] <rob> and now?");
    daemon_stop(daemon);
}
END_TEST

/* Half a line stays where it is, in the socket or in the state, and is finished later. */
START_TEST(half_a_line_is_finished_later)
{
    for (size_t i = 0; i < N_ELEMENTS(ways); i++) {
        Daemon *daemon = daemon_start(BOTH);
        Client *alice, *bob, *uma, *late;

        suite_note("way %zu", i);
        meet(daemon, &alice, &bob, &uma);
        late = client_connect_to(daemon, TCP, "late");
        daemon_settle(daemon);
        client_send_text(late, "now\nor nev");
        client_expect_next(alice, "[{time}] <late> now");
        client_expect_next(bob, "[{time}] <late> now");
        client_expect_next(uma, "[{time}] <late> now");
        client_send_text(alice, "this is ha");
        client_send_text(uma, "and this, to");
        daemon_expect_sleep(daemon);
        ways[i](daemon);
        expect_nobody_noticed(daemon);
        client_send_text(alice, "lf a line\n");
        client_expect_next(bob, "[{time}] <alice> this is half a line");
        client_expect_next(uma, "[{time}] <alice> this is half a line");
        client_expect_next(late, "[{time}] <alice> this is half a line");
        client_send_text(uma, "o, of ");
        daemon_expect_sleep(daemon);
        ways[i](daemon);
        client_send_text(uma, "uma's\n");
        client_expect_next(bob, "[{time}] <uma> and this, too, of uma's");
        client_send_text(late, "er\n");
        client_expect_next(bob, "[{time}] <late> or never");
        client_expect_nothing(bob);
        daemon_stop(daemon);
    }
}
END_TEST

START_TEST(history_is_kept_and_private_lines_are_answered)
{
    Daemon *daemon = daemon_start(BOTH);
    Client *alice, *bob, *uma, *next;

    meet(daemon, &alice, &bob, &uma);
    client_say(alice, "/topic the weekend");
    client_say(alice, "first");
    client_sync(alice);
    client_say(uma, "second");
    client_say(uma, "/msg alice psst");
    daemon_settle(daemon);
    daemon_revive(daemon);
    next = client_open(daemon, .listener = UNIX);
    client_expect_greeting(next);
    client_expect_next(next, "-- Topic of #lobby: the weekend");
    client_expect_next(next, "[{time}] <alice> first");
    client_expect_next(next, "[{time}] <uma> second");
    client_expect_nothing(next);
    client_say(bob, "/history 1");
    client_expect(bob, "[{time}] <uma> second");
    client_say(alice, "/reply what is it?");
    client_expect(uma, "[{time}] (private) <alice> what is it?");
    daemon_stop(daemon);
}
END_TEST

START_TEST(names_are_still_taken_and_free_again_later)
{
    Daemon *daemon = daemon_start(BOTH);
    Client *alice, *bob, *uma, *next;

    meet(daemon, &alice, &bob, &uma);
    daemon_revive(daemon);
    next = client_connect_to(daemon, TCP, "next");
    client_say(next, "/nick ALICE");
    client_expect_next(next, "!! Somebody else is called {word} Choose another.");
    client_say(alice, "/quit");
    client_expect(alice, "-- Goodbye.");
    client_expect_eof(alice);
    client_expect(next, "-- alice has left");
    client_become(next, "alice");
    client_expect(bob, "-- next is now alice");
    daemon_stop(daemon);
}
END_TEST

/* Each way to go, for each kind of client; the others hear it once. */
START_TEST(who_was_kept_may_leave)
{
    for (size_t listener = TCP; listener <= UNIX; listener++) {
        Daemon *daemon = daemon_start(BOTH);
        Client *alice = client_connect_to(daemon, TCP, "alice"), *quits, *closes, *ends, *resets;

        suite_note("listener %zu", listener);
        quits = client_connect_to(daemon, listener, "quits");
        closes = client_connect_to(daemon, listener, "closes");
        ends = client_connect_to(daemon, listener, "ends");
        resets = client_connect_to(daemon, listener, "resets");
        daemon_settle(daemon);
        daemon_revive(daemon);
        client_say(quits, "/quit");
        client_expect_next(quits, "-- Goodbye.");
        client_expect_eof(quits);
        client_expect_next(alice, "-- quits has left");
        client_close(closes);
        client_expect_next(alice, "-- closes has left");
        client_send_text(ends, "the last");
        client_half_close(ends);
        client_expect_next(alice, "[{time}] <ends> the last");
        client_expect_next(alice, "-- ends has left");
        client_expect(ends, "-- quits has left");
        client_expect(ends, "-- closes has left");
        client_expect_eof(ends);
        client_reset(resets);
        client_expect_next(alice, "-- resets has left");
        daemon_revive(daemon);
        client_say(alice, "/who");
        client_expect_next(alice, "-- 1 person in #lobby:");
        client_expect_next(alice, "-- alice");
        daemon_stop(daemon);
    }
}
END_TEST

/* While no process runs: who says something is heard later, who comes is greeted, who goes has left, once. */
START_TEST(what_happens_while_no_process_runs)
{
    Daemon *daemon = daemon_start(BOTH);
    Client *alice, *bob, *uma, *gone[4], *next[2];

    meet(daemon, &alice, &bob, &uma);
    for (size_t i = 0; i < N_ELEMENTS(gone); i++)
        gone[i] =
            client_connect_to(daemon, i % 2 == 0 ? TCP : UNIX, (const char *[]){"g0", "g1", "g2", "g3"}[i]);
    daemon_settle(daemon);
    daemon_kill(daemon);
    client_say(alice, "is there anybody?");
    client_send_text(uma, "out there\nwho ");
    client_close(gone[0]);
    client_close(gone[1]);
    client_send_text(gone[2], "my last words\n");
    client_close(gone[2]);
    client_send_text(gone[3], "and mine\n");
    client_close(gone[3]);
    next[0] = client_open(daemon, .listener = TCP);
    next[1] = client_open(daemon, .listener = UNIX);
    daemon_start_again(daemon);
    client_expect_greeting(next[0]);
    client_expect_greeting(next[1]);
    daemon_expect_sleep(daemon);
    client_send_text(uma, "hears me?\n");
    client_expect(alice, "[{time}] <uma> who hears me?");
    {
        char *heard = client_ask(bob, "/time");
        static const char *const once[] = {
            "<alice> is there anybody?\n",
            "<uma> out there\n",
            "<g2> my last words\n",
            "<g3> and mine\n",
            "-- g0 has left\n",
            "-- g1 has left\n",
            "-- g2 has left\n",
            "-- g3 has left\n",
            "<uma> who hears me?\n",
        };

        for (size_t i = 0; i < N_ELEMENTS(once); i++) {
            const char *at = strstr(heard, once[i]);

            ck_assert_msg(at != NULL && strstr(at + 1, once[i]) == NULL, "not once: %sin:\n%s", once[i],
                          heard);
        }
        free(heard);
    }
    daemon_stop(daemon);
}
END_TEST

/* Dying again and again uses nothing up, and each time the conversation goes on. */
START_TEST(again_and_again)
{
    enum { N_DEATHS = 30 };
    Daemon *daemon = daemon_start(BOTH);
    Client *alice, *bob, *uma;
    size_t n_fds = 0, n_stored;

    meet(daemon, &alice, &bob, &uma);
    daemon_expect_sleep(daemon);
    n_stored = daemon->store.n;
    for (int i = 0; i < N_DEATHS; i++) {
        suite_note("death %d", i);
        if (i % 3 == 0)
            daemon_restart(daemon);
        else
            daemon_revive(daemon);
        client_say(alice, "round %d", i);
        client_expect_next(bob, "[{time}] <alice> round %d", i);
        client_expect_next(uma, "[{time}] <alice> round %d", i);
        client_close(client_connect_to(daemon, i % 2 == 0 ? TCP : UNIX, "passer-by"));
        client_expect(alice, "-- passer-by has left");
        client_expect(bob, "-- passer-by has left");
        client_expect(uma, "-- passer-by has left");
        if (i == 3)
            n_fds = proc_n_fds(daemon->pid);
        if (i > 3)
            daemon_expect_n_fds(daemon, alice, n_fds);
    }
    daemon_expect_sleep(daemon);
    ck_assert_uint_eq(daemon->store.n, n_stored);
    daemon_stop(daemon);
}
END_TEST

/* Line `i` of alice's, heard by one to whom it may come twice if it was being sent when the process died. */
static int expect_line(Client *client, int i, bool may_repeat)
{
    const char *line = client_take_line(client);
    char wanted[64], before[64];

    ck_assert_msg(line != NULL, "%s lost the connection before line %d", client->nick, i);
    (void) snprintf(wanted, sizeof(wanted), "[{time}] <alice> line %d", i);
    (void) snprintf(before, sizeof(before), "[{time}] <alice> line %d", i - 1);
    if (may_repeat && match_line(before, line, client->n_line))
        return 1 + expect_line(client, i, false);
    ck_assert_msg(match_line(wanted, line, client->n_line), "%s: line %d expected, this came: %s",
                  client->nick, i, line);
    return 0;
}

/* At any moment, in the middle of anything, and with whatever is under way. */
START_TEST(deaths_and_restarts_under_load)
{
    enum { N_LINES = 6000, N_WINDOW = 20, N_BETWEEN = 43 };
    Daemon *daemon = daemon_start(BOTH, .restarts = N_LINES);
    Client *alice, *bob, *uma;
    int n_deaths = 0, n_repeated = 0, n_lines = (int) load_of(N_LINES);

    meet(daemon, &alice, &bob, &uma);
    for (int i = 0; i < n_lines + N_WINDOW; i++) {
        char text[32];
        int n = snprintf(text, sizeof(text), "line %d\n", i), n_first = i % n;

        if (i < n_lines)
            client_send_bytes(alice, text, (size_t) n_first);
        (void) daemon_turn(daemon, -1, 0, now_usec());
        if (i % N_BETWEEN == 0 && daemon_is_ready(daemon))
            daemon_signal(daemon, n_deaths++ % 2 == 0 ? SIGKILL : SIGTERM);
        if (i < n_lines)
            client_send_bytes(alice, text + n_first, (size_t) (n - n_first));
        if (i >= N_WINDOW) {
            (void) expect_line(bob, i - N_WINDOW, false);
            n_repeated += expect_line(uma, i - N_WINDOW, true);
        }
    }
    client_expect_nothing(alice);
    client_expect_nothing(bob);
    ck_assert_int_gt(n_deaths, 3);
    ck_assert_int_le(n_repeated, (n_deaths + 1) / 2);
    daemon_stop(daemon);
}
END_TEST

START_TEST(a_crowd_is_kept)
{
    Daemon *daemon = daemon_start(.config = DAEMON_CONFIG "MaxClientsPerAddress=0\n", BOTH);
    size_t n = MIN(load_of(1000), suite_n_files() / 3);
    Client **crowd = calloc(n, sizeof(Client *)), *alice;

    for (size_t i = 0; i < n; i++) {
        crowd[i] = client_open(daemon, .listener = i % 4 == 0 ? UNIX : TCP);
        client_expect_greeting(crowd[i]);
    }
    alice = client_connect_as(daemon, "alice");
    daemon_settle(daemon);
    daemon_revive(daemon);
    client_say(alice, "everybody there?");
    for (size_t i = 0; i < n; i++)
        client_expect(crowd[i], "[{time}] <alice> everybody there?");
    for (size_t i = 0; i < n; i += 7) {
        client_say(crowd[i], "%s is", crowd[i]->nick);
        client_expect(alice, "[{time}] <%s> %s is", crowd[i]->nick, crowd[i]->nick);
    }
    ck_assert_uint_lt(daemon->store.n, n / 20 + 8);
    free(crowd);
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("survive", {everybody_is_still_there, 0}, {many_times_in_a_row, 0},
           {everybody_is_who_and_where_they_were, 0}, {settings_are_kept, 0}, {ignored_stays_ignored, 0},
           {half_a_line_is_finished_later, 0}, {history_is_kept_and_private_lines_are_answered, 0},
           {names_are_still_taken_and_free_again_later, 0}, {who_was_kept_may_leave, 0},
           {what_happens_while_no_process_runs, 0}, {again_and_again, 0}, {deaths_and_restarts_under_load, 0},
           {a_crowd_is_kept, 0})
