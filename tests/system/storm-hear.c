/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What people hear, line by line: from whom, and whether it is what comes next. */

#include <stdio.h>
#include <string.h>

#include "system/storm.h"

static const char *const CHANNELS[] = {[MAIN] = "the main room", [SIDE] = "the side room"};

/* Lines for those who read at once are under way, so this ends a silence. */
static void note_heard(Storm *storm, const Client *client)
{
    storm->n_heard++;
    if (client->is_slow)
        return;
    if (storm->phase == PHASE_TALK && storm->n_owed > 0)
        storm->silence = MAX(storm->silence, storm->now - storm->heard_at);
    storm->heard_at = storm->now;
    storm->n_owed -= storm->n_owed > 0;
}

/* Whether a line may be shown with, or without, the name of its room. */
static bool may_be_named(const Client *client, int channel, bool is_named)
{
    return is_named == (client->heard_current != channel) || awaits(client, EFFECT_ROOM);
}

/* Lines of its own are heard only in the history of a side room. */
static bool may_hear(Client *client, const Client *speaker, const Mark *mark, int channel)
{
    bool is_history = channel == SIDE && client->n_history > 0;

    if (speaker->rooms[channel] != client->rooms[channel] || (channel == SIDE && !client->heard_in_side))
        return false;
    client->n_history -= is_history;
    if (speaker != client)
        return true;
    return is_history && mark->number <= client->ears[SIDE][room_place(client->rooms[SIDE], client->id)].base;
}

static Order *order_of(Client *speaker, unsigned number)
{
    unsigned n = speaker->rooms[MAIN]->n;
    Order *order = &speaker->orders[number % speaker->n_orders];

    if (order->number < number) {
        order->number = number;
        memset(order->last, 0xff, n * sizeof *order->last);
    }
    return order->number == number ? order : NULL;
}

/* Everybody in a room hears the same before a line, but for lines of their own. If not, any of them may be
 * right. */
static void judge_order(Storm *storm, Client *client, Client *speaker, unsigned number, const char *line,
                        size_t n)
{
    Room *room = client->rooms[MAIN];
    const Order *order = order_of(speaker, number);

    if (order == NULL || room->is_confused || storm_forgives(storm, client))
        return;
    for (unsigned i = 0; i < room->n; i++) {
        const Client *other = room_person(storm, room, i);
        unsigned last = client->ears[MAIN][i].next - 1;

        if (other == client || other == speaker)
            continue;
        if (order->last[i] == ORDER_UNKNOWN)
            order->last[i] = last;
        if (order->last[i] == last)
            continue;
        storm_find(storm, client, line, n,
                   "before this it heard lines of %u up to %u, and others up to %u: lost or reordered",
                   other->id, last, order->last[i]);
        room->is_confused = true;
        return;
    }
}

static void hear_in_room(Storm *storm, Client *client, const Speech *speech, const Mark *mark,
                         const char *line, size_t n)
{
    int channel = mark->channel == 's' ? SIDE : MAIN;
    Client *speaker = &storm->clients[mark->speaker];
    const Room *room = client->rooms[channel];
    unsigned next, number = mark->number;
    Ear *ear;

    if (!may_hear(client, speaker, mark, channel)) {
        storm_find(storm, client, line, n, "this is not for it");
        return;
    }
    if ((speech->room_n > 0 &&
         (speech->room_n != strlen(room->name) || memcmp(speech->room, room->name, speech->room_n) != 0)) ||
        !may_be_named(client, channel, speech->room_n > 0))
        storm_find(storm, client, line, n, "it is in %s, and this was said in %s",
                   CHANNELS[client->heard_current], CHANNELS[channel]);
    ear = &client->ears[channel][room_place(room, speaker->id)];
    next = ear->next != 0 ? ear->next : MIN(number, ear->base + 1);
    if (number > speaker->said[channel])
        storm_find(storm, client, line, n, "nobody has said this yet");
    else if (number < next)
        storm_find(storm, client, line, n, "line %u of %u in %s, after line %u: repeated or reordered",
                   number, speaker->id, CHANNELS[channel], next - 1);
    else if (number > next && !storm_forgives(storm, client))
        storm_find(storm, client, line, n, "line %u of %u in %s, and lines %u to %u have not come", number,
                   speaker->id, CHANNELS[channel], next, number - 1);
    ear->next = MAX(next, number + 1);
    speaker->heard[channel] = MAX(speaker->heard[channel], number);
    if (channel == SIDE) {
        storm->n_heard++;
        return;
    }
    note_heard(storm, client);
    client->rooms[MAIN]->is_confused |= number != next;
    judge_order(storm, client, speaker, number, line, n);
}

