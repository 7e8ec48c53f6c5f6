/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What the chat asks an archive, and what it does with the answers: of one that says what the test wants. */

#include <stdio.h>
#include <string.h>

#include "chat/command.h"
#include "chat/note.h"
#include "chat/recall.h"
#include "unit/harness.h"
#include "unit/unit.h"

typedef struct World {
    Harness *harness;
    Client *alice;
    RecallState state; /* what the archive says */
    Recalled answer;
    Recall asked; /* last */
    unsigned n_asked;
} World;

static RecallState fake_recall(void *userdata, const Recall *recall, Recalled *ret_recalled)
{
    World *world = userdata;

    world->asked = *recall;
    world->n_asked++;
    if (world->state == RECALL_ANSWERED && ret_recalled != NULL)
        *ret_recalled = world->answer;
    return world->state;
}

static void world_attach(World *world)
{
    world->harness->chat->recall = fake_recall;
    world->harness->chat->recall_userdata = world;
}

static void world_begin(World *world)
{
    *world = (World){.harness = harness_new(NULL, 20), .state = RECALL_ANSWERED};
    world_attach(world);
    world->alice = client_named(world->harness, "alice");
}

/* The next process takes the state as it is. */
static void world_end(World *world)
{
    harness_check(world->harness);
    harness_survive(world->harness);
    harness_free(world->harness);
}

static void answers(World *world, const char *text)
{
    world->state = RECALL_ANSWERED;
    world->answer = (Recalled){.bytes = text, .n = strlen(text)};
}

static void expect(World *world, const char *line, const char *expected)
{
    client_say(world->harness, world->alice, "%s", line);
    ck_assert_str_eq(client_take(world->alice), expected);
}

static bool must_wait(const World *world, const char *line)
{
    return command_must_wait(world->harness->chat, world->alice->session, line, strlen(line));
}

#define DAY UINT64_C(86400)
/* 2026-11-22 00:00 UTC */
#define TODAY (UINT64_C(1795305600) * USEC_PER_SEC)
#define HELP_HISTORY                                                                                         \
    "!! /history takes a number of lines from 1 to 200, or a day such as 2026-11-22, today or yesterday.\n"
#define HELP_SEARCH " /search WORDS [in #ROOM] [from NICK] [since DAY] [page N]\n"

START_TEST(test_history_day)
{
    World world;

    world_begin(&world);
    answers(&world, "2026-11-21 10:00 #lobby <bob> one\n2026-11-21 11:00 #lobby <bob> two");
    expect(&world, "/history yesterday",
           "-- 2026-11-21 10:00 #lobby <bob> one\n-- 2026-11-21 11:00 #lobby <bob> two\n");
    ck_assert_uint_eq(world.asked.kind, RECALL_BETWEEN);
    ck_assert_uint_eq(world.asked.from, TODAY - DAY * USEC_PER_SEC);
    ck_assert_uint_eq(world.asked.to, TODAY);
    ck_assert_uint_eq(world.asked.n, 20);
    ck_assert_uint_eq(world.asked.page, 1);
    ck_assert_str_eq(world.asked.room.bytes, "lobby");
    ck_assert_uint_eq(world.asked.nick.n, 0);
    world.answer.is_more = true;
    expect(&world, "/history 2026-11-22 page 999",
           "-- 2026-11-21 10:00 #lobby <bob> one\n-- 2026-11-21 11:00 #lobby <bob> two\n"
           "-- There is more: /history 2026-11-22 page 1000\n");
    ck_assert_uint_eq(world.asked.from, TODAY);
    ck_assert_uint_eq(world.asked.page, 999);
    /* There are no more pages, and that is said. */
    expect(&world, "/history 2026-11-22 page 1000",
           "-- 2026-11-21 10:00 #lobby <bob> one\n-- 2026-11-21 11:00 #lobby <bob> two\n"
           "-- There is more, which can not be shown.\n");
    world.answer.is_more = false;
    expect(&world, "/history 2026-11-22 page 1000",
           "-- 2026-11-21 10:00 #lobby <bob> one\n-- 2026-11-21 11:00 #lobby <bob> two\n");
    answers(&world, "");
    expect(&world, "/history today", "-- Nothing is remembered of #lobby on that day.\n");
    world_end(&world);
}
END_TEST

