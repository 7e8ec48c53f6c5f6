/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/macro.h"
#include "chat/person.h"
#include "chat/session.h"
#include "chat/stream.h"
#include "front/plain.h"

/* The bytes of an item, as they are put together. */
typedef struct Out {
    char *p;
    char *end;
} Out;

static void out_put(Out *out, const char *bytes, size_t n)
{
    n = MIN(n, (size_t) (out->end - out->p));
    out->p = mempcpy(out->p, bytes, n);
}

#define out_literal(out, literal) out_put((out), "" literal, STRLEN(literal))

static void out_server_lines(Out *out, const char *text, size_t n)
{
    const char *end = text + n, *line_end;

    for (;; text = line_end + 1) {
        line_end = memchr(text, '\n', (size_t) (end - text));
        out_literal(out, "-- ");
        out_put(out, text, (size_t) ((line_end != NULL ? line_end : end) - text));
        out_literal(out, "\n");
        if (line_end == NULL)
            break;
    }
}

static void out_topic_of(Out *out, const RoomRecord *room)
{
    if (room->topic_n == 0)
        return;
    out_literal(out, "-- Topic of #");
    out_put(out, room->name.bytes, room->name.n);
    out_literal(out, ": ");
    out_put(out, room->topic, room->topic_n);
    out_literal(out, "\n");
}

/* No name can have it in itself (base/name.h). */
static void out_mark(Out *out, uint8_t key)
{
    if (key & SETTING_ASCII)
        out_literal(out, MARK_ASCII);
    else
        out_literal(out, MARK);
}

static void out_greeting(Out *out, const Chat *chat, uint32_t session, uint8_t key)
{
    const StateHeader *header = chat->state.header;
    const SessionRecord *record = session_record(chat, session);
    const Motd *motd = &header->motd;
    char others[64];
    int n;

    out_literal(out, "-- Welcome to ");
    out_put(out, header->host, strlen(header->host));
    out_literal(out, ". You are ");
    out_put(out, record->nick.bytes, record->nick.n);
    if (record->standing & STANDING_VERIFIED)
        out_mark(out, key);
    n = snprintf(others, sizeof others, "; %u other%s here. ", record->greet_others,
                 record->greet_others == 1 ? " is" : "s are");
    if (record->greet_others == 0)
        out_literal(out, "; nobody else is here. ");
    else
        out_put(out, others, (size_t) n);
    out_literal(out, "/help lists the commands.\n");
    if (motd->n > 0)
        out_server_lines(out, motd->text, motd->n);
    out_topic_of(out, &chat->state.rooms[ROOM_LOBBY]);
}

static void out_missed(Out *out, const Item *item)
{
    char text[96];
    int n;

    if (item->is_cut && (item->key & SETTING_COLOR))
        out_literal(out, "\x1b[0m");
    if (item->is_cut)
        out_literal(out, "\xe2\x80\xa6\n"); /* an ellipsis: the end of that line is gone */
    n = snprintf(text, sizeof text, "-- You read too slowly: %u line%s skipped.\n", item->n_missed,
                 item->n_missed == 1 ? " was" : "s were");
    out_put(out, text, (size_t) n);
}

static void out_nick(Out *out, const Entry *entry, uint8_t key)
{
    static const char COLORS[][6] = {"\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[34m", "\x1b[35m", "\x1b[36m",
                                     "\x1b[91m", "\x1b[92m", "\x1b[93m", "\x1b[94m", "\x1b[95m", "\x1b[96m"};

    if (key & SETTING_COLOR)
        out_put(out, COLORS[entry->from_hash % N_ELEMENTS(COLORS)], STRLEN("\x1b[31m"));
    out_put(out, entry_nick(entry), entry->nick_n);
    if (entry->is_verified)
        out_mark(out, key);
    if (key & SETTING_COLOR)
        out_literal(out, "\x1b[0m");
}

/* "2026-11-22 ", by the local time of now, as the time behind it. */
static void out_date(Out *out, const Chat *chat, const Entry *entry)
{
    time_t seconds = (time_t) (entry->wall / USEC_PER_SEC) + chat->utc_offset;
    struct tm local;
    char text[32];

    if (gmtime_r(&seconds, &local) != NULL)
        out_put(out, text, strftime(text, sizeof text, "%Y-%m-%d ", &local));
}

