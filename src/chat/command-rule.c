/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Commands of operators about who may not come, or not speak, and who is one, too. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "chat/command.h"
#include "chat/person.h"
#include "chat/rule.h"
#include "chat/session.h"

enum {
    ANSWER_REST = 512,
    WHOM_TEXT = NAME_MAX_BYTES + RULE_SUBJECT_TEXT + 8,
};

/* What a word of an operator may mean: addresses, or a name. */
typedef struct Target {
    bool is_network;
    RuleSubject network;
    Name nick; /* empty: the word is no name either */
} Target;

/* What the kinds of rules are called, which command lists them, and what the journal is told. */
static const struct {
    const char *done, *undone, *list, *id, *undone_id, *did, *undid;
} KINDS[] = {
    [RULE_BAN] = {"banned", "not banned any more", "/bans", LOG_ID_BANNED, LOG_ID_UNBANNED, "banned",
                  "ended what was said against"},
    [RULE_MUTE] = {"muted", "not muted any more", "/bans", LOG_ID_MUTED, LOG_ID_UNMUTED, "muted",
                   "ended what was said against"},
    [RULE_OPERATOR] = {"an operator", "not an operator any more", "/op", LOG_ID_OP, LOG_ID_DEOP,
                       "made an operator of", "ended that an operator is"},
};

static Target read_target(Arguments word)
{
    char text[WORD_MAX];
    Target target = {0};

    target.is_network = rule_parse_network(command_word(word, text), &target.network);
    if (!target.is_network)
        (void) command_parse_nick(word, &target.nick);
    return target;
}

/* Somebody by name who is not here: their uid has to be known. */
static bool is_absent(const Chat *chat, const Target *target)
{
    return target->nick.n > 0 && session_find(chat, &target->nick) == SLOT_NONE;
}

bool command_rule_must_wait(Chat *chat, uint32_t session, Arguments arguments)
{
    Target target = read_target(arguments_next(&arguments));
    uint32_t uid;

    return person_is_operator(chat, session) && is_absent(chat, &target) &&
           chat_look_up(chat, &target.nick, &uid) == NAME_IS_AWAITED;
}

/* Whom the word means: somebody who is here, an account, or a network. False: nobody, and the operator was
 * told. */
static bool find_subject(Chat *chat, uint32_t session, Arguments word, RuleRecord *rule)
{
    Target target = read_target(word);
    uint32_t who;

    rule->whom = target.nick;
    rule->subject = target.is_network ? target.network : (RuleSubject){.is_uid = true};
    if (target.is_network || (is_absent(chat, &target) &&
                              chat_look_up(chat, &target.nick, &rule->subject.uid) == NAME_IS_RESERVED))
        return true;
    who = command_find_person(chat, session, word);
    if (who == SLOT_NONE)
        return false;
    if (person_is_operator(chat, who)) {
        chat_error(chat, session, "%s is an operator, too.", session_record(chat, who)->nick.bytes);
        return false;
    }
    rule->whom = session_record(chat, who)->nick;
    rule->subject = rule_subject(&session_record(chat, who)->peer);
    return true;
}

/* "10min", "2h", "1d": digits and a unit, else it is a word of the reason. False: it is too long a time. */
static bool take_time(Chat *chat, uint32_t session, Arguments *arguments, uint64_t *ret_until)
{
    Arguments rest = *arguments, word = arguments_next(&rest);
    char text[WORD_MAX];
    uint64_t span;

    *ret_until = 0;
    if (word.n < 2 || word.text[0] < '0' || word.text[0] > '9' ||
        (word.text[word.n - 1] >= '0' && word.text[word.n - 1] <= '9') ||
        parse_span(command_word(word, text), &span) != 0)
        return true;
    if (span > UINT64_MAX / 4) {
        chat_error(chat, session, "That is too long a time; without one it is for ever.");
        return false;
    }
    *ret_until = chat->wall + span;
    *arguments = rest;
    return true;
}

