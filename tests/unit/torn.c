/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "unit/harness.h"
#include "unit/torn.h"

#ifdef __x86_64__

#define TRAP_FLAG 0x100

/* A signal handler gets no argument of ours. */
static struct {
    char *base;
    size_t size;
    volatile unsigned long left;
    sigjmp_buf out;
} torn;

static void protect(int protection)
{
    if (torn.base != NULL)
        EXPECT(mprotect(torn.base, torn.size, protection) == 0);
}

static void on_store(int number, siginfo_t *info, void *context)
{
    ucontext_t *registers = context;
    const char *at = info->si_addr;

    /* A fault of another kind: it happens again, and then it counts. */
    if (info->si_code != SEGV_ACCERR || at < torn.base || at >= torn.base + torn.size) {
        (void) signal(number, SIG_DFL);
        return;
    }
    protect(PROT_READ | PROT_WRITE);
    if (--torn.left == 0)
        siglongjmp(torn.out, 1);
    registers->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void on_step(int number, siginfo_t *info, void *context)
{
    ucontext_t *registers = context;

    (void) number;
    (void) info;
    registers->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
    protect(PROT_READ);
}

bool torn_is_possible(void)
{
    return !harness_is_slow();
}

void torn_watch(const State *state)
{
    torn.base = state->base;
    torn.size = state->size;
    protect(PROT_READ);
}

bool torn_run(const State *state, unsigned long n, void (*run)(void *userdata), void *userdata)
{
    struct sigaction store = {.sa_sigaction = on_store, .sa_flags = SA_SIGINFO}, old_store;
    struct sigaction step = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO}, old_step;
    volatile bool is_dead = true;

    torn.base = NULL;
    torn.left = n;
    EXPECT(sigaction(SIGSEGV, &store, &old_store) == 0 && sigaction(SIGTRAP, &step, &old_step) == 0);
    if (sigsetjmp(torn.out, 1) == 0) {
        if (state != NULL)
            torn_watch(state);
        run(userdata);
        protect(PROT_READ | PROT_WRITE);
        is_dead = false;
    }
    EXPECT(sigaction(SIGSEGV, &old_store, NULL) == 0 && sigaction(SIGTRAP, &old_step, NULL) == 0);
    return is_dead;
}

#else

bool torn_is_possible(void)
{
    return false;
}

void torn_watch(const State *state)
{
    (void) state;
}

bool torn_run(const State *state, unsigned long n, void (*run)(void *userdata), void *userdata)
{
    (void) state;
    (void) n;
    run(userdata);
    return false;
}

#endif
