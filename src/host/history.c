/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/macro.h"
#include "chat/chat.h"
#include "chat/lifecycle.h"
#include "chat/room.h"
#include "host/history.h"
#include "host/runtime.h"

/* A chat that is not part of a server. */
static Chat *chat_new(const Config *config, const Log *log)
{
    Chat *chat = malloc(sizeof *chat);

    if (chat != NULL && chat_init(chat, config, log, 1) == 0)
        return chat;
    free(chat);
    return NULL;
}

static Chat *chat_free(Chat *chat)
{
    if (chat != NULL)
        chat_done(chat);
    free(chat);
    return NULL;
}

void history_save(const Chat *chat, const Config *config, const Log *log)
{
    const RoomRecord *lobby = &chat->state.rooms[ROOM_LOBBY];
    char path[RUNTIME_PATH_MAX];
    Chat *copy;

    if ((lobby->topic_n == 0 && lobby->last_said == 0 && lobby->flags == 0) || !runtime_path("history", path))
        return;
    copy = chat_new(config, log);
    if (copy != NULL)
        room_copy(copy, chat, ROOM_LOBBY);
    if (copy == NULL || !runtime_save("history", copy->state.fd))
        log_event(log, (LogEvent){.priority = LOG_WARNING, .id = LOG_ID_HISTORY_LOST},
                  "Can not keep the lobby's topic and history in %s: %s.", path, strerror(errno));
    (void) chat_free(copy);
}

/* The chat in the file; NULL: it is damaged. */
static Chat *read_file(int file, const Config *config, const Log *log)
{
    int fd = memfd_create("chatd-history", MFD_CLOEXEC);
    Chat *chat = malloc(sizeof *chat);
    State state, grown;
    bool is_read;

    is_read = fd >= 0 && chat != NULL && runtime_copy(file, fd) && state_open(TAKE_FD(fd), &state) == 0;
    (void) fd_close(fd);
    if (is_read && state_must_grow(&state, config, 1)) {
        is_read = state_grow(&state, config, 1, &grown) == 0;
        state_done(&state);
        state = grown;
    }
    if (is_read && chat_adopt(chat, &state, config, log) == 0)
        return chat;
    free(chat);
    return NULL;
}

void history_load(Chat *chat, const Config *config, const Log *log)
{
    char path[RUNTIME_PATH_MAX];
    Chat *saved;
    int file;

    if (!runtime_path("history", path))
        return;
    file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0)
        return;
    saved = read_file(file, config, log);
    if (saved != NULL)
        room_copy(chat, saved, ROOM_LOBBY);
    else
        log_event(log, (LogEvent){.priority = LOG_WARNING, .id = LOG_ID_HISTORY_LOST},
                  "The lobby's topic and history in %s can not be read and are given up.", path);
    (void) chat_free(saved);
    (void) fd_close(file);
}

void history_forget(void)
{
    char path[RUNTIME_PATH_MAX];

    if (runtime_path("history", path))
        (void) unlink(path);
}

void history_set_aside(const Log *log, int fd)
{
    char path[RUNTIME_PATH_MAX];
    bool is_kept = runtime_path("state.broken", path) && runtime_save("state.broken", fd);

    log_event(log, (LogEvent){.priority = LOG_CRIT, .id = LOG_ID_STATE_SET_ASIDE},
              "Three processes in a row have died while they took over the state of the one before. The chat "
              "begins anew%s%s.",
              is_kept ? "; the state is in " : ", and the state could not be kept", is_kept ? path : "");
}