static void describe(const RuleRecord *rule, char to[WHOM_TEXT])
{
    char subject[RULE_SUBJECT_TEXT];

    rule_format_subject(&rule->subject, subject);
    if (rule->whom.n > 0)
        (void) snprintf(to, WHOM_TEXT, "%s (%s)", rule->whom.bytes, subject);
    else
        (void) snprintf(to, WHOM_TEXT, "%s", subject);
}

/* All sessions of whoever it is about by name: what they are now. */
static void tell_whom(Chat *chat, const RuleRecord *rule, const char *what)
{
    uint32_t who = rule->whom.n > 0 ? session_find(chat, &rule->whom) : SLOT_NONE, each = who;
    char text[RULE_TEXT_MAX];

    if (who == SLOT_NONE)
        return;
    rule_format(rule, what, text);
    do
        chat_tell(chat, each, rule->kind == RULE_OPERATOR ? ENTRY_REPLY : ENTRY_ERROR, SLOT_NONE, text,
                  strlen(text));
    while ((each = person_next(chat, each)) != who);
}

/* Guests are nobody that could be an operator, and networks are not, either. */
static bool may_be_operator(Chat *chat, uint32_t session, const RuleRecord *rule)
{
    uint32_t who = rule->whom.n > 0 ? session_find(chat, &rule->whom) : SLOT_NONE;
    bool has_account = rule->subject.is_uid && (who == SLOT_NONE || person_is_verified(chat, who));

    if (!has_account)
        chat_error(chat, session, "Only who has an account of this host can be an operator.");
    return has_account;
}

static int make_rule(Chat *chat, uint32_t session, Arguments arguments, RuleKind kind)
{
    RuleRecord rule = {.kind = (uint8_t) kind, .by = session_record(chat, session)->nick};
    char whom[WHOM_TEXT], until[RULE_UNTIL_TEXT];
    Reason reason;

    if (!find_subject(chat, session, arguments_next(&arguments), &rule) ||
        !take_time(chat, session, &arguments, &rule.until) ||
        !command_take_reason(chat, session, arguments, &reason) ||
        (kind == RULE_OPERATOR && !may_be_operator(chat, session, &rule)))
        return 0;
    rule.reason_n = (uint16_t) arguments.n;
    memcpy(rule.reason, reason.text, arguments.n);
    if (rule_add(chat, &rule, &rule.number) == RULE_TOO_MANY) {
        chat_error(chat, session,
                   "There are as many bans as there may be: %d. /bans lists them, /unban N ends one.",
                   LIMIT_RULES);
        return 0;
    }
    describe(&rule, whom);
    rule_format_until(&rule, until);
    chat_reply(chat, session, "%s is %s%s; that is number %" PRIu64 " of %s.", whom, KINDS[kind].done, until,
               rule.number, KINDS[kind].list);
    if (kind == RULE_BAN)
        chat->has_new_bans = true;
    else
        tell_whom(chat, &rule, KINDS[kind].done);
    command_log_act(chat, session, KINDS[kind].id, KINDS[kind].did, whom, reason.text);
    return 0;
}

static bool is_meant(const RuleRecord *rule, const Target *target)
{
    return target->is_network ? rule_is_same(&rule->subject, &target->network)
                              : name_is_same(&rule->whom, &target->nick);
}

/* By its number in /bans, or whom it is about. */
static const RuleRecord *find_rule(Chat *chat, uint32_t session, Arguments word, RuleKind kind)
{
    Target target = read_target(word);
    const RuleRecord *rule = NULL;
    char text[WORD_MAX];
    uint64_t number;

    if (parse_number(command_word(word, text), &number) == 0)
        rule = rule_numbered(chat, number);
    else
        while ((rule = rule_next(chat, rule)) != NULL && (rule->kind != kind || !is_meant(rule, &target)))
            continue;
    if (rule == NULL || rule->kind != kind) {
        chat_error(chat, session, "Nobody like that is %s. %s lists who is.", KINDS[kind].done,
                   KINDS[kind].list);
        return NULL;
    }
    return rule;
}

