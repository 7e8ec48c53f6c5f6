/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Rooms that were kept before a reboot: they come back as they were, and a search does not tell of those that
 * somebody may not know. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chat/keep.h"
#include "chat/note.h"
#include "chat/person.h"
#include "chat/recall.h"
#include "chat/room.h"
#include "unit/operator-fixture.h"
#include "unit/unit.h"

static Name name_of(const char *text)
{
    Name name = {.n = (uint8_t) strlen(text)};

    memcpy(name.bytes, text, name.n);
    return name;
}

static void add_room(RecalledKept *kept, const char *name, const char *founder, uint32_t uid, uint32_t flags)
{
    RecalledRoom *room = &kept->rooms[kept->n_rooms++];

    *room = (RecalledRoom){
        .name = name_of(name), .founder = name_of(founder), .founder_uid = uid, .flags = flags};
    room->topic_by = name_of(founder);
    room->topic_n = 3;
    memcpy(room->topic, "tea", 3);
}

static uint32_t place_of(const RecalledKept *kept, const char *room)
{
    uint32_t i = 0;

    while (i < kept->n_rooms && strcmp(kept->rooms[i].name.bytes, room) != 0)
        i++;
    return i;
}

static void add_invite(RecalledKept *kept, const char *room, const char *name, uint32_t uid)
{
    kept->invites[kept->n_invites++] =
        (RecalledInvite){.room = place_of(kept, room), .name = name_of(name), .uid = uid};
}

static bool recall(World *world, const RecalledKept *kept)
{
    const Recalled recalled = {.bytes = (const char *) kept, .n = sizeof *kept};

    return recall_kept(world->harness->chat, &recalled);
}

static void check_answer(World *world, Client *client, const char *line, const char *answer)
{
    client_say(world->harness, client, "%s", line);
    ck_assert_str_eq(client_take(client), answer);
}

START_TEST(test_come_back)
{
    RecalledKept *kept = calloc(1, sizeof *kept);
    World world;
    Name name;

    world_begin(&world);
    add_room(kept, "den", "bea", 1000, ROOM_FOUNDED | ROOM_LOCKED | ROOM_HIDDEN);
    add_room(kept, "lobby", "", 0, ROOM_TOPIC_LOCKED);
    add_invite(kept, "den", "alfred", 1007);
    ck_assert(recall(&world, kept));
    ck_assert(recall(&world, kept)); /* once more is no harm */
    harness_survive(world.harness);
    check_answer(&world, world.alice, "/join #den",
                 "!! #den is locked: by invitation only. Ask an operator for one.\n");
    check_answer(&world, world.bea, "/join #den", "-- You are in #den now, alone.\n-- Topic of #den: tea\n");
    check_answer(&world, world.bea, "/invite", "-- Invited into #den: alfred.\n");
    check_answer(&world, world.alice, "/topic mine",
                 "!! The topic of #lobby is locked: only operators set it.\n");
    name = name_of("den");
    ck_assert(
        keep_is_founder(world.harness->chat, room_find(world.harness->chat, &name), world.bea->session));
    world_end(&world);
    free(kept);
}
END_TEST

/* The uid of the founder is somebody else's by now. */
START_TEST(test_other_founder)
{
    RecalledKept *kept = calloc(1, sizeof *kept);
    World world;

    world_begin(&world);
    add_room(kept, "den", "beatrice", 1000, ROOM_FOUNDED | ROOM_LOCKED);
    ck_assert(recall(&world, kept));
    check_answer(&world, world.bea, "/join #den",
                 "!! #den is locked: by invitation only. Ask beatrice for one.\n");
    world_end(&world);
    free(kept);
}
END_TEST

/* What a file has in it that no version wrote. */
START_TEST(test_tampered)
{
    RecalledKept *kept = calloc(1, sizeof *kept);
    World world;

    world_begin(&world);
    add_room(kept, "de n", "bea", 1000, ROOM_FOUNDED | ROOM_LOCKED);
    add_room(kept, "", "bea", 1000, ROOM_FOUNDED | ROOM_LOCKED);
    add_room(kept, "den", "\x1b[m", 1000, ROOM_FOUNDED | ROOM_LOCKED);
    add_room(kept, "dan", "bea", 1000, UINT32_MAX);
    kept->rooms[3].topic_by = name_of("not a name");
    kept->rooms[3].topic_n = LIMIT_TOPIC_BYTES + 1;
    add_invite(kept, "dan", "", 1001);
    add_invite(kept, "nowhere", "alfred", 1001);
    add_invite(kept, "lobby", "alfred", 1001);
    add_invite(kept, "dan", "alfred", UINT32_MAX);
    ck_assert(recall(&world, kept));
    harness_check(world.harness);
    harness_survive(world.harness);
    check_answer(&world, world.bea, "/join #dan", "-- You are in #dan now, alone.\n");
    world_end(&world);
    free(kept);
}
END_TEST

