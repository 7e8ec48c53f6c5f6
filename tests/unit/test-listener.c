/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Who is let in by host/listener, and what the others are told. */

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chat/rule.h"
#include "host/server.h"
#include "unit/harness.h"
#include "unit/unit.h"

/* As much of a server as those need who are not let in. */
typedef struct World {
    Harness *harness;
    Server *server;
} World;

static void world_begin(World *world)
{
    *world = (World){.harness = harness_new(NULL, 20), .server = harness_allocate(sizeof(Server))};
    world->server->chat = world->harness->chat;
    world->server->config = world->harness->config;
    world->server->log = &world->harness->log;
}

static void world_end(World *world)
{
    harness_check(world->harness);
    free(world->server);
    harness_free(world->harness);
}

/* All that is sent to `fd`, to its end. */
static void expect_words(int fd, const char *words)
{
    char text[512] = "";
    size_t n = 0;
    ssize_t got;

    while ((got = recv(fd, text + n, sizeof text - 1 - n, 0)) > 0)
        n += (size_t) got;
    ck_assert_int_eq(got, 0);
    ck_assert_str_eq(text, words);
    (void) close(fd);
}

static void ban_own_uid(World *world)
{
    RuleRecord rule = {.kind = RULE_BAN, .subject = {.is_uid = true, .uid = getuid()}};
    uint64_t number;

    ck_assert_int_eq(name_from_login("root", &rule.by), 0);
    ck_assert_int_eq(rule_add(world->harness->chat, &rule, &number), 0);
    chat_commit(world->harness->chat);
}

/* Whom the last process had accepted, and not greeted yet. */
START_TEST(test_banned_and_found)
{
    VaultFound found = {.serial = 1};
    World world;
    int fds[2];

    world_begin(&world);
    ban_own_uid(&world);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    found.fd = fds[0];
    ck_assert_int_eq(listener_admit_found(world.server, &found), 0);
    expect_words(fds[1], "!! You are banned.\n");
    ck_assert_uint_eq(chat_n_sessions(world.harness->chat), 0);
    world_end(&world);
}
END_TEST

START_TEST(test_banned)
{
    Peer peer = {.is_local = true, .uid = getuid()};
    Identity identity = {.uid = getuid()};
    World world;
    int fds[2];

    world_begin(&world);
    ban_own_uid(&world);
    ck_assert_int_eq(name_from_login("alice", &identity.nick), 0);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        ck_assert_int_eq(listener_take(world.server, fds[0], &peer, i == 0 ? NULL : &identity), 0);
        expect_words(fds[1], "!! You are banned.\n");
    }
    ck_assert_uint_eq(chat_n_sessions(world.harness->chat), 0);
    world_end(&world);
}
END_TEST

UNIT_MAIN("listener", test_banned_and_found, test_banned)
