/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* A room that is kept is given up when nobody has entered it for a long time, whether or not the service has
 * run all that time. */

#include "chat/keep.h"
#include "unit/secrets-fixture.h"

#define EMPTY "SELECT count(*) FROM rooms WHERE key = 'den' AND empty_wall > 0"
#define DAY_SEC (24 * 60 * 60)

/* What a service that began `days` after the last one left the room has: how long the room is kept, in
 * seconds. */
static int64_t kept_for(Scene *scene, int64_t days)
{
    const Chat *chat;
    char sql[120];

    (void) snprintf(sql, sizeof sql, "UPDATE rooms SET empty_wall = empty_wall - %lld",
                    (long long) (days * DAY_SEC * (int64_t) USEC_PER_SEC));
    neighbour_does(&scene->world, sql);
    scene_open(scene);
    TURN_UNTIL(scene, has_room(scene, "den"));
    chat = scene->harness->chat;
    return (int64_t) (chat->next_given_up - chat->now) / (int64_t) USEC_PER_SEC;
}

START_TEST(test_over_a_stop)
{
    static const struct {
        int64_t days, sec_min, sec_max;
    } CASES[] = {
        {0, ROOM_KEPT_SEC - 60, ROOM_KEPT_SEC},
        {10, ROOM_KEPT_SEC - 10 * DAY_SEC - 60, ROOM_KEPT_SEC - 10 * DAY_SEC},
        {29, DAY_SEC - 60, DAY_SEC},
        {30, ROOM_REVIVED_SEC - 60, ROOM_REVIVED_SEC},
        {20000, ROOM_REVIVED_SEC - 60, ROOM_REVIVED_SEC},
        {-10, ROOM_KEPT_SEC - 60, ROOM_KEPT_SEC}, /* the clock was set back */
    };

    for (size_t i = 0; i < N_ELEMENTS(CASES); i++) {
        Scene *scene = scene_new();
        Client *fay = fay_comes(scene);
        uint64_t until;
        int64_t sec;
        Chat *chat;

        (void) scene_hear(scene, fay, "/leave");
        TURN_UNTIL(scene, is_written(scene));
        scene_close(scene);
        ck_assert_int_eq(number_in_file(scene, EMPTY), 1);
        sec = kept_for(scene, CASES[i].days);
        ck_assert_msg(sec >= CASES[i].sec_min && sec <= CASES[i].sec_max, "case %zu: %lld s", i,
                      (long long) sec);
        until = scene->harness->chat->next_given_up;
        /* The next process has the same. */
        remember_close(&scene->server, false);
        harness_survive(scene->harness);
        scene_serve(scene, true);
        chat = scene->harness->chat;
        chat_set_time(chat, until - 1, chat->wall);
        keep_tick(chat);
        ck_assert(has_room(scene, "den"));
        chat_set_time(chat, until, chat->wall);
        keep_tick(chat);
        ck_assert(!has_room(scene, "den"));
        scene_free(scene);
    }
}
END_TEST

/* Whoever enters it begins the time anew, also if nobody says that it ends. */
START_TEST(test_entered)
{
    Scene *scene = scene_new();
    Client *fay = fay_comes(scene);

    (void) scene_hear(scene, fay, "/leave");
    TURN_UNTIL(scene, is_written(scene));
    (void) scene_hear(scene, fay, "/join #den");
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, EMPTY), 0);
    ck_assert_int_ge(kept_for(scene, 40), ROOM_KEPT_SEC - 60);
    scene_free(scene);
}
END_TEST

#define LONG_AGO "UPDATE rooms SET empty_wall = 1"
#define NOT_LONG_AGO EMPTY " AND empty_wall > 1"

/* In one turn. */
START_TEST(test_entered_and_left)
{
    Scene *scene = scene_new();
    Client *fay = fay_comes(scene);

    (void) scene_hear(scene, fay, "/leave");
    TURN_UNTIL(scene, is_written(scene));
    neighbour_does(&scene->world, LONG_AGO);
    client_say(scene->harness, fay, "/join #den");
    client_say(scene->harness, fay, "/leave");
    scene_turn(scene);
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, NOT_LONG_AGO), 1);
    scene_forget(scene);
}
END_TEST

/* That is no time in which nobody came; a clock that only drifts is nothing to tell of. */
START_TEST(test_clock_is_set)
{
    for (int is_set = 0; is_set <= 1; is_set++) {
        Scene *scene = scene_new();
        Client *fay = fay_comes(scene);

        (void) scene_hear(scene, fay, "/leave");
        TURN_UNTIL(scene, is_written(scene));
        neighbour_does(&scene->world, LONG_AGO);
        scene->harness->chat->wall_ahead -= CLOCK_SET_USEC + (is_set ? USEC_PER_SEC : -USEC_PER_SEC);
        scene_turn(scene);
        scene_say(scene, "x");
        TURN_UNTIL(scene, is_written(scene));
        scene_close(scene);
        ck_assert_int_eq(number_in_file(scene, NOT_LONG_AGO), is_set);
        scene_forget(scene);
    }
}
END_TEST

/* Made while the archive can not be read, kept by an invitation, and left: the room that was there comes
 * back. */
START_TEST(test_locked_out)
{
    Scene *scene = scene_new();
    Client *root, *otto;

    (void) fay_comes(scene);
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    scene_open(scene);
    root = scene_account(scene, "root", 0);
    (void) scene_account(scene, "dora", 1003);
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    (void) scene_hear(scene, root, "/join #den");
    (void) scene_hear(scene, root, "/invite dora");
    (void) scene_hear(scene, root, "/leave");
    scene_turn(scene);
    ck_assert(has_room(scene, "den"));
    neighbour_does(&scene->world, "ROLLBACK");
    TURN_UNTIL(scene, remember_trouble(&scene->server) == NULL);
    TURN_UNTIL(scene, is_written(scene));
    otto = scene_account(scene, "otto", 1002);
    ck_assert_ptr_nonnull(strstr(scene_hear(scene, otto, "/join #den"), "by invitation only. Ask fay"));
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, "SELECT count(*) FROM lines WHERE text = '" SECRET "'"), 1);
    scene_forget(scene);
}
END_TEST

/* Nobody was there, the archive could not be read, and now it can. */
START_TEST(test_told_later)
{
    Scene *scene = scene_new();
    Client *fay = fay_comes(scene);

    TURN_UNTIL(scene, is_written(scene));
    scene_turn_off(scene);
    (void) scene_hear(scene, fay, "/leave");
    scene_turn(scene);
    scene_reload(scene, true);
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    ck_assert_int_eq(number_in_file(scene, EMPTY), 1);
    scene_forget(scene);
}
END_TEST

UNIT_MAIN("deserted", test_over_a_stop, test_entered, test_entered_and_left, test_clock_is_set,
          test_locked_out, test_told_later)
