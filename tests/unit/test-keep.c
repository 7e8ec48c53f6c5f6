/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Rooms that belong to somebody: what is kept of them, for how long, and what ends it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chat/keep.h"
#include "chat/note.h"
#include "unit/keep-fixture.h"

/* Only of what was set something is left when nobody is in the room. */
START_TEST(test_kept)
{
    static const struct {
        const char *set;
        bool is_kept;
    } cases[] = {
        {"", false},
        {"/topic roses", false},
        {"/lock", true},
        {"/lock\n/lock off", false},
        {"/lock topic", true},
        {"/hide", true},
        {"/hide\n/lock\n/hide off", true},
        {"/invite otto", true},
        {"/invite otto\n/uninvite otto", false},
        {"/invite alice", false}, /* as long as she is connected, and no longer */
        {"/lock\n/give otto", true},
    };

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        World world;

        world_begin(&world);
        client_say(world.harness, world.fay, "%s", cases[i].set);
        client_say(world.harness, world.fay, "said there");
        client_say(world.harness, world.fay, "/leave");
        harness_check(world.harness);
        ck_assert_msg((room_named(&world, "garden") != SLOT_NONE) == cases[i].is_kept, "%s", cases[i].set);
        harness_survive(world.harness);
        ck_assert_msg((room_named(&world, "garden") != SLOT_NONE) == cases[i].is_kept, "%s", cases[i].set);
        ck_assert_uint_eq(chat_n_rooms(world.harness->chat), 1);
        client_say(world.harness, world.otto, "/join #garden");
        harness_check(world.harness);
        world_end(&world);
    }
}
END_TEST

/* The founder finds it as it was, though everybody had gone. */
START_TEST(test_comes_back)
{
    World world;

    world_begin(&world);
    client_say(world.harness, world.fay, "/topic roses");
    client_say(world.harness, world.fay, "/lock");
    client_say(world.harness, world.fay, "said there");
    client_say(world.harness, world.fay, "/quit");
    client_say(world.harness, world.otto, "/quit");
    client_say(world.harness, world.alice, "/quit");
    client_say(world.harness, world.mallory, "/quit");
    harness_turn(world.harness);
    ck_assert_uint_eq(chat_n_people(world.harness->chat) + chat_n_rooms(world.harness->chat), 0);
    harness_survive(world.harness);
    world.alice = client_named(world.harness, "alice");
    ck_assert_str_eq(ask(&world, world.alice, "/rooms"),
                     "-- 2 rooms:\n-- #lobby (1)\n-- #garden (0, locked) roses\n");
    ck_assert_str_eq(ask(&world, world.alice, "/who #garden"), "-- 0 people in #garden:\n");
    ck_assert_str_eq(ask(&world, world.alice, "/join garden"),
                     "!! #garden is locked: by invitation only. Ask fay for one.\n");
    world.fay = client_account(world.harness, "fay", 1001);
    harness_turn(world.harness);
    ck_assert_str_eq(ask(&world, world.fay, "/join #GARDEN"),
                     "-- You are in #garden now, alone.\n-- Topic of #garden: roses\n"
                     "[12:03] <fay" MARK_ "> said there\n");
    ck_assert_str_eq(ask(&world, world.fay, "/lock off"), "-- #garden is open: anybody may come in.\n");
    world_end(&world);
}
END_TEST

/* Where two accounts have one name one of them is called otherwise. */
START_TEST(test_founded_by_namesake)
{
    Client *other;
    World world;

    world_begin(&world);
    other = client_account(world.harness, "otto", 1003);
    harness_turn(world.harness);
    client_say(world.harness, other, "/join #hut");
    ck_assert_str_eq(ask(&world, other, "/lock"),
                     "-- #hut is locked: only who is invited may come in. /invite NICK invites.\n");
    harness_survive(world.harness);
    ck_assert_str_eq(ask(&world, world.otto, "/join #hut"),
                     "!! #hut is locked: by invitation only. Ask otto~2 for one.\n");
    client_say(world.harness, world.otto, "/quit");
    client_say(world.harness, other, "/quit");
    harness_turn(world.harness);
    other = client_account(world.harness, "otto", 1003);
    harness_turn(world.harness);
    ck_assert_str_eq(ask(&world, other, "/join #hut"), "-- You are in #hut now, alone.\n");
    ck_assert_str_eq(ask(&world, other, "/lock off"), "-- #hut is open: anybody may come in.\n");
    world_end(&world);
}
END_TEST

