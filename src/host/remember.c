/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/macro.h"
#include "chat/mail.h"
#include "chat/over.h"
#include "chat/session.h"
#include "host/giving.h"
#include "host/input.h"
#include "host/noting.h"
#include "host/recalling.h"
#include "host/remember.h"
#include "host/server.h"

#define GROUP_USEC USEC_PER_SEC         /* what is said in this time is written together */
#define HOLD_USEC (2 * USEC_PER_SEC)    /* people wait so long for an archive */
#define FINISH_USEC (4 * USEC_PER_SEC)  /* the end waits so long; below TimeoutStopSec= */
#define END_USEC USEC_PER_SEC           /* and so long for the file to be closed */
#define LOOK_USEC (100 * USEC_PER_MSEC) /* and looks so often whether that is so */
#define LEAVE_USEC (50 * USEC_PER_MSEC) /* before the next process, which does not depend on it */

bool remember_path(char path[REMEMBER_PATH_MAX])
{
    const char *directory = getenv("STATE_DIRECTORY");
    int n;

    if (directory == NULL || directory[0] != '/')
        return false;
    n = snprintf(path, REMEMBER_PATH_MAX, "%.*s/archive.db", (int) strcspn(directory, ":"), directory);
    return n < REMEMBER_PATH_MAX;
}

/* Beginning and ending */

/* What it has not got by now, and will not. */
static void tell_lost(Server *server, bool is_last)
{
    const StateHeader *header = server->chat->state.header;

    over_lose_notes(server->chat, over_heard(server->chat), header->head,
                    is_last ? OVER_FOR_GOOD : OVER_FOR_NOW);
    giving_tell_missing(server, giving_lines_before(server->chat, header->head), header->n_archived,
                        header->archive.n_before);
}

/* Not beside threads of before: what SQLite knows of the file is known to the whole process, and would be
 * wrong in another table of descriptors (host/thread.h). */
static void open_archivist(Server *server)
{
    const ArchivistSettings settings = {.keep = server->config.archive_keep_usec,
                                        .max_size = server->config.archive_max_size};
    Remember *remember = &server->remember;
    char path[REMEMBER_PATH_MAX];
    int r;

    if (remember->ending != NULL || !remember_path(path))
        return;
    r = archivist_new(path, server->chat->state.header->id, &settings, &remember->archivist);
    if (r == 0)
        return;
    log_event(server->log, (LogEvent){.priority = LOG_ERR, .id = LOG_ID_ARCHIVE_STOPPED},
              "Can not begin to archive what is said: %s.", strerror(-r));
    remember->is_on = false;
    server->chat->recall = NULL;
    server->chat->is_past_unknown = false;
}

static void begin(Server *server)
{
    StateHeader *header = server->chat->state.header;
    Remember *remember = &server->remember;

    remember->is_on = true;
    remember->n_rules = remember->n_rooms = remember->n_people = 0;
    remember->taken_back = 0;
    if (header->archive.from == UINT64_MAX) {
        giving_mark(server->chat, header->head);
        noting_begin(server);
    }
    server->chat->is_past_unknown = header->archive.recalled == PAST_UNKNOWN;
    remember->status = (ArchivistStatus){0};
    remember->n_openings = remember->next_try = remember->give_up = 0;
    remember->is_refused = false;
    remember->n_told_aside = 0;
    remember->given = remember->reached = header->tail;
    remember->due = UINT64_MAX;
    if (header->archive.recalled == PAST_UNKNOWN && chat_n_sessions(server->chat) == 0)
        remember->hold_until = server->chat->now + HOLD_USEC;
    server->chat->recall = recalling_ask;
    server->chat->recall_userdata = server;
    mail_expect_everybody(server->chat);
    open_archivist(server);
    server->chat->has_recall_trouble = remember_trouble(server) != NULL;
}

/* What is new is given, and the rest is the threads'. */
static void end(Server *server)
{
    const StateHeader *header = server->chat->state.header;
    Remember *remember = &server->remember;
    uint64_t n = giving_lines_before(server->chat, header->head);

    if (remember->archivist != NULL) {
        giving_run(server);
        archivist_end(remember->archivist);
        remember->ending = TAKE_PTR(remember->archivist);
        remember->n_ending = n;
        remember->n_ending_before = header->archive.n_before;
        remember->ending_from = header->archive.from;
        remember->ending_head = header->head;
    } else if (remember->is_on) {
        tell_lost(server, false);
    }
    remember->is_on = false;
    server->chat->recall = NULL;
    server->chat->is_past_unknown = false;
    giving_mark(server->chat, UINT64_MAX);
    input_look_again(server);
}

