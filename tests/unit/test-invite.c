/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Who is invited into a room, for how long, and how many may be. */

#include <stdio.h>
#include <string.h>

#include "chat/command.h"
#include "chat/keep.h"
#include "chat/room.h"
#include "chat/session.h"
#include "unit/keep-fixture.h"

/* A guest is invited by the connection: who has the name next is not, nor is it kept. */
START_TEST(test_invited_guest)
{
    World world;

    world_begin(&world);
    client_say(world.harness, world.fay, "/lock\n/invite alice");
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(world.alice), "-- fay" MARK_ " invites you: /join #garden\n");
    ck_assert_str_eq(ask(&world, world.mallory, "/join #garden"),
                     "!! #garden is locked: by invitation only. Ask fay for one.\n");
    client_say(world.harness, world.alice, "/nick alicia");
    ck_assert_str_eq(ask(&world, world.fay, "/invite"), "-- Invited into #garden: alicia.\n");
    client_say(world.harness, world.mallory, "/nick alice");
    harness_survive(world.harness);
    ck_assert_str_eq(ask(&world, world.mallory, "/join #garden"),
                     "!! #garden is locked: by invitation only. Ask fay for one.\n");
    ck_assert_str_eq(ask(&world, world.alice, "/join #garden"), "-- You are in #garden now, with 1 other.\n");
    client_say(world.harness, world.alice, "/quit");
    harness_turn(world.harness);
    ck_assert_str_eq(ask(&world, world.fay, "/invite"), "-- Nobody is invited into #garden.\n");
    client_say(world.harness, world.mallory, "/nick alicia");
    ck_assert_str_eq(ask(&world, world.fay, "/uninvite alicia"),
                     "!! Nobody like that is invited into #garden. /invite lists who is.\n");
    world_end(&world);
}
END_TEST

/* Those whom the host knows: "hang" is not known yet, "nobody" can not be known. */
static NameStanding look_up(void *userdata, const Name *name, uint32_t *ret_uid)
{
    (void) userdata;
    if (strcmp(name->bytes, "hang") == 0)
        return NAME_IS_AWAITED;
    if (strcmp(name->bytes, "unsure") == 0)
        return NAME_IS_UNSURE;
    *ret_uid = 4242;
    return strcmp(name->bytes, "absent") == 0 ? NAME_IS_RESERVED : NAME_IS_FREE;
}

START_TEST(test_invited_absent)
{
    World world;

    world_begin(&world);
    world.harness->chat->look_up = look_up;
    ck_assert(command_must_wait(world.harness->chat, world.fay->session, "/invite hang", 12));
    ck_assert(!command_must_wait(world.harness->chat, world.fay->session, "/invite absent", 14));
    ck_assert(!command_must_wait(world.harness->chat, world.fay->session, "/invite otto", 12));
    ck_assert(!command_must_wait(world.harness->chat, world.fay->session, "/invite", 7));
    ck_assert(!command_must_wait(world.harness->chat, world.otto->session, "/invite hang", 12));
    ck_assert_str_eq(ask(&world, world.fay, "/invite absent"), "-- absent is invited into #garden.\n");
    ck_assert_str_eq(ask(&world, world.fay, "/invite unsure"),
                     "!! Whose name unsure is can not be looked up now. Try again later.\n");
    ck_assert_str_eq(ask(&world, world.fay, "/invite free"),
                     "!! Nobody here is called free. /who lists who is.\n");
    client_say(world.harness, world.fay, "/lock");
    world.otto = client_account(world.harness, "absent", 4242);
    harness_turn(world.harness);
    ck_assert_str_eq(ask(&world, world.otto, "/join #garden"), "-- You are in #garden now, with 1 other.\n");
    client_say(world.harness, world.otto, "/quit");
    harness_turn(world.harness);
    ck_assert_str_eq(ask(&world, world.fay, "/uninvite ABSENT"),
                     "-- absent is not invited into #garden any more.\n");
    world_end(&world);
}
END_TEST

/* An account is called otherwise when another one with that name is there; the invitation is of the account.
 */
