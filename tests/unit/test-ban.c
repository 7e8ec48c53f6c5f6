/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* /ban, /mute and what ends them: whom they are about, what those are told, and what they can not do then. */

#include <stdio.h>
#include <string.h>

#include "chat/command.h"
#include "chat/rule.h"
#include "unit/operator-fixture.h"
#include "unit/unit.h"

static void root_says(World *world, const char *line, const char *answer)
{
    client_say(world->harness, world->root, "%s", line);
    ck_assert_str_eq(client_take(world->root), answer);
    harness_turn(world->harness);
    (void) client_take(world->root);
}

START_TEST(test_ban_a_guest)
{
    const RuleRecord *rule;
    World world;

    world_begin(&world);
    root_says(&world, "/ban mallory forging lines",
              "-- mallory (2001:db8:0:2::/64) is banned; that is number 1 of /bans.\n");
    ck_assert_str_eq(client_take(world.mallory), "!! You are banned: forging lines\n");
    ck_assert(world.mallory->is_gone && !world.alice->is_gone);
    ck_assert_str_eq(client_take(world.alice), "-- mallory has left\n");
    ck_assert_str_eq(world.act, LOG_ID_BANNED " root mallory (2001:db8:0:2::/64): forging lines");
    rule = rule_find(world.harness->chat, RULE_BAN, &world.mallory->peer);
    ck_assert(rule != NULL && rule->number == 1);
    ck_assert_ptr_null(rule_find(world.harness->chat, RULE_BAN, &world.alice->peer));
    root_says(&world, "/bans", "-- 1: mallory (2001:db8:0:2::/64) is banned, by root: forging lines\n");
    root_says(&world, "/unban MALLORY", "-- mallory (2001:db8:0:2::/64) is not banned any more.\n");
    ck_assert_str_eq(world.act, LOG_ID_UNBANNED " root mallory (2001:db8:0:2::/64): -");
    root_says(&world, "/bans", "-- Nobody is banned or muted.\n");
    root_says(&world, "/unban mallory", "!! Nobody like that is banned. /bans lists who is.\n");
    world_end(&world);
}
END_TEST

/* An account, with all its connections; also after a death in between, and while it is away. */
START_TEST(test_ban_an_account)
{
    Client *again;
    World world;

    world_begin(&world);
    again = world_bea_again(&world);
    client_say(world.harness, world.root, "/ban bea");
    ck_assert_str_eq(client_take(world.root), "-- bea (uid 1000) is banned; that is number 1 of /bans.\n");
    harness_survive(world.harness);
    harness_turn(world.harness);
    harness_turn(world.harness);
    ck_assert_str_eq(client_take(world.bea), "!! You are banned.\n");
    ck_assert_str_eq(client_take(again), "!! You are banned.\n");
    ck_assert(world.bea->is_gone && again->is_gone);
    ck_assert_str_eq(client_take(world.alice), "-- bea\xe2\x9c\x93 has left\n");
    harness_take_all(world.harness);
    root_says(&world, "/unban 1", "-- bea (uid 1000) is not banned any more.\n");
    world_end(&world);
}
END_TEST

START_TEST(test_ban_a_network)
{
    World world;

    world_begin(&world);
    root_says(
        &world, "/ban 2001:db8::/32 10min all of you",
        "-- 2001:db8::/32 is banned until 2026-11-22 12:13:04 UTC (+0000); that is number 1 of /bans.\n");
    ck_assert_str_eq(client_take(world.mallory),
                     "!! You are banned until 2026-11-22 12:13:04 UTC (+0000): all of you\n");
    ck_assert(world.mallory->is_gone && world.alice->is_gone && !world.bea->is_gone && !world.root->is_gone);
    ck_assert_ptr_nonnull(rule_find(world.harness->chat, RULE_BAN, &world.alice->peer));
    harness_wait(world.harness, 600 * USEC_PER_SEC);
    ck_assert_ptr_null(rule_find(world.harness->chat, RULE_BAN, &world.alice->peer));
    root_says(&world, "/bans", "-- Nobody is banned or muted.\n");
    root_says(&world, "/ban 192.0.2.0/24", "-- 192.0.2.0/24 is banned; that is number 2 of /bans.\n");
    root_says(&world, "/unban 192.0.2.77/24", "-- 192.0.2.0/24 is not banned any more.\n");
    world_end(&world);
}
END_TEST

/* Operators can not be banned or muted, neither by name nor by where they come from. */
START_TEST(test_operators)
{
    World world;

    world_begin(&world);
    root_says(&world, "/ban root", "!! root is an operator, too.\n");
    root_says(&world, "/mute root", "!! root is an operator, too.\n");
    root_says(&world, "/ban nobody", "!! Nobody here is called nobody. /who lists who is.\n");
    root_says(&world, "/ban no.name", "!! That is not a nick: it may have only letters, digits, - and _.\n");
    ck_assert_uint_eq(world.n_acts, 0);
    ck_assert(!world.root->is_gone);
    world_end(&world);
}
END_TEST

