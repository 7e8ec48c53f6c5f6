/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* What is found wrong with a damaged state. That what passes does no harm is in test-restore.c. */

#include <string.h>

#include "chat/check.h"
#include "chat/person.h"
#include "chat/session.h"
#include "unit/damage.h"
#include "unit/unit.h"

/* One number of one record. */
typedef struct Damage {
    enum { HEADER, SESSION, AWAY, IGNORED, ROOM, MEMBER, RULE, INVITE, OVER, ENTRY } kind;
    unsigned which; /* of the used ones */
    size_t offset, size;
    uint64_t value;
    const char *why; /* NULL: it does not matter */
} Damage;

/* Bits beside each other; the next byte has nick_n. */
#define KIND (offsetof(Entry, text_n) + sizeof(uint16_t)), 1
#define FIELD(type, name) offsetof(type, name), sizeof(((type *) NULL)->name)

#define ARCHIVE "what is for the archive"

static const Damage DAMAGES[] = {
    {HEADER, 0, FIELD(StateHeader, tail), 8, "positions in the header"},
    {HEADER, 0, FIELD(StateHeader, tail), LIMIT_TRANSCRIPT_MIN + 8, "an entry of the transcript"},
    {HEADER, 0, FIELD(StateHeader, tail), LIMIT_TRANSCRIPT_MIN + 4, "positions in the header"},
    {HEADER, 0, FIELD(StateHeader, flushed), LIMIT_TRANSCRIPT_MIN - 8, NULL}, /* all read by themselves */
    {HEADER, 0, FIELD(StateHeader, flushed), LIMIT_TRANSCRIPT_MIN + 8, "positions in the header"},
    {HEADER, 0, FIELD(StateHeader, flushed), INT64_MAX - 7, "positions in the header"},
    {HEADER, 0, FIELD(StateHeader, head), LIMIT_TRANSCRIPT_MIN, "positions in the header"},
    {HEADER, 0, FIELD(StateHeader, head), 2 * LIMIT_TRANSCRIPT_MIN + 8, "positions in the header"},
    {HEADER, 0, FIELD(StateHeader, head), 2 * LIMIT_TRANSCRIPT_MIN, NULL}, /* the rest looks like a gap */
    {HEADER, 0, FIELD(StateHeader, head), UINT64_MAX - 7, "positions in the header"},
    {HEADER, 0, FIELD(StateHeader, next_serial), 0, "counters in the header"},
    {HEADER, 0, FIELD(StateHeader, next_serial), 3, "an entry of the transcript"},
    {HEADER, 0, FIELD(StateHeader, next_serial), UINT64_C(1) << 62, "counters in the header"},
    {HEADER, 0, FIELD(StateHeader, next_serial), 1000, NULL},
    {HEADER, 0, FIELD(StateHeader, next_guest), UINT64_C(1) << 62, "counters in the header"},
    {HEADER, 0, FIELD(StateHeader, next_member), UINT64_C(1) << 62, "counters in the header"},
    {HEADER, 0, FIELD(StateHeader, next_vault), UINT64_C(1) << 62, "counters in the header"},
    {HEADER, 0, FIELD(StateHeader, generation), UINT64_C(1) << 62, "counters in the header"},
    {HEADER, 0, FIELD(StateHeader, started_wall), UINT64_MAX, NULL},
    {HEADER, 0, FIELD(StateHeader, n_restarts), UINT32_MAX, NULL},
    {HEADER, 0, FIELD(StateHeader, motd.n), LIMIT_MOTD_BYTES + 1, "the greeting in the header"},
    {HEADER, 0, FIELD(StateHeader, motd.n), LIMIT_MOTD_BYTES, "the greeting in the header"}, /* NULs */
    {HEADER, 0, FIELD(StateHeader, motd.n), 0, NULL},
    {HEADER, 0, offsetof(StateHeader, motd.text), 1, 0x1b, "the greeting in the header"},
    {HEADER, 0, offsetof(StateHeader, motd.text), 1, '\n', NULL},
    {HEADER, 0, offsetof(StateHeader, host), 1, 0x9b, "the greeting in the header"},
    {HEADER, 0, offsetof(StateHeader, host), 1, '\n', "the greeting in the header"},
    {HEADER, 0, FIELD(StateHeader, archive.from), 8, NULL},
    {HEADER, 0, FIELD(StateHeader, archive.from), LIMIT_TRANSCRIPT_MIN - 1, NULL}, /* was overwritten */
    {HEADER, 0, FIELD(StateHeader, archive.from), LIMIT_TRANSCRIPT_MIN, NULL},
    {HEADER, 0, FIELD(StateHeader, archive.from), LIMIT_TRANSCRIPT_MIN + 8, ARCHIVE},
    {HEADER, 0, FIELD(StateHeader, archive.from), 2 * LIMIT_TRANSCRIPT_MIN, ARCHIVE}, /* behind the head */
    {HEADER, 0, FIELD(StateHeader, archive.from), UINT64_MAX - 7, ARCHIVE},
    {HEADER, 0, FIELD(StateHeader, archive.from), UINT64_MAX - 1, ARCHIVE},
    {HEADER, 0, FIELD(StateHeader, archive.from), UINT64_MAX, NULL},
    {HEADER, 0, FIELD(StateHeader, archive.n_dropped), (UINT64_C(1) << 62) - 1, NULL},
    {HEADER, 0, FIELD(StateHeader, archive.n_dropped), UINT64_C(1) << 62, ARCHIVE},
    {HEADER, 0, FIELD(StateHeader, archive.n_before), (UINT64_C(1) << 62) - 1, NULL},
    {HEADER, 0, FIELD(StateHeader, archive.n_before), UINT64_C(1) << 62, ARCHIVE},
    {HEADER, 0, FIELD(StateHeader, archive.recalled), 1, NULL},
    {HEADER, 0, FIELD(StateHeader, archive.recalled), 2, NULL},
    {HEADER, 0, FIELD(StateHeader, archive.recalled), 3, ARCHIVE},
    {OVER, 2, FIELD(OverRecord, flags), UINT32_MAX, NULL}, /* of nothing */
    {OVER, 0, FIELD(OverRecord, flags), UINT32_MAX, ARCHIVE},
    {OVER, 0, FIELD(OverRecord, flags), ROOM_FOUNDED, ARCHIVE},
    {OVER, 0, FIELD(OverRecord, flags), ROOM_SET, NULL},
    {OVER, 0, FIELD(OverRecord, how), OVER_GIVEN, ARCHIVE}, /* to nobody */
    {OVER, 1, FIELD(OverRecord, how), OVER_GIVEN + 1, ARCHIVE},
    {OVER, 0, FIELD(OverRecord, name.n), 0, ARCHIVE},
    {OVER, 1, FIELD(OverRecord, founder.n), 0, ARCHIVE},
    {OVER, 1, FIELD(OverRecord, founder.n), 255, ARCHIVE},
    {OVER, 1, FIELD(OverRecord, former.n), 255, ARCHIVE},
    {OVER, 1, FIELD(OverRecord, founder_uid), UINT32_MAX, NULL},
    {OVER, 0, FIELD(OverRecord, pos), 0, ARCHIVE},
    {OVER, 0, FIELD(OverRecord, pos), 12, ARCHIVE},
    {OVER, 0, FIELD(OverRecord, pos), 16, ARCHIVE}, /* the one after it has that */
    {OVER, 1, FIELD(OverRecord, pos), 8, ARCHIVE},
    {OVER, 1, FIELD(OverRecord, pos), INT64_MAX - 7, ARCHIVE},
    {HEADER, 0, FIELD(StateHeader, over_first), 2, NULL},
    {HEADER, 0, FIELD(StateHeader, over_first), 3, ARCHIVE},
    {HEADER, 0, FIELD(StateHeader, over_end), 3, ARCHIVE}, /* of nothing */
    {HEADER, 0, FIELD(StateHeader, over_end), LIMIT_ROOMS_OVER + 1, ARCHIVE},
    {HEADER, 0, FIELD(StateHeader, over_end), UINT64_MAX, ARCHIVE},
    {HEADER, 0, FIELD(StateHeader, archived), LIMIT_TRANSCRIPT_MIN, NULL},
    {HEADER, 0, FIELD(StateHeader, archived), 2 * LIMIT_TRANSCRIPT_MIN, ARCHIVE},
    {HEADER, 0, FIELD(StateHeader, n_archived), UINT64_MAX, NULL}, /* as the archive says */
    {HEADER, 0, FIELD(StateHeader, noted_from), LIMIT_TRANSCRIPT_MIN, NULL},
    {HEADER, 0, FIELD(StateHeader, noted_from), 2 * LIMIT_TRANSCRIPT_MIN, ARCHIVE},
    {HEADER, 0, FIELD(StateHeader, is_noting), 1, NULL},
    {HEADER, 0, FIELD(StateHeader, is_noting), 2, ARCHIVE},
    {HEADER, 0, FIELD(StateHeader, today), UINT64_MAX, NULL},
    {SESSION, 0, FIELD(SessionRecord, serial), 1000, "the name of a session"},
    {SESSION, 0, offsetof(SessionRecord, nick.n), 1, 0, "the name of a session"},
    {SESSION, 0, offsetof(SessionRecord, nick.n), 1, 4, "the name of a session"},
    {SESSION, 0, offsetof(SessionRecord, nick.n), 1, 255, "the name of a session"},
    {SESSION, 0, offsetof(SessionRecord, nick.bytes), 1, '-', "the name of a session"},
    {SESSION, 0, offsetof(SessionRecord, nick.bytes), 1, 0x1b, "the name of a session"},
    {SESSION, 0, offsetof(SessionRecord, nick.bytes) + NAME_MAX_BYTES, 1, 'x', "the name of a session"},
    {SESSION, 1, FIELD(SessionRecord, cursor), 0, "where a session reads"},
    {SESSION, 1, FIELD(SessionRecord, cursor), LIMIT_TRANSCRIPT_MIN, "where a session reads"}, /* a note */
    {SESSION, 2, FIELD(SessionRecord, cursor), LIMIT_TRANSCRIPT_MIN, NULL},
    {SESSION, 1, FIELD(SessionRecord, cursor), LIMIT_TRANSCRIPT_MIN + 8, "where a session reads"},
    {SESSION, 1, FIELD(SessionRecord, cursor), LIMIT_TRANSCRIPT_MIN + 1, "where a session reads"},
    {SESSION, 1, FIELD(SessionRecord, cursor), UINT64_MAX, "where a session reads"},
    {SESSION, 0, FIELD(SessionRecord, cursor), 0, NULL}, /* it reads on at `flushed` */
    {SESSION, 0, FIELD(SessionRecord, cursor), 3 * LIMIT_TRANSCRIPT_MIN, "where a session reads"},
    {SESSION, 0, FIELD(SessionRecord, end), UINT64_MAX, "where a session reads"},
    {SESSION, 1, FIELD(SessionRecord, written), LIMIT_ITEM_BYTES + 1, "where a session reads"},
    {SESSION, 0, FIELD(SessionRecord, replay), 8, "what a session is shown again"},
    {SESSION, 0, FIELD(SessionRecord, replay_last), 8, "what a session is shown again"},
    {SESSION, 0, FIELD(SessionRecord, flags), SESSION_AWAY << 1, "the flags of a session"},
    {SESSION, 0, FIELD(SessionRecord, settings), SETTING_BELL << 1, "the flags of a session"},
    {SESSION, 0, FIELD(SessionRecord, settings), SETTING_ASCII, NULL},
    {SESSION, 0, FIELD(SessionRecord, settings), SETTING_ASCII << 1, "the flags of a session"},
    {SESSION, 0, FIELD(SessionRecord, item_key), UINT8_MAX, NULL},
    {SESSION, 0, FIELD(SessionRecord, standing), STANDING_VERIFIED, "the flags of a session"}, /* over TCP */
    {SESSION, 0, FIELD(SessionRecord, standing), STANDING_SETTLED << 1, "the flags of a session"},
    {SESSION, 0, FIELD(SessionRecord, is_within_line), 2, "the flags of a session"},
    {SESSION, 0, FIELD(SessionRecord, peer.is_local), 2, "the flags of a session"},
    {SESSION, 5, FIELD(SessionRecord, peer.is_local), 31, "the flags of a session"}, /* by an account */
    {SESSION, 5, FIELD(SessionRecord, peer.is_local), 0, "the flags of a session"},
    {SESSION, 0, FIELD(SessionRecord, n_half), READ_BYTES + 1, "the byte counts of a session"},
    {SESSION, 0, FIELD(SessionRecord, n_peeked), READ_BYTES + 1, "the byte counts of a session"},
    {SESSION, 0, FIELD(SessionRecord, n_peeked), READ_BYTES, NULL},
    {SESSION, 0, FIELD(SessionRecord, bytes_in), UINT64_C(1) << 62, "the byte counts of a session"},
    {SESSION, 0, FIELD(SessionRecord, bytes_out), UINT64_C(1) << 62, "the byte counts of a session"},
    {SESSION, 0, FIELD(SessionRecord, current_room), 3000, "what a session refers to"},
    {SESSION, 0, FIELD(SessionRecord, reply_session), 6, "what a session refers to"},
    {SESSION, 0, FIELD(SessionRecord, reply_session), 5, NULL},
    {SESSION, 0, FIELD(SessionRecord, reply_serial), UINT64_MAX, NULL},
    {SESSION, 0, FIELD(SessionRecord, lines_due), UINT64_MAX, NULL},
    {SESSION, 0, FIELD(SessionRecord, n_ignored), 3, "the number of people that somebody ignores"},
    {SESSION, 1, FIELD(SessionRecord, n_ignored), 2, "the name of somebody who is ignored"},
    {AWAY, 0, FIELD(AwayRecord, n), LIMIT_TOPIC_BYTES + 1, "the text of somebody who is away"},
    {AWAY, 0, offsetof(AwayRecord, text), 1, 0x1b, "the text of somebody who is away"},
    {AWAY, 0, offsetof(AwayRecord, text), 1, '\n', "the text of somebody who is away"},
    {AWAY, 1, offsetof(AwayRecord, text), 1, 0x1b, NULL}, /* is not away */
    {IGNORED, 0, offsetof(IgnoredRecord, name.bytes), 1, '!', "the name of somebody who is ignored"},
    {IGNORED, 1, offsetof(IgnoredRecord, name.n), 1, 255, "the name of somebody who is ignored"},
    {ROOM, 0, FIELD(RoomRecord, created_wall), 0, "there is no lobby"},
    {ROOM, 1, FIELD(RoomRecord, created_wall), 0, "who is in a room"},
    {ROOM, 0, offsetof(RoomRecord, name.bytes), 1, '#', "the name of a room"},
    {ROOM, 1, offsetof(RoomRecord, name.n), 1, 0, "the name of a room"},
    {ROOM, 0, FIELD(RoomRecord, topic_n), LIMIT_TOPIC_BYTES + 1, "the topic of a room"},
    {ROOM, 0, offsetof(RoomRecord, topic), 1, '\n', "the topic of a room"},
    {ROOM, 0, offsetof(RoomRecord, topic_by.n), 1, 0, "the topic of a room"},
    {ROOM, 0, offsetof(RoomRecord, topic_by.bytes), 1, 0x1b, "the topic of a room"},
    {ROOM, 0, FIELD(RoomRecord, last_said), UINT64_MAX, "the history of a room"},
    {ROOM, 0, FIELD(RoomRecord, last_said), LIMIT_TRANSCRIPT_MIN + 8, "the history of a room"},
    {ROOM, 0, FIELD(RoomRecord, last_said), 8, NULL}, /* was overwritten */
    {ROOM, 0, FIELD(RoomRecord, sum_due), UINT64_MAX, NULL},
    {ROOM, 0, FIELD(RoomRecord, flags), ROOM_TOPIC_LOCKED, NULL},
    {ROOM, 0, FIELD(RoomRecord, flags), ROOM_LOCKED, "what is kept of a room"},
    {ROOM, 0, FIELD(RoomRecord, flags), ROOM_CLOSING, "what is kept of a room"},
    {ROOM, 1, FIELD(RoomRecord, flags), ROOM_LOCKED, NULL},
    {ROOM, 1, FIELD(RoomRecord, flags), ROOM_CLOSING, NULL},
    {ROOM, 1, FIELD(RoomRecord, flags), ROOM_FOUNDED, "what is kept of a room"}, /* by nobody */
    {ROOM, 0, FIELD(RoomRecord, flags), ROOM_STRANGERS, "what is kept of a room"},
    {ROOM, 1, FIELD(RoomRecord, flags), ROOM_LOCKED | ROOM_STRANGERS, NULL},
    {ROOM, 1, FIELD(RoomRecord, flags), ROOM_RECALLED, NULL},
    {ROOM, 1, FIELD(RoomRecord, flags), ROOM_RECALLED << 1, "what is kept of a room"},
    {ROOM, 2, FIELD(RoomRecord, flags), ROOM_FOUNDED, NULL},
    {ROOM, 2, FIELD(RoomRecord, flags), ROOM_FOUNDED | ROOM_CLOSING, "what is kept of a room"},
    {ROOM, 2, FIELD(RoomRecord, flags), 0, "what is kept of a room"}, /* and it has a founder */
    {ROOM, 2, FIELD(RoomRecord, founder.n), 0, "what is kept of a room"},
    {ROOM, 2, offsetof(RoomRecord, founder.bytes), 1, 0x1b, "what is kept of a room"},
    {ROOM, 2, FIELD(RoomRecord, founder_uid), UINT32_MAX, NULL},
    {ROOM, 2, FIELD(RoomRecord, empty_since), UINT32_MAX, NULL},
    {RULE, 0, FIELD(RuleRecord, kind), RULE_OPERATOR, "a rule"}, /* about a network */
    {RULE, 0, FIELD(RuleRecord, kind), RULE_OPERATOR + 1, "a rule"},
    {RULE, 0, FIELD(RuleRecord, number), 1000, "a rule"},
    {RULE, 0, FIELD(RuleRecord, subject.n_bits), 129, "a rule"},
    {RULE, 0, FIELD(RuleRecord, reason_n), LIMIT_REASON_BYTES + 1, "the words of a rule"},
    {RULE, 0, FIELD(RuleRecord, by.n), 0, "the words of a rule"},
    {INVITE, 0, FIELD(InviteRecord, whom), 7, "who is invited into a room"}, /* is not yet given out */
    {INVITE, 0, FIELD(InviteRecord, whom), 5, NULL},
    {INVITE, 0, FIELD(InviteRecord, whom), PERSON_ADDRESS, "who is invited into a room"}, /* without a name */
    {INVITE, 0, FIELD(InviteRecord, session), 3000, "who is invited into a room"},
    {INVITE, 0, FIELD(InviteRecord, name.n), 1, "who is invited into a room"},
    {INVITE, 0, FIELD(InviteRecord, room), ROOM_LOBBY, "who is invited into a room"},
    {INVITE, 0, FIELD(InviteRecord, room), 3000, "who is invited into a room"},
    {INVITE, 1, FIELD(InviteRecord, whom), PERSON_ADDRESS | UINT32_MAX, "who is invited into a room"},
    {INVITE, 1, FIELD(InviteRecord, whom), UINT64_MAX, "who is invited into a room"},
    {INVITE, 1, FIELD(InviteRecord, name.n), 0, "who is invited into a room"},
    {INVITE, 1, FIELD(InviteRecord, name.n), 255, "who is invited into a room"},
    {INVITE, 1, FIELD(InviteRecord, session), UINT32_MAX, NULL},
    {MEMBER, 0, FIELD(MemberRecord, joined), UINT64_MAX, "who is in a room"},
    {MEMBER, 0, FIELD(MemberRecord, session), 4000, "who is in a room"},
    {MEMBER, 0, FIELD(MemberRecord, room), 4000, "who is in a room"},
    {MEMBER, 0, FIELD(MemberRecord, room), 3, "who is in a room"},
    {ENTRY, 0, FIELD(Entry, pos), 0, "an entry of the transcript"},
    {ENTRY, 0, FIELD(Entry, size), sizeof(Entry) - 8, "an entry of the transcript"},
    {ENTRY, 0, FIELD(Entry, size), sizeof(Entry) + 4, "an entry of the transcript"},
    {ENTRY, 0, FIELD(Entry, size), UINT32_MAX - 7, "an entry of the transcript"},
    {ENTRY, 0, FIELD(Entry, size), 0, "the end of the transcript"},
    {ENTRY, 0, KIND, 0, "an entry of the transcript"},
    {ENTRY, 0, KIND, ENTRY_ACT + 1, "an entry of the transcript"},
    {ENTRY, 0, KIND, ENTRY_RAW, "an entry of the transcript"},
    {ENTRY, 0, KIND, ENTRY_REPLAY, "an entry of the transcript"},
    {ENTRY, 0, FIELD(Entry, from), 1000, "an entry of the transcript"},
    {ENTRY, 0, FIELD(Entry, to), 1000, "an entry of the transcript"},
    {ENTRY, 0, FIELD(Entry, to), UINT64_C(1) << 63, NULL}, /* a person */
    {ENTRY, 0, FIELD(Entry, room), 3000, "an entry of the transcript"},
    {ENTRY, 0, FIELD(Entry, prev), UINT64_MAX, "an entry of the transcript"},
    {ENTRY, 0, FIELD(Entry, prev), LIMIT_TRANSCRIPT_MIN, "an entry of the transcript"},
    {ENTRY, 0, FIELD(Entry, prev), 8, NULL},
    {ENTRY, 0, FIELD(Entry, text_n), UINT16_MAX, "an entry of the transcript"},
    {ENTRY, 0, offsetof(Entry, text_n) + 3, 1, 127, "an entry of the transcript"}, /* nick_n */
    {ENTRY, 0, offsetof(Entry, text_n) + 4, 1, 127, "an entry of the transcript"},
    {ENTRY, 0, offsetof(Entry, data), 1, 0x1b, "an entry of the transcript"},
    {ENTRY, 0, offsetof(Entry, data), 1, 0x7f, "an entry of the transcript"},
    {ENTRY, 0, FIELD(Entry, next), UINT32_MAX, NULL},
    {ENTRY, 0, FIELD(Entry, from_hash), UINT64_MAX, NULL},
};

