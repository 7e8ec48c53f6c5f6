/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Transactions of a state: what is put back, and from what undo areas nothing is. */

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chat/state.h"
#include "unit/harness.h"
#include "unit/unit.h"

enum { PEOPLE = 8 };

/* As in chat/state.c. */
typedef struct Mark {
    uint64_t offset, n;
} Mark;

static void begin(State *state)
{
    Config config;

    harness_config(&config);
    config.max_rooms = 20;
    ck_assert_int_eq(state_new(state, &config, PEOPLE), 0);
    for (uint32_t i = 0; i < PEOPLE; i++)
        *state_edit_session(state, i) = (SessionRecord){.serial = 100 + i, .cursor = 8 * i};
    state_commit(state);
}

/* The state as the next process finds it; what state_open() returns. */
static int reopen(const State *state, State *ret_state)
{
    int fd = fcntl(state->fd, F_DUPFD_CLOEXEC, 3);

    ck_assert_int_ge(fd, 0);
    return state_open(fd, ret_state);
}

static void check_unchanged(const State *state)
{
    State next;

    ck_assert_int_eq(reopen(state, &next), 0);
    ck_assert(!state_is_open(&next));
    for (uint32_t i = 0; i < PEOPLE; i++) {
        ck_assert_uint_eq(next.sessions[i].serial, 100 + i);
        ck_assert_uint_eq(next.sessions[i].cursor, 8 * i);
    }
    ck_assert_uint_eq(next.rooms[3].created_wall, 0);
    ck_assert_uint_eq(next.header->head, 0);
    state_done(&next);
}

START_TEST(test_undone)
{
    State state, next;

    begin(&state);
    ck_assert(!state_is_open(&state));
    state_edit_session(&state, 2)->serial = 7;
    ck_assert(state_is_open(&state));
    state_edit_room(&state, 3)->created_wall = 7;
    state_edit_counters(&state)->head = 7;
    ck_assert_uint_eq(state.sessions[2].serial, 7);
    check_unchanged(&state);

    /* Whoever goes on with it can begin the next one. */
    ck_assert_int_eq(reopen(&state, &next), 0);
    state_edit_session(&next, 2)->serial = 8;
    state_commit(&next);
    state_edit_session(&next, 2)->serial = 9;
    state_done(&state);
    ck_assert_int_eq(reopen(&next, &state), 0);
    ck_assert_uint_eq(state.sessions[2].serial, 8);
    state_done(&next);
    state_done(&state);
}
END_TEST

START_TEST(test_committed)
{
    State state, next;

    begin(&state);
    /* A commit of nothing is fine. */
    state_commit(&state);
    state_edit_session(&state, 2)->serial = 7;
    state_edit_member(&state, 5)->joined = 70;
    state_edit_away(&state, 1)->n = 71;
    state_edit_ignored(&state, &state.ignored[3])->serial = 72;
    state_commit(&state);
    ck_assert(!state_is_open(&state));
    ck_assert_int_eq(reopen(&state, &next), 0);
    ck_assert_uint_eq(next.sessions[2].serial, 7);
    ck_assert_uint_eq(next.members[5].joined, 70);
    ck_assert_uint_eq(next.aways[1].n, 71);
    ck_assert_uint_eq(next.ignored[3].serial, 72);
    state_done(&next);
    state_done(&state);
}
END_TEST

/* The oldest bytes count, however often and in whatever pieces a record is edited; and more records than are
 * remembered as edited. */
START_TEST(test_edited_again)
{
    State state;

    begin(&state);
    for (unsigned round = 0; round < 5; round++)
        for (uint32_t i = 0; i < PEOPLE; i++) {
            state_edit_reading(&state, i)->cursor = 1000 + round;
            state_edit_session(&state, i)->serial = 1000 + round;
            state_edit_reading(&state, i)->cursor = 2000 + round;
            state_edit_session(&state, i)->cursor = 3000 + round;
        }
    check_unchanged(&state);
    state_done(&state);
}
END_TEST

