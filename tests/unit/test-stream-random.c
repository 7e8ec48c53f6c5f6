/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * Readers of every kind against a model: a list of the lines that each of them ought to read. What a reader
 * was sent, all partial sends together, must be that list, in order, each line once and whole, but for the
 * lines that a notice says were skipped, and one line before such a notice that may be cut. All this while
 * one process after the other dies, or none.
 */

#include <stdio.h>
#include <string.h>

#include "chat/room.h"
#include "chat/session.h"
#include "unit/harness.h"
#include "unit/torn.h"
#include "unit/unit.h"

#define ELLIPSIS "\xe2\x80\xa6"

enum {
    SPEAKERS = 3,
    READERS = 6,
    LINES_MAX = 15000,
    LINE_MAX = 2100,
};

static const char *const NAMES[SPEAKERS] = {"alice", "bob", "carol"};

/* A line of the model, by what it was made of: it may be rendered with and without its time, and with and
 * without colour. */
typedef struct Line {
    int speaker;             /* -1: an answer */
    unsigned number, filler; /* of what was said */
    bool is_action;
    char answer[64];
} Line;

typedef struct Reader {
    Client *client;
    Line *lines;
    unsigned n;
} Reader;

typedef struct World {
    Harness *harness;
    Client *speakers[SPEAKERS];
    Reader readers[READERS];
    uint64_t seed;
    unsigned number;
    bool is_torn; /* processes die in the middle of turns */
    unsigned n_torn;
} World;

static void reader_expect(Reader *reader, const Line *line)
{
    ck_assert_uint_lt(reader->n, LINES_MAX);
    reader->lines[reader->n++] = *line;
}

static void world_begin(World *world, uint64_t seed)
{
    Config config;

    *world = (World){.seed = seed};
    harness_config(&config);
    config.history = 0;
    world->harness = harness_new(&config, SPEAKERS + READERS);
    for (unsigned i = 0; i < SPEAKERS; i++)
        world->speakers[i] = client_named(world->harness, NAMES[i]);
    for (unsigned i = 0; i < READERS; i++) {
        world->readers[i].client = client_new(world->harness);
        world->readers[i].lines = calloc(LINES_MAX, sizeof *world->readers[i].lines);
        ck_assert_ptr_nonnull(world->readers[i].lines);
    }
    harness_turn(world->harness);
    harness_take_all(world->harness);
}

static void world_end(World *world)
{
    for (unsigned i = 0; i < READERS; i++)
        free(world->readers[i].lines);
    harness_free(world->harness);
}

static void run_turn(void *userdata)
{
    harness_turn(userdata);
}

static void world_turn(World *world)
{
    unsigned long store = 1 + random_below(&world->seed, 1 + random_below(&world->seed, 500));

    if (world->is_torn && torn_run(&world->harness->chat->state, store, run_turn, world->harness)) {
        world->n_torn++;
        harness_survive(world->harness);
    }
    harness_turn(world->harness);
}

/* Several lines in one turn, most of them short, some as long as they may be. */
static void world_speak(World *world)
{
    static char text[LINE_MAX];

    for (unsigned n = 1 + random_below(&world->seed, 8); n > 0; n--) {
        Line line = {.speaker = (int) random_below(&world->seed, SPEAKERS), .number = world->number++};

        line.filler = random_below(&world->seed, random_below(&world->seed, 4) == 0 ? 1900 : 60);
        line.is_action = random_below(&world->seed, 10) == 0;
        (void) snprintf(text, sizeof text, "%sline %u %0*d\n", line.is_action ? "/me " : "", line.number,
                        (int) line.filler, 7);
        client_type(world->speakers[line.speaker], text, strlen(text));
        /* Speakers type in the order of their places in a turn; to keep the model simple each has a turn of
         * its own. */
        world_turn(world);
        for (unsigned i = 0; i < READERS; i++)
            reader_expect(&world->readers[i], &line);
    }
}

