/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* An archive that has not heard of a room's lock: what was said in an earlier room of that name, or in that
 * of another file, is not told to who is in it. */

#include "unit/other-file-fixture.h"

static void expect_untold(Scene *scene, Client *client)
{
    static const char *const LINES[] = {"/history 100", "/history 99", "/search secret"};

    for (size_t i = 0; i < N_ELEMENTS(LINES); i++) {
        const char *heard = scene_hear(scene, client, LINES[i]);

        ck_assert_msg(strstr(heard, SECRET) == NULL, "%s: %s", LINES[i], heard);
    }
}

/* In each turn, until nothing is the matter any more. */
static void ask_at_once(Scene *scene, Client *client)
{
    static const char QUESTION[] = "/history 100";
    Harness *harness = scene->harness;
    unsigned n_answered = 0;

    while (n_answered < 50) {
        const char *heard;

        chat_set_time(harness->chat, clock_monotonic(), clock_wall());
        remember_take(&scene->server);
        if (!command_must_wait(harness->chat, client->session, QUESTION, sizeof QUESTION - 1)) {
            client_say(harness, client, "%s", QUESTION);
            n_answered += remember_trouble(&scene->server) == NULL;
        }
        scene_turn(scene);
        heard = client_take(client);
        ck_assert_msg(strstr(heard, SECRET) == NULL, "after %u: %s", n_answered, heard);
    }
}

/* otto, who makes #den, and locks it. */
static Client *otto_locks(Scene *scene)
{
    Client *otto = scene_account(scene, "otto", 1002);

    (void) scene_hear(scene, otto, "/join #den");
    (void) scene_hear(scene, otto, "/lock");
    return otto;
}

/* Closed and made again while it was off, which is not written. */
START_TEST(test_on_while_locked)
{
    Scene *scene = scene_new();
    Client *fay = fay_comes(scene), *otto;

    TURN_UNTIL(scene, is_written(scene));
    scene_turn_off(scene);
    (void) scene_hear(scene, fay, "/close #den");
    scene_turn(scene);
    otto = otto_locks(scene);
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    scene_reload(scene, true);
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    expect_untold(scene, otto);
    neighbour_does(&scene->world, "ROLLBACK");
    ask_at_once(scene, otto);
    scene_free(scene);
}
END_TEST

/* Closed in trouble, made by a guest, and locked by an operator. */
START_TEST(test_locked_in_trouble)
{
    Scene *scene = scene_new();
    Client *fay = fay_comes(scene), *root = scene_account(scene, "root", 0);

    TURN_UNTIL(scene, is_written(scene));
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    (void) scene_hear(scene, fay, "/close #den");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    (void) scene_hear(scene, scene->alice, "/join #den");
    (void) scene_hear(scene, root, "/join #den");
    ck_assert_ptr_nonnull(strstr(scene_hear(scene, root, "/lock"), "is locked"));
    expect_untold(scene, scene->alice);
    neighbour_does(&scene->world, "ROLLBACK");
    scene_free(scene);
}
END_TEST

/* A state begins while somebody has the file, and an operator locks what is nobody's #den. */
static Scene *begin_locked(void)
{
    Scene *scene = scene_new();
    Client *root;

    (void) fay_comes(scene);
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    scene_open(scene);
    root = scene_account(scene, "root", 0);
    (void) scene_hear(scene, scene->alice, "/join #den");
    (void) scene_hear(scene, root, "/join #den");
    ck_assert_ptr_nonnull(strstr(scene_hear(scene, root, "/lock"), "is locked"));
    return scene;
}

START_TEST(test_begin_locked)
{
    Scene *scene = begin_locked();

    neighbour_does(&scene->world, "ROLLBACK");
    ask_at_once(scene, scene->alice);
    scene_free(scene);
}
END_TEST

/* And opens it, or the ring has no word of it any more. */
START_TEST(test_begin_opened)
{
    Scene *scene = begin_locked();
    Client *root = scene->harness->clients[scene->harness->n_clients - 1];

    ck_assert_ptr_nonnull(strstr(scene_hear(scene, root, "/lock off"), "open"));
    neighbour_does(&scene->world, "ROLLBACK");
    ask_at_once(scene, scene->alice);
    scene_free(scene);
}
END_TEST

START_TEST(test_begin_overwritten)
{
    Scene *scene = begin_locked();

    (void) scene_hear(scene, scene->alice, "/join #lobby");
    scene_fill_ring(scene);
    (void) scene_hear(scene, scene->alice, "/join #den");
    neighbour_does(&scene->world, "ROLLBACK");
    ask_at_once(scene, scene->alice);
    scene_free(scene);
}
END_TEST

/* otto has a #den when there is another file in the place of the one that knows of it. */
static Scene *begin_swapped(Client **ret_otto)
{
    Scene *scene = begin_early();

    *ret_otto = otto_locks(scene);
    TURN_UNTIL(scene, is_written(scene));
    swap_late(scene);
    return scene;
}

/* Which nobody has noticed: by the question it is. */
START_TEST(test_swapped)
{
    Client *otto;
    Scene *scene = begin_swapped(&otto);

    expect_untold(scene, otto);
    settle(scene);
    expect_untold(scene, otto);
    scene_free(scene);
}
END_TEST

START_TEST(test_swapped_in_trouble)
{
    Client *otto;
    Scene *scene = begin_swapped(&otto);

    scene_say(scene, "hello");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    ask_at_once(scene, otto);
    scene_free(scene);
}
END_TEST

/* It is noticed when he opens his. */
START_TEST(test_swapped_and_opened)
{
    Client *otto;
    Scene *scene = begin_swapped(&otto);

    (void) scene_hear(scene, otto, "/lock off");
    settle(scene);
    expect_untold(scene, otto);
    scene_free(scene);
}
END_TEST

UNIT_MAIN("untold", test_on_while_locked, test_locked_in_trouble, test_begin_locked, test_begin_opened,
          test_begin_overwritten, test_swapped, test_swapped_in_trouble, test_swapped_and_opened)
