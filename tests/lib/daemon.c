/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
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
    SHOWN_MAX = 2500,   /* bytes of stderr in a failure */
    FAILURE_MAX = 7500, /* libcheck takes no more than 8192 */
    STORE_MAX = 512,
};

const char *daemon_config_operators(const char *config)
{
    const struct group *group = getgrgid(getegid());
    static char text[1024];
    int n;

    ck_assert_msg(group != NULL, "the group of whoever runs the tests has no name");
    n = snprintf(text, sizeof text, "%s[Chat]\nOperatorGroup=%s\n", config, group->gr_name);
    ck_assert_int_lt(n, (int) sizeof text);
    return text;
}

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
    ck_abort_msg("%.*s", FAILURE_MAX, buffer_text(&text));
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

static void close_output(Daemon *daemon)
{
    if (daemon->err_fd >= 0)
        (void) close(daemon->err_fd);
    if (daemon->out_fd >= 0)
        (void) close(daemon->out_fd);
    daemon->err_fd = daemon->out_fd = -1;
    daemon->err_is_stuck = false;
}

static void spawn(Daemon *daemon)
{
    close_output(daemon);
    daemon->exit_status = 0;
    daemon->is_to_end = false;
    daemon->n_notified_before = daemon->notify.n_messages;
    store_shuffle(&daemon->store, daemon->n_runs);
    spawn_daemon(daemon);
    daemon->n_runs++;
    daemon->pid_fd = (int) syscall(SYS_pidfd_open, daemon->pid, 0);
    ck_assert_msg(daemon->pid_fd >= 0, "pidfd_open: %s", strerror(errno));
}

bool daemon_is_ready(const Daemon *daemon)
{
    for (size_t i = daemon->n_notified_before; i < daemon->notify.n_messages; i++) {
        if (notify_message_match(&daemon->notify.messages[i], "READY=1"))
            return true;
    }
    return false;
}