/* A reader changes how it reads; the answer is a line to be read, too. */
static void world_set(World *world, Reader *reader)
{
    static const char *const SETTINGS[] = {"time", "color"};
    const char *setting = SETTINGS[random_below(&world->seed, 2)];
    const char *value = random_below(&world->seed, 2) ? "on" : "off";
    Line line = {.speaker = -1};
    char text[32];

    (void) snprintf(line.answer, sizeof line.answer, "-- %s is %s now.", setting, value);
    (void) snprintf(text, sizeof text, "/set %s %s\n", setting, value);
    client_type(reader->client, text, strlen(text));
    world_turn(world);
    reader_expect(reader, &line);
}

/* A reader takes a little, much, everything, or nothing more. */
static void world_read(World *world, Reader *reader)
{
    uint32_t kind = random_below(&world->seed, 10);

    if (kind < 2)
        client_stop(reader->client);
    else if (kind < 5)
        client_open_window(world->harness, reader->client, 1 + random_below(&world->seed, 20));
    else if (kind < 8)
        client_open_window(world->harness, reader->client, 1 + random_below(&world->seed, 70000));
    else if (kind < 9)
        client_open_window(world->harness, reader->client, SIZE_MAX);
    world_turn(world);
}

/* Checking */

/* How the line looks without its end, with the time or not, in colour or not. */
static size_t line_render(const World *world, const Line *line, bool has_time, bool has_color, char *to)
{
    char nick[64];

    if (line->speaker < 0)
        return (size_t) snprintf(to, LINE_MAX, "%s", line->answer);
    (void) strcpy(nick, NAMES[line->speaker]);
    if (has_color) {
        static const char *const COLORS[] = {"31", "32", "33", "34", "35", "36",
                                             "91", "92", "93", "94", "95", "96"};
        uint64_t hash = world->harness->chat->sessions[world->speakers[line->speaker]->session].nick_hash;

        (void) snprintf(nick, sizeof nick, "\x1b[%sm%s\x1b[0m", COLORS[hash % 12], NAMES[line->speaker]);
    }
    return (size_t) snprintf(to, LINE_MAX, "%s%s%s%s line %u %0*d", has_time ? "[12:03] " : "",
                             line->is_action ? "* " : "<", nick, line->is_action ? "" : ">", line->number,
                             (int) line->filler, 7);
}

static bool line_is(const World *world, const Line *line, const char *text, size_t n, bool is_cut)
{
    char expected[LINE_MAX];

    for (unsigned variety = 0; variety < 4; variety++) {
        size_t n_expected = line_render(world, line, variety & 1, variety & 2, expected);

        if (is_cut ? n <= n_expected && memcmp(text, expected, n) == 0
                   : n == n_expected && memcmp(text, expected, n) == 0)
            return true;
    }
    return false;
}

static unsigned notice_of(const char *text)
{
    static const char NOTICE[] = "-- You read too slowly: ";

    return strncmp(text, NOTICE, strlen(NOTICE)) == 0 ? (unsigned) atoi(text + strlen(NOTICE)) : 0;
}

typedef struct Tally {
    unsigned n_notices, n_cut, n_skipped;
} Tally;

static void check_reader(const World *world, const Reader *reader, Tally *tally)
{
    const char *text = client_take(reader->client), *end;
    unsigned at = 0, n_missed;

    for (; *text != '\0'; text = end + 1) {
        size_t n, n_dots = strlen(ELLIPSIS);

        end = strchr(text, '\n');
        ck_assert_ptr_nonnull(end);
        n = (size_t) (end - text);
        n_missed = notice_of(text);
        if (n_missed > 0) {
            at += n_missed;
            tally->n_notices++;
            tally->n_skipped += n_missed;
            continue;
        }
        ck_assert_msg(at < reader->n, "more lines than there were: %.60s", text);
        if (line_is(world, &reader->lines[at], text, n, false)) {
            at++;
            continue;
        }
        /* The line that the next notice begins with. */
        ck_assert_msg(n > n_dots && memcmp(end - n_dots, ELLIPSIS, n_dots) == 0 && notice_of(end + 1) > 0,
                      "line %u is torn, lost or repeated: %.*s", reader->lines[at].number,
                      (int) MIN(n, (size_t) 80), text);
        n -= n_dots;
        /* A colour may be taken back before the ellipsis. */
        if (n >= 4 && memcmp(text + n - 4, "\x1b[0m", 4) == 0 &&
            !line_is(world, &reader->lines[at], text, n, true))
            n -= 4;
        ck_assert_msg(line_is(world, &reader->lines[at], text, n, true), "line %u is cut wrongly: %.*s",
                      reader->lines[at].number, (int) MIN(n, (size_t) 80), text);
        tally->n_cut++;
    }
    ck_assert_msg(at == reader->n, "%u lines of %u", at, reader->n);
}

