/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <signal.h>
#include <stddef.h>
#include <time.h>

#include "clock.h"

/* The one thing that a signal handler may touch. */
static volatile sig_atomic_t is_interrupted;

uint64_t clock_nsec(void)
{
    struct timespec t;

    (void) clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * NSEC_PER_SEC + (uint64_t) t.tv_nsec;
}

int clock_msec_to(uint64_t when, int most)
{
    uint64_t now = clock_nsec(), msec;

    if (when <= now)
        return 0;
    msec = (when - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
    return msec > (uint64_t) most ? most : (int) msec;
}

void clock_sleep(uint64_t nsec)
{
    struct timespec t = {.tv_sec = (time_t) (nsec / NSEC_PER_SEC), .tv_nsec = (long) (nsec % NSEC_PER_SEC)};

    if (!clock_interrupted())
        (void) nanosleep(&t, NULL); /* a signal ends it early, as it should */
}

static void on_signal(int number)
{
    (void) number;
    is_interrupted = 1;
}

void clock_catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal};

    (void) sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        (void) sigaction(numbers[i], &action, NULL);
    action.sa_handler = SIG_IGN;
    (void) sigaction(SIGPIPE, &action, NULL);
}

bool clock_interrupted(void)
{
    return is_interrupted != 0;
}
