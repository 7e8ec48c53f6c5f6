/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * A state in an older layout. This program is the version after this one: it is built with longer records and
 * the next number (-DCHATD_NEXT_LAYOUT), and is given what this version writes.
 */

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "chat/over.h"
#include "chat/session.h"
#include "unit/harness.h"
#include "unit/unit.h"

/* `n` records, or pieces of the file, each of which has become longer. */
typedef struct Part {
    const void *from;
    size_t size, old_size, n;
    size_t at; /* in the old file */
} Part;

enum { HEADER = 0, UNDO = 1, SESSIONS = 2, ROOMS = 3, RULES = 8, INVITES = 9, OVERS = 10, PARTS = 12 };

typedef struct OldFile {
    StateHeader header;
    char fifth[40000]; /* the header of layout 5, which was longer than those after it */
    Part parts[PARTS];
    size_t size;
} OldFile;

static void place_parts(OldFile *old)
{
    for (unsigned i = 0; i < PARTS; i++) {
        old->parts[i].at = old->size;
        old->size += old->parts[i].old_size * old->parts[i].n;
        old->size += -old->size % 4096;
    }
}

/* How this version would have laid it out. */
static void describe(OldFile *old, const State *state)
{
    StateHeader *header = &old->header;

    *old = (OldFile){.header = *state->header};
    header->layout = STATE_LAYOUT - 1;
    header->header_size = offsetof(StateHeader, of_the_next_layout);
    header->session_size = offsetof(SessionRecord, of_the_next_layout);
    header->room_size = offsetof(RoomRecord, of_the_next_layout);
    header->member_size = offsetof(MemberRecord, of_the_next_layout);
    header->away_size = offsetof(AwayRecord, text) + LIMIT_TOPIC_BYTES;
    header->ignored_size = offsetof(IgnoredRecord, of_the_next_layout);
    header->half_size = offsetof(HalfRecord, of_the_next_layout);
    header->rule_size = offsetof(RuleRecord, of_the_next_layout);
    header->invite_size = offsetof(InviteRecord, of_the_next_layout);
    header->over_size = offsetof(OverRecord, of_the_next_layout);
    {
        const Part parts[PARTS] = {
            {header, 0, header->header_size, 1, 0},
            {state->undo, 1, 1, header->undo_size, 0},
            {state->sessions, sizeof(SessionRecord), header->session_size, header->max_sessions, 0},
            {state->rooms, sizeof(RoomRecord), header->room_size, header->max_rooms, 0},
            {state->members, sizeof(MemberRecord), header->member_size, header->max_members, 0},
            {state->aways, sizeof(AwayRecord), header->away_size, header->max_sessions, 0},
            {state->ignored, sizeof(IgnoredRecord), header->ignored_size,
             (size_t) header->max_ignored * header->max_sessions, 0},
            {state->halves, sizeof(HalfRecord), header->half_size, header->max_sessions, 0},
            {state->rules, sizeof(RuleRecord), header->rule_size, header->max_rules, 0},
            {state->invites, sizeof(InviteRecord), header->invite_size, header->max_invites, 0},
            {state->overs, sizeof(OverRecord), header->over_size, header->max_overs, 0},
            {state->ring, 1, 1, header->transcript_size, 0},
        };

        memcpy(old->parts, parts, sizeof parts);
    }
    place_parts(old);
}

/* What later layouts have. */
static void leave_out(OldFile *old, unsigned part)
{
    old->parts[part] = (Part){old, 1, 1, 0, 0};
}

/* Without founders and invitations. A room had some bytes behind its last field, which could be anything. */
static void describe_old_rooms(OldFile *old, const State *state)
{
    size_t end = offsetof(RoomRecord, topic) + LIMIT_TOPIC_BYTES;

    old->header.room_size = (uint32_t) (end + -end % 8);
    old->parts[ROOMS].old_size = old->header.room_size;
    for (uint32_t i = 0; i < old->header.max_rooms; i++)
        memset((char *) (uintptr_t) &state->rooms[i] + end, 0xff, old->header.room_size - end);
    leave_out(old, INVITES);
}

/* Of that layout, which had so many bytes of the header. */
static void describe_header(OldFile *old, const State *state, uint32_t layout, size_t n)
{
    describe(old, state);
    old->header.layout = layout;
    old->header.header_size = (uint32_t) n;
    old->parts[HEADER] = (Part){&old->header, 0, n, 1, 0};
    if (layout < 6)
        leave_out(old, OVERS);
}