/* What the others hear of it. */
START_TEST(test_told)
{
    static const struct {
        const char *line, *heard;
    } cases[] = {
        {"/lock", "-- fay" MARK_ " locked the room: by invitation only\n"},
        {"/lock off", "-- fay" MARK_ " unlocked the room: anybody may come in\n"},
        {"/lock topic", "-- fay" MARK_ " locked the topic\n"},
        {"/lock topic off", "-- fay" MARK_ " unlocked the topic\n"},
        {"/hide", "-- fay" MARK_ " hid the room\n"},
        {"/hide off", "-- fay" MARK_ " shows the room to everybody\n"},
        {"/invite alice", ""},
        {"/uninvite alice", "-- fay" MARK_ " does not invite you into #garden any more.\n"},
        {"/kick mallory too loud", "-- fay" MARK_ " put mallory out of the room: too loud\n"},
        {"/give otto", "-- fay" MARK_ " handed the room over to otto\n"},
    };
    World world;

    world_begin(&world);
    client_say(world.harness, world.alice, "/join #garden");
    client_say(world.harness, world.mallory, "/join #garden");
    client_say(world.harness, world.alice, "/set joins off");
    /* Nobody comes to a room without wanting to. */
    ck_assert_str_eq(ask(&world, world.fay, "/give otto"),
                     "!! otto is not in #garden. Whoever is to keep it has to be there.\n");
    client_say(world.harness, world.otto, "/join #garden");
    harness_turn(world.harness);
    harness_take_all(world.harness);
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        client_say(world.harness, world.fay, "%s", cases[i].line);
        harness_turn(world.harness);
        ck_assert_str_eq(client_take(world.alice), cases[i].heard);
    }
    ck_assert_ptr_nonnull(strstr(client_take(world.mallory),
                                 "!! fay" MARK_
                                 " put you out of #garden: too loud. You are in #lobby now.\n"));
    ck_assert_ptr_nonnull(strstr(client_take(world.otto), "-- #garden belongs to you now.\n"));
    client_say(world.harness, world.alice, "/join #lobby");
    client_say(world.harness, world.otto, "/join #garden");
    client_say(world.harness, world.otto, "/lock");
    harness_turn(world.harness);
    ck_assert_ptr_nonnull(
        strstr(client_take(world.alice), "-- #garden: otto" MARK_ " locked the room: by invitation only\n"));
    world_end(&world);
}
END_TEST

