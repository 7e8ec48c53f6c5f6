/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Lines that are taken back: by who said them, and by who may do so for others. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/text.h"
#include "chat/command.h"
#include "chat/keep.h"
#include "chat/note.h"
#include "chat/person.h"

enum {
    LOOKED_THROUGH = 1000, /* lines of the room, in search of those */
    SHOWN_BYTES = 60,      /* of the line, so that one knows which it was */
};

#define UNDO_USEC (5 * 60 * USEC_PER_SEC)

static Name said_by(const Entry *entry)
{
    Name name = {.n = entry->nick_n};

    memcpy(name.bytes, entry_nick(entry), entry->nick_n);
    return name;
}

/* Whether that person said it, by whatever connection. */
static bool is_said_by(const Chat *chat, const Entry *entry, uint32_t session)
{
    Name name = said_by(entry);

    if (entry->from == session_record(chat, session)->serial)
        return true;
    return entry->is_verified && entry->has_origin &&
           person_is_account(chat, session, entry_uid(entry), &name);
}

/* Nobody hears it any more who has not yet, and the archive forgets it. */
static void take_back(Chat *chat, uint32_t room, const Entry *entry)
{
    Note note;

    note_of_taken_back(entry, &note);
    transcript_take_back(&chat->transcript, entry);
    note_append(chat, room, SLOT_NONE, &note);
}

/* The archive hears of it after all that was said, so what it has left of theirs is older. */
static void delete_archived(Chat *chat, uint32_t room, const NoteDeleted *what)
{
    Note note;

    memset(&note, 0, sizeof note);
    note.kind = NOTE_DELETED;
    note.deleted = *what;
    note_append(chat, room, SLOT_NONE, &note);
}

/* Of accounts it is known who said something, so the archive can be told of the last thing that is not in
 * memory. */
static void undo_archived(Chat *chat, uint32_t session, uint32_t room)
{
    const SessionRecord *record = session_record(chat, session);
    const NoteDeleted last = {
        .n = 1, .nick = record->nick, .since = chat->wall - UNDO_USEC, .uid = record->peer.uid};

    delete_archived(chat, room, &last);
    chat_reply(
        chat, session,
        "Nothing that you have said in #%s is in memory. If the archive has something of the last five "
        "minutes, the last of it is deleted there.",
        chat->state.rooms[room].name.bytes);
}

/* The last thing that they said in the room, and that is in memory; NULL: there is none. *ret_is_cut: what
 * was said before that has been overwritten. */
static const Entry *find_last(const Chat *chat, uint32_t session, uint32_t room, bool *ret_is_cut)
{
    uint64_t pos = chat->state.rooms[room].last_said;
    const Entry *entry;

    while ((entry = transcript_at(&chat->transcript, pos)) != NULL &&
           (entry->is_taken_back || !is_said_by(chat, entry, session)))
        pos = entry->prev;
    *ret_is_cut = pos != 0;
    return entry;
}

int command_undo(Chat *chat, uint32_t session, Arguments arguments)
{
    static const char TOLD[] = "took back a line";
    uint32_t room = session_record(chat, session)->current_room;
    const Entry *entry;
    bool is_cut;
    size_t n;

    (void) arguments;
    if (!command_room_is_open(chat, session, room))
        return 0;
    entry = find_last(chat, session, room, &is_cut);
    if (entry == NULL && chat->recall != NULL && person_is_verified(chat, session) &&
        (is_cut || chat->state.header->started_wall + UNDO_USEC > chat->wall)) {
        undo_archived(chat, session, room);
        return 0;
    }
    if (entry == NULL || entry->wall + UNDO_USEC < chat->wall) {
        chat_error(chat, session, "You have said nothing in #%s in the last five minutes%s.",
                   chat->state.rooms[room].name.bytes,
                   entry == NULL && is_cut ? " that is still in memory" : "");
        return 0;
    }
    n = text_cut(entry_text(entry), entry->text_n, SHOWN_BYTES);
    chat_reply(chat, session, "Taken back, but for who has read it: %.*s%s", (int) n, entry_text(entry),
               n < entry->text_n ? "\xe2\x80\xa6" : "");
    take_back(chat, room, entry);
    chat_tell_room(chat, room, ENTRY_ACT, session, TOLD, strlen(TOLD));
    return 0;
}

