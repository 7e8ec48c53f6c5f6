/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/macro.h"
#include "base/name.h"
#include "base/parse.h"
#include "base/text.h"

/* The longest line that config-load.c reads back, whatever the key. */
enum { PRINTED_MAX = 190 };

#define KIB UINT64_C(1024)
#define GIB (KIB * KIB * KIB)
#define DAY_USEC (24 * 3600 * USEC_PER_SEC)
#define AT(member) offsetof(Config, member)

/* The order is that of chatd.conf(5). Defaults are written as in the file, and read by the same parser. */
static const ConfigItem items[] = {
    {"Limits", "MaxClients", CONFIG_NUMBER, AT(max_clients), "10000", 0, 1000000, 0,
     "people connected at once; 0 = as many as descriptors allow"},
    {"Limits", "MaxClientsPerAddress", CONFIG_NUMBER, AT(max_clients_per_address), "256", 0, 1000000, 0,
     "of one IPv4 address, one IPv6 /64 network, or one local user; 0 = no limit"},
    {"Limits", "MaxRooms", CONFIG_NUMBER, AT(max_rooms), "1000", 0, LIMIT_ROOMS, 0,
     "rooms besides the lobby; 0 = no limit"},
    {"Limits", "MaxRoomsPerClient", CONFIG_NUMBER, AT(max_rooms_per_client), "20", 0, 1000, 0,
     "rooms that one person is in, the lobby included; 0 = no limit"},
    {"Limits", "MaxIgnores", CONFIG_NUMBER, AT(max_ignores), "32", 0, LIMIT_IGNORES, LIMIT_IGNORES,
     "names that one person ignores; 0 = 64"},
    {"Limits", "LinesPerSecond", CONFIG_NUMBER, AT(lines_per_second), "10", 0, 1000000, 0,
     "lines read from one person per second, in the long run; 0 = no limit"},
    {"Limits", "LinesBurst", CONFIG_NUMBER, AT(lines_burst), "40", 0, 1000000, 1,
     "lines that may come at once after a pause; 0 = 1"},
    {"Limits", "BytesPerSecond", CONFIG_BYTES, AT(bytes_per_second), "8K", 0, GIB, 0,
     "bytes read from one person per second, in the long run; 0 = no limit"},
    {"Limits", "BytesBurst", CONFIG_BYTES, AT(bytes_burst), "32K", 0, GIB, 0,
     "bytes that may come at once after a pause, at least MaxLineLength"},
    {"Limits", "MaxLineLength", CONFIG_BYTES, AT(max_line_length), "2000", 80, LIMIT_LINE_BYTES,
     LIMIT_LINE_BYTES, "bytes of a line without its end; 0 = 8000"},
    {"Limits", "MaxNickLength", CONFIG_NUMBER, AT(max_nick_length), "24", 2, NAME_MAX_CHARS, NAME_MAX_CHARS,
     "characters of a name, of rooms too; 0 = 24"},
    {"Limits", "MaxTopicLength", CONFIG_BYTES, AT(max_topic_length), "300", 0, LIMIT_TOPIC_BYTES,
     LIMIT_TOPIC_BYTES, "bytes of a topic or an away text; 0 = 500"},
    {"Limits", "TranscriptSize", CONFIG_BYTES64, AT(transcript_size), "512K", LIMIT_TRANSCRIPT_MIN, GIB, GIB,
     "bytes of memory for what was said; 0 = 1G"},
    {"Chat", "Motd", CONFIG_MOTD, AT(motd), "", 0, LIMIT_MOTD_BYTES, 0,
     "a line of the message of the day, or /the/name/of/a/file; may be given again"},
    {"Chat", "History", CONFIG_NUMBER, AT(history), "20", 0, LIMIT_HISTORY, 0,
     "lines shown to who joins a room; 0 = none"},
    {"Chat", "OperatorGroup", CONFIG_GROUP, AT(operator_group), "chat-operators", 0, 0, 0,
     "the group whose members are operators, besides root; - = none"},
    {"Chat", "IdleExitSec", CONFIG_SPAN, AT(idle_exit_usec), "10min", 0, UINT64_MAX - 1, 0,
     "time without people after which the service ends; 0 or infinity = never"},
    {"Archive", "Enabled", CONFIG_BOOL, AT(archive_is_enabled), "yes", 0, 1, 0,
     "whether what is said in rooms is kept on disk"},
    {"Archive", "Keep", CONFIG_SPAN, AT(archive_keep_usec), "30d", DAY_USEC, UINT64_MAX / 4, 0,
     "time after which it is deleted; 0 or infinity = never"},
    {"Archive", "MaxSize", CONFIG_BYTES64, AT(archive_max_size), "1G", 16 * KIB *KIB, 1024 * GIB, 0,
     "bytes of disk it may take; the oldest is deleted first; 0 = no limit"},
};