START_TEST(test_hidden)
{
    World world;

    world_begin(&world);
    client_say(world.harness, world.fay, "/hide");
    client_say(world.harness, world.alice, "/join #shed");
    harness_turn(world.harness);
    ck_assert_str_eq(ask(&world, world.otto, "/rooms"), "-- 2 rooms:\n-- #lobby (4)\n-- #shed (1)\n");
    ck_assert_str_eq(ask(&world, world.otto, "/who #garden"),
                     "!! There is no room #garden. /rooms lists them, /join makes one.\n");
    ck_assert_str_eq(ask(&world, world.otto, "/leave #garden"),
                     "!! There is no room #garden. /rooms lists them, /join makes one.\n");
    ck_assert_str_eq(ask(&world, world.otto, "/close #garden"),
                     "!! There is no room #garden. /rooms lists them, /join makes one.\n");
    ck_assert_ptr_nonnull(strstr(ask(&world, world.otto, "/whois fay"), "-- fay" MARK_ " is in #lobby.\n"));
    client_say(world.harness, world.fay, "/leave #lobby");
    ck_assert_ptr_nonnull(strstr(ask(&world, world.otto, "/whois fay"), "-- fay" MARK_ " is here.\n"));
    ck_assert_ptr_nonnull(strstr(ask(&world, world.fay, "/whois fay"), "-- fay" MARK_ " is in #garden.\n"));
    ck_assert_str_eq(ask(&world, world.otto, "/join #garden"), "-- You are in #garden now, with 1 other.\n");
    ck_assert_str_eq(ask(&world, world.otto, "/rooms"),
                     "-- 3 rooms:\n-- #lobby (3)\n-- #garden (2, hidden)\n-- #shed (1)\n");
    ck_assert_ptr_nonnull(strstr(ask(&world, world.otto, "/whois fay"), "-- fay" MARK_ " is in #garden.\n"));
    /* Whoever only guesses its name is not told whose it is. */
    client_say(world.harness, world.fay, "/lock");
    ck_assert_str_eq(ask(&world, world.alice, "/join #garden"),
                     "!! #garden is locked: by invitation only. Ask an operator for one.\n");
    client_say(world.harness, world.fay, "/hide off");
    ck_assert_str_eq(ask(&world, world.alice, "/join #garden"),
                     "!! #garden is locked: by invitation only. Ask fay for one.\n");
    world_end(&world);
}
END_TEST

/* Put out of it, one is where one is otherwise, with all connections. */
START_TEST(test_put_out)
{
    Client *again;
    World world;

    world_begin(&world);
    again = client_account(world.harness, "otto", 1002);
    harness_turn(world.harness);
    client_say(world.harness, world.otto, "/join #garden");
    client_say(world.harness, again, "/join #garden");
    client_say(world.harness, again, "/leave #lobby");
    client_say(world.harness, world.fay, "/lock");
    client_say(world.harness, world.fay, "/invite otto");
    harness_turn(world.harness);
    harness_take_all(world.harness);
    /* What was said before is heard before. */
    client_say(world.harness, world.fay, "last words\n/kick otto");
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(world.otto), "[12:03] <fay" MARK_ "> last words\n!! fay" MARK_
                                              " put you out of #garden. You are in #lobby now.\n");
    ck_assert_str_eq(client_take(again), "[12:03] <fay" MARK_ "> last words\n!! fay" MARK_
                                         " put you out of #garden. You are in #lobby now.\n");
    ck_assert_str_eq(client_take(world.alice), "-- otto" MARK_ " is here\n");
    harness_check(world.harness);
    /* The invitation has ended with it. */
    ck_assert_str_eq(ask(&world, world.otto, "/join #garden"),
                     "!! #garden is locked: by invitation only. Ask fay for one.\n");
    ck_assert_str_eq(ask(&world, world.fay, "/kick otto"), "!! otto is not in #garden.\n");
    ck_assert_str_eq(ask(&world, world.fay, "/kick fay"), "!! That is you. /leave leaves the room.\n");
    ck_assert_str_eq(ask(&world, world.fay, "said there"), "");
    ck_assert_str_eq(client_take(world.otto), "");
    world_end(&world);
}
END_TEST

/* Limits */

START_TEST(test_founded)
{
    World world;

    world_begin_roomy(&world);
    for (unsigned i = 2; i <= LIMIT_ROOMS_FOUNDED; i++) {
        client_say(world.harness, world.fay, "/join #r%u", i);
        client_say(world.harness, world.fay, "/hide");
    }
    ck_assert_ptr_nonnull(strstr(client_take(world.fay), "-- #r20 is hidden"));
    ck_assert_str_eq(ask(&world, world.fay, "/join #r21"),
                     "-- You are in #r21 now, alone.\n"
                     "-- You have 20 rooms already, so this one belongs to nobody.\n");
    ck_assert_str_eq(ask(&world, world.fay, "/lock"),
                     "!! #r21 belongs to nobody: only operators can do that there.\n");
    client_say(world.harness, world.otto, "/join #other");
    client_say(world.harness, world.fay, "/join #other");
    ck_assert_str_eq(ask(&world, world.otto, "/give fay"), "!! fay has as many rooms as one may have: 20.\n");
    harness_survive(world.harness);
    ck_assert_str_eq(ask(&world, world.otto, "/give fay"), "!! fay has as many rooms as one may have: 20.\n");
    client_say(world.harness, world.fay, "/leave #garden"); /* of which nothing is kept */
    ck_assert_str_eq(ask(&world, world.otto, "/give fay"), "-- #other belongs to fay now.\n");
    ck_assert_ptr_nonnull(strstr(ask(&world, world.fay, "/join #r22"), "You have 20 rooms already"));
    world_end(&world);
}
END_TEST

