/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <assert.h>
#include <string.h>

#include "base/crash.h"
#include "base/limits.h"
#include "base/macro.h"
#include "chat/state.h"
#include "chat/transcript.h"

size_t entry_origin_size(bool is_verified, bool has_origin)
{
    if (!has_origin)
        return 0;
    return is_verified ? sizeof(uint32_t) : sizeof(uint64_t);
}

unsigned entry_n_lines(const Entry *entry)
{
    const char *p = entry_text(entry), *end = p + entry->text_n;
    unsigned n = 1;

    if (entry->kind == ENTRY_RAW || entry->kind == ENTRY_REPLAY || entry->kind == ENTRY_NOTE)
        return 0;
    if (entry->kind != ENTRY_REPLY)
        return 1;
    while ((p = memchr(p, '\n', (size_t) (end - p))) != NULL) {
        n++;
        p++;
    }
    return n;
}

void transcript_init(Transcript *transcript, State *state, TranscriptReclaim reclaim, void *userdata)
{
    *transcript = (Transcript){.state = state, .reclaim = reclaim, .userdata = userdata};
    /* Position 0 means "none" everywhere, so the first entry is not at 0. */
    if (state->header->head == 0)
        state->header->head = state->header->tail = state->header->flushed = state->header->transcript_size;
}

static size_t ring_offset(const StateHeader *header, uint64_t pos)
{
    return (size_t) (pos % header->transcript_size);
}

/* Where an entry of `size` bytes goes that is to follow `pos`: there, or at the start of the ring if it would
 * not fit. */
static uint64_t ring_place(const StateHeader *header, uint64_t pos, size_t size)
{
    size_t rest = header->transcript_size - ring_offset(header, pos);

    return size <= rest ? pos : pos + rest;
}

/*
 * An entry that would reach past the end of the ring begins at its start instead, and leaves a gap. The gap
 * is marked by a zero where the size would be, or is too small for an entry.
 */
static uint64_t skip_gap(const State *state, uint64_t pos)
{
    const StateHeader *header = state->header;
    size_t offset = ring_offset(header, pos), rest = header->transcript_size - offset;

    if (pos >= header->head)
        return pos;
    if (rest < sizeof(Entry) || ((const Entry *) (state->ring + offset))->size == 0)
        return pos + rest;
    return pos;
}

const Entry *transcript_read(const Transcript *transcript, uint64_t *pos)
{
    const State *state = transcript->state;
    uint64_t at = skip_gap(state, *pos);
    const Entry *entry;

    if (at >= state->header->head)
        return NULL;
    entry = (const Entry *) (state->ring + ring_offset(state->header, at));
    assert(entry->pos == at);
    *pos = at;
    return entry;
}

const Entry *transcript_at(const Transcript *transcript, uint64_t pos)
{
    const StateHeader *header = transcript->state->header;

    if (pos < header->tail || pos >= header->head)
        return NULL;
    return transcript_read(transcript, &pos);
}

void transcript_take_back(Transcript *transcript, const Entry *entry)
{
    /* The bits are in what follows the room. */
    (void) state_edit(transcript->state, &entry->room, sizeof(Entry) - offsetof(Entry, room));
    ((Entry *) (uintptr_t) entry)->is_taken_back = true;
}

void transcript_link(Transcript *transcript, uint64_t pos, uint64_t next)
{
    const State *state = transcript->state;

    if (transcript_at(transcript, pos) != NULL)
        ((Entry *) (state->ring + ring_offset(state->header, pos)))->next = (uint32_t) (next - pos);
}

void transcript_reserve(Transcript *transcript, size_t n)
{
    StateHeader *header = transcript->state->header;
    /* Less than the largest of these entries may be lost at the end of the ring. */
    uint64_t end = header->head + n + MIN(n, (size_t) ENTRY_MAX_BYTES), tail = header->tail;
    uint64_t n_dropped = header->archive.n_dropped;

    assert(!state_is_open(transcript->state) && end - header->head <= header->transcript_size);
    if (end - tail <= header->transcript_size)
        return;
    /* A little more than is needed, so that those who lag are not looked through at each line. */
    end = MIN(end + header->transcript_size / 64, header->head + header->transcript_size);
    while (tail < header->head && end - tail > header->transcript_size) {
        const Entry *entry = transcript_read(transcript, &tail);

        if (entry == NULL) {
            tail = header->head;
            continue;
        }
        tail += entry->size;
        n_dropped += entry_is_speech(entry) && !entry->is_recalled;
    }
    if (transcript->reclaim != NULL)
        transcript->reclaim(transcript->userdata, tail);
    crash_point();
    *(uint64_t *) state_edit(transcript->state, &header->tail, sizeof header->tail) = tail;
    *(uint64_t *) state_edit(transcript->state, &header->archive.n_dropped, sizeof n_dropped) = n_dropped;
    state_commit(transcript->state);
}

static bool draft_has_origin(const EntryDraft *draft)
{
    return draft->is_verified || draft->place != 0;
}

/* Of an entry, whose position is set by whoever keeps it. */
static size_t draft_size(const EntryDraft *draft)
{
    size_t size = offsetof(Entry, data) + draft->nick_n + draft->room_name_n + draft->text_n +
                  entry_origin_size(draft->is_verified, draft_has_origin(draft));

    assert(draft->nick_n <= NAME_MAX_BYTES && draft->room_name_n <= NAME_MAX_BYTES &&
           draft->text_n <= LIMIT_TEXT_BYTES);
    return size + -size % 8; /* at least sizeof(Entry), so that a gap is told from an entry */
}

size_t entry_write(Entry *entry, const EntryDraft *draft)
{
    size_t size = draft_size(draft);
    char *data = entry->data;

    /* Behind the text there may be what was there before. */
    memset((char *) entry + size - sizeof(uint64_t), 0, sizeof(uint64_t));
    *entry = (Entry){
        .prev = draft->prev,
        .wall = draft->wall,
        .from = draft->from,
        .to = draft->to,
        .from_hash = draft->from_hash,
        .size = (uint32_t) size,
        .room = draft->room,
        .text_n = (uint16_t) draft->text_n,
        .kind = draft->kind & 0x3f,
        .is_recalled = draft->is_recalled,
        .nick_n = draft->nick_n & 0x7f,
        .is_verified = draft->is_verified,
        .room_n = draft->room_name_n & 0x7f,
        .has_origin = draft_has_origin(draft),
    };
    if (draft->nick_n > 0)
        data = mempcpy(data, draft->nick, draft->nick_n);
    if (draft->room_name_n > 0)
        data = mempcpy(data, draft->room_name, draft->room_name_n);
    if (draft->text_n > 0)
        data = mempcpy(data, draft->text, draft->text_n);
    if (draft->is_verified)
        memcpy(data, &draft->uid, sizeof draft->uid);
    else if (draft->place != 0)
        memcpy(data, &draft->place, sizeof draft->place);
    return size;
}

uint64_t transcript_append(Transcript *transcript, const EntryDraft *draft)
{
    State *state = transcript->state;
    StateHeader *header = state_edit_counters(state);
    size_t size = draft_size(draft);
    uint64_t pos = ring_place(header, header->head, size);
    Entry *entry = (Entry *) (state->ring + ring_offset(header, pos));

    assert(pos + size - header->tail <= header->transcript_size);
    if (pos != header->head && pos - header->head >= sizeof(Entry))
        ((Entry *) (state->ring + ring_offset(header, header->head)))->size = 0;
    (void) entry_write(entry, draft);
    entry->pos = pos;
    header->head = pos + size;
    return pos;
}
