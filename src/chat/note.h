/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Notes: entries of the transcript that nobody hears. They tell the archive what it has to remember besides
 * what was said, in the same transaction that changes the state, and so exactly once and in order.
 *
 * A note is appended as it stands here, up to the end of its member of the union: members are only ever made
 * longer, at their ends, and what an earlier version wrote is read with zeros behind it.
 */

#include "chat/chat.h"

typedef enum NoteKind {
    NOTE_SEEN = 1,    /* whom the entry is from was here */
    NOTE_RULE,        /* a rule was made; `rule` */
    NOTE_RULE_ENDED,  /* `number` */
    NOTE_ROOM,        /* what is kept of the entry's room has changed; `room` */
    NOTE_ROOM_CLOSED, /* nothing is kept of the entry's room any more; `room` */
    NOTE_INVITED,     /* somebody may come into the entry's room; `invited` */
    NOTE_UNINVITED,   /* `invited` */
    NOTE_SETTINGS,    /* of whom the entry is from; `settings` */
    NOTE_MESSAGE,     /* left for somebody by whom the entry is from; `message` */
    NOTE_DELIVERED,   /* a message, to whom the entry is from; `delivered` */
    NOTE_TOPIC,       /* that a room has, for an archive that has not heard of it; `topic` */
    NOTE_TAKEN_BACK,  /* a line that was said in the entry's room; `taken_back` */
    NOTE_RULES,       /* these are in force, and no others; `rules` */
    NOTE_ROOM_OPENED, /* nothing is kept of the entry's room any more, but it goes on */
    NOTE_DELETED,     /* the newest that was said by somebody in the entry's room is to go; `deleted` */
} NoteKind;

typedef struct NoteRule {
    uint64_t number, until, wall;
    RuleSubject subject;
    Name whom, by;
    uint8_t kind;
    uint16_t reason_n;
    char reason[LIMIT_REASON_BYTES];
} NoteRule;

/* Bits of NoteRoom.how. */
enum {
    NOTE_ROOM_GIVEN = 1, /* by whoever had it, or an operator: of a version that did not say who that was */
    NOTE_ROOM_WHOLE = 2, /* who was invited is not any more, and those who are follow */
    NOTE_ROOM_GIVEN_BY = 4, /* `former`, or an operator */
    NOTE_ROOM_SAID = 8, /* it is closed: what was said in it goes, of an archive that may have another one */
};

typedef struct NoteRoom {
    Name founder; /* empty: it has none */
    uint32_t founder_uid;
    uint32_t flags; /* RoomRecord.flags; of a room that is closed, those that it had */
    uint32_t how;
    Name former; /* who had it; empty: nobody */
    uint32_t former_uid;
} NoteRoom;

typedef struct NoteInvited {
    Name name;
    uint32_t uid;
} NoteInvited;

typedef struct NoteIgnored {
    Name name;
    uint8_t kinds;  /* IGNORED_KINDS, shifted down */
    uint64_t place; /* if it is one */
} NoteIgnored;

typedef struct NoteSettings {
    uint8_t bits; /* SETTING_* */
    uint8_t n_ignored;
    NoteIgnored ignored[LIMIT_IGNORES];
} NoteSettings;

typedef struct NoteMessage {
    Name to;
    uint32_t to_uid;
    uint16_t n;
    char text[LIMIT_MAIL_BYTES];
} NoteMessage;

typedef struct NoteDelivered {
    uint64_t id;  /* in the archive that had it */
    uint64_t pos; /* of its note; 0: it was left before this state began */
} NoteDelivered;

typedef struct NoteTopic {
    Name by;
    uint16_t n;
    char text[LIMIT_TOPIC_BYTES];
} NoteTopic;

enum { NOTE_LINE_BYTES = 200 };

typedef struct NoteTakenBack {
    uint64_t pos; /* 0: it was said before this state began; it is known by the others */
    uint64_t wall;
    Name nick;
    uint16_t text_n;            /* of all of it */
    char text[NOTE_LINE_BYTES]; /* as far as it goes; all that is said in one turn has one time */
} NoteTakenBack;

typedef struct NoteDeleted {
    uint64_t n; /* lines */
    Name nick;
    uint64_t since; /* usec since the epoch: not what is older; not 0: only what the owner of `uid` said */
    uint32_t uid;
} NoteDeleted;

typedef struct NoteRules {
    uint64_t n;
    uint64_t numbers[LIMIT_RULES];
} NoteRules;

typedef struct Note {
    uint64_t kind;
    union {
        NoteRule rule;
        uint64_t number;
        NoteRoom room;
        NoteInvited invited;
        NoteSettings settings;
        NoteMessage message;
        NoteDelivered delivered;
        NoteTakenBack taken_back;
        NoteTopic topic;
        NoteDeleted deleted;
        NoteRules rules;
    };
} Note;

/* From a session, about a room; either may be SLOT_NONE. Returns its position. Belongs to a transaction. */
uint64_t note_append(Chat *chat, uint32_t room, uint32_t from, const Note *note);
/* About a room of that name, which may be gone. */
uint64_t note_append_named(Chat *chat, const Name *room, const Note *note);
/* A note about a room of that name, for which there is memory of ENTRY_MAX_BYTES. Returns its size. */
size_t note_write(const Note *note, uint64_t pos, uint64_t wall, const Name *room, Entry *ret_entry);
/* False: the entry has no note in it that could be right. */
bool note_read(const Entry *entry, Note *ret_note);
/* That a line was taken back. */
void note_of_taken_back(const Entry *entry, Note *ret_note);
/* What it says is not about what an archive had before: it can be told to any. */
bool note_is_for_any(const Note *note);
/* A room was closed in which not everybody could hear what was said. */
bool note_is_secret_end(const Note *note);
/* An entry with such a note, for an archive that may have another room of that name. */
void note_narrow(Entry *entry);
/* The archive has not got it, and will not: if that can not be seen in what is told instead, the log says so.
 * Who it is from, and of which room. */
void note_tell_lost(const Log *log, const Note *note, const char *nick, const char *room);