/* The first layout: without rules, and whatever lies behind the last field is no field. */
static void describe_first(OldFile *old, const State *state)
{
    StateHeader *header = &old->header;

    describe_header(old, state, STATE_LAYOUT_OLDEST, 0);
    header->header_size = offsetof(StateHeader, host) + sizeof header->host;
    header->header_size += -header->header_size % 8;
    memset((char *) header + offsetof(StateHeader, host) + sizeof header->host, 0xff,
           header->header_size - offsetof(StateHeader, host) - sizeof header->host);
    old->parts[HEADER] = (Part){header, 0, header->header_size, 1, 0};
    leave_out(old, RULES);
    describe_old_rooms(old, state);
    old->size = 0;
    place_parts(old);
}

/* Without knowing which state it is, and how far the archive. */
static void describe_third(OldFile *old, const State *state)
{
    describe_header(old, state, 3, offsetof(StateHeader, id));
    describe_old_rooms(old, state);
    old->size = 0;
    place_parts(old);
}

/* Without knowing which file its archive is, and what has ended since. */
static void describe_fourth(OldFile *old, const State *state)
{
    describe_header(old, state, 4, offsetof(StateHeader, archive_file));
    old->size = 0;
    place_parts(old);
}

/* How layout 5 had what is over: at the end of the header. */
typedef struct FifthOver {
    uint64_t pos;
    Name name;
    uint32_t flags;
    uint8_t how;
} FifthOver;

static void describe_fifth(OldFile *old, const State *state, const FifthOver overs[LIMIT_ROOMS_OVER])
{
    const size_t at = offsetof(StateHeader, over_size), n = at + LIMIT_ROOMS_OVER * sizeof *overs;

    ck_assert_uint_le(n, sizeof old->fifth);
    describe_header(old, state, 5, n);
    memcpy(old->fifth, &old->header, at);
    memcpy(old->fifth + at, overs, LIMIT_ROOMS_OVER * sizeof *overs);
    old->parts[HEADER].from = old->fifth;
    old->size = 0;
    place_parts(old);
}

static int write_old(const OldFile *old)
{
    int fd = memfd_create("old", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t) old->size), 0);
    for (unsigned i = 0; i < PARTS; i++) {
        const Part *part = &old->parts[i];
        size_t n = part->size == 1 ? part->n : part->old_size;

        for (size_t j = 0; j < (part->size == 1 ? 1 : part->n); j++)
            ck_assert_int_eq(
                pwrite(fd, (const char *) part->from + j * part->size, n, (off_t) (part->at + j * n)),
                (ssize_t) n);
    }
    return fd;
}

typedef struct World {
    Harness *harness;
    Client *alice, *bob;
} World;

static void world_begin(World *world)
{
    Config config;

    harness_config(&config);
    config.max_rooms = 5;
    config.max_rooms_per_client = 4;
    config.max_ignores = 3;
    world->harness = harness_new(&config, 4);
    world->alice = client_named(world->harness, "alice");
    world->bob = client_named(world->harness, "bob");
    client_say(world->harness, world->alice,
               "/join #dev\n/topic the room\nsaid there\n/ignore carol\n/ignore dave");
    client_say(world->harness, world->bob, "/join #dev\n/away for lunch\n/msg alice psst\n/ignore carol");
    client_say(world->harness, client_named(world->harness, "carol"), "/ignore alice");
    world->bob->is_half_kept = true;
    client_type(world->bob, "half a li", 9);
    harness_turn(world->harness);
    client_stop(world->alice);
    client_say(world->harness, world->bob, "ne\nmore");
    client_open_window(world->harness, world->alice, 12);
    client_type(world->bob, "and ano", 7);
    harness_turn(world->harness);
    harness_take_all(world->harness);
}

static void world_end(World *world)
{
    Harness *harness = world->harness;

    client_open_window(harness, world->alice, SIZE_MAX);
    harness_turn(harness);
    ck_assert_str_eq(client_take(world->alice), "> half a line\n[12:03] <bob> more\n");
    client_say(harness, world->bob, "ther");
    ck_assert_str_eq(client_take(world->alice), "[12:03] <bob> and another\n");
    client_say(harness, world->alice, "/reply who");
    ck_assert_str_eq(client_take(world->alice), "-- bob is away: for lunch\n");
    client_say(harness, world->alice, "/topic");
    ck_assert_str_eq(client_take(world->alice), "-- Topic of #dev, set by alice: the room\n");
    client_say(harness, world->alice, "/ignore");
    ck_assert_str_eq(client_take(world->alice), "-- You ignore carol, dave.\n");
    client_say(harness, world->alice, "/history 1");
    ck_assert_str_eq(client_take(world->alice), "[12:03] <bob> and another\n");
    harness_survive(harness);
    client_say(harness, world->alice, "/quit");
    harness_check(harness);
    harness_free(harness);
}