START_TEST(test_history_wrong)
{
    static const char *const lines[] = {"0",
                                        "201",
                                        "-1",
                                        "tomorrow",
                                        "2026-02-29",
                                        "2026-11-22 page",
                                        "today 3",
                                        "today page 0",
                                        "today page 1001",
                                        "today page x",
                                        "today pages 2",
                                        "2026-11-22x",
                                        "10 page 2",
                                        "1969-12-31"};
    World world;

    world_begin(&world);
    world.n_asked = 0;
    for (size_t i = 0; i < N_ELEMENTS(lines); i++) {
        char line[64];

        (void) snprintf(line, sizeof line, "/history %s", lines[i]);
        ck_assert(!must_wait(&world, line));
        expect(&world, line, HELP_HISTORY);
    }
    ck_assert_uint_eq(world.n_asked, 0);
    world_end(&world);
}
END_TEST

/* What the transcript has is not asked for; what it has not is, once. */
START_TEST(test_history_last)
{
    World world;

    world_begin(&world);
    client_say(world.harness, world.alice, "first");
    client_say(world.harness, world.alice, "second");
    (void) client_take(world.alice);
    world.n_asked = 0;
    world.state = RECALL_AWAITED;
    ck_assert(!must_wait(&world, "/history 2"));
    expect(&world, "/history 2", "[12:03] <alice> first\n[12:03] <alice> second\n");
    ck_assert_uint_eq(world.n_asked, 0);
    ck_assert(must_wait(&world, "/history 3"));
    ck_assert_uint_eq(world.asked.kind, RECALL_LAST);
    ck_assert_uint_eq(world.asked.n, 3);
    answers(&world, "older\nfirst\nsecond");
    ck_assert(!must_wait(&world, "/history 3"));
    expect(&world, "/history 3", "-- older\n-- first\n-- second\n");
    /* The archive has no more of it, or is out of order: then it is what there is. */
    answers(&world, "first\nsecond");
    expect(&world, "/history 3", "[12:03] <alice> first\n[12:03] <alice> second\n");
    world.answer = (Recalled){.trouble = "The disk is full"};
    expect(&world, "/history 200", "[12:03] <alice> first\n[12:03] <alice> second\n");
    world.state = RECALL_ABSENT;
    ck_assert(!must_wait(&world, "/history 3"));
    expect(&world, "/history 3", "[12:03] <alice> first\n[12:03] <alice> second\n");
    /* Nothing is not said where it is not known. */
    world.state = RECALL_ANSWERED;
    client_say(world.harness, world.alice, "/undo\n/undo");
    (void) client_take(world.alice);
    world.answer = (Recalled){.trouble = "The disk is full"};
    expect(&world, "/history 3", "!! The disk is full. Please try again later.\n");
    world_end(&world);
}
END_TEST

