/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Options, assembly, run. */

#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>

#include "config.h"

#include "base/config.h"
#include "base/crash.h"
#include "base/error.h"
#include "base/macro.h"
#include "host/adopt.h"
#include "host/inherit.h"
#include "host/journal.h"
#include "host/reload.h"
#include "host/server.h"
#include "host/tool.h"

typedef struct Options {
    const char *config_path; /* NULL: the default */
    bool check_config;
    ToolOptions tool;
    bool is_done; /* --help and --version have said all there is */
} Options;

static void help(void)
{
    printf("chatd [--config=FILE] [--check-config] [--help] [--version]\n"
           "chatd --export [--since=DAY] [--room=ROOM] [--format=text|json]\n"
           "chatd --forget=NAME\n"
           "\n"
           "A chat for everyone with nc. systemd starts it: systemctl start chat.socket\n"
           "\n"
           "  --config=FILE   read FILE instead of %s\n"
           "  --check-config  check the configuration, print the settings in force, and exit\n"
           "  --export        print what was said in rooms and is in the archive, and exit\n"
           "  --since=DAY     print only what was said since then: 2026-11-22, today, yesterday\n"
           "  --room=ROOM     print only what was said in that room\n"
           "  --format=FORMAT print text, which is the default, or json\n"
           "  --forget=NAME   remove all lines of that name from the archive, and exit\n"
           "  --help          print this and exit\n"
           "  --version       print the version and exit\n"
           "\n"
           "See chatd(8), chatd.conf(5) and chat-protocol(7).\n",
           CHATD_CONFIG_FILE);
}

/* EX_OK, or EX_USAGE after saying why. */
static int check_options(const Options *options)
{
    const ToolOptions *tool = &options->tool;
    const bool is_tool = tool->is_export || tool->forget != NULL;
    const struct {
        bool is_wrong;
        const char *why;
    } RULES[] = {
        {tool->is_export && tool->forget != NULL, "--export and --forget do not go together"},
        {is_tool && options->check_config, "--check-config goes with neither --export nor --forget"},
        {is_tool && options->config_path != NULL, "--config goes with neither --export nor --forget"},
        {tool->since != NULL && !tool->is_export, "--since goes with --export only"},
        {tool->room != NULL && !tool->is_export, "--room goes with --export only"},
        {tool->format != NULL && !tool->is_export, "--format goes with --export only"},
    };

    for (size_t i = 0; i < N_ELEMENTS(RULES); i++)
        if (RULES[i].is_wrong) {
            fprintf(stderr, "chatd: %s. Try 'chatd --help'.\n", RULES[i].why);
            return EX_USAGE;
        }
    return EX_OK;
}

enum {
    OPTION_CONFIG = 256,
    OPTION_CHECK_CONFIG,
    OPTION_EXPORT,
    OPTION_SINCE,
    OPTION_ROOM,
    OPTION_FORMAT,
    OPTION_FORGET,
    OPTION_HELP,
    OPTION_VERSION,
};

static void take_option(Options *options, int option)
{
    switch (option) {
    case OPTION_CONFIG:
        options->config_path = optarg;
        break;
    case OPTION_CHECK_CONFIG:
        options->check_config = true;
        break;
    case OPTION_EXPORT:
        options->tool.is_export = true;
        break;
    case OPTION_SINCE:
        options->tool.since = optarg;
        break;
    case OPTION_ROOM:
        options->tool.room = optarg;
        break;
    case OPTION_FORMAT:
        options->tool.format = optarg;
        break;
    case OPTION_FORGET:
        options->tool.forget = optarg;
        break;
    case OPTION_HELP:
        help();
        options->is_done = true;
        break;
    case OPTION_VERSION:
        printf("%s %s\n", PACKAGE_NAME, PACKAGE_VERSION);
        options->is_done = true;
        break;
    }
}

/* EX_OK, or EX_USAGE after saying why. */
static int parse_argv(int argc, char *argv[], Options *ret_options)
{
    static const struct option LONG_OPTIONS[] = {
        {"config", required_argument, NULL, OPTION_CONFIG},
        {"check-config", no_argument, NULL, OPTION_CHECK_CONFIG},
        {"export", no_argument, NULL, OPTION_EXPORT},
        {"since", required_argument, NULL, OPTION_SINCE},
        {"room", required_argument, NULL, OPTION_ROOM},
        {"format", required_argument, NULL, OPTION_FORMAT},
        {"forget", required_argument, NULL, OPTION_FORGET},
        {"help", no_argument, NULL, OPTION_HELP},
        {"version", no_argument, NULL, OPTION_VERSION},
        {NULL, 0, NULL, 0},
    };
    Options options = {0};
    int option;

    while ((option = getopt_long(argc, argv, "", LONG_OPTIONS, NULL)) >= 0) {
        if (option == '?') {
            fprintf(stderr, "Try 'chatd --help'.\n");
            return EX_USAGE;
        }
        take_option(&options, option);
    }
    if (optind < argc) {
        fprintf(stderr, "chatd: '%s' is not an option. Try 'chatd --help'.\n", argv[optind]);
        return EX_USAGE;
    }
    if (!options.is_done && check_options(&options) != EX_OK)
        return EX_USAGE;
    *ret_options = options;
    return EX_OK;
}

