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

#define MAIL_RETRY_USEC (10 * USEC_PER_SEC)   /* after an answer that was none */
#define MAIL_PATIENCE_USEC (5 * USEC_PER_SEC) /* so long what is set waits for what was set before */
#define GREETING_PATIENCE_USEC USEC_PER_SEC   /* and so long a greeting */

/* Of the person, whichever of their sessions it is. */
static Expects person_expects(const Chat *chat, uint32_t session)
{
    uint32_t each = session;

    /* Without an archive there is no answer. */
    if (chat->n_expecting == 0 || chat->recall == NULL)
        return EXPECTS_NOTHING;
    while (chat->sessions[each].expects == EXPECTS_NOTHING && person_next(chat, each) != session)
        each = person_next(chat, each);
    return chat->sessions[each].expects;
}

bool mail_is_awaited(const Chat *chat, uint32_t session)
{
    return person_expects(chat, session) == EXPECTS_ALL;
}

void mail_note_settings(Chat *chat, uint32_t session)
{
    const IgnoredRecord *ignored;
    Note note;

    if (!person_is_verified(chat, session) || person_expects(chat, session) >= EXPECTS_ALL_LATE)
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
    SessionSide *side = &chat->sessions[session];

    side->expects =
        session_record(chat, session)->standing & STANDING_SETTLED ? EXPECTS_MESSAGES : EXPECTS_ALL;
    side->patience = chat->now + MAIL_PATIENCE_USEC;
    /* Once, also if there is another archive meanwhile. */
    if (side->greet_by == 0)
        side->greet_by = chat->now + GREETING_PATIENCE_USEC;
    chat->n_expecting++;
    chat->mail_due = chat->now;
}

void mail_expect_everybody(Chat *chat)
{
    for (uint32_t session = 0; session < chat->session_slots.n_touched; session++)
        if (session_record(chat, session)->serial != 0 && person_is_verified(chat, session) &&
            person_expects(chat, session) == EXPECTS_NOTHING)
            mail_expect(chat, session);
}

void mail_ask_anew(Chat *chat)
{
    for (uint32_t session = 0; session < chat->session_slots.n_touched; session++) {
        const SessionRecord *record = session_record(chat, session);

        mail_forget(chat, session);
        if (record->serial == 0)
            continue;
        *(uint8_t *) (uintptr_t) &record->standing &= (uint8_t) ~STANDING_SETTLED; /* one store */
        /* It may be another one of that person now that expects something. */
        if (!(record->flags & SESSION_GREETED))
            chat_touch_session(chat, session);
    }
    mail_expect_everybody(chat);
}

void mail_pass_on(Chat *chat, uint32_t session)
{
    SessionSide *side = &chat->sessions[session];
    uint32_t other = person_next(chat, session);

    /* Rather to one that stays. */
    while (person_next(chat, other) != session && (session_record(chat, other)->flags & SESSION_ENDING))
        other = person_next(chat, other);
    if (side->expects == EXPECTS_NOTHING || other == session)
        return;
    chat->sessions[other].expects = side->expects;
    chat->sessions[other].patience = side->patience;
    side->expects = EXPECTS_NOTHING;
    chat->mail_due = chat->now;
}

void mail_forget(Chat *chat, uint32_t session)
{
    if (chat->sessions[session].expects == EXPECTS_NOTHING)
        return;
    chat->sessions[session].expects = EXPECTS_NOTHING;
    chat->n_expecting--;
}

/* Less than before. */
static void expect_only(Chat *chat, uint32_t session, Expects expects)
{
    uint8_t *now = &chat->sessions[session].expects;

    chat->has_settled |= *now == EXPECTS_ALL && expects < EXPECTS_ALL;
    *now = MIN(*now, (uint8_t) expects);
}

static bool is_same(const IgnoredRecord *record, const NoteIgnored *ignored)
{
    if (record->serial >> KINDS_SHIFT != ignored->kinds)
        return false;
    if (ignored_is_place(record))
        return record->hash == ignored->place;
    return record->name.n == ignored->name.n &&
           memcmp(record->name.bytes, ignored->name.bytes, record->name.n) == 0;
}

static bool is_ignored(const Chat *chat, uint32_t session, const NoteIgnored *ignored)
{
    const IgnoredRecord *record;

    for (uint32_t i = 0; (record = ignore_nth(chat, session, i)) != NULL; i++)
        if (is_same(record, ignored))
            return true;
    return false;
}

/* Whether something has been set that is not kept. */
static bool has_more(const Chat *chat, uint32_t session, const NoteSettings *kept)
{
    uint8_t bits = session_record(chat, session)->settings;
    const IgnoredRecord *record;

    for (uint32_t i = 0; (record = ignore_nth(chat, session, i)) != NULL; i++) {
        uint32_t n = 0;

        while (n < kept->n_ignored && !is_same(record, &kept->ignored[n]))
            n++;
        if (n == kept->n_ignored)
            return true;
    }
    return bits != SETTINGS_STANDARD && bits != (kept->bits & SETTINGS_ALL);
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
    if (is_ignored(chat, session, ignored))
        return;
    if (kinds == IGNORED_PLACE && ignored->place != 0)
        (void) ignore_add_place(chat, session, ignored->place, &name);
    else if (kinds != IGNORED_PLACE && name.n > 0)
        (void) ignore_add(chat, session, &name, kinds);
}

