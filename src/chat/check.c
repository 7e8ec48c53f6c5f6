/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/macro.h"
#include "base/text.h"
#include "chat/check.h"
#include "chat/note.h"
#include "chat/person.h"
#include "chat/transcript.h"

/* Larger numbers than any chat comes to; so that counting on from them does not wrap. */
#define COUNT_MAX (UINT64_C(1) << 62)

typedef struct Check {
    const State *state;
    const StateUse *use;
    uint8_t *places; /* owned; one bit for every 8 bytes of the ring: an entry begins there */
    char *scratch;   /* owned; LIMIT_TEXT_BYTES cleaned */
} Check;

static const char *check_header(const StateHeader *header)
{
    if (header->tail % 8 != 0 || header->flushed % 8 != 0 || header->head % 8 != 0 ||
        header->tail > header->head || header->flushed > header->head || header->head >= COUNT_MAX ||
        header->head - header->tail > header->transcript_size || header->tail < header->transcript_size)
        return "positions in the header";
    if (header->next_serial == 0 || header->next_serial >= COUNT_MAX || header->next_guest >= COUNT_MAX ||
        header->next_member >= COUNT_MAX || header->next_vault >= COUNT_MAX ||
        header->generation >= COUNT_MAX || header->next_rule == 0 || header->next_rule >= COUNT_MAX)
        return "counters in the header";
    if (header->motd.n > sizeof header->motd.text || memchr(header->host, '\0', sizeof header->host) == NULL)
        return "the greeting in the header";
    return NULL;
}

/* Clean text, and no line end in it. */
static bool text_is_fine(const Check *check, const char *text, size_t n)
{
    size_t i = 0;

    while (i < n && text[i] >= ' ' && text[i] <= '~')
        i++;
    return i == n || (n <= LIMIT_TEXT_BYTES && text_clean(check->scratch, text, n) == n &&
                      memcmp(check->scratch, text, n) == 0);
}

static bool lines_are_fine(const Check *check, const char *text, size_t n)
{
    const char *end = text + n, *line_end;

    while ((line_end = memchr(text, '\n', (size_t) (end - text))) != NULL) {
        if (!text_is_fine(check, text, (size_t) (line_end - text)))
            return false;
        text = line_end + 1;
    }
    return text_is_fine(check, text, (size_t) (end - text));
}

static bool name_is_fine(const Name *name)
{
    Name parsed;

    return name->n <= NAME_MAX_BYTES && name_parse(name->bytes, name->n, NAME_MAX_CHARS, &parsed) == 0 &&
           memcmp(&parsed, name, sizeof parsed) == 0;
}

static bool nick_is_fine(const Name *nick)
{
    Name parsed;

    return nick->n <= NAME_MAX_BYTES && name_parse_nick(nick->bytes, nick->n, &parsed) == 0 &&
           memcmp(&parsed, nick, sizeof parsed) == 0;
}

static bool ignored_is_fine(const IgnoredRecord *ignored)
{
    static const Name nobody;

    if (ignored->serial == IGNORED_PLACE && memcmp(&ignored->name, &nobody, sizeof nobody) == 0)
        return true;
    return nick_is_fine(&ignored->name);
}

/* Of a boolean that might be neither. */
static bool is_boolean(const bool *value)
{
    uint8_t byte;

    memcpy(&byte, value, 1);
    return byte <= 1;
}

/* The transcript */

static bool is_place(const Check *check, uint64_t pos)
{
    uint64_t place = pos % check->state->header->transcript_size / 8;

    return pos % 8 == 0 && (check->places[place / 8] >> place % 8 & 1);
}

/* An entry begins at `pos`, or nothing is left of it. */
static bool is_reference(const Check *check, uint64_t pos, uint64_t end)
{
    return pos < end && (pos < check->state->header->tail || is_place(check, pos));
}

static const Entry *entry_at(const Check *check, uint64_t pos)
{
    return (const Entry *) (check->state->ring + pos % check->state->header->transcript_size);
}

