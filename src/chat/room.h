/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* Rooms, and who is in them. A room is made by the first who joins and gone when the last has left; the lobby
 * stays, and what somebody keeps (chat/keep.h). All sessions of a person are in the same rooms
 * (chat/person.h): what is done by one is done by all. */

#include "chat/chat.h"

enum {
    ROOM_TOO_MANY = 1,       /* MaxRooms= */
    ROOM_TOO_MANY_OF_CLIENT, /* MaxRoomsPerClient= */
    ROOM_NAME_TAKEN,
    ROOM_NOT_INVITED, /* it is locked */
    ROOM_IS_CLOSED,   /* people are still being put out of it */
};

int room_make_lobby(Chat *chat);
/* A room in which nobody is. There must be a place, and none of that name. 0, or a negative errno. */
int room_make(Chat *chat, const Name *name, uint32_t *ret_room);
/* The room of that name, or SLOT_NONE. */
uint32_t room_find(const Chat *chat, const Name *name);
uint32_t room_find_key(const Chat *chat, const NameKey *key);
/*
 * Enters the room of that name, which is made if need be, and tells the others. Being in it already is fine.
 * 0 with *ret_room, or one of the above but ROOM_NAME_TAKEN, or a negative errno.
 */
int room_join(Chat *chat, uint32_t session, const Name *name, uint32_t *ret_room);
/* One more session of a person enters the rooms that the other is in. There must be places. */
void room_follow(Chat *chat, uint32_t session, uint32_t other);
/* Leaves a room it is in, and tells the others. */
void room_leave(Chat *chat, uint32_t session, uint32_t room);
/* Its person leaves the room, is in the lobby if it was the only one, and each session has a current room.
 * The others are told nothing of that. */
void room_put_out(Chat *chat, uint32_t session, uint32_t room);
/* A room with nobody in it is no more. */
void room_end(Chat *chat, uint32_t room);
/* The same of one session alone: nobody is told if its person stays. */
void room_drop(Chat *chat, uint32_t session, uint32_t room);
/* Tells the others that `session` came, left or is now called `text`: at once, or summed up where there are
 * many. */
void room_announce(Chat *chat, uint32_t room, EntryKind kind, uint32_t session, const char *text, size_t n);
/* What is due of these sums. */
void room_tell_summaries(Chat *chat);
/* The last `n` things said in the room, as far as they are still there; false: none. */
bool room_history(const Chat *chat, uint32_t room, uint32_t n, TranscriptSpan *ret_span);
/* The topic, whether it is locked, and the history of a room, for the same room of a chat in which nothing
 * was said yet. Transactions. */
void room_copy(Chat *to, const Chat *from, uint32_t room);
/* Something said in the room before this state began: it is history, and nobody hears it now. */
void room_recall(Chat *chat, uint32_t room, const Entry *entry);
/* Links a room to its name, with nobody in it. 0, ROOM_NAME_TAKEN, or a negative errno. */
int room_index(Chat *chat, uint32_t room, const Name *name);
/* Links a membership to its session and its room. */
void room_link(Chat *chat, uint32_t member, uint32_t session, uint32_t room);
/* Greetings tell of the topic of the lobby: session_cut_greetings() comes before. */
void room_set_topic(Chat *chat, uint32_t room, uint32_t session, const char *text, size_t n);
