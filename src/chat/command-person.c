/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Commands about people: who one is, and what is said to one person. */

#include <string.h>

#include "base/config.h"
#include "base/error.h"
#include "base/macro.h"
#include "chat/command.h"
#include "chat/keep.h"
#include "chat/mail.h"
#include "chat/person.h"
#include "chat/room.h"
#include "chat/session.h"

int command_parse_nick(Arguments word, Name *ret_nick)
{
    static const char *const MARKS[] = {MARK, MARK_ASCII};

    for (size_t i = 0; i < N_ELEMENTS(MARKS); i++) {
        size_t n = strlen(MARKS[i]);

        if (word.n > n && memcmp(word.text + word.n - n, MARKS[i], n) == 0)
            word.n -= n;
    }
    return name_parse_nick(word.text, word.n, ret_nick);
}

uint32_t command_find_person(Chat *chat, uint32_t session, Arguments word)
{
    uint32_t found = SLOT_NONE;
    Name nick;
    int r = command_parse_nick(word, &nick);

    if (r == 0)
        found = session_find(chat, &nick);
    if (r != 0)
        chat_error(chat, session, "That is not a nick: it %s.", name_strerror(r));
    else if (found == SLOT_NONE)
        chat_error(chat, session, "Nobody here is called %s. /who lists who is.", nick.bytes);
    return found;
}

static Recall ask_owner(const Chat *chat, uint32_t session, const Name *nick)
{
    Recall recall = {.kind = RECALL_OWNER, .asker = session_record(chat, session)->serial};

    name_fold(nick->bytes, nick->n, &recall.nick);
    return recall;
}

/* Nobody who is here has it, and it is none that need not be looked up. */
bool command_nick_must_wait(Chat *chat, uint32_t session, Arguments arguments)
{
    NameStanding standing;
    Recall recall;
    uint32_t uid;
    Name nick;

    if (person_is_verified(chat, session) ||
        name_parse(arguments.text, arguments.n, chat->config->max_nick_length, &nick) != 0 ||
        name_is_guest(&nick) || session_find(chat, &nick) != SLOT_NONE)
        return false;
    standing = chat_look_up(chat, &nick, &uid);
    recall = ask_owner(chat, session, &nick);
    return standing == NAME_IS_AWAITED ||
           (standing == NAME_IS_FREE && chat_recall(chat, &recall, NULL) == RECALL_AWAITED);
}

/* It stays so when the account is gone, as far as an archive that can be asked remembers. */
static bool was_of_account(Chat *chat, uint32_t session, const Name *nick)
{
    Recall recall = ask_owner(chat, session, nick);
    Recalled recalled;

    if (chat_recall(chat, &recall, &recalled) != RECALL_ANSWERED || recalled.trouble != NULL ||
        recalled.n == 0)
        return false;
    chat_error(
        chat, session,
        "%s is the name of somebody who has been here with an account of this host. Choose another name.",
        nick->bytes);
    return true;
}

/* False: it is not for this session, which was told why. */
static bool nick_may_be_taken(Chat *chat, uint32_t session, const Name *nick)
{
    uint32_t uid;

    if (session_find(chat, nick) != SLOT_NONE)
        return true; /* so that it is told of that, or writes its own in another way */
    switch (chat_look_up(chat, nick, &uid)) {
    case NAME_IS_FREE:
        return !was_of_account(chat, session, nick);
    case NAME_IS_RESERVED:
        chat_error(chat, session,
                   "%s has an account of this host, by which only its owner comes in. Choose another name.",
                   nick->bytes);
        return false;
    default:
        chat_error(chat, session, "Whose name %s is can not be looked up now. Try again later.", nick->bytes);
        return false;
    }
}

int command_nick(Chat *chat, uint32_t session, Arguments arguments)
{
    Name nick;
    int r = name_parse(arguments.text, arguments.n, chat->config->max_nick_length, &nick);

    if (person_is_verified(chat, session)) {
        chat_error(chat, session,
                   "Your name is that of your account. Who wants another one comes in as a guest.");
        return 0;
    }
    if (r == NAME_TOO_LONG) {
        chat_error(chat, session, "A nick may have %u characters; that one has more.",
                   chat->config->max_nick_length);
        return 0;
    }
    if (r != 0) {
        chat_error(chat, session, "You can not be called that: it %s.", name_strerror(r));
        return 0;
    }
    if (name_is_guest(&nick)) {
        chat_error(chat, session, "Names like %s are given to guests. Choose another.", nick.bytes);
        return 0;
    }
    if (name_looks_marked(&nick)) {
        chat_error(chat, session, "%s looks as if it had the mark of an account. Choose another.",
                   nick.bytes);
        return 0;
    }
    if (!nick_may_be_taken(chat, session, &nick))
        return 0;
    r = session_rename(chat, session, &nick);
    if (r == SESSION_NICK_TAKEN)
        chat_error(chat, session, "Somebody else is called %s. Choose another.", nick.bytes);
    else if (r == 0)
        chat_reply(chat, session, "You are now %s.", nick.bytes);
    return MIN(r, 0);
}

