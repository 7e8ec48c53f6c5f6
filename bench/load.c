/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * The load generator and measurer: for each case and round it starts each server in turn, puts the load on
 * it, and reads what it used. See cases.h for the cases, and report.h for what is made of the figures.
 */

#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/macro.h"
#include "cases.h"
#include "clock.h"
#include "machine.h"
#include "plot.h"
#include "report.h"

enum { N_CASES_MAX = 64, EXIT_USAGE = 64 };

#define CASES_ALL                                                                                            \
    "R100,R1000,R5000,W100,W1000,P500,connect9000,greeting,idle9000,vault100,vault1000,vault9000,line,"      \
    "pause100,pause1000,pause9000"
#define CASES_SMOKE "R20,W20,P4,connect30,greeting,idle30,vault20,line,pause20"

typedef struct Options {
    CaseSetup setup;
    Case cases[N_CASES_MAX];
    unsigned n_cases;
    unsigned rounds;
    const char *case_list, *servers, *chatd, *bare, *output, *plot; /* borrowed; NULL: not given */
    bool pin;
    char *found[N_SERVERS]; /* owned */
} Options;

static int help(FILE *to)
{
    (void) fprintf(
        to,
        "Usage: load [OPTION]...\n"
        "Measures what chatd and its peers cost on this machine, and prints a table in Markdown.\n\n"
        "  --case=NAME,...     these cases only. Known are R<n> W<n> P<n> connect<n> greeting idle<n>,\n"
        "                      and of chatd alone vault<n> line pause<n>; at first:\n"
        "                      " CASES_ALL "\n"
        "  --rounds=N          rounds of each (3), five times as many of R; the median counts\n"
        "  --seconds=S         seconds of load in a case (4)\n"
        "  --servers=NAME,...  of bare, chatd, ngircd, ncat; at first all that are there\n"
        "  --chatd=FILE        the daemon (or CHATD in the environment; ../src/chatd)\n"
        "  --bare=FILE         the bare loop (the one beside this program)\n"
        "  --text=BYTES        text in a line (48)\n"
        "  --under-way=N       lines under way in W (16)\n"
        "  --observer=WHO      who listens in W, by the order of coming: first, middle (middle), last\n"
        "  --no-delay          TCP_NODELAY for the bare loop too, which is dearer for it when lines are "
        "many\n"
        "  --pin               the server on one core, the load on another\n"
        "  --output=FILE       the table to a file as well\n"
        "  --plot=FILE         a bar chart in SVG\n"
        "  --smoke             tiny sizes, seconds in all: only whether every case works\n"
        "  --help              this text\n\n"
        "The exit status is 0 if the bare loop and chatd got through every case, whatever the figures.\n");
    return to == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

/* A number of an option, within bounds; says what is wrong. */
static int parse_option_number(const char *name, const char *text, double least, double most, double *ret)
{
    char *end;
    double value = strtod(text, &end);

    if (*text == '\0' || *end != '\0' || !(value >= least && value <= most)) {
        (void) fprintf(stderr, "load: --%s=%s: give a number from %g to %g\n", name, text, least, most);
        return -EINVAL;
    }
    *ret = value;
    return 0;
}

static int parse_observer(const char *text, Observer *ret)
{
    static const char *const names[] = {"first", "middle", "last"};

    for (unsigned i = 0; i < N_ELEMENTS(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *ret = (Observer) i;
            return 0;
        }
    (void) fprintf(stderr, "load: --observer=%s: give first, middle or last\n", text);
    return -EINVAL;
}

static const struct option long_options[] = {
    {"case", required_argument, NULL, 'c'},
    {"rounds", required_argument, NULL, 'r'},
    {"seconds", required_argument, NULL, 's'},
    {"servers", required_argument, NULL, 'v'},
    {"chatd", required_argument, NULL, 'd'},
    {"bare", required_argument, NULL, 'b'},
    {"text", required_argument, NULL, 't'},
    {"under-way", required_argument, NULL, 'u'},
    {"observer", required_argument, NULL, 'o'},
    {"no-delay", no_argument, NULL, 'n'},
    {"pin", no_argument, NULL, 'p'},
    {"output", required_argument, NULL, 'f'},
    {"plot", required_argument, NULL, 'g'},
    {"smoke", no_argument, NULL, 'k'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int parse_option(Options *options, int c, const char *name)
{
    double number = 0;
    int r = 0;

    switch (c) {
    case 'c':
        options->case_list = optarg;
        break;
    case 'r':
        r = parse_option_number(name, optarg, 1, REPORT_ROUNDS_MAX, &number);
        options->rounds = (unsigned) number;
        break;
    case 's':
        r = parse_option_number(name, optarg, 0.05, 600, &options->setup.seconds);
        break;
    case 'v':
        options->servers = optarg;
        break;
    case 'd':
        options->chatd = optarg;
        break;
    case 'b':
        options->bare = optarg;
        break;
    case 't':
        r = parse_option_number(name, optarg, 1, 500, &number);
        options->setup.n_text = (unsigned) number;
        break;
    case 'u':
        r = parse_option_number(name, optarg, 1, 1000, &number);
        options->setup.n_under_way = (unsigned) number;
        break;
    case 'o':
        r = parse_observer(optarg, &options->setup.observer);
        break;
    case 'n':
        options->setup.bare_no_delay = true;
        break;
    case 'p':
        options->pin = true;
        break;
    case 'f':
        options->output = optarg;
        break;
    case 'g':
        options->plot = optarg;
        break;
    case 'k':
        options->setup.is_smoke = true;
        break;
    default:
        r = -EINVAL;
        break;
    }
    return r;
}

static int parse_cases(Options *options)
{
    const char *text = options->case_list;
    char name[CASE_NAME_MAX];

    if (text == NULL)
        text = options->setup.is_smoke ? CASES_SMOKE : CASES_ALL;
    do {
        size_t n = strcspn(text, ",");

        (void) snprintf(name, sizeof(name), "%.*s", (int) MIN(n, (size_t) CASE_NAME_MAX), text);
        if (options->n_cases >= N_CASES_MAX || case_parse(name, &options->cases[options->n_cases]) != 0) {
            (void) fprintf(stderr,
                           "load: '%s' is no case; give R100, W1000, P500, connect9000, greeting, idle9000, "
                           "vault9000, line, pause1000 or the like (at most %d)\n",
                           name, N_CASES_MAX);
            return -EINVAL;
        }
        options->n_cases++;
        text += n + (text[n] == ',');
    } while (*text != '\0');
    return 0;
}

static int parse_argv(Options *options, int argc, char *argv[])
{
    int c, index = 0, r;

    *options = (Options){
        .rounds = 3,
        .setup =
            {.seconds = 4, .n_text = 48, .n_under_way = 16, .observer = OBSERVER_MIDDLE, .server_cpu = -1},
        .chatd = getenv("CHATD"),
    };
    while ((c = getopt_long(argc, argv, "", long_options, &index)) != -1) {
        if (c == 'h')
            exit(help(stdout));
        r = c == '?' ? -EINVAL : parse_option(options, c, long_options[index].name);
        if (r < 0)
            return r;
    }
    if (optind < argc) {
        (void) fprintf(stderr, "load: '%s' is not understood; see load --help\n", argv[optind]);
        return -EINVAL;
    }
    if (options->setup.is_smoke) {
        options->rounds = 1;
        options->setup.seconds = 0.15;
    }
    return parse_cases(options);
}

static bool is_wanted(const Options *options, ServerKind kind)
{
    const char *name = server_name(kind), *at = options->servers;
    size_t n = strlen(name);

    if (at == NULL)
        return true;
    for (; at != NULL; at = strchr(at, ','), at = at != NULL ? at + 1 : NULL)
        if (strncmp(at, name, n) == 0 && (at[n] == ',' || at[n] == '\0'))
            return true;
    return false;
}

/* Beside this program, or where `relative` leads from there. */
static char *find_near(const char *relative)
{
    char self[PATH_MAX], *path;
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n < 0)
        return NULL;
    self[n] = '\0';
    return asprintf(&path, "%s/%s", dirname(self), relative) < 0 ? NULL : path;
}

/* 0, or -ENOENT if a server that must be there is not. */
static int find_programs(Options *options, Report *report)
{
    options->found[SERVER_BARE] = options->bare != NULL ? strdup(options->bare) : find_near("bare");
    options->found[SERVER_CHATD] = options->chatd != NULL && *options->chatd != '\0'
                                       ? strdup(options->chatd)
                                       : find_near("../src/chatd");
    options->found[SERVER_NGIRCD] = machine_find_program("ngircd");
    options->found[SERVER_NCAT] = machine_find_program("ncat");
    for (unsigned s = 0; s < N_SERVERS; s++) {
        const char *path = options->found[s];
        bool is_ours = s == SERVER_BARE || s == SERVER_CHATD;

        if (!is_wanted(options, (ServerKind) s))
            continue;
        if (path != NULL && access(path, X_OK) == 0) {
            options->setup.programs[s] = path;
        } else if (is_ours) {
            (void) fprintf(stderr,
                           "load: there is no program %s; build it, or name it with --%s=FILE, or leave it "
                           "out with --servers=\n",
                           path != NULL ? path : "", server_name((ServerKind) s));
            return -ENOENT;
        } else {
            report_remark(report, NULL, (ServerKind) s, "not installed here and left out");
        }
    }
    return 0;
}

/* The clients of the largest case are descriptors of this process, and of the server. */
static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void) setrlimit(RLIMIT_NOFILE, &limit);
}

/* The server gets the first core that we may use, and this process the last one. */
static void pin(Options *options)
{
    int first = -1, last = -1;
    cpu_set_t cpus;

    if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
        return;
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET((unsigned) i, &cpus)) {
            first = first < 0 ? i : first;
            last = i;
        }
    if (first == last)
        return;
    CPU_ZERO(&cpus);
    CPU_SET((unsigned) last, &cpus);
    if (sched_setaffinity(0, sizeof(cpus), &cpus) == 0)
        options->setup.server_cpu = first;
}

