/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Commands of operators: root, and the members of OperatorGroup= who came in by the local socket. Each is
 * told to the journal: who, whom, where, why. */

#include <string.h>

#include "base/macro.h"
#include "chat/command.h"
#include "chat/person.h"
#include "chat/session.h"

bool command_take_reason(Chat *chat, uint32_t session, Arguments arguments, Reason *ret_reason)
{
    if (arguments.n > LIMIT_REASON_BYTES) {
        chat_error(chat, session, "A reason may have %d bytes; yours has %zu.", LIMIT_REASON_BYTES,
                   arguments.n);
        return false;
    }
    *(char *) mempcpy(ret_reason->text, arguments.text, arguments.n) = '\0';
    return true;
}

void command_log_act(Chat *chat, uint32_t session, const char *id, const char *did, const char *whom,
                     const char *reason)
{
    const char *nick = session_record(chat, session)->nick.bytes;

    log_event(chat->log,
              (LogEvent){.priority = LOG_NOTICE,
                         .id = id,
                         .nick = nick,
                         .whom = whom,
                         .reason = reason[0] != '\0' ? reason : NULL},
              "%s %s%s%s.", nick, did, whom != NULL ? " " : "", whom != NULL ? whom : "");
}

static int disconnect(Chat *chat, uint32_t session, Arguments arguments)
{
    Arguments word = arguments_next(&arguments);
    uint32_t who = command_find_person(chat, session, word), each = who;
    Reason reason;
    Name name;

    if (who == SLOT_NONE || !command_take_reason(chat, session, arguments, &reason))
        return 0;
    name = session_record(chat, who)->nick;
    if (person_is_operator(chat, who)) {
        chat_error(chat, session, "%s is an operator, too.", name.bytes);
        return 0;
    }
    do {
        chat_error(chat, each, "You are disconnected by %s%s%s%s", session_record(chat, session)->nick.bytes,
                   person_mark(chat, session, each), reason.text[0] != '\0' ? ": " : ".", reason.text);
        session_expel(chat, each);
    } while ((each = person_next(chat, each)) != who);
    chat_reply(chat, session, "%s is disconnected.", name.bytes);
    command_log_act(chat, session, LOG_ID_KICKED, "disconnected", name.bytes, reason.text);
    return 0;
}

int command_kick(Chat *chat, uint32_t session, Arguments arguments)
{
    if (person_is_operator(chat, session))
        return disconnect(chat, session, arguments);
    return command_put_out(chat, session, arguments);
}

int command_announce(Chat *chat, uint32_t session, Arguments arguments)
{
    chat_tell_everybody(chat, session, arguments.text, arguments.n);
    chat_reply(chat, session, "Told to all %u people.", chat_n_people(chat));
    command_log_act(chat, session, LOG_ID_ANNOUNCED, "made an announcement", NULL, "");
    return 0;
}
