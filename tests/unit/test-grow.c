/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* A state that another process left: what is no state is refused, and one that is too small is copied. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chat/room.h"
#include "chat/session.h"
#include "unit/harness.h"
#include "unit/unit.h"

/* Refused */

static void begin(State *state)
{
    Config config;

    harness_config(&config);
    config.max_rooms = 20;
    ck_assert_int_eq(state_new(state, &config, 8), 0);
}

/* What state_open() returns; the descriptor is consumed in any case. */
static int try_open(int fd)
{
    State state;
    int r;

    ck_assert_int_ge(fd, 0);
    r = state_open(fd, &state);
    if (r == 0)
        state_done(&state);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
    return r;
}

static int memory_file(const char *bytes, size_t n)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    ck_assert_int_eq(write(fd, bytes, n), (ssize_t) n);
    return fd;
}

START_TEST(test_no_state)
{
    int pipes[2];
    char zeros[8192] = {0};
    uint64_t magic = STATE_MAGIC;

    ck_assert_int_eq(try_open(memory_file("", 0)), STATE_UNREADABLE);
    ck_assert_int_eq(try_open(memory_file("no state", 8)), STATE_UNREADABLE);
    ck_assert_int_eq(try_open(memory_file((char *) &magic, 7)), STATE_UNREADABLE);
    ck_assert_int_eq(try_open(memory_file((char *) &magic, 8)), STATE_UNREADABLE);
    ck_assert_int_eq(try_open(memory_file(zeros, sizeof zeros)), STATE_UNREADABLE);
    ck_assert_int_eq(try_open(open("/dev/null", O_RDWR | O_CLOEXEC)), STATE_UNREADABLE);
    ck_assert_int_eq(try_open(open("/dev/zero", O_RDWR | O_CLOEXEC)), STATE_UNREADABLE);
    ck_assert_int_eq(try_open(open("/", O_RDONLY | O_CLOEXEC)), STATE_UNREADABLE);
    ck_assert_int_eq(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
    ck_assert_int_eq(try_open(pipes[0]), STATE_UNREADABLE);
    (void) close(pipes[1]);
}
END_TEST

/* A file that is shorter or longer than its header says. */
START_TEST(test_wrong_length)
{
    static const off_t more[] = {-4096, -1, 1, 4096, 1 << 20};
    State state;

    begin(&state);
    for (size_t i = 0; i < N_ELEMENTS(more); i++) {
        int fd = harness_copy(state.fd);

        ck_assert_int_eq(ftruncate(fd, (off_t) state.size + more[i]), 0);
        ck_assert_int_eq(try_open(fd), STATE_UNREADABLE);
    }
    for (off_t n = 0; n < 4096; n += n < 200 ? 1 : 100) {
        int fd = harness_copy(state.fd);

        ck_assert_int_eq(ftruncate(fd, n), 0);
        ck_assert_int_eq(try_open(fd), STATE_UNREADABLE);
    }
    ck_assert_int_eq(try_open(harness_copy(state.fd)), 0);
    state_done(&state);
}
END_TEST

static int open_with(const State *state, size_t offset, size_t size, uint64_t value)
{
    int fd = harness_copy(state->fd);

    ck_assert_int_eq(pwrite(fd, &value, size, (off_t) offset), (ssize_t) size);
    return try_open(fd);
}

#define FIELD(name) #name, offsetof(StateHeader, name), sizeof(((StateHeader *) NULL)->name)

START_TEST(test_fields)
{
    static const struct {
        const char *name;
        size_t offset, size;
        uint64_t value;
        int r;
    } cases[] = {
        {FIELD(magic), 0, STATE_UNREADABLE},
        {FIELD(magic), STATE_MAGIC + 1, STATE_UNREADABLE},
        {FIELD(layout), 0, STATE_UNREADABLE},
        {FIELD(layout), STATE_LAYOUT_OLDEST - 1, STATE_UNREADABLE},
        {FIELD(layout), STATE_LAYOUT + 1, STATE_TOO_NEW},
        {FIELD(layout), UINT32_MAX, STATE_TOO_NEW},
        {FIELD(header_size), 0, STATE_UNREADABLE},
        {FIELD(header_size), sizeof(StateHeader) - 8, STATE_UNREADABLE},
        {FIELD(header_size), sizeof(StateHeader) + 8, STATE_UNREADABLE},
        {FIELD(header_size), UINT32_MAX, STATE_UNREADABLE},
        {FIELD(session_size), 0, STATE_UNREADABLE},
        {FIELD(session_size), sizeof(SessionRecord) - 1, STATE_UNREADABLE},
        {FIELD(session_size), sizeof(SessionRecord) + 1, STATE_UNREADABLE},
        {FIELD(room_size), sizeof(RoomRecord) - 1, STATE_UNREADABLE},
        {FIELD(room_size), sizeof(RoomRecord) + 1, STATE_UNREADABLE},
        {FIELD(member_size), sizeof(MemberRecord) - 1, STATE_UNREADABLE},
        {FIELD(member_size), sizeof(MemberRecord) + 1, STATE_UNREADABLE},
        {FIELD(away_size), sizeof(AwayRecord) - 1, STATE_UNREADABLE},
        {FIELD(away_size), sizeof(AwayRecord) + 1, STATE_UNREADABLE},
        {FIELD(ignored_size), sizeof(IgnoredRecord) - 1, STATE_UNREADABLE},
        {FIELD(ignored_size), sizeof(IgnoredRecord) + 1, STATE_UNREADABLE},
        {FIELD(half_size), sizeof(HalfRecord) - 1, STATE_UNREADABLE},
        {FIELD(half_size), sizeof(HalfRecord) + 1, STATE_UNREADABLE},
        {FIELD(max_sessions), 0, STATE_UNREADABLE},
        {FIELD(max_sessions), 16, STATE_UNREADABLE},
        {FIELD(max_sessions), UINT32_MAX, STATE_UNREADABLE},
        {FIELD(max_rooms), 0, STATE_UNREADABLE},
        {FIELD(max_rooms), LIMIT_ROOMS + 2, STATE_UNREADABLE},
        {FIELD(max_members), 0, STATE_UNREADABLE},
        {FIELD(max_members), LIMIT_MEMBERS + 1, STATE_UNREADABLE},
        {FIELD(max_ignored), LIMIT_IGNORES + 1, STATE_UNREADABLE},
        {FIELD(max_ignored), UINT32_MAX, STATE_UNREADABLE},
        {FIELD(undo_size), 0, STATE_UNREADABLE},
        {FIELD(undo_size), 65537, STATE_UNREADABLE},
        {FIELD(undo_size), UINT64_MAX - 7, STATE_UNREADABLE},
        {FIELD(transcript_size), 0, STATE_UNREADABLE},
        {FIELD(transcript_size), 4096, STATE_UNREADABLE},
        {FIELD(transcript_size), LIMIT_TRANSCRIPT_MIN + 4, STATE_UNREADABLE},
        {FIELD(transcript_size), UINT64_MAX - 7, STATE_UNREADABLE},
        {FIELD(transcript_size), INT64_MAX - 7, STATE_UNREADABLE},
        {FIELD(undo_n), 1, STATE_UNREADABLE},
        {FIELD(undo_n), 8, STATE_UNREADABLE},
        {FIELD(undo_n), 16, STATE_UNREADABLE},
        {FIELD(undo_n), UINT64_MAX - 7, STATE_UNREADABLE},
    };
    State state;

    begin(&state);
    for (size_t i = 0; i < N_ELEMENTS(cases); i++)
        ck_assert_msg(open_with(&state, cases[i].offset, cases[i].size, cases[i].value) == cases[i].r,
                      "%s = %llu", cases[i].name, (unsigned long long) cases[i].value);
    state_done(&state);
}
END_TEST

static void check_regions(const State *state, size_t size)
{
    const StateHeader *header = state->header;
    const void *const places[] = {
        state->header,
        state->undo,
        state->undo + header->undo_size,
        state->sessions,
        state->sessions + header->max_sessions,
        state->rooms,
        state->rooms + header->max_rooms,
        state->members,
        state->members + header->max_members,
        state->aways,
        state->aways + header->max_sessions,
        state->ignored,
        state->ignored + (size_t) header->max_ignored * header->max_sessions,
        state->halves,
        state->halves + header->max_sessions,
        state->ring,
        state->ring + header->transcript_size,
        (const char *) state->base + size,
    };

    ck_assert_uint_eq(state->size, size);
    for (size_t i = 1; i < N_ELEMENTS(places); i++)
        ck_assert((uintptr_t) places[i - 1] <= (uintptr_t) places[i]);
}

/* Any bit of what says how large things are: what is not refused has room for all that it says. */
START_TEST(test_bits)
{
    State state, next;

    begin(&state);
    for (size_t bit = 0; bit < offsetof(StateHeader, tail) * 8; bit++) {
        int fd = harness_copy(state.fd), r;
        char byte;

        ck_assert_int_eq(pread(fd, &byte, 1, (off_t) (bit / 8)), 1);
        byte = (char) (byte ^ 1 << bit % 8);
        ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t) (bit / 8)), 1);
        r = state_open(fd, &next);
        ck_assert(r == 0 || r == STATE_UNREADABLE || r == STATE_TOO_NEW);
        if (r != 0)
            continue;
        check_regions(&next, state.size);
        state_done(&next);
    }
    state_done(&state);
}
END_TEST

