/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include "base/macro.h"
#include "chat/ignore.h"
#include "chat/room.h"
#include "chat/session.h"
#include "chat/stream.h"

/* The settings by which an item looks different. */
#define RENDERED_SETTINGS (SETTING_TIME | SETTING_COLOR | SETTING_ASCII)
/* A shared stream's key has these of its readers' settings, and ITEM_OTHER_ROOM. */
#define SHARED_SETTINGS (RENDERED_SETTINGS | SETTING_JOINS)

/* The positions of what is to be replayed, last first: only backwards links lead from one to the other. */
static void stream_load_replay(Stream *stream)
{
    const Transcript *transcript = &stream->chat->transcript;
    const Entry *entry = transcript_at(transcript, stream->next.replay_last);

    stream->n_replay = 0;
    while (entry != NULL && entry->pos >= stream->next.replay &&
           stream->n_replay < N_ELEMENTS(stream->replay)) {
        stream->replay[stream->n_replay++] = entry->pos;
        entry = transcript_at(transcript, entry->prev);
    }
}

/* Follows a chain from what has not been read yet on. */
static void stream_add_chain(Stream *stream, const TurnChain *chain)
{
    const Transcript *transcript = &stream->chat->transcript;
    const Entry *entry = transcript_at(transcript, chain->first);

    while (entry != NULL && entry->pos < stream->next.cursor)
        entry = entry->next != 0 ? transcript_at(transcript, entry->pos + entry->next) : NULL;
    if (entry == NULL)
        return;
    if (stream->n_chains == STREAM_CHAINS)
        stream->follows_chains = false;
    else
        stream->chains[stream->n_chains++] = entry->pos;
}

/* Who has read all before this turn finds the rest by the chains of the rooms it is in, and its own; unless
 * some of this turn is overwritten already, and with it where the chains begin. */
static void stream_find_chains(Stream *stream)
{
    const Chat *chat = stream->chat;
    const StateHeader *header = chat->state.header;
    const SessionSide *side = &chat->sessions[stream->session];
    uint32_t member = side->first_member;

    stream->n_chains = 0;
    stream->follows_chains = stream->next.cursor >= header->flushed && header->tail <= header->flushed;
    if (!stream->follows_chains)
        return;
    stream_add_chain(stream, &chat->turn.everybody);
    stream_add_chain(stream, &side->chain);
    for (; member != SLOT_NONE; member = chat->members[member].next_of_session)
        stream_add_chain(stream, &chat->rooms[chat->state.members[member].room].chain);
}

void stream_open(Stream *stream, Chat *chat, uint32_t session)
{
    const SessionRecord *record = session_record(chat, session);

    stream->chat = chat;
    stream->session = session;
    stream->room = SLOT_NONE;
    stream->written = record->written;
    stream->first_key = record->item_key;
    stream->n_replay = 0;
    stream->next = (StreamPosition){
        .cursor = session_cursor(chat, session),
        .replay = record->replay,
        .replay_last = record->replay_last,
        .missed = record->missed,
        .lost = record->lost,
        .flags = record->flags,
    };
    if (record->replay != 0)
        stream_load_replay(stream);
    stream_find_chains(stream);
}

bool stream_is_shared(const Chat *chat, uint32_t room, uint32_t session, uint8_t *ret_key)
{
    const SessionRecord *record = session_record(chat, session);
    const SessionSide *side = &chat->sessions[session];
    uint8_t flags = record->flags & (SESSION_GREETED | SESSION_LAGGING | SESSION_ENDING);
    uint32_t member;

    if (side->is_touched || flags != SESSION_GREETED || side->n_ignored > 0 ||
        (record->settings & SETTING_BELL) || record->cursor > chat->state.header->flushed)
        return false;
    if (side->n_rooms > 1)
        for (member = side->first_member; member != SLOT_NONE; member = chat->members[member].next_of_session)
            if (chat->state.members[member].room != room &&
                chat->rooms[chat->state.members[member].room].is_touched)
                return false;
    *ret_key = (record->settings & SHARED_SETTINGS) | (record->current_room != room ? ITEM_OTHER_ROOM : 0);
    return true;
}

