/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/macro.h"
#include "base/text.h"
#include "chat/keep.h"
#include "chat/room.h"
#include "chat/session.h"
#include "unit/damage.h"

/* The world */

static void damage_config(Config *config)
{
    harness_config(config);
    config->max_rooms = 3;
    config->max_rooms_per_client = 3;
    config->max_ignores = 2;
    config->history = 3;
    config->lines_per_second = 10;
    config->lines_burst = 1000;
    config->bytes_per_second = 8192;
    config->bytes_burst = 1 << 20;
    EXPECT(config_add_motd(config, "Be kind.", 8) == 0);
}

/* A room that belongs to somebody, with invitations, and a rule; and it was given up once. */
static void add_kept(Harness *harness)
{
    Client *root = client_account(harness, "root", 0);
    InviteRecord invite = {.whom = PERSON_ADDRESS | 1000, .room = 2};

    EXPECT(root != NULL && name_parse("fay", 3, NAME_MAX_CHARS, &invite.name) == 0);
    harness_turn(harness);
    harness->chat->state.header->archive.recalled = PAST_KNOWN;
    client_say(harness, root,
               "/join #den\n/lock\n/lock off\n/lock\n/invite alice\n/mute 192.0.2.1 for nothing");
    chat_reserve(harness->chat, SLOT_NONE);
    EXPECT(keep_invite(harness->chat, root->session, &invite) == 0);
    chat_commit(harness->chat);
    harness_turn(harness);
    EXPECT(harness->chat->state.header->over_end == 1);
}

Harness *damage_world(void)
{
    Config config;
    Harness *harness;
    Client *alice, *bob, *carol, *dave;

    damage_config(&config);
    harness = harness_new(&config, 6);
    alice = client_named(harness, "alice");
    bob = client_named(harness, "bob");
    carol = client_named(harness, "Zo\xc3\xab");
    dave = client_named(harness, "dave");
    client_say(harness, bob, "/join #dev\n/topic the r\xc3\xb6\xc3\xb6m\nsaid there");
    client_say(harness, alice, "/ignore bob\n/ignore dave\n/away for lunch\n/set color on\n/set bell on");
    client_say(harness, carol, "/msg alice psst\nhello alice\n/topic the lobby\n/join #dev");
    client_say(harness, dave, "\xff\xfd\x01one\n/me waves");
    dave->is_half_kept = true;
    client_type(dave, "half a li", 9);
    client_stop(bob);
    client_say(harness, alice, "heard in part");
    client_open_window(harness, bob, 20);
    harness_turn(harness);
    client_stop(carol);
    client_say(harness, carol, "/history");
    client_say(harness, carol, "/quit");
    client_new(harness)->window = 30;
    /* Not so long that what follows overwrites anything. */
    client_say(harness, dave, "ne\n/help nick");
    client_type(dave, "another ha", 10);
    harness_turn(harness);
    add_kept(harness);
    return harness;
}

/* Ranges */

typedef struct Ranges {
    const State *state;
    Range *to;
    unsigned n;
} Ranges;

static void range_add(Ranges *ranges, const char *what, const void *at, size_t n)
{
    EXPECT(ranges->n < DAMAGE_RANGES);
    ranges->to[ranges->n++] =
        (Range){.what = what, .offset = (size_t) ((const char *) at - (char *) ranges->state->base), .n = n};
}

static void add_sessions(Ranges *ranges, const Chat *chat)
{
    const State *state = ranges->state;

    for (uint32_t i = 0; i < chat->session_slots.n_touched; i++) {
        const SessionRecord *record = &state->sessions[i];

        range_add(ranges, "session", record, sizeof *record);
        if (record->flags & SESSION_AWAY)
            range_add(ranges, "away", &state->aways[i], offsetof(AwayRecord, text) + state->aways[i].n + 1U);
        for (unsigned j = 0; j < record->n_ignored; j++)
            range_add(ranges, "ignored", &state->ignored[state->header->max_ignored * i + j],
                      sizeof(IgnoredRecord));
        if (record->n_half > 0)
            range_add(ranges, "half", state->halves[i].bytes, record->n_half);
    }
}

