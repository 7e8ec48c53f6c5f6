/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macro.h"
#include "lib/deadline.h"
#include "lib/proc.h"

static size_t count_fds(pid_t pid, ino_t inode, bool all)
{
    char path[64], link[PATH_MAX], wanted[64];
    size_t n_found = 0;
    struct dirent *entry;
    DIR *dir;

    (void) snprintf(path, sizeof(path), "/proc/%d/fd", (int) pid);
    (void) snprintf(wanted, sizeof(wanted), "socket:[%ju]", (uintmax_t) inode);
    dir = opendir(path);
    if (dir == NULL)
        return 0;
    while ((entry = readdir(dir)) != NULL) {
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);

        if (n < 0) /* "." and "..", or closed meanwhile */
            continue;
        link[n] = '\0';
        n_found += all || strcmp(link, wanted) == 0;
    }
    (void) closedir(dir);
    return n_found;
}

size_t proc_n_fds(pid_t pid)
{
    return count_fds(pid, 0, true);
}

bool proc_has_socket(pid_t pid, ino_t inode)
{
    return count_fds(pid, inode, false) > 0;
}

uint64_t proc_status_number(pid_t pid, const char *field)
{
    char path[64], line[256];
    size_t n = strlen(field);
    uint64_t value = 0;
    FILE *file;

    (void) snprintf(path, sizeof(path), "/proc/%d/status", (int) pid);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, field, n) == 0 && line[n] == ':')
            value = strtoull(line + n + 1, NULL, 10);
    }
    (void) fclose(file);
    return value;
}

/* What comes after the name in a file like /proc/PID/stat: proc(5). */
static bool read_stat(const char *path, char *text, size_t size, const char **ret_after_name)
{
    FILE *file = fopen(path, "re");
    size_t n;

    if (file == NULL)
        return false;
    n = fread(text, 1, size - 1, file);
    text[n] = '\0';
    (void) fclose(file);
    *ret_after_name = strrchr(text, ')');
    return *ret_after_name != NULL && (*ret_after_name)[1] == ' ';
}

bool proc_is_asleep(pid_t pid)
{
    char path[64], text[1024];
    const char *after_name;
    struct dirent *entry;
    bool is_asleep = true;
    DIR *dir;

    (void) snprintf(path, sizeof(path), "/proc/%d/task", (int) pid);
    dir = opendir(path);
    if (dir == NULL)
        return false;
    while (is_asleep && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        (void) snprintf(path, sizeof(path), "/proc/%d/task/%.16s/stat", (int) pid, entry->d_name);
        is_asleep = read_stat(path, text, sizeof(text), &after_name) && after_name[2] == 'S';
    }
    (void) closedir(dir);
    return is_asleep;
}

uint64_t proc_cpu_usec(pid_t pid)
{
    char path[64], text[1024];
    const char *after_name;
    uint64_t user = 0, system = 0;

    (void) snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
    if (!read_stat(path, text, sizeof(text), &after_name))
        return 0;
    (void) sscanf(after_name + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64 " %" SCNu64, &user,
                  &system);
    return (user + system) * (USEC_PER_SEC / (uint64_t) sysconf(_SC_CLK_TCK));
}
