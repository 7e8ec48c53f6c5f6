/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* SIGHUP: a good configuration is taken, a bad one is refused with its place and reason; nobody is disturbed.
 */

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "lib/client.h"

static void reload_with(Daemon *daemon, const char *config)
{
    daemon_write_file(daemon, "chatd.conf", config);
    daemon_reload(daemon);
}

START_TEST(a_good_one_is_taken)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob, *carol;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    client_say(alice, "/join #dev");
    client_sync(alice);
    reload_with(daemon, DAEMON_CONFIG "MaxLineLength=80\n[Chat]\nMotd=New words.\n");
    client_say(alice, "%s", run_of('x', 81));
    client_expect_next(alice, "!! That line had more than 80 bytes{any}");
    client_say(bob, "%s", run_of('y', 80));
    client_expect_next(alice, "[{time}] #lobby <bob> %s", run_of('y', 80));
    carol = client_open(daemon, .listener = 0);
    client_expect_greeting(carol);
    client_expect_next(carol, "-- New words.");
    client_expect_next(alice, "-- #lobby: guest{n} is here");
    client_expect_nothing(alice);
    daemon_stop(daemon);
}
END_TEST

/* Each bad configuration, and where the log says that it is bad. */
static const struct {
    const char *config;
    const char *place;
} bad[] = {
    {"[Limits]\nMaxClients=many\n", "chatd.conf:2: "},
    {"# a comment\n\n[Limits]\nMaxClients=1\nMaxLineLength=79\n", "chatd.conf:5: "},
    {"[Limits]\nMaxLineLength=8001\n", "chatd.conf:2: "},
    {"[Limits]\nMaxNickLength=25\n", "chatd.conf:2: "},
    {"[Limits]\nMaxClients=-1\n", "chatd.conf:2: "},
    {"[Limits]\nBytesPerSecond=8Q\n", "chatd.conf:2: "},
    {"[Limits]\nTranscriptSize=1K\n", "chatd.conf:2: "},
    {"[Chat]\nHistory=201\n", "chatd.conf:2: "},
    {"[Chat]\nIdleExitSec=soon\n", "chatd.conf:2: "},
    {"[Chat]\nMotd=/nonexistent/motd\n", "chatd.conf:2: "},
    {"[Chat]\nMotd=caf\xe9\n", "chatd.conf:2: "},
    {"[Limits\nMaxClients=1\n", "chatd.conf:1: "},
};

START_TEST(a_bad_one_is_refused_with_its_place)
{
    Daemon *daemon = daemon_start(.config = DAEMON_CONFIG "MaxLineLength=100\n");
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        suite_note("row %zu", i);
        reload_with(daemon, bad[i].config);
        daemon_expect_log(daemon, bad[i].place);
        client_say(alice, "%s", run_of('x', 101));
        client_expect_next(alice, "!! That line had more than 100 bytes{any}");
        client_say(alice, "%s", run_of('x', 100));
        client_expect_next(bob, "[{time}] <alice> %s", run_of('x', 100));
    }
    suite_note("%s", "");
    reload_with(daemon, DAEMON_CONFIG "MaxLineLength=200\n");
    client_say(alice, "%s", run_of('x', 200));
    client_expect_next(bob, "[{time}] <alice> %s", run_of('x', 200));
    daemon_stop(daemon);
}
END_TEST

START_TEST(a_bad_one_at_the_start_ends_with_78)
{
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        Daemon *daemon = daemon_start(.may_end = true, .config = bad[i].config);

        suite_note("row %zu", i);
        daemon_expect_exit(daemon, EXIT_CONFIG_ERROR);
        daemon_expect_log(daemon, bad[i].place);
        daemon_free(daemon);
    }
}
END_TEST

/* Whoever waits is told, and not left for systemd to start the service again and again. */
START_TEST(who_waits_at_a_bad_start_is_told)
{
    Daemon *daemon = daemon_start(.may_end = true, .config = bad[0].config);
    Client *alice;

    daemon_expect_exit(daemon, EXIT_CONFIG_ERROR);
    alice = client_open(daemon);
    client_send_text(alice, "hello\n");
    daemon_start_again(daemon);
    daemon_expect_exit(daemon, EXIT_CONFIG_ERROR);
    client_expect_next(alice, "!! The chat can not start: {any}");
    client_expect_eof(alice);
    daemon_free(daemon);
}
END_TEST

START_TEST(a_missing_one_at_the_start_ends_with_78)
{
    Daemon *daemon =
        daemon_start(.may_end = true, .no_config_option = true, .args = {"--config=/nonexistent/chatd.conf"});

    daemon_expect_exit(daemon, EXIT_CONFIG_ERROR);
    daemon_expect_log(daemon, "/nonexistent/chatd.conf");
    daemon_free(daemon);
}
END_TEST

