/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The servers that are measured: how each is started on a loopback port of the kernel's choice, what it has
 * used, and how it is ended. The bare loop and chatd get their listening socket as descriptor 3
 * (sd_listen_fds(3)); the others bind a port that was free a moment before. chatd also has a service manager
 * with a descriptor store, as under systemd.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "manager.h"

typedef enum ServerKind {
    SERVER_BARE,
    SERVER_CHATD,
    SERVER_NGIRCD,
    SERVER_NCAT,
    N_SERVERS,
} ServerKind;

enum { SERVER_PATH_MAX = 512, SERVER_REMARK_MAX = 256 };

typedef struct ServerPlan {
    ServerKind kind;
    const char *program;         /* borrowed */
    unsigned n_clients;          /* who will come */
    unsigned room_size;          /* for the bare loop; 0: everyone in one room */
    bool default_config;         /* chatd: as delivered; otherwise with its limits off */
    const char *state_directory; /* chatd: where its archive is; NULL: it has none; borrowed */
    bool no_store;               /* chatd: without a service manager, and so without its descriptor store */
    bool bare_no_delay;          /* the bare loop's sockets have TCP_NODELAY, as chatd's do */
    int cpu;                     /* runs only there; -1: anywhere */
} ServerPlan;

typedef struct Server {
    ServerPlan plan;
    pid_t pid;      /* 0: not running */
    int pid_fd;     /* readable when it has ended; -1: not running */
    bool is_killed; /* by server_kill() */
    int listen_fd;  /* -1: the server binds its own */
    Manager manager;
    uint16_t port;
    char state_directory[SERVER_PATH_MAX + 16]; /* chatd's, or empty */
    char folder[SERVER_PATH_MAX];               /* its configuration and its log; removed by server_done() */
    char remark[SERVER_REMARK_MAX];             /* why something failed, in words */
} Server;

typedef struct ServerMemory {
    uint64_t rss;   /* bytes, shared memory and the mapped parts of libraries included */
    uint64_t pss;   /* bytes, where what several processes share is divided among them */
    uint64_t memfd; /* bytes allocated to memory files it holds open, mapped or not */
} ServerMemory;

const char *server_name(ServerKind kind);
/* The kind called so, or N_SERVERS. */
ServerKind server_by_name(const char *name);

/* Makes the folder, the configuration and the socket. 0 or -errno; then `remark` says more. */
int server_init(Server *server, const ServerPlan *plan);
/* Starts it without waiting for anything, as socket activation does. */
int server_spawn(Server *server);
/* server_init(), server_spawn(), and a first connection that was served and has gone. */
int server_start(Server *server, const ServerPlan *plan);
/* SIGKILL. server_attend() does the rest, when `pid_fd` says that it has ended. */
void server_kill(Server *server);
/* The service manager's part: reads what the server tells, and starts one that was killed again, with what is
 * stored. 0 or -errno. */
int server_attend(Server *server);
/* Ends the process if it runs, politely and then not, and removes what was made. */
void server_done(Server *server);
/* Whether the process has ended by itself; then `remark` says how, with the last line of its log. */
bool server_has_died(Server *server);

/* CPU time of all its threads so far, in nanoseconds. */
uint64_t server_cpu_nsec(const Server *server);
int server_memory(const Server *server, ServerMemory *ret_memory);
/* How often it went to sleep and was woken again. */
uint64_t server_wakeups(const Server *server);
