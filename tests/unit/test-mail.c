/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What is kept for people with accounts: messages while they are away, and what they have set. */

#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "chat/command.h"
#include "chat/session.h"
#include "unit/mail-fixture.h"

static bool must_wait(const World *world, const Client *client, const char *line)
{
    return command_must_wait(world->harness->chat, client->session, line, strlen(line));
}

/* Who may leave what. */
START_TEST(test_leave)
{
    static char line[LIMIT_MAIL_BYTES + 32];
    Memory memory;
    World world;
    Note note;

    scene_begin(&world, &memory);
    client_say(world.harness, world.alice, "/msg carol hello");
    ck_assert_str_eq(client_take(world.alice),
                     "!! carol is not here. Who comes in with an account can leave a message.\n");
    client_say(world.harness, world.bea, "/msg dave hello");
    ck_assert_str_eq(client_take(world.bea), "!! Nobody here is called dave. /who lists who is.\n");
    ck_assert(!last_note(world.harness->chat, NOTE_MESSAGE, &note));

    client_say(world.harness, world.bea, "/msg carol" MARK_ " hello there");
    ck_assert_str_eq(client_take(world.bea), "-- carol is not here, and will be told on coming back.\n");
    ck_assert(last_note(world.harness->chat, NOTE_MESSAGE, &note));
    ck_assert_uint_eq(note.message.to_uid, 1003);
    ck_assert_str_eq(note.message.to.bytes, "carol");
    ck_assert_uint_eq(note.message.n, 11);
    ck_assert_mem_eq(note.message.text, "hello there", 11);

    memory.counts = (MailCounts){.from = MAIL_FROM_MAX - 1, .to = MAIL_TO_MAX - 1};
    client_say(world.harness, world.bea, "/msg carol one more");
    ck_assert_str_eq(client_take(world.bea), "-- carol is not here, and will be told on coming back.\n");
    memory.counts = (MailCounts){.from = MAIL_FROM_MAX};
    client_say(world.harness, world.bea, "/msg carol one more");
    ck_assert_str_eq(client_take(world.bea),
                     "!! carol is not here, and as many messages of yours wait as may.\n");
    memory.counts = (MailCounts){.to = MAIL_TO_MAX};
    client_say(world.harness, world.bea, "/msg carol one more");
    ck_assert_str_eq(client_take(world.bea),
                     "!! carol is not here, and there is no place for one more message.\n");
    memory.counts = (MailCounts){0};
    world.harness->config.max_line_length = LIMIT_LINE_BYTES;
    for (size_t n = LIMIT_MAIL_BYTES; n <= LIMIT_MAIL_BYTES + 1; n++) {
        (void) snprintf(line, sizeof line, "%0*d", (int) n, 0);
        client_say(world.harness, world.bea, "/msg carol %s", line);
        ck_assert_str_eq(client_take(world.bea),
                         n == LIMIT_MAIL_BYTES
                             ? "-- carol is not here, and will be told on coming back.\n"
                             : "!! carol is not here. A message that is left may have 2000 bytes; yours has "
                               "2001.\n");
        harness_wait(world.harness, 10 * USEC_PER_SEC);
    }
    harness_survive(world.harness);
    world_end(&world);
}
END_TEST

/* Without an archive, with one that is busy, and with one that is in trouble: nothing is lost without a word.
 */
START_TEST(test_trouble)
{
    Memory memory;
    World world;
    Note note;

    scene_begin(&world, &memory);
    memory.trouble = "The disk is full";
    client_say(world.harness, world.bea, "/msg carol hello");
    ck_assert_str_eq(client_take(world.bea), "!! The disk is full. Please try again later.\n");
    memory.state = RECALL_ABSENT;
    client_say(world.harness, world.bea, "/msg carol hello");
    ck_assert_str_eq(client_take(world.bea), "!! What is said is not archived here.\n");
    ck_assert(!last_note(world.harness->chat, NOTE_MESSAGE, &note));
    memory.state = RECALL_AWAITED;
    ck_assert(must_wait(&world, world.bea, "/msg carol hello"));
    ck_assert(!must_wait(&world, world.bea, "/msg carol"));
    ck_assert(!must_wait(&world, world.bea, "/msg alice hello"));
    ck_assert(!must_wait(&world, world.bea, "/msg dave hello"));
    ck_assert(!must_wait(&world, world.alice, "/msg carol hello"));
    world_end(&world);
}
END_TEST

