/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* Rooms, and who is in them. A room is made by the first who joins and gone when the last has left; the lobby
 * stays. All sessions of a person are in the same rooms (chat/person.h): what is done by one is done by all.
 */

#include "chat/chat.h"

enum {
    ROOM_TOO_MANY = 1,       /* MaxRooms= */
    ROOM_TOO_MANY_OF_CLIENT, /* MaxRoomsPerClient= */
    ROOM_NAME_TAKEN,
};

int room_make_lobby(Chat *chat);
/* The room of that name, or SLOT_NONE. */
uint32_t room_find(const Chat *chat, const Name *name);
/*
 * Enters the room of that name, which is made if need be, and tells the others. Being in it already is fine.
 * 0 with *ret_room, ROOM_TOO_MANY, ROOM_TOO_MANY_OF_CLIENT, or a negative errno.
 */
int room_join(Chat *chat, uint32_t session, const Name *name, uint32_t *ret_room);
/* One more session of a person enters the rooms that the other is in. There must be places. */
void room_follow(Chat *chat, uint32_t session, uint32_t other);
/* Leaves a room it is in, and tells the others. */
void room_leave(Chat *chat, uint32_t session, uint32_t room);
/* The same of one session alone: nobody is told if its person stays. */
void room_drop(Chat *chat, uint32_t session, uint32_t room);
/* Tells the others that `session` came, left or is now called `text`: at once, or summed up where there are
 * many. */
void room_announce(Chat *chat, uint32_t room, EntryKind kind, uint32_t session, const char *text, size_t n);
/* What is due of these sums. */
void room_tell_summaries(Chat *chat);
/* The last `n` things said in the room, as far as they are still there; false: none. */
bool room_history(const Chat *chat, uint32_t room, uint32_t n, TranscriptSpan *ret_span);
/* The topic and the history of a room, for the same room of a chat in which nothing was said yet.
 * Transactions. */
void room_copy(Chat *to, const Chat *from, uint32_t room);
/* Links a room to its name, with nobody in it. 0, ROOM_NAME_TAKEN, or a negative errno. */
int room_index(Chat *chat, uint32_t room, const Name *name);
/* Links a membership to its session and its room. */
void room_link(Chat *chat, uint32_t member, uint32_t session, uint32_t room);
/* Greetings tell of the topic of the lobby: session_cut_greetings() comes before. */
void room_set_topic(Chat *chat, uint32_t room, uint32_t session, const char *text, size_t n);
