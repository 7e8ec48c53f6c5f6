/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* Whom a session does not want to hear: by name, and by the connection that bore it, so that a new name does
 * not help. */

#include "chat/chat.h"

bool ignore_has(const Chat *chat, uint32_t session, uint64_t serial, uint64_t name_hash);
/* Adds a name, borne by the session of that serial (0: nobody now). False: MaxIgnores= are ignored already.
 */
bool ignore_add(Chat *chat, uint32_t session, const Name *nick, uint64_t serial);
/* Forgets the name, and whoever bears it now under any name. False: neither is ignored. */
bool ignore_remove(Chat *chat, uint32_t session, const Name *nick, uint64_t serial);
/* Has `to` ignore whom `from` does. */
void ignore_copy(Chat *chat, uint32_t to, uint32_t from);
/* The n-th ignored name, counted from 0; NULL: there are no more. */
const Name *ignore_name(const Chat *chat, uint32_t session, uint32_t n);