/* Who has come is greeted, whether or not what they had set is known. */
static void wait_for_greeting(const World *world)
{
    harness_wait(world->harness, USEC_PER_SEC);
    harness_turn(world->harness);
}

START_TEST(test_deliver)
{
    Memory memory;
    Client *again, *third;
    World world;
    Note note;

    scene_begin(&world, &memory);
    client_say(world.harness, world.bea, "/quit");
    harness_turn(world.harness);
    ck_assert(world.bea->is_gone);
    add_mail(&memory, 77, "see you");
    add_mail(&memory, 78, "at the bridge");
    memory.is_more = true;
    memory.state = RECALL_AWAITED;
    again = client_account(world.harness, "bea", 1000);
    harness_turn(world.harness);
    wait_for_greeting(&world);
    ck_assert_ptr_null(strstr(client_take(again), "left a message"));
    memory.state = RECALL_ANSWERED;
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(again),
                     "-- dora" MARK_ " left a message for you on 2026-11-22 12:03:04 UTC (+0000): see you\n"
                     "-- dora" MARK_
                     " left a message for you on 2026-11-22 12:03:04 UTC (+0000): at the bridge\n");
    ck_assert(last_note(world.harness->chat, NOTE_DELIVERED, &note));
    ck_assert_uint_eq(note.number, 78);
    /* There was more. */
    memory.person.n_mails = 0;
    add_mail(&memory, 79, "and bring tea");
    harness_turn(world.harness);
    ck_assert_ptr_nonnull(strstr(client_take(again), "and bring tea\n"));
    memory.person.n_mails = 0;
    /* Nobody is asked about any more: one more connection is the same person. */
    memory.n_asked = 0;
    third = world_bea_again(&world);
    harness_turn(world.harness);
    ck_assert_uint_eq(memory.n_asked, 0);
    ck_assert_str_eq(client_take(third), "");
    ck_assert_uint_eq(world.harness->chat->n_expecting, 0);
    world_end(&world);
}
END_TEST

/* A process that goes on asks again: the last one may have died before it gave anything. */
START_TEST(test_deliver_later)
{
    Memory memory;
    World world;

    scene_begin(&world, &memory);
    add_mail(&memory, 77, "see you");
    harness_survive(world.harness);
    ck_assert_uint_gt(world.harness->chat->n_expecting, 0);
    world.harness->chat->recall = recall;
    world.harness->chat->recall_userdata = &memory;
    memory.trouble = "The archive can not be read or written";
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(world.bea), "");
    memory.trouble = NULL;
    harness_wait(world.harness, 9 * USEC_PER_SEC);
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(world.bea), "");
    harness_wait(world.harness, 2 * USEC_PER_SEC);
    harness_turn(world.harness);
    ck_assert_ptr_nonnull(strstr(client_take(world.bea), "see you\n"));
    world_end(&world);
}
END_TEST

START_TEST(test_settings)
{
    Memory memory;
    Client *again;
    World world;
    Note note;

    scene_begin(&world, &memory);
    client_say(world.harness, world.alice, "/set color on\n/ignore mallory");
    ck_assert(!last_note(world.harness->chat, NOTE_SETTINGS, &note));
    client_say(world.harness, world.bea,
               "/set mark ascii\n/ignore mallory\n/ignore nobody\n"
               "/ignore mallory address\n/ignore 192.0.2.7");
    ck_assert(last_note(world.harness->chat, NOTE_SETTINGS, &note));
    ck_assert_uint_eq(note.settings.bits, SETTINGS_STANDARD | SETTING_ASCII);
    ck_assert_uint_eq(note.settings.n_ignored, 4);
    ck_assert_str_eq(note.settings.ignored[0].name.bytes, "mallory");
    client_say(world.harness, world.bea, "/quit");
    harness_turn(world.harness);

    memory.person.settings = note;
    again = client_account(world.harness, "bea", 1000);
    harness_turn(world.harness);
    harness_turn(world.harness);
    harness_take_all(world.harness);
    client_say(world.harness, again, "/set\n/ignore");
    ck_assert_str_eq(client_take(again),
                     "-- time on, bell off, color off, joins on, mark ascii.\n"
                     "-- You ignore mallory, nobody, the address of mallory, 192.0.2.7.\n");
    client_say(world.harness, again, "/ignore mallory");
    ck_assert_ptr_nonnull(strstr(client_take(again), "no more by name, but by address"));
    client_say(world.harness, world.mallory, "hello");
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(again), "");
    harness_survive(world.harness);
    world_end(&world);
}
END_TEST

