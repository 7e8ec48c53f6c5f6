/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What was said in the lobby, from one service to the next. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chat/room.h"
#include "chat/session.h"
#include "host/history.h"
#include "unit/harness.h"
#include "unit/unit.h"

static char directory[UNIT_PATH], path[UNIT_PATH + 32];
static unsigned n_logged;

static void on_log(void *userdata, const LogEvent *event)
{
    (void) userdata;
    ck_assert_ptr_nonnull(event->message);
    n_logged += strcmp(event->id, LOG_ID_HISTORY_LOST) == 0;
}

static const Log LOG = {.sink = on_log};

static void begin(void)
{
    unit_folder(directory);
    (void) snprintf(path, sizeof path, "%s/history", directory);
    (void) setenv("RUNTIME_DIRECTORY", directory, 1);
    n_logged = 0;
}

static bool is_there(const char *name)
{
    struct stat status;

    return lstat(name, &status) == 0;
}

/* The file as it is; its length in *ret_n. The caller's. */
static char *read_all(size_t *ret_n)
{
    FILE *file = fopen(path, "re");
    char *bytes;

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    *ret_n = (size_t) ftell(file);
    rewind(file);
    bytes = malloc(*ret_n);
    ck_assert_uint_eq(fread(bytes, 1, *ret_n, file), *ret_n);
    (void) fclose(file);
    return bytes;
}

/* The next service, with what the last one left. */
static Harness *next_service(const Config *config)
{
    Harness *harness = harness_new(config, 5);

    history_load(harness->chat, &harness->config, &LOG);
    history_forget();
    return harness;
}

static Harness *service_with_words(void)
{
    Harness *harness = harness_new(NULL, 5);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");

    client_say(harness, alice, "one");
    client_say(harness, bob, "/me two");
    client_say(harness, bob, "/topic the weekend");
    client_say(harness, alice, "/msg bob a secret");
    client_say(harness, bob, "/reply nobody knows");
    client_say(harness, alice, "/join #den");
    client_say(harness, alice, "said behind doors");
    client_say(harness, alice, "/away out of office");
    client_say(harness, bob, "three");
    return harness;
}

static void break_all(Harness *harness)
{
    for (unsigned i = 0; i < harness->n_clients; i++)
        client_break(harness, harness->clients[i]);
    harness_turn(harness);
}

START_TEST(test_saved)
{
    Harness *harness;
    Client *carol;
    struct stat status;

    begin();
    harness = service_with_words();
    break_all(harness);
    history_save(harness->chat, &harness->config, &LOG);
    harness_free(harness);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0600);
    /* Holes are no blocks. */
    ck_assert_uint_lt((uint64_t) status.st_blocks * 512, 100 * 1024);

    harness = next_service(NULL);
    ck_assert(!is_there(path));
    carol = client_new(harness);
    harness_turn(harness);
    ck_assert_str_eq(client_take(carol),
                     "-- Welcome to host. You are guest1; nobody else is here. /help lists the "
                     "commands.\n"
                     "-- Topic of #lobby: the weekend\n"
                     "[12:03] <alice> one\n"
                     "[12:03] * bob two\n"
                     "[12:03] <bob> three\n");
    client_say(harness, carol, "/topic");
    ck_assert_str_eq(client_take(carol), "-- Topic of #lobby, set by bob: the weekend\n");
    /* What is said from now on comes after it. */
    client_say(harness, carol, "four");
    client_say(harness, carol, "/history 2");
    ck_assert_str_eq(client_take(carol), "[12:03] <bob> three\n[12:03] <guest1> four\n");
    client_say(harness, carol, "/whois alice");
    ck_assert_str_eq(client_take(carol), "!! Nobody here is called alice. /who lists who is.\n");
    harness_check(harness);
    harness_survive(harness);
    break_all(harness);
    history_save(harness->chat, &harness->config, &LOG);
    harness_free(harness);

    /* And once more. */
    harness = next_service(NULL);
    carol = client_named(harness, "carol");
    client_say(harness, carol, "/history");
    ck_assert_str_eq(client_take(carol),
                     "[12:03] <alice> one\n[12:03] * bob two\n[12:03] <bob> three\n[12:03] <guest1> four\n");
    harness_free(harness);
    ck_assert_uint_eq(n_logged, 0);
}
END_TEST

