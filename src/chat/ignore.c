/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include "base/config.h"
#include "base/macro.h"
#include "chat/ignore.h"

/* The names of one session stand without gaps; how many there are is in its side. */
static IgnoredRecord *ignore_records(const Chat *chat, uint32_t session)
{
    return chat->state.ignored + (size_t) chat->state.header->max_ignored * session;
}

static uint64_t ignore_hash(const Name *nick)
{
    NameKey key;

    name_fold(nick->bytes, nick->n, &key);
    return chat_name_hash(&key);
}

bool ignore_has(const Chat *chat, uint32_t session, uint64_t serial, uint64_t name_hash)
{
    const IgnoredRecord *records = ignore_records(chat, session);

    for (uint8_t i = 0; i < chat->sessions[session].n_ignored; i++)
        if (records[i].hash == name_hash || records[i].serial == serial)
            return true;
    return false;
}

bool ignore_add(Chat *chat, uint32_t session, const Name *nick, uint64_t serial)
{
    SessionSide *side = &chat->sessions[session];

    if (side->n_ignored >= MIN(chat->config->max_ignores, chat->state.header->max_ignored))
        return false;
    ignore_records(chat, session)[side->n_ignored++] =
        (IgnoredRecord){.hash = ignore_hash(nick), .serial = serial, .name = *nick};
    return true;
}

bool ignore_remove(Chat *chat, uint32_t session, const Name *nick, uint64_t serial)
{
    IgnoredRecord *records = ignore_records(chat, session);
    SessionSide *side = &chat->sessions[session];
    uint64_t hash = ignore_hash(nick);
    bool is_found = false;

    for (uint8_t i = 0; i < side->n_ignored;) {
        if (records[i].hash != hash && (serial == 0 || records[i].serial != serial)) {
            i++;
            continue;
        }
        records[i] = records[--side->n_ignored];
        records[side->n_ignored].hash = 0;
        is_found = true;
    }
    return is_found;
}

void ignore_clear(Chat *chat, uint32_t session)
{
    SessionSide *side = &chat->sessions[session];

    while (side->n_ignored > 0)
        ignore_records(chat, session)[--side->n_ignored].hash = 0;
}

const Name *ignore_name(const Chat *chat, uint32_t session, uint32_t n)
{
    return n < chat->sessions[session].n_ignored ? &ignore_records(chat, session)[n].name : NULL;
}