static void hear_in_private(Storm *storm, Client *client, const Mark *mark, const char *line, size_t n)
{
    unsigned slot = (unsigned) (mark->channel - '0'), next;
    Partner *partner;

    if (slot >= PARTNERS || storm->clients[mark->speaker].partners[slot].whom != client->id) {
        storm_find(storm, client, line, n, "this is not for it");
        return;
    }
    partner = &storm->clients[mark->speaker].partners[slot];
    next = partner->heard + 1;
    if (mark->number > partner->said) {
        storm_find(storm, client, line, n, "nobody has said this yet");
        return;
    }
    if (mark->number < next) {
        storm_find(storm, client, line, n, "private line %u of %u, after line %u: repeated or reordered",
                   mark->number, mark->speaker, partner->heard);
        return;
    }
    if (mark->number > next && !storm_forgives(storm, client))
        storm_find(storm, client, line, n, "private line %u of %u, and lines %u to %u have not come",
                   mark->number, mark->speaker, next, mark->number - 1);
    if (!storm->clients[mark->speaker].is_lost)
        client->n_private -= mark->number - partner->heard;
    partner->heard = mark->number;
    note_heard(storm, client);
}

void hear_speech(Storm *storm, Client *client, const Speech *speech, const char *line, size_t n)
{
    char nick[NAME_BYTES];
    Mark mark;
    MarkResult result = mark_parse(storm, speech->text, speech->text_n, &mark);

    if (result != MARK_RIGHT) {
        storm_find(storm, client, line, n,
                   result == MARK_SPOILT ? "this is not what was said" : "nobody has said this");
        return;
    }
    nick_format(storm, mark.speaker, mark.variant, nick);
    if (speech->nick_n != strlen(nick) || memcmp(speech->nick, nick, speech->nick_n) != 0)
        storm_find(storm, client, line, n, "%s has said this", nick);
    else if (speech->form != mark.kind)
        storm_find(storm, client, line, n, "this was said in another way ('%c')", mark.kind);
    else if (mark.kind == 'p')
        hear_in_private(storm, client, &mark, line, n);
    else
        hear_in_room(storm, client, speech, &mark, line, n);
}

/* "[(private) |#ROOM ]<NICK> TEXT", "[#ROOM ]* NICK TEXT" */
static bool parse_speech(const char *line, size_t n, Speech *ret_speech)
{
    static const char PRIVATE[] = "(private) ";
    const char *p = line, *end = line + n, *nick_end;

    *ret_speech = (Speech){.form = 's', .room = line};
    if (begins_with(line, n, PRIVATE)) {
        ret_speech->form = 'p';
        p += strlen(PRIVATE);
    } else if (*p == '#') {
        p = memchr(p, ' ', n);
        if (p == NULL)
            return false;
        ret_speech->room_n = (size_t) (p++ - line);
    }
    if (end - p > 2 && p[0] == '*' && p[1] == ' ' && ret_speech->form != 'p')
        ret_speech->form = 'm';
    else if (p >= end || *p != '<')
        return false;
    ret_speech->nick = p + (ret_speech->form == 'm' ? 2 : 1);
    nick_end = memchr(ret_speech->nick, ' ', (size_t) (end - ret_speech->nick));
    if (nick_end == NULL)
        return false;
    ret_speech->nick_n = (size_t) (nick_end - ret_speech->nick);
    ret_speech->text = nick_end + 1;
    ret_speech->text_n = (size_t) (end - ret_speech->text);
    if (ret_speech->form != 'm')
        return ret_speech->nick_n > 0 && ret_speech->nick[--ret_speech->nick_n] == '>';
    return true;
}

static void note_repeated(Storm *storm, Client *client, const char *line, size_t n)
{
    storm->n_repeated++;
    if (++client->n_repeated > storm->options.restarts)
        storm_find(storm, client, line, n, "repeated: the %u. time, with %u restarts", client->n_repeated,
                   storm->options.restarts);
}

/* Over a unix socket the line that was being written when the server died may come again. */
static bool hear_again(Storm *storm, Client *client, const char *line, size_t n)
{
    if (!client->is_unix || !client->is_greeted || n == 0 || n != client->n_before ||
        memcmp(line, client->before, n) != 0)
        return false;
    note_repeated(storm, client, line, n);
    return true;
}

/* Answers to telnet requests are between lines, and have no end. Returns how many bytes of them there are. */
static size_t hear_telnet(Storm *storm, Client *client, const char *line, size_t n)
{
    size_t at = 0;

    for (; n - at >= TELNET_BYTES && (uint8_t) line[at] == TELNET_IAC; at += TELNET_BYTES) {
        uint8_t option = (uint8_t) line[at + 2];

        if ((uint8_t) line[at + 1] != TELNET_WONT)
            storm_find(storm, client, line, n, "this is no answer of a telnet server");
        else if (client->telnet_heard < client->telnet_said && option == telnet_option(client->telnet_heard))
            client->telnet_heard++;
        else if (client->is_unix && client->telnet_heard > 0 &&
                 option == telnet_option(client->telnet_heard - 1))
            note_repeated(storm, client, line, n);
        else
            storm_find(storm, client, line, n,
                       "after %u of %u answers to telnet requests, this is another one", client->telnet_heard,
                       client->telnet_said);
    }
    return at;
}

