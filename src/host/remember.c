/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/search.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/macro.h"
#include "chat/keep.h"
#include "chat/room.h"
#include "chat/session.h"
#include "host/input.h"
#include "host/noting.h"
#include "host/remember.h"
#include "host/server.h"

#define GROUP_USEC USEC_PER_SEC          /* what is said in this time is written together */
#define AGAIN_USEC (100 * USEC_PER_MSEC) /* when too much waits to be written */
#define TRY_USEC USEC_PER_SEC            /* when the rules can not be read */
#define TRIES_USEC (10 * USEC_PER_SEC)   /* for so long, if the archive is open */
#define HOLD_USEC (2 * USEC_PER_SEC)     /* people wait so long for an archive */
#define FINISH_USEC (4 * USEC_PER_SEC)   /* the end waits so long; below TimeoutStopSec= */
#define END_USEC USEC_PER_SEC            /* and so long for the file to be closed */
#define LEAVE_USEC (50 * USEC_PER_MSEC)  /* before the next process, which does not depend on it */

static const char STILL_CLOSING[] = "The archive has still to be closed";
/* What is kept of a room may be over by what has not been written. */
static const char NOT_OPEN[] = "The archive is not open";

bool remember_path(char path[REMEMBER_PATH_MAX])
{
    const char *directory = getenv("STATE_DIRECTORY");
    int n;

    if (directory == NULL || directory[0] != '/')
        return false;
    n = snprintf(path, REMEMBER_PATH_MAX, "%.*s/archive.db", (int) strcspn(directory, ":"), directory);
    return n < REMEMBER_PATH_MAX;
}

/* What is new */

static bool is_line(const Entry *entry)
{
    return entry_is_speech(entry) && !entry->is_recalled;
}

static bool is_for_archive(const Entry *entry)
{
    return is_line(entry) || entry->kind == ENTRY_TOPIC || entry->kind == ENTRY_NOTE;
}

/* How many lines there were before a position, since the state began. */
static uint64_t lines_before(const Chat *chat, uint64_t end)
{
    uint64_t n = chat->state.header->archive.n_dropped, pos = chat->state.header->tail;
    const Entry *entry;

    while (pos < end && (entry = transcript_read(&chat->transcript, &pos)) != NULL && pos < end) {
        n += is_line(entry);
        pos += entry->size;
    }
    return n;
}

/* Entries of a transaction that is open may still go. */
static bool may_give(const Server *server)
{
    const StateHeader *header = server->chat->state.header;

    return server->remember.status.is_open &&
           server->remember.n_openings == server->remember.status.n_openings &&
           header->archive.recalled != 0 && !state_is_open(&server->chat->state);
}

static void note_what_is_due(Server *server)
{
    if (may_give(server))
        noting_go_on(server);
}

/* Giving */

/* The position of the first entry there or later; of the head, if there is none. A file may have been put in
 * the place of another, and then its cursor may be anywhere. */
static uint64_t entry_from(const Chat *chat, uint64_t from)
{
    uint64_t pos = chat->state.header->tail;
    const Entry *entry;

    if (from < pos)
        return from;
    while ((entry = transcript_read(&chat->transcript, &pos)) != NULL && pos < from)
        pos += entry->size;
    return entry != NULL ? pos : chat->state.header->head;
}

/* The archive has been opened, and knows up to where it is. */
static void begin_giving(Server *server)
{
    Remember *remember = &server->remember;
    const ArchiveMark *mark = &server->chat->state.header->archive;

    /* The file was removed while no process was there. */
    if (remember->n_openings == 0 && remember->status.pos <= mark->from && mark->recalled != 0)
        noting_begin(server);
    remember->n_openings = remember->status.n_openings;
    remember->given = entry_from(server->chat, remember->status.pos);
    remember->n_lines = remember->status.n_lines;
    if (remember->given >= mark->from)
        return;
    remember->given = mark->from;
    remember->n_lines = mark->n_before;
}

/* The next entries from remember->given on, as many as one batch takes. */
static void collect(Server *server, ArchivistBatch *ret_batch)
{
    const StateHeader *header = server->chat->state.header;
    Remember *remember = &server->remember;
    uint64_t pos = remember->given;
    const Entry *entry;

    *ret_batch = (ArchivistBatch){
        .opening = remember->n_openings, .n_lines = remember->n_lines, .wall = server->chat->wall};
    if (pos < header->tail) {
        pos = ret_batch->missing_at = header->tail;
        if (header->archive.n_dropped > ret_batch->n_lines)
            ret_batch->n_missing = header->archive.n_dropped - ret_batch->n_lines;
        ret_batch->n_lines = header->archive.n_dropped;
        noting_begin(server);
    }
    while ((entry = transcript_read(&server->chat->transcript, &pos)) != NULL) {
        if (is_for_archive(entry) && ret_batch->n + entry->size > sizeof remember->entries)
            break;
        if (is_for_archive(entry)) {
            memcpy(remember->entries + ret_batch->n, entry, entry->size);
            ret_batch->n += entry->size;
        }
        ret_batch->n_lines += is_line(entry);
        pos += entry->size;
    }
    ret_batch->end = entry != NULL ? pos : header->head;
}

