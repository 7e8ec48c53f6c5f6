/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Lines that are taken back: who may, and who hears them nevertheless. */

#include <stdio.h>
#include <string.h>

#include "chat/keep.h"
#include "chat/note.h"
#include "chat/recall.h"
#include "unit/operator-fixture.h"
#include "unit/play.h"

#define TAKEN "-- Taken back, but for who has read it: "

START_TEST(test_undo)
{
    PLAY(
        NULL, {'a', "one", "", "[12:03] <alice> one\n"}, {'a', "two", "", "[12:03] <alice> two\n"},
        {'b', "/undo", "", "!! You have said nothing in #lobby in the last five minutes.\n"},
        {'a', "/undo", TAKEN "two\n", "-- alice took back a line\n"},
        {'b', "/history", "", "[12:03] <alice> one\n"},
        {'a', "/undo", TAKEN "one\n", "-- alice took back a line\n"},
        {'a', "/undo", "!! You have said nothing in #lobby in the last five minutes.\n", ""},
        {'b', "/history", "", "-- Nothing is remembered of #lobby.\n"},
        {'a', "/me waves", "", "[12:03] * alice waves\n"},
        {'a', "/undo", TAKEN "waves\n", "-- alice took back a line\n"},
        {'a',
         "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
         "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4 ten more words, and then even "
         "more",
         "",
         "[12:03] <alice> "
         "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
         "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4 ten more words, and then "
         "even more\n"},
        {'a', "/undo",
         TAKEN
         "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
         "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4 ten more words, and\xe2\x80\xa6\n",
         "-- alice took back a line\n"});
}
END_TEST

/* Not after five minutes; a second before, and in the next process. */
START_TEST(test_time)
{
    Harness *harness = harness_new(NULL, 4);
    Client *alice = client_named(harness, "alice");

    (void) client_take(alice);
    client_say(harness, alice, "one\ntwo");
    harness_wait(harness, 5 * 60 * USEC_PER_SEC);
    harness_survive(harness);
    client_say(harness, alice, "/undo");
    ck_assert_str_eq(client_take(alice), TAKEN "two\n");
    harness_wait(harness, 1);
    client_say(harness, alice, "/undo");
    ck_assert_str_eq(client_take(alice), "!! You have said nothing in #lobby in the last five minutes.\n");
    harness_free(harness);
}
END_TEST

/* Who is behind does not hear it, unless a part of it is on its way. */
START_TEST(test_behind)
{
    Harness *harness = harness_new(NULL, 4);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");
    Client *carol = client_named(harness, "carol");

    harness_take_all(harness);
    bob->window = 14;
    client_stop(carol);
    client_say(harness, alice, "the first line");
    client_say(harness, alice, "the second line");
    client_say(harness, alice, "/undo\n/undo");
    harness_turn(harness);
    harness_survive(harness);
    client_open_window(harness, bob, SIZE_MAX);
    client_open_window(harness, carol, SIZE_MAX);
    harness_turn(harness);
    ck_assert_str_eq(client_take(bob), "[12:03] <alice> the first line\n"
                                       "-- alice took back a line\n-- alice took back a line\n");
    ck_assert_str_eq(client_take(carol), "-- alice took back a line\n-- alice took back a line\n");
    harness_free(harness);
}
END_TEST

/* Whoever is told of it, and the archive, which is told in the same transaction. */
static unsigned count_notes(const Chat *chat, uint64_t *ret_pos)
{
    uint64_t pos = chat->state.header->tail;
    const Entry *entry;
    unsigned n = 0;
    Note note;

    while ((entry = transcript_read(&chat->transcript, &pos)) != NULL) {
        if (entry->kind == ENTRY_NOTE && note_read(entry, &note) && note.kind == NOTE_TAKEN_BACK) {
            *ret_pos = note.taken_back.pos;
            n++;
        }
        pos += entry->size;
    }
    return n;
}