/* One server in one case and round. 0, 1 if it must work and did not, or -EINTR. */
static int run_one(const Options *options, Report *report, const Case *c, ServerKind kind, unsigned round)
{
    char remark[CASE_REMARK_MAX];
    double values[CASE_MAX_MEASURES];
    bool is_ours = kind == SERVER_BARE || kind == SERVER_CHATD;
    CaseSetup setup = options->setup;
    int r;

    setup.round = round;
    r = case_run(c, &setup, kind, values, remark);
    if (r < 0)
        return r;
    if (remark[0] != '\0')
        report_remark(report, c, kind, remark);
    if (r == 0) {
        report_add(report, c, kind, round, values);
        (void) fprintf(stderr, "  %s %.2f %s", server_name(kind), values[0], c->type->measures[0].unit);
        if (remark[0] != '\0')
            (void) fprintf(stderr, " (%s)", remark);
    } else if (r == CASE_FAILED) {
        (void) fprintf(stderr, "  %s FAILED (%s)", server_name(kind), remark);
    }
    return is_ours && (r == CASE_FAILED || (r == 0 && remark[0] != '\0'));
}

/* 0, 1 if something that must work did not, or -EINTR. */
static int run_all(const Options *options, Report *report)
{
    int r, result = 0;

    for (unsigned i = 0; i < options->n_cases; i++) {
        unsigned n_rounds = case_rounds(&options->cases[i], options->rounds);

        for (unsigned round = 0; round < n_rounds; round++) {
            (void) fprintf(stderr, "%s, round %u of %u:", options->cases[i].name, round + 1, n_rounds);
            for (unsigned s = 0; s < N_SERVERS; s++) {
                /* each round begins with another one, so that none always has the place after the same */
                ServerKind kind = (ServerKind) ((s + round) % N_SERVERS);

                if (options->setup.programs[kind] == NULL)
                    continue;
                r = run_one(options, report, &options->cases[i], kind, round);
                if (r < 0)
                    return r;
                result |= r;
            }
            (void) fprintf(stderr, "\n");
        }
    }
    return result;
}

