/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "archive/search.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/macro.h"
#include "base/text.h"
#include "chat/ignore.h"
#include "chat/mail.h"
#include "chat/note.h"
#include "chat/person.h"
#include "host/answer.h"

enum {
    TEXT_BYTES = LIMIT_REPLY_BYTES - 512, /* the command says a word of its own */
    LINE_BYTES = RECALL_LINE_MAX + 2 * NAME_MAX_BYTES + CLOCK_TEXT_MAX + 16, /* a page of these fits */
    /* Of a room's past, with a topic, and who is invited; not all may be taken. */
    ENTRIES_BYTES = 2 * RECALL_ROOM_BYTES + LIMIT_INVITES_ROOM * (sizeof(Entry) + sizeof(NoteInvited) + 16),
    RULES_BYTES = LIMIT_RULES * sizeof(NoteRule),
};

/* What is being put together. */
typedef struct Collected {
    const Recall *recall;
    uint32_t epoch;        /* of the state that asks */
    const NameKey *hidden; /* rooms; behind them those that are known */
    size_t n_hidden, n_known;
    char *bytes; /* owned */
    size_t n, size;
    unsigned n_seen;   /* lines of text, of all pages */
    unsigned n_given;  /* with those that are left out */
    uint64_t last_id;  /* of these */
    uint64_t deadline; /* usec, monotonic */
    bool is_more;
    bool is_partly; /* Recalled.is_partly */
} Collected;

/* Text. Lines are joined with \n. */

static void answer_put(Collected *answer, const char *format, ...) _printf_(2, 3);

static void answer_put(Collected *answer, const char *format, ...)
{
    size_t room = answer->size - answer->n;
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(answer->bytes + answer->n, room, format, arguments);
    va_end(arguments);
    if (n > 0 && (size_t) n < room)
        answer->n += (size_t) n;
}

static void format_minute(uint64_t wall, char text[CLOCK_TEXT_MAX])
{
    time_t seconds = (time_t) (wall / USEC_PER_SEC);
    struct tm local;

    if (localtime_r(&seconds, &local) == NULL ||
        strftime(text, CLOCK_TEXT_MAX, "%Y-%m-%d %H:%M", &local) == 0)
        (void) snprintf(text, CLOCK_TEXT_MAX, "an unknown time");
}

static const char *mark_of(const Collected *answer, const ArchiveWho *who)
{
    return !who->is_verified ? "" : answer->recall->is_ascii ? MARK_ASCII : MARK;
}

/* Of a page all lines fit; of a longer list the newest do, which come last. */
static void make_room(Collected *answer)
{
    const char *end;

    while (answer->size - answer->n < LINE_BYTES) {
        end = memchr(answer->bytes, '\n', answer->n);
        answer->n = end != NULL ? answer->n - (size_t) (end + 1 - answer->bytes) : 0;
        if (end != NULL)
            memmove(answer->bytes, end + 1, answer->n);
    }
}

static int put_line(void *userdata, const ArchiveLine *line)
{
    Collected *answer = userdata;
    uint32_t first = (answer->recall->page - 1) * answer->recall->n;
    char minute[CLOCK_TEXT_MAX];
    size_t n = text_cut(line->text, line->n, RECALL_LINE_MAX);

    answer->n_given++;
    answer->last_id = line->id;
    if (ignore_names_have(answer->recall->ignored, &line->who.nick, line->who.is_verified))
        return 0;
    /* One more than there is place for is asked for, to know whether there is one. */
    if (answer->n_seen++ < first)
        return 0;
    if (answer->n_seen > first + answer->recall->n) {
        answer->is_more = true;
        return 0;
    }
    make_room(answer);
    format_minute(line->wall, minute);
    answer_put(answer, "%s%s ", answer->n > 0 ? "\n" : "", minute);
    answer_put(answer, line->kind == ARCHIVE_ACTION ? "#%s * %s%s %.*s%s" : "#%s <%s%s> %.*s%s",
               line->room.bytes, line->who.nick.bytes, mark_of(answer, &line->who), (int) n, line->text,
               n < line->n ? "\xe2\x80\xa6" : "");
    return 0;
}

/* What the archive says is locked or hidden is so, even if the chat does not remember. */
static int look_whether_secret(Archive *archive, const Recall *recall, bool *ret_is_secret)
{
    uint32_t flags;
    int r = archive_room_flags(archive, &recall->room, &flags);

    *ret_is_secret = r == 0 && (flags & ROOM_SECRET) && !recall->is_secret;
    return error_trace(r);
}

