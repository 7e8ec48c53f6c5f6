/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Whom a session does not want to hear: by name, and by the connection that bore it, so that a new name does
 * not help. The name of a guest and that of an account are two, however they are written. Or, by address, all
 * guests from one place (chat/peer.h).
 *
 * `who` is the serial of the session that bears the name, with IGNORED_VERIFIED or IGNORED_GUEST; 0: nobody
 * does now.
 */

#include "chat/chat.h"

/* Whether it ignores who said that. */
bool ignore_has(const Chat *chat, uint32_t session, const Entry *entry);
/* Whether it ignores whoever bears a name. */
bool ignore_has_bearer(const Chat *chat, uint32_t session, uint32_t bearer);
/* The same of somebody who need not be here. */
bool ignore_has_name(const Chat *chat, uint32_t session, const Name *nick, bool is_verified);
/* What ignore_add() and ignore_remove() are told of who bears a name. */
uint64_t ignore_who(const Chat *chat, uint32_t bearer);
/* The place of a guest; 0: it is no guest. */
uint64_t ignore_place(const Chat *chat, uint32_t bearer);
/* Adds a name. False: MaxIgnores= are ignored already. */
bool ignore_add(Chat *chat, uint32_t session, const Name *nick, uint64_t who);
/* Forgets the name, and whoever bears it now under any name. False: neither is ignored. */
bool ignore_remove(Chat *chat, uint32_t session, const Name *nick, uint64_t who);
/* The same of a place; `nick` is who is there, or empty. */
bool ignore_add_place(Chat *chat, uint32_t session, uint64_t place, const Name *nick);
bool ignore_remove_place(Chat *chat, uint32_t session, uint64_t place);
/* The place that is ignored where `nick` was then; 0: there is none. */
uint64_t ignore_find_place(const Chat *chat, uint32_t session, const Name *nick);
/* Has `to` ignore whom `from` does. */
void ignore_copy(Chat *chat, uint32_t to, uint32_t from);
/* The n-th that is ignored, counted from 0; NULL: there are no more. */
const IgnoredRecord *ignore_nth(const Chat *chat, uint32_t session, uint32_t n);

/* The names that it ignores, for an archive that is asked: bearers and places are not known there. */
void ignore_list_names(const Chat *chat, uint32_t session, RecallIgnored ret_ignored[LIMIT_IGNORES]);
/* Whether lines of that name are left out. Needs nothing of the chat. */
bool ignore_names_have(const RecallIgnored ignored[LIMIT_IGNORES], const Name *nick, bool is_verified);

static inline bool ignored_is_place(const IgnoredRecord *record)
{
    return record->serial == IGNORED_PLACE;
}
