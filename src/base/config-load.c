/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */

/*
 * A Loader reads one file after the other into one Config. inih splits a line into section, key and value; it
 * does not tell its handler the line, and it cuts long lines into pieces. So the reader that feeds it
 * (read_line) hands out one whole line at a time, counts, and keeps back what inih would misread: a line that
 * is too long, a NUL, bad UTF-8, and space before a line, by which inih would continue the value before.
 */
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <utf8proc.h>

#include "base/config.h"
#include "base/dropin.h"
#include "base/error.h"
#include "base/guess.h"
#include "base/limits.h"
#include "base/macro.h"
#include "base/text.h"

enum {
    LINE_SIZE = 4096,         /* of our own copy of a line; inih's is shorter */
    FILE_BYTES = 1024 * 1024, /* a larger file is not a configuration, but perhaps /dev/zero */
    MOTD_FILE_BYTES = 16384,  /* more than LIMIT_MOTD_BYTES, as cleaning may shorten it */
    NAMES_MAX = 64,           /* keys to choose a guess from */
};

typedef struct Loader {
    Config config;
    ConfigReport report;
    void *userdata;
    const char *file; /* its name, for messages */
    FILE *stream;
    size_t n_read; /* bytes of the file */
    unsigned line;
    unsigned section_line; /* where the section began */
    bool section_is_reported;
    bool is_invalid;
    int fatal;            /* -ENOMEM: nothing more is done */
    char text[LINE_SIZE]; /* the line that inih has now, as it is in the file */
} Loader;

_printf_(4, 5) static void loader_report(Loader *loader, int level, unsigned line, const char *format, ...)
{
    char message[1024];
    va_list arguments;

    if (level == LOG_ERR)
        loader->is_invalid = true;
    if (loader->report == NULL)
        return;
    va_start(arguments, format);
    (void) vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    loader->report(loader->userdata, level, loader->file, line, message);
}

/* A file could not be read. Want of memory is not the file's fault. */
static void loader_report_errno(Loader *loader, unsigned line, const char *path, int error)
{
    if (error == ENOMEM)
        loader->fatal = error_origin(-ENOMEM);
    else
        loader_report(loader, LOG_ERR, line, "%s cannot be read: %s.", path, strerror(error));
}

static bool is_utf8(const char *text, size_t n)
{
    const utf8proc_uint8_t *at = (const utf8proc_uint8_t *) text;
    utf8proc_ssize_t left = (utf8proc_ssize_t) n, size;
    utf8proc_int32_t c;

    for (; left > 0; at += size, left -= size) {
        size = utf8proc_iterate(at, left, &c);
        if (size <= 0)
            return false;
    }
    return true;
}

/*
 * Reads one line without its end into loader->text, however long it is in the file; of a line longer than
 * that only the beginning is kept. Returns false at the end of the file.
 */
static bool read_whole_line(Loader *loader, size_t *ret_n)
{
    size_t n = 0;
    int c;

    while ((c = getc(loader->stream)) != EOF && c != '\n') {
        if (++loader->n_read > FILE_BYTES) {
            loader_report(loader, LOG_ERR, 0, "The file has more than %u bytes. Shorten it.",
                          (unsigned) FILE_BYTES);
            return false;
        }
        if (n < sizeof(loader->text))
            loader->text[n] = (char) c;
        n++;
    }
    if (c == EOF && n == 0)
        return false;
    loader->line++;
    if (n > 0 && n <= sizeof(loader->text) && loader->text[n - 1] == '\r')
        n--;
    *ret_n = n;
    return true;
}

/* Reports a line of `n` bytes that inih would misread. `max` is the longest that it can hold. */
static bool check_line(Loader *loader, size_t n, size_t max)
{
    if (n > max) {
        loader_report(loader, LOG_ERR, loader->line,
                      "The line has %zu bytes; at most %zu can be read. Shorten it (Motd= may name a file).",
                      n, max);
        return false;
    }
    if (memchr(loader->text, '\0', n) != NULL) {
        loader_report(loader, LOG_ERR, loader->line,
                      "The line has a NUL byte. Write the file as UTF-8 text.");
        return false;
    }
    if (!is_utf8(loader->text, n)) {
        loader_report(loader, LOG_ERR, loader->line, "The line is not UTF-8. Write the file as UTF-8 text.");
        return false;
    }
    return true;
}

