/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The limits that are compiled in. What an administrator may choose is in base/config.h; each of
 * those settings is bounded by one of these, so that buffers have a size that is known here.
 */

enum {
    LIMIT_LINE_BYTES = 8000,                 /* MaxLineLength= can not be more */
    LIMIT_TEXT_BYTES = 3 * LIMIT_LINE_BYTES, /* a line after cleaning: a bad byte becomes three */
    LIMIT_TOPIC_BYTES = 500,                 /* MaxTopicLength= can not be more */
    LIMIT_MOTD_BYTES = 4000,                 /* Motd= in all */
    LIMIT_HISTORY = 200,                     /* lines: History= and /history */
    LIMIT_IGNORES = 64,                      /* MaxIgnores= can not be more */
    LIMIT_ROOMS = 65000,                     /* MaxRooms= can not be more */
    LIMIT_MEMBERS = 1 << 24,                 /* people in rooms, each counted in every room */
    LIMIT_RULES = 1000,                      /* bans, mutes, and who is made an operator */
    LIMIT_ROOMS_FOUNDED = 20,                /* of one person */
    LIMIT_INVITES = 5000,                    /* into rooms */
    LIMIT_INVITES_ROOM = 200,                /* of these into one */
    LIMIT_ROOMS_OVER = 256,                  /* of whose end the archive has still to hear */
    LIMIT_REASON_BYTES = 200,                /* of what an operator does */
    LIMIT_MAIL_BYTES = 2000,                 /* of a message for somebody who is away */
    LIMIT_DELETED = 20,                      /* lines, by one /delete */
    LIMIT_PERSON_SESSIONS = 8,               /* connections of one person */
    LIMIT_REPLY_BYTES = 16000,               /* what one command answers */
    LIMIT_TRANSCRIPT_MIN = 256 * 1024,       /* TranscriptSize= can not be less */

    /* One item of output (a line, or one answer) after rendering: text, nick, room, time, colour. */
    LIMIT_ITEM_BYTES = LIMIT_TEXT_BYTES + 512,

    /* What is done for one client, and for all, before everyone else has a turn. */
    TURN_LINES_PER_CLIENT = 16,
    TURN_LINES = 512,
    TURN_ACCEPTS = 1024,
    TURN_CHUNKS_PER_CLIENT = 4, /* sends to one reader who is behind */
    TURN_LINES_TO_CLIENT = 256, /* the same, to a unix socket: one line each */

    READ_BYTES = 16384,  /* looked at in one read; above LIMIT_LINE_BYTES and its line end */
    CHUNK_BYTES = 65536, /* rendered for one send; above LIMIT_ITEM_BYTES */

#ifdef CHATD_FAULTS
    VAULT_PAIR_CLIENTS = 4, /* so that a test gets to all that happens to full pairs */
#else
    VAULT_PAIR_CLIENTS = 256, /* descriptors in flight in one pair: what its send buffer holds by default */
#endif

    ANNOUNCE_PEOPLE = 30, /* coming and going is told one by one in rooms up to this size */
};

#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC UINT64_C(1000000)
#define SECONDS_PER_DAY UINT64_C(86400)
#define NSEC_PER_USEC UINT64_C(1000)
#define NSEC_PER_SEC UINT64_C(1000000000)

/* A process in which nothing has happened for so long gives back what it has of files: host/trim.h. */
#define TRIM_USEC USEC_PER_SEC

/* In larger rooms one line sums up who came and went, this often at most. */
#define ANNOUNCE_SUM_USEC (10 * USEC_PER_SEC)
/* A kept room that nobody has entered for so long is given up. */
#define ROOM_KEPT_SEC (30 * 24 * 60 * 60)
/* The service never exits for idleness younger than this: systemd gives up on a socket that starts its
 * service too often. */
#define IDLE_EXIT_MIN_USEC (30 * USEC_PER_SEC)
/* A peer that owes us acknowledgements, or the rest of its reading after a half-close, for this long is gone.
 */
#define PEER_DEAD_USEC (95 * USEC_PER_SEC)
/* Dead entries are swept out of the vault this often. */
#ifdef CHATD_FAULTS
#define VAULT_SWEEP_USEC 0 /* so that it is always the same turn */
#else
#define VAULT_SWEEP_USEC (10 * USEC_PER_SEC)
#endif
#define PEER_CHECK_USEC (10 * USEC_PER_SEC)
