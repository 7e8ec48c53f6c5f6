/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Rules: whom they are about, how long they hold, and how many there may be. */

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "chat/rule.h"
#include "unit/harness.h"
#include "unit/unit.h"

static Peer peer_at(const char *text)
{
    Peer peer = {.port = 4711};

    if (strchr(text, ':') != NULL) {
        ck_assert_int_eq(inet_pton(AF_INET6, text, peer.address), 1);
    } else {
        peer.address[10] = peer.address[11] = 0xff;
        ck_assert_int_eq(inet_pton(AF_INET, text, peer.address + 12), 1);
    }
    return peer;
}

START_TEST(test_networks)
{
    static const struct {
        const char *text, *shown; /* NULL: none */
    } cases[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"192.0.2.1/32", "192.0.2.1"},
        {"192.0.2.255/24", "192.0.2.0/24"},
        {"192.0.2.255/25", "192.0.2.128/25"},
        {"192.0.2.255/0", "0.0.0.0/0"},
        {"2001:db8::1", "2001:db8::1"},
        {"2001:db8:1:2:3::/64", "2001:db8:1:2::/64"},
        {"2001:DB8::/32", "2001:db8::/32"},
        {"2001:db8:8000::/33", "2001:db8:8000::/33"},
        {"::/0", "::/0"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::ffff:192.0.2.1/120", "192.0.2.0/24"},
        {"192.0.2.1/33", NULL},
        {"2001:db8::/129", NULL},
        {"192.0.2", NULL},
        {"192.0.2.1/", NULL},
        {"192.0.2.1/x", NULL},
        {"192.0.2.1/-1", NULL},
        {"/24", NULL},
        {"alice", NULL},
        {"", NULL},
        {"1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111/64", NULL},
    };

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        char text[RULE_SUBJECT_TEXT];
        RuleSubject subject;
        bool is_one = rule_parse_network(cases[i].text, &subject);

        ck_assert_msg(is_one == (cases[i].shown != NULL), "%s", cases[i].text);
        if (!is_one)
            continue;
        rule_format_subject(&subject, text);
        ck_assert_str_eq(text, cases[i].shown);
    }
}
END_TEST

START_TEST(test_matches)
{
    static const struct {
        const char *network, *yes, *no;
    } cases[] = {
        {"192.0.2.0/24", "192.0.2.255", "192.0.3.0"},
        {"192.0.2.0/25", "192.0.2.127", "192.0.2.128"},
        {"192.0.2.1", "192.0.2.1", "192.0.2.2"},
        {"0.0.0.0/0", "203.0.113.7", "2001:db8::1"},
        {"2001:db8::/32", "2001:db8:ffff::", "2001:db9::"},
        {"2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::"},
        {"::/0", "192.0.2.1", NULL},
    };
    const Peer local = {.is_local = true, .uid = 1000}, other = {.is_local = true, .uid = 1001};
    RuleSubject subject;
    Peer peer;

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        ck_assert(rule_parse_network(cases[i].network, &subject));
        peer = peer_at(cases[i].yes);
        ck_assert_msg(rule_matches(&subject, &peer), "%s", cases[i].network);
        ck_assert(!rule_matches(&subject, &local));
        if (cases[i].no == NULL)
            continue;
        peer = peer_at(cases[i].no);
        ck_assert_msg(!rule_matches(&subject, &peer), "%s", cases[i].network);
    }
    subject = rule_subject(&local);
    ck_assert(rule_matches(&subject, &local) && !rule_matches(&subject, &other) &&
              !rule_matches(&subject, &peer));
    peer = peer_at("2001:db8:1:2:3:4:5:6");
    subject = rule_subject(&peer);
    peer = peer_at("2001:db8:1:2:ffff::");
    ck_assert(rule_matches(&subject, &peer));
    peer = peer_at("2001:db8:1:3::");
    ck_assert(!rule_matches(&subject, &peer));
    peer = peer_at("192.0.2.1");
    subject = rule_subject(&peer);
    ck_assert(rule_matches(&subject, &peer));
    peer = peer_at("192.0.2.2");
    ck_assert(!rule_matches(&subject, &peer));
}
END_TEST

static RuleRecord make(RuleKind kind, uint32_t uid, uint64_t until)
{
    RuleRecord rule = {.kind = (uint8_t) kind, .until = until, .subject = {.is_uid = true, .uid = uid}};

    ck_assert_int_eq(name_parse("dora", 4, NAME_MAX_CHARS, &rule.by), 0);
    return rule;
}

