/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include "base/limits.h"
#include "chat/invite.h"
#include "chat/person.h"

InviteRecord invite_for(const Chat *chat, uint32_t session)
{
    InviteRecord invite = {.whom = person_address(chat, session)};

    if (invite_is_of_account(&invite))
        invite.name = session_record(chat, session)->nick;
    else
        invite.session = session;
    return invite;
}

static bool holds(const Chat *chat, const InviteRecord *invite)
{
    return invite->whom != 0 &&
           (invite_is_of_account(invite) || session_record(chat, invite->session)->serial == invite->whom);
}

/* The first used one behind `invite`, or of all (NULL), which may have ended. */
static const InviteRecord *next_used(const Chat *chat, const InviteRecord *invite)
{
    const InviteRecord *invites = chat->state.invites, *end = invites + chat->invite_slots.n_touched;

    for (invite = invite != NULL ? invite + 1 : invites; invite < end; invite++)
        if (invite->whom != 0)
            return invite;
    return NULL;
}

const InviteRecord *invite_next(const Chat *chat, uint32_t room, const InviteRecord *invite)
{
    if (chat->rooms[room].n_invites == 0)
        return NULL;
    while ((invite = next_used(chat, invite)) != NULL)
        if (invite->room == room && holds(chat, invite))
            return invite;
    return NULL;
}

/* A uid may be given to somebody else, a serial is not. */
static bool is_for_same(const InviteRecord *one, const InviteRecord *other)
{
    return one->whom == other->whom &&
           (!invite_is_of_account(one) || name_is_one_login(&one->name, &other->name));
}

/* That of whom `like` is for, into that room. */
static const InviteRecord *find_like(const Chat *chat, uint32_t room, const InviteRecord *like)
{
    const InviteRecord *invite = NULL;

    while ((invite = invite_next(chat, room, invite)) != NULL && !is_for_same(invite, like))
        continue;
    return invite;
}

const InviteRecord *invite_of(const Chat *chat, uint32_t room, uint32_t session)
{
    InviteRecord like = invite_for(chat, session);

    return find_like(chat, room, &like);
}

const Name *invite_name(const Chat *chat, const InviteRecord *invite)
{
    return invite_is_of_account(invite) ? &invite->name : &session_record(chat, invite->session)->nick;
}

/* One that has ended makes room: of that room, or of any (SLOT_NONE). */
static void remove_ended(Chat *chat, uint32_t room)
{
    const InviteRecord *invite = NULL;

    while ((invite = next_used(chat, invite)) != NULL)
        if ((room == SLOT_NONE || invite->room == room) && !holds(chat, invite)) {
            invite_remove(chat, invite);
            return;
        }
}

void invite_count(Chat *chat, const InviteRecord *invite)
{
    chat->rooms[invite->room].n_invites++;
    chat->rooms[invite->room].n_invited_accounts += invite_is_of_account(invite);
}

int invite_add(Chat *chat, const InviteRecord *invite)
{
    uint32_t place;

    if (find_like(chat, invite->room, invite) != NULL)
        return INVITE_THERE_ALREADY;
    if (chat->rooms[invite->room].n_invites >= LIMIT_INVITES_ROOM)
        remove_ended(chat, invite->room);
    if (chat->rooms[invite->room].n_invites >= LIMIT_INVITES_ROOM)
        return INVITE_TOO_MANY_OF_ROOM;
    if (slots_n_used(&chat->invite_slots) >= LIMIT_INVITES)
        remove_ended(chat, SLOT_NONE);
    place = slots_take(&chat->invite_slots);
    if (place == SLOT_NONE)
        return INVITE_TOO_MANY;
    *state_edit_invite(&chat->state, place) = *invite;
    invite_count(chat, invite);
    return 0;
}

void invite_remove(Chat *chat, const InviteRecord *invite)
{
    RoomSide *room = &chat->rooms[invite->room];
    uint64_t *whom;

    room->n_invites--;
    room->n_invited_accounts -= invite_is_of_account(invite);
    /* Only that, so that there is place to undo it for any number of them. */
    whom = state_edit(&chat->state, &invite->whom, sizeof *whom);
    *whom = 0;
    slots_give(&chat->invite_slots, (uint32_t) (invite - chat->state.invites));
}

void invite_remove_all(Chat *chat, uint32_t room)
{
    const InviteRecord *invite = NULL;

    while (chat->rooms[room].n_invites > 0 && (invite = next_used(chat, invite)) != NULL)
        if (invite->room == room)
            invite_remove(chat, invite);
}
