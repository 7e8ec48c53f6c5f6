/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/macro.h"
#include "base/parse.h"
#include "chat/peer.h"
#include "chat/person.h"
#include "chat/note.h"
#include "chat/rule.h"
#include "chat/session.h"

enum {
    V4_BITS = 96, /* before an IPv4 address that is mapped into IPv6 (RFC 4291, section 2.5.5.2) */
    ALL_BITS = 128,
    SITE_BITS = 64, /* of an IPv6 address: what one site has (RFC 6177) */
};

static const uint8_t V4_PREFIX[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_v4(const uint8_t address[16])
{
    return memcmp(address, V4_PREFIX, sizeof V4_PREFIX) == 0;
}

static void clear_after(uint8_t address[16], unsigned n_bits)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned kept = n_bits > 8 * i ? MIN(n_bits - 8 * i, 8U) : 0;

        address[i] &= (uint8_t) (0xff00 >> kept);
    }
}

RuleSubject rule_subject(const Peer *peer)
{
    RuleSubject subject = {.is_uid = peer->is_local, .uid = peer->is_local ? peer->uid : 0};

    if (peer->is_local)
        return subject;
    memcpy(subject.address, peer->address, sizeof subject.address);
    subject.n_bits = is_v4(peer->address) ? ALL_BITS : SITE_BITS;
    clear_after(subject.address, subject.n_bits);
    return subject;
}

/* False: more bits than there are, or no number. */
static bool parse_bits(const char *text, unsigned max, unsigned *ret_bits)
{
    uint64_t n;

    if (parse_number(text, &n) != 0 || n > max)
        return false;
    *ret_bits = (unsigned) n;
    return true;
}

bool rule_parse_network(const char *text, RuleSubject *ret_subject)
{
    RuleSubject subject = {0};
    const char *slash = strchr(text, '/');
    size_t n = slash != NULL ? (size_t) (slash - text) : strlen(text);
    char address[INET6_ADDRSTRLEN] = "";
    unsigned bits, first;

    if (n >= sizeof address)
        return false;
    (void) snprintf(address, sizeof address, "%.*s", (int) n, text);
    if (inet_pton(AF_INET, address, subject.address + sizeof V4_PREFIX) == 1) {
        memcpy(subject.address, V4_PREFIX, sizeof V4_PREFIX);
        first = V4_BITS;
    } else if (inet_pton(AF_INET6, address, subject.address) == 1) {
        first = 0;
    } else {
        return false;
    }
    bits = ALL_BITS - first;
    if (slash != NULL && !parse_bits(slash + 1, bits, &bits))
        return false;
    subject.n_bits = (uint8_t) (first + bits);
    clear_after(subject.address, subject.n_bits);
    *ret_subject = subject;
    return true;
}

void rule_format_subject(const RuleSubject *subject, char text[RULE_SUBJECT_TEXT])
{
    char address[INET6_ADDRSTRLEN] = "?";
    bool is_mapped = is_v4(subject->address) && subject->n_bits >= V4_BITS;

    if (subject->is_uid) {
        (void) snprintf(text, RULE_SUBJECT_TEXT, "uid %u", subject->uid);
        return;
    }
    if (is_mapped)
        (void) inet_ntop(AF_INET, subject->address + sizeof V4_PREFIX, address, sizeof address);
    else
        (void) inet_ntop(AF_INET6, subject->address, address, sizeof address);
    if (subject->n_bits == ALL_BITS)
        (void) snprintf(text, RULE_SUBJECT_TEXT, "%s", address);
    else
        (void) snprintf(text, RULE_SUBJECT_TEXT, "%s/%u", address,
                        subject->n_bits - (is_mapped ? V4_BITS : 0U));
}

bool rule_matches(const RuleSubject *subject, const Peer *peer)
{
    uint8_t address[16];

    if (subject->is_uid || peer->is_local)
        return subject->is_uid && peer->is_local && subject->uid == peer->uid;
    memcpy(address, peer->address, sizeof address);
    clear_after(address, subject->n_bits);
    return memcmp(address, subject->address, sizeof address) == 0;
}

