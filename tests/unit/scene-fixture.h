/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* The chat's memory as the loop has it, with threads, a file, and somebody else who has that file too. */

#include "chat/command.h"
#include "host/noting.h"
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
    char logged[512], logged_before[512]; /* last, and before that */
} Scene;

static inline void on_log(void *userdata, const LogEvent *event)
{
    Scene *scene = userdata;

    scene->n_logged++;
    memcpy(scene->logged_before, scene->logged, sizeof scene->logged);
    (void) snprintf(scene->logged, sizeof scene->logged, "%s", event->message);
}

static inline void scene_turn(Scene *scene)
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

static inline bool is_written(const Scene *scene)
{
    const StateHeader *header = scene->harness->chat->state.header;

    return scene->server.remember.status.is_open && header->archive.recalled != 0 && !header->is_noting &&
           scene->server.remember.status.committed >= header->head;
}

/* A process of its own begins with the state. */
static inline void scene_serve(Scene *scene, bool is_enabled)
{
    wait_for_last_thread();
    memset(&scene->server, 0, sizeof scene->server);
    scene->server.chat = scene->harness->chat;
    scene->server.log = &scene->harness->log;
    scene->server.config = scene->harness->config;
    scene->server.config.archive_is_enabled = is_enabled;
    remember_set(&scene->server);
}

/* A new state, as after a reboot. */
static inline void scene_begin(Scene *scene, const Config *config, bool is_enabled)
{
    scene->harness = harness_new(config, 10);
    scene->harness->log = (Log){.sink = on_log, .userdata = scene};
    scene->harness->now = clock_monotonic();
    chat_set_time(scene->harness->chat, scene->harness->now, clock_wall());
    scene->harness->chat->state.header->id[0] = ++scene->n_states;
    scene_serve(scene, is_enabled);
    if (is_enabled)
        TURN_UNTIL(scene, remember_is_ready(&scene->server) && (scene->server.remember.status.is_open ||
                                                                remember_trouble(&scene->server) != NULL));
    scene->alice = client_named(scene->harness, "alice");
}

static inline void scene_open(Scene *scene)
{
    scene_begin(scene, NULL, true);
}

static inline Scene *scene_new(void)
{
    Scene *scene = calloc(1, sizeof *scene);

    ck_assert_ptr_nonnull(scene);
    world_init(&scene->world);
    ck_assert_int_eq(setenv("STATE_DIRECTORY", scene->world.fixture->folder, 1), 0);
    scene_open(scene);
    return scene;
}

static inline void scene_close(Scene *scene)
{
    remember_close(&scene->server, true);
    wait_for_last_thread();
    harness_free(scene->harness);
}

/* Of one that is closed. */
static inline void scene_forget(Scene *scene)
{
    world_end(&scene->world);
    free(scene);
}

static inline void scene_free(Scene *scene)
{
    scene_close(scene);
    scene_forget(scene);
}

static inline void scene_say(Scene *scene, const char *text)
{
    client_say(scene->harness, scene->alice, "%s", text);
}

static inline RecallState scene_ask(Scene *scene, const Recall *recall, Recalled *ret_recalled)
{
    return scene->harness->chat->recall(scene->harness->chat->recall_userdata, recall, ret_recalled);
}

/* The ring overwrites all that is in it. */
static inline void scene_fill_ring(Scene *scene)
{
    static char line[900];

    memset(line, 'x', sizeof line - 1);
    for (unsigned i = 0; i < 2 * scene->harness->chat->state.header->transcript_size / sizeof line; i++)
        scene_say(scene, line);
}

static inline void scene_reload(Scene *scene, bool is_enabled)
{
    uint64_t before = clock_monotonic();

    scene->server.config.archive_is_enabled = is_enabled;
    remember_set(&scene->server);
    ck_assert_uint_lt(clock_monotonic() - before, (harness_is_slow() ? 10 : 1) * USEC_PER_SEC / 5);
}

/* And the threads have ended. */
static inline void scene_turn_off(Scene *scene)
{
    scene_reload(scene, false);
    TURN_UNTIL(scene, scene->server.remember.ending == NULL);
}

static inline int64_t number_in_file(Scene *scene, const char *sql)
{
    int64_t n;

    fixture_open(scene->world.fixture);
    n = fixture_count(scene->world.fixture, sql);
    scene->world.fixture->archive = archive_close(scene->world.fixture->archive);
    return n;
}

/* What somebody reads after a line that may have to wait. */
static inline const char *scene_hear(Scene *scene, Client *client, const char *line)
{
    scene_turn(scene);
    (void) client_take(client);
    TURN_UNTIL(scene, !command_must_wait(scene->harness->chat, client->session, line, strlen(line)));
    client_say(scene->harness, client, "%s", line);
    scene_turn(scene);
    return client_take(client);
}

/* Who has been greeted. */
static inline Client *scene_account(Scene *scene, const char *nick, uint32_t uid)
{
    Client *client = client_account(scene->harness, nick, uid);

    ck_assert_ptr_nonnull(client);
    TURN_UNTIL(scene, session_record(scene->harness->chat, client->session)->flags & SESSION_GREETED);
    return client;
}