static int add(Harness *harness, RuleKind kind, uint32_t uid, uint64_t until)
{
    RuleRecord rule = make(kind, uid, until);
    uint64_t number;
    int r;

    chat_reserve(harness->chat, SLOT_NONE);
    r = rule_add(harness->chat, &rule, &number);
    chat_commit(harness->chat);
    if (chat_turn_is_full(harness->chat))
        harness_turn(harness);
    return r;
}

static bool has(const Harness *harness, RuleKind kind, uint32_t uid)
{
    const Peer peer = {.is_local = true, .uid = uid};

    return rule_find(harness->chat, kind, &peer) != NULL;
}

START_TEST(test_time)
{
    Harness *harness = harness_new(NULL, 4);
    uint64_t wall = harness->chat->wall;

    ck_assert_int_eq(add(harness, RULE_BAN, 1000, wall + USEC_PER_SEC), 0);
    ck_assert_int_eq(add(harness, RULE_MUTE, 1001, 0), 0);
    ck_assert(has(harness, RULE_BAN, 1000) && !has(harness, RULE_MUTE, 1000));
    ck_assert(has(harness, RULE_MUTE, 1001) && !has(harness, RULE_BAN, 1001));
    harness_wait(harness, USEC_PER_SEC - 1);
    ck_assert(has(harness, RULE_BAN, 1000));
    harness_survive(harness);
    ck_assert(has(harness, RULE_BAN, 1000) && has(harness, RULE_MUTE, 1001));
    harness_wait(harness, 1);
    ck_assert(!has(harness, RULE_BAN, 1000) && has(harness, RULE_MUTE, 1001));
    ck_assert_ptr_null(rule_numbered(harness->chat, 1));
    ck_assert_uint_eq(rule_numbered(harness->chat, 2)->subject.uid, 1001);
    harness_free(harness);
}
END_TEST

/* A new one about the same takes the place of the old one, and has a new number. */
START_TEST(test_again)
{
    Harness *harness = harness_new(NULL, 4);

    ck_assert_int_eq(add(harness, RULE_BAN, 1000, harness->chat->wall + 1), 0);
    ck_assert_int_eq(add(harness, RULE_MUTE, 1000, 0), 0);
    ck_assert_int_eq(add(harness, RULE_BAN, 1000, 0), 0);
    ck_assert_ptr_null(rule_numbered(harness->chat, 1));
    ck_assert_uint_eq(rule_numbered(harness->chat, 3)->until, 0);
    ck_assert_uint_eq(slots_n_used(&harness->chat->rule_slots), 2);
    rule_remove(harness->chat, rule_numbered(harness->chat, 3));
    chat_commit(harness->chat);
    ck_assert(!has(harness, RULE_BAN, 1000) && has(harness, RULE_MUTE, 1000));
    harness_free(harness);
}
END_TEST

START_TEST(test_many)
{
    Harness *harness = harness_new(NULL, 4);
    const RuleRecord *rule = NULL;
    unsigned n = 0;

    for (uint32_t i = 0; i < LIMIT_RULES; i++)
        ck_assert_int_eq(add(harness, RULE_BAN, i, i == 7 ? harness->chat->wall + 1 : 0), 0);
    ck_assert_int_eq(add(harness, RULE_BAN, LIMIT_RULES, 0), RULE_TOO_MANY);
    ck_assert_int_eq(add(harness, RULE_BAN, 5, 0), 0); /* in place of itself */
    while ((rule = rule_next(harness->chat, rule)) != NULL)
        n++;
    ck_assert_uint_eq(n, LIMIT_RULES);
    harness_survive(harness);
    ck_assert_int_eq(add(harness, RULE_BAN, LIMIT_RULES, 0), RULE_TOO_MANY);
    /* One that has ended makes room. */
    harness_wait(harness, 1);
    ck_assert_int_eq(add(harness, RULE_BAN, LIMIT_RULES, 0), 0);
    ck_assert_int_eq(add(harness, RULE_BAN, LIMIT_RULES + 1, 0), RULE_TOO_MANY);
    ck_assert(has(harness, RULE_BAN, LIMIT_RULES) && !has(harness, RULE_BAN, 7));
    harness_free(harness);
}
END_TEST

UNIT_MAIN("rule", test_networks, test_matches, test_time, test_again, test_many)
