/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdlib.h>
#include <string.h>

#include "archive/search.h"
#include "base/crash.h"
#include "base/macro.h"
#include "chat/keep.h"
#include "chat/mail.h"
#include "chat/over.h"
#include "chat/room.h"
#include "host/delivery.h"
#include "host/giving.h"
#include "host/noting.h"
#include "host/recalling.h"
#include "host/server.h"

#define TRY_USEC USEC_PER_SEC          /* when the rules can not be read */
#define TRIES_USEC (10 * USEC_PER_SEC) /* for so long, if the archive is open */

/* The archive has heard, or hears before it answers, of all that the state says of rooms. Before, one that it
 * has as locked may be another room of that name. */
static bool is_told(const Server *server)
{
    const Remember *remember = &server->remember;
    const StateHeader *header = server->chat->state.header;

    return remember->status.is_open && remember->n_openings == remember->status.n_openings &&
           header->archive.recalled != PAST_UNKNOWN && !header->is_noting && !remember->is_refused;
}

/* Who searches is not told of rooms that they may not know: of the others, as many as there is a place for.
 */
static RecallState search(Server *server, const Recall *question, Recalled *ret_recalled)
{
    const size_t max = ARCHIVE_SEARCH_HIDDEN;
    _cleanup_(freep) NameKey *rooms = calloc(2 * max, sizeof *rooms);
    ArchivistHidden hidden = {.rooms = rooms};
    size_t n_known;

    if (rooms != NULL) {
        hidden.n = keep_secrets(server->chat, question->session, false, rooms, max);
        n_known = keep_secrets(server->chat, question->session, true, rooms + MIN(hidden.n, max), max);
        hidden.n_known = is_told(server) ? MIN(n_known, max) : 0;
    }
    if (rooms != NULL && hidden.n <= ARCHIVE_SEARCH_HIDDEN)
        return archivist_search(server->remember.archivist, question, &hidden, server->chat->now,
                                ret_recalled);
    if (ret_recalled != NULL)
        *ret_recalled = (Recalled){.trouble = "Too many rooms are locked or hidden to search the others"};
    return RECALL_ANSWERED;
}

/* How many messages wait can not be said while others are on their way to the archive: NULL, or why. */
static const char *counting_trouble(const Server *server)
{
    const Remember *remember = &server->remember;

    if (!remember->status.is_open && remember->status.answer != 0)
        return archive_strerror(remember->status.answer);
    if (remember->is_refused || server->chat->state.header->archive.recalled == PAST_UNKNOWN)
        return "The archive is busy";
    return NULL;
}

/* What is kept of a room may be over by what has not been written; and while the archive has not heard of the
 * one that is there, it has the past of another. NULL, or why it can not be told. */
static const char *past_trouble(const Server *server, const Recall *question)
{
    if (!server->remember.status.is_open)
        return "The archive is not open";
    if (!is_told(server) && room_find_key(server->chat, &question->room) != SLOT_NONE)
        return "The archive is busy";
    return NULL;
}

/* Somebody else has the file for a moment, and it is worth waiting for the end of that. */
static const char *lasting_trouble(const Server *server)
{
    const Remember *remember = &server->remember;

    return remember->archivist != NULL && remember->status.answer == ARCHIVE_BUSY ? NULL
                                                                                  : remember_trouble(server);
}

RecallState recalling_ask(void *userdata, const Recall *question, Recalled *ret_recalled)
{
    Server *server = userdata;
    Recall untold = *question;
    const char *trouble;

    /* What was just said is part of the answer. */
    giving_run(server);
    untold.is_secret = false;
    if (!is_told(server))
        question = &untold;
    /* Without that a message would be delivered twice. Nobody waits for it, and it will be asked again. */
    if (question->kind == RECALL_PERSON && !giving_is_done(server) && lasting_trouble(server) == NULL)
        return RECALL_AWAITED;
    if (server->remember.archivist == NULL || question->kind == RECALL_PERSON)
        trouble = lasting_trouble(server);
    else if (question->kind == RECALL_ROOM)
        trouble = past_trouble(server, question);
    else
        trouble = question->kind == RECALL_MAIL ? counting_trouble(server) : NULL;
    if (trouble != NULL && ret_recalled != NULL)
        *ret_recalled = (Recalled){.trouble = trouble};
    if (trouble != NULL)
        return RECALL_ANSWERED;
    if (question->kind == RECALL_SEARCH)
        return search(server, question, ret_recalled);
    return archivist_ask(server->remember.archivist, question, server->chat->now, ret_recalled);
}

/* False: that is not all there yet. Without the rules of before, numbers would be given out twice; without
 * the rooms, they would be anybody's. With *ret_all set to false it can not be read, which was given up. */