/* Lines up to the end of the page, and one more. */
static unsigned n_wanted(const Recall *recall)
{
    return MIN(recall->n * recall->page + 1, (unsigned) ARCHIVE_ROWS_MAX);
}

/* In the place of what is left out more is asked for, as long as there is time. */
static bool is_enough(Collected *answer)
{
    bool is_full = answer->n_seen >= n_wanted(answer->recall);
    bool is_late = !is_full && clock_monotonic() >= answer->deadline;

    answer->is_partly |= is_late;
    return is_full || is_late;
}

static int put_between(Archive *archive, ArchiveSpan *span, Collected *answer)
{
    for (;;) {
        unsigned n_before = answer->n_given;
        int r = archive_lines_between(archive, &answer->recall->room, span, put_line, answer);

        if (r != 0 || answer->n_given - n_before < span->n_max || is_enough(answer))
            return error_trace(r);
        span->first_id = answer->last_id + 1;
        span->n_max = ARCHIVE_ROWS_MAX;
    }
}

/* A look at some lines: which of them are not left out. */
typedef struct LookBack {
    const Recall *recall;
    uint64_t first_id, ids[LIMIT_HISTORY];
    unsigned n_given, n;
} LookBack;

static int look_at(void *userdata, const ArchiveLine *line)
{
    LookBack *look = userdata;

    if (look->n_given++ == 0)
        look->first_id = line->id;
    if (!ignore_names_have(look->recall->ignored, &line->who.nick, line->who.is_verified))
        look->ids[look->n++] = line->id;
    return 0;
}

/* Where the last lines begin that are not left out; ARCHIVE_ID_END: there are none. */
static int find_last(Archive *archive, Collected *answer, uint64_t *ret_first)
{
    unsigned n_left = answer->recall->n;
    LookBack look = {.first_id = *ret_first = ARCHIVE_ID_END};
    int r;

    do {
        look = (LookBack){.recall = answer->recall, .first_id = look.first_id};
        r = archive_last_lines(archive, &answer->recall->room, look.first_id, LIMIT_HISTORY, look_at, &look);
        if (r == 0 && look.n > 0)
            *ret_first = look.ids[look.n - MIN(look.n, n_left)];
        n_left -= MIN(look.n, n_left);
    } while (r == 0 && n_left > 0 && look.n_given == LIMIT_HISTORY && !is_enough(answer));
    return error_trace(r);
}

static int put_last(Archive *archive, Collected *answer)
{
    const Recall *recall = answer->recall;
    ArchiveSpan span = {.to = UINT64_MAX, .n_max = ARCHIVE_ROWS_MAX};
    int r;

    if (recall->ignored[0].hash == 0)
        return error_trace(
            archive_last_lines(archive, &recall->room, ARCHIVE_ID_END, recall->n, put_line, answer));
    r = find_last(archive, answer, &span.first_id);
    if (r == 0 && span.first_id != ARCHIVE_ID_END)
        r = put_between(archive, &span, answer);
    answer->is_more = false; /* said since the look */
    return error_trace(r);
}

static int answer_lines(Archive *archive, Collected *answer)
{
    const Recall *recall = answer->recall;
    ArchiveSpan span = {.from = recall->from, .to = recall->to, .n_max = n_wanted(recall)};
    bool is_secret;
    int r = look_whether_secret(archive, recall, &is_secret);

    if (r != 0 || is_secret)
        return error_trace(r);
    return error_trace(recall->kind == RECALL_LAST ? put_last(archive, answer)
                                                   : put_between(archive, &span, answer));
}

static int answer_search(Archive *archive, Collected *answer)
{
    const Recall *recall = answer->recall;
    ArchiveSearch search = {
        .words = recall->words,
        .n_words = recall->n_words,
        .room = recall->room.n > 0 ? &recall->room : NULL,
        .nick = recall->nick.n > 0 ? &recall->nick : NULL,
        .hidden = answer->hidden,
        .n_hidden = answer->n_hidden,
        .secret = ROOM_SECRET,
        .known = answer->n_known > 0 ? answer->hidden + answer->n_hidden : NULL,
        .n_known = answer->n_known,
        .since = recall->from,
        .before = ARCHIVE_ID_END,
        .n_max = n_wanted(recall),
        .budget = ARCHIVIST_BUDGET_USEC,
    };
    ArchivePage page;

    for (;;) {
        int r = archive_search(archive, &search, put_line, answer, &page);

        if (r != 0)
            return error_trace(r);
        answer->is_partly = page.is_cut;
        if (page.is_cut || page.before == 0 || is_enough(answer))
            return 0;
        search.before = page.before;
        search.n_max = ARCHIVE_ROWS_MAX;
        search.budget = answer->deadline - MIN(clock_monotonic(), answer->deadline - 1);
    }
}

