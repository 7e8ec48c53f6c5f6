/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * What the archive is asked: by commands, and by a state that begins, for what was in force and kept before
 * it.
 */

#include "chat/recall.h"

typedef struct Server Server;

/* A ChatRecall; `userdata` is the Server. */
RecallState recalling_ask(void *userdata, const Recall *question, Recalled *ret_recalled);
/* What the archive knows becomes part of the state, if it is not yet, and as far as answers are there. */
void recalling_begin(Server *server);
/* The file is not the one of which the state has what it knew: a new one, or another. What it has counts,
 * too, and then it is told of what the state has. */
void recalling_begin_anew(Server *server);
