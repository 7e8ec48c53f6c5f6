/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/config.h"
#include "base/error.h"
#include "base/macro.h"
#include "chat/state.h"

/* Regions begin on a page, so that a region nobody uses costs nothing. */
#define REGION_ALIGN 4096

static size_t region_add(size_t *size, size_t record, size_t n)
{
    size_t offset = *size, bytes;

    if (__builtin_mul_overflow(record, n, &bytes) || __builtin_add_overflow(*size, bytes, size) ||
        __builtin_add_overflow(*size, REGION_ALIGN - 1, size)) {
        *size = SIZE_MAX;
        return 0;
    }
    *size -= *size % REGION_ALIGN;
    return offset;
}

/* The one place that knows the order of the regions. Returns the size of the file, SIZE_MAX if it would
 * overflow. */
static size_t state_place(State *state, const StateHeader *header, char *base)
{
    size_t size = 0;
    size_t at_header = region_add(&size, header->header_size, 1);
    size_t at_sessions = region_add(&size, header->session_size, header->max_sessions);
    size_t at_rooms = region_add(&size, header->room_size, header->max_rooms);
    size_t at_members = region_add(&size, header->member_size, header->max_members);
    size_t at_aways = region_add(&size, header->away_size, header->max_sessions);
    size_t at_ignored =
        region_add(&size, (size_t) header->ignored_size * header->max_ignored, header->max_sessions);
    size_t at_halves = region_add(&size, header->half_size, header->max_sessions);
    size_t at_ring = region_add(&size, 1, header->transcript_size);

    if (base != NULL) {
        state->header = (StateHeader *) (base + at_header);
        state->sessions = (SessionRecord *) (base + at_sessions);
        state->rooms = (RoomRecord *) (base + at_rooms);
        state->members = (MemberRecord *) (base + at_members);
        state->aways = (AwayRecord *) (base + at_aways);
        state->ignored = (IgnoredRecord *) (base + at_ignored);
        state->halves = (HalfRecord *) (base + at_halves);
        state->ring = base + at_ring;
    }
    return size;
}

static uint32_t count_members(const Config *config, uint32_t max_sessions, uint32_t max_rooms)
{
    uint32_t each =
        config->max_rooms_per_client != 0 ? MIN(config->max_rooms_per_client, max_rooms) : max_rooms;
    uint64_t n = (uint64_t) each * max_sessions;

    return (uint32_t) MIN(n, (uint64_t) LIMIT_MEMBERS);
}

int state_new(State *state, const Config *config, uint32_t max_sessions)
{
    uint32_t max_rooms = (config->max_rooms != 0 ? config->max_rooms : LIMIT_ROOMS) + 1; /* and the lobby */
    StateHeader header = {
        .magic = STATE_MAGIC,
        .layout = STATE_LAYOUT,
        .header_size = sizeof(StateHeader),
        .session_size = sizeof(SessionRecord),
        .room_size = sizeof(RoomRecord),
        .member_size = sizeof(MemberRecord),
        .away_size = sizeof(AwayRecord),
        .ignored_size = sizeof(IgnoredRecord),
        .half_size = sizeof(HalfRecord),
        .max_sessions = max_sessions,
        .max_rooms = max_rooms,
        .max_members = count_members(config, max_sessions, max_rooms),
        .max_ignored = config->max_ignores,
        .transcript_size = config->transcript_size - config->transcript_size % 8,
        .next_serial = 1,
        .next_guest = 1,
    };
    int r;

    assert(max_sessions > 0);
    *state = (State){.fd = -1, .base = MAP_FAILED};
    state->size = state_place(state, &header, NULL);
    if (state->size == SIZE_MAX)
        return error_origin(-ENOMEM);

    state->fd = memfd_create("chatd-state", MFD_CLOEXEC);
    if (state->fd < 0)
        return error_origin(-errno);
    if (ftruncate(state->fd, (off_t) state->size) < 0)
        goto fail;
    state->base = mmap(NULL, state->size, PROT_READ | PROT_WRITE, MAP_SHARED, state->fd, 0);
    if (state->base == MAP_FAILED)
        goto fail;
    (void) state_place(state, &header, state->base);
    *state->header = header;
    return 0;

fail:
    r = error_origin(-errno);
    state_done(state);
    return r;
}

void state_done(State *state)
{
    if (state->base != MAP_FAILED && state->base != NULL)
        (void) munmap(state->base, state->size);
    state->base = MAP_FAILED;
    state->fd = fd_close(state->fd);
}
