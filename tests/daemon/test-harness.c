/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The tools of these tests themselves: patterns, and the service manager's end of the notifications. */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/client.h"
#include "lib/match.h"

static const struct {
    const char *pattern;
    const char *line;
    bool matches;
} patterns[] = {
    {"hello", "hello!", false},
    {"hello", "hell", false},
    {"[{time}] <alice> x", "[1:23] <alice> x", false},
    {"[{time}] <alice> x", "[12:3x] <alice> x", false},
    {"{n} lines", " lines", false},
    {"{n} lines", "12x lines", false},
    {"<{word}> x", "<> x", false},
    {"<{word}> x", "<a b> x", false},
    {"", "x", false},
    {"hello", "hello", true},
    {"", "", true},
    {"[{time}] <alice> x", "[12:03] <alice> x", true},
    {"{n} lines", "120 lines", true},
    {"<{word}> x", "<guest1> x", true},
    {"{any}", "", true},
    {"a{any}b{any}c", "a b b b c c", true},
    {"a{any}", "a", true},
};

START_TEST(matching)
{
    for (size_t i = 0; i < N_ELEMENTS(patterns); i++)
        ck_assert_msg(match_line(patterns[i].pattern, patterns[i].line, strlen(patterns[i].line)) ==
                          patterns[i].matches,
                      "row %zu", i);
}
END_TEST

/* Sends a notification with a descriptor (-1: none), as sd_pid_notify_with_fds(3) does. */
static void notify_with_fd(const Notify *notify, const char *text, int fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct iovec iov = {.iov_base = (void *) (uintptr_t) text, .iov_len = strlen(text)};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {
        .msg_name = &address,
        .msg_namelen = sizeof(address),
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = fd >= 0 ? &control : NULL,
        .msg_controllen = fd >= 0 ? sizeof(control) : 0,
    };
    int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path, notify->path, sizeof(notify->path));
    control.header = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    ck_assert_int_eq(sendmsg(sender, &message, 0), (ssize_t) iov.iov_len);
    (void) close(sender);
}

/* All descriptors of the pipe's writing end but this one are closed. */
static bool has_hung_up(int reader)
{
    struct pollfd fd = {.fd = reader, .events = POLLIN};

    return poll(&fd, 1, 0) == 1 && (fd.revents & POLLHUP) != 0;
}

START_TEST(descriptors_stay_with_their_message)
{
    Notify notify;
    NotifyMessage *message;
    char name[16];
    int ends[2], fd;

    notify_init(&notify, suite_directory());
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    notify_with_fd(&notify, "FDSTORE=1\nFDNAME=vault", ends[1]);
    (void) close(ends[1]);
    notify_receive(&notify);
    message = notify_find(&notify, "FDSTORE=1");
    ck_assert(message != NULL);
    ck_assert_uint_eq(message->n_fds, 1);
    ck_assert(notify_message_get(message, "FDNAME", name, sizeof(name)));
    ck_assert_str_eq(name, "vault");
    ck_assert(!notify_message_get(message, "FD", name, sizeof(name)));
    ck_assert(!has_hung_up(ends[0]));
    fd = notify_message_take_fd(message, 0);
    ck_assert(notify_find(&notify, "FDSTORE=1") == NULL);
    notify_done(&notify);
    ck_assert(!has_hung_up(ends[0]));
    (void) close(fd);
    ck_assert(has_hung_up(ends[0]));
    (void) close(ends[0]);
}
END_TEST

START_TEST(barriers_are_let_down)
{
    Notify notify;
    int ends[2];

    notify_init(&notify, suite_directory());
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    notify_with_fd(&notify, "BARRIER=1", ends[1]);
    (void) close(ends[1]);
    ck_assert(!has_hung_up(ends[0]));
    notify_receive(&notify);
    ck_assert(has_hung_up(ends[0]));
    (void) close(ends[0]);
    notify_done(&notify);
}
END_TEST

static const struct {
    const char *text;
    int pipe; /* whose writing end is sent; -1: none */
    size_t n_stored, n_refused;
} storing[] = {
    {"FDNAME=a", 0, 0, 0},
    {"FDSTORE=1\nFDNAME=a\nFDPOLL=0", 0, 1, 0},
    {"FDSTORE=1\nFDNAME=b\nFDPOLL=0", 1, 2, 0},
    {"FDSTORE=1\nFDNAME=b", 2, 2, 1},
    {"FDSTOREREMOVE=1\nFDNAME=c", -1, 2, 1},
    {"FDSTOREREMOVE=1\nFDNAME=a", -1, 1, 1},
    {"FDSTORE=1\nFDNAME=c", 1, 1, 1}, /* it is there */
    {"FDSTORE=1\nFDNAME=b", 2, 2, 1},
    {"FDSTOREREMOVE=1\nFDNAME=b", -1, 0, 1},
};

