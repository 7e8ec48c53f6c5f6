/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <limits.h>
#include <stdlib.h>
#include <time.h>

#include "lib/deadline.h"

uint64_t now_usec(void)
{
    struct timespec now = {0};

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * USEC_PER_SEC + (uint64_t) now.tv_nsec / 1000;
}

bool daemon_is_wrapped(void)
{
    const char *wrapper = getenv("CHATD_WRAPPER");

    return wrapper != NULL && *wrapper != '\0';
}

double deadline_scale(void)
{
    const char *text = getenv("TEST_TIMEOUT_SCALE");
    double scale = text != NULL ? strtod(text, NULL) : 0;

    if (scale > 0)
        return scale;
    return daemon_is_wrapped() ? 10 : 1;
}

uint64_t deadline_exactly_in(double seconds)
{
    return now_usec() + (uint64_t) (seconds * (double) USEC_PER_SEC);
}

uint64_t deadline_in(double seconds)
{
    return deadline_exactly_in(seconds * deadline_scale());
}

int deadline_left_msec(uint64_t deadline)
{
    uint64_t now = now_usec(), left;

    if (now >= deadline)
        return 0;
    left = (deadline - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC;
    return left > INT_MAX ? INT_MAX : (int) left;
}

size_t load_of(size_t n)
{
    return daemon_is_wrapped() ? n / 10 : n;
}
