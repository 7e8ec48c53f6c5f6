/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * The process dies in the middle of everything that a chat does, and nobody notices: what was not committed
 * was never said, and is said when the next process comes to it; what was committed is not said twice.
 */

#include <stdio.h>
#include <string.h>

#include "chat/command.h"
#include "chat/room.h"
#include "chat/session.h"
#include "unit/harness.h"
#include "unit/torn.h"
#include "unit/unit.h"

enum { CROWD = 32 }; /* more than are told of one by one who comes and goes */

/* What can be done, by whom, in a world of that kind. */
typedef struct Deed {
    char who;         /* 'a' to 'g'; 'n': somebody new, who comes; 'o', 'p': by an account, see come() */
    const char *line; /* NULL: the connection breaks */
    enum {
        SMALL,
        CROWDED,
        NARROW,  /* dave takes only a part of what he is sent next */
        GREETED, /* somebody has been sent half the greeting */
        SLOW,    /* dave has been sent half a line, and has more to read */
        FULL,    /* and so much that what comes next overwrites some of it */
        PERSON,  /* 'e' and 'f' are connections of one account, 'g' is an operator */
        KEPT,    /* the same, and #den is theirs; carol, who is in no other room, and bob are invited */
    } kind;
} Deed;

static const Deed DEEDS[] = {
    {'a', "hello", SMALL},
    {'a', "//slash", SMALL},
    {'a', "", SMALL},
    {'b', "hello in dev", SMALL},
    {'a', "/nick ally", SMALL},
    {'a', "/nick bob", SMALL},
    {'a', "/nick Alice", SMALL},
    {'a', "/me waves", SMALL},
    {'a', "/msg bob hi", SMALL},
    {'a', "/msg carol hi", SMALL},
    {'a', "/reply yes", SMALL},
    {'a', "/join #new", SMALL},
    {'a', "/join #dev", SMALL},
    {'d', "/join #dev", SMALL},
    {'a', "/leave", SMALL},
    {'b', "/leave #lobby", SMALL},
    {'c', "/leave #alone", SMALL},
    {'a', "/rooms", SMALL},
    {'a', "/who", SMALL},
    {'a', "/whois bob", SMALL},
    {'a', "/topic words", SMALL},
    {'a', "/topic -", SMALL},
    {'b', "/topic other words", SMALL},
    {'a', "/away lunch", SMALL},
    {'c', "/away", SMALL},
    {'a', "/ignore bob", SMALL},
    {'a', "/ignore dave", SMALL},
    {'a', "/ignore carol", SMALL},
    {'a', "/history", SMALL},
    {'b', "/history 3", SMALL},
    {'b', "/history today", SMALL},
    {'b', "/search tea", SMALL},
    {'b', "/seen carol", SMALL},
    {'b', "/seen nobody", SMALL},
    {'a', "/undo\n/history", SMALL},
    {'a', "/undo", SLOW},
    {'g', "/delete bob 2\n/history", PERSON},
    {'a', "/delete bob", PERSON},
    {'a', "/set color on", SMALL},
    {'a', "/set joins off", SMALL},
    {'a', "/time", SMALL},
    {'a', "/version", SMALL},
    {'a', "/help", SMALL},
    {'a', "/quit", SMALL},
    {'b', "/quit", SMALL},
    {'a', "/nothing", SMALL},
    {'a', "\xff\xfd\x01hello", SMALL},
    {'a', "one\ntwo\n/join #three\nfour", SMALL},
    {'a', "hello", CROWDED},
    {'a', "/nick ally", CROWDED},
    {'a', "/leave #lobby", CROWDED},
    {'b', "/join #new", CROWDED},
    {'b', "/quit", CROWDED},
    {'a', "hello", SLOW},
    {'d', "/topic words", SLOW},
    {'d', "/ignore alice", SLOW},
    {'d', "/history 5", SLOW},
    {'a', "hello", NARROW},
    {'a', "one\ntwo", NARROW},
    {'d', "/help", NARROW},
    {'a', "/topic other words", GREETED},
    {'a', "hello", GREETED},
    {'a', "hello", FULL},
    {'a', "/help", FULL},
    {'b', "/quit", FULL},
    {'n', "", SMALL},
    {'n', "", CROWDED},
    {'n', "", FULL},
    {'a', NULL, SMALL},
    {'d', NULL, CROWDED},
    {'d', NULL, SLOW},
    {'c', NULL, FULL},
    {'e', "hello", PERSON},
    {'e', "/join #den", PERSON},
    {'f', "/leave #dev", PERSON},
    {'f', "/leave #lobby", PERSON},
    {'a', "/msg erin hi", PERSON},
    {'e', "/msg alice hi", PERSON},
    {'e', "/away for tea", PERSON},
    {'f', "/set mark ascii", PERSON},
    {'e', "/ignore bob", PERSON},
    {'e', "/nick bob", PERSON},
    {'e', "/quit", PERSON},
    {'a', "/kick bob", PERSON},
    {'e', "/lock", KEPT},
    {'e', "/lock topic", KEPT},
    {'e', "/lock\n/hide\n/lock off\n/hide off", KEPT},
    {'e', "/hide", KEPT},
    {'e', "/invite bob", KEPT},
    {'e', "/invite dave", KEPT},
    {'e', "/invite", KEPT},
    {'a', "/invite bob", KEPT},
    {'e', "/uninvite bob", KEPT},
    {'e', "/uninvite carol", KEPT},
    {'e', "/kick carol too loud", KEPT},
    {'e', "/give root", KEPT},
    {'e', "/close", KEPT},
    {'g', "/close #den", KEPT},
    {'e', "/leave", KEPT},
    {'e', "/lock\n/leave", KEPT},
    {'e', "words\n/kick carol", KEPT},
    {'e', "/quit", KEPT},
    {'f', "/join #attic\n/hide", KEPT},
    {'c', "/leave", KEPT},
    {'g', "/op erin 1h for today", KEPT},
    {'g', "/op erin\n/op\n/deop erin", KEPT},
    {'g', "/deop erin", KEPT},
    {'e', NULL, KEPT},
    {'g', "/kick bob for nothing", PERSON},
    {'g', "/kick erin", PERSON},
    {'g', "/announce all", PERSON},
    {'g', "/ban bob 10min for nothing", PERSON},
    {'g', "/ban erin", PERSON},
    {'g', "/ban 2001:db8:0:1::/64", PERSON},
    {'g', "/ban 192.0.2.1\n/bans\n/unban 1\n/bans", PERSON},
    {'g', "/bans", PERSON},
    {'g', "/unban bob", PERSON},
    {'g', "/mute erin 1h", PERSON},
    {'g', "/mute bob\n/unmute bob", PERSON},
    {'g', "/unmute bob", PERSON},
    {'o', "", PERSON},
    {'p', "", PERSON},
    {'e', NULL, PERSON},
};