static void print_report(void *userdata, int level, const char *file, unsigned line, const char *message)
{
    const char *prefix = level <= LOG_ERR ? "" : "warning: ";

    (void) userdata;
    if (line > 0)
        fprintf(stderr, "%s%s:%u: %s\n", prefix, file, line, message);
    else
        fprintf(stderr, "%s%s: %s\n", prefix, file, message);
}

static int check_config(const char *path)
{
    Config config;
    int r = config_load(path, print_report, NULL, &config);

    if (r < 0) {
        fprintf(stderr, "chatd: can not read the configuration: %s\n", strerror(-r));
        return EXIT_FAILURE;
    }
    if (r > 0)
        return EX_CONFIG;
    r = config_print(&config, stdout);
    config_done(&config);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Until the loop reads them (signalfd(2)): a death by one of these would count as an end that was wanted.
 * What a shell had ignored would never be read. */
static void hold_signals(void)
{
    static const int SIGNALS[] = {SIGTERM, SIGINT, SIGHUP};
    sigset_t set;

    (void) sigemptyset(&set);
    for (size_t i = 0; i < N_ELEMENTS(SIGNALS); i++)
        (void) sigaddset(&set, SIGNALS[i]);
    (void) sigprocmask(SIG_BLOCK, &set, NULL);
    for (size_t i = 0; i < N_ELEMENTS(SIGNALS); i++)
        (void) signal(SIGNALS[i], SIG_DFL);
}

/* The soft limit of open files is low for programs that use select(2); this one does not. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void) setrlimit(RLIMIT_NOFILE, &limit);
}

/* EX_OK, or another exit status after saying why on standard error or in the journal. */
static int adopt_sockets(const Log *log, Inherited *ret_inherited)
{
    int r = inherit_sockets(log, ret_inherited);

    switch (r) {
    case 0:
        return EX_OK;
    case INHERIT_NOTHING:
        fprintf(stderr,
                "chatd: there is no socket to serve; systemd hands it over: systemctl start chat.socket\n"
                "chatd: to try it without installing: systemd-socket-activate -l 7000 chatd\n");
        return EXIT_FAILURE;
    case INHERIT_CONNECTED:
        log_event(
            log, (LogEvent){.priority = LOG_ERR},
            "This socket is a connection. One process serves everyone: set Accept=no in the socket unit, "
            "or \"wait\" in inetd.conf.");
        return EX_CONFIG;
    case INHERIT_UNKNOWN:
        log_event(log, (LogEvent){.priority = LOG_ERR},
                  "No listening socket is left. Set FileDescriptorName=plain in the socket unit.");
        return EX_CONFIG;
    default:
        log_event(log, (LogEvent){.priority = LOG_ERR}, "Can not take over the sockets: %s", strerror(-r));
        return EXIT_FAILURE;
    }
}

static int serve(const Options *options, const Log *log)
{
    Inherited inherited;
    ServerEnd end = SERVER_GOES_ON;
    Server *server = NULL;
    Config config;
    int r, status;

    crash_point();
    status = adopt_sockets(log, &inherited);
    if (status != EX_OK)
        return status;
    r = reload_start(options->config_path, log, adopt_has_state(&inherited), &config);
    if (r != 0) {
        /* Left waiting, they would have systemd start the service again and again. */
        for (unsigned i = 0; r > 0 && i < inherited.n; i++)
            listener_turn_away(inherited.fds[i], "!! The chat can not start: its configuration has an error. "
                                                 "Its administrator finds it in the journal.\n");
        inherit_done(&inherited);
        if (r > 0)
            return EX_CONFIG;
    } else {
        r = server_new(&config, options->config_path, log, &inherited, &server);
    }
    if (r == 0)
        r = server_run(server, &end);
    (void) server_free(server);
    if (r < 0)
        log_event(log, (LogEvent){.priority = LOG_CRIT}, "Ending: %s", strerror(-r));
    if (r < 0)
        return EXIT_FAILURE;
    /* The unit has this status started again, and counts it as a success. */
    return end == SERVER_HANDS_OVER ? EX_TEMPFAIL : EX_OK;
}

int main(int argc, char *argv[])
{
    Journal *journal = NULL;
    Options options;
    int r, status = parse_argv(argc, argv, &options);

    if (status != EX_OK || options.is_done)
        return status;
    if (options.check_config)
        return check_config(options.config_path);
    if (options.tool.is_export || options.tool.forget != NULL)
        return tool_run(&options.tool);
    hold_signals();
    (void) signal(SIGPIPE, SIG_IGN);
    /* The thread that writes the log allocates next to nothing: it needs no arena of its own (mallopt(3)). */
    (void) mallopt(M_ARENA_MAX, 1);
    /* Memory is taken as it is needed, and not 128 KiB ahead. */
    (void) mallopt(M_TOP_PAD, 4096);
    raise_file_limit();
    r = journal_new(journal_pick_target(), &journal);
    if (r < 0) {
        fprintf(stderr, "chatd: can not start: %s\n", strerror(-r));
        return EXIT_FAILURE;
    }
    status = serve(&options, journal_log(journal));
    (void) journal_free(journal);
    return status;
}