bool rule_is_same(const RuleSubject *a, const RuleSubject *b)
{
    return a->is_uid == b->is_uid && a->uid == b->uid && a->n_bits == b->n_bits &&
           memcmp(a->address, b->address, sizeof a->address) == 0;
}

static bool holds(const Chat *chat, const RuleRecord *rule)
{
    return rule->number != 0 && (rule->until == 0 || rule->until > chat->wall);
}

const RuleRecord *rule_next(const Chat *chat, const RuleRecord *rule)
{
    const RuleRecord *rules = chat->state.rules, *end = rules + chat->rule_slots.n_touched;

    for (rule = rule != NULL ? rule + 1 : rules; rule < end; rule++)
        if (holds(chat, rule))
            return rule;
    return NULL;
}

const RuleRecord *rule_find(const Chat *chat, RuleKind kind, const Peer *peer)
{
    for (const RuleRecord *rule = rule_next(chat, NULL); rule != NULL; rule = rule_next(chat, rule))
        if (rule->kind == kind && rule_matches(&rule->subject, peer))
            return rule;
    return NULL;
}

bool rule_is_operator(const Chat *chat, const Peer *peer, const Name *nick)
{
    const RuleRecord *rule = peer->is_local ? rule_find(chat, RULE_OPERATOR, peer) : NULL;

    return rule != NULL && name_is_one_login(nick, &rule->whom);
}

void rule_format_until(const RuleRecord *rule, char text[RULE_UNTIL_TEXT])
{
    char until[CLOCK_TEXT_MAX];

    text[0] = '\0';
    if (rule->until == 0)
        return;
    clock_format(rule->until, until);
    (void) snprintf(text, RULE_UNTIL_TEXT, " until %s", until);
}

void rule_format(const RuleRecord *rule, const char *what, char text[RULE_TEXT_MAX])
{
    char until[RULE_UNTIL_TEXT];

    rule_format_until(rule, until);
    (void) snprintf(text, RULE_TEXT_MAX, "You are %s%s%s%.*s", what, until, rule->reason_n > 0 ? ": " : ".",
                    rule->reason_n, rule->reason);
}

void rule_enforce(Chat *chat)
{
    uint32_t session = 0;

    for (; session < chat->session_slots.n_touched && !chat_turn_is_full(chat); session++) {
        const SessionRecord *record = session_record(chat, session);
        char text[RULE_TEXT_MAX];
        const RuleRecord *rule;

        if (record->serial == 0 || (record->flags & SESSION_ENDING) || person_is_operator(chat, session) ||
            (rule = rule_find(chat, RULE_BAN, &record->peer)) == NULL)
            continue;
        rule_format(rule, "banned", text);
        chat_reserve(chat, session);
        chat_error(chat, session, "%s", text);
        session_expel(chat, session);
        chat_commit(chat);
    }
    chat->has_new_bans = session < chat->session_slots.n_touched;
}

const RuleRecord *rule_numbered(const Chat *chat, uint64_t number)
{
    for (const RuleRecord *rule = rule_next(chat, NULL); rule != NULL; rule = rule_next(chat, rule))
        if (rule->number == number)
            return rule;
    return NULL;
}

/* One that has ended makes room. */
static void remove_ended(Chat *chat)
{
    for (uint32_t i = 0; i < chat->rule_slots.n_touched; i++)
        if (chat->state.rules[i].number != 0 && !holds(chat, &chat->state.rules[i])) {
            rule_remove(chat, &chat->state.rules[i]);
            return;
        }
}

