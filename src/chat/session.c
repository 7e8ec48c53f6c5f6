/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/error.h"
#include "base/macro.h"
#include "chat/ignore.h"
#include "chat/mail.h"
#include "chat/peer.h"
#include "chat/person.h"
#include "chat/room.h"
#include "chat/session.h"

uint32_t session_find_account(const Chat *chat, uint32_t uid)
{
    const uint32_t *session = index_find(&chat->accounts, &uid, sizeof uid);

    return session != NULL ? *session : SLOT_NONE;
}

/* One more session of a person who is there has the nick of the others, or none. */
static int nick_add(Chat *chat, uint32_t session, const Name *nick)
{
    uint32_t uid = session_record(chat, session)->peer.uid, bearer = session_find(chat, nick);
    bool is_verified = person_is_verified(chat, session);
    uint32_t other = is_verified ? session_find_account(chat, uid) : SLOT_NONE;
    NameKey key;
    int r = 0;

    if (bearer != SLOT_NONE ? !person_is_same(chat, bearer, session) : other != SLOT_NONE)
        return SESSION_NICK_TAKEN;
    name_fold(nick->bytes, nick->n, &key);
    if (bearer != SLOT_NONE)
        person_link(chat, session, bearer);
    else
        r = index_add(&chat->nicks, key.bytes, key.n, session);
    if (r == 0 && is_verified && other == SLOT_NONE)
        r = index_add(&chat->accounts, &uid, sizeof uid, session);
    chat->sessions[session].nick_hash = chat_name_hash(&key);
    return error_trace(r);
}

/* What led to `session` leads to another session of its person, or is removed. */
static void index_leave(Index *index, const void *key, size_t n, uint32_t session, uint32_t other)
{
    uint32_t *found = index_find(index, key, n);

    if (other == session)
        index_remove(index, key, n);
    else if (*found == session)
        *found = other;
}

static void nick_remove(Chat *chat, uint32_t session, const Name *nick)
{
    uint32_t other = person_next(chat, session), uid = session_record(chat, session)->peer.uid;
    NameKey key;

    name_fold(nick->bytes, nick->n, &key);
    index_leave(&chat->nicks, key.bytes, key.n, session, other);
    if (person_is_verified(chat, session))
        index_leave(&chat->accounts, &uid, sizeof uid, session, other);
    person_unlink(chat, session);
}

static void guest_name(Chat *chat, Name *ret_name)
{
    *ret_name = (Name){0};
    ret_name->n = (uint8_t) snprintf(ret_name->bytes, sizeof ret_name->bytes, "guest%" PRIu64,
                                     state_edit_counters(&chat->state)->next_guest++);
}

static int nick_add_guest(Chat *chat, uint32_t session)
{
    Name nick;
    int r;

    do {
        guest_name(chat, &nick);
        r = nick_add(chat, session, &nick);
    } while (r == SESSION_NICK_TAKEN);
    state_edit_session(&chat->state, session)->nick = nick;
    return error_trace(r);
}

static bool address_is_full(const Chat *chat, uint64_t place)
{
    const uint32_t *n = index_find(&chat->addresses, &place, sizeof place);
    uint32_t max = chat->config->max_clients_per_address;

    return max != 0 && n != NULL && *n >= max;
}

static int address_add(Chat *chat, uint64_t place)
{
    uint32_t *n = index_find(&chat->addresses, &place, sizeof place);

    if (n == NULL)
        return index_add(&chat->addresses, &place, sizeof place, 1);
    ++*n;
    return 0;
}

static void address_remove(Chat *chat, const Peer *peer)
{
    uint64_t place = peer_place(peer);
    uint32_t *n = index_find(&chat->addresses, &place, sizeof place);
    if (--*n == 0)
        index_remove(&chat->addresses, &place, sizeof place);
}

