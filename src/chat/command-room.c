/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Commands about rooms. */

#include <string.h>

#include "base/config.h"
#include "base/error.h"
#include "base/macro.h"
#include "chat/command.h"
#include "chat/keep.h"
#include "chat/person.h"
#include "chat/room.h"
#include "chat/session.h"

enum {
    WHO_COLUMNS = 70, /* of names, before a new line begins */
    ROOMS_LISTED = 30,
    ANSWER_REST = 256, /* bytes kept for the last words of a list */
};

int command_parse_room(Arguments word, uint32_t max_chars, Name *ret_name)
{
    if (word.n > 0 && word.text[0] == '#') {
        word.text++;
        word.n--;
    }
    return name_parse(word.text, word.n, max_chars, ret_name);
}

/* False: it is none, and the asker was told. */
static bool parse_room(Chat *chat, uint32_t session, Arguments word, uint32_t max_chars, Name *ret_name)
{
    int r = command_parse_room(word, max_chars, ret_name);

    if (r == NAME_TOO_LONG)
        chat_error(chat, session, "The name of a room may have %u characters; that one has more.", max_chars);
    else if (r != 0)
        chat_error(chat, session, "A room can not be called that: its name %s.", name_strerror(r));
    return r == 0;
}

uint32_t command_find_room(Chat *chat, uint32_t session, Arguments word)
{
    uint32_t room;
    Name name;

    if (word.n == 0)
        return session_record(chat, session)->current_room;
    if (!parse_room(chat, session, word, NAME_MAX_CHARS, &name))
        return SLOT_NONE;
    room = room_find(chat, &name);
    if (room != SLOT_NONE && !keep_is_seen(chat, room, session))
        room = SLOT_NONE;
    if (room == SLOT_NONE)
        chat_error(chat, session, "There is no room #%s. /rooms lists them, /join makes one.", name.bytes);
    return room;
}

static void answer_where(Chat *chat, uint32_t room)
{
    uint32_t n_others = chat->rooms[room].n_people - 1;

    chat_answer(chat, "You are in #%s now, ", chat->state.rooms[room].name.bytes);
    if (n_others == 0)
        chat_answer(chat, "alone.");
    else
        chat_answer(chat, "with %u other%s.", n_others, n_others == 1 ? "" : "s");
}

static void answer_topic(Chat *chat, uint32_t room)
{
    const RoomRecord *record = &chat->state.rooms[room];

    chat_answer(chat, "\nTopic of #%s: %.*s", record->name.bytes, record->topic_n, record->topic);
}

bool command_replay(Chat *chat, uint32_t session, uint32_t room, uint32_t n)
{
    TranscriptSpan span;

    if (!room_history(chat, room, n, &span))
        return false;
    chat_tell(chat, session, ENTRY_REPLAY, SLOT_NONE, (const char *) &span, sizeof span);
    return true;
}

/* The other sessions of the person hear what was done for them, too. */
static void tell_others(Chat *chat, uint32_t session, const char *what, const Name *room)
{
    uint32_t other = person_next(chat, session);

    for (; other != session; other = person_next(chat, other))
        chat_reply(chat, other, "You %s #%s, by another of your connections.", what, room->bytes);
}

/* What an archive has of a room that is about to be made, or in which nothing was said since. False: it is
 * not asked for. */
static bool ask_past(const Chat *chat, uint32_t session, const Name *name, Recall *ret_recall)
{
    uint32_t room;

    *ret_recall = (Recall){
        .kind = RECALL_ROOM, .asker = session_record(chat, session)->serial, .n = chat->config->history};
    name_fold(name->bytes, name->n, &ret_recall->room);
    room = room_find(chat, name);
    return room == SLOT_NONE || (chat->rooms[room].n_members == 0 && chat->state.rooms[room].last_said == 0 &&
                                 keep_may_enter(chat, room, session));
}

bool command_join_must_wait(Chat *chat, uint32_t session, Arguments arguments)
{
    Recall recall;
    Name name;

    return command_parse_room(arguments, chat->config->max_nick_length, &name) == 0 &&
           ask_past(chat, session, &name, &recall) && chat_recall(chat, &recall, NULL) == RECALL_AWAITED;
}