START_TEST(test_delete)
{
    World world;
    uint64_t pos = 0;

    world_begin(&world);
    client_say(world.harness, world.mallory, "one\ntwo\nthree");
    client_say(world.harness, world.alice, "four");
    harness_take_all(world.harness);
    client_say(world.harness, world.alice, "/delete mallory");
    ck_assert_str_eq(client_take(world.alice),
                     "!! #lobby belongs to nobody: only operators can do that there.\n");
    client_say(world.harness, world.dora, "/delete mallory 21");
    ck_assert_str_eq(client_take(world.dora),
                     "!! /delete takes a nick and a number of lines from 1 to 20.\n");
    client_say(world.harness, world.dora, "/delete mallory 0");
    ck_assert_str_eq(client_take(world.dora),
                     "!! /delete takes a nick and a number of lines from 1 to 20.\n");
    client_say(world.harness, world.dora, "/delete bea");
    ck_assert_str_eq(client_take(world.dora), "!! Nothing that bea said in #lobby is remembered.\n");
    ck_assert_uint_eq(world.n_acts, 0);
    client_say(world.harness, world.dora, "/delete MALLORY 2");
    ck_assert_str_eq(client_take(world.dora), "-- 2 lines of MALLORY are deleted.\n");
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(world.alice), "-- dora" MARK_ " deleted 2 lines of MALLORY\n");
    ck_assert_str_eq(world.act, LOG_ID_DELETED " dora MALLORY: -");
    ck_assert_uint_eq(count_notes(world.harness->chat, &pos), 2);
    ck_assert_ptr_nonnull(transcript_at(&world.harness->chat->transcript, pos));
    harness_survive(world.harness);
    client_say(world.harness, world.alice, "/history");
    ck_assert_str_eq(client_take(world.alice), "[12:03] <mallory> one\n[12:03] <alice> four\n");
    client_say(world.harness, world.dora, "/delete mallory 20");
    harness_take_all(world.harness);
    client_say(world.harness, world.alice, "/history");
    ck_assert_str_eq(client_take(world.alice), "[12:03] <alice> four\n");
    world_end(&world);
}
END_TEST

static RecallState know_nothing(_unused_ void *userdata, _unused_ const Recall *recall,
                                _unused_ Recalled *ret_recalled)
{
    return RECALL_ABSENT;
}

/* The last one about that. */
static bool find_deleted(const Chat *chat, Note *ret_note)
{
    uint64_t pos = chat->state.header->tail;
    const Entry *entry;
    bool is_found = false;
    Note note;

    for (; (entry = transcript_read(&chat->transcript, &pos)) != NULL; pos += entry->size)
        if (entry->kind == ENTRY_NOTE && note_read(entry, &note) && note.kind == NOTE_DELETED) {
            *ret_note = note;
            is_found = true;
        }
    return is_found;
}

/* What is remembered no more is the archive's to delete, for operators: whoever founds a room of some name
 * has no right to what others said in it before. */
START_TEST(test_delete_archived)
{
    World world;
    Note note;

    world_begin(&world);
    world.harness->chat->recall = know_nothing;
    client_say(world.harness, world.mallory, "one\ntwo");
    harness_take_all(world.harness);
    client_say(world.harness, world.dora, "/delete mallory 2");
    ck_assert_str_eq(client_take(world.dora), "-- 2 lines of mallory are deleted.\n");
    ck_assert(!find_deleted(world.harness->chat, &note));
    client_say(world.harness, world.mallory, "three");
    harness_take_all(world.harness);
    client_say(world.harness, world.dora, "/delete mallory 20");
    ck_assert_str_eq(client_take(world.dora),
                     "-- 1 line of mallory is deleted, and up to 19 older in the archive.\n");
    ck_assert_str_eq(client_take(world.alice), "-- dora" MARK_ " deleted up to 20 lines of mallory\n");
    ck_assert_str_eq(world.act, LOG_ID_DELETED " dora mallory: -");
    ck_assert(find_deleted(world.harness->chat, &note));
    ck_assert_uint_eq(note.deleted.n, 19);
    ck_assert_str_eq(note.deleted.nick.bytes, "mallory");
    client_say(world.harness, world.dora, "/delete Mallory");
    ck_assert_str_eq(client_take(world.dora),
                     "-- 0 lines of Mallory are deleted, and up to 1 older in the archive.\n");
    ck_assert_str_eq(client_take(world.alice), "-- dora" MARK_ " deleted up to 1 line of Mallory\n");
    ck_assert(find_deleted(world.harness->chat, &note));
    ck_assert_str_eq(note.deleted.nick.bytes, "Mallory");
    /* bea has founded this one. */
    client_say(world.harness, world.bea, "/join #garden\n/lock\nthree");
    harness_take_all(world.harness);
    client_say(world.harness, world.bea, "/delete mallory 20");
    ck_assert_str_eq(client_take(world.bea), "!! Nothing that mallory said in #garden is remembered.\n");
    client_say(world.harness, world.bea, "/delete bea 20");
    ck_assert_str_eq(client_take(world.bea), "-- 1 line of bea is deleted.\n");
    ck_assert(find_deleted(world.harness->chat, &note));
    ck_assert_str_eq(note.deleted.nick.bytes, "Mallory");
    harness_survive(world.harness);
    world_end(&world);
}
END_TEST

/* Of an account, what was said by another connection. */
START_TEST(test_other_connection)
{
    World world;
    Client *again;

    world_begin(&world);
    again = world_bea_again(&world);
    client_say(world.harness, world.bea, "one");
    harness_take_all(world.harness);
    client_say(world.harness, again, "/undo");
    ck_assert_str_eq(client_take(again), TAKEN "one\n");
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(world.alice), "-- bea" MARK_ " took back a line\n");
    world_end(&world);
}
END_TEST

UNIT_MAIN("take-back", test_undo, test_time, test_behind, test_delete, test_delete_archived,
          test_other_connection)
