/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * Damaged states: whatever became of any of its bits, a state is refused, or everyone in it can go on, and
 * nobody is sent what a terminal should not be shown.
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chat/person.h"
#include "chat/transcript.h"
#include "unit/damage.h"
#include "unit/unit.h"

/* What is being tried: said when the process ends by a signal. */
static char trial[512];

static void on_signal(int number)
{
    (void) !write(STDERR_FILENO, trial, strlen(trial));
    (void) signal(number, SIG_DFL);
    (void) raise(number);
}

typedef struct Trials {
    Harness *harness; /* with the state that is damaged */
    Harness *victim;
    Range ranges[DAMAGE_RANGES];
    unsigned n_ranges;
    unsigned n, n_refused, n_accepted;
} Trials;

static void trials_begin(Trials *trials)
{
    *trials = (Trials){.harness = damage_world(), .victim = damage_world()};
    trials->n_ranges = damage_ranges(trials->harness, trials->ranges);
    (void) signal(SIGABRT, on_signal);
    (void) signal(SIGSEGV, on_signal);
    (void) signal(SIGALRM, on_signal);
}

static void trials_end(Trials *trials)
{
    harness_free(trials->harness);
    harness_free(trials->victim);
}

static void count(Trials *trials, bool is_accepted)
{
    trials->n_accepted += is_accepted;
    trials->n_refused += !is_accepted;
}

/* With `n` bytes at `offset` of the state replaced. */
static void try_bytes(Trials *trials, size_t offset, const void *bytes, size_t n)
{
    int fd;

    if (trials->n++ % (harness_is_slow() ? 499 : 1) != 0)
        return;
    fd = harness_copy(trials->harness->chat->state.fd);
    ck_assert_int_eq(pwrite(fd, bytes, n, (off_t) offset), (ssize_t) n);
    (void) alarm(20);
    count(trials, damage_try(trials->victim, fd));
    (void) alarm(0);
}

static void try_bits(Trials *trials, const Range *range)
{
    for (size_t bit = 0; bit < range->n * 8; bit++) {
        size_t at = range->offset + bit / 8;
        char byte = ((const char *) trials->harness->chat->state.base)[at];

        (void) snprintf(trial, sizeof trial, "bit %zu of byte %zu of %s at %zu\n", bit % 8, bit / 8,
                        range->what, range->offset);
        byte = (char) (byte ^ 1 << bit % 8);
        try_bytes(trials, at, &byte, 1);
    }
}

/* Numbers of `size` bytes, whatever they are numbers of. */
static void try_numbers(Trials *trials, const Range *range, size_t size)
{
    static const uint64_t VALUES[] = {
        0, 1, 3, 8, '\n', 0x1b, 0x80, UINT64_MAX, INT64_MAX, 0x80000000,
    };

    for (size_t at = range->offset - range->offset % size; at + size <= range->offset + range->n;
         at += size) {
        uint64_t old = 0, value;

        memcpy(&old, (const char *) trials->harness->chat->state.base + at, size);
        for (size_t i = 0; i < N_ELEMENTS(VALUES) + 3; i++) {
            const uint64_t near[] = {old + 1, old - 1, old + 8};

            value = i < N_ELEMENTS(VALUES) ? VALUES[i] : near[i - N_ELEMENTS(VALUES)];
            (void) snprintf(trial, sizeof trial, "%llx in the %zu bytes %zu of %s at %zu\n",
                            (unsigned long long) value, size, at - range->offset, range->what, range->offset);
            try_bytes(trials, at, &value, size);
        }
    }
}

static void try_range(Trials *trials, const Range *range)
{
    try_bits(trials, range);
    for (size_t size = 1; size <= 8; size *= 2)
        try_numbers(trials, range, size);
}

static void try_ranges(const char *what)
{
    Trials trials;

    trials_begin(&trials);
    for (unsigned i = 0; i < trials.n_ranges; i++)
        if (strcmp(trials.ranges[i].what, what) == 0)
            try_range(&trials, &trials.ranges[i]);
    ck_assert_uint_gt(trials.n, 100);
    ck_assert_uint_gt(trials.n_refused + trials.n_accepted, 0);
    trials_end(&trials);
}

