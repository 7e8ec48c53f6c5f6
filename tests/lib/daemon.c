/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/client.h"
#include "lib/daemon.h"
#include "lib/proc.h"
#include "lib/spawn.h"

enum {
    SHOWN_MAX = 2500, /* bytes of stderr in a failure */
};

static void end_of_log(Daemon *daemon, Buffer *to)
{
    size_t n = MIN(daemon->err.n, (size_t) SHOWN_MAX);

    buffer_add_escaped(to, buffer_text(&daemon->err) + daemon->err.n - n, n);
}

void daemon_fail(Daemon *daemon, const char *format, ...)
{
    Buffer text = {0};
    char *reason = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&reason, format, args) < 0)
        reason = NULL;
    va_end(args);
    if (*suite_get_note() != '\0') {
        buffer_add_text(&text, "[");
        buffer_add_text(&text, suite_get_note());
        buffer_add_text(&text, "] ");
    }
    buffer_add_text(&text, reason != NULL ? reason : "out of memory");
    buffer_add_text(&text, "\n--- stderr of the daemon:\n");
    end_of_log(daemon, &text);
    ck_abort_msg("%s", buffer_text(&text));
    abort(); /* not reached: ck_abort_msg() ends the test, but is not declared so */
}

/* Reads what is there; closes the descriptor at its end. */
static void drain(int *fd, Buffer *to)
{
    while (*fd >= 0) {
        int r = buffer_read(to, *fd);

        if (r > 0)
            continue;
        if (r == -EAGAIN || r == -EINTR)
            return;
        (void) close(*fd);
        *fd = -1;
    }
}

bool daemon_turn(Daemon *daemon, int fd, short events, uint64_t deadline)
{
    struct pollfd fds[] = {
        {.fd = fd, .events = events},
        {.fd = daemon->err_is_stuck ? -1 : daemon->err_fd, .events = POLLIN},
        {.fd = daemon->out_fd, .events = POLLIN},
        {.fd = daemon->notify.fd, .events = POLLIN},
        {.fd = daemon->pid_fd, .events = POLLIN},
    };
    int left = deadline_left_msec(deadline);

    if (poll(fds, N_ELEMENTS(fds), left) < 0)
        ck_assert_msg(errno == EINTR, "poll: %s", strerror(errno));
    if (!daemon->err_is_stuck)
        drain(&daemon->err_fd, &daemon->err);
    drain(&daemon->out_fd, &daemon->out);
    if (daemon->notify.fd >= 0)
        notify_receive(&daemon->notify);
    if (daemon->pid_fd >= 0 && fds[4].revents != 0) {
        ck_assert_int_eq(waitpid(daemon->pid, &daemon->exit_status, 0), daemon->pid);
        (void) close(daemon->pid_fd);
        daemon->pid_fd = -1;
        daemon->pid = 0;
    }
    return left > 0;
}

