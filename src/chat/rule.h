/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Rules that operators made: who may not come, who may not speak, and who is an operator, too. A rule is
 * about a uid of this host or about addresses, holds for a time or for ever, and has a number by which it is
 * named.
 */

#include "base/clock.h"
#include "chat/chat.h"

enum { RULE_TOO_MANY = 1 };

/* What a rule about somebody from there is about: the uid, the IPv4 address, or the /64 of the IPv6 address.
 */
RuleSubject rule_subject(const Peer *peer);
/* An address, with or without "/" and a number of bits. False: it is none. */
bool rule_parse_network(const char *text, RuleSubject *ret_subject);
/* "uid 1000", "192.0.2.1", "192.0.2.0/24", "2001:db8::/64". */
enum { RULE_SUBJECT_TEXT = 64 };
void rule_format_subject(const RuleSubject *subject, char text[RULE_SUBJECT_TEXT]);

/* The first rule of that kind that holds for somebody from there now; NULL: there is none. */
const RuleRecord *rule_find(const Chat *chat, RuleKind kind, const Peer *peer);
/* Whether the account that somebody from there came in by was made an operator: by its uid and its name,
 * since a uid may be given to somebody else. */
bool rule_is_operator(const Chat *chat, const Peer *peer, const Name *nick);
bool rule_is_same(const RuleSubject *a, const RuleSubject *b);
bool rule_matches(const RuleSubject *subject, const Peer *peer);
/* " until 2026-11-22 14:03:05 CET (+0100)", or nothing: for ever. */
enum { RULE_UNTIL_TEXT = CLOCK_TEXT_MAX + 8 };
void rule_format_until(const RuleRecord *rule, char text[RULE_UNTIL_TEXT]);
/* "You are banned until 2026-11-22 14:03:05 CET (+0100): forging lines", for who is told; `what` is the
 * second and third word. */
enum { RULE_TEXT_MAX = LIMIT_REASON_BYTES + 128 };
void rule_format(const RuleRecord *rule, const char *what, char text[RULE_TEXT_MAX]);
/* Who is here and may not be is told so, and goes; a turn's worth. For each a transaction. */
void rule_enforce(Chat *chat);
/* The rule with that number, if it has not ended; NULL: there is none. */
const RuleRecord *rule_numbered(const Chat *chat, uint64_t number);
/* The rule after `rule`, or the first (NULL), that has not ended, in the order of their places; NULL: none.
 */
const RuleRecord *rule_next(const Chat *chat, const RuleRecord *rule);
/* The one that rule_add() would replace; NULL: none. */
const RuleRecord *rule_about_same(const Chat *chat, const RuleRecord *rule);
/* Adds a rule, in place of one of that kind about the same. Its number is set. 0, or RULE_TOO_MANY. */
int rule_add(Chat *chat, const RuleRecord *rule, uint64_t *ret_number);
void rule_remove(Chat *chat, const RuleRecord *rule);
/* A rule that was made before this state began: it keeps its number, unless another one has that. What is
 * the case here counts more: there is none about the same, and there is room. */
void rule_recall(Chat *chat, const RuleRecord *rule);
/* Tells the archive of it (chat/note.h). Belongs to a transaction. */
void rule_note(Chat *chat, const RuleRecord *rule);
/* The same of which there are. */
void rule_note_all(Chat *chat);
