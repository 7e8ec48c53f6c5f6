/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "base/macro.h"
#include "host/thread.h"

int thread_start(void *(*function)(void *), void *userdata, size_t stack_bytes)
{
    pthread_attr_t attributes;
    sigset_t all, old;
    pthread_t thread;
    int error;

    (void) pthread_attr_init(&attributes);
    (void) pthread_attr_setstacksize(&attributes, stack_bytes);
    (void) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &old);
    error = pthread_create(&thread, &attributes, function, userdata);
    (void) pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void) pthread_attr_destroy(&attributes);
    return error != 0 ? error_origin(-error) : 0;
}

/* With CLOSE_RANGE_UNSHARE only what is below the range is copied at all, and nothing of the old table is
 * closed (close_range(2)); where that is refused, nothing may be closed. */
void thread_leave_descriptors(int fd)
{
    if (close_range((unsigned) fd + 1, UINT_MAX, CLOSE_RANGE_UNSHARE) == 0 && fd > STDERR_FILENO + 1)
        (void) close_range(STDERR_FILENO + 1, (unsigned) fd - 1, 0);
}

void thread_widen_descriptors(uint32_t n)
{
    struct rlimit limit;
    int fd;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || n > INT_MAX)
        return;
    n = (uint32_t) MIN(limit.rlim_cur, (rlim_t) n);
    fd = n > 0 ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, (int) n - 1) : -1;
    (void) fd_close(fd);
}