typedef struct World {
    Harness *harness;
    Client *people[7];
} World;

static Client *who(const World *world, char c)
{
    return world->people[c - 'a'];
}

/* As much as the transcript holds, so that whatever is done next overwrites something. */
static void world_fill(World *world)
{
    const StateHeader *header = world->harness->chat->state.header;
    Chat *chat = world->harness->chat;
    uint64_t tail = header->tail;

    while (header->tail == tail)
        client_say(world->harness, world->people[1], "%01500d", 0);
    while (header->head + 3 * ENTRY_MAX_BYTES - header->tail <= header->transcript_size) {
        chat_tell_room(chat, ROOM_LOBBY, ENTRY_SAID, world->people[1]->session, "no room was made", 16);
        chat_commit(chat);
        harness_turn(world->harness);
    }
}

static void world_slow_down(World *world, size_t window)
{
    client_stop(world->people[3]);
    client_say(world->harness, world->people[0], "the first line that is not read");
    client_open_window(world->harness, world->people[3], window);
    harness_turn(world->harness);
    client_say(world->harness, world->people[1], "/join #lobby");
    client_say(world->harness, world->people[1], "the second");
    client_say(world->harness, world->people[1], "/msg dave the third");
}

static void world_add_persons(World *world)
{
    world->people[4] = client_account(world->harness, "erin", 1000);
    world->people[5] = client_account(world->harness, "erin", 1000);
    world->people[6] = client_account(world->harness, "root", 0);
    harness_turn(world->harness);
    client_say(world->harness, world->people[4], "/join #dev");
    client_say(world->harness, world->people[5], "/topic of the person");
}

