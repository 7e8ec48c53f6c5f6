/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Whether a state that came from outside is one that a chat can be in. Every field by which the chat would
 * look somewhere, or which somebody would see, is checked; whoever goes on with a state that passed is safe
 * from it.
 */

#include "chat/state.h"

/* 0 with *ret_why NULL if all is well, or a few words on what is not; or -ENOMEM. */
int check_state(const State *state, const StateUse *use, const char **ret_why);