/* What is edited already costs no room. */
START_TEST(test_edited_twice)
{
    State state;
    uint64_t n;

    begin(&state);
    (void) state_edit_session(&state, 1);
    n = state.header->undo_n;
    ck_assert_uint_eq(n, sizeof(SessionRecord) + sizeof(Mark));
    (void) state_edit_session(&state, 1);
    (void) state_edit_reading(&state, 1);
    ck_assert_uint_eq(state.header->undo_n, n);
    (void) state_edit_session(&state, 2);
    ck_assert_uint_eq(state.header->undo_n, 2 * n);
    state_commit(&state);
    (void) state_edit_reading(&state, 1);
    (void) state_edit_session(&state, 1);
    ck_assert_uint_eq(state.header->undo_n, n + SESSION_READING_BYTES + sizeof(Mark));
    state_done(&state);
}
END_TEST

/* Any number of bytes at any place. */
START_TEST(test_pieces)
{
    State state, next;
    uint64_t seed = 3;

    begin(&state);
    for (unsigned i = 0; i < 4096; i++)
        state.ring[i] = (char) (i * 7);
    for (unsigned i = 0; i < 300; i++) {
        size_t at = random_below(&seed, 4096), n = 1 + random_below(&seed, (uint32_t) MIN(4096 - at, 50U));

        memset(state_edit(&state, state.ring + at, n), (int) i, n);
    }
    ck_assert_int_eq(reopen(&state, &next), 0);
    for (unsigned i = 0; i < 4096; i++)
        ck_assert_int_eq(next.ring[i], (char) (i * 7));
    state_done(&next);
    state_done(&state);
}
END_TEST

