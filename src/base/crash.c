/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include "base/crash.h"

#ifdef CHATD_FAULTS

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

void crash_point(void)
{
    static atomic_long n_passed; /* by any thread */
    const char *at = getenv("CHATD_CRASH_AT");

    if (at != NULL && atomic_fetch_add(&n_passed, 1) + 1 == atol(at)) {
        const char *number = getenv("CHATD_CRASH_SIGNAL");

        (void) kill(getpid(), number != NULL ? atoi(number) : SIGKILL);
    }
}

#else
typedef int no_crash_points; /* ISO C wants something in a file */
#endif
