/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The people: many connections in one thread, over one edge-triggered epoll set. What comes is read and
 * thrown away; only lines that carry the mark are counted, which no server says of its own accord. One
 * recv(2) a wake-up and client is the least a reader can do, so that it is the server which is measured.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The byte by which a line of the load is known. Once in each. */
#define CROWD_MARK '|'

enum { CROWD_WORDS_MAX = 160 };

typedef struct CrowdClient {
    int fd;
    bool is_connected;
    bool is_greeted; /* a whole line has come */
    uint32_t n_heard;
    char *line; /* what it says, as sent; owned; NULL: it only listens */
    size_t n_line;
} CrowdClient;

typedef struct Crowd Crowd;

/* Called from crowd_pump(). Both may send, neither may change the crowd. */
typedef void (*CrowdConnected)(Crowd *crowd, unsigned client, void *userdata);
typedef void (*CrowdHeard)(Crowd *crowd, unsigned client, unsigned n_lines, void *userdata);
/* Something that is watched has something to read. 0 or -errno, which ends the wait. */
typedef int (*CrowdWatched)(void *userdata);

struct Crowd {
    int epoll_fd;
    unsigned n, n_opened, n_greeted, n_closed;
    uint64_t n_heard; /* lines with the mark, of all clients */
    uint64_t n_said;
    bool is_blocked; /* a line did not fit into a socket: the server does not read */
    CrowdClient *clients;
    char *buffer;
    char last_words[CROWD_WORDS_MAX]; /* the last line that came before the server closed a connection */
    CrowdConnected on_connected;
    CrowdHeard on_heard;
    void *userdata;
    CrowdWatched on_watched;
    void *watcher; /* its userdata */
};

typedef struct CrowdDoor {
    uint16_t port;
    unsigned window;   /* how many may wait for their greeting at once */
    bool many_sources; /* from many addresses of 127/8, 200 people each */
    unsigned n;        /* so many are to be connected then; 0: all */
    uint64_t deadline;
} CrowdDoor;

int crowd_init(Crowd *crowd, unsigned n);
/* Closes with a reset, so that nothing lingers in the kernel. */
void crowd_done(Crowd *crowd);

/* Another descriptor that is waited for with the crowd's, until it is closed. 0 or -errno. */
int crowd_watch(Crowd *crowd, int fd);

/* Connects all, and waits until each was greeted. 0, -ETIMEDOUT, -ECONNRESET, -EINTR or another -errno. */
int crowd_connect(Crowd *crowd, const CrowdDoor *door);
/* Begins to connect the first one only. */
int crowd_open_first(Crowd *crowd, const CrowdDoor *door);
/* Gives a client its line; what goes over the wire, the line end included. */
int crowd_give_line(Crowd *crowd, unsigned client, const char *line);
void crowd_send(Crowd *crowd, unsigned client, const char *data, size_t n);
/* The client says its line. */
void crowd_say(Crowd *crowd, unsigned client);
/* One wait of at most `msec` and all that came of it: the number of clients something came for, or -errno. */
int crowd_pump(Crowd *crowd, int msec);
/* Pumps until then. -ECONNRESET: somebody was disconnected. */
int crowd_pump_until(Crowd *crowd, uint64_t end);
/* Pumps until `n_heard` lines were heard in all: 0; or until nothing came for `patience` ns: -ETIMEDOUT. */
int crowd_wait_heard(Crowd *crowd, uint64_t n_heard, uint64_t patience);
/* Pumps until nothing came for so long; -ETIMEDOUT if it never gets quiet. */
int crowd_settle(Crowd *crowd, uint64_t nsec);
