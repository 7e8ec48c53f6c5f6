/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * What a session reads next. A stream walks over the items that a session has not been sent: its greeting, a
 * notice of lines it missed, older entries that are replayed to it, and the entries of the transcript that
 * are for it. It changes nothing until it is stored, so items can be rendered, sent, and counted only then.
 *
 * Listeners of one room who have the same to read can share one rendering: the shared stream is theirs.
 */

#include "chat/chat.h"

typedef enum ItemKind {
    ITEM_GREETING,
    ITEM_MISSED,
    ITEM_ENTRY,
} ItemKind;

/* Chains followed at a time. Who reads more than that looks through all entries. */
enum { STREAM_CHAINS = 16 };

/* How an item is to be rendered, besides SETTING_TIME, SETTING_COLOR and SETTING_ASCII. */
enum {
    ITEM_OTHER_ROOM = 1 << 4, /* not the reader's current room: say which */
    ITEM_BELL = 1 << 5,
    ITEM_DATED = 1 << 7, /* from another day: say which */
};

typedef struct Item {
    ItemKind kind;
    uint8_t key;
    const Entry *entry;
    uint32_t n_missed;
    bool is_cut; /* the reader is in the middle of a line that is gone */
} Item;

typedef struct StreamPosition {
    uint64_t cursor, replay, replay_last;
    uint32_t missed, lost;
    uint8_t flags; /* SESSION_GREETED and SESSION_CUT of these */
} StreamPosition;

typedef struct Stream {
    Chat *chat;
    uint32_t session; /* SLOT_NONE: shared */
    uint32_t room;    /* of a shared stream */
    uint8_t key;      /* of a shared stream */
    bool hears_joins; /* of a shared stream */
    uint32_t written; /* bytes of the first item that were sent before */
    uint8_t first_key;
    StreamPosition item; /* at the item returned last */
    StreamPosition next; /* after it */
    uint64_t replay[LIMIT_HISTORY];
    uint16_t n_replay; /* entries still to be replayed, the next one last */
    /* Where the chains of this turn go on that lead to what this reader hears. */
    uint64_t chains[STREAM_CHAINS];
    uint16_t n_chains;
    bool follows_chains; /* who is behind looks through all entries instead */
} Stream;

void stream_open(Stream *stream, Chat *chat, uint32_t session);
/* Whether a member of `room` may be sent what others there are sent in this turn, and which variety of it
 * (*ret_key). */
bool stream_is_shared(const Chat *chat, uint32_t room, uint32_t session, uint8_t *ret_key);
/* What is new in this turn in `room`, for the listeners of that variety. */
void stream_open_shared(Stream *stream, Chat *chat, uint32_t room, uint8_t key);
/* The next item; false: there is none. */
bool stream_next(Stream *stream, Item *ret_item);
/* Whether all there is has been returned. */
bool stream_is_at_end(const Stream *stream);

/* Each is a transaction: where the session reads on, and that `sent` bytes more were sent. */

/* All items returned so far have been sent. Not for shared streams. */
void stream_store(const Stream *stream, size_t sent);
/* All before `item`, which was returned last, have been sent, and of that the `n` bytes at `bytes`. */
void stream_store_within(const Stream *stream, const Item *item, const char *bytes, uint32_t n, size_t sent);
/* A session whose stream could be shared has been sent all of the shared one. */
void stream_store_shared(Chat *chat, uint32_t session, size_t sent);
