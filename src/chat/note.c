/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <string.h>

#include "base/macro.h"
#include "chat/note.h"
#include "chat/person.h"

#define UP_TO(member) (offsetof(Note, member) + sizeof(((Note *) NULL)->member))

/* Bytes of it that say something; 0: there is no such kind. */
static size_t note_size(const Note *note)
{
    switch (note->kind) {
    case NOTE_SEEN:
    case NOTE_ROOM_CLOSED:
        return UP_TO(kind);
    case NOTE_RULE:
        return UP_TO(rule);
    case NOTE_RULE_ENDED:
    case NOTE_DELIVERED:
        return UP_TO(number);
    case NOTE_ROOM:
        return UP_TO(room);
    case NOTE_INVITED:
    case NOTE_UNINVITED:
        return UP_TO(invited);
    case NOTE_SETTINGS:
        return offsetof(Note, settings.ignored) + note->settings.n_ignored * sizeof(NoteIgnored);
    case NOTE_TAKEN_BACK:
        return UP_TO(taken_back);
    case NOTE_TOPIC:
        return UP_TO(topic);
    case NOTE_MESSAGE:
        return offsetof(Note, message.text) + note->message.n;
    default:
        return 0;
    }
}

void note_append(Chat *chat, uint32_t room, uint32_t from, const Note *note)
{
    EntryDraft draft = {
        .kind = ENTRY_NOTE,
        .room = room,
        .to = PERSON_NOBODY,
        .wall = chat->wall,
        .text = (const char *) note,
        .text_n = note_size(note),
    };

    if (room != SLOT_NONE) {
        draft.room_name = chat->state.rooms[room].name.bytes;
        draft.room_name_n = chat->state.rooms[room].name.n;
    }
    chat_draft_from(chat, &draft, from);
    draft.from = draft.from_hash = 0; /* who it is matters, and not which of their connections */
    (void) transcript_append(&chat->transcript, &draft);
}

static bool is_name(const Name *name)
{
    return name->n <= NAME_MAX_BYTES;
}

bool note_read(const Entry *entry, Note *ret_note)
{
    Note note = {0};

    if (entry->text_n < sizeof note.kind)
        return false;
    memcpy(&note, entry_text(entry), MIN(sizeof note, (size_t) entry->text_n));
    *ret_note = note;
    switch (note.kind) {
    case NOTE_SEEN:
    case NOTE_RULE_ENDED:
    case NOTE_ROOM_CLOSED:
    case NOTE_DELIVERED:
        return true;
    case NOTE_RULE:
        return is_name(&note.rule.whom) && is_name(&note.rule.by) && note.rule.reason_n <= LIMIT_REASON_BYTES;
    case NOTE_ROOM:
        return is_name(&note.room.founder);
    case NOTE_INVITED:
    case NOTE_UNINVITED:
        return is_name(&note.invited.name);
    case NOTE_SETTINGS:
        return note.settings.n_ignored <= LIMIT_IGNORES;
    case NOTE_TOPIC:
        return is_name(&note.topic.by) && note.topic.n <= LIMIT_TOPIC_BYTES;
    case NOTE_TAKEN_BACK:
        return is_name(&note.taken_back.nick);
    case NOTE_MESSAGE:
        return is_name(&note.message.to) && note.message.n <= LIMIT_MAIL_BYTES;
    default:
        return false;
    }
}
