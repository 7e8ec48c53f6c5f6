/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What people say, and which answers they await for it. */

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "system/storm.h"

static const char WHERE[] = "You are in %s now, ";

static void put(Client *client, const char *bytes, size_t n)
{
    assert(n <= sizeof client->out - client->n_out);
    memcpy(client->out + client->n_out, bytes, n);
    client->n_out += n;
}

static void putf(Client *client, const char *format, ...) _printf_(2, 3);
static void putf(Client *client, const char *format, ...)
{
    char line[TEXT_BYTES + 64];
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    assert(n >= 0 && (size_t) n < sizeof line);
    put(client, line, (size_t) n);
}

/* Two equal lines one after the other would hide a repetition, so nobody asks for them. */
static bool may_await(const Client *client, const char *text)
{
    return client->n_answers < ANSWERS_MAX - 2 && strcmp(client->last_answer, text) != 0;
}

static Answer *await(Client *client, Effect effect, const char *format, ...) _printf_(3, 4);
static Answer *await(Client *client, Effect effect, const char *format, ...)
{
    Answer *answer = &client->answers[(client->first_answer + client->n_answers++) % ANSWERS_MAX];
    va_list arguments;

    assert(client->n_answers <= ANSWERS_MAX);
    *answer = (Answer){.effect = effect};
    va_start(arguments, format);
    (void) vsnprintf(answer->text, sizeof answer->text, format, arguments);
    va_end(arguments);
    memcpy(client->last_answer, answer->text, sizeof client->last_answer);
    return answer;
}

bool awaits(const Client *client, Effect effect)
{
    for (unsigned i = 0; i < client->n_answers; i++)
        if (client->answers[(client->first_answer + i) % ANSWERS_MAX].effect == effect)
            return true;
    return false;
}

/* `before`: what the answer begins with. */
static void await_room(Client *client, const char *before, int current)
{
    const Room *room = client->rooms[current];
    Answer *answer = await(client, EFFECT_ROOM, "-- %s", before);
    size_t n = strlen(answer->text);

    (void) snprintf(answer->text + n, sizeof answer->text - n, WHERE, room->name);
    answer->is_beginning = true;
    answer->has_topic = before[0] == '\0' && current == MAIN && room->has_topic;
    answer->in_side = client->in_side;
    answer->current = client->current = current;
}

void say_greetings(Storm *storm, Client *client)
{
    const char *room = client->rooms[MAIN]->name;
    char nick[NAME_BYTES];

    nick_format(storm, client->id, 'a', nick);
    await(client, EFFECT_NONE, "-- Welcome to ")->is_beginning = true;
    putf(client, "/set time off\n");
    await(client, EFFECT_GREETED, "-- time is off now.");
    putf(client, "/set joins off\n");
    await(client, EFFECT_QUIET, "-- joins is off now.");
    if (storm->options.room_size > 0) {
        putf(client, "/join %s\n", room);
        await_room(client, "", MAIN);
        putf(client, "/leave #lobby\n");
        await_room(client, "You left #lobby. ", MAIN);
    }
    putf(client, "/nick %s\n", nick);
    await(client, EFFECT_READY, "-- You are now %s.", nick);
}

static void say_text(Storm *storm, Client *client, char kind)
{
    int channel = client->current;
    Mark mark = {client->id, client->variant, kind, channel == MAIN ? 'm' : 's', ++client->said[channel]};
    size_t max = kind == 't' ? TOPIC_BYTES : TEXT_BYTES;
    char text[TEXT_BYTES];

    (void) mark_format(storm, &mark, &client->random, max, text);
    putf(client, "%s%s\n", kind == 'm' ? "/me " : kind == 't' ? "/topic " : "", text);
    if (channel == MAIN)
        client->n_owed += client->rooms[MAIN]->n_prompt - !client->is_slow;
}

static bool act_say(Storm *storm, Client *client)
{
    say_text(storm, client, 's');
    return true;
}

