/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * libFuzzer target for "what clients send into the whole chat layer". The input is a list of actions of a few
 * clients: they come, type pieces of bytes, read a little or nothing, flood the transcript, end or break
 * their connection; and the process dies, between two actions or in the middle of a line, and another one
 * goes on. On the way the harness checks that sharing and partial sends change nothing and that what is
 * derived agrees with the records; here it is checked what everybody was sent: each line begins as
 * chat-protocol(7) says and has nothing in it that a terminal should not be shown, and what is said is said
 * by whoever is named.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "chat/session.h"
#include "unit/harness.h"

enum {
    PEOPLE = 6,
    ACTIONS_MAX = 400,
    FLOOD_LINES_MAX = 900, /* in all */
    SAID_MAX = 1 << 14,    /* a power of two */
    LINE_BYTES_MAX = 300,
};

#define ELLIPSIS "\xe2\x80\xa6"
#define NOTICE "-- You read too slowly: "

typedef struct Person {
    Client *client;
    bool had_color, had_bell; /* at any time */
} Person;

typedef struct World {
    Harness *harness;
    Person *people; /* one for each client of the harness; owned */
    Client *present[PEOPLE];
    uint64_t said[SAID_MAX]; /* hashes of "nick, text": everything that may appear as somebody's words */
    unsigned n_said, n_flooded;
    const uint8_t *data;
    size_t size, at;
} World;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t take(World *world)
{
    return world->at < world->size ? world->data[world->at++] : 0;
}

static Person *person_of(World *world, const Client *client)
{
    for (unsigned i = 0; i < world->harness->n_clients; i++)
        if (world->harness->clients[i] == client)
            return &world->people[i];
    abort();
}

/* What was said */

static uint64_t hash_of(const char *nick, size_t nick_n, const char *text, size_t n)
{
    uint64_t hash = 14695981039346656037u;

    for (size_t i = 0; i < nick_n; i++)
        hash = (hash ^ (uint8_t) nick[i]) * 1099511628211u;
    hash *= 1099511628211u;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (uint8_t) text[i]) * 1099511628211u;
    return hash | 1;
}

static bool said_find(const World *world, uint64_t hash, size_t *ret_at)
{
    size_t at = hash >> 20 & (SAID_MAX - 1);

    while (world->said[at] != 0 && world->said[at] != hash)
        at = (at + 1) & (SAID_MAX - 1);
    *ret_at = at;
    return world->said[at] == hash;
}

static void said_add(World *world, const Name *nick, const char *text, size_t n)
{
    uint64_t hash = hash_of(nick->bytes, nick->n, text, n);
    size_t at;

    if (said_find(world, hash, &at))
        return;
    EXPECT(world->n_said++ < SAID_MAX / 2);
    world->said[at] = hash;
}

/* A line may be said as it is, or, of a command, whatever follows one of its spaces. */
static void on_line(void *userdata, Client *client, const char *line, size_t n)
{
    World *world = userdata;
    const SessionRecord *record = session_record(world->harness->chat, client->session);
    char *text = malloc(TEXT_GROWTH * n + 1);
    size_t n_text;

    EXPECT(text != NULL && n <= LINE_BYTES_MAX);
    n_text = text_clean(text, line, n);
    while (n_text > 0 && text[n_text - 1] == ' ')
        n_text--;
    text[n_text] = '\0';
    if (n_text > 0 && text[0] != '/')
        said_add(world, &record->nick, text, n_text);
    if (n_text > 1 && text[0] == '/' && text[1] == '/')
        said_add(world, &record->nick, text + 1, n_text - 1);
    for (size_t i = 1; text[0] == '/' && i < n_text && world->n_said < SAID_MAX / 4; i++)
        if (text[i - 1] == ' ' && text[i] != ' ')
            said_add(world, &record->nick, text + i, n_text - i);
    if (strstr(text, "color") != NULL)
        person_of(world, client)->had_color = true;
    if (strstr(text, "bell") != NULL)
        person_of(world, client)->had_bell = true;
    free(text);
}

/* What was sent */