/* Digits and a unit are a time, words the reason, and what is neither bans nobody. */
START_TEST(test_times)
{
    static const struct {
        const char *words, *answer;
    } cases[] = {
        {"2h", " until 2026-11-22 14:03:04 UTC (+0000)"},
        {"1d spam", " until 2026-11-23 12:03:04 UTC (+0000)"},
        {"90s x", " until 2026-11-22 12:04:34 UTC (+0000)"},
        {"1h 30min", " until 2026-11-22 13:33:04 UTC (+0000)"},
        {"1h 2nd time", " until 2026-11-22 13:03:04 UTC (+0000)"},
        {"1us", " until 2026-11-22 12:03:04 UTC (+0000)"},
        {"100y", " until 2126-11-23 12:03:04 UTC (+0000)"},
        {"forever", ""},
        {"", ""},
        {"3 times warned", NULL},
        {"5", NULL},
        {"10minx", NULL},
        {"10 min", NULL},
        {"5min.", NULL},
        {"1e3s", NULL},
        {"0s", NULL},
        {"0.0000001s", NULL},
        {"99999999999999999999d", NULL},
        {"18446744073709551615us", NULL},
        {"400000y", NULL},
        {"140000y 140000y", NULL},
    };

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        char line[64], answer[200];
        World world;

        world_begin(&world);
        (void) snprintf(line, sizeof line, "/ban 192.0.2.1 %s", cases[i].words);
        if (cases[i].answer == NULL) {
            client_say(world.harness, world.root, "%s", line);
            ck_assert_int_eq(strncmp(client_take(world.root), "!! That is ", 11), 0);
            root_says(&world, "/bans", "-- Nobody is banned or muted.\n");
            world_end(&world);
            continue;
        }
        (void) snprintf(answer, sizeof answer, "-- 192.0.2.1 is banned%s; that is number 1 of /bans.\n",
                        cases[i].answer);
        root_says(&world, line, answer);
        world_end(&world);
    }
}
END_TEST

START_TEST(test_mute)
{
    static const char *const speech[] = {"hello",   "/me waves",       "/msg alice hi",   "/topic x",
                                         "//slash", "/nick You_fools", "/away you fools", "/invite alice"};
    World world;

    world_begin(&world);
    client_say(world.harness, world.mallory, "/msg alice before");
    client_say(world.harness, world.alice, "/msg mallory before");
    harness_take_all(world.harness);
    root_says(
        &world, "/mute mallory 10min noise",
        "-- mallory (2001:db8:0:2::/64) is muted until 2026-11-22 12:13:04 UTC (+0000); that is number 1 of "
        "/bans.\n");
    ck_assert_str_eq(client_take(world.mallory),
                     "!! You are muted until 2026-11-22 12:13:04 UTC (+0000): noise\n");
    for (size_t i = 0; i < N_ELEMENTS(speech); i++) {
        client_say(world.harness, world.mallory, "%s", speech[i]);
        ck_assert_str_eq(client_take(world.mallory),
                         "!! You are muted until 2026-11-22 12:13:04 UTC (+0000): noise\n");
    }
    client_say(world.harness, world.mallory, "/reply hi");
    ck_assert_str_eq(client_take(world.mallory),
                     "!! You are muted until 2026-11-22 12:13:04 UTC (+0000): noise\n");
    client_say(world.harness, world.mallory, "/topic");
    ck_assert_str_eq(client_take(world.mallory), "-- #lobby has no topic. /topic TEXT sets one.\n");
    ck_assert_str_eq(client_take(world.alice), "");
    client_say(world.harness, world.mallory, "/away");
    ck_assert_str_eq(client_take(world.mallory),
                     "-- You are away. Whoever writes to you is told; /away says that you are back.\n");
    client_say(world.harness, world.alice, "peace");
    ck_assert_str_eq(client_take(world.mallory), "[12:03] <alice> peace\n");
    harness_take_all(world.harness);
    root_says(&world, "/unmute mallory", "-- mallory (2001:db8:0:2::/64) is not muted any more.\n");
    ck_assert_str_eq(client_take(world.mallory), "-- You are not muted any more.\n");
    client_say(world.harness, world.mallory, "thanks");
    ck_assert_str_eq(client_take(world.alice), "[12:03] <mallory> thanks\n");
    world_end(&world);
}
END_TEST

