/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * A person: one session, or all sessions of one verified account. They have one nick, are in the same rooms,
 * and hear what is said to that person in private, each of them. What they share is in each of their records.
 */

#include "chat/chat.h"

/* How a verified person is marked, behind the nick; and with SETTING_ASCII. */
#define MARK "\xe2\x9c\x93" /* U+2713 CHECK MARK */
#define MARK_ASCII "+"

/* Who comes in, as the kernel and the host's accounts tell: chat/session.h. */
typedef struct Identity {
    Name nick;    /* the login name */
    uint32_t uid; /* of which there is one person */
    bool is_operator;
} Identity;

static inline bool person_is_verified(const Chat *chat, uint32_t session)
{
    return session_record(chat, session)->standing & STANDING_VERIFIED;
}

/* Whether they are the owner of that account, who is told by both: a uid may be given to somebody else. */
bool person_is_account(const Chat *chat, uint32_t session, uint32_t uid, const Name *name);
/* Root, or a member of OperatorGroup=. */
static inline bool person_is_operator_of_host(const Chat *chat, uint32_t session)
{
    return session_record(chat, session)->standing & STANDING_OPERATOR;
}

/* That, or by a rule (/op). */
bool person_is_operator(const Chat *chat, uint32_t session);

/* The next session of the same person: in a ring, so that it is `session` itself where there is no other. */
static inline uint32_t person_next(const Chat *chat, uint32_t session)
{
    return chat->sessions[session].next_of_person;
}

static inline bool person_is_same(const Chat *chat, uint32_t one, uint32_t other)
{
    return one == other || (person_is_verified(chat, one) && person_is_verified(chat, other) &&
                            session_record(chat, one)->peer.uid == session_record(chat, other)->peer.uid);
}

/* What Entry.to has for something said to a person; for a guest that is the session's serial. */
#define PERSON_ADDRESS (UINT64_C(1) << 63)
/* And for all that are connected: no account has that uid (chown(2)). */
#define PERSON_EVERYBODY (PERSON_ADDRESS | UINT32_MAX)
#define PERSON_NOBODY (PERSON_EVERYBODY + 1)
static inline uint64_t person_address(const Chat *chat, uint32_t session)
{
    const SessionRecord *record = session_record(chat, session);

    return record->standing & STANDING_VERIFIED ? PERSON_ADDRESS | record->peer.uid : record->serial;
}

/* The mark of whoever is verified as `reader` sees it, or nothing. */
static inline const char *person_mark_if(const Chat *chat, bool is_verified, uint32_t reader)
{
    if (!is_verified)
        return "";
    return session_record(chat, reader)->settings & SETTING_ASCII ? MARK_ASCII : MARK;
}

static inline const char *person_mark(const Chat *chat, uint32_t session, uint32_t reader)
{
    return person_mark_if(chat, person_is_verified(chat, session), reader);
}

/* Of the sessions of a person one is the first, wherever one begins. */
bool person_is_first(const Chat *chat, uint32_t session);
/* How many sessions the person has. */
uint32_t person_n_sessions(const Chat *chat, uint32_t session);
/* Whether another session of the same person is in the room. */
bool person_is_elsewhere(const Chat *chat, uint32_t room, uint32_t session);
/* `session` is one more of the person of `other`. */
void person_link(Chat *chat, uint32_t session, uint32_t other);
void person_unlink(Chat *chat, uint32_t session);
/* All sessions of the person are an operator's from now on, or none is: as the newest of them came in, which
 * tells the groups of now. */
void person_judge(Chat *chat, uint32_t session);
/* Gives a new session what its person has: settings, away text, ignored names. */
void person_copy(Chat *chat, uint32_t to, uint32_t from);
/* For the archive: whoever has a name of their own is here, or was until now. Of the only session of a
 * person. */
void person_note_seen(Chat *chat, uint32_t session);