/* Rooms that are kept are among those of MaxRooms=. */
START_TEST(test_max_rooms)
{
    Config config;
    World world;

    harness_config(&config);
    config.max_rooms = 2;
    world_begin_with(&world, &config);
    client_say(world.harness, world.fay, "/lock");
    client_say(world.harness, world.fay, "/leave");
    client_say(world.harness, world.alice, "/join #one");
    harness_turn(world.harness);
    ck_assert_str_eq(
        ask(&world, world.mallory, "/join #two"),
        "!! There are as many rooms as there may be: 2. /rooms lists them; join one of those.\n");
    client_say(world.harness, world.fay, "/close #garden");
    ck_assert_str_eq(ask(&world, world.mallory, "/join #two"), "-- You are in #two now, alone.\n");
    world_end(&world);
}
END_TEST

static char logged[256];

static void on_log(void *userdata, const LogEvent *event)
{
    (void) userdata;
    (void) snprintf(logged, sizeof logged, "%s|%s|%s", event->id, event->nick != NULL ? event->nick : "",
                    event->room != NULL ? event->room : "");
}

START_TEST(test_given_up)
{
    World world;

    world_begin(&world);
    world.harness->log = (Log){.sink = on_log};
    client_say(world.harness, world.fay, "/lock");
    client_say(world.harness, world.fay, "/leave");
    harness_wait(world.harness, (ROOM_KEPT_SEC - 1) * USEC_PER_SEC);
    harness_turn(world.harness);
    /* Whoever enters begins another such time. */
    client_say(world.harness, world.fay, "/join #garden");
    harness_wait(world.harness, 2 * ROOM_KEPT_SEC * USEC_PER_SEC);
    harness_turn(world.harness);
    client_say(world.harness, world.fay, "/leave");
    harness_wait(world.harness, ROOM_KEPT_SEC * USEC_PER_SEC - 1);
    harness_survive(world.harness);
    harness_turn(world.harness);
    ck_assert_uint_ne(room_named(&world, "garden"), SLOT_NONE);
    harness_wait(world.harness, 1);
    harness_turn(world.harness);
    ck_assert_uint_eq(room_named(&world, "garden"), SLOT_NONE);
    ck_assert_str_eq(logged, LOG_ID_ROOM_GIVEN_UP "||garden");
    world_end(&world);
}
END_TEST

#define DAYS(n) ((int64_t) ((n) *SECONDS_PER_DAY * USEC_PER_SEC))

/* The wall clock may be set by years when a host without a clock of its own finds the time. That is no time
 * in which nobody came. */
START_TEST(test_clock_is_set)
{
    World world;

    world_begin(&world);
    harness_step(world.harness, -DAYS(50 * 365));
    client_say(world.harness, world.fay, "/lock");
    client_say(world.harness, world.fay, "/leave");
    harness_step(world.harness, DAYS(50 * 365 + 60));
    harness_turn(world.harness);
    ck_assert_uint_ne(room_named(&world, "garden"), SLOT_NONE);
    harness_survive(world.harness);
    harness_turn(world.harness);
    harness_step(world.harness, -DAYS(400));
    harness_wait(world.harness, ROOM_KEPT_SEC * USEC_PER_SEC - 1);
    harness_turn(world.harness);
    ck_assert_uint_ne(room_named(&world, "garden"), SLOT_NONE);
    harness_wait(world.harness, 1);
    harness_turn(world.harness);
    ck_assert_uint_eq(room_named(&world, "garden"), SLOT_NONE);
    world_end(&world);
}
END_TEST