static int answer_seen(Archive *archive, Collected *answer)
{
    char first[CLOCK_TEXT_MAX], last[CLOCK_TEXT_MAX];
    ArchivePerson person;
    bool is_found;
    int r = archive_find_person(archive, &answer->recall->nick, &is_found, &person);

    if (r != 0 || !is_found)
        return error_trace(r);
    if (person.last_seen == 0) {
        answer_put(answer, "%s%s was here, but it is not known any more when.", person.who.nick.bytes,
                   mark_of(answer, &person.who));
        return 0;
    }
    format_minute(person.first_seen, first);
    format_minute(person.last_seen, last);
    answer_put(answer, "%s%s was here last on %s, and for the first time on %s.", person.who.nick.bytes,
               mark_of(answer, &person.who), last, first);
    return 0;
}

/* Entries of a transcript. */

static void put_entry(Collected *answer, const EntryDraft *draft)
{
    const size_t size =
        offsetof(Entry, data) + draft->nick_n + draft->room_name_n + draft->text_n + sizeof draft->uid + 7;
    Entry *entry;

    /* The oldest go: what is at the end is what people have heard last. */
    while (answer->n > 0 && answer->n + size > answer->size) {
        size_t n = ((const Entry *) answer->bytes)->size;

        answer->n -= n;
        memmove(answer->bytes, answer->bytes + n, answer->n);
    }
    if (answer->n + size > answer->size)
        return;
    entry = (Entry *) (answer->bytes + answer->n);
    answer->n += entry_write(entry, draft);
}

static int put_said(void *userdata, const ArchiveLine *line)
{
    EntryDraft draft = {
        .kind = line->kind == ARCHIVE_ACTION ? ENTRY_ACTION : ENTRY_SAID,
        .wall = line->wall,
        .nick = line->who.nick.bytes,
        .nick_n = line->who.nick.n,
        .text = line->text,
        .text_n = line->n,
        .is_verified = line->who.is_verified,
        .is_recalled = true,
        .uid = line->who.uid,
    };
    NameKey key;

    name_fold(draft.nick, draft.nick_n, &key);
    draft.from_hash = chat_name_hash(&key);
    put_entry(userdata, &draft);
    return 0;
}

static int put_topic(void *userdata, const ArchiveRoomRow *row)
{
    const ArchiveTopic *topic = &row->topic;
    const EntryDraft draft = {
        .kind = ENTRY_TOPIC,
        .wall = topic->wall,
        .nick = topic->by.nick.bytes,
        .nick_n = topic->by.nick.n,
        .text = topic->text,
        .text_n = topic->n,
        .is_verified = topic->by.is_verified,
        .is_recalled = true,
        .uid = topic->by.uid,
    };

    if (topic->n > 0 && topic->n <= LIMIT_TOPIC_BYTES)
        put_entry(userdata, &draft);
    return 0;
}

static void put_note(Collected *answer, const Note *note, size_t n)
{
    const EntryDraft draft = {
        .kind = ENTRY_NOTE, .text = (const char *) note, .text_n = n, .is_recalled = true};

    put_entry(answer, &draft);
}

static int put_kept(void *userdata, const ArchiveRoomRow *row)
{
    Note note;

    (void) put_topic(userdata, row);
    if (!row->is_kept)
        return 0;
    memset(&note, 0, sizeof note);
    note.kind = NOTE_ROOM;
    note.room.founder = row->record.has_founder ? row->record.founder.nick : (Name){0};
    note.room.founder_uid = row->record.founder.uid;
    note.room.flags = row->record.flags;
    put_note(userdata, &note, offsetof(Note, room) + sizeof note.room);
    return 0;
}

