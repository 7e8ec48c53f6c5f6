/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/macro.h"
#include "cases.h"
#include "clock.h"
#include "dialect.h"
#include "spread.h"
#include "stage.h"
#include "survival.h"

enum {
    N_SENDERS = 10,
    LINES_PER_SECOND = 20,
    LIGHT_ROUNDS = 5, /* to one of the others */
    N_GREETINGS = 5,
    NGIRCD_ROOM = 2000,
    SPARE_FDS = 64,
};

#define PATIENCE_NSEC (2 * NSEC_PER_SEC)
#define WARM_UP_SECONDS 0.5
/* Large rooms are told after 10 s who came: until then a server that has just been filled is not idle. */
#define IDLE_BEGINS_NSEC (12 * NSEC_PER_SEC)
#define IDLE_SECONDS 5

/* A run of load under way: userdata of the crowd. */
typedef struct Flow {
    Crowd *crowd;
    uint64_t end;
    unsigned n_senders, next; /* R and W: clients 0 to n_senders - 1 take turns */
    unsigned observer;        /* W */
} Flow;

static void say_next(Flow *flow)
{
    crowd_say(flow->crowd, flow->next);
    flow->next = (flow->next + 1) % flow->n_senders;
}

static void answer_as_observer(Crowd *crowd, unsigned client, unsigned n_lines, void *userdata)
{
    Flow *flow = userdata;

    (void) crowd;
    if (client != flow->observer || clock_nsec() >= flow->end)
        return;
    for (unsigned i = 0; i < n_lines; i++)
        say_next(flow);
}

static void answer_partner(Crowd *crowd, unsigned client, unsigned n_lines, void *userdata)
{
    const Flow *flow = userdata;

    for (unsigned i = 0; i < n_lines && clock_nsec() < flow->end; i++)
        crowd_say(crowd, client);
}

/* The load itself, by the kind of case: returns when no more lines are said. */
typedef int (*Load)(Stage *stage, Flow *flow, uint64_t start);

static int load_rate(Stage *stage, Flow *flow, uint64_t start)
{
    (void) stage;
    for (uint64_t due = start; due < flow->end; due += NSEC_PER_SEC / LINES_PER_SECOND) {
        int r = crowd_pump_until(flow->crowd, due);

        if (r < 0)
            return r;
        say_next(flow);
    }
    return 0;
}

static int load_window(Stage *stage, Flow *flow, uint64_t start)
{
    (void) start;
    flow->crowd->on_heard = answer_as_observer;
    for (unsigned i = 0; i < stage->setup->n_under_way; i++)
        say_next(flow);
    return crowd_pump_until(flow->crowd, flow->end);
}

static int load_pairs(Stage *stage, Flow *flow, uint64_t start)
{
    (void) stage;
    (void) start;
    flow->crowd->on_heard = answer_partner;
    for (unsigned i = 0; i < flow->crowd->n; i += 2)
        crowd_say(flow->crowd, i);
    return crowd_pump_until(flow->crowd, flow->end);
}

static unsigned choose_observer(const Stage *stage)
{
    unsigned first = stage->n_senders, last = stage->crowd.n - 1;

    if (stage->setup->observer == OBSERVER_FIRST)
        return first;
    return stage->setup->observer == OBSERVER_LAST ? last : first + (last - first) / 2;
}