/* Grown */

typedef struct World {
    Harness *harness;
    Client *alice, *bob, *carol;
} World;

/* Somebody in every place that there is, with something of every kind. */
static void world_begin(World *world)
{
    static const char *const LINES[] = {
        "/join #one",  "/join #two",      "/topic the second", "said there",
        "/ignore bob", "/away for lunch", "/msg carol psst",
    };
    Config config;

    harness_config(&config);
    config.max_rooms = 3;
    config.max_rooms_per_client = 3;
    config.max_ignores = 2;
    world->harness = harness_new(&config, 3);
    world->alice = client_named(world->harness, "alice");
    world->bob = client_named(world->harness, "bob");
    world->carol = client_named(world->harness, "carol");
    for (size_t i = 0; i < N_ELEMENTS(LINES); i++)
        client_say(world->harness, world->alice, "%s", LINES[i]);
    client_say(world->harness, world->bob, "/ignore nobody");
    client_say(world->harness, world->carol, "/ignore alice");
    client_say(world->harness, world->carol, "/join #two");
    world->bob->is_half_kept = true;
    client_type(world->bob, "half a li", 9);
    harness_turn(world->harness);
    /* Carol has been sent half a line. */
    client_stop(world->carol);
    client_say(world->harness, world->bob, "ne");
    client_open_window(world->harness, world->carol, 12);
    harness_turn(world->harness);
    client_type(world->bob, "and ano", 7);
    harness_turn(world->harness);
    harness_take_all(world->harness);
}