/* What is not damaged is accepted. */
START_TEST(test_whole)
{
    Trials trials;

    trials_begin(&trials);
    try_bytes(&trials, 0, trials.harness->chat->state.base, 8);
    ck_assert_uint_eq(trials.n_accepted, 1);
    trials_end(&trials);
}
END_TEST

START_TEST(test_header)
{
    try_ranges("header");
    try_ranges("host");
    try_ranges("archive");
}
END_TEST

START_TEST(test_sessions)
{
    try_ranges("session");
}
END_TEST

START_TEST(test_what_sessions_have)
{
    try_ranges("away");
    try_ranges("ignored");
    try_ranges("half");
}
END_TEST

START_TEST(test_rules)
{
    try_ranges("rule");
    try_ranges("invite");
}
END_TEST

START_TEST(test_rooms)
{
    try_ranges("room");
    try_ranges("kept");
    try_ranges("member");
}
END_TEST

START_TEST(test_transcript)
{
    try_ranges("transcript");
}
END_TEST

/* Several things at once: numbers, and what stands elsewhere. */
START_TEST(test_random)
{
    Trials trials;
    uint64_t seed = 33;

    trials_begin(&trials);
    for (unsigned i = 0; i < (harness_is_slow() ? 100 : 20000); i++) {
        const State *state = &trials.harness->chat->state;
        int fd = harness_copy(state->fd);
        int n = 0;

        for (unsigned j = 1 + random_below(&seed, 6); j > 0; j--) {
            const Range *to = &trials.ranges[random_below(&seed, trials.n_ranges)];
            const Range *from = &trials.ranges[random_below(&seed, trials.n_ranges)];
            size_t size = (size_t) 1 << random_below(&seed, 5);
            size_t to_at = to->offset + random_below(&seed, (uint32_t) to->n) / size * size;
            size_t from_at = from->offset + random_below(&seed, (uint32_t) from->n) / size * size;

            n += snprintf(trial + n, sizeof trial - (size_t) n, "%zu bytes %zu -> %zu\n", size, from_at,
                          to_at);
            ck_assert_int_eq(pwrite(fd, (const char *) state->base + from_at, size, (off_t) to_at),
                             (ssize_t) size);
        }
        (void) alarm(20);
        count(&trials, damage_try(trials.victim, fd));
        (void) alarm(0);
    }
    ck_assert_uint_gt(trials.n_refused, 10);
    ck_assert_uint_gt(trials.n_accepted, 10);
    trials_end(&trials);
}
END_TEST

/* A connection belongs to one session. */
START_TEST(test_one_serial_twice)
{
    Trials trials;
    const State *state;

    trials_begin(&trials);
    state = &trials.harness->chat->state;
    for (uint32_t i = 1; i < trials.harness->max_sessions; i++) {
        if (state->sessions[0].serial == 0 || state->sessions[i].serial == 0)
            continue;
        (void) snprintf(trial, sizeof trial, "sessions 0 and %u\n", i);
        try_bytes(&trials, (size_t) ((const char *) &state->sessions[i].serial - (const char *) state->base),
                  &state->sessions[0].serial, sizeof state->sessions[0].serial);
    }
    ck_assert_uint_gt(trials.n_refused, 0);
    ck_assert_uint_eq(trials.n_accepted, 0);
    trials_end(&trials);
}
END_TEST