static bool begin_with(Server *server, const Recalled *recalled, const char *what,
                       bool (*take)(Chat *chat, const Recalled *recalled), bool *ret_all)
{
    Remember *remember = &server->remember;
    uint64_t now = server->chat->now;

    /* Nobody speaks before all of it is in force: what is too much for a turn is sent, and more is taken. */
    for (; recalled->trouble == NULL; delivery_run(server))
        if (take(server->chat, recalled) && !chat_turn_is_full(server->chat))
            return true;
    remember->next_try = now + TRY_USEC;
    if (!remember->status.is_open)
        return false;
    if (remember->give_up == 0)
        remember->give_up = now + TRIES_USEC;
    if (now < remember->give_up)
        return false;
    log_event(server->log, (LogEvent){.priority = LOG_ERR, .id = LOG_ID_ARCHIVE_STOPPED},
              "The %s that are archived can not be read, and are not in force: %s.", what, recalled->trouble);
    *ret_all = false;
    return true;
}

void recalling_begin(Server *server)
{
    static const Recall rules = {.kind = RECALL_RULES}, kept = {.kind = RECALL_KEPT};
    Recall lobby = {.kind = RECALL_ROOM, .n = server->config.history, .room = {5, "lobby"}};
    Chat *chat = server->chat;
    StateHeader *header = chat->state.header;
    bool is_new = chat->state.rooms[ROOM_LOBBY].last_said == 0, is_all = true;
    uint64_t now = chat->now;
    ArchiveMark *mark;
    Recalled recalled;

    if (header->archive.recalled != PAST_UNKNOWN || !server->remember.status.is_open ||
        now < server->remember.next_try)
        return;
    server->remember.next_try = 0;
    if (archivist_ask(server->remember.archivist, &rules, now, NULL) != RECALL_ANSWERED ||
        archivist_ask(server->remember.archivist, &kept, now, NULL) != RECALL_ANSWERED ||
        (is_new && archivist_ask(server->remember.archivist, &lobby, now, NULL) != RECALL_ANSWERED))
        return;
    if (archivist_ask(server->remember.archivist, &rules, now, &recalled) != RECALL_ANSWERED ||
        !begin_with(server, &recalled, "bans and mutes", recall_rules, &is_all))
        return;
    if (archivist_ask(server->remember.archivist, &kept, now, &recalled) != RECALL_ANSWERED ||
        !begin_with(server, &recalled, "locks of rooms", recall_kept, &is_all))
        return;
    chat_reserve(chat, SLOT_NONE);
    if (is_new && archivist_ask(server->remember.archivist, &lobby, now, &recalled) == RECALL_ANSWERED &&
        recalled.trouble == NULL)
        recall_room(chat, ROOM_LOBBY, &recalled);
    mark = state_edit(&chat->state, &header->archive, sizeof header->archive);
    mark->recalled = is_all ? PAST_KNOWN : PAST_UNREADABLE;
    memcpy(state_edit(&chat->state, header->archive_file, STATE_ID_BYTES), server->remember.status.file,
           STATE_ID_BYTES);
    chat_commit(chat);
    chat->is_past_unknown = false;
}

static void read_anew(Server *server, uint64_t from)
{
    Chat *chat = server->chat;

    /* It is not told what became of rooms and people of this state: it may have others of these names. */
    over_lose_notes(chat, over_heard(chat), chat->state.header->head, OVER_FOR_OTHER);
    over_lose(chat);
    giving_tell_missing(server, giving_lines_before(chat, from), chat->state.header->n_archived,
                        chat->state.header->archive.n_before);
    giving_mark(chat, from);
    chat->state.header->noted_from = chat->state.header->head; /* one store */
    crash_point();
    over_forget(chat, UINT64_MAX);
    mail_ask_anew(chat);
    crash_point();
    chat->state.header->archive.recalled = PAST_UNKNOWN; /* one store */
    chat->is_past_unknown = true;
    server->remember.next_try = server->remember.give_up = 0;
}

void recalling_begin_other(Server *server, uint64_t from)
{
    static const uint8_t none[STATE_ID_BYTES]; /* in what was a state of layout 4 */
    StateHeader *header = server->chat->state.header;
    const ArchivistStatus *status = &server->remember.status;
    bool is_read = status->pos > 0 || memcmp(header->archive_file, none, sizeof none) == 0;

    /* Wherever the process dies here: the next one sees that it is another file. */
    if (status->pos == 0)
        noting_begin(server);
    crash_point();
    if (!is_read && status->epoch != 1) {
        read_anew(server, from);
        return;
    }
    header->archived = header->n_archived = 0;
    memcpy(header->archive_file, status->file, STATE_ID_BYTES);
}
