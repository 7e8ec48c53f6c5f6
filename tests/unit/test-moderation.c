/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Who may do what: each command that founders and operators have, by each kind of person. */

#include <stdio.h>
#include <string.h>

#include "chat/command.h"
#include "chat/room.h"
#include "unit/harness.h"
#include "unit/unit.h"

/* Who asks. All are in #garden, which fay has founded, and so are mallory, a guest, and otto, an account. mia
 * was made an operator; hal has founded another room. */
enum { GUEST, VERIFIED, INVITED, NEIGHBOUR, FOUNDER, OPERATOR, MADE, KINDS };

static const char *const NICKS[KINDS] = {"alice", "bea", "ina", "hal", "fay", "root", "mia"};

typedef struct World {
    Harness *harness;
    Client *people[KINDS], *mallory, *otto;
} World;

static unsigned n_logged;
static char logged[512];

static void on_log(void *userdata, const LogEvent *event)
{
    (void) userdata;
    if (event->id == NULL || strcmp(event->id, LOG_ID_LIMIT_REACHED) == 0)
        return;
    n_logged++;
    (void) snprintf(logged, sizeof logged, "%s|%s|%s|%s|%s", event->id, event->nick,
                    event->whom != NULL ? event->whom : "", event->room != NULL ? event->room : "",
                    event->reason != NULL ? event->reason : "");
}

static void world_begin(World *world)
{
    Harness *harness = harness_new(NULL, 20);
    Client **people = world->people;

    *world = (World){.harness = harness};
    harness->log = (Log){.sink = on_log};
    people[FOUNDER] = client_account(harness, "fay", 1001);
    people[VERIFIED] = client_account(harness, "bea", 1002);
    people[INVITED] = client_account(harness, "ina", 1003);
    people[OPERATOR] = client_account(harness, "root", 0);
    people[MADE] = client_account(harness, "mia", 1005);
    people[NEIGHBOUR] = client_account(harness, "hal", 1006);
    world->otto = client_account(harness, "otto", 1004);
    harness_turn(harness);
    people[GUEST] = client_named(harness, "alice");
    world->mallory = client_named(harness, "mallory");
    client_say(harness, people[FOUNDER], "/join #garden");
    client_say(harness, people[FOUNDER], "/invite ina");
    client_say(harness, people[NEIGHBOUR], "/join #orchard");
    client_say(harness, people[OPERATOR], "/op mia");
    for (unsigned i = 0; i < KINDS; i++)
        client_say(harness, people[i], "/join #garden");
    client_say(harness, world->mallory, "/join #garden");
    client_say(harness, world->otto, "/join #garden");
    harness_turn(harness);
    harness_take_all(harness);
    n_logged = 0;
}

static void world_end(World *world)
{
    harness_check(world->harness);
    harness_free(world->harness);
}

/* What people who are neither are told, the founder, an operator. */
typedef struct Row {
    const char *before; /* what the founder has done */
    const char *line;
    const char *others, *founder, *operator;
    const char *id; /* of the journal entry, when it was done */
} Row;

#define REFUSED "!! #garden belongs to fay: only they and operators can do that.\n"
#define FOR_OPERATORS(command) "!! /" command " is for operators.\n"
#define BOTH(text) text, text
#define OF_HOST "!! Only operators by a group of this host may make operators.\n"

