/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The command line: what it prints and what it exits with. */

#include <string.h>
#include <sysexits.h>

#include "lib/client.h"

static void expect_text(const Buffer *where, const char *text)
{
    ck_assert_msg(strstr(buffer_text(where), text) != NULL, "[%s] \"%s\" is not in:\n%s", suite_get_note(),
                  text, buffer_text(where));
}

/* Runs the daemon without sockets, to its end. */
static Daemon *run(const char *config, const char *first, const char *second, int code)
{
    Daemon *daemon = daemon_start(.config = config, .args = {first, second}, .may_end = true,
                                  .no_listeners = true, .no_notify = true);

    daemon_expect_exit(daemon, code);
    return daemon;
}

START_TEST(help)
{
    static const char *const options[] = {"--config=FILE", "--check-config", "--export",
                                          "--since=DAY",   "--room=ROOM",    "--format=FORMAT",
                                          "--forget=NAME", "--help",         "--version"};
    Daemon *daemon = run(NULL, "--help", NULL, 0);

    for (size_t i = 0; i < N_ELEMENTS(options); i++)
        expect_text(&daemon->out, options[i]);
    ck_assert_uint_eq(daemon->err.n, 0);
    daemon_free(daemon);
}
END_TEST

START_TEST(version)
{
    Daemon *daemon = run(NULL, "--version", NULL, 0);

    ck_assert_int_eq(strncmp(buffer_text(&daemon->out), "chatd ", 6), 0);
    ck_assert_uint_eq(daemon->err.n, 0);
    daemon_free(daemon);
}
END_TEST

static const char *const wrong[][2] = {
    {"--no-such-option", NULL},
    {"file", NULL},
    {"--check-config=yes", NULL},
    {"--check-config", "file"},
    {"-x", NULL},
    {"--config", NULL},
    {"--export=yes", NULL},
    {"--export", "file"},
    {"--forget", NULL},
    {"--since", NULL},
    {"--export", "--since"},
};

START_TEST(wrong_usage)
{
    for (size_t i = 0; i < N_ELEMENTS(wrong); i++) {
        Daemon *daemon;

        suite_note("row %zu", i);
        daemon = run(NULL, wrong[i][0], wrong[i][1], EXIT_USAGE_ERROR);
        expect_text(&daemon->err, "--help");
        ck_assert_uint_eq(daemon->out.n, 0);
        daemon_free(daemon);
    }
}
END_TEST

/* Without --config=FILE, which the harness gives otherwise. */
static Daemon *run_tool(const char *first, const char *second, const char *third, int code)
{
    Daemon *daemon =
        daemon_start(.args = {first, second, third}, .env = {"STATE_DIRECTORY=/nonexistent/chatd"},
                     .may_end = true, .no_listeners = true, .no_notify = true, .no_config_option = true);

    daemon_expect_exit(daemon, code);
    ck_assert_uint_eq(daemon->out.n, 0);
    return daemon;
}

static const struct {
    const char *args[3], *text;
} wrong_tools[] = {
    {{"--export", "--forget=bob"}, "--export and --forget do not go together"},
    {{"--export", "--check-config"}, "--check-config goes with neither --export nor --forget"},
    {{"--forget=bob", "--check-config"}, "--check-config goes with neither --export nor --forget"},
    {{"--export", "--config=/dev/null"}, "--config goes with neither --export nor --forget"},
    {{"--forget=bob", "--config=/dev/null"}, "--config goes with neither --export nor --forget"},
    {{"--since=today"}, "--since goes with --export only"},
    {{"--room=lobby"}, "--room goes with --export only"},
    {{"--format=json"}, "--format goes with --export only"},
    {{"--forget=bob", "--since=today"}, "--since goes with --export only"},
    {{"--forget=bob", "--room=lobby"}, "--room goes with --export only"},
    {{"--forget=bob", "--format=text"}, "--format goes with --export only"},
    {{"--export", "--since=tomorrow"}, "--since wants a day such as 2026-11-22, today or yesterday"},
    {{"--export", "--since="}, "--since wants a day"},
    {{"--export", "--room="}, "--room wants the name of a room: it needs at least one character"},
    {{"--export", "--room=#"}, "--room wants the name of a room: it needs at least one character"},
    {{"--export", "--room=a b"}, "--room wants the name of a room"},
    {{"--export", "--format=xml"}, "--format wants text or json"},
    {{"--export", "--format="}, "--format wants text or json"},
    {{"--forget="}, "--forget wants the name of a person: it needs at least one character"},
    {{"--forget=1a"}, "--forget wants the name of a person"},
    {{"--forget=abcdefghijklmnopqrstuvwxy"}, "--forget wants the name of a person"}, /* 25 letters */
};