START_TEST(test_invited_namesake)
{
    Client *other, *next;
    World world;

    world_begin(&world);
    other = client_account(world.harness, "otto", 1003);
    harness_turn(world.harness);
    ck_assert_str_eq(ask(&world, world.fay, "/invite otto~2"), "-- otto~2 is invited into #garden.\n");
    client_say(world.harness, world.fay, "/lock");
    harness_survive(world.harness);
    client_say(world.harness, other, "/quit");
    harness_turn(world.harness);
    next = client_account(world.harness, "otto", 1004);
    harness_turn(world.harness);
    ck_assert_str_eq(ask(&world, next, "/whois otto~2"),
                     "-- otto~2" MARK_ " is in #lobby.\n-- Has an account of this host.\n"
                     "-- Came less than a minute ago, has said nothing yet.\n");
    ck_assert_str_eq(ask(&world, next, "/join #garden"),
                     "!! #garden is locked: by invitation only. Ask fay for one.\n");
    ck_assert_str_eq(ask(&world, world.fay, "/uninvite otto~2"),
                     "-- otto~2 is not invited into #garden any more.\n");
    ck_assert_str_eq(client_take(next), "");
    world_end(&world);
}
END_TEST

static Client *come_in(World *world, const char *login, uint32_t uid)
{
    Client *client = client_account(world->harness, login, uid);

    harness_turn(world->harness);
    return client;
}

/* Whoever is given the uid of an account that is no more is not invited with it. */
START_TEST(test_invited_uid)
{
    static const char REFUSAL[] = "!! #garden is locked: by invitation only. Ask fay for one.\n";
    Client *olga;
    World world;

    world_begin(&world);
    client_say(world.harness, world.fay, "/lock\n/invite otto");
    client_say(world.harness, world.otto, "/quit");
    harness_turn(world.harness);
    olga = come_in(&world, "olga", 1002);
    ck_assert_str_eq(ask(&world, olga, "/join #garden"), REFUSAL);
    ck_assert_str_eq(ask(&world, world.fay, "/uninvite olga"),
                     "!! Nobody like that is invited into #garden. /invite lists who is.\n");
    ck_assert_str_eq(ask(&world, world.fay, "/invite olga"), "-- olga is invited into #garden.\n");
    ck_assert_str_eq(ask(&world, world.fay, "/invite olga"), "!! olga is invited into #garden already.\n");
    ck_assert_str_eq(ask(&world, world.fay, "/invite"), "-- Invited into #garden: otto, olga.\n");
    harness_survive(world.harness);
    ck_assert_str_eq(ask(&world, olga, "/join #garden"), "-- You are in #garden now, with 1 other.\n");
    ck_assert_str_eq(ask(&world, world.fay, "/kick olga"), "-- olga is out of #garden.\n");
    ck_assert_str_eq(ask(&world, olga, "/join #garden"), REFUSAL);
    client_say(world.harness, olga, "/quit");
    harness_turn(world.harness);
    world.otto = come_in(&world, "OTTO", 1002);
    ck_assert_str_eq(ask(&world, world.otto, "/join #garden"), "-- You are in #garden now, with 1 other.\n");
    world_end(&world);
}
END_TEST

/* With a number or without, it is the same account. */
START_TEST(test_invited_with_number)
{
    Client *other;
    World world;

    world_begin(&world);
    other = come_in(&world, "otto", 1003);
    client_say(world.harness, world.fay, "/lock\n/invite otto\n/invite otto~2");
    client_say(world.harness, other, "/quit");
    client_say(world.harness, world.otto, "/quit");
    harness_turn(world.harness);
    other = come_in(&world, "otto", 1003);
    world.otto = come_in(&world, "otto", 1002);
    ck_assert_str_eq(ask(&world, other, "/join #garden"), "-- You are in #garden now, with 1 other.\n");
    ck_assert_str_eq(ask(&world, world.fay, "/invite otto"), "!! otto is invited into #garden already.\n");
    ck_assert_ptr_nonnull(
        strstr(ask(&world, world.fay, "/whois otto~2"), "-- otto~2" MARK_ " is in #lobby."));
    ck_assert_str_eq(ask(&world, world.otto, "/join #garden"), "-- You are in #garden now, with 2 others.\n");
    world_end(&world);
}
END_TEST

/* Who ignores somebody is not pestered with invitations either. */
START_TEST(test_ignored)
{
    World world;

    world_begin(&world);
    client_say(world.harness, world.alice, "/ignore fay");
    (void) client_take(world.alice);
    client_say(world.harness, world.fay, "/invite alice\n/uninvite alice");
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(world.alice), "");
    world_end(&world);
}
END_TEST

/* Limits */

static int invite_account(World *world, uint32_t room, uint32_t uid)
{
    InviteRecord invite = {.whom = PERSON_ADDRESS | uid, .room = room};
    int r;

    ck_assert_int_eq(name_parse("somebody", 8, NAME_MAX_CHARS, &invite.name), 0);
    chat_reserve(world->harness->chat, SLOT_NONE);
    r = keep_invite(world->harness->chat, world->fay->session, &invite);
    chat_commit(world->harness->chat);
    return r;
}

