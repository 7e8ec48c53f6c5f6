/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The log: it never keeps people from talking, and never has what they say. */

#include <string.h>

#include "lib/client.h"

enum { N_VISITORS = 200 }; /* whose coming and going is logged */

#define CROWD DAEMON_CONFIG "MaxClientsPerAddress=0\n"

static void expect_chat_goes_on(Daemon *daemon, Client *alice, Client *bob)
{
    for (int i = 0; i < N_VISITORS; i++) {
        client_expect_greeting(client_open(daemon, .listener = 0));
        client_close(daemon->clients);
        client_say(alice, "line %d", i);
        client_expect(bob, "[{time}] <alice> line %d", i);
    }
}

START_TEST(nobody_reads_it)
{
    Daemon *daemon = daemon_start(.config = CROWD);
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    daemon_block_log(daemon);
    expect_chat_goes_on(daemon, alice, bob);
    daemon_reload(daemon);
    expect_chat_goes_on(daemon, alice, bob);
    daemon_ask_to_stop(daemon);
    daemon_expect_exit(daemon, 0);
    daemon_free(daemon);
}
END_TEST

/* Writing to a closed pipe is an error and a signal, and neither ends the service. */
START_TEST(it_is_closed)
{
    Daemon *daemon = daemon_start(.config = CROWD);
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    daemon_close_log(daemon);
    expect_chat_goes_on(daemon, alice, bob);
    daemon_reload(daemon);
    daemon_stop(daemon);
}
END_TEST

START_TEST(what_people_say_is_not_in_it)
{
    static const char *const lines[] = {
        "sesame",
        "/me sesame",
        "/msg bob sesame",
        "/reply sesame",
        "/topic sesame",
        "/away sesame",
        "/sesame",
        "//sesame",
        "/nick sesame!",
        "/join #sesame!",
        "/msg sesame sesame",
        "/history sesame",
        "/set sesame sesame",
        "\xfesesame",
    };
    Daemon *daemon = daemon_start();
    Client *alice, *bob;

    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    client_say(bob, "/msg alice hello");
    for (size_t i = 0; i < N_ELEMENTS(lines); i++)
        client_say(alice, "%s", lines[i]);
    client_send_text(alice, "sesame");
    client_send_run(alice, 'x', 3000);
    client_send_text(alice, "\n");
    client_sync(alice);
    client_send_text(alice, "last words: sesame");
    client_reset(alice);
    client_expect(bob, "-- alice has left");
    daemon_ask_to_stop(daemon);
    daemon_expect_exit(daemon, 0);
    ck_assert_msg(strstr(buffer_text(&daemon->err), "sesame") == NULL, "%s", buffer_text(&daemon->err));
    daemon_free(daemon);
}
END_TEST

SUITE_MAIN("log", {nobody_reads_it, 0}, {it_is_closed, 0}, {what_people_say_is_not_in_it, 0})
