/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "beside.h"
#include "clock.h"
#include "crowd.h"

enum {
    SPEAKER,
    LISTENER,
    FIRST_SEARCHER,
    N_SEARCHERS = 4, /* each with somebody in a room of their own, who hears when there was an answer */
    N_CLIENTS = FIRST_SEARCHER + 2 * N_SEARCHERS,
};

#define PAUSE_NSEC (20 * NSEC_PER_MSEC) /* between lines */
#define LATE_NSEC (5 * NSEC_PER_SEC)

typedef struct Beside {
    Server server;
    Crowd crowd;
    const char *const *questions;
    unsigned n_asked, n_answered, n_measured;
    uint64_t said; /* when the line was, that is under way */
    bool is_searching, is_heard;
    unsigned n_lines;
    double msec[BESIDE_LINES_MAX];
} Beside;

/* The mark is said after the answer, for a line is executed when the one before it is done. */
static void search(Beside *beside, unsigned searcher)
{
    const char *question = beside->questions[beside->n_asked];
    char text[256];
    int n = snprintf(text, sizeof(text), "/search %s\n%c\n", question, CROWD_MARK);

    beside->n_asked++;
    if (beside->questions[beside->n_asked] == NULL)
        beside->n_asked = 0;
    crowd_send(&beside->crowd, searcher, text, (size_t) n);
}

static void on_heard(Crowd *crowd, unsigned client, unsigned n_lines, void *userdata)
{
    Beside *beside = userdata;

    (void) crowd;
    if (client == LISTENER) {
        beside->is_heard = true;
        return;
    }
    beside->n_answered += n_lines;
    if (beside->is_searching)
        search(beside, client - 1);
}

static int say_one(Beside *beside)
{
    uint64_t deadline;
    int r = 0;

    beside->is_heard = false;
    beside->said = clock_nsec();
    deadline = beside->said + LATE_NSEC;
    crowd_say(&beside->crowd, SPEAKER);
    while (r >= 0 && !beside->is_heard) {
        if (clock_nsec() > deadline)
            return -ETIMEDOUT;
        r = crowd_pump(&beside->crowd, 100);
    }
    if (r < 0)
        return r;
    beside->msec[beside->n_measured++] = (double) (clock_nsec() - beside->said) / (double) NSEC_PER_MSEC;
    return crowd_pump_until(&beside->crowd, beside->said + PAUSE_NSEC);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

static int measure(Beside *beside, const char *name)
{
    const unsigned n = beside->n_lines;
    int r = 0;

    beside->n_measured = 0;
    while (r == 0 && beside->n_measured < beside->n_lines)
        r = say_one(beside);
    if (r < 0)
        return r;
    qsort(beside->msec, n, sizeof(beside->msec[0]), compare);
    (void) printf("| %s | median %.2f ms, 99 of 100 within %.2f ms, at most %.1f ms |\n", name,
                  beside->msec[n / 2], beside->msec[n - 1 - n / 100], beside->msec[n - 1]);
    (void) fflush(stdout);
    return 0;
}

static int enter(Beside *beside)
{
    const CrowdDoor door = {
        .port = beside->server.port, .window = N_CLIENTS, .deadline = clock_nsec() + 10 * NSEC_PER_SEC};
    char text[64];
    int r, n;

    beside->crowd.on_heard = on_heard;
    beside->crowd.userdata = beside;
    r = crowd_connect(&beside->crowd, &door);
    if (r == 0)
        r = crowd_give_line(&beside->crowd, SPEAKER, "a line |\n");
    for (unsigned i = FIRST_SEARCHER; r == 0 && i < N_CLIENTS; i++) {
        n = snprintf(text, sizeof(text), "/join #pair%u\n/leave #lobby\n", i / 2);
        crowd_send(&beside->crowd, i, text, (size_t) n);
    }
    return r == 0 ? crowd_settle(&beside->crowd, NSEC_PER_SEC / 2) : r;
}

static int run(Beside *beside)
{
    uint64_t begin;
    int r = enter(beside);

    if (r == 0)
        r = measure(beside, "a line, nobody searches");
    if (r < 0)
        return r;
    beside->is_searching = true;
    for (unsigned i = 0; i < N_SEARCHERS; i++)
        search(beside, FIRST_SEARCHER + 2 * i);
    begin = clock_nsec();
    r = measure(beside, "a line, four search");
    if (r == 0)
        (void) printf("| searches meanwhile | %.0f a second |\n",
                      beside->n_answered / ((double) (clock_nsec() - begin) / (double) NSEC_PER_SEC));
    return r;
}

int beside_measure(const char *chatd, const char *folder, const char *const *questions, unsigned n_lines)
{
    const ServerPlan plan = {
        .kind = SERVER_CHATD, .program = chatd, .n_clients = N_CLIENTS, .state_directory = folder, .cpu = -1};
    Beside beside = {.questions = questions, .n_lines = MAX(1U, MIN(n_lines, (unsigned) BESIDE_LINES_MAX))};
    int r = crowd_init(&beside.crowd, N_CLIENTS);

    if (r < 0)
        return r;
    r = server_start(&beside.server, &plan);
    if (r == 0)
        r = run(&beside);
    if (r < 0)
        (void) fprintf(stderr, "archive: %s: %s %s\n", chatd, strerror(-r), beside.server.remark);
    crowd_done(&beside.crowd);
    server_done(&beside.server);
    return r;
}
