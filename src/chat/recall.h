/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * What the chat asks its memory, an archive that is beside it and may be slow, out of order, or not there.
 *
 * A command that needs an answer waits for it (Command.must_wait): it asks with chat_recall(), is not
 * executed while that says RECALL_AWAITED, and asks the same once more when it runs.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/name.h"
#include "chat/state.h"
#include "chat/transcript.h"

typedef struct Chat Chat;

enum {
    RECALL_WORDS_MAX = 404, /* bytes of what is searched for */
    RECALL_PAGE = 20,       /* lines of a page */
    RECALL_PAGES = 1000,
    RECALL_LINE_MAX = 500,               /* bytes of a line's text that are shown; the rest is cut */
    RECALL_ROOM_BYTES = ENTRY_MAX_BYTES, /* of a room's past, in its transcript: the place of one line */
};

typedef enum RecallKind {
    RECALL_ROOM = 1, /* a room's last `n` lines, its topic, and what is kept of it: entries */
    RECALL_KEPT,     /* rooms that are kept: RecalledKept */
    RECALL_RULES,    /* bans and mutes: NoteRule, each with its number */
    RECALL_LAST,     /* the last `n` lines of `room` that are not left out: lines of text */
    RECALL_BETWEEN,  /* lines of `room` from `from` until before `to`, oldest first: lines of text */
    RECALL_SEARCH,   /* lines with all of `words`, since `from`, of `room` and `nick`: text, newest first */
    RECALL_SEEN,     /* when `nick` was seen: a sentence */
    RECALL_PERSON,   /* what is kept for `uid` if that is `nick`: PersonRecalled */
    RECALL_OWNER,    /* whether `nick` was ever that of an account: a byte, or nothing */
    RECALL_MAIL,     /* how many messages wait, of `nick` and for `uid`: MailCounts */
} RecallKind;

/* A name of which lines are left out of an answer: chat/ignore.h. */
typedef struct RecallIgnored {
    uint64_t hash;  /* chat_name_hash(); 0: no more follow */
    uint64_t kinds; /* IGNORED_VERIFIED or IGNORED_GUEST; 0: both */
} RecallIgnored;

/* A question. Zero to the end, and in between: it is compared as bytes. What is not asked about is 0. */
typedef struct Recall {
    uint64_t asker; /* the serial of the session for which it is asked, or 0 */
    uint64_t from, to;
    RecallIgnored ignored[LIMIT_IGNORES]; /* by who asks for lines */
    uint32_t kind;
    uint32_t session; /* of the asker */
    uint32_t uid;
    uint32_t n, page;  /* pages begin with 1 */
    uint8_t is_ascii;  /* the mark of verified people is to be ASCII */
    uint8_t is_secret; /* `room` is locked or hidden, and the asker may know it */
    uint16_t n_words;
    NameKey room, nick;
    char words[RECALL_WORDS_MAX];
} Recall;

_Static_assert(sizeof(Recall) == offsetof(Recall, words) + RECALL_WORDS_MAX, "there is padding");

typedef enum RecallState {
    RECALL_AWAITED,  /* it has been asked: look again later */
    RECALL_ANSWERED, /* there is an answer */
    RECALL_ABSENT,   /* there is no archive */
} RecallState;

typedef struct Recalled {
    const char *trouble; /* a sentence without its full stop on why there is no answer; NULL: there is one */
    const char *bytes;   /* valid until the next question; aligned to 8 */
    size_t n;
    bool is_more;   /* there is one more page */
    bool is_partly; /* there was no time to look at everything */
} Recalled;

/* What is kept of a room, and who is invited into it. */
typedef struct RecalledRoom {
    Name name, founder;
    uint32_t founder_uid, flags;
    Name topic_by;
    uint16_t topic_n;
    char topic[LIMIT_TOPIC_BYTES];
} RecalledRoom;

typedef struct RecalledInvite {
    uint32_t room; /* place in RecalledKept.rooms */
    Name name;
    uint32_t uid;
} RecalledInvite;

enum { RECALL_KEPT_ROOMS = 1000 }; /* that come back after a reboot, at most */

typedef struct RecalledKept {
    uint32_t n_rooms, n_invites;
    RecalledRoom rooms[RECALL_KEPT_ROOMS];
    RecalledInvite invites[LIMIT_INVITES]; /* in the order of their rooms */
} RecalledKept;

/* *ret_recalled is written if the question is answered, and that is the end of the question. With NULL in its
 * place the answer stays there, for a while. */
typedef RecallState (*ChatRecall)(void *userdata, const Recall *recall, Recalled *ret_recalled);

/* Puts what was said in a room before this state began in front of what has been said in it since, which has
 * to be nothing: what is newest, up to RECALL_ROOM_BYTES. Belongs to a transaction. */
void recall_room(Chat *chat, uint32_t room, const Recalled *recalled);
/* What is kept of a room that is not there becomes part of the state, if the answer has it. 0, or a negative
 * errno. Belongs to a transaction. */
int recall_kept_of(Chat *chat, const Name *name, const Recalled *recalled);
/* Whether it is of a room that was locked or hidden. */
bool recall_is_secret(const Recalled *recalled);
/* Rules that were made before this state began. For each a transaction. False: that is enough for one turn;
 * doing it again is no harm. */
bool recall_rules(Chat *chat, const Recalled *recalled);
/* The same of rooms that are kept. Who may not be in one that is locked is put out: nothing may be said
 * before that is done. */
bool recall_kept(Chat *chat, const Recalled *recalled);
