/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* What a transaction costs by itself (chat/state.h), in this process: the code is that of the daemon. */

typedef struct UndoCost {
    double line_nsec;     /* of a line that is said: its sender, the room, the counters */
    double delivery_nsec; /* of one listener's position */
} UndoCost;

/* Each `n` times. 0 or -errno. */
int undo_measure(unsigned n, UndoCost *ret_cost);
