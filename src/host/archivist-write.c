/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The thread that writes. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/purge.h"
#include "archive/query.h"
#include "archive/write.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/macro.h"
#include "chat/note.h"
#include "host/archivist-core.h"
#include "host/thread.h"

enum { ANSWER_STACK_BYTES = 1024 * 1024 };

#define RETRY_MIN_USEC (1 * USEC_PER_SEC)
#define RETRY_MAX_USEC (60 * USEC_PER_SEC)
#define PURGE_EVERY_USEC (10 * 60 * USEC_PER_SEC)
#define PURGE_BUDGET_USEC (50 * USEC_PER_MSEC) /* of one step; what was given comes before the next */

typedef struct Writing {
    Core *core;
    Archive *archive; /* owned; NULL: not open */
    uint32_t epoch;
    uint64_t retry;     /* usec between the last two attempts; 0: all is well */
    uint64_t next_open; /* usec, monotonic; while it is not open */
    bool is_damaged;    /* that came to light while it was open, and may not when it is opened */
    uint8_t file[ARCHIVE_STATE_ID_BYTES]; /* which one it is */
    bool has_not_written, has_not_tidied; /* what went wrong last, and has not gone well since */
    uint64_t next_purge;                  /* usec, monotonic */
    ArchivistSettings purged_by;          /* as it was last begun */
    uint64_t cleaned; /* position; what was committed since then has not been cleaned up after */
    bool is_purging;  /* it has more to do */
} Writing;

/* Entries as events. */

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

static int put_line(Writing *writing, const Entry *entry)
{
    const ArchiveLine line = {
        .id = archive_id(writing->epoch, entry->pos),
        .wall = entry->wall,
        .kind = entry->kind == ENTRY_ACTION ? ARCHIVE_ACTION : ARCHIVE_SAID,
        .room = name_of(entry_room(entry), entry->room_n),
        .who = who_of(entry),
        .text = entry_text(entry),
        .n = entry->text_n,
    };

    return error_trace(archive_put_line(writing->archive, &line));
}

static int put_topic(Writing *writing, const Entry *entry)
{
    const ArchiveTopic topic = {
        .room = name_of(entry_room(entry), entry->room_n),
        .by = who_of(entry),
        .wall = entry->wall,
        .text = entry_text(entry),
        .n = entry->text_n,
    };

    return error_trace(archive_put_topic(writing->archive, &topic));
}

static int put_rule(Writing *writing, const NoteRule *note)
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

    return error_trace(archive_put_rule(writing->archive, &rule));
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
static int forget_room(Writing *writing, const Entry *entry, const Name *room, uint64_t from)
{
    return error_trace(
        archive_put_room_forgotten(writing->archive, room, from, archive_id(writing->epoch, entry->pos)));
}

/* Whoever made a room of that name when nobody knew of another one, which was locked or hidden, has no right
 * to what was said in that. */
static int put_room(Writing *writing, const Entry *entry, const Name *room, const NoteRoom *note)
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
    r = archive_room_flags(writing->archive, &key, &flags);
    if (r == 0 && (flags & ROOM_SECRET) && !(note->how & NOTE_ROOM_GIVEN))
        r = archive_load_room(writing->archive, &key, look_at_former, &former);
    if (r == 0 && former.is_of_others)
        r = forget_room(writing, entry, room, 0);
    if (r == 0 && (former.is_of_others || (note->how & NOTE_ROOM_WHOLE)))
        r = archive_put_room_opened(writing->archive, room);
    return r == 0 ? error_trace(archive_put_room(writing->archive, &record)) : error_trace(r);
}

static int put_settings(Writing *writing, const Entry *entry, const NoteSettings *note)
{
    const ArchiveSettings settings = {
        .who = who_of(entry),
        .bits = note->bits,
        .ignored = note->ignored,
        .n_ignored = note->n_ignored * sizeof note->ignored[0],
    };

    return error_trace(archive_put_settings(writing->archive, &settings));
}

static int put_message(Writing *writing, const Entry *entry, const NoteMessage *note)
{
    const ArchiveMessage message = {
        .id = archive_id(writing->epoch, entry->pos),
        .wall = entry->wall,
        .from = who_of(entry),
        .to_uid = note->to_uid,
        .to = note->to,
        .text = note->text,
        .n = note->n,
    };

    return error_trace(archive_put_message(writing->archive, &message));
}

