/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* The chat's memory as the loop has it, with threads, a file, and somebody else who has that file too. */

#include "host/remember.h"
#include "host/server.h"
#include "unit/archivist-fixture.h"
#include "unit/unit.h"

typedef struct Scene {
    World world; /* the file and the neighbour */
    Harness *harness;
    Server server;
    Client *alice;
    uint8_t n_states; /* one after the other; each has another id */
    unsigned n_logged;
    char logged[512]; /* last */
} Scene;

static void on_log(void *userdata, const LogEvent *event)
{
    Scene *scene = userdata;

    scene->n_logged++;
    (void) snprintf(scene->logged, sizeof scene->logged, "%s", event->message);
}

static void scene_turn(Scene *scene)
{
    const struct timespec moment = {.tv_nsec = 5000000};

    scene->harness->now = clock_monotonic();
    chat_set_time(scene->harness->chat, scene->harness->now, clock_wall());
    remember_take(&scene->server);
    harness_turn(scene->harness);
    remember_tick(&scene->server);
    (void) nanosleep(&moment, NULL);
}

#define TURN_UNTIL(scene, condition)                                                                         \
    do {                                                                                                     \
        uint64_t deadline_ = clock_monotonic() + WORLD_DEADLINE_SECONDS * USEC_PER_SEC;                      \
                                                                                                             \
        while (!(condition)) {                                                                               \
            ck_assert_msg(clock_monotonic() < deadline_, "not in time: %s", #condition);                     \
            scene_turn(scene);                                                                               \
        }                                                                                                    \
    } while (0)

static bool is_written(const Scene *scene)
{
    const StateHeader *header = scene->harness->chat->state.header;

    return scene->server.remember.status.is_open && header->archive.recalled != 0 && !header->is_noting &&
           scene->server.remember.status.committed >= header->head;
}

static void scene_open(Scene *scene)
{
    scene->harness = harness_new(NULL, 10);
    scene->harness->log = (Log){.sink = on_log, .userdata = scene};
    scene->harness->now = clock_monotonic();
    chat_set_time(scene->harness->chat, scene->harness->now, clock_wall());
    memset(&scene->server, 0, sizeof scene->server);
    scene->server.chat = scene->harness->chat;
    scene->harness->chat->state.header->id[0] = ++scene->n_states;
    scene->server.log = &scene->harness->log;
    scene->server.config = scene->harness->config;
    scene->server.config.archive_is_enabled = true;
    remember_set(&scene->server);
    TURN_UNTIL(scene, remember_is_ready(&scene->server));
    scene->alice = client_named(scene->harness, "alice");
}

static Scene *scene_new(void)
{
    Scene *scene = calloc(1, sizeof *scene);

    ck_assert_ptr_nonnull(scene);
    world_init(&scene->world);
    ck_assert_int_eq(setenv("STATE_DIRECTORY", scene->world.fixture->folder, 1), 0);
    scene_open(scene);
    return scene;
}

static void scene_close(Scene *scene)
{
    remember_close(&scene->server, true);
    harness_free(scene->harness);
}

static void scene_free(Scene *scene)
{
    scene_close(scene);
    world_end(&scene->world);
    free(scene);
}

static void scene_say(Scene *scene, const char *text)
{
    client_say(scene->harness, scene->alice, "%s", text);
}

static RecallState scene_ask(Scene *scene, const Recall *recall, Recalled *ret_recalled)
{
    return scene->harness->chat->recall(scene->harness->chat->recall_userdata, recall, ret_recalled);
}

/* Messages that wait are not counted in a file that others have still to get into. */
START_TEST(test_mail)
{
    const Recall mail = {.kind = RECALL_MAIL, .uid = 1003, .nick = fixture_key("bea")};
    Scene *scene = scene_new();
    Recalled recalled;

    scene_say(scene, "hello");
    TURN_UNTIL(scene, is_written(scene));
    TURN_UNTIL(scene, scene_ask(scene, &mail, NULL) == RECALL_ANSWERED);
    ck_assert_int_eq(scene_ask(scene, &mail, &recalled), RECALL_ANSWERED);
    ck_assert_ptr_null(recalled.trouble);
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    scene_say(scene, "hello");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    for (unsigned i = 0; i < 20; i++) {
        ck_assert_int_eq(scene_ask(scene, &mail, NULL), RECALL_ANSWERED);
        ck_assert_int_eq(scene_ask(scene, &mail, &recalled), RECALL_ANSWERED);
        ck_assert_str_eq(recalled.trouble, archive_strerror(ARCHIVE_BUSY));
        scene_turn(scene);
    }
    neighbour_does(&scene->world, "ROLLBACK");
    TURN_UNTIL(scene, is_written(scene));
    TURN_UNTIL(scene, scene_ask(scene, &mail, NULL) == RECALL_ANSWERED);
    ck_assert_int_eq(scene_ask(scene, &mail, &recalled), RECALL_ANSWERED);
    ck_assert_ptr_null(recalled.trouble);
    scene_free(scene);
}
END_TEST

/* Nor is what is kept for somebody taken from there. */
START_TEST(test_person)
{
    const Recall person = {.kind = RECALL_PERSON, .uid = 1003, .nick = fixture_key("bea")};
    Scene *scene = scene_new();
    Recalled recalled;

    scene_say(scene, "hello");
    TURN_UNTIL(scene, is_written(scene));
    neighbour_does(&scene->world, "BEGIN IMMEDIATE");
    scene_say(scene, "hello");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    for (unsigned i = 0; i < 20; i++) {
        ck_assert_int_eq(scene_ask(scene, &person, &recalled), RECALL_AWAITED);
        scene_turn(scene);
    }
    neighbour_does(&scene->world, "ROLLBACK");
    TURN_UNTIL(scene, scene_ask(scene, &person, &recalled) == RECALL_ANSWERED);
    ck_assert_ptr_null(recalled.trouble);
    scene_free(scene);
}
END_TEST

/* The file is removed, with what is in force and was not said in this state: the next one knows it. */
START_TEST(test_removed)
{
    Scene *scene = scene_new();
    Client *root = client_account(scene->harness, "root", 0);

    client_say(scene->harness, root, "/ban 10.0.0.1");
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    scene_open(scene);
    scene_say(scene, "hello");
    TURN_UNTIL(scene, is_written(scene));
    ck_assert_uint_eq(scene->n_logged, 1);
    ck_assert_int_eq(unlink(scene->world.fixture->path), 0);
    scene_say(scene, "hello");
    TURN_UNTIL(scene, remember_trouble(&scene->server) != NULL);
    ck_assert_ptr_nonnull(strstr(scene->logged, "The archive was removed or replaced."));
    TURN_UNTIL(scene, remember_trouble(&scene->server) == NULL);
    TURN_UNTIL(scene, is_written(scene));
    scene_close(scene);
    ck_assert_uint_eq(scene->n_logged, 3);
    fixture_open(scene->world.fixture);
    ck_assert_int_eq(fixture_count(scene->world.fixture, "SELECT count(*) FROM rules"), 1);
    ck_assert_int_eq(fixture_count(scene->world.fixture, "SELECT count(*) FROM lines"), 2);
    scene->world.fixture->archive = archive_close(scene->world.fixture->archive);
    world_end(&scene->world);
    free(scene);
}
END_TEST

UNIT_MAIN("remember", test_mail, test_person, test_removed)
