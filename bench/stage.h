/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* A server with its crowd, ready to be measured. */

#include "cases.h"
#include "crowd.h"
#include "server.h"

typedef struct Stage {
    const CaseSetup *setup;
    ServerKind kind;
    unsigned room_size;  /* 0: nobody enters a room */
    unsigned n_in_rooms; /* the first ones; the others are merely connected; 0: all are in a room */
    unsigned n_senders;  /* of a room, its first ones */
    bool default_config;
    bool no_store;           /* chatd: as without systemd */
    bool is_storm;           /* all connect at once */
    uint64_t connected_nsec; /* how long they took */
    Server server;
    Crowd crowd;
} Stage;

/* Starts the server; `stage` has the fields above `server` set. Like all of these 0 or -errno. */
int stage_start(Stage *stage, unsigned n_clients);
/* Connects the crowd. With rooms: everyone enters, and 0 means that all of each room hear each other. */
int stage_fill(Stage *stage);
/* Forgets what was heard until now. */
void stage_reset(Stage *stage);
/* Ends the server, and the crowd with it. */
void stage_done(Stage *stage);
/* What went wrong, in words. */
void stage_explain(Stage *stage, int r, char *remark);
