/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * A crash point is a place where the tests let the process die (tests/daemon/test-crash.c): between any two
 * steps that another process may have to tell apart. In the daemon that is installed it is nothing.
 */

#ifdef CHATD_FAULTS
/* Kills the process at the n-th call, where $CHATD_CRASH_AT is n, or sends it the signal $CHATD_CRASH_SIGNAL.
 */
void crash_point(void);
#else
static inline void crash_point(void)
{
}
#endif
