/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * The end of a turn: everyone who has something new is sent it. Those who listen to one room in the same way
 * are sent the same bytes, rendered once.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

typedef struct Server Server;

enum { DELIVERY_VARIETIES = 4 }; /* of one room's rendering, kept at a time */

typedef struct Rendering {
    uint8_t key;
    size_t n;
    char bytes[CHUNK_BYTES];
} Rendering;

typedef struct Delivery {
    Rendering renderings[DELIVERY_VARIETIES];
    unsigned n; /* of the room that is being delivered to */
} Delivery;

void delivery_run(Server *server);