static char *find_record(const State *state, const Damage *damage)
{
    const void *const records[] = {
        [HEADER] = state->header,
        [SESSION] = &state->sessions[damage->which],
        [AWAY] = &state->aways[damage->which],
        [IGNORED] = &state->ignored[damage->which],
        [ROOM] = &state->rooms[damage->which],
        [MEMBER] = &state->members[damage->which],
        [RULE] = &state->rules[damage->which],
        [INVITE] = &state->invites[damage->which],
        [OVER] = &state->overs[damage->which],
        [ENTRY] = state->ring + state->header->tail % state->header->transcript_size,
    };

    return (char *) (uintptr_t) records[damage->kind];
}

static const char *check(const State *state)
{
    StateUse use = state_use(state);
    const char *why = "?";

    ck_assert_int_eq(check_state(state, &use, &why), 0);
    return why;
}

/* Two rooms, of the second of which is known who had it. */
static void end_rooms(State *state)
{
    OverRecord *overs = (OverRecord *) (uintptr_t) state->overs;

    overs[0] = (OverRecord){.pos = 8, .name = {3, "den"}, .flags = ROOM_LOCKED};
    overs[1] = (OverRecord){
        .pos = 16, .name = {3, "hut"}, .how = OVER_GIVEN, .founder = {3, "bob"}, .former = {3, "eve"}};
    state->header->over_end = 2;
}

