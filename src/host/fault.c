/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <signal.h>
#include <unistd.h>

#include "base/error.h"
#include "base/macro.h"
#include "host/fault.h"

/* A signal handler gets no argument of ours, so this one thing hangs off nothing. */
static StateHeader *volatile watched;
/* The stack may be what is used up. */
static char stack[16384];

/* Of the others only the manager, whose child this process is, speaks of our faults. */
static bool is_own(const siginfo_t *info)
{
    if (info->si_code > 0)
        return true;
    return info->si_pid == getpid() || (info->si_signo == SIGABRT && info->si_pid == getppid());
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    StateHeader *header = watched;

    (void) context;
    if (header != NULL && is_own(info))
        header->fault = (uint32_t) signal;
    /* The handler is gone (SA_RESETHAND): what was executed faults again, and what was sent is sent again. */
    if (info->si_code <= 0)
        (void) raise(signal);
}

int fault_watch(StateHeader *header)
{
    static const int SIGNALS[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    struct sigaction action = {.sa_sigaction = on_fault,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | (int) SA_RESETHAND};
    stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};

    watched = header;
    if (sigaltstack(&alternative, NULL) < 0)
        return error_origin(-errno);
    for (size_t i = 0; i < N_ELEMENTS(SIGNALS); i++)
        if (sigaction(SIGNALS[i], &action, NULL) < 0)
            return error_origin(-errno);
    return 0;
}

void fault_forget(void)
{
    watched = NULL;
}
