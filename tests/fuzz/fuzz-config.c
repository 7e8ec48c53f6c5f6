/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/* Any bytes as a configuration file: it is refused, or every value is in its range and survives being
 * printed. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "base/config.h"
#include "base/limits.h"
#include "base/macro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void report(void *userdata, int level, const char *file, unsigned line, const char *message)
{
    bool *has_error = userdata;

    require(level == LOG_ERR || level == LOG_WARNING);
    require(file != NULL && message[0] != '\0');
    /* Whatever is in the file, a message is one printable line. */
    for (const char *c = message; *c != '\0'; c++)
        require((unsigned char) *c >= ' ' && *c != 0x7f);
    require(line <= 1024 * 1024);
    *has_error = *has_error || level == LOG_ERR;
}

static int load_fd(int fd, Config *ret_config)
{
    bool has_error = false;
    char path[64];
    int r;

    (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    r = config_load_from(path, false, NULL, 0, report, &has_error, ret_config);
    require((r == CONFIG_INVALID) == has_error);
    require(r == 0 || r == CONFIG_INVALID);
    return r;
}

static void check_ranges(const Config *config)
{
    require(config->max_clients <= 1000000 && config->max_clients_per_address <= 1000000);
    require(config->max_rooms <= LIMIT_ROOMS && config->max_rooms_per_client <= 1000);
    require(config->max_ignores >= 1 && config->max_ignores <= LIMIT_IGNORES);
    require(config->lines_per_second <= 1000000 && config->bytes_per_second <= 1 << 30);
    require(config->lines_burst >= 1 && config->lines_burst <= 1000000);
    require(config->bytes_burst >= config->max_line_length && config->bytes_burst <= 1 << 30);
    require(config->max_line_length >= 80 && config->max_line_length <= LIMIT_LINE_BYTES);
    require(config->max_nick_length >= 2 && config->max_nick_length <= 24);
    require(config->max_topic_length >= 1 && config->max_topic_length <= LIMIT_TOPIC_BYTES);
    require(config->transcript_size >= 256 * 1024 && config->transcript_size <= 1 << 30);
    require(config->history <= LIMIT_HISTORY);
    require(config->motd == NULL || strlen(config->motd) <= LIMIT_MOTD_BYTES);
}

static void print_and_back(const Config *config)
{
    _cleanup_(file_closep) FILE *stream = NULL;
    Config back, same;
    int fd = memfd_create("printed", MFD_CLOEXEC);

    require(fd >= 0);
    stream = fdopen(fd, "w");
    require(stream != NULL);
    require(config_print(config, stream) == 0);
    require(load_fd(fd, &back) == 0);
    same = *config;
    same.motd = back.motd;
    require(memcmp(&same.max_clients, &back.max_clients, offsetof(Config, transcript_size)) == 0);
    require(same.transcript_size == back.transcript_size && same.history == back.history);
    require(same.idle_exit_usec == back.idle_exit_usec);
    require(same.idle_exit_is_default == back.idle_exit_is_default);
    /* A line that came from a file may be too long to be printed. */
    if (config->motd == NULL || strlen(config->motd) < 90)
        require(config->motd == NULL ? back.motd == NULL : strcmp(config->motd, back.motd) == 0);
    config_done(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(fd_closep) int fd = memfd_create("chatd.conf", MFD_CLOEXEC);
    Config config;

    require(fd >= 0);
    require(write(fd, data, size) == (ssize_t) size);
    if (load_fd(fd, &config) != 0)
        return 0;
    check_ranges(&config);
    print_and_back(&config);
    config_done(&config);
    return 0;
}