static void catch_up(World *world, Reader *reader)
{
    client_open_window(world->harness, reader->client, SIZE_MAX);
    do
        harness_turn(world->harness);
    while (reader->client->is_behind);
}

/* How a world runs. */
typedef struct Run {
    uint64_t seed;
    unsigned n_steps;
    bool is_slow;        /* the readers, and overtaken again and again */
    unsigned dies_every; /* so many steps, on average, a process dies; 0: none does */
    bool is_torn;        /* and it dies in the middle of turns, too */
} Run;

static void run_world(const Run *run, Tally *tally)
{
    World world;

    world_begin(&world, run->seed);
    world.is_torn = run->is_torn;
    for (unsigned step = 0; step < run->n_steps; step++) {
        Reader *reader = &world.readers[random_below(&world.seed, READERS)];
        uint32_t kind = random_below(&world.seed, 10);

        if (kind < (run->is_slow ? 6 : 2))
            world_speak(&world);
        else if (kind < 9)
            world_read(&world, reader);
        else
            world_set(&world, reader);
        harness_check(world.harness);
        if (run->dies_every != 0 && random_below(&world.seed, run->dies_every) == 0)
            harness_survive(world.harness);
    }
    for (unsigned i = 0; i < READERS; i++)
        catch_up(&world, &world.readers[i]);
    ck_assert_uint_eq(world.harness->chat->first_lagging, SLOT_NONE);
    for (unsigned i = 0; i < READERS; i++)
        check_reader(&world, &world.readers[i], tally);
    ck_assert_uint_gt(world.harness->n_partial, 20);
    ck_assert_uint_ge(world.n_torn, run->is_torn ? run->n_steps / 10 : 0);
    world_end(&world);
}

/* Who is not overtaken reads everything. */
START_TEST(test_partial)
{
    Tally tally = {0};

    for (unsigned seed = 1; seed <= (harness_is_slow() ? 2 : 10); seed++)
        run_world(&(Run){.seed = seed, .n_steps = 300, .dies_every = seed % 2 * seed}, &tally);
}
END_TEST

/* The transcript overtakes them again and again. */
START_TEST(test_overtaken)
{
    Tally tally = {0};

    for (unsigned seed = 1; seed <= (harness_is_slow() ? 2 : 6); seed++)
        run_world(&(Run){.seed = 100 + seed, .n_steps = 2500, .is_slow = true, .dies_every = seed % 2 * seed},
                  &tally);
    ck_assert_uint_gt(tally.n_notices, harness_is_slow() ? 2 : 20);
    ck_assert_uint_gt(tally.n_cut, harness_is_slow() ? 0 : 5);
    ck_assert_uint_gt(tally.n_skipped, harness_is_slow() ? 100 : 1000);
}
END_TEST

/* Whatever a process was about when it died. */
START_TEST(test_torn)
{
    Tally tally = {0};

    for (unsigned seed = 1; torn_is_possible() && seed <= 4; seed++)
        run_world(&(Run){.seed = 200 + seed, .n_steps = 500, .is_slow = seed % 2, .is_torn = true}, &tally);
    ck_assert(!torn_is_possible() || tally.n_notices > 0);
}
END_TEST

/* Sharing changes nothing: two chats with the same people who do the same, one of them with a send for each.
 */

enum { PEOPLE = 10 };

typedef struct Twins {
    Harness *shared, *alone;
    Client *people[2][PEOPLE];
    uint64_t seed;
} Twins;