static void check_new_rooms(const State *state)
{
    static const Name nobody;

    ck_assert_uint_eq(state->header->invite_size, sizeof(InviteRecord));
    ck_assert_uint_eq(state->header->max_invites, LIMIT_INVITES);
    for (uint32_t i = 0; i < 2; i++) {
        ck_assert_uint_ne(state->rooms[i].created_wall, 0);
        ck_assert(memcmp(&state->rooms[i].founder, &nobody, sizeof nobody) == 0);
        ck_assert_uint_eq(state->rooms[i].founder_uid + state->rooms[i].flags + state->rooms[i].empty_since,
                          0);
    }
}

START_TEST(test_read_first)
{
    OldFile old;
    World world;

    world_begin(&world);
    describe_first(&old, &world.harness->chat->state);
    ck_assert(harness_adopt(world.harness, write_old(&old)));
    ck_assert_uint_eq(world.harness->chat->state.header->layout, STATE_LAYOUT);
    ck_assert_uint_eq(world.harness->chat->state.header->next_rule, 1);
    ck_assert_uint_eq(world.harness->chat->state.header->rule_size, sizeof(RuleRecord));
    check_new_rooms(&world.harness->chat->state);
    ck_assert(harness_settle(world.harness));
    harness_deliver(world.harness);
    world_end(&world);
}
END_TEST

START_TEST(test_read_third)
{
    static const uint8_t none[STATE_ID_BYTES];
    const StateHeader *header;
    OldFile old;
    World world;

    world_begin(&world);
    describe_third(&old, &world.harness->chat->state);
    ck_assert(harness_adopt(world.harness, write_old(&old)));
    header = world.harness->chat->state.header;
    ck_assert_uint_eq(header->layout, STATE_LAYOUT);
    ck_assert(memcmp(header->id, none, sizeof none) != 0);
    ck_assert_uint_eq(header->archive.from + header->archive.n_dropped + header->archive.recalled, 0);
    check_new_rooms(&world.harness->chat->state);
    ck_assert(harness_settle(world.harness));
    harness_deliver(world.harness);
    world_end(&world);
}
END_TEST

START_TEST(test_read_fourth)
{
    const StateHeader *header;
    OldFile old;
    World world;

    world_begin(&world);
    world.harness->chat->state.header->archive.recalled = PAST_KNOWN;
    describe_fourth(&old, &world.harness->chat->state);
    ck_assert(harness_adopt(world.harness, write_old(&old)));
    header = world.harness->chat->state.header;
    ck_assert_uint_eq(header->layout, STATE_LAYOUT);
    ck_assert_uint_eq(header->archive.recalled, PAST_KNOWN);
    for (size_t i = 0; i < sizeof header->archive_file; i++)
        ck_assert_uint_eq(header->archive_file[i], 0);
    ck_assert_uint_eq(header->over_end, 0);
    ck_assert(harness_settle(world.harness));
    harness_deliver(world.harness);
    world_end(&world);
}
END_TEST

/* What is over is remembered, wherever it stood, and in its order. */
START_TEST(test_read_fifth)
{
    FifthOver overs[LIMIT_ROOMS_OVER] = {
        [1] = {.pos = 24, .name = {3, "hut"}},
        [LIMIT_ROOMS_OVER - 1] = {.pos = 8, .name = {3, "den"}, .flags = ROOM_LOCKED, .how = OVER_OPENED}};
    const OverRecord *over;
    const Chat *chat;
    OldFile old;
    World world;

    world_begin(&world);
    describe_fifth(&old, &world.harness->chat->state, overs);
    ck_assert(harness_adopt(world.harness, write_old(&old)));
    chat = world.harness->chat;
    ck_assert_uint_eq(chat->state.header->layout, STATE_LAYOUT);
    ck_assert_uint_eq(chat->state.header->over_size, sizeof(OverRecord));
    ck_assert_uint_eq(chat->state.header->over_end, 2);
    over = over_next(chat, 0, UINT64_MAX);
    ck_assert_uint_eq(over->pos, 8);
    ck_assert_str_eq(over->name.bytes, "den");
    ck_assert_uint_eq(over->flags, ROOM_LOCKED);
    ck_assert_uint_eq(over->how, OVER_OPENED);
    ck_assert_uint_eq(over->founder.n, 0);
    over = over_next(chat, 9, UINT64_MAX);
    ck_assert_uint_eq(over->pos, 24);
    ck_assert_str_eq(over->name.bytes, "hut");
    ck_assert_ptr_null(over_next(chat, 25, UINT64_MAX));
    ck_assert_ptr_null(over_next(chat, 9, 24));
    ck_assert(harness_settle(world.harness));
    harness_deliver(world.harness);
    world_end(&world);
}
END_TEST