START_TEST(test_mute_an_account)
{
    Client *again;
    World world;

    world_begin(&world);
    again = world_bea_again(&world);
    root_says(&world, "/mute bea", "-- bea (uid 1000) is muted; that is number 1 of /bans.\n");
    ck_assert_str_eq(client_take(world.bea), "!! You are muted.\n");
    ck_assert_str_eq(client_take(again), "!! You are muted.\n");
    harness_survive(world.harness);
    client_say(world.harness, again, "hello");
    ck_assert_str_eq(client_take(again), "!! You are muted.\n");
    root_says(&world, "/unban bea", "!! Nobody like that is banned. /bans lists who is.\n");
    root_says(&world, "/unmute bea", "-- bea (uid 1000) is not muted any more.\n");
    client_say(world.harness, again, "hello");
    ck_assert_str_eq(client_take(world.alice), "[12:03] <bea\xe2\x9c\x93> hello\n");
    world_end(&world);
}
END_TEST

/* Whom else it is about is told, too, and a word against the one is none for the other. */
START_TEST(test_of_one_place)
{
    Client *eve;
    World world;

    world_begin(&world);
    eve = client_named(world.harness, "eve");
    *(Peer *) (uintptr_t) &session_record(world.harness->chat, eve->session)->peer = world.mallory->peer;
    harness_take_all(world.harness);
    root_says(&world, "/mute mallory for ever",
              "-- mallory (2001:db8:0:2::/64) is muted; that is number 1 of /bans.\n");
    ck_assert_str_eq(client_take(eve), "!! You are muted: for ever\n");
    ck_assert_str_eq(client_take(world.mallory), "!! You are muted: for ever\n");
    ck_assert_str_eq(client_take(world.alice), "");
    root_says(
        &world, "/mute eve 1s",
        "!! mallory (2001:db8:0:2::/64) is muted, and eve comes from there, too: that is number 1 of /bans. "
        "End it first.\n");
    root_says(
        &world, "/mute mallory 1h",
        "-- mallory (2001:db8:0:2::/64) is muted until 2026-11-22 13:03:04 UTC (+0000); that is number 2 "
        "of /bans.\n");
    root_says(
        &world, "/mute 2001:db8:0:2::/64 2h",
        "-- 2001:db8:0:2::/64 is muted until 2026-11-22 14:03:04 UTC (+0000); that is number 3 of /bans.\n");
    world_end(&world);
}
END_TEST

static NameStanding look_up(void *userdata, const Name *name, uint32_t *ret_uid)
{
    (void) userdata;
    *ret_uid = 1000;
    return strcmp(name->bytes, "bea") == 0 ? NAME_IS_RESERVED : NAME_IS_FREE;
}

/* Whoever was made an operator is not banned, whether they are here or not, on whatever road they come. */
START_TEST(test_made_operators)
{
    static const Name bea = {3, "bea"}, eve = {3, "eve"};
    const Peer peer = {.is_local = true, .uid = 1000};
    World world;

    world_begin(&world);
    world.harness->chat->look_up = look_up;
    root_says(&world, "/ban bea", "-- bea (uid 1000) is banned; that is number 1 of /bans.\n");
    harness_turn(world.harness);
    ck_assert(world.bea->is_gone);
    ck_assert(!rule_is_operator(world.harness->chat, &peer, &bea));
    root_says(&world, "/op bea", "-- bea (uid 1000) is an operator; that is number 2 of /op.\n");
    ck_assert(rule_is_operator(world.harness->chat, &peer, &bea));
    ck_assert(!rule_is_operator(world.harness->chat, &peer, &eve));
    root_says(&world, "/mute bea", "!! bea is an operator, too.\n");
    root_says(&world, "/ban bea 1h", "!! bea is an operator, too.\n");
    root_says(&world, "/ban eve", "!! Nobody here is called eve. /who lists who is.\n");
    world.bea = client_account(world.harness, "bea", 1000);
    harness_turn(world.harness);
    world.harness->chat->has_new_bans = true;
    harness_turn(world.harness);
    ck_assert(!world.bea->is_gone);
    world_end(&world);
}
END_TEST

/* More than one answer can tell. */
START_TEST(test_long_list)
{
    const char *list;
    World world;

    world_begin(&world);
    for (unsigned i = 0; i < 400; i++)
        client_say(world.harness, world.root, "/ban 10.0.%u.0/24 because of the address %0100u", i, i);
    harness_take_all(world.harness);
    client_say(world.harness, world.root, "/bans");
    list = client_take(world.root);
    ck_assert_ptr_nonnull(strstr(list, "-- 1: 10.0.0.0/24 is banned, by root: because of"));
    ck_assert_ptr_nonnull(strstr(list, "\n-- and "));
    client_say(world.harness, world.root, "/ban 10.1.0.0/24 x%0200u", 1);
    ck_assert_str_eq(client_take(world.root), "!! A reason may have 200 bytes; yours has 201.\n");
    world_end(&world);
}
END_TEST

UNIT_MAIN("ban", test_ban_a_guest, test_ban_an_account, test_ban_a_network, test_operators, test_times,
          test_mute, test_mute_an_account, test_of_one_place, test_made_operators, test_long_list)
