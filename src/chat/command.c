/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <assert.h>
#include <string.h>

#include "base/guess.h"
#include "base/macro.h"
#include "base/text.h"
#include "chat/command.h"
#include "chat/person.h"
#include "chat/rule.h"
#include "chat/session.h"

#define COMMAND(word, more, what, function, ...)                                                             \
    {                                                                                                        \
        .name = (word), .arguments = (more), .help = (what), .run = (function), __VA_ARGS__                  \
    }

const Command COMMANDS[] = {
    COMMAND("nick", "NAME", "take another name", command_nick, .must_wait = command_nick_must_wait,
            .is_speech = true),
    COMMAND("me", "ACTION", "say what you do: * alice waves", command_me, .is_speech = true),
    COMMAND("msg", "NICK TEXT", "say something to one person only", command_msg,
            .must_wait = command_msg_must_wait, .is_speech = true),
    COMMAND("reply", "TEXT", "answer the last private line", command_reply, .is_speech = true),
    COMMAND("join", "#ROOM", "enter a room, or make one; it becomes your current room", command_join,
            .must_wait = command_join_must_wait),
    COMMAND("leave", "[#ROOM]", "leave a room", command_leave),
    COMMAND("rooms", "", "list the rooms, largest first", command_rooms),
    COMMAND("who", "[#ROOM]", "list who is in a room", command_who),
    COMMAND("whois", "NICK", "tell about one person", command_whois),
    COMMAND("topic", "[TEXT]", "show or set the topic of your current room; - clears it", command_topic,
            .is_speech = true),
    COMMAND("away", "[TEXT]", "say that you are away and why, or that you are back", command_away,
            .is_speech = true),
    COMMAND("ignore", "[NICK [address]]",
            "hear no more of somebody, or of all guests from there; again: hear them", command_ignore,
            .must_wait = command_set_must_wait),
    COMMAND("history", "[N]", "show the last N lines of your current room, or those of a day: 2026-11-22",
            command_history, .must_wait = command_history_must_wait),
    COMMAND("search", "WORDS", "find what was said: WORDS [in #ROOM] [from NICK] [since DAY] [page N]",
            command_search, .must_wait = command_search_must_wait),
    COMMAND("undo", "", "take back what you said last in your current room", command_undo),
    COMMAND("seen", "NICK", "tell when somebody was here last", command_seen,
            .must_wait = command_seen_must_wait),
    COMMAND("set", "[NAME VALUE]", "show or change your settings: time, bell, color, joins, mark",
            command_set, .must_wait = command_set_must_wait),
    COMMAND("time", "", "tell the time of the server", command_time),
    COMMAND("version", "", "tell what runs here and since when", command_version),
    COMMAND("help", "[COMMAND]", "list the commands, or explain one", command_help),
    COMMAND("quit", "", "leave the chat", command_quit),
    COMMAND("lock", "[WHAT]", "let only invited people in; also: off, topic, topic off", command_lock),
    COMMAND("hide", "[off]", "list your room to nobody who is not in it", command_hide),
    COMMAND("invite", "[NICK]", "let somebody into your room, or list who is invited", command_invite,
            .must_wait = command_invite_must_wait, .is_speech = true),
    COMMAND("uninvite", "NICK", "end an invitation", command_uninvite),
    COMMAND("kick", "NICK [REASON]", "put somebody out of your room; of operators: disconnect them",
            command_kick, .is_speech = true, .puts_out = true),
    COMMAND("delete", "NICK [N]", "take back what somebody said last in your room", command_delete),
    COMMAND("give", "NICK", "hand your room over to somebody", command_give),
    COMMAND("close", "[#ROOM]", "put everybody out of your room, and end it", command_close),
    COMMAND("ban", "WHO [TIME] [REASON]", "let somebody, or a network, in no more", command_ban,
            .must_wait = command_rule_must_wait, .is_for_operators = true),
    COMMAND("unban", "WHO", "end a ban, by its number or by whom it is about", command_unban,
            .is_for_operators = true),
    COMMAND("mute", "WHO [TIME] [REASON]", "let somebody speak no more", command_mute,
            .must_wait = command_rule_must_wait, .is_for_operators = true),
    COMMAND("unmute", "WHO", "let somebody speak again", command_unmute, .is_for_operators = true),
    COMMAND("bans", "", "list who is banned or muted", command_bans, .is_for_operators = true),
    COMMAND("op", "[NICK [TIME] [REASON]]", "make somebody an operator, or list who was made one", command_op,
            .must_wait = command_rule_must_wait, .is_for_operators = true),
    COMMAND("deop", "NICK", "let somebody be an operator no more", command_deop, .is_for_operators = true),
    COMMAND("announce", "TEXT", "tell everybody, in all rooms", command_announce, .is_for_operators = true),
#ifdef CHATD_FAULTS
    COMMAND("crash", "", "fault", command_crash),
    COMMAND("abort", "", "fail an assertion", command_abort),
    COMMAND("hang", "", "never end", command_hang),
    COMMAND("overflow", "", "use up the stack", command_overflow),
#endif
    {.name = NULL},
};

Arguments arguments_next(Arguments *arguments)
{
    const char *end = memchr(arguments->text, ' ', arguments->n);
    Arguments word = {.text = arguments->text,
                      .n = end != NULL ? (size_t) (end - arguments->text) : arguments->n};

    arguments->text += word.n;
    arguments->n -= word.n;
    while (arguments->n > 0 && *arguments->text == ' ') {
        arguments->text++;
        arguments->n--;
    }
    return word;
}