static void out_time(Out *out, const Chat *chat, const Entry *entry, uint8_t key)
{
    /* A day more, so that it is not negative west of Greenwich, whatever the clock says. */
    uint64_t minutes = (entry->wall / USEC_PER_SEC + SECONDS_PER_DAY + (uint64_t) chat->utc_offset) / 60;
    unsigned hour = (unsigned) (minutes / 60 % 24), minute = (unsigned) (minutes % 60);
    const char text[] = {(char) ('0' + hour / 10),
                         (char) ('0' + hour % 10),
                         ':',
                         (char) ('0' + minute / 10),
                         (char) ('0' + minute % 10),
                         ']',
                         ' '};

    out_literal(out, "[");
    if (key & ITEM_DATED)
        out_date(out, chat, entry);
    out_put(out, text, sizeof text);
}

static void out_speech(Out *out, const Chat *chat, const Entry *entry, uint8_t key)
{
    if (key & SETTING_TIME)
        out_time(out, chat, entry, key);
    if (entry->kind == ENTRY_PRIVATE)
        out_literal(out, "(private) ");
    if (key & ITEM_OTHER_ROOM) {
        out_literal(out, "#");
        out_put(out, entry_room(entry), entry->room_n);
        out_literal(out, " ");
    }
    if (entry->kind == ENTRY_ACTION)
        out_literal(out, "* ");
    else
        out_literal(out, "<");
    out_nick(out, entry, key);
    if (entry->kind == ENTRY_ACTION)
        out_literal(out, " ");
    else
        out_literal(out, "> ");
    out_put(out, entry_text(entry), entry->text_n);
    if (key & ITEM_BELL)
        out_literal(out, "\a");
    out_literal(out, "\n");
}

static void out_room_notice(Out *out, const Entry *entry, uint8_t key)
{
    out_literal(out, "-- ");
    if (key & ITEM_OTHER_ROOM) {
        out_literal(out, "#");
        out_put(out, entry_room(entry), entry->room_n);
        out_literal(out, ": ");
    }
    out_put(out, entry_nick(entry), entry->nick_n);
    if (entry->is_verified)
        out_mark(out, key);
    switch (entry->kind) {
    case ENTRY_JOINED:
        out_literal(out, " is here");
        break;
    case ENTRY_LEFT:
        out_literal(out, " has left");
        break;
    case ENTRY_RENAMED:
        out_literal(out, " is now ");
        break;
    case ENTRY_TOPIC:
        if (entry->text_n == 0)
            out_literal(out, " cleared the topic");
        else
            out_literal(out, " set the topic: ");
        break;
    case ENTRY_ACT:
        out_literal(out, " ");
        break;
    default:
        break;
    }
    out_put(out, entry_text(entry), entry->text_n);
    out_literal(out, "\n");
}

static void out_entry(Out *out, const Chat *chat, const Item *item)
{
    const Entry *entry = item->entry;

    switch (entry->kind) {
    case ENTRY_SAID:
    case ENTRY_ACTION:
    case ENTRY_PRIVATE:
        out_speech(out, chat, entry, item->key);
        break;
    case ENTRY_REPLY:
        out_server_lines(out, entry_text(entry), entry->text_n);
        break;
    case ENTRY_ERROR:
        out_literal(out, "!! ");
        out_put(out, entry_text(entry), entry->text_n);
        out_literal(out, "\n");
        break;
    case ENTRY_ANNOUNCED:
        out_literal(out, "-- Announcement by ");
        out_nick(out, entry, item->key);
        out_literal(out, ": ");
        out_put(out, entry_text(entry), entry->text_n);
        out_literal(out, "\n");
        break;
    case ENTRY_RAW:
        out_put(out, entry_text(entry), entry->text_n);
        break;
    default:
        out_room_notice(out, entry, item->key);
        break;
    }
}

size_t plain_render(const Chat *chat, uint32_t session, const Item *item, char *to)
{
    Out out = {.p = to, .end = to + LIMIT_ITEM_BYTES};

    switch (item->kind) {
    case ITEM_GREETING:
        out_greeting(&out, chat, session, item->key);
        break;
    case ITEM_MISSED:
        out_missed(&out, item);
        break;
    case ITEM_ENTRY:
        out_entry(&out, chat, item);
        break;
    }
    return (size_t) (out.p - to);
}

const Front front_plain = {
    .name = "plain",
    .frame = plain_frame,
    .render = plain_render,
};