/* Why room_join() did not let them in. */
static void tell_refused(Chat *chat, uint32_t session, const Name *name, int why)
{
    const RoomRecord *record;

    switch (why) {
    case ROOM_TOO_MANY:
        chat_log_limit(chat, CHAT_LIMIT_ROOMS,
                       (LogEvent){.nick = session_record(chat, session)->nick.bytes, .room = name->bytes});
        chat_error(chat, session,
                   "There are as many rooms as there may be: %u. /rooms lists them; join one of those.",
                   chat->config->max_rooms);
        break;
    case ROOM_TOO_MANY_OF_CLIENT:
        chat_error(chat, session, "You are in as many rooms as you may be: %u. /leave one of them first.",
                   chat->sessions[session].n_rooms);
        break;
    case ROOM_NOT_INVITED:
        record = &chat->state.rooms[room_find(chat, name)];
        /* Who only guesses the name of a hidden room is not told whose it is. */
        chat_error(chat, session, "#%s is locked: by invitation only. Ask %s for one.", name->bytes,
                   record->founder.n > 0 && !(record->flags & ROOM_HIDDEN) ? record->founder.bytes
                                                                           : "an operator");
        break;
    case ROOM_IS_CLOSED:
        chat_error(chat, session, "#%s is just being closed. Try again.", name->bytes);
        break;
    default:
        break;
    }
}

/* It is new, and its maker's if that is possible. */
static void found(Chat *chat, uint32_t session, uint32_t room, bool is_past_unknown)
{
    if (is_past_unknown)
        chat_answer(chat, "\nThe archive can not be read so far, so this one belongs to nobody.");
    else if (keep_found(chat, room, session, session) == KEEP_TOO_MANY)
        chat_answer(chat, "\nYou have %d rooms already, so this one belongs to nobody.", LIMIT_ROOMS_FOUNDED);
}

int command_join(Chat *chat, uint32_t session, Arguments arguments)
{
    uint32_t room, n_rooms = chat->sessions[session].n_rooms;
    RecallState asked = RECALL_ABSENT;
    Recalled recalled = {.n = 0};
    bool is_new, has_past;
    Recall recall;
    Name name;
    int r;

    if (!parse_room(chat, session, arguments, chat->config->max_nick_length, &name))
        return 0;
    if (ask_past(chat, session, &name, &recall))
        asked = chat_recall(chat, &recall, &recalled);
    has_past = asked == RECALL_ANSWERED && recalled.trouble == NULL;
    if (has_past && room_find(chat, &name) == SLOT_NONE) {
        r = recall_kept_of(chat, &name, &recalled);
        if (r < 0)
            return error_trace(r);
    }
    room = room_find(chat, &name);
    is_new = room == SLOT_NONE;
    /* Whoever made it when that was not known has not locked it. */
    if (has_past && recall_is_secret(&recalled) && (is_new || !(chat->state.rooms[room].flags & ROOM_SECRET)))
        has_past = false;
    r = room_join(chat, session, &name, &room);
    if (r != 0) {
        tell_refused(chat, session, &name, r);
        return MIN(r, 0);
    }
    if (has_past)
        recall_room(chat, room, &recalled);
    state_edit_session(&chat->state, session)->current_room = room;
    answer_where(chat, room);
    if (chat->state.rooms[room].topic_n > 0)
        answer_topic(chat, room);
    if (is_new && person_is_verified(chat, session))
        found(chat, session, room, chat->is_past_unknown || (asked != RECALL_ABSENT && !has_past));
    chat_answer_send(chat, session);
    if (chat->sessions[session].n_rooms > n_rooms) {
        (void) command_replay(chat, session, room, chat->config->history);
        tell_others(chat, session, "came into", &name);
    }
    return 0;
}

int command_leave(Chat *chat, uint32_t session, Arguments arguments)
{
    uint32_t room = command_find_room(chat, session, arguments);
    Name left;

    if (room == SLOT_NONE)
        return 0;
    left = chat->state.rooms[room].name;
    if (room_member(chat, room, session) == SLOT_NONE) {
        chat_error(chat, session, "You are not in #%s.", left.bytes);
        return 0;
    }
    if (chat->sessions[session].n_rooms == 1 && room == ROOM_LOBBY) {
        chat_error(chat, session, "The lobby is the only room you are in. /join another first, or /quit.");
        return 0;
    }
    room_leave(chat, session, room);
    tell_others(chat, session, "left", &left);
    chat_answer(chat, "You left #%s. ", left.bytes);
    answer_where(chat, session_record(chat, session)->current_room);
    chat_answer_send(chat, session);
    return 0;
}

/* The largest rooms of which somebody is told, in order. Returns how many; *ret_n_all: with those that are
 * not among them. */
static uint32_t largest_rooms(const Chat *chat, uint32_t session, uint32_t top[ROOMS_LISTED],
                              uint32_t *ret_n_all)
{
    uint32_t n = 0, at;

    *ret_n_all = 0;
    for (uint32_t room = 0; room < chat->room_slots.n_touched; room++) {
        if (chat->state.rooms[room].created_wall == 0 || !keep_is_seen(chat, room, session) ||
            (room == ROOM_LOBBY && chat->rooms[room].n_members == 0))
            continue;
        ++*ret_n_all;
        for (at = n; at > 0 && chat->rooms[top[at - 1]].n_people < chat->rooms[room].n_people; at--)
            if (at < ROOMS_LISTED)
                top[at] = top[at - 1];
        if (at < ROOMS_LISTED)
            top[at] = room;
        n = MIN(n + 1, (uint32_t) ROOMS_LISTED);
    }
    return n;
}

