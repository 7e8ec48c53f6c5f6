/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Bans and mutes that an archive has kept, for a state that knows none. */

#include <stdio.h>
#include <string.h>

#include "chat/note.h"
#include "chat/recall.h"
#include "chat/rule.h"
#include "unit/harness.h"
#include "unit/unit.h"

/* The next process takes the state as it is. */
static void rules_end(Harness *harness)
{
    harness_check(harness);
    harness_survive(harness);
    harness_free(harness);
}

static NoteRule rule_of(uint64_t number)
{
    NoteRule rule = {.number = number,
                     .kind = RULE_BAN,
                     .subject = {.is_uid = true, .uid = (uint32_t) number},
                     .by = {4, "root"},
                     .whom = {3, "eve"},
                     .reason_n = 4,
                     .reason = "spam"};

    return rule;
}

/* Whether it becomes a rule of the state, which the next process takes. */
static bool is_taken(const NoteRule *rule)
{
    Recalled recalled = {.bytes = (const char *) rule, .n = sizeof *rule};
    bool is_taken;
    Client *root;
    Harness *harness;

    harness = harness_new(NULL, 20);
    ck_assert(recall_rules(harness->chat, &recalled));
    is_taken = rule_next(harness->chat, NULL) != NULL;
    /* Numbers go on behind it. */
    root = client_account(harness, "root", 0);
    harness_turn(harness);
    client_say(harness, root, "/ban 192.0.2.1");
    ck_assert_ptr_nonnull(strstr(client_take(root), "192.0.2.1 is banned"));
    rules_end(harness);
    return is_taken;
}

START_TEST(test_rules)
{
    NoteRule rules[3] = {rule_of(7), rule_of(9), rule_of(12)};
    Recalled recalled = {.bytes = (const char *) rules, .n = sizeof rules};
    const RuleRecord *rule;
    Harness *harness;
    Client *root;

    harness = harness_new(NULL, 20);
    rules[1].kind = RULE_MUTE;
    rules[1].subject = (RuleSubject){.n_bits = 128};
    rules[1].until = HARNESS_WALL + 1;
    ck_assert(recall_rules(harness->chat, &recalled));
    ck_assert(recall_rules(harness->chat, &recalled)); /* once more is no harm */
    rule = rule_numbered(harness->chat, 9);
    ck_assert(rule != NULL && rule->kind == RULE_MUTE && rule->until == HARNESS_WALL + 1);
    ck_assert_str_eq(rule->reason, "spam");
    harness_survive(harness);
    root = client_account(harness, "root", 0);
    harness_turn(harness);
    (void) client_take(root);
    client_say(harness, root, "/ban 192.0.2.1");
    ck_assert_str_eq(client_take(root), "-- 192.0.2.1 is banned; that is number 13 of /bans.\n");
    client_say(harness, root, "/bans");
    ck_assert_str_eq(client_take(root), "-- 7: eve (uid 7) is banned, by root: spam\n"
                                        "-- 9: eve (::) is muted until 2026-11-22 12:03:04 UTC (+0000), by "
                                        "root: spam\n"
                                        "-- 12: eve (uid 12) is banned, by root: spam\n"
                                        "-- 13: 192.0.2.1 is banned, by root\n");
    rules_end(harness);
}
END_TEST

/* As many as there may be, in whatever time that takes, and none beyond. */
START_TEST(test_many_rules)
{
    static NoteRule rules[LIMIT_RULES + 1];
    Recalled recalled = {.bytes = (const char *) rules, .n = sizeof rules};
    unsigned n = 0, n_turns = 0;
    Harness *harness;

    harness = harness_new(NULL, 20);
    for (unsigned i = 0; i < N_ELEMENTS(rules); i++)
        rules[i] = rule_of(i + 1);
    while (!recall_rules(harness->chat, &recalled)) {
        harness_turn(harness);
        ck_assert_uint_lt(n_turns++, LIMIT_RULES);
    }
    for (const RuleRecord *rule = NULL; (rule = rule_next(harness->chat, rule)) != NULL;)
        n++;
    ck_assert_uint_eq(n, LIMIT_RULES);
    rules_end(harness);
}
END_TEST

/* A file may have been tampered with: what the next process would refuse does not come in. */
START_TEST(test_rules_tampered)
{
    NoteRule rule = rule_of(1);

    ck_assert(is_taken(&rule));
    rule = rule_of(UINT64_C(1) << 48);
    ck_assert(is_taken(&rule));
    rule = rule_of((UINT64_C(1) << 48) + 1);
    ck_assert(!is_taken(&rule));
    rule = rule_of((UINT64_C(1) << 62) - 1);
    ck_assert(!is_taken(&rule));
    rule = rule_of(0);
    ck_assert(!is_taken(&rule));
    rule = rule_of(1);
    rule.kind = 77;
    ck_assert(!is_taken(&rule));
    rule = rule_of(1);
    memset(&rule.subject.is_uid, 2, 1);
    ck_assert(!is_taken(&rule));
    rule = rule_of(1);
    rule.subject.n_bits = 129;
    ck_assert(!is_taken(&rule));
    rule = rule_of(1);
    rule.whom = (Name){3, "a\033b"};
    ck_assert(!is_taken(&rule));
    rule = rule_of(1);
    rule.whom = (Name){0};
    ck_assert(is_taken(&rule));
}
END_TEST

/* Words that are not fit to be seen are left out, and the rule is in force. */
START_TEST(test_words_tampered)
{
    NoteRule rule = rule_of(1);

    rule.by = (Name){3, "\xff\xfe!"};
    ck_assert(is_taken(&rule));
    rule = rule_of(1);
    rule.by = (Name){0};
    ck_assert(is_taken(&rule));
    rule = rule_of(1);
    (void) memcpy(rule.reason, "\033[2J", 4);
    ck_assert(is_taken(&rule));
    /* Cut in the middle of a character. */
    rule = rule_of(1);
    memset(rule.reason, 'x', sizeof rule.reason);
    rule.reason[LIMIT_REASON_BYTES - 1] = '\xc3';
    rule.reason_n = LIMIT_REASON_BYTES;
    ck_assert(is_taken(&rule));
    rule = rule_of(1);
    rule.reason_n = LIMIT_REASON_BYTES + 1;
    ck_assert(is_taken(&rule));
}
END_TEST

UNIT_MAIN("recall-rules", test_rules, test_many_rules, test_rules_tampered, test_words_tampered)