START_TEST(test_damages)
{
    Harness *harness = damage_world();
    State *state = &harness->chat->state;

    end_rooms(state);
    ck_assert_ptr_null(check(state));
    for (size_t i = 0; i < N_ELEMENTS(DAMAGES); i++) {
        const Damage *damage = &DAMAGES[i];
        char *at = find_record(state, damage) + damage->offset, old[8];
        const char *why;

        memcpy(old, at, damage->size);
        memcpy(at, &damage->value, damage->size);
        why = check(state);
        ck_assert_msg((why == NULL) == (damage->why == NULL) &&
                          (why == NULL || strcmp(why, damage->why) == 0),
                      "damage %zu, offset %zu, value %llx: %s", i, damage->offset,
                      (unsigned long long) damage->value, why != NULL ? why : "nothing");
        memcpy(at, old, damage->size);
    }
    ck_assert_ptr_null(check(state));
    harness_free(harness);
}
END_TEST

/* What a chat has done is never taken for damage, wherever the transcript has come to. */
START_TEST(test_wrapped)
{
    Harness *harness = damage_world();
    uint64_t seed = 8;
    unsigned n;

    for (n = 0; n < (harness_is_slow() ? 300 : 3000); n++) {
        client_say(harness, harness->clients[3], "%0*d", 1 + (int) random_below(&seed, 1900), 0);
        harness_wait(harness, USEC_PER_SEC);
        ck_assert_msg(check(&harness->chat->state) == NULL, "line %u: %s", n, check(&harness->chat->state));
    }
    ck_assert_uint_gt(harness->chat->state.header->tail, (harness_is_slow() ? 1 : 5) * LIMIT_TRANSCRIPT_MIN);
    harness_free(harness);
}
END_TEST

