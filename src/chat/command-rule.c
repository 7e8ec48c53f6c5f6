/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Commands of operators about who may not come, or not speak. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "chat/command.h"
#include "chat/person.h"
#include "chat/rule.h"
#include "chat/session.h"

enum {
    WORD_MAX = 128,
    ANSWER_REST = 512,
    WHOM_TEXT = NAME_MAX_BYTES + RULE_SUBJECT_TEXT + 8,
};

/* What a word of an operator may mean: addresses, or a name. */
typedef struct Target {
    bool is_network;
    RuleSubject network;
    Name nick; /* empty: the word is no name either */
} Target;

/* What the two kinds of rules are called. */
static const struct {
    const char *done, *undone, *id, *undone_id;
} KINDS[] = {
    [RULE_BAN] = {"banned", "not banned any more", LOG_ID_BANNED, LOG_ID_UNBANNED},
    [RULE_MUTE] = {"muted", "not muted any more", LOG_ID_MUTED, LOG_ID_UNMUTED},
};

/* As a string; a longer one is none that means anything here. */
static const char *word_text(Arguments word, char text[WORD_MAX])
{
    size_t n = word.n < WORD_MAX ? word.n : 0;

    *(char *) mempcpy(text, word.text, n) = '\0';
    return text;
}

static Target read_target(Arguments word)
{
    char text[WORD_MAX];
    Target target = {0};

    target.is_network = rule_parse_network(word_text(word, text), &target.network);
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
        parse_span(word_text(word, text), &span) != 0)
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

/* All sessions of whoever it is about by name. */
static void tell_muted(Chat *chat, const RuleRecord *rule)
{
    uint32_t who = rule->whom.n > 0 ? session_find(chat, &rule->whom) : SLOT_NONE, each = who;
    char text[RULE_TEXT_MAX];

    if (who == SLOT_NONE)
        return;
    rule_format(rule, "muted", text);
    do
        chat_error(chat, each, "%s", text);
    while ((each = person_next(chat, each)) != who);
}

static int make_rule(Chat *chat, uint32_t session, Arguments arguments, RuleKind kind)
{
    RuleRecord rule = {.kind = (uint8_t) kind, .by = session_record(chat, session)->nick};
    char whom[WHOM_TEXT], until[RULE_UNTIL_TEXT];
    Reason reason;

    if (!find_subject(chat, session, arguments_next(&arguments), &rule) ||
        !take_time(chat, session, &arguments, &rule.until) ||
        !command_take_reason(chat, session, arguments, &reason))
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
    chat_reply(chat, session, "%s is %s%s; that is number %" PRIu64 " of /bans.", whom, KINDS[kind].done,
               until, rule.number);
    if (kind == RULE_BAN)
        chat->has_new_bans = true;
    else
        tell_muted(chat, &rule);
    command_log_act(chat, session, KINDS[kind].id, KINDS[kind].done, whom, reason.text);
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

    if (parse_number(word_text(word, text), &number) == 0)
        rule = rule_numbered(chat, number);
    else
        while ((rule = rule_next(chat, rule)) != NULL && (rule->kind != kind || !is_meant(rule, &target)))
            continue;
    if (rule == NULL || rule->kind != kind) {
        chat_error(chat, session, "Nobody like that is %s. /bans lists who is.", KINDS[kind].done);
        return NULL;
    }
    return rule;
}

static int end_rule(Chat *chat, uint32_t session, Arguments arguments, RuleKind kind)
{
    const RuleRecord *rule = find_rule(chat, session, arguments, kind);
    char whom[WHOM_TEXT];

    if (rule == NULL)
        return 0;
    describe(rule, whom);
    rule_remove(chat, rule);
    chat_reply(chat, session, "%s is %s.", whom, KINDS[kind].undone);
    command_log_act(chat, session, KINDS[kind].undone_id, "ended what was said against", whom, "");
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

int command_bans(Chat *chat, uint32_t session, Arguments arguments)
{
    const RuleRecord *rule = NULL;
    unsigned n = 0, n_listed = 0;

    (void) arguments;
    while ((rule = rule_next(chat, rule)) != NULL) {
        char whom[WHOM_TEXT], until[RULE_UNTIL_TEXT];

        if (n++ != n_listed || sizeof chat->answer.text - chat->answer.n < ANSWER_REST)
            continue;
        describe(rule, whom);
        rule_format_until(rule, until);
        chat_answer(chat, "%s%" PRIu64 ": %s is %s%s, by %s%s%.*s", n_listed++ > 0 ? "\n" : "", rule->number,
                    whom, KINDS[rule->kind].done, until, rule->by.bytes, rule->reason_n > 0 ? ": " : "",
                    rule->reason_n, rule->reason);
    }
    if (n == 0)
        chat_answer(chat, "Nobody is banned or muted.");
    else if (n > n_listed)
        chat_answer(chat, "\nand %u more", n - n_listed);
    chat_answer_send(chat, session);
    return 0;
}
