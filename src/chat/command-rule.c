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
    TOLD_MAX = 32, /* sessions that are told of a mute at once; others are when they speak */
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

static bool tell_is_operator(Chat *chat, uint32_t session, const Name *nick)
{
    chat_error(chat, session, "%s is an operator, too.", nick->bytes);
    return false;
}

/* Whom the word means: somebody who is here, an account, or a network. False: nobody, and the operator was
 * told. */
static bool find_subject(Chat *chat, uint32_t session, Arguments word, RuleRecord *rule)
{
    Target target = read_target(word);
    uint32_t who;

    rule->whom = target.nick;
    rule->subject = target.is_network ? target.network : (RuleSubject){.is_uid = true};
    if (target.is_network)
        return true;
    if (is_absent(chat, &target) &&
        chat_look_up(chat, &target.nick, &rule->subject.uid) == NAME_IS_RESERVED) {
        const Peer peer = {.is_local = true, .uid = rule->subject.uid};

        return !rule_is_operator(chat, &peer, &target.nick) || tell_is_operator(chat, session, &target.nick);
    }
    who = command_find_person(chat, session, word);
    if (who == SLOT_NONE)
        return false;
    if (person_is_operator(chat, who))
        return tell_is_operator(chat, session, &session_record(chat, who)->nick);
    rule->whom = session_record(chat, who)->nick;
    rule->subject = rule_subject(&session_record(chat, who)->peer);
    return true;
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* "10min": a number and a unit. 0, or what parse_span() says. */
static int parse_time(Arguments word, uint64_t *ret_span)
{
    char text[WORD_MAX];

    if (word.n == 0 || !is_digit(word.text[0]) || is_digit(word.text[word.n - 1]))
        return PARSE_BAD_UNIT;
    return parse_span(command_word(word, text), ret_span);
}

/* "10min", "1d 12h"; what begins with a digit is a time, or by a slip it would be for ever. False: it is
 * none, or too long, and the operator was told. */
static bool take_time(Chat *chat, uint32_t session, Arguments *arguments, uint64_t *ret_until)
{
    Arguments rest = *arguments;
    uint64_t span = 0, more;
    int r;

    *ret_until = 0;
    if (arguments->n == 0 || !is_digit(arguments->text[0]))
        return true;
    while ((r = parse_time(arguments_next(&rest), &more)) == 0) {
        if (more > UINT64_MAX / 4 || (span += more) > UINT64_MAX / 4) {
            r = PARSE_TOO_LARGE;
            break;
        }
        *arguments = rest;
    }
    if (r == PARSE_TOO_LARGE) {
        chat_error(chat, session, "That is too long a time; without one it is for ever.");
        return false;
    }
    if (span == 0) {
        chat_error(
            chat, session,
            "That is no time: it is a number and a unit, such as 10min, 2h or 1d. Without one it is for "
            "ever, and a reason can not begin with a digit.");
        return false;
    }
    *ret_until = chat->wall + span;
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

/* All whom it is about: what they are now. Operators are not muted. */
static void tell_whom(Chat *chat, const RuleRecord *rule, EntryKind kind, const char *what)
{
    unsigned n_told = 0;
    char text[RULE_TEXT_MAX];

    rule_format(rule, what, text);
    for (uint32_t each = 0; each < chat->session_slots.n_touched && n_told < TOLD_MAX; each++) {
        const SessionRecord *record = session_record(chat, each);

        if (record->serial == 0 || (record->flags & SESSION_ENDING) ||
            !rule_matches(&rule->subject, &record->peer) ||
            (rule->kind == RULE_MUTE && person_is_operator(chat, each)))
            continue;
        chat_tell(chat, each, kind, SLOT_NONE, text, strlen(text));
        n_told++;
    }
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

/* Others come from the same place, and what is said against one of them is not to end for that. */
static bool is_about_others(Chat *chat, uint32_t session, const RuleRecord *rule)
{
    const RuleRecord *old = rule_about_same(chat, rule);
    char whom[WHOM_TEXT], until[RULE_UNTIL_TEXT];

    if (old == NULL || rule->whom.n == 0 || name_is_same(&old->whom, &rule->whom))
        return false;
    describe(old, whom);
    rule_format_until(old, until);
    chat_error(chat, session,
               "%s is %s%s, and %s comes from there, too: that is number %" PRIu64 " of %s. End it first.",
               whom, KINDS[rule->kind].done, until, rule->whom.bytes, old->number, KINDS[rule->kind].list);
    return true;
}

static int make_rule(Chat *chat, uint32_t session, Arguments arguments, RuleKind kind)
{
    RuleRecord rule = {.kind = (uint8_t) kind, .by = session_record(chat, session)->nick};
    char whom[WHOM_TEXT], until[RULE_UNTIL_TEXT];
    Reason reason;

    if (!find_subject(chat, session, arguments_next(&arguments), &rule) ||
        !take_time(chat, session, &arguments, &rule.until) ||
        !command_take_reason(chat, session, arguments, &reason) ||
        (kind == RULE_OPERATOR && !may_be_operator(chat, session, &rule)) ||
        is_about_others(chat, session, &rule))
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
        tell_whom(chat, &rule, kind == RULE_MUTE ? ENTRY_ERROR : ENTRY_REPLY, KINDS[kind].done);
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
    old.until = old.reason_n = 0;
    if (kind != RULE_BAN)
        tell_whom(chat, &old, ENTRY_REPLY, KINDS[kind].undone);
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

/* Else whoever was made one for an hour would make somebody one for ever, and be made one by them. */
static bool may_make_operators(Chat *chat, uint32_t session)
{
    if (person_is_operator_of_host(chat, session))
        return true;
    chat_error(chat, session, "Only operators by a group of this host may make operators.");
    return false;
}

int command_op(Chat *chat, uint32_t session, Arguments arguments)
{
    if (arguments.n == 0)
        return list_rules(chat, session, true);
    return may_make_operators(chat, session) ? make_rule(chat, session, arguments, RULE_OPERATOR) : 0;
}

/* Who is one by the group of the host stays one. */
int command_deop(Chat *chat, uint32_t session, Arguments arguments)
{
    uint32_t who = SLOT_NONE;
    Name nick;

    if (!may_make_operators(chat, session))
        return 0;
    if (command_parse_nick(arguments, &nick) == 0)
        who = session_find(chat, &nick);
    if (who != SLOT_NONE && person_is_operator_of_host(chat, who)) {
        chat_error(chat, session, "%s is an operator by a group of this host, and stays one.",
                   session_record(chat, who)->nick.bytes);
        return 0;
    }
    return end_rule(chat, session, arguments, RULE_OPERATOR);
}
