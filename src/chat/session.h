/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * A session: one connection as the chat sees it. It has a nick from the beginning, is in at least one room
 * until it is closed, and reads the transcript at its own pace (chat/stream.h).
 */

#include "chat/chat.h"

enum {
    SESSION_FULL = 1,     /* MaxClients= */
    SESSION_ADDRESS_FULL, /* MaxClientsPerAddress= */
    SESSION_PERSON_FULL,  /* LIMIT_PERSON_SESSIONS */
    SESSION_NICK_TAKEN,
};

typedef struct Identity Identity; /* chat/person.h; NULL: a guest */

/* Whether one more may come from there: 0, or one of the first three. */
int session_may_open(const Chat *chat, const Peer *peer, const Identity *identity);
/* Makes room for all that session_open() says: chat_reserve(). */
void session_reserve(Chat *chat, const Identity *identity);
/* 0 with *ret_session, or a negative errno. It may open. It is in the lobby, as guestN or by the name of its
 * account; or where other sessions of the same person are. */
int session_open(Chat *chat, const Peer *peer, const Identity *identity, uint32_t *ret_session);
/* Links a session that another process left to its nick, its address, and the others who are behind. 0,
 * SESSION_NICK_TAKEN, or a negative errno. */
int session_restore(Chat *chat, uint32_t session);
/* It says nothing more, and hears only what has been said by now. The connection goes when it has heard it.
 */
void session_end(Chat *chat, uint32_t session);
/* The same, and it is not waited for until it has read that. */
void session_expel(Chat *chat, uint32_t session);
/* Leaves its rooms and frees its nick. */
void session_close(Chat *chat, uint32_t session);

/* 0, SESSION_NICK_TAKEN, or a negative errno. Tells its rooms. */
int session_rename(Chat *chat, uint32_t session, const Name *nick);
/* A session of that account; SLOT_NONE: there is none. */
uint32_t session_find_account(const Chat *chat, uint32_t uid);
/* Who bears this nick; SLOT_NONE: nobody. */
uint32_t session_find(const Chat *chat, const Name *nick);

/* Where it reads on. */
uint64_t session_cursor(const Chat *chat, uint32_t session);
/* Whether an entry is for it. */
bool session_hears(const Chat *chat, uint32_t session, const Entry *entry);
/* Whether it is behind the others and reads by its own cursor. */
void session_set_lagging(Chat *chat, uint32_t session, bool is_lagging);
/* What greetings say is about to change: those that are half sent end here. */
void session_cut_greetings(Chat *chat);
/* What lies below `tail` is about to be overwritten: those who have not read it are told so later. For each
 * that is a transaction of its own. */
void session_lose(Chat *chat, uint64_t tail);
/* It reads by its own cursor from now on. */
void session_fall_behind(Chat *chat, uint32_t session);
