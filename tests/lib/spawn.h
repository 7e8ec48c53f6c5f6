/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* Starting the daemon's process, with the descriptors and the environment that its options ask for. */

#include "lib/daemon.h"

/* Sets pid, out_fd and err_fd. The daemon is killed when the test ends, however that comes about. */
void spawn_daemon(Daemon *daemon);
