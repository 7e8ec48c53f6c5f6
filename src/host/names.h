/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * Names that are looked up among the host's accounts (host/accounts.h): of those who arrive by a socket for
 * accounts, and those that somebody else wants to have. Where there is no such socket no name is reserved.
 */

typedef struct Server Server;

/* 0, or a negative errno. */
int names_open(Server *server);
void names_close(Server *server);
/* What is new: whoever waits for it goes on. 0, or a negative errno. */
int names_take(Server *server);
