/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Rooms of which something was kept, and nothing is any more, or that were handed over, until the archive has
 * heard of it. There is a note of each in the transcript (chat/note.h), but that may be overwritten before,
 * or stand where nothing is for the archive, and then nothing else would say that the room was not forgotten,
 * or that what was said in it is for who has it now.
 */

#include "chat/note.h"

/* The note at that position, which is one of those, is about that room. Belongs to its transaction. If there
 * are as many already, the log is told of the oldest, which is lost. */
void over_add(Chat *chat, uint32_t room, const Note *note, uint64_t pos);
/* The note once more, for which there is memory of ENTRY_MAX_BYTES. Returns its size. */
size_t over_write(const Chat *chat, const OverRecord *over, Entry *ret_entry);
/* What stands before this position the archive has, or it is not for it. */
uint64_t over_heard(const Chat *chat);
/* Nothing will be told any more: of those that the archive has not heard of, and whose notes it will not see
 * either, the log is told. */
void over_lose(const Chat *chat);
typedef enum OverWhy {
    OVER_FOR_NOW,   /* what lies between is about to be overwritten */
    OVER_FOR_GOOD,  /* nothing will be told any more */
    OVER_FOR_OTHER, /* the archive is another file from now on */
} OverWhy;

/* The archive has not got what lies between: of the notes that it will not be told for that the log is told.
 */
void over_lose_notes(const Chat *chat, uint64_t from, uint64_t end, OverWhy why);
/* The archive has all that stands before that. */
void over_forget(Chat *chat, uint64_t pos);
/* The first that has a note at `from` or later, and before `end`; NULL: there is none. */
const OverRecord *over_next(const Chat *chat, uint64_t from, uint64_t end);
