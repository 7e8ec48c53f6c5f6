/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/macro.h"
#include "clock.h"
#include "dialect.h"
#include "spread.h"
#include "stage.h"
#include "survival.h"
#include "undo.h"

enum {
    LINES_PER_BATCH = 128,
    BATCHES_UNDER_WAY = 2,
    N_TRANSACTIONS = 2000000,
    N_KILLS = 5,
    GAP_ROOM = 100, /* most who hear the lines in pause<n>; the others are merely there */
    GAP_LINES_PER_SECOND = 100,
};

#define CONNECT_NSEC (60 * NSEC_PER_SEC)
#define SETTLE_NSEC (100 * NSEC_PER_MSEC)
#define PATIENCE_NSEC (5 * NSEC_PER_SEC)
#define FLOW_NSEC (300 * NSEC_PER_MSEC)

/* The vault */

typedef struct Arrival {
    double msec;     /* from the first connection to the last greeting */
    double cpu_usec; /* of the server, for each of them */
} Arrival;

/* Until `n` are there in all. */
static int arrive(Stage *stage, unsigned n, Arrival *ret_arrival)
{
    CrowdDoor door = {
        .port = stage->server.port, .window = UINT_MAX, .n = n, .deadline = clock_nsec() + CONNECT_NSEC};
    uint64_t cpu = server_cpu_nsec(&stage->server), start = clock_nsec();
    unsigned n_new = n - stage->crowd.n_greeted;
    int r;

    r = crowd_connect(&stage->crowd, &door);
    ret_arrival->msec = (double) (clock_nsec() - start) / 1e6;
    if (r == 0)
        r = crowd_settle(&stage->crowd, SETTLE_NSEC);
    ret_arrival->cpu_usec = (double) (server_cpu_nsec(&stage->server) - cpu) / 1e3 / n_new;
    return r;
}

/* `values` are those with a store or, one further, those without. */
static int measure_vault(const CaseSetup *setup, unsigned n, bool no_store, double *values, char *remark)
{
    Stage stage = {.setup = setup, .kind = SERVER_CHATD, .no_store = no_store};
    Arrival first = {0}, more = {0};
    unsigned n_messages, n_stored = 0;
    int r;

    r = stage_start(&stage, n + SURVIVAL_MORE);
    n_messages = stage.server.manager.n_messages;
    if (r == 0)
        r = arrive(&stage, n, &first);
    n_messages = stage.server.manager.n_messages - n_messages;
    n_stored = stage.server.manager.n_items;
    if (r == 0)
        r = arrive(&stage, n + SURVIVAL_MORE, &more);
    if (r < 0)
        stage_explain(&stage, r, remark);
    stage_done(&stage);
    values[no_store ? 1 : 0] = first.msec;
    values[no_store ? 3 : 2] = more.cpu_usec;
    if (!no_store) {
        values[4] = n_messages;
        values[5] = n_stored;
    }
    return r;
}

int survival_run_vault(const Case *c, const CaseSetup *setup, ServerKind kind, double *values, char *remark)
{
    bool no_store = setup->round % 2 == 1; /* they take turns in being the first */
    int r;

    (void) kind;
    r = measure_vault(setup, c->n, no_store, values, remark);
    return r < 0 ? r : measure_vault(setup, c->n, !no_store, values, remark);
}

/* A line that nobody hears */

typedef struct Monologue {
    uint64_t end, n_batches;
    size_t n_batch;
    char batch[LINES_PER_BATCH * DIALECT_MAX + 64];
} Monologue;

/* The second client hears of each batch, in private, when all before it has been executed. */
static void fill_batch(const Stage *stage, Monologue *monologue)
{
    char *end = monologue->batch, line[DIALECT_MAX];

    (void) dialect_line(stage->kind, 0, 0, stage->setup->n_text, line, sizeof(line));
    for (unsigned i = 0; i < LINES_PER_BATCH; i++)
        end = stpcpy(end, line);
    end = stpcpy(end, "/msg u1 |\n");
    monologue->n_batch = (size_t) (end - monologue->batch);
}

static void say_batch(Crowd *crowd, Monologue *monologue)
{
    crowd_send(crowd, 0, monologue->batch, monologue->n_batch);
    monologue->n_batches++;
}

static void answer_batch(Crowd *crowd, unsigned client, unsigned n_lines, void *userdata)
{
    Monologue *monologue = userdata;

    for (unsigned i = 0; client == 1 && i < n_lines && clock_nsec() < monologue->end; i++)
        say_batch(crowd, monologue);
}

