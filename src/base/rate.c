/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include "base/limits.h"
#include "base/macro.h"
#include "base/rate.h"

static uint64_t rate_time_of(const Rate *rate, uint64_t n)
{
    return n * NSEC_PER_SEC / rate->per_second;
}

uint64_t rate_charge(const Rate *rate, uint64_t due, uint64_t now, uint64_t n)
{
    if (rate->per_second == 0)
        return due;
    return MAX(due, now) + rate_time_of(rate, n);
}

bool rate_fits(const Rate *rate, uint64_t due, uint64_t now, uint64_t n, uint64_t *ret_when)
{
    uint64_t after, allowed, burst = MAX(rate->burst, 1U);

    if (rate->per_second == 0)
        return true;
    /* A single charge above the burst would never fit: it may go when nothing is owed. */
    allowed = rate_time_of(rate, MAX(n, burst));
    after = rate_charge(rate, due, now, n);
    if (after - now <= allowed)
        return true;
    *ret_when = after - allowed;
    return false;
}
