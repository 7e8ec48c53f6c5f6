/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* Whoever runs the tests, by the socket for accounts: a person with the mark. */

#include "lib/client.h"

#define MARK "\xe2\x9c\x93"

/* The own login name, as it is a nick. */
const char *self_name(void);

/* Comes in by that listener, whose name is "local". */
Client *self_connect(Daemon *daemon, size_t listener);