START_TEST(a_missing_one_is_refused)
{
    Daemon *daemon = daemon_start(.config = DAEMON_CONFIG "MaxLineLength=100\n");
    Client *alice = client_connect_as(daemon, "alice");

    ck_assert_int_eq(unlink(daemon->config_path), 0);
    daemon_reload(daemon);
    daemon_expect_log(daemon, "chatd.conf");
    client_say(alice, "%s", run_of('x', 101));
    client_expect_next(alice, "!! That line had more than 100 bytes{any}");
    daemon_stop(daemon);
}
END_TEST

/* What nobody knows is warned about, with its place, and is no error. */
START_TEST(unknown_keys_are_warned_about)
{
    Daemon *daemon =
        daemon_start(.config = DAEMON_CONFIG "MaxClient=3\n[Chat]\nmotd=hello\n[Nonsense]\nMaxClients=1\n");
    Client *alice;

    daemon_expect_log(daemon, "chatd.conf:4: ");
    daemon_expect_log(daemon, "MaxClients"); /* what was meant */
    daemon_expect_log(daemon, "chatd.conf:6: ");
    daemon_expect_log(daemon, "chatd.conf:");
    daemon_expect_log(daemon, "Nonsense");
    alice = client_connect_as(daemon, "alice");
    reload_with(daemon, DAEMON_CONFIG "# one line more\nMaxRoom=1\n");
    daemon_expect_log(daemon, "chatd.conf:5: ");
    client_expect_nothing(alice);
    daemon_stop(daemon);
}
END_TEST

/* FILE.d/: what is read later says the last word, and errors name the file they are in. */
START_TEST(drop_ins)
{
    Daemon *daemon = daemon_start();
    Client *alice = client_connect_as(daemon, "alice");

    daemon_write_file(daemon, "chatd.conf.d/20-later.conf", "[Limits]\nMaxLineLength=90\n");
    daemon_write_file(daemon, "chatd.conf.d/10-earlier.conf", "[Limits]\nMaxLineLength=80\n");
    daemon_write_file(daemon, "chatd.conf.d/30-not-a-conf.txt", "[Limits]\nMaxLineLength=85\n");
    daemon_reload(daemon);
    client_say(alice, "%s", run_of('x', 91));
    client_expect_next(alice, "!! That line had more than 90 bytes{any}");
    daemon_write_file(daemon, "chatd.conf.d/20-later.conf", "[Limits]\nMaxLineLength=x\n");
    daemon_reload(daemon);
    daemon_expect_log(daemon, "20-later.conf:2: ");
    client_say(alice, "%s", run_of('x', 91));
    client_expect_next(alice, "!! That line had more than 90 bytes{any}");
    daemon_stop(daemon);
}
END_TEST

/* Nobody is thrown out because there is less room than before; but nobody else comes in. */
START_TEST(fewer_people_allowed_than_are_here)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob, *carol, *other;

    people_connect(daemon, "alice", &alice, "bob", &bob, "carol", &carol, NULL);
    reload_with(daemon, DAEMON_CONFIG "MaxClients=2\nMaxClientsPerAddress=2\n");
    client_say(alice, "all here?");
    client_expect_next(bob, "[{time}] <alice> all here?");
    client_expect_next(carol, "[{time}] <alice> all here?");
    other = client_open(daemon, .listener = 0);
    client_expect_next(other, "!! {any}");
    client_expect_eof(other);
    reload_with(daemon, DAEMON_CONFIG);
    client_expect_greeting(client_open(daemon, .listener = 0));
    daemon_stop(daemon);
}
END_TEST

START_TEST(new_rates_hold_for_who_is_here)
{
    Daemon *daemon = daemon_start(.config = "[Limits]\nLinesPerSecond=1\nLinesBurst=10\nBytesPerSecond=0\n");
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    for (int i = 0; i < 200; i++)
        client_say(alice, "line %d", i);
    client_expect(bob, "[{time}] <alice> line 0");
    /* 200 s later by the old rates. */
    reload_with(daemon, DAEMON_CONFIG);
    client_expect(bob, "[{time}] <alice> line 199");
    daemon_stop(daemon);
}
END_TEST

START_TEST(many_reloads)
{
    Daemon *daemon = daemon_start();
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    for (int i = 0; i < 50; i++) {
        daemon_write_file(daemon, "chatd.conf",
                          i % 2 == 0 ? "[Limits]\nMaxClients=x\n" : DAEMON_CONFIG "[Chat]\nMotd=hello\n");
        daemon_reload(daemon);
        client_say(alice, "line %d", i);
        client_expect_next(bob, "[{time}] <alice> line %d", i);
    }
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("reload", {a_good_one_is_taken, 0}, {a_bad_one_is_refused_with_its_place, 0},
           {a_bad_one_at_the_start_ends_with_78, 0}, {who_waits_at_a_bad_start_is_told, 0},
           {a_missing_one_at_the_start_ends_with_78, 0}, {a_missing_one_is_refused, 0},
           {unknown_keys_are_warned_about, 0}, {drop_ins, 0}, {fewer_people_allowed_than_are_here, 0},
           {new_rates_hold_for_who_is_here, 0}, {many_reloads, 0})
