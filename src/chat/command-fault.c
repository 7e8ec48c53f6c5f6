/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Commands that bring the process down. They are in no daemon that is installed: only in one that the tests
 * build. */

#ifdef CHATD_FAULTS

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/macro.h"
#include "chat/command.h"

int command_crash(_unused_ Chat *chat, _unused_ uint32_t session, _unused_ Arguments arguments)
{
    volatile uintptr_t nowhere = 16;

    *(volatile int *) nowhere = 1;
    return 0;
}

int command_abort(_unused_ Chat *chat, _unused_ uint32_t session, _unused_ Arguments arguments)
{
    abort();
}

int command_hang(Chat *chat, _unused_ uint32_t session, _unused_ Arguments arguments)
{
    static const char BEGUN[] = "A line has begun to hang.\n";

    (void) !write(STDERR_FILENO, BEGUN, sizeof BEGUN - 1);
    while (*(volatile uint64_t *) &chat->now != 0)
        (void) poll(NULL, 0, -1);
    return 0;
}

static int recurse(volatile char *above)
{
    volatile char here[4096];

    here[0] = above[0];
    return above[0] != 0 ? recurse(here) + here[0] : 0;
}

int command_overflow(_unused_ Chat *chat, _unused_ uint32_t session, _unused_ Arguments arguments)
{
    volatile char here[1] = {1};

    return recurse(here) != 0 ? 0 : 1;
}

#else
typedef int no_faults; /* ISO C wants something in a file */
#endif