const char *command_word(Arguments word, char text[WORD_MAX])
{
    size_t n = word.n < WORD_MAX ? word.n : 0;

    *(char *) mempcpy(text, word.text, n) = '\0';
    return text;
}

static void command_unknown(Chat *chat, uint32_t session, Arguments word)
{
    const char *names[N_ELEMENTS(COMMANDS)], *guess;
    char text[33];
    size_t n = 0;

    for (const Command *command = COMMANDS; command->name != NULL; command++)
        if (!command->is_for_operators || person_is_operator(chat, session))
            names[n++] = command->name;
    if (word.n >= sizeof text) {
        chat_error(chat, session,
                   "Unknown command. /help lists them; two slashes say a line that begins with one.");
        return;
    }
    memcpy(text, word.text, word.n);
    text[word.n] = '\0';
    guess = guess_nearest(text, names, n);
    if (guess != NULL)
        chat_error(chat, session, "Unknown command /%s. Did you mean /%s? /help lists them.", text, guess);
    else
        chat_error(chat, session,
                   "Unknown command /%s. /help lists them; two slashes say a line that begins with one.",
                   text);
}

static const Command *command_find(Arguments word)
{
    for (const Command *command = COMMANDS; command->name != NULL; command++)
        if (arguments_equal(word, command->name))
            return command;
    return NULL;
}

/* False: it is muted, and was told. */
static bool may_speak(Chat *chat, uint32_t session)
{
    const RuleRecord *rule;
    char text[RULE_TEXT_MAX];

    rule = rule_find(chat, RULE_MUTE, &session_record(chat, session)->peer);
    if (rule == NULL || person_is_operator(chat, session))
        return true;
    rule_format(rule, "muted", text);
    chat_error(chat, session, "%s", text);
    return false;
}

static int command_run(Chat *chat, uint32_t session, Arguments arguments)
{
    Arguments word = arguments_next(&arguments);
    const Command *command = command_find(word);

    if (command == NULL) {
        command_unknown(chat, session, word);
        return 0;
    }
    if (command->is_for_operators && !person_is_operator(chat, session)) {
        chat_error(chat, session, "/%s is for operators.", command->name);
        return 0;
    }
    if (arguments.n == 0 && command->arguments[0] != '\0' && command->arguments[0] != '[') {
        chat_error(chat, session, "/%s needs more words: /%s %s", command->name, command->name,
                   command->arguments);
        return 0;
    }
    if (arguments.n > 0 && command->arguments[0] == '\0') {
        chat_error(chat, session, "/%s is a command without more words.", command->name);
        return 0;
    }
    if (command->is_speech && arguments.n > 0 && !may_speak(chat, session))
        return 0;
    return command->run(chat, session, arguments);
}

bool command_is(const char *line, size_t n)
{
    return n > 0 && line[0] == '/' && !(n > 1 && line[1] == '/');
}

/* Cleaned, to chat->line, and without spaces at its end. Returns the length. */
static size_t line_clean(Chat *chat, const char *line, size_t n)
{
    assert(n <= LIMIT_LINE_BYTES);
    n = text_clean(chat->line, line, n);
    while (n > 0 && chat->line[n - 1] == ' ')
        n--;
    return n;
}

/* The command in a line, and its arguments in chat->line; NULL: it is none that is known. */
static const Command *line_command(Chat *chat, const char *line, size_t n, Arguments *ret_arguments)
{
    n = line_clean(chat, line, n);
    if (!command_is(chat->line, n))
        return NULL;
    *ret_arguments = (Arguments){.text = chat->line + 1, .n = n - 1};
    return command_find(arguments_next(ret_arguments));
}

bool command_must_wait(Chat *chat, uint32_t session, const char *line, size_t n)
{
    Arguments arguments;
    const Command *command = line_command(chat, line, n, &arguments);

    return command != NULL && command->must_wait != NULL && command->must_wait(chat, session, arguments);
}

uint32_t command_whom(Chat *chat, const char *line, size_t n)
{
    Arguments arguments;
    const Command *command = line_command(chat, line, n, &arguments);
    Name nick;

    if (command == NULL || !command->puts_out || command_parse_nick(arguments_next(&arguments), &nick) != 0)
        return SLOT_NONE;
    return session_find(chat, &nick);
}

void command_speak(Chat *chat, uint32_t session, EntryKind kind, Arguments text)
{
    SessionRecord *record = state_edit_session(&chat->state, session);
    const RoomRecord *room = &chat->state.rooms[record->current_room];

    if (room->flags & ROOM_CLOSING) {
        chat_error(chat, session, "#%s is closed; that was not said.", room->name.bytes);
        return;
    }
    record->spoke = (uint32_t) (chat->wall / USEC_PER_SEC);
    chat_tell_room(chat, record->current_room, kind, session, text.text, text.n);
}

int command_execute(Chat *chat, uint32_t session, const char *line, size_t n)
{
    char *text = chat->line;

    n = line_clean(chat, line, n);
    if (n == 0)
        return 0;
    if (command_is(text, n))
        return command_run(chat, session, (Arguments){.text = text + 1, .n = n - 1});
    if (text[0] == '/') {
        text++;
        n--;
    }
    if (!may_speak(chat, session))
        return 0;
    command_speak(chat, session, ENTRY_SAID, (Arguments){.text = text, .n = n});
    return 0;
}