static void world_add_den(World *world)
{
    static const struct {
        char who;
        const char *line;
    } lines[] = {
        {'e', "/join #den"},    {'f', "/join #den"},       {'e', "/lock"},      {'e', "/invite bob"},
        {'e', "/invite root"},  {'e', "/invite carol"},    {'c', "/join #den"}, {'c', "/leave #alone"},
        {'c', "/leave #lobby"}, {'e', "/lock off\nwords"},
    };

    for (size_t i = 0; i < N_ELEMENTS(lines); i++)
        client_say(world->harness, who(world, lines[i].who), "%s", lines[i].line);
}

/* Somebody new: anybody, the owner of an account whose name a guest has, one who is there already. */
static void come(Harness *harness, char c)
{
    if (c == 'n')
        ck_assert_ptr_nonnull(client_new(harness));
    else
        ck_assert_ptr_nonnull(c == 'o' ? client_account(harness, "carol", 1001)
                                       : client_account(harness, "erin", 1000));
}

static bool is_new(const Deed *deed)
{
    return deed->who >= 'n';
}

static void world_begin(World *world, const Deed *deed)
{
    static const char *const NAMES[] = {"alice", "bob", "carol", "dave"};
    static const struct {
        char who;
        const char *line;
    } lines[] = {
        {'a', "/join #dev"},
        {'b', "/join #dev"},
        {'b', "in the room"},
        {'a', "/topic the room"},
        {'c', "/join #alone"},
        {'a', "/join #lobby"},
        {'a', "one"},
        {'c', "/topic the lobby"},
        {'d', "two"},
        {'a', "/me three"},
        {'a', "/ignore dave"},
        {'d', "/ignore carol"},
        {'c', "/away for lunch"},
        {'b', "/msg alice are you in"},
        {'b', "/set color on"},
    };
    Config config;

    harness_config(&config);
    config.max_rooms = 8;
    config.max_rooms_per_client = 4;
    config.max_ignores = 3;
    *world = (World){.harness = harness_new(&config, 7 + CROWD + 1)};
    for (unsigned i = 0; i < N_ELEMENTS(NAMES); i++)
        world->people[i] = client_named(world->harness, NAMES[i]);
    for (size_t i = 0; i < N_ELEMENTS(lines); i++)
        client_say(world->harness, who(world, lines[i].who), "%s", lines[i].line);
    for (unsigned i = 0; deed->kind == CROWDED && i < CROWD; i++)
        (void) client_new(world->harness);
    if (deed->kind == PERSON || deed->kind == KEPT)
        world_add_persons(world);
    if (deed->kind == KEPT)
        world_add_den(world);
    if (deed->kind == SLOW || deed->kind == FULL)
        world_slow_down(world, 20);
    if (deed->kind == FULL)
        world_fill(world);
    if (deed->kind == GREETED)
        client_new(world->harness)->window = 40;
    harness_turn(world->harness);
    harness_take_all(world->harness);
    /* Whatever depends on the order in which places were given back is the same from here on. */
    harness_survive(world->harness);
    if (deed->kind == NARROW) {
        client_say(world->harness, world->people[3], "/set color on");
        (void) client_take(world->people[3]);
        world->people[3]->window = 12;
    }
}

static void world_do(World *world, const Deed *deed)
{
    if (is_new(deed) || deed->line == NULL)
        return;
    client_type(who(world, deed->who), deed->line, strlen(deed->line));
    client_type(who(world, deed->who), "\n", 1);
}

/* What came of it: what everybody read, and the state. */
typedef struct Outcome {
    char *read, *dump;
    size_t n_read, n_dump;
} Outcome;

