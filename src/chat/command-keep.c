/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Commands of the founder of a room, which operators have in every room. Each that changes something is told
 * to the room and to the journal. */

#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "chat/command.h"
#include "chat/ignore.h"
#include "chat/keep.h"
#include "chat/person.h"
#include "chat/room.h"
#include "chat/session.h"

enum {
    TEXT_MAX = 512,
    ANSWER_REST = 256, /* bytes kept for the last words of a list */
};

/* What can be switched on and off. */
typedef struct Switch {
    uint32_t flag;
    const char *done, *undone;          /* behind the nick of who does it */
    const char *answer, *undone_answer; /* behind the name of the room */
    const char *is_so, *is_not;
    const char *id, *undone_id;
} Switch;

static const Switch LOCK = {
    .flag = ROOM_LOCKED,
    .done = "locked the room: by invitation only",
    .undone = "unlocked the room: anybody may come in",
    .answer = "is locked: only who is invited may come in. /invite NICK invites.",
    .undone_answer = "is open: anybody may come in.",
    .is_so = "is locked already.",
    .is_not = "is not locked.",
    .id = LOG_ID_ROOM_LOCKED,
    .undone_id = LOG_ID_ROOM_UNLOCKED,
};

static const Switch LOCK_TOPIC = {
    .flag = ROOM_TOPIC_LOCKED,
    .done = "locked the topic",
    .undone = "unlocked the topic",
    .answer = "has a locked topic: nobody but its founder and operators may set it.",
    .undone_answer = "has a topic that anybody may set.",
    .is_so = "has a locked topic already.",
    .is_not = "has no locked topic.",
    .id = LOG_ID_TOPIC_LOCKED,
    .undone_id = LOG_ID_TOPIC_UNLOCKED,
};

static const Switch HIDE = {
    .flag = ROOM_HIDDEN,
    .done = "hid the room",
    .undone = "shows the room to everybody",
    .answer = "is hidden: /rooms, /who and /whois tell nobody of it who is not in it.",
    .undone_answer = "is shown to everybody.",
    .is_so = "is hidden already.",
    .is_not = "is not hidden.",
    .id = LOG_ID_ROOM_HIDDEN,
    .undone_id = LOG_ID_ROOM_SHOWN,
};

void command_log_act_in(Chat *chat, uint32_t session, const Name *room, const char *id, const char *did,
                        const char *whom, const char *reason)
{
    const char *nick = session_record(chat, session)->nick.bytes;

    log_event(chat->log,
              (LogEvent){.priority = LOG_NOTICE, /* at any load: host/journal.h */
                         .id = id,
                         .nick = nick,
                         .whom = whom,
                         .reason = reason != NULL && reason[0] != '\0' ? reason : NULL,
                         .room = room->bytes},
              "In #%s %s %s%s%s.", room->bytes, nick, did, whom != NULL ? " " : "", whom != NULL ? whom : "");
}

static void tell_act(Chat *chat, uint32_t room, uint32_t session, const char *text)
{
    chat_tell_room(chat, room, ENTRY_ACT, session, text, strlen(text));
}

/* All connections of a person, on behalf of another; not if they ignore that one. */
static void tell_person(Chat *chat, uint32_t who, uint32_t from, const char *text)
{
    uint32_t each = who;

    if (ignore_has_bearer(chat, who, from))
        return;
    do
        chat_tell(chat, each, ENTRY_REPLY, from, text, strlen(text));
    while ((each = person_next(chat, each)) != who);
}

bool command_room_is_open(Chat *chat, uint32_t session, uint32_t room)
{
    const RoomRecord *record = &chat->state.rooms[room];

    if (record->flags & ROOM_CLOSING)
        chat_error(chat, session, "#%s is being closed.", record->name.bytes);
    return !(record->flags & ROOM_CLOSING);
}

bool command_may_change(Chat *chat, uint32_t session, uint32_t room)
{
    const RoomRecord *record = &chat->state.rooms[room];

    if (!command_room_is_open(chat, session, room))
        return false;
    if (keep_may_change(chat, room, session))
        return true;
    if (record->flags & ROOM_FOUNDED)
        chat_error(chat, session, "#%s belongs to %s: only they and operators can do that.",
                   record->name.bytes, record->founder.bytes);
    else
        chat_error(chat, session, "#%s belongs to nobody: only operators can do that there.",
                   record->name.bytes);
    return false;
}

/* The same of what nobody can do to the lobby. */
static bool may_keep(Chat *chat, uint32_t session, uint32_t room)
{
    if (!command_may_change(chat, session, room))
        return false;
    if (room == ROOM_LOBBY)
        chat_error(chat, session, "#%s is always there for everybody.", chat->state.rooms[room].name.bytes);
    return room != ROOM_LOBBY;
}