void stream_open_shared(Stream *stream, Chat *chat, uint32_t room, uint8_t key)
{
    stream->chat = chat;
    stream->session = SLOT_NONE;
    stream->room = room;
    stream->key = key & (RENDERED_SETTINGS | ITEM_OTHER_ROOM);
    stream->hears_joins = key & SETTING_JOINS;
    stream->written = 0;
    stream->n_replay = 0;
    stream->next = (StreamPosition){.cursor = chat->state.header->flushed, .flags = SESSION_GREETED};
    stream->n_chains = 0;
    stream->follows_chains = true;
    stream_add_chain(stream, &chat->rooms[room].chain);
}

static bool stream_hears(const Stream *stream, const Entry *entry)
{
    if (stream->session != SLOT_NONE)
        return session_hears(stream->chat, stream->session, entry);
    return entry->to == 0 && entry->room == stream->room && !entry->is_taken_back &&
           (stream->hears_joins || entry_is_speech(entry) || entry_is_about_room(entry));
}

static uint8_t stream_key(const Stream *stream, const Entry *entry)
{
    const SessionRecord *record;
    uint8_t key;

    if (stream->session == SLOT_NONE)
        return stream->key;
    record = session_record(stream->chat, stream->session);
    key = record->settings & RENDERED_SETTINGS;
    if (entry == NULL)
        return key;
    if (entry->room != SLOT_NONE && entry->room != record->current_room)
        key |= ITEM_OTHER_ROOM;
    if (entry->wall < stream->chat->state.header->today)
        key |= ITEM_DATED;
    if ((record->settings & SETTING_BELL) && (entry_is_speech(entry) || entry->kind == ENTRY_PRIVATE) &&
        name_is_mentioned(record->nick.bytes, record->nick.n, entry_text(entry), entry->text_n))
        key |= ITEM_BELL;
    return key;
}

/* Finishes an item: a part of it may have been sent before, and then it stays what it was. */
static bool stream_give(Stream *stream, Item *ret_item, ItemKind kind, const Entry *entry)
{
    uint8_t key = stream_key(stream, entry);

    /* A line that is cut may be cut within a colour. */
    if (kind == ITEM_MISSED && (stream->item.flags & SESSION_CUT))
        key |= stream->first_key & SETTING_COLOR;
    *ret_item = (Item){
        .kind = kind,
        .key = stream->written > 0 ? stream->first_key : key,
        .entry = entry,
        .n_missed = stream->item.missed,
        .is_cut = stream->item.flags & SESSION_CUT,
    };
    stream->written = 0;
    return true;
}

static void stream_begin_replay(Stream *stream, const Entry *marker)
{
    TranscriptSpan span;

    __builtin_memcpy(&span, entry_text(marker), sizeof span);
    stream->next.replay = span.first;
    stream->next.replay_last = span.last;
    stream_load_replay(stream);
}

/* The next entry to be replayed; NULL: it is not to be heard. */
static const Entry *stream_next_replayed(Stream *stream, bool is_begun)
{
    const Chat *chat = stream->chat;
    const Entry *entry = transcript_at(&chat->transcript, stream->replay[--stream->n_replay]);

    stream->next.replay = stream->n_replay > 0 ? stream->replay[stream->n_replay - 1] : 0;
    if (!is_begun && (entry->is_taken_back || ignore_has(chat, stream->session, entry)))
        return NULL;
    return entry;
}

/* The entry that comes next on any of the chains, which is moved on. */
static const Entry *stream_follow(Stream *stream)
{
    const Entry *entry;
    uint16_t at = 0;

    if (stream->n_chains == 0) {
        stream->next.cursor = stream->chat->state.header->head;
        return NULL;
    }
    for (uint16_t i = 1; i < stream->n_chains; i++)
        if (stream->chains[i] < stream->chains[at])
            at = i;
    entry = transcript_at(&stream->chat->transcript, stream->chains[at]);
    if (entry != NULL && entry->next != 0)
        stream->chains[at] += entry->next;
    else
        stream->chains[at] = stream->chains[--stream->n_chains];
    return entry;
}