unsigned damage_ranges(const Harness *harness, Range ranges[DAMAGE_RANGES])
{
    const Chat *chat = harness->chat;
    const State *state = &chat->state;
    const StateHeader *header = state->header;
    Ranges all = {.state = state, .to = ranges};
    const char *first = state->ring + header->tail % header->transcript_size;

    range_add(&all, "header", header, offsetof(StateHeader, motd.text) + header->motd.n + 1U);
    range_add(&all, "host", header->host, strlen(header->host) + 2);
    range_add(&all, "archive", &header->archive, sizeof header->archive);
    range_add(&all, "archive", &header->is_noting, sizeof header->is_noting);
    range_add(&all, "undo", state->undo, 1024); /* of the transactions before */
    add_sessions(&all, chat);
    for (uint32_t i = 0; i < chat->room_slots.n_touched; i++)
        range_add(&all, "room", &state->rooms[i],
                  offsetof(RoomRecord, topic) + state->rooms[i].topic_n + (size_t) 1);
    for (uint32_t i = 0; i < chat->room_slots.n_touched; i++)
        range_add(&all, "kept", &state->rooms[i].founder, sizeof(RoomRecord) - offsetof(RoomRecord, founder));
    for (uint32_t i = 0; i < chat->invite_slots.n_touched; i++)
        range_add(&all, "invite", &state->invites[i], sizeof(InviteRecord));
    for (uint32_t i = 0; i < chat->rule_slots.n_touched; i++)
        range_add(&all, "rule", &state->rules[i],
                  offsetof(RuleRecord, reason) + state->rules[i].reason_n + (size_t) 1);
    for (uint64_t i = header->over_first; i < header->over_end; i++)
        range_add(&all, "over", &state->overs[i % header->max_overs], sizeof(OverRecord));
    range_add(&all, "over", &header->over_first, 2 * sizeof(uint64_t)); /* and over_end */
    for (uint32_t i = 0; i < chat->member_slots.n_touched; i++)
        range_add(&all, "member", &state->members[i], sizeof(MemberRecord));
    EXPECT(header->head - header->tail < header->transcript_size - header->tail % header->transcript_size);
    range_add(&all, "transcript", first, (size_t) (header->head - header->tail));
    return all.n;
}

/* What a terminal should not be shown */

/* A colour, the end of one, an answer to telnet, a bell: how long it is, or 0. */
static size_t skip_known(const char *text, size_t n)
{
    const uint8_t *bytes = (const uint8_t *) text;

    if (n >= 4 && memcmp(text, "\x1b[0m", 4) == 0)
        return 4;
    if (n >= 5 && memcmp(text, "\x1b[", 2) == 0 && (text[2] == '3' || text[2] == '9') && text[3] >= '1' &&
        text[3] <= '6' && text[4] == 'm')
        return 5;
    if (n >= 3 && bytes[0] == 255 && (bytes[1] == 252 || bytes[1] == 254))
        return 3;
    return n > 0 && (text[0] == '\a' || text[0] == '\n');
}

static bool is_clean(const char *text, size_t n)
{
    static char clean[TEXT_GROWTH * (1 << 16)];
    size_t i = 0, start;

    while (i < n) {
        for (start = i; i < n && skip_known(text + i, n - i) == 0; i++)
            continue;
        EXPECT(i - start <= sizeof clean / TEXT_GROWTH);
        if (text_clean(clean, text + start, i - start) != i - start ||
            memcmp(clean, text + start, i - start) != 0)
            return false;
        if (i < n)
            i += skip_known(text + i, n - i);
    }
    return true;
}

static void check_output(const Client *client)
{
    /* The rest of a character (RFC 3629, 3: of four bytes at most), or of an answer to telnet. */
    size_t rest = client->is_begun ? MIN(client->output_n, 3U) : 0, n = 0;

    while (n < rest && !is_clean(client->output + n, client->output_n - n))
        n++;
    EXPECT(is_clean(client->output + n, client->output_n - n));
}