/* What was said to an earlier state has another id, by which it is not known any more. */
static int put_taken_back(Writing *writing, const Name *room, const NoteTakenBack *note)
{
    const ArchiveLine line = {
        .wall = note->wall, .room = *room, .who.nick = note->nick, .text = note->text, .n = note->text_n};
    Archive *archive = writing->archive;

    if (note->pos != 0)
        return error_trace(archive_put_take_back(archive, archive_id(writing->epoch, note->pos)));
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
static int put_room_closed(Writing *writing, const Entry *entry, const Name *room, const NoteRoom *note)
{
    uint32_t flags;
    NameKey key;
    int r;

    if (note->how & NOTE_ROOM_SAID)
        return error_trace(forget_room(writing, entry, room, archive_id(writing->epoch, 0)));
    name_fold(room->bytes, room->n, &key);
    r = archive_room_flags(writing->archive, &key, &flags);
    if (r == 0)
        r = archive_put_room_removed(writing->archive, room);
    if (r == 0 && ((flags | note->flags) & ROOM_SECRET))
        r = forget_room(writing, entry, room, 0);
    return error_trace(r);
}

/* A topic that nobody sets now. */
static int put_old_topic(Writing *writing, const Entry *entry, const NoteTopic *note)
{
    static const Name someone = {7, "someone"};
    const ArchiveTopic topic = {
        .room = name_of(entry_room(entry), entry->room_n),
        .by = {.nick = note->by.n > 0 ? note->by : someone},
        .wall = entry->wall,
        .text = note->text,
        .n = note->n,
    };

    return error_trace(archive_put_topic(writing->archive, &topic));
}

static int put_note(Writing *writing, const Entry *entry)
{
    const Name room = name_of(entry_room(entry), entry->room_n);
    const ArchiveWho who = who_of(entry);
    Archive *archive = writing->archive;
    ArchiveInvite invite;
    Note note;

    if (!note_read(entry, &note))
        return 0;
    invite = (ArchiveInvite){.room = room, .name = note.invited.name, .uid = note.invited.uid};
    switch (note.kind) {
    case NOTE_SEEN:
        return error_trace(archive_put_seen(archive, &who, entry->wall));
    case NOTE_RULE:
        return error_trace(put_rule(writing, &note.rule));
    case NOTE_RULE_ENDED:
        return error_trace(archive_put_rule_removed(archive, note.number));
    case NOTE_ROOM:
        return error_trace(put_room(writing, entry, &room, &note.room));
    case NOTE_ROOM_CLOSED:
        return error_trace(put_room_closed(writing, entry, &room, &note.room));
    case NOTE_ROOM_OPENED:
        return error_trace(archive_put_room_opened(archive, &room));
    case NOTE_INVITED:
        return error_trace(archive_put_invite(archive, &invite));
    case NOTE_UNINVITED:
        return error_trace(archive_put_invite_removed(archive, &room, &note.invited.name));
    case NOTE_SETTINGS:
        return error_trace(put_settings(writing, entry, &note.settings));
    case NOTE_MESSAGE:
        return error_trace(put_message(writing, entry, &note.message));
    case NOTE_DELIVERED:
        return error_trace(archive_put_delivered(archive, note.delivered.pos != 0
                                                              ? archive_id(writing->epoch, note.delivered.pos)
                                                              : note.delivered.id));
    case NOTE_TOPIC:
        return error_trace(put_old_topic(writing, entry, &note.topic));
    case NOTE_TAKEN_BACK:
        return error_trace(put_taken_back(writing, &room, &note.taken_back));
    case NOTE_DELETED:
        return error_trace(put_deleted(archive, &room, &note.deleted));
    case NOTE_RULES:
        return error_trace(archive_put_rules_kept(archive, note.rules.numbers, note.rules.n));
    default:
        return 0;
    }
}

static int put_entry(Writing *writing, const Entry *entry)
{
    if (entry->is_taken_back)
        return 0;
    switch (entry->kind) {
    case ENTRY_SAID:
    case ENTRY_ACTION:
        return error_trace(put_line(writing, entry));
    case ENTRY_TOPIC:
        return error_trace(put_topic(writing, entry));
    case ENTRY_NOTE:
        return error_trace(put_note(writing, entry));
    default:
        return 0;
    }
}

static int put_batch(Writing *writing, const ArchivistBatch *batch)
{
    const ArchiveLine gap = {.id = archive_id(writing->epoch, batch->missing_at),
                             .wall = batch->wall,
                             .kind = ARCHIVE_GAP,
                             .n_missing = batch->n_missing};
    int r = 0;

    if (batch->n_missing > 0)
        r = archive_put_line(writing->archive, &gap);
    for (size_t at = 0; at < batch->n && r == 0;) {
        const Entry *entry = (const Entry *) (batch->entries + at);

        crash_point();
        r = put_entry(writing, entry);
        /* It is longer than anything that can be archived, which nothing is. */
        r = r == -EINVAL ? 0 : r;
        at += entry->size;
    }
    if (r == 0)
        r = archive_put_count(writing->archive, batch->n_lines);
    crash_point();
    if (r == 0)
        r = archive_commit(writing->archive, writing->epoch, batch->end);
    crash_point();
    return error_trace(r);
}

/* The file. */

/* Told of while it is so; 0: all is well. With the lock held. */
static void tell(Writing *writing, int answer, const char *detail)
{
    ArchivistStatus *status = &writing->core->status;

    status->answer = answer;
    (void) snprintf(status->detail, sizeof status->detail, "%s", detail);
    core_tell(writing->core);
}

static int open_file(Writing *writing, uint64_t *ret_pos, uint64_t *ret_n_lines)
{
    uint32_t epoch = 0;
    int r;

    r = archive_open(writing->core->path, ARCHIVE_WRITER, &writing->archive);
    if (r == 0)
        r = archive_begin_epoch(writing->archive, writing->core->state_id, &writing->epoch);
    if (r == 0)
        r = archive_file(writing->archive, writing->file);
    if (r == 0)
        r = archive_cursor(writing->archive, &epoch, ret_pos);
    if (r == 0)
        r = archive_count(writing->archive, ret_n_lines);
    if (r == 0 && epoch != writing->epoch)
        *ret_pos = *ret_n_lines = 0;
    return error_trace(r);
}

/* With the lock held: the batches that were given are dropped. */
static void drop_batches(Core *core)
{
    while (core->first != NULL) {
        ArchivistBatch *batch = core->first;

        core->first = batch->next;
        core->n_bytes -= batch->n;
        core->n_done++;
        free(batch);
    }
}

/* A damaged file makes way for a new one, as journald does it. Without the lock. 0, or an answer. */
static int put_aside(Writing *writing)
{
    Core *core = writing->core;
    char path[ARCHIVIST_PATH_MAX + ARCHIVE_SUFFIX_BYTES];
    int r;

    (void) pthread_mutex_lock(&core->lock);
    core->wants_alone = true;
    (void) pthread_cond_broadcast(&core->wake);
    while (core->reader_is_open && !core->is_ending)
        core_wait(core, UINT64_MAX);
    r = core->reader_is_open ? ARCHIVE_DAMAGED : 0;
    (void) pthread_mutex_unlock(&core->lock);
    if (r == 0 && archive_set_aside(core->path, clock_wall(), path) < 0)
        r = ARCHIVE_DAMAGED;
    (void) pthread_mutex_lock(&core->lock);
    core->wants_alone = false;
    if (r == 0) {
        core->status.n_aside++;
        (void) snprintf(core->status.aside, sizeof core->status.aside, "%s", path);
        core_tell(core);
    }
    (void) pthread_mutex_unlock(&core->lock);
    return r;
}

static void close_file(Writing *writing, int r)
{
    char detail[ARCHIVE_DETAIL_BYTES] = "";
    Core *core = writing->core;

    writing->retry = MIN(MAX(2 * writing->retry, RETRY_MIN_USEC), RETRY_MAX_USEC);
    writing->next_open = clock_monotonic() + writing->retry;
    if (writing->archive != NULL)
        (void) snprintf(detail, sizeof detail, "%s", archive_detail(writing->archive));
    writing->archive = archive_close(writing->archive);
    (void) pthread_mutex_lock(&core->lock);
    if (core->status.is_open || core->status.answer == 0)
        core_end_era(core);
    core->status.is_open = false;
    drop_batches(core);
    tell(writing, r, detail);
    (void) pthread_mutex_unlock(&core->lock);
}

/* With the lock held. A file that can be opened and not be written is no end of the trouble. */
static void tell_if_well(Writing *writing)
{
    if (writing->has_not_written || writing->has_not_tidied)
        return;
    writing->retry = 0;
    if (writing->core->status.answer != 0)
        tell(writing, 0, "");
}

static void open_again(Writing *writing)
{
    uint64_t pos = 0, n_lines = 0;
    Core *core = writing->core;
    int r = writing->is_damaged ? ARCHIVE_DAMAGED : open_file(writing, &pos, &n_lines);

    writing->is_damaged = false;
    if (r == ARCHIVE_DAMAGED) {
        writing->archive = archive_close(writing->archive);
        r = put_aside(writing);
        if (r == 0)
            r = open_file(writing, &pos, &n_lines);
    }
    if (r != 0) {
        close_file(writing, r);
        return;
    }
    writing->next_purge = clock_monotonic();
    (void) pthread_mutex_lock(&core->lock);
    core_end_era(core);
    core->found = 0;
    core->status.is_open = true;
    core->status.n_openings++;
    memcpy(core->status.file, writing->file, sizeof core->status.file);
    core->status.epoch = writing->epoch;
    core->status.pos = core->status.committed = pos;
    core->status.n_lines = core->status.n_done_lines = n_lines;
    tell_if_well(writing);
    core_tell(core);
    (void) pthread_mutex_unlock(&core->lock);
}

/* With the lock held, which is given up in the meantime. */
static void write_next(Writing *writing)
{
    Core *core = writing->core;
    ArchivistBatch *batch = core->first;
    bool is_stale = batch->opening != core->status.n_openings;
    int r = 0;

    core->first = batch->next;
    (void) pthread_mutex_unlock(&core->lock);
    if (!is_stale)
        r = put_batch(writing, batch);
    if (r != 0) {
        writing->has_not_written = true;
        writing->is_damaged = r == ARCHIVE_DAMAGED;
        close_file(writing, r);
    }
    (void) pthread_mutex_lock(&core->lock);
    core->n_bytes -= batch->n;
    core->n_done++;
    if (r == 0 && !is_stale) {
        core->status.committed = batch->end;
        core->status.n_done_lines = batch->n_lines;
        writing->has_not_written = false;
        tell_if_well(writing);
    }
    core_tell(core);
    free(batch);
}

static bool has_new_settings(const Writing *writing, const ArchivistSettings *settings)
{
    return writing->purged_by.keep != settings->keep || writing->purged_by.max_size != settings->max_size;
}

/* Cleans and purges, one step. Without the lock. */
static void tidy(Writing *writing, const ArchivistSettings *settings)
{
    const ArchivePurge purge = {.keep = settings->keep,
                                .max_size = settings->max_size,
                                .now = clock_wall(),
                                .budget = PURGE_BUDGET_USEC};
    bool is_due;
    int r = 0;

    if (has_new_settings(writing, settings))
        writing->next_purge = clock_monotonic();
    is_due = clock_monotonic() >= writing->next_purge;
    writing->purged_by = *settings;
    if (archive_is_unclean(writing->archive))
        r = archive_clean(writing->archive, PURGE_BUDGET_USEC);
    if (r == 0 && is_due)
        r = archive_purge(writing->archive, &purge);
    writing->is_purging = r == ARCHIVE_MORE;
    /* Busy: somebody reads an older state of the file, or deletes from it. Later, then. */
    if (is_due && (r == 0 || r == ARCHIVE_BUSY))
        writing->next_purge = clock_monotonic() + PURGE_EVERY_USEC;
    writing->has_not_tidied = r != 0 && r != ARCHIVE_BUSY && r != ARCHIVE_MORE;
    if (!writing->has_not_tidied)
        return;
    writing->is_damaged = r == ARCHIVE_DAMAGED;
    close_file(writing, r);
}

static void start_reader(Core *core)
{
    (void) pthread_mutex_lock(&core->lock);
    core->n_references++;
    core->n_threads++;
    if (thread_start(archivist_answer, core, ANSWER_STACK_BYTES) < 0) {
        core->n_references--;
        core->n_threads--;
    }
    (void) pthread_mutex_unlock(&core->lock);
}

/* With the lock held, which is given up in the meantime: does what there is to do, or waits for it. */
static void turn(Writing *writing)
{
    ArchivistSettings settings = writing->core->settings;
    Core *core = writing->core;

    if (writing->archive == NULL && clock_monotonic() < writing->next_open) {
        core_wait(core, writing->next_open);
    } else if (writing->archive == NULL) {
        (void) pthread_mutex_unlock(&core->lock);
        open_again(writing);
        (void) pthread_mutex_lock(&core->lock);
    } else if (core->found != 0) {
        int found = core->found;

        (void) pthread_mutex_unlock(&core->lock);
        writing->is_damaged = found == ARCHIVE_DAMAGED;
        close_file(writing, found);
        (void) pthread_mutex_lock(&core->lock);
    } else if (core->first != NULL) {
        write_next(writing);
    } else if (!core->is_ending &&
               (writing->is_purging || clock_monotonic() >= writing->next_purge ||
                has_new_settings(writing, &settings) || core->status.committed != writing->cleaned)) {
        writing->cleaned = core->status.committed;
        (void) pthread_mutex_unlock(&core->lock);
        tidy(writing, &settings);
        (void) pthread_mutex_lock(&core->lock);
        tell_if_well(writing);
    } else if (!core->is_ending) {
        core_wait(core, writing->next_purge);
    }
}

void *archivist_write(void *userdata)
{
    Core *core = userdata;
    Writing writing = {.core = core};
    int fd;

    (void) pthread_mutex_lock(&core->lock);
    fd = core->fd;
    (void) pthread_mutex_unlock(&core->lock);
    if (fd >= 0)
        thread_leave_descriptors(fd);
    start_reader(core);
    (void) pthread_mutex_lock(&core->lock);
    while (core->fd >= 0 && !(core->is_ending && (core->first == NULL || writing.archive == NULL)))
        turn(&writing);
    drop_batches(core);
    (void) pthread_mutex_unlock(&core->lock);
    writing.archive = archive_close(writing.archive);
    (void) pthread_mutex_lock(&core->lock);
    core->n_threads--;
    core_tell(core);
    core_release(core);
    return NULL;
}