static const Row ROWS[] = {
    {"", "/lock", REFUSED,
     BOTH("-- #garden is locked: only who is invited may come in. /invite NICK invites.\n"),
     LOG_ID_ROOM_LOCKED},
    {"", "/lock off", REFUSED, BOTH("!! #garden is not locked.\n"), NULL},
    {"/lock", "/lock off", REFUSED, BOTH("-- #garden is open: anybody may come in.\n"), LOG_ID_ROOM_UNLOCKED},
    {"/lock", "/lock", REFUSED, BOTH("!! #garden is locked already.\n"), NULL},
    {"", "/lock topic", REFUSED,
     BOTH("-- #garden has a locked topic: nobody but its founder and operators may set it.\n"),
     LOG_ID_TOPIC_LOCKED},
    {"/lock topic", "/lock topic off", REFUSED, BOTH("-- #garden has a topic that anybody may set.\n"),
     LOG_ID_TOPIC_UNLOCKED},
    {"", "/lock door", BOTH("!! It is /lock, /lock off, /lock topic, or /lock topic off.\n"),
     "!! It is /lock, /lock off, /lock topic, or /lock topic off.\n", NULL},
    {"", "/topic roses", BOTH("-- The topic of #garden is set.\n"), "-- The topic of #garden is set.\n",
     NULL},
    {"/lock topic", "/topic roses", "!! The topic of #garden is locked: only fay and operators set it.\n",
     BOTH("-- The topic of #garden is set.\n"), LOG_ID_TOPIC_SET},
    {"/lock topic", "/topic -", "!! The topic of #garden is locked: only fay and operators set it.\n",
     BOTH("-- The topic of #garden is cleared.\n"), LOG_ID_TOPIC_SET},
    {"/lock topic", "/topic", BOTH("-- #garden has no topic. /topic TEXT sets one.\n"),
     "-- #garden has no topic. /topic TEXT sets one.\n", NULL},
    {"", "/hide", REFUSED,
     BOTH("-- #garden is hidden: /rooms, /who and /whois tell nobody of it who is not in it.\n"),
     LOG_ID_ROOM_HIDDEN},
    {"/hide", "/hide off", REFUSED, BOTH("-- #garden is shown to everybody.\n"), LOG_ID_ROOM_SHOWN},
    {"", "/hide me", BOTH("!! It is /hide, or /hide off.\n"), "!! It is /hide, or /hide off.\n", NULL},
    {"", "/invite otto", REFUSED, BOTH("-- otto is invited into #garden.\n"), LOG_ID_INVITED},
    {"", "/invite mallory", REFUSED,
     BOTH("-- mallory is invited into #garden, as long as they are connected.\n"), LOG_ID_INVITED},
    {"", "/invite ina", REFUSED, BOTH("!! ina is invited into #garden already.\n"), NULL},
    {"", "/invite fay", REFUSED, BOTH("!! #garden belongs to fay, who may always come in.\n"), NULL},
    {"", "/invite nobody", REFUSED, BOTH("!! Nobody here is called nobody. /who lists who is.\n"), NULL},
    {"", "/invite", REFUSED, BOTH("-- Invited into #garden: ina.\n"), NULL},
    {"", "/uninvite ina", REFUSED, BOTH("-- ina is not invited into #garden any more.\n"), LOG_ID_UNINVITED},
    {"", "/uninvite otto", REFUSED,
     BOTH("!! Nobody like that is invited into #garden. /invite lists who is.\n"), NULL},
    {"", "/kick mallory too loud", REFUSED, "-- mallory is out of #garden.\n",
     "-- mallory is disconnected.\n", NULL},
    {"", "/kick nobody", REFUSED, BOTH("!! Nobody here is called nobody. /who lists who is.\n"), NULL},
    {"", "/kick root", REFUSED, "!! root is an operator.\n", "!! root is an operator, too.\n", NULL},
    {"", "/give otto", REFUSED, BOTH("-- #garden belongs to otto now.\n"), LOG_ID_ROOM_GIVEN},
    {"", "/give mallory", REFUSED,
     BOTH("!! mallory has no account of this host, and so can not keep a room.\n"), NULL},
    {"", "/give fay", REFUSED, BOTH("!! #garden belongs to fay already.\n"), NULL},
    {"words", "/delete fay", REFUSED, BOTH("-- 1 line of fay is deleted.\n"), LOG_ID_DELETED},
    {"", "/delete fay", REFUSED, BOTH("!! Nothing that fay said in #garden is remembered.\n"), NULL},
    {"", "/close", REFUSED, BOTH("-- #garden is closed. You are in #lobby now.\n"), LOG_ID_ROOM_CLOSED},
    {"", "/close #lobby", "!! #lobby belongs to nobody: only operators can do that there.\n",
     "!! #lobby belongs to nobody: only operators can do that there.\n",
     "!! #lobby is always there for everybody.\n", NULL},
    {"", "/op otto 1h for today", BOTH(FOR_OPERATORS("op")),
     "-- otto (uid 1004) is an operator until 2026-11-22 13:03:04 UTC (+0000); that is number 2 of /op.\n",
     LOG_ID_OP},
    {"", "/op mallory", BOTH(FOR_OPERATORS("op")),
     "!! Only who has an account of this host can be an operator.\n", NULL},
    {"", "/op 192.0.2.1", BOTH(FOR_OPERATORS("op")),
     "!! Only who has an account of this host can be an operator.\n", NULL},
    {"", "/op root", BOTH(FOR_OPERATORS("op")), "!! root is an operator, too.\n", NULL},
    {"", "/op", BOTH(FOR_OPERATORS("op")), "-- 1: mia (uid 1005) is an operator, by root\n", NULL},
    {"", "/deop root", BOTH(FOR_OPERATORS("deop")),
     "!! root is an operator by a group of this host, and stays one.\n", NULL},
    {"", "/deop mia", BOTH(FOR_OPERATORS("deop")), "-- mia (uid 1005) is not an operator any more.\n",
     LOG_ID_DEOP},
    {"", "/deop otto", BOTH(FOR_OPERATORS("deop")), "!! Nobody like that is an operator. /op lists who is.\n",
     NULL},
    {"", "/ban otto for nothing", BOTH(FOR_OPERATORS("ban")),
     "-- otto (uid 1004) is banned; that is number 2 of /bans.\n", LOG_ID_BANNED},
    {"", "/unban otto", BOTH(FOR_OPERATORS("unban")), "!! Nobody like that is banned. /bans lists who is.\n",
     NULL},
    {"", "/mute otto", BOTH(FOR_OPERATORS("mute")),
     "-- otto (uid 1004) is muted; that is number 2 of /bans.\n", LOG_ID_MUTED},
    {"", "/unmute otto", BOTH(FOR_OPERATORS("unmute")), "!! Nobody like that is muted. /bans lists who is.\n",
     NULL},
    {"", "/bans", BOTH(FOR_OPERATORS("bans")), "-- Nobody is banned or muted.\n", NULL},
    {"", "/announce all", BOTH(FOR_OPERATORS("announce")), "-- Told to all 9 people.\n", LOG_ID_ANNOUNCED},
};

