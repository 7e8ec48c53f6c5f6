/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * What an archive keeps for somebody with an account: settings, and messages that were left while they were
 * away. Both belong to a uid and a name; whoever gets the uid later has another name, and gets nothing.
 */

#include "chat/chat.h"
#include "chat/note.h"

enum {
    MAIL_FROM_MAX = 20, /* messages of one sender that wait */
    MAIL_TO_MAX = 200,  /* for one receiver */
    MAIL_PAGE = 6,      /* are handed over at once: one answer */
};

/* An answer to RECALL_MAIL: messages that wait from `nick`, and for `uid`. */
typedef struct MailCounts {
    uint64_t from, to;
} MailCounts;

/* A message in an answer to RECALL_PERSON, behind the NoteSettings (kind 0: there are none). */
typedef struct MailRecord {
    uint64_t id, pos; /* NoteDelivered */
    uint64_t wall;
    Name from;
    bool is_verified;
    uint16_t n;
    char text[LIMIT_MAIL_BYTES];
} MailRecord;

typedef struct PersonRecalled {
    Note settings; /* NOTE_SETTINGS, or kind 0 */
    uint64_t n_mails;
    MailRecord mails[MAIL_PAGE];
} PersonRecalled;

/* Has the archive remember what somebody has set. Belongs to a transaction; nothing of a guest, nor of
 * somebody of whom it is not known yet what they had set before: it would be lost. */
void mail_note_settings(Chat *chat, uint32_t session);
/* Leaves a message for somebody who is away. Belongs to a transaction. */
void mail_leave(Chat *chat, uint32_t from, const Name *to, uint32_t to_uid, const char *text, size_t n);
/* The session is the only one of somebody for whom something may be kept. What they have set is asked for
 * once in the life of a state, or when there is another archive. */
void mail_expect(Chat *chat, uint32_t session);
/* There is an archive, which was not asked when they came. */
void mail_expect_everybody(Chat *chat);
/* There is another one, which may have other settings and messages of theirs. */
void mail_ask_anew(Chat *chat);
/* It is about to go: what it expects another session of that person does from now on, if there is one. */
void mail_pass_on(Chat *chat, uint32_t session);
/* It expects nothing. */
void mail_forget(Chat *chat, uint32_t session);
/* Whether what the person has set should not be changed yet: an answer is about to say what it is. */
bool mail_is_awaited(const Chat *chat, uint32_t session);
/* Whether its greeting waits, and all it reads behind that: what the person has set is about to be known, and
 * is to be in force then. A second at most. */
bool mail_holds_greeting(const Chat *chat, uint32_t session);
/* Nobody's greeting waits any more. */
void mail_release_greetings(Chat *chat);
/* Gives those what is kept for them, as far as answers are there. For each a transaction. Whose greeting
 * need not wait any more reads this turn. */
void mail_tick(Chat *chat);