/* The archive has what stands before that. */
static void take_committed(Chat *chat, const ArchivistStatus *status)
{
    StateHeader *header = chat->state.header;

    /* One store each. */
    header->archived = MIN(status->committed, header->head);
    header->n_archived = status->n_done_lines;
    over_forget(chat, status->committed);
}

/* What the threads of before were given and have not written. */
static void tell_ending(Server *server, bool is_last)
{
    const StateHeader *header = server->chat->state.header;
    const Remember *remember = &server->remember;

    giving_tell_missing(server, remember->n_ending, header->n_archived, remember->n_ending_before);
    over_lose_notes(server->chat, MAX(header->archived, remember->ending_from), remember->ending_head,
                    is_last ? OVER_FOR_GOOD : OVER_FOR_NOW);
}

/* The threads of before have ended; or not in so long. */
static void take_ending(Server *server, uint64_t usec, bool is_last)
{
    Remember *remember = &server->remember;
    ArchivistStatus status;

    if (remember->ending == NULL || !archivist_has_ended(remember->ending, usec, &status))
        return;
    if (status.n_openings > 0 &&
        memcmp(status.file, server->chat->state.header->archive_file, STATE_ID_BYTES) == 0)
        take_committed(server->chat, &status);
    tell_ending(server, is_last);
    remember->ending = archivist_free(remember->ending, 0);
    if (remember->is_on)
        open_archivist(server);
}

void remember_set(Server *server)
{
    const ArchivistSettings settings = {.keep = server->config.archive_keep_usec,
                                        .max_size = server->config.archive_max_size};
    char path[REMEMBER_PATH_MAX];

    if (!server->config.archive_is_enabled || !remember_path(path))
        end(server);
    else if (!server->remember.is_on)
        begin(server);
    else if (server->remember.archivist != NULL)
        archivist_set(server->remember.archivist, &settings);
}

/* Whether there is something to wait for: the file is about to be opened, or somebody else has it for a
 * moment. */
static bool may_go_on(const Server *server)
{
    const ArchivistStatus *status = &server->remember.status;

    return status->answer == 0 || status->answer == ARCHIVE_BUSY;
}

static bool is_finished(const Server *server)
{
    return giving_is_done(server) && !server->chat->state.header->is_noting;
}

/* Gives all there is, and waits until it is there, but not for ever. */
static void finish(Server *server, uint64_t deadline)
{
    Chat *chat = server->chat;
    const StateHeader *header = chat->state.header;
    Remember *remember = &server->remember;
    struct pollfd pollfd = {.fd = archivist_fd(remember->archivist), .events = POLLIN};

    for (;;) {
        chat_set_time(chat, clock_monotonic(), clock_wall());
        remember_take(server);
        noting_go_on(server);
        giving_run(server);
        /* Nobody is left who might not have read it. */
        if (chat_n_sessions(chat) == 0)
            chat_end_turn(chat);
        archivist_finish(remember->archivist, deadline - MIN(chat->now, deadline));
        (void) archivist_take(remember->archivist, chat->now, &remember->status);
        if (is_finished(server) || !may_go_on(server) || chat->now >= deadline)
            break;
        if (header->is_noting && giving_is_possible(server))
            continue;
        (void) poll(&pollfd, 1, (int) (LOOK_USEC / USEC_PER_MSEC));
    }
    if (remember->n_openings > 0 && remember->n_openings == remember->status.n_openings)
        take_committed(chat, &remember->status);
}

void remember_close(Server *server, bool is_last)
{
    Remember *remember = &server->remember;
    uint64_t deadline = clock_monotonic() + FINISH_USEC;

    /* What failed was before there was one. */
    if (server->chat == NULL)
        return;
    take_ending(server, is_last ? FINISH_USEC : LEAVE_USEC, is_last);
    /* They may still write it. */
    if (remember->ending != NULL)
        tell_ending(server, is_last);
    if (is_last && remember->archivist != NULL)
        finish(server, deadline);
    if (is_last && remember->is_on)
        tell_lost(server, true);
    if (is_last)
        over_lose(server->chat);
    remember->ending = archivist_free(remember->ending, 0);
    remember->archivist = archivist_free(remember->archivist, is_last ? END_USEC : LEAVE_USEC);
    remember->is_on = false;
    server->chat->recall = NULL;
    server->chat->is_past_unknown = false;
}