static const Entry *stream_next_entry(Stream *stream)
{
    if (stream->follows_chains)
        return stream_follow(stream);
    return transcript_read(&stream->chat->transcript, &stream->next.cursor);
}

bool stream_next(Stream *stream, Item *ret_item)
{
    StreamPosition *next = &stream->next;
    const Entry *entry;
    /* What has been begun is finished, even if its reader would not hear it any more. */
    bool is_begun = stream->written > 0;

    stream->item = *next;
    if (!(next->flags & SESSION_GREETED)) {
        next->flags |= SESSION_GREETED;
        return stream_give(stream, ret_item, ITEM_GREETING, NULL);
    }
    /* What is lost while a notice is on its way is told of by the next one, so that it stays as it is. */
    if (next->missed == 0) {
        next->missed = next->lost;
        next->lost = 0;
    }
    if (next->missed > 0) {
        stream->item = *next;
        next->missed = 0;
        next->flags &= (uint8_t) ~SESSION_CUT;
        return stream_give(stream, ret_item, ITEM_MISSED, NULL);
    }
    for (;;) {
        stream->item = *next;
        if (stream->n_replay > 0) {
            entry = stream_next_replayed(stream, is_begun);
            if (entry == NULL)
                continue;
            return stream_give(stream, ret_item, ITEM_ENTRY, entry);
        }
        next->replay = next->replay_last = 0;
        entry = stream_next_entry(stream);
        if (entry == NULL)
            return false;
        stream->item.cursor = entry->pos;
        next->cursor = entry->pos + entry->size;
        if (!is_begun && !stream_hears(stream, entry))
            continue;
        if (entry->kind != ENTRY_REPLAY)
            return stream_give(stream, ret_item, ITEM_ENTRY, entry);
        stream_begin_replay(stream, entry);
    }
}

bool stream_is_at_end(const Stream *stream)
{
    const SessionRecord *record = session_record(stream->chat, stream->session);
    uint64_t end = stream->chat->state.header->head;

    if (record->flags & SESSION_ENDING)
        end = MIN(end, record->end);
    return stream->n_replay == 0 && stream->next.missed + stream->next.lost == 0 &&
           stream->next.cursor >= end;
}

static SessionRecord *stream_store_position(const Stream *stream, const StreamPosition *position, size_t sent)
{
    SessionRecord *record = state_edit_reading(&stream->chat->state, stream->session);
    const uint8_t mask = SESSION_GREETED | SESSION_CUT;

    record->cursor = position->cursor;
    record->replay = position->replay;
    record->replay_last = position->replay != 0 ? position->replay_last : 0;
    record->missed = position->missed;
    record->lost = position->lost;
    record->flags = (uint8_t) ((record->flags & ~mask) | (position->flags & mask));
    record->bytes_out += sent;
    return record;
}

void stream_store(const Stream *stream, size_t sent)
{
    stream_store_position(stream, &stream->next, sent)->written = 0;
    state_commit(&stream->chat->state);
}

void stream_store_within(const Stream *stream, const Item *item, const char *bytes, uint32_t n, size_t sent)
{
    SessionRecord *record = stream_store_position(stream, &stream->item, sent);
    /* Bytes for a program at the other end, and no line of text. */
    bool is_raw = item->kind == ITEM_ENTRY && item->entry->kind == ENTRY_RAW;
    uint16_t n_lines = 0;

    for (uint32_t i = 0; i < n; i++)
        n_lines += bytes[i] == '\n';
    record->written = n;
    record->item_key = item->key;
    record->written_lines = n_lines;
    record->is_within_line = n > 0 && bytes[n - 1] != '\n' && !is_raw;
    state_commit(&stream->chat->state);
}

void stream_store_shared(Chat *chat, uint32_t session, size_t sent)
{
    SessionRecord *record = state_edit_reading(&chat->state, session);

    record->cursor = chat->state.header->head;
    record->bytes_out += sent;
    state_commit(&chat->state);
}
