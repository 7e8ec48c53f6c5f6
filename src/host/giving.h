/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * What is new in the transcript is given to the archive, in batches. Where to go on is in the archive, and
 * what the transcript has overwritten meanwhile is counted, so that the archive knows how much is missing.
 */

#include <stdbool.h>
#include <stdint.h>

typedef struct Chat Chat;
typedef struct Server Server;

/* How many lines there were before a position, since the state began. */
uint64_t giving_lines_before(const Chat *chat, uint64_t end);
/* The log is told of `n` lines since the state began, but for those that the archive knows, and those that
 * are not for it. */
void giving_tell_missing(Server *server, uint64_t n, uint64_t n_done, uint64_t n_before);
/* What is said from there on is for the archive; UINT64_MAX: nothing is. A transaction. */
void giving_mark(Chat *chat, uint64_t from);
/* The archive has been opened, and says up to where it is. */
void giving_begin(Server *server);
/* Whether there is anything that it could be given to: not before the state has what the archive knew, nor in
 * a transaction, of which entries may still go. */
bool giving_is_possible(const Server *server);
/* Whether there is something that it has not been given. */
bool giving_has_more(const Server *server);
/* Gives it all that is new, as far as it takes it. */
void giving_run(Server *server);
/* Whether it has been given all there is. */
bool giving_is_done(const Server *server);
