/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Commands about rooms. */

#include <string.h>

#include "base/config.h"
#include "base/error.h"
#include "base/macro.h"
#include "base/parse.h"
#include "chat/command.h"
#include "chat/person.h"
#include "chat/room.h"
#include "chat/session.h"

enum {
    WHO_COLUMNS = 70, /* of names, before a new line begins */
    ROOMS_LISTED = 30,
    ANSWER_REST = 256, /* bytes kept for the last words of a list */
};

/* The name in `word`, with or without its #. False: it is none, and the asker was told. */
static bool parse_room(Chat *chat, uint32_t session, Arguments word, uint32_t max_chars, Name *ret_name)
{
    int r;

    if (word.n > 0 && word.text[0] == '#') {
        word.text++;
        word.n--;
    }
    r = name_parse(word.text, word.n, max_chars, ret_name);
    if (r == NAME_TOO_LONG)
        chat_error(chat, session, "The name of a room may have %u characters; that one has more.", max_chars);
    else if (r != 0)
        chat_error(chat, session, "A room can not be called that: its name %s.", name_strerror(r));
    return r == 0;
}

/* The room in `word`, or the current one. SLOT_NONE: there is none of that name, and the asker was told. */
static uint32_t find_room(Chat *chat, uint32_t session, Arguments word)
{
    uint32_t room;
    Name name;

    if (word.n == 0)
        return session_record(chat, session)->current_room;
    if (!parse_room(chat, session, word, NAME_MAX_CHARS, &name))
        return SLOT_NONE;
    room = room_find(chat, &name);
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

static bool show_history(Chat *chat, uint32_t session, uint32_t room, uint32_t n)
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

int command_join(Chat *chat, uint32_t session, Arguments arguments)
{
    uint32_t room, n_rooms = chat->sessions[session].n_rooms;
    Name name;
    int r;

    if (!parse_room(chat, session, arguments, chat->config->max_nick_length, &name))
        return 0;
    r = room_join(chat, session, &name, &room);
    if (r == ROOM_TOO_MANY)
        chat_log_limit(chat, CHAT_LIMIT_ROOMS,
                       (LogEvent){.nick = session_record(chat, session)->nick.bytes, .room = name.bytes});
    if (r == ROOM_TOO_MANY)
        chat_error(chat, session,
                   "There are as many rooms as there may be: %u. /rooms lists them; join one of those.",
                   chat->config->max_rooms);
    else if (r == ROOM_TOO_MANY_OF_CLIENT)
        chat_error(chat, session, "You are in as many rooms as you may be: %u. /leave one of them first.",
                   n_rooms);
    if (r != 0)
        return MIN(r, 0);

    state_edit_session(&chat->state, session)->current_room = room;
    answer_where(chat, room);
    if (chat->state.rooms[room].topic_n > 0)
        answer_topic(chat, room);
    chat_answer_send(chat, session);
    if (chat->sessions[session].n_rooms > n_rooms) {
        (void) show_history(chat, session, room, chat->config->history);
        tell_others(chat, session, "came into", &name);
    }
    return 0;
}

/* The other sessions have another current room if theirs was left. */
static void move_others(Chat *chat, uint32_t session, uint32_t room)
{
    uint32_t other = person_next(chat, session);

    for (; other != session; other = person_next(chat, other))
        if (session_record(chat, other)->current_room == room)
            state_edit_session(&chat->state, other)->current_room =
                chat->state.members[chat->sessions[other].first_member].room;
}

int command_leave(Chat *chat, uint32_t session, Arguments arguments)
{
    SessionRecord *record = state_edit_session(&chat->state, session);
    Name left, lobby = chat->state.rooms[ROOM_LOBBY].name;
    uint32_t room = find_room(chat, session, arguments), next;
    int r = 0;

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
    if (chat->sessions[session].n_rooms == 0)
        r = room_join(chat, session, &lobby, &next);
    if (r != 0)
        return error_fold(r);
    if (record->current_room == room)
        record->current_room = chat->state.members[chat->sessions[session].first_member].room;
    move_others(chat, session, room);
    tell_others(chat, session, "left", &left);
    chat_answer(chat, "You left #%s. ", left.bytes);
    answer_where(chat, record->current_room);
    chat_answer_send(chat, session);
    return 0;
}

/* The largest rooms, in order. Returns how many. */
static uint32_t largest_rooms(const Chat *chat, uint32_t top[ROOMS_LISTED])
{
    uint32_t n = 0, at;

    for (uint32_t room = 0; room < chat->room_slots.n_touched; room++) {
        if (chat->state.rooms[room].created_wall == 0 || chat->rooms[room].n_members == 0)
            continue;
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
    uint32_t top[ROOMS_LISTED], n = largest_rooms(chat, top), n_all = chat_n_rooms(chat), i;

    (void) arguments;
    chat_answer(chat, "%u room%s:", n_all, n_all == 1 ? "" : "s");
    for (i = 0; i < n && sizeof chat->answer.text - chat->answer.n > LIMIT_TOPIC_BYTES + ANSWER_REST; i++) {
        const RoomRecord *room = &chat->state.rooms[top[i]];

        chat_answer(chat, "\n#%s (%u)%s%.*s", room->name.bytes, chat->rooms[top[i]].n_people,
                    room->topic_n > 0 ? " " : "", room->topic_n, room->topic);
    }
    if (i < n_all)
        chat_answer(chat, "\nand %u smaller ones", n_all - i);
    chat_answer_send(chat, session);
    return 0;
}

int command_who(Chat *chat, uint32_t session, Arguments arguments)
{
    uint32_t room = find_room(chat, session, arguments), member, n, n_listed = 0;
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

    if (arguments.n > chat->config->max_topic_length) {
        chat_error(chat, session, "A topic may have %u bytes; yours has %zu.", chat->config->max_topic_length,
                   arguments.n);
    } else if (arguments.n > 0) {
        if (arguments_equal(arguments, "-"))
            arguments.n = 0;
        if (room == ROOM_LOBBY)
            session_cut_greetings(chat);
        room_set_topic(chat, room, session, arguments.text, arguments.n);
        chat_reply(chat, session,
                   arguments.n > 0 ? "The topic of #%s is set." : "The topic of #%s is cleared.",
                   record->name.bytes);
    } else if (record->topic_n > 0) {
        chat_reply(chat, session, "Topic of #%s, set by %s: %.*s", record->name.bytes, record->topic_by.bytes,
                   record->topic_n, record->topic);
    } else {
        chat_reply(chat, session, "#%s has no topic. /topic TEXT sets one.", record->name.bytes);
    }
    return 0;
}

int command_history(Chat *chat, uint32_t session, Arguments arguments)
{
    uint32_t room = session_record(chat, session)->current_room;
    uint64_t n = MAX(chat->config->history, 1U);
    char text[8] = "";

    if (arguments.n > 0) {
        memcpy(text, arguments.text, MIN(arguments.n, sizeof text - 1));
        if (arguments.n >= sizeof text || parse_number(text, &n) != 0 || n < 1 || n > LIMIT_HISTORY) {
            chat_error(chat, session, "/history takes a number of lines from 1 to %d.", LIMIT_HISTORY);
            return 0;
        }
    }
    if (!show_history(chat, session, room, (uint32_t) n))
        chat_reply(chat, session, "Nothing is remembered of #%s.", chat->state.rooms[room].name.bytes);
    return 0;
}