/* CPU time of the server for each line that somebody heard, in microseconds. */
static int run_load(Stage *stage, Load load, double seconds, double *ret_usec, char *remark)
{
    uint64_t start, cpu, n_expected;
    Flow flow = {.crowd = &stage->crowd, .n_senders = stage->n_senders, .observer = choose_observer(stage)};
    int r;

    stage_reset(stage);
    stage->crowd.userdata = &flow;
    cpu = server_cpu_nsec(&stage->server);
    start = clock_nsec();
    flow.end = start + (uint64_t) (seconds * (double) NSEC_PER_SEC);
    r = load(stage, &flow, start);
    stage->crowd.on_heard = NULL;
    stage->crowd.userdata = stage;
    if (r < 0)
        return r;
    n_expected = stage->crowd.n_said * (stage->room_size - 1);
    r = crowd_wait_heard(&stage->crowd, n_expected, PATIENCE_NSEC);
    if (r < 0 && r != -ETIMEDOUT)
        return r;
    cpu = server_cpu_nsec(&stage->server) - cpu;
    if (stage->crowd.n_heard == 0)
        return -ETIMEDOUT;
    if (stage->crowd.n_heard != n_expected)
        (void) snprintf(remark, CASE_REMARK_MAX, "%llu lines were to be heard, and %llu were",
                        (unsigned long long) n_expected, (unsigned long long) stage->crowd.n_heard);
    *ret_usec = (double) cpu / 1e3 / (double) stage->crowd.n_heard;
    return 0;
}

static int run_rooms(const CaseSetup *setup, ServerKind kind, unsigned n_rooms, unsigned room_size, Load load,
                     double *values, char *remark)
{
    Stage stage = {
        .setup = setup,
        .kind = kind,
        .room_size = room_size,
        .n_senders = room_size == 2 ? 2 : room_size - 1,
    };
    double warm_up;
    int r;

    stage.n_senders = MIN(stage.n_senders, (unsigned) N_SENDERS);
    if (kind == SERVER_NGIRCD && room_size > NGIRCD_ROOM) {
        (void) snprintf(remark, CASE_REMARK_MAX,
                        "to fill the channel costs it n * n messages: no more than %d here", NGIRCD_ROOM);
        return CASE_LEFT_OUT;
    }
    r = stage_start(&stage, n_rooms * room_size);
    if (r == 0)
        r = stage_fill(&stage);
    if (r == 0)
        r = run_load(&stage, load, MIN(WARM_UP_SECONDS, setup->seconds), &warm_up, remark);
    if (r == 0)
        r = run_load(&stage, load, setup->seconds, &values[0], remark);
    if (r < 0)
        stage_explain(&stage, r, remark);
    stage_done(&stage);
    return r;
}

static int run_rate(const Case *c, const CaseSetup *setup, ServerKind kind, double *values, char *remark)
{
    return run_rooms(setup, kind, 1, MAX(c->n, 3U), load_rate, values, remark);
}

static int run_window(const Case *c, const CaseSetup *setup, ServerKind kind, double *values, char *remark)
{
    return run_rooms(setup, kind, 1, MAX(c->n, 3U), load_window, values, remark);
}

static int run_pairs(const Case *c, const CaseSetup *setup, ServerKind kind, double *values, char *remark)
{
    if (kind == SERVER_NCAT) {
        (void) snprintf(remark, CASE_REMARK_MAX, "it has no rooms");
        return CASE_LEFT_OUT;
    }
    return run_rooms(setup, kind, c->n, 2, load_pairs, values, remark);
}

static int measure_idle(Stage *stage, double *values)
{
    ServerMemory empty, full;
    uint64_t wakeups;
    int r;

    r = server_memory(&stage->server, &empty);
    if (r == 0)
        r = stage_fill(stage);
    if (r == 0)
        r = crowd_pump_until(
            &stage->crowd, clock_nsec() + (stage->setup->is_smoke ? 100 * NSEC_PER_MSEC : IDLE_BEGINS_NSEC));
    if (r < 0)
        return r;
    wakeups = server_wakeups(&stage->server);
    r = crowd_pump_until(&stage->crowd,
                         clock_nsec() +
                             (stage->setup->is_smoke ? 100 * NSEC_PER_MSEC : IDLE_SECONDS * NSEC_PER_SEC));
    if (r < 0)
        return r;
    wakeups = server_wakeups(&stage->server) - wakeups;
    r = server_memory(&stage->server, &full);
    if (r < 0)
        return r;
    values[0] = (double) empty.rss / 1048576;
    values[1] = (double) full.rss / 1048576;
    values[2] = (double) full.pss / 1048576;
    values[3] = (double) full.memfd / 1048576;
    values[4] = ((double) full.rss - (double) empty.rss) / (double) stage->crowd.n;
    values[5] = (double) wakeups;
    return 0;
}