static int put_invited(void *userdata, const ArchiveInvite *invite)
{
    Collected *answer = userdata;
    Note note;

    if (!name_has_key(&invite->room, &answer->recall->room) || answer->n_seen++ >= LIMIT_INVITES_ROOM)
        return 0;
    memset(&note, 0, sizeof note);
    note.kind = NOTE_INVITED;
    note.invited.name = invite->name;
    note.invited.uid = invite->uid;
    put_note(answer, &note, offsetof(Note, invited) + sizeof note.invited);
    return 0;
}

/* What comes last is there in any case. */
static int answer_room(Archive *archive, Collected *answer)
{
    int r = archive_last_lines(archive, &answer->recall->room, ARCHIVE_ID_END, answer->recall->n, put_said,
                               answer);

    if (r == 0)
        r = archive_load_room(archive, &answer->recall->room, put_kept, answer);
    if (r == 0)
        r = archive_load_invites(archive, put_invited, answer);
    return error_trace(r);
}

static int put_rule(void *userdata, const ArchiveRule *rule)
{
    Collected *answer = userdata;
    NoteRule note = {
        .number = rule->id, .until = rule->until, .wall = rule->wall, .kind = rule->kind, .by = rule->by};

    if (rule->n_bytes != sizeof note.subject || rule->n_subject > NAME_MAX_BYTES ||
        answer->n + sizeof note > answer->size)
        return 0;
    memcpy(&note.subject, rule->bytes, sizeof note.subject);
    note.reason_n = (uint16_t) MIN(rule->n_reason, (size_t) LIMIT_REASON_BYTES);
    note.whom.n = (uint8_t) rule->n_subject;
    memcpy(note.whom.bytes, rule->subject, rule->n_subject);
    memcpy(note.reason, rule->reason, note.reason_n);
    memcpy(answer->bytes + answer->n, &note, sizeof note);
    answer->n += sizeof note;
    return 0;
}

/* Rooms. */

static int put_room(void *userdata, const ArchiveRoomRow *row)
{
    Collected *answer = userdata;
    RecalledKept *kept = (RecalledKept *) answer->bytes;
    RecalledRoom *room;

    if (!row->is_kept || kept->n_rooms == RECALL_KEPT_ROOMS)
        return 0;
    room = &kept->rooms[kept->n_rooms++];
    room->name = row->record.room;
    room->founder = row->record.has_founder ? row->record.founder.nick : (Name){0};
    room->founder_uid = row->record.founder.uid;
    room->flags = row->record.flags;
    if (row->topic.n > LIMIT_TOPIC_BYTES)
        return 0;
    room->topic_by = row->topic.by.nick;
    room->topic_n = (uint16_t) row->topic.n;
    memcpy(room->topic, row->topic.text, row->topic.n);
    return 0;
}

/* Both come in the order in which the archive first heard of the rooms. */
static int put_invite(void *userdata, const ArchiveInvite *invite)
{
    RecalledKept *kept = (RecalledKept *) ((Collected *) userdata)->bytes;
    uint32_t room = kept->n_invites > 0 ? kept->invites[kept->n_invites - 1].room : 0;

    while (room < kept->n_rooms && !name_is_same(&kept->rooms[room].name, &invite->room))
        room++;
    if (kept->n_invites < LIMIT_INVITES && room < kept->n_rooms)
        kept->invites[kept->n_invites++] =
            (RecalledInvite){.room = room, .name = invite->name, .uid = invite->uid};
    return 0;
}

static int answer_kept(Archive *archive, Collected *answer)
{
    int r;

    memset(answer->bytes, 0, sizeof(RecalledKept));
    answer->n = sizeof(RecalledKept);
    r = archive_load_rooms(archive, put_room, answer);
    if (r == 0)
        r = archive_load_invites(archive, put_invite, answer);
    return error_trace(r);
}

/* What is kept for a person. */

static int put_settings(void *userdata, const ArchiveSettings *settings)
{
    Collected *answer = userdata;
    PersonRecalled *person = (PersonRecalled *) answer->bytes;
    NoteSettings *note = &person->settings.settings;
    size_t n = settings->n_ignored / sizeof note->ignored[0];

    if (!name_has_key(&settings->who.nick, &answer->recall->nick) || n > LIMIT_IGNORES)
        return 0;
    person->settings.kind = NOTE_SETTINGS;
    note->bits = (uint8_t) settings->bits;
    note->n_ignored = (uint8_t) n;
    memcpy(note->ignored, settings->ignored, n * sizeof note->ignored[0]);
    return 0;
}

