/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Notes for the archive: what is read is what was noted, whoever wrote it, and nobody hears it. */

#include <stdio.h>
#include <string.h>

#include "chat/over.h"
#include "unit/harness.h"
#include "unit/unit.h"

static const Note NOTES[] = {
    {.kind = NOTE_SEEN},
    {.kind = NOTE_RULE,
     .rule = {.number = 7,
              .until = 8,
              .wall = 9,
              .subject = {.uid = 1000, .is_uid = true},
              .whom = {5, "carol"},
              .by = {3, "bob"},
              .kind = RULE_MUTE,
              .reason_n = 4,
              .reason = "rude"}},
    {.kind = NOTE_RULE_ENDED, .number = 7},
    {.kind = NOTE_ROOM, .room = {.founder = {3, "bob"}, .founder_uid = 1001, .flags = 5}},
    {.kind = NOTE_ROOM, .room = {.founder = {3, "bob"}, .founder_uid = 1001, .how = NOTE_ROOM_WHOLE}},
    {.kind = NOTE_ROOM_CLOSED},
    {.kind = NOTE_INVITED, .invited = {.name = {5, "carol"}, .uid = 1002}},
    {.kind = NOTE_UNINVITED, .invited = {.name = {5, "carol"}, .uid = 1002}},
    {.kind = NOTE_SETTINGS,
     .settings = {.bits = SETTING_BELL,
                  .n_ignored = 2,
                  .ignored = {{{5, "carol"}, 1, 0}, {{4, "dave"}, 3, 7}}}},
    {.kind = NOTE_MESSAGE, .message = {.to = {5, "carol"}, .to_uid = 1002, .n = 5, .text = "hello"}},
    {.kind = NOTE_DELIVERED, .number = 8},
    {.kind = NOTE_TOPIC, .topic = {.by = {3, "bob"}, .n = 3, .text = "tea"}},
    {.kind = NOTE_TAKEN_BACK, .taken_back = {.pos = 8, .wall = 9, .nick = {3, "bob"}}},
    {.kind = NOTE_DELETED, .deleted = {.n = 20, .nick = {3, "bob"}}},
    {.kind = NOTE_ROOM_OPENED},
    {.kind = NOTE_RULES},
    {.kind = NOTE_RULES, .rules = {.n = 2, .numbers = {7, 9}}},
    {.kind = NOTE_RULES, .rules = {.n = LIMIT_RULES, .numbers = {[LIMIT_RULES - 1] = 9}}},
};

/* The last entry, noted by alice about the lobby. */
static const Entry *append(Harness *harness, const Client *alice, const Note *note)
{
    Chat *chat = harness->chat;
    uint64_t pos = chat->state.header->head;

    chat_reserve(chat, SLOT_NONE);
    note_append(chat, ROOM_LOBBY, alice->session, note);
    chat_commit(chat);
    return transcript_read(&chat->transcript, &pos);
}

START_TEST(test_read)
{
    Harness *harness = harness_new(NULL, 4);
    Client *alice = client_named(harness, "alice");

    (void) client_take(alice);
    for (size_t i = 0; i < N_ELEMENTS(NOTES); i++) {
        const Entry *entry = append(harness, alice, &NOTES[i]);
        Note note;

        ck_assert_int_eq(entry->kind, ENTRY_NOTE);
        ck_assert_mem_eq(entry_nick(entry), "alice", 5);
        ck_assert_mem_eq(entry_room(entry), "lobby", 5);
        ck_assert(note_read(entry, &note));
        ck_assert_mem_eq(&note, &NOTES[i], sizeof note);
    }
    harness_turn(harness);
    harness_survive(harness);
    ck_assert_str_eq(client_take(alice), "");
    harness_free(harness);
}
END_TEST

