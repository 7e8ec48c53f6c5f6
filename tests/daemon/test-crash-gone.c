/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Somebody resets the connection while no process runs, wherever in what it was doing the last one died; and
 * somebody else comes. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/scenario.h"

typedef struct Visitor {
    const char *name;
    size_t listener;
    bool is_new;       /* connects when the process may die; or before */
    const char *says;  /* then */
    const char *heard; /* by alice, at the end; NULL: nothing */
} Visitor;

static const Visitor visitors[] = {
    {"newcomer", TCP, true, "", NULL},
    {"newcomer who talks", TCP, true, "hello\nhow is it?\n", "> how is it?\n"},
    {"newcomer who talks", UNIX, true, "hello\nhow is it?\n", "> how is it?\n"},
    {"one who goes", TCP, false, "/quit\nand more\n", NULL},
    {"one who goes", UNIX, false, "/quit\nand more\n", NULL},
    {"one who talks", TCP, false, "hello\nhow is it?\n", "<carol> how is it?\n"},
    {"one who talks", UNIX, false, "hello\nhow is it?\n", "<carol> how is it?\n"},
};

static size_t count(const char *text, const char *what)
{
    size_t n = 0;

    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
        n++;
    return n;
}

/* Whoever came has left, once; what it said was heard; and nobody but alice is there. */
static void expect_gone(Daemon *daemon, Client *alice, const Visitor *visitor, bool has_connected)
{
    char *heard;

    daemon_expect_sleep(daemon);
    heard = client_ask(alice, "/who");
    if (strstr(heard, "-- 1 person in #lobby:\n-- alice\n") == NULL)
        daemon_fail(daemon, "somebody is left:\n%s", heard);
    if (count(heard, " is here\n") != (visitor->is_new ? count(heard, " has left\n") : 0) ||
        count(heard, " has left\n") > 1 || (!visitor->is_new && count(heard, " has left\n") != 1))
        daemon_fail(daemon, "not once:\n%s", heard);
    if (has_connected && visitor->heard != NULL && count(heard, visitor->heard) != 1)
        daemon_fail(daemon, "not heard:\n%s", heard);
    free(heard);
}

/* The second process dies at that point, and who visits is gone when the third one begins. False: there is no
 * such point. */
static bool goes_after(const void *userdata, unsigned point)
{
    const Visitor *visitor = userdata;
    Daemon *daemon =
        daemon_start(.program = DAEMON_FAULTY, .config = CRASH_CONFIG, .crash_at = {0, point},
                     .listeners = {[TCP] = {.kind = LISTENER_TCP4}, [UNIX] = {.kind = LISTENER_UNIX}});
    Client *alice = client_connect_to(daemon, TCP, "alice"), *carol = NULL;
    bool dies, was_greeted = !visitor->is_new;

    suite_note("%s, listener %zu, dies at point %u", visitor->name, visitor->listener, point);
    if (!visitor->is_new)
        carol = client_connect_to(daemon, visitor->listener, "carol");
    daemon_settle(daemon);
    daemon_expect_sleep(daemon);
    daemon_kill(daemon);
    if (carol == NULL)
        carol = client_open(daemon, .listener = visitor->listener);
    client_send_text(carol, visitor->says);
    daemon->options.may_end = true;
    daemon_start_again(daemon);
    dies = !daemon_comes_to_rest(daemon);
    was_greeted = was_greeted || (client_receive(carol) && carol->in.n > 0);
    if (!dies)
        daemon_kill(daemon);
    client_reset(carol);
    daemon->options.may_end = false;
    daemon_start_again(daemon);
    expect_gone(daemon, alice, visitor, was_greeted);
    daemon_stop(daemon);
    return dies;
}

START_TEST(who_went_while_no_process_ran)
{
    for (size_t i = 0; i < N_ELEMENTS(visitors); i++) {
        unsigned n = 1;

        while (goes_after(&visitors[i], n))
            n += crash_stride();
        ck_assert_uint_gt(n, 1);
        (void) fprintf(stderr, "%s, listener %zu: died at %u crash points\n", visitors[i].name,
                       visitors[i].listener, (n - 1) / crash_stride());
    }
}
END_TEST

/*
 * One who came is gone again, and another one comes: the place of the first, which is dead in the vault, must
 * not be taken for the second's. The second process dies at `first`, the third at `second`; false: there it
 * does not.
 */
static bool replaced_after(unsigned first, unsigned second)
{
    Daemon *daemon = daemon_start(.program = DAEMON_FAULTY, .config = CRASH_CONFIG,
                                  .crash_at = {0, first, second}, .may_end = false);
    Client *alice = client_connect_as(daemon, "alice"), *carol, *next;
    bool dies;

    suite_note("one goes and another one comes, dies at points %u and %u", first, second);
    daemon_expect_sleep(daemon);
    daemon_kill(daemon);
    carol = client_open(daemon, .listener = 0);
    daemon->options.may_end = true;
    daemon_start_again(daemon);
    dies = !daemon_comes_to_rest(daemon);
    if (!dies)
        daemon_kill(daemon);
    client_reset(carol);
    next = client_open(daemon, .listener = 0);
    daemon_start_again(daemon);
    dies = !daemon_comes_to_rest(daemon);
    if (!dies)
        daemon_kill(daemon);
    daemon->options.may_end = false;
    daemon_start_again(daemon);
    /* Who was not greeted yet may have to connect again, but is not left without a word. */
    if (client_take_line(next) != NULL) {
        client_say(next, "here I am");
        client_expect(alice, "[{time}] <guest{n}> here I am");
    }
    daemon_stop(daemon);
    return dies;
}

START_TEST(one_goes_and_another_one_comes)
{
    unsigned n_all = crash_count(goes_after, &visitors[0]), n_runs = 0;

    for (unsigned first = 1; first <= n_all; first += crash_stride()) {
        unsigned second = 1 + first % 3;

        for (; replaced_after(first, second); second += 3 * crash_stride())
            n_runs++;
    }
    ck_assert_uint_gt(n_runs, 0);
    (void) fprintf(stderr, "one goes and another one comes: died at %u pairs of crash points\n", n_runs);
}
END_TEST

SUITE_MAIN("crash-gone", {who_went_while_no_process_ran, 300}, {one_goes_and_another_one_comes, 300})
