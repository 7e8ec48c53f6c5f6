/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * What a line does. A line that begins with one slash is a command and is looked up in one table, which /help
 * lists and the manual page is compared with; everything else is said in the current room.
 */

#include "chat/chat.h"

/* What follows the name of a command: cleaned text, without spaces around it. */
typedef struct Arguments {
    const char *text;
    size_t n;
} Arguments;

typedef struct Command {
    const char *name;      /* without the slash */
    const char *arguments; /* as /help shows them; in brackets: may be left out */
    const char *help;      /* one line */
    /* 0, or a negative errno. */
    int (*run)(Chat *chat, uint32_t session, Arguments arguments);
    /* Whether it has to wait for an answer from elsewhere, for which it has asked then; NULL: never. */
    bool (*must_wait)(Chat *chat, uint32_t session, Arguments arguments);
    bool is_for_operators;
    bool is_speech; /* with arguments: others read them, so it is not for who is muted */
    bool puts_out;  /* NICK may hear less after it */
} Command;

/* The table, ended by one without a name. */
extern const Command COMMANDS[];

/*
 * Executes one line, as it came from the client without its line end: at most LIMIT_LINE_BYTES. What the
 * client is told goes into the transcript. 0, or a negative errno that is fatal for the service; nothing that
 * a client can write causes one.
 */
int command_execute(Chat *chat, uint32_t session, const char *line, size_t n);
/* Whether the line is a command: before it runs, its session should be sent what it has not read yet. */
bool command_is(const char *line, size_t n);

/*
 * Whether that line can not be executed yet. It has changed nothing, and has to be looked at again when there
 * is an answer; until then its session is not listened to.
 */
bool command_must_wait(Chat *chat, uint32_t session, const char *line, size_t n);

/* Whom the line would put out of a room: before it runs, all of that person's sessions should be sent what
 * they have not read yet. SLOT_NONE: nobody. */
uint32_t command_whom(Chat *chat, const char *line, size_t n);

/* The first word of *arguments, which is moved behind it. Empty when there is none. */
Arguments arguments_next(Arguments *arguments);
static inline bool arguments_equal(Arguments word, const char *text)
{
    return word.n == __builtin_strlen(text) && __builtin_memcmp(word.text, text, word.n) == 0;
}

/* Handlers, by what they are about. */
int command_nick(Chat *chat, uint32_t session, Arguments arguments);
bool command_nick_must_wait(Chat *chat, uint32_t session, Arguments arguments);
int command_me(Chat *chat, uint32_t session, Arguments arguments);
int command_msg(Chat *chat, uint32_t session, Arguments arguments);
bool command_msg_must_wait(Chat *chat, uint32_t session, Arguments arguments);
int command_reply(Chat *chat, uint32_t session, Arguments arguments);
int command_whois(Chat *chat, uint32_t session, Arguments arguments);
int command_away(Chat *chat, uint32_t session, Arguments arguments);
int command_ignore(Chat *chat, uint32_t session, Arguments arguments);
int command_join(Chat *chat, uint32_t session, Arguments arguments);
bool command_join_must_wait(Chat *chat, uint32_t session, Arguments arguments);
int command_leave(Chat *chat, uint32_t session, Arguments arguments);
int command_rooms(Chat *chat, uint32_t session, Arguments arguments);
int command_who(Chat *chat, uint32_t session, Arguments arguments);
int command_topic(Chat *chat, uint32_t session, Arguments arguments);
int command_history(Chat *chat, uint32_t session, Arguments arguments);
bool command_history_must_wait(Chat *chat, uint32_t session, Arguments arguments);
int command_search(Chat *chat, uint32_t session, Arguments arguments);
bool command_search_must_wait(Chat *chat, uint32_t session, Arguments arguments);
/* Whether something may still be said or set in the room: not between /close and the end of the turn. False:
 * it is being closed, and they were told. */
