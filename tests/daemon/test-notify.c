/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* sd_notify(3): ready when it serves, status in human words, the watchdog from the loop itself, and the end.
 */

#include <signal.h>
#include <string.h>

#include "lib/client.h"

START_TEST(ready_once_it_serves)
{
    Daemon *daemon = daemon_start(.may_end = true);
    Client *early = client_open(daemon, .listener = 0);

    (void) daemon_expect_notify(daemon, "READY=1");
    client_expect_greeting(early);
    client_sync(early);
    (void) daemon_turn(daemon, -1, 0, now_usec());
    ck_assert_uint_eq(notify_count(&daemon->notify, "READY=1"), 1);
    daemon_stop(daemon);
}
END_TEST

START_TEST(not_ready_with_a_bad_configuration)
{
    Daemon *daemon = daemon_start(.may_end = true, .config = "[Limits]\nMaxClients=many\n");

    daemon_expect_exit(daemon, EXIT_CONFIG_ERROR);
    ck_assert_uint_eq(notify_count(&daemon->notify, "READY=1"), 0);
    daemon_free(daemon);
}
END_TEST

START_TEST(status_in_human_words)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob;

    daemon->notify.n_seen = 0; /* it may come with READY=1 */
    (void) daemon_expect_notify(daemon, "STATUS=nobody is here");
    alice = client_connect_as(daemon, "alice");
    (void) daemon_expect_notify(daemon, "STATUS=1 person in 1 room");
    bob = client_connect_as(daemon, "bob");
    (void) daemon_expect_notify(daemon, "STATUS=2 people in 1 room");
    client_say(bob, "/join #dev");
    (void) daemon_expect_notify(daemon, "STATUS=2 people in 2 rooms");
    client_say(bob, "/leave #dev");
    (void) daemon_expect_notify(daemon, "STATUS=2 people in 1 room");
    client_close(alice);
    (void) daemon_expect_notify(daemon, "STATUS=1 person in 1 room");
    client_close(bob);
    (void) daemon_expect_notify(daemon, "STATUS=nobody is here");
    daemon_stop(daemon);
}
END_TEST

/* However much changes, the status is told once a second at most, and the last one is true. */
START_TEST(status_once_a_second)
{
    Daemon *daemon = daemon_start();
    Client *alice = client_connect_as(daemon, "alice");
    uint64_t end = deadline_exactly_in(3.5), begin = now_usec();
    size_t n_status = 0;

    for (int i = 0; now_usec() < end; i++) {
        Client *guest = client_connect(daemon);

        client_say(guest, "/join #room%d", i);
        client_sync(guest);
        client_close(guest);
        client_sync(alice);
    }
    (void) client_connect_as(daemon, "bob");
    (void) daemon_expect_notify(daemon, "STATUS=2 people in 1 room");
    for (size_t i = 0; i < daemon->notify.n_messages; i++) {
        const NotifyMessage *message = &daemon->notify.messages[i];

        if (!notify_message_match(message, "STATUS={any}") || notify_message_match(message, "READY=1"))
            continue;
        n_status++;
    }
    ck_assert_uint_ge(n_status, 3);
    ck_assert_uint_le(n_status, (now_usec() - begin) / USEC_PER_SEC + 2);
    daemon_stop(daemon);
}
END_TEST

/* What does not change is not told again. */
START_TEST(status_only_when_it_changes)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob;
    size_t n;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    (void) daemon_expect_notify(daemon, "STATUS=2 people in 1 room");
    n = notify_count(&daemon->notify, "STATUS={any}");
    for (int i = 0; i < 20; i++) {
        client_say(alice, "line %d", i);
        client_expect_next(bob, "[{time}] <alice> line %d", i);
        daemon_expect_running_for(daemon, 0.1);
    }
    ck_assert_uint_eq(notify_count(&daemon->notify, "STATUS={any}"), n);
    daemon_stop(daemon);
}
END_TEST

