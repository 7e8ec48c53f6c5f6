/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/macro.h"
#include "chat/lifecycle.h"
#include "host/reload.h"
#include "host/runtime.h"
#include "host/server.h"

static void report(void *userdata, int level, const char *file, unsigned line, const char *message)
{
    const Log *log = userdata;
    LogEvent event = {
        .priority = level,
        .id = level <= LOG_ERR ? LOG_ID_CONFIG_REFUSED : LOG_ID_CONFIG_WARNING,
        .config_file = file,
        .config_line = line,
    };

    if (line > 0)
        log_event(log, event, "%s:%u: %s", file, line, message);
    else
        log_event(log, event, "%s: %s", file, message);
}

static int reload_load(const char *path, const Log *log, Config *ret_config)
{
    return error_trace(config_load(path, report, (void *) (uintptr_t) log, ret_config));
}

/* What is in force is kept here, so that a start that finds an error in the files while people are connected
 * can go on with it. */
static const char IN_FORCE[] = "chatd.conf";

static void reload_remember(const Config *config)
{
    _cleanup_(fd_closep) int fd = memfd_create("chatd-conf", MFD_CLOEXEC);
    _cleanup_(file_closep) FILE *stream = fd >= 0 ? fdopen(dup(fd), "w") : NULL;

    if (stream != NULL && config_print(config, stream) == 0)
        (void) runtime_save(IN_FORCE, fd);
}

int reload_start(const char *path, const Log *log, bool has_people, Config *ret_config)
{
    char last[RUNTIME_PATH_MAX];
    int r = reload_load(path, log, ret_config);

    if (r > 0 && has_people) {
        log_event(
            log, (LogEvent){.priority = LOG_ERR, .id = LOG_ID_CONFIG_REFUSED},
            "The configuration has an error. For those who are connected the service goes on with the one "
            "that was in force.");
        r = config_load_from(runtime_path(IN_FORCE, last) ? last : "", true, NULL, 0, report,
                             (void *) (uintptr_t) log, ret_config);
    }
    if (r == 0)
        reload_remember(ret_config);
    return r > 0 ? r : error_trace(r);
}

/* The sizes of the state are those of the start: whether it is too small for `config`, or has another
 * transcript. */
static bool needs_restart(const Server *server, const Config *config)
{
    const StateHeader *header = server->chat->state.header;
    uint32_t max_clients = config->max_clients != 0 ? config->max_clients : server->max_descriptors;
    uint32_t max_rooms = (config->max_rooms != 0 ? config->max_rooms : LIMIT_ROOMS) + 1;
    uint32_t rooms_each = config->max_rooms_per_client != 0 ? config->max_rooms_per_client : max_rooms;

    return max_clients > header->max_sessions || max_rooms > header->max_rooms ||
           MIN(rooms_each, max_rooms) > header->max_rooms_each || config->max_ignores > header->max_ignored ||
           config->transcript_size / 8 != header->transcript_size / 8;
}

static void reload_apply(Server *server, const Config *config)
{
    bool restart = needs_restart(server, config);

    config_done(&server->config);
    server->config = *config;
    reload_remember(config);
    chat_set_config(server->chat, &server->config);
    remember_set(server);
    log_event(server->log, (LogEvent){.priority = LOG_NOTICE, .id = LOG_ID_CONFIG_RELOADED},
              "The new configuration is in force%s.",
              restart
                  ? "; a larger MaxClients=, MaxRooms=, MaxRoomsPerClient= and MaxIgnores= are so after a "
                    "restart, and another TranscriptSize= after a start with nobody connected"
                  : "");
}

int reload_run(Server *server)
{
    Chat *chat = server->chat;
    Config config;
    int r;

    notify_reloading(&server->notify, clock_monotonic());
    r = reload_load(server->config_path, server->log, &config);
    if (r < 0)
        return error_trace(r);
    if (r > 0)
        log_event(server->log, (LogEvent){.priority = LOG_ERR, .id = LOG_ID_CONFIG_REFUSED},
                  "The new configuration has an error; the old one stays in force.");
    else
        reload_apply(server, &config);
    notify_ready(&server->notify, chat->now, chat_n_people(chat), chat_n_rooms(chat));
    return 0;
}
