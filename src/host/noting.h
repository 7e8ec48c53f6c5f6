/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * What is in force, and what is kept of rooms and people, is told to an archive that can not know it: to a
 * new one, and to one that has missed something. The state says so until it is done, by whichever process.
 */

typedef struct Server Server;

/* All of it, from the beginning. */
void noting_begin(Server *server);
/* As much as a turn allows, if there is any, as notes in the transcript. */
void noting_go_on(Server *server);