/* Everybody in it hears what was said before, and is elsewhere then. */
START_TEST(test_close)
{
    Client *crowd[40];
    World world;

    world_begin(&world);
    client_say(world.harness, world.alice, "/join #garden");
    client_say(world.harness, world.alice, "/leave #lobby");
    for (size_t i = 0; i < N_ELEMENTS(crowd); i++) {
        crowd[i] = client_new(world.harness);
        harness_turn(world.harness);
        client_say(world.harness, crowd[i], "/join #garden");
    }
    client_say(world.harness, world.fay, "/lock");
    harness_turn(world.harness);
    harness_take_all(world.harness);
    client_type(world.fay, "before\n/close\n", strlen("before\n/close\n"));
    client_type(world.otto, "/join #garden\n", strlen("/join #garden\n"));
    client_type(world.alice, "after\n", 6);
    client_type(crowd[0], "/me waves\n", strlen("/me waves\n"));
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(crowd[1]),
                     "[12:03] <fay" MARK_ "> before\n-- fay" MARK_ " closed the room\n");
    ck_assert_str_eq(client_take(world.otto), "!! #garden is just being closed. Try again.\n");
    harness_survive(world.harness);
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(world.alice),
                     "[12:03] <fay" MARK_ "> before\n-- fay" MARK_ " closed the room\n"
                     "!! #garden is closed; that was not said.\n"
                     "-- #garden is closed. You are in #lobby now.\n");
    ck_assert_str_eq(client_take(crowd[0]), "[12:03] <fay" MARK_ "> before\n-- fay" MARK_ " closed the room\n"
                                            "!! #garden is closed; that was not said.\n"
                                            "-- #garden is closed. You are in #lobby now.\n");
    ck_assert_str_eq(client_take(crowd[1]), "-- #garden is closed. You are in #lobby now.\n");
    ck_assert_uint_eq(room_named(&world, "garden"), SLOT_NONE);
    ck_assert_uint_eq(world.harness->chat->close_from, UINT64_MAX);
    harness_check(world.harness);
    /* It is anybody's now. */
    ck_assert_str_eq(ask(&world, world.mallory, "/join #garden"), "-- You are in #garden now, alone.\n");
    ck_assert_str_eq(ask(&world, world.mallory, "/history"), "-- Nothing is remembered of #garden.\n");
    world_end(&world);
}
END_TEST

/* Nothing is said or set in a room that has been closed, by its founder or an operator, until they are out.
 */
START_TEST(test_closing)
{
    static const char *const LINES[] = {"/topic roses", "/lock",        "/lock off",      "/lock topic",
                                        "/hide",        "/invite otto", "/uninvite otto", "/give otto",
                                        "/delete fay",  "/undo",        "/close",         "/close #garden",
                                        "/invite"};
    static const char REFUSAL[] = "!! #garden is being closed.\n";
    Client *root;
    World world;

    world_begin(&world);
    root = client_account(world.harness, "root", 0);
    harness_turn(world.harness);
    for (size_t i = 0; i < N_ELEMENTS(LINES); i++) {
        Client *clients[] = {world.fay, root, world.alice};
        const RoomRecord *room;

        client_say(world.harness, world.fay, "/join #garden\n/lock off\n/topic before\nsaid before");
        client_say(world.harness, root, "/join #garden\nsaid before");
        client_say(world.harness, world.alice, "/join #garden");
        harness_turn(world.harness);
        harness_take_all(world.harness);
        client_type(world.fay, "/close\n", 7);
        for (size_t k = 0; k < 2; k++) {
            client_type(clients[k], LINES[i], strlen(LINES[i]));
            client_type(clients[k], "\n", 1);
        }
        harness_turn(world.harness);
        room = &world.harness->chat->state.rooms[room_named(&world, "garden")];
        ck_assert_msg(room->flags == ROOM_CLOSING && room->topic_n == 6, "%s", LINES[i]);
        harness_survive(world.harness);
        harness_turn(world.harness);
        for (size_t k = 0; k < 2; k++)
            ck_assert_msg(strstr(client_take(clients[k]), REFUSAL) != NULL, "%s", LINES[i]);
        ck_assert_str_eq(client_take(world.alice), "-- fay" MARK_ " closed the room\n"
                                                   "-- #garden is closed. You are in #lobby now.\n");
        ck_assert_uint_eq(room_named(&world, "garden"), SLOT_NONE);
    }
    world_end(&world);
}
END_TEST

