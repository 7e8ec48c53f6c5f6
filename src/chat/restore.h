/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* Going on with a state that another process left: what is derived is made from the records anew. */

typedef struct Chat Chat;

enum { RESTORE_DAMAGED = 1 };

/* 0, RESTORE_DAMAGED after saying why in the log, or a negative errno. */
int restore_run(Chat *chat);
