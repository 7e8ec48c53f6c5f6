/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <string.h>

#include "base/macro.h"
#include "chat/keep.h"
#include "chat/mail.h"
#include "chat/note.h"
#include "chat/rule.h"
#include "chat/session.h"
#include "host/giving.h"
#include "host/noting.h"
#include "host/server.h"

void noting_begin(Server *server)
{
    server->chat->state.header->is_noting = true; /* one store */
    server->remember.n_rules = server->remember.n_rooms = server->remember.n_people = 0;
    server->remember.taken_back = 0;
}

/* Each of the first `n_max`, as many as a turn allows. False: there are more. */
static bool note_each(Chat *chat, uint32_t *n, uint32_t n_max, void (*note)(Chat *chat, uint32_t which))
{
    for (; *n < n_max && !chat_turn_is_full(chat); ++*n)
        note(chat, *n);
    return *n >= n_max;
}

static void note_rule(Chat *chat, uint32_t which)
{
    const RuleRecord *rule = &chat->state.rules[which];

    if (rule->number == 0)
        return;
    chat_reserve(chat, SLOT_NONE);
    rule_note(chat, rule);
    chat_commit(chat);
}

static void note_person(Chat *chat, uint32_t session)
{
    if (session_record(chat, session)->serial == 0)
        return;
    chat_reserve(chat, SLOT_NONE);
    mail_note_settings(chat, session);
    chat_commit(chat);
}

/* What was taken back while nothing was for the archive, which may have it from before. False: there is more.
 */
static bool note_taken_back(Chat *chat, uint64_t *pos)
{
    const Entry *entry;
    Name name;
    Note note;

    for (;;) {
        *pos = MAX(*pos, chat->state.header->tail); /* which a reservation moves */
        if (*pos >= chat->state.header->archive.from ||
            (entry = transcript_read(&chat->transcript, pos)) == NULL)
            return true;
        *pos += entry->size;
        if (!entry->is_taken_back || !entry_is_speech(entry))
            continue;
        note_of_taken_back(entry, &note);
        name = (Name){.n = entry->room_n};
        memcpy(name.bytes, entry_room(entry), entry->room_n);
        chat_reserve(chat, SLOT_NONE);
        note_append_named(chat, &name, &note);
        chat_commit(chat);
        if (chat_turn_is_full(chat))
            return false;
    }
}

void noting_go_on(Server *server)
{
    Remember *remember = &server->remember;
    Chat *chat = server->chat;

    if (!chat->state.header->is_noting || !giving_is_possible(server))
        return;
    if (!note_each(chat, &remember->n_rules, chat->rule_slots.n_touched, note_rule) ||
        !note_each(chat, &remember->n_rooms, chat->room_slots.n_touched, keep_note) ||
        !note_each(chat, &remember->n_people, chat->session_slots.n_touched, note_person) ||
        !note_taken_back(chat, &remember->taken_back))
        return;
    chat_reserve(chat, SLOT_NONE);
    /* What could not be read is not to be deleted for that. */
    if (chat->state.header->archive.recalled == PAST_KNOWN)
        rule_note_all(chat);
    *(uint64_t *) state_edit(&chat->state, &chat->state.header->is_noting, sizeof(uint64_t)) = false;
    chat_commit(chat);
}