/* Two people in the lobby: one goes to a room of its own, and the other gets the name it is told by. */
static int part(Stage *stage)
{
    static const char alone[] = "/nick u0\n/join #r0\n/leave #lobby\n", named[] = "/nick u1\n";
    int r, size = 1 << 20;

    (void) setsockopt(stage->crowd.clients[0].fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    crowd_send(&stage->crowd, 1, named, sizeof(named) - 1);
    crowd_send(&stage->crowd, 0, alone, sizeof(alone) - 1);
    r = crowd_settle(&stage->crowd, SETTLE_NSEC);
    stage_reset(stage);
    return r;
}

/* CPU time of the server for a line, in microseconds. */
static int measure_line(Stage *stage, Monologue *monologue, double seconds, double *ret_usec)
{
    Crowd *crowd = &stage->crowd;
    uint64_t cpu = server_cpu_nsec(&stage->server);
    int r;

    stage_reset(stage);
    monologue->n_batches = 0;
    monologue->end = clock_nsec() + (uint64_t) (seconds * (double) NSEC_PER_SEC);
    crowd->userdata = monologue;
    crowd->on_heard = answer_batch;
    for (unsigned i = 0; i < BATCHES_UNDER_WAY; i++)
        say_batch(crowd, monologue);
    r = crowd_pump_until(crowd, monologue->end);
    if (r == 0)
        r = crowd_wait_heard(crowd, monologue->n_batches, PATIENCE_NSEC);
    cpu = server_cpu_nsec(&stage->server) - cpu;
    *ret_usec = (double) cpu / 1e3 / (double) (monologue->n_batches * LINES_PER_BATCH);
    return r;
}

int survival_run_line(const Case *c, const CaseSetup *setup, ServerKind kind, double *values, char *remark)
{
    static Monologue monologue;
    Stage stage = {.setup = setup, .kind = kind};
    UndoCost cost = {0};
    int r;

    (void) c;
    r = stage_start(&stage, 2);
    if (r == 0)
        r = stage_fill(&stage);
    if (r == 0)
        r = part(&stage);
    fill_batch(&stage, &monologue);
    if (r == 0)
        r = measure_line(&stage, &monologue, setup->seconds / 4, &values[0]); /* to warm up */
    if (r == 0)
        r = measure_line(&stage, &monologue, setup->seconds, &values[0]);
    if (r == 0)
        r = undo_measure(setup->is_smoke ? N_TRANSACTIONS / 100 : N_TRANSACTIONS, &cost);
    if (r < 0)
        stage_explain(&stage, r, remark);
    stage_done(&stage);
    values[1] = cost.line_nsec / 1e3;
    values[2] = 100 * values[1] / values[0];
    values[3] = cost.delivery_nsec / 1e3;
    return r;
}

/* The pause of a restart */

/* Lines flow from the first client, and the last one of its room listens. */
typedef struct Flow {
    Crowd *crowd;
    unsigned listener;
    uint64_t due;           /* the next line */
    uint64_t last, longest; /* when a line came, and the longest time without one */
} Flow;

static void hear(Crowd *crowd, unsigned client, unsigned n_lines, void *userdata)
{
    Flow *flow = userdata;
    uint64_t now = clock_nsec();

    (void) crowd;
    (void) n_lines;
    if (client != flow->listener)
        return;
    flow->longest = MAX(flow->longest, now - flow->last);
    flow->last = now;
}

static int flow_until(Flow *flow, uint64_t end)
{
    while (clock_nsec() < end) {
        int r = crowd_pump_until(flow->crowd, MIN(flow->due, end));

        if (r < 0)
            return r;
        if (clock_nsec() < flow->due)
            continue;
        crowd_say(flow->crowd, 0);
        flow->due += NSEC_PER_SEC / GAP_LINES_PER_SECOND;
    }
    return 0;
}

/* Kills the server while lines flow, at the `i`-th moment between two of them. */
static int kill_once(Stage *stage, Flow *flow, unsigned i, double *ret_msec)
{
    unsigned n_ready = stage->server.manager.n_ready;
    uint64_t now, deadline;
    int r;

    r = flow_until(flow, clock_nsec() + FLOW_NSEC + i * NSEC_PER_SEC / GAP_LINES_PER_SECOND / N_KILLS);
    if (r == 0)
        r = crowd_watch(&stage->crowd, stage->server.pid_fd);
    if (r < 0)
        return r;
    flow->longest = 0;
    now = clock_nsec();
    deadline = now + PATIENCE_NSEC;
    server_kill(&stage->server);
    while (r == 0 && (stage->server.manager.n_ready == n_ready || flow->last < now)) {
        if (clock_nsec() > deadline)
            return -ETIMEDOUT;
        r = flow_until(flow, clock_nsec() + FLOW_NSEC / 10);
    }
    if (r == 0)
        r = flow_until(flow, clock_nsec() + FLOW_NSEC);
    *ret_msec = (double) flow->longest / 1e6;
    return r;
}

static int measure_pause(Stage *stage, double *values, char *remark)
{
    Flow flow = {.crowd = &stage->crowd, .listener = stage->room_size - 1};
    unsigned n = stage->setup->is_smoke ? 1 : N_KILLS;
    uint64_t n_expected;
    double msec[N_KILLS];
    int r = 0;

    stage_reset(stage);
    stage->crowd.userdata = &flow;
    stage->crowd.on_heard = hear;
    flow.due = flow.last = clock_nsec();
    for (unsigned i = 0; r == 0 && i < n; i++)
        r = kill_once(stage, &flow, i, &msec[i]);
    n_expected = stage->crowd.n_said * (stage->room_size - 1);
    if (r == 0)
        r = crowd_wait_heard(&stage->crowd, n_expected, PATIENCE_NSEC);
    if (r == 0)
        r = crowd_settle(&stage->crowd, SETTLE_NSEC); /* in case that something comes twice */
    if (r < 0)
        return r;
    if (stage->crowd.n_heard != n_expected)
        (void) snprintf(remark, CASE_REMARK_MAX, "%llu lines were to be heard, and %llu were",
                        (unsigned long long) n_expected, (unsigned long long) stage->crowd.n_heard);
    values[0] = spread_of(msec, n).median;
    values[1] = spread_of(msec, n).most;
    return 0;
}

int survival_run_pause(const Case *c, const CaseSetup *setup, ServerKind kind, double *values, char *remark)
{
    unsigned n = MAX(c->n, 3U);
    Stage stage = {
        .setup = setup,
        .kind = kind,
        .room_size = MIN(n, (unsigned) GAP_ROOM),
        .n_in_rooms = MIN(n, (unsigned) GAP_ROOM),
        .n_senders = 2,
    };
    int r;

    r = stage_start(&stage, n);
    if (r == 0)
        r = stage_fill(&stage);
    if (r == 0)
        r = measure_pause(&stage, values, remark);
    if (r < 0)
        stage_explain(&stage, r, remark);
    stage_done(&stage);
    return r;
}
