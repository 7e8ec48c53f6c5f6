/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <math.h>
#include <stdio.h>

#include "base/macro.h"
#include "plot.h"

enum {
    WIDTH = 860,
    LEFT = 322,  /* where the bars begin */
    RIGHT = 110, /* kept free for the figures behind the bars */
    HEAD = 92,
    FOOT = 58,
    BAR = 16,
    GAP = 3,      /* between the bars of a case */
    BETWEEN = 18, /* between cases */
};

/* A peer that costs many times the bare loop must not squeeze all else: its bar is cut. */
#define SCALE_END 2.5

static const char *const colours[N_SERVERS] = {"#8b949e", "#1f77b4", "#e39a3b", "#7f9f6b"};
static const char *const labels[N_SERVERS] = {"bare loop", "chatd", "ngircd", "ncat --chat"};

typedef struct Plot {
    const Report *report;
    FILE *to;
    double scale; /* pixels for a ratio of 1 */
    int height;
} Plot;

/* The letters that XML takes for its own. */
static void print_text(FILE *to, const char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '<')
            (void) fprintf(to, "&lt;");
        else if (*text == '&')
            (void) fprintf(to, "&amp;");
        else
            (void) fputc(*text, to);
}

static bool has_bar(const Report *report, const ReportRow *row, ServerKind kind)
{
    return kind != SERVER_BARE && !isnan(report_ratio(report, row, kind, SERVER_BARE).median);
}

static unsigned n_bars(const Report *report, const ReportRow *row)
{
    unsigned n = 0;

    for (unsigned s = 0; report_is_delivery(row) && s < N_SERVERS; s++)
        n += has_bar(report, row, (ServerKind) s);
    return n;
}

static void measure_plot(Plot *plot)
{
    double most = 1.2;
    int height = HEAD;

    for (unsigned i = 0; i < plot->report->n_rows; i++) {
        const ReportRow *row = &plot->report->rows[i];
        unsigned n = n_bars(plot->report, row);

        if (n == 0)
            continue;
        height += (int) n * (BAR + GAP) + BETWEEN;
        most = MAX(most, row->measure->most_of_bare);
        for (unsigned s = 0; s < N_SERVERS; s++)
            if (has_bar(plot->report, row, (ServerKind) s))
                most = MAX(most, report_ratio(plot->report, row, (ServerKind) s, SERVER_BARE).median);
    }
    plot->height = height + FOOT;
    plot->scale = (WIDTH - LEFT - RIGHT) / MIN(most, SCALE_END);
}

static void draw_head(const Plot *plot)
{
    int x = 20;

    (void) fprintf(
        plot->to,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
        "font-family=\"system-ui, 'DejaVu Sans', Arial, sans-serif\" font-size=\"13\" fill=\"#24292f\">\n"
        "<rect width=\"%d\" height=\"%d\" rx=\"6\" fill=\"#ffffff\"/>\n"
        "<text x=\"20\" y=\"30\" font-size=\"17\" font-weight=\"600\">CPU time of the server for one "
        "delivered line</text>\n"
        "<text x=\"20\" y=\"50\" fill=\"#57606a\">as a multiple of what a bare loop of send(2) takes for "
        "it; shorter is better</text>\n",
        WIDTH, plot->height, WIDTH, plot->height, WIDTH, plot->height);
    for (unsigned s = 0; s < N_SERVERS; s++) {
        if (s == SERVER_BARE || !report_has_server(plot->report, (ServerKind) s))
            continue;
        (void) fprintf(plot->to,
                       "<rect x=\"%d\" y=\"64\" width=\"12\" height=\"12\" fill=\"%s\"/>\n"
                       "<text x=\"%d\" y=\"75\">%s</text>\n",
                       x, colours[s], x + 18, labels[s]);
        x += 110;
    }
    (void) fprintf(plot->to,
                   "<line x1=\"%d\" y1=\"62\" x2=\"%d\" y2=\"78\" stroke=\"#cf222e\" stroke-width=\"3\"/>\n"
                   "<text x=\"%d\" y=\"75\">target for chatd: at most</text>\n",
                   x + 6, x + 6, x + 18);
}

static void draw_bar(const Plot *plot, const ReportRow *row, ServerKind kind, int y)
{
    double ratio = report_ratio(plot->report, row, kind, SERVER_BARE).median;
    double mark = LEFT + row->measure->most_of_bare * plot->scale;
    double end = LEFT + MIN(ratio, SCALE_END) * plot->scale;

    (void) fprintf(plot->to, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", LEFT, y,
                   end - LEFT, BAR, colours[kind]);
    if (ratio > SCALE_END)
        (void) fprintf(plot->to, "<path d=\"M%.1f %d l8 %d h5 l-8 %d z\" fill=\"#ffffff\"/>\n", end - 30,
                       y - 1, BAR + 2, -BAR - 2);
    if (kind == SERVER_CHATD) {
        (void) fprintf(
            plot->to,
            "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#cf222e\" stroke-width=\"3\"/>\n",
            mark, y - 2, mark, y + BAR + 2);
        if (end < mark + 4 && end + 100 > mark) /* the figure would lie on the mark */
            end = mark;
    }
    (void) fprintf(plot->to,
                   "<text x=\"%.1f\" y=\"%d\">%.2f<tspan dx=\"8\" fill=\"#57606a\" font-size=\"11\">%.2f "
                   "%s</tspan></text>\n",
                   end + 7, y + 13, ratio, report_value(plot->report, row, kind).median, row->measure->unit);
}

static void draw_rows(const Plot *plot)
{
    int y = HEAD + 6;

    for (unsigned i = 0; i < plot->report->n_rows; i++) {
        const ReportRow *row = &plot->report->rows[i];
        int n = (int) n_bars(plot->report, row);
        char label[128];

        if (n == 0)
            continue;
        report_label(row, label, sizeof(label));
        (void) fprintf(plot->to, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", LEFT - 12,
                       y + (n * (BAR + GAP) - GAP) / 2 + 5, label);
        for (unsigned s = 0; s < N_SERVERS; s++)
            if (has_bar(plot->report, row, (ServerKind) s)) {
                draw_bar(plot, row, (ServerKind) s, y);
                y += BAR + GAP;
            }
        y += BETWEEN;
    }
}

static void draw_axes(const Plot *plot)
{
    double bare = LEFT + plot->scale;
    int bottom = plot->height - FOOT;

    (void) fprintf(
        plot->to,
        "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"#57606a\"/>\n"
        "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#8c959f\" stroke-dasharray=\"4 3\"/>\n"
        "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" fill=\"#57606a\">bare loop = 1</text>\n",
        LEFT, HEAD, LEFT, bottom - 6, bare, HEAD, bare, bottom - 6, bare, bottom + 10);
}

static void draw_foot(const Plot *plot)
{
    (void) fprintf(plot->to, "<text x=\"20\" y=\"%d\" font-size=\"10\" fill=\"#57606a\">", plot->height - 16);
    print_text(plot->to, plot->report->machine);
    (void) fprintf(plot->to, "</text>\n</svg>\n");
}

void plot_print(const Report *report, FILE *to)
{
    Plot plot = {.report = report, .to = to};

    measure_plot(&plot);
    draw_head(&plot);
    draw_axes(&plot);
    draw_rows(&plot);
    draw_foot(&plot);
}