static void hear_line(Storm *storm, Client *client, const char *line, size_t n)
{
    Speech speech;

    if (hear_again(storm, client, line, n))
        return;
    if (storm_forgives(storm, client) && n >= 3 && memcmp(line + n - 3, "\xe2\x80\xa6", 3) == 0)
        return;
    if (client->topic_next != TOPIC_NONE && hear_topic_line(storm, client, line, n))
        return;
    if (begins_with(line, n, "-- ") || begins_with(line, n, "!! "))
        hear_server_line(storm, client, line, n);
    else if (!client->is_greeted && n > 0 && line[0] == '[')
        return; /* the history of the lobby */
    else if (n > 0 && parse_speech(line, n, &speech))
        hear_speech(storm, client, &speech, line, n);
    else
        storm_find(storm, client, line, n, "this is no line of a chat");
}

void hear(Storm *storm, Client *client)
{
    const char *line = client->in, *end = client->in + client->n_in, *stop;

    while ((stop = memchr(line, '\n', (size_t) (end - line))) != NULL) {
        size_t n = (size_t) (stop - line), n_telnet = hear_telnet(storm, client, line, n);

        line += n_telnet;
        n -= n_telnet;
        hear_line(storm, client, line, n);
        client->n_before = n <= sizeof client->before ? n : 0;
        memcpy(client->before, line, client->n_before);
        line = stop + 1;
    }
    client->n_in = (size_t) (end - line);
    memmove(client->in, line, client->n_in);
    if (client->n_in == sizeof client->in) {
        storm_find(storm, client, client->in, client->n_in, "a line without an end");
        client->n_in = 0;
    }
}

void hear_require(Storm *storm, Client *client, int channel)
{
    const Room *room = client->rooms[channel];

    for (unsigned i = 0; i < room->n; i++)
        client->ears[channel][i].required = room_person(storm, room, i)->heard[channel];
}

static void find_missing(Storm *storm, const Client *client, int channel, unsigned place, unsigned last)
{
    const Client *speaker = room_person(storm, client->rooms[channel], place);
    const Ear *ear = &client->ears[channel][place];
    unsigned next = ear->next != 0 ? ear->next : ear->base + 1;

    if (speaker != client && next <= last)
        storm_find(storm, client, NULL, 0, "lines %u to %u of %u in %s have never come", next, last,
                   speaker->id, CHANNELS[channel]);
}

void hear_required(Storm *storm, Client *client, int channel)
{
    for (unsigned i = 0; i < client->rooms[channel]->n; i++)
        find_missing(storm, client, channel, i, client->ears[channel][i].required);
}

static void hear_telnet_completely(Storm *storm, const Client *client)
{
    if (client->telnet_heard < client->telnet_said)
        storm_find(storm, client, NULL, 0, "%u answers to telnet requests have never come",
                   client->telnet_said - client->telnet_heard);
}

void hear_completely(Storm *storm, Client *client)
{
    for (int channel = MAIN; channel < N_CHANNELS; channel++) {
        const Room *room = client->rooms[channel];

        if (channel == SIDE && !client->heard_in_side)
            continue;
        for (unsigned i = 0; i < room->n; i++) {
            const Client *speaker = room_person(storm, room, i);

            if (!speaker->is_lost)
                find_missing(storm, client, channel, i, speaker->said[channel]);
        }
    }
    if (client->n_private > 0)
        storm_find(storm, client, NULL, 0, "%u private lines have never come", client->n_private);
    hear_telnet_completely(storm, client);
}

void hear_end(Storm *storm, Client *client)
{
    size_t n_telnet = hear_telnet(storm, client, client->in, client->n_in);

    client->n_in -= n_telnet;
    if (!client->is_shut && !client->is_bidden)
        storm_find(storm, client, NULL, 0, "disconnected");
    if (client->n_in > 0)
        storm_find(storm, client, client->in + n_telnet, client->n_in, "the last line has no end");
    if ((client->is_shut || client->is_bidden) && client->n_answers > 0)
        storm_find(storm, client, NULL, 0, "%u answers have never come, the first of them: %s",
                   client->n_answers, client->answers[client->first_answer].text);
    if (!client->is_shut || storm_forgives(storm, client))
        return;
    hear_telnet_completely(storm, client);
    hear_required(storm, client, MAIN);
    if (client->heard_in_side)
        hear_required(storm, client, SIDE);
}
