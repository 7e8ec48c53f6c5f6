/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Invitations: who may come into a room that is locked. That of an account lasts until it is withdrawn or the
 * room ends; that of a guest ends with the session, and its place is taken by a new one when there is need.
 */

#include "chat/chat.h"

enum {
    INVITE_THERE_ALREADY = 1,
    INVITE_TOO_MANY,         /* LIMIT_INVITES */
    INVITE_TOO_MANY_OF_ROOM, /* LIMIT_INVITES_ROOM */
};

static inline bool invite_is_of_account(const InviteRecord *invite)
{
    return invite->whom >> 63;
}

/* Who is here, as an invitation has them; the room is left to be set. That of an account is for its owner of
 * now, by uid and name: the next who is given the uid is not invited. */
InviteRecord invite_for(const Chat *chat, uint32_t session);
/* The invitation into the room after `invite`, or the first (NULL), that has not ended, in the order of their
 * places; NULL: none. */
const InviteRecord *invite_next(const Chat *chat, uint32_t room, const InviteRecord *invite);
/* That of somebody who is here; NULL: none. */
const InviteRecord *invite_of(const Chat *chat, uint32_t room, uint32_t session);
/* The nick by which who is invited is known now. */
const Name *invite_name(const Chat *chat, const InviteRecord *invite);
/* 0, or one of the above. */
int invite_add(Chat *chat, const InviteRecord *invite);
void invite_remove(Chat *chat, const InviteRecord *invite);
/* Those of a room that ends. */
void invite_remove_all(Chat *chat, uint32_t room);
/* Counts one that another process left. */
void invite_count(Chat *chat, const InviteRecord *invite);
