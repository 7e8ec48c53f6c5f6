/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include "base/clock.h"
#include "base/error.h"
#include "base/macro.h"
#include "host/reload.h"
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

int reload_load(const char *path, const Log *log, Config *ret_config)
{
    return error_trace(config_load(path, report, (void *) (uintptr_t) log, ret_config));
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
           MIN(rooms_each, max_rooms) > header->max_members / header->max_sessions ||
           config->max_ignores > header->max_ignored ||
           config->transcript_size / 8 != header->transcript_size / 8;
}

static void reload_apply(Server *server, const Config *config)
{
    bool restart = needs_restart(server, config);

    config_done(&server->config);
    server->config = *config;
    chat_set_config(server->chat, &server->config);
    log_event(server->log, (LogEvent){.priority = LOG_NOTICE, .id = LOG_ID_CONFIG_RELOADED},
              "The new configuration is in force%s.",
              restart ? "; a larger MaxClients=, MaxRooms=, MaxRoomsPerClient=, MaxIgnores= and another "
                        "TranscriptSize= "
                        "are so after the next start"
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