/* Each descriptor is there once at most, and what the store does not keep is closed. */
START_TEST(store_keeps_what_it_is_asked_to)
{
    int pipes[3][2];
    Notify notify;
    Store store;

    notify_init(&notify, suite_directory());
    store_init(&store, 2);
    for (size_t i = 0; i < N_ELEMENTS(pipes); i++)
        ck_assert_int_eq(pipe2(pipes[i], O_CLOEXEC), 0);
    for (size_t i = 0; i < N_ELEMENTS(storing); i++) {
        suite_note("row %zu", i);
        notify_with_fd(&notify, storing[i].text, storing[i].pipe >= 0 ? pipes[storing[i].pipe][1] : -1);
        notify_receive(&notify);
        store_handle(&store, &notify);
        ck_assert_uint_eq(store.n, storing[i].n_stored);
        ck_assert_uint_eq(store.n_refused, storing[i].n_refused);
    }
    (void) close(notify_message_take_fd(&notify.messages[0], 0)); /* nobody asked to store it */
    for (size_t i = 0; i < N_ELEMENTS(pipes); i++) {
        (void) close(pipes[i][1]);
        ck_assert(has_hung_up(pipes[i][0]));
        (void) close(pipes[i][0]);
    }
    store_done(&store);
    notify_done(&notify);
}
END_TEST

/* Without FDPOLL=0 one whose other end is closed is dropped. */
START_TEST(store_drops_what_has_hung_up)
{
    int pairs[2][2];
    Notify notify;
    Store store;

    notify_init(&notify, suite_directory());
    store_init(&store, 8);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs[i]), 0);
        notify_with_fd(&notify, i == 0 ? "FDSTORE=1\nFDNAME=a" : "FDSTORE=1\nFDNAME=b\nFDPOLL=0",
                       pairs[i][0]);
        (void) close(pairs[i][0]);
    }
    notify_receive(&notify);
    store_handle(&store, &notify);
    ck_assert_uint_eq(store.n, 2);
    for (size_t i = 0; i < 2; i++)
        (void) close(pairs[i][1]);
    store_handle(&store, &notify);
    ck_assert_uint_eq(store.n, 1);
    ck_assert_str_eq(store.items[0].name, "b");
    store_done(&store);
    notify_done(&notify);
}
END_TEST

START_TEST(store_promises_no_order)
{
    enum { N_STORED = 5 };
    int fds[2], first[N_STORED];
    Notify notify;
    Store store;

    notify_init(&notify, suite_directory());
    store_init(&store, N_STORED);
    for (int i = 0; i < N_STORED; i++) {
        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        notify_with_fd(&notify, "FDSTORE=1\nFDNAME=a\nFDPOLL=0", fds[0]);
        (void) close(fds[0]);
        (void) close(fds[1]);
    }
    notify_receive(&notify);
    store_handle(&store, &notify);
    for (size_t seed = 0; seed < 20; seed++) {
        for (size_t i = 0; i < N_STORED; i++)
            first[i] = store.items[i].fd;
        store_shuffle(&store, seed);
        ck_assert_int_ne(store.items[0].fd, first[0]);
    }
    ck_assert_uint_eq(store_count(&store, "a"), N_STORED);
    ck_assert_uint_eq(store_count(&store, "a{any}b"), 0);
    store_done(&store);
    notify_done(&notify);
}
END_TEST

/* Whoever dies is started again, and the harness counts. */
START_TEST(the_daemon_is_started_again_by_itself)
{
    Daemon *daemon = daemon_start(.restarts = 3);

    for (size_t i = 1; i <= 3; i++) {
        client_expect_greeting(client_open(daemon, .listener = 0));
        daemon_expect_sleep(daemon);
        daemon_signal(daemon, SIGKILL);
        client_expect_greeting(client_open(daemon, .listener = 0));
        daemon_expect_sleep(daemon);
        ck_assert_uint_eq(daemon->n_ends, i);
        ck_assert_uint_eq(daemon->n_runs, i + 1);
        ck_assert_int_eq(WTERMSIG(daemon->ends[i - 1].status), SIGKILL);
        ck_assert(daemon->ends[i - 1].was_ready);
    }
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("harness", {matching, 0}, {descriptors_stay_with_their_message, 0}, {barriers_are_let_down, 0},
           {store_keeps_what_it_is_asked_to, 0}, {store_drops_what_has_hung_up, 0},
           {store_promises_no_order, 0}, {the_daemon_is_started_again_by_itself, 0})
