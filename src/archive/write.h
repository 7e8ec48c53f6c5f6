/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * What has happened, for a WRITER.
 *
 * The first event opens a transaction, archive_commit() ends it. Putting an event twice is the same as
 * putting it once, so after a death everything from the cursor on may be put again.
 *
 * Each returns 0, -ENOMEM, -EINVAL (longer than the limits in archive/archive.h, or a name that is none:
 * nothing is written, and nothing undone), or an answer. After an answer, or -ENOMEM, everything since the
 * last commit is undone, and every put and commit answers the same until archive_cursor() has been called,
 * which says where to begin again: so nothing is ever left out in the middle.
 */

#include "archive/archive.h"

typedef struct ArchiveTopic {
    Name room;
    ArchiveWho by;
    uint64_t wall;
    const char *text; /* borrowed; `n` 0: the topic was cleared */
    size_t n;
} ArchiveTopic;

/* A room that is kept although nobody is in it. */
typedef struct ArchiveRoom {
    Name room;
    bool has_founder;
    ArchiveWho founder;
    uint32_t flags; /* the caller's */
} ArchiveRoom;

typedef struct ArchiveInvite {
    Name room;
    Name name;
    uint32_t uid;
} ArchiveInvite;

typedef struct ArchiveRule {
    uint64_t id;
    uint8_t kind;        /* the caller's */
    const char *subject; /* as it was typed; up to ARCHIVE_TEXT_MAX bytes; borrowed, as all of these */
    size_t n_subject;
    const void *bytes; /* what it means; the caller's; up to ARCHIVE_BYTES_MAX */
    size_t n_bytes;
    uint64_t until; /* usec since the epoch; 0: for ever */
    Name by;
    const char *reason;
    size_t n_reason;
    uint64_t wall;
} ArchiveRule;

typedef struct ArchiveSettings {
    ArchiveWho who;   /* verified */
    uint32_t bits;    /* the caller's */
    const char *away; /* borrowed; `n_away` 0: not away */
    size_t n_away;
    const void *ignored; /* the caller's; up to ARCHIVE_IGNORED_MAX bytes; borrowed */
    size_t n_ignored;
} ArchiveSettings;

/* Left for somebody verified who is not there. */
typedef struct ArchiveMessage {
    uint64_t id; /* archive_id() */
    uint64_t wall;
    ArchiveWho from;
    uint32_t to_uid;
    Name to;
    const char *text; /* borrowed */
    size_t n;
} ArchiveMessage;

/* A line of any kind. Saying something is being seen. */
int archive_put_line(Archive *archive, const ArchiveLine *line);
/* How many lines of the epoch stand before the position that will be committed: archive_count(). */
int archive_put_count(Archive *archive, uint64_t n);
/* The line is gone, with its words, when archive_clean() (archive/purge.h) has run. 0 if there is none. */
int archive_put_take_back(Archive *archive, uint64_t id);
/* The same of a line of which the id and the kind are not known, and of the text only the first `n_text`
 * bytes. If there are several like it, the newest. */
int archive_put_take_back_said(Archive *archive, const ArchiveLine *line, size_t n_text);
/* The same of the newest that somebody said in a room: `n` lines, at most LIMIT_DELETED. */
int archive_put_deleted(Archive *archive, const Name *room, const Name *nick, uint64_t n);
/* The newest line of the owner of that account in that room, if it is no older. */
int archive_put_undone(Archive *archive, const Name *room, const ArchiveWho *who, uint64_t since);
/* Somebody came or left. */
int archive_put_seen(Archive *archive, const ArchiveWho *who, uint64_t wall);
int archive_put_topic(Archive *archive, const ArchiveTopic *topic);

/* Created, or changed; the topic stays as it is. */
int archive_put_room(Archive *archive, const ArchiveRoom *record);
/* Nothing is kept of it any more, but for its topic; it goes on. */
int archive_put_room_opened(Archive *archive, const Name *room);
/* Its topic and invitations go too; what was said there stays. */
int archive_put_room_removed(Archive *archive, const Name *room);
/* What was said there goes, from that id until before the other, and stays gone when archive_clean()
 * (archive/purge.h) has run. */
int archive_put_room_forgotten(Archive *archive, const Name *room, uint64_t from, uint64_t before);
int archive_put_invite(Archive *archive, const ArchiveInvite *invite);
int archive_put_invite_removed(Archive *archive, const Name *room, const Name *name);

/* Added, or in place of the one with the same id. */
int archive_put_rule(Archive *archive, const ArchiveRule *rule);
int archive_put_rule_removed(Archive *archive, uint64_t id);
/* Removes all but the `n` with these ids. */
int archive_put_rules_kept(Archive *archive, const uint64_t *ids, size_t n);
int archive_put_settings(Archive *archive, const ArchiveSettings *settings);
int archive_put_message(Archive *archive, const ArchiveMessage *message);
/* The message is gone when archive_clean() (archive/purge.h) has run. */
int archive_put_delivered(Archive *archive, uint64_t id);