static void turn(Chat *chat, uint32_t session, uint32_t room, const Switch *what, bool is_on)
{
    const RoomRecord *record = &chat->state.rooms[room];

    if (!!(record->flags & what->flag) == is_on) {
        chat_error(chat, session, "#%s %s", record->name.bytes, is_on ? what->is_so : what->is_not);
        return;
    }
    tell_act(chat, room, session, is_on ? what->done : what->undone);
    keep_set(chat, room, session, what->flag, is_on);
    chat_reply(chat, session, "#%s %s", record->name.bytes, is_on ? what->answer : what->undone_answer);
    command_log_act_in(chat, session, &record->name, is_on ? what->id : what->undone_id,
                       is_on ? what->done : what->undone, NULL, NULL);
}

int command_lock(Chat *chat, uint32_t session, Arguments arguments)
{
    uint32_t room = session_record(chat, session)->current_room;
    Arguments rest = arguments;
    bool is_topic = arguments_equal(arguments_next(&rest), "topic");
    bool is_off = arguments_equal(is_topic ? rest : arguments, "off");

    if (!is_off && (is_topic ? rest.n : arguments.n) > 0)
        chat_error(chat, session, "It is /lock, /lock off, /lock topic, or /lock topic off.");
    else if (is_topic ? command_may_change(chat, session, room) : may_keep(chat, session, room))
        turn(chat, session, room, is_topic ? &LOCK_TOPIC : &LOCK, !is_off);
    return 0;
}

int command_hide(Chat *chat, uint32_t session, Arguments arguments)
{
    uint32_t room = session_record(chat, session)->current_room;
    bool is_off = arguments_equal(arguments, "off");

    if (!is_off && arguments.n > 0)
        chat_error(chat, session, "It is /hide, or /hide off.");
    else if (may_keep(chat, session, room))
        turn(chat, session, room, &HIDE, !is_off);
    return 0;
}

static void list_invited(Chat *chat, uint32_t session, uint32_t room)
{
    const char *name = chat->state.rooms[room].name.bytes;
    const InviteRecord *invite = NULL;
    unsigned n = 0, n_listed = 0;

    while ((invite = invite_next(chat, room, invite)) != NULL) {
        if (n++ != n_listed || sizeof chat->answer.text - chat->answer.n < ANSWER_REST)
            continue;
        if (n_listed++ == 0)
            chat_answer(chat, "Invited into #%s: ", name);
        chat_answer(chat, "%s%s", n_listed > 1 ? ", " : "", invite_name(chat, invite)->bytes);
    }
    if (n > n_listed)
        chat_answer(chat, " and %u more", n - n_listed);
    chat_answer(chat, n == 0 ? "Nobody is invited into #%s." : ".", name);
    chat_answer_send(chat, session);
}

/* An account of which nobody is here has to be looked up. */
bool command_invite_must_wait(Chat *chat, uint32_t session, Arguments arguments)
{
    uint32_t room = session_record(chat, session)->current_room, uid;
    Name nick;

    return room != ROOM_LOBBY && keep_may_change(chat, room, session) &&
           command_parse_nick(arguments, &nick) == 0 && session_find(chat, &nick) == SLOT_NONE &&
           chat_look_up(chat, &nick, &uid) == NAME_IS_AWAITED;
}

/* Whom the word means: somebody who is here (*ret_who), or an account (SLOT_NONE). False: nobody, and the
 * asker was told. */
static bool find_invited(Chat *chat, uint32_t session, Arguments word, InviteRecord *ret_invite,
                         uint32_t *ret_who)
{
    InviteRecord invite = {0};
    uint32_t uid;

    *ret_who = SLOT_NONE;
    if (command_parse_nick(word, &invite.name) == 0 && session_find(chat, &invite.name) == SLOT_NONE) {
        NameStanding standing = chat_look_up(chat, &invite.name, &uid);

        if (standing == NAME_IS_UNSURE)
            chat_error(chat, session, "Whose name %s is can not be looked up now. Try again later.",
                       invite.name.bytes);
        if (standing == NAME_IS_UNSURE)
            return false;
        if (standing == NAME_IS_RESERVED) {
            invite.whom = PERSON_ADDRESS | uid;
            *ret_invite = invite;
            return true;
        }
    }
    *ret_who = command_find_person(chat, session, word);
    if (*ret_who != SLOT_NONE)
        *ret_invite = invite_for(chat, *ret_who);
    return *ret_who != SLOT_NONE;
}

