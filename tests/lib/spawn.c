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

/* At which crash point this run dies; 0: at none. */
static unsigned crash_point_of(const Daemon *daemon)
{
    return daemon->n_runs < DAEMON_WORDS_MAX ? daemon->options.crash_at[daemon->n_runs] : 0;
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
    for (size_t i = 0; i < daemon->n_listeners + daemon->store.n; i++) {
        buffer_add_text(&names, i > 0 ? ":" : "");
        buffer_add_text(&names, i < daemon->n_listeners ? daemon->listeners[i].name
                                                        : daemon->store.items[i - daemon->n_listeners].name);
    }
    if (daemon->n_listeners > 0 && !options->inetd) {
        put_env("LISTEN_FDS=%zu", daemon->n_listeners + daemon->store.n);
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
    if (!options->no_runtime_directory)
        put_env("RUNTIME_DIRECTORY=%s", daemon->runtime_directory);
    if (options->has_archive)
        put_env("STATE_DIRECTORY=%s", daemon->state_directory);
    if (crash_point_of(daemon) > 0)
        put_env("CHATD_CRASH_AT=%u", crash_point_of(daemon));
    if (options->crash_signal != 0)
        put_env("CHATD_CRASH_SIGNAL=%d", options->crash_signal);
    for (size_t i = 0; i < DAEMON_WORDS_MAX && options->env[i] != NULL; i++)
        put_env("%s", options->env[i]);
}

/* Out of the way of the low numbers first, so that no move overwrites what is still to be moved. */
static int lifted(int fd, size_t n_handed)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, LISTEN_FDS_START + (int) n_handed);

    if (high < 0)
        die("dup");
    return high;
}

/* The listeners first, then what is stored, as systemd does it. */
static void set_descriptors(Daemon *daemon, int out, int err)
{
    size_t n = daemon->n_listeners + daemon->store.n;
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC), *high = calloc(n + 1, sizeof(*high));
    int low[] = {lifted(in, n), lifted(out, n), lifted(err, n)};

    /* What the test itself has inherited is not for the daemon. */
    (void) close_range(LISTEN_FDS_START, ~0U, CLOSE_RANGE_CLOEXEC);
    if (high == NULL)
        die("memory");
    for (size_t i = 0; i < n; i++)
        high[i] = lifted(i < daemon->n_listeners ? daemon->listeners[i].fd
                                                 : daemon->store.items[i - daemon->n_listeners].fd,
                         n);
    for (int i = 0; i < (int) N_ELEMENTS(low); i++) {
        if (dup2(daemon->options.inetd ? high[0] : low[i], i) < 0)
            die("dup2");
    }
    for (size_t i = 0; i < n && !daemon->options.inetd; i++) {
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

static char *program(DaemonProgram program)
{
    static const char *const variables[] = {
        [DAEMON_CHATD] = "CHATD", [DAEMON_FAULTY] = "CHATD_FAULTY", [DAEMON_NEXT] = "CHATD_NEXT"};
    char *path = getenv(variables[program]);

    errno = ENOENT;
    if (path == NULL)
        die(variables[program]);
    return path;
}

static void run(Daemon *daemon)
{
    const DaemonOptions *options = &daemon->options;
    const char *wrapper = getenv("CHATD_WRAPPER");
    char *words[WORDS_MAX + 1] = {0}, config[256], no_leak_check[] = "--leak-check=no";
    size_t n = split(strdup(wrapper != NULL ? wrapper : ""), words, WORDS_MAX / 2);

    /* One that is killed at a crash point would be found to leak what it was about to free. */
    if (crash_point_of(daemon) > 0 && n > 0 && strstr(words[0], "valgrind") != NULL)
        words[n++] = no_leak_check;
    words[n++] = program(options->program);
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
    /* And what a shell begins in the background ignores this one. */
    (void) signal(SIGQUIT, SIG_DFL);
    /* libcheck's handlers would end the test. */
    (void) signal(SIGINT, SIG_DFL);
    (void) signal(SIGTERM, SIG_DFL);
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