/* What inih takes for space: isspace(3) of the C locale. */
static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* ini_reader: the next line. What cannot be used arrives as an empty line, so that the count stays right. */
static char *read_line(char *to, int size, void *userdata)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    Loader *loader = userdata;
    size_t n, skip = 0;

    if (loader->fatal != 0 || !read_whole_line(loader, &n))
        return NULL;
    if (loader->line == 1 && n >= STRLEN("\xef\xbb\xbf") && memcmp(loader->text, byte_order_mark, 3) == 0)
        skip = 3;
    while (skip < MIN(n, sizeof(loader->text) - 1) && is_space(loader->text[skip]))
        skip++;
    /* What a comment holds, and how long it is, does not matter. */
    if (skip == n || loader->text[skip] == '#' || loader->text[skip] == ';' ||
        !check_line(loader, n, MIN((size_t) size, sizeof(loader->text)) - 1))
        n = skip = 0;
    memmove(loader->text, loader->text + skip, n - skip);
    loader->text[n - skip] = '\0';
    if (loader->text[0] == '[') {
        loader->section_line = loader->line;
        loader->section_is_reported = false;
    }
    memcpy(to, loader->text, n - skip + 1);
    return to;
}

static void loader_report_long_motd(Loader *loader)
{
    loader_report(loader, LOG_ERR, loader->line, "The message of the day has more than %u bytes. Shorten it.",
                  (unsigned) LIMIT_MOTD_BYTES);
}

static void loader_add_motd(Loader *loader, const char *text, size_t n)
{
    int r = config_add_motd(&loader->config, text, n);

    if (r < 0)
        loader->fatal = error_trace(r);
    else if (r == CONFIG_INVALID)
        loader_report_long_motd(loader);
}

/* Opens what can be read to its end. Returns -1 with errno, EISDIR for a folder. */
static int open_file(const char *path, int flags, mode_t *ret_mode)
{
    _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | flags);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -1;
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return -1;
    }
    *ret_mode = st.st_mode;
    return TAKE_FD(fd);
}