/* As many as MaxRooms= allows. */
START_TEST(test_too_many)
{
    RecalledKept *kept = calloc(1, sizeof *kept);
    Name name = name_of("room3");
    World world;

    world_begin(&world);
    world.harness->config.max_rooms = 3;
    for (unsigned i = 0; i < 5; i++) {
        char text[] = "room0";

        text[4] = (char) ('0' + i);
        add_room(kept, text, "bea", 1000, ROOM_FOUNDED | ROOM_LOCKED);
    }
    ck_assert(recall(&world, kept));
    ck_assert_uint_eq(room_find(world.harness->chat, &name), SLOT_NONE);
    name = name_of("room2");
    ck_assert_uint_ne(room_find(world.harness->chat, &name), SLOT_NONE);
    world_end(&world);
    free(kept);
}
END_TEST

/* One room with as many invitations as there may be, in one transaction. */
START_TEST(test_kept_of)
{
    enum { ENTRY_BYTES = sizeof(Entry) + sizeof(Note) + 16 };
    static char bytes[(LIMIT_INVITES_ROOM + 2) * ENTRY_BYTES] __attribute__((aligned(8)));
    Note note = {.kind = NOTE_ROOM,
                 .room = {.founder = {3, "bea"}, .founder_uid = 1000, .flags = ROOM_FOUNDED | ROOM_LOCKED}};
    EntryDraft draft = {
        .kind = ENTRY_NOTE, .text = (const char *) &note, .text_n = offsetof(Note, room) + sizeof note.room};
    Recalled recalled = {.bytes = bytes};
    Name den = name_of("den");
    World world;

    world_begin(&world);
    recalled.n = entry_write((Entry *) bytes, &draft);
    draft.text_n = offsetof(Note, invited) + sizeof note.invited;
    for (unsigned i = 0; i <= LIMIT_INVITES_ROOM; i++) {
        note = (Note){.kind = NOTE_INVITED, .invited = {.uid = 2000 + i}};
        note.invited.name.n =
            (uint8_t) snprintf(note.invited.name.bytes, NAME_MAX_BYTES, "guest-of-bea-%u", i);
        recalled.n += entry_write((Entry *) (bytes + recalled.n), &draft);
    }
    ck_assert(recall_is_secret(&recalled));
    chat_reserve(world.harness->chat, world.alice->session);
    ck_assert_int_eq(recall_kept_of(world.harness->chat, &den, &recalled), 0);
    chat_commit(world.harness->chat);
    ck_assert_uint_eq(world.harness->chat->rooms[room_find(world.harness->chat, &den)].n_invites,
                      LIMIT_INVITES_ROOM);
    harness_check(world.harness);
    harness_survive(world.harness);
    check_answer(&world, world.alice, "/join #den",
                 "!! #den is locked: by invitation only. Ask bea for one.\n");
    world_end(&world);
}
END_TEST

static bool is_secret(const World *world, const Client *client, const char *room)
{
    NameKey keys[8];
    size_t n = keep_secrets(world->harness->chat, client->session, false, keys, N_ELEMENTS(keys));

    for (size_t i = 0; i < MIN(n, N_ELEMENTS(keys)); i++)
        if (keys[i].n == strlen(room) && memcmp(keys[i].bytes, room, keys[i].n) == 0)
            return true;
    return false;
}

START_TEST(test_secrets)
{
    World world;

    world_begin(&world);
    client_say(world.harness, world.bea, "/join #Den\n/lock\n/invite alice\n/join #nook\n/hide\n/join #open");
    ck_assert(is_secret(&world, world.mallory, "den") && is_secret(&world, world.mallory, "nook"));
    ck_assert(!is_secret(&world, world.mallory, "open") && !is_secret(&world, world.mallory, "lobby"));
    ck_assert(!is_secret(&world, world.alice, "den") && is_secret(&world, world.alice, "nook"));
    ck_assert(!is_secret(&world, world.bea, "den") && !is_secret(&world, world.bea, "nook"));
    ck_assert(!is_secret(&world, world.dora, "den") && !is_secret(&world, world.dora, "nook"));
    client_say(world.harness, world.mallory, "/join #nook");
    ck_assert(!is_secret(&world, world.mallory, "nook"));
    ck_assert_uint_eq(keep_secrets(world.harness->chat, world.alice->session, false, NULL, 0), 1);
    world_end(&world);
}
END_TEST

