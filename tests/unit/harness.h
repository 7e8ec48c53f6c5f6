/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * A chat without sockets, for unit tests and fuzz targets.
 *
 * It does what host/connection and host/delivery do, with a buffer in place of each direction of a socket:
 * what a client types stays in `input` until a whole line is executed, and a client takes `window` bytes of
 * what it is sent until the test opens its window further. A test types, runs turns, and looks at what
 * arrived.
 *
 * On the way it checks what must always hold, and ends the process with abort() where it does not: that
 * whoever may share a rendering would have been sent the same bytes alone, that what follows a partial send
 * goes on where that ended, and (harness_check) that what is derived agrees with the records.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/log.h"
#include "chat/chat.h"
#include "chat/person.h"
#include "chat/stream.h"
#include "front/front.h"

#define EXPECT(condition)                                                                                    \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            harness_fail(__FILE__, __LINE__, #condition);                                                    \
    } while (0)

enum {
    HARNESS_CLIENTS = 512,  /* in one test, over its whole time */
    HARNESS_VARIETIES = 16, /* of one room's rendering */
};

/* Behind the name of an account, written out here: not whatever the program has. */
#define MARK_ "\xe2\x9c\x93"

/* 2026-11-22 12:03:04 UTC */
#define HARNESS_WALL (UINT64_C(1795348984) * USEC_PER_SEC)
#define HARNESS_NOW (UINT64_C(1000) * USEC_PER_SEC)

typedef struct Harness Harness;

typedef struct Client {
    uint32_t session; /* SLOT_NONE: none any more */
    uint64_t serial;
    Peer peer;
    Identity identity; /* of an account; without a nick: a guest */
    bool is_gone;      /* the server has closed it */
    bool has_ended;    /* it will type nothing more */
    bool is_blocked;   /* its window is full */
    bool is_behind;    /* could be sent more than one turn allows */
    bool is_begun;     /* it was sent a part of what is the first in `output` */
    bool is_half_kept; /* half a line of it does not stay in its socket */
    size_t window;     /* bytes that it takes; SIZE_MAX: any number */

    char *input; /* typed and not taken out of the socket */
    size_t input_n, n_typed;
    uint64_t n_before; /* bytes that it was sent before what is in `output` */
    char *output;      /* all it was sent, with a NUL */
    size_t output_n, output_size, taken;
} Client;

/* Called before a line is executed. */
typedef void (*HarnessOnLine)(void *userdata, Client *client, const char *line, size_t n);

/* Called with a state that is about to be adopted. */
typedef void (*HarnessOnOpen)(void *userdata, const State *state);

typedef struct HarnessRendering {
    uint8_t key;
    size_t n;
    char bytes[CHUNK_BYTES];
} HarnessRendering;

struct Harness {
    Config config;
    Log log;
    Chat *chat;
    Chat *next_chat; /* while it is being adopted */
    uint64_t now;
    int64_t stepped; /* usec that the wall clock was set forward since, or back */
    HarnessOnLine on_line;
    HarnessOnOpen on_open;
    void *userdata; /* of both */
    uint32_t max_sessions;
    uint16_t next_port;
    bool dies_before_commit; /* harness_turn() returns when it has executed a line, within the transaction */
    bool is_alone;           /* everybody is sent theirs alone */
    unsigned n_shared;       /* sends of shared renderings so far */
    unsigned n_partial;      /* sends of which only a part was taken */
    unsigned n_restarts;

    Client *clients[HARNESS_CLIENTS]; /* owned */
    unsigned n_clients;

    char *looked; /* owned; what was looked at last */
    Frame frame;
    Stream stream;
    char chunk[CHUNK_BYTES], other[CHUNK_BYTES];
    HarnessRendering *renderings; /* owned */
    unsigned n_renderings;
};

void harness_fail(const char *file, int line, const char *what) __attribute__((__noreturn__));

