/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/spawn.h"

enum {
    LISTEN_FDS_START = 3, /* sd_listen_fds(3) */
    WORDS_MAX = 64,
    EXIT_NOT_STARTED = 120,
};

/* In the new process there is no test that could fail: it says why and ends. */
static void die(const char *what)
{
    (void) dprintf(STDERR_FILENO, "cannot start the daemon: %s: %s\n", what, strerror(errno));
    _exit(EXIT_NOT_STARTED);
}

static void put_env(const char *format, ...) _printf_(1, 2);
static void put_env(const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0 || putenv(text) != 0)
        die("environment");
    va_end(args);
}

static void set_environment(Daemon *daemon)
{
    static const char *const unwanted[] = {
        "LISTEN_FDS",   "LISTEN_PID",     "LISTEN_FDNAMES", "NOTIFY_SOCKET",   "WATCHDOG_USEC",
        "WATCHDOG_PID", "JOURNAL_STREAM", "INVOCATION_ID",  "STATE_DIRECTORY", "RUNTIME_DIRECTORY",
    };
    const DaemonOptions *options = &daemon->options;
    Buffer names = {0};

    for (size_t i = 0; i < N_ELEMENTS(unwanted); i++)
        (void) unsetenv(unwanted[i]);
    for (size_t i = 0; i < daemon->n_listeners; i++) {
        buffer_add_text(&names, i > 0 ? ":" : "");
        buffer_add_text(&names, daemon->listeners[i].name);
    }
    if (daemon->n_listeners > 0 && !options->inetd) {
        put_env("LISTEN_FDS=%zu", daemon->n_listeners);
        put_env("LISTEN_PID=%d", (int) getpid());
        if (!options->no_names)
            put_env("LISTEN_FDNAMES=%s", buffer_text(&names));
    }
    if (daemon->notify.fd >= 0)
        put_env("NOTIFY_SOCKET=%s", daemon->notify.path);
    if (options->watchdog_usec > 0) {
        put_env("WATCHDOG_USEC=%ju", (uintmax_t) options->watchdog_usec);
        put_env("WATCHDOG_PID=%d", (int) getpid());
    }
    for (size_t i = 0; i < DAEMON_WORDS_MAX && options->env[i] != NULL; i++)
        put_env("%s", options->env[i]);
}

/* Out of the way of the low numbers first, so that no move overwrites what is still to be moved. */
static int lifted(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, LISTEN_FDS_START + DAEMON_LISTENERS_MAX);

    if (high < 0)
        die("dup");
    return high;
}

static void set_descriptors(Daemon *daemon, int out, int err)
{
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC), high[DAEMON_LISTENERS_MAX];
    int low[] = {lifted(in), lifted(out), lifted(err)};

    /* What the test itself has inherited is not for the daemon. */
    (void) close_range(LISTEN_FDS_START, ~0U, CLOSE_RANGE_CLOEXEC);
    for (size_t i = 0; i < daemon->n_listeners; i++)
        high[i] = lifted(daemon->listeners[i].fd);
    for (int i = 0; i < (int) N_ELEMENTS(low); i++) {
        if (dup2(daemon->options.inetd ? high[0] : low[i], i) < 0)
            die("dup2");
    }
    for (size_t i = 0; i < daemon->n_listeners && !daemon->options.inetd; i++) {
        if (dup2(high[i], LISTEN_FDS_START + (int) i) < 0)
            die("dup2");
    }
}

/* The words of a command line, cut in place. Returns how many. */
static size_t split(char *text, char **words, size_t n_max)
{
    char *state = NULL;
    size_t n = 0;

    for (char *word = strtok_r(text, " ", &state); word != NULL && n < n_max;
         word = strtok_r(NULL, " ", &state))
        words[n++] = word;
    return n;
}

static void run(Daemon *daemon)
{
    const DaemonOptions *options = &daemon->options;
    const char *wrapper = getenv("CHATD_WRAPPER");
    char *words[WORDS_MAX + 1] = {0}, config[256];
    size_t n = split(strdup(wrapper != NULL ? wrapper : ""), words, WORDS_MAX / 2);

    words[n++] = getenv("CHATD");
    (void) snprintf(config, sizeof(config), "--config=%s", daemon->config_path);
    if (!options->no_config_option)
        words[n++] = config;
    for (size_t i = 0; i < DAEMON_WORDS_MAX && options->args[i] != NULL; i++)
        words[n++] = strdup(options->args[i]);
    (void) execvp(words[0], words);
    die(words[0]);
}

static void be_the_daemon(Daemon *daemon, pid_t parent, int out, int err)
{
    const DaemonOptions *options = &daemon->options;
    struct rlimit limit = {.rlim_cur = options->n_files, .rlim_max = options->n_files};

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_NOT_STARTED);
    /* The tests ignore it; inetd does not, and what is ignored stays so over exec(). */
    (void) signal(SIGPIPE, SIG_DFL);
    set_environment(daemon);
    set_descriptors(daemon, out, err);
    if (options->n_files > 0 && setrlimit(RLIMIT_NOFILE, &limit) != 0)
        die("RLIMIT_NOFILE");
    run(daemon);
}

static int make_pipe(int *ret_read)
{
    int fds[2];

    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    *ret_read = fds[0];
    return fds[1];
}

void spawn_daemon(Daemon *daemon)
{
    int out = make_pipe(&daemon->out_fd), err = make_pipe(&daemon->err_fd);
    pid_t parent = getpid();

    daemon->pid = fork();
    ck_assert_msg(daemon->pid >= 0, "fork: %s", strerror(errno));
    if (daemon->pid == 0)
        be_the_daemon(daemon, parent, out, err);
    (void) close(out);
    (void) close(err);
}