static int write_file(const char *path, const Report *report, void (*print)(const Report *, FILE *))
{
    FILE *f;
    bool is_bad;

    if (path == NULL)
        return 0;
    f = fopen(path, "we");
    if (f != NULL) {
        print(report, f);
        is_bad = ferror(f) != 0;
        if (fclose(f) == 0 && !is_bad)
            return 0;
    }
    (void) fprintf(stderr, "load: cannot write %s: %s\n", path, strerror(errno));
    return -EIO;
}

static int run(Options *options, Report *report)
{
    int r, result;

    r = find_programs(options, report);
    if (r < 0)
        return EXIT_FAILURE;
    raise_limit();
    if (options->pin)
        pin(options);
    (void) snprintf(
        report->setup, sizeof(report->setup),
        "Lines of %u bytes of text over TCP on the loopback. chatd's sockets have TCP_NODELAY, as in "
        "chat.socket; the bare loop's %s.",
        options->setup.n_text,
        options->setup.bare_no_delay ? "too" : "have not, which is cheaper for it when lines are many");
    machine_describe(options->setup.programs, report->machine, sizeof(report->machine));
    result = run_all(options, report);
    if (result < 0) {
        (void) fprintf(stderr, "\nload: stopped\n");
        return EXIT_FAILURE;
    }
    report_print(report, stdout);
    if (write_file(options->output, report, report_print) < 0 ||
        write_file(options->plot, report, plot_print) < 0)
        return EXIT_FAILURE;
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char *argv[])
{
    Options options;
    Report report;
    int status;

    if (parse_argv(&options, argc, argv) < 0)
        return help(stderr);
    if (report_init(&report, options.cases, options.n_cases, options.rounds, !options.setup.is_smoke) < 0)
        return EXIT_FAILURE;
    clock_catch_signals();
    status = run(&options, &report);
    report_done(&report);
    for (unsigned s = 0; s < N_SERVERS; s++)
        free(options.found[s]);
    return status;
}