static bool act_me(Storm *storm, Client *client)
{
    say_text(storm, client, 'm');
    return true;
}

/* Only in the main room: the history of a side room has no topics, so there would be gaps. */
static bool act_topic(Storm *storm, Client *client)
{
    char text[ANSWER_BYTES];

    (void) snprintf(text, sizeof text, "-- The topic of %s is set.", client->rooms[MAIN]->name);
    if (client->current != MAIN || awaits(client, EFFECT_TOPIC) || !may_await(client, text))
        return false;
    say_text(storm, client, 't');
    await(client, EFFECT_TOPIC, "%s", text);
    return true;
}

static bool act_private(Storm *storm, Client *client)
{
    unsigned slot = random_below(&client->random, PARTNERS);
    Partner *partner = &client->partners[slot];
    Client *to = &storm->clients[partner->whom];
    char text[TEXT_BYTES], nick[NAME_BYTES];
    Mark mark = {client->id, client->variant, 'p', (char) ('0' + slot), partner->said + 1};

    /* What it is called, and whether it is away, must be known when the server executes this. */
    if (to == client || to->is_gone || to->is_leaving || to->n_unsettled > 0)
        return false;
    nick_format(storm, to->id, to->variant, nick);
    (void) snprintf(text, sizeof text, "-- %s is away: since line %u", nick, to->away_since);
    if (to->is_away && !may_await(client, text))
        return false;
    if (to->is_away)
        await(client, EFFECT_NONE, "%s", text);
    (void) mark_format(storm, &mark, &client->random, sizeof text, text);
    putf(client, "/msg %s %s\n", nick, text);
    partner->said++;
    to->n_private++;
    client->n_owed += !to->is_slow;
    return true;
}

static bool act_nick(Storm *storm, Client *client)
{
    char nick[NAME_BYTES], text[ANSWER_BYTES];
    char variant = client->variant == 'a' ? 'b' : 'a';

    nick_format(storm, client->id, variant, nick);
    (void) snprintf(text, sizeof text, "-- You are now %s.", nick);
    if (client->n_private > 0 || !may_await(client, text))
        return false;
    putf(client, "/nick %s\n", nick);
    await(client, EFFECT_SETTLED, "%s", text);
    client->variant = variant;
    client->n_unsettled++;
    return true;
}

static bool act_away(Storm *storm, Client *client)
{
    const char *text = client->is_away ? "-- You are back." : "-- You are away. ";

    (void) storm;
    if (client->n_private > 0 || !may_await(client, text))
        return false;
    client->away_since = client->n_unique;
    if (client->is_away)
        putf(client, "/away\n");
    else
        putf(client, "/away since line %u\n", client->away_since);
    await(client, EFFECT_SETTLED, "%s", text)->is_beginning = true;
    client->is_away = !client->is_away;
    client->n_unsettled++;
    return true;
}

static bool act_room(Storm *storm, Client *client)
{
    const char *main_name = client->rooms[MAIN]->name, *side_name = client->rooms[SIDE]->name;
    bool leaves = client->in_side && random_below(&client->random, 2) == 0;
    char text[ANSWER_BYTES];

    if (awaits(client, EFFECT_ROOM) || !may_await(client, ""))
        return false;
    if (leaves) {
        hear_require(storm, client, SIDE);
        client->in_side = false;
        putf(client, client->current == SIDE ? "/leave\n" : "/leave %s\n", side_name);
        (void) snprintf(text, sizeof text, "You left %s. ", side_name);
        await_room(client, text, MAIN);
        return true;
    }
    if (client->current == SIDE) {
        putf(client, "/join %s\n", main_name);
        await_room(client, "", MAIN);
        return true;
    }
    if (!client->in_side)
        client->side_before = client->said[SIDE];
    client->in_side = true;
    putf(client, "/join %s\n", side_name);
    await_room(client, "", SIDE);
    return true;
}

