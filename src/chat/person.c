/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include "base/macro.h"
#include "chat/ignore.h"
#include "chat/note.h"
#include "chat/person.h"
#include "chat/rule.h"

bool person_is_account(const Chat *chat, uint32_t session, uint32_t uid, const Name *name)
{
    const SessionRecord *record = session_record(chat, session);

    return person_is_verified(chat, session) && record->peer.uid == uid &&
           name_is_one_login(&record->nick, name);
}

bool person_is_operator(const Chat *chat, uint32_t session)
{
    const SessionRecord *record = session_record(chat, session);

    return person_is_operator_of_host(chat, session) ||
           (person_is_verified(chat, session) && rule_is_operator(chat, &record->peer, &record->nick));
}

bool person_is_first(const Chat *chat, uint32_t session)
{
    for (uint32_t other = person_next(chat, session); other != session; other = person_next(chat, other))
        if (other < session)
            return false;
    return true;
}

uint32_t person_n_sessions(const Chat *chat, uint32_t session)
{
    uint32_t n = 1;

    for (uint32_t other = person_next(chat, session); other != session; other = person_next(chat, other))
        n++;
    return n;
}

bool person_is_elsewhere(const Chat *chat, uint32_t room, uint32_t session)
{
    uint32_t other = person_next(chat, session);

    for (; other != session; other = person_next(chat, other))
        if (room_member(chat, room, other) != SLOT_NONE)
            return true;
    return false;
}

void person_link(Chat *chat, uint32_t session, uint32_t other)
{
    chat->sessions[session].next_of_person = chat->sessions[other].next_of_person;
    chat->sessions[other].next_of_person = session;
    chat->n_more_sessions++;
}

void person_unlink(Chat *chat, uint32_t session)
{
    uint32_t previous = session;

    if (person_next(chat, session) == session)
        return;
    while (person_next(chat, previous) != session)
        previous = person_next(chat, previous);
    chat->sessions[previous].next_of_person = person_next(chat, session);
    chat->sessions[session].next_of_person = session;
    chat->n_more_sessions--;
}

void person_judge(Chat *chat, uint32_t session)
{
    uint32_t newest = session, each = session;

    while ((each = person_next(chat, each)) != session)
        if (session_record(chat, each)->serial > session_record(chat, newest)->serial)
            newest = each;
    do {
        SessionRecord *record = state_edit_session(&chat->state, each);

        record->standing &= (uint8_t) ~STANDING_OPERATOR;
        if (session_record(chat, newest)->standing & STANDING_IN_GROUP)
            record->standing |= STANDING_OPERATOR;
    } while ((each = person_next(chat, each)) != session);
}

void person_copy(Chat *chat, uint32_t to, uint32_t from)
{
    const SessionRecord *source = session_record(chat, from);
    SessionRecord *record = state_edit_session(&chat->state, to);

    record->settings = source->settings;
    record->standing |= source->standing & STANDING_SETTLED;
    record->flags |= source->flags & SESSION_AWAY;
    record->current_room = source->current_room;
    if (record->flags & SESSION_AWAY)
        *state_edit_away(&chat->state, to) = chat->state.aways[from];
    ignore_copy(chat, to, from);
}

void person_note_seen(Chat *chat, uint32_t session)
{
    static const Note seen = {.kind = NOTE_SEEN};

    if (person_next(chat, session) == session && !name_is_guest(&session_record(chat, session)->nick))
        note_append(chat, SLOT_NONE, session, &seen);
}
