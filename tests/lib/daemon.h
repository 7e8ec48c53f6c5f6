/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The daemon in the hands of a test that plays the service manager: it makes the sockets, hands them over
 * with LISTEN_FDS=, reads what the daemon notifies, keeps what it stores for the next process (lib/store.h),
 * and what it writes. A test reads like a list of events:
 *
 *   Daemon *daemon = daemon_start();
 *   Client *alice = client_connect_as(daemon, "alice"), *bob = client_connect_as(daemon, "bob");
 *   client_say(alice, "hello");
 *   client_expect(bob, "[{time}] <alice> hello");
 *   daemon_stop(daemon);
 *
 * All waiting goes through daemon_turn(), which reads stderr and the notifications meanwhile, so the daemon
 * never waits for its test. Whatever is not as expected fails the test with what was seen.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/buffer.h"
#include "lib/deadline.h"
#include "lib/listener.h"
#include "lib/notify.h"
#include "lib/store.h"
#include "lib/suite.h"

typedef struct Client Client;

enum {
    DAEMON_LISTENERS_MAX = 8,
    DAEMON_WORDS_MAX = 8,
    DAEMON_RUNS_MAX = 16,   /* whose ends are remembered */
    EXIT_USAGE_ERROR = 64,  /* EX_USAGE */
    EXIT_LEFT_TO_NEXT = 75, /* EX_TEMPFAIL: everybody is left to the next process */
    EXIT_CONFIG_ERROR = 78, /* EX_CONFIG */
};

typedef enum DaemonProgram {
    DAEMON_CHATD,  /* $CHATD */
    DAEMON_FAULTY, /* $CHATD_FAULTY: with crash points, and commands that are faults */
    DAEMON_NEXT,   /* $CHATD_NEXT: with the layout of the state that comes next */
} DaemonProgram;

/* All zero is the daemon of most tests: one TCP listener called "plain", no limits on how fast one may talk.
 * A test may change them between two runs. */
typedef struct DaemonOptions {
    DaemonProgram program;
    const char *config; /* the text of the configuration file; NULL: DAEMON_CONFIG */
    ListenerOptions listeners[DAEMON_LISTENERS_MAX]; /* none: one LISTENER_TCP4 */
    const char *args[DAEMON_WORDS_MAX];              /* after --config=FILE; NULL ends */
    const char *env[DAEMON_WORDS_MAX];               /* NAME=VALUE; NULL ends */
    size_t n_files;                                  /* RLIMIT_NOFILE, hard and soft; 0: as the test has it */
    uint64_t watchdog_usec;                          /* WATCHDOG_USEC=; 0: not set */
    bool no_config_option;                           /* without --config=FILE */
    bool no_listeners;
    bool no_names;  /* without LISTEN_FDNAMES=, as systemd-socket-activate does it */
    bool no_notify; /* without NOTIFY_SOCKET= */
    bool inetd;     /* the listener is on descriptors 0, 1 and 2, and none of the variables is set */
    bool may_end;   /* do not wait for READY=1: this one ends by itself */
    bool no_runtime_directory; /* without RUNTIME_DIRECTORY= */
    bool has_archive;          /* STATE_DIRECTORY=, an empty folder in the beginning */
    bool no_store;             /* FileDescriptorStoreMax=0 */
    size_t store_max;          /* FileDescriptorStoreMax=; 0: plenty */
    /* As Restart= does it: when it dies by a signal, or ends with 75, it is started again at once in whatever
     * daemon_turn() that shows, at most so often. More often, or another end, fails the test. 0: the test
     * does so. */
    unsigned restarts;
    unsigned crash_at[DAEMON_WORDS_MAX]; /* CHATD_CRASH_AT= of the first run, the second, ...; 0: not set */
    int crash_signal;                    /* CHATD_CRASH_SIGNAL=; 0: not set */
} DaemonOptions;

#define DAEMON_CONFIG "[Limits]\nLinesPerSecond=0\nBytesPerSecond=0\n"
/* The same, whatever it is, where whoever runs the tests is an operator. Good until the next call. */
const char *daemon_config_operators(const char *config);

/* How a run ended. */
typedef struct DaemonEnd {
    int status;     /* of waitpid(2) */
    bool was_ready; /* READY=1 had come */
} DaemonEnd;

