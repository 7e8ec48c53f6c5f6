/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdio.h>
#include <string.h>

#include "chat/ignore.h"
#include "chat/session.h"
#include "unit/harness.h"
#include "unit/unit.h"

static Name name_of(const char *text)
{
    Name name;

    ck_assert_int_eq(name_parse(text, strlen(text), NAME_MAX_CHARS, &name), 0);
    return name;
}

static uint64_t hash_of(const char *text)
{
    NameKey key;

    name_fold(text, strlen(text), &key);
    return chat_name_hash(&key);
}

/* Whether somebody ignores what a guest said. */
static bool ignores(const Harness *harness, const Client *client, uint64_t serial, const char *name)
{
    Entry entry = {.from = serial, .from_hash = hash_of(name)};

    return ignore_has(harness->chat, client->session, &entry);
}

/* MaxIgnores=: so many and not one more, until one is taken off. */
static void check_max(uint32_t max)
{
    Harness *harness;
    Config config;
    Client *alice;
    char text[16];
    Name name;

    harness_config(&config);
    config.max_ignores = max;
    harness = harness_new(&config, 2);
    alice = client_named(harness, "alice");
    for (uint32_t i = 0; i < max; i++) {
        (void) snprintf(text, sizeof text, "bob%u", i);
        name = name_of(text);
        ck_assert(ignore_add(harness->chat, alice->session, &name, 1000 + i));
    }
    name = name_of("bob-more");
    ck_assert(!ignore_add(harness->chat, alice->session, &name, 1));
    ck_assert(!ignores(harness, alice, 1, "bob-more"));
    ck_assert_ptr_null(ignore_nth(harness->chat, alice->session, max));
    ck_assert_str_eq(ignore_nth(harness->chat, alice->session, max - 1)->name.bytes, text);
    name = name_of("BOB0");
    ck_assert(ignore_remove(harness->chat, alice->session, &name, 0));
    ck_assert(!ignore_remove(harness->chat, alice->session, &name, 0));
    ck_assert(ignore_add(harness->chat, alice->session, &name, 7));
    ck_assert(!ignore_add(harness->chat, alice->session, &name, 7));
    ck_assert_uint_eq(session_record(harness->chat, alice->session)->n_ignored, max);
    chat_commit(harness->chat);
    harness_free(harness);
}

START_TEST(test_max)
{
    check_max(1);
    check_max(32);
    check_max(LIMIT_IGNORES);
}
END_TEST

/* A limit that was lowered by a new configuration keeps what there is. */
START_TEST(test_lowered)
{
    Harness *harness = harness_new(NULL, 2);
    Client *alice = client_named(harness, "alice");
    Name bob = name_of("bob"), carol = name_of("carol");

    ck_assert(ignore_add(harness->chat, alice->session, &bob, 0));
    harness->config.max_ignores = 1;
    ck_assert(!ignore_add(harness->chat, alice->session, &carol, 0));
    ck_assert(ignores(harness, alice, 1, "bob"));
    /* One that was raised can not go beyond what there is room for. */
    harness->config.max_ignores = LIMIT_IGNORES;
    for (unsigned i = 1; i < 32; i++)
        ck_assert(ignore_add(harness->chat, alice->session, &carol, 0));
    ck_assert(!ignore_add(harness->chat, alice->session, &carol, 0));
    chat_commit(harness->chat);
    harness_free(harness);
}
END_TEST

/* By the name, whoever bears it, and by the connection, whatever its name. */
START_TEST(test_has)
{
    Harness *harness = harness_new(NULL, 3);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");
    Name name = name_of("bob"), nobody = name_of("nobody");

    ck_assert(ignore_add(harness->chat, alice->session, &name, 77));
    ck_assert(ignore_add(harness->chat, alice->session, &nobody, 0));
    ck_assert(!ignores(harness, alice, 78, "carol"));
    ck_assert(ignores(harness, alice, 78, "BOB"));
    ck_assert(ignores(harness, alice, 78, "Nobody"));
    ck_assert(ignores(harness, alice, 77, "carol"));
    ck_assert(!ignores(harness, bob, 77, "bob"));
    ck_assert(ignore_remove(harness->chat, alice->session, &name, 0));
    ck_assert(!ignores(harness, alice, 77, "bob"));
    ck_assert(ignores(harness, alice, 78, "nobody"));
    chat_commit(harness->chat);
    harness_free(harness);
}
END_TEST

