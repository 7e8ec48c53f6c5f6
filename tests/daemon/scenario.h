/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* What the scenarios with crash points have in common: listeners, people, texts. */

#include "lib/crash.h"

/* Listeners: NARROW is for connections with small buffers. */
enum { TCP, UNIX, NARROW, LOCAL };

#define SCENARIO(table)                                                                                      \
    (CrashScenario)                                                                                          \
    {                                                                                                        \
        .name = #table, .steps = (table), .n_steps = N_ELEMENTS(table), .options = {                         \
            .config = CRASH_CONFIG,                                                                          \
            .listeners = {[TCP] = {.kind = LISTENER_TCP4},                                                   \
                          [UNIX] = {.kind = LISTENER_UNIX},                                                  \
                          [NARROW] = {.kind = LISTENER_TCP4, .send_buffer = 4096},                           \
                          [LOCAL] = {.kind = LISTENER_UNIX, .name = "local"}},                               \
        }                                                                                                    \
    }

#define T "[" SCRIPT_TIME "] "
#define GOODBYE "-- The service is being stopped. Goodbye.\n"
#define WELCOME(name) "-- Welcome to {host}. You are {" name "}; "
#define HELP " /help lists the commands.\n"
#define ENDS(letters) DOES(SCRIPT_END, '\0', {letters, GOODBYE})

/* Three people, one of them on a unix socket. */
#define THREE                                                                                                \
    COMES('a', TCP, {"a", WELCOME("a") "nobody else is here." HELP}),                                        \
        COMES('b', TCP, {"b", WELCOME("b") "1 other is here." HELP}, {"a", "-- {b} is here\n"}),             \
        COMES('u', UNIX, {"u", WELCOME("u") "2 others are here." HELP}, {"ab", "-- {u} is here\n"}),         \
        SENDS('a', "/nick alice\n", {"a", "-- You are now alice.\n"}, {"bu", "-- {a} is now alice\n"}),      \
        SENDS('b', "/nick bob\n", {"b", "-- You are now bob.\n"}, {"au", "-- {b} is now bob\n"}),            \
        SENDS('u', "/nick uma\n", {"u", "-- You are now uma.\n"}, {"ab", "-- {u} is now uma\n"})
