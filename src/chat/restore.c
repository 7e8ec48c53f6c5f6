/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdlib.h>

#include "base/crash.h"
#include "base/error.h"
#include "base/macro.h"
#include "chat/check.h"
#include "chat/keep.h"
#include "chat/person.h"
#include "chat/restore.h"
#include "chat/room.h"
#include "chat/session.h"

/* A debt that no client can have run up is none: it would be kept from speaking for years. */
static uint64_t plausible_due(const Chat *chat, const Rate *rate, uint64_t due, uint64_t debt)
{
    return MIN(due, rate_charge(rate, 0, chat->now * NSEC_PER_USEC, rate->burst + debt));
}

static int restore_session(Chat *chat, uint32_t session)
{
    const SessionRecord *record = session_record(chat, session);
    SessionSide *side = &chat->sessions[session];
    SessionRecord *edited;

    *side = (SessionSide){.first_member = SLOT_NONE,
                          .next_of_person = session,
                          .lag_previous = SLOT_NONE,
                          .lag_next = SLOT_NONE,
                          .n_ignored = (uint8_t) record->n_ignored};
    edited = state_edit_session(&chat->state, session);
    edited->lines_due = plausible_due(chat, &chat->lines, record->lines_due, 1);
    edited->bytes_due = plausible_due(chat, &chat->bytes, record->bytes_due, 2 * LIMIT_TEXT_BYTES);
    /* By a cursor of its own, so that `flushed` may move on. */
    edited->cursor = session_cursor(chat, session);
    edited->flags |= SESSION_LAGGING;
    chat_commit(chat);
    return error_trace(session_restore(chat, session));
}

static int restore_sessions(Chat *chat, uint32_t n)
{
    int r = 0;

    while (n > 0 && session_record(chat, n - 1)->serial == 0)
        n--;
    for (uint32_t session = 0; session < n && r == 0; session++) {
        bool is_used = session_record(chat, session)->serial != 0;

        slots_count(&chat->session_slots, is_used);
        if (is_used)
            r = restore_session(chat, session);
    }
    return r > 0 ? RESTORE_DAMAGED : error_trace(r);
}

static int restore_rooms(Chat *chat, uint32_t n)
{
    const RoomRecord *rooms = chat->state.rooms;
    int r = 0;

    while (n > 0 && rooms[n - 1].created_wall == 0)
        n--;
    for (uint32_t room = 0; room < n && r == 0; room++) {
        slots_count(&chat->room_slots, rooms[room].created_wall != 0);
        if (rooms[room].created_wall == 0)
            continue;
        r = room_index(chat, room, &rooms[room].name);
        if (rooms[room].n_came + rooms[room].n_left + rooms[room].n_renamed > 0)
            chat->next_summary = chat->now;
        if (rooms[room].flags & ROOM_CLOSING)
            chat->close_from = 0;
        chat->has_strangers |= !!(rooms[room].flags & ROOM_STRANGERS);
    }
    return r > 0 ? RESTORE_DAMAGED : error_trace(r);
}

/* Who came into a room first, of those who are there, and into which room somebody came first: both are seen.
 */
static int compare_order(const void *a, const void *b, void *userdata)
{
    const MemberRecord *members = userdata;
    uint64_t first = members[*(const uint32_t *) a].order, second = members[*(const uint32_t *) b].order;

    return first < second ? -1 : first > second;
}

static int restore_members(Chat *chat, uint32_t n)
{
    const MemberRecord *members = chat->state.members;
    uint32_t *order, n_used = 0;

    while (n > 0 && members[n - 1].joined == 0)
        n--;
    order = malloc(sizeof *order * ((size_t) n + 1));
    if (order == NULL)
        return error_origin(-ENOMEM);
    for (uint32_t member = 0; member < n; member++) {
        slots_count(&chat->member_slots, members[member].joined != 0);
        if (members[member].joined != 0)
            order[n_used++] = member;
    }
    qsort_r(order, n_used, sizeof *order, compare_order, (void *) (uintptr_t) members);
    for (uint32_t i = 0; i < n_used; i++)
        room_link(chat, order[i], members[order[i]].session, members[order[i]].room);
    free(order);
    return 0;
}