static bool is_for_host(const char *line)
{
    return strncmp(line, "/op ", 4) == 0 || strncmp(line, "/deop ", 6) == 0;
}

static void try_row(const Row *row, unsigned kind)
{
    const char *expected = row->others, *read;
    World world;

    if (kind == FOUNDER)
        expected = row->founder;
    else if (kind >= OPERATOR)
        expected = kind == MADE && is_for_host(row->line) ? OF_HOST : row->operator;

    world_begin(&world);
    if (row->before[0] != '\0')
        client_say(world.harness, world.people[FOUNDER], "%s", row->before);
    harness_turn(world.harness);
    harness_take_all(world.harness);
    n_logged = 0;
    client_say(world.harness, world.people[kind], "%s", row->line);
    harness_turn(world.harness);
    read = client_take(world.people[kind]);
    ck_assert_msg(strncmp(read, expected, strlen(expected)) == 0, "%s, by %s: %s", row->line, NICKS[kind],
                  read);
    if (expected[0] == '!') {
        ck_assert_str_eq(read, expected);
        ck_assert_uint_eq(n_logged, 0);
        for (unsigned i = 0; i < KINDS; i++)
            ck_assert_str_eq(client_take(world.people[i]), "");
        ck_assert_str_eq(client_take(world.mallory), "");
    } else if (row->id != NULL) {
        ck_assert_msg(n_logged == 1 && strncmp(logged, row->id, strlen(row->id)) == 0, "%s, by %s: %s",
                      row->line, NICKS[kind], logged);
        ck_assert_ptr_nonnull(strstr(logged, NICKS[kind]));
    }
    harness_check(world.harness);
    harness_survive(world.harness);
    world_end(&world);
}

START_TEST(test_who_may)
{
    for (size_t i = 0; i < N_ELEMENTS(ROWS); i++)
        for (unsigned kind = 0; kind < KINDS; kind++)
            try_row(&ROWS[i], kind);
}
END_TEST

/* Each command that is not everybody's is in that table. */
START_TEST(test_rows)
{
    static const char *const OF_FOUNDERS[] = {"lock", "hide", "invite", "uninvite",
                                              "kick", "give", "delete", "close"};

    for (size_t i = 0; i < N_ELEMENTS(OF_FOUNDERS); i++) {
        size_t n = 0;

        for (size_t j = 0; j < N_ELEMENTS(ROWS); j++)
            n += strncmp(ROWS[j].line + 1, OF_FOUNDERS[i], strlen(OF_FOUNDERS[i])) == 0;
        ck_assert_uint_ge(n, 2);
    }
    for (const Command *command = COMMANDS; command->name != NULL; command++) {
        size_t n = 0;

        for (size_t i = 0; i < N_ELEMENTS(ROWS); i++)
            n += strncmp(ROWS[i].line + 1, command->name, strlen(command->name)) == 0;
        ck_assert_msg(n > 0 || !command->is_for_operators, "/%s is not tried", command->name);
    }
}
END_TEST