int command_rooms(Chat *chat, uint32_t session, Arguments arguments)
{
    uint32_t top[ROOMS_LISTED], n_all, n = largest_rooms(chat, session, top, &n_all), i;

    (void) arguments;
    chat_answer(chat, "%u room%s:", n_all, n_all == 1 ? "" : "s");
    for (i = 0; i < n && sizeof chat->answer.text - chat->answer.n > LIMIT_TOPIC_BYTES + ANSWER_REST; i++) {
        const RoomRecord *room = &chat->state.rooms[top[i]];

        chat_answer(chat, "\n#%s (%u%s%s)%s%.*s", room->name.bytes, chat->rooms[top[i]].n_people,
                    room->flags & ROOM_LOCKED ? ", locked" : "", room->flags & ROOM_HIDDEN ? ", hidden" : "",
                    room->topic_n > 0 ? " " : "", room->topic_n, room->topic);
    }
    if (i < n_all)
        chat_answer(chat, "\nand %u smaller ones", n_all - i);
    chat_answer_send(chat, session);
    return 0;
}

int command_who(Chat *chat, uint32_t session, Arguments arguments)
{
    uint32_t room = command_find_room(chat, session, arguments), member, n, n_listed = 0;
    size_t line = 0;

    if (room == SLOT_NONE)
        return 0;
    n = chat->rooms[room].n_people;
    chat_answer(chat, "%u %s in #%s:", n, n == 1 ? "person" : "people", chat->state.rooms[room].name.bytes);
    for (member = chat->rooms[room].first_member; member != SLOT_NONE;
         member = chat->members[member].next_in_room) {
        uint32_t who = chat->members[member].session;
        const SessionRecord *record = session_record(chat, who);

        if (!person_is_first(chat, who))
            continue;
        if (sizeof chat->answer.text - chat->answer.n < ANSWER_REST)
            break;
        if (n_listed++ == 0 || chat->answer.n - line > WHO_COLUMNS) {
            chat_answer(chat, n_listed == 1 ? "\n" : ",\n");
            line = chat->answer.n;
        } else {
            chat_answer(chat, ", ");
        }
        chat_answer(chat, "%s%s%s", record->nick.bytes, person_mark(chat, who, session),
                    record->flags & SESSION_AWAY ? " (away)" : "");
    }
    if (n_listed < n)
        chat_answer(chat, "\nand %u more", n - n_listed);
    chat_answer_send(chat, session);
    return 0;
}

int command_topic(Chat *chat, uint32_t session, Arguments arguments)
{
    uint32_t room = session_record(chat, session)->current_room;
    const RoomRecord *record = &chat->state.rooms[room];

    if (arguments.n > 0 && !command_room_is_open(chat, session, room))
        return 0;
    if (arguments.n > chat->config->max_topic_length) {
        chat_error(chat, session, "A topic may have %u bytes; yours has %zu.", chat->config->max_topic_length,
                   arguments.n);
    } else if (arguments.n > 0 && (record->flags & ROOM_TOPIC_LOCKED) &&
               !keep_may_change(chat, room, session)) {
        chat_error(chat, session, "The topic of #%s is locked: only %s%soperators set it.",
                   record->name.bytes, record->founder.bytes, record->founder.n > 0 ? " and " : "");
    } else if (arguments.n > 0) {
        if (arguments_equal(arguments, "-"))
            arguments.n = 0;
        if (room == ROOM_LOBBY)
            session_cut_greetings(chat);
        room_set_topic(chat, room, session, arguments.text, arguments.n);
        chat_reply(chat, session,
                   arguments.n > 0 ? "The topic of #%s is set." : "The topic of #%s is cleared.",
                   record->name.bytes);
        if (record->flags & ROOM_TOPIC_LOCKED)
            command_log_act_in(chat, session, &record->name, LOG_ID_TOPIC_SET,
                               arguments.n > 0 ? "set the locked topic" : "cleared the locked topic", NULL,
                               NULL);
    } else if (record->topic_n > 0) {
        /* Who set a topic that an archive remembers may be forgotten. */
        chat_reply(chat, session, "Topic of #%s%s%s: %.*s", record->name.bytes,
                   record->topic_by.n > 0 ? ", set by " : "", record->topic_by.bytes, record->topic_n,
                   record->topic);
    } else {
        chat_reply(chat, session, "#%s has no topic. /topic TEXT sets one.", record->name.bytes);
    }
    return 0;
}
