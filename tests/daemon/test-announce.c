/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Coming and going is told one by one in rooms of up to 30 people; in larger ones one line sums it up, every
 * 10 s at most. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/client.h"

enum {
    N_SMALL = 30, /* people in the largest room that is told each by each */
};

#define SUM_SECONDS 10.0

/* So many people in all, alice being one of them. */
static void fill(Daemon *daemon, size_t n)
{
    size_t n_here = 0;

    for (Client *client = daemon->clients; client != NULL; client = client->next)
        n_here++;
    for (; n_here < n; n_here++)
        (void) client_connect(daemon);
}

START_TEST(thirty_are_told_one_by_one)
{
    Daemon *daemon = daemon_start();
    Client *alice = client_connect_as(daemon, "alice"), *bob;

    fill(daemon, N_SMALL - 1);
    client_sync(alice);
    bob = client_connect(daemon);
    client_expect_next(alice, "-- %s is here", bob->nick);
    client_become(bob, "bob");
    client_expect_next(alice, "-- guest{n} is now bob");
    client_close(bob);
    client_expect_next(alice, "-- bob has left");
    client_expect_nothing(alice);
    daemon_stop(daemon);
}
END_TEST

START_TEST(thirty_one_are_not)
{
    Daemon *daemon = daemon_start();
    Client *alice = client_connect_as(daemon, "alice"), *bob;

    fill(daemon, N_SMALL);
    client_sync(alice);
    bob = client_connect(daemon);
    client_become(bob, "bob");
    client_say(bob, "hello");
    client_expect_next(alice, "[{time}] <bob> hello");
    client_close(bob);
    client_expect_nothing(alice);
    daemon_stop(daemon);
}
END_TEST

typedef struct Sum {
    int n_came, n_left, n_renamed;
    size_t n_lines;
    uint64_t last_usec;
} Sum;

/* The number before the word in "-- 12 came, 3 left, 2 changed names". */
static int number_before(const char *line, const char *word)
{
    const char *at = strstr(line, word);

    if (at == NULL)
        return 0;
    while (at > line && strchr("0123456789 ", at[-1]) != NULL)
        at--;
    return atoi(at);
}

static void add_sum(Client *client, Sum *sum)
{
    uint64_t now;

    client_expect_next(client, "-- {n} {any}");
    now = now_usec();
    /* The first one may have been there for a while. */
    if (sum->n_lines++ > 0)
        ck_assert_msg(now - sum->last_usec > (uint64_t) (0.5 * SUM_SECONDS * USEC_PER_SEC),
                      "two sums in much less than 10 s");
    sum->last_usec = now;
    sum->n_came += number_before(client->line, "came");
    sum->n_left += number_before(client->line, "left");
    sum->n_renamed += number_before(client->line, "changed name");
}

START_TEST(a_large_room_has_a_sum)
{
    Daemon *daemon = daemon_start();
    Client *alice = client_connect_as(daemon, "alice"), *newcomers[5];
    Sum sum = {0};

    fill(daemon, N_SMALL + 1);
    client_sync(alice);
    for (size_t i = 0; i < N_ELEMENTS(newcomers); i++)
        newcomers[i] = client_connect(daemon);
    client_become(newcomers[0], "bob");
    client_become(newcomers[1], "carol");
    for (size_t i = 2; i < N_ELEMENTS(newcomers); i++)
        client_close(newcomers[i]);
    /* The one who made the room large, and the five. */
    while (sum.n_came < 6 || sum.n_left < 3 || sum.n_renamed < 2)
        add_sum(alice, &sum);
    ck_assert_int_eq(sum.n_came, 6);
    ck_assert_int_eq(sum.n_left, 3);
    ck_assert_int_eq(sum.n_renamed, 2);
    ck_assert_uint_le(sum.n_lines, 2);
    client_expect_nothing(alice);
    daemon_stop(daemon);
}
END_TEST

/* The sum of another room is told with its name, and not at all to who does not want to hear of it. */
START_TEST(the_sum_is_told_like_other_lines)
{
    Daemon *daemon = daemon_start();
    Client *alice = client_connect_as(daemon, "alice"), *bob = client_connect_as(daemon, "bob");

    client_say(alice, "/join #dev");
    client_say(bob, "/set joins off");
    fill(daemon, N_SMALL + 5);
    client_sync(bob);
    client_sync(alice);
    client_expect_next(alice, "-- #lobby: {n} came{any}");
    client_expect_nothing(bob);
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("announce", {thirty_are_told_one_by_one, 0}, {thirty_one_are_not, 0}, {a_large_room_has_a_sum, 0},
           {the_sum_is_told_like_other_lines, 0})