/* What was said in a room, and links to the same. */
static bool history_is_fine(const Check *check, uint64_t pos, uint64_t end, uint32_t room)
{
    if (pos == 0)
        return true;
    if (!is_reference(check, pos, end))
        return false;
    return pos < check->state->header->tail ||
           (entry_is_speech(entry_at(check, pos)) && entry_at(check, pos)->room == room);
}

/* Refusals of telnet options: host/input.c. */
static bool raw_is_fine(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i += 3)
        if (n - i < 3 || bytes[i] != 255 || (bytes[i + 1] != 252 && bytes[i + 1] != 254))
            return false;
    return true;
}

/* From there the links lead back. */
static bool replay_can_end(const Check *check, uint64_t last, uint64_t end)
{
    return is_reference(check, last, end) &&
           (last < check->state->header->tail || entry_is_speech(entry_at(check, last)));
}

static bool replay_is_fine(const Check *check, const Entry *entry)
{
    TranscriptSpan span;

    if (entry->text_n != sizeof span)
        return false;
    memcpy(&span, entry_text(entry), sizeof span);
    return span.first <= span.last && span.last != 0 && replay_can_end(check, span.last, entry->pos);
}

static bool entry_text_is_fine(const Check *check, const Entry *entry)
{
    switch (entry->kind) {
    case ENTRY_REPLY:
        return lines_are_fine(check, entry_text(entry), entry->text_n);
    case ENTRY_RAW:
        return raw_is_fine((const uint8_t *) entry_text(entry), entry->text_n);
    case ENTRY_REPLAY:
        return replay_is_fine(check, entry);
    case ENTRY_NOTE:
        return note_read(entry, &(Note){0});
    default:
        return entry->text_n <= LIMIT_TEXT_BYTES && text_is_fine(check, entry_text(entry), entry->text_n);
    }
}

static bool entry_is_fine(const Check *check, const Entry *entry)
{
    const StateHeader *header = check->state->header;

    if (entry->nick_n > NAME_MAX_BYTES || entry->room_n > NAME_MAX_BYTES ||
        offsetof(Entry, data) + entry->nick_n + entry->room_n + entry->text_n +
                entry_origin_size(entry->is_verified, entry->has_origin) >
            entry->size ||
        entry->kind < ENTRY_SAID || entry->kind > ENTRY_ACT || entry->from >= header->next_serial ||
        (entry->to >= header->next_serial && !(entry->to & PERSON_ADDRESS)) ||
        (entry->room >= check->use->n_rooms && (entry->room != SLOT_NONE || entry->to == 0)))
        return false;
    return history_is_fine(check, entry->prev, entry->pos, entry->room) &&
           text_is_fine(check, entry_nick(entry), entry->nick_n) &&
           text_is_fine(check, entry_room(entry), entry->room_n) && entry_text_is_fine(check, entry);
}

/* Walks over all entries, as transcript_read() does, and remembers where they begin. */
static const char *check_transcript(Check *check)
{
    const StateHeader *header = check->state->header;
    uint64_t pos = header->tail;

    while (pos < header->head) {
        uint64_t rest = header->transcript_size - pos % header->transcript_size;
        const Entry *entry = entry_at(check, pos);

        if (rest < sizeof(Entry) || entry->size == 0) {
            pos += rest;
            continue;
        }
        if (entry->size % 8 != 0 || entry->size < sizeof(Entry) || entry->size > ENTRY_MAX_BYTES ||
            entry->size > rest || entry->size > header->head - pos || entry->pos != pos ||
            !entry_is_fine(check, entry))
            return "an entry of the transcript";
        check->places[pos % header->transcript_size / 64] |= (uint8_t) (1 << pos / 8 % 8);
        pos += entry->size;
    }
    return pos == header->head ? NULL : "the end of the transcript";
}

/* Where somebody may read on: at an entry, behind one, or at the end. */
static bool is_boundary(const Check *check, uint64_t pos)
{
    const StateHeader *header = check->state->header;

    if (pos < header->tail || pos > header->head || pos % 8 != 0)
        return false;
    if (pos == header->head || pos == header->tail || is_place(check, pos))
        return true;
    /* Behind the last entry before the ring's end there may be a gap. */
    for (uint64_t at = pos; at > header->tail && pos - at <= ENTRY_MAX_BYTES;) {
        at -= 8;
        if (is_place(check, at))
            return at + entry_at(check, at)->size == pos;
    }
    return false;
}

