/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Somebody who talks to the daemon. Lines are taken in the order they came. Patterns are those of match.h,
 * made with printf formats. Two ways to expect: client_expect() passes over other lines until one matches;
 * client_expect_next() wants the very next line to match.
 */

#include "lib/daemon.h"

struct Client {
    Daemon *daemon;
    Client *previous, *next; /* in daemon->clients */
    int fd;
    char nick[128];   /* the one it has by the greeting, then by client_connect_as() */
    Buffer in;        /* what came; of what was taken, the last part is kept to be shown in failures */
    size_t n_taken;   /* bytes of `in` that were expected or passed over */
    size_t n_scanned; /* bytes of `in` that are known to hold no line end after n_taken */
    char *line;       /* the line last taken, without its end */
    size_t n_line;
    bool eof; /* it has ended, by end of file or by reset */
    bool was_reset;
};

typedef struct ClientOptions {
    size_t listener;    /* which of the daemon's */
    const char *from;   /* local IPv4 address, such as 127.0.0.2; NULL: whichever */
    int receive_buffer; /* SO_RCVBUF, set before connecting; 0: the kernel's choice */
} ClientOptions;

/* Connects and does no more. client_open(daemon, .listener = 1) */
#define client_open(daemon, ...) client_open_with(daemon, &(ClientOptions){__VA_ARGS__})
Client *client_open_with(Daemon *daemon, const ClientOptions *options);

/* A small receive buffer, so that a client who does not read is soon felt by the server. */
#define client_small_buffers(daemon, ...) client_open(daemon, .receive_buffer = 4096, __VA_ARGS__)

/* n times the same byte as a text, for long lines and names. Valid until the next call. */
const char *run_of(char c, size_t n);

/* Reads the greeting, and remembers the name in it. */
void client_expect_greeting(Client *client);

/* Opens, reads all of the greeting; the latter takes a nick as well. What other clients hear of it is for
 * them to read. */
Client *client_connect(Daemon *daemon);
Client *client_connect_as(Daemon *daemon, const char *nick);
Client *client_connect_to(Daemon *daemon, size_t listener, const char *nick);
void client_become(Client *client, const char *nick);

/*
 * Several people, in the state that most tests begin with: all are there and have nothing left to read.
 * people_connect(daemon, "alice", &alice, "bob", &bob, NULL)
 */
void people_connect(Daemon *daemon, ...) __attribute__((__sentinel__));

/* Every client of the daemon takes all that was for it up to now and forgets it. */
void daemon_settle(Daemon *daemon);

/* Sending: all of it, however long that takes within the deadline. */
void client_say(Client *client, const char *format, ...) _printf_(2, 3); /* a line; the end is added */
void client_send_bytes(Client *client, const void *bytes, size_t n);     /* as one packet, if it is small */
void client_send_text(Client *client, const char *text);
void client_send_run(Client *client, char c, size_t n); /* n times the same byte */
void client_send_urgent(Client *client, const void *bytes,
                        size_t n); /* the last of them is the urgent byte */

/* Sends as much as the kernel takes now. Returns how much that was. */
size_t client_send_some(Client *client, const void *bytes, size_t n);

/*
 * Sends in parts of `n_part` bytes, each read by the server before the next is sent: `witness` asks something
 * in between and has its answer, and the server does in one turn what came before that. The witness forgets
 * all that it had not read.
 */
void client_send_parts(Client *client, Client *witness, const void *bytes, size_t n, size_t n_part);

/* For who looks at `in` by itself. Reads once, without waiting: false if nothing was there; the end of the
 * connection is something, too. Or waits for that; false at the deadline. */
bool client_receive(Client *client);
bool client_wait(Client *client, uint64_t deadline);

/* The line `client->line` that comes next; NULL at the end of the connection. Fails at the deadline. */
const char *client_take_line(Client *client);

void client_expect(Client *client, const char *format, ...) _printf_(2, 3);
void client_expect_next(Client *client, const char *format, ...) _printf_(2, 3);

/* The next bytes are these, whatever lines they make. */
void client_expect_bytes(Client *client, const void *bytes, size_t n);

/* Up to now nothing was sent to this client; or nothing but lines that match. It asks something to know that.
 */
void client_expect_nothing(Client *client);
void client_expect_nothing_but(Client *client, const char *pattern);

/* All lines of the server's answer to a command, up to now, joined with \n. The caller frees it. */
char *client_ask(Client *client, const char *format, ...) _printf_(2, 3);

/* Takes and forgets all that was sent to this client up to now. */
void client_sync(Client *client);

/* Nothing is there to be read at this moment. No waiting, so it says nothing about what is still to come. */
bool client_is_silent(Client *client);

/* Reads at most `n` bytes, once. Returns how many; 0 at the end. */
size_t client_read_some(Client *client, size_t n);

/* Everything from here to the end of the connection: text that belongs to the client. */
const char *client_read_all_until_eof(Client *client, size_t *ret_n);

/* The server closes the connection now, with nothing more to say. */
void client_expect_eof(Client *client);

void client_half_close(Client *client); /* end of file for the server; reading goes on */
void client_close(Client *client);      /* the client is gone and freed */
void client_reset(Client *client);      /* as well, with a TCP reset */
/* All of them. */
void daemon_close_clients(Daemon *daemon);