/* Whoever has changed something meanwhile keeps that, and whom else they ignored; then that is to be kept. */
static void take_settings(Chat *chat, uint32_t session, const Note *note)
{
    static const NoteSettings standard = {.bits = SETTINGS_STANDARD};
    const NoteSettings *kept = note->kind == NOTE_SETTINGS ? &note->settings : &standard;
    bool is_changed = has_more(chat, session, kept);
    uint8_t bits = session_record(chat, session)->settings;
    uint32_t each = session;

    if (bits == SETTINGS_STANDARD)
        bits = kept->bits & SETTINGS_ALL;
    do {
        SessionRecord *record = state_edit_session(&chat->state, each);

        record->settings = bits;
        record->standing |= STANDING_SETTLED;
        for (uint8_t i = 0; i < kept->n_ignored; i++)
            take_ignored(chat, each, &kept->ignored[i]);
    } while ((each = person_next(chat, each)) != session);
    expect_only(chat, session, EXPECTS_MESSAGES);
    if (is_changed)
        mail_note_settings(chat, session);
}

static void hand_over(Chat *chat, uint32_t session, const PersonRecalled *person)
{
    Answer *answer = &chat->answer;

    for (uint64_t i = 0; i < person->n_mails; i++) {
        const MailRecord *mail = &person->mails[i];
        const Note delivered = {.kind = NOTE_DELIVERED, .delivered = {.id = mail->id, .pos = mail->pos}};
        char when[CLOCK_TEXT_MAX];

        note_append(chat, SLOT_NONE, session, &delivered);
        if (ignore_has_name(chat, session, &mail->from, mail->is_verified))
            continue;
        clock_format(mail->wall, when);
        chat_answer(chat, "%s%s%s left a message for you on %s: %.*s", answer->n > 0 ? "\n" : "",
                    mail->from.bytes, person_mark_if(chat, mail->is_verified, session), when, mail->n,
                    mail->text);
    }
    if (answer->n > 0)
        chat_tell_person(chat, session, ENTRY_REPLY, SLOT_NONE, answer->text, answer->n);
    answer->n = 0;
}

/* Whose greeting waits is given only what they have set. Messages come after that, and are noted as delivered
 * only then: who is just connecting may be lost with the process. */
static void mail_serve(Chat *chat, uint32_t session)
{
    const SessionRecord *record = session_record(chat, session);
    bool is_greeted = record->flags & SESSION_GREETED;
    Recall recall = {.kind = RECALL_PERSON, .asker = record->serial, .uid = record->peer.uid};
    PersonRecalled person;
    Recalled recalled;

    name_fold(record->nick.bytes, record->nick.n, &recall.nick);
    switch (chat_recall(chat, &recall, &recalled)) {
    case RECALL_ABSENT:
        expect_only(chat, session, EXPECTS_MESSAGES);
        mail_forget(chat, session);
        return;
    case RECALL_AWAITED:
        return;
    case RECALL_ANSWERED:
        break;
    }
    if (recalled.trouble != NULL || recalled.n != sizeof person) {
        chat->next_mail = chat->now + MAIL_RETRY_USEC;
        expect_only(chat, session, EXPECTS_ALL_LATE);
        return;
    }
    memcpy(&person, recalled.bytes, sizeof person);
    chat_reserve(chat, session);
    if (chat->sessions[session].expects >= EXPECTS_ALL_LATE)
        take_settings(chat, session, &person.settings);
    if (is_greeted)
        hand_over(chat, session, &person);
    chat_commit(chat);
    if (recalled.is_more || !is_greeted)
        chat->mail_due = chat->now;
    else
        mail_forget(chat, session);
}

bool mail_holds_greeting(const Chat *chat, uint32_t session)
{
    const SessionRecord *record = session_record(chat, session);
    const SessionSide *side = &chat->sessions[session];

    return !(record->flags & (SESSION_GREETED | SESSION_ENDING)) && record->written == 0 &&
           side->expects == EXPECTS_ALL && chat->now < side->greet_by && chat->now >= chat->next_mail &&
           chat->recall != NULL && !chat->has_recall_trouble;
}

void mail_release_greetings(Chat *chat)
{
    for (uint32_t session = 0; session < chat->session_slots.n_touched && chat->n_expecting > 0; session++)
        if (mail_holds_greeting(chat, session)) {
            chat->sessions[session].greet_by = chat->now;
            chat_touch_session(chat, session);
        }
}

/* What it is time for: `session` expects something. */
static void mail_look(Chat *chat, uint32_t session)
{
    const SessionSide *side = &chat->sessions[session];
    uint8_t flags = session_record(chat, session)->flags;

    if (chat_turn_is_full(chat))
        chat->mail_due = chat->now;
    else if (mail_holds_greeting(chat, session) ||
             (chat->now >= chat->next_mail &&
              (flags & (SESSION_GREETED | SESSION_ENDING)) == SESSION_GREETED))
        mail_serve(chat, session);
    if (side->expects == EXPECTS_ALL && chat->now >= side->patience)
        expect_only(chat, session, EXPECTS_ALL_LATE);
    if (side->expects == EXPECTS_ALL)
        chat->mail_due = MIN(chat->mail_due, side->patience);
    if (side->expects != EXPECTS_NOTHING && chat->now < chat->next_mail)
        chat->mail_due = MIN(chat->mail_due, chat->next_mail);
    if (mail_holds_greeting(chat, session))
        chat->mail_due = MIN(chat->mail_due, side->greet_by);
    else if (!(flags & SESSION_GREETED))
        chat_touch_session(chat, session);
}

void mail_tick(Chat *chat)
{
    chat->mail_due = UINT64_MAX;
    for (uint32_t session = 0; session < chat->session_slots.n_touched && chat->n_expecting > 0; session++)
        if (chat->sessions[session].expects != EXPECTS_NOTHING)
            mail_look(chat, session);
}
