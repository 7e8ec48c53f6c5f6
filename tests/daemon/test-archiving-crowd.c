/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* A crowd, and an archive that is read late. */

#include <string.h>

#include "lib/past.h"
#include "lib/self.h"

enum { TCP, LOCAL };

#define LISTENERS                                                                                            \
    .listeners = {[TCP] = {.kind = LISTENER_TCP4}, [LOCAL] = {.kind = LISTENER_UNIX, .name = "local"}}
/* So small that what the crowd is told fills it several times. */
#define CROWD                                                                                                \
    DAEMON_CONFIG                                                                                            \
    "MaxClients=200\nMaxClientsPerAddress=0\nMaxRooms=20\nMaxRoomsPerClient=20\nTranscriptSize=256K\n"

enum { N_CROWD = 150, N_ROOMS = 12 };

static void lock_rooms(Daemon *daemon)
{
    Client *founder = client_open(daemon, .listener = LOCAL);

    client_expect(founder, "-- Welcome to {any}");
    for (int room = 0; room < N_ROOMS; room++) {
        client_say(founder, "/join #den%d", room);
        client_say(founder, "/lock");
        client_expect(founder, "-- #den%d is locked: only who is invited {any}", room);
    }
    client_say(founder, "/seen nobody");
    client_expect(founder, "-- Nobody called nobody has been seen.");
    daemon_end(daemon);
    daemon_close_clients(daemon);
}

/* Somebody has the file when the service begins, and a crowd is in rooms that turn out to be locked: more
 * people are put out than a turn has room for. All are told, none misses a line, and what is said then in
 * those rooms none of them hears. */
START_TEST(put_out)
{
    Daemon *daemon =
        daemon_start(.has_archive = true, .no_runtime_directory = true, .config = CROWD, LISTENERS);
    Client *founder;
    sqlite3 *other;

    lock_rooms(daemon);
    other = past_open(daemon);
    past_do(other, "BEGIN IMMEDIATE");
    daemon_start_again(daemon);
    for (int i = 0; i < N_CROWD; i++) {
        Client *client = client_open(daemon, .listener = TCP);

        client_expect_greeting(client);
        client_say(client, "/set joins off");
        for (int room = 0; room < N_ROOMS; room++)
            client_say(client, "/join #den%d", room);
        client_expect(client, "-- You are in #den%d now{any}", N_ROOMS - 1);
    }
    past_do(other, "COMMIT");
    past_close(other);
    for (Client *client = daemon->clients; client != NULL; client = client->next)
        for (int room = 0; room < N_ROOMS; room++)
            client_expect_next(client, "-- #den%d is locked. You are in {any}", room);
    founder = client_open(daemon, .listener = LOCAL);
    client_expect(founder, "-- Welcome to {any}");
    client_say(founder, "/join #den0");
    client_say(founder, "the code is swordfish");
    for (Client *client = daemon->clients; client != NULL; client = client->next) {
        if (client == founder)
            continue;
        client_say(client, "/leave #nowhere");
        client_expect_next(client, "!! {any}#nowhere{any}");
    }
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("archiving-crowd", {put_out, 0})