static void twins_say(Twins *twins, unsigned who, const char *text)
{
    client_type(twins->people[0][who], text, strlen(text));
    client_type(twins->people[1][who], text, strlen(text));
}

/* One of these, with a digit for each question mark. */
static const char *const ACTS[] = {
    "/join #room?\n",   "/join #room?\n",  "/leave #room?\n",  "/msg p? psst\n",    "/ignore p?\n",
    "/nick p?x\n",      "/nick p?\n",      "hello p?\n",       "hello ?\n",         "/me waves ?\n",
    "/topic words ?\n", "one ?\ntwo\n",    "/history ?\n",     "/who #room?\n",     "/whois p?\n",
    "/set bell on\n",   "/set bell off\n", "/set color on\n",  "/set color off\n",  "/set time on\n",
    "/set time off\n",  "/set joins on\n", "/set joins off\n", "/set mark ascii\n", "/away lunch\n",
    "/away\n",          "/reply yes\n",    "/rooms\n",         "/join #lobby\n",
};

static void twins_act(Twins *twins, unsigned who)
{
    const char *act = ACTS[random_below(&twins->seed, N_ELEMENTS(ACTS))];
    char text[32], *mark;

    (void) strcpy(text, act);
    while ((mark = strchr(text, '?')) != NULL)
        *mark = (char) ('0' + random_below(&twins->seed, 5));
    twins_say(twins, who, text);
}

static void twins_turn(Twins *twins)
{
    harness_turn(twins->shared);
    harness_turn(twins->alone);
    harness_check(twins->shared);
    harness_check(twins->alone);
    for (unsigned i = 0; i < PEOPLE; i++)
        ck_assert_str_eq(client_take(twins->people[0][i]), client_take(twins->people[1][i]));
}

/* Three of them are one person, one other has an account, too. */
static Client *twins_come(Harness *harness, unsigned who)
{
    if (who < 3)
        return client_account(harness, "p0", 1000);
    return who == 3 ? client_account(harness, "other", 1001) : client_new(harness);
}

static void twins_begin(Twins *twins, uint64_t seed)
{
    *twins = (Twins){.shared = harness_new(NULL, PEOPLE), .alone = harness_new(NULL, PEOPLE), .seed = seed};
    twins->alone->is_alone = true;
    for (unsigned i = 0; i < PEOPLE; i++) {
        twins->people[0][i] = twins_come(twins->shared, i);
        twins->people[1][i] = twins_come(twins->alone, i);
    }
}

static void run_twins(unsigned n_turns, unsigned dies_every)
{
    Twins twins;

    twins_begin(&twins, 77);
    for (unsigned i = 0; i < n_turns; i++) {
        if (dies_every != 0 && random_below(&twins.seed, dies_every) == 0)
            harness_survive(twins.shared);
        for (unsigned n = random_below(&twins.seed, 6); n > 0; n--)
            twins_act(&twins, random_below(&twins.seed, PEOPLE));
        if (random_below(&twins.seed, 500) == 0) {
            unsigned who = random_below(&twins.seed, PEOPLE);

            client_break(twins.shared, twins.people[0][who]);
            client_break(twins.alone, twins.people[1][who]);
            twins.people[0][who] = twins_come(twins.shared, who);
            twins.people[1][who] = twins_come(twins.alone, who);
        }
        twins_turn(&twins);
    }
    ck_assert_uint_gt(twins.shared->n_shared, n_turns / 20);
    ck_assert_uint_eq(twins.alone->n_shared, 0);
    harness_free(twins.shared);
    harness_free(twins.alone);
}

START_TEST(test_shared)
{
    run_twins(harness_is_slow() ? 200 : 6000, 0);
}
END_TEST

/* Nor does it that in one of them process after process dies. */
START_TEST(test_shared_survived)
{
    run_twins(harness_is_slow() ? 200 : 6000, 5);
}
END_TEST

UNIT_MAIN("stream-random", test_partial, test_overtaken, test_torn, test_shared, test_shared_survived)