/* What an earlier version wrote ends earlier, and what a later one wrote ends later. */
START_TEST(test_lengths)
{
    static union {
        Entry entry;
        char bytes[sizeof(Entry) + 2 * sizeof(Note)];
    } memory;

    for (size_t i = 0; i < N_ELEMENTS(NOTES); i++)
        for (uint16_t n = 0; n < 2 * sizeof(Note); n = (uint16_t) (n + 1 + n / 64)) {
            Note note;

            memset(&memory, 0xff, sizeof memory);
            memory.entry = (Entry){.kind = ENTRY_NOTE, .text_n = n};
            memcpy(memory.entry.data, &NOTES[i], MIN(n, sizeof(Note)));
            QUICK_ASSERT(note_read(&memory.entry, &note) == (n >= sizeof note.kind), "%zu: %u bytes", i, n);
            QUICK_ASSERT(n < sizeof note || memcmp(&note, &NOTES[i], sizeof note) == 0, "%zu: %u bytes", i,
                         n);
        }
}
END_TEST

START_TEST(test_refused)
{
    const Note notes[] = {
        {.kind = 0},
        {.kind = NOTE_DELETED + 1},
        {.kind = UINT64_MAX},
        {.kind = NOTE_RULE, .rule = {.reason_n = LIMIT_REASON_BYTES + 1}},
        {.kind = NOTE_RULE, .rule = {.whom = {NAME_MAX_BYTES + 1, ""}}},
        {.kind = NOTE_RULE, .rule = {.by = {NAME_MAX_BYTES + 1, ""}}},
        {.kind = NOTE_ROOM, .room = {.founder = {NAME_MAX_BYTES + 1, ""}}},
        {.kind = NOTE_ROOM, .room = {.founder = {3, "bobby"}}}, /* does not end */
        {.kind = NOTE_INVITED, .invited = {.name = {NAME_MAX_BYTES + 1, ""}}},
        {.kind = NOTE_SETTINGS, .settings = {.n_ignored = LIMIT_IGNORES + 1}},
        {.kind = NOTE_RULES, .rules = {.n = LIMIT_RULES + 1}},
        {.kind = NOTE_TOPIC, .topic = {.by = {NAME_MAX_BYTES + 1, ""}}},
        {.kind = NOTE_TOPIC, .topic = {.n = LIMIT_TOPIC_BYTES + 1}},
        {.kind = NOTE_TAKEN_BACK, .taken_back = {.nick = {NAME_MAX_BYTES + 1, ""}}},
        {.kind = NOTE_DELETED, .deleted = {.nick = {NAME_MAX_BYTES + 1, ""}}},
        {.kind = NOTE_MESSAGE, .message = {.to = {NAME_MAX_BYTES + 1, ""}}},
        {.kind = NOTE_MESSAGE, .message = {.n = LIMIT_MAIL_BYTES + 1}},
    };

    for (size_t i = 0; i < N_ELEMENTS(notes); i++) {
        static union {
            Entry entry;
            char bytes[sizeof(Entry) + sizeof(Note)];
        } memory;
        Note note;

        memory.entry = (Entry){.kind = ENTRY_NOTE, .text_n = sizeof(Note)};

        memcpy(memory.entry.data, &notes[i], sizeof(Note));
        ck_assert(!note_read(&memory.entry, &note));
    }
}
END_TEST

typedef struct Lost {
    unsigned n;
    char last[256];
} Lost;

static void keep_lost(void *userdata, const LogEvent *event)
{
    Lost *lost = userdata;

    if (event->id == NULL || strcmp(event->id, LOG_ID_ARCHIVE_LOST) != 0)
        return;
    lost->n++;
    (void) snprintf(lost->last, sizeof lost->last, "%s %s: %s", event->nick,
                    event->whom != NULL ? event->whom : "-", event->message);
}

static RecallState know_nothing(_unused_ void *userdata, _unused_ const Recall *recall,
                                _unused_ Recalled *ret_recalled)
{
    return RECALL_ABSENT;
}

static void overwrite_all(Harness *harness, Client *client)
{
    uint64_t end = harness->chat->state.header->head;

    while (harness->chat->state.header->tail < end) {
        chat_reserve(harness->chat, client->session);
        chat_tell(harness->chat, client->session, ENTRY_REPLY, SLOT_NONE, "-", 1);
        chat_commit(harness->chat);
    }
}