static void session_init(Chat *chat, uint32_t session, const Peer *peer)
{
    StateHeader *header = state_edit_counters(&chat->state);
    SessionSide *side = &chat->sessions[session];

    *state_edit_session(&chat->state, session) = (SessionRecord){
        .serial = header->next_serial++,
        .settings = SETTINGS_STANDARD,
        .current_room = ROOM_LOBBY,
        .connected = (uint32_t) (chat->wall / USEC_PER_SEC),
        .spoke = (uint32_t) (chat->wall / USEC_PER_SEC),
        .peer = *peer,
    };
    /* A place that was just given back may still be on the list of this turn. */
    *side = (SessionSide){
        .first_member = SLOT_NONE,
        .lag_previous = SLOT_NONE,
        .lag_next = SLOT_NONE,
        .next_of_person = session,
        .is_touched = side->is_touched,
        .chain = side->chain,
    };
}

/* What a newcomer is shown of its room comes before everything else it reads. */
static void session_show_history(Chat *chat, uint32_t session, uint32_t room)
{
    SessionRecord *record = state_edit_session(&chat->state, session);
    TranscriptSpan span;

    if (room_history(chat, room, chat->config->history, &span)) {
        record->replay = span.first;
        record->replay_last = span.last;
    }
}

/* Whether there are places in all rooms of its person for one more session; each to come keeps one, too. */
static bool has_places(const Chat *chat, uint32_t other)
{
    uint64_t to_come = chat->state.header->max_sessions - chat_n_sessions(chat);
    uint64_t n = other != SLOT_NONE ? chat->sessions[other].n_rooms : 1;

    return slots_n_used(&chat->member_slots) + to_come - 1 + n <= chat->state.header->max_members;
}

/* The nick of an account that nobody is there from: its name, or with a number if the owner of another
 * account is called that. *ret_bearer is the guest who bears it; SLOT_NONE: nobody does. */
static void account_nick(const Chat *chat, const Identity *identity, Name *ret_nick, uint32_t *ret_bearer)
{
    uint32_t bearer;

    *ret_nick = identity->nick;
    for (unsigned n = 2;; n++) {
        bearer = session_find(chat, ret_nick);
        if (bearer == SLOT_NONE || !person_is_verified(chat, bearer))
            break;
        name_number(&identity->nick, n, ret_nick);
    }
    *ret_bearer = bearer;
}

/*
 * While somebody is here whose account had the same uid and another name, because it was renamed or the uid
 * was given to somebody else, its owner of now is a guest (NULL): one uid is one person, who hears what is
 * said to it and bears one name, and either may be a stranger to the other.
 */
static const Identity *identity_now(const Chat *chat, const Identity *identity)
{
    uint32_t other = identity != NULL ? session_find_account(chat, identity->uid) : SLOT_NONE;

    if (other != SLOT_NONE && !name_is_of_login(&session_record(chat, other)->nick, &identity->nick))
        return NULL;
    return identity;
}

int session_may_open(const Chat *chat, const Peer *peer, const Identity *identity)
{
    uint32_t max = chat->config->max_clients != 0 ? chat->config->max_clients : UINT32_MAX;
    uint32_t other =
        identity_now(chat, identity) != NULL ? session_find_account(chat, identity->uid) : SLOT_NONE;

    if (address_is_full(chat, peer_place(peer)))
        return SESSION_ADDRESS_FULL;
    if (other != SLOT_NONE && person_n_sessions(chat, other) >= LIMIT_PERSON_SESSIONS)
        return SESSION_PERSON_FULL;
    max = MIN(max, chat->state.header->max_sessions);
    return chat_n_sessions(chat) >= max || !has_places(chat, other) ? SESSION_FULL : 0;
}

void session_reserve(Chat *chat, const Identity *identity)
{
    uint32_t bearer = SLOT_NONE;
    Name nick;

    if (identity != NULL && session_find_account(chat, identity->uid) == SLOT_NONE)
        account_nick(chat, identity, &nick, &bearer);
    chat_reserve(chat, bearer);
}

/* Whoever has a name that is somebody's by right becomes a guest. */
static int session_displace(Chat *chat, uint32_t session)
{
    Name guest;
    int r;

    do {
        guest_name(chat, &guest);
        r = session_rename(chat, session, &guest);
    } while (r == SESSION_NICK_TAKEN);
    if (r < 0)
        return error_trace(r);
    chat_reply(chat, session,
               "The name you had is that of an account of this host, whose owner has come. You are now %s.",
               guest.bytes);
    return 0;
}