/* The name of an account that is not there any more is nobody else's, as far as can be told. */
START_TEST(test_owner)
{
    Memory memory;
    World world;

    scene_begin(&world, &memory);
    client_say(world.harness, world.alice, "/nick Erin");
    ck_assert_str_eq(client_take(world.alice), "!! Erin is the name of somebody who has been here with an "
                                               "account of this host. Choose another name.\n");
    client_say(world.harness, world.alice, "/nick frank");
    ck_assert_str_eq(client_take(world.alice), "-- You are now frank.\n");
    memory.state = RECALL_AWAITED;
    ck_assert(must_wait(&world, world.alice, "/nick erin"));
    ck_assert(!must_wait(&world, world.alice, "/nick carol")); /* an account of now */
    ck_assert(!must_wait(&world, world.alice, "/nick mallory") &&
              !must_wait(&world, world.bea, "/nick erin"));
    memory.state = RECALL_ANSWERED;
    memory.trouble = "The disk is full";
    client_say(world.harness, world.alice, "/nick erin");
    ck_assert_str_eq(client_take(world.alice), "-- You are now erin.\n");
    world_end(&world);
}
END_TEST

/* Nothing is heard of who is ignored, nor does it wait any longer. */
START_TEST(test_ignored)
{
    Memory memory;
    Client *again;
    World world;
    Note note;

    scene_begin(&world, &memory);
    client_say(world.harness, world.bea, "/ignore dora\n/quit");
    harness_turn(world.harness);
    ck_assert(last_note(world.harness->chat, NOTE_SETTINGS, &memory.person.settings));
    add_mail(&memory, 77, "psst");
    again = client_account(world.harness, "bea", 1000);
    harness_turn(world.harness);
    harness_turn(world.harness);
    ck_assert_ptr_null(strstr(client_take(again), "psst"));
    ck_assert(last_note(world.harness->chat, NOTE_DELIVERED, &note));
    ck_assert_uint_eq(note.number, 77);
    world_end(&world);
}
END_TEST

/* Whoever has changed something before the answer comes keeps it; and what is no setting is left out. */
START_TEST(test_settings_late)
{
    Memory memory;
    Client *again;
    World world;

    scene_begin(&world, &memory);
    client_say(world.harness, world.bea, "/quit");
    harness_turn(world.harness);
    memory.person.settings =
        (Note){.kind = NOTE_SETTINGS,
               .settings = {
                   .bits = 0xff,
                   .n_ignored = 4,
                   .ignored = {
                       {{1, "\xff"}, 1, 0}, {{200, "x"}, 1, 0}, {{5, "carol"}, 9, 0}, {{5, "carol"}, 3, 0}}}};
    memory.state = RECALL_AWAITED;
    again = client_account(world.harness, "bea", 1000);
    wait_for_greeting(&world);
    client_say(world.harness, again, "/set color on");
    memory.state = RECALL_ANSWERED;
    harness_turn(world.harness);
    harness_take_all(world.harness);
    client_say(world.harness, again, "/set\n/ignore");
    ck_assert_str_eq(client_take(again), "-- time on, bell off, color on, joins on, mark unicode.\n"
                                         "-- You ignore nobody.\n");
    client_say(world.harness, again, "/quit");
    harness_turn(world.harness);
    again = client_account(world.harness, "bea", 1000);
    harness_turn(world.harness);
    harness_turn(world.harness);
    harness_take_all(world.harness);
    client_say(world.harness, again, "/ignore");
    ck_assert_ptr_nonnull(strstr(client_take(again), "You ignore nobody.\n"));
    harness_survive(world.harness);
    world_end(&world);
}
END_TEST