void daemon_write_file(Daemon *daemon, const char *name, const char *text)
{
    char path[512];
    const char *slash = strrchr(name, '/');
    FILE *file;

    if (slash != NULL) {
        (void) snprintf(path, sizeof(path), "%s/%.*s", daemon->directory, (int) (slash - name), name);
        ck_assert_msg(mkdir(path, 0700) == 0 || errno == EEXIST, "mkdir %s: %s", path, strerror(errno));
    }
    (void) snprintf(path, sizeof(path), "%s/%s", daemon->directory, name);
    file = fopen(path, "we");
    ck_assert_msg(file != NULL, "open %s: %s", path, strerror(errno));
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void close_output(Daemon *daemon)
{
    if (daemon->err_fd >= 0)
        (void) close(daemon->err_fd);
    if (daemon->out_fd >= 0)
        (void) close(daemon->out_fd);
    daemon->err_fd = daemon->out_fd = -1;
    daemon->err_is_stuck = false;
    buffer_done(&daemon->err);
    buffer_done(&daemon->out);
}

static void daemon_spawn(Daemon *daemon)
{
    close_output(daemon);
    daemon->n_err_seen = 0;
    daemon->exit_status = 0;
    spawn_daemon(daemon);
    daemon->pid_fd = (int) syscall(SYS_pidfd_open, daemon->pid, 0);
    ck_assert_msg(daemon->pid_fd >= 0, "pidfd_open: %s", strerror(errno));
    if (!daemon->options.may_end && !daemon->options.no_notify && !daemon->options.inetd)
        (void) daemon_expect_notify(daemon, "READY=1");
}

Daemon *daemon_start_with(const DaemonOptions *options)
{
    Daemon *daemon = calloc(1, sizeof(*daemon));

    ck_assert(daemon != NULL);
    *daemon = (Daemon){.options = *options, .pid_fd = -1, .out_fd = -1, .err_fd = -1, .notify = {.fd = -1}};
    (void) snprintf(daemon->directory, sizeof(daemon->directory), "%s/XXXXXX", suite_directory());
    ck_assert_msg(mkdtemp(daemon->directory) != NULL, "mkdtemp: %s", strerror(errno));
    (void) snprintf(daemon->config_path, sizeof(daemon->config_path), "%s/chatd.conf", daemon->directory);
    daemon_write_file(daemon, "chatd.conf", options->config != NULL ? options->config : DAEMON_CONFIG);
    if (daemon->options.listeners[0].kind == LISTENER_NONE)
        daemon->options.listeners[0].kind = LISTENER_TCP4;
    if (!options->no_notify && !options->inetd)
        notify_init(&daemon->notify, daemon->directory);
    while (!options->no_listeners && daemon->n_listeners < DAEMON_LISTENERS_MAX &&
           daemon->options.listeners[daemon->n_listeners].kind != LISTENER_NONE) {
        size_t i = daemon->n_listeners++;

        listener_init(&daemon->listeners[i], &daemon->options.listeners[i], daemon->directory, i);
    }
    daemon_spawn(daemon);
    return daemon;
}

void daemon_start_again(Daemon *daemon)
{
    ck_assert_msg(daemon->pid == 0, "it has not ended yet");
    daemon_spawn(daemon);
}

void daemon_signal(Daemon *daemon, int signal)
{
    if (daemon->pid == 0)
        daemon_fail(daemon, "the daemon has ended already (wait status 0x%x)",
                    (unsigned) daemon->exit_status);
    ck_assert_int_eq(kill(daemon->pid, signal), 0);
}

void daemon_ask_to_stop(Daemon *daemon)
{
    /* What it did before is looked at first: a daemon that died of its own is not one that was stopped. */
    (void) daemon_turn(daemon, -1, 0, now_usec());
    daemon_signal(daemon, SIGTERM);
}

static void check_for_sanitizers(Daemon *daemon)
{
    static const char *const complaints[] = {
        "ERROR: AddressSanitizer",  "ERROR: LeakSanitizer", "runtime error:",
        "WARNING: ThreadSanitizer", "Assertion `",
    };

    for (size_t i = 0; i < N_ELEMENTS(complaints); i++) {
        const char *found = strstr(buffer_text(&daemon->err), complaints[i]);

        if (found != NULL)
            ck_abort_msg("[%s] the daemon complained:\n%.3000s", suite_get_note(), found);
    }
}

void daemon_expect_exit(Daemon *daemon, int code)
{
    uint64_t deadline = deadline_in(SECONDS_TO_ANSWER);

    while (daemon->pid != 0) {
        if (!daemon_turn(daemon, -1, 0, deadline))
            daemon_fail(daemon, "the daemon did not end in time");
    }
    /* All it wrote is in the pipes by now. */
    (void) daemon_turn(daemon, -1, 0, now_usec());
    check_for_sanitizers(daemon);
    if (WIFSIGNALED(daemon->exit_status))
        daemon_fail(daemon, "the daemon was ended by signal %d", WTERMSIG(daemon->exit_status));
    if (WEXITSTATUS(daemon->exit_status) != code)
        daemon_fail(daemon, "exit code %d, expected %d", WEXITSTATUS(daemon->exit_status), code);
}

void daemon_free(Daemon *daemon)
{
    while (daemon->clients != NULL)
        client_close(daemon->clients);
    for (size_t i = 0; i < daemon->n_listeners; i++)
        listener_done(&daemon->listeners[i]);
    if (daemon->notify.fd >= 0)
        notify_done(&daemon->notify);
    close_output(daemon);
    free(daemon);
}

void daemon_stop(Daemon *daemon)
{
    daemon_ask_to_stop(daemon);
    daemon_expect_exit(daemon, 0);
    daemon_free(daemon);
}

void daemon_expect_running_for(Daemon *daemon, double seconds)
{
    uint64_t deadline = deadline_exactly_in(seconds);

    while (daemon_turn(daemon, -1, 0, deadline)) {
        if (daemon->pid == 0)
            daemon_fail(daemon, "the daemon ended (wait status 0x%x)", (unsigned) daemon->exit_status);
    }
}

void daemon_reload(Daemon *daemon)
{
    NotifyMessage *message;
    uint64_t before = now_usec(), begun;
    char text[32];

    daemon_signal(daemon, SIGHUP);
    message = daemon_expect_notify(daemon, "RELOADING=1");
    if (!notify_message_get(message, "MONOTONIC_USEC", text, sizeof(text)))
        daemon_fail(daemon, "RELOADING=1 came without MONOTONIC_USEC=");
    begun = strtoull(text, NULL, 10);
    if (begun < before || begun > message->usec)
        daemon_fail(daemon, "MONOTONIC_USEC=%s is not the time of the reload", text);
    (void) daemon_expect_notify(daemon, "READY=1");
}

NotifyMessage *daemon_expect_notify(Daemon *daemon, const char *pattern)
{
    uint64_t deadline = deadline_in(SECONDS_TO_ANSWER);
    NotifyMessage *message;

    while ((message = notify_find(&daemon->notify, pattern)) == NULL) {
        bool has_ended = daemon->pid == 0;

        if (!daemon_turn(daemon, -1, 0, has_ended ? now_usec() : deadline)) {
            message = notify_find(&daemon->notify, pattern);
            if (message != NULL)
                return message;
            daemon_fail(daemon, "no notification like %s; %s (wait status 0x%x)", pattern,
                        has_ended ? "the daemon has ended" : "the daemon runs",
                        (unsigned) daemon->exit_status);
        }
    }
    return message;
}

void daemon_expect_log(Daemon *daemon, const char *text)
{
    uint64_t deadline = deadline_in(SECONDS_TO_ANSWER);
    const char *found;

    while ((found = strcasestr(buffer_text(&daemon->err) + daemon->n_err_seen, text)) == NULL) {
        if (!daemon_turn(daemon, -1, 0, daemon->err_fd < 0 ? now_usec() : deadline))
            daemon_fail(daemon, "stderr does not say \"%s\"", text);
    }
    daemon->n_err_seen = (size_t) (found - buffer_text(&daemon->err)) + strlen(text);
}

void daemon_block_log(Daemon *daemon)
{
    char path[64];
    int fd;

    (void) daemon_turn(daemon, -1, 0, now_usec());
    daemon->err_is_stuck = true;
    (void) snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int) daemon->pid, STDERR_FILENO);
    fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    ck_assert_msg(fd >= 0, "open %s: %s", path, strerror(errno));
    while (write(fd, "\n", 1) > 0)
        continue;
    ck_assert_msg(errno == EAGAIN, "write: %s", strerror(errno));
    (void) close(fd);
}

void daemon_close_log(Daemon *daemon)
{
    (void) daemon_turn(daemon, -1, 0, now_usec());
    (void) close(daemon->err_fd);
    daemon->err_fd = -1;
}

size_t daemon_count_log(Daemon *daemon, const char *text)
{
    const char *at;
    size_t n = 0;

    (void) daemon_turn(daemon, -1, 0, now_usec());
    at = buffer_text(&daemon->err);
    while ((at = strcasestr(at, text)) != NULL) {
        at += strlen(text);
        n++;
    }
    return n;
}

void daemon_expect_n_fds(Daemon *daemon, Client *witness, size_t n)
{
    uint64_t deadline = deadline_in(SECONDS_TO_ANSWER);

    /* The witness gives the daemon a turn, and this loop its pace. */
    while (proc_n_fds(daemon->pid) != n) {
        if (now_usec() > deadline)
            daemon_fail(daemon, "the daemon has %zu descriptors, not %zu", proc_n_fds(daemon->pid), n);
        client_sync(witness);
    }
}
