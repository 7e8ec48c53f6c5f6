/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* What the archive says to a question, put together as whoever asked wants it: text for people, or entries
 * and records for the state. */

#include "archive/archive.h"
#include "host/archivist-core.h"

/* Without the lock. What *ret_recalled has is in *ret_memory, the caller's to free(3), also after an error.
 * 0, -ENOMEM, or an answer of the archive. */
int answer_question(Archive *archive, const Question *question, Recalled *ret_recalled, char **ret_memory);
