/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * What the chat is: one memory file of flat records, with indexes and offsets and no pointers.
 *
 *     header | sessions | rooms | members | away texts | ignored names | half lines | transcript
 *
 * Everything else (who is in a room's list, which nick is whose) is derived from it and lives on the heap.
 * The file is mapped shared and sparse: a record costs memory from its first use on. It is a memfd, so
 * there is no file system that could be full when a page is touched for the first time.
 *
 * Times: `*_wall` are microseconds since the epoch; `*_due` are nanoseconds of the monotonic clock.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/name.h"
#include "base/slots.h"

typedef struct Config Config;

#define STATE_MAGIC UINT64_C(0x3174617473746863) /* "chtstat1" */
enum { STATE_LAYOUT = 1 };

typedef struct Motd {
    uint32_t n;
    char text[LIMIT_MOTD_BYTES]; /* lines joined with \n */
} Motd;

typedef struct StateHeader {
    uint64_t magic;
    uint32_t layout;
    uint32_t header_size;
    uint32_t session_size, room_size, member_size, away_size, ignored_size, half_size;
    uint32_t max_sessions, max_rooms, max_members, max_ignored; /* max_ignored: for one session */
    uint64_t transcript_size;
    uint64_t head, tail, flushed; /* positions in the transcript: see chat/transcript.h, chat/stream.h */
    uint64_t next_serial;         /* of a session; never used twice */
    uint64_t next_guest;
    uint64_t started_wall;
    Motd motd;
    char host[65];
} StateHeader;

enum {
    SESSION_GREETED = 1 << 0,  /* the greeting has been sent in full */
    SESSION_LAGGING = 1 << 1,  /* `cursor` is its own; otherwise it has read all up to `flushed` */
    SESSION_SKIPPING = 1 << 2, /* in the rest of a line that was too long */
    SESSION_ENDING = 1 << 3,   /* will say nothing more; hears what came before `end`, then goes */
    SESSION_CUT = 1 << 4,      /* the line it was in the middle of was overwritten */
    SESSION_AWAY = 1 << 5,
};

enum {
    SETTING_TIME = 1 << 0,
    SETTING_COLOR = 1 << 1,
    SETTING_JOINS = 1 << 2,
    SETTING_BELL = 1 << 3,
};

/* Where somebody comes from: an IPv6 address (IPv4 mapped into it) and port, or the uid behind an AF_UNIX
 * socket. */
typedef struct Peer {
    uint8_t address[16];
    uint32_t uid;
    uint16_t port;
    bool is_local;
} Peer;

/* What delivery looks at is in the first 64 bytes, one cache line. */
typedef struct __attribute__((aligned(64))) SessionRecord {
    uint64_t serial;              /* 0: this record is free */
    uint64_t cursor;              /* the next entry to read */
    uint64_t replay, replay_last; /* older entries to be read before it: from, and the last one; 0: none */
    uint64_t end;                 /* with SESSION_ENDING */
    uint32_t written;             /* bytes of the current item that have been sent */
    uint32_t current_room;
    uint32_t missed, lost; /* lines overwritten unread: being told of, and since then */
    uint8_t flags;
    uint8_t settings;
    uint8_t item_key;       /* how the current item is rendered, fixed when `written` is not 0 */
    bool is_within_line;    /* these bytes do not end with a line end */
    uint16_t written_lines; /* line ends in these bytes */
    uint16_t answered;      /* telnet requests in the pending line that were answered */
    uint16_t n_half;        /* bytes of the half line that is kept; its record is not touched before */
    uint32_t greet_others;  /* how many others the greeting tells of */
    uint64_t lines_due, bytes_due;
    uint64_t connected_wall, spoke_wall;
    uint64_t reply_serial; /* who last said something in private */
    uint32_t reply_session;
    Peer peer;
    Name nick;
} SessionRecord;

typedef struct RoomRecord {
    uint64_t created_wall;              /* 0: this record is free */
    uint64_t last_said;                 /* position of the last thing said in it; 0: none */
    uint32_t n_came, n_left, n_renamed; /* not yet told, in a large room */
    uint64_t sum_due;                   /* usec of the monotonic clock: when they may be told; 0: any time */
    Name name;
    Name topic_by;
    uint16_t topic_n;
    char topic[LIMIT_TOPIC_BYTES];
} RoomRecord;

typedef struct MemberRecord {
    uint64_t joined;  /* hears what is at this position and later */
    uint32_t session; /* SLOT_NONE: this record is free */
    uint32_t room;
} MemberRecord;

/* The n-th of these belongs to the n-th session. */
typedef struct AwayRecord {
    uint16_t n;
    char text[LIMIT_TOPIC_BYTES];
} AwayRecord;

typedef struct IgnoredRecord {
    uint64_t hash;   /* of the folded name; 0: free */
    uint64_t serial; /* of who bore it when it was ignored: a new name does not help */
    Name name;
} IgnoredRecord;

/* Input that is no whole line yet and could not stay in the socket: host/input.h. The n-th session's. */
typedef struct HalfRecord {
    char bytes[READ_BYTES];
} HalfRecord;

typedef struct State {
    int fd; /* owned */
    void *base;
    size_t size;
    StateHeader *header;
    SessionRecord *sessions;
    RoomRecord *rooms;
    MemberRecord *members;
    AwayRecord *aways;
    IgnoredRecord *ignored; /* header->max_ignored for each session */
    HalfRecord *halves;
    char *ring;
} State;

/* The lobby is the first room and is never free. */
enum { ROOM_LOBBY = 0 };

/*
 * A new state for `max_sessions` people and the other limits of `config`. 0, or a negative errno: no
 * memory, or no descriptor.
 */
int state_new(State *state, const Config *config, uint32_t max_sessions);
void state_done(State *state);