static int run_idle(const Case *c, const CaseSetup *setup, ServerKind kind, double *values, char *remark)
{
    Stage stage = {.setup = setup, .kind = kind, .default_config = true};
    int r;

    if (kind == SERVER_NCAT) {
        (void) snprintf(remark, CASE_REMARK_MAX, "it tells everyone of each who comes");
        return CASE_LEFT_OUT;
    }
    r = stage_start(&stage, c->n);
    if (r == 0)
        r = measure_idle(&stage, values);
    if (r < 0)
        stage_explain(&stage, r, remark);
    stage_done(&stage);
    return r;
}

static int measure_connect(Stage *stage, double *values)
{
    uint64_t cpu = server_cpu_nsec(&stage->server), start;
    int r;

    r = stage_fill(stage);
    if (r < 0)
        return r;
    values[0] = (double) stage->connected_nsec / (double) NSEC_PER_SEC;
    values[1] = (double) (server_cpu_nsec(&stage->server) - cpu) / 1e3 / (double) stage->crowd.n;
    if (stage->kind == SERVER_NGIRCD) /* in no channel: to enter one costs it n * n messages */
        return 0;
    r = crowd_settle(&stage->crowd, 200 * NSEC_PER_MSEC);
    if (r < 0)
        return r;
    stage_reset(stage);
    start = clock_nsec();
    crowd_say(&stage->crowd, 0);
    r = crowd_wait_heard(&stage->crowd, stage->crowd.n - 1, PATIENCE_NSEC);
    values[2] = (double) (clock_nsec() - start) / 1e6;
    return r;
}

static int run_connect(const Case *c, const CaseSetup *setup, ServerKind kind, double *values, char *remark)
{
    Stage stage = {.setup = setup, .kind = kind, .n_senders = 1, .is_storm = true};
    int r;

    if (kind == SERVER_NCAT) {
        (void) snprintf(remark, CASE_REMARK_MAX, "it tells everyone of each who comes");
        return CASE_LEFT_OUT;
    }
    r = stage_start(&stage, c->n);
    if (r == 0)
        r = measure_connect(&stage, values);
    if (r < 0)
        stage_explain(&stage, r, remark);
    stage_done(&stage);
    return r;
}

/* Plays systemd: holds the socket, starts the server when somebody connects. Returns milliseconds. */
static int greet_once(Stage *stage, double *ret_msec)
{
    ServerPlan plan = {
        .kind = stage->kind,
        .program = stage->setup->programs[stage->kind],
        .default_config = true,
        .bare_no_delay = stage->setup->bare_no_delay,
        .cpu = stage->setup->server_cpu,
    };
    CrowdDoor door = {.window = 1, .deadline = clock_nsec() + 10 * NSEC_PER_SEC};
    struct pollfd p = {.events = POLLIN};
    uint64_t start;
    int r;

    r = server_init(&stage->server, &plan);
    if (r == 0)
        r = crowd_init(&stage->crowd, 1);
    if (r < 0)
        return r;
    door.port = stage->server.port;
    p.fd = stage->server.listen_fd;
    start = clock_nsec();
    r = crowd_open_first(&stage->crowd, &door);
    if (r < 0)
        return r;
    if (poll(&p, 1, 1000) != 1)
        return -ETIMEDOUT;
    r = server_spawn(&stage->server);
    if (r == 0)
        r = crowd_connect(&stage->crowd, &door);
    *ret_msec = (double) (clock_nsec() - start) / 1e6;
    return r;
}