enum { N_GUESTS = 160, N_ROOMS = 6 };

/* In rooms that turn out to be locked. */
static Harness *crowd_new(RecalledKept *kept)
{
    Harness *harness = harness_new(NULL, N_GUESTS);

    harness->chat->is_past_unknown = true;
    for (unsigned i = 0; i < N_GUESTS; i++)
        ck_assert_ptr_nonnull(client_new(harness));
    harness_turn(harness);
    for (unsigned room = 0; room < N_ROOMS; room++) {
        char name[] = "den0";

        name[3] = (char) ('0' + room);
        add_room(kept, name, "fay", 1001, ROOM_FOUNDED | ROOM_LOCKED);
        for (unsigned i = 0; i < N_GUESTS; i++)
            client_say(harness, harness->clients[i], "/join #%s", name);
    }
    harness_take_all(harness);
    return harness;
}

/* Everybody was told once of each room, and is in none any more. */
static void crowd_end(Harness *harness)
{
    for (unsigned i = 0; i < N_GUESTS; i++) {
        const char *text = client_take(harness->clients[i]);
        unsigned n = 0;

        ck_assert_ptr_null(strstr(text, "skipped"));
        for (; (text = strstr(text, " is locked.")) != NULL; text++)
            n++;
        ck_assert_uint_eq(n, N_ROOMS);
        ck_assert_uint_eq(harness->chat->sessions[harness->clients[i]->session].n_rooms, 1);
    }
    harness_check(harness);
    harness_free(harness);
}

/* That is more than one turn may put out: as soon as they have been told, the next are, and nobody misses a
 * line of it. */
START_TEST(test_crowd)
{
    RecalledKept *kept = calloc(1, sizeof *kept);
    Recalled recalled = {.bytes = (const char *) kept, .n = sizeof *kept};
    Harness *harness = crowd_new(kept);
    const StateHeader *header = harness->chat->state.header;
    unsigned n_turns = 0;
    bool is_all;

    do {
        is_all = recall_kept(harness->chat, &recalled) && !chat_turn_is_full(harness->chat);
        ck_assert_uint_le(header->head - header->flushed, header->transcript_size / 4 + ENTRY_MAX_BYTES);
        harness_deliver(harness);
        n_turns++;
    } while (!is_all);
    ck_assert_uint_gt(n_turns, 1);
    crowd_end(harness);
    free(kept);
}
END_TEST

/* The process dies in the middle of that. The next one needs no archive to go on with it. */
START_TEST(test_crowd_after_death)
{
    RecalledKept *kept = calloc(1, sizeof *kept);
    Recalled recalled = {.bytes = (const char *) kept, .n = sizeof *kept};
    Harness *harness = crowd_new(kept);

    ck_assert(!recall_kept(harness->chat, &recalled));
    while (harness_survive(harness), !keep_put_out_strangers(harness->chat))
        harness_deliver(harness);
    harness_survive(harness);
    ck_assert(!harness->chat->has_strangers);
    crowd_end(harness);
    free(kept);
}
END_TEST

static bool last_note(const Chat *chat, NoteKind kind, Note *ret_note)
{
    uint64_t pos = chat->state.header->tail;
    const Entry *entry;
    Note note;

    while ((entry = transcript_read(&chat->transcript, &pos)) != NULL) {
        if (entry->kind == ENTRY_NOTE && note_read(entry, &note) && note.kind == kind) {
            *ret_note = note;
            return true;
        }
        pos += entry->size;
    }
    return false;
}

/* No death: rooms of nobody, and more strangers than one turn may put out. */
START_TEST(test_crowd_of_nobody)
{
    RecalledKept *kept = calloc(1, sizeof *kept);
    Recalled recalled = {.bytes = (const char *) kept, .n = sizeof *kept};
    Harness *harness = crowd_new(kept);
    Note note;

    for (unsigned i = 0; i < kept->n_rooms; i++) {
        kept->rooms[i].founder = (Name){0};
        kept->rooms[i].founder_uid = 0;
        kept->rooms[i].flags &= ~(uint32_t) ROOM_FOUNDED;
    }
    while (!recall_kept(harness->chat, &recalled) || chat_turn_is_full(harness->chat))
        harness_deliver(harness);
    ck_assert(!last_note(harness->chat, NOTE_ROOM_CLOSED, &note));
    harness_free(harness);
    free(kept);
}
END_TEST

UNIT_MAIN("recall-kept", test_come_back, test_other_founder, test_tampered, test_too_many, test_kept_of,
          test_crowd, test_crowd_of_nobody, test_crowd_after_death, test_secrets)