/* False: that has to wait. */
static bool give_batch(Server *server)
{
    Remember *remember = &server->remember;
    ArchivistBatch batch, *memory;

    collect(server, &batch);
    if (batch.n + batch.n_missing > 0) {
        memory = archivist_batch(remember->archivist, batch.n);
        if (memory == NULL)
            return false;
        *memory = batch;
        memcpy(memory->entries, remember->entries, batch.n);
        archivist_give(remember->archivist, memory);
    }
    remember->given = batch.end;
    remember->n_lines = batch.n_lines;
    return true;
}

static void give(Server *server)
{
    const StateHeader *header = server->chat->state.header;
    Remember *remember = &server->remember;

    while (may_give(server) && remember->given < header->head) {
        remember->is_refused = !give_batch(server);
        if (!remember->is_refused)
            continue;
        remember->due = server->chat->now + AGAIN_USEC;
        return;
    }
    remember->due = UINT64_MAX;
}

static bool has_given_all(const Server *server)
{
    return may_give(server) && server->remember.given >= server->chat->state.header->head;
}

/* Questions */

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
        hidden.n_known = MIN(n_known, max);
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
    return remember->is_refused || server->chat->state.header->archive.recalled == 0 ? "The archive is busy"
                                                                                     : NULL;
}

static RecallState recall(void *userdata, const Recall *question, Recalled *ret_recalled)
{
    Server *server = userdata;
    const char *trouble;

    /* What was just said is part of the answer. */
    give(server);
    /* Without that a message would be delivered twice. Nobody waits for it, and it will be asked again. */
    if (question->kind == RECALL_PERSON && !has_given_all(server))
        return RECALL_AWAITED;
    if (server->remember.archivist == NULL)
        trouble = STILL_CLOSING;
    else if (question->kind == RECALL_ROOM && !server->remember.status.is_open)
        trouble = NOT_OPEN;
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

/* What the archive knows becomes part of the state. */
static void begin_chat(Server *server)
{
    static const Recall rules = {.kind = RECALL_RULES}, kept = {.kind = RECALL_KEPT};
    Recall lobby = {.kind = RECALL_ROOM, .n = server->config.history, .room = {5, "lobby"}};
    Chat *chat = server->chat;
    StateHeader *header = chat->state.header;
    bool is_new = chat->state.rooms[ROOM_LOBBY].last_said == 0, is_all = true;
    uint64_t now = chat->now;
    Recalled recalled;

    if (header->archive.recalled != 0 || !server->remember.status.is_open || now < server->remember.next_try)
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
    *(uint64_t *) state_edit(&chat->state, &header->archive.recalled, sizeof header->archive.recalled) =
        is_all ? 1 : 2;
    chat_commit(chat);
    chat->is_past_unknown = false;
}

/* Beginning and ending */

/* What is said from there on is for the archive. */
static void mark_from(Chat *chat, uint64_t from)
{
    ArchiveMark *mark = &chat->state.header->archive;
    uint64_t n_before = from == UINT64_MAX ? 0 : lines_before(chat, from);

    mark = state_edit(&chat->state, mark, sizeof *mark);
    mark->from = from;
    mark->n_before = n_before;
    chat_commit(chat);
}

/* Of `n` lines since the state began the archive knows, or need not know, so many. */
static void tell_missing(Server *server, uint64_t n, uint64_t n_done)
{
    if (n > n_done)
        log_event(server->log, (LogEvent){.priority = LOG_ERR, .id = LOG_ID_ARCHIVE_STOPPED},
                  "The last lines that were said could not be archived: %" PRIu64 " at most are missing.",
                  n - n_done);
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
    if (header->archive.from == UINT64_MAX) {
        mark_from(server->chat, header->head);
        noting_begin(server);
    }
    server->chat->archived = header->archive.from;
    server->chat->is_past_unknown = header->archive.recalled == 0;
    remember->status = (ArchivistStatus){0};
    remember->n_openings = remember->next_try = remember->give_up = 0;
    remember->is_refused = false;
    remember->n_told_aside = remember->n_told_new = 0;
    remember->given = header->tail;
    remember->due = UINT64_MAX;
    if (header->archive.recalled == 0 && chat_n_sessions(server->chat) == 0)
        remember->hold_until = server->chat->now + HOLD_USEC;
    server->chat->recall = recall;
    server->chat->recall_userdata = server;
    open_archivist(server);
}

/* What is new is given, and the rest is the threads'. */
static void end(Server *server)
{
    const StateHeader *header = server->chat->state.header;
    Remember *remember = &server->remember;
    uint64_t n = lines_before(server->chat, header->head);

    if (remember->archivist != NULL) {
        give(server);
        archivist_end(remember->archivist);
        remember->ending = TAKE_PTR(remember->archivist);
        remember->n_ending = n;
        remember->n_ending_before = header->archive.n_before;
    } else if (remember->is_on) {
        tell_missing(server, n, header->archive.n_before);
    }
    remember->is_on = false;
    server->chat->recall = NULL;
    server->chat->is_past_unknown = false;
    mark_from(server->chat, UINT64_MAX);
    input_look_again(server);
}

/* The threads of before have ended; or not in so long. */
static void take_ending(Server *server, uint64_t usec)
{
    Remember *remember = &server->remember;
    ArchivistStatus status;

    if (remember->ending == NULL || !archivist_has_ended(remember->ending, usec, &status))
        return;
    tell_missing(server, remember->n_ending, MAX(status.n_done_lines, remember->n_ending_before));
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
    return has_given_all(server) && !server->chat->state.header->is_noting;
}

/* Gives all there is, and waits until it is there, but not for ever. What is missing then is said. */
static void finish(Server *server, uint64_t deadline)
{
    Chat *chat = server->chat;
    const ArchiveMark *mark = &chat->state.header->archive;
    Remember *remember = &server->remember;
    struct pollfd pollfd = {.fd = archivist_fd(remember->archivist), .events = POLLIN};

    for (;;) {
        chat_set_time(chat, clock_monotonic(), clock_wall());
        remember_take(server);
        note_what_is_due(server);
        give(server);
        /* Nobody is left who might not have read it. */
        if (chat_n_sessions(chat) == 0)
            chat_end_turn(chat);
        archivist_finish(remember->archivist, deadline - MIN(chat->now, deadline));
        (void) archivist_take(remember->archivist, chat->now, &remember->status);
        if (is_finished(server) || !may_go_on(server) || chat->now >= deadline)
            break;
        if (server->chat->state.header->is_noting && may_give(server))
            continue;
        (void) poll(&pollfd, 1, (int) (AGAIN_USEC / USEC_PER_MSEC));
    }
    tell_missing(server, lines_before(chat, chat->state.header->head),
                 MAX(remember->status.n_done_lines, mark->n_before));
}

void remember_close(Server *server, bool is_last)
{
    Remember *remember = &server->remember;
    uint64_t deadline = clock_monotonic() + FINISH_USEC;
    const StateHeader *header;

    if (!remember->is_on && remember->ending == NULL)
        return;
    header = server->chat->state.header;
    take_ending(server, is_last ? FINISH_USEC : LEAVE_USEC);
    if (is_last && remember->archivist != NULL)
        finish(server, deadline);
    else if (is_last && remember->is_on)
        tell_missing(server, lines_before(server->chat, header->head), header->archive.n_before);
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

    if (status->n_aside != remember->n_told_aside) {
        log_event(server->log, (LogEvent){.priority = LOG_ERR, .id = LOG_ID_ARCHIVE_ASIDE},
                  "The archive was damaged, and a new one was begun. The damaged one is in %s.",
                  status->aside);
        noting_begin(server);
    }
    if (status->n_new != remember->n_told_new)
        noting_begin(server);
    remember->n_told_aside = status->n_aside;
    remember->n_told_new = status->n_new;
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

    take_ending(server, 0);
    if (remember->archivist == NULL)
        return;
    if (archivist_take(remember->archivist, server->chat->now, &remember->status))
        input_look_again(server);
    tell(server);
    if (remember->status.is_open)
        server->chat->archived = remember->status.committed;
    if (remember->status.is_open && remember->n_openings != remember->status.n_openings)
        begin_giving(server);
    begin_chat(server);
}

void remember_tick(Server *server)
{
    const StateHeader *header = server->chat->state.header;
    Remember *remember = &server->remember;

    if (remember->archivist == NULL)
        return;
    begin_chat(server);
    note_what_is_due(server);
    if (remember->given >= header->head || !may_give(server) ||
        (remember->is_refused && server->chat->now < remember->due))
        return;
    remember->due = MIN(remember->due, server->chat->now + GROUP_USEC);
    /* One turn appends up to a quarter of the transcript more. */
    if (server->chat->now >= remember->due || header->head - remember->given > header->transcript_size / 8)
        give(server);
}

uint64_t remember_due(const Server *server)
{
    const Remember *remember = &server->remember;
    uint64_t due;

    if (remember->archivist == NULL)
        return UINT64_MAX;
    if (server->chat->state.header->is_noting && may_give(server))
        return 0;
    due = MIN(remember->due, archivist_due(remember->archivist));
    if (remember->next_try > 0)
        due = MIN(due, remember->next_try);
    return remember_is_ready(server) ? due : MIN(due, remember->hold_until);
}

bool remember_is_ready(const Server *server)
{
    const Remember *remember = &server->remember;

    return remember->archivist == NULL || server->chat->state.header->archive.recalled != 0 ||
           server->chat->now >= remember->hold_until || remember->status.answer != 0;
}

const char *remember_trouble(const Server *server)
{
    const Remember *remember = &server->remember;

    if (remember->archivist == NULL)
        return remember->is_on ? STILL_CLOSING : NULL;
    return remember->status.answer != 0 ? archive_strerror(remember->status.answer) : NULL;
}