static int run_greeting(const Case *c, const CaseSetup *setup, ServerKind kind, double *values, char *remark)
{
    unsigned n = setup->is_smoke ? 1 : N_GREETINGS;
    double msec[N_GREETINGS];

    (void) c;
    if (kind != SERVER_BARE && kind != SERVER_CHATD) {
        (void) snprintf(remark, CASE_REMARK_MAX, "it does not take over a socket");
        return CASE_LEFT_OUT;
    }
    for (unsigned i = 0; i < n; i++) {
        Stage stage = {.setup = setup, .kind = kind, .crowd.epoll_fd = -1};
        int r = greet_once(&stage, &msec[i]);

        if (r < 0)
            stage_explain(&stage, r, remark);
        stage_done(&stage);
        if (r < 0)
            return r;
    }
    values[0] = spread_of(msec, n).median;
    return 0;
}

/* The targets are ratios measured in one run, so that they hold on any machine. */
static const CaseType types[] = {
    {
        .prefix = "R",
        .has_size = true,
        .is_light = true,
        .n_measures = 1,
        .measures[0] = {.what = "20 lines a second into a room of %u",
                        .unit = "µs",
                        .decimals = 2,
                        .most_of_bare = 1.10},
        .run = run_rate,
    },
    {
        .prefix = "W",
        .has_size = true,
        .n_measures = 1,
        .measures[0] = {.what = "16 lines always under way in a room of %u",
                        .unit = "µs",
                        .decimals = 2,
                        .most_of_bare = 0.35,
                        .most_of_ngircd = 0.6},
        .run = run_window,
    },
    {
        .prefix = "P",
        .has_size = true,
        .n_measures = 1,
        .measures[0] =
            {.what = "%u rooms of two, all talking", .unit = "µs", .decimals = 2, .most_of_bare = 1.6},
        .run = run_pairs,
    },
    {
        .prefix = "connect",
        .has_size = true,
        .n_measures = 3,
        .measures[0] = {.what = "%u clients connect and are greeted",
                        .unit = "s",
                        .decimals = 2,
                        .has_most = true,
                        .most = 3},
        .measures[1] = {.what = "CPU time a connection, %u of them", .unit = "µs", .decimals = 1},
        .measures[2] = {.what = "one line to all of %u", .unit = "ms", .decimals = 1},
        .run = run_connect,
    },
    {
        .prefix = "greeting",
        .n_measures = 1,
        .measures[0] = {.what = "first greeting, the server not yet running",
                        .unit = "ms",
                        .decimals = 1,
                        .has_most = true,
                        .most = 50},
        .run = run_greeting,
    },
    {
        .prefix = "idle",
        .has_size = true,
        .is_steady = true,
        .n_measures = 6,
        .measures[0] = {.what = "process memory before the first of %u clients",
                        .unit = "MiB",
                        .decimals = 2},
        .measures[1] = {.what = "process memory with %u idle clients",
                        .unit = "MiB",
                        .decimals = 2,
                        .has_most = true,
                        .most = 8},
        .measures[2] = {.what = "the same for %u, what is shared divided (Pss)",
                        .unit = "MiB",
                        .decimals = 2},
        .measures[3] = {.what = "memory files held open for %u", .unit = "MiB", .decimals = 2},
        .measures[4] =
            {.what = "process memory an idle client, of %u", .unit = "B", .has_most = true, .most = 1024},
        .measures[5] = {.what = "wake-ups in 5 s with %u idle clients", .unit = "", .has_most = true},
        .run = run_idle,
    },
    {
        .prefix = "vault",
        .has_size = true,
        .is_survival = true,
        .n_measures = 6,
        .measures[0] = {.what = "%u clients connect and are greeted", .unit = "ms", .decimals = 1},
        .measures[1] = {.unit = "ms", .decimals = 1, .is_without = true},
        .measures[2] = {.what = "CPU time for each of 500 more, %u being there", .unit = "µs", .decimals = 1},
        .measures[3] = {.unit = "µs", .decimals = 1, .is_without = true},
        .measures[4] = {.what = "messages to the service manager while %u came", .unit = ""},
        .measures[5] = {.what = "descriptors in its store for %u clients", .unit = ""},
        .run = survival_run_vault,
    },
    {
        .prefix = "line",
        .is_survival = true,
        .n_measures = 4,
        .measures[0] = {.what = "CPU time for a line that nobody hears", .unit = "µs", .decimals = 2},
        .measures[1] = {.what = "of this the transaction: sender, room, counters",
                        .unit = "µs",
                        .decimals = 3},
        .measures[2] = {.what = "its part in that", .unit = "%", .decimals = 1},
        .measures[3] = {.what = "the transaction of a delivery to one listener", .unit = "µs", .decimals = 3},
        .run = survival_run_line,
    },
    {
        .prefix = "pause",
        .has_size = true,
        .is_survival = true,
        .n_measures = 2,
        .measures[0] = {.what = "`kill -9` with %u clients: gap in 100 lines a second",
                        .unit = "ms",
                        .decimals = 1,
                        .has_most = true,
                        .most_at = 1000,
                        .most = 250},
        .measures[1] = {.what = "the same with %u clients, at worst",
                        .unit = "ms",
                        .decimals = 1,
                        .is_worst = true,
                        .has_most = true,
                        .most_at = 1000,
                        .most = 250},
        .run = survival_run_pause,
    },
};