START_TEST(wrong_use_of_the_archive)
{
    for (size_t i = 0; i < N_ELEMENTS(wrong_tools); i++) {
        const char *const *args = wrong_tools[i].args;
        Daemon *daemon;

        suite_note("row %zu", i);
        daemon = run_tool(args[0], args[1], args[2], EXIT_USAGE_ERROR);
        expect_text(&daemon->err, wrong_tools[i].text);
        daemon_free(daemon);
    }
}
END_TEST

START_TEST(no_archive)
{
    static const char *const args[][3] = {
        {"--export"},
        {"--export", "--since=1970-01-02", "--format=json"},
        {"--export", "--room=#abcdefghijklmnopqrstuvwx"},
        {"--forget=abcdefghijklmnopqrstuvwx"}, /* 24 letters */
        {"--forget=bob\xe2\x9c\x93"},          /* as --export prints somebody verified */
        {"--forget=bob+"},
    };

    for (size_t i = 0; i < N_ELEMENTS(args); i++) {
        Daemon *daemon;

        suite_note("row %zu", i);
        daemon = run_tool(args[i][0], args[i][1], args[i][2], EX_NOINPUT);
        expect_text(&daemon->err, "chatd: /nonexistent/chatd/archive.db: There is no archive.\n");
        daemon_free(daemon);
    }
}
END_TEST

START_TEST(check_config_prints_what_is_in_force)
{
    Daemon *daemon = run("[Limits]\nMaxClients = 77\nTranscriptSize=2M\n[Chat]\nMotd=hello\n",
                         "--check-config", NULL, 0),
           *again;

    expect_text(&daemon->out, "[Limits]\n");
    expect_text(&daemon->out, "MaxClients=77\n");
    expect_text(&daemon->out, "MaxRooms=1000\n");
    expect_text(&daemon->out, "[Chat]\n");
    expect_text(&daemon->out, "hello");
    /* What it prints is a configuration that says the same. */
    again = run(buffer_text(&daemon->out), "--check-config", NULL, 0);
    ck_assert_str_eq(buffer_text(&daemon->out), buffer_text(&again->out));
    daemon_free(again);
    daemon_free(daemon);
}
END_TEST

START_TEST(check_config_of_an_empty_file)
{
    Daemon *daemon = run("", "--check-config", NULL, 0);

    expect_text(&daemon->out, "MaxClients=10000\n");
    expect_text(&daemon->out, "MaxLineLength=2000\n");
    daemon_free(daemon);
}
END_TEST

/* All errors, each with its place, not only the first. */
START_TEST(check_config_with_errors)
{
    Daemon *daemon =
        run("[Limits]\nMaxClients=many\nMaxRooms=65001\n", "--check-config", NULL, EXIT_CONFIG_ERROR);
    Buffer all = {0};

    buffer_add_text(&all, buffer_text(&daemon->out));
    buffer_add_text(&all, buffer_text(&daemon->err));
    expect_text(&all, "chatd.conf:2: ");
    expect_text(&all, "chatd.conf:3: ");
    expect_text(&all, daemon->config_path);
    buffer_done(&all);
    daemon_free(daemon);
}
END_TEST

START_TEST(check_config_with_warnings)
{
    Daemon *daemon = run("[Limits]\nMaxClient=7\n", "--check-config", NULL, 0);

    expect_text(&daemon->err, "warning: ");
    expect_text(&daemon->err, "chatd.conf:2: ");
    expect_text(&daemon->out, "MaxClients=10000\n");
    daemon_free(daemon);
}
END_TEST

START_TEST(check_config_of_a_missing_file)
{
    Daemon *daemon =
        daemon_start(.may_end = true, .no_listeners = true, .no_notify = true, .no_config_option = true,
                     .args = {"--config=/nonexistent/chatd.conf", "--check-config"});

    daemon_expect_exit(daemon, EXIT_CONFIG_ERROR);
    expect_text(&daemon->err, "/nonexistent/chatd.conf");
    daemon_free(daemon);
}
END_TEST

/* There are too few descriptors to begin: it says so. */
START_TEST(too_few_descriptors)
{
    if (daemon_is_wrapped())
        return; /* valgrind needs descriptors of its own */
    for (size_t n = 5; n <= 6; n++) {
        Daemon *daemon = daemon_start(.may_end = true, .n_files = n);

        suite_note("%zu descriptors", n);
        daemon_expect_exit(daemon, EXIT_FAILURE);
        expect_text(&daemon->err, "Too many open files");
        daemon_free(daemon);
    }
}
END_TEST

SUITE_MAIN("cli", {help, 0}, {version, 0}, {wrong_usage, 0}, {wrong_use_of_the_archive, 0}, {no_archive, 0},
           {check_config_prints_what_is_in_force, 0}, {check_config_of_an_empty_file, 0},
           {check_config_with_errors, 0}, {check_config_with_warnings, 0},
           {check_config_of_a_missing_file, 0}, {too_few_descriptors, 0})
