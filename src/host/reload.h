/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* Reading the configuration, and reading it again while people chat. */

#include <stdbool.h>

#include "base/config.h"
#include "base/log.h"

typedef struct Server Server;

/*
 * Loads the configuration for a start, and logs what is wrong with it. 0, CONFIG_INVALID, or a negative
 * errno. With `has_people` an error in it is no reason not to start: then the configuration is the one that
 * was in force last, or the defaults.
 */
int reload_start(const char *path, const Log *log, bool has_people, Config *ret_config);
/* On SIGHUP: puts the new configuration in force, or keeps the old one if the new one has an error. 0, or a
 * negative errno. */
int reload_run(Server *server);
