/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macro.h"
#include "host/runtime.h"

bool runtime_path(const char *name, char path[RUNTIME_PATH_MAX])
{
    const char *directory = getenv("RUNTIME_DIRECTORY");
    int n = directory != NULL ? snprintf(path, RUNTIME_PATH_MAX, "%s/%s", directory, name) : -1;

    return n > 0 && n < RUNTIME_PATH_MAX;
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

bool runtime_copy(int from, int to)
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

bool runtime_save(const char *name, int fd)
{
    char path[RUNTIME_PATH_MAX], new_path[RUNTIME_PATH_MAX];
    bool is_saved;
    int to;

    if (!runtime_path(name, path) || snprintf(new_path, sizeof new_path, "%s.new", path) >= RUNTIME_PATH_MAX)
        return false;
    to = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (to < 0)
        return false;
    is_saved = runtime_copy(fd, to);
    (void) fd_close(to);
    if (is_saved && rename(new_path, path) == 0)
        return true;
    (void) unlink(new_path);
    return false;
}