/* Everything goes on. */
static void world_end(World *world)
{
    Harness *harness = world->harness;

    client_open_window(harness, world->carol, SIZE_MAX);
    harness_turn(harness);
    ck_assert_str_eq(client_take(world->carol), "by <bob> half a line\n");
    client_say(harness, world->bob, "ther");
    ck_assert_str_eq(client_take(world->carol), "[12:03] #lobby <bob> and another\n");
    ck_assert_str_eq(client_take(world->alice), "");
    client_say(harness, world->bob, "/msg alice you there");
    ck_assert_str_eq(client_take(world->bob), "-- alice is away: for lunch\n");
    client_say(harness, world->alice, "/topic");
    ck_assert_str_eq(client_take(world->alice), "-- Topic of #two, set by alice: the second\n");
    client_say(harness, world->alice, "/history");
    ck_assert_str_eq(client_take(world->alice), "[12:03] <alice> said there\n");
    client_say(harness, world->carol, "/reply who");
    ck_assert_str_eq(client_take(world->alice), "[12:03] (private) <carol> who\n");
    client_say(harness, world->alice, "/leave");
    client_say(harness, world->alice, "/quit");
    ck_assert(world->alice->is_gone);
    harness_check(harness);
    harness_free(harness);
}

/* The larger of what is configured and what was. */
static void check_grown(uint32_t max_sessions, uint32_t max_rooms, uint32_t max_each, uint32_t max_ignores,
                        bool is_new)
{
    size_t n_before, n_after;
    char *before, *after;
    uint64_t generation;
    World world;
    Harness *harness;

    world_begin(&world);
    harness = world.harness;
    harness->max_sessions = max_sessions;
    harness->config.max_rooms = max_rooms;
    harness->config.max_rooms_per_client = max_each;
    harness->config.max_ignores = max_ignores;
    generation = harness->chat->state.header->generation;
    before = harness_dump(harness, &n_before);
    ck_assert(harness_adopt(harness, harness_dup(harness)));
    after = harness_dump(harness, &n_after);
    ck_assert_uint_eq(n_before, n_after);
    ck_assert(memcmp(before, after, n_before) == 0);
    free(before);
    free(after);
    ck_assert(harness_settle(harness));
    harness_deliver(harness);
    ck_assert_uint_eq(harness->chat->state.header->generation, generation + is_new);
    ck_assert_uint_eq(harness->chat->state.header->max_sessions, MAX(max_sessions, 3U));
    ck_assert_uint_eq(harness->chat->state.header->max_rooms, MAX(max_rooms, 3U) + 1);
    ck_assert_uint_eq(harness->chat->state.header->max_ignored, MAX(max_ignores, 2U));
    ck_assert_uint_eq(harness->chat->state.header->layout, STATE_LAYOUT);
    world_end(&world);
}