bool command_room_is_open(Chat *chat, uint32_t session, uint32_t room);
/* Whether the room is open and theirs to change. False: it is not, and they were told. */
bool command_may_change(Chat *chat, uint32_t session, uint32_t room);
int command_undo(Chat *chat, uint32_t session, Arguments arguments);
int command_delete(Chat *chat, uint32_t session, Arguments arguments);
int command_seen(Chat *chat, uint32_t session, Arguments arguments);
bool command_seen_must_wait(Chat *chat, uint32_t session, Arguments arguments);
int command_set(Chat *chat, uint32_t session, Arguments arguments);
bool command_set_must_wait(Chat *chat, uint32_t session, Arguments arguments);
int command_time(Chat *chat, uint32_t session, Arguments arguments);
int command_version(Chat *chat, uint32_t session, Arguments arguments);
int command_help(Chat *chat, uint32_t session, Arguments arguments);
int command_quit(Chat *chat, uint32_t session, Arguments arguments);
int command_kick(Chat *chat, uint32_t session, Arguments arguments);
int command_lock(Chat *chat, uint32_t session, Arguments arguments);
int command_hide(Chat *chat, uint32_t session, Arguments arguments);
int command_invite(Chat *chat, uint32_t session, Arguments arguments);
bool command_invite_must_wait(Chat *chat, uint32_t session, Arguments arguments);
int command_uninvite(Chat *chat, uint32_t session, Arguments arguments);
int command_give(Chat *chat, uint32_t session, Arguments arguments);
int command_close(Chat *chat, uint32_t session, Arguments arguments);
int command_op(Chat *chat, uint32_t session, Arguments arguments);
int command_deop(Chat *chat, uint32_t session, Arguments arguments);
int command_announce(Chat *chat, uint32_t session, Arguments arguments);
int command_ban(Chat *chat, uint32_t session, Arguments arguments);
int command_unban(Chat *chat, uint32_t session, Arguments arguments);
int command_mute(Chat *chat, uint32_t session, Arguments arguments);
int command_unmute(Chat *chat, uint32_t session, Arguments arguments);
int command_bans(Chat *chat, uint32_t session, Arguments arguments);
bool command_rule_must_wait(Chat *chat, uint32_t session, Arguments arguments);

/* What /kick is for who is no operator: out of the current room. */
int command_put_out(Chat *chat, uint32_t session, Arguments arguments);

/* Says something in the current room. */
void command_speak(Chat *chat, uint32_t session, EntryKind kind, Arguments text);

/* What an operator gives as the reason. False: it is too long, and the operator was told. */
typedef struct Reason {
    char text[LIMIT_REASON_BYTES + 1];
} Reason;
bool command_take_reason(Chat *chat, uint32_t session, Arguments arguments, Reason *ret_reason);
/* Tells the journal what was done in a room by its founder or an operator; `whom` and `reason` may be NULL.
 */
void command_log_act_in(Chat *chat, uint32_t session, const Name *room, const char *id, const char *did,
                        const char *whom, const char *reason);
/* Tells the journal what an operator did; `whom` may be NULL. */
void command_log_act(Chat *chat, uint32_t session, const char *id, const char *did, const char *whom,
                     const char *reason);

/* The last `n` lines of a room are read once more. False: there are none. */
bool command_replay(Chat *chat, uint32_t session, uint32_t room, uint32_t n);
/* The name of a room in a word, with or without its #. 0, or what name_parse() says. */
int command_parse_room(Arguments word, uint32_t max_chars, Name *ret_name);
/* As a string; a longer one is none that means anything here. */
enum { WORD_MAX = 128 };
const char *command_word(Arguments word, char text[WORD_MAX]);

/* What the archive says. False: nothing, and the asker was told why. */
bool command_take_answer(Chat *chat, uint32_t session, const Recall *recall, Recalled *ret_recalled);

/* A nick as one types it, or as it stands in what was said: with the mark. 0, or what name_parse() says. */
int command_parse_nick(Arguments word, Name *ret_nick);
/* The room in `word`, or the current one. SLOT_NONE: there is none of that name, and the asker was told. */
uint32_t command_find_room(Chat *chat, uint32_t session, Arguments word);
/* The session that bears the nick in `word`; SLOT_NONE: nobody does, and the asker was told. */
uint32_t command_find_person(Chat *chat, uint32_t session, Arguments word);
#ifdef CHATD_FAULTS
int command_crash(Chat *chat, uint32_t session, Arguments arguments);
int command_abort(Chat *chat, uint32_t session, Arguments arguments);
int command_hang(Chat *chat, uint32_t session, Arguments arguments);
int command_overflow(Chat *chat, uint32_t session, Arguments arguments);
#endif