/* What was taken back is not said again: not the last line, nor one in between, nor all. */
START_TEST(test_taken_back)
{
    static const struct {
        const char *lines, *history;
    } cases[] = {
        {"one\ntwo\n/undo", "[12:03] <alice> one\n"},
        {"one\n/undo\ntwo\n/undo\nthree", "[12:03] <alice> three\n"},
        {"one\n/undo", "-- Nothing is remembered of #lobby.\n"},
    };

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        Harness *harness;
        Client *carol;

        begin();
        harness = harness_new(NULL, 5);
        client_say(harness, client_named(harness, "alice"), "%s", cases[i].lines);
        break_all(harness);
        history_save(harness->chat, &harness->config, &LOG);
        harness_free(harness);

        harness = next_service(NULL);
        carol = client_named(harness, "carol");
        (void) client_take(carol);
        client_say(harness, carol, "/history");
        ck_assert_str_eq(client_take(carol), cases[i].history);
        harness_free(harness);
    }
}
END_TEST

/* Only operators may lock the lobby's topic, and nobody else unlocks it by waiting for an idle exit. */
START_TEST(test_locked_topic)
{
    Harness *harness;
    Client *carol;

    begin();
    harness = harness_new(NULL, 5);
    carol = client_account(harness, "root", 0);
    harness_turn(harness);
    client_say(harness, carol, "/lock topic");
    break_all(harness);
    history_save(harness->chat, &harness->config, &LOG);
    harness_free(harness);

    harness = next_service(NULL);
    carol = client_named(harness, "carol");
    client_say(harness, carol, "/topic mine");
    ck_assert_str_eq(client_take(carol), "!! The topic of #lobby is locked: only operators set it.\n");
    harness_check(harness);
    harness_free(harness);
}
END_TEST

/* Restored words are not those of a name that somebody ignores and nobody bears, unless it is that name. */
START_TEST(test_ignored)
{
    Harness *harness;
    Client *carol;

    begin();
    harness = service_with_words();
    history_save(harness->chat, &harness->config, &LOG);
    harness_free(harness);
    harness = next_service(NULL);
    carol = client_named(harness, "carol");
    client_say(harness, carol, "/ignore nobody");
    (void) client_take(carol);
    client_say(harness, carol, "/history");
    ck_assert_str_eq(client_take(carol), "[12:03] <alice> one\n[12:03] * bob two\n[12:03] <bob> three\n");
    client_say(harness, carol, "/ignore bob");
    (void) client_take(carol);
    client_say(harness, carol, "/history");
    ck_assert_str_eq(client_take(carol), "[12:03] <alice> one\n");
    harness_free(harness);
}
END_TEST

/* Not what was said in private, or elsewhere, or by whom it was away. */
START_TEST(test_nothing_private)
{
    static const char *const SECRETS[] = {"secret", "nobody knows", "behind doors",    "den",
                                          "office", "2001:db8",     "\x20\x01\x0d\xb8"};
    Harness *harness;
    char *bytes;
    size_t n;

    begin();
    harness = service_with_words();
    history_save(harness->chat, &harness->config, &LOG);
    harness_free(harness);
    bytes = read_all(&n);
    ck_assert_ptr_nonnull(memmem(bytes, n, "three", 5));
    for (size_t i = 0; i < N_ELEMENTS(SECRETS); i++)
        ck_assert_msg(memmem(bytes, n, SECRETS[i], strlen(SECRETS[i])) == NULL, "%s is in the file",
                      SECRETS[i]);
    free(bytes);
}
END_TEST

/* The last 200, however long they are, as far as the next transcript holds them. */
static void check_many(unsigned n_lines, int n_bytes)
{
    Harness *harness = harness_new(NULL, 5);
    Client *alice = client_named(harness, "alice"), *carol;
    const char *text, *last = NULL;
    unsigned n = 0;
    char words[16];

    for (unsigned i = 0; i < n_lines; i++) {
        client_say(harness, alice, "%0*d. %u", n_bytes, 0, i);
        (void) client_take(alice);
    }
    history_save(harness->chat, &harness->config, &LOG);
    harness_free(harness);
    harness = next_service(NULL);
    carol = client_named(harness, "carol");
    client_say(harness, carol, "/history 200");
    while (carol->is_behind)
        harness_turn(harness);
    for (text = client_take(carol); (text = strstr(text, ". ")) != NULL; text += 2, n++)
        last = text;
    ck_assert_ptr_nonnull(last);
    (void) snprintf(words, sizeof words, ". %u\n", n_lines - 1);
    ck_assert_str_eq(last, words);
    if (n_bytes < 100)
        ck_assert_uint_eq(n, MIN(n_lines, 200U));
    else
        ck_assert_uint_gt(n, 20);
    harness_check(harness);
    harness_free(harness);
}

