/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What the server itself says: answers, and the topics of rooms. */

#include <stdio.h>
#include <string.h>

#include "system/storm.h"

static const Answer *answer_at(const Client *client, unsigned i)
{
    return &client->answers[(client->first_answer + i) % ANSWERS_MAX];
}

static bool answer_matches(const Answer *answer, const char *line, size_t n)
{
    return begins_with(line, n, answer->text) && (answer->is_beginning || n == strlen(answer->text));
}

/* How many others are in the room, at the end of an answer. */
static void judge_others(Storm *storm, const Client *client, const Answer *answer, const char *line, size_t n)
{
    const char *rest = line + strlen(answer->text);
    const Room *room = client->rooms[answer->current];
    unsigned n_others = 0, most = room->n - 1;
    bool is_visited = storm->options.visitors > 0 && storm->options.room_size == 0 && answer->current == MAIN;
    unsigned least = answer->current == MAIN ? most - MIN(most, room->n_gone) : 0;
    char text[64];

    memcpy(text, rest, MIN(n - strlen(answer->text), sizeof text - 1));
    text[MIN(n - strlen(answer->text), sizeof text - 1)] = '\0';
    (void) sscanf(text, "with %u other", &n_others);
    (void) snprintf(text, sizeof text, "with %u other%s.", n_others, n_others == 1 ? "" : "s");
    if (!begins_with(rest, n - strlen(answer->text), n_others == 0 ? "alone." : text))
        storm_find(storm, client, line, n, "an answer that ends in another way");
    else if (storm->phase != PHASE_COME && !is_visited && (n_others < least || n_others > most))
        storm_find(storm, client, line, n, "not between %u and %u others", least, most);
}

static void enter_side(Storm *storm, Client *client)
{
    const Room *side = client->rooms[SIDE];

    for (unsigned i = 0; i < side->n; i++)
        client->ears[SIDE][i] = (Ear){.base = room_person(storm, side, i)->said[SIDE]};
    client->ears[SIDE][room_place(side, client->id)].base = client->side_before;
    client->n_history = HISTORY_MAX;
}

static void change_room(Storm *storm, Client *client, const Answer *answer)
{
    if (answer->in_side && !client->heard_in_side)
        enter_side(storm, client);
    /* Who is behind when it leaves a room does not hear the rest any more. */
    if (!answer->in_side && client->heard_in_side && !client->is_slow)
        hear_required(storm, client, SIDE);
    client->heard_in_side = answer->in_side;
    client->heard_current = answer->current;
    if (answer->current == MAIN && begins_with(answer->text, strlen(answer->text), "-- You are in "))
        client->topic_next = answer->has_topic ? TOPIC_MUST : TOPIC_MAY;
}

static void take_answer(Storm *storm, Client *client, const char *line, size_t n)
{
    Answer answer = *answer_at(client, 0);

    client->first_answer = (client->first_answer + 1) % ANSWERS_MAX;
    client->n_answers--;
    client->is_greeted |= answer.effect == EFFECT_GREETED;
    client->is_quiet |= answer.effect == EFFECT_QUIET;
    client->is_ready |= answer.effect == EFFECT_READY;
    client->has_spoken |= answer.effect == EFFECT_SPOKEN;
    client->n_unsettled -= answer.effect == EFFECT_SETTLED;
    client->rooms[MAIN]->has_topic |= answer.effect == EFFECT_TOPIC;
    if (answer.effect == EFFECT_ROOM && n > 0) {
        judge_others(storm, client, &answer, line, n);
        change_room(storm, client, &answer);
    }
    if (answer.effect == EFFECT_HEARD && !storm_forgives(storm, client))
        hear_completely(storm, client);
}

/* Whether this is an answer that is awaited; those before it are not to come any more. */
static bool hear_answer(Storm *storm, Client *client, const char *line, size_t n)
{
    unsigned i = 0;

    while (i < client->n_answers && !answer_matches(answer_at(client, i), line, n))
        i++;
    if (i == client->n_answers)
        return false;
    for (; i > 0; i--) {
        if (!storm_forgives(storm, client))
            storm_find(storm, client, line, n, "without the answer before it: %s",
                       answer_at(client, 0)->text);
        take_answer(storm, client, "", 0);
    }
    take_answer(storm, client, line, n);
    return true;
}

/* "-- [#ROOM: ]NICK set the topic: TEXT" */
static bool parse_topic(const char *line, size_t n, Speech *ret_speech)
{
    static const char SET[] = " set the topic: ";
    const char *p = line + STRLEN("-- "), *end = line + n, *space, *set;

    *ret_speech = (Speech){.form = 't', .room = p};
    space = memchr(p, ' ', (size_t) (end - p));
    if (*p == '#' && space != NULL && space[-1] == ':') {
        ret_speech->room_n = (size_t) (space - 1 - p);
        p = space + 1;
    }
    set = memmem(p, (size_t) (end - p), SET, strlen(SET));
    if (set == NULL)
        return false;
    ret_speech->nick = p;
    ret_speech->nick_n = (size_t) (set - p);
    ret_speech->text = set + strlen(SET);
    ret_speech->text_n = (size_t) (end - ret_speech->text);
    return memchr(p, ' ', ret_speech->nick_n) == NULL;
}

/* Who comes and goes, before this person has said that it does not care. */
static bool is_announcement(const char *line, size_t n)
{
    static const char *const WORDS[] = {" is here", " has left", " is now ",
                                        " came",    " left",     " changed names"};

    for (size_t i = 0; i < N_ELEMENTS(WORDS); i++)
        if (memmem(line, n, WORDS[i], strlen(WORDS[i])) != NULL)
            return true;
    return false;
}

void hear_server_line(Storm *storm, Client *client, const char *line, size_t n)
{
    Speech speech;

    if (hear_answer(storm, client, line, n))
        return;
    if (line[0] == '-' && parse_topic(line, n, &speech)) {
        hear_speech(storm, client, &speech, line, n);
        return;
    }
    if (line[0] == '-' && (!client->is_greeted || (!client->is_quiet && is_announcement(line, n))))
        return;
    if (begins_with(line, n, "-- You read too slowly: ") && storm_forgives(storm, client))
        storm->n_skips++;
    else if (client->n_answers > 0)
        storm_find(storm, client, line, n, "nobody asked for this; what should come is: %s",
                   answer_at(client, 0)->text);
    else
        storm_find(storm, client, line, n, "nobody asked for this");
}

bool hear_topic_line(Storm *storm, Client *client, const char *line, size_t n)
{
    bool must = client->topic_next == TOPIC_MUST;
    const Room *room = client->rooms[MAIN];
    char text[NAME_BYTES + 32];
    Mark mark;

    client->topic_next = TOPIC_NONE;
    (void) snprintf(text, sizeof text, "-- Topic of %s: ", room->name);
    if (!begins_with(line, n, text)) {
        if (must)
            storm_find(storm, client, line, n, "the topic should have come before this");
        return false;
    }
    line += strlen(text);
    n -= strlen(text);
    if (must && (mark_parse(storm, line, n, &mark) != MARK_RIGHT || mark.kind != 't'))
        storm_find(storm, client, line, n, "this topic was not set by anybody");
    return true;
}
