/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "clock.h"
#include "dialect.h"
#include "stage.h"

enum { N_PROBES = 40 };

#define CONNECT_NSEC (60 * NSEC_PER_SEC)
#define QUIET_NSEC (200 * NSEC_PER_MSEC)

static unsigned room_of(const Stage *stage, unsigned client)
{
    return stage->room_size > 0 ? client / stage->room_size : 0;
}

/* The clients that are in rooms are the first ones. */
static unsigned n_in_rooms(const Stage *stage)
{
    if (stage->room_size == 0)
        return 0;
    return stage->n_in_rooms > 0 ? stage->n_in_rooms : stage->crowd.n;
}

static void say_hello(Crowd *crowd, unsigned client, void *userdata)
{
    const Stage *stage = userdata;
    char hello[DIALECT_MAX];
    size_t n;

    if (client < n_in_rooms(stage))
        n = dialect_hello(stage->kind, client, room_of(stage, client), hello, sizeof(hello));
    else
        n = dialect_hello_idle(stage->kind, client, hello, sizeof(hello));
    if (n > 0)
        crowd_send(crowd, client, hello, n);
}

static int attend(void *userdata)
{
    return server_attend(userdata);
}

int stage_start(Stage *stage, unsigned n_clients)
{
    ServerPlan plan = {
        .kind = stage->kind,
        .program = stage->setup->programs[stage->kind],
        .n_clients = n_clients,
        .room_size = stage->room_size,
        .default_config = stage->default_config,
        .no_store = stage->no_store,
        .bare_no_delay = stage->setup->bare_no_delay,
        .cpu = stage->setup->server_cpu,
    };
    int r;

    stage->crowd.epoll_fd = -1;
    r = server_start(&stage->server, &plan);
    if (r < 0)
        return r;
    r = crowd_init(&stage->crowd, n_clients);
    if (r < 0)
        return r;
    stage->crowd.on_connected = say_hello;
    stage->crowd.userdata = stage;
    stage->crowd.on_watched = attend;
    stage->crowd.watcher = &stage->server;
    return stage->server.manager.fd >= 0 ? crowd_watch(&stage->crowd, stage->server.manager.fd) : 0;
}

static int give_lines(Stage *stage)
{
    unsigned n = stage->room_size > 0 ? n_in_rooms(stage) : stage->crowd.n;
    char line[DIALECT_MAX];

    for (unsigned i = 0; i < n; i++) {
        int r;

        if ((stage->room_size > 0 ? i % stage->room_size : i) >= stage->n_senders)
            continue;
        (void) dialect_line(stage->kind, i, room_of(stage, i), stage->setup->n_text, line, sizeof(line));
        r = crowd_give_line(&stage->crowd, i, line);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Whether everyone in the room that begins with client `first` has heard something. */
static bool room_hears(const Stage *stage, unsigned first)
{
    for (unsigned i = first; i < MIN(first + stage->room_size, n_in_rooms(stage)); i++)
        if (stage->crowd.clients[i].n_heard == 0)
            return false;
    return true;
}

/*
 * Whether a client is in its room yet is told in another way by each server. What all have in common: it is
 * there when it hears what is said there. So two of each room speak until all have heard something.
 */
static int gather(Stage *stage)
{
    for (unsigned i = 0; i < N_PROBES; i++) {
        unsigned n_deaf = 0;
        int r = crowd_settle(&stage->crowd, stage->setup->is_smoke ? QUIET_NSEC / 4 : QUIET_NSEC);

        if (r < 0)
            return r;
        for (unsigned first = 0; first < n_in_rooms(stage); first += stage->room_size) {
            if (room_hears(stage, first))
                continue;
            n_deaf++;
            crowd_say(&stage->crowd, first);
            if (stage->n_senders > 1)
                crowd_say(&stage->crowd, first + 1);
        }
        if (n_deaf == 0)
            return 0;
    }
    return -EPROTO;
}

void stage_reset(Stage *stage)
{
    for (unsigned i = 0; i < stage->crowd.n; i++)
        stage->crowd.clients[i].n_heard = 0;
    stage->crowd.n_heard = 0;
    stage->crowd.n_said = 0;
}

int stage_fill(Stage *stage)
{
    CrowdDoor door = {
        .port = stage->server.port,
        .window = dialect_window(stage->kind),
        .many_sources = stage->default_config,
        .deadline = clock_nsec() + CONNECT_NSEC,
    };
    uint64_t start = clock_nsec();
    int r;

    if (stage->is_storm && (stage->kind == SERVER_BARE || stage->kind == SERVER_CHATD))
        door.window = UINT_MAX;
    r = crowd_connect(&stage->crowd, &door);
    if (r < 0)
        return r;
    stage->connected_nsec = clock_nsec() - start;
    r = give_lines(stage);
    if (r == 0 && stage->room_size > 0)
        r = gather(stage);
    stage_reset(stage);
    return r;
}

void stage_done(Stage *stage)
{
    /* The server first: its end of each connection then is not the one that was reset. */
    server_done(&stage->server);
    crowd_done(&stage->crowd);
}

void stage_explain(Stage *stage, int r, char *remark)
{
    const char *what = strerror(-r);

    if (stage->server.pid > 0)
        (void) server_has_died(&stage->server); /* then it has left a remark */
    if (stage->server.remark[0] != '\0')
        what = stage->server.remark;
    else if (r == -EPROTO)
        what = "not everyone in a room hears what is said there";
    else if (r == -ENOBUFS)
        what = "it stopped reading";
    else if (r == -ECONNRESET)
        what = "it closed a connection";
    else if (r == -ETIMEDOUT)
        what = "no answer in time";
    (void) snprintf(remark, CASE_REMARK_MAX, "%s%s%s", what,
                    stage->crowd.last_words[0] != '\0' ? "; it last said: " : "", stage->crowd.last_words);
}