static bool over_is_fine(const StateHeader *header, const OverRecord *over)
{
    return over->pos < header->head && over->pos % 8 == 0 && (over->flags & ~(uint32_t) ROOM_SET) == 0 &&
           over->how <= OVER_GIVEN && name_is_fine(&over->name) &&
           (over->how != OVER_GIVEN ||
            (nick_is_fine(&over->founder) && (over->former.n == 0 || nick_is_fine(&over->former))));
}

/* They stand in the order of their positions. */
static bool overs_are_fine(const State *state)
{
    const StateHeader *header = state->header;
    const OverRecord *over;
    uint64_t after = 0;

    if (header->over_end >= COUNT_MAX || header->over_first > header->over_end ||
        header->over_end - header->over_first > header->max_overs)
        return false;
    for (uint64_t i = header->over_first; i < header->over_end; i++, after = over->pos) {
        over = &state->overs[i % header->max_overs];
        if (over->pos <= after || !over_is_fine(header, over))
            return false;
    }
    return true;
}

/* Of what the archive is given, and told. */
static bool mark_is_fine(const Check *check)
{
    const StateHeader *header = check->state->header;
    const ArchiveMark *mark = &header->archive;

    if (mark->n_dropped >= COUNT_MAX || mark->n_before >= COUNT_MAX || mark->recalled > PAST_UNREADABLE ||
        header->is_noting > 1 || header->archived > header->head || header->noted_from > header->head ||
        !overs_are_fine(check->state))
        return false;
    return mark->from == UINT64_MAX || mark->from < header->tail || is_boundary(check, mark->from);
}

/* What was overwritten has not been sent to all: in a turn that gave more than the ring holds. Then everybody
 * reads by a cursor of their own. */
static const char *check_positions(const Check *check)
{
    const StateHeader *header = check->state->header;

    if (header->flushed >= header->tail && !is_boundary(check, header->flushed))
        return "positions in the header";
    return mark_is_fine(check) ? NULL : "what is for the archive";
}

/* The records */

/* What somebody is in the middle of is finished, whoever hears it by now: it is something that they heard
 * once. */
static bool begun_is_fine(const Check *check, const SessionRecord *record)
{
    bool is_notice = !(record->flags & SESSION_GREETED) || record->missed > 0 || record->lost > 0;
    uint64_t pos = record->cursor, address = record->serial;
    const Entry *entry;

    if (record->written == 0 || is_notice || record->replay != 0)
        return true;
    if (!(record->flags & SESSION_LAGGING))
        pos = MAX(pos, check->state->header->flushed);
    if (pos >= check->state->header->head || !is_place(check, pos))
        return false;
    entry = entry_at(check, pos);
    if (record->standing & STANDING_VERIFIED)
        address = PERSON_ADDRESS | record->peer.uid;
    return entry->kind != ENTRY_NOTE && entry->kind != ENTRY_REPLAY &&
           (entry->to == 0 || entry->to == PERSON_EVERYBODY || entry->to == record->serial ||
            entry->to == address);
}

