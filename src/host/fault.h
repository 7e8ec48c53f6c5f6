/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * How the process dies by its own fault: a signal that the kernel sends for what it did, an abort(3), or the
 * abort that the service manager sends to one that hangs (systemd.service(5), WatchdogSec=). The state is
 * told, so that the next process does not execute the line that did it. A death that somebody else brings
 * about leaves no word.
 */

#include "chat/state.h"

/* From now on; `header` must stay. 0, or a negative errno. */
int fault_watch(StateHeader *header);
/* No longer: the header goes away. */
void fault_forget(void);
