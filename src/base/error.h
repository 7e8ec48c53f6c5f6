/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Errors have two tiers in one int.
 *
 *   r < 0   fatal: a negative errno. Nobody matches on it; it is passed up and ends the process.
 *   r == 0  done.
 *   r > 0   the callee's own enum: an answer that the direct caller handles and does not pass on.
 *
 * Each return says which tier it is, so that a reader sees where an error is born, where it passes
 * through, and where an unexpected answer turns into a fatal error.
 */

#include <errno.h>
#include <stdbool.h>

/* A fatal error is born here. `negative_errno` of 0 or above is itself a mistake, and becomes
 * -ENOTRECOVERABLE. */
static inline int error_origin(int negative_errno)
{
    return negative_errno < 0 ? negative_errno : -ENOTRECOVERABLE;
}

/* An error passes through. */
static inline int error_trace(int r)
{
    return r;
}

/* An answer that was not expected here becomes fatal; a fatal error stays what it is. */
static inline int error_fold(int r)
{
    return r > 0 ? -ENOTRECOVERABLE : r;
}

/* Try again later: the kernel has nothing now, or was interrupted. */
static inline bool errno_is_transient(int e)
{
    return e == EAGAIN || e == EWOULDBLOCK || e == EINTR;
}

/* The peer is gone. Any of these ends one connection and nothing else. */
static inline bool errno_is_disconnect(int e)
{
    return e == ECONNRESET || e == EPIPE || e == ETIMEDOUT || e == ECONNABORTED || e == EHOSTUNREACH ||
           e == ENETUNREACH || e == ENETDOWN || e == EHOSTDOWN || e == ENETRESET || e == ENOTCONN ||
           e == ECONNREFUSED || e == ESHUTDOWN || e == ENONET || e == EPROTO || e == ENOPROTOOPT || e == EIO;
}

/* accept(2): errors of the connection that was to be accepted; the next one may be fine. */
static inline bool errno_is_accept_again(int e)
{
    return errno_is_transient(e) || errno_is_disconnect(e) || e == EOPNOTSUPP || e == EPERM;
}

/* accept(2): this process or the system has run out of something; waiting helps. */
static inline bool errno_is_exhausted(int e)
{
    return e == EMFILE || e == ENFILE || e == ENOBUFS || e == ENOMEM;
}