static int nick_add_account(Chat *chat, uint32_t session, const Identity *identity)
{
    SessionRecord *record = state_edit_session(&chat->state, session);
    uint32_t other = session_find_account(chat, identity->uid), bearer = SLOT_NONE;
    int r = 0;

    if (other != SLOT_NONE)
        record->nick = session_record(chat, other)->nick;
    else
        account_nick(chat, identity, &record->nick, &bearer);
    if (bearer != SLOT_NONE)
        r = session_displace(chat, bearer);
    if (r == 0)
        r = nick_add(chat, session, &record->nick);
    return r > 0 ? error_fold(r) : error_trace(r);
}

static int session_identify(Chat *chat, uint32_t session, const Identity *identity)
{
    int r;

    if (identity_now(chat, identity) == NULL)
        return error_trace(nick_add_guest(chat, session));
    state_edit_session(&chat->state, session)->standing = STANDING_VERIFIED;
    r = nick_add_account(chat, session, identity);
    if (r == 0 && identity->is_operator)
        state_edit_session(&chat->state, session)->standing |= STANDING_IN_GROUP;
    if (r == 0)
        person_judge(chat, session);
    return error_trace(r);
}

static int session_enter(Chat *chat, uint32_t session)
{
    Name lobby = chat->state.rooms[ROOM_LOBBY].name;
    uint32_t other = person_next(chat, session), room;
    int r;

    if (other != session) {
        person_copy(chat, session, other);
        session_show_history(chat, session, session_record(chat, session)->current_room);
        room_follow(chat, session, other);
        return 0;
    }
    session_show_history(chat, session, ROOM_LOBBY);
    r = room_join(chat, session, &lobby, &room);
    return r > 0 ? error_fold(r) : error_trace(r);
}

/* Why the owner of an account is a guest. */
static void tell_older(Chat *chat, uint32_t session, uint32_t other)
{
    chat_reply(
        chat, session,
        "Your account had another name, %s, when somebody connected who is still here. You are a guest "
        "until they have left; then connect again.",
        session_record(chat, other)->nick.bytes);
}

int session_open(Chat *chat, const Peer *peer, const Identity *identity, uint32_t *ret_session)
{
    uint32_t session = slots_take(&chat->session_slots);
    SessionRecord *record;
    int r;

    assert(session != SLOT_NONE);
    session_init(chat, session, peer);
    r = address_add(chat, peer_place(peer));
    if (r == 0)
        r = session_identify(chat, session, identity);
    if (r == 0)
        r = session_enter(chat, session);
    if (r < 0)
        return error_trace(r);
    record = state_edit_session(&chat->state, session);
    person_note_seen(chat, session);
    if (person_is_verified(chat, session) && person_next(chat, session) == session)
        mail_expect(chat, session);
    record->greet_others = chat_n_people(chat) - 1;
    record->cursor = chat->state.header->head;
    if (identity != NULL && !person_is_verified(chat, session))
        tell_older(chat, session, session_find_account(chat, identity->uid));
    *ret_session = session;
    return 0;
}

static void lagging_link(Chat *chat, uint32_t session)
{
    SessionSide *side = &chat->sessions[session];

    side->lag_previous = SLOT_NONE;
    side->lag_next = chat->first_lagging;
    if (side->lag_next != SLOT_NONE)
        chat->sessions[side->lag_next].lag_previous = session;
    chat->first_lagging = session;
}

static void lagging_unlink(Chat *chat, uint32_t session)
{
    const SessionSide *side = &chat->sessions[session];

    if (side->lag_next != SLOT_NONE)
        chat->sessions[side->lag_next].lag_previous = side->lag_previous;
    if (side->lag_previous != SLOT_NONE)
        chat->sessions[side->lag_previous].lag_next = side->lag_next;
    else
        chat->first_lagging = side->lag_next;
}

int session_restore(Chat *chat, uint32_t session)
{
    const SessionRecord *record = session_record(chat, session);
    int r;

    if (record->flags & SESSION_LAGGING)
        lagging_link(chat, session);
    r = address_add(chat, peer_place(&record->peer));
    if (r == 0)
        r = nick_add(chat, session, &record->nick);
    if (r == 0 && person_is_verified(chat, session) && person_next(chat, session) == session)
        mail_expect(chat, session);
    return r > 0 ? r : error_trace(r);
}