typedef struct Daemon {
    DaemonOptions options;
    char directory[128];
    char config_path[160];       /* DIRECTORY/chatd.conf */
    char runtime_directory[160]; /* DIRECTORY/run */
    char state_directory[160];   /* DIRECTORY/state */
    Listener listeners[DAEMON_LISTENERS_MAX];
    size_t n_listeners;
    pid_t pid; /* 0: not running */
    int pid_fd;
    int exit_status;    /* of waitpid(2), once it has ended */
    int out_fd, err_fd; /* -1 at their end */
    bool err_is_stuck;  /* nobody reads stderr for now */
    Buffer out, err;    /* stdout and stderr, of all runs */
    size_t n_err_seen;  /* bytes of `err` that an expectation, or daemon_start_again(), has gone past */
    Notify notify;
    Store store;
    size_t n_runs, n_ends;
    DaemonEnd ends[DAEMON_RUNS_MAX];
    size_t n_notified_before; /* messages of earlier runs */
    bool is_to_end;           /* not started again by itself */
    Client *clients;          /* all that are open; daemon_stop() closes them */
} Daemon;

/* daemon_start(.config = "...", .n_files = 64): starts it and waits until it is ready. */
#define daemon_start(...) daemon_start_with(&(DaemonOptions){__VA_ARGS__})
Daemon *daemon_start_with(const DaemonOptions *options);

/* Starts it again after it has ended, with the same sockets and what is stored. */
void daemon_start_again(Daemon *daemon);

/* SIGKILL, and waits for the end. */
void daemon_kill(Daemon *daemon);

/* SIGKILL at rest, so that no line to a unix socket is just being written (that one might come twice), and
 * the next process. */
void daemon_revive(Daemon *daemon);

/* SIGTERM, by which everybody is left to the next process; and that one. */
void daemon_restart(Daemon *daemon);

/*
 * The end for good: it must come in time with exit code 0, no complaint of a sanitizer, and nothing left in
 * the store. daemon_stop() also closes the clients and frees all.
 */
void daemon_end(Daemon *daemon);
void daemon_stop(Daemon *daemon);

/* The parts of it: SIGINT, or SIGTERM where there is no service manager; waiting for the end; what is left of
 * the daemon that has ended. */
void daemon_ask_to_stop(Daemon *daemon);
void daemon_expect_exit(Daemon *daemon, int code);
void daemon_expect_death(Daemon *daemon, int signal);
void daemon_expect_empty_store(Daemon *daemon);
void daemon_free(Daemon *daemon);

/* READY=1 has come in this run. */
bool daemon_is_ready(const Daemon *daemon);

/*
 * Waits until all of it sleeps, so that it has done all that it was given to do; if it is started again
 * by itself, until the last of these processes is ready and does so.
 */
void daemon_expect_sleep(Daemon *daemon);

/* The same of one that may also end: false if it did. */
bool daemon_comes_to_rest(Daemon *daemon);

/* It must still be there after that long by the clock, whatever else it does. */
void daemon_expect_running_for(Daemon *daemon, double seconds);

/* Writes a file below the daemon's directory ("chatd.conf", "chatd.conf.d/10-a.conf"), and its folder where
 * needed. */
void daemon_write_file(Daemon *daemon, const char *name, const char *text);

/* SIGHUP, and waits for RELOADING=1 and the READY=1 that ends it, whether the new configuration was taken or
 * not. */
void daemon_reload(Daemon *daemon);
void daemon_signal(Daemon *daemon, int signal);

/* A notification with a line that matches. Those before it are passed over; it is the last one seen then. */
NotifyMessage *daemon_expect_notify(Daemon *daemon, const char *pattern);

/* Nobody reads stderr any more, and it is full; or it is closed, and writing to it is an error. */
void daemon_block_log(Daemon *daemon);
void daemon_close_log(Daemon *daemon);

/* A text in stderr after the last one that was expected, in upper or lower case. */
void daemon_expect_log(Daemon *daemon, const char *text);
size_t daemon_count_log(Daemon *daemon, const char *text);

/* Waits until the daemon has that many descriptors open. The witness, a client, forgets what it had not read.
 */
void daemon_expect_n_fds(Daemon *daemon, Client *witness, size_t n);

/*
 * One turn of waiting: until `fd` (-1: none) has one of `events`, or something else happened, or the
 * deadline. False only at the deadline, so that callers look at their condition again after each turn.
 */
bool daemon_turn(Daemon *daemon, int fd, short events, uint64_t deadline);

/* Fails the test, with the note of the suite and the end of the daemon's stderr. */
void daemon_fail(Daemon *daemon, const char *format, ...) _printf_(2, 3) __attribute__((__noreturn__));
