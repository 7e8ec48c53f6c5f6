/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "archive/export.h"
#include "archive/purge.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/parse.h"
#include "chat/command.h"
#include "host/remember.h"
#include "host/tool.h"

/* systemd's StateDirectory= is always there (systemd.exec(5)). */
static const char STANDARD_PATH[] = "/var/lib/chatd/archive.db";

#define FORGET_BUDGET_USEC (100 * USEC_PER_MSEC) /* of one step */
#define FORGET_PAUSE_USEC                                                                                    \
    (150 * USEC_PER_MSEC) /* between two: the service, which waits its turn, writes then */

/* Options */

static int parse_since(const char *text, uint64_t *ret_since)
{
    uint64_t to;

    if (parse_day(text, clock_wall(), ret_since, &to) == 0)
        return EX_OK;
    fprintf(stderr, "chatd: --since wants a day such as 2026-11-22, today or yesterday.\n");
    return EX_USAGE;
}

static int parse_room(const char *text, NameKey *ret_room)
{
    Name name;
    int r = command_parse_room((Arguments){.text = text, .n = strlen(text)}, NAME_MAX_CHARS, &name);

    if (r != 0) {
        fprintf(stderr, "chatd: --room wants the name of a room: it %s.\n", name_strerror(r));
        return EX_USAGE;
    }
    name_fold(name.bytes, name.n, ret_room);
    return EX_OK;
}

static int parse_format(const char *text, ArchiveFormat *ret_format)
{
    bool is_json = strcmp(text, "json") == 0;

    if (!is_json && strcmp(text, "text") != 0) {
        fprintf(stderr, "chatd: --format wants text or json.\n");
        return EX_USAGE;
    }
    *ret_format = is_json ? ARCHIVE_FORMAT_JSON : ARCHIVE_FORMAT_TEXT;
    return EX_OK;
}

static int parse_nick(const char *text, Name *ret_nick)
{
    int r = command_parse_nick((Arguments){.text = text, .n = strlen(text)}, ret_nick);

    if (r == 0)
        return EX_OK;
    fprintf(stderr, "chatd: --forget wants the name of a person: it %s.\n", name_strerror(r));
    return EX_USAGE;
}

/* The archive */

static int fail(const char *path, int r)
{
    fprintf(stderr, "chatd: %s: %s.%s\n", path, archive_strerror(r),
            r == ARCHIVE_BUSY ? " Please try again later."
            : r == -EACCES    ? " Only root can read it."
                              : "");
    switch (r) {
    case ARCHIVE_BUSY:
        return EX_TEMPFAIL;
    case ARCHIVE_ABSENT:
        return EX_NOINPUT;
    default:
        return EX_IOERR;
    }
}

/* Root becomes the owner of the working directory, and sees nothing else of the file system. */
static int become(const struct stat *owner)
{
    tzset(); /* reads a file that can not be seen later */
    if (chroot(".") < 0 || setgroups(0, NULL) < 0 ||
        setresgid(owner->st_gid, owner->st_gid, owner->st_gid) < 0 ||
        setresuid(owner->st_uid, owner->st_uid, owner->st_uid) < 0)
        return error_origin(-errno);
    return 0;
}

/* Goes to where the file is. 0 or a negative errno; *ret_name is the file's path from there. */
static int enter_folder(const char *path, const char **ret_name)
{
    const char *name = strrchr(path, '/') + 1;
    char folder[REMEMBER_PATH_MAX];
    struct stat status;

    (void) snprintf(folder, sizeof folder, "%.*s", (int) (name - path), path);
    if (chdir(folder) < 0 || stat(".", &status) < 0)
        return error_origin(-errno);
    *ret_name = name;
    return geteuid() == 0 && status.st_uid != 0 ? error_trace(become(&status)) : 0;
}

/* EX_OK, or after saying why not. */
static int open_archive(char path[REMEMBER_PATH_MAX], Archive **ret_archive)
{
    const char *name = NULL;
    int r;

    if (!remember_path(path))
        (void) snprintf(path, REMEMBER_PATH_MAX, "%s", STANDARD_PATH);
    r = enter_folder(path, &name);
    if (r == 0)
        r = access(name, F_OK) < 0 ? error_origin(-errno) : 0;
    if (r == -ENOENT || r == -ENOTDIR)
        return fail(path, ARCHIVE_ABSENT);
    if (r == 0)
        r = archive_open(name, ARCHIVE_TOOL, ret_archive);
    return r == 0 ? EX_OK : fail(path, r);
}

static int export(const ToolOptions *options)
{
    ArchiveExport what = {.format = ARCHIVE_FORMAT_TEXT};
    char path[REMEMBER_PATH_MAX];
    Archive *archive = NULL;
    int r, status = EX_OK;
    NameKey room;

    if (options->since != NULL)
        status = parse_since(options->since, &what.since);
    if (status == EX_OK && options->room != NULL) {
        status = parse_room(options->room, &room);
        what.room = &room;
    }
    if (status == EX_OK && options->format != NULL)
        status = parse_format(options->format, &what.format);
    if (status == EX_OK)
        status = open_archive(path, &archive);
    if (status != EX_OK)
        return status;
    r = archive_export(archive, stdout, &what);
    (void) archive_close(archive);
    if (r < 0)
        fprintf(stderr, "chatd: can not write: %s.\n", strerror(-r));
    return r == 0 ? EX_OK : r < 0 ? EX_IOERR : fail(path, r);
}

static int forget(const ToolOptions *options)
{
    static const struct timespec pause = {.tv_nsec = FORGET_PAUSE_USEC * NSEC_PER_USEC};
    char path[REMEMBER_PATH_MAX];
    Archive *archive = NULL;
    uint64_t n = 0;
    NameKey key;
    int r, status;
    Name nick;

    status = parse_nick(options->forget, &nick);
    if (status == EX_OK)
        status = open_archive(path, &archive);
    if (status != EX_OK)
        return status;
    name_fold(nick.bytes, nick.n, &key);
    while ((r = archive_forget(archive, &key, FORGET_BUDGET_USEC, &n)) == ARCHIVE_MORE)
        (void) nanosleep(&pause, NULL);
    (void) archive_close(archive);
    printf("Removed %" PRIu64 " %s of %s.\n", n, n == 1 ? "line" : "lines", nick.bytes);
    if (r == 0)
        return EX_OK;
    fprintf(stderr, "chatd: this has not come to its end; what was removed may still be in the file.\n");
    return fail(path, r);
}

/* SQLite gives no file one of the first three descriptors, and opens /dev/null until they are taken, where
 * there may be none (chroot(2)). */
static void take_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDONLY); /* what is written there is an error, as before */
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        (void) close(fd);
}

int tool_run(const ToolOptions *options)
{
    take_standard_descriptors();
    return options->forget != NULL ? forget(options) : export(options);
}