START_TEST(test_heard)
{
    Harness *harness = harness_new(NULL, 3);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");

    client_say(harness, alice, "/ignore bob");
    ck_assert_str_eq(client_take(alice), "-- You ignore bob now. The same command again ends it.\n");
    client_say(harness, bob, "one");
    client_say(harness, bob, "/me waves");
    client_say(harness, bob, "/msg alice psst");
    ck_assert_str_eq(client_take(alice), "");
    /* A new name does not help; the old one is ignored, too. */
    client_say(harness, bob, "/nick robert");
    client_say(harness, bob, "two");
    ck_assert_str_eq(client_take(alice), "-- bob is now robert\n");
    client_say(harness, alice, "/ignore bob");
    client_say(harness, bob, "three");
    ck_assert_str_eq(client_take(alice), "-- You hear bob again.\n[12:03] <robert> three\n");
    harness_free(harness);
}
END_TEST

/* Somebody who was ignored under another name is heard again when that is what the answer says. */
START_TEST(test_renamed)
{
    Harness *harness = harness_new(NULL, 3);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");

    client_say(harness, alice, "/ignore bob");
    client_say(harness, bob, "/nick robert");
    (void) client_take(alice);
    /* However often it takes: once or twice. */
    client_say(harness, alice, "/ignore robert");
    if (strstr(client_take(alice), "You hear robert again.") == NULL) {
        client_say(harness, alice, "/ignore robert");
        ck_assert_str_eq(client_take(alice), "-- You hear robert again.\n");
    }
    client_say(harness, bob, "hello");
    ck_assert_str_eq(client_take(alice), "[12:03] <robert> hello\n");
    harness_free(harness);
}
END_TEST

/* What is replayed is heard like what is said. */
START_TEST(test_history)
{
    Harness *harness = harness_new(NULL, 3);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");

    client_say(harness, bob, "one");
    client_say(harness, alice, "two");
    client_say(harness, bob, "three");
    (void) client_take(alice);
    client_say(harness, alice, "/ignore bob");
    client_say(harness, alice, "/history");
    ck_assert_str_eq(client_take(alice),
                     "-- You ignore bob now. The same command again ends it.\n[12:03] <alice> two\n");
    client_say(harness, alice, "/ignore bob");
    client_say(harness, alice, "/history 2");
    ck_assert_str_eq(client_take(alice),
                     "-- You hear bob again.\n[12:03] <alice> two\n[12:03] <bob> three\n");
    harness_free(harness);
}
END_TEST

/* An impostor who had the name before its owner came is ignored, under any name, and the owner is not. */
START_TEST(test_impostor)
{
    Harness *harness = harness_new(NULL, 5);
    Client *alice = client_named(harness, "alice"), *guest = client_named(harness, "bob"), *bob;

    client_say(harness, alice, "/ignore bob");
    bob = client_account(harness, "bob", 1000);
    harness_turn(harness);
    harness_take_all(harness);
    client_say(harness, guest, "it is me");
    ck_assert_str_eq(client_take(alice), "");
    client_say(harness, bob, "hello");
    client_say(harness, bob, "/msg alice psst");
    ck_assert_str_eq(client_take(alice),
                     "[12:03] <bob" MARK "> hello\n[12:03] (private) <bob" MARK "> psst\n");
    /* The owner is ignored apart from that, from each connection. */
    client_say(harness, alice, "/ignore bob");
    ck_assert_str_eq(client_take(alice), "-- You ignore bob" MARK " now. The same command again ends it.\n");
    client_say(harness, alice, "/ignore");
    ck_assert_str_eq(client_take(alice), "-- You ignore bob, bob" MARK ".\n");
    bob = client_account(harness, "bob", 1000);
    harness_survive(harness);
    harness_turn(harness);
    client_say(harness, bob, "hello again");
    ck_assert_str_eq(client_take(alice), "");
    client_say(harness, alice, "/ignore bob");
    ck_assert_str_eq(client_take(alice), "-- You hear bob" MARK " again.\n");
    client_say(harness, bob, "do you?");
    client_say(harness, guest, "and me?");
    ck_assert_str_eq(client_take(alice), "[12:03] <bob" MARK "> do you?\n");
    harness_free(harness);
}
END_TEST

