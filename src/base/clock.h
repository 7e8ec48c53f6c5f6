/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* The two clocks, in microseconds. Read once a turn by the loop; the chat is told the time. */

#include <stdint.h>

/* CLOCK_MONOTONIC: the clock of systemd's MONOTONIC_USEC= (sd_notify(3)). */
uint64_t clock_monotonic(void);
/* CLOCK_REALTIME, since the epoch. */
uint64_t clock_wall(void);
/* "2026-11-22 14:03:05 CET (+0100)": usec since the epoch, in local time. */
enum { CLOCK_TEXT_MAX = 64 };
void clock_format(uint64_t wall, char text[CLOCK_TEXT_MAX]);