/* Reads at most `size` bytes. */
static ssize_t read_fully(int fd, char *to, size_t size)
{
    size_t n = 0;
    ssize_t k;

    while (n < size) {
        k = read(fd, to + n, size - n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return k < 0 ? -1 : (ssize_t) n;
        n += (size_t) k;
    }
    return (ssize_t) n;
}

/* Adds the lines of a file to the message of the day. Pipes and devices are refused, as they might never end.
 */
static void loader_add_motd_file(Loader *loader, const char *path)
{
    char text[MOTD_FILE_BYTES], shown[256];
    _cleanup_(fd_closep) int fd = -1;
    const char *line, *end;
    mode_t mode = 0;
    ssize_t n = -1;

    (void) text_escape(shown, sizeof(shown), path, strlen(path));
    fd = open_file(path, O_NONBLOCK, &mode);
    if (fd >= 0 && !S_ISREG(mode)) {
        loader_report(loader, LOG_ERR, loader->line, "%s cannot be read: it is not a file.", shown);
        return;
    }
    if (fd >= 0)
        n = read_fully(fd, text, sizeof(text));
    if (n < 0) {
        loader_report_errno(loader, loader->line, shown, errno);
        return;
    }
    if ((size_t) n == sizeof(text)) {
        loader_report_long_motd(loader);
        return;
    }
    for (line = text; line < text + n; line = end + 1) {
        end = memchr(line, '\n', (size_t) (text + n - line));
        if (end == NULL)
            end = text + n;
        loader_add_motd(loader, line, (size_t) (end - line));
        if (loader->fatal != 0 || loader->is_invalid)
            return;
    }
}

/*
 * The text between the quotes of `value`, which begins with one, into `to`. Returns what is wrong with it, or
 * NULL. inih ends a value at " ;" even in quotes; so `value` is our own copy of the line.
 */
static const char *unquote(const char *value, char *to)
{
    for (value++; *value != '"'; value++) {
        if (*value == '\0')
            return "has no closing quote";
        if (*value == '\\') {
            value++;
            if (*value == '\0' || strchr("\"\\/", *value) == NULL)
                return "has an unknown escape; in quotes a backslash is written \\\\";
        }
        *to++ = *value;
    }
    *to = '\0';
    for (value++; is_space(*value);)
        value++;
    if (*value != '\0' && *value != ';')
        return "has text after the closing quote; a quote inside is written \\\"";
    return NULL;
}

static void loader_set(Loader *loader, const ConfigItem *item, const char *value)
{
    char reason[1024];

    if (config_set(&loader->config, item, value, reason, sizeof(reason)) != 0)
        loader_report(loader, LOG_ERR, loader->line, "%s", reason);
}

static void loader_warn_section(Loader *loader, const char *section)
{
    const char *names[NAMES_MAX], *guess;
    const ConfigItem *item;
    char shown[256];
    size_t n = 0;

    if (loader->section_is_reported)
        return;
    loader->section_is_reported = true;
    for (; (item = config_item(n)) != NULL && n < NAMES_MAX; n++)
        names[n] = item->section;
    guess = guess_nearest(section, names, n);
    (void) text_escape(shown, sizeof(shown), section, strlen(section));
    loader_report(loader, LOG_WARNING, loader->section_line, "Unknown section [%s], ignoring.%s%s%s", shown,
                  guess != NULL ? " Did you mean [" : "", guess != NULL ? guess : "",
                  guess != NULL ? "]?" : "");
}

static void loader_warn_key(Loader *loader, const char *section, const char *key)
{
    const char *names[NAMES_MAX], *guess;
    const ConfigItem *item;
    char shown[256];
    size_t n = 0;

    (void) text_escape(shown, sizeof(shown), key, strlen(key));
    for (size_t i = 0; (item = config_item(i)) != NULL; i++) {
        if (strcmp(item->key, key) == 0) {
            loader_report(loader, LOG_WARNING, loader->line, "%s= belongs in section [%s], ignoring.", shown,
                          item->section);
            return;
        }
        if ((*section == '\0' || strcmp(item->section, section) == 0) && n < NAMES_MAX)
            names[n++] = item->key;
    }
    guess = guess_nearest(key, names, n);
    loader_report(loader, LOG_WARNING, loader->line, "Unknown key %s=, ignoring.%s%s%s", shown,
                  guess != NULL ? " Did you mean " : "", guess != NULL ? guess : "",
                  guess != NULL ? "=?" : "");
}

/* NULL if there is no such key; then `*ret_is_section` says whether the section is known. "" is before the
 * first. */
static const ConfigItem *find_item(const char *section, const char *key, bool *ret_is_section)
{
    bool is_section = *section == '\0';
    const ConfigItem *item;

    for (size_t i = 0; (item = config_item(i)) != NULL; i++)
        if (strcmp(item->section, section) == 0) {
            if (strcmp(item->key, key) == 0)
                return item;
            is_section = true;
        }
    *ret_is_section = is_section;
    return NULL;
}

/* ini_handler: one value. Returns 1 always, as 0 would count as a syntax error. */
static int handle(void *userdata, const char *section, const char *key, const char *value)
{
    Loader *loader = userdata;
    bool is_section, is_quoted = *value == '"', is_path = *value == '/';
    const char *quoted, *reason;
    char text[LINE_SIZE];
    const ConfigItem *item = find_item(section, key, &is_section);

    if (item == NULL) {
        if (is_section)
            loader_warn_key(loader, section, key);
        else
            loader_warn_section(loader, section);
        return 1;
    }
    if (is_quoted) {
        quoted = strchr(loader->text + strcspn(loader->text, "=:"), '"');
        is_path = quoted[1] == '/';
        reason = unquote(quoted, text);
        if (reason != NULL) {
            loader_report(loader, LOG_ERR, loader->line, "The value of %s= %s.", key, reason);
            return 1;
        }
        value = text;
    } else if (item->type == CONFIG_MOTD && *value != '\0' && strstr(loader->text, " ;") != NULL) {
        loader_report(loader, LOG_WARNING, loader->line,
                      "What follows \" ;\" is a comment. To have it in %s= write the value in quotes.", key);
    }
    if (*value == '\0' && !is_quoted)
        config_reset(&loader->config, item);
    else if (item->type != CONFIG_MOTD)
        loader_set(loader, item, value);
    else if (is_path)
        loader_add_motd_file(loader, value);
    else
        loader_add_motd(loader, value, strlen(value));
    return 1;
}

static void load_file(Loader *loader, const char *path, bool may_be_missing)
{
    _cleanup_(file_closep) FILE *stream = NULL;
    _cleanup_(fd_closep) int fd = -1;
    mode_t mode;
    int r;

    loader->file = path;
    loader->line = loader->section_line = 0;
    loader->n_read = 0;
    fd = open_file(path, 0, &mode);
    if (fd < 0 && errno == ENOENT && may_be_missing)
        return;
    if (fd >= 0)
        stream = fdopen(fd, "r");
    if (stream == NULL) {
        loader_report_errno(loader, 0, "The file", errno);
        return;
    }
    (void) TAKE_FD(fd);
    loader->stream = stream;
    r = ini_parse_stream(read_line, loader, handle, loader);
    if (r == -2) /* inih's way to say that memory is short */
        loader->fatal = error_origin(-ENOMEM);
    else if (ferror(stream))
        loader_report_errno(loader, 0, "The file", errno);
    else if (r > 0)
        loader_report(loader, LOG_ERR, (unsigned) r,
                      "The line is neither [Section] nor Key=value nor a comment that begins with #.");
}

int config_load_from(const char *path, bool may_be_missing, const char *const *folders, size_t n_folders,
                     ConfigReport report, void *userdata, Config *ret_config)
{
    Loader loader = {.report = report, .userdata = userdata};
    _cleanup_(dropin_list_done) DropinList list = {0};
    const char *folder;
    int r;

    config_init(&loader.config);
    load_file(&loader, path, may_be_missing);
    r = dropin_list(folders, n_folders, &list, &folder);
    if (r < 0)
        loader.fatal = r;
    if (r > 0) {
        loader.file = folder;
        loader_report_errno(&loader, 0, "The folder", errno);
    }
    for (size_t i = 0; i < list.n && loader.fatal == 0; i++)
        load_file(&loader, list.paths[i], false);
    if (loader.fatal != 0 || loader.is_invalid) {
        config_done(&loader.config);
        return loader.fatal != 0 ? error_trace(loader.fatal) : CONFIG_INVALID;
    }
    config_resolve(&loader.config);
    *ret_config = loader.config;
    return 0;
}

int config_load(const char *path, ConfigReport report, void *userdata, Config *ret_config)
{
    static const char *const standard[] = {"/usr/lib/chatd.conf.d", "/run/chatd.conf.d",
                                           CHATD_CONFIG_FILE ".d"};
    _cleanup_(freep) char *folder = NULL;
    const char *folders[1];
    size_t size;

    if (path == NULL)
        return config_load_from(CHATD_CONFIG_FILE, true, standard, N_ELEMENTS(standard), report, userdata,
                                ret_config);
    size = strlen(path) + sizeof(".d");
    folder = malloc(size);
    if (folder == NULL)
        return error_origin(-ENOMEM);
    (void) snprintf(folder, size, "%s.d", path);
    folders[0] = folder;
    return config_load_from(path, false, folders, 1, report, userdata, ret_config);
}