static void restore_rules(Chat *chat, uint32_t n)
{
    const RuleRecord *rules = chat->state.rules;

    while (n > 0 && rules[n - 1].number == 0)
        n--;
    for (uint32_t rule = 0; rule < n; rule++)
        slots_count(&chat->rule_slots, rules[rule].number != 0);
}

static void restore_invites(Chat *chat, uint32_t n)
{
    const InviteRecord *invites = chat->state.invites;

    while (n > 0 && invites[n - 1].whom == 0)
        n--;
    for (uint32_t invite = 0; invite < n; invite++) {
        slots_count(&chat->invite_slots, invites[invite].whom != 0);
        if (invites[invite].whom != 0)
            invite_count(chat, &invites[invite]);
    }
}

/* What only the lists can tell of a session: `last_seen` has for each room the last session that was seen in
 * it, plus 1. */
static const char *find_fault(const Chat *chat, uint32_t session, uint32_t *last_seen)
{
    uint32_t member = chat->sessions[session].first_member;

    if (room_member(chat, session_record(chat, session)->current_room, session) == SLOT_NONE)
        return "a session is not in its current room";
    if (chat->sessions[session].n_rooms > chat_room_bound(chat))
        return "a session is in too many rooms";
    for (; member != SLOT_NONE; member = chat->members[member].next_of_session) {
        uint32_t *seen = &last_seen[chat->state.members[member].room];

        if (*seen == session + 1)
            return "a session is in a room twice";
        *seen = session + 1;
        if (room_member(chat, chat->state.members[member].room, person_next(chat, session)) == SLOT_NONE)
            return "the sessions of a person are in different rooms";
    }
    return NULL;
}

static const char *find_fault_of_room(const Chat *chat, uint32_t room)
{
    bool is_empty = chat->rooms[room].n_members == 0;

    if (chat->state.rooms[room].created_wall == 0)
        return NULL;
    if (is_empty && room != ROOM_LOBBY && !keep_is_kept(chat, room))
        return "a room has nobody in it";
    if (room != ROOM_LOBBY && is_empty != (chat->state.rooms[room].empty_since != 0))
        return "whether somebody is in a room";
    return chat->rooms[room].n_invites > LIMIT_INVITES_ROOM ? "too many are invited into a room" : NULL;
}

/* Everybody is somewhere, and every room that is not kept has somebody. 0, or -ENOMEM. */
static int find_stray(const Chat *chat, const char **ret_why)
{
    uint32_t *last_seen = calloc(chat->room_slots.n_touched + 1, sizeof *last_seen);

    if (last_seen == NULL)
        return error_origin(-ENOMEM);
    *ret_why = NULL;
    for (uint32_t session = 0; session < chat->session_slots.n_touched && *ret_why == NULL; session++)
        if (session_record(chat, session)->serial != 0)
            *ret_why = find_fault(chat, session, last_seen);
    for (uint32_t room = 0; room < chat->room_slots.n_touched && *ret_why == NULL; room++)
        *ret_why = find_fault_of_room(chat, room);
    free(last_seen);
    return 0;
}

int restore_run(Chat *chat)
{
    StateUse use = state_use(&chat->state);
    const char *why;
    int r;

    r = check_state(&chat->state, &use, &why);
    if (r < 0)
        return error_trace(r);
    if (why == NULL) {
        why = "two have one name";
        r = restore_sessions(chat, use.n_sessions);
        if (r == 0)
            r = restore_rooms(chat, use.n_rooms);
        if (r == 0)
            r = restore_members(chat, use.n_members);
        if (r == 0)
            restore_invites(chat, use.n_invites);
        if (r == 0)
            r = find_stray(chat, &why);
        restore_rules(chat, use.n_rules);
        if (r < 0)
            return error_trace(r);
    }
    if (why != NULL) {
        log_event(chat->log, (LogEvent){.priority = LOG_ERR, .id = LOG_ID_STATE_REFUSED},
                  "The state of the last process is damaged: %s.", why);
        return RESTORE_DAMAGED;
    }
    state_barrier();
    crash_point();
    chat->state.header->flushed = chat->state.header->head;
    return 0;
}