/* What can not be told again is told to the log when it is overwritten, if the archive has not got it. */
START_TEST(test_lost)
{
    static const struct {
        NoteKind kind;
        const char *text;
    } cases[] = {
        {NOTE_SEEN, NULL},
        {NOTE_RULE, NULL},
        {NOTE_ROOM, NULL},
        {NOTE_SETTINGS, NULL},
        {NOTE_MESSAGE,
         "alice carol: The message that alice left for carol could not be archived, and may be lost."},
        {NOTE_TAKEN_BACK,
         "bob -: The archive could not be told that a line of bob in #lobby was taken back, and "
         "may have it."},
        {NOTE_DELETED,
         "bob -: The archive could not be told to delete lines of bob in #lobby, and may have them."},
        {NOTE_ROOM_CLOSED, "alice -: The archive could not be told that #lobby was closed, and may keep it."},
        {NOTE_ROOM_OPENED, "alice -: The archive could not be told that nothing is kept of #lobby any more, "
                           "and may keep it locked."},
        {NOTE_UNINVITED, NULL},
    };
    Harness *harness = harness_new(NULL, 4);
    Client *alice = client_named(harness, "alice");
    Lost lost;

    harness->log = (Log){.sink = keep_lost, .userdata = &lost};
    for (size_t i = 0; i < N_ELEMENTS(cases); i++)
        for (unsigned j = 0; j < N_ELEMENTS(NOTES); j++) {
            uint64_t pos;

            if (NOTES[j].kind != cases[i].kind)
                continue;
            pos = append(harness, alice, &NOTES[j])->pos;
            harness->chat->recall = know_nothing;
            harness->chat->state.header->archived = pos;
            lost = (Lost){0};
            overwrite_all(harness, alice);
            ck_assert_uint_eq(lost.n, cases[i].text != NULL);
            ck_assert_str_eq(lost.last, cases[i].text != NULL ? cases[i].text : "");
            /* It has it; or there is none. */
            (void) append(harness, alice, &NOTES[j]);
            harness->chat->state.header->archived = harness->chat->state.header->head;
            overwrite_all(harness, alice);
            (void) append(harness, alice, &NOTES[j]);
            harness->chat->state.header->archived = 0;
            harness->chat->recall = NULL;
            overwrite_all(harness, alice);
            ck_assert_uint_eq(lost.n, cases[i].text != NULL);
        }
    harness_free(harness);
}
END_TEST

/* What is over is told again by a state that knows all rooms; a message is not, nor is anything at the end.
 */
START_TEST(test_told_again)
{
    static const NoteKind kinds[] = {NOTE_ROOM_CLOSED, NOTE_ROOM_OPENED, NOTE_UNINVITED, NOTE_MESSAGE};
    static const char *const texts[] = {
        "alice -: The archive could not be told that #lobby was closed, and may keep it.",
        "alice -: The archive could not be told that nothing is kept of #lobby any more, and may keep it "
        "locked.",
        "alice carol: The archive could not be told that carol is not invited into #lobby any more, and may "
        "keep "
        "that.",
        "alice carol: The message that alice left for carol could not be archived, and may be lost."};
    Harness *harness = harness_new(NULL, 4);
    Client *alice = client_named(harness, "alice");
    Chat *chat = harness->chat;
    OverRecord *over = (OverRecord *) (uintptr_t) chat->state.overs;
    Lost lost;

    harness->log = (Log){.sink = keep_lost, .userdata = &lost};
    for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
        for (unsigned j = 0; j < N_ELEMENTS(NOTES); j++) {
            uint64_t pos;

            if (NOTES[j].kind != kinds[i])
                continue;
            pos = append(harness, alice, &NOTES[j])->pos;
            over->pos = pos;
            chat->state.header->over_end = kinds[i] == NOTE_MESSAGE ? 0 : 1;
            lost = (Lost){0};
            over_lose_notes(chat, pos, chat->state.header->head, OVER_FOR_NOW);
            ck_assert_uint_eq(lost.n, kinds[i] == NOTE_MESSAGE);
            over_lose_notes(chat, pos, chat->state.header->head, OVER_FOR_GOOD);
            ck_assert_uint_eq(lost.n, kinds[i] == NOTE_MESSAGE ? 2 : 1);
            ck_assert_str_eq(lost.last, texts[i]);
        }
    harness_free(harness);
}
END_TEST

UNIT_MAIN("note", test_read, test_lengths, test_refused, test_lost, test_told_again)
