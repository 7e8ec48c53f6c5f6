/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The transcript: everything that is to be heard, in order, in one ring.
 *
 * A position counts bytes since the beginning of time, so a later entry has a larger position and no
 * position means two entries. An entry at position p lies at p modulo the ring's size, in one piece. What is
 * between tail and head can be read.
 * What was said in a room is linked backwards, so that its history is found without looking at the rest.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/name.h"

typedef struct State State;

typedef enum EntryKind {
    ENTRY_SAID = 1,
    ENTRY_ACTION,
    ENTRY_PRIVATE,
    ENTRY_JOINED,
    ENTRY_LEFT,
    ENTRY_RENAMED,   /* text: the new nick */
    ENTRY_TOPIC,     /* text: the topic, or empty */
    ENTRY_SUMMARY,   /* text: who came and went */
    ENTRY_REPLY,     /* text: the server's lines to one session, joined with \n */
    ENTRY_ERROR,     /* text: one line */
    ENTRY_RAW,       /* text: bytes that are sent as they are */
    ENTRY_REPLAY,    /* text: a TranscriptSpan; what was said in it is read next */
    ENTRY_ANNOUNCED, /* to everybody, wherever they are */
    ENTRY_NOTE,      /* nobody hears it: for the archive (chat/note.h) */
    ENTRY_ACT,       /* text: what somebody did to the room, behind the nick */
} EntryKind;

typedef struct TranscriptSpan {
    uint64_t first, last;
} TranscriptSpan;

typedef struct Entry {
    uint64_t pos;
    uint64_t prev;      /* position of what was said in the room before this; 0: nothing */
    uint64_t wall;      /* usec since the epoch */
    uint64_t from;      /* a session's serial; 0: the server */
    uint64_t to;        /* a session's serial, or a person (chat/person.h); 0: everybody in the room */
    uint64_t from_hash; /* of the folded nick */
    uint32_t size;      /* of the entry, a multiple of 8 */
    uint32_t next;      /* bytes to the next one of this turn in the room, or to the session; 0: none */
    uint32_t room;      /* SLOT_NONE: in none */
    uint16_t text_n;
    uint8_t kind : 6;
    uint8_t is_taken_back : 1; /* nobody hears it any more, but for who has heard a part of it */
    uint8_t is_recalled : 1;   /* said before this state began */
    uint8_t nick_n : 7;
    uint8_t is_verified : 1; /* the nick is a login name */
    uint8_t room_n : 7;
    uint8_t has_origin : 1;
    char data[]; /* nick, name of the room, text, without NULs; of whom it is from the uid or the place */
} Entry;

static inline const char *entry_nick(const Entry *entry)
{
    return entry->data;
}

static inline const char *entry_room(const Entry *entry)
{
    return entry->data + entry->nick_n;
}

static inline const char *entry_text(const Entry *entry)
{
    return entry->data + entry->nick_n + entry->room_n;
}

/* Of the account behind a verified nick; 0 if it is not known. */
static inline uint32_t entry_uid(const Entry *entry)
{
    uint32_t uid = 0;

    if (entry->has_origin && entry->is_verified)
        __builtin_memcpy(&uid, entry_text(entry) + entry->text_n, sizeof uid);
    return uid;
}

/* Where a guest came from, peer_place(); 0 if it is not known. */
static inline uint64_t entry_place(const Entry *entry)
{
    uint64_t place = 0;

    if (entry->has_origin && !entry->is_verified)
        __builtin_memcpy(&place, entry_text(entry) + entry->text_n, sizeof place);
    return place;
}

/* What a person said: this is a room's history. */
static inline int entry_is_speech(const Entry *entry)
{
    return entry->kind == ENTRY_SAID || entry->kind == ENTRY_ACTION;
}

/* What everybody in a room hears, whether or not they care who comes and goes. */
static inline int entry_is_about_room(const Entry *entry)
{
    return entry->kind == ENTRY_TOPIC || entry->kind == ENTRY_ACT;
}

/* How many bytes of where it is from are behind the text. */
size_t entry_origin_size(bool is_verified, bool has_origin);
/* How many lines a reader sees of it. */
unsigned entry_n_lines(const Entry *entry);

/* What is to be appended; the strings are copied. */
typedef struct EntryDraft {
    EntryKind kind;
    uint32_t room;
    uint64_t from, to, from_hash, prev, wall;
    const char *nick, *room_name, *text;
    size_t nick_n, room_name_n, text_n;
    bool is_verified, is_recalled;
    uint32_t uid;   /* if it is verified */
    uint64_t place; /* if it is not; 0: it is not known */
} EntryDraft;

/* An entry has a header, two names, a text, where it is from, and at most 7 bytes more. */
enum { ENTRY_MAX_BYTES = sizeof(Entry) + 2 * NAME_MAX_BYTES + LIMIT_TEXT_BYTES + 16 };

/* Writes an entry that is not in a transcript: at most ENTRY_MAX_BYTES. Returns its size. */
size_t entry_write(Entry *entry, const EntryDraft *draft);

/* Called before what lies below `tail` is given up. Each session is looked at in a transaction of its own. */
typedef void (*TranscriptReclaim)(void *userdata, uint64_t tail);

typedef struct Transcript {
    State *state; /* borrowed */
    TranscriptReclaim reclaim;
    void *userdata;
} Transcript;

void transcript_init(Transcript *transcript, State *state, TranscriptReclaim reclaim, void *userdata);
/*
 * Makes room for entries of `n` bytes, by moving the tail past the oldest ones. That can not be undone, for
 * they will be overwritten; so it is done before a transaction is opened that appends.
 */
void transcript_reserve(Transcript *transcript, size_t n);
/* Returns the position of the new entry, for which there must be room. Belongs to a transaction. */
uint64_t transcript_append(Transcript *transcript, const EntryDraft *draft);
/* Has an entry be heard no more. Belongs to a transaction. */
void transcript_take_back(Transcript *transcript, const Entry *entry);
/* The entry at `next` follows the one at `pos` in its room, or to its session. */
void transcript_link(Transcript *transcript, uint64_t pos, uint64_t next);
/*
 * The first entry at *pos or later, *pos set to its position; NULL when there is none before the head. *pos
 * must be the position of an entry, of what followed one, or the tail or head. The entry stays valid until
 * the next append.
 */
const Entry *transcript_read(const Transcript *transcript, uint64_t *pos);
/* The entry at `pos`, or NULL if it was overwritten or `pos` is 0. For positions taken from entries and
 * records. */
const Entry *transcript_at(const Transcript *transcript, uint64_t pos);
