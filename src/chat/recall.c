/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <string.h>

#include "base/error.h"
#include "base/macro.h"
#include "base/text.h"
#include "chat/chat.h"
#include "chat/keep.h"
#include "chat/note.h"
#include "chat/recall.h"
#include "chat/room.h"
#include "chat/rule.h"

/* There are numbers enough behind it for those that come. */
#define NUMBER_MAX (UINT64_C(1) << 48)

static void recall_topic(Chat *chat, uint32_t room, const Entry *entry)
{
    RoomRecord *record = state_edit_room(&chat->state, room);

    if (record->topic_n > 0 || entry->text_n > LIMIT_TOPIC_BYTES)
        return;
    record->topic_n = entry->text_n;
    memcpy(record->topic, entry_text(entry), entry->text_n);
    if (name_parse_nick(entry_nick(entry), entry->nick_n, &record->topic_by) != 0)
        record->topic_by = (Name){0};
}

/* Bytes that it takes in the transcript: at most this many. */
static size_t recalled_size(const Entry *entry)
{
    return entry->size + NAME_MAX_BYTES + 8; /* with the name of the room */
}

void recall_room(Chat *chat, uint32_t room, const Recalled *recalled)
{
    size_t n_bytes = 0;
    const Entry *entry;

    for (size_t at = 0; at < recalled->n; at += entry->size) {
        entry = (const Entry *) (recalled->bytes + at);
        if (entry_is_speech(entry))
            n_bytes += recalled_size(entry);
    }
    for (size_t at = 0; at < recalled->n; at += entry->size) {
        entry = (const Entry *) (recalled->bytes + at);
        if (entry->kind == ENTRY_TOPIC)
            recall_topic(chat, room, entry);
        else if (entry_is_speech(entry) && n_bytes <= RECALL_ROOM_BYTES)
            room_recall(chat, room, entry);
        if (entry_is_speech(entry))
            n_bytes -= MIN(n_bytes, recalled_size(entry));
    }
}

static bool reason_is_fine(const NoteRule *note)
{
    char clean[TEXT_GROWTH * LIMIT_REASON_BYTES];

    return note->reason_n <= LIMIT_REASON_BYTES &&
           text_clean(clean, note->reason, note->reason_n) == note->reason_n &&
           memcmp(clean, note->reason, note->reason_n) == 0;
}

/* A file may have been tampered with. */
static bool note_to_rule(const NoteRule *note, RuleRecord *ret_rule)
{
    static const Name someone = {7, "someone"};
    Name whom = {0}, by;
    uint8_t is_uid;

    memcpy(&is_uid, &note->subject.is_uid, 1);
    if (note->number == 0 || note->number > NUMBER_MAX || is_uid > 1 || note->subject.n_bits > 128 ||
        note->kind < RULE_BAN || note->kind > RULE_OPERATOR ||
        (note->kind == RULE_OPERATOR && (is_uid == 0 || note->whom.n == 0)) ||
        (note->whom.n > 0 && name_parse_nick(note->whom.bytes, note->whom.n, &whom) != 0))
        return false;
    if (name_parse_nick(note->by.bytes, note->by.n, &by) != 0)
        by = someone;
    *ret_rule = (RuleRecord){.number = note->number,
                             .until = note->until,
                             .subject = note->subject,
                             .kind = note->kind,
                             .whom = whom,
                             .by = by};
    if (!reason_is_fine(note))
        return true;
    ret_rule->reason_n = note->reason_n;
    memcpy(ret_rule->reason, note->reason, note->reason_n);
    return true;
}

bool recall_rules(Chat *chat, const Recalled *recalled)
{
    for (size_t at = 0; at + sizeof(NoteRule) <= recalled->n; at += sizeof(NoteRule)) {
        RuleRecord rule;
        NoteRule note;

        if (chat_turn_is_full(chat))
            return false;
        memcpy(&note, recalled->bytes + at, sizeof note);
        if (!note_to_rule(&note, &rule))
            continue;
        chat_reserve(chat, SLOT_NONE);
        rule_recall(chat, &rule);
        chat_commit(chat);
    }
    return true;
}

static bool kept_is_fine(const RecalledRoom *room)
{
    Name parsed;

    return name_parse(room->name.bytes, room->name.n, NAME_MAX_CHARS, &parsed) == 0 &&
           memcmp(&parsed, &room->name, sizeof parsed) == 0 &&
           (room->founder.n == 0 || (name_parse_nick(room->founder.bytes, room->founder.n, &parsed) == 0 &&
                                     memcmp(&parsed, &room->founder, sizeof parsed) == 0));
}

int recall_kept_of(Chat *chat, const Name *name, const Recalled *recalled)
{
    uint32_t found = SLOT_NONE;
    const Entry *entry;
    Note note;

    for (size_t at = 0; at < recalled->n; at += entry->size) {
        RecalledRoom room = {.name = *name};
        RecalledInvite invite;
        int r = 0;

        entry = (const Entry *) (recalled->bytes + at);
        if (entry->kind != ENTRY_NOTE || !note_read(entry, &note))
            continue;
        if (note.kind == NOTE_ROOM) {
            room.founder = note.room.founder;
            room.founder_uid = note.room.founder_uid;
            room.flags = note.room.flags;
            if (kept_is_fine(&room))
                r = keep_recall(chat, &room, &found);
        } else if (note.kind == NOTE_INVITED && found != SLOT_NONE) {
            invite = (RecalledInvite){.name = note.invited.name, .uid = note.invited.uid};
            keep_recall_invite(chat, found, &invite);
        }
        if (r < 0)
            return error_trace(r);
    }
    if (found != SLOT_NONE)
        keep_recall_end(chat, found);
    return 0;
}

bool recall_is_secret(const Recalled *recalled)
{
    const Entry *entry;
    Note note;

    for (size_t at = 0; at < recalled->n; at += entry->size) {
        entry = (const Entry *) (recalled->bytes + at);
        if (entry->kind == ENTRY_NOTE && note_read(entry, &note) && note.kind == NOTE_ROOM)
            return note.room.flags & ROOM_SECRET;
    }
    return false;
}

/* One of them with those who are invited, from *next on. 0, or a negative errno. */
static int recall_one(Chat *chat, const RecalledKept *kept, uint32_t which, uint32_t *next)
{
    uint32_t room = SLOT_NONE;
    int r = 0;

    chat_reserve(chat, SLOT_NONE);
    if (kept_is_fine(&kept->rooms[which]))
        r = keep_recall(chat, &kept->rooms[which], &room);
    for (; *next < kept->n_invites && kept->invites[*next].room <= which; ++*next)
        if (room != SLOT_NONE && kept->invites[*next].room == which)
            keep_recall_invite(chat, room, &kept->invites[*next]);
    if (room != SLOT_NONE)
        keep_recall_end(chat, room);
    chat_commit(chat);
    return error_trace(r);
}

static uint32_t n_kept(const Recalled *recalled)
{
    return recalled->n >= sizeof(RecalledKept) ? ((const RecalledKept *) recalled->bytes)->n_rooms : 0;
}

bool recall_kept(Chat *chat, const Recalled *recalled)
{
    const RecalledKept *kept = (const RecalledKept *) recalled->bytes;
    uint32_t next = 0;

    for (uint32_t i = 0; i < n_kept(recalled); i++) {
        if (chat_turn_is_full(chat))
            return false;
        if (recall_one(chat, kept, i, &next) < 0)
            return true; /* out of memory, and nothing depends on it, ignoring */
    }
    return keep_put_out_strangers(chat);
}
