/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* chatd --export and chatd --forget: beside a service that runs, and without one. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "archive/archive.h"
#include "archive/write.h"
#include "base/limits.h"
#include "lib/client.h"

enum { PATH_BYTES = 512, NOBODY = 65534 };

/* 2026-11-22 14:03:05 UTC */
#define BEGIN (UINT64_C(1795356185) * USEC_PER_SEC)

static char folder[PATH_BYTES / 2], path[PATH_BYTES], state_directory[PATH_BYTES], log_path[PATH_BYTES];

static void begin(void)
{
    (void) snprintf(folder, sizeof folder, "%s/archive-XXXXXX", suite_directory());
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void) snprintf(path, sizeof path, "%s/archive.db", folder);
    (void) snprintf(log_path, sizeof log_path, "%s/archive.db-wal", folder);
    (void) snprintf(state_directory, sizeof state_directory, "STATE_DIRECTORY=%s", folder);
}

/* Line `n` of the archive, a day after the one before. */
static void say(Archive *archive, unsigned n, ArchiveLineKind kind, const char *room, const char *who,
                const char *text)
{
    ArchiveLine line = {.id = archive_id(1, (uint64_t) n * 8),
                        .wall = BEGIN + n * 24 * 3600 * USEC_PER_SEC,
                        .kind = kind,
                        .text = text,
                        .n = strlen(text)};

    if (kind == ARCHIVE_GAP) {
        line.n_missing = n;
    } else {
        ck_assert_int_eq(name_parse(room, strlen(room), NAME_MAX_CHARS, &line.room), 0);
        ck_assert_int_eq(name_parse(who, strlen(who), NAME_MAX_CHARS, &line.who.nick), 0);
        line.who.is_verified = strcmp(who, "alice") == 0;
        line.who.uid = line.who.is_verified ? 1000 : 0;
    }
    ck_assert_int_eq(archive_put_line(archive, &line), 0);
}

static void fill(void)
{
    Archive *archive;

    ck_assert_int_eq(archive_open(path, ARCHIVE_WRITER, &archive), 0);
    say(archive, 0, ARCHIVE_SAID, "lobby", "bob", "hello xyzzy");
    say(archive, 1, ARCHIVE_ACTION, "lobby", "alice", "waves \"quickly\"");
    say(archive, 2, ARCHIVE_GAP, NULL, NULL, "");
    say(archive, 3, ARCHIVE_SAID, "walks", "Bob", "plugh everybody");
    say(archive, 4, ARCHIVE_SAID, "walks", "alice", "the end");
    ck_assert_int_eq(archive_commit(archive, 1, 40), 0);
    (void) archive_close(archive);
}

static Daemon *tool(const char *first, const char *second, const char *third, int code)
{
    Daemon *daemon =
        daemon_start(.args = {first, second, third}, .env = {state_directory, "TZ=UTC"}, .may_end = true,
                     .no_listeners = true, .no_notify = true, .no_config_option = true);

    daemon_expect_exit(daemon, code);
    return daemon;
}

/* What it prints, which is all that it has to say. */
static void expect_tool(const char *first, const char *second, const char *third, const char *expected)
{
    Daemon *daemon = tool(first, second, third, EX_OK);

    ck_assert_str_eq(buffer_text(&daemon->out), expected);
    ck_assert_str_eq(buffer_text(&daemon->err), "");
    daemon_free(daemon);
}

static void expect_failure(const char *argument, int code, const char *text)
{
    Daemon *daemon = tool(argument, NULL, NULL, code);

    ck_assert_msg(strstr(buffer_text(&daemon->err), text) != NULL, "%s", buffer_text(&daemon->err));
    daemon_free(daemon);
}

/* How many files of the folder have these bytes. */
static unsigned n_files_with(const char *bytes)
{
    DIR *files = opendir(folder);
    struct dirent *entry;
    unsigned n = 0;

    ck_assert_ptr_nonnull(files);
    while ((entry = readdir(files)) != NULL) {
        static char content[1 << 20];
        int fd = openat(dirfd(files), entry->d_name, O_RDONLY);
        ssize_t size = fd >= 0 ? read(fd, content, sizeof content) : -1;

        ck_assert_msg(size < (ssize_t) sizeof content, "%s", entry->d_name);
        n += size > 0 && memmem(content, (size_t) size, bytes, strlen(bytes)) != NULL;
        (void) close(fd);
    }
    (void) closedir(files);
    return n;
}

#define LINE_0 "2026-11-22 14:03:05 #lobby <bob> hello xyzzy\n"
#define LINE_1 "2026-11-23 14:03:05 #lobby * alice\xe2\x9c\x93 waves \"quickly\"\n"
#define LINE_2 "2026-11-24 14:03:05 -- 2 lines are missing here\n"
#define LINE_3 "2026-11-25 14:03:05 #walks <Bob> plugh everybody\n"
#define LINE_4 "2026-11-26 14:03:05 #walks <alice\xe2\x9c\x93> the end\n"