static const char *check_session(const Check *check, uint32_t session)
{
    const State *state = check->state;
    const StateHeader *header = state->header;
    const SessionRecord *record = &state->sessions[session];
    const AwayRecord *away = &state->aways[session];
    bool reads_by_itself = (record->flags & SESSION_LAGGING) || record->cursor > header->flushed;
    uint64_t cursor = reads_by_itself ? record->cursor : header->flushed;

    if (record->serial >= header->next_serial || !nick_is_fine(&record->nick))
        return "the name of a session";
    if (!is_boundary(check, cursor) || record->end > header->head || record->written > LIMIT_ITEM_BYTES ||
        !begun_is_fine(check, record))
        return "where a session reads";
    if ((record->replay == 0) != (record->replay_last == 0) || record->replay > record->replay_last ||
        (record->replay != 0 && !replay_can_end(check, record->replay_last, header->head)))
        return "what a session is shown again";
    if (record->flags >= SESSION_AWAY << 1 || (record->settings & ~SETTINGS_ALL) != 0 ||
        record->standing >= STANDING_IN_GROUP << 1 || !is_boolean(&record->is_within_line) ||
        !is_boolean(&record->peer.is_local) ||
        ((record->standing & ~STANDING_EXPELLED) != 0 &&
         (!(record->standing & STANDING_VERIFIED) || !record->peer.is_local ||
          record->peer.uid == UINT32_MAX)))
        return "the flags of a session";
    if (record->n_half > READ_BYTES || record->n_peeked > READ_BYTES || record->bytes_in >= COUNT_MAX ||
        record->bytes_out >= COUNT_MAX)
        return "the byte counts of a session";
    if (record->current_room >= check->use->n_rooms || record->reply_session >= header->max_sessions)
        return "what a session refers to";
    if ((record->flags & SESSION_AWAY) &&
        (away->n > LIMIT_TOPIC_BYTES || !text_is_fine(check, away->text, away->n)))
        return "the text of somebody who is away";
    if (record->n_ignored > header->max_ignored)
        return "the number of people that somebody ignores";
    for (size_t i = 0; i < record->n_ignored; i++)
        if (!ignored_is_fine(&state->ignored[(size_t) session * header->max_ignored + i]))
            return "the name of somebody who is ignored";
    return NULL;
}

static bool keeping_is_fine(const RoomRecord *record, uint32_t room)
{
    static const Name nobody = {0};

    if (record->flags >= ROOM_RECALLED << 1 ||
        ((record->flags & ROOM_CLOSING) && (record->flags & ~ROOM_CLOSING) != 0) ||
        (room == ROOM_LOBBY && (record->flags & ~ROOM_TOPIC_LOCKED) != 0))
        return false;
    return record->flags & ROOM_FOUNDED ? nick_is_fine(&record->founder)
                                        : memcmp(&record->founder, &nobody, sizeof nobody) == 0;
}

static const char *check_room(const Check *check, uint32_t room)
{
    const RoomRecord *record = &check->state->rooms[room];

    if (!name_is_fine(&record->name))
        return "the name of a room";
    if (record->topic_n > LIMIT_TOPIC_BYTES || !text_is_fine(check, record->topic, record->topic_n) ||
        (memcmp(&record->topic_by, &(Name){0}, sizeof(Name)) != 0 && !nick_is_fine(&record->topic_by)))
        return "the topic of a room";
    if (!history_is_fine(check, record->last_said, check->state->header->head, room))
        return "the history of a room";
    return keeping_is_fine(record, room) ? NULL : "what is kept of a room";
}

static const char *check_member(const Check *check, uint32_t member)
{
    const State *state = check->state;
    const MemberRecord *record = &state->members[member];

    if (record->joined > state->header->head || record->session >= check->use->n_sessions ||
        state->sessions[record->session].serial == 0 || record->room >= check->use->n_rooms ||
        state->rooms[record->room].created_wall == 0)
        return "who is in a room";
    return NULL;
}

static const char *check_rule(const Check *check, uint32_t rule)
{
    const StateHeader *header = check->state->header;
    const RuleRecord *record = &check->state->rules[rule];
    static const Name nobody = {0};

    if (record->number >= header->next_rule || record->kind < RULE_BAN || record->kind > RULE_OPERATOR ||
        !is_boolean(&record->subject.is_uid) || record->subject.n_bits > 128 ||
        (record->kind == RULE_OPERATOR && !record->subject.is_uid))
        return "a rule";
    if ((memcmp(&record->whom, &nobody, sizeof nobody) != 0 && !nick_is_fine(&record->whom)) ||
        !nick_is_fine(&record->by) || record->reason_n > LIMIT_REASON_BYTES ||
        !text_is_fine(check, record->reason, record->reason_n))
        return "the words of a rule";
    return NULL;
}

