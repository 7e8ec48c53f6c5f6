/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* Reading the configuration, and reading it again while people chat. */

#include "base/config.h"
#include "base/log.h"

typedef struct Server Server;

/* Loads the configuration and logs what is wrong with it. 0, CONFIG_INVALID, or a negative errno. */
int reload_load(const char *path, const Log *log, Config *ret_config);
/* On SIGHUP: puts the new configuration in force, or keeps the old one if the new one has an error. 0, or a
 * negative errno. */
int reload_run(Server *server);