/* The owner was ignored, and a guest can have the name, where names are not looked up. Who ignores a name
 * that nobody bears, or did so in an older version, means both. */
START_TEST(test_kinds)
{
    Harness *harness = harness_new(NULL, 5);
    Client *alice = client_named(harness, "alice"), *bob = client_account(harness, "bob", 1000), *guest;

    harness_turn(harness);
    client_say(harness, alice, "/ignore bob");
    client_say(harness, alice, "/ignore carol");
    client_say(harness, bob, "/quit");
    harness_turn(harness);
    guest = client_named(harness, "bob");
    harness_take_all(harness);
    client_say(harness, guest, "hello");
    ck_assert_str_eq(client_take(alice), "[12:03] <bob> hello\n");
    client_say(harness, guest, "/nick carol");
    (void) client_take(alice);
    client_say(harness, guest, "hello");
    ck_assert_str_eq(client_take(alice), "");
    client_say(harness, client_account(harness, "carol", 1001), "hello");
    ck_assert_ptr_null(strstr(client_take(alice), "hello"));
    /* Nobody is called that: any of that name is meant. */
    client_say(harness, alice, "/ignore bob");
    ck_assert_str_eq(client_take(alice), "-- You hear bob again.\n");
    client_say(harness, alice, "/ignore");
    ck_assert_str_eq(client_take(alice), "-- You ignore carol.\n");
    harness_free(harness);
}
END_TEST

/* Somebody else from the same /64. */
static Client *neighbour(Harness *harness, const Client *client, const char *nick)
{
    Peer peer = client->peer;
    Client *next;

    peer.address[15]++;
    next = client_from(harness, &peer);
    harness_turn(harness);
    client_say(harness, next, "/nick %s", nick);
    harness_take_all(harness);
    return next;
}

/* All guests from the place of somebody who is here, or was; also after the process has died. */
START_TEST(test_address)
{
    Harness *harness = harness_new(NULL, 6);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");
    Client *carol = client_named(harness, "carol"), *bert = neighbour(harness, bob, "bert");

    client_say(harness, bob, "one");
    client_say(harness, alice, "/ignore bert address");
    ck_assert_str_eq(client_take(alice),
                     "[12:03] <bob> one\n-- You ignore all guests from the address of bert "
                     "now. The same command again ends it.\n");
    client_say(harness, bob, "two");
    client_say(harness, bert, "/me waves");
    client_say(harness, bob, "/msg alice psst");
    client_say(harness, carol, "hello");
    ck_assert_str_eq(client_take(alice), "[12:03] <carol> hello\n");
    ck_assert_ptr_nonnull(strstr(client_take(carol), "<bob> two\n"));
    client_say(harness, alice, "/history");
    ck_assert_str_eq(client_take(alice), "[12:03] <carol> hello\n");
    harness_survive(harness);
    harness_turn(harness);
    client_say(harness, neighbour(harness, bob, "bill"), "three");
    ck_assert_str_eq(client_take(alice), "");
    /* By the one who was there, who need not be there any more. */
    client_say(harness, bert, "/quit");
    harness_turn(harness);
    harness_take_all(harness);
    client_say(harness, alice, "/ignore\n/ignore bert address");
    ck_assert_str_eq(client_take(alice), "-- You ignore the address of bert.\n"
                                         "-- You hear guests from the address of bert again.\n");
    client_say(harness, bob, "four");
    ck_assert_str_eq(client_take(alice), "[12:03] <bob> four\n");
    harness_free(harness);
}
END_TEST