/* Nothing is left in the bytes between the fields: equal notes are equal bytes. */
void rule_note(Chat *chat, const RuleRecord *rule)
{
    Note note;

    memset(&note, 0, sizeof note);
    note.kind = NOTE_RULE;
    note.rule.number = rule->number;
    note.rule.until = rule->until;
    note.rule.wall = chat->wall;
    memcpy(note.rule.subject.address, rule->subject.address, sizeof rule->subject.address);
    note.rule.subject.uid = rule->subject.uid;
    note.rule.subject.n_bits = rule->subject.n_bits;
    note.rule.subject.is_uid = rule->subject.is_uid;
    note.rule.whom = rule->whom;
    note.rule.by = rule->by;
    note.rule.kind = rule->kind;
    note.rule.reason_n = rule->reason_n;
    memcpy(note.rule.reason, rule->reason, rule->reason_n);
    note_append(chat, SLOT_NONE, SLOT_NONE, &note);
}

void rule_note_all(Chat *chat)
{
    Note note;

    memset(&note, 0, sizeof note);
    note.kind = NOTE_RULES;
    for (uint32_t i = 0; i < chat->rule_slots.n_touched; i++)
        if (chat->state.rules[i].number != 0)
            note.rules.numbers[note.rules.n++] = chat->state.rules[i].number;
    note_append(chat, SLOT_NONE, SLOT_NONE, &note);
}

/* In a free place. RULE_TOO_MANY: there is none. */
static int rule_put(Chat *chat, const RuleRecord *rule)
{
    uint32_t place = slots_take(&chat->rule_slots);

    if (place == SLOT_NONE)
        return RULE_TOO_MANY;
    *state_edit_rule(&chat->state, place) = *rule;
    return 0;
}

/* A number that no rule of this state has had, nor one that the archive had when it began. */
static uint64_t next_number(Chat *chat, uint64_t at_least)
{
    uint64_t *next = state_edit(&chat->state, &chat->state.header->next_rule, sizeof *next);
    uint64_t number = MAX(*next, at_least);

    *next = number + 1;
    return number;
}

const RuleRecord *rule_about_same(const Chat *chat, const RuleRecord *rule)
{
    const RuleRecord *old = NULL;

    while ((old = rule_next(chat, old)) != NULL)
        if (old->kind == rule->kind && rule_is_same(&old->subject, &rule->subject))
            break;
    return old;
}

int rule_add(Chat *chat, const RuleRecord *rule, uint64_t *ret_number)
{
    RuleRecord numbered = *rule;
    const RuleRecord *old;

    while ((old = rule_about_same(chat, rule)) != NULL)
        rule_remove(chat, old);
    if (slots_n_used(&chat->rule_slots) == chat->state.header->max_rules)
        remove_ended(chat);
    if (slots_n_used(&chat->rule_slots) == chat->state.header->max_rules)
        return RULE_TOO_MANY;
    numbered.number = next_number(chat, 0);
    if (rule_put(chat, &numbered) != 0)
        return RULE_TOO_MANY;
    rule_note(chat, &numbered);
    *ret_number = numbered.number;
    return 0;
}

void rule_remove(Chat *chat, const RuleRecord *rule)
{
    uint32_t place = (uint32_t) (rule - chat->state.rules);
    const Note note = {.kind = NOTE_RULE_ENDED, .number = rule->number};

    note_append(chat, SLOT_NONE, SLOT_NONE, &note);
    state_edit_rule(&chat->state, place)->number = 0;
    slots_give(&chat->rule_slots, place);
}

void rule_recall(Chat *chat, const RuleRecord *rule)
{
    RuleRecord numbered = *rule;
    bool has_other_number;

    if (rule_about_same(chat, rule) != NULL)
        return;
    has_other_number = rule_numbered(chat, rule->number) != NULL;
    numbered.number = has_other_number ? next_number(chat, 0) : rule->number;
    if (!has_other_number)
        (void) next_number(chat, rule->number);
    if (rule_put(chat, &numbered) == 0 && has_other_number)
        rule_note(chat, &numbered);
    chat->has_new_bans = true;
}
