/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Whom a session does not want to hear: by name, and by the connection that bore it, so that a new name does
 * not help. The name of a guest and that of an account are two, however they are written.
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
/* Adds a name. False: MaxIgnores= are ignored already. */
bool ignore_add(Chat *chat, uint32_t session, const Name *nick, uint64_t who);
/* Forgets the name, and whoever bears it now under any name. False: neither is ignored. */
bool ignore_remove(Chat *chat, uint32_t session, const Name *nick, uint64_t who);
/* Has `to` ignore whom `from` does. */
void ignore_copy(Chat *chat, uint32_t to, uint32_t from);
/* The n-th that is ignored, counted from 0; NULL: there are no more. */
const IgnoredRecord *ignore_nth(const Chat *chat, uint32_t session, uint32_t n);
