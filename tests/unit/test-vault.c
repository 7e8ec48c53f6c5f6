/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Clients in flight: what is put into the vault is what the next process finds, however often one dies. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "host/vault.h"
#include "unit/harness.h"
#include "unit/manager.h"
#include "unit/sockets.h"
#include "unit/unit.h"

enum {
    PEOPLE = 600,
    NOW = 1000 * 1000,
};

/* A process with a vault, and the manager that outlives it. */
typedef struct World {
    Manager manager;
    Notify notify;
    Log log;
    unsigned n_logged;
    StateHeader header;
    Vault vault;
    int client[2]; /* [1] is everybody's connection */
    unsigned n_found[PEOPLE];
    int fds[PEOPLE]; /* of those who were found last */
} World;

static void on_log(void *userdata, const LogEvent *event)
{
    World *world = userdata;

    ck_assert_str_eq(event->id, LOG_ID_NO_STORE);
    world->n_logged++;
}

static World *world_new(bool has_manager)
{
    World *world = calloc(1, sizeof *world);

    ck_assert_ptr_nonnull(world);
    (void) unsetenv("NOTIFY_SOCKET");
    if (has_manager)
        manager_open(&world->manager);
    open_local(world->client);
    notify_init(&world->notify, NOW);
    world->log = (Log){.sink = on_log, .userdata = world};
    world->header.max_sessions = PEOPLE;
    world->header.next_vault = 1;
    ck_assert_int_eq(vault_init(&world->vault, &world->notify, &world->log, &world->header), 0);
    return world;
}

static void world_free(World *world)
{
    vault_done(&world->vault);
    close_pair(world->client);
    if (world->notify.is_enabled)
        manager_close(&world->manager);
    free(world);
}

/* Session n has serial n + 1. */
static void come(World *world, uint32_t session)
{
    VaultPlace place;

    vault_put(&world->vault, world->client[1], session + 1, &place);
    ck_assert_ptr_nonnull(place.pair);
    vault_assign(&world->vault, &place, session, world->client[1]);
    if (world->notify.is_enabled)
        manager_run(&world->manager);
}

static void tidy(World *world, uint64_t now)
{
    vault_tidy(&world->vault, now);
    manager_run(&world->manager);
}

static ino_t socket_of(int fd)
{
    struct stat status;

    ck_assert_int_eq(fstat(fd, &status), 0);
    return status.st_ino;
}

/* As host/adopt.c: the first descriptor of each session is its connection. */
static void on_found(void *userdata, const VaultFound *found)
{
    World *world = userdata;
    uint32_t session = (uint32_t) found->serial - 1;

    if (found->fd < 0)
        return;
    ck_assert_uint_lt(session, PEOPLE);
    ck_assert_uint_eq(socket_of(found->fd), socket_of(world->client[1]));
    ck_assert_int_eq(fcntl(found->fd, F_GETFD), FD_CLOEXEC);
    (void) close(found->fd);
    if (world->n_found[session]++ == 0)
        vault_assign(&world->vault, &found->place, session, world->client[1]);
}

/* The process dies, and the next one takes over. */
static void die(World *world, bool is_reversed)
{
    Inherited inherited;

    manager_run(&world->manager);
    vault_done(&world->vault);
    ck_assert_int_eq(vault_init(&world->vault, &world->notify, &world->log, &world->header), 0);
    memset(world->n_found, 0, sizeof world->n_found);
    manager_give(&world->manager, is_reversed, &inherited);
    ck_assert_int_eq(vault_adopt(&world->vault, &inherited, on_found, world), 0);
    for (unsigned i = 0; i < inherited.n_stored; i++)
        if (strncmp(inherited.stored[i].name, INHERIT_VAULT, strlen(INHERIT_VAULT)) == 0)
            ck_assert_int_eq(inherited.stored[i].fd, -1);
    inherit_done(&inherited);
}

static void check_found(const World *world, uint32_t first, uint32_t end, unsigned n)
{
    for (uint32_t i = first; i < end; i++)
        ck_assert_msg(world->n_found[i] == n, "session %u was found %u times", i, world->n_found[i]);
}