void session_end(Chat *chat, uint32_t session)
{
    SessionRecord *record;

    if (session_record(chat, session)->flags & SESSION_ENDING)
        return;
    record = state_edit_session(&chat->state, session);
    record->flags |= SESSION_ENDING;
    record->end = chat->state.header->head;
    mail_pass_on(chat, session);
    chat_touch_session(chat, session);
}

void session_expel(Chat *chat, uint32_t session)
{
    session_end(chat, session);
    state_edit_session(&chat->state, session)->standing |= STANDING_EXPELLED;
}

void session_close(Chat *chat, uint32_t session)
{
    SessionRecord *record = state_edit_session(&chat->state, session);
    uint32_t member, other;

    while ((member = chat->sessions[session].first_member) != SLOT_NONE)
        room_drop(chat, session, chat->state.members[member].room);
    person_note_seen(chat, session);
    mail_pass_on(chat, session);
    mail_forget(chat, session);
    session_set_lagging(chat, session, false);
    other = person_next(chat, session);
    nick_remove(chat, session, &record->nick);
    if (other != session)
        person_judge(chat, other);
    address_remove(chat, &record->peer);
    record->serial = 0;
    slots_give(&chat->session_slots, session);
}

int session_rename(Chat *chat, uint32_t session, const Name *nick)
{
    uint32_t bearer = session_find(chat, nick), member;
    Name old = session_record(chat, session)->nick;
    int r;

    if (bearer != SLOT_NONE && bearer != session)
        return SESSION_NICK_TAKEN;
    for (member = chat->sessions[session].first_member; member != SLOT_NONE;
         member = chat->members[member].next_of_session)
        room_announce(chat, chat->state.members[member].room, ENTRY_RENAMED, session, nick->bytes, nick->n);
    person_note_seen(chat, session);
    nick_remove(chat, session, &old);
    r = nick_add(chat, session, nick);
    state_edit_session(&chat->state, session)->nick = *nick;
    person_note_seen(chat, session);
    return r > 0 ? error_fold(r) : error_trace(r);
}

uint32_t session_find(const Chat *chat, const Name *nick)
{
    uint32_t *session;
    NameKey key;

    name_fold(nick->bytes, nick->n, &key);
    session = index_find(&chat->nicks, key.bytes, key.n);
    return session != NULL ? *session : SLOT_NONE;
}

uint64_t session_cursor(const Chat *chat, uint32_t session)
{
    const SessionRecord *record = session_record(chat, session);

    if (record->flags & SESSION_LAGGING)
        return record->cursor;
    return MAX(record->cursor, chat->state.header->flushed);
}

bool session_hears(const Chat *chat, uint32_t session, const Entry *entry)
{
    const SessionRecord *record = session_record(chat, session);
    uint32_t member;

    if (entry->kind == ENTRY_NOTE || entry->is_recalled || entry->is_taken_back ||
        ((record->flags & SESSION_ENDING) && entry->pos >= record->end))
        return false;
    if (entry->to == PERSON_EVERYBODY)
        return entry->from != record->serial;
    if (entry->to != 0)
        return (entry->to == record->serial || entry->to == person_address(chat, session)) &&
               (entry->kind != ENTRY_PRIVATE || !ignore_has(chat, session, entry));
    if (entry->from == record->serial)
        return false;
    member = room_member(chat, entry->room, session);
    if (member == SLOT_NONE || entry->pos < chat->state.members[member].joined)
        return false;
    if (entry_is_speech(entry))
        return !ignore_has(chat, session, entry);
    return entry_is_about_room(entry) || (record->settings & SETTING_JOINS);
}

void session_set_lagging(Chat *chat, uint32_t session, bool is_lagging)
{
    /* One store, and true at any time: it needs no transaction. */
    SessionRecord *record = (SessionRecord *) (uintptr_t) session_record(chat, session);

    if (is_lagging == !!(record->flags & SESSION_LAGGING))
        return;
    record->flags ^= SESSION_LAGGING;
    if (is_lagging)
        lagging_link(chat, session);
    else
        lagging_unlink(chat, session);
}

