/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* fay has said something behind a lock, which is told to nobody else. */

#include "chat/room.h"
#include "unit/scene-fixture.h"

#define SECRET "the secret of fay"

static inline bool has_room(const Scene *scene, const char *room)
{
    const Name name = fixture_name(room);

    return room_find(scene->harness->chat, &name) != SLOT_NONE;
}

/* fay, who makes #den and says something there, behind a lock. */
static inline Client *fay_comes(Scene *scene)
{
    Client *fay = scene_account(scene, "fay", 1001);

    (void) scene_hear(scene, fay, "/join #den");
    (void) scene_hear(scene, fay, "/lock");
    (void) scene_hear(scene, fay, SECRET);
    return fay;
}

/* A state that began without an archive, in which otto makes a #den of his own, and says that; then there is
 * one again. */
static inline Client *otto_makes_another(Scene *scene, const char *line)
{
    Client *otto;

    (void) fay_comes(scene);
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    scene_begin(scene, NULL, false);
    otto = scene_account(scene, "otto", 1002);
    (void) scene_hear(scene, otto, "/join #den");
    (void) scene_hear(scene, otto, line);
    scene_reload(scene, true);
    TURN_UNTIL(scene, is_written(scene));
    return otto;
}

/* otto comes into #den, or makes it, and looks for what was said there. */
static inline void expect_nothing_told(Scene *scene, bool may_found)
{
    static const char *const LINES[] = {"/history 100", "/search secret", "/lock",
                                        "/history 100", "/search secret", "/history today"};
    Client *otto = scene_account(scene, "otto", 1002);
    const char *heard = scene_hear(scene, otto, "/join #den");

    ck_assert_ptr_null(strstr(heard, SECRET));
    ck_assert_ptr_nonnull(strstr(heard, "You are in #den now"));
    ck_assert_int_eq(strstr(heard, "belongs to nobody") == NULL, may_found);
    (void) scene_hear(scene, otto, "hello");
    TURN_UNTIL(scene, !scene->server.config.archive_is_enabled || remember_trouble(&scene->server) != NULL ||
                          is_written(scene));
    for (size_t i = 0; i < N_ELEMENTS(LINES); i++) {
        heard = scene_hear(scene, otto, LINES[i]);
        ck_assert_msg(strstr(heard, SECRET) == NULL, "%s: %s", LINES[i], heard);
    }
}