/* Who may come into a locked room, that the others were put out of. */
START_TEST(test_join)
{
    static const char *const REFUSAL = "!! #garden is locked: by invitation only. Ask fay for one.\n";

    for (unsigned kind = 0; kind < KINDS; kind++) {
        bool is_let_in = kind >= INVITED && kind != NEIGHBOUR;
        char expected[64] = "";
        World world;

        if (is_let_in)
            (void) snprintf(expected, sizeof expected, "-- %s" MARK_ " is here\n", NICKS[kind]);

        world_begin(&world);
        client_say(world.harness, world.people[kind], "/leave");
        client_say(world.harness, world.people[FOUNDER], "/join #garden");
        client_say(world.harness, world.people[FOUNDER], "/lock");
        if (kind == FOUNDER)
            client_say(world.harness, world.people[FOUNDER], "/leave");
        harness_turn(world.harness);
        harness_take_all(world.harness);
        client_say(world.harness, world.people[kind], "/join #garden");
        ck_assert_str_eq(client_take(world.people[kind]),
                         is_let_in ? "-- You are in #garden now, with 8 others.\n" : REFUSAL);
        harness_turn(world.harness);
        ck_assert_str_eq(client_take(world.mallory), expected);
        world_end(&world);
    }
}
END_TEST

/* In the lobby nobody can do anything but operators, who lock its topic. */
START_TEST(test_lobby)
{
    static const char *const LINES[] = {"/lock",      "/hide",  "/invite alice",
                                        "/give otto", "/close", "/uninvite bea"};
    World world;

    world_begin(&world);
    for (unsigned kind = 0; kind < KINDS; kind++)
        client_say(world.harness, world.people[kind], "/join #lobby");
    harness_turn(world.harness);
    harness_take_all(world.harness);
    for (size_t i = 0; i < N_ELEMENTS(LINES); i++)
        for (unsigned kind = 0; kind < KINDS; kind++) {
            client_say(world.harness, world.people[kind], "%s", LINES[i]);
            ck_assert_str_eq(client_take(world.people[kind]),
                             kind >= OPERATOR ? "!! #lobby is always there for everybody.\n"
                                              : "!! #lobby belongs to nobody: only operators can do that "
                                                "there.\n");
        }
    client_say(world.harness, world.people[FOUNDER], "/kick mallory");
    ck_assert_str_eq(client_take(world.people[FOUNDER]),
                     "!! #lobby belongs to nobody: only operators can do that there.\n");
    client_say(world.harness, world.people[OPERATOR], "/lock topic");
    ck_assert_str_eq(client_take(world.people[OPERATOR]),
                     "-- #lobby has a locked topic: nobody but its founder and operators may set it.\n");
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(world.people[GUEST]), "-- root" MARK_ " locked the topic\n");
    harness_survive(world.harness);
    client_say(world.harness, world.people[GUEST], "/topic mine");
    ck_assert_str_eq(client_take(world.people[GUEST]),
                     "!! The topic of #lobby is locked: only operators set it.\n");
    world_end(&world);
}
END_TEST

/* A room that a guest has made belongs to nobody, also when somebody with an account is in it. */
START_TEST(test_of_a_guest)
{
    World world;

    world_begin(&world);
    client_say(world.harness, world.people[GUEST], "/join #shed");
    client_say(world.harness, world.people[VERIFIED], "/join #shed");
    client_say(world.harness, world.people[OPERATOR], "/join #shed");
    harness_turn(world.harness);
    harness_take_all(world.harness);
    client_say(world.harness, world.people[GUEST], "/lock");
    ck_assert_str_eq(client_take(world.people[GUEST]),
                     "!! #shed belongs to nobody: only operators can do that there.\n");
    client_say(world.harness, world.people[VERIFIED], "/hide");
    ck_assert_str_eq(client_take(world.people[VERIFIED]),
                     "!! #shed belongs to nobody: only operators can do that there.\n");
    client_say(world.harness, world.people[OPERATOR], "/lock");
    client_say(world.harness, world.mallory, "/join #shed");
    ck_assert_ptr_nonnull(strstr(client_take(world.mallory),
                                 "!! #shed is locked: by invitation only. Ask an operator for one.\n"));
    /* It stays locked without anybody in it. */
    client_say(world.harness, world.people[GUEST], "/leave #shed");
    client_say(world.harness, world.people[VERIFIED], "/leave #shed");
    client_say(world.harness, world.people[OPERATOR], "/leave #shed");
    client_say(world.harness, world.mallory, "/join #shed");
    ck_assert_ptr_nonnull(strstr(client_take(world.mallory), "!! #shed is locked: by invitation only."));
    client_say(world.harness, world.people[OPERATOR], "/join #shed\n/lock off\n/leave #shed");
    client_say(world.harness, world.mallory, "/join #shed");
    ck_assert_ptr_nonnull(strstr(client_take(world.mallory), "-- You are in #shed now, alone.\n"));
    world_end(&world);
}
END_TEST