/* Nobody to keep it: everything goes on without. */
START_TEST(test_no_manager)
{
    World *world = world_new(false);
    VaultPlace place = {.entry = 7};

    vault_put(&world->vault, world->client[1], 1, &place);
    ck_assert_ptr_null(place.pair);
    vault_assign(&world->vault, &place, 0, world->client[1]);
    vault_forget(&world->vault, 0, NOW);
    vault_tidy(&world->vault, NOW + 100 * VAULT_SWEEP_USEC);
    vault_clear(&world->vault);
    ck_assert_uint_eq(world->vault.n_pairs + world->n_logged, 0);
    world_free(world);
}
END_TEST

/* A manager that is gone: said once. */
START_TEST(test_deaf_manager)
{
    World *world = world_new(true);
    VaultPlace place;

    world->manager.fd = fd_close(world->manager.fd);
    for (unsigned i = 0; i < 10; i++) {
        vault_put(&world->vault, world->client[1], 1 + i, &place);
        ck_assert_ptr_null(place.pair);
    }
    ck_assert_uint_eq(world->n_logged, 1);
    ck_assert_uint_eq(world->vault.n_pairs, 0);
    world_free(world);
}
END_TEST

/* A pair is stored before anybody is in it, and holds 256. */
START_TEST(test_pairs)
{
    World *world = world_new(true);
    VaultPlace place;

    ck_assert_uint_eq(world->manager.n_messages, 0);
    come(world, 0);
    ck_assert_str_eq(world->manager.last, "FDSTORE=1\nFDPOLL=0\nFDNAME=vault-1");
    ck_assert_uint_eq(world->manager.n_stored, 2);
    ck_assert_uint_ne(socket_of(world->manager.stored[0].fd), socket_of(world->manager.stored[1].fd));
    for (uint32_t i = 1; i < VAULT_PAIR_CLIENTS; i++)
        come(world, i);
    ck_assert_uint_eq(world->manager.n_messages, 1);
    come(world, VAULT_PAIR_CLIENTS);
    ck_assert_uint_eq(world->manager.n_messages, 2);
    ck_assert_str_eq(world->manager.last, "FDSTORE=1\nFDPOLL=0\nFDNAME=vault-2");
    vault_put(&world->vault, world->client[1], 1000, &place);
    ck_assert_uint_eq(place.pair->id, 2);
    ck_assert_uint_eq(place.entry, 1);
    ck_assert_uint_eq(world->header.next_vault, 3);
    vault_clear(&world->vault);
    manager_run(&world->manager);
    ck_assert_uint_eq(world->manager.n_stored, 0);
    world_free(world);
}
END_TEST

static void check_adopted(uint32_t n, bool is_reversed)
{
    World *world = world_new(true);

    for (uint32_t i = 0; i < n; i++)
        come(world, i);
    /* Looking at the queue leaves it as it is. */
    for (unsigned round = 0; round < 4; round++) {
        die(world, round % 2 ? !is_reversed : is_reversed);
        check_found(world, 0, n, 1);
        check_found(world, n, PEOPLE, 0);
        ck_assert_uint_eq(world->vault.n_pairs, (n + VAULT_PAIR_CLIENTS - 1) / VAULT_PAIR_CLIENTS);
        if (n + round + 1 <= PEOPLE)
            come(world, n++);
    }
    world_free(world);
}

/* Whichever end comes first, and whoever looked before. */
START_TEST(test_adopted)
{
    static const uint32_t NUMBERS[] = {1, 2, 255, 256, 257, 511, 512, 513, 580};

    for (size_t i = 0; i < N_ELEMENTS(NUMBERS); i++) {
        check_adopted(NUMBERS[i], false);
        check_adopted(NUMBERS[i], true);
    }
}
END_TEST

/* The same order every time, as systemd gives them. */
START_TEST(test_adopted_again)
{
    for (unsigned is_reversed = 0; is_reversed < 2; is_reversed++) {
        World *world = world_new(true);

        for (uint32_t i = 0; i < 10; i++)
            come(world, i);
        for (unsigned round = 0; round < 5; round++) {
            die(world, is_reversed);
            check_found(world, 0, 10, 1);
        }
        world_free(world);
    }
}
END_TEST

