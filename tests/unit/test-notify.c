/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/notify.h"
#include "unit/harness.h"
#include "unit/manager.h"
#include "unit/unit.h"

enum { NOW = 1000 * 1000 * 1000 };

static int manager = -1;

/* A service manager's end: a socket in the abstract namespace (unix(7)), which needs no file. */
static void open_manager(const char *watchdog_usec)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    int n = snprintf(name, sizeof name, "@chatd-test-notify-%d", (int) getpid());

    memcpy(address.sun_path + 1, name + 1, (size_t) n - 1);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(manager, 0);
    ck_assert_int_eq(bind(manager, (struct sockaddr *) &address,
                          (socklen_t) (offsetof(struct sockaddr_un, sun_path) + (size_t) n)),
                     0);
    (void) setenv("NOTIFY_SOCKET", name, 1);
    (void) unsetenv("WATCHDOG_PID");
    if (watchdog_usec != NULL)
        (void) setenv("WATCHDOG_USEC", watchdog_usec, 1);
    else
        (void) unsetenv("WATCHDOG_USEC");
}

static void close_manager(void)
{
    (void) close(manager);
    (void) unsetenv("NOTIFY_SOCKET");
}

/* The next message; "" if there is none. */
static const char *take(void)
{
    static char text[1024];
    ssize_t n = recv(manager, text, sizeof text - 1, 0);

    text[MAX(n, 0)] = '\0';
    return text;
}

START_TEST(test_nobody)
{
    Notify notify;

    (void) unsetenv("NOTIFY_SOCKET");
    notify_init(&notify, NOW);
    ck_assert(!notify.is_enabled);
    notify_ready(&notify, NOW, 1, 1);
    notify_reloading(&notify, NOW);
    notify_stopping(&notify);
    ck_assert_uint_eq(notify_tick(&notify, NOW + 1000 * USEC_PER_SEC, 5, 5), UINT64_MAX);
}
END_TEST

START_TEST(test_states)
{
    Notify notify;

    open_manager(NULL);
    notify_init(&notify, NOW);
    ck_assert_str_eq(take(), "");
    notify_ready(&notify, NOW, 0, 0);
    ck_assert_str_eq(take(), "READY=1\nSTATUS=nobody is here");
    notify_reloading(&notify, UINT64_C(12345678901234));
    ck_assert_str_eq(take(), "RELOADING=1\nMONOTONIC_USEC=12345678901234");
    notify_stopping(&notify);
    ck_assert_mem_eq(take(), "STOPPING=1", 10);
    ck_assert_str_eq(take(), "");
    close_manager();
}
END_TEST

START_TEST(test_status)
{
    static const struct {
        uint32_t n_people, n_rooms;
        const char *text;
    } cases[] = {
        {1, 1, "STATUS=1 person in 1 room"}, {1, 2, "STATUS=1 person in 2 rooms"},
        {2, 1, "STATUS=2 people in 1 room"}, {12, 3, "STATUS=12 people in 3 rooms"},
        {0, 0, "STATUS=nobody is here"},     {1000000, 65000, "STATUS=1000000 people in 65000 rooms"},
    };
    uint64_t now = NOW;
    Notify notify;

    open_manager(NULL);
    notify_init(&notify, now);
    notify_ready(&notify, now, 0, 0);
    (void) take();
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        now += USEC_PER_SEC;
        ck_assert_uint_eq(notify_tick(&notify, now, cases[i].n_people, cases[i].n_rooms), UINT64_MAX);
        ck_assert_str_eq(take(), cases[i].text);
        ck_assert_str_eq(take(), "");
    }
    close_manager();
}
END_TEST

/* When it changes, but at most once a second, and never when it is as before. */
START_TEST(test_status_rate)
{
    Notify notify;

    open_manager(NULL);
    notify_init(&notify, NOW);
    notify_ready(&notify, NOW, 0, 0);
    (void) take();
    ck_assert_uint_eq(notify_tick(&notify, NOW + 10, 1, 1), NOW + USEC_PER_SEC);
    ck_assert_uint_eq(notify_tick(&notify, NOW + USEC_PER_SEC - 1, 1, 1), NOW + USEC_PER_SEC);
    ck_assert_str_eq(take(), "");
    ck_assert_uint_eq(notify_tick(&notify, NOW + USEC_PER_SEC, 2, 1), UINT64_MAX);
    ck_assert_str_eq(take(), "STATUS=2 people in 1 room");
    /* There and back again within the second: nothing to tell. */
    (void) notify_tick(&notify, NOW + USEC_PER_SEC + 10, 3, 1);
    ck_assert_uint_eq(notify_tick(&notify, NOW + USEC_PER_SEC + 20, 2, 1), UINT64_MAX);
    (void) notify_tick(&notify, NOW + 10 * USEC_PER_SEC, 2, 1);
    ck_assert_str_eq(take(), "");
    close_manager();
}
END_TEST

