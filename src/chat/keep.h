/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Rooms that belong to somebody. Who has an account and makes a room is its founder. What the founder has set
 * (a lock, that it is hidden, invitations of accounts) is kept while nobody is in the room, and the room and
 * its topic with it; a room of which nothing was set is gone with the last who leaves, as any other. Of what
 * is kept the archive is told (chat/note.h).
 */

#include "chat/invite.h"

enum { KEEP_TOO_MANY = 1 }; /* LIMIT_ROOMS_FOUNDED */

/* Whether it is the founder's, and the founder is this person. */
bool keep_is_founder(const Chat *chat, uint32_t room, uint32_t session);
/* The founder, and operators in every room. */
bool keep_may_change(const Chat *chat, uint32_t room, uint32_t session);
bool keep_may_enter(const Chat *chat, uint32_t room, uint32_t session);
/* Whether this person is told of the room. */
bool keep_is_seen(const Chat *chat, uint32_t room, uint32_t session);
/* The keys of rooms that are locked or hidden: of those which this person may know, or of the others. How
 * many there are, of which the first `max` are written. */
size_t keep_secrets(const Chat *chat, uint32_t session, bool may_know, NameKey *ret_keys, size_t max);
/* Whether it stays when nobody is in it. */
bool keep_is_kept(const Chat *chat, uint32_t room);

/* The person is the founder from now on, instead of another or nobody. 0, or KEEP_TOO_MANY. */
int keep_found(Chat *chat, uint32_t room, uint32_t session, uint32_t founder);
/* Sets or clears one of ROOM_SET, which `session` does. */
void keep_set(Chat *chat, uint32_t room, uint32_t session, uint32_t flag, bool is_on);
/* 0, or what invite_add() says. */
int keep_invite(Chat *chat, uint32_t session, const InviteRecord *invite);
void keep_uninvite(Chat *chat, uint32_t session, const InviteRecord *invite);
/* Nothing of it is kept. It ends at once if nobody is in it; otherwise they are put out when they have heard
 * what was said in it. */
void keep_close(Chat *chat, uint32_t room, uint32_t session);

/* Tells a new archive what is kept of a room, if anything is. For each invitation, and the room, a
 * transaction. */
void keep_note(Chat *chat, uint32_t room);
/*
 * What the archive has of a room that was kept before this state began. What is the case here counts more:
 * *ret_room is SLOT_NONE if that is so, or if there is no place; otherwise who is invited follows, and the
 * end, in the same transaction. 0, or a negative errno.
 */
int keep_recall(Chat *chat, const RecalledRoom *recalled, uint32_t *ret_room);
void keep_recall_invite(Chat *chat, uint32_t room, const RecalledInvite *recalled);
/* If nothing keeps it, there is none. */
void keep_recall_end(Chat *chat, uint32_t room);
/* Whoever is in a room that turned out to be locked, and may not be, is put out, each person in a
 * transaction, as many as a turn allows. False: some are left, and nothing may be said before that is done.
 */
bool keep_put_out_strangers(Chat *chat);

/* The last one has left a room that is kept. */
void keep_begin_empty(Chat *chat, uint32_t room);
/* Puts people out of rooms that were closed, and gives up those that nobody has entered for a long time: as
 * much as a turn allows, each in a transaction of its own. */
void keep_tick(Chat *chat);
