/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include "base/crash.h"

#ifdef CHATD_FAULTS

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

void crash_point(void)
{
    static long left = -1;

    if (left < 0) {
        const char *at = getenv("CHATD_CRASH_AT");

        left = at != NULL ? atol(at) : 0;
    }
    if (left > 0 && --left == 0) {
        const char *number = getenv("CHATD_CRASH_SIGNAL");

        (void) kill(getpid(), number != NULL ? atoi(number) : SIGKILL);
    }
}

#else
typedef int no_crash_points; /* ISO C wants something in a file */
#endif