/* A process that goes one byte beyond the area ends; up to there all is put back. */
START_TEST(test_full)
{
    State state, next;
    size_t n;
    int status;
    pid_t pid;

    begin(&state);
    n = state.header->undo_size - sizeof(Mark);
    ck_assert_uint_le(n, state.header->transcript_size);
    memset(state.ring, 'a', n);
    memset(state_edit(&state, state.ring, n), 'b', n);
    ck_assert_uint_eq(state.header->undo_n, state.header->undo_size);
    pid = fork();
    if (pid == 0) {
        (void) signal(SIGABRT, SIG_DFL);
        (void) freopen("/dev/null", "w", stderr);
        (void) state_edit(&state, &state.sessions[1].flags, 1);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    ck_assert_int_eq(reopen(&state, &next), 0);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(next.ring[i], 'a');
    state_done(&next);
    state_done(&state);
}
END_TEST

/* An undo that died on its way, after any number of records, is begun anew. */
START_TEST(test_interrupted)
{
    for (unsigned n_done = 0; n_done <= 3; n_done++) {
        State state;
        size_t at;

        begin(&state);
        state_edit_session(&state, 1)->serial = 7;
        state_edit_room(&state, 3)->created_wall = 7;
        for (unsigned i = 0; i < 5; i++)
            state_edit_session(&state, i)->cursor = 7;
        at = state.header->undo_n;
        for (unsigned i = 0; i < n_done; i++) {
            Mark mark;

            at -= sizeof mark;
            memcpy(&mark, state.undo + at, sizeof mark);
            at -= mark.n + -mark.n % 8;
            memcpy((char *) state.base + mark.offset, state.undo + at, mark.n);
        }
        check_unchanged(&state);
        state_done(&state);
    }
}
END_TEST

/* Damaged areas */

typedef struct Damage {
    uint64_t offset, n; /* of the last mark */
    int64_t undo_n;     /* added to what is right */
} Damage;

/* Whether a state is refused whose last mark is so. */
static bool is_refused(const State *state, const Damage *damage)
{
    uint64_t undo_n = state->header->undo_n;
    Mark mark = {.offset = damage->offset, .n = damage->n};
    int fd = harness_copy(state->fd), r;
    off_t undo = state->undo - (char *) state->base;
    State next;

    ck_assert_int_eq(pwrite(fd, &mark, sizeof mark, undo + (off_t) (undo_n - sizeof mark)), sizeof mark);
    undo_n += (uint64_t) damage->undo_n;
    ck_assert_int_eq(pwrite(fd, &undo_n, sizeof undo_n, offsetof(StateHeader, undo_n)), sizeof undo_n);
    r = state_open(fd, &next);
    if (r == 0)
        state_done(&next);
    ck_assert(r == 0 || r == STATE_UNREADABLE);
    return r != 0;
}

START_TEST(test_damaged)
{
    const uint64_t header = offsetof(StateHeader, tail), n = sizeof(SessionRecord);
    State state;
    uint64_t session, undo, size;

    begin(&state);
    state_edit_room(&state, 3)->created_wall = 7;
    state_edit_session(&state, 1)->serial = 7;
    session = (uint64_t) ((const char *) &state.sessions[1] - (char *) state.base);
    undo = (uint64_t) (state.undo - (char *) state.base);
    size = state.size;
    {
        const Damage fine[] = {
            {session, n, 0},
            {session, n - 7, 0}, /* as many bytes in the area */
            {size - n, n, 0},
            {header, n, 0},
        };
        const Damage bad[] = {
            {session, 0, 0},
            {session, n + 1, 0},
            {session, 1 << 20, 0},
            {session, UINT64_MAX, 0},
            {session, UINT64_MAX - 7, 0},
            {session, n, 8},
            {session, n, -8},
            {session, n, 1},
            {session, n, -1},
            {session, n, (int64_t) state.header->undo_size},
            {session, n, INT64_MIN},
            {session, n, 8 - (int64_t) state.header->undo_n},
            {0, 8, 0},
            {0, n, 0},
            {header - 1, n, 0},
            {header - 8, n, 0},
            {state.header->header_size - n + 1, n, 0},
            {undo - 1, n, 0},
            {undo, n, 0},
            {undo + 1000, n, 0},
            {session - sizeof(SessionRecord) - 1, n, 0},
            {size, n, 0},
            {size - n + 1, n, 0},
            {size + 8, n, 0},
            {UINT64_MAX, n, 0},
            {UINT64_MAX - n, n, 0},
            {UINT64_MAX - n + 1, n, 0},
        };

        for (size_t i = 0; i < N_ELEMENTS(bad); i++)
            ck_assert_msg(is_refused(&state, &bad[i]), "damage %zu", i);
        for (size_t i = 0; i < N_ELEMENTS(fine); i++)
            ck_assert_msg(!is_refused(&state, &fine[i]), "fine %zu", i);
    }
    state_done(&state);
}
END_TEST

/* Every bit of an area: it is refused, or what it says is in the state and nowhere else. */
START_TEST(test_flipped)
{
    State state;
    off_t undo;

    begin(&state);
    state_edit_room(&state, 3)->created_wall = 7;
    state_edit_reading(&state, 1)->serial = 7;
    undo = state.undo - (char *) state.base;
    for (uint64_t bit = 0; bit < state.header->undo_n * 8; bit++) {
        int fd = harness_copy(state.fd), r;
        char byte;
        State next;

        ck_assert_int_eq(pread(fd, &byte, 1, undo + (off_t) (bit / 8)), 1);
        byte = (char) (byte ^ 1 << bit % 8);
        ck_assert_int_eq(pwrite(fd, &byte, 1, undo + (off_t) (bit / 8)), 1);
        r = state_open(fd, &next);
        ck_assert(r == 0 || r == STATE_UNREADABLE);
        if (r != 0)
            continue;
        ck_assert_mem_eq(next.header, state.header, offsetof(StateHeader, undo_n));
        state_done(&next);
    }
    state_done(&state);
}
END_TEST

UNIT_MAIN("undo", test_undone, test_committed, test_edited_again, test_edited_twice, test_pieces, test_full,
          test_interrupted, test_damaged, test_flipped)