static void world_end(World *world, Outcome *ret_outcome)
{
    Harness *harness = world->harness;
    FILE *read;

    harness_turn(harness);
    /* In the turn after that people are put out of a room that was closed. */
    harness_turn(harness);
    harness_wait(harness, ANNOUNCE_SUM_USEC);
    harness_turn(harness);
    for (unsigned i = 0; i < harness->n_clients; i++)
        if (harness->clients[i]->session != SLOT_NONE)
            client_open_window(harness, harness->clients[i], SIZE_MAX);
    harness_turn(harness);
    harness_turn(harness);
    harness_check(harness);
    read = open_memstream(&ret_outcome->read, &ret_outcome->n_read);
    for (unsigned i = 0; i < harness->n_clients; i++)
        (void) fprintf(read, "%u%s reads: %s\n", i, harness->clients[i]->is_gone ? " (gone)" : "",
                       client_take(harness->clients[i]));
    ck_assert_int_eq(fclose(read), 0);
    ret_outcome->dump = harness_dump(harness, &ret_outcome->n_dump);
    harness_free(harness);
}

static void outcome_free(Outcome *outcome)
{
    free(outcome->read);
    free(outcome->dump);
}

static size_t first_difference(const char *a, size_t n_a, const char *b, size_t n_b)
{
    size_t i = 0;

    while (i < n_a && i < n_b && a[i] == b[i])
        i++;
    return i;
}

static void outcome_compare(Outcome *outcome, const Outcome *expected, const char *line, unsigned long store)
{
    size_t at = first_difference(outcome->read, outcome->n_read, expected->read, expected->n_read);

    ck_assert_msg(outcome->n_read == expected->n_read && at == outcome->n_read,
                  "%s, store %lu: ...%.300s\ninstead of\n...%.300s", line, store,
                  outcome->read + at - MIN(at, 20U), expected->read + at - MIN(at, 20U));
    at = first_difference(outcome->dump, outcome->n_dump, expected->dump, expected->n_dump);
    ck_assert_msg(outcome->n_dump == expected->n_dump && at == outcome->n_dump,
                  "%s, store %lu: the dumps, of %zu and %zu bytes, differ at byte %zu", line, store,
                  outcome->n_dump, expected->n_dump, at);
    outcome_free(outcome);
}

/* Every command is among them. */
START_TEST(test_deeds)
{
    for (const Command *command = COMMANDS; command->name != NULL; command++) {
        size_t n = strlen(command->name), found = 0;

        for (size_t i = 0; i < N_ELEMENTS(DEEDS); i++)
            found += DEEDS[i].line != NULL && DEEDS[i].line[0] == '/' &&
                     strncmp(DEEDS[i].line + 1, command->name, n) == 0 &&
                     (DEEDS[i].line[1 + n] == '\0' || DEEDS[i].line[1 + n] == ' ');
        ck_assert_msg(found > 0, "/%s is not tried", command->name);
    }
}
END_TEST

static void die_before_commit(World *world, const Deed *deed)
{
    world_do(world, deed);
    world->harness->dies_before_commit = true;
    harness_turn(world->harness);
    world->harness->dies_before_commit = false;
    ck_assert(state_is_open(&world->harness->chat->state));
    harness_survive(world->harness);
}

/* A line whose transaction was not ended has never been said; but what had to make room for it is gone. */
START_TEST(test_undone)
{
    for (size_t i = 0; i < N_ELEMENTS(DEEDS); i++) {
        Outcome expected, outcome;
        World world;

        if (is_new(&DEEDS[i]) || DEEDS[i].line == NULL || DEEDS[i].kind == FULL)
            continue;
        world_begin(&world, &DEEDS[i]);
        harness_survive(world.harness);
        world_end(&world, &expected);

        world_begin(&world, &DEEDS[i]);
        die_before_commit(&world, &DEEDS[i]);
        who(&world, DEEDS[i].who)->input_n = 0;
        world_end(&world, &outcome);
        outcome_compare(&outcome, &expected, DEEDS[i].line, 0);
        outcome_free(&expected);
    }
}
END_TEST