/* Operators that were made, and are none any more */

START_TEST(test_op)
{
    Client *again;
    World world;

    world_begin(&world);
    client_say(world.harness, world.people[OPERATOR], "/op otto 1h for today");
    ck_assert_str_eq(client_take(world.otto),
                     "-- You are an operator until 2026-11-22 13:03:04 UTC (+0000): for today\n");
    ck_assert_str_eq(logged, LOG_ID_OP "|root|otto (uid 1004)||for today");
    client_say(world.harness, world.people[OPERATOR], "/bans");
    client_say(world.harness, world.people[OPERATOR], "/op");
    ck_assert_ptr_nonnull(
        strstr(client_take(world.people[OPERATOR]),
               "-- Nobody is banned or muted.\n-- 1: mia (uid 1005) is an operator, by root\n-- 2: "
               "otto (uid 1004) is an operator until 2026-11-22 13:03:04 UTC (+0000), by "
               "root: for today\n"));
    client_say(world.harness, world.people[OPERATOR], "/unban 1");
    ck_assert_str_eq(client_take(world.people[OPERATOR]),
                     "!! Nobody like that is banned. /bans lists who is.\n");
    for (int i = 0; i < 2; i++) {
        client_say(world.harness, world.otto, "/bans");
        ck_assert_str_eq(client_take(world.otto), "-- Nobody is banned or muted.\n");
        again = client_account(world.harness, "otto", 1004);
        harness_turn(world.harness);
        (void) client_take(again);
        client_say(world.harness, again, "/bans");
        ck_assert_str_eq(client_take(again), "-- Nobody is banned or muted.\n");
        client_break(world.harness, again);
        harness_survive(world.harness);
    }
    client_say(world.harness, world.people[OPERATOR], "/kick otto");
    ck_assert_str_eq(client_take(world.people[OPERATOR]), "!! otto is an operator, too.\n");
    /* It ends by itself. */
    harness_wait(world.harness, 3600 * USEC_PER_SEC - 1);
    client_say(world.harness, world.otto, "/bans");
    ck_assert_str_eq(client_take(world.otto), "-- Nobody is banned or muted.\n");
    harness_wait(world.harness, 1);
    client_say(world.harness, world.otto, "/bans");
    ck_assert_str_eq(client_take(world.otto), FOR_OPERATORS("bans"));
    world_end(&world);
}
END_TEST

START_TEST(test_deop)
{
    World world;

    world_begin(&world);
    client_say(world.harness, world.people[OPERATOR], "/op otto 1h");
    ck_assert_str_eq(client_take(world.otto),
                     "-- You are an operator until 2026-11-22 13:03:04 UTC (+0000).\n");
    /* Neither for longer than they are one, nor somebody else. */
    client_say(world.harness, world.otto, "/op otto");
    client_say(world.harness, world.otto, "/op bea");
    client_say(world.harness, world.otto, "/deop mia");
    ck_assert_str_eq(client_take(world.otto), OF_HOST OF_HOST OF_HOST);
    ck_assert_str_eq(client_take(world.people[VERIFIED]), "");
    n_logged = 0;
    client_say(world.harness, world.people[OPERATOR], "/deop otto");
    ck_assert_str_eq(client_take(world.otto), "-- You are not an operator any more.\n");
    ck_assert_uint_eq(n_logged, 1);
    ck_assert_str_eq(logged, LOG_ID_DEOP "|root|otto (uid 1004)||");
    client_say(world.harness, world.otto, "/bans");
    ck_assert_str_eq(client_take(world.otto), FOR_OPERATORS("bans"));
    world_end(&world);
}
END_TEST

UNIT_MAIN("moderation", test_who_may, test_rows, test_join, test_lobby, test_of_a_guest, test_op, test_deop)
