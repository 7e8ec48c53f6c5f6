/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * A line that brings the process down, in a build with commands that do: who typed it is dropped and told
 * why, the line is logged, and nobody else notices more than that they left. Whoever did nothing is blamed
 * for nothing.
 */

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/client.h"
#include "lib/proc.h"

enum { TCP, UNIX };

#define FAULTY                                                                                               \
    .program = DAEMON_FAULTY, .listeners = {[TCP] = {.kind = LISTENER_TCP4}, [UNIX] = {.kind = LISTENER_UNIX}}

/* What the build with faults writes when such a line is being executed. */
#define HANGS "has begun to hang"

/* Within poll(2): valgrind can lose a signal that comes at another time. */
static void expect_hang(Daemon *daemon)
{
    uint64_t deadline = deadline_in(SECONDS_TO_ANSWER);

    daemon_expect_log(daemon, HANGS);
    while (!proc_is_asleep(daemon->pid)) {
        ck_assert_msg(now_usec() < deadline, "it does not hang in time");
        (void) sched_yield();
    }
}

/* In a room of their own, so that its name is in the log. */
static void meet(Daemon *daemon, Client **alice, Client **uma, Client **mallory, size_t listener)
{
    *alice = client_connect_to(daemon, TCP, "alice");
    *uma = client_connect_to(daemon, UNIX, "uma");
    *mallory = client_connect_to(daemon, listener, "mallory");
    client_say(*mallory, "/join #pit");
    daemon_settle(daemon);
}

/* For a line that is in the log afterwards. */
static void expect_only_mallory_dropped(Daemon *daemon, Client *alice, Client *uma, Client *mallory,
                                        const char *line)
{
    client_expect_next(mallory, "!! {any}");
    client_expect_eof(mallory);
    client_expect_next(alice, "-- mallory has left");
    client_expect_next(uma, "-- mallory has left");
    client_say(uma, "what was that?");
    client_expect_next(alice, "[{time}] <uma> what was that?");
    client_expect_nothing(alice);
    client_expect_nothing(uma);
    daemon_expect_log(daemon, "mallory");
    daemon_expect_log(daemon, line);
}

static void expect_fault(const char *line, int signal, size_t listener)
{
    Daemon *daemon = daemon_start(FAULTY);
    Client *alice, *uma, *mallory;

    suite_note("%s from listener %zu", line, listener);
    meet(daemon, &alice, &uma, &mallory, listener);
    client_say(mallory, "%s", line);
    daemon_expect_death(daemon, signal);
    daemon_start_again(daemon);
    expect_only_mallory_dropped(daemon, alice, uma, mallory, line);
    ck_assert_uint_eq(daemon_count_log(daemon, line), 1);
    client_become(client_connect_to(daemon, listener, "next"), "mallory");
    daemon_stop(daemon);
}

START_TEST(crash_drops_who_typed_it)
{
    expect_fault("/crash", SIGSEGV, TCP);
    expect_fault("/crash", SIGSEGV, UNIX);
}
END_TEST

START_TEST(a_stack_that_is_used_up)
{
    expect_fault("/overflow", SIGSEGV, TCP);
    expect_fault("/overflow", SIGSEGV, UNIX);
}
END_TEST

/* What they said before is heard, what they said after is not. */
START_TEST(lines_around_it)
{
    for (size_t listener = TCP; listener <= UNIX; listener++) {
        Daemon *daemon = daemon_start(FAULTY);
        Client *alice, *uma, *mallory;

        meet(daemon, &alice, &uma, &mallory, listener);
        client_send_text(mallory, "/join #lobby\nwatch this\n/crash\nand this\n");
        daemon_expect_death(daemon, SIGSEGV);
        daemon_start_again(daemon);
        client_expect_next(alice, "[{time}] <mallory> watch this");
        client_expect_next(uma, "[{time}] <mallory> watch this");
        client_expect_next(mallory, "-- You are in #lobby now, with 2 others.");
        expect_only_mallory_dropped(daemon, alice, uma, mallory, "/crash");
        daemon_stop(daemon);
    }
}
END_TEST

/* Others' lines that were not read yet are not lost. */
START_TEST(lines_of_others_are_executed)
{
    Daemon *daemon = daemon_start(FAULTY);
    Client *alice, *uma, *mallory;

    meet(daemon, &alice, &uma, &mallory, TCP);
    daemon_signal(daemon, SIGSTOP);
    client_say(alice, "before?");
    client_say(mallory, "/crash");
    client_say(uma, "or after?");
    daemon_signal(daemon, SIGCONT);
    daemon_expect_death(daemon, SIGSEGV);
    daemon_start_again(daemon);
    client_expect(uma, "[{time}] <alice> before?");
    client_expect(alice, "[{time}] <uma> or after?");
    client_expect(mallory, "!! {any}");
    client_expect_eof(mallory);
    daemon_stop(daemon);
}
END_TEST

/* The watchdog's signal comes from the manager, which is this test. */
START_TEST(who_hangs_the_loop_is_to_blame)
{
    Daemon *daemon = daemon_start(FAULTY, .watchdog_usec = 400 * 1000);
    Client *alice, *uma, *mallory;
    size_t n;

    meet(daemon, &alice, &uma, &mallory, TCP);
    client_say(mallory, "/hang");
    expect_hang(daemon);
    (void) daemon_turn(daemon, -1, 0, now_usec());
    n = notify_count(&daemon->notify, "WATCHDOG=1");
    daemon_expect_running_for(daemon, 0.8);
    ck_assert_uint_eq(notify_count(&daemon->notify, "WATCHDOG=1"), n);
    daemon_signal(daemon, SIGABRT);
    daemon_expect_death(daemon, SIGABRT);
    daemon_start_again(daemon);
    expect_only_mallory_dropped(daemon, alice, uma, mallory, "/hang");
    ck_assert_uint_eq(daemon_count_log(daemon, "/hang"), 1);
    daemon_stop(daemon);
}
END_TEST

