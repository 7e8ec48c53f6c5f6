/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Commands about the service, and how one sees it. */

#include <stdio.h>
#include <string.h>

#include "config.h"

#include "base/clock.h"
#include "base/macro.h"
#include "chat/command.h"
#include "chat/mail.h"
#include "chat/person.h"
#include "chat/session.h"

static const struct {
    const char *name, *yes, *no;
    uint8_t bit;
} SETTINGS[] = {
    {"time", "on", "off", SETTING_TIME},         {"bell", "on", "off", SETTING_BELL},
    {"color", "on", "off", SETTING_COLOR},       {"joins", "on", "off", SETTING_JOINS},
    {"mark", "ascii", "unicode", SETTING_ASCII},
};

static void list_settings(Chat *chat, uint32_t session)
{
    uint8_t settings = session_record(chat, session)->settings;

    for (size_t i = 0; i < N_ELEMENTS(SETTINGS); i++)
        chat_answer(chat, "%s%s %s", i > 0 ? ", " : "", SETTINGS[i].name,
                    settings & SETTINGS[i].bit ? SETTINGS[i].yes : SETTINGS[i].no);
    chat_answer(chat, ".");
    chat_answer_send(chat, session);
}

static void set_bit(Chat *chat, uint32_t session, uint8_t bit, bool is_on)
{
    uint32_t each = session;

    do {
        uint8_t *settings = &state_edit_session(&chat->state, each)->settings;

        *settings = (uint8_t) (is_on ? *settings | bit : *settings & ~bit);
    } while ((each = person_next(chat, each)) != session);
}

/* Also /ignore: what is kept of both is one. */
bool command_set_must_wait(Chat *chat, uint32_t session, Arguments arguments)
{
    (void) arguments;
    return mail_is_awaited(chat, session);
}

int command_set(Chat *chat, uint32_t session, Arguments arguments)
{
    Arguments name = arguments_next(&arguments), value = arguments_next(&arguments);
    bool is_on;
    size_t i;

    if (name.n == 0) {
        list_settings(chat, session);
        return 0;
    }
    for (i = 0; i < N_ELEMENTS(SETTINGS) && !arguments_equal(name, SETTINGS[i].name);)
        i++;
    if (i == N_ELEMENTS(SETTINGS)) {
        chat_error(chat, session, "There is no such setting. There are time, bell, color, joins and mark.");
        return 0;
    }
    is_on = arguments_equal(value, SETTINGS[i].yes);
    if (arguments.n > 0 || (!is_on && !arguments_equal(value, SETTINGS[i].no))) {
        chat_error(chat, session, "This setting is %s or %s: /set %s %s", SETTINGS[i].yes, SETTINGS[i].no,
                   SETTINGS[i].name, SETTINGS[i].yes);
        return 0;
    }
    set_bit(chat, session, SETTINGS[i].bit, is_on);
    mail_note_settings(chat, session);
    chat_reply(chat, session, "%s is %s now.", SETTINGS[i].name, is_on ? SETTINGS[i].yes : SETTINGS[i].no);
    return 0;
}

int command_time(Chat *chat, uint32_t session, Arguments arguments)
{
    char text[CLOCK_TEXT_MAX];

    (void) arguments;
    clock_format(chat->wall, text);
    chat_reply(chat, session, "%s", text);
    return 0;
}

int command_version(Chat *chat, uint32_t session, Arguments arguments)
{
    const StateHeader *header = chat->state.header;
    char service[CLOCK_TEXT_MAX], process[CLOCK_TEXT_MAX];

    (void) arguments;
    clock_format(header->started_wall, service);
    clock_format(chat->started_wall, process);
    chat_reply(chat, session,
               "%s %s. The service is up since %s, this process since %s; %u restart%s survived.",
               PACKAGE_NAME, PACKAGE_VERSION, service, process, header->n_restarts,
               header->n_restarts == 1 ? "" : "s");
    return 0;
}

static void answer_command(Chat *chat, const Command *command)
{
    char synopsis[64];

    (void) snprintf(synopsis, sizeof synopsis, "/%s%s%s", command->name,
                    command->arguments[0] != '\0' ? " " : "", command->arguments);
    chat_answer(chat, "%-20s  %s\n", synopsis, command->help);
}

int command_help(Chat *chat, uint32_t session, Arguments arguments)
{
    if (arguments.n > 0 && arguments.text[0] == '/') {
        arguments.text++;
        arguments.n--;
    }
    for (const Command *command = COMMANDS; command->name != NULL; command++)
        if (arguments.n == 0 ? !command->is_for_operators || person_is_operator(chat, session)
                             : arguments_equal(arguments, command->name))
            answer_command(chat, command);
    if (chat->answer.n == 0) {
        chat_error(chat, session, "There is no such command. /help lists them.");
        return 0;
    }
    if (arguments.n == 0)
        chat_answer(chat,
                    "Everything else is said in your current room. // says a line that begins with a slash.");
    chat_answer_send(chat, session);
    return 0;
}