const ConfigItem *config_item(size_t i)
{
    return i < N_ELEMENTS(items) ? &items[i] : NULL;
}

/* The one key of which it matters whether anybody has set it. */
static bool is_idle_exit(const ConfigItem *item)
{
    return item->offset == AT(idle_exit_usec);
}

/* item_store and item_fetch are the only ones who know how wide a field is. */
static void item_store(const ConfigItem *item, Config *config, uint64_t value)
{
    void *field = (char *) config + item->offset;

    if (item->type == CONFIG_BOOL)
        *(bool *) field = value != 0;
    else if (item->type == CONFIG_NUMBER || item->type == CONFIG_BYTES)
        *(uint32_t *) field = (uint32_t) value;
    else
        *(uint64_t *) field = value;
}

static uint64_t item_fetch(const ConfigItem *item, const Config *config)
{
    const void *field = (const char *) config + item->offset;

    if (item->type == CONFIG_BOOL)
        return *(const bool *) field;
    if (item->type == CONFIG_NUMBER || item->type == CONFIG_BYTES)
        return *(const uint32_t *) field;
    return *(const uint64_t *) field;
}

static int item_parse(const ConfigItem *item, const char *text, uint64_t *ret_value)
{
    switch (item->type) {
    case CONFIG_NUMBER:
        return parse_number(text, ret_value);
    case CONFIG_BOOL:
        return parse_boolean(text, ret_value);
    case CONFIG_SPAN:
        return parse_span(text, ret_value);
    default:
        return parse_size(text, ret_value);
    }
}

static void item_format(const ConfigItem *item, char *to, uint64_t value)
{
    if (item->type == CONFIG_SPAN)
        parse_format_span(to, value);
    else if (item->type == CONFIG_BOOL)
        (void) snprintf(to, PARSE_TEXT_MAX, "%s", value != 0 ? "yes" : "no");
    else if (item->type == CONFIG_NUMBER)
        (void) snprintf(to, PARSE_TEXT_MAX, "%" PRIu64, value);
    else
        parse_format_size(to, value);
}

/* What may be written for a key, as an order to the reader of a message. */
static void item_advise(const ConfigItem *item, char *to, size_t size)
{
    char min[PARSE_TEXT_MAX], max[PARSE_TEXT_MAX];

    if (item->type == CONFIG_BOOL) {
        (void) snprintf(to, size, "Write yes or no.");
        return;
    }
    if (item->type == CONFIG_SPAN) {
        parse_format_span(min, item->min);
        (void) snprintf(to, size,
                        "Write a time span such as 90, 10min or 1h 30min%s%s; 0 or infinity means never.",
                        item->min > 0 ? ", at least " : "", item->min > 0 ? min : "");
        return;
    }
    item_format(item, min, item->min);
    item_format(item, max, item->max);
    (void) snprintf(to, size, "Write %s from %s to %s%s.",
                    item->type == CONFIG_NUMBER ? "a whole number"
                                                : "a number of bytes (K, M and G count in 1024s)",
                    min, max, item->min > 0 ? ", or 0" : "");
}

/* A name that a group may have, or "-". */
static bool group_is_fine(const char *value)
{
    size_t n = strlen(value);

    return n > 0 && n <= CONFIG_GROUP_MAX &&
           n == strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
}

static void group_store(const ConfigItem *item, Config *config, const char *value)
{
    (void) snprintf((char *) config + item->offset, CONFIG_GROUP_MAX + 1, "%s", value);
}

void config_reset(Config *config, const ConfigItem *item)
{
    uint64_t value = 0;

    if (item->type == CONFIG_GROUP) {
        group_store(item, config, item->standard);
        return;
    }
    if (item->type == CONFIG_MOTD) {
        free(config->motd);
        config->motd = NULL;
        return;
    }
    if (item_parse(item, item->standard, &value) != 0)
        abort(); /* the table itself is wrong */
    item_store(item, config, value);
    if (is_idle_exit(item))
        config->idle_exit_is_default = true;
}

static int config_set_group(Config *config, const ConfigItem *item, const char *value, char *reason,
                            size_t size)
{
    char shown[128];

    if (group_is_fine(value)) {
        group_store(item, config, value);
        return 0;
    }
    (void) text_escape(shown, sizeof(shown), value, strlen(value));
    (void) snprintf(
        reason, size,
        "%s=%s is no name of a group. Write up to %d letters, digits, '.', '_' and '-'; - means none.",
        item->key, shown, CONFIG_GROUP_MAX);
    return CONFIG_INVALID;
}