/* Of an account, or of a guest, whose name is not in it. */
static const char *check_invite(const Check *check, uint32_t invite)
{
    const InviteRecord *record = &check->state->invites[invite];
    static const Name nobody = {0};
    bool is_whole = record->whom & PERSON_ADDRESS
                        ? record->whom < PERSON_EVERYBODY && nick_is_fine(&record->name)
                        : record->whom < check->state->header->next_serial &&
                              record->session < check->use->n_sessions &&
                              memcmp(&record->name, &nobody, sizeof nobody) == 0;

    if (!is_whole || record->room == ROOM_LOBBY || record->room >= check->use->n_rooms ||
        check->state->rooms[record->room].created_wall == 0)
        return "who is invited into a room";
    return NULL;
}

static const char *check_records(const Check *check)
{
    const State *state = check->state;
    const char *why = NULL;

    if (check->use->n_rooms == 0 || state->rooms[ROOM_LOBBY].created_wall == 0)
        return "there is no lobby";
    for (uint32_t i = 0; why == NULL && i < check->use->n_sessions; i++)
        if (state->sessions[i].serial != 0)
            why = check_session(check, i);
    for (uint32_t i = 0; why == NULL && i < check->use->n_rooms; i++)
        if (state->rooms[i].created_wall != 0)
            why = check_room(check, i);
    for (uint32_t i = 0; why == NULL && i < check->use->n_members; i++)
        if (state->members[i].joined != 0)
            why = check_member(check, i);
    for (uint32_t i = 0; why == NULL && i < check->use->n_rules; i++)
        if (state->rules[i].number != 0)
            why = check_rule(check, i);
    for (uint32_t i = 0; why == NULL && i < check->use->n_invites; i++)
        if (state->invites[i].whom != 0)
            why = check_invite(check, i);
    return why;
}

static int compare_values(const void *a, const void *b)
{
    const uint64_t *one = a, *other = b;

    return (*one > *other) - (*one < *other);
}

/* Whether one of these is there more than `max` times. They are sorted then. */
static bool is_too_often(uint64_t *values, uint32_t n, uint32_t max)
{
    qsort(values, n, sizeof *values, compare_values);
    for (uint32_t i = max; i < n; i++)
        if (values[i - max] == values[i])
            return true;
    return false;
}

/* Connections are told apart by the serials of their sessions, and a person has so many of them. 0, or
 * -ENOMEM. */
static int check_identities(const Check *check, const char **ret_why)
{
    const SessionRecord *sessions = check->state->sessions;
    uint32_t n_sessions = check->use->n_sessions, n = 0;
    uint64_t *values = calloc((size_t) n_sessions + 1, sizeof *values);

    if (values == NULL)
        return error_origin(-ENOMEM);
    for (uint32_t i = 0; i < n_sessions; i++)
        if (sessions[i].serial != 0)
            values[n++] = sessions[i].serial;
    if (is_too_often(values, n, 1))
        *ret_why = "two sessions are one";
    n = 0;
    for (uint32_t i = 0; i < n_sessions; i++)
        if (sessions[i].serial != 0 && (sessions[i].standing & STANDING_VERIFIED))
            values[n++] = sessions[i].peer.uid;
    if (is_too_often(values, n, LIMIT_PERSON_SESSIONS))
        *ret_why = "a person has too many sessions";
    free(values);
    return 0;
}

int check_state(const State *state, const StateUse *use, const char **ret_why)
{
    _cleanup_(freep) uint8_t *places = NULL;
    _cleanup_(freep) char *scratch = malloc((size_t) TEXT_GROWTH * LIMIT_TEXT_BYTES);
    Check check = {.state = state, .use = use, .scratch = scratch};

    *ret_why = check_header(state->header);
    if (*ret_why != NULL)
        return 0;
    places = check.places = calloc(1, state->header->transcript_size / 64 + 1);
    if (places == NULL || scratch == NULL)
        return error_origin(-ENOMEM);
    if (!lines_are_fine(&check, state->header->motd.text, state->header->motd.n) ||
        !text_is_fine(&check, state->header->host, strlen(state->header->host)))
        *ret_why = "the greeting in the header";
    if (*ret_why == NULL)
        *ret_why = check_transcript(&check);
    if (*ret_why == NULL)
        *ret_why = check_positions(&check);
    if (*ret_why == NULL)
        *ret_why = check_records(&check);
    return *ret_why == NULL ? error_trace(check_identities(&check, ret_why)) : 0;
}
