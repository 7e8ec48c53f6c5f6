/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/macro.h"
#include "machine.h"

enum { VALUE_MAX = 128 };

/* The value of the first "key<separator>value" in a file, without quotes; empty if there is none. */
static void file_value(const char *path, const char *key, char separator, char *to)
{
    _cleanup_(file_closep) FILE *f = fopen(path, "re");
    char line[256];

    to[0] = '\0';
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        char *value = strchr(line, separator);

        if (value == NULL || strncmp(line, key, strlen(key)) != 0)
            continue;
        value += 1 + strspn(value + 1, " \t\"");
        value[strcspn(value, "\"\n")] = '\0';
        (void) snprintf(to, VALUE_MAX, "%.*s", VALUE_MAX - 1, value);
        return;
    }
}

/* The first line that a program prints about its version; empty if it has none to tell. */
static void program_version(const char *program, char *to)
{
    _cleanup_(file_closep) FILE *f = NULL;
    char line[VALUE_MAX];
    int fds[2];
    pid_t pid;

    to[0] = '\0';
    if (pipe(fds) < 0)
        return;
    pid = fork();
    if (pid == 0) {
        (void) dup2(fds[1], STDOUT_FILENO);
        (void) dup2(fds[1], STDERR_FILENO);
        (void) close(fds[0]);
        (void) execl(program, program, "--version", (char *) NULL);
        _exit(127);
    }
    (void) close(fds[1]);
    f = fdopen(fds[0], "r");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (to[0] == '\0') {
            line[strcspn(line, "(\n")] = '\0';
            (void) snprintf(to, VALUE_MAX, "%s", line);
        }
    if (pid > 0)
        (void) waitpid(pid, NULL, 0);
    /* ngIRCd lists what it was built with behind its number; Ncat says "Ncat: Version 7.93" */
    if (strncmp(to, "ngIRCd", 6) == 0)
        to[strcspn(to, "-")] = '\0';
    if (strncmp(to, "Ncat: Version ", 14) == 0)
        memmove(to + 4, to + 13, strlen(to + 13) + 1);
    for (size_t n = strlen(to); n > 0 && to[n - 1] == ' '; n--)
        to[n - 1] = '\0';
}

void machine_describe(const char *const programs[N_SERVERS], char *to, size_t size)
{
    char cpu[VALUE_MAX], os[VALUE_MAX], version[VALUE_MAX], versions[4 * VALUE_MAX] = "", day[32];
    struct utsname kernel;
    time_t now = time(NULL);
    size_t n = 0;

    file_value("/proc/cpuinfo", "model name", ':', cpu);
    file_value("/etc/os-release", "PRETTY_NAME", '=', os);
    for (unsigned s = 0; s < N_SERVERS; s++) {
        if (s == SERVER_BARE || programs[s] == NULL)
            continue;
        program_version(programs[s], version);
        if (version[0] != '\0')
            n += (size_t) snprintf(versions + n, sizeof(versions) - n, ", %s", version);
    }
    (void) uname(&kernel);
    (void) strftime(day, sizeof(day), "%Y-%m-%d", gmtime(&now));
    (void) snprintf(to, size, "Measured on %s with %s, %ld core%s, Linux %s, %s%s.", day,
                    cpu[0] != '\0' ? cpu : kernel.machine, sysconf(_SC_NPROCESSORS_ONLN),
                    sysconf(_SC_NPROCESSORS_ONLN) == 1 ? "" : "s", kernel.release,
                    os[0] != '\0' ? os : "an unknown distribution", versions);
}

char *machine_find_program(const char *name)
{
    const char *path = getenv("PATH");
    char *folders = NULL, *rest, *folder, *found = NULL;

    if (asprintf(&folders, "%s:/usr/local/sbin:/usr/sbin:/sbin", path != NULL ? path : "/usr/bin:/bin") < 0)
        return NULL;
    rest = folders;
    while ((folder = strsep(&rest, ":")) != NULL) {
        if (asprintf(&found, "%s/%s", folder, name) < 0)
            found = NULL;
        if (found != NULL && access(found, X_OK) == 0)
            break;
        free(found);
        found = NULL;
    }
    free(folders);
    return found;
}