/* As it is written; by name and by address are two. */
START_TEST(test_address_written)
{
    Peer peer = {.address = {[10] = 0xff, 0xff, 192, 0, 2, 7}};
    Harness *harness = harness_new(NULL, 3);
    Client *alice = client_named(harness, "alice"), *bob = client_from(harness, &peer);

    harness_turn(harness);
    client_say(harness, bob, "/nick bob");
    harness_take_all(harness);
    client_say(harness, alice, "/ignore 192.0.2.7\n/ignore 2001:db8:1:2:3::4\n/ignore bob\n/ignore");
    ck_assert_str_eq(client_take(alice),
                     "-- You ignore all guests from 192.0.2.7 now. The same command again ends it.\n"
                     "-- You ignore all guests from 2001:db8:1:2::/64 now. The same command again ends it.\n"
                     "-- You ignore bob now. The same command again ends it.\n"
                     "-- You ignore 192.0.2.7, 2001:db8:1:2::/64, bob.\n");
    client_say(harness, alice, "/ignore bob");
    ck_assert_str_eq(
        client_take(alice),
        "-- You ignore bob no more by name, but by address. /ignore bob address ends that, too.\n");
    client_say(harness, bob, "one");
    ck_assert_str_eq(client_take(alice), "");
    client_say(harness, alice, "/ignore bob address");
    ck_assert_str_eq(client_take(alice), "-- You hear guests from the address of bob again.\n");
    client_say(harness, bob, "two");
    ck_assert_str_eq(client_take(alice), "[12:03] <bob> two\n");
    harness_survive(harness);
    client_say(harness, alice, "/ignore 2001:db8:1:2::/64\n/ignore");
    ck_assert_str_eq(client_take(alice), "-- You hear guests from 2001:db8:1:2::/64 again.\n"
                                         "-- You ignore nobody.\n");
    harness_free(harness);
}
END_TEST

/* What is refused, and that people with accounts are not meant, wherever they come from. */
START_TEST(test_address_refused)
{
    Peer peer = {.is_local = true, .uid = 1000};
    Harness *harness;
    Client *alice, *bob, *guest;
    Config config;

    harness_config(&config);
    config.max_ignores = 1;
    harness = harness_new(&config, 4);
    alice = client_named(harness, "alice");
    bob = client_account(harness, "bob", 1000);
    guest = client_from(harness, &peer);
    harness_turn(harness);
    client_say(harness, guest, "/nick carol");
    harness_take_all(harness);
    client_say(harness, alice,
               "/ignore bob address\n/ignore nobody address\n/ignore carol adress\n"
               "/ignore 192.0.2.0/31\n/ignore 2001:db8::/63\n/ignore a!b address");
    ck_assert_str_eq(
        client_take(alice),
        "!! bob has an account: /ignore bob is enough, wherever they come from.\n"
        "!! Nobody here is called nobody. /who lists who is.\n"
        "!! /ignore NICK is about one person, /ignore NICK address about all guests who come from "
        "where they do.\n"
        "!! One address can be ignored, and not a network: /ignore 192.0.2.7\n"
        "!! One address can be ignored, and not a network: /ignore 192.0.2.7\n"
        "!! That is not a nick: it may have only letters, digits, - and _.\n");
    client_say(harness, alice, "/ignore carol address\n/ignore ::1");
    ck_assert_str_eq(
        client_take(alice),
        "-- You ignore all guests from the address of carol now. The same command again ends it.\n"
        "!! You ignore as many as you may: 1. /ignore lists them, /ignore NICK ends one.\n");
    client_say(harness, guest, "one");
    client_say(harness, bob, "two");
    ck_assert_str_eq(client_take(alice), "[12:03] <bob" MARK "> two\n");
    harness_free(harness);
}
END_TEST

/* A place that is used again begins without any. */
START_TEST(test_next_in_place)
{
    Harness *harness = harness_new(NULL, 2);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob"), *carol;

    client_say(harness, alice, "/ignore bob");
    client_break(harness, alice);
    harness_turn(harness);
    carol = client_named(harness, "carol");
    ck_assert_uint_eq(carol->session, alice->session == SLOT_NONE ? carol->session : alice->session);
    client_say(harness, bob, "hello");
    ck_assert_str_eq(client_take(carol), "[12:03] <bob> hello\n");
    harness_free(harness);
}
END_TEST

