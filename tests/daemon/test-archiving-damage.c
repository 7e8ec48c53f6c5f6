/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The daemon with an archive that is damaged, or says what can not be: the chat goes on, and a new one is
 * begun. */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/archiving.h"

/* Its pages are overwritten while it is open. */
static void damage(unsigned n_pages)
{
    static const char garbage[4096] = {[0 ... 4095] = '\xa5'};
    Daemon *daemon = daemon_start(.has_archive = true);
    Client *alice = client_connect_as(daemon, "alice");
    char path[PAST_PATH];
    struct stat status;
    Buffer said = {0};
    sqlite3 *other;
    int fd;

    suite_note("all pages but %u", n_pages);
    say(alice, &said, 30, 500);
    client_say(alice, "/search line");
    client_expect(alice, "-- There is more: {any}");
    other = past_open(daemon);
    past_do(other, "UPDATE cursor SET n_lines = n_lines; PRAGMA wal_checkpoint(TRUNCATE)");
    past_close(other);
    past_path(daemon, path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    ck_assert(fd >= 0 && fstat(fd, &status) == 0);
    for (off_t at = n_pages * (off_t) sizeof(garbage); at < status.st_size; at += sizeof(garbage))
        ck_assert_int_eq(pwrite(fd, garbage, sizeof(garbage), at), sizeof(garbage));
    (void) close(fd);
    say(alice, &said, 2, 10);
    daemon_expect_log(daemon, "The archive was damaged, and a new one was begun.");
    daemon_expect_log(daemon, "The archive goes on.");
    expect_quick(alice);
    client_say(alice, "/search line");
    client_expect(alice, "-- There is more: {any}");
    daemon_end(daemon);
    past_expect(daemon, buffer_text(&said));
    ck_assert_uint_eq(daemon_count_log(daemon, "was damaged"), 1);
    ck_assert_uint_le(daemon_count_log(daemon, STOPPED), 1);
    buffer_done(&said);
    daemon_free(daemon);
}

START_TEST(damaged)
{
    damage(1);
    damage(8);
}
END_TEST

/* What is in force is so after a stop, although the archive that had it was put aside. */
START_TEST(damaged_with_bans)
{
    Daemon *daemon;
    Client *root;
    char path[PAST_PATH];
    FILE *file;

    daemon = daemon_start(.has_archive = true, .no_runtime_directory = true,
                          .config = daemon_config_operators(SMALL), LISTENERS);
    root = self_connect(daemon, LOCAL);
    for (unsigned i = 0; i < 900; i++) {
        client_say(root, "/ban 10.%u.%u.0/24 %s", i / 256, i % 256, run_of('x', 200));
        client_expect(root, "-- 10.{any} is banned; {any}");
    }
    client_say(root, "/ban 127.0.0.2");
    client_expect(root, "-- 127.0.0.2 is banned; {any}");
    expect_archived(root);
    daemon_expect_sleep(daemon);
    daemon_kill(daemon);
    past_path(daemon, path);
    file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(run_of('x', 9000), file), 0);
    ck_assert_int_eq(fclose(file), 0);
    daemon_start_again(daemon);
    daemon_expect_log(daemon, "The archive was damaged, and a new one was begun.");
    client_sync(root);
    daemon_end(daemon);
    daemon_close_clients(daemon);
    ck_assert_int_eq(past_number(daemon, "SELECT count(*) FROM rules"), 901);
    daemon_start_again(daemon);
    root = client_open(daemon, .from = "127.0.0.2");
    client_expect_next(root, "!! You are banned.");
    client_expect_eof(root);
    daemon_stop(daemon);
}
END_TEST

/* The file says that it is where the transcript has no entry, or has not been. */
START_TEST(misplaced)
{
    static const char *const CHANGES[] = {"UPDATE cursor SET pos = pos - 8",
                                          "UPDATE cursor SET pos = pos + 8",
                                          "UPDATE cursor SET pos = pos + 8000"};

    for (unsigned i = 0; i < N_ELEMENTS(CHANGES); i++) {
        Daemon *daemon = daemon_start(.has_archive = true, .restarts = 2);
        Client *alice = client_connect_as(daemon, "alice");
        Buffer said = {0};
        sqlite3 *other;

        say(alice, &said, 20, 100);
        client_say(alice, "/seen nobody");
        client_expect(alice, "-- Nobody called nobody has been seen.");
        other = past_open(daemon);
        past_do(other, CHANGES[i]);
        past_close(other);
        daemon_signal(daemon, SIGKILL);
        client_sync(alice);
        say(alice, &said, 200, 100);
        client_say(alice, "/seen nobody");
        client_expect(alice, "-- Nobody called nobody has been seen.");
        if (i < 2)
            ck_assert_int_ge(past_number(daemon, "SELECT count(*) FROM lines"), 219);
        ck_assert_uint_eq(daemon->n_ends, 1);
        buffer_done(&said);
        daemon_free(daemon);
    }
}
END_TEST

SUITE_MAIN("archiving-damage", {damaged, 0}, {damaged_with_bans, 0}, {misplaced, 0})