/* As many as there could be. */
START_TEST(test_read_fifth_full)
{
    FifthOver overs[LIMIT_ROOMS_OVER];
    OldFile old;
    World world;

    world_begin(&world);
    for (size_t i = 0; i < LIMIT_ROOMS_OVER; i++)
        overs[i] = (FifthOver){.pos = 8 * (1 + (i + 100) % LIMIT_ROOMS_OVER), .name = {3, "den"}};
    describe_fifth(&old, &world.harness->chat->state, overs);
    ck_assert(harness_adopt(world.harness, write_old(&old)));
    ck_assert_uint_eq(world.harness->chat->state.header->over_end, LIMIT_ROOMS_OVER);
    ck_assert(harness_settle(world.harness));
    harness_deliver(world.harness);
    world_end(&world);
}
END_TEST

START_TEST(test_read)
{
    size_t n_before, n_after;
    char *before, *after;
    OldFile old;
    World world;

    world_begin(&world);
    before = harness_dump(world.harness, &n_before);
    describe(&old, &world.harness->chat->state);
    ck_assert(harness_adopt(world.harness, write_old(&old)));
    ck_assert_uint_eq(world.harness->chat->state.header->layout, STATE_LAYOUT);
    ck_assert_uint_eq(world.harness->chat->state.header->session_size, sizeof(SessionRecord));
    after = harness_dump(world.harness, &n_after);
    ck_assert_uint_eq(n_before, n_after);
    ck_assert(memcmp(before, after, n_before) == 0);
    free(before);
    free(after);
    ck_assert(harness_settle(world.harness));
    harness_deliver(world.harness);
    world_end(&world);
}
END_TEST

/* That version died in the middle of a line. */
START_TEST(test_undone)
{
    const struct {
        uint64_t offset, n;
    } mark = {.n = sizeof(Name)};
    uint64_t undo_n = sizeof(Name) + -sizeof(Name) % 8 + sizeof mark, offset;
    OldFile old;
    World world;
    int fd;

    world_begin(&world);
    describe(&old, &world.harness->chat->state);
    fd = write_old(&old);
    offset =
        old.parts[SESSIONS].at + old.header.session_size * world.bob->session + offsetof(SessionRecord, nick);
    ck_assert_int_eq(pwrite(fd, &session_record(world.harness->chat, world.bob->session)->nick, sizeof(Name),
                            (off_t) old.parts[UNDO].at),
                     sizeof(Name));
    ck_assert_int_eq(pwrite(fd, &mark, sizeof mark, (off_t) (old.parts[UNDO].at + undo_n - sizeof mark)),
                     sizeof mark);
    ck_assert_int_eq(pwrite(fd, &offset, 8, (off_t) (old.parts[UNDO].at + undo_n - sizeof mark)), 8);
    ck_assert_int_eq(pwrite(fd, &undo_n, 8, offsetof(StateHeader, undo_n)), 8);
    ck_assert_int_eq(pwrite(fd, "\5mable", 6, (off_t) offset), 6);
    ck_assert(harness_adopt(world.harness, fd));
    ck_assert(harness_settle(world.harness));
    harness_deliver(world.harness);
    world_end(&world);
}
END_TEST

/* Records that this version never wrote. */
START_TEST(test_refused)
{
    OldFile old;
    World world;
    State state;

    world_begin(&world);
    for (unsigned i = 0; i < 7; i++) {
        const size_t offset = offsetof(StateHeader, header_size) + i * sizeof(uint32_t);

        for (int more = -8; more <= 72; more += 80) {
            uint32_t size;
            int fd;

            describe(&old, &world.harness->chat->state);
            fd = write_old(&old);
            memcpy(&size, (char *) &old.header + offset, sizeof size);
            size += (uint32_t) more;
            ck_assert_int_eq(pwrite(fd, &size, sizeof size, (off_t) offset), sizeof size);
            ck_assert_int_eq(state_open(fd, &state), STATE_UNREADABLE);
        }
    }
    old.header.layout = STATE_LAYOUT + 1;
    ck_assert_int_eq(state_open(write_old(&old), &state), STATE_TOO_NEW);
    old.header.layout = STATE_LAYOUT_OLDEST - 1;
    ck_assert_int_eq(state_open(write_old(&old), &state), STATE_UNREADABLE);
    harness_free(world.harness);
}
END_TEST

UNIT_MAIN("layout", test_read, test_read_first, test_read_third, test_read_fourth, test_read_fifth,
          test_read_fifth_full, test_undone, test_refused)