/* Wherever the transcript ended when it was marked: it is for the archive from there on. */
START_TEST(test_marks)
{
    Harness *harness = damage_world();
    StateHeader *header = harness->chat->state.header;
    uint64_t seed = 9;

    for (unsigned n = 0; n < (harness_is_slow() ? 50 : 500); n++) {
        uint64_t end;

        header->archive.from = header->head;
        ck_assert_ptr_null(check(&harness->chat->state));
        header->archive.from = header->head + 8;
        ck_assert_str_eq(check(&harness->chat->state), ARCHIVE);
        header->archive.from = end = header->head;
        do {
            client_say(harness, harness->clients[3], "%0*d", 1 + (int) random_below(&seed, 1900), 0);
            harness_wait(harness, USEC_PER_SEC);
            ck_assert_msg(check(&harness->chat->state) == NULL, "mark %u", n);
        } while (n % 100 == 0 && header->tail <= end);
    }
    harness_free(harness);
}
END_TEST

/* Names are copied out of entries, to where a name fits. */
START_TEST(test_long_names)
{
    Harness *harness = harness_new(NULL, 20);
    Client *alice = client_named(harness, "alice");
    State *state = &harness->chat->state;
    Entry *entry;

    client_say(harness, alice, "%0500d", 0);
    entry = (Entry *) (uintptr_t) transcript_at(&harness->chat->transcript, state->rooms[0].last_said);
    entry->text_n = 100;
    entry->nick_n = NAME_MAX_BYTES;
    ck_assert_ptr_null(check(state));
    entry->nick_n = NAME_MAX_BYTES + 1;
    ck_assert_str_eq(check(state), "an entry of the transcript");
    entry->nick_n = 5;
    entry->room_n = NAME_MAX_BYTES;
    ck_assert_ptr_null(check(state));
    entry->room_n = NAME_MAX_BYTES + 1;
    ck_assert_str_eq(check(state), "an entry of the transcript");
    harness_free(harness);
}
END_TEST

