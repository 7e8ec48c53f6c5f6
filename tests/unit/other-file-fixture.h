/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* A file in the place of another. */

#include <stdio.h>

#include "unit/secrets-fixture.h"

static inline void move_file(const Scene *scene, const char *from, const char *to)
{
    static const char *const PARTS[] = {"", "-wal", "-shm"};
    char old[600], new[600];

    for (size_t i = 0; i < N_ELEMENTS(PARTS); i++) {
        (void) snprintf(old, sizeof old, "%s%s%s", scene->world.fixture->path, from, PARTS[i]);
        (void) snprintf(new, sizeof new, "%s%s%s", scene->world.fixture->path, to, PARTS[i]);
        ck_assert(rename(old, new) == 0 || i > 0);
    }
}

/* A state that has read an early file, when the late one has #den, a ban, and settings of fay. */
static inline Scene *begin_early(void)
{
    Scene *scene = scene_new();
    Client *root = scene_account(scene, "root", 0), *fay = fay_comes(scene);

    (void) scene_hear(scene, fay, "/set color on");
    (void) scene_hear(scene, fay, "/ignore mallory");
    (void) scene_hear(scene, root, "/ban 10.0.0.1");
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    move_file(scene, "", ".late");
    scene_open(scene);
    TURN_UNTIL(scene, is_written(scene));
    return scene;
}

static inline void swap_late(Scene *scene)
{
    move_file(scene, "", ".early");
    move_file(scene, ".late", "");
}

/* That it is another one. */
static inline void settle(Scene *scene)
{
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    TURN_UNTIL(scene, remember_trouble(&scene->server) == NULL);
    TURN_UNTIL(scene, is_written(scene) && scene->harness->chat->n_expecting == 0);
}

static inline void notice(Scene *scene)
{
    scene_say(scene, "hello");
    settle(scene);
}
