/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/macro.h"
#include "chat/ignore.h"
#include "chat/mail.h"
#include "chat/note.h"
#include "chat/person.h"
#include "chat/session.h"

enum { KINDS_SHIFT = 62 }; /* of IGNORED_KINDS */

/* After an answer that was none. */
#define MAIL_RETRY_USEC (10 * USEC_PER_SEC)

void mail_note_settings(Chat *chat, uint32_t session)
{
    const IgnoredRecord *ignored;
    Note note;

    if (!person_is_verified(chat, session))
        return;
    memset(&note, 0, sizeof note);
    note.kind = NOTE_SETTINGS;
    note.settings.bits = session_record(chat, session)->settings;
    while ((ignored = ignore_nth(chat, session, note.settings.n_ignored)) != NULL) {
        NoteIgnored *to = &note.settings.ignored[note.settings.n_ignored++];

        to->name = ignored->name;
        to->kinds = (uint8_t) (ignored->serial >> KINDS_SHIFT);
        to->place = ignored_is_place(ignored) ? ignored->hash : 0;
    }
    note_append(chat, SLOT_NONE, session, &note);
}

void mail_leave(Chat *chat, uint32_t from, const Name *to, uint32_t to_uid, const char *text, size_t n)
{
    Note note;

    memset(&note, 0, sizeof note);
    note.kind = NOTE_MESSAGE;
    note.message.to = *to;
    note.message.to_uid = to_uid;
    note.message.n = (uint16_t) n;
    memcpy(note.message.text, text, n);
    note_append(chat, SLOT_NONE, from, &note);
}

void mail_expect(Chat *chat, uint32_t session)
{
    if (chat->sessions[session].is_expecting)
        return;
    chat->sessions[session].is_expecting = true;
    chat->n_expecting++;
}

void mail_forget(Chat *chat, uint32_t session)
{
    if (!chat->sessions[session].is_expecting)
        return;
    chat->sessions[session].is_expecting = false;
    chat->n_expecting--;
}

/* What is not right is left out. */
static void take_ignored(Chat *chat, uint32_t session, const NoteIgnored *ignored)
{
    uint64_t kinds = (uint64_t) ignored->kinds << KINDS_SHIFT;
    Name name;

    if (ignored->name.n > NAME_MAX_BYTES || ignored->kinds > IGNORED_KINDS >> KINDS_SHIFT)
        return;
    if (name_parse_nick(ignored->name.bytes, ignored->name.n, &name) != 0)
        name = (Name){0};
    if (kinds == IGNORED_PLACE && ignored->place != 0)
        (void) ignore_add_place(chat, session, ignored->place, &name);
    else if (kinds != IGNORED_PLACE && name.n > 0)
        (void) ignore_add(chat, session, &name, kinds);
}

/* Whoever has changed something meanwhile keeps that. */
static void take_settings(Chat *chat, uint32_t session, const NoteSettings *settings)
{
    const SessionRecord *record = session_record(chat, session);
    uint32_t each = session;

    if (record->settings != SETTINGS_STANDARD || record->n_ignored > 0)
        return;
    do {
        state_edit_session(&chat->state, each)->settings = settings->bits & SETTINGS_ALL;
        for (uint8_t i = 0; i < settings->n_ignored; i++)
            take_ignored(chat, each, &settings->ignored[i]);
    } while ((each = person_next(chat, each)) != session);
}

static void hand_over(Chat *chat, uint32_t session, const PersonRecalled *person)
{
    Answer *answer = &chat->answer;

    for (uint64_t i = 0; i < person->n_mails; i++) {
        const MailRecord *mail = &person->mails[i];
        const Note delivered = {.kind = NOTE_DELIVERED, .number = mail->id};
        char when[CLOCK_TEXT_MAX];

        note_append(chat, SLOT_NONE, SLOT_NONE, &delivered);
        if (ignore_has_name(chat, session, &mail->from, mail->is_verified))
            continue;
        clock_format(mail->wall, when);
        chat_answer(chat, "%s%s%s left a message for you on %s: %.*s", answer->n > 0 ? "\n" : "",
                    mail->from.bytes, mail->is_verified ? MARK_ASCII : "", when, mail->n, mail->text);
    }
    if (answer->n > 0)
        chat_tell_person(chat, session, ENTRY_REPLY, SLOT_NONE, answer->text, answer->n);
    answer->n = 0;
}

/* True: nothing more is to be expected. */
static bool mail_serve(Chat *chat, uint32_t session)
{
    const SessionRecord *record = session_record(chat, session);
    Recall recall = {.kind = RECALL_PERSON, .asker = record->serial, .uid = record->peer.uid};
    PersonRecalled person;
    Recalled recalled;

    name_fold(record->nick.bytes, record->nick.n, &recall.nick);
    switch (chat_recall(chat, &recall, &recalled)) {
    case RECALL_ABSENT:
        return true;
    case RECALL_AWAITED:
        return false;
    case RECALL_ANSWERED:
        break;
    }
    if (recalled.trouble != NULL || recalled.n != sizeof person) {
        chat->next_mail = chat->now + MAIL_RETRY_USEC;
        return false;
    }
    memcpy(&person, recalled.bytes, sizeof person);
    chat_reserve(chat, session);
    if (person.settings.kind == NOTE_SETTINGS)
        take_settings(chat, session, &person.settings.settings);
    hand_over(chat, session, &person);
    chat_commit(chat);
    return !recalled.is_more;
}

void mail_tick(Chat *chat)
{
    for (uint32_t session = 0; session < chat->session_slots.n_touched && chat->n_expecting > 0; session++) {
        const SessionSide *side = &chat->sessions[session];
        const SessionRecord *record = session_record(chat, session);

        if (!side->is_expecting || chat_turn_is_full(chat) || chat->now < chat->next_mail)
            continue;
        /* It hears that after its greeting. */
        if (record->serial != 0 && !(record->flags & (SESSION_GREETED | SESSION_ENDING)))
            continue;
        if (record->serial != 0 && !(record->flags & SESSION_ENDING) && !mail_serve(chat, session))
            continue;
        mail_forget(chat, session);
    }
}