static void tell_invite_refused(Chat *chat, uint32_t session, const char *room, const char *whom, int why)
{
    if (why == INVITE_THERE_ALREADY)
        chat_error(chat, session, "%s is invited into #%s already.", whom, room);
    else if (why == INVITE_TOO_MANY_OF_ROOM)
        chat_error(chat, session,
                   "As many are invited into #%s as may be: %d. /invite lists them, /uninvite NICK ends one.",
                   room, LIMIT_INVITES_ROOM);
    else
        chat_error(chat, session, "There are as many invitations as there may be: %d.", LIMIT_INVITES);
}

static void invite(Chat *chat, uint32_t session, uint32_t room, Arguments word)
{
    const SessionRecord *self = session_record(chat, session);
    const char *name = chat->state.rooms[room].name.bytes;
    InviteRecord record;
    char text[TEXT_MAX];
    const char *whom;
    uint32_t who;
    int r;

    if (!find_invited(chat, session, word, &record, &who))
        return;
    whom = who != SLOT_NONE ? session_record(chat, who)->nick.bytes : record.name.bytes;
    if (who != SLOT_NONE && keep_is_founder(chat, room, who)) {
        chat_error(chat, session, "#%s belongs to %s, who may always come in.", name, whom);
        return;
    }
    record.room = room;
    r = keep_invite(chat, session, &record);
    if (r != 0) {
        tell_invite_refused(chat, session, name, whom, r);
        return;
    }
    if (who != SLOT_NONE && room_member(chat, room, who) == SLOT_NONE) {
        (void) snprintf(text, sizeof text, "%s%s invites you: /join #%s", self->nick.bytes,
                        person_mark(chat, session, who), name);
        tell_person(chat, who, session, text);
    }
    chat_reply(chat, session, "%s is invited into #%s%s.", whom, name,
               who == SLOT_NONE || invite_is_of_account(&record) ? "" : ", as long as they are connected");
    command_log_act_in(chat, session, &chat->state.rooms[room].name, LOG_ID_INVITED, "invited", whom, NULL);
}

int command_invite(Chat *chat, uint32_t session, Arguments arguments)
{
    uint32_t room = session_record(chat, session)->current_room;

    if (!may_keep(chat, session, room))
        return 0;
    if (arguments.n == 0)
        list_invited(chat, session, room);
    else
        invite(chat, session, room, arguments);
    return 0;
}

/* By the name that they have now, or that the account had. */
static const InviteRecord *find_invite(Chat *chat, uint32_t room, const Name *nick)
{
    uint32_t who = session_find(chat, nick);
    const InviteRecord *found = NULL;
    NameKey key, other;

    if (who != SLOT_NONE)
        found = invite_of(chat, room, who);
    if (found != NULL)
        return found;
    name_fold(nick->bytes, nick->n, &key);
    while ((found = invite_next(chat, room, found)) != NULL) {
        name_fold(found->name.bytes, found->name.n, &other);
        if (other.n == key.n && memcmp(other.bytes, key.bytes, key.n) == 0)
            break;
    }
    return found;
}

int command_uninvite(Chat *chat, uint32_t session, Arguments arguments)
{
    uint32_t room = session_record(chat, session)->current_room, who;
    const SessionRecord *self = session_record(chat, session);
    const Name *name = &chat->state.rooms[room].name;
    const InviteRecord *found = NULL;
    char text[TEXT_MAX];
    uint64_t whom;
    Name nick;

    if (!may_keep(chat, session, room))
        return 0;
    if (command_parse_nick(arguments, &nick) == 0)
        found = find_invite(chat, room, &nick);
    if (found == NULL) {
        chat_error(chat, session, "Nobody like that is invited into #%s. /invite lists who is.", name->bytes);
        return 0;
    }
    nick = *invite_name(chat, found);
    whom = found->whom;
    keep_uninvite(chat, session, found);
    who = session_find(chat, &nick);
    /* An account need not have the name any more that it had then. */
    if (who != SLOT_NONE && person_address(chat, who) == whom) {
        (void) snprintf(text, sizeof text, "%s%s does not invite you into #%s any more.", self->nick.bytes,
                        person_mark(chat, session, who), name->bytes);
        tell_person(chat, who, session, text);
    }
    chat_reply(chat, session, "%s is not invited into #%s any more.", nick.bytes, name->bytes);
    command_log_act_in(chat, session, name, LOG_ID_UNINVITED, "ended the invitation of", nick.bytes, NULL);
    return 0;
}

