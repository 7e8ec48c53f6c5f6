/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* The chat as a whole: how it begins, goes on in another process, gets other settings, and ends. */

#include "chat/chat.h"

/*
 * A chat with nobody in it, for up to `max_sessions` people. `config` and `log` must outlive it. 0, or a
 * negative errno. A Chat is large: it belongs on the heap.
 */
int chat_init(Chat *chat, const Config *config, const Log *log, uint32_t max_sessions);
/*
 * A chat in a state that another process left (moved in, also on failure): of the layout of today, and large
 * enough for `config`. Everyone in it reads by a cursor of their own until they are sent what they have not
 * read. Once what they were sent is settled, chat_set_config() must follow: what greetings say is as it was
 * until then. 0, a negative errno, or CHAT_DAMAGED: the state is no state that a chat can be in, and the log
 * says why.
 */
int chat_adopt(Chat *chat, State *state, const Config *config, const Log *log);
enum { CHAT_DAMAGED = 1 };
void chat_done(Chat *chat);
/* Limits that shape the state itself stay as they were at the start. */
void chat_set_config(Chat *chat, const Config *config);
/* Work that has become due by time alone. */
void chat_tick(Chat *chat);
