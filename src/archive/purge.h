/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Deleting, for a WRITER or a TOOL, between groups of events.
 *
 * What is deleted is first taken out of the tables and then out of the indexes (archive/part.h), whose old
 * pages SQLite overwrites with zeros (PRAGMA secure_delete). In the end the write-ahead log is emptied. Each
 * of these is a step of its own, well below 100 ms, so that somebody who has other things to do may do these
 * in between: whatever returns ARCHIVE_MORE wants to be called again. A death between two steps loses
 * nothing; the next archive_clean() goes on.
 *
 * While somebody reads an older state of the file the log can not be emptied, and the answer is ARCHIVE_BUSY:
 * all is deleted, but its bytes are still in the log. Try again after the next commit, as long as
 * archive_is_unclean().
 */

#include "archive/archive.h"

typedef struct ArchivePurge {
    uint64_t keep;     /* usec that lines and messages are kept, and people remembered; 0: for ever */
    uint64_t max_size; /* bytes that the file may have; 0: any number */
    uint64_t now;      /* usec since the epoch */
    uint64_t budget;   /* usec that one call takes, roughly; one step is done in any case */
} ArchivePurge;

/*
 * Deletes what is older than `keep`; if the file is larger than `max_size` then the oldest lines as well, a
 * partition (PART_LINES) at a time unless there is only one, and gives unused space back to the file system.
 * Names of verified people stay, without when they were seen. Rules that have ended go too. Rooms, settings
 * and the like are not deleted to get below `max_size`.
 */
int archive_purge(Archive *archive, const ArchivePurge *purge);

/*
 * Forgets a person: all lines of that name, whether verified or not, messages from and to it, what is
 * remembered of it, settings. Topics and rules stay without the name. What gives it rights stays: rooms it
 * founded, invitations. Includes archive_clean(). *ret_n_lines, which may be NULL, is increased by the number
 * of lines deleted.
 */
int archive_forget(Archive *archive, const NameKey *key, uint64_t budget, uint64_t *ret_n_lines);

/* Makes sure that the bytes of what was deleted are gone. */
int archive_clean(Archive *archive, uint64_t budget);
/* Is there anything for archive_clean() to do, as far as this handle knows? */
bool archive_is_unclean(const Archive *archive);