/* In the middle of the entry at `pos`, of which `written` bytes have been sent. */
static bool try_begun(Trials *trials, uint32_t session, uint64_t pos, uint32_t written)
{
    const State *state = &trials->harness->chat->state;
    SessionRecord record = state->sessions[session];
    int fd = harness_copy(state->fd);

    record.flags |= SESSION_GREETED | SESSION_LAGGING;
    record.cursor = pos;
    record.written = written;
    record.missed = record.lost = 0;
    record.replay = record.replay_last = 0;
    (void) snprintf(trial, sizeof trial, "session %u %u bytes within %llu\n", session, written,
                    (unsigned long long) pos);
    ck_assert_int_eq(pwrite(fd, &record, sizeof record,
                            (const char *) &state->sessions[session] - (const char *) state->base),
                     (ssize_t) sizeof record);
    return damage_try(trials->victim, fd);
}

/* Nobody is shown the rest of what was never for them, or for no eyes at all. */
START_TEST(test_begun)
{
    unsigned n_notes = 0, n_of_others = 0, n_fine = 0;
    const State *state;
    const Entry *entry;
    Trials trials;
    uint64_t pos;

    trials_begin(&trials);
    state = &trials.harness->chat->state;
    /* alice, a guest. */
    ck_assert_uint_eq(state->sessions[0].standing, 0);
    pos = state->header->tail;
    for (; (entry = transcript_read(&trials.harness->chat->transcript, &pos)) != NULL; pos += entry->size) {
        bool is_theirs =
            entry->to == 0 || entry->to == PERSON_EVERYBODY || entry->to == state->sessions[0].serial;
        bool is_fine = is_theirs && entry->kind != ENTRY_NOTE && entry->kind != ENTRY_REPLAY;

        for (uint32_t written = 1; written <= (is_fine && !harness_is_slow() ? 20 : 1); written++)
            ck_assert_int_eq(try_begun(&trials, 0, pos, written), is_fine);
        n_notes += entry->kind == ENTRY_NOTE;
        n_of_others += !is_theirs;
        n_fine += is_fine;
    }
    ck_assert(!try_begun(&trials, 0, state->header->head, 1));
    ck_assert_uint_gt(n_notes, 0);
    ck_assert_uint_gt(n_of_others, 0);
    ck_assert_uint_gt(n_fine, 0);
    trials_end(&trials);
}
END_TEST

/* More rooms than the transcript can tell of the going of somebody who is in all of them. */
static void put_into_rooms(Harness *harness, uint32_t session, uint32_t n)
{
    State *state = &harness->chat->state;

    for (uint32_t i = 1; i <= n; i++) {
        RoomRecord *room = state_edit_room(state, i);

        room->created_wall = harness->chat->wall;
        room->name.n = (uint8_t) snprintf(room->name.bytes, sizeof room->name.bytes, "room%u", i);
        *state_edit_member(state, i) =
            (MemberRecord){.joined = state->header->head, .session = session, .room = i};
        state_commit(state);
    }
}

START_TEST(test_many_rooms)
{
    static const uint32_t NUMBERS[] = {1, 100, 150, 400, 500, 600, 1000, 1800, 2000, 10000};

    for (size_t i = 0; i < N_ELEMENTS(NUMBERS); i++) {
        Harness *harness;
        Client *alice;
        Config config;

        harness_config(&config);
        config.max_rooms = config.max_rooms_per_client = 20000;
        harness = harness_new(&config, 2);
        alice = client_named(harness, "alice");
        put_into_rooms(harness, alice->session, NUMBERS[i]);
        (void) snprintf(trial, sizeof trial, "%u rooms\n", NUMBERS[i]);
        if (harness_adopt(harness, harness_dup(harness))) {
            harness_attach(harness);
            harness_deliver(harness);
            client_say(harness, harness->clients[0], "/nick bob");
            client_say(harness, harness->clients[0], "/quit");
            ck_assert_uint_eq(chat_n_rooms(harness->chat), 0);
        }
        ck_assert_int_eq(NUMBERS[i] <= 150 && harness->n_restarts == 0, 0);
        harness_free(harness);
    }
}
END_TEST

UNIT_MAIN("restore", test_whole, test_header, test_sessions, test_what_sessions_have, test_rooms, test_rules,
          test_transcript, test_random, test_one_serial_twice, test_begun, test_many_rooms)