/* What an archive can know is a name, and whether it was that of an account. */
START_TEST(test_names)
{
    static const RecallIgnored nothing[LIMIT_IGNORES];
    Harness *harness = harness_new(NULL, 6);
    Client *alice = client_named(harness, "alice"), *bob = client_named(harness, "bob");
    Name names[] = {name_of("BOB"), name_of("carol"), name_of("nobody"), name_of("dora")};
    RecallIgnored ignored[LIMIT_IGNORES] = {0};

    (void) client_account(harness, "carol", 1001);
    harness_turn(harness);
    ignore_list_names(harness->chat, alice->session, ignored);
    ck_assert_mem_eq(ignored, nothing, sizeof nothing);
    client_say(harness, alice, "/ignore bob address\n/ignore bob\n/ignore carol\n/ignore nobody");
    client_say(harness, bob, "/nick dora");
    ignore_list_names(harness->chat, alice->session, ignored);
    ck_assert_mem_eq(ignored + 3, nothing, sizeof nothing - 3 * sizeof *nothing);
    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        for (int is_verified = 0; is_verified < 2; is_verified++) {
            ck_assert(!ignore_names_have(nothing, &names[i], is_verified));
            ck_assert_int_eq(ignore_names_have(ignored, &names[i], is_verified),
                             ignore_has_name(harness->chat, alice->session, &names[i], is_verified));
        }
    ck_assert(ignore_names_have(ignored, &names[0], false) && !ignore_names_have(ignored, &names[0], true));
    ck_assert(!ignore_names_have(ignored, &names[1], false) && ignore_names_have(ignored, &names[1], true));
    ck_assert(ignore_names_have(ignored, &names[2], false) && ignore_names_have(ignored, &names[2], true));
    harness_free(harness);
}
END_TEST

/* An archive in which nothing was found in time. */
static RecallState recall(void *userdata, const Recall *question, Recalled *ret_recalled)
{
    *(Recall *) userdata = *question;
    if (ret_recalled != NULL)
        *ret_recalled = (Recalled){.is_partly = true};
    return RECALL_ANSWERED;
}

/* Who asks it for lines leaves out those of whom they ignore. */
START_TEST(test_asked)
{
    static const char *const LINES[] = {"/history today", "/history 200", "/search tea"};
    Harness *harness = harness_new(NULL, 2);
    Client *alice = client_named(harness, "alice");
    Recall asked;

    harness->chat->recall = recall;
    harness->chat->recall_userdata = &asked;
    client_say(harness, alice, "/ignore bob");
    for (size_t i = 0; i < N_ELEMENTS(LINES); i++) {
        (void) client_take(alice);
        client_say(harness, alice, "%s", LINES[i]);
        ck_assert_uint_eq(asked.ignored[0].hash, hash_of("bob"));
        ck_assert_uint_eq(asked.ignored[0].kinds, 0);
        ck_assert_uint_eq(asked.ignored[1].hash, 0);
        ck_assert_int_eq(strstr(client_take(alice), ", as far as could be looked in a short time.\n") != NULL,
                         i != 1);
    }
    client_say(harness, alice, "/seen bob");
    ck_assert_uint_eq(asked.ignored[0].hash, 0);
    harness_free(harness);
}
END_TEST

/* Against a list of names. */
START_TEST(test_random)
{
    enum { NAMES = 50 };
    Harness *harness = harness_new(NULL, 2);
    Client *alice = client_named(harness, "alice");
    bool is_ignored[NAMES] = {false};
    uint64_t seed = 9;
    unsigned n = 0;
    char text[16];

    for (unsigned i = 0; i < 5000; i++) {
        uint32_t which = random_below(&seed, NAMES);
        Name name;

        (void) snprintf(text, sizeof text, "n%u", which);
        name = name_of(text);
        ck_assert_int_eq(ignores(harness, alice, 100 + which, text), is_ignored[which]);
        if (is_ignored[which]) {
            ck_assert(ignore_remove(harness->chat, alice->session, &name, 0));
            is_ignored[which] = false;
            n--;
        } else {
            ck_assert_int_eq(ignore_add(harness->chat, alice->session, &name, 100 + which), n < 32);
            is_ignored[which] = n < 32;
            n += n < 32;
        }
        chat_commit(harness->chat);
        ck_assert_uint_eq(session_record(harness->chat, alice->session)->n_ignored, n);
        ck_assert(n == 0 || ignore_nth(harness->chat, alice->session, n - 1) != NULL);
        ck_assert_ptr_null(ignore_nth(harness->chat, alice->session, n));
    }
    harness_free(harness);
}
END_TEST

UNIT_MAIN("ignore", test_max, test_lowered, test_has, test_heard, test_renamed, test_history, test_impostor,
          test_kinds, test_address, test_address_written, test_address_refused, test_next_in_place,
          test_names, test_asked, test_random)