int config_set(Config *config, const ConfigItem *item, const char *value, char *reason, size_t size)
{
    char advice[256], shown[128];
    const char *complaint = NULL;
    uint64_t number;
    int r;

    if (item->type == CONFIG_GROUP)
        return config_set_group(config, item, value, reason, size);
    r = item_parse(item, value, &number);
    if (r == 0 && item->type == CONFIG_SPAN && number == PARSE_FOREVER)
        number = 0;
    if (r != 0)
        complaint = parse_strerror(r);
    else if (number != 0 && (number < item->min || number > item->max))
        complaint = "is out of range";
    if (complaint != NULL) {
        item_advise(item, advice, sizeof(advice));
        (void) text_escape(shown, sizeof(shown), value, strlen(value));
        (void) snprintf(reason, size, "%s=%s %s. %s", item->key, shown, complaint, advice);
        return CONFIG_INVALID;
    }
    item_store(item, config, number);
    if (is_idle_exit(item))
        config->idle_exit_is_default = false;
    return 0;
}

int config_add_motd(Config *config, const char *text, size_t n)
{
    size_t n_old = config->motd != NULL ? strlen(config->motd) + 1 : 0;
    _cleanup_(freep) char *clean = malloc(TEXT_GROWTH * n + 1);
    char *motd;

    if (clean == NULL)
        return error_origin(-ENOMEM);
    n = text_clean(clean, text, n);
    if (n_old + n > LIMIT_MOTD_BYTES)
        return CONFIG_INVALID;
    motd = realloc(config->motd, n_old + n + 1);
    if (motd == NULL)
        return error_origin(-ENOMEM);
    if (n_old > 0)
        motd[n_old - 1] = '\n';
    memcpy(motd + n_old, clean, n);
    motd[n_old + n] = '\0';
    config->motd = motd;
    return 0;
}

void config_resolve(Config *config)
{
    for (size_t i = 0; i < N_ELEMENTS(items); i++)
        if (items[i].zero != 0 && item_fetch(&items[i], config) == 0)
            item_store(&items[i], config, items[i].zero);
    config->bytes_burst = MAX(config->bytes_burst, config->max_line_length);
}

void config_init(Config *config)
{
    *config = (Config){0};
    for (size_t i = 0; i < N_ELEMENTS(items); i++)
        config_reset(config, &items[i]);
}

void config_done(Config *config)
{
    free(config->motd);
    *config = (Config){0};
}

/* In quotes, what must be escaped. A slash at the start would make the value the name of a file. */
static bool is_escaped(const char *line, size_t i)
{
    return line[i] == '"' || line[i] == '\\' || (i == 0 && line[i] == '/');
}

static void print_motd_line(const char *line, size_t n, FILE *to)
{
    size_t width = n;

    for (size_t i = 0; i < n; i++)
        width += is_escaped(line, i);
    if (width > PRINTED_MAX)
        (void) fputs("# The next line came from a file, and is too long to stand here.\n#", to);
    (void) fputs("Motd=\"", to);
    for (size_t i = 0; i < n; i++) {
        if (is_escaped(line, i))
            (void) fputc('\\', to);
        (void) fputc(line[i], to);
    }
    (void) fputs("\"\n", to);
}

static void print_motd(const char *motd, FILE *to)
{
    size_t n;

    if (motd == NULL) {
        (void) fputs("#Motd=\n", to);
        return;
    }
    for (;; motd += n + 1) {
        n = strcspn(motd, "\n");
        print_motd_line(motd, n, to);
        if (motd[n] == '\0')
            return;
    }
}

int config_print(const Config *config, FILE *to)
{
    const char *section = "";
    char value[PARSE_TEXT_MAX];

    for (size_t i = 0; i < N_ELEMENTS(items); i++) {
        const ConfigItem *item = &items[i];

        if (strcmp(section, item->section) != 0)
            (void) fprintf(to, "%s[%s]\n", i > 0 ? "\n" : "", item->section);
        section = item->section;
        if (item->type == CONFIG_MOTD) {
            print_motd(config->motd, to);
            continue;
        }
        if (item->type == CONFIG_GROUP) {
            (void) fprintf(to, "%s=%s\n", item->key, (const char *) config + item->offset);
            continue;
        }
        item_format(item, value, item_fetch(item, config));
        (void) fprintf(to, "%s%s=%s\n", is_idle_exit(item) && config->idle_exit_is_default ? "#" : "",
                       item->key, value);
    }
    return fflush(to) == 0 && !ferror(to) ? 0 : error_origin(-errno);
}