/* As long as there is a copy in the vault the connection is there. */
START_TEST(test_stays_open)
{
    World *world = world_new(true);
    char byte;

    come(world, 0);
    world->client[1] = fd_close(world->client[1]);
    vault_done(&world->vault);
    ck_assert_int_eq(recv(world->client[0], &byte, 1, 0), -1);
    ck_assert_int_eq(errno, EAGAIN);
    manager_remove(&world->manager, "vault-1");
    ck_assert_int_eq(recv(world->client[0], &byte, 1, 0), 0);
    world_free(world);
}
END_TEST

/* Who has gone is swept up after a while: those who are there are in another pair before that one is given
 * up. */
START_TEST(test_sweep)
{
    World *world = world_new(true);
    uint32_t dead;

    for (uint32_t i = 0; i < 10; i++)
        come(world, i);
    ck_assert_uint_eq(world->vault.next_sweep, UINT64_MAX);
    tidy(world, NOW);
    vault_forget(&world->vault, 3, NOW);
    vault_forget(&world->vault, 5, NOW + 5);
    ck_assert_uint_eq(world->vault.next_sweep, NOW + VAULT_SWEEP_USEC);
    tidy(world, NOW + VAULT_SWEEP_USEC - 1);
    ck_assert_uint_eq(world->manager.n_messages, 1);
    tidy(world, NOW + VAULT_SWEEP_USEC);
    ck_assert_uint_eq(world->manager.n_messages, 3);
    ck_assert_str_eq(world->manager.last, "FDSTOREREMOVE=1\nFDNAME=vault-1");
    ck_assert_uint_eq(world->manager.n_stored, 2);
    ck_assert_uint_eq(manager_count(&world->manager, "vault-2"), 2);
    ck_assert_uint_eq(world->vault.next_sweep, UINT64_MAX);
    die(world, false);
    for (uint32_t i = 0; i < 10; i++)
        ck_assert_uint_eq(world->n_found[i], i != 3 && i != 5);

    /* After the last one nothing is left. */
    for (dead = 0; dead < 10; dead++)
        vault_forget(&world->vault, dead, NOW);
    tidy(world, NOW + VAULT_SWEEP_USEC);
    tidy(world, NOW + 2 * VAULT_SWEEP_USEC);
    ck_assert_uint_eq(world->manager.n_stored, 0);
    ck_assert_uint_eq(world->vault.n_pairs, 0);
    ck_assert_uint_eq(world->vault.next_sweep, UINT64_MAX);
    world_free(world);
}
END_TEST

/* A full pair does not wait for the sweep once half of it is dead. */
START_TEST(test_half_dead)
{
    World *world = world_new(true);

    for (uint32_t i = 0; i < VAULT_PAIR_CLIENTS; i++)
        come(world, i);
    for (uint32_t i = 0; i < VAULT_PAIR_CLIENTS / 2 - 1; i++)
        vault_forget(&world->vault, i, NOW);
    tidy(world, NOW + 1);
    ck_assert_uint_eq(world->manager.n_messages, 1);
    vault_forget(&world->vault, VAULT_PAIR_CLIENTS - 1, NOW);
    tidy(world, NOW + 1);
    ck_assert_uint_eq(manager_count(&world->manager, "vault-1"), 0);
    ck_assert_uint_eq(manager_count(&world->manager, "vault-2"), 2);
    die(world, true);
    check_found(world, 0, VAULT_PAIR_CLIENTS / 2 - 1, 0);
    check_found(world, VAULT_PAIR_CLIENTS / 2 - 1, VAULT_PAIR_CLIENTS - 1, 1);
    world_free(world);
}
END_TEST

/* Who died while it moved people leaves some of them twice: the second copy is dead and is swept up. */
START_TEST(test_twice)
{
    World *world = world_new(true);
    VaultPlace place;

    for (uint32_t i = 0; i < VAULT_PAIR_CLIENTS; i++)
        come(world, i);
    for (uint32_t i = 10; i < 20; i++)
        vault_put(&world->vault, world->client[1], i + 1, &place);
    die(world, false);
    check_found(world, 0, 10, 1);
    check_found(world, 10, 20, 2);
    check_found(world, 20, VAULT_PAIR_CLIENTS, 1);
    for (unsigned i = 0; i < 5; i++)
        tidy(world, NOW + i * VAULT_SWEEP_USEC);
    die(world, true);
    check_found(world, 0, VAULT_PAIR_CLIENTS, 1);
    ck_assert_uint_eq(world->vault.n_pairs, 1);
    world_free(world);
}
END_TEST