/* The oldest part of what is being replayed to it is overwritten. Returns the lines it loses. */
static uint32_t lose_replay(Chat *chat, uint32_t session, uint64_t tail)
{
    SessionRecord *record = state_edit_reading(&chat->state, session);
    const Entry *entry = transcript_at(&chat->transcript, record->replay_last);
    uint64_t first = 0;
    uint32_t n = 0;

    while (entry != NULL && entry->pos >= record->replay) {
        if (entry->pos >= tail)
            first = entry->pos;
        else if (!entry->is_taken_back && !ignore_has(chat, session, entry))
            n++;
        entry = transcript_at(&chat->transcript, entry->prev);
    }
    record->replay = first;
    if (first == 0)
        record->replay_last = 0;
    return n;
}

static uint32_t lose_unread(Chat *chat, uint32_t session, uint64_t tail)
{
    SessionRecord *record = state_edit_reading(&chat->state, session);
    uint64_t pos = record->cursor;
    const Entry *entry;
    uint32_t n = 0;

    while ((entry = transcript_read(&chat->transcript, &pos)) != NULL && pos < tail) {
        if (session_hears(chat, session, entry))
            n += entry_n_lines(entry);
        pos += entry->size;
    }
    record->cursor = tail;
    return n;
}

void session_fall_behind(Chat *chat, uint32_t session)
{
    if (session_record(chat, session)->flags & SESSION_LAGGING)
        return;
    state_edit_reading(&chat->state, session)->cursor = session_cursor(chat, session);
    state_commit(&chat->state);
    session_set_lagging(chat, session, true);
}

/* One turn gave more than the ring holds: then nobody has kept up with it. */
static void session_lag_all(Chat *chat)
{
    for (uint32_t session = 0; session < chat->session_slots.n_touched; session++)
        if (session_record(chat, session)->serial != 0)
            session_fall_behind(chat, session);
}

/* The item it is in the middle of can not be finished. Where a line of it was begun, the next notice ends
 * that. */
static void session_cut(SessionRecord *record)
{
    if (record->is_within_line)
        record->flags |= SESSION_CUT;
    record->written = 0;
}

/* Loses what one session has not read below `tail`. */
static void session_lose_one(Chat *chat, uint32_t session, uint64_t tail)
{
    SessionRecord *record = state_edit_reading(&chat->state, session);
    bool in_entry = record->written > 0 && (record->flags & SESSION_GREETED) && record->missed == 0;
    bool loses_current = (record->replay != 0 ? record->replay : record->cursor) < tail;
    uint32_t n = 0;

    if (record->replay != 0 && record->replay < tail)
        n += lose_replay(chat, session, tail);
    if (record->cursor < tail)
        n += lose_unread(chat, session, tail);
    if (in_entry && loses_current) {
        /* Some of its lines have been sent; and it may have been begun before its reader stopped hearing the
         * like of it. */
        n = MAX(n - MIN(n, (uint32_t) record->written_lines), 1U);
        session_cut(record);
    }
    record->lost += n;
    state_commit(&chat->state);
}

void session_lose(Chat *chat, uint64_t tail)
{
    if (tail > chat->state.header->flushed)
        session_lag_all(chat);
    for (uint32_t session = chat->first_lagging; session != SLOT_NONE;
         session = chat->sessions[session].lag_next) {
        const SessionRecord *record = session_record(chat, session);

        if (record->cursor < tail || (record->replay != 0 && record->replay < tail))
            session_lose_one(chat, session, tail);
    }
}

static void cut_greeting(Chat *chat, uint32_t session)
{
    SessionRecord *record;

    if (session_record(chat, session)->written == 0 ||
        (session_record(chat, session)->flags & SESSION_GREETED))
        return;
    record = state_edit_reading(&chat->state, session);
    record->flags |= SESSION_GREETED;
    session_cut(record);
    record->lost++;
}

void session_cut_greetings(Chat *chat)
{
    for (uint32_t session = chat->first_lagging; session != SLOT_NONE;
         session = chat->sessions[session].lag_next)
        cut_greeting(chat, session);
}
