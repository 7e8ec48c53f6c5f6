/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What the thread that writes puts down: entries of the transcript as rows of the archive. */

#include <string.h>

#include "archive/query.h"
#include "archive/write.h"
#include "base/crash.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/macro.h"
#include "chat/note.h"
#include "host/archivist-core.h"

typedef struct Filing {
    Archive *archive;
    uint32_t epoch;
} Filing;

static Name name_of(const char *bytes, size_t n)
{
    Name name = {0};

    name.n = (uint8_t) MIN(n, (size_t) NAME_MAX_BYTES);
    memcpy(name.bytes, bytes, name.n);
    return name;
}

static ArchiveWho who_of(const Entry *entry)
{
    return (ArchiveWho){.nick = name_of(entry_nick(entry), entry->nick_n),
                        .is_verified = entry->is_verified,
                        .uid = entry_uid(entry)};
}

static int put_line(const Filing *filing, const Entry *entry)
{
    const ArchiveLine line = {
        .id = archive_id(filing->epoch, entry->pos),
        .wall = entry->wall,
        .kind = entry->kind == ENTRY_ACTION ? ARCHIVE_ACTION : ARCHIVE_SAID,
        .room = name_of(entry_room(entry), entry->room_n),
        .who = who_of(entry),
        .text = entry_text(entry),
        .n = entry->text_n,
    };

    return error_trace(archive_put_line(filing->archive, &line));
}

static int put_topic(const Filing *filing, const Entry *entry)
{
    const ArchiveTopic topic = {
        .room = name_of(entry_room(entry), entry->room_n),
        .by = who_of(entry),
        .wall = entry->wall,
        .text = entry_text(entry),
        .n = entry->text_n,
    };

    return error_trace(archive_put_topic(filing->archive, &topic));
}

static int put_rule(const Filing *filing, const NoteRule *note)
{
    const ArchiveRule rule = {
        .id = note->number,
        .kind = note->kind,
        .subject = note->whom.bytes,
        .n_subject = note->whom.n,
        .bytes = &note->subject,
        .n_bytes = sizeof note->subject,
        .until = note->until,
        .by = note->by,
        .reason = note->reason,
        .n_reason = note->reason_n,
        .wall = note->wall,
    };

    return error_trace(archive_put_rule(filing->archive, &rule));
}

typedef struct Former {
    const NoteRoom *note;
    bool is_of_others;
} Former;

/* An empty name: nobody. */
static bool is_founder(const ArchiveRoom *record, const Name *name, uint32_t uid)
{
    if (!record->has_founder || name->n == 0)
        return record->has_founder == (name->n > 0);
    return record->founder.uid == uid && name_is_same(&record->founder.nick, name);
}

static int look_at_former(void *userdata, const ArchiveRoomRow *row)
{
    Former *former = userdata;
    const NoteRoom *note = former->note;
    bool is_given = note->how & NOTE_ROOM_GIVEN_BY;

    former->is_of_others = !is_founder(&row->record, &note->founder, note->founder_uid) &&
                           !(is_given && is_founder(&row->record, &note->former, note->former_uid));
    return 0;
}

/* What was said there before the note. */
static int forget_room(const Filing *filing, const Entry *entry, const Name *room, uint64_t from)
{
    return error_trace(
        archive_put_room_forgotten(filing->archive, room, from, archive_id(filing->epoch, entry->pos)));
}

/* Whoever made a room of that name when nobody knew of another one, which was locked or hidden, has no right
 * to what was said in that. */
static int put_room(const Filing *filing, const Entry *entry, const Name *room, const NoteRoom *note)
{
    const ArchiveRoom record = {
        .room = *room,
        .has_founder = note->founder.n > 0,
        .founder = {.nick = note->founder, .is_verified = true, .uid = note->founder_uid},
        .flags = note->flags,
    };
    Former former = {.note = note};
    uint32_t flags;
    NameKey key;
    int r;

    name_fold(room->bytes, room->n, &key);
    r = archive_room_flags(filing->archive, &key, &flags);
    if (r == 0 && (flags & ROOM_SECRET) && !(note->how & NOTE_ROOM_GIVEN))
        r = archive_load_room(filing->archive, &key, look_at_former, &former);
    if (r == 0 && former.is_of_others)
        r = forget_room(filing, entry, room, 0);
    if (r == 0 && (former.is_of_others || (note->how & NOTE_ROOM_WHOLE)))
        r = archive_put_room_opened(filing->archive, room);
    return r == 0 ? error_trace(archive_put_room(filing->archive, &record)) : error_trace(r);
}

static int put_settings(const Filing *filing, const Entry *entry, const NoteSettings *note)
{
    const ArchiveSettings settings = {
        .who = who_of(entry),
        .bits = note->bits,
        .ignored = note->ignored,
        .n_ignored = note->n_ignored * sizeof note->ignored[0],
    };

    return error_trace(archive_put_settings(filing->archive, &settings));
}

static int put_message(const Filing *filing, const Entry *entry, const NoteMessage *note)
{
    const ArchiveMessage message = {
        .id = archive_id(filing->epoch, entry->pos),
        .wall = entry->wall,
        .from = who_of(entry),
        .to_uid = note->to_uid,
        .to = note->to,
        .text = note->text,
        .n = note->n,
    };

    return error_trace(archive_put_message(filing->archive, &message));
}

