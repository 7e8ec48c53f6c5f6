/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Who is let in by host/listener, and what the others are told. */

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "chat/rule.h"
#include "host/server.h"
#include "unit/accounts-fixture.h"
#include "unit/harness.h"
#include "unit/unit.h"

enum { SESSIONS = 100 };

/* As much of a server as those need who come in. */
typedef struct World {
    Harness *harness;
    Server *server;
    unsigned n_pauses; /* that were logged */
} World;

static void note(void *userdata, const LogEvent *event)
{
    World *world = userdata;

    if (event->id != NULL && strcmp(event->id, LOG_ID_LISTENER_PAUSED) == 0)
        world->n_pauses++;
}

static void world_begin(World *world)
{
    Harness *harness = harness_new(NULL, SESSIONS);
    Server *server = harness_allocate(sizeof *server);

    *world = (World){.harness = harness, .server = server};
    harness->log = (Log){.sink = note, .userdata = world};
    server->chat = harness->chat;
    server->config = harness->config;
    server->log = &harness->log;
    server->max_descriptors = SESSIONS;
    server->connections = harness_allocate(SESSIONS * sizeof *server->connections);
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    ck_assert_int_eq(vault_init(&server->vault, &server->notify, server->log, harness->chat->state.header),
                     0);
}

static void world_end(World *world)
{
    Server *server = world->server;

    harness_check(world->harness);
    for (uint32_t i = 0; i < SESSIONS; i++)
        if (session_record(server->chat, i)->serial != 0)
            (void) close(server->connections[i].fd);
    vault_done(&server->vault);
    (void) close(server->epoll_fd);
    free(server->connections);
    free(server);
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
    RuleRecord rule;
    uint64_t number;
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
    /* Whom an operator made one. */
    rule = (RuleRecord){.kind = RULE_OPERATOR,
                        .subject = {.is_uid = true, .uid = getuid()},
                        .whom = identity.nick,
                        .by = identity.nick};
    ck_assert_int_eq(rule_add(world.harness->chat, &rule, &number), 0);
    chat_commit(world.harness->chat);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    ck_assert_int_eq(listener_take(world.server, fds[0], &peer, &identity), 0);
    ck_assert_uint_eq(chat_n_sessions(world.harness->chat), 1);
    (void) close(fds[1]);
    world_end(&world);
}
END_TEST

/* A socket for accounts; its address is in *ret_address. */
static void listen_local(World *world, struct sockaddr_un *ret_address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t n = sizeof *ret_address;

    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    ck_assert_int_ge(fd, 0);
    /* An address that the kernel chooses: "Autobind" in unix(7). */
    ck_assert_int_eq(bind(fd, (struct sockaddr *) ret_address, sizeof(sa_family_t)), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *) ret_address, &n), 0);
    ck_assert_int_eq(listen(fd, 2 * ARRIVALS_MAX), 0);
    listener_init(&world->server->listeners[world->server->n_listeners++], fd, true);
}

static int connect_local(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    /* An abstract address is as long as autobind makes it: a NUL and five digits. */
    ck_assert_int_eq(connect(fd, (const struct sockaddr *) address, sizeof(sa_family_t) + 6), 0);
    return fd;
}

/* While names can not be looked up so many wait here, and the others in the backlog: nobody is lost. */
START_TEST(test_many_arrivals)
{
    int clients[ARRIVALS_MAX + 1];
    /* Of one account; or of guests, where the fixture does not know ours. */
    unsigned n_in = getuid() == 0 || getuid() == 1000 ? LIMIT_PERSON_SESSIONS : ARRIVALS_MAX + 1;
    struct sockaddr_un address;
    Listener *listener;
    Server *server;
    World world;

    ck_assert_msg(accounts_is_person(getuid()), "whoever runs the tests has no account of a person");
    world_begin(&world);
    server = world.server;
    server->accounts = fixture_begin();
    fake.hanging_uid = getuid();
    listen_local(&world, &address);
    listener = &server->listeners[0];
    for (unsigned i = 0; i < ARRIVALS_MAX - 1; i++)
        clients[i] = connect_local(&address);
    ck_assert_int_eq(listener_accept(server, listener), 0);
    ck_assert_uint_eq(server->n_arrivals, ARRIVALS_MAX - 1);
    ck_assert(listener_is_open(server, listener));
    clients[ARRIVALS_MAX - 1] = connect_local(&address);
    clients[ARRIVALS_MAX] = connect_local(&address);
    ck_assert_int_eq(listener_accept(server, listener), 0);
    ck_assert_uint_eq(server->n_arrivals, ARRIVALS_MAX);
    ck_assert(!listener_is_open(server, listener));
    ck_assert_uint_eq(world.n_pauses, 1);
    ck_assert_uint_eq(chat_n_sessions(server->chat), 0);

    wait_hanging(1);
    fake_open();
    take(server->accounts);
    ck_assert_int_eq(arrivals_look(server), 0);
    ck_assert_uint_eq(server->n_arrivals, 0);
    harness_wait(world.harness, USEC_PER_SEC);
    ck_assert(listener_is_open(server, listener));
    ck_assert_int_eq(listener_accept(server, listener), 0);
    ck_assert_uint_eq(chat_n_sessions(server->chat), n_in);
    ck_assert_uint_eq(world.n_pauses, 1);
    for (unsigned i = 0; i <= ARRIVALS_MAX; i++)
        (void) close(clients[i]);
    listener_done(listener);
    fixture_end(server->accounts);
    world_end(&world);
}
END_TEST

/* Only root and people have names that others can rely on. */
START_TEST(test_who_has_a_name)
{
    static const struct {
        uint32_t uid;
        const char *name; /* NULL: a guest */
    } cases[] = {
        {0, "root"}, {1, NULL}, {999, NULL}, {1000, "alice"}, {65534, NULL}, {UINT32_MAX, NULL},
    };
    World world;

    world_begin(&world);
    world.server->accounts = fixture_begin();
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        Peer peer = {.is_local = true, .uid = cases[i].uid};
        const SessionRecord *record = session_record(world.harness->chat, (uint32_t) i);
        int fds[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        ck_assert_int_eq(arrival_begin(world.server, fds[0], &peer), 0);
        ck_assert_uint_eq(world.server->n_arrivals, cases[i].name != NULL);
        if (cases[i].name != NULL) {
            take(world.server->accounts);
            ck_assert_int_eq(arrivals_look(world.server), 0);
        }
        ck_assert_uint_eq(chat_n_sessions(world.harness->chat), i + 1);
        ck_assert_msg(record->standing == (cases[i].name == NULL ? 0
                                           : i == 0
                                               ? STANDING_VERIFIED | STANDING_OPERATOR | STANDING_IN_GROUP
                                               : STANDING_VERIFIED),
                      "uid %u: %u", cases[i].uid, record->standing);
        if (cases[i].name != NULL)
            ck_assert_str_eq(record->nick.bytes, cases[i].name);
        (void) close(fds[1]);
    }
    fixture_end(world.server->accounts);
    world_end(&world);
}
END_TEST

UNIT_MAIN("listener", test_banned_and_found, test_banned, test_many_arrivals, test_who_has_a_name)