/* Going on */

static void type_lines(Harness *harness, const char *const *lines, size_t n)
{
    for (unsigned i = 0; i < harness->n_clients; i++) {
        Client *client = harness->clients[i];

        if (client->session == SLOT_NONE)
            continue;
        /* Whatever half a line it had, or request of telnet (RFC 854: IAC SE). */
        client_type(client, "\n\xff\xf0\n", 4);
        for (size_t j = 0; j < n; j++)
            client_type(client, lines[j], strlen(lines[j]));
    }
}

/* Until everyone has been served. */
static void run_turns(Harness *harness)
{
    bool is_busy = true;

    for (unsigned n = 0; is_busy; n++) {
        EXPECT(n < 1000);
        harness_turn(harness);
        is_busy = false;
        for (unsigned i = 0; i < harness->n_clients; i++)
            is_busy |= harness->clients[i]->session != SLOT_NONE &&
                       (harness->clients[i]->is_behind || harness->clients[i]->input_n > 0);
    }
    harness_check(harness);
}

/* Numbers that are almost too large are accepted, and counted on from they are not. */
static bool has_large_numbers(const Chat *chat)
{
    const StateHeader *header = chat->state.header;
    uint64_t all = header->generation | header->head | header->next_serial | header->next_guest |
                   header->archive.n_dropped;

    for (uint32_t i = 0; i < chat->session_slots.n_touched; i++)
        all |= session_record(chat, i)->bytes_in | session_record(chat, i)->bytes_out;
    return all >> 61 != 0;
}

static void use_chat(Harness *harness)
{
    static const char *const FIRST[] = {
        "/who\n",        "/rooms\n",    "/whois alice\n",  "/whois bob\n",  "/history\n",
        "/topic\n",      "hello bob\n", "/reply yes\n",    "/msg bob hi\n", "/ignore\n",
        "/ignore bob\n", "/set\n",      "/set color on\n", "/invite\n",     "/op\n",
    };
    static const char *const THEN[] = {
        "/join #dev\n",  "/history 200\n", "/topic words\n", "/who #lobby\n", "/join #new\n",
        "/away\n",       "/ignore bob\n",  "hello\n",        "/nick new\n",   "/leave\n",
        "/msg new hi\n", "/join #den\n",   "/hide\n",        "/invite bob\n", "/close\n",
    };

    harness_deliver(harness);
    harness_check(harness);
    harness_wait(harness, 200 * USEC_PER_SEC);
    type_lines(harness, FIRST, N_ELEMENTS(FIRST));
    run_turns(harness);
    if (!has_large_numbers(harness->chat))
        harness_survive(harness);
    harness_wait(harness, 200 * USEC_PER_SEC);
    type_lines(harness, THEN, N_ELEMENTS(THEN));
    run_turns(harness);
}

/* Nothing is left of them. */
static void leave_chat(Harness *harness)
{
    static const char *const QUIT[] = {"/quit\n"};
    const Chat *chat = harness->chat;

    harness_wait(harness, 200 * USEC_PER_SEC);
    type_lines(harness, QUIT, 1);
    run_turns(harness);
    EXPECT(chat_n_people(chat) == 0 && chat_n_rooms(chat) == 0);
    EXPECT(chat->nicks.items == NULL && chat->addresses.items == NULL && chat->first_lagging == SLOT_NONE);
    EXPECT(slots_n_used(&chat->member_slots) == 0);
}

bool damage_try(Harness *harness, int fd)
{
    /* West of Greenwich, where the first hours of 1970 are none. */
    (void) setenv("TZ", "WEST12", 1);
    tzset();
    if (!harness_adopt(harness, fd))
        return false;
    harness->now = MAX(harness->now, clock_monotonic());
    harness_wait(harness, 0);
    harness_attach(harness);
    use_chat(harness);
    leave_chat(harness);
    for (unsigned i = 0; i < harness->n_clients; i++)
        check_output(harness->clients[i]);
    return true;
}
