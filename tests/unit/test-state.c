/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chat/state.h"
#include "unit/harness.h"
#include "unit/unit.h"

/* Sizes that no file can have are refused, and nothing is left behind. */
START_TEST(test_too_large)
{
    static const uint64_t sizes[] = {UINT64_MAX, UINT64_MAX - 4096, UINT64_MAX - (1 << 20), INT64_MAX};
    Config config;
    State state;

    for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
        harness_config(&config);
        config.transcript_size = sizes[i];
        ck_assert_int_lt(state_new(&state, &config, 10), 0);
        ck_assert_int_eq(state.fd, -1);
        state_done(&state);
    }
}
END_TEST

START_TEST(test_no_descriptor)
{
    struct rlimit limit, none;
    Config config;
    State state;
    int r;

    harness_config(&config);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    r = state_new(&state, &config, 10);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(r, -EMFILE);
}
END_TEST

typedef struct Counts {
    uint32_t max_rooms, max_rooms_per_client, max_sessions; /* as configured */
    uint32_t expect_rooms, expect_members;
} Counts;

START_TEST(test_counts)
{
    static const Counts cases[] = {
        {1000, 20, 100, 1001, 2000}, {1, 1, 1, 2, 1},
        {1, 20, 10, 2, 20}, /* nobody can be in more rooms than there are */
        {5, 0, 10, 6, 60},           {0, 20, 10, LIMIT_ROOMS + 1, 200},
    };
    Config config;
    State state;

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        harness_config(&config);
        config.max_rooms = cases[i].max_rooms;
        config.max_rooms_per_client = cases[i].max_rooms_per_client;
        ck_assert_int_eq(state_new(&state, &config, cases[i].max_sessions), 0);
        ck_assert_uint_eq(state.header->max_sessions, cases[i].max_sessions);
        ck_assert_uint_eq(state.header->max_rooms, cases[i].expect_rooms);
        ck_assert_uint_eq(state.header->max_members, cases[i].expect_members);
        state_done(&state);
    }
}
END_TEST

START_TEST(test_header)
{
    Config config;
    State state;

    harness_config(&config);
    config.transcript_size = 262151; /* entries are aligned, and so is the end of the ring */
    ck_assert_int_eq(state_new(&state, &config, 7), 0);
    ck_assert_uint_eq(state.header->magic, STATE_MAGIC);
    ck_assert_mem_eq(&state.header->magic, "chtstat1", 8);
    ck_assert_uint_eq(state.header->layout, STATE_LAYOUT);
    ck_assert_uint_eq(state.header->session_size, sizeof(SessionRecord));
    ck_assert_uint_eq(state.header->transcript_size, 262144);
    ck_assert_uint_eq(state.header->max_ignored, config.max_ignores);
    ck_assert_uint_eq(state.header->next_serial, 1);
    ck_assert_int_ne(fcntl(state.fd, F_GETFD) & FD_CLOEXEC, 0);
    state_done(&state);
    ck_assert_int_eq(state.fd, -1);
    state_done(&state);
}
END_TEST

/* Regions lie one after the other on pages of their own, and can be written from end to end. */
START_TEST(test_regions)
{
    enum { N = 33 };
    Config config;
    State state;

    harness_config(&config);
    ck_assert_int_eq(state_new(&state, &config, N), 0);
    {
        const char *const regions[][2] = {
            {(char *) state.header, (char *) (state.header + 1)},
            {(const char *) state.sessions, (const char *) (state.sessions + N)},
            {(const char *) state.rooms, (const char *) (state.rooms + state.header->max_rooms)},
            {(const char *) state.members, (const char *) (state.members + state.header->max_members)},
            {(const char *) state.aways, (const char *) (state.aways + N)},
            {(const char *) state.ignored,
             (const char *) (state.ignored + (size_t) N * state.header->max_ignored)},
            {(const char *) state.halves, (const char *) (state.halves + N)},
            {(const char *) state.rules, (const char *) (state.rules + LIMIT_RULES)},
            {(const char *) state.invites, (const char *) (state.invites + LIMIT_INVITES)},
            {(const char *) state.overs, (const char *) (state.overs + LIMIT_ROOMS_OVER)},
            {state.ring, state.ring + state.header->transcript_size},
        };
        const char *end = state.base;

        ck_assert_ptr_eq(state.header, state.base);
        for (size_t i = 0; i < N_ELEMENTS(regions); i++) {
            ck_assert_uint_eq((uintptr_t) regions[i][0] % 4096, 0);
            ck_assert(regions[i][0] >= end);
            ck_assert(regions[i][1] > regions[i][0]);
            ck_assert_int_eq(regions[i][0][0] | regions[i][1][-1], i == 0 ? regions[0][0][0] : 0);
            end = regions[i][1];
        }
        ck_assert(end <= (char *) state.base + state.size);
    }
    memset((void *) (uintptr_t) state.sessions, 'x', sizeof *state.sessions * N);
    memset(state.ring, 'x', state.header->transcript_size);
    ck_assert_uint_eq(state.header->magic, STATE_MAGIC);
    ck_assert_int_eq(state.rooms[0].name.n, 0);
    state_done(&state);
}
END_TEST

/* The default configuration costs next to nothing until somebody comes. */
START_TEST(test_sparse)
{
    struct stat status;
    Config config;
    State state;

    config_init(&config);
    ck_assert_int_eq(state_new(&state, &config, 10000), 0);
    ck_assert_int_eq(fstat(state.fd, &status), 0);
    ck_assert_uint_eq((uint64_t) status.st_size, state.size);
    ck_assert_uint_le((uint64_t) status.st_blocks * 512, 64 * 1024);
    state_done(&state);
    config_done(&config);
}
END_TEST

/* It is a file: another mapping sees the same. */
START_TEST(test_shared)
{
    Config config;
    State state;
    StateHeader *other;

    harness_config(&config);
    ck_assert_int_eq(state_new(&state, &config, 7), 0);
    other = mmap(NULL, sizeof *other, PROT_READ, MAP_SHARED, state.fd, 0);
    ck_assert_ptr_ne(other, MAP_FAILED);
    state.header->head = 4711;
    ck_assert_uint_eq(other->head, 4711);
    (void) munmap(other, sizeof *other);
    state_done(&state);
}
END_TEST

UNIT_MAIN("state", test_too_large, test_no_descriptor, test_counts, test_header, test_regions, test_sparse,
          test_shared)
