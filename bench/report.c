/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "report.h"

static const char *const titles[N_SERVERS] = {"bare `send`", "chatd", "ngircd", "`ncat --chat`"};

int report_init(Report *report, const Case *cases, unsigned n_cases, unsigned n_rounds, bool is_judged)
{
    unsigned n = 0;

    *report = (Report){.is_judged = is_judged};
    report->n_rounds = n_rounds;
    for (unsigned i = 0; i < n_cases; i++)
        n += cases[i].type->n_measures;
    report->rows = calloc(MAX(n, 1U), sizeof(ReportRow));
    if (report->rows == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < n_cases; i++)
        for (unsigned k = 0; k < cases[i].type->n_measures; k++) {
            ReportRow *row = &report->rows[report->n_rows++];

            row->c = &cases[i];
            row->measure = &cases[i].type->measures[k];
            for (unsigned s = 0; s < N_SERVERS; s++)
                for (unsigned round = 0; round < REPORT_ROUNDS_MAX; round++)
                    row->values[s][round] = NAN;
        }
    return 0;
}

void report_done(Report *report)
{
    free(report->rows);
    free(report->remarks);
    *report = (Report){0};
}

void report_add(Report *report, const Case *c, ServerKind kind, unsigned round, const double *values)
{
    unsigned k = 0;

    for (unsigned i = 0; i < report->n_rows; i++)
        if (report->rows[i].c == c)
            report->rows[i].values[kind][round] = values[k++];
}

void report_remark(Report *report, const Case *c, ServerKind kind, const char *text)
{
    ReportRemark remark = {.kind = kind}, *remarks;

    (void) snprintf(remark.text, sizeof(remark.text), "%s%s%s", c != NULL ? c->name : "",
                    c != NULL ? ": " : "", text);
    for (unsigned i = 0; i < report->n_remarks; i++)
        if (report->remarks[i].kind == kind && strcmp(report->remarks[i].text, remark.text) == 0)
            return;
    remarks = reallocarray(report->remarks, report->n_remarks + 1, sizeof(*remarks));
    if (remarks == NULL)
        return;
    report->remarks = remarks;
    remarks[report->n_remarks++] = remark;
}

Spread report_value(const Report *report, const ReportRow *row, ServerKind kind)
{
    return spread_of(row->values[kind], case_rounds(row->c, report->n_rounds));
}

Spread report_ratio(const Report *report, const ReportRow *row, ServerKind kind, ServerKind to)
{
    unsigned n_rounds = case_rounds(row->c, report->n_rounds);
    double ratios[REPORT_ROUNDS_MAX];

    for (unsigned i = 0; i < n_rounds; i++)
        ratios[i] = row->values[kind][i] / row->values[to][i]; /* NAN if either is */
    return spread_of(ratios, n_rounds);
}

bool report_has_server(const Report *report, ServerKind kind)
{
    for (unsigned i = 0; i < report->n_rows; i++)
        if (!isnan(report_value(report, &report->rows[i], kind).median))
            return true;
    return false;
}

bool report_is_delivery(const ReportRow *row)
{
    return row->measure->most_of_bare > 0;
}

void report_label(const ReportRow *row, char *to, size_t size)
{
    const char *what = row->measure->what, *gap = strstr(what, "%u");

    if (gap == NULL)
        (void) snprintf(to, size, "%s", what);
    else
        (void) snprintf(to, size, "%.*s%u%s", (int) (gap - what), what, row->c->n, gap + 2);
}

static void print_value(FILE *to, const Measure *measure, double value)
{
    if (isnan(value))
        (void) fprintf(to, " – |");
    else
        (void) fprintf(to, " %.*f%s%s |", measure->decimals, value, *measure->unit != '\0' ? " " : "",
                       measure->unit);
}

static const char *verdict(bool is_met)
{
    return is_met ? "met" : "**not met**";
}

/* "0.31 (0.30–0.33); at most 0.35: met" */
static void print_ratio(FILE *to, const Report *report, const ReportRow *row, ServerKind base, double most)
{
    Spread ratio = report_ratio(report, row, SERVER_CHATD, base);

    if (isnan(ratio.median)) {
        (void) fprintf(to, " – |");
        return;
    }
    (void) fprintf(to, " %.2f", ratio.median);
    if (report->n_rounds > 1)
        (void) fprintf(to, " (%.2f–%.2f)", ratio.least, ratio.most);
    if (most > 0 && report->is_judged)
        (void) fprintf(to, "; at most %.2f: %s", most, verdict(ratio.median <= most));
    (void) fprintf(to, " |");
}

static void print_heads(FILE *to, const Report *report, const char *first, const char *rest, unsigned n_rest)
{
    (void) fprintf(to, "| %s |", first);
    for (unsigned s = 0; s < N_SERVERS; s++)
        if (report_has_server(report, (ServerKind) s))
            (void) fprintf(to, " %s |", titles[s]);
    (void) fprintf(to, "%s\n|---|", rest);
    for (unsigned s = 0; s < N_SERVERS; s++)
        if (report_has_server(report, (ServerKind) s))
            (void) fprintf(to, "--:|");
    for (unsigned i = 0; i < n_rest; i++)
        (void) fprintf(to, "---|");
    (void) fprintf(to, "\n");
}

static void print_row_begin(FILE *to, const Report *report, const ReportRow *row)
{
    char label[128];

    report_label(row, label, sizeof(label));
    (void) fprintf(to, "| %s |", label);
    for (unsigned s = 0; s < N_SERVERS; s++)
        if (report_has_server(report, (ServerKind) s))
            print_value(to, row->measure, report_value(report, row, (ServerKind) s).median);
}

