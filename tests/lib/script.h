/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * A script: who sends which bytes, step by step, and what everybody has read then, to the byte. After each
 * step everybody must have all of that and nothing more, and the daemon sleeps before the next one begins.
 *
 * The daemon may be started again on the way (DaemonOptions.restarts). Nobody may notice, but for two things
 * that cannot be known better: the one line that a client of a unix socket was being sent when the process
 * died may come twice; and who was not yet greeted then may see the connection end, and connects again.
 *
 * People are letters, from 'a' on. In texts {a} is the name that a was greeted with, {host} the host's, and
 * SCRIPT_TIME any time.
 */

#include "lib/client.h"

#define SCRIPT_DIGIT "\1" /* any one digit */
#define SCRIPT_TIME SCRIPT_DIGIT SCRIPT_DIGIT ":" SCRIPT_DIGIT SCRIPT_DIGIT

enum {
    SCRIPT_PEOPLE_MAX = 26,
    SCRIPT_READS_MAX = 8,
};

typedef enum ScriptAction {
    SCRIPT_SEND,       /* `bytes`, as one packet */
    SCRIPT_HALF_CLOSE, /* and ends that direction */
    SCRIPT_CONNECT,    /* the first step of everybody; to the listener `listener` */
    SCRIPT_CLOSE,
    SCRIPT_PAUSE,   /* reads nothing from now on */
    SCRIPT_RESUME,  /* reads again, and has everything after this step */
    SCRIPT_RESTART, /* SIGTERM, by which everybody is left to the next process */
    SCRIPT_END,     /* the last step, SIGINT: everybody reads the end of it, and of the connection */
} ScriptAction;

typedef struct ScriptRead {
    const char *who; /* letters */
    const char *bytes;
} ScriptRead;

typedef struct ScriptStep {
    ScriptAction action;
    char who;
    size_t listener;
    const char *bytes;
    ScriptRead reads[SCRIPT_READS_MAX];
    const char *ends; /* letters of those whose connection ends after what they read */
} ScriptStep;

/* As they are written in a table: SENDS('a', "hello\n", {"bc", "<alice> hello\n"}) */
#define SCRIPT_READS(...) .reads = {__VA_ARGS__}
#define COMES(letter, to, ...)                                                                               \
    {                                                                                                        \
        .action = SCRIPT_CONNECT, .who = (letter), .listener = (to), SCRIPT_READS(__VA_ARGS__)               \
    }
#define SENDS(letter, text, ...)                                                                             \
    {                                                                                                        \
        .action = SCRIPT_SEND, .who = (letter), .bytes = (text), SCRIPT_READS(__VA_ARGS__)                   \
    }
#define QUITS(letter, text, ...)                                                                             \
    {                                                                                                        \
        .action = SCRIPT_SEND, .who = (letter), .bytes = (text), .ends = (char[]){(letter), '\0'},           \
        SCRIPT_READS(__VA_ARGS__)                                                                            \
    }
#define HALF_CLOSES(letter, text, ...)                                                                       \
    {                                                                                                        \
        .action = SCRIPT_HALF_CLOSE, .who = (letter), .bytes = (text), .ends = (char[]){(letter), '\0'},     \
        SCRIPT_READS(__VA_ARGS__)                                                                            \
    }
#define DOES(what, letter, ...)                                                                              \
    {                                                                                                        \
        .action = (what), .who = (letter), SCRIPT_READS(__VA_ARGS__)                                         \
    }

typedef struct ScriptPerson {
    Client *client; /* NULL: not there */
    char nick[64];  /* as greeted */
    size_t listener;
    bool is_paused;
    size_t n_deaths_before;                      /* after which nothing may come twice any more */
    Buffer wanted;                               /* all it must have read, from the beginning */
    size_t n_wanted, n_got;                      /* bytes that were compared: of `wanted`, of what came */
    size_t want_line, got_line, got_line_before; /* where the current line begins, and the one before it */
} ScriptPerson;

typedef struct Script {
    Daemon *daemon;
    const ScriptStep *steps;
    size_t n_steps, step;
    char host[65];
    ScriptPerson people[SCRIPT_PEOPLE_MAX];
    size_t n_repeated; /* lines that came twice */
    size_t n_unstored; /* FDSTOREREMOVE=1 that came before SCRIPT_END */
    bool died_at_end;  /* in SCRIPT_END */
} Script;

/* Plays all of it. The daemon has ended afterwards, if the last step is SCRIPT_END. */
void script_play(Script *script, Daemon *daemon, const ScriptStep *steps, size_t n_steps);

/* How many runs of the daemon ended by a signal. */
size_t script_n_deaths(const Daemon *daemon);