/* Takes out what colour and bell add, which must be exactly that. */
static size_t strip_line(const Person *person, const char *line, size_t n, char *to)
{
    size_t o = 0;

    for (size_t i = 0; i < n; i++) {
        if (line[i] == '\x1b') {
            EXPECT(person->had_color);
            EXPECT((n - i >= 4 && memcmp(line + i, "\x1b[0m", 4) == 0) ||
                   (n - i >= 5 && line[i + 1] == '[' && (line[i + 2] == '3' || line[i + 2] == '9') &&
                    line[i + 3] >= '1' && line[i + 3] <= '6' && line[i + 4] == 'm'));
            i += line[i + 2] == '0' ? 3 : 4;
        } else if (line[i] == '\a') {
            EXPECT(person->had_bell && i == n - 1);
        } else {
            to[o++] = line[i];
        }
    }
    return o;
}

static size_t skip_nick(const char *text, size_t n)
{
    size_t i = 0;

    while (i < n && text[i] != ' ' && text[i] != '>' && text[i] != '#')
        i++;
    return i;
}

/* "<alice> words" or "* alice words". */
static void check_speech(const World *world, const char *text, size_t n, const char *whole, size_t whole_n)
{
    bool is_action = n >= 2 && text[0] == '*' && text[1] == ' ';
    const char *nick = text + (is_action ? 2 : 1), *words;
    size_t nick_n, at;

    if (!is_action && (n == 0 || text[0] != '<')) {
        fprintf(stderr, "a line that begins with nothing that is known: %.*s\n", (int) whole_n, whole);
        abort();
    }
    nick_n = skip_nick(nick, (size_t) (text + n - nick));
    words = nick + nick_n + (is_action ? 1 : 2);
    if (nick_n > strlen(MARK) && memcmp(nick + nick_n - strlen(MARK), MARK, strlen(MARK)) == 0)
        nick_n -= strlen(MARK);
    EXPECT(nick_n > 0 && words <= text + n &&
           memcmp(words - (is_action ? 1 : 2), is_action ? " " : "> ", is_action ? 1 : 2) == 0);
    if (!said_find(world, hash_of(nick, nick_n, words, (size_t) (text + n - words)), &at)) {
        fprintf(stderr, "nobody of that name said that: %.*s\n", (int) whole_n, whole);
        abort();
    }
}

static void check_line(const World *world, const Person *person, const char *line, size_t n)
{
    char text[LIMIT_ITEM_BYTES], clean[TEXT_GROWTH * 2048];
    size_t at = 0, n_text = strip_line(person, line, n, text);

    EXPECT(n_text < sizeof clean / TEXT_GROWTH);
    EXPECT(text_clean(clean, text, n_text) == n_text && memcmp(clean, text, n_text) == 0);
    if (n_text >= 3 && (memcmp(text, "-- ", 3) == 0 || memcmp(text, "!! ", 3) == 0))
        return;
    if (n_text >= 8 && text[0] == '[' && text[3] == ':' && text[6] == ']' && text[7] == ' ')
        at = 8;
    if (n_text - at >= 10 && memcmp(text + at, "(private) ", 10) == 0)
        at += 10;
    else if (n_text > at && text[at] == '#')
        at += 2 + skip_nick(text + at + 1, n_text - at - 1);
    EXPECT(at <= n_text);
    check_speech(world, text + at, n_text - at, text, n_text);
}

/* Whether `text` begins so, as far as it was taken. */
static bool may_begin(const char *text, const char *end, const char *with)
{
    return memcmp(text, with, MIN((size_t) (end - text), strlen(with))) == 0;
}

/* Answers to telnet requests stand between lines. One that was cut has only its beginning before a notice. */
static const char *skip_answers(const char *text, const char *end)
{
    while (text < end && (uint8_t) text[0] == 255) {
        if (end - text < 3)
            return end;
        if (may_begin(text + 1, end, NOTICE)) {
            text += 1;
        } else if (may_begin(text + 2, end, NOTICE)) {
            text += 2;
        } else {
            EXPECT((uint8_t) text[1] == 254 || (uint8_t) text[1] == 252);
            text += 3;
        }
    }
    return text;
}

