/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The sockets that the daemon is given, told apart by name; and what it says when it is given none, or the
 * wrong ones. */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/client.h"
#include "lib/proc.h"

/* Whether the daemon still has this listener open. */
static bool daemon_has_listener(Daemon *daemon, size_t listener)
{
    struct stat st = {0};

    ck_assert_int_eq(fstat(daemon->listeners[listener].fd, &st), 0);
    return proc_has_socket(daemon->pid, st.st_ino);
}

/* Somebody on each of the listeners, and everybody hears everybody. */
static void expect_all_in_one_chat(Daemon *daemon)
{
    Client *people[DAEMON_LISTENERS_MAX];
    char nick[16];

    for (size_t i = 0; i < daemon->n_listeners; i++) {
        (void) snprintf(nick, sizeof(nick), "person%zu", i);
        people[i] = client_connect_to(daemon, i, nick);
    }
    daemon_settle(daemon);
    for (size_t i = 0; i < daemon->n_listeners; i++) {
        client_say(people[i], "hello from %zu", i);
        for (size_t k = 0; k < daemon->n_listeners; k++) {
            if (k != i)
                client_expect_next(people[k], "[{time}] <person%zu> hello from %zu", i, i);
        }
    }
}

START_TEST(unix_listener)
{
    Daemon *daemon = daemon_start(.listeners = {{.kind = LISTENER_UNIX}});
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    client_say(alice, "hello");
    client_expect_next(bob, "[{time}] <alice> hello");
    client_send_text(alice, "the end");
    client_half_close(alice);
    client_expect_next(bob, "[{time}] <alice> the end");
    client_expect_next(bob, "-- alice has left");
    client_expect_eof(alice);
    daemon_stop(daemon);
}
END_TEST

START_TEST(ipv6_listener)
{
    Daemon *daemon;

    if (!listener_is_possible(LISTENER_TCP6)) {
        suite_skip("no IPv6 here");
        return;
    }
    daemon = daemon_start(.listeners = {{.kind = LISTENER_TCP6}, {.kind = LISTENER_MAPPED}});
    expect_all_in_one_chat(daemon);
    daemon_stop(daemon);
}
END_TEST

START_TEST(several_sockets_of_one_name)
{
    Daemon *daemon =
        daemon_start(.listeners = {
                         {.kind = LISTENER_TCP4}, {.kind = LISTENER_UNIX}, {.kind = LISTENER_TCP4}});

    expect_all_in_one_chat(daemon);
    daemon_stop(daemon);
}
END_TEST

START_TEST(no_names_mean_plain)
{
    Daemon *daemon =
        daemon_start(.no_names = true, .listeners = {{.kind = LISTENER_TCP4}, {.kind = LISTENER_UNIX}});

    expect_all_in_one_chat(daemon);
    daemon_stop(daemon);
}
END_TEST

START_TEST(unknown_name_is_logged_and_closed)
{
    Daemon *daemon =
        daemon_start(.listeners = {{.kind = LISTENER_TCP4, .name = "gopher"}, {.kind = LISTENER_TCP4}});
    Client *alice;

    daemon_expect_log(daemon, "gopher");
    ck_assert(!daemon_has_listener(daemon, 0));
    ck_assert(daemon_has_listener(daemon, 1));
    alice = client_connect_to(daemon, 1, "alice");
    client_expect_nothing(alice);
    daemon_stop(daemon);
}
END_TEST

START_TEST(only_unknown_names_are_no_socket)
{
    Daemon *daemon = daemon_start(.may_end = true, .listeners = {{.kind = LISTENER_TCP4, .name = "gopher"}});

    while (daemon->pid != 0)
        ck_assert(daemon_turn(daemon, -1, 0, deadline_in(SECONDS_TO_ANSWER)));
    daemon_expect_log(daemon, "gopher");
    ck_assert_int_ne(daemon->exit_status, 0);
    daemon_expect_exit(daemon, daemon->exit_status >> 8);
    daemon_free(daemon);
}
END_TEST

static size_t count_lines(const Buffer *text)
{
    size_t n = 0;

    for (size_t i = 0; i < text->n; i++)
        n += text->data[i] == '\n';
    return n;
}

/* Started by hand: two lines say how it is done. */
START_TEST(no_socket)
{
    Daemon *daemon = daemon_start(.may_end = true, .no_listeners = true, .no_notify = true);

    daemon_expect_exit(daemon, 1);
    ck_assert_msg(count_lines(&daemon->err) == 2, "these are not two lines:\n%s", buffer_text(&daemon->err));
    daemon_expect_log(daemon, "chat.socket");
    daemon_free(daemon);
}
END_TEST

/* Sockets that are for another process are not taken. */
START_TEST(sockets_for_another_process)
{
    Daemon *daemon = daemon_start(.may_end = true, .no_notify = true, .env = {"LISTEN_PID=1"});

    daemon_expect_exit(daemon, 1);
    daemon_free(daemon);
}
END_TEST

START_TEST(accept_yes_is_an_error)
{
    Daemon *daemon = daemon_start(.may_end = true, .listeners = {{.kind = LISTENER_CONNECTION}});

    daemon_expect_exit(daemon, EXIT_CONFIG_ERROR);
    daemon_expect_log(daemon, "Accept=");
    daemon_free(daemon);
}
END_TEST

START_TEST(inetd_nowait_is_an_error)
{
    Daemon *daemon =
        daemon_start(.may_end = true, .inetd = true, .listeners = {{.kind = LISTENER_CONNECTION}});

    daemon_expect_exit(daemon, EXIT_CONFIG_ERROR);
    daemon_free(daemon);
}
END_TEST

/* inetd's `wait`: the listening socket is stdin, stdout and stderr, and there is nobody to notify. */
static void inetd_wait(ListenerKind kind)
{
    Daemon *daemon = daemon_start(.inetd = true, .listeners = {{.kind = kind}});
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    client_say(alice, "hello");
    client_expect_next(bob, "[{time}] <alice> hello");
    daemon_signal(daemon, SIGHUP);
    client_say(alice, "after a reload");
    client_expect_next(bob, "[{time}] <alice> after a reload");
    daemon_stop(daemon);
}

START_TEST(inetd_wait_over_tcp)
{
    inetd_wait(LISTENER_TCP4);
}
END_TEST

START_TEST(inetd_wait_over_unix)
{
    inetd_wait(LISTENER_UNIX);
}
END_TEST

SUITE_MAIN("sockets", {unix_listener, 0}, {ipv6_listener, 0}, {several_sockets_of_one_name, 0},
           {no_names_mean_plain, 0}, {unknown_name_is_logged_and_closed, 0},
           {only_unknown_names_are_no_socket, 0}, {no_socket, 0}, {sockets_for_another_process, 0},
           {accept_yes_is_an_error, 0}, {inetd_nowait_is_an_error, 0}, {inetd_wait_over_tcp, 0},
           {inetd_wait_over_unix, 0})
