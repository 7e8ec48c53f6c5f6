/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/slots.h"

int slots_init(Slots *slots, uint32_t n_max)
{
    *slots = (Slots){.n_max = n_max};
    /* Not touched until it is used: malloc(3) takes a block of this size from mmap(2). */
    slots->free = malloc(sizeof(uint32_t) * ((size_t) n_max + 1));
    if (slots->free == NULL)
        return error_origin(-ENOMEM);
    return 0;
}

void slots_done(Slots *slots)
{
    free(slots->free);
    *slots = (Slots){0};
}

uint32_t slots_take(Slots *slots)
{
    if (slots->n_free > 0)
        return slots->free[--slots->n_free];
    if (slots->n_touched >= slots->n_max)
        return SLOT_NONE;
    return slots->n_touched++;
}

void slots_count(Slots *slots, bool is_used)
{
    assert(slots->n_touched < slots->n_max);
    slots->n_touched++;
    if (!is_used)
        slots_give(slots, slots->n_touched - 1);
}

void slots_give(Slots *slots, uint32_t slot)
{
    assert(slot < slots->n_touched && slots->n_free < slots->n_touched);
    slots->free[slots->n_free++] = slot;
}