/* Somebody who was put into the vault, and whose session was never opened. */
START_TEST(test_newcomer)
{
    World *world = world_new(true);
    VaultPlace place;

    come(world, 0);
    vault_put(&world->vault, world->client[1], 42, &place);
    die(world, false);
    ck_assert_uint_eq(world->n_found[41], 1);
    /* Its place is as good as any. */
    vault_forget(&world->vault, 41, NOW);
    tidy(world, NOW + VAULT_SWEEP_USEC);
    die(world, false);
    ck_assert_uint_eq(world->n_found[0], 1);
    ck_assert_uint_eq(world->n_found[41], 0);
    world_free(world);
}
END_TEST

/* Things in the store that no vault has put there */

static void store_pair(World *world, const char *name, const int fds[2], bool has_first, bool has_second)
{
    if (has_first)
        manager_add(&world->manager, name, dup(fds[0]));
    if (has_second)
        manager_add(&world->manager, name, dup(fds[1]));
}

START_TEST(test_empty)
{
    World *world = world_new(true);
    int fds[2];

    come(world, 0);
    open_local(fds);
    store_pair(world, "vault-5", fds, true, true);
    close_pair(fds);
    die(world, false);
    die(world, true);
    check_found(world, 0, 1, 1);
    check_found(world, 1, PEOPLE, 0);
    /* It is used, or given up. */
    come(world, 1);
    ck_assert_uint_ge(world->header.next_vault, 6);
    vault_clear(&world->vault);
    manager_run(&world->manager);
    ck_assert_uint_eq(world->manager.n_stored, 0);
    world_free(world);
}
END_TEST

/* One end was stored, and there was no room for the other. */
START_TEST(test_lone_end)
{
    for (unsigned which = 0; which < 2; which++) {
        World *world = world_new(true);
        VaultPlace place;
        int fds[2];

        come(world, 0);
        open_local(fds);
        store_pair(world, "vault-2", fds, which == 0, which == 1);
        close_pair(fds);
        world->header.next_vault = 3;
        die(world, false);
        check_found(world, 0, 1, 1);
        /* Nobody is put where nobody would be found. */
        vault_put(&world->vault, world->client[1], 2, &place);
        if (place.pair != NULL)
            vault_assign(&world->vault, &place, 1, world->client[1]);
        die(world, true);
        check_found(world, 0, 2, 1);
        world_free(world);
    }
}
END_TEST

/* An end with its queue, and without the other. */
START_TEST(test_lone_queue)
{
    World *world = world_new(true);
    unsigned n = 0;

    for (uint32_t i = 0; i < 5; i++)
        come(world, i);
    vault_done(&world->vault);
    ck_assert_int_eq(vault_init(&world->vault, &world->notify, &world->log, &world->header), 0);
    /* The one with nothing in it. */
    for (unsigned i = 0; i < 2; i++) {
        if (n == 0 && queue_of(world->manager.stored[i].fd, FIONREAD) == 0) {
            (void) close(world->manager.stored[i].fd);
            world->manager.stored[i] = world->manager.stored[1];
            n++;
        }
    }
    ck_assert_uint_eq(n, 1);
    world->manager.n_stored = 1;
    die(world, false);
    check_found(world, 0, 5, 1);
    come(world, 5);
    die(world, false);
    check_found(world, 0, 6, 1);
    world_free(world);
}
END_TEST

static void send_garbage(int fd, const char *bytes, size_t n, const int *fds, size_t n_fds)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(4 * sizeof(int))];
    } control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec iov = {.iov_base = (void *) (uintptr_t) bytes, .iov_len = n};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

    if (n_fds > 0) {
        control.header.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
    }
    ck_assert_int_eq(sendmsg(fd, &message, 0), (ssize_t) n);
}