/* "NICK" or "NICK N". False: it is neither, and the asker was told. */
static bool parse_delete(Chat *chat, uint32_t session, Arguments arguments, Name *ret_nick, uint64_t *ret_n)
{
    Arguments word = arguments_next(&arguments);
    char text[WORD_MAX];

    *ret_n = 1;
    if (command_parse_nick(word, ret_nick) == 0 &&
        (arguments.n == 0 ||
         (parse_number(command_word(arguments, text), ret_n) == 0 && *ret_n >= 1 && *ret_n <= LIMIT_DELETED)))
        return true;
    chat_error(chat, session, "/delete takes a nick and a number of lines from 1 to %d.", LIMIT_DELETED);
    return false;
}

/* The next thing said before `entry`, or at it, by whoever was called that. */
static const Entry *find_said(const Chat *chat, const Entry *entry, const Name *nick, unsigned *n_looked)
{
    for (; entry != NULL && (*n_looked)++ < LOOKED_THROUGH;
         entry = transcript_at(&chat->transcript, entry->prev)) {
        Name name = said_by(entry);

        if (!entry->is_taken_back && name_is_same(&name, nick))
            return entry;
    }
    return NULL;
}

/* What is remembered of it. Returns how many lines that were. */
static unsigned delete_remembered(Chat *chat, uint32_t room, const Name *nick, uint64_t n)
{
    const Entry *entry = transcript_at(&chat->transcript, chat->state.rooms[room].last_said);
    unsigned n_deleted = 0, n_looked = 0;

    while (n_deleted < n && (entry = find_said(chat, entry, nick, &n_looked)) != NULL) {
        uint64_t prev = entry->prev;

        take_back(chat, room, entry);
        n_deleted++;
        entry = transcript_at(&chat->transcript, prev);
    }
    return n_deleted;
}

/* To who did it, to the room, and to the log: `n_older` of them were not remembered any more. */
static void tell_deleted(Chat *chat, uint32_t session, uint32_t room, const Name *nick, unsigned n,
                         unsigned n_older)
{
    const char *by = session_record(chat, session)->nick.bytes, *whom = nick->bytes;
    const char *name = chat->state.rooms[room].name.bytes;
    char text[NAME_MAX_BYTES + 64];

    chat_answer(chat, "%u line%s of %s %s deleted", n, n == 1 ? "" : "s", whom, n == 1 ? "is" : "are");
    if (n_older > 0)
        chat_answer(chat, ", and up to %u older in the archive", n_older);
    chat_answer(chat, ".");
    chat_answer_send(chat, session);
    (void) snprintf(text, sizeof text, "deleted %s%u line%s of %s", n_older > 0 ? "up to " : "", n + n_older,
                    n + n_older == 1 ? "" : "s", whom);
    chat_tell_room(chat, room, ENTRY_ACT, session, text, strlen(text));
    log_event(
        chat->log,
        (LogEvent){.priority = LOG_NOTICE, .id = LOG_ID_DELETED, .nick = by, .whom = whom, .room = name},
        "In #%s %s %s.", name, by, text);
}

int command_delete(Chat *chat, uint32_t session, Arguments arguments)
{
    uint32_t room = session_record(chat, session)->current_room;
    unsigned n_deleted, n_older = 0;
    uint64_t n;
    Name nick;

    if (!command_may_change(chat, session, room) || !parse_delete(chat, session, arguments, &nick, &n))
        return 0;
    n_deleted = delete_remembered(chat, room, &nick, n);
    /* Founders come and go; what was said before they came is not theirs. */
    if (chat->recall != NULL && person_is_operator(chat, session))
        n_older = (unsigned) n - n_deleted;
    if (n_older > 0)
        delete_archived(chat, room, &(NoteDeleted){.n = n_older, .nick = nick});
    if (n_deleted + n_older > 0)
        tell_deleted(chat, session, room, &nick, n_deleted, n_older);
    else
        chat_error(chat, session, "Nothing that %s said in #%s is remembered.", nick.bytes,
                   chat->state.rooms[room].name.bytes);
    return 0;
}