static void check_output(const World *world, const Person *person, const Client *client)
{
    const char *text = client->output, *end = text + client->output_n, *line_end;

    for (; (text = skip_answers(text, end)) < end; text = line_end + 1) {
        line_end = memchr(text, '\n', (size_t) (end - text));
        if (line_end == NULL)
            return; /* not all of it was taken */
        /* The end of a line that was overtaken. Of such a line only this is certain. */
        if (line_end - text >= 3 && memcmp(line_end - 3, ELLIPSIS, 3) == 0 &&
            may_begin(line_end + 1, end, NOTICE))
            EXPECT(memchr(text, '\0', (size_t) (line_end - text)) == NULL);
        else
            check_line(world, person, text, (size_t) (line_end - text));
    }
}

/* Actions */

static const char *const WORDS[] = {
    "/join #a",
    "/join #b",
    "/join #c",
    "/leave",
    "/leave #a",
    "/nick alice",
    "/nick bob",
    "/nick Zo\xc3\xab",
    "/me waves",
    "/msg alice hi",
    "/msg bob hi",
    "/reply yes",
    "/topic words",
    "/topic -",
    "/away lunch",
    "/away",
    "/ignore alice",
    "/ignore bob",
    "/history",
    "/history 200",
    "/set color on",
    "/set color off",
    "/set bell on",
    "/set bell off",
    "/set time on",
    "/set time off",
    "/set joins on",
    "/set joins off",
    "/who",
    "/whois alice",
    "/rooms",
    "/help",
    "/time",
    "/version",
    "/quit",
    "hello alice",
    "alice, bob",
    "-- alice is here",
    "[12:03] <bob> hi",
    "\xff\xfd\x01",
    "\xff\xfb\x1f hi",
    "\xff\xfa\x1f\n\xff\xf0",
    "/lock",
    "/lock off",
    "/lock topic",
    "/hide",
    "/hide off",
    "/invite alice",
    "/invite dora",
    "/invite",
    "/uninvite alice",
    "/uninvite dora",
    "/kick alice",
    "/kick dora words",
    "/give dora",
    "/give erin",
    "/close",
    "/close #a",
    "/op dora 10s",
    "/op",
    "/deop dora",
    "/mute alice 10s words",
    "/unmute alice",
    "/ban bob 10s",
    "/bans",
    "/announce words",
};

/* The last of them have accounts, and one of these is an operator. */
static Client *come(Harness *harness, unsigned who)
{
    if (who == PEOPLE - 1)
        return client_account(harness, "root", 0);
    if (who == PEOPLE - 2)
        return client_account(harness, "erin", 1001);
    return who == PEOPLE - 3 ? client_account(harness, "dora", 1000) : client_new(harness);
}

static void act_come_or_go(World *world, unsigned who)
{
    Client *client = world->present[who];
    uint8_t how = take(world);

    if (client == NULL || client->is_gone || client->session == SLOT_NONE) {
        client = world->harness->n_clients < HARNESS_CLIENTS ? come(world->harness, who) : NULL;
        if (client != NULL)
            client->is_half_kept = who % 2;
        world->present[who] = client;
        return;
    }
    if (how < 128) {
        client->has_ended = true;
        return;
    }
    client_break(world->harness, client);
}

static void act_flood(World *world, Client *client)
{
    static char line[LINE_BYTES_MAX];
    unsigned n = 1 + take(world);

    memset(line, 'x', sizeof line - 1);
    memset(line, 0xfe, 50); /* each of these bytes becomes three */
    line[sizeof line - 1] = '\n';
    for (; n > 0 && world->n_flooded < FLOOD_LINES_MAX; n--, world->n_flooded++) {
        client_type(client, line, sizeof line);
        if (n % TURN_LINES_PER_CLIENT == 1)
            harness_turn(world->harness);
    }
}

static void act_type(World *world, Client *client)
{
    size_t n = MIN((size_t) take(world), world->size - world->at);

    if (client->input_n < READ_BYTES)
        client_type(client, (const char *) world->data + world->at, n);
    world->at += n;
}

