/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Rooms of which something was kept, and nothing is any more, until the archive has heard of it. There is a
 * note of each in the transcript (chat/note.h), but that may be overwritten before, or stand where nothing is
 * for the archive, and then nothing else would say that the room was not forgotten.
 */

#include "chat/chat.h"

/* The note at that position says that nothing is kept of a room that had these flags: it was closed, or goes
 * on. Belongs to its transaction. If there are as many already, the log is told of the oldest, which is lost.
 */
void over_add(Chat *chat, uint32_t room, uint32_t flags, bool is_open, uint64_t pos);
/* Nothing will be told any more: of those that the archive has not heard of, and whose notes it will not see
 * either, the log is told. */
void over_lose(const Chat *chat);
/* The archive has all that stands before that. */
void over_forget(Chat *chat, uint64_t pos);
/* The first that has a note at `from` or later, and before `end`; NULL: there is none. */
const RoomOver *over_next(const Chat *chat, uint64_t from, uint64_t end);