START_TEST(test_many)
{
    begin();
    check_many(1, 1);
    check_many(199, 1);
    check_many(200, 1);
    check_many(201, 1);
    check_many(1000, 50);
    check_many(1000, 1900);
    ck_assert_uint_eq(n_logged, 0);
}
END_TEST

/* Nothing was said: no file, and the one that is there is not touched. */
START_TEST(test_nothing)
{
    Harness *harness;

    begin();
    harness = next_service(NULL);
    (void) client_named(harness, "alice");
    history_save(harness->chat, &harness->config, &LOG);
    harness_free(harness);
    ck_assert(!is_there(path));
    ck_assert_uint_eq(n_logged, 0);
}
END_TEST

/* No directory, and one that is not there or can not be written to. */
START_TEST(test_no_directory)
{
    Harness *harness = service_with_words();
    char too_long[600];

    (void) unsetenv("RUNTIME_DIRECTORY");
    n_logged = 0;
    history_save(harness->chat, &harness->config, &LOG);
    history_load(harness->chat, &harness->config, &LOG);
    history_forget();
    memset(too_long, '/', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    (void) setenv("RUNTIME_DIRECTORY", too_long, 1);
    history_save(harness->chat, &harness->config, &LOG);
    history_load(harness->chat, &harness->config, &LOG);
    ck_assert_uint_eq(n_logged, 0);

    (void) setenv("RUNTIME_DIRECTORY", "/nowhere/at/all", 1);
    history_load(harness->chat, &harness->config, &LOG);
    history_forget();
    ck_assert_uint_eq(n_logged, 0);
    history_save(harness->chat, &harness->config, &LOG);
    ck_assert_uint_eq(n_logged, 1);
    harness_check(harness);
    harness_free(harness);

    /* A directory in the way: for root, too, there is no writing to that. */
    begin();
    harness = service_with_words();
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(mkdir(strcat(path, "/full"), 0700), 0);
    history_save(harness->chat, &harness->config, &LOG);
    ck_assert_uint_eq(n_logged, 1);
    (void) snprintf(path, sizeof path, "%s/history.new", directory);
    ck_assert(!is_there(path));
    harness_free(harness);
}
END_TEST

/* An old file stays as it is when the new one can not be written, and is replaced when it can. */
START_TEST(test_replaced)
{
    Harness *harness;
    size_t n, n_after;
    char *bytes, *after;

    begin();
    harness = service_with_words();
    history_save(harness->chat, &harness->config, &LOG);
    bytes = read_all(&n);
    client_say(harness, harness->clients[1], "a later word");
    (void) snprintf(path, sizeof path, "%s/history.new", directory);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    history_save(harness->chat, &harness->config, &LOG);
    ck_assert_uint_eq(n_logged, 1);
    ck_assert_int_eq(rmdir(path), 0);
    (void) snprintf(path, sizeof path, "%s/history", directory);
    after = read_all(&n_after);
    ck_assert_uint_eq(n, n_after);
    ck_assert(memcmp(bytes, after, n) == 0);
    free(after);
    history_save(harness->chat, &harness->config, &LOG);
    after = read_all(&n_after);
    ck_assert_ptr_nonnull(memmem(after, n_after, "a later word", 12));
    free(after);
    free(bytes);
    harness_free(harness);
}
END_TEST

static void write_file(const char *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_int_eq(write(fd, bytes, n), (ssize_t) n);
    (void) close(fd);
}

/* Whatever the file is, the service begins. */
static void check_damaged(const char *bytes, size_t n)
{
    Harness *harness;
    Client *carol;

    write_file(bytes, n);
    n_logged = 0;
    harness = next_service(NULL);
    ck_assert(!is_there(path));
    carol = client_new(harness);
    harness_turn(harness);
    ck_assert_ptr_nonnull(strstr(client_take(carol), "-- Welcome"));
    harness_check(harness);
    harness_survive(harness);
    harness_free(harness);
}

START_TEST(test_damaged)
{
    Harness *harness;
    uint64_t seed = 5;
    char *bytes;
    size_t n;

    begin();
    harness = service_with_words();
    history_save(harness->chat, &harness->config, &LOG);
    harness_free(harness);
    bytes = read_all(&n);
    check_damaged(bytes, 0);
    ck_assert_uint_eq(n_logged, 1);
    check_damaged(bytes, 7);
    ck_assert_uint_eq(n_logged, 1);
    check_damaged(bytes, 4096);
    ck_assert_uint_eq(n_logged, 1);
    check_damaged(bytes, n - 1);
    ck_assert_uint_eq(n_logged, 1);
    check_damaged("no state", 8);
    ck_assert_uint_eq(n_logged, 1);
    check_damaged(bytes, n);
    ck_assert_uint_eq(n_logged, 0);
    for (unsigned i = 0; i < (harness_is_slow() ? 3 : 300); i++) {
        size_t at = random_below(&seed, (uint32_t) n);

        while (bytes[at] == 0)
            at = (at + 1) % n;
        bytes[at] = (char) (bytes[at] ^ (1 << random_below(&seed, 8)));
        check_damaged(bytes, n);
    }
    free(bytes);
}
END_TEST

/* A link is not followed, out of the directory or not. */
START_TEST(test_link)
{
    Harness *harness;
    char target[UNIT_PATH + 32];

    begin();
    harness = service_with_words();
    (void) snprintf(target, sizeof target, "%s/elsewhere", directory);
    ck_assert_int_eq(symlink(target, path), 0);
    history_load(harness->chat, &harness->config, &LOG);
    history_save(harness->chat, &harness->config, &LOG);
    ck_assert(!is_there(target));
    ck_assert(is_there(path));
    (void) strcat(path, ".new");
    ck_assert_int_eq(symlink(target, path), 0);
    n_logged = 0;
    history_save(harness->chat, &harness->config, &LOG);
    ck_assert(!is_there(target));
    ck_assert_uint_eq(n_logged, 1);
    harness_free(harness);
}
END_TEST

/* Another configuration: more of everything, or less. */
START_TEST(test_configured)
{
    static const uint64_t SIZES[] = {256 * 1024, 512 * 1024, 300 * 1000, 4 << 20};

    for (size_t i = 0; i < N_ELEMENTS(SIZES); i++) {
        Harness *harness;
        Config config;
        Client *carol;

        begin();
        harness = service_with_words();
        history_save(harness->chat, &harness->config, &LOG);
        harness_free(harness);
        harness_config(&config);
        config.transcript_size = SIZES[i];
        config.max_rooms = i % 2 ? 1 : 5000;
        config.max_ignores = i % 2 ? 64 : 1;
        config.history = 1;
        harness = next_service(&config);
        carol = client_named(harness, "carol");
        client_say(harness, carol, "/history 5");
        ck_assert_str_eq(client_take(carol), "[12:03] <alice> one\n[12:03] * bob two\n[12:03] <bob> three\n");
        ck_assert_uint_eq(harness->chat->state.header->transcript_size, SIZES[i]);
        harness_free(harness);
        ck_assert_uint_eq(n_logged, 0);
    }
}
END_TEST

/* The state that kills is kept as it is. */
START_TEST(test_set_aside)
{
    Harness *harness;
    State state;
    int fd;

    begin();
    harness = service_with_words();
    history_set_aside(&LOG, harness->chat->state.fd);
    (void) snprintf(path, sizeof path, "%s/state.broken", directory);
    fd = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(state_open(fd, &state), 0);
    ck_assert_mem_eq(state.base, harness->chat->state.base, state.size);
    state_done(&state);
    harness_free(harness);
}
END_TEST

UNIT_MAIN("history", test_saved, test_taken_back, test_locked_topic, test_ignored, test_nothing_private,
          test_many, test_nothing, test_no_directory, test_replaced, test_damaged, test_link, test_configured,
          test_set_aside)