static void act_read(World *world, Client *client)
{
    uint8_t n = take(world);

    if (n == 0)
        client_stop(client);
    else
        client_open_window(world->harness, client, n == 255 ? SIZE_MAX : n > 200 ? (n - 200u) * 1000 : n);
}

/* Of what was said since the last commit nothing is left, but it is said again. */
static void act_die(World *world, bool is_within_line)
{
    world->harness->dies_before_commit = is_within_line;
    harness_turn(world->harness);
    world->harness->dies_before_commit = false;
    harness_survive(world->harness);
}

static void act(World *world)
{
    uint8_t action = take(world);
    Client *client = world->present[(action >> 4) % PEOPLE];

    if ((action & 15) == 0 || client == NULL || client->session == SLOT_NONE) {
        act_come_or_go(world, (action >> 4) % PEOPLE);
        return;
    }
    switch (action & 15) {
    case 1:
        harness_wait(world->harness, take(world) * USEC_PER_SEC / 4);
        break;
    case 2:
    case 3:
        act_read(world, client);
        break;
    case 4:
        act_flood(world, client);
        break;
    case 5:
    case 6:
    case 7:
    case 8:
        act_type(world, client);
        break;
    case 9:
        client_type(client, "\n", 1);
        break;
    case 10:
        act_die(world, take(world) % 2);
        break;
    default: {
        const char *words = WORDS[take(world) % N_ELEMENTS(WORDS)];

        client_type(client, words, strlen(words));
        client_type(client, "\n", 1);
        break;
    }
    }
    harness_turn(world->harness);
}

/* Everyone reads all there is, and then all go; nothing must be left of them. */
static void finish(World *world)
{
    Harness *harness = world->harness;
    const Chat *chat = harness->chat;
    bool is_behind = true;

    for (unsigned i = 0; i < harness->n_clients; i++)
        if (harness->clients[i]->session != SLOT_NONE)
            client_open_window(harness, harness->clients[i], SIZE_MAX);
    while (is_behind) {
        harness_turn(harness);
        is_behind = false;
        for (unsigned i = 0; i < harness->n_clients; i++)
            is_behind |= harness->clients[i]->is_behind && harness->clients[i]->session != SLOT_NONE;
    }
    EXPECT(chat->first_lagging == SLOT_NONE);
    for (unsigned i = 0; i < harness->n_clients; i++)
        client_break(harness, harness->clients[i]);
    harness_turn(harness);
    harness_turn(harness);
    harness_check(harness);
    EXPECT(chat_n_people(chat) == 0 && chat_n_rooms(chat) == 0);
    EXPECT(chat->nicks.items == NULL && chat->addresses.items == NULL);
    EXPECT(slots_n_used(&chat->member_slots) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    World *world = calloc(1, sizeof *world);
    Config config;

    EXPECT(world != NULL);
    harness_config(&config);
    config.max_line_length = LINE_BYTES_MAX;
    config.max_rooms = 4;
    config.max_rooms_per_client = 3;
    config.max_ignores = 3;
    config.transcript_size = LIMIT_TRANSCRIPT_MIN;
    EXPECT(config_add_motd(&config, "Be kind.", 8) == 0);
    world->data = data;
    world->size = size;
    world->people = calloc(HARNESS_CLIENTS, sizeof *world->people);
    EXPECT(world->people != NULL);
    world->harness = harness_new(&config, PEOPLE);
    world->harness->on_line = on_line;
    world->harness->userdata = world;
    for (unsigned i = 0; i < 3; i++)
        world->present[i] = client_new(world->harness);
    harness_turn(world->harness);

    for (unsigned n = 0; n < ACTIONS_MAX && world->at < world->size; n++) {
        act(world);
        harness_check(world->harness);
    }
    finish(world);
    for (unsigned i = 0; i < world->harness->n_clients; i++)
        check_output(world, &world->people[i], world->harness->clients[i]);

    harness_free(world->harness);
    free(world->people);
    free(world);
    return 0;
}