START_TEST(test_many_invited)
{
    World world;
    uint32_t garden;

    world_begin(&world);
    garden = room_named(&world, "garden");
    ck_assert_str_eq(ask(&world, world.fay, "/invite mallory"),
                     "-- mallory is invited into #garden, as long as they are connected.\n");
    for (uint32_t i = 1; i < LIMIT_INVITES_ROOM; i++)
        ck_assert_int_eq(invite_account(&world, garden, 5000 + i), 0);
    ck_assert_int_eq(invite_account(&world, garden, 5001), INVITE_THERE_ALREADY);
    ck_assert_str_eq(ask(&world, world.fay, "/invite alice"),
                     "!! As many are invited into #garden as may be: 200. /invite lists them, /uninvite NICK "
                     "ends one.\n");
    harness_survive(world.harness);
    ck_assert_int_eq(invite_account(&world, garden, 5000), INVITE_TOO_MANY_OF_ROOM);
    harness_check(world.harness);
    /* One that has ended makes room. */
    client_say(world.harness, world.mallory, "/quit");
    harness_turn(world.harness);
    ck_assert_int_eq(invite_account(&world, garden, 5000), 0);
    ck_assert_int_eq(invite_account(&world, garden, 4999), INVITE_TOO_MANY_OF_ROOM);
    ck_assert_ptr_null(strstr(ask(&world, world.fay, "/invite"), "more"));
    client_say(world.harness, world.fay, "/close");
    harness_turn(world.harness);
    ck_assert_uint_eq(slots_n_used(&world.harness->chat->invite_slots), 0);
    world_end(&world);
}
END_TEST

START_TEST(test_all_invited)
{
    enum { ROOMS = LIMIT_INVITES / LIMIT_INVITES_ROOM };
    World world;
    char name[16];

    world_begin_roomy(&world);
    for (unsigned i = 0; i < ROOMS; i++) {
        (void) snprintf(name, sizeof name, "r%u", i);
        client_say(world.harness, i < 15 ? world.fay : world.otto, "/join #%s", name);
        for (uint32_t j = 0; j < LIMIT_INVITES_ROOM; j++)
            ck_assert_int_eq(invite_account(&world, room_named(&world, name), 5000 + j), 0);
    }
    client_say(world.harness, world.fay, "/join #garden");
    ck_assert_int_eq(invite_account(&world, room_named(&world, "garden"), 1), INVITE_TOO_MANY);
    ck_assert_str_eq(ask(&world, world.fay, "/invite alice"),
                     "!! There are as many invitations as there may be: 5000.\n");
    harness_survive(world.harness);
    client_say(world.harness, world.otto, "/quit");
    harness_turn(world.harness);
    ck_assert_uint_eq(slots_n_used(&world.harness->chat->invite_slots), LIMIT_INVITES);
    client_say(world.harness, world.fay, "/close #r0");
    harness_turn(world.harness);
    ck_assert_str_eq(ask(&world, world.fay, "/invite alice"),
                     "-- alice is invited into #garden, as long as they are connected.\n");
    world_end(&world);
}
END_TEST

/* Who goes takes with them any number of rooms, and of guests invited into them. */
START_TEST(test_all_end_at_once)
{
    World world;
    char name[16];

    world_begin_roomy(&world);
    for (unsigned i = 1; i < LIMIT_ROOMS_FOUNDED; i++) {
        (void) snprintf(name, sizeof name, "r%u", i);
        client_say(world.harness, world.fay, "/join #%s", name);
        for (unsigned j = 0; j < LIMIT_INVITES_ROOM; j++) {
            /* As many guests as that there are not in this test. */
            InviteRecord invite = {.whom = session_record(world.harness->chat, world.alice->session)->serial,
                                   .room = room_named(&world, name),
                                   .session = world.alice->session};
            uint32_t place = slots_take(&world.harness->chat->invite_slots);

            *state_edit_invite(&world.harness->chat->state, place) = invite;
            invite_count(world.harness->chat, &invite);
            chat_commit(world.harness->chat);
        }
    }
    client_say(world.harness, world.fay, "/quit");
    harness_turn(world.harness);
    ck_assert_uint_eq(slots_n_used(&world.harness->chat->invite_slots), 0);
    ck_assert_uint_eq(chat_n_rooms(world.harness->chat), 1);
    world_end(&world);
}
END_TEST

/* Ends */

UNIT_MAIN("invite", test_invited_guest, test_invited_absent, test_invited_namesake, test_invited_uid,
          test_invited_with_number, test_ignored, test_many_invited, test_all_invited, test_all_end_at_once)