START_TEST(watchdog_is_fed_in_time)
{
    enum { WATCHDOG_USEC = 2000 * 1000 };
    uint64_t last = now_usec(), longest = (uint64_t) ((double) WATCHDOG_USEC * deadline_scale());
    Daemon *daemon = daemon_start(.watchdog_usec = WATCHDOG_USEC);

    for (int i = 0; i < 4; i++) {
        uint64_t now = daemon_expect_notify(daemon, "WATCHDOG=1")->usec;

        if (i > 0)
            ck_assert_msg(now - last <= longest, "%ju us without a sign", (uintmax_t) (now - last));
        last = now;
    }
    daemon_stop(daemon);
}
END_TEST

/* A loop that is kept busy feeds it too, and does not do so at every turn. */
START_TEST(watchdog_is_fed_under_load)
{
    enum { WATCHDOG_USEC = 1000 * 1000 };
    Daemon *daemon = daemon_start(.watchdog_usec = WATCHDOG_USEC);
    uint64_t end = deadline_exactly_in(2.5);
    Client *alice, *bob;
    size_t n;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    while (now_usec() < end) {
        client_say(alice, "hello");
        client_expect_next(bob, "[{time}] <alice> hello");
    }
    n = notify_count(&daemon->notify, "WATCHDOG=1");
    ck_assert_uint_ge(n, 2);
    ck_assert_uint_le(n, 20);
    daemon_stop(daemon);
}
END_TEST

/* A process that does not run does not feed it: the sign comes from the loop, not from a helper. */
START_TEST(watchdog_is_silent_when_the_loop_is_stuck)
{
    Daemon *daemon = daemon_start(.watchdog_usec = 300 * 1000);
    size_t n;

    (void) daemon_expect_notify(daemon, "WATCHDOG=1");
    daemon_signal(daemon, SIGSTOP);
    (void) daemon_turn(daemon, -1, 0, deadline_exactly_in(0.1));
    n = notify_count(&daemon->notify, "WATCHDOG=1");
    daemon_expect_running_for(daemon, 0.8);
    ck_assert_uint_eq(notify_count(&daemon->notify, "WATCHDOG=1"), n);
    daemon_signal(daemon, SIGCONT);
    (void) daemon_expect_notify(daemon, "WATCHDOG=1");
    daemon_stop(daemon);
}
END_TEST

START_TEST(no_watchdog_when_not_asked)
{
    Daemon *daemon = daemon_start();

    daemon_expect_running_for(daemon, 1);
    ck_assert_uint_eq(notify_count(&daemon->notify, "WATCHDOG=1"), 0);
    daemon_stop(daemon);
}
END_TEST

START_TEST(stopping_is_told)
{
    Daemon *daemon = daemon_start();

    client_expect_greeting(client_open(daemon, .listener = 0));
    daemon_ask_to_stop(daemon);
    (void) daemon_expect_notify(daemon, "STOPPING=1");
    daemon_expect_exit(daemon, 0);
    daemon_free(daemon);
}
END_TEST

/* A service manager that is gone, or one that does not read, does not keep people from talking. */
START_TEST(nobody_to_notify)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob;

    notify_done(&daemon->notify);
    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    client_say(alice, "hello");
    client_expect_next(bob, "[{time}] <alice> hello");
    daemon_expect_running_for(daemon, 1.5);
    client_say(alice, "still here");
    client_expect_next(bob, "[{time}] <alice> still here");
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("notify", {ready_once_it_serves, 0}, {not_ready_with_a_bad_configuration, 0},
           {status_in_human_words, 0}, {status_once_a_second, 0}, {status_only_when_it_changes, 0},
           {watchdog_is_fed_in_time, 0}, {watchdog_is_fed_under_load, 0},
           {watchdog_is_silent_when_the_loop_is_stuck, 0}, {no_watchdog_when_not_asked, 0},
           {stopping_is_told, 0}, {nobody_to_notify, 0})
