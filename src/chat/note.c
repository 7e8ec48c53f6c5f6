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
    case NOTE_ROOM_OPENED:
        return UP_TO(kind);
    case NOTE_RULE:
        return UP_TO(rule);
    case NOTE_RULE_ENDED:
        return UP_TO(number);
    case NOTE_DELIVERED:
        return UP_TO(delivered);
    case NOTE_ROOM:
    case NOTE_ROOM_CLOSED:
        return UP_TO(room);
    case NOTE_INVITED:
    case NOTE_UNINVITED:
        return UP_TO(invited);
    case NOTE_SETTINGS:
        return offsetof(Note, settings.ignored) + note->settings.n_ignored * sizeof(NoteIgnored);
    case NOTE_TAKEN_BACK:
        return UP_TO(taken_back);
    case NOTE_DELETED:
        return UP_TO(deleted);
    case NOTE_TOPIC:
        return UP_TO(topic);
    case NOTE_RULES:
        return offsetof(Note, rules.numbers) + note->rules.n * sizeof note->rules.numbers[0];
    case NOTE_MESSAGE:
        return offsetof(Note, message.text) + note->message.n;
    default:
        return 0;
    }
}

static uint64_t append(Chat *chat, uint32_t room, const Name *name, uint32_t from, const Note *note)
{
    EntryDraft draft = {
        .kind = ENTRY_NOTE,
        .room = room,
        .to = PERSON_NOBODY,
        .wall = chat->wall,
        .text = (const char *) note,
        .text_n = note_size(note),
    };

    if (name != NULL) {
        draft.room_name = name->bytes;
        draft.room_name_n = name->n;
    }
    chat_draft_from(chat, &draft, from);
    draft.from = draft.from_hash = 0; /* who it is matters, and not which of their connections */
    return transcript_append(&chat->transcript, &draft);
}

uint64_t note_append(Chat *chat, uint32_t room, uint32_t from, const Note *note)
{
    return append(chat, room, room != SLOT_NONE ? &chat->state.rooms[room].name : NULL, from, note);
}

uint64_t note_append_named(Chat *chat, const Name *room, const Note *note)
{
    return append(chat, SLOT_NONE, room, SLOT_NONE, note);
}

size_t note_write(const Note *note, uint64_t pos, uint64_t wall, const Name *room, Entry *ret_entry)
{
    const EntryDraft draft = {.kind = ENTRY_NOTE,
                              .room = SLOT_NONE,
                              .to = PERSON_NOBODY,
                              .wall = wall,
                              .room_name = room->bytes,
                              .room_name_n = room->n,
                              .text = (const char *) note,
                              .text_n = note_size(note)};

    (void) entry_write(ret_entry, &draft);
    ret_entry->pos = pos;
    return ret_entry->size;
}

static bool is_name(const Name *name)
{
    return name->n <= NAME_MAX_BYTES && name->bytes[name->n] == '\0';
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
    case NOTE_ROOM_OPENED:
    case NOTE_DELIVERED:
        return true;
    case NOTE_RULE:
        return is_name(&note.rule.whom) && is_name(&note.rule.by) && note.rule.reason_n <= LIMIT_REASON_BYTES;
    case NOTE_ROOM:
        return is_name(&note.room.founder) && is_name(&note.room.former);
    case NOTE_INVITED:
    case NOTE_UNINVITED:
        return is_name(&note.invited.name);
    case NOTE_SETTINGS:
        return note.settings.n_ignored <= LIMIT_IGNORES;
    case NOTE_TOPIC:
        return is_name(&note.topic.by) && note.topic.n <= LIMIT_TOPIC_BYTES;
    case NOTE_TAKEN_BACK:
        return is_name(&note.taken_back.nick);
    case NOTE_DELETED:
        return is_name(&note.deleted.nick);
    case NOTE_RULES:
        return note.rules.n <= LIMIT_RULES;
    case NOTE_MESSAGE:
        return is_name(&note.message.to) && note.message.n <= LIMIT_MAIL_BYTES;
    default:
        return false;
    }
}

void note_of_taken_back(const Entry *entry, Note *ret_note)
{
    NoteTakenBack *note = &ret_note->taken_back;

    memset(ret_note, 0, sizeof *ret_note);
    ret_note->kind = NOTE_TAKEN_BACK;
    note->pos = entry->is_recalled ? 0 : entry->pos;
    note->wall = entry->wall;
    note->nick.n = entry->nick_n;
    memcpy(note->nick.bytes, entry_nick(entry), entry->nick_n);
    note->text_n = entry->text_n;
    memcpy(note->text, entry_text(entry), MIN(entry->text_n, (uint16_t) NOTE_LINE_BYTES));
}

bool note_is_secret_end(const Note *note)
{
    return note->kind == NOTE_ROOM_CLOSED && (note->room.flags & ROOM_SECRET);
}

void note_narrow(Entry *entry)
{
    const uint32_t how = NOTE_ROOM_SAID;

    memcpy(entry->data + (entry_text(entry) - entry->data) + offsetof(Note, room.how), &how, sizeof how);
}

bool note_is_for_any(const Note *note)
{
    return note->kind == NOTE_SEEN || note->kind == NOTE_MESSAGE || note->kind == NOTE_TAKEN_BACK ||
           (note->kind == NOTE_DELIVERED && note->delivered.pos != 0);
}

void note_tell_lost(const Log *log, const Note *note, const char *nick, const char *room)
{
    LogEvent event = {.priority = LOG_ERR, .id = LOG_ID_ARCHIVE_LOST, .nick = nick, .room = room};

    switch (note->kind) {
    case NOTE_ROOM:
        event.whom = note->room.founder.bytes;
        if (note->room.how & NOTE_ROOM_GIVEN_BY)
            log_event(log, event,
                      "The archive could not be told that #%s was handed over to %s, and may delete what was "
                      "said in it before.",
                      room, event.whom);
        break;
    case NOTE_ROOM_CLOSED:
        log_event(log, event, "The archive could not be told that #%s was closed, and may keep it.", room);
        break;
    case NOTE_ROOM_OPENED:
        log_event(
            log, event,
            "The archive could not be told that nothing is kept of #%s any more, and may keep it locked.",
            room);
        break;
    case NOTE_UNINVITED:
        event.whom = note->invited.name.bytes;
        log_event(
            log, event,
            "The archive could not be told that %s is not invited into #%s any more, and may keep that.",
            event.whom, room);
        break;
    case NOTE_MESSAGE:
        event.whom = note->message.to.bytes;
        log_event(log, event, "The message that %s left for %s could not be archived, and may be lost.", nick,
                  event.whom);
        break;
    case NOTE_DELIVERED:
        log_event(
            log, event,
            "The archive could not be told that a message for %s was delivered, and may deliver it once "
            "more.",
            nick);
        break;
    case NOTE_TAKEN_BACK:
        event.nick = note->taken_back.nick.bytes;
        log_event(log, event,
                  "The archive could not be told that a line of %s in #%s was taken back, and may have it.",
                  event.nick, room);
        break;
    case NOTE_DELETED:
        event.nick = note->deleted.nick.bytes;
        log_event(log, event,
                  "The archive could not be told to delete lines of %s in #%s, and may have them.",
                  event.nick, room);
        break;
    }
}