/* And is said afterwards. */
START_TEST(test_done_again)
{
    for (size_t i = 0; i < N_ELEMENTS(DEEDS); i++) {
        Outcome expected, outcome;
        World world;

        if (is_new(&DEEDS[i]) || DEEDS[i].line == NULL)
            continue;
        world_begin(&world, &DEEDS[i]);
        world_do(&world, &DEEDS[i]);
        world_end(&world, &expected);

        world_begin(&world, &DEEDS[i]);
        die_before_commit(&world, &DEEDS[i]);
        world_end(&world, &outcome);
        outcome_compare(&outcome, &expected, DEEDS[i].line, 0);
        outcome_free(&expected);
    }
}
END_TEST

/* A world and what happens in it, until it dies. */
typedef struct Scene {
    World world;
    const Deed *deed;
} Scene;

static void run_deed(void *userdata)
{
    Scene *scene = userdata;
    Harness *harness = scene->world.harness;

    if (is_new(scene->deed))
        come(harness, scene->deed->who);
    else if (scene->deed->line == NULL)
        client_break(harness, who(&scene->world, scene->deed->who));
    else
        harness_turn(harness);
}

static void scene_begin(Scene *scene, const Deed *deed)
{
    scene->deed = deed;
    world_begin(&scene->world, deed);
    world_do(&scene->world, deed);
}

static void scene_end(Scene *scene, Outcome *ret_outcome)
{
    /* A connection stays broken. */
    if (scene->deed->line == NULL)
        client_break(scene->world.harness, who(&scene->world, scene->deed->who));
    world_end(&scene->world, ret_outcome);
}

/* At each store of all that is done, also of sending. */
static void tear(const Deed *deed)
{
    Outcome expected, outcome;
    unsigned long n;
    bool is_dead = true;
    Scene scene;

    scene_begin(&scene, deed);
    run_deed(&scene);
    scene_end(&scene, &expected);
    for (n = 1; is_dead; n += 1 + n / 128) {
        scene_begin(&scene, deed);
        is_dead = torn_run(&scene.world.harness->chat->state, n, run_deed, &scene);
        if (is_dead)
            harness_survive(scene.world.harness);
        scene_end(&scene, &outcome);
        outcome_compare(&outcome, &expected, deed->line, n);
    }
    ck_assert_uint_gt(n, 10);
    outcome_free(&expected);
}

START_TEST(test_torn)
{
    for (size_t i = 0; torn_is_possible() && i < N_ELEMENTS(DEEDS); i++)
        tear(&DEEDS[i]);
}
END_TEST

static void run_survive(void *userdata)
{
    harness_survive(userdata);
}

static void on_open(void *userdata, const State *state)
{
    (void) userdata;
    torn_watch(state);
}

/* The same of the process that goes on, and of the one after that. */
static void tear_recovery(const Deed *deed)
{
    Outcome expected, outcome;
    unsigned long n;
    bool is_dead = true;
    Scene scene;

    scene_begin(&scene, deed);
    scene_end(&scene, &expected);
    for (n = 1; is_dead; n += 1 + n / 64) {
        scene.deed = deed;
        world_begin(&scene.world, deed);
        die_before_commit(&scene.world, deed);
        scene.world.harness->on_open = on_open;
        is_dead = torn_run(NULL, n, run_survive, scene.world.harness) &&
                  torn_run(NULL, n, run_survive, scene.world.harness);
        scene.world.harness->on_open = NULL;
        if (is_dead)
            harness_survive(scene.world.harness);
        scene_end(&scene, &outcome);
        outcome_compare(&outcome, &expected, deed->line, n);
    }
    ck_assert_uint_gt(n, 20);
    outcome_free(&expected);
}

START_TEST(test_torn_recovery)
{
    static const Deed deeds[] = {
        {'a', "hello", SMALL}, {'a', "/leave #lobby", CROWDED}, {'d', "/topic words", SLOW},
        {'a', "/help", FULL},  {'f', "/leave #dev", PERSON},    {'e', "/close", KEPT},
    };

    for (size_t i = 0; torn_is_possible() && i < N_ELEMENTS(deeds); i++)
        tear_recovery(&deeds[i]);
}
END_TEST

UNIT_MAIN("torn", test_deeds, test_undone, test_done_again, test_torn, test_torn_recovery)