/* Whether valgrind runs this, so that a test that tries everything should try less. */
bool harness_is_slow(void);
/* Zeroed. */
void *harness_allocate(size_t n);
/* The defaults, without limits of rate, and with the smallest transcript. */
void harness_config(Config *config);
/* A chat with nobody in it. `config` is moved in; NULL: that of harness_config(). */
Harness *harness_new(const Config *config, uint32_t max_sessions);
Harness *harness_free(Harness *harness);
/* Time goes by; nothing happens until the next turn. */
void harness_wait(Harness *harness, uint64_t usec);
/* The wall clock is set forward by that, or back. */
void harness_step(Harness *harness, int64_t usec);
/* Everyone who has typed something has a go, and is sent what is new. */
void harness_turn(Harness *harness);
/* What is derived agrees with the records. */
void harness_check(const Harness *harness);
/* What everybody was sent so far counts as seen. */
void harness_take_all(Harness *harness);

/* Dying. What the chat has on the heap is gone, and so is what it did since its last commit. */

/* The process dies, and another one goes on with the state and the connections. */
void harness_survive(Harness *harness);
/* The state as another process would find it, and a copy of one. */
int harness_dup(const Harness *harness);
int harness_copy(int from);
/* The first half of surviving, with any state (consumed): false if it is refused, and then nothing has
 * changed. */
bool harness_adopt(Harness *harness, int fd);
/* The second half. False: somebody was not sent or did not type what the state says. */
bool harness_settle(Harness *harness);
/* In place of the clients: one for each session, who have read and typed all that the state says. */
void harness_attach(Harness *harness);
/* All that is in the state and means something, as bytes; the caller's. Another process that goes on with it
 * has the same. */
char *harness_dump(const Harness *harness, size_t *ret_n);

/* A session without a client. 0 with *ret_session, or what session_may_open() says. */
int harness_open(Harness *harness, const Peer *peer, const Identity *identity, uint32_t *ret_session);
/* Somebody connects, each from an address of its own; it has been sent nothing yet. NULL: refused. */
Client *client_new(Harness *harness);
/* The same, from there. */
Client *client_from(Harness *harness, const Peer *peer);
/* The owner of an account comes in; may be there already. It has been sent nothing yet. NULL: refused. */
Client *client_account(Harness *harness, const char *login, uint32_t uid);
/* The same, who is or is not in the group of operators; of client_account() root is. */
Client *client_operator(Harness *harness, const char *login, uint32_t uid, bool is_operator);
/* Somebody who was greeted, and took that name; the others have seen it. */
Client *client_named(Harness *harness, const char *nick);
void client_type(Client *client, const char *bytes, size_t n);
/* Types text and a line end, and runs a turn. */
void client_say(Harness *harness, Client *client, const char *format, ...) _printf_(3, 4);
/* What it was sent since the last look. */
const char *client_take(Client *client);
/* Lets it take `n` bytes more from now on, or any number with SIZE_MAX. */
void client_open_window(Harness *harness, Client *client, size_t n);
/* It takes nothing more. */
void client_stop(Client *client);

/* For the parts of the harness: */

/* Who has this session. */
Client *client_of(const Harness *harness, uint32_t session);
/* What is left of a process that died while it adopted a state. */
void harness_drop_next(Harness *harness);
void harness_forget_clients(Harness *harness);
/* Somebody who is no session yet. */
Client *harness_add_client(Harness *harness, uint64_t serial);
/* A session for who was accepted. */
bool client_admit(Harness *harness, Client *client);
/* The server closes the connection. */
void client_close(Harness *harness, Client *client);
/* The end of a turn: everyone is sent what is new, and who has ended goes. */
void harness_deliver(Harness *harness);
/* What was executed is taken out of the socket. */
void client_consume(Client *client, size_t n);

/* The connection breaks: gone without another word. */
void client_break(Harness *harness, Client *client);

/* xorshift64*, so that random tests are the same everywhere; the seed is not 0. */
uint32_t random_below(uint64_t *seed, uint32_t n);