/* What was said to an earlier state has another id, by which it is not known any more. */
static int put_taken_back(const Filing *filing, const Name *room, const NoteTakenBack *note)
{
    const ArchiveLine line = {
        .wall = note->wall, .room = *room, .who.nick = note->nick, .text = note->text, .n = note->text_n};
    Archive *archive = filing->archive;

    if (note->pos != 0)
        return error_trace(archive_put_take_back(archive, archive_id(filing->epoch, note->pos)));
    return error_trace(archive_put_take_back_said(archive, &line, sizeof note->text));
}

static int put_deleted(Archive *archive, const Name *room, const NoteDeleted *note)
{
    const ArchiveWho who = {.nick = note->nick, .is_verified = true, .uid = note->uid};

    if (note->since != 0)
        return error_trace(archive_put_undone(archive, room, &who, note->since));
    return error_trace(archive_put_deleted(archive, room, &note->nick, note->n));
}

/* Whoever makes a room of that name is not to be told what was said there when it was not for everybody. */
static int put_room_closed(const Filing *filing, const Entry *entry, const Name *room, const NoteRoom *note)
{
    uint32_t flags;
    NameKey key;
    int r;

    if (note->how & NOTE_ROOM_SAID)
        return error_trace(forget_room(filing, entry, room, archive_id(filing->epoch, 0)));
    name_fold(room->bytes, room->n, &key);
    r = archive_room_flags(filing->archive, &key, &flags);
    if (r == 0)
        r = archive_put_room_removed(filing->archive, room);
    if (r == 0 && ((flags | note->flags) & ROOM_SECRET))
        r = forget_room(filing, entry, room, 0);
    return error_trace(r);
}

/* A topic that nobody sets now. */
static int put_old_topic(const Filing *filing, const Entry *entry, const NoteTopic *note)
{
    static const Name someone = {7, "someone"};
    const ArchiveTopic topic = {
        .room = name_of(entry_room(entry), entry->room_n),
        .by = {.nick = note->by.n > 0 ? note->by : someone},
        .wall = entry->wall,
        .text = note->text,
        .n = note->n,
    };

    return error_trace(archive_put_topic(filing->archive, &topic));
}

static int put_note(const Filing *filing, const Entry *entry)
{
    const Name room = name_of(entry_room(entry), entry->room_n);
    const ArchiveWho who = who_of(entry);
    Archive *archive = filing->archive;
    ArchiveInvite invite;
    Note note;

    if (!note_read(entry, &note))
        return 0;
    invite = (ArchiveInvite){.room = room, .name = note.invited.name, .uid = note.invited.uid};
    switch (note.kind) {
    case NOTE_SEEN:
        return error_trace(archive_put_seen(archive, &who, entry->wall));
    case NOTE_RULE:
        return error_trace(put_rule(filing, &note.rule));
    case NOTE_RULE_ENDED:
        return error_trace(archive_put_rule_removed(archive, note.number));
    case NOTE_ROOM:
        return error_trace(put_room(filing, entry, &room, &note.room));
    case NOTE_ROOM_CLOSED:
        return error_trace(put_room_closed(filing, entry, &room, &note.room));
    case NOTE_ROOM_OPENED:
        return error_trace(archive_put_room_opened(archive, &room));
    case NOTE_INVITED:
        return error_trace(archive_put_invite(archive, &invite));
    case NOTE_UNINVITED:
        return error_trace(archive_put_invite_removed(archive, &room, &note.invited.name));
    case NOTE_SETTINGS:
        return error_trace(put_settings(filing, entry, &note.settings));
    case NOTE_MESSAGE:
        return error_trace(put_message(filing, entry, &note.message));
    case NOTE_DELIVERED:
        return error_trace(archive_put_delivered(archive, note.delivered.pos != 0
                                                              ? archive_id(filing->epoch, note.delivered.pos)
                                                              : note.delivered.id));
    case NOTE_TOPIC:
        return error_trace(put_old_topic(filing, entry, &note.topic));
    case NOTE_TAKEN_BACK:
        return error_trace(put_taken_back(filing, &room, &note.taken_back));
    case NOTE_DELETED:
        return error_trace(put_deleted(archive, &room, &note.deleted));
    case NOTE_RULES:
        return error_trace(archive_put_rules_kept(archive, note.rules.numbers, note.rules.n));
    default:
        return 0;
    }
}

static int put_entry(const Filing *filing, const Entry *entry)
{
    if (entry->is_taken_back)
        return 0;
    switch (entry->kind) {
    case ENTRY_SAID:
    case ENTRY_ACTION:
        return error_trace(put_line(filing, entry));
    case ENTRY_TOPIC:
        return error_trace(put_topic(filing, entry));
    case ENTRY_NOTE:
        return error_trace(put_note(filing, entry));
    default:
        return 0;
    }
}

int archivist_put_batch(Archive *archive, uint32_t epoch, const ArchivistBatch *batch)
{
    const Filing filing = {.archive = archive, .epoch = epoch};
    const ArchiveLine gap = {.id = archive_id(epoch, batch->missing_at),
                             .wall = batch->wall,
                             .kind = ARCHIVE_GAP,
                             .n_missing = batch->n_missing};
    int r = 0;

    if (batch->n_missing > 0)
        r = archive_put_line(archive, &gap);
    for (size_t at = 0; at < batch->n && r == 0;) {
        const Entry *entry = (const Entry *) (batch->entries + at);

        crash_point();
        r = put_entry(&filing, entry);
        /* It is longer than anything that can be archived, which nothing is. */
        r = r == -EINVAL ? 0 : r;
        at += entry->size;
    }
    if (r == 0)
        r = archive_put_count(archive, batch->n_lines);
    crash_point();
    if (r == 0)
        r = archive_commit(archive, epoch, batch->end);
    crash_point();
    return error_trace(r);
}