/* More than are put out in one turn. */
START_TEST(test_close_crowd)
{
    enum { CROWD = 500 };
    Harness *harness = harness_new(NULL, CROWD + 1);
    World world = {.harness = harness};
    Client *crowd[CROWD];
    char name[NAME_MAX_BYTES] = "", line[NAME_MAX_BYTES + 16], told[NAME_MAX_BYTES + 64];
    unsigned n = 0;

    while (strlen(name) < 2 * NAME_MAX_CHARS)
        (void) strcat(name, "\xc3\xa9");
    (void) snprintf(line, sizeof line, "/join #%s\n", name);
    (void) snprintf(told, sizeof told, "-- #%s is closed. You are in #lobby now.\n", name);
    world.fay = client_account(harness, "fay", 1001);
    harness_turn(harness);
    client_type(world.fay, line, strlen(line));
    for (unsigned i = 0; i < CROWD; i++) {
        crowd[i] = client_new(harness);
        client_type(crowd[i], line, strlen(line));
        if (i % 50 == 49)
            harness_turn(harness);
    }
    harness_turn(harness);
    harness_turn(harness);
    harness_take_all(harness);
    client_say(harness, world.fay, "/close");
    for (; room_named(&world, name) != SLOT_NONE; n++) {
        ck_assert_uint_lt(n, 10);
        harness_turn(harness);
        harness_check(harness);
        if (n == 0)
            harness_survive(harness);
    }
    ck_assert_uint_gt(n, 1);
    for (unsigned i = 0; i < CROWD; i++)
        ck_assert_ptr_nonnull(strstr(client_take(crowd[i]), told));
    ck_assert_uint_eq(chat_n_rooms(harness->chat), 1);
    world_end(&world);
}
END_TEST

/* What the archive is told: only of rooms of which something is kept. */
START_TEST(test_notes)
{
    static const struct {
        const char *line;
        uint64_t kinds[3];
    } cases[] = {
        {"/topic roses", {0}},
        {"/invite alice", {0}},
        {"/lock", {NOTE_ROOM}},
        {"/hide", {NOTE_ROOM}},
        {"/invite otto", {NOTE_INVITED}},
        {"/lock off", {NOTE_ROOM}},
        {"/hide off", {NOTE_ROOM}},
        {"/uninvite otto", {NOTE_UNINVITED, NOTE_ROOM_OPENED}},
        {"/invite otto", {NOTE_ROOM, NOTE_INVITED}},
        {"/kick otto", {NOTE_UNINVITED, NOTE_ROOM_OPENED}},
        {"/lock topic", {NOTE_ROOM}},
        {"/give otto", {NOTE_ROOM}},
    };
    const Entry *entry;
    uint64_t pos;
    World world;

    world_begin(&world);
    /* There may be another #garden in an archive that has not been read: it is told when it has been. */
    pos = world.harness->chat->state.header->head;
    client_say(world.harness, world.fay, "/lock\n/invite otto\n/uninvite otto\n/lock off");
    ck_assert_uint_eq(world.harness->chat->state.header->is_noting, true);
    while ((entry = transcript_read(&world.harness->chat->transcript, &pos)) != NULL) {
        ck_assert_uint_ne(entry->kind, ENTRY_NOTE);
        pos += entry->size;
    }
    world.harness->chat->state.header->archive.recalled = PAST_KNOWN;
    client_say(world.harness, world.otto, "/join #garden");
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        size_t n = 0;

        client_say(world.harness, world.otto, "/join #garden");
        pos = world.harness->chat->state.header->head;
        client_say(world.harness, world.fay, "%s", cases[i].line);
        for (; (entry = transcript_read(&world.harness->chat->transcript, &pos)) != NULL;
             pos += entry->size) {
            Note note;

            if (entry->kind != ENTRY_NOTE)
                continue;
            ck_assert(note_read(entry, &note));
            ck_assert_msg(n < 3 && note.kind == cases[i].kinds[n], "%s", cases[i].line);
            ck_assert_int_eq(memcmp(entry_room(entry), "garden", entry->room_n), 0);
            ck_assert_int_eq(memcmp(entry_nick(entry), "fay", entry->nick_n), 0);
            if (note.kind == NOTE_INVITED || note.kind == NOTE_UNINVITED)
                ck_assert(note.invited.uid == 1002 && strcmp(note.invited.name.bytes, "otto") == 0);
            n++;
        }
        ck_assert_msg(n == 3 || cases[i].kinds[n] == 0, "%s: %zu notes", cases[i].line, n);
    }
    world_end(&world);
}
END_TEST