static bool act_unknown(Storm *storm, Client *client)
{
    char word[NAME_BYTES];

    (void) storm;
    if (!may_await(client, ""))
        return false;
    (void) snprintf(word, sizeof word, "storm%u", client->n_unique);
    putf(client, "/%s\n", word);
    await(client, EFFECT_NONE, "!! Unknown command /%s.", word)->is_beginning = true;
    return true;
}

static bool act_long(Storm *storm, Client *client)
{
    static const char TEXT[] = "!! That line had more than ";
    char line[LONG_LINE + 1];

    (void) storm;
    if (!may_await(client, TEXT))
        return false;
    memset(line, 'x', sizeof line);
    line[LONG_LINE] = '\n';
    put(client, line, sizeof line);
    await(client, EFFECT_NONE, "%s", TEXT)->is_beginning = true;
    return true;
}

/* At the beginning of a line that is said: the answer to it does not wait for the end of that. */
static bool act_telnet(Storm *storm, Client *client)
{
    const uint8_t request[TELNET_BYTES] = {TELNET_IAC, TELNET_DO, telnet_option(client->telnet_said++)};

    put(client, (const char *) request, sizeof request);
    return act_say(storm, client);
}

static bool act_settings(Storm *storm, Client *client)
{
    static const char TEXT[] = "-- time off, bell off, color off, joins off, mark unicode.";

    (void) storm;
    if (!may_await(client, TEXT))
        return false;
    putf(client, "/set\n");
    await(client, EFFECT_NONE, "%s", TEXT);
    return true;
}

static bool act_ignore(Storm *storm, Client *client)
{
    char nick[NAME_BYTES];

    if (!may_await(client, ""))
        return false;
    (void) snprintf(nick, sizeof nick, "%s-nobody", storm->options.name);
    putf(client, "/ignore %s\n", nick);
    if (client->ignores)
        await(client, EFFECT_NONE, "-- You hear %s again.", nick);
    else
        await(client, EFFECT_NONE, "-- You ignore %s now. ", nick)->is_beginning = true;
    client->ignores = !client->ignores;
    return true;
}

typedef struct Act {
    unsigned share;
    bool (*act)(Storm *storm, Client *client);
} Act;

/* The last one is always possible. */
static const Act ACTS[] = {
    {80, act_me},    {100, act_private}, {10, act_topic},   {25, act_nick},
    {20, act_away},  {60, act_room},     {15, act_unknown}, {1, act_long},
    {9, act_telnet}, {10, act_settings}, {10, act_ignore},  {660, act_say},
};

bool say_something(Storm *storm, Client *client)
{
    unsigned at = random_below(&client->random, 1000);
    size_t i = 0;

    if (client->is_gone || client->is_leaving || client->n_out > OUT_ENOUGH)
        return false;
    client->n_unique++;
    while (i < N_ELEMENTS(ACTS) - 1 && at >= ACTS[i].share)
        at -= ACTS[i++].share;
    /* Who may lose lines gives no commands: their answers may be among them. */
    if ((storm->options.is_lossy && client->is_slow) || !ACTS[i].act(storm, client))
        act_say(storm, client);
    storm->n_said++;
    return true;
}

/* Without an end: the end of file is that. */
void say_last_word(Storm *storm, Client *client)
{
    act_say(storm, client);
    client->n_out--;
    storm->n_said++;
    client->is_leaving = true;
}

void say_end_of_speech(Storm *storm, Client *client)
{
    (void) storm;
    client->n_unique++;
    putf(client, "/stormend%u\n", client->n_unique);
    await(client, EFFECT_SPOKEN, "!! Unknown command /stormend%u.", client->n_unique)->is_beginning = true;
    client->is_leaving = true;
}

void say_goodbye(Storm *storm, Client *client)
{
    say_end_of_speech(storm, client);
    client->answers[(client->first_answer + client->n_answers - 1) % ANSWERS_MAX].effect = EFFECT_HEARD;
    putf(client, "/quit\n");
    await(client, EFFECT_GOODBYE, "-- Goodbye.");
    client->is_bidden = true;
}
