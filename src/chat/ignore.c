/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <string.h>

#include "base/config.h"
#include "base/macro.h"
#include "chat/ignore.h"
#include "chat/peer.h"
#include "chat/person.h"

static const IgnoredRecord *ignore_records(const Chat *chat, uint32_t session)
{
    return chat->state.ignored + (size_t) chat->state.header->max_ignored * session;
}

static uint64_t ignore_hash(const Name *nick)
{
    NameKey key;

    name_fold(nick->bytes, nick->n, &key);
    return chat_name_hash(&key);
}

/* Somebody who might be ignored; `who` as in the header, `place` 0: not known, or it does not matter. */
typedef struct Somebody {
    uint64_t hash, who, place;
} Somebody;

/* Whether that is ignored: the name as `who` bears it, or who bears it, or where they come from. */
static bool is_meant(const IgnoredRecord *record, const Somebody *somebody)
{
    uint64_t kind = record->serial & IGNORED_KINDS, serial = record->serial & ~IGNORED_KINDS;
    uint64_t who = somebody->who;

    if (ignored_is_place(record))
        return somebody->place != 0 && record->hash == somebody->place;
    return (record->hash == somebody->hash && (kind == 0 || who == 0 || (who & kind))) ||
           (serial != 0 && (who & ~IGNORED_KINDS) == serial);
}

static bool has(const Chat *chat, uint32_t session, Somebody somebody)
{
    const IgnoredRecord *records = ignore_records(chat, session);

    for (uint8_t i = 0; i < chat->sessions[session].n_ignored; i++)
        if (is_meant(&records[i], &somebody))
            return true;
    return false;
}

bool ignore_has(const Chat *chat, uint32_t session, const Entry *entry)
{
    if (chat->sessions[session].n_ignored == 0)
        return false;
    return has(chat, session,
               (Somebody){.hash = entry->from_hash,
                          .who = entry->from | (entry->is_verified ? IGNORED_VERIFIED : IGNORED_GUEST),
                          .place = entry_place(entry)});
}

bool ignore_has_bearer(const Chat *chat, uint32_t session, uint32_t bearer)
{
    return has(chat, session,
               (Somebody){.hash = chat->sessions[bearer].nick_hash,
                          .who = ignore_who(chat, bearer),
                          .place = ignore_place(chat, bearer)});
}

bool ignore_has_name(const Chat *chat, uint32_t session, const Name *nick, bool is_verified)
{
    return has(chat, session,
               (Somebody){.hash = ignore_hash(nick), .who = is_verified ? IGNORED_VERIFIED : IGNORED_GUEST});
}

uint64_t ignore_who(const Chat *chat, uint32_t bearer)
{
    if (bearer == SLOT_NONE)
        return 0;
    return session_record(chat, bearer)->serial |
           (person_is_verified(chat, bearer) ? IGNORED_VERIFIED : IGNORED_GUEST);
}

static void ignore_set_n(Chat *chat, uint32_t session, uint8_t n)
{
    state_edit_session(&chat->state, session)->n_ignored = n;
    chat->sessions[session].n_ignored = n;
}

uint64_t ignore_place(const Chat *chat, uint32_t bearer)
{
    return person_is_verified(chat, bearer) ? 0 : peer_place(&session_record(chat, bearer)->peer);
}

/* Nothing is left in the bytes behind the name. */
static bool add(Chat *chat, uint32_t session, uint64_t hash, uint64_t serial, const Name *nick)
{
    uint8_t n = chat->sessions[session].n_ignored;
    IgnoredRecord *record;

    if (n >= MIN(chat->config->max_ignores, chat->state.header->max_ignored))
        return false;
    record = state_edit_ignored(&chat->state, &ignore_records(chat, session)[n]);
    memset(record, 0, sizeof *record);
    record->hash = hash;
    record->serial = serial;
    record->name = *nick;
    ignore_set_n(chat, session, (uint8_t) (n + 1));
    return true;
}

bool ignore_add(Chat *chat, uint32_t session, const Name *nick, uint64_t who)
{
    return add(chat, session, ignore_hash(nick), who, nick);
}

bool ignore_add_place(Chat *chat, uint32_t session, uint64_t place, const Name *nick)
{
    return add(chat, session, place, IGNORED_PLACE, nick);
}

static bool drop(Chat *chat, uint32_t session, Somebody somebody)
{
    const IgnoredRecord *records = ignore_records(chat, session);
    uint8_t n = chat->sessions[session].n_ignored, n_before = n;

    for (uint8_t i = 0; i < n;) {
        if (!is_meant(&records[i], &somebody))
            i++;
        else if (i != --n)
            *state_edit_ignored(&chat->state, &records[i]) = records[n];
    }
    ignore_set_n(chat, session, n);
    return n < n_before;
}

bool ignore_remove(Chat *chat, uint32_t session, const Name *nick, uint64_t who)
{
    return drop(chat, session, (Somebody){.hash = ignore_hash(nick), .who = who});
}

bool ignore_remove_place(Chat *chat, uint32_t session, uint64_t place)
{
    return drop(chat, session, (Somebody){.place = place});
}

uint64_t ignore_find_place(const Chat *chat, uint32_t session, const Name *nick)
{
    const IgnoredRecord *record;

    for (uint32_t i = 0; (record = ignore_nth(chat, session, i)) != NULL; i++)
        if (ignored_is_place(record) && name_is_same(&record->name, nick))
            return record->hash;
    return 0;
}

const IgnoredRecord *ignore_nth(const Chat *chat, uint32_t session, uint32_t n)
{
    return n < chat->sessions[session].n_ignored ? &ignore_records(chat, session)[n] : NULL;
}

void ignore_list_names(const Chat *chat, uint32_t session, RecallIgnored ret_ignored[LIMIT_IGNORES])
{
    const IgnoredRecord *record;
    uint32_t n = 0;

    for (uint32_t i = 0; (record = ignore_nth(chat, session, i)) != NULL && n < LIMIT_IGNORES; i++)
        if (!ignored_is_place(record))
            ret_ignored[n++] = (RecallIgnored){.hash = record->hash, .kinds = record->serial & IGNORED_KINDS};
}

bool ignore_names_have(const RecallIgnored ignored[LIMIT_IGNORES], const Name *nick, bool is_verified)
{
    uint64_t hash, kind = is_verified ? IGNORED_VERIFIED : IGNORED_GUEST;

    if (ignored[0].hash == 0)
        return false;
    hash = ignore_hash(nick);
    for (uint32_t i = 0; i < LIMIT_IGNORES && ignored[i].hash != 0; i++)
        if (ignored[i].hash == hash && (ignored[i].kinds == 0 || (ignored[i].kinds & kind)))
            return true;
    return false;
}

void ignore_copy(Chat *chat, uint32_t to, uint32_t from)
{
    const IgnoredRecord *source = ignore_records(chat, from), *records = ignore_records(chat, to);
    uint8_t n = chat->sessions[from].n_ignored;

    for (uint8_t i = 0; i < n; i++)
        *state_edit_ignored(&chat->state, &records[i]) = source[i];
    ignore_set_n(chat, to, n);
}