/* The manager's answer to the end of a run; all that the process had sent was read before. */
static void reap(Daemon *daemon)
{
    unsigned restarts = daemon->options.restarts;
    int status;

    ck_assert_int_eq(waitpid(daemon->pid, &status, 0), daemon->pid);
    (void) close(daemon->pid_fd);
    daemon->pid_fd = -1;
    daemon->pid = 0;
    daemon->exit_status = status;
    if (daemon->n_ends < DAEMON_RUNS_MAX)
        daemon->ends[daemon->n_ends] = (DaemonEnd){.status = status, .was_ready = daemon_is_ready(daemon)};
    daemon->n_ends++;
    if (restarts == 0 || daemon->is_to_end)
        return;
    if (WIFEXITED(status) && WEXITSTATUS(status) != EXIT_LEFT_TO_NEXT)
        daemon_fail(daemon, "the daemon ended by itself with exit code %d", WEXITSTATUS(status));
    if (daemon->n_ends > restarts)
        daemon_fail(daemon, "the daemon has died %zu times, the last time by signal %d", daemon->n_ends,
                    WTERMSIG(status));
    spawn(daemon);
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
    if (daemon->notify.fd >= 0) {
        notify_receive(&daemon->notify);
        store_handle(&daemon->store, &daemon->notify);
    }
    if (daemon->pid_fd >= 0 && fds[4].revents != 0)
        reap(daemon);
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

static void start(Daemon *daemon)
{
    daemon->notify.n_seen = daemon->notify.n_messages;
    spawn(daemon);
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
    (void) snprintf(daemon->runtime_directory, sizeof(daemon->runtime_directory), "%s/run",
                    daemon->directory);
    ck_assert_msg(mkdir(daemon->runtime_directory, 0700) == 0, "mkdir: %s", strerror(errno));
    (void) snprintf(daemon->state_directory, sizeof(daemon->state_directory), "%s/state", daemon->directory);
    if (options->has_archive)
        ck_assert_msg(mkdir(daemon->state_directory, 0700) == 0, "mkdir: %s", strerror(errno));
    if (!options->no_notify && !options->inetd)
        notify_init(&daemon->notify, daemon->directory);
    if (!options->no_store)
        store_init(&daemon->store, options->store_max != 0 ? options->store_max : STORE_MAX);
    while (!options->no_listeners && daemon->n_listeners < DAEMON_LISTENERS_MAX &&
           daemon->options.listeners[daemon->n_listeners].kind != LISTENER_NONE) {
        size_t i = daemon->n_listeners++;

        listener_init(&daemon->listeners[i], &daemon->options.listeners[i], daemon->directory, i);
    }
    start(daemon);
    return daemon;
}

void daemon_start_again(Daemon *daemon)
{
    ck_assert_msg(daemon->pid == 0, "it has not ended yet");
    daemon->n_err_seen = daemon->err.n;
    start(daemon);
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
    daemon->is_to_end = true;
    daemon_signal(daemon, daemon->options.no_notify || daemon->options.inetd ? SIGTERM : SIGINT);
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

static void expect_end(Daemon *daemon)
{
    uint64_t deadline = deadline_in(SECONDS_TO_ANSWER);

    daemon->is_to_end = true;
    while (daemon->pid != 0) {
        if (!daemon_turn(daemon, -1, 0, deadline))
            daemon_fail(daemon, "the daemon did not end in time");
    }
    /* All it wrote is in the pipes by now. */
    (void) daemon_turn(daemon, -1, 0, now_usec());
    check_for_sanitizers(daemon);
}

void daemon_expect_exit(Daemon *daemon, int code)
{
    expect_end(daemon);
    if (WIFSIGNALED(daemon->exit_status))
        daemon_fail(daemon, "the daemon was ended by signal %d", WTERMSIG(daemon->exit_status));
    if (WEXITSTATUS(daemon->exit_status) != code)
        daemon_fail(daemon, "exit code %d, expected %d", WEXITSTATUS(daemon->exit_status), code);
}

void daemon_expect_death(Daemon *daemon, int signal)
{
    expect_end(daemon);
    if (WIFEXITED(daemon->exit_status))
        daemon_fail(daemon, "exit code %d, expected death by signal %d", WEXITSTATUS(daemon->exit_status),
                    signal);
    if (WTERMSIG(daemon->exit_status) != signal)
        daemon_fail(daemon, "the daemon was ended by signal %d, expected %d", WTERMSIG(daemon->exit_status),
                    signal);
}

void daemon_kill(Daemon *daemon)
{
    (void) daemon_turn(daemon, -1, 0, now_usec());
    daemon->is_to_end = true;
    daemon_signal(daemon, SIGKILL);
    daemon_expect_death(daemon, SIGKILL);
}

void daemon_restart(Daemon *daemon)
{
    (void) daemon_turn(daemon, -1, 0, now_usec());
    daemon->is_to_end = true;
    daemon_signal(daemon, SIGTERM);
    daemon_expect_exit(daemon, EXIT_LEFT_TO_NEXT);
    daemon_start_again(daemon);
}

void daemon_expect_empty_store(Daemon *daemon)
{
    if (daemon->store.n > 0)
        daemon_fail(daemon, "%zu descriptors are left in the store, the first of them called %s",
                    daemon->store.n, daemon->store.items[0].name);
}

void daemon_free(Daemon *daemon)
{
    daemon_close_clients(daemon);
    for (size_t i = 0; i < daemon->n_listeners; i++)
        listener_done(&daemon->listeners[i]);
    if (daemon->notify.fd >= 0)
        notify_done(&daemon->notify);
    store_done(&daemon->store);
    close_output(daemon);
    buffer_done(&daemon->err);
    buffer_done(&daemon->out);
    free(daemon);
}

void daemon_end(Daemon *daemon)
{
    daemon_ask_to_stop(daemon);
    daemon_expect_exit(daemon, 0);
    /* A manager that is gone does not hear what is to be removed. */
    if (daemon->notify.fd >= 0)
        daemon_expect_empty_store(daemon);
}

void daemon_stop(Daemon *daemon)
{
    daemon_end(daemon);
    daemon_free(daemon);
}

static bool is_asleep(Daemon *daemon)
{
    return daemon->pid != 0 && daemon_is_ready(daemon) && proc_is_asleep(daemon->pid);
}

bool daemon_comes_to_rest(Daemon *daemon)
{
    uint64_t deadline = deadline_in(SECONDS_TO_ANSWER);

    /* It may also sleep until a notification has been read. */
    for (;;) {
        size_t n_received = daemon->notify.n_received;

        if (daemon->pid == 0)
            return false;
        if (is_asleep(daemon)) {
            (void) daemon_turn(daemon, -1, 0, now_usec());
            if (daemon->notify.n_received == n_received && is_asleep(daemon))
                return true;
        }
        if (!daemon_turn(daemon, -1, 0, deadline_exactly_in(0.0002)) && now_usec() > deadline)
            daemon_fail(daemon, "the daemon does not come to rest");
    }
}

void daemon_expect_sleep(Daemon *daemon)
{
    if (!daemon_comes_to_rest(daemon))
        daemon_fail(daemon, "the daemon has ended (wait status 0x%x)", (unsigned) daemon->exit_status);
}

void daemon_revive(Daemon *daemon)
{
    daemon_expect_sleep(daemon);
    daemon_kill(daemon);
    daemon_start_again(daemon);
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
