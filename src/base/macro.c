/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <errno.h>
#include <unistd.h>

#include "base/macro.h"

int fd_close(int fd)
{
    int saved = errno;

    /* EINTR from close(2) means closed on Linux: it is never tried again. */
    if (fd >= 0)
        (void) close(fd);
    errno = saved;
    return -1;
}