/* False: they are not put out of the room, and who wants that was told. */
static bool may_be_put_out(Chat *chat, uint32_t session, uint32_t room, uint32_t who)
{
    const char *nick = session_record(chat, who)->nick.bytes;

    if (room_member(chat, room, who) == SLOT_NONE)
        chat_error(chat, session, "%s is not in #%s.", nick, chat->state.rooms[room].name.bytes);
    else if (person_is_same(chat, session, who))
        chat_error(chat, session, "That is you. /leave leaves the room.");
    else if (person_is_operator(chat, who))
        chat_error(chat, session, "%s is an operator.", nick);
    else
        return true;
    return false;
}

int command_put_out(Chat *chat, uint32_t session, Arguments arguments)
{
    uint32_t room = session_record(chat, session)->current_room, who, each;
    const Name name = chat->state.rooms[room].name;
    Arguments word = arguments_next(&arguments);
    const InviteRecord *found;
    char text[TEXT_MAX];
    Reason reason;
    Name nick;

    if (!may_keep(chat, session, room) ||
        (who = each = command_find_person(chat, session, word)) == SLOT_NONE ||
        !may_be_put_out(chat, session, room, who) || !command_take_reason(chat, session, arguments, &reason))
        return 0;
    nick = session_record(chat, who)->nick;
    found = invite_of(chat, room, who);
    if (found != NULL)
        keep_uninvite(chat, session, found);
    (void) snprintf(text, sizeof text, "put %s out of the room%s%s", nick.bytes, arguments.n > 0 ? ": " : "",
                    reason.text);
    room_put_out(chat, who, room);
    tell_act(chat, room, session, text);
    do
        chat_error(chat, each, "%s%s put you out of #%s%s%s. You are in #%s now.",
                   session_record(chat, session)->nick.bytes, person_mark(chat, session, each), name.bytes,
                   arguments.n > 0 ? ": " : "", reason.text,
                   chat->state.rooms[session_record(chat, each)->current_room].name.bytes);
    while ((each = person_next(chat, each)) != who);
    chat_reply(chat, session, "%s is out of #%s.", nick.bytes, name.bytes);
    command_log_act_in(chat, session, &name, LOG_ID_PUT_OUT, "put out", nick.bytes, reason.text);
    return 0;
}

int command_give(Chat *chat, uint32_t session, Arguments arguments)
{
    uint32_t room = session_record(chat, session)->current_room, who;
    const Name name = chat->state.rooms[room].name;
    const SessionRecord *receiver;
    char text[TEXT_MAX];

    if (!may_keep(chat, session, room) || (who = command_find_person(chat, session, arguments)) == SLOT_NONE)
        return 0;
    receiver = session_record(chat, who);
    if (!person_is_verified(chat, who)) {
        chat_error(chat, session, "%s has no account of this host, and so can not keep a room.",
                   receiver->nick.bytes);
    } else if (room_member(chat, room, who) == SLOT_NONE) {
        chat_error(chat, session, "%s is not in #%s. Whoever is to keep it has to be there.",
                   receiver->nick.bytes, name.bytes);
    } else if (keep_is_founder(chat, room, who)) {
        chat_error(chat, session, "#%s belongs to %s already.", name.bytes, receiver->nick.bytes);
    } else if (keep_found(chat, room, session, who) == KEEP_TOO_MANY) {
        chat_error(chat, session, "%s has as many rooms as one may have: %d.", receiver->nick.bytes,
                   LIMIT_ROOMS_FOUNDED);
    } else {
        (void) snprintf(text, sizeof text, "handed the room over to %s", receiver->nick.bytes);
        tell_act(chat, room, session, text);
        (void) snprintf(text, sizeof text, "#%s belongs to you now.", name.bytes);
        if (!person_is_same(chat, session, who))
            tell_person(chat, who, session, text);
        chat_reply(chat, session, "#%s belongs to %s now.", name.bytes, receiver->nick.bytes);
        command_log_act_in(chat, session, &name, LOG_ID_ROOM_GIVEN, "handed the room over to",
                           receiver->nick.bytes, NULL);
    }
    return 0;
}

int command_close(Chat *chat, uint32_t session, Arguments arguments)
{
    uint32_t room = command_find_room(chat, session, arguments);
    Name name;

    if (room == SLOT_NONE || !may_keep(chat, session, room))
        return 0;
    name = chat->state.rooms[room].name;
    tell_act(chat, room, session, "closed the room");
    /* Who is in it is told when they are put out. */
    if (room_member(chat, room, session) == SLOT_NONE)
        chat_reply(chat, session, "#%s is closed.", name.bytes);
    keep_close(chat, room, session);
    command_log_act_in(chat, session, &name, LOG_ID_ROOM_CLOSED, "closed the room", NULL, NULL);
    return 0;
}