int case_parse(const char *name, Case *ret_case)
{
    for (size_t i = 0; i < N_ELEMENTS(types); i++) {
        size_t n = strlen(types[i].prefix);
        unsigned long size;
        char *end;

        if (strncmp(name, types[i].prefix, n) != 0)
            continue;
        size = strtoul(name + n, &end, 10);
        if (*end != '\0' || (types[i].has_size != (end != name + n)) || size > 1000000 ||
            (types[i].has_size && size == 0))
            continue;
        *ret_case = (Case){.type = &types[i], .n = (unsigned) size};
        (void) snprintf(ret_case->name, sizeof(ret_case->name), "%s", name);
        return 0;
    }
    return CASE_UNKNOWN;
}

/* One round is for those who only want to know whether it works. */
unsigned case_rounds(const Case *c, unsigned n_rounds)
{
    if (c->type->is_steady || n_rounds == 1)
        return 1;
    return MIN(c->type->is_light ? LIGHT_ROUNDS * n_rounds : n_rounds, (unsigned) SPREAD_VALUES_MAX);
}

/* The clients of a case, all at once. */
static unsigned n_clients(const Case *c)
{
    if (c->type->run == survival_run_vault)
        return c->n + SURVIVAL_MORE;
    return c->type->run == run_pairs ? 2 * c->n : c->n;
}

int case_run(const Case *c, const CaseSetup *setup, ServerKind kind, double *values, char *remark)
{
    struct rlimit limit;
    int r;

    remark[0] = '\0';
    for (unsigned i = 0; i < CASE_MAX_MEASURES; i++)
        values[i] = NAN;
    if (c->type->is_survival && kind != SERVER_CHATD)
        return CASE_LEFT_OUT;
    if (n_clients(c) > dialect_most_clients(kind)) {
        (void) snprintf(remark, CASE_REMARK_MAX, "it can not hold so many clients (select(2))");
        return CASE_LEFT_OUT;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && n_clients(c) + SPARE_FDS > limit.rlim_cur) {
        (void) snprintf(remark, CASE_REMARK_MAX, "the limit of open files here is %llu (ulimit -n)",
                        (unsigned long long) limit.rlim_cur);
        return CASE_LEFT_OUT;
    }
    r = c->type->run(c, setup, kind, values, remark);
    return r < 0 && r != -EINTR ? CASE_FAILED : r;
}