static int end_rule(Chat *chat, uint32_t session, Arguments arguments, RuleKind kind)
{
    const RuleRecord *rule = find_rule(chat, session, arguments, kind);
    char whom[WHOM_TEXT];
    RuleRecord old;

    if (rule == NULL)
        return 0;
    describe(rule, whom);
    old = *rule;
    rule_remove(chat, rule);
    if (kind == RULE_OPERATOR) {
        old.until = old.reason_n = 0;
        tell_whom(chat, &old, KINDS[kind].undone);
    }
    chat_reply(chat, session, "%s is %s.", whom, KINDS[kind].undone);
    command_log_act(chat, session, KINDS[kind].undone_id, KINDS[kind].undid, whom, "");
    return 0;
}

int command_ban(Chat *chat, uint32_t session, Arguments arguments)
{
    return make_rule(chat, session, arguments, RULE_BAN);
}

int command_unban(Chat *chat, uint32_t session, Arguments arguments)
{
    return end_rule(chat, session, arguments, RULE_BAN);
}

int command_mute(Chat *chat, uint32_t session, Arguments arguments)
{
    return make_rule(chat, session, arguments, RULE_MUTE);
}

int command_unmute(Chat *chat, uint32_t session, Arguments arguments)
{
    return end_rule(chat, session, arguments, RULE_MUTE);
}

/* Of the kinds that one command lists. */
static int list_rules(Chat *chat, uint32_t session, bool of_operators)
{
    const RuleRecord *rule = NULL;
    unsigned n = 0, n_listed = 0;

    while ((rule = rule_next(chat, rule)) != NULL) {
        char whom[WHOM_TEXT], until[RULE_UNTIL_TEXT];

        if ((rule->kind == RULE_OPERATOR) != of_operators)
            continue;
        if (n++ != n_listed || sizeof chat->answer.text - chat->answer.n < ANSWER_REST)
            continue;
        describe(rule, whom);
        rule_format_until(rule, until);
        chat_answer(chat, "%s%" PRIu64 ": %s is %s%s, by %s%s%.*s", n_listed++ > 0 ? "\n" : "", rule->number,
                    whom, KINDS[rule->kind].done, until, rule->by.bytes, rule->reason_n > 0 ? ": " : "",
                    rule->reason_n, rule->reason);
    }
    if (n == 0)
        chat_answer(chat, of_operators ? "Nobody was made an operator here." : "Nobody is banned or muted.");
    else if (n > n_listed)
        chat_answer(chat, "\nand %u more", n - n_listed);
    chat_answer_send(chat, session);
    return 0;
}

int command_bans(Chat *chat, uint32_t session, Arguments arguments)
{
    (void) arguments;
    return list_rules(chat, session, false);
}

int command_op(Chat *chat, uint32_t session, Arguments arguments)
{
    return arguments.n > 0 ? make_rule(chat, session, arguments, RULE_OPERATOR)
                           : list_rules(chat, session, true);
}

/* Who is one by the group of the host stays one. */
int command_deop(Chat *chat, uint32_t session, Arguments arguments)
{
    uint32_t who = SLOT_NONE, each = SLOT_NONE;
    Name nick;

    if (command_parse_nick(arguments, &nick) == 0)
        who = each = session_find(chat, &nick);
    while (who != SLOT_NONE && !(session_record(chat, each)->standing & STANDING_OPERATOR))
        if ((each = person_next(chat, each)) == who)
            who = SLOT_NONE;
    if (who != SLOT_NONE) {
        chat_error(chat, session, "%s is an operator by a group of this host, and stays one.",
                   session_record(chat, who)->nick.bytes);
        return 0;
    }
    return end_rule(chat, session, arguments, RULE_OPERATOR);
}