/* As many as there may be, wherever in their region they begin, and one more. */
START_TEST(test_overs)
{
    Harness *harness = damage_world();
    State *state = &harness->chat->state;
    OverRecord *overs = (OverRecord *) (uintptr_t) state->overs;
    const uint64_t first = 3 * LIMIT_ROOMS_OVER - 5;

    state->header->over_first = first;
    for (uint64_t i = 0; i < LIMIT_ROOMS_OVER; i++)
        overs[(first + i) % LIMIT_ROOMS_OVER] = (OverRecord){.pos = 8 * (i + 1), .name = {3, "den"}};
    state->header->over_end = first + LIMIT_ROOMS_OVER;
    ck_assert_ptr_null(check(state));
    overs[0].pos = overs[LIMIT_ROOMS_OVER - 1].pos;
    ck_assert_str_eq(check(state), ARCHIVE);
    overs[0].pos += 8;
    ck_assert_ptr_null(check(state));
    state->header->over_first--;
    ck_assert_str_eq(check(state), ARCHIVE);
    harness_free(harness);
}
END_TEST

/* No account has the last uid, which means everybody; and a person has so many sessions, and not one more. */
START_TEST(test_accounts)
{
    Harness *harness = harness_new(NULL, 20);
    State *state = &harness->chat->state;
    Client *other = NULL;
    Peer *peer;

    for (unsigned i = 0; i < LIMIT_PERSON_SESSIONS; i++)
        ck_assert_ptr_nonnull(client_account(harness, "bea", 1000));
    other = client_account(harness, "carol", 1001);
    ck_assert_ptr_nonnull(other);
    harness_turn(harness);
    ck_assert_ptr_null(check(state));
    peer = (Peer *) (uintptr_t) &state->sessions[other->session].peer;
    peer->uid = UINT32_MAX;
    ck_assert_str_eq(check(state), "the flags of a session");
    peer->uid = UINT32_MAX - 1;
    ck_assert_ptr_null(check(state));
    peer->uid = 1000;
    ck_assert_str_eq(check(state), "a person has too many sessions");
    peer->uid = 1001;
    harness_free(harness);
}
END_TEST

UNIT_MAIN("check", test_damages, test_wrapped, test_marks, test_long_names, test_overs, test_accounts)
