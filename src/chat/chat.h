/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The chat: its state, what is derived from it, and who has something new to hear in this turn.
 *
 * Who calls it says what time it is (chat_set_time), opens and closes sessions (chat/session.h), executes
 * lines (chat/command.h), and at the end of the turn sends to everyone in `turn` what they read
 * (chat/stream.h), and then calls chat_end_turn(). It knows no socket.
 *
 * Whatever changes the state belongs to a transaction, which the caller ends (chat_commit); only what says so
 * in its comment ends its own.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/rate.h"
#include "chat/index.h"
#include "chat/recall.h"
#include "chat/state.h"
#include "chat/transcript.h"

typedef struct Config Config;

/* The entries of this turn that are for one room, or one session: linked by Entry.next. */
typedef struct TurnChain {
    uint64_t first, last; /* positions; 0: none */
} TurnChain;

/* What a person waits for of the archive: chat/mail.h. */
typedef enum Expects {
    EXPECTS_NOTHING,
    EXPECTS_MESSAGES, /* more of them */
    EXPECTS_ALL_LATE, /* what they have set, too, but nothing of theirs waits for it any more */
    EXPECTS_ALL,
} Expects;

/* What is derived of a session, in the place of its record. */
typedef struct SessionSide {
    TurnChain chain; /* what is addressed to it */
    uint64_t nick_hash;
    uint32_t first_member;           /* of the rooms it is in, SLOT_NONE: none */
    uint32_t lag_previous, lag_next; /* among those with SESSION_LAGGING */
    uint32_t next_of_person;         /* chat/person.h */
    uint16_t n_rooms;
    uint8_t n_ignored; /* as in the record, which delivery need not look at so far */
    bool is_touched;   /* spoke or is spoken to in this turn: reads the turn by itself */
    uint8_t expects;   /* Expects; of a person one session does, if any */
    uint64_t patience; /* usec, monotonic: of EXPECTS_ALL, until then */
    uint64_t greet_by; /* usec, monotonic: until then its greeting waits for that; 0: it does not */
} SessionSide;

typedef struct RoomSide {
    TurnChain chain;
    uint32_t first_member;
    uint32_t n_members; /* sessions */
    uint32_t n_people;
    uint32_t n_invites, n_invited_accounts; /* chat/invite.h */
    bool is_touched;
} RoomSide;

typedef struct MemberSide {
    uint32_t previous_in_room, next_in_room;
    uint32_t next_of_session;
    uint32_t session;
} MemberSide;

/* Who has something new. */
typedef struct Turn {
    uint32_t *sessions, *rooms; /* owned */
    uint32_t n_sessions, n_rooms;
    TurnChain everybody; /* what is for all, or for all sessions of a person */
} Turn;

/* An answer that is being put together, line by line. */
typedef struct Answer {
    size_t n;
    char text[LIMIT_REPLY_BYTES];
} Answer;

/* Limits whose refusals are logged: the first, and then none until it has been quiet for a while. */
typedef enum ChatLimit {
    CHAT_LIMIT_CLIENTS,
    CHAT_LIMIT_CLIENTS_PER_ADDRESS,
    CHAT_LIMIT_ROOMS,
    CHAT_LIMITS,
} ChatLimit;

/* Whether a name belongs to somebody who need not be here. */
typedef enum NameStanding {
    NAME_IS_FREE,
    NAME_IS_RESERVED, /* an account of the host has it */
    NAME_IS_AWAITED,  /* that is being looked up; whoever asked is told when to ask again */
    NAME_IS_UNSURE,   /* that can not be looked up now */
} NameStanding;

/* *ret_uid is that of the account, with NAME_IS_RESERVED. */
typedef NameStanding (*ChatLookUp)(void *userdata, const Name *name, uint32_t *ret_uid);

typedef struct Chat {
    State state;
    Transcript transcript;
    const Config *config; /* borrowed; replaced by chat_set_config() */
    const Log *log;       /* borrowed */
    ChatLookUp look_up;   /* NULL: no name is reserved */
    void *look_up_userdata;
    ChatRecall recall; /* NULL: there is no archive */
    void *recall_userdata;
    bool has_recall_trouble;   /* it is known that nothing is answered for now */
    bool is_past_unknown;      /* what rooms are kept is not known yet: nobody founds one */
    Rate lines, bytes;         /* of each client */
    uint64_t now;              /* usec, monotonic */
    uint64_t wall;             /* usec since the epoch */
    uint64_t started_wall;     /* of this process, in this sense */
    int64_t utc_offset;        /* seconds that local time is ahead of UTC */
    uint64_t utc_offset_until; /* usec since the epoch: when to look again */

    Slots session_slots, room_slots, member_slots, rule_slots, invite_slots;
    SessionSide *sessions;
    RoomSide *rooms;
    MemberSide *members;
    Index nicks, room_names, addresses;
    Index accounts; /* by uid: a session of that verified person */
    uint32_t first_lagging;
    uint32_t n_more_sessions; /* than people */
    uint32_t n_expecting;     /* sessions, and so people, who expect something */
    uint64_t next_mail;       /* usec, monotonic: when they may be asked about */
    uint64_t mail_due;        /* usec, monotonic: when mail_tick() has something to do, with n_expecting */
    bool has_settled;         /* what somebody has set is known now, or waited for no more: until the host has
                                 looked at who waits */
    uint32_t n_empty_rooms;
    bool has_new_bans;      /* somebody who is here may not be any more */
    bool has_strangers;     /* a room has ROOM_STRANGERS: keep_put_out_strangers() */
    uint64_t next_summary;  /* usec, monotonic: when a large room is to be told who came and went; UINT64_MAX:
                               nothing to tell */
    uint64_t close_from;    /* a position: when that has been sent, rooms are closed; UINT64_MAX: none */
    uint64_t next_given_up; /* usec, monotonic: when a room may have been empty for too long */
    uint64_t quiet_until[CHAT_LIMITS]; /* usec, monotonic: a refusal before is not logged */
    Turn turn;
    Answer answer;
    char line[LIMIT_TEXT_BYTES]; /* the line that is being executed, cleaned */
} Chat;