/* Twice as often as the manager wants to hear. */
START_TEST(test_watchdog)
{
    const uint64_t half = 15 * USEC_PER_SEC;
    uint64_t next, now = NOW;
    Notify notify;

    open_manager("30000000");
    notify_init(&notify, now);
    ck_assert_uint_eq(notify.watchdog_usec, half);
    notify_ready(&notify, now, 0, 0);
    (void) take();
    next = notify_tick(&notify, now + 1, 0, 0);
    ck_assert_uint_eq(next, NOW + half);
    ck_assert_uint_eq(notify_tick(&notify, next - 1, 0, 0), next);
    ck_assert_str_eq(take(), "");
    for (unsigned i = 0; i < 5; i++) {
        now = next;
        next = notify_tick(&notify, now, 0, 0);
        ck_assert_str_eq(take(), "WATCHDOG=1");
        ck_assert_uint_eq(next, now + half);
    }
    /* With both due, both are sent, and what is due first is what is waited for. */
    next = notify_tick(&notify, now + half, 1, 1);
    ck_assert_str_eq(take(), "WATCHDOG=1");
    ck_assert_str_eq(take(), "STATUS=1 person in 1 room");
    ck_assert_uint_eq(notify_tick(&notify, now + half + 1, 2, 1), now + half + USEC_PER_SEC);
    close_manager();
}
END_TEST

/* A watchdog that is meant for another process is not fed. */
START_TEST(test_watchdog_of_another)
{
    Notify notify;

    open_manager("30000000");
    (void) setenv("WATCHDOG_PID", "1", 1);
    notify_init(&notify, NOW);
    ck_assert_uint_eq(notify.watchdog_usec, 0);
    notify_ready(&notify, NOW, 0, 0);
    ck_assert_uint_eq(notify_tick(&notify, NOW + 1000 * USEC_PER_SEC, 0, 0), UINT64_MAX);
    (void) unsetenv("WATCHDOG_PID");
    close_manager();
}
END_TEST

/* What was survived is part of the status. */
START_TEST(test_status_restarts)
{
    Notify notify;

    open_manager(NULL);
    notify_init(&notify, NOW);
    notify.n_restarts = 1;
    notify_ready(&notify, NOW, 0, 0);
    ck_assert_str_eq(take(), "READY=1\nSTATUS=nobody is here, 1 restart survived");
    notify.n_restarts = 2;
    (void) notify_tick(&notify, NOW + USEC_PER_SEC, 12, 3);
    ck_assert_str_eq(take(), "STATUS=12 people in 3 rooms, 2 restarts survived");
    notify.n_restarts = UINT32_MAX;
    (void) notify_tick(&notify, NOW + 2 * USEC_PER_SEC, UINT32_MAX, UINT32_MAX);
    ck_assert_str_eq(take(), "STATUS=4294967295 people in 4294967295 rooms, 4294967295 restarts survived");
    close_manager();
}
END_TEST

/* Descriptors and their name; the manager is not to watch them. */
START_TEST(test_store)
{
    Manager store;
    Notify notify;
    int fds[2];

    ck_assert_int_eq(pipe(fds), 0);
    (void) unsetenv("NOTIFY_SOCKET");
    notify_init(&notify, NOW);
    ck_assert_int_eq(notify_store(&notify, "state-1", fds, 1), NOTIFY_NO_STORE);
    notify_unstore(&notify, "state-1");

    manager_open(&store);
    notify_init(&notify, NOW);
    ck_assert_int_eq(notify_store(&notify, "state-1", fds, 1), 0);
    manager_run(&store);
    ck_assert_str_eq(store.last, "FDSTORE=1\nFDPOLL=0\nFDNAME=state-1");
    ck_assert_uint_eq(store.n_stored, 1);
    ck_assert_int_eq(notify_store(&notify, "vault-18446744073709551615", fds, 2), 0);
    manager_run(&store);
    ck_assert_str_eq(store.last, "FDSTORE=1\nFDPOLL=0\nFDNAME=vault-18446744073709551615");
    ck_assert_uint_eq(manager_count(&store, "vault-18446744073709551615"), 2);
    notify_unstore(&notify, "vault-18446744073709551615");
    manager_run(&store);
    ck_assert_str_eq(store.last, "FDSTOREREMOVE=1\nFDNAME=vault-18446744073709551615");
    ck_assert_uint_eq(store.n_stored, 1);
    /* They are the caller's all the same. */
    ck_assert_int_eq(close(fds[0]) | close(fds[1]), 0);

    /* A manager that is gone. */
    store.fd = fd_close(store.fd);
    ck_assert_int_lt(notify_store(&notify, "state-2", &(int){0}, 1), 0);
    notify_unstore(&notify, "state-2");
    manager_close(&store);
}
END_TEST

UNIT_MAIN("notify", test_nobody, test_states, test_status, test_status_rate, test_watchdog,
          test_watchdog_of_another, test_status_restarts, test_store)
