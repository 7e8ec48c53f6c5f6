/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * libFuzzer target for "the state that the last process left". The input is a list of changes to a state with
 * something of everything in it: numbers and texts are replaced, by any or by what stands elsewhere, and the
 * file ends too soon. Then it is refused, or everyone in it goes on: see unit/damage.h.
 */

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"
#include "unit/damage.h"

enum { CHANGES_MAX = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Input {
    const uint8_t *data;
    size_t size, at;
} Input;

static uint64_t take(Input *input, size_t n)
{
    uint64_t value = 0;

    n = MIN(n, input->size - input->at);
    memcpy(&value, input->data + input->at, n);
    input->at += n;
    return value;
}

/* One of the places that mean something. */
static off_t take_place(Input *input, const Range *ranges, unsigned n_ranges)
{
    size_t place = (size_t) take(input, 2), n = 0;

    for (unsigned i = 0; i < n_ranges; i++)
        n += ranges[i].n;
    place %= n;
    for (; place >= ranges->n; ranges++)
        place -= ranges->n;
    return (off_t) (ranges->offset + place);
}

/* What comes first says what kind of change follows, and of how many bytes. */
static void change(Input *input, const Range *ranges, unsigned n_ranges, int fd)
{
    uint8_t kind = (uint8_t) take(input, 1);
    size_t n = (size_t) 1 << kind % 4;
    off_t place = take_place(input, ranges, n_ranges);
    uint64_t value = 0;

    if (kind == UINT8_MAX) {
        EXPECT(ftruncate(fd, place) == 0);
        return;
    }
    if (kind & 4)
        (void) !pread(fd, &value, n, take_place(input, ranges, n_ranges));
    else
        value = take(input, n);
    EXPECT(pwrite(fd, &value, n, place) == (ssize_t) n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Harness *harness, *victim;
    static Range ranges[DAMAGE_RANGES];
    static unsigned n_ranges;
    Input input = {.data = data, .size = size};
    int fd;

    if (harness == NULL) {
        harness = damage_world();
        victim = damage_world();
        n_ranges = damage_ranges(harness, ranges);
    }
    fd = harness_copy(harness->chat->state.fd);
    for (unsigned n = 0; n < CHANGES_MAX && input.at < size; n++)
        change(&input, ranges, n_ranges, fd);
    (void) damage_try(victim, fd);
    return 0;
}