START_TEST(test_search)
{
    World world;

    world_begin(&world);
    answers(&world, "found");
    expect(&world, "/search Tea in #Garden from Bob since yesterday page 1000 time", "-- found\n");
    ck_assert_uint_eq(world.asked.kind, RECALL_SEARCH);
    ck_assert_str_eq(world.asked.room.bytes, "garden");
    ck_assert_str_eq(world.asked.nick.bytes, "bob");
    ck_assert_uint_eq(world.asked.from, TODAY - DAY * USEC_PER_SEC);
    ck_assert_uint_eq(world.asked.page, 1000);
    ck_assert_uint_eq(world.asked.n, 20);
    ck_assert_str_eq(world.asked.words, "Tea time ");
    ck_assert_uint_eq(world.asked.n_words, 9);
    /* Words that are no options, for want of what follows them. */
    expect(&world, "/search in the page about of since dawn in # from", "-- found\n");
    ck_assert_str_eq(world.asked.words, "in the page about of since dawn in # from ");
    ck_assert_uint_eq(world.asked.page, 1);
    ck_assert_uint_eq(world.asked.room.n, 0);
    /* And what can not be meant otherwise. */
    expect(&world, "/search tea page 0", "!! A page is a number from 1 to 1000." HELP_SEARCH);
    expect(&world, "/search tea page 1001", "!! A page is a number from 1 to 1000." HELP_SEARCH);
    expect(&world, "/search since 2026-02-30",
           "!! A day is such as 2026-11-22, today or yesterday." HELP_SEARCH);
    expect(&world, "/search from bob", "-- found\n");
    ck_assert_uint_eq(world.asked.n_words, 0);
    world.answer.is_more = true;
    world.answer.is_partly = true;
    expect(
        &world, "/search tea page 3",
        "-- found\n-- There may be more, but that took too long.\n-- There is more: the same with page 4\n");
    answers(&world, "");
    expect(&world, "/search tea", "-- Nothing like that was said.\n");
    world.answer.is_partly = true;
    expect(&world, "/search tea",
           "-- Nothing like that was said, as far as could be looked in a short time.\n");
    world.answer = (Recalled){.trouble = "The archive is damaged"};
    expect(&world, "/search tea", "!! The archive is damaged. Please try again later.\n");
    world.n_asked = 0;
    expect(&world, "/search since yesterday", "!! What is to be looked for?" HELP_SEARCH);
    ck_assert_uint_eq(world.n_asked, 0);
    world_end(&world);
}
END_TEST

/* So many bytes of words, each with its blank, and not one more. */
START_TEST(test_search_words)
{
    char line[600];
    World world;

    world_begin(&world);
    answers(&world, "found");
    (void) snprintf(line, sizeof line, "/search %0*d", RECALL_WORDS_MAX - 1, 1);
    expect(&world, line, "-- found\n");
    ck_assert_uint_eq(world.asked.n_words, RECALL_WORDS_MAX);
    (void) snprintf(line, sizeof line, "/search %0*d", RECALL_WORDS_MAX, 1);
    expect(&world, line, "!! That is too much to look for at once." HELP_SEARCH);
    ck_assert(!must_wait(&world, line));
    world_end(&world);
}
END_TEST

START_TEST(test_seen)
{
    World world;

    world_begin(&world);
    answers(&world, "bob was here last on a day.");
    expect(&world, "/seen Bob", "-- bob was here last on a day.\n");
    ck_assert_uint_eq(world.asked.kind, RECALL_SEEN);
    ck_assert_str_eq(world.asked.nick.bytes, "bob");
    answers(&world, "");
    expect(&world, "/seen Bob", "-- Nobody called Bob has been seen.\n");
    world.n_asked = 0;
    world.state = RECALL_AWAITED;
    ck_assert(!must_wait(&world, "/seen ALICE"));
    expect(&world, "/seen ALICE", "-- alice is here.\n");
    ck_assert(!must_wait(&world, "/seen no.name"));
    expect(&world, "/seen no.name", "!! That is not a nick: it may have only letters, digits, - and _.\n");
    ck_assert_uint_eq(world.n_asked, 0);
    ck_assert(must_wait(&world, "/seen bob"));
    expect(&world, "/seen bob", "!! The archive is busy. Please try again later.\n");
    world_end(&world);
}
END_TEST

