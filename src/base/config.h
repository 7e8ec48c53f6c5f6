/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/*
 * chatd.conf(5): the settings, where they come from, and what is said when they are wrong.
 *
 * One table describes every key; parsing, printing and messages follow it, and a test compares it with the
 * manual page.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct Config Config;
typedef struct ConfigItem ConfigItem;

enum {
    CONFIG_INVALID = 1,
    CONFIG_GROUP_MAX = 32, /* bytes of a group's name, as useradd(8) has it */
};

/* In a Config that config_load() made, a 0 that stands for a number was replaced by it. */
struct Config {
    uint32_t max_clients; /* 0 = as many as there are descriptors for */
    uint32_t max_clients_per_address;
    uint32_t max_rooms;
    uint32_t max_rooms_per_client;
    uint32_t max_ignores;
    uint32_t lines_per_second; /* 0 = no limit */
    uint32_t lines_burst;
    uint32_t bytes_per_second; /* 0 = no limit */
    uint32_t bytes_burst;
    uint32_t max_line_length;
    uint32_t max_nick_length;
    uint32_t max_topic_length;
    uint64_t transcript_size; /* bytes */
    uint32_t history;
    uint64_t idle_exit_usec;   /* 0 = never */
    bool idle_exit_is_default; /* nobody set IdleExitSec= */
    bool archive_is_enabled;
    uint64_t archive_keep_usec;                /* 0 = for ever */
    uint64_t archive_max_size;                 /* bytes; 0 = no limit */
    char operator_group[CONFIG_GROUP_MAX + 1]; /* "-" = none */
    char *motd; /* cleaned lines joined with \n, no last \n; NULL = none; owned */
};

typedef enum ConfigType {
    CONFIG_NUMBER,  /* uint32_t */
    CONFIG_BYTES,   /* uint32_t */
    CONFIG_BYTES64, /* uint64_t */
    CONFIG_SPAN,    /* uint64_t, microseconds */
    CONFIG_MOTD,    /* char * */
    CONFIG_BOOL,    /* bool */
    CONFIG_GROUP,   /* char[CONFIG_GROUP_MAX + 1] */
} ConfigType;

struct ConfigItem {
    const char *section;
    const char *key;
    ConfigType type;
    size_t offset;        /* in Config */
    const char *standard; /* the default, as it is written in the file */
    uint64_t min, max;    /* 0 is allowed besides */
    uint64_t zero;        /* the number that 0 stands for; 0 = it stays 0 */
    const char *help;
};

/* Something to be said about line `line` (0: about the whole file); `level` is LOG_ERR or LOG_WARNING of
 * syslog(3). */
typedef void (*ConfigReport)(void *userdata, int level, const char *file, unsigned line, const char *message);

/* The i-th key, in the order of the manual page; NULL after the last. */
const ConfigItem *config_item(size_t i);

/* Every key at its default. */
void config_init(Config *config);
void config_done(Config *config);

/* One key back to its default. */
void config_reset(Config *config, const ConfigItem *item);

/*
 * One key, not Motd=, from the text of its value. Returns 0, or CONFIG_INVALID with a sentence in `reason`
 * (`size` bytes) on what is wrong and what may be written.
 */
int config_set(Config *config, const ConfigItem *item, const char *value, char *reason, size_t size);

/* Adds a line to the message of the day. Returns 0, CONFIG_INVALID if that makes it too long, or -ENOMEM. */
int config_add_motd(Config *config, const char *text, size_t n);

/* Puts numbers in place of the zeros that stand for one, and raises what must not be below another key. */
void config_resolve(Config *config);

/*
 * Reads the file and its drop-ins: with NULL the default file, which may be missing, and the default folders;
 * else `path`, which may not, and "path.d". Every error and warning is reported (`report` may be NULL).
 * Returns 0, CONFIG_INVALID after at least one error was reported, or -ENOMEM.
 */
int config_load(const char *path, ConfigReport report, void *userdata, Config *ret_config);

/* The same with the drop-in folders named by the caller, the one that wins last. */
int config_load_from(const char *path, bool may_be_missing, const char *const *folders, size_t n_folders,
                     ConfigReport report, void *userdata, Config *ret_config);

/* Writes a chatd.conf that says the same. Returns 0 or the negative errno of writing. */
int config_print(const Config *config, FILE *to);