START_TEST(test_grown)
{
    check_grown(3, 3, 3, 2, false);
    check_grown(4, 3, 3, 2, true);
    check_grown(3, 4, 3, 2, true);
    check_grown(3, 3, 3, 3, true);
    check_grown(1, 1, 3, 1, false);
    check_grown(10000, 1000, 20, 32, true);
    check_grown(1, 65000, 3, 64, true);
}
END_TEST

/* A copy without the last page of the undo area: as of a version that needed less of it. */
static int copy_with_less_undo(const State *state)
{
    enum { PAGE = 4096 };
    const char *bytes = state->base;
    size_t undo = (size_t) (state->undo - bytes), less = state->header->undo_size - PAGE;
    size_t kept = (undo + less + PAGE - 1) / PAGE * PAGE;
    int fd = memory_file(bytes, kept);

    ck_assert_int_eq(write(fd, bytes + kept + PAGE, state->size - kept - PAGE),
                     (ssize_t) (state->size - kept - PAGE));
    ck_assert_int_eq(pwrite(fd, &less, sizeof less, offsetof(StateHeader, undo_size)), sizeof less);
    return fd;
}

START_TEST(test_undo_area_grows)
{
    Harness *harness;
    uint64_t size;
    World world;

    world_begin(&world);
    harness = world.harness;
    size = harness->chat->state.header->undo_size;
    ck_assert(harness_adopt(harness, copy_with_less_undo(&harness->chat->state)));
    ck_assert_uint_eq(harness->chat->state.header->undo_size, size);
    ck_assert(harness_settle(harness));
    harness_deliver(harness);
    world_end(&world);
}
END_TEST

/* There is room in it for what is new. */
START_TEST(test_room_in_it)
{
    World world;
    Harness *harness;

    world_begin(&world);
    harness = world.harness;
    ck_assert_ptr_null(client_new(harness));
    client_say(harness, world.bob, "\n/join #three");
    harness_take_all(harness);
    harness->max_sessions = 5;
    harness->config.max_rooms = 5;
    harness->config.max_rooms_per_client = 6;
    harness->config.max_ignores = 4;
    harness_survive(harness);
    ck_assert_ptr_nonnull(client_new(harness));
    ck_assert_ptr_nonnull(client_new(harness));
    ck_assert_ptr_null(client_new(harness));
    client_say(harness, world.bob, "/join #four\n/join #five\n/join #six");
    ck_assert_str_eq(
        client_take(world.bob),
        "-- #lobby: guest4 is here\n"
        "-- #lobby: guest5 is here\n"
        "-- You are in #four now, alone.\n"
        "-- You are in #five now, alone.\n"
        "!! There are as many rooms as there may be: 5. /rooms lists them; join one of those.\n");
    client_say(harness, world.alice, "/ignore one\n/ignore two\n/ignore three\n/ignore four");
    ck_assert_ptr_nonnull(strstr(client_take(world.alice), "4"));
    ck_assert_uint_eq(session_record(harness->chat, world.alice->session)->n_ignored, 4);
    harness_survive(harness);
    harness_free(harness);
}
END_TEST