int command_me(Chat *chat, uint32_t session, Arguments arguments)
{
    command_speak(chat, session, ENTRY_ACTION, arguments);
    return 0;
}

/*
 * Whom an answer is for: person_address(), and between the uid of an account and its mark there are bits of
 * the name, since the uid may be given to somebody else before there is an answer.
 */
static uint64_t reply_address(const Chat *chat, uint32_t session)
{
    uint64_t address = person_address(chat, session);

    return person_is_verified(chat, session) ? address | chat->sessions[session].nick_hash << 33 >> 1
                                             : address;
}

static void say_privately(Chat *chat, uint32_t session, uint32_t to, Arguments text)
{
    const SessionRecord *receiver = session_record(chat, to);
    const AwayRecord *away = &chat->state.aways[to];
    uint32_t each = to;

    state_edit_session(&chat->state, session)->spoke = (uint32_t) (chat->wall / USEC_PER_SEC);
    do {
        SessionRecord *record = state_edit_session(&chat->state, each);

        record->reply_session = session;
        record->reply_serial = reply_address(chat, session);
    } while ((each = person_next(chat, each)) != to);
    chat_tell_person(chat, to, ENTRY_PRIVATE, session, text.text, text.n);
    if (receiver->flags & SESSION_AWAY)
        chat_reply(chat, session, "%s is away%s%.*s", receiver->nick.bytes, away->n > 0 ? ": " : ".", away->n,
                   away->text);
}

/* Whether it is the name of somebody with an account who is not here. */
static NameStanding is_away_account(const Chat *chat, Arguments word, Name *ret_nick, uint32_t *ret_uid)
{
    if (command_parse_nick(word, ret_nick) != 0 || session_find(chat, ret_nick) != SLOT_NONE)
        return NAME_IS_FREE;
    return chat_look_up(chat, ret_nick, ret_uid);
}

static Recall ask_counts(const Chat *chat, uint32_t session, uint32_t uid)
{
    const SessionRecord *record = session_record(chat, session);
    Recall recall = {.kind = RECALL_MAIL, .asker = record->serial, .uid = uid};

    name_fold(record->nick.bytes, record->nick.n, &recall.nick);
    return recall;
}

bool command_msg_must_wait(Chat *chat, uint32_t session, Arguments arguments)
{
    NameStanding standing;
    Recall recall;
    uint32_t uid;
    Name nick;

    standing = is_away_account(chat, arguments_next(&arguments), &nick, &uid);
    if (standing != NAME_IS_RESERVED || !person_is_verified(chat, session) || arguments.n == 0)
        return standing == NAME_IS_AWAITED;
    recall = ask_counts(chat, session, uid);
    return chat_recall(chat, &recall, NULL) == RECALL_AWAITED;
}

/* Only who has an account of their own: of others nobody could say how much they leave. */
static void leave_message(Chat *chat, uint32_t session, const Name *to, uint32_t uid, Arguments text)
{
    Recall recall = ask_counts(chat, session, uid);
    Recalled recalled;
    MailCounts counts;

    if (!person_is_verified(chat, session)) {
        chat_error(chat, session, "%s is not here. Who comes in with an account can leave a message.",
                   to->bytes);
        return;
    }
    if (text.n > LIMIT_MAIL_BYTES) {
        chat_error(chat, session, "%s is not here. A message that is left may have %d bytes; yours has %zu.",
                   to->bytes, LIMIT_MAIL_BYTES, text.n);
        return;
    }
    if (!command_take_answer(chat, session, &recall, &recalled))
        return;
    memcpy(&counts, recalled.bytes, sizeof counts);
    if (counts.from >= MAIL_FROM_MAX || counts.to >= MAIL_TO_MAX) {
        chat_error(chat, session, "%s is not here, and %s.", to->bytes,
                   counts.from >= MAIL_FROM_MAX ? "as many messages of yours wait as may"
                                                : "there is no place for one more message");
        return;
    }
    mail_leave(chat, session, to, uid, text.text, text.n);
    chat_reply(chat, session, "%s is not here, and will be told on coming back.", to->bytes);
}

int command_msg(Chat *chat, uint32_t session, Arguments arguments)
{
    Arguments word = arguments_next(&arguments);
    uint32_t to, uid;
    Name nick;

    if (arguments.n == 0) {
        chat_error(chat, session, "/msg needs more words: /msg NICK TEXT");
        return 0;
    }
    if (is_away_account(chat, word, &nick, &uid) == NAME_IS_RESERVED) {
        leave_message(chat, session, &nick, uid, arguments);
        return 0;
    }
    to = command_find_person(chat, session, word);
    if (to != SLOT_NONE)
        say_privately(chat, session, to, arguments);
    return 0;
}

