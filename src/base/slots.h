/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Which places of an array are free: the ones given back, last first, then those never used. Memory that
 * was never needed is never touched.
 */

#include <stdbool.h>
#include <stdint.h>

typedef struct Slots {
    uint32_t *free; /* a stack of what was given back; owned */
    uint32_t n_free;
    uint32_t n_touched; /* places below this have been in use */
    uint32_t n_max;
} Slots;

#define SLOT_NONE UINT32_MAX

/* 0, or -ENOMEM. */
int slots_init(Slots *slots, uint32_t n_max);
void slots_done(Slots *slots);
/* A place, or SLOT_NONE when all are taken. */
uint32_t slots_take(Slots *slots);
void slots_give(Slots *slots, uint32_t slot);
/* The next place that was never used is in use, or was and is free now: for an array that was there before.
 */
void slots_count(Slots *slots, bool is_used);

static inline uint32_t slots_n_used(const Slots *slots)
{
    return slots->n_touched - slots->n_free;
}
