/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include "base/config.h"
#include "base/macro.h"
#include "chat/ignore.h"
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

/* Whether that is ignored: the name as `who` bears it, or who bears it. */
static bool is_meant(const IgnoredRecord *record, uint64_t hash, uint64_t who)
{
    uint64_t kind = record->serial & IGNORED_KINDS, serial = who & ~IGNORED_KINDS;

    return (record->hash == hash && (kind == 0 || who == 0 || (who & kind))) ||
           (serial != 0 && (record->serial & ~IGNORED_KINDS) == serial);
}

static bool has(const Chat *chat, uint32_t session, uint64_t hash, uint64_t who)
{
    const IgnoredRecord *records = ignore_records(chat, session);

    for (uint8_t i = 0; i < chat->sessions[session].n_ignored; i++)
        if (is_meant(&records[i], hash, who))
            return true;
    return false;
}

bool ignore_has(const Chat *chat, uint32_t session, const Entry *entry)
{
    return has(chat, session, entry->from_hash,
               entry->from | (entry->is_verified ? IGNORED_VERIFIED : IGNORED_GUEST));
}

bool ignore_has_bearer(const Chat *chat, uint32_t session, uint32_t bearer)
{
    return has(chat, session, chat->sessions[bearer].nick_hash, ignore_who(chat, bearer));
}

bool ignore_has_name(const Chat *chat, uint32_t session, const Name *nick, bool is_verified)
{
    return has(chat, session, ignore_hash(nick), is_verified ? IGNORED_VERIFIED : IGNORED_GUEST);
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

bool ignore_add(Chat *chat, uint32_t session, const Name *nick, uint64_t who)
{
    uint8_t n = chat->sessions[session].n_ignored;

    if (n >= MIN(chat->config->max_ignores, chat->state.header->max_ignored))
        return false;
    *state_edit_ignored(&chat->state, &ignore_records(chat, session)[n]) =
        (IgnoredRecord){.hash = ignore_hash(nick), .serial = who, .name = *nick};
    ignore_set_n(chat, session, (uint8_t) (n + 1));
    return true;
}

bool ignore_remove(Chat *chat, uint32_t session, const Name *nick, uint64_t who)
{
    const IgnoredRecord *records = ignore_records(chat, session);
    uint8_t n = chat->sessions[session].n_ignored, n_before = n;
    uint64_t hash = ignore_hash(nick);

    for (uint8_t i = 0; i < n;) {
        if (!is_meant(&records[i], hash, who))
            i++;
        else if (i != --n)
            *state_edit_ignored(&chat->state, &records[i]) = records[n];
    }
    ignore_set_n(chat, session, n);
    return n < n_before;
}

const IgnoredRecord *ignore_nth(const Chat *chat, uint32_t session, uint32_t n)
{
    return n < chat->sessions[session].n_ignored ? &ignore_records(chat, session)[n] : NULL;
}

void ignore_copy(Chat *chat, uint32_t to, uint32_t from)
{
    const IgnoredRecord *source = ignore_records(chat, from), *records = ignore_records(chat, to);
    uint8_t n = chat->sessions[from].n_ignored;

    for (uint8_t i = 0; i < n; i++)
        *state_edit_ignored(&chat->state, &records[i]) = source[i];
    ignore_set_n(chat, to, n);
}
