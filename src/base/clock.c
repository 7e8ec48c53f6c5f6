/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"

static uint64_t clock_read(clockid_t id)
{
    struct timespec t;

    (void) clock_gettime(id, &t);
    return (uint64_t) t.tv_sec * USEC_PER_SEC + (uint64_t) t.tv_nsec / NSEC_PER_USEC;
}

uint64_t clock_monotonic(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

uint64_t clock_wall(void)
{
    return clock_read(CLOCK_REALTIME);
}

void clock_format(uint64_t wall, char text[CLOCK_TEXT_MAX])
{
    time_t seconds = (time_t) (wall / USEC_PER_SEC);
    struct tm local;

    if (localtime_r(&seconds, &local) == NULL ||
        strftime(text, CLOCK_TEXT_MAX, "%Y-%m-%d %H:%M:%S %Z (%z)", &local) == 0)
        (void) snprintf(text, CLOCK_TEXT_MAX, "an unknown time");
}
