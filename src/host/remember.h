/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The chat's memory: an archive in the state directory (systemd.exec(5), StateDirectory=), which reads the
 * transcript as one more reader and is asked what the transcript has forgotten.
 *
 * About once a second what is new is given to the archive's thread (host/archivist.h), sooner if somebody
 * asks or the transcript fills up. Where to go on is in the archive itself. What the transcript overwrites
 * meanwhile is missing there, and the archive is told how many lines: StateHeader.archive counts those that
 * were dropped, and the archive how many there were before its cursor.
 *
 * A state begins by asking for what the archive knows: the rules, and what was said last in the lobby. Nobody
 * is let in before, but for a moment only: a disk that hangs keeps nobody out.
 */

#include <stdbool.h>
#include <stdint.h>

#include "host/archivist.h"

typedef struct Server Server;

typedef struct Remember {
    bool is_on; /* there is an archive */
    Archivist
        *archivist;    /* owned; NULL: there is none, or not before the threads of the last one have ended */
    Archivist *ending; /* owned; that one. NULL: they have */
    uint64_t n_ending; /* lines that it should know of at its end, and */
    uint64_t n_ending_before;          /* of which it was not given so many */
    uint64_t ending_from, ending_head; /* positions: what it was given, and should have by then */
    ArchivistStatus status;
    uint64_t n_openings;     /* for which the next two are: */
    uint64_t given, n_lines; /* up to where the transcript was given away, and how many lines that were */
    uint64_t reached;        /* position: of notes before it the archive has been given all, or has them */
    uint64_t due;            /* usec, monotonic: when the next batch is; UINT64_MAX: nothing is new */
    uint64_t hold_until; /* usec, monotonic: nobody is let in before, unless there is an answer; 0: never */
    uint64_t next_try;   /* usec, monotonic: when the rules are asked for again; 0: they are awaited */
    uint64_t give_up;    /* usec, monotonic: when that is not done any more; 0: nothing is wrong with them */
    bool is_refused;     /* the last batch: too much waits already */
    int told;            /* the trouble that is in the log; 0: none */
    unsigned n_told_aside;
    /* What the archive was told of once more: records, and a position: host/noting.h. */
    uint32_t n_rules, n_rooms, n_people;
    uint64_t taken_back;
    char entries[ARCHIVIST_BATCH_BYTES] __attribute__((aligned(8)));
} Remember;

enum { REMEMBER_PATH_MAX = ARCHIVIST_PATH_MAX };
/* Where the archive is. False: there is no state directory. */
bool remember_path(char path[REMEMBER_PATH_MAX]);

/* As the configuration says: at the start, and when it has changed. Waits for nothing. What fails is logged.
 */
void remember_set(Server *server);
/* At the end, or before the next process: with `is_last` what is new is written first. */
void remember_close(Server *server, bool is_last);
/* Readable when the threads have something to say: for poll(2), borrowed; -1: there are none. */
int remember_fd(const Server *server);
/* That. */
void remember_take(Server *server);
/* Gives them what is due. */
void remember_tick(Server *server);
/* When that is (usec, monotonic; UINT64_MAX: never). */
uint64_t remember_due(const Server *server);
/* Whether people may come in. */
bool remember_is_ready(const Server *server);
/* A word for the status of the service; NULL: all is well. */
const char *remember_trouble(const Server *server);