/* Whatever people do, in whatever order: what is derived agrees with the records, another process goes on
 * with all of it, and in the end nothing is left but what is kept. */
START_TEST(test_random)
{
    static const char *const LINES[] = {
        "/join #a",        "/join #b",      "/join #c",     "/leave",          "/leave #a",
        "/lock",           "/lock off",     "/lock topic",  "/lock topic off", "/hide",
        "/hide off",       "/invite alice", "/invite otto", "/uninvite otto",  "/uninvite alice",
        "/kick alice why", "/kick otto",    "/give otto",   "/give fay",       "/close",
        "/close #a",       "/topic words",  "/op otto 5s",  "/deop otto",      "/rooms",
        "/whois otto",     "/quit",         "hello",        "/join #lobby",    "/invite",
    };
    uint64_t seed = 5;
    World world;

    world_begin(&world);
    for (unsigned n = 0; n < (harness_is_slow() ? 500 : 8000); n++) {
        Client **people[] = {&world.fay, &world.otto, &world.alice, &world.mallory};
        uint32_t who = random_below(&seed, N_ELEMENTS(people));
        Client *client = *people[who];

        if (client->session == SLOT_NONE && world.harness->n_clients == HARNESS_CLIENTS)
            break;
        if (client->session == SLOT_NONE)
            *people[who] = client = who == 0   ? client_account(world.harness, "fay", 0)
                                    : who == 1 ? client_account(world.harness, "otto", 1002)
                                               : client_named(world.harness, who == 2 ? "alice" : "mallory");
        client_say(world.harness, client, "%s", LINES[random_below(&seed, N_ELEMENTS(LINES))]);
        harness_wait(world.harness, random_below(&seed, 3) * USEC_PER_SEC);
        harness_check(world.harness);
        if (random_below(&seed, 5) == 0) {
            size_t n_before, n_after;
            char *before = harness_dump(world.harness, &n_before), *after;

            harness_survive(world.harness);
            after = harness_dump(world.harness, &n_after);
            ck_assert_uint_eq(n_before, n_after);
            free(before);
            free(after);
        }
    }
    for (unsigned i = 0; i < world.harness->n_clients; i++)
        client_break(world.harness, world.harness->clients[i]);
    harness_turn(world.harness);
    harness_wait(world.harness, ROOM_KEPT_SEC * USEC_PER_SEC);
    harness_turn(world.harness);
    ck_assert_uint_eq(slots_n_used(&world.harness->chat->room_slots), 1);
    ck_assert_uint_eq(slots_n_used(&world.harness->chat->invite_slots), 0);
    world_end(&world);
}
END_TEST

UNIT_MAIN("keep", test_kept, test_comes_back, test_founded_by_namesake, test_told, test_hidden, test_put_out,
          test_founded, test_max_rooms, test_given_up, test_clock_is_set, test_close, test_closing,
          test_close_crowd, test_notes, test_random)