START_TEST(test_absent)
{
    static const char *const lines[] = {"/search tea", "/seen bob", "/history today"};
    World world;

    world_begin(&world);
    world.state = RECALL_ABSENT;
    for (size_t i = 0; i < N_ELEMENTS(lines); i++) {
        ck_assert(!must_wait(&world, lines[i]));
        expect(&world, lines[i], "!! What is said is not archived here.\n");
    }
    world.state = RECALL_AWAITED;
    for (size_t i = 0; i < N_ELEMENTS(lines); i++)
        ck_assert(must_wait(&world, lines[i]));
    ck_assert(must_wait(&world, "/join #garden"));
    ck_assert(!must_wait(&world, "/join #lobby"));
    world_end(&world);
}
END_TEST

/* Entries of a past. */
typedef struct Past {
    char bytes[256 * 1024] __attribute__((aligned(8)));
    size_t n;
} Past;

static void past_add(Past *past, EntryKind kind, const char *nick, const char *text, size_t n_text)
{
    const EntryDraft draft = {.kind = kind,
                              .wall = HARNESS_WALL,
                              .nick = nick,
                              .nick_n = strlen(nick),
                              .text = text,
                              .text_n = n_text,
                              .is_recalled = true};

    past->n += entry_write((Entry *) (past->bytes + past->n), &draft);
}

static void past_answers(World *world, const Past *past)
{
    world->state = RECALL_ANSWERED;
    world->answer = (Recalled){.bytes = past->bytes, .n = past->n};
}

START_TEST(test_join)
{
    static Past past;
    World world;

    world_begin(&world);
    past_add(&past, ENTRY_SAID, "bob", "before", 6);
    past_add(&past, ENTRY_ACTION, "carol", "waves", 5);
    past_add(&past, ENTRY_TOPIC, "dave", "flowers", 7);
    past_answers(&world, &past);
    expect(&world, "/join #Garden",
           "-- You are in #Garden now, alone.\n-- Topic of #Garden: flowers\n[12:03] <bob> before\n"
           "[12:03] * carol waves\n");
    ck_assert_uint_eq(world.asked.kind, RECALL_ROOM);
    ck_assert_str_eq(world.asked.room.bytes, "garden");
    ck_assert_uint_eq(world.asked.n, world.harness->config.history);
    harness_survive(world.harness);
    world_attach(&world);
    /* It is not said again, so not archived again. */
    ck_assert_uint_eq(world.harness->chat->state.header->archive.n_dropped, 0);
    world.n_asked = 0;
    expect(&world, "/join #garden", "-- You are in #Garden now, alone.\n-- Topic of #Garden: flowers\n");
    ck_assert_uint_eq(world.n_asked, 0);
    world.answer = (Recalled){.trouble = "The disk is full"};
    expect(&world, "/join #field", "-- You are in #field now, alone.\n");
    world_end(&world);
}
END_TEST

static void past_add_note(Past *past, const Note *note)
{
    past_add(past, ENTRY_NOTE, "", (const char *) note, sizeof *note);
}

/* A room that is kept and is not in the state comes back first, and is entered by who may. */
START_TEST(test_join_kept)
{
    static Past past;
    World world;
    Client *bob, *otto;

    world_begin(&world);
    past_add(&past, ENTRY_SAID, "bob", "the code is 7", 13);
    past_add(&past, ENTRY_TOPIC, "bob", "codes", 5);
    past_add_note(&past, &(Note){.kind = NOTE_ROOM,
                                 .room = {.founder = {3, "bob"},
                                          .founder_uid = 1001,
                                          .flags = ROOM_FOUNDED | ROOM_LOCKED | ROOM_HIDDEN}});
    past_add_note(&past, &(Note){.kind = NOTE_INVITED, .invited = {.name = {4, "otto"}, .uid = 1002}});
    past_answers(&world, &past);
    expect(&world, "/join #den", "!! #den is locked: by invitation only. Ask an operator for one.\n");
    expect(&world, "/rooms", "-- 1 room:\n-- #lobby (1)\n");
    harness_survive(world.harness);
    world_attach(&world);
    otto = client_account(world.harness, "otto", 1002);
    bob = client_account(world.harness, "bob", 1001);
    harness_turn(world.harness);
    harness_take_all(world.harness);
    client_say(world.harness, otto, "/join #den");
    ck_assert_str_eq(client_take(otto), "-- You are in #den now, alone.\n-- Topic of #den: codes\n"
                                        "[12:03] <bob> the code is 7\n");
    client_say(world.harness, bob, "/join #den\n/lock off\n/hide off");
    ck_assert_ptr_nonnull(strstr(client_take(bob), "-- #den is open: anybody may come in.\n"));
    expect(&world, "/join #den",
           "-- You are in #den now, with 2 others.\n-- Topic of #den: codes\n[12:03] <bob> the code is 7\n");
    world_end(&world);
}
END_TEST

