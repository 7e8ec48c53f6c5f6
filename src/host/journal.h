/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Where log events go: the journal as structured entries, or plain lines on standard error.
 *
 * Writing to either can block (a journal that is stopped, a pipe that is full), so a thread of its own does
 * that, from a short queue. When the queue is full, or chatter comes too fast, entries are dropped and
 * counted; the loop never waits.
 *
 * The thread is there only while there is something to write: with a second thread every system call on a
 * descriptor is dearer, for the kernel then counts references to the descriptor table's entries.
 */

#include "base/log.h"

typedef struct Journal Journal;

typedef enum JournalTarget {
    JOURNAL_STDERR,
    JOURNAL_NATIVE, /* sd_journal_sendv(3) */
} JournalTarget;

/* Native when standard error is connected to the journal ($JOURNAL_STREAM, systemd.exec(5)), or is a client's
 * socket. */
JournalTarget journal_pick_target(void);
/* 0, or a negative errno. */
int journal_new(JournalTarget target, Journal **ret_journal);
/* Waits for what is queued, a second at the most. Takes NULL; returns NULL. */
Journal *journal_free(Journal *journal);
const Log *journal_log(const Journal *journal);
