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
/* The file is not the one that the state has read last. One that has had something of this state is gone on
 * with. One that was begun for it, and has nothing else, is given all there is. Any other one, as when its
 * disk comes late, is asked for what it has, which counts, too; then it is told of what is the case, and
 * given what was said from there on. */
void recalling_begin_other(Server *server, uint64_t from);
