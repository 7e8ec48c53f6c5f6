/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdint.h>
#include <time.h>

#include "base/config.h"
#include "chat/state.h"
#include "clock.h"
#include "undo.h"

/* So many take turns that their records do not all fit into the first cache. */
enum { N_SESSIONS = 1000 };

static uint64_t cpu_nsec(void)
{
    struct timespec t;

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t) t.tv_sec * NSEC_PER_SEC + (uint64_t) t.tv_nsec;
}

/* As executing a line does it: input_take_frame(), command_execute() and chat_tell_room(). */
static void say(State *state, uint32_t session)
{
    SessionRecord *record = state_edit_session(state, session);

    record->lines_due++;
    state_edit_session(state, session)->spoke++;
    state_edit_counters(state)->head += 128;
    state_edit_room(state, ROOM_LOBBY)->last_said++;
    record->bytes_in += 49;
    state_commit(state);
}

/* As stream_store_shared() does it. */
static void hear(State *state, uint32_t session)
{
    SessionRecord *record = state_edit_reading(state, session);

    record->cursor = state->header->head;
    record->bytes_out += 64;
    state_commit(state);
}

static double measure(State *state, void (*transact)(State *, uint32_t), unsigned n)
{
    uint64_t start;

    for (uint32_t i = 0; i < N_SESSIONS; i++) /* the pages are there then */
        transact(state, i);
    start = cpu_nsec();
    for (unsigned i = 0; i < n; i++)
        transact(state, i % N_SESSIONS);
    return (double) (cpu_nsec() - start) / n;
}

int undo_measure(unsigned n, UndoCost *ret_cost)
{
    Config config;
    State state;
    int r;

    config_init(&config);
    r = state_new(&state, &config, N_SESSIONS);
    config_done(&config);
    if (r < 0)
        return r;
    ret_cost->line_nsec = measure(&state, say, n);
    ret_cost->delivery_nsec = measure(&state, hear, n);
    state_done(&state);
    return 0;
}
