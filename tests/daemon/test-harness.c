/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The tools of these tests themselves: patterns, and the service manager's end of the notifications. */

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
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

/* Sends a notification with a descriptor, as sd_pid_notify_with_fds(3) does. */
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
        .msg_control = &control,
        .msg_controllen = sizeof(control),
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

SUITE_MAIN("harness", {matching, 0}, {descriptors_stay_with_their_message, 0}, {barriers_are_let_down, 0})
