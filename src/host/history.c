/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/macro.h"
#include "chat/chat.h"
#include "chat/room.h"
#include "host/history.h"

enum { PATH_BYTES = 512 };

/* The name of a file in the runtime directory; false: there is no such directory. */
static bool make_path(char path[PATH_BYTES], const char *name)
{
    const char *directory = getenv("RUNTIME_DIRECTORY");
    int n = directory != NULL ? snprintf(path, PATH_BYTES, "%s/%s", directory, name) : -1;

    return n > 0 && n < PATH_BYTES;
}

static bool copy_part(int from, int to, off_t at, off_t end)
{
    char bytes[16384];

    while (at < end) {
        ssize_t n = pread(from, bytes, MIN((size_t) (end - at), sizeof bytes), at);

        if (n <= 0 || pwrite(to, bytes, (size_t) n, at) != n)
            return false;
        at += n;
    }
    return true;
}

/* The holes stay holes. */
static bool copy_sparse(int from, int to)
{
    struct stat status;
    off_t data = 0, hole;

    if (fstat(from, &status) < 0 || ftruncate(to, status.st_size) < 0)
        return false;
    while ((data = lseek(from, data, SEEK_DATA)) >= 0) {
        hole = lseek(from, data, SEEK_HOLE);
        if (hole < 0 || !copy_part(from, to, data, hole))
            return false;
        data = hole;
    }
    return errno == ENXIO;
}

/* In place of an older one, in one step. */
static bool save_file(const char *name, int fd)
{
    char path[PATH_BYTES], new_path[PATH_BYTES];
    bool is_saved;
    int to;

    if (!make_path(path, name) || snprintf(new_path, sizeof new_path, "%s.new", path) >= PATH_BYTES)
        return false;
    to = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (to < 0)
        return false;
    is_saved = copy_sparse(fd, to);
    (void) fd_close(to);
    if (is_saved && rename(new_path, path) == 0)
        return true;
    (void) unlink(new_path);
    return false;
}

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
    char path[PATH_BYTES];
    Chat *copy;

    if ((lobby->topic_n == 0 && lobby->last_said == 0) || !make_path(path, "history"))
        return;
    copy = chat_new(config, log);
    if (copy != NULL)
        room_copy(copy, chat, ROOM_LOBBY);
    if (copy == NULL || !save_file("history", copy->state.fd))
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

    is_read = fd >= 0 && chat != NULL && copy_sparse(file, fd) && state_open(TAKE_FD(fd), &state) == 0;
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
    char path[PATH_BYTES];
    Chat *saved;
    int file;

    if (!make_path(path, "history"))
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
    (void) unlink(path);
}

void history_set_aside(const Log *log, int fd)
{
    char path[PATH_BYTES];
    bool is_kept = make_path(path, "state.broken") && save_file("state.broken", fd);

    log_event(log, (LogEvent){.priority = LOG_CRIT, .id = LOG_ID_STATE_SET_ASIDE},
              "Three processes in a row have died while they took over the state of the one before. The chat "
              "begins anew%s%s.",
              is_kept ? "; the state is in " : ", and the state could not be kept", is_kept ? path : "");
}