/* Turns */

static void tell(Server *server)
{
    Remember *remember = &server->remember;
    const ArchivistStatus *status = &remember->status;

    if (status->n_aside != remember->n_told_aside)
        log_event(server->log, (LogEvent){.priority = LOG_ERR, .id = LOG_ID_ARCHIVE_ASIDE},
                  "The archive was damaged, and a new one was begun. The damaged one is in %s.",
                  status->aside);
    remember->n_told_aside = status->n_aside;
    if (status->answer == remember->told)
        return;
    remember->told = status->answer;
    if (status->answer != 0)
        log_event(
            server->log, (LogEvent){.priority = LOG_ERR, .id = LOG_ID_ARCHIVE_STOPPED},
            "What is said is not archived for now: %s%s%s%s. The chat goes on, and the archive is tried "
            "again.",
            archive_strerror(status->answer), status->detail[0] != '\0' ? " (" : "", status->detail,
            status->detail[0] != '\0' ? ")" : "");
    else
        log_event(server->log, (LogEvent){.priority = LOG_NOTICE, .id = LOG_ID_ARCHIVE_RESUMED},
                  "The archive goes on.");
}

int remember_fd(const Server *server)
{
    const Remember *remember = &server->remember;

    if (remember->archivist != NULL)
        return archivist_fd(remember->archivist);
    return remember->ending != NULL ? archivist_fd(remember->ending) : -1;
}

void remember_take(Server *server)
{
    Remember *remember = &server->remember;

    take_ending(server, 0, false);
    if (remember->archivist == NULL)
        return;
    if (archivist_take(remember->archivist, server->chat->now, &remember->status))
        input_look_again(server);
    server->chat->has_recall_trouble = remember_trouble(server) != NULL;
    tell(server);
    if (remember->status.is_open && remember->n_openings != remember->status.n_openings)
        giving_begin(server);
    if (remember->n_openings > 0 && remember->n_openings == remember->status.n_openings)
        take_committed(server->chat, &remember->status);
    recalling_begin(server);
}

void remember_tick(Server *server)
{
    const StateHeader *header = server->chat->state.header;
    Remember *remember = &server->remember;

    if (remember->archivist == NULL)
        return;
    recalling_begin(server);
    noting_go_on(server);
    if (!giving_has_more(server)) {
        remember->due = UINT64_MAX;
        return;
    }
    if (!giving_is_possible(server) || (remember->is_refused && server->chat->now < remember->due))
        return;
    remember->due = MIN(remember->due, server->chat->now + GROUP_USEC);
    /* One turn appends up to a quarter of the transcript more. */
    if (server->chat->now >= remember->due || header->head - remember->given > header->transcript_size / 8)
        giving_run(server);
}

uint64_t remember_due(const Server *server)
{
    const Remember *remember = &server->remember;
    uint64_t due;

    if (remember->archivist == NULL)
        return UINT64_MAX;
    if (server->chat->state.header->is_noting && giving_is_possible(server))
        return 0;
    due = archivist_due(remember->archivist);
    if (giving_is_possible(server))
        due = MIN(due, remember->due);
    if (remember->next_try > 0 && remember->status.is_open &&
        server->chat->state.header->archive.recalled == PAST_UNKNOWN)
        due = MIN(due, remember->next_try);
    return remember_is_ready(server) ? due : MIN(due, remember->hold_until);
}

bool remember_is_ready(const Server *server)
{
    const Remember *remember = &server->remember;

    return remember->archivist == NULL || server->chat->state.header->archive.recalled != PAST_UNKNOWN ||
           server->chat->now >= remember->hold_until || remember->status.answer != 0;
}

const char *remember_trouble(const Server *server)
{
    const Remember *remember = &server->remember;

    if (remember->archivist == NULL)
        return remember->is_on ? "The archive has still to be closed" : NULL;
    return remember->status.answer != 0 ? archive_strerror(remember->status.answer) : NULL;
}