/* Who spoke in private last, if they are here: of an account any of its sessions. */
static uint32_t find_replied(const Chat *chat, uint32_t session)
{
    const SessionRecord *record = session_record(chat, session);
    uint32_t to = record->reply_session;

    if (record->reply_serial & PERSON_ADDRESS)
        to = session_find_account(chat, (uint32_t) record->reply_serial);
    return to != SLOT_NONE && reply_address(chat, to) == record->reply_serial ? to : SLOT_NONE;
}

int command_reply(Chat *chat, uint32_t session, Arguments arguments)
{
    uint32_t to = find_replied(chat, session);

    if (session_record(chat, session)->reply_serial == 0)
        chat_error(chat, session, "Nobody has said anything to you in private yet. /msg NICK TEXT begins.");
    else if (to == SLOT_NONE)
        chat_error(chat, session, "Whoever spoke to you in private last has left. Your line was not sent.");
    else
        say_privately(chat, session, to, arguments);
    return 0;
}

/* Those that the asker is told of. */
static void answer_rooms_of(Chat *chat, uint32_t session, uint32_t asker)
{
    uint32_t member = chat->sessions[session].first_member;
    const char *separator = "in";

    for (; member != SLOT_NONE; member = chat->members[member].next_of_session) {
        uint32_t room = chat->state.members[member].room;

        if (!keep_is_seen(chat, room, asker))
            continue;
        chat_answer(chat, "%s #%s", separator, chat->state.rooms[room].name.bytes);
        separator = ",";
    }
    if (separator[0] != ',')
        chat_answer(chat, "here");
}

static void answer_ago(Chat *chat, uint32_t then)
{
    uint32_t now = (uint32_t) (chat->wall / USEC_PER_SEC), seconds = now > then ? now - then : 0;

    if (seconds < 60)
        chat_answer(chat, "less than a minute");
    else if (seconds < 3600)
        chat_answer(chat, "%u min", seconds / 60);
    else
        chat_answer(chat, "%u h %u min", seconds / 3600, seconds / 60 % 60);
}

int command_whois(Chat *chat, uint32_t session, Arguments arguments)
{
    uint32_t who = command_find_person(chat, session, arguments);
    const SessionRecord *record;
    const AwayRecord *away;

    if (who == SLOT_NONE)
        return 0;
    record = session_record(chat, who);
    away = &chat->state.aways[who];
    chat_answer(chat, "%s%s is ", record->nick.bytes, person_mark(chat, who, session));
    answer_rooms_of(chat, who, session);
    if (person_is_verified(chat, who))
        chat_answer(chat, ".\nHas an account of this host%s",
                    person_is_operator(chat, who) ? ", and is an operator" : "");
    chat_answer(chat, ".\nCame ");
    answer_ago(chat, record->connected);
    if (record->spoke > record->connected) {
        chat_answer(chat, " ago, spoke ");
        answer_ago(chat, record->spoke);
        chat_answer(chat, " ago.");
    } else {
        chat_answer(chat, " ago, has said nothing yet.");
    }
    if (record->flags & SESSION_AWAY)
        chat_answer(chat, "\nAway%s%.*s", away->n > 0 ? ": " : ".", away->n, away->text);
    chat_answer_send(chat, session);
    return 0;
}

static void set_away(Chat *chat, uint32_t session, Arguments text)
{
    AwayRecord *away = state_edit_away(&chat->state, session);

    state_edit_session(&chat->state, session)->flags |= SESSION_AWAY;
    away->n = (uint16_t) text.n;
    memcpy(away->text, text.text, text.n);
}

int command_away(Chat *chat, uint32_t session, Arguments arguments)
{
    bool is_back = arguments.n == 0 && (session_record(chat, session)->flags & SESSION_AWAY);
    uint32_t each = session;

    if (arguments.n > chat->config->max_topic_length) {
        chat_error(chat, session, "That text may have %u bytes; yours has %zu.",
                   chat->config->max_topic_length, arguments.n);
        return 0;
    }
    do {
        if (is_back)
            state_edit_session(&chat->state, each)->flags &= (uint8_t) ~SESSION_AWAY;
        else
            set_away(chat, each, arguments);
    } while ((each = person_next(chat, each)) != session);
    if (is_back)
        chat_reply(chat, session, "You are back.");
    else
        chat_reply(chat, session,
                   "You are away. Whoever writes to you is told; /away says that you are back.");
    return 0;
}

int command_quit(Chat *chat, uint32_t session, Arguments arguments)
{
    (void) arguments;
    chat_reply(chat, session, "Goodbye.");
    session_end(chat, session);
    return 0;
}
