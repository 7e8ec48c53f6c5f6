/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * What was measured, round by round. A ratio is taken within a round, where both servers ran one after the
 * other, and the median of the rounds is judged: what slows the whole machine for a while slows both.
 */

#include <stdbool.h>
#include <stdio.h>

#include "cases.h"
#include "spread.h"

enum { REPORT_ROUNDS_MAX = SPREAD_VALUES_MAX, REPORT_TEXT_MAX = 512 };

typedef struct ReportRow {
    const Case *c;
    const Measure *measure;
    double values[N_SERVERS][REPORT_ROUNDS_MAX]; /* NAN: none */
} ReportRow;

typedef struct ReportRemark {
    ServerKind kind;
    char text[CASE_NAME_MAX + CASE_REMARK_MAX];
} ReportRemark;

typedef struct Report {
    unsigned n_rows, n_rounds, n_remarks;
    bool is_judged; /* the targets are named */
    ReportRow *rows;
    ReportRemark *remarks;
    char setup[REPORT_TEXT_MAX], machine[REPORT_TEXT_MAX]; /* sentences */
} Report;

/* One row for each measure of each case. `cases` is borrowed. */
int report_init(Report *report, const Case *cases, unsigned n_cases, unsigned n_rounds, bool is_judged);
void report_done(Report *report);
void report_add(Report *report, const Case *c, ServerKind kind, unsigned round, const double *values);
/* The same remark is kept once. `c` may be NULL. */
void report_remark(Report *report, const Case *c, ServerKind kind, const char *text);

Spread report_value(const Report *report, const ReportRow *row, ServerKind kind);
Spread report_ratio(const Report *report, const ReportRow *row, ServerKind kind, ServerKind to);
bool report_has_server(const Report *report, ServerKind kind);
/* A measure for which servers are compared with the bare loop. */
bool report_is_delivery(const ReportRow *row);
void report_label(const ReportRow *row, char *to, size_t size);

/* Tables in Markdown. */
void report_print(const Report *report, FILE *to);
