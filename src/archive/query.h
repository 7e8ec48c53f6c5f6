/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Questions, for any handle. A WRITER's own see what it has put and not committed yet.
 *
 * Rows are given to a callback one by one. What it is given is valid during the call. It returns 0 to go on;
 * anything else ends the question, which then returns just that. It must not use the same handle. Text has
 * passed text_clean() again, and names have been looked at, so a file that somebody has tampered with is
 * ARCHIVE_DAMAGED at worst.
 */

#include "archive/write.h"

enum {
    ARCHIVE_ROWS_MAX = 20001, /* lines that one question can be answered with; more are not asked for */
};

/* "Any id": before the end of time. */
#define ARCHIVE_ID_END ((uint64_t) INT64_MAX)

typedef int (*ArchiveLineFunction)(void *userdata, const ArchiveLine *line);

/* The last `n_max` lines of a room before an id (ARCHIVE_ID_END: of all), oldest first. Without gaps. */
int archive_last_lines(Archive *archive, const NameKey *room, uint64_t before, unsigned n_max,
                       ArchiveLineFunction function, void *userdata);

/* What to look for: lines with from <= wall < to, and with first_id <= id. */
typedef struct ArchiveSpan {
    uint64_t from, to;
    uint64_t first_id; /* for the next page: the last line's id + 1 */
    unsigned n_max;
} ArchiveSpan;

/* Lines of a room in a time, for instance of one day; oldest first. Without gaps. */
int archive_lines_between(Archive *archive, const NameKey *room, const ArchiveSpan *span,
                          ArchiveLineFunction function, void *userdata);

typedef struct ArchivePerson {
    ArchiveWho who;                 /* as they spelt it last; verified: if they ever were */
    uint64_t first_seen, last_seen; /* usec; 0: it is not known any more */
    uint64_t last_line;             /* wall of what they said last; 0: nothing */
    Name last_room;                 /* and where; empty if nothing. The caller says who may know that. */
} ArchivePerson;

/* Who has this name. *ret_is_found false: nobody whom the archive remembers. */
int archive_find_person(Archive *archive, const NameKey *key, bool *ret_is_found, ArchivePerson *ret_person);
/* Is the name that of somebody verified who was ever here? Then *ret_uid is theirs. */
int archive_find_verified(Archive *archive, const NameKey *key, bool *ret_is_found, uint32_t *ret_uid);

typedef int (*ArchiveSettingsFunction)(void *userdata, const ArchiveSettings *settings);
/* The settings of a uid: one call, or none. */
int archive_load_settings(Archive *archive, uint32_t uid, ArchiveSettingsFunction function, void *userdata);

typedef int (*ArchiveMessageFunction)(void *userdata, const ArchiveMessage *message);
/* Messages for a uid, oldest first, at most `n_max`. */
int archive_load_messages(Archive *archive, uint32_t to_uid, unsigned n_max, ArchiveMessageFunction function,
                          void *userdata);
/* How many messages wait from one sender, for whomever. */
int archive_count_messages_from(Archive *archive, const NameKey *from, uint64_t *ret_n);
/* How many wait for one receiver. */
int archive_count_messages_to(Archive *archive, uint32_t to_uid, uint64_t *ret_n);

/* What a chat begins with. */

typedef struct ArchiveRoomRow {
    bool is_kept; /* there is a record: `record.has_founder` and so on; else there is only a topic */
    ArchiveRoom record;
    ArchiveTopic topic; /* `n` 0: none. An empty nick: whoever set it has been forgotten */
} ArchiveRoomRow;

typedef int (*ArchiveRoomFunction)(void *userdata, const ArchiveRoomRow *row);
/* All rooms that have a record or a topic, in the order in which they were first heard of. */
int archive_load_rooms(Archive *archive, ArchiveRoomFunction function, void *userdata);
/* The same of one room: one call, or none. */
int archive_load_room(Archive *archive, const NameKey *key, ArchiveRoomFunction function, void *userdata);

/* Those of its record; 0: there is none. */
int archive_room_flags(Archive *archive, const NameKey *key, uint32_t *ret_flags);

typedef int (*ArchiveInviteFunction)(void *userdata, const ArchiveInvite *invite);
/* All invitations, room by room. */
int archive_load_invites(Archive *archive, ArchiveInviteFunction function, void *userdata);

typedef int (*ArchiveRuleFunction)(void *userdata, const ArchiveRule *rule);
/* All rules that have not ended at `now` (usec), by id. An empty `by`: whoever made it has been forgotten. */
int archive_load_rules(Archive *archive, uint64_t now, ArchiveRuleFunction function, void *userdata);