START_TEST(text)
{
    begin();
    fill();
    expect_tool("--export", NULL, NULL, LINE_0 LINE_1 LINE_2 LINE_3 LINE_4);
    expect_tool("--export", "--format=text", NULL, LINE_0 LINE_1 LINE_2 LINE_3 LINE_4);
    expect_tool("--export", "--since=2026-11-23", NULL, LINE_1 LINE_2 LINE_3 LINE_4);
    expect_tool("--export", "--room=#WALKS", NULL, LINE_3 LINE_4);
    expect_tool("--export", "--room=walks", "--since=2026-11-26", LINE_4);
    expect_tool("--export", "--since=2026-11-27", NULL, "");
    expect_tool("--export", "--room=attic", NULL, "");
    ck_assert_uint_eq(n_files_with(""), 1); /* nothing is left beside it */
}
END_TEST

START_TEST(json)
{
    begin();
    fill();
    expect_tool("--export", "--format=json", "--room=lobby",
                "{\"id\":8796093022208,\"time\":\"2026-11-22T14:03:05.000000Z\",\"room\":\"lobby\",\"nick\":"
                "\"bob\",\"verified\":false,\"action\":false,\"text\":\"hello xyzzy\"}\n"
                "{\"id\":8796093022209,\"time\":\"2026-11-23T14:03:05.000000Z\",\"room\":\"lobby\",\"nick\":"
                "\"alice\",\"verified\":true,\"uid\":1000,\"action\":true,\"text\":\"waves "
                "\\\"quickly\\\"\"}\n");
}
END_TEST

/* With a standard output that takes nothing: a shell's, as the harness has none. */
START_TEST(output_is_full)
{
    char command[4 * PATH_BYTES];

    begin();
    fill();
    (void) snprintf(command, sizeof command, "%s %s --export >/dev/full 2>%s/err", state_directory,
                    getenv("CHATD"), folder);
    ck_assert_int_eq(WEXITSTATUS(system(command)), EX_IOERR);
    ck_assert_uint_eq(n_files_with("chatd: can not write: No space left on device."), 1);
}
END_TEST

/* Who has closed one of the standard descriptors has an archive all the same. */
START_TEST(descriptors_are_closed)
{
    static const struct {
        const char *redirected;
        int status;
    } cases[] = {{"<&-", EX_OK}, {"2>&-", EX_OK}, {"<&- 2>&-", EX_OK}, {">&-", EX_IOERR}};
    char command[4 * PATH_BYTES];

    begin();
    fill();
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        (void) snprintf(command, sizeof command, "%s %s --export >/dev/null %s", state_directory,
                        getenv("CHATD"), cases[i].redirected);
        ck_assert_msg(WEXITSTATUS(system(command)) == cases[i].status, "%s", cases[i].redirected);
    }
}
END_TEST

/* Of either spelling; and what is gone can not be read from the file. */
START_TEST(forget)
{
    begin();
    fill();
    ck_assert_uint_gt(n_files_with("xyzzy"), 0);
    expect_tool("--forget=BOB", NULL, NULL, "Removed 2 lines of BOB.\n");
    expect_tool("--export", NULL, NULL, LINE_1 LINE_2 LINE_4);
    ck_assert_uint_eq(n_files_with("xyzzy"), 0);
    ck_assert_uint_eq(n_files_with("plugh"), 0);
    ck_assert_uint_eq(n_files_with("bob"), 0);
    ck_assert_uint_eq(n_files_with("Bob"), 0);
    expect_tool("--forget=bob", NULL, NULL, "Removed 0 lines of bob.\n");
    expect_tool("--forget=alice\xe2\x9c\x93", NULL, NULL, "Removed 2 lines of alice.\n");
    expect_tool("--export", NULL, NULL, LINE_2);
}
END_TEST

START_TEST(forget_one_line)
{
    Archive *archive;

    begin();
    ck_assert_int_eq(archive_open(path, ARCHIVE_WRITER, &archive), 0);
    say(archive, 0, ARCHIVE_SAID, "lobby", "bob", "hello");
    ck_assert_int_eq(archive_commit(archive, 1, 8), 0);
    (void) archive_close(archive);
    expect_tool("--forget=bob", NULL, NULL, "Removed 1 line of bob.\n");
}
END_TEST

/* The archive of the service that runs has what was said up to now: a search comes after it. */
static void expect_archived(Client *client, const char *words, const char *expected)
{
    client_say(client, "/search %s", words);
    client_expect(client, "%s", expected);
}

START_TEST(beside_the_service)
{
    Daemon *daemon;
    Client *alice, *bob;

    begin();
    daemon = daemon_start(.env = {state_directory});
    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    client_say(bob, "hello xyzzy");
    client_say(alice, "hello bob");
    client_expect(bob, "[{time}] <alice> hello bob");
    expect_archived(alice, "xyzzy", "-- {any} #lobby <bob> hello xyzzy");
    expect_tool("--forget=bob", NULL, NULL, "Removed 1 line of bob.\n");
    ck_assert_uint_eq(n_files_with("xyzzy"), 0);
    expect_archived(alice, "xyzzy", "-- Nothing like that was said.");
    /* What is still in memory is. */
    client_say(alice, "/history");
    client_expect(alice, "[{time}] <bob> hello xyzzy");
    /* The service goes on writing, also what he says now. */
    client_say(bob, "I am back");
    expect_archived(alice, "back", "-- {any} #lobby <bob> I am back");
    daemon_kill(daemon);
    daemon_start_again(daemon);
    expect_archived(alice, "back", "-- {any} #lobby <bob> I am back");
    daemon_stop(daemon);
    ck_assert_uint_eq(n_files_with("xyzzy"), 0);
}
END_TEST