/* While nobody knows what is kept, nobody founds what may be somebody's; whoever is there then is put out. */
START_TEST(test_join_unknown)
{
    RecalledKept *kept = calloc(1, sizeof *kept);
    const Recalled recalled = {.bytes = (const char *) kept, .n = sizeof *kept};
    World world;
    Client *bob;

    world_begin(&world);
    world.answer = (Recalled){.trouble = "The disk is full"};
    world.harness->chat->is_past_unknown = true;
    bob = client_account(world.harness, "bob", 1001);
    harness_turn(world.harness);
    harness_take_all(world.harness);
    client_say(world.harness, bob, "/join #den\n/lock");
    ck_assert_str_eq(client_take(bob),
                     "-- You are in #den now, alone.\n-- The archive can not be read so far, so "
                     "this one belongs to nobody.\n"
                     "!! #den belongs to nobody: only operators can do that there.\n");
    kept->n_rooms = 1;
    kept->rooms[0] = (RecalledRoom){
        .name = {3, "den"}, .founder = {4, "otto"}, .founder_uid = 1002, .flags = ROOM_FOUNDED | ROOM_LOCKED};
    ck_assert(recall_kept(world.harness->chat, &recalled));
    world.harness->chat->is_past_unknown = false;
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(bob), "-- #den is locked. You are in #lobby now.\n");
    client_say(world.harness, bob, "/join #den");
    ck_assert_str_eq(client_take(bob), "!! #den is locked: by invitation only. Ask otto for one.\n");
    world_end(&world);
    free(kept);
}
END_TEST

/* A long past, in a transcript that is full: only what there is place for, the newest. */
START_TEST(test_join_long)
{
    static char text[LIMIT_TEXT_BYTES];
    static Past past;
    const char *output;
    World world;

    world_begin(&world);
    memset(text, 'x', sizeof text);
    for (unsigned i = 0; i < 200; i++)
        client_say(world.harness, world.alice, "%.2000s", text);
    ck_assert_uint_gt(world.harness->chat->state.header->archive.n_dropped, 0);
    (void) client_take(world.alice);
    for (unsigned i = 0; i < 60; i++)
        past_add(&past, ENTRY_SAID, "bob", text, i < 59 ? 2000 : 1);
    past_answers(&world, &past);
    client_say(world.harness, world.alice, "/join #garden");
    output = client_take(world.alice);
    ck_assert_ptr_nonnull(strstr(output, "<bob> xxxxxxxx"));
    ck_assert_ptr_nonnull(strstr(output, "<bob> x\n"));
    harness_check(world.harness);
    past.n = 0;
    past_add(&past, ENTRY_SAID, "bob", text, 4 * RECALL_ROOM_BYTES / 5);
    past_answers(&world, &past);
    client_say(world.harness, world.alice, "/join #field");
    ck_assert_ptr_nonnull(strstr(client_take(world.alice), "<bob> xxxxxxxx"));
    world_end(&world);
}
END_TEST

UNIT_MAIN("recall", test_history_day, test_history_wrong, test_history_last, test_search, test_search_words,
          test_seen, test_absent, test_join, test_join_kept, test_join_unknown, test_join_long)