static int put_mail(void *userdata, const ArchiveMessage *message)
{
    Collected *answer = userdata;
    PersonRecalled *person = (PersonRecalled *) answer->bytes;
    size_t n = text_cut(message->text, message->n, LIMIT_MAIL_BYTES);
    MailRecord *mail;

    if (!name_has_key(&message->to, &answer->recall->nick))
        return 0;
    if (person->n_mails == MAIL_PAGE) {
        answer->is_more = true;
        return 0;
    }
    mail = &person->mails[person->n_mails++];
    *mail = (MailRecord){.id = message->id,
                         .pos = archive_epoch(message->id) == answer->epoch ? archive_pos(message->id) : 0,
                         .wall = message->wall,
                         .from = message->from.nick,
                         .is_verified = message->from.is_verified,
                         .n = (uint16_t) n};
    memcpy(mail->text, message->text, mail->n);
    return 0;
}

static int answer_person(Archive *archive, Collected *answer)
{
    int r;

    memset(answer->bytes, 0, sizeof(PersonRecalled));
    answer->n = sizeof(PersonRecalled);
    r = archive_load_settings(archive, answer->recall->uid, put_settings, answer);
    if (r == 0)
        r = archive_load_messages(archive, answer->recall->uid, MAIL_TO_MAX + 1, put_mail, answer);
    return error_trace(r);
}

static int answer_mail(Archive *archive, Collected *answer)
{
    MailCounts counts;
    int r = archive_count_messages_from(archive, &answer->recall->nick, &counts.from);

    if (r == 0)
        r = archive_count_messages_to(archive, answer->recall->uid, &counts.to);
    if (r != 0)
        return error_trace(r);
    memcpy(answer->bytes, &counts, sizeof counts);
    answer->n = sizeof counts;
    return 0;
}

static int answer_owner(Archive *archive, Collected *answer)
{
    bool is_found = false;
    uint32_t uid;
    int r = archive_find_verified(archive, &answer->recall->nick, &is_found, &uid);

    answer->bytes[0] = 1;
    answer->n = r == 0 && is_found;
    return error_trace(r);
}

static size_t answer_size(uint32_t kind)
{
    switch (kind) {
    case RECALL_ROOM:
        return ENTRIES_BYTES;
    case RECALL_RULES:
        return RULES_BYTES;
    case RECALL_KEPT:
        return sizeof(RecalledKept);
    case RECALL_PERSON:
        return sizeof(PersonRecalled);
    default:
        return TEXT_BYTES;
    }
}

static int collect(Archive *archive, const Recall *recall, Collected *answer)
{
    answer->size = answer_size(recall->kind);
    answer->bytes = malloc(answer->size);
    if (answer->bytes == NULL)
        return error_origin(-ENOMEM);
    switch (recall->kind) {
    case RECALL_ROOM:
        return error_trace(answer_room(archive, answer));
    case RECALL_RULES:
        return error_trace(archive_load_rules(archive, clock_wall(), put_rule, answer));
    case RECALL_LAST:
    case RECALL_BETWEEN:
        return error_trace(answer_lines(archive, answer));
    case RECALL_SEARCH:
        return error_trace(answer_search(archive, answer));
    case RECALL_KEPT:
        return error_trace(answer_kept(archive, answer));
    case RECALL_PERSON:
        return error_trace(answer_person(archive, answer));
    case RECALL_OWNER:
        return error_trace(answer_owner(archive, answer));
    case RECALL_MAIL:
        return error_trace(answer_mail(archive, answer));
    default:
        return error_trace(answer_seen(archive, answer));
    }
}

int answer_question(Archive *archive, const Question *question, Recalled *ret_recalled, char **ret_memory)
{
    Collected answer = {.recall = &question->recall,
                        .epoch = question->epoch,
                        .hidden = question->hidden,
                        .n_hidden = question->n_hidden,
                        .n_known = question->n_known,
                        .deadline = clock_monotonic() + ARCHIVIST_BUDGET_USEC};
    int r = collect(archive, &question->recall, &answer);

    *ret_recalled = (Recalled){
        .bytes = answer.bytes, .n = answer.n, .is_more = answer.is_more, .is_partly = answer.is_partly};
    *ret_memory = answer.bytes;
    return error_trace(r);
}
