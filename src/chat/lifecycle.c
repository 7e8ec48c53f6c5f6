/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/error.h"
#include "base/macro.h"
#include "chat/keep.h"
#include "chat/lifecycle.h"
#include "chat/mail.h"
#include "chat/over.h"
#include "chat/restore.h"
#include "chat/room.h"
#include "chat/rule.h"
#include "chat/session.h"

static int chat_allocate(Chat *chat)
{
    const StateHeader *header = chat->state.header;
    int r;

    r = slots_init(&chat->session_slots, header->max_sessions);
    if (r == 0)
        r = slots_init(&chat->room_slots, header->max_rooms);
    if (r == 0)
        r = slots_init(&chat->member_slots, header->max_members);
    if (r == 0)
        r = slots_init(&chat->rule_slots, header->max_rules);
    if (r == 0)
        r = slots_init(&chat->invite_slots, header->max_invites);
    if (r < 0)
        return error_trace(r);
    chat->sessions = calloc(header->max_sessions, sizeof *chat->sessions);
    chat->rooms = calloc(header->max_rooms, sizeof *chat->rooms);
    chat->members = calloc(header->max_members, sizeof *chat->members);
    chat->turn.sessions = calloc(header->max_sessions, sizeof *chat->turn.sessions);
    chat->turn.rooms = calloc(header->max_rooms, sizeof *chat->turn.rooms);
    if (chat->sessions == NULL || chat->rooms == NULL || chat->members == NULL ||
        chat->turn.sessions == NULL || chat->turn.rooms == NULL)
        return error_origin(-ENOMEM);
    return 0;
}

static void chat_reclaim(void *userdata, uint64_t tail)
{
    const Chat *chat = userdata;

    if (chat->recall != NULL)
        over_lose_notes(chat, over_heard(chat), tail, OVER_FOR_NOW);
    session_lose(userdata, tail);
}

static void chat_set_rates(Chat *chat, const Config *config)
{
    /* A line of any length that is allowed must fit, with its line end. */
    uint32_t burst = MAX(config->bytes_burst, config->max_line_length + 2);

    chat->config = config;
    chat->lines = (Rate){.per_second = config->lines_per_second, .burst = config->lines_burst};
    chat->bytes = (Rate){.per_second = config->bytes_per_second, .burst = burst};
}

/* What is needed beside the state, which is there. */
static int chat_setup(Chat *chat, const Config *config, const Log *log)
{
    chat_set_rates(chat, config);
    chat->log = log;
    chat->first_lagging = SLOT_NONE;
    chat->next_summary = chat->close_from = UINT64_MAX;
    chat_set_time(chat, clock_monotonic(), clock_wall());
    chat->started_wall = chat->wall;
    transcript_init(&chat->transcript, &chat->state, chat_reclaim, chat);
    return error_trace(chat_allocate(chat));
}

int chat_init(Chat *chat, const Config *config, const Log *log, uint32_t max_sessions)
{
    int r;

    *chat = (Chat){0};
    r = state_new(&chat->state, config, max_sessions);
    if (r < 0)
        return error_trace(r);
    r = chat_setup(chat, config, log);
    if (r == 0) {
        chat->state.header->started_wall = chat->wall;
        chat_set_config(chat, config);
        r = room_make_lobby(chat);
    }
    if (r < 0) {
        chat_done(chat);
        return error_trace(r);
    }
    chat_commit(chat);
    return 0;
}

int chat_adopt(Chat *chat, State *state, const Config *config, const Log *log)
{
    int r;

    *chat = (Chat){.state = *state};
    r = chat_setup(chat, config, log);
    if (r == 0)
        r = restore_run(chat);
    chat->has_new_bans = true; /* the last process may not have come to all */
    if (r != 0) {
        chat_done(chat);
        return r > 0 ? CHAT_DAMAGED : error_trace(r);
    }
    return 0;
}

void chat_done(Chat *chat)
{
    index_done(&chat->nicks);
    index_done(&chat->room_names);
    index_done(&chat->addresses);
    index_done(&chat->accounts);
    free(chat->turn.rooms);
    free(chat->turn.sessions);
    free(chat->members);
    free(chat->rooms);
    free(chat->sessions);
    slots_done(&chat->invite_slots);
    slots_done(&chat->rule_slots);
    slots_done(&chat->member_slots);
    slots_done(&chat->room_slots);
    slots_done(&chat->session_slots);
    state_done(&chat->state);
}

/* What greetings say of the host and of the day. */
static void chat_set_greeting(Chat *chat, const char *text)
{
    StateHeader *header = chat->state.header;
    Motd motd = {0};
    char host[sizeof header->host] = "";

    if (text != NULL) {
        motd.n = (uint32_t) MIN(strlen(text), sizeof motd.text);
        memcpy(motd.text, text, motd.n);
    }
    (void) gethostname(host, sizeof host - 1);
    if (strcmp(header->host, host) == 0 && memcmp(&header->motd, &motd, sizeof motd) == 0)
        return;
    session_cut_greetings(chat);
    memcpy(state_edit(&chat->state, &header->motd, sizeof motd), &motd, sizeof motd);
    memcpy(state_edit(&chat->state, header->host, sizeof host), host, sizeof host);
    chat_commit(chat);
}

void chat_set_config(Chat *chat, const Config *config)
{
    chat_set_rates(chat, config);
    chat_set_greeting(chat, config->motd);
}

void chat_tick(Chat *chat)
{
    if (chat->now >= chat->next_summary)
        room_tell_summaries(chat);
    if (chat->has_new_bans)
        rule_enforce(chat);
    if (chat->n_expecting > 0)
        mail_tick(chat);
    keep_tick(chat);
}