/* Sent by neither the kernel nor the manager. */
static void kill_from_elsewhere(Daemon *daemon, int signal)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(kill(daemon->pid, signal) == 0 ? 0 : 1);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(a_signal_from_somebody_else_blames_nobody)
{
    static const int signals[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT};
    Daemon *daemon = daemon_start(FAULTY, .may_end = true);
    Client *alice, *uma, *mallory;

    meet(daemon, &alice, &uma, &mallory, TCP);
    for (size_t i = 0; i < N_ELEMENTS(signals); i++) {
        suite_note("signal %d", signals[i]);
        daemon_expect_sleep(daemon);
        /* In the middle of a line: the worst moment. It is executed again then. */
        client_say(mallory, "/hang");
        expect_hang(daemon);
        kill_from_elsewhere(daemon, signals[i]);
        daemon_expect_death(daemon, signals[i]);
        daemon_start_again(daemon);
        expect_hang(daemon);
        ck_assert(client_is_silent(mallory) && client_is_silent(alice) && client_is_silent(uma));
        daemon_signal(daemon, SIGABRT);
        daemon_expect_death(daemon, SIGABRT);
        daemon_start_again(daemon);
        expect_only_mallory_dropped(daemon, alice, uma, mallory, "/hang");
        client_close(mallory);
        mallory = client_connect_to(daemon, TCP, "mallory");
        daemon_settle(daemon);
    }
    ck_assert_uint_eq(daemon_count_log(daemon, "/hang"), N_ELEMENTS(signals));
    daemon_stop(daemon);
}
END_TEST

/* Nothing is being executed while the process sleeps. */
START_TEST(a_fault_between_lines_blames_nobody)
{
    Daemon *daemon = daemon_start(FAULTY);
    Client *alice, *uma, *mallory;

    meet(daemon, &alice, &uma, &mallory, TCP);
    daemon_expect_sleep(daemon);
    daemon_signal(daemon, SIGABRT);
    daemon_expect_death(daemon, SIGABRT);
    daemon_start_again(daemon);
    daemon_expect_sleep(daemon);
    client_say(mallory, "/join #lobby");
    client_expect_next(mallory, "-- You are in #lobby now, with 2 others.");
    client_say(mallory, "it was not me");
    client_expect_next(alice, "[{time}] <mallory> it was not me");
    client_expect_next(uma, "[{time}] <mallory> it was not me");
    client_expect_nothing(uma);
    daemon_stop(daemon);
}
END_TEST

/* It can be longer than what the log takes in one piece, and have in it what a terminal should not be shown.
 */
START_TEST(a_long_line_is_logged_in_full)
{
    enum { N_ESCAPES = 7900 };
    Daemon *daemon = daemon_start(FAULTY, .config = DAEMON_CONFIG "MaxLineLength=8000\n");
    Client *alice, *uma, *mallory;

    meet(daemon, &alice, &uma, &mallory, TCP);
    client_say(mallory, "/crash%s", run_of('\033', N_ESCAPES)); /* they are dropped before it is executed */
    daemon_expect_death(daemon, SIGSEGV);
    daemon_start_again(daemon);
    expect_only_mallory_dropped(daemon, alice, uma, mallory, "/crash\\x1b");
    while (daemon_count_log(daemon, "\\x1b") < N_ESCAPES)
        daemon_expect_log(daemon, "\\x1b");
    ck_assert_uint_eq(daemon_count_log(daemon, "\\x1b"), N_ESCAPES);
    ck_assert(strchr(buffer_text(&daemon->err), '\033') == NULL);
    daemon_stop(daemon);
}
END_TEST

/* Again and again, by many: each is dropped for its own line. */
START_TEST(many_culprits)
{
    enum { N_CULPRITS = 8 };
    Daemon *daemon = daemon_start(FAULTY);
    Client *alice, *uma, *mallory;

    meet(daemon, &alice, &uma, &mallory, TCP);
    for (int i = 0; i < N_CULPRITS; i++) {
        const char *line = i % 2 == 0 ? "/crash" : "/overflow";

        suite_note("culprit %d", i);
        client_say(mallory, "%s", line);
        daemon_expect_death(daemon, SIGSEGV);
        daemon_start_again(daemon);
        expect_only_mallory_dropped(daemon, alice, uma, mallory, line);
        client_close(mallory);
        mallory = client_connect_to(daemon, i % 3 == 0 ? UNIX : TCP, "mallory");
        daemon_settle(daemon);
    }
    daemon_stop(daemon);
}
END_TEST

SUITE_MAIN("culprit", {crash_drops_who_typed_it, 0}, {a_stack_that_is_used_up, 0}, {lines_around_it, 0},
           {lines_of_others_are_executed, 0}, {who_hangs_the_loop_is_to_blame, 0},
           {a_signal_from_somebody_else_blames_nobody, 0}, {a_fault_between_lines_blames_nobody, 0},
           {a_long_line_is_logged_in_full, 0}, {many_culprits, 0})
