/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <inttypes.h>
#include <string.h>

#include "base/crash.h"
#include "base/macro.h"
#include "chat/note.h"
#include "chat/over.h"
#include "host/giving.h"
#include "host/noting.h"
#include "host/recalling.h"
#include "host/server.h"

#define AGAIN_USEC (100 * USEC_PER_MSEC) /* when too much waits to be written */

static bool is_line(const Entry *entry)
{
    return entry_is_speech(entry) && !entry->is_recalled;
}

static bool is_for_archive(const StateHeader *header, const Entry *entry)
{
    Note note;

    if (entry->kind != ENTRY_TOPIC && entry->kind != ENTRY_NOTE)
        return is_line(entry);
    return entry->pos >= header->noted_from || (entry->kind == ENTRY_NOTE && note_read(entry, &note) &&
                                                (note_is_for_any(&note) || note_is_secret_end(&note)));
}

/* What was noted for the file before is not about rooms of this one. */
static void take_entry(const StateHeader *header, const Entry *entry, char *to)
{
    Note note;

    memcpy(to, entry, entry->size);
    if (entry->kind == ENTRY_NOTE && entry->pos < header->noted_from && note_read(entry, &note) &&
        note_is_secret_end(&note))
        note_narrow((Entry *) to);
}

uint64_t giving_lines_before(const Chat *chat, uint64_t end)
{
    uint64_t n = chat->state.header->archive.n_dropped, pos = chat->state.header->tail;
    const Entry *entry;

    while (pos < end && (entry = transcript_read(&chat->transcript, &pos)) != NULL && pos < end) {
        n += is_line(entry);
        pos += entry->size;
    }
    return n;
}

void giving_tell_missing(Server *server, uint64_t n, uint64_t n_done, uint64_t n_before)
{
    n_done = MAX(n_done, n_before);
    if (n > n_done)
        log_event(server->log, (LogEvent){.priority = LOG_ERR, .id = LOG_ID_ARCHIVE_STOPPED},
                  "The last lines that were said could not be archived: %" PRIu64 " at most are missing.",
                  n - n_done);
}

bool giving_is_possible(const Server *server)
{
    const StateHeader *header = server->chat->state.header;

    return server->remember.status.is_open &&
           server->remember.n_openings == server->remember.status.n_openings &&
           header->archive.recalled != PAST_UNKNOWN && !state_is_open(&server->chat->state);
}

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

void giving_mark(Chat *chat, uint64_t from)
{
    ArchiveMark *mark = &chat->state.header->archive;
    uint64_t n_before = from == UINT64_MAX ? 0 : giving_lines_before(chat, from);

    mark = state_edit(&chat->state, mark, sizeof *mark);
    mark->from = from;
    mark->n_before = n_before;
    chat_commit(chat);
}

void giving_begin(Server *server)
{
    Remember *remember = &server->remember;
    const StateHeader *header = server->chat->state.header;
    const ArchiveMark *mark = &header->archive;
    bool is_other = memcmp(header->archive_file, remember->status.file, STATE_ID_BYTES) != 0;
    /* What the one before has not got. */
    uint64_t from = entry_from(server->chat, MAX(over_heard(server->chat), header->tail));

    remember->n_openings = remember->status.n_openings;
    remember->due = UINT64_MAX;
    remember->is_refused = false;
    if (is_other && header->archive.recalled != PAST_UNKNOWN)
        recalling_begin_other(server, from);
    remember->reached = remember->status.pos;
    remember->given = entry_from(server->chat, remember->status.pos);
    remember->n_lines = remember->status.n_lines;
    if (remember->given >= mark->from)
        return;
    remember->given = mark->from;
    remember->n_lines = mark->n_before;
}

_Static_assert(LIMIT_ROOMS_OVER *(sizeof(Entry) + NAME_MAX_BYTES + offsetof(Note, room) + sizeof(NoteRoom) +
                                  2 * sizeof(uint64_t)) +
                       ENTRY_MAX_BYTES <=
                   ARCHIVIST_BATCH_BYTES,
               "what is over has a place in a batch, before one entry at least");

/* Of rooms that are over the notes that are not among the next entries, and that it has not had either. */
static void collect_over(Server *server, uint64_t from, uint64_t end, ArchivistBatch *batch)
{
    const OverRecord *over;

    for (; (over = over_next(server->chat, from, end)) != NULL; from = over->pos + 1)
        batch->n += over_write(server->chat, over, (Entry *) (server->remember.entries + batch->n));
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
    }
    collect_over(server, remember->reached, pos, ret_batch);
    while ((entry = transcript_read(&server->chat->transcript, &pos)) != NULL) {
        if (is_for_archive(header, entry) && ret_batch->n + entry->size > sizeof remember->entries)
            break;
        if (is_for_archive(header, entry)) {
            take_entry(header, entry, remember->entries + ret_batch->n);
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
    ArchivistBatch batch, *memory = NULL;

    collect(server, &batch);
    if (batch.n + batch.n_missing > 0) {
        memory = archivist_batch(remember->archivist, batch.n);
        if (memory == NULL)
            return false;
    }
    /* Before it can be written: then nothing else says that something is missing. */
    if (batch.missing_at != 0)
        noting_begin(server);
    crash_point();
    if (memory != NULL) {
        *memory = batch;
        memcpy(memory->entries, remember->entries, batch.n);
        archivist_give(remember->archivist, memory);
    }
    remember->given = remember->reached = batch.end;
    remember->n_lines = batch.n_lines;
    return true;
}

bool giving_has_more(const Server *server)
{
    const Remember *remember = &server->remember;

    return remember->given < server->chat->state.header->head ||
           (remember->reached < remember->given &&
            over_next(server->chat, remember->reached, remember->given) != NULL);
}

void giving_run(Server *server)
{
    Remember *remember = &server->remember;

    while (giving_is_possible(server) && giving_has_more(server)) {
        remember->is_refused = !give_batch(server);
        if (!remember->is_refused)
            continue;
        remember->due = server->chat->now + AGAIN_USEC;
        return;
    }
    remember->due = UINT64_MAX;
}

bool giving_is_done(const Server *server)
{
    return giving_is_possible(server) && !giving_has_more(server);
}