/* In pages. */
static uint64_t size_in_memory(int fd)
{
    struct stat status;

    ck_assert_int_eq(fstat(fd, &status), 0);
    return (uint64_t) status.st_blocks / 8;
}

/* Places far from each other: what was never used stays unwritten, in the copy and in the original. */
START_TEST(test_sparse)
{
    static const uint32_t PLACES[] = {0, 1, 5000, 99999};
    Config config;
    State state, grown;
    uint64_t before;

    config_init(&config);
    ck_assert_int_eq(state_new(&state, &config, 100000), 0);
    for (size_t i = 0; i < N_ELEMENTS(PLACES); i++) {
        state_edit_session(&state, PLACES[i])->serial = 1 + PLACES[i];
        state_edit_away(&state, PLACES[i])->n = (uint16_t) (2 + i);
        state_edit_ignored(&state, &state.ignored[PLACES[i] * config.max_ignores])->serial = 3 + PLACES[i];
        state_edit_member(&state, PLACES[i])->joined = 4 + PLACES[i];
        state.halves[PLACES[i]].bytes[READ_BYTES - 1] = 'x';
        state_commit(&state);
    }
    memset(state.ring + config.transcript_size - 10, 'r', 10);
    before = size_in_memory(state.fd);
    config.max_ignores++;
    config.max_rooms++;
    ck_assert(state_must_grow(&state, &config, 100001));
    ck_assert_int_eq(state_grow(&state, &config, 100001, &grown), 0);
    ck_assert_uint_le(size_in_memory(grown.fd), before + 16);
    ck_assert_uint_le(size_in_memory(state.fd), before + 8);
    for (size_t i = 0; i < N_ELEMENTS(PLACES); i++) {
        ck_assert_uint_eq(grown.sessions[PLACES[i]].serial, 1 + PLACES[i]);
        ck_assert_uint_eq(grown.aways[PLACES[i]].n, 2 + i);
        ck_assert_uint_eq(grown.ignored[PLACES[i] * config.max_ignores].serial, 3 + PLACES[i]);
        ck_assert_uint_eq(grown.members[PLACES[i]].joined, 4 + PLACES[i]);
        ck_assert_int_eq(grown.halves[PLACES[i]].bytes[READ_BYTES - 1], 'x');
    }
    ck_assert_int_eq(grown.ring[config.transcript_size - 1], 'r');
    ck_assert_uint_ge(state_use(&grown).n_sessions, 100000);
    state_done(&grown);
    state_done(&state);
    config_done(&config);
}
END_TEST

/* A record is counted as in use as long as its page has been written. */
START_TEST(test_use)
{
    const uint32_t a_page = 4096 / sizeof(SessionRecord);
    Config config;
    State state;
    StateUse use;

    config_init(&config);
    ck_assert_int_eq(state_new(&state, &config, 1000), 0);
    use = state_use(&state);
    ck_assert_uint_eq(use.n_sessions + use.n_rooms + use.n_members, 0);
    state_edit_session(&state, 0)->serial = 1;
    ck_assert_uint_eq(state_use(&state).n_sessions, a_page);
    state_edit_session(&state, a_page)->serial = 1;
    ck_assert_uint_eq(state_use(&state).n_sessions, 2 * a_page);
    state_edit_session(&state, 999)->serial = 1;
    state_edit_room(&state, 7)->created_wall = 1;
    state_edit_member(&state, 19999)->joined = 1;
    use = state_use(&state);
    ck_assert_uint_eq(use.n_sessions, 1000);
    ck_assert_uint_gt(use.n_rooms, 7);
    ck_assert_uint_lt(use.n_rooms, 20);
    ck_assert_uint_eq(use.n_members, 20000);
    state_done(&state);
    config_done(&config);
}
END_TEST

UNIT_MAIN("grow", test_no_state, test_wrong_length, test_fields, test_bits, test_grown, test_undo_area_grows,
          test_room_in_it, test_sparse, test_use)