/* The next process goes on with everybody else, and no descriptor is lost. */
START_TEST(test_garbage)
{
    for (unsigned kind = 0; kind < 6; kind++) {
        World *world = world_new(true);
        int fds[2], other[2], n_before, n_after;

        open_local(fds);
        open_local(other);
        if (kind == 0)
            send_garbage(fds[0], "abc", 3, NULL, 0);
        else if (kind == 1)
            send_garbage(fds[0], "\2\0\0\0\0\0\0\0", 8, NULL, 0);
        else if (kind == 2)
            send_garbage(fds[0], "\3\0\0\0\0\0\0\0", 8, other, 2);
        else if (kind == 3)
            send_garbage(fds[0], "\4", 1, other, 1);
        else if (kind == 4)
            send_garbage(fds[0], "\xff\xff\xff\xff\xff\xff\xff\xff", 8, NULL, 0);
        store_pair(world, "vault-7", fds, true, true);
        if (kind == 5) {
            manager_add(&world->manager, "vault-", dup(fds[0]));
            manager_add(&world->manager, "vault-x", dup(fds[0]));
            manager_add(&world->manager, "vault-99999999999999999999", dup(fds[0]));
        }
        close_pair(fds);
        close_pair(other);
        for (uint32_t i = 0; i < 3; i++)
            come(world, i);
        die(world, false);
        n_before = dup(0);
        for (unsigned i = 0; i < 4; i++) {
            die(world, i % 2);
            check_found(world, 0, 3, 1);
        }
        n_after = dup(0);
        ck_assert_int_eq(n_before, n_after - 1);
        (void) close(n_before);
        (void) close(n_after);
        world_free(world);
    }
}
END_TEST

/* Without descriptors for them people are found all the same, and can be told apart from those who can be
 * served. */
static unsigned n_without;

static void on_found_without(void *userdata, const VaultFound *found)
{
    n_without += found->fd < 0;
    if (found->fd >= 0)
        on_found(userdata, found);
}

START_TEST(test_no_descriptors)
{
    World *world = world_new(true);
    struct rlimit limit, none;
    Inherited inherited;

    if (harness_is_slow()) {
        world_free(world);
        return; /* valgrind has descriptors of its own */
    }
    for (uint32_t i = 0; i < 5; i++)
        come(world, i);
    vault_done(&world->vault);
    ck_assert_int_eq(vault_init(&world->vault, &world->notify, &world->log, &world->header), 0);
    manager_give(&world->manager, false, &inherited);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    n_without = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_int_eq(vault_adopt(&world->vault, &inherited, on_found_without, world), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_eq(n_without, 5);
    inherit_done(&inherited);
    die(world, false);
    check_found(world, 0, 5, 1);
    world_free(world);
}
END_TEST

/* Against a table of who is there. */
START_TEST(test_random)
{
    World *world = world_new(true);
    bool is_here[PEOPLE] = {false};
    uint64_t seed = 17, now = NOW;
    unsigned n_deaths = 0;

    for (unsigned i = 0; i < (harness_is_slow() ? 300 : 20000); i++) {
        uint32_t session = random_below(&seed, PEOPLE);

        if (is_here[session])
            vault_forget(&world->vault, session, now);
        else
            come(world, session);
        is_here[session] = !is_here[session];
        now += random_below(&seed, 1000 * 1000);
        if (random_below(&seed, 3) == 0)
            tidy(world, now);
        if (random_below(&seed, 200) == 0) {
            die(world, random_below(&seed, 2));
            n_deaths++;
            /* The dead are found too, until they are swept up; in the state nobody has their serials. */
            for (uint32_t j = 0; j < PEOPLE; j++)
                if (is_here[j])
                    ck_assert_uint_ge(world->n_found[j], 1);
                else if (world->n_found[j] > 0)
                    vault_forget(&world->vault, j, now);
        }
        ck_assert_uint_lt(world->manager.n_stored, 20);
    }
    ck_assert_uint_gt(n_deaths, 0);
    world_free(world);
}
END_TEST

UNIT_MAIN("vault", test_no_manager, test_deaf_manager, test_pairs, test_adopted, test_adopted_again,
          test_stays_open, test_sweep, test_half_dead, test_twice, test_newcomer, test_empty, test_lone_end,
          test_lone_queue, test_garbage, test_no_descriptors, test_random)