static uint64_t n_notes(const Chat *chat, NoteKind kind)
{
    uint64_t pos = chat->state.header->tail, n = 0;
    const Entry *entry;
    Note note;

    for (; (entry = transcript_read(&chat->transcript, &pos)) != NULL; pos += entry->size)
        n += entry->kind == ENTRY_NOTE && note_read(entry, &note) && note.kind == kind;
    return n;
}

/* What one sets waits for what one has set before, in each connection. */
START_TEST(test_settings_wait)
{
    static const char *const LINES[] = {"/set", "/set bell on", "/ignore", "/ignore mallory"};
    Client *again, *third;
    Memory memory;
    World world;
    Note note;

    scene_begin(&world, &memory);
    keep_settings(&world, &memory);
    memory.state = RECALL_AWAITED;
    again = client_account(world.harness, "bea", 1000);
    harness_turn(world.harness);
    third = client_account(world.harness, "bea", 1000);
    harness_turn(world.harness);
    for (size_t i = 0; i < N_ELEMENTS(LINES); i++) {
        ck_assert(must_wait(&world, again, LINES[i]) && must_wait(&world, third, LINES[i]));
        ck_assert(!must_wait(&world, world.alice, LINES[i]) && !must_wait(&world, world.dora, LINES[i]));
        world.harness->chat->recall = NULL;
        ck_assert(!must_wait(&world, again, LINES[i]) && !must_wait(&world, third, LINES[i]));
        world.harness->chat->recall = recall;
    }
    memory.state = RECALL_ANSWERED;
    harness_turn(world.harness);
    ck_assert(!must_wait(&world, again, "/set bell on") && !must_wait(&world, third, "/set bell on"));
    client_say(world.harness, third, "/set bell on");
    ck_assert(last_note(world.harness->chat, NOTE_SETTINGS, &note));
    ck_assert_uint_eq(note.settings.bits, SETTINGS_STANDARD | SETTING_ASCII | SETTING_BELL);
    ck_assert_uint_eq(note.settings.n_ignored, 1);
    ck_assert_str_eq(note.settings.ignored[0].name.bytes, "absent");
    world_end(&world);
}
END_TEST

/* But not for ever. What is set by then is in force, and is added to what is kept when that is known. */
START_TEST(test_settings_unanswered)
{
    Memory memory;
    Client *again;
    World world;
    uint64_t n;
    Note note;

    scene_begin(&world, &memory);
    keep_settings(&world, &memory);
    n = n_notes(world.harness->chat, NOTE_SETTINGS);
    memory.state = RECALL_AWAITED;
    again = client_account(world.harness, "bea", 1000);
    harness_turn(world.harness);
    harness_wait(world.harness, 5 * USEC_PER_SEC - 1);
    harness_turn(world.harness);
    ck_assert(must_wait(&world, again, "/set color on"));
    harness_wait(world.harness, 1);
    harness_turn(world.harness);
    ck_assert(!must_wait(&world, again, "/set color on"));
    harness_take_all(world.harness);
    client_say(world.harness, again, "/set color on\n/ignore mallory\n/ignore");
    ck_assert_ptr_nonnull(strstr(client_take(again), "You ignore mallory.\n"));
    ck_assert_uint_eq(n_notes(world.harness->chat, NOTE_SETTINGS), n);
    memory.state = RECALL_ANSWERED;
    harness_turn(world.harness);
    ck_assert_uint_eq(n_notes(world.harness->chat, NOTE_SETTINGS), n + 1);
    ck_assert(last_note(world.harness->chat, NOTE_SETTINGS, &note));
    ck_assert_uint_eq(note.settings.bits, SETTINGS_STANDARD | SETTING_COLOR);
    ck_assert_uint_eq(note.settings.n_ignored, 2);
    client_say(world.harness, again, "/ignore");
    ck_assert_ptr_nonnull(strstr(client_take(again), "You ignore mallory, absent.\n"));
    /* The next process asks again, and finds nothing new. */
    memory.person.settings = note;
    harness_survive(world.harness);
    world.harness->chat->recall = recall;
    world.harness->chat->recall_userdata = &memory;
    harness_turn(world.harness);
    ck_assert_uint_eq(n_notes(world.harness->chat, NOTE_SETTINGS), n + 1);
    client_say(world.harness, again, "/ignore");
    ck_assert_ptr_nonnull(strstr(client_take(again), "You ignore mallory, absent.\n"));
    world_end(&world);
}
END_TEST