static void print_deliveries(FILE *to, const Report *report)
{
    bool has_heads = false;

    for (unsigned i = 0; i < report->n_rows; i++) {
        const ReportRow *row = &report->rows[i];

        if (!report_is_delivery(row))
            continue;
        if (!has_heads)
            print_heads(to, report, "CPU time a delivered line", " chatd / bare | chatd / ngircd |", 2);
        has_heads = true;
        print_row_begin(to, report, row);
        print_ratio(to, report, row, SERVER_BARE, row->measure->most_of_bare);
        print_ratio(to, report, row, SERVER_NGIRCD, row->measure->most_of_ngircd);
        (void) fprintf(to, "\n");
    }
    if (has_heads)
        (void) fprintf(to, "\n");
}

static void print_target(FILE *to, const ReportRow *row, double value)
{
    const Measure *measure = row->measure;
    bool has_most = measure->has_most && (measure->most_at == 0 || measure->most_at == row->c->n);

    if (has_most && measure->most > 0)
        (void) fprintf(to, " at most %g%s%s", measure->most, *measure->unit != '\0' ? " " : "",
                       measure->unit);
    else if (has_most)
        (void) fprintf(to, " none");
    if (has_most && !isnan(value))
        (void) fprintf(to, ": %s", verdict(value <= measure->most));
    (void) fprintf(to, " |");
}

static void print_others(FILE *to, const Report *report)
{
    bool has_heads = false;

    for (unsigned i = 0; i < report->n_rows; i++) {
        const ReportRow *row = &report->rows[i];

        if (report_is_delivery(row) || row->c->type->is_survival)
            continue;
        if (!has_heads && report->is_judged)
            print_heads(to, report, "", " target for chatd |", 1);
        else if (!has_heads)
            print_heads(to, report, "", "", 0);
        has_heads = true;
        print_row_begin(to, report, row);
        if (report->is_judged)
            print_target(to, row, report_value(report, row, SERVER_CHATD).median);
        (void) fprintf(to, "\n");
    }
    if (has_heads)
        (void) fprintf(to, "\n");
}

/* The figure that counts of a row in that table. */
static double survival_value(const Report *report, const ReportRow *row)
{
    Spread spread = report_value(report, row, SERVER_CHATD);

    return row->measure->is_worst ? spread.most : spread.median;
}

/* `without`: the same without a descriptor store, or NULL. */
static void print_survival_row(FILE *to, const Report *report, const ReportRow *row, const ReportRow *without)
{
    char label[128];

    report_label(row, label, sizeof(label));
    (void) fprintf(to, "| %s |", label);
    print_value(to, row->measure, survival_value(report, row));
    if (without != NULL)
        print_value(to, without->measure, survival_value(report, without));
    else
        (void) fprintf(to, " |");
    if (report->is_judged)
        print_target(to, row, survival_value(report, row));
    (void) fprintf(to, "\n");
}

/* The same measure at all sizes, if this row is the first of them. Whether there was anything to print. */
static bool print_survival_measure(FILE *to, const Report *report, unsigned first)
{
    const Measure *measure = report->rows[first].measure;

    if (!report->rows[first].c->type->is_survival || measure->is_without)
        return false;
    for (unsigned i = 0; i < first; i++)
        if (report->rows[i].measure == measure)
            return false;
    for (unsigned i = first; i < report->n_rows; i++) {
        const ReportRow *row = &report->rows[i], *next = row + 1;
        bool has_without = i + 1 < report->n_rows && next->c == row->c && next->measure->is_without;

        if (row->measure == measure)
            print_survival_row(to, report, row, has_without ? next : NULL);
    }
    return true;
}

static void print_survival(FILE *to, const Report *report)
{
    const char *target = report->is_judged ? " target |" : "", *line = report->is_judged ? "---|" : "";
    bool has_heads = false, has_pause = false;

    for (unsigned i = 0; i < report->n_rows; i++) {
        if (!report->rows[i].c->type->is_survival)
            continue;
        if (!has_heads)
            (void) fprintf(to, "| What survival costs | chatd | without a store |%s\n|---|--:|--:|%s\n",
                           target, line);
        has_heads = true;
        if (print_survival_measure(to, report, i) && report->rows[i].measure->is_worst)
            has_pause = true;
    }
    if (has_pause)
        (void) fprintf(
            to, "\nA gap is the longest time between two lines that a listener sees, 10 ms when nothing "
                "happens. The bench plays the service manager: what systemd itself takes to start a service "
                "(30 to 60 ms) comes on top, and the system tests measure it.\n");
    if (has_heads)
        (void) fprintf(to, "\n");
}

static void print_rounds(FILE *to, const Report *report)
{
    unsigned n_rounds = report->n_rounds;

    (void) fprintf(to, "Median of %u round%s", n_rounds, n_rounds == 1 ? "" : "s");
    for (unsigned i = 0; i < report->n_rows; i++) {
        const Case *c = report->rows[i].c;

        if (c->type->is_light && case_rounds(c, n_rounds) != n_rounds) {
            (void) fprintf(to, " (of %u where there is little to measure in one, the cases `%s<n>`)",
                           case_rounds(c, n_rounds), c->type->prefix);
            break;
        }
    }
    (void) fprintf(to, ", in which the servers took turns; a ratio is that of one round%s.\n",
                   n_rounds == 1 ? "" : ", with the least and the most in brackets");
}

void report_print(const Report *report, FILE *to)
{
    print_deliveries(to, report);
    print_others(to, report);
    print_survival(to, report);
    print_rounds(to, report);
    (void) fprintf(to, "%s\n", report->setup);
    (void) fprintf(to, "%s\n", report->machine);
    for (unsigned i = 0; i < report->n_remarks; i++)
        (void) fprintf(to, "%s- %s, %s\n", i == 0 ? "\n" : "", server_name(report->remarks[i].kind),
                       report->remarks[i].text);
}
