/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * What outlives the service when nobody is connected: the lobby's topic and what was said there last. It is
 * kept in the runtime directory (systemd.exec(5), RuntimeDirectory=; in memory, and gone after a reboot) as a
 * state with nobody in it, so that it is read, and checked, like any other. Private lines are not in it.
 * Without such a directory nothing is kept.
 */

#include "base/log.h"

typedef struct Chat Chat;
typedef struct Config Config;

void history_save(const Chat *chat, const Config *config, const Log *log);
/* Into a chat that has just begun. */
void history_load(Chat *chat, const Config *config, const Log *log);
/* What was loaded is in a state that the next process will find. */
void history_forget(void);
/* Keeps a copy of the state in `fd` that kills whoever goes on with it, for those who find out why. */
void history_set_aside(const Log *log, int fd);