static inline const SessionRecord *session_record(const Chat *chat, uint32_t session)
{
    return &chat->state.sessions[session];
}

/* The membership of a session in a room; SLOT_NONE: it is not in it. */
static inline uint32_t room_member(const Chat *chat, uint32_t room, uint32_t session)
{
    uint32_t member = chat->sessions[session].first_member;

    while (member != SLOT_NONE && chat->state.members[member].room != room)
        member = chat->members[member].next_of_session;
    return member;
}

static inline NameStanding chat_look_up(const Chat *chat, const Name *name, uint32_t *ret_uid)
{
    return chat->look_up != NULL ? chat->look_up(chat->look_up_userdata, name, ret_uid) : NAME_IS_FREE;
}

static inline RecallState chat_recall(const Chat *chat, const Recall *recall, Recalled *ret_recalled)
{
    return chat->recall != NULL ? chat->recall(chat->recall_userdata, recall, ret_recalled) : RECALL_ABSENT;
}

void chat_set_time(Chat *chat, uint64_t now, uint64_t wall);
/* A turn begins, at that time. What was said on a day before this is rendered with its date. Which day that
 * is stands in the state, so that the next process can render what this one has sent. */
void chat_begin_turn(Chat *chat, uint64_t now, uint64_t wall);
/* Everything that was new has been offered to everyone. */
void chat_end_turn(Chat *chat);
/* Whether more can be executed in this turn before it must be sent. */
bool chat_turn_is_full(const Chat *chat);
/*
 * Makes room for all that one transaction says: a line of `session` and its answers, its coming or going.
 * Each transaction that may say something begins with this, and ends with chat_commit(). SLOT_NONE: of
 * nobody.
 */
void chat_reserve(Chat *chat, uint32_t session);
void chat_commit(Chat *chat);
/* How many rooms somebody can be in, so that one transaction can take leave of them all. */
uint32_t chat_room_bound(const Chat *chat);

uint32_t chat_n_sessions(const Chat *chat);
uint32_t chat_n_people(const Chat *chat);
uint32_t chat_n_rooms(const Chat *chat); /* those that somebody is in */

/* Who speaks: a session, or nobody (SLOT_NONE: the server). */
void chat_draft_from(const Chat *chat, EntryDraft *draft, uint32_t from);
/* An entry from a session (SLOT_NONE: from the server) to everybody in a room. */
void chat_tell_room(Chat *chat, uint32_t room, EntryKind kind, uint32_t from, const char *text, size_t n);
/* An entry to one session; `from` may be SLOT_NONE. */
void chat_tell(Chat *chat, uint32_t to, EntryKind kind, uint32_t from, const char *text, size_t n);
/* Something that everybody hears, wherever they are; but for `from`. */
void chat_tell_everybody(Chat *chat, uint32_t from, const char *text, size_t n);
/* Something for one person, whoever it is from: each of their sessions hears it. */
void chat_tell_person(Chat *chat, uint32_t to, EntryKind kind, uint32_t from, const char *text, size_t n);
void chat_error(Chat *chat, uint32_t to, const char *format, ...) _printf_(3, 4);
void chat_reply(Chat *chat, uint32_t to, const char *format, ...) _printf_(3, 4);

/* Adds to the answer; what does not fit is left out, by whole calls. chat_answer_send() sends what there is,
 * as lines. */
void chat_answer(Chat *chat, const char *format, ...) _printf_(2, 3);
void chat_answer_send(Chat *chat, uint32_t to);

/* Somebody was refused something because of a limit. What does not apply in `about` is NULL. */
void chat_log_limit(Chat *chat, ChatLimit limit, LogEvent about);
/* `session` reads this turn by itself. */
void chat_touch_session(Chat *chat, uint32_t session);
/* A hash of a folded name; never 0. */
uint64_t chat_name_hash(const NameKey *key);
