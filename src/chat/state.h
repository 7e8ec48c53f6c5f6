/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * What the chat is: one memory file of flat records, with indexes and offsets and no pointers.
 *
 *     header | undo | sessions | rooms | members | away texts | ignored names | half lines | rules |
 *     invitations | rooms that are over | transcript
 *
 * Everything else (who is in a room's list, which nick is whose) is derived from it and lives on the heap.
 * The file is mapped shared and sparse: a record costs memory from its first use on. It is a memfd, so
 * there is no file system that could be full when a page is touched for the first time.
 *
 * The process may die between any two instructions, and another one goes on with the file. So what belongs
 * together is changed in a transaction. Before a record is changed, its old bytes are copied to the undo area
 * (state_edit), which opens the transaction; state_commit() ends it, with one store. Whoever finds an open
 * one puts the old bytes back. What a single store changes needs none. Nothing but the order of stores is
 * relied on: a process that dies has executed a prefix of its instructions, and what it stored stays in the
 * file.
 *
 * Times: `*_wall` are microseconds since the epoch; `*_due` are nanoseconds of the monotonic clock, which is
 * the same for all processes of a state, since none outlives the kernel.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/name.h"
#include "base/slots.h"

typedef struct Config Config;

#define STATE_MAGIC UINT64_C(0x3174617473746863) /* "chtstat1" */

/*
 * The layout grows by appending: a field is added at the end of its record and is 0 in what an older version
 * wrote. Each such change takes the next number. (One build of the tests is the version after this one.)
 */
#ifdef CHATD_NEXT_LAYOUT
enum { STATE_LAYOUT = 7 };
#define STATE_NEXT_FIELDS uint64_t of_the_next_layout[5];
#else
enum { STATE_LAYOUT = 6 };
#define STATE_NEXT_FIELDS
#endif
enum { STATE_LAYOUT_OLDEST = 2 }; /* that can be read */

typedef struct Motd {
    uint32_t n;
    char text[LIMIT_MOTD_BYTES]; /* lines joined with \n */
} Motd;

enum { STATE_ID_BYTES = 16 };

enum {
    PAST_UNKNOWN,    /* is not in the state so far */
    PAST_KNOWN,      /* is in it, but for rooms for which there was no place */
    PAST_UNREADABLE, /* but for what the archive has and could not be read */
};

/* What an archive has to know of the transcript: host/giving.h. */
typedef struct ArchiveMark {
    uint64_t from; /* position; what was said before this is not for it. UINT64_MAX: nothing is, for now */
    uint64_t n_dropped; /* lines that were said and have been overwritten, since the state began */
    uint64_t recalled;  /* PAST_*: what the archive knew before */
    uint64_t n_before;  /* lines that were said before `from` */
} ArchiveMark;

typedef struct StateHeader {
    uint64_t magic;
    uint32_t layout;
    uint32_t header_size;
    uint32_t session_size, room_size, member_size, away_size, ignored_size, half_size;
    uint32_t max_sessions, max_rooms, max_members;
    uint32_t max_ignored, max_rooms_each; /* of one session */
    uint64_t undo_size, transcript_size;
    uint64_t generation; /* which file it is, of those that one was copied to the next */
    uint64_t undo_n;     /* bytes in the undo area; 0: no transaction is open */
    /* Positions in the transcript: see chat/transcript.h, chat/stream.h. */
    uint64_t tail, flushed;
    uint64_t head;        /* from here to next_member: what transactions change */
    uint64_t next_serial; /* of a session; never used twice */
    uint64_t next_guest;
    uint64_t next_member;  /* how many have ever entered a room */
    uint64_t started_wall; /* of the service */
    uint64_t next_vault;   /* host/vault.h */
    uint32_t n_restarts;   /* processes before this one */
    uint32_t n_recoveries; /* begun since one was completed */
    uint32_t executing;    /* the session whose line is being executed, plus 1; 0: none */
    uint32_t fault;        /* the signal of the fault by which the process died; 0: none */
    uint32_t rendering;    /* FRONT_RENDERING of the process */
    Motd motd;
    char host[65];
    uint32_t rule_size, max_rules; /* from layout 3 on */
    uint64_t next_rule;            /* the number of a rule; never used twice */
    uint8_t id[STATE_ID_BYTES];    /* random: which state it is, also when it is copied; from layout 4 on */
    ArchiveMark archive;
    uint32_t invite_size, max_invites;
    uint64_t is_noting; /* the archive is to be told of all rules and rooms: host/noting.h */
    uint64_t today;     /* when the day of the turn began, usec since the epoch: chat_begin_turn() */
    uint8_t archive_file[STATE_ID_BYTES]; /* of which file archive.recalled tells; from layout 5 on */
    uint32_t over_size, max_overs;        /* from layout 6 on */
    uint64_t over_first, over_end;        /* the n-th room that is over is in the record n modulo max_overs */
    /* What stands before this position is in archive_file, or known to be missing there, at least: so many
     * lines. */
    uint64_t archived, n_archived;
    /* Of what was noted before this position it is told only what means the same to any. */
    uint64_t noted_from;
    STATE_NEXT_FIELDS
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
    SETTING_ASCII = 1 << 6, /* the mark of verified people is a character of ASCII */
    SETTINGS_STANDARD = SETTING_TIME | SETTING_JOINS,
    SETTINGS_ALL = SETTING_TIME | SETTING_COLOR | SETTING_JOINS | SETTING_BELL | SETTING_ASCII,
};

/* What the kernel knows of a person, only of who came in by the local socket; and what operators did to it.
 */
enum {
    STANDING_VERIFIED = 1 << 0, /* the nick is the login name of peer.uid */
    STANDING_OPERATOR = 1 << 1, /* root, or a member of OperatorGroup=, as the newest session says */
    STANDING_EXPELLED = 1 << 2, /* of anybody: goes at once, whether or not it has read why */
    STANDING_SETTLED = 1 << 3,  /* what an archive had of this person's settings is part of them */
    STANDING_IN_GROUP = 1 << 4, /* this session came in as root, or with that group; from layout 6 on */
};

/* Where somebody comes from: an IPv6 address (IPv4 mapped into it) and port, or the uid behind an AF_UNIX
 * socket. */
typedef struct Peer {
    uint8_t address[16];
    uint32_t uid;
    uint16_t port;
    bool is_local;
} Peer;

/* What delivery looks at is in the first 64 bytes, one cache line: SESSION_READING_BYTES. */
typedef struct __attribute__((aligned(64))) SessionRecord {
    uint64_t serial;              /* 0: this record is free */
    uint64_t cursor;              /* the next entry to read */
    uint64_t replay, replay_last; /* older entries to be read before it: from, and the last one; 0: none */
    uint64_t bytes_out;           /* sent to it so far */
    uint32_t written;             /* bytes of the current item that have been sent */
    uint32_t current_room;
    uint32_t missed, lost; /* lines overwritten unread: being told of, and since then */
    uint8_t flags;
    uint8_t settings;
    uint8_t item_key;       /* how the current item is rendered, fixed when `written` is not 0 */
    bool is_within_line;    /* these bytes do not end with a line end */
    uint16_t written_lines; /* line ends in these bytes */
    uint16_t answered;      /* telnet requests in the pending line that were answered */
    uint64_t end;           /* with SESSION_ENDING */
    uint64_t bytes_in;      /* of its input that made up executed lines */
    uint32_t bytes_taken;   /* of its input that have left the socket, modulo 2^32; of AF_UNIX clients */
    uint16_t n_peeked;      /* bytes of the last look at the socket; of AF_UNIX clients */
    uint16_t n_half;        /* bytes of the half line that is kept; its record is not touched before */
    uint16_t n_ignored;
    uint32_t greet_others; /* how many others the greeting tells of */
    uint64_t lines_due, bytes_due;
    uint32_t connected, spoke; /* when it did: seconds since the epoch, good until 2106 */
    uint64_t reply_serial;     /* who last said something in private: chat/command-person.c */
    uint32_t reply_session;
    Peer peer;
    Name nick;
    uint8_t standing; /* of this person; from layout 3 on */
    STATE_NEXT_FIELDS
} SessionRecord;

enum { SESSION_READING_BYTES = 64 };

/* What is kept of a room, and by whom: chat/keep.h. */
enum {
    ROOM_FOUNDED = 1 << 0, /* it belongs to `founder` */
    ROOM_LOCKED = 1 << 1,  /* only who is invited may come in */
    ROOM_HIDDEN = 1 << 2,  /* who is not in it is not told of it */
    ROOM_TOPIC_LOCKED = 1 << 3,
    ROOM_CLOSING = 1 << 4,   /* has been closed, and still has people to be put out */
    ROOM_STRANGERS = 1 << 5, /* turned out to be locked, and who may not be in it is still to be put out */
    ROOM_RECALLED = 1 << 6,  /* it is the one that the archive had; from layout 6 on */
    ROOM_SECRET = ROOM_LOCKED | ROOM_HIDDEN,                  /* what is said there is not for everybody */
    ROOM_SET = ROOM_LOCKED | ROOM_HIDDEN | ROOM_TOPIC_LOCKED, /* what a founder sets */
};

typedef struct RoomRecord {
    uint64_t created_wall;              /* 0: this record is free */
    uint64_t last_said;                 /* position of the last thing said in it; 0: none */
    uint32_t n_came, n_left, n_renamed; /* not yet told, in a large room */
    uint64_t sum_due;                   /* usec of the monotonic clock: when they may be told; 0: any time */
    Name name;
    Name topic_by;
    uint16_t topic_n;
    char topic[LIMIT_TOPIC_BYTES];
    Name founder; /* with ROOM_FOUNDED; from layout 4 on */
    uint32_t founder_uid;
    uint32_t flags;
    uint32_t empty_since; /* seconds of the monotonic clock; 0: somebody is in it */
    STATE_NEXT_FIELDS
} RoomRecord;

typedef struct MemberRecord {
    uint64_t joined; /* hears what is at this position and later; 0: this record is free */
    uint32_t session;
    uint32_t room;
    uint64_t order; /* who entered first */
    STATE_NEXT_FIELDS
} MemberRecord;

/* The n-th of these belongs to the n-th session. */
typedef struct AwayRecord {
    uint16_t n;
    char text[LIMIT_TOPIC_BYTES];
    STATE_NEXT_FIELDS
} AwayRecord;

/*
 * With the serial of an ignored session, which is far below these: whether somebody verified bore the name
 * when it was ignored, or a guest, so that the name of an impostor is not that of who has it by right.
 * Neither, as in what an older version wrote: nobody bore it, and it means both. Both, and nothing else:
 * everybody from a place is ignored, whose name does not matter.
 */
#define IGNORED_VERIFIED (UINT64_C(1) << 63)
#define IGNORED_GUEST (UINT64_C(1) << 62)
#define IGNORED_KINDS (IGNORED_VERIFIED | IGNORED_GUEST)
#define IGNORED_PLACE IGNORED_KINDS

typedef struct IgnoredRecord {
    uint64_t hash;   /* of the folded name; or the place, as in peer_place() */
    uint64_t serial; /* of who bore it when it was ignored: a new name does not help; and one of these */
    Name name;       /* of a place: of who was there when it was ignored, or empty */
    STATE_NEXT_FIELDS
} IgnoredRecord;

/* Input that is no whole line yet and could not stay in the socket: host/input.h. The n-th session's. */
typedef struct HalfRecord {
    char bytes[READ_BYTES];
    STATE_NEXT_FIELDS
} HalfRecord;

typedef enum RuleKind {
    RULE_BAN = 1,  /* may not come */
    RULE_MUTE,     /* may not speak */
    RULE_OPERATOR, /* the owner of the account is an operator */
} RuleKind;

/* Whom a rule is about: a uid of this host, or all addresses that begin with these bits. */
typedef struct RuleSubject {
    uint8_t address[16]; /* IPv6, or IPv4 mapped into it; the bits after the prefix are 0 */
    uint32_t uid;
    uint8_t n_bits;
    bool is_uid;
} RuleSubject;

/* What an operator made: chat/rule.h. From layout 3 on. */
typedef struct RuleRecord {
    uint64_t number; /* 0: this record is free */
    uint64_t until;  /* usec since the epoch; 0: for ever */
    RuleSubject subject;
    uint8_t kind;
    Name whom; /* as the operator called them; empty: by the subject alone */
    Name by;
    uint16_t reason_n;
    char reason[LIMIT_REASON_BYTES];
    STATE_NEXT_FIELDS
} RuleRecord;

/* Somebody may come into a room: chat/invite.h. From layout 4 on. */
typedef struct InviteRecord {
    uint64_t whom; /* person_address(): an account, or a guest by its serial; 0: this record is free */
    uint32_t room;
    uint32_t session; /* of a guest, as long as it has that serial */
    Name name;        /* of an account */
    STATE_NEXT_FIELDS
} InviteRecord;

enum {
    OVER_CLOSED,
    OVER_OPENED, /* nothing is kept of it any more, but it goes on */
    OVER_GIVEN,  /* who had it has it no more */
};

/* What happened to a room that was kept: chat/over.h. In layout 5 these stood in the header. */
typedef struct OverRecord {
    uint64_t pos; /* of the note that says so */
    Name name;
    uint32_t flags;       /* RoomRecord.flags that it had */
    uint8_t how;          /* OVER_* */
    Name founder, former; /* OVER_GIVEN: to whom, and who had it, or empty; from layout 6 on */
    uint32_t founder_uid, former_uid;
    STATE_NEXT_FIELDS
} OverRecord;

/* Records are const, so that nobody changes them but through state_edit(). */
typedef struct State {
    int fd; /* owned */
    void *base;
    size_t size;
    StateHeader *header;
    char *undo;
    const SessionRecord *sessions;
    const RoomRecord *rooms;
    const MemberRecord *members;
    const AwayRecord *aways;
    const IgnoredRecord *ignored; /* header->max_ignored for each session, the first n_ignored of them used */
    HalfRecord *halves;           /* what lies beyond n_half may be changed at any time */
    const RuleRecord *rules;
    const InviteRecord *invites;
    const OverRecord *overs;
    char *ring;
    struct {
        size_t offset, n;
    } edited[4]; /* the last ones of this transaction */
    unsigned n_edited;
} State;

/* The lobby is the first room and is never free. */
enum { ROOM_LOBBY = 0 };

/*
 * A new state for `max_sessions` people and the other limits of `config`. 0, or a negative errno: no
 * memory, or no descriptor.
 */
int state_new(State *state, const Config *config, uint32_t max_sessions);
void state_done(State *state);

/* To be changed in this transaction: the record `n` bytes long at `record`, which lies in the state. */
void *state_edit(State *state, const void *record, size_t n);
/* What was changed stays. */
void state_commit(State *state);
static inline bool state_is_open(const State *state)
{
    return state->header->undo_n > 0;
}

static inline SessionRecord *state_edit_session(State *state, uint32_t session)
{
    return (SessionRecord *) state_edit(state, &state->sessions[session], sizeof(SessionRecord));
}

/* Only the first SESSION_READING_BYTES of it. */
static inline SessionRecord *state_edit_reading(State *state, uint32_t session)
{
    return (SessionRecord *) state_edit(state, &state->sessions[session], SESSION_READING_BYTES);
}

static inline RoomRecord *state_edit_room(State *state, uint32_t room)
{
    return (RoomRecord *) state_edit(state, &state->rooms[room], sizeof(RoomRecord));
}

static inline MemberRecord *state_edit_member(State *state, uint32_t member)
{
    return (MemberRecord *) state_edit(state, &state->members[member], sizeof(MemberRecord));
}

static inline AwayRecord *state_edit_away(State *state, uint32_t session)
{
    return (AwayRecord *) state_edit(state, &state->aways[session], sizeof(AwayRecord));
}

static inline IgnoredRecord *state_edit_ignored(State *state, const IgnoredRecord *ignored)
{
    return (IgnoredRecord *) state_edit(state, ignored, sizeof(IgnoredRecord));
}

static inline RuleRecord *state_edit_rule(State *state, uint32_t rule)
{
    return (RuleRecord *) state_edit(state, &state->rules[rule], sizeof(RuleRecord));
}

static inline InviteRecord *state_edit_invite(State *state, uint32_t invite)
{
    return (InviteRecord *) state_edit(state, &state->invites[invite], sizeof(InviteRecord));
}

static inline OverRecord *state_edit_over(State *state, uint32_t over)
{
    return (OverRecord *) state_edit(state, &state->overs[over], sizeof(OverRecord));
}

/* head, next_serial, next_guest and next_member. */
static inline StateHeader *state_edit_counters(State *state)
{
    (void) state_edit(state, &state->header->head,
                      offsetof(StateHeader, next_member) + sizeof(uint64_t) - offsetof(StateHeader, head));
    return state->header;
}

/* Stores before this are done before those after it, in a process that dies. */
static inline void state_barrier(void)
{
    atomic_signal_fence(memory_order_seq_cst);
}

/* Of a state that another process left: */

enum {
    STATE_UNREADABLE = 1, /* no state, or a damaged one */
    STATE_TOO_NEW,        /* of a later layout */
};

/*
 * Maps the state in `fd` (consumed; also on failure) and puts back what an open transaction had changed. 0
 * with *ret_state, STATE_UNREADABLE, STATE_TOO_NEW, or a negative errno. Only the header has been checked. It
 * may be of an older layout, or too small for `config`: then nothing but its header may be used, and
 * state_grow() is what comes next.
 */
int state_open(int fd, State *ret_state);
/* How many sessions, rooms and members may ever have been in use: the records behind them were never written.
 */
typedef struct StateUse {
    uint32_t n_sessions, n_rooms, n_members, n_rules, n_invites;
} StateUse;
StateUse state_use(const State *state);
bool state_must_grow(const State *state, const Config *config, uint32_t max_sessions);
/* A copy of `old` in the layout of today, large enough for `config`, the ring as it was. 0, or a negative
 * errno. */
int state_grow(const State *old, const Config *config, uint32_t max_sessions, State *ret_state);
