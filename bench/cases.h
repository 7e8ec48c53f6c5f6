/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The cases. Each runs one server under one load, and yields one or more figures.
 *
 * - R<n>: 20 lines a second in all, from 10 senders, into one room of n
 * - W<n>: 16 lines always under way, from 10 senders, in one room of n; a line has arrived when a client who
 *   only listens has it, and then the next one is said
 * - P<n>: n rooms of two, all talking: each pair keeps one line under way
 * - idle<n>: n clients who do nothing, from many addresses, in the default configuration: memory, wake-ups
 * - connect<n>: n clients connect at once; then one says a line to all
 * - greeting: from the first connection to the first greeting while the server must still be started
 *
 * And chatd alone, for what it costs that connections outlive the process (survival.h):
 *
 * - vault<n>: n clients connect at once, and then some more; with a descriptor store and without
 * - line: one speaker alone in a room; and of that the transaction
 * - pause<n>: n clients are there when the process is killed; what a listener notices
 */

#include <stdbool.h>
#include <stddef.h>

#include "server.h"

enum { CASE_MAX_MEASURES = 8, CASE_NAME_MAX = 24, CASE_REMARK_MAX = 512 };

/* Answers of case_run() and case_parse(). */
enum { CASE_FAILED = 1, CASE_LEFT_OUT, CASE_UNKNOWN };

/* One figure. A limit of 0 means that none is set; `most` of 0 with `has_most` means: none at all. */
typedef struct Measure {
    const char *what; /* with %u for the size of the case */
    const char *unit;
    int decimals;
    bool is_without; /* the measure before it, without a descriptor store */
    bool is_worst;   /* of all rounds the most counts, not the median */
    bool has_most;
    unsigned most_at;      /* the size that the target is for; 0: all */
    double most;           /* the target: at most this */
    double most_of_bare;   /* at most so many times the bare loop's */
    double most_of_ngircd; /* at most so many times ngircd's */
} Measure;

typedef struct CaseType CaseType;

typedef struct Case {
    const CaseType *type;
    unsigned n;
    char name[CASE_NAME_MAX];
} Case;

typedef enum Observer { OBSERVER_FIRST, OBSERVER_MIDDLE, OBSERVER_LAST } Observer;

typedef struct CaseSetup {
    const char *programs[N_SERVERS]; /* NULL: not to be measured */
    double seconds;                  /* of load in R, W and P */
    unsigned n_text;                 /* bytes of text in a line */
    unsigned n_under_way;            /* lines, in W */
    Observer observer;               /* who listens in W, by the order of the connections */
    bool bare_no_delay;              /* TCP_NODELAY for the bare loop */
    int server_cpu;                  /* -1: any */
    unsigned round;                  /* from 0 on */
    bool is_smoke;                   /* only whether it works: short waits */
} CaseSetup;

struct CaseType {
    const char *prefix;
    bool has_size;
    bool is_steady;   /* the same in each round: one is enough */
    bool is_light;    /* some milliseconds of CPU time in a round: more rounds */
    bool is_survival; /* of chatd alone; has a table of its own */
    unsigned n_measures;
    Measure measures[CASE_MAX_MEASURES];
    int (*run)(const Case *, const CaseSetup *, ServerKind, double *values, char *remark);
};

/* `name` is a prefix with a size, or a prefix alone. 0, or CASE_UNKNOWN. */
int case_parse(const char *name, Case *ret_case);
/* In how many rounds it is run where most are in `n_rounds`; at most SPREAD_VALUES_MAX. */
unsigned case_rounds(const Case *c, unsigned n_rounds);
/*
 * Fills `values` (CASE_MAX_MEASURES), NAN where a figure does not apply. 0, CASE_LEFT_OUT or CASE_FAILED;
 * `remark` (CASE_REMARK_MAX) says why, or is empty. -EINTR: the user wants to stop.
 */
int case_run(const Case *c, const CaseSetup *setup, ServerKind kind, double *values, char *remark);