/* What is left of somebody who set a topic is the topic. */
START_TEST(topic_of_nobody)
{
    Daemon *daemon;
    Client *alice, *bob;

    begin();
    daemon = daemon_start(.env = {state_directory}, .no_runtime_directory = true);
    people_connect(daemon, "alice", &alice, "bob", &bob, NULL);
    client_say(bob, "/topic tea at four");
    client_expect(alice, "-- bob set the topic: tea at four");
    client_say(bob, "hello xyzzy");
    expect_archived(alice, "xyzzy", "-- {any} #lobby <bob> hello xyzzy");
    client_close(alice);
    client_close(bob);
    daemon_end(daemon);
    expect_tool("--forget=bob", NULL, NULL, "Removed 1 line of bob.\n");
    ck_assert_uint_eq(n_files_with("bob"), 0);
    daemon_start_again(daemon);
    alice = client_connect_as(daemon, "alice");
    client_say(alice, "/topic");
    client_expect(alice, "-- Topic of #lobby: tea at four");
    client_say(alice, "/history");
    client_expect(alice, "-- Nothing is remembered of #lobby.");
    daemon_restart(daemon);
    client_say(alice, "/topic");
    client_expect(alice, "-- Topic of #lobby: tea at four");
    daemon_stop(daemon);
}
END_TEST

/* A program that has the file for itself, all the time that the tool waits. */
START_TEST(locked)
{
    sqlite3 *db;

    begin();
    fill();
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; DELETE FROM gaps",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    expect_failure("--export", EX_TEMPFAIL, "locked by another process. Please try again later.\n");
    expect_failure("--forget=bob", EX_TEMPFAIL, "locked by another process. Please try again later.\n");
    (void) sqlite3_close(db);
    expect_tool("--export", NULL, NULL, LINE_0 LINE_1 LINE_2 LINE_3 LINE_4);
}
END_TEST

START_TEST(no_database)
{
    int fd;

    begin();
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_ge(fd, 0);
    expect_failure("--export", EX_NOINPUT, "There is no archive.\n");
    ck_assert_int_eq(write(fd, "This is no database, and too long for an empty one.", 51), 51);
    (void) close(fd);
    expect_failure("--export", EX_IOERR, "The archive is damaged.\n");
    expect_failure("--forget=bob", EX_IOERR, "The archive is damaged.\n");
    ck_assert_uint_eq(n_files_with("This is no database"), 1);
}
END_TEST

/* The folder of the service belongs to a user who is less than root. */
static void give_away(void)
{
    ck_assert_int_eq(chown(folder, NOBODY, NOBODY), 0);
    ck_assert_int_eq(chown(path, NOBODY, NOBODY), 0);
}

START_TEST(as_root)
{
    struct stat status;

    begin();
    fill();
    give_away();
    expect_tool("--export", NULL, NULL, LINE_0 LINE_1 LINE_2 LINE_3 LINE_4);
    expect_tool("--forget=bob", NULL, NULL, "Removed 2 lines of bob.\n");
    expect_tool("--export", NULL, NULL, LINE_1 LINE_2 LINE_4);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_uid, NOBODY);
    ck_assert_uint_eq(n_files_with(""), 1);
}
END_TEST

/* Who has the folder can not make root read or write another file. */
START_TEST(links_lead_nowhere)
{
    char other[PATH_BYTES];
    int fd;

    begin();
    fill();
    give_away();
    (void) snprintf(other, sizeof other, "%s/secret", suite_directory());
    fd = open(other, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_eq(write(fd, "secret", 6), 6);
    (void) close(fd);
    ck_assert_int_eq(symlink(other, log_path), 0);
    daemon_free(tool("--forget=bob", NULL, NULL, EX_IOERR));
    fd = open(other, O_RDONLY);
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), 6);
    (void) close(fd);
    ck_assert_int_eq(rename(path, other), 0);
    ck_assert_int_eq(symlink(other, path), 0);
    expect_failure("--export", EX_NOINPUT, "There is no archive.\n");
}
END_TEST

int main(void)
{
    const SuiteTest tests[] = {
        {text, 0},
        {json, 0},
        {output_is_full, 0},
        {descriptors_are_closed, 0},
        {forget, 0},
        {forget_one_line, 0},
        {beside_the_service, 0},
        {topic_of_nobody, 0},
        {locked, 0},
        {no_database, 0},
        /* Of root: check.sh runs them once more, as root. */
        {as_root, 0},
        {links_lead_nowhere, 0},
    };
    /* The wrapper would not find its own files any more. */
    bool is_root = geteuid() == 0 && getenv("CHATD_WRAPPER") == NULL;

    return suite_run("export", tests, N_ELEMENTS(tests) - (is_root ? 0 : 2));
}