/* Nor for an archive in trouble. */
START_TEST(test_settings_trouble)
{
    Memory memory;
    Client *again;
    World world;
    uint64_t n;

    scene_begin(&world, &memory);
    keep_settings(&world, &memory);
    n = n_notes(world.harness->chat, NOTE_SETTINGS);
    memory.trouble = "The archive can not be read or written";
    again = client_account(world.harness, "bea", 1000);
    harness_turn(world.harness);
    harness_turn(world.harness);
    ck_assert(!must_wait(&world, again, "/ignore mallory"));
    client_say(world.harness, again, "/ignore mallory");
    ck_assert_uint_eq(n_notes(world.harness->chat, NOTE_SETTINGS), n);
    memory.trouble = NULL;
    harness_wait(world.harness, 10 * USEC_PER_SEC);
    harness_turn(world.harness);
    ck_assert_uint_eq(n_notes(world.harness->chat, NOTE_SETTINGS), n + 1);
    harness_take_all(world.harness);
    client_say(world.harness, again, "/set\n/ignore");
    ck_assert_str_eq(client_take(again), "-- time on, bell off, color off, joins on, mark ascii.\n"
                                         "-- You ignore mallory, absent.\n");
    world_end(&world);
}
END_TEST

/* The connection for which it was asked goes, or ends and does not read what it was sent: then it is asked
 * for another one of that person. */
START_TEST(test_first_goes)
{
    Client *one, *two;
    Memory memory;
    World world;

    for (int is_broken = 0; is_broken < 2; is_broken++) {
        scene_begin(&world, &memory);
        keep_settings(&world, &memory);
        add_mail(&memory, 77, "see you");
        memory.state = RECALL_AWAITED;
        one = client_account(world.harness, "bea", 1000);
        two = client_account(world.harness, "bea", 1000);
        wait_for_greeting(&world);
        ck_assert_uint_eq(world.harness->chat->n_expecting, 1);
        client_stop(one);
        if (is_broken)
            client_break(world.harness, one);
        else
            client_say(world.harness, one, "/quit");
        ck_assert_uint_eq(world.harness->chat->n_expecting, 1);
        ck_assert(must_wait(&world, two, "/set bell on"));
        memory.state = RECALL_ANSWERED;
        harness_turn(world.harness);
        harness_turn(world.harness);
        ck_assert_ptr_nonnull(strstr(client_take(two), "see you\n"));
        client_say(world.harness, two, "/ignore");
        ck_assert_ptr_nonnull(strstr(client_take(two), "You ignore absent.\n"));
        ck_assert_uint_eq(world.harness->chat->n_expecting, 0);
        world_end(&world);
    }
}
END_TEST

/* Of a person one connection is asked about, after a restart, too. */
START_TEST(test_restored_once)
{
    Memory memory;
    Client *third;
    World world;

    scene_begin(&world, &memory);
    third = world_bea_again(&world);
    harness_survive(world.harness);
    ck_assert_uint_eq(world.harness->chat->n_expecting, 3); /* root, dora and bea */
    world.harness->chat->recall = recall;
    world.harness->chat->recall_userdata = &memory;
    memory.n_asked = 0;
    harness_turn(world.harness);
    ck_assert_uint_eq(memory.n_asked, 3);
    ck_assert_uint_eq(world.harness->chat->n_expecting, 0);
    ck_assert_str_eq(client_take(third), "");
    world_end(&world);
}
END_TEST

UNIT_MAIN("mail", test_leave, test_trouble, test_deliver, test_deliver_later, test_settings,
          test_settings_late, test_settings_wait, test_settings_unanswered, test_settings_trouble,
          test_first_goes, test_restored_once, test_ignored, test_owner)
