/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/limits.h"
#include "base/macro.h"
#include "base/parse.h"

#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MINUTE)
#define USEC_PER_DAY (24 * USEC_PER_HOUR)
#define USEC_PER_WEEK (7 * USEC_PER_DAY)
/* systemd.time(7): a month has 30.44 days and a year 365.25. */
#define USEC_PER_MONTH (UINT64_C(2629800) * USEC_PER_SEC)
#define USEC_PER_YEAR (UINT64_C(31557600) * USEC_PER_SEC)

typedef struct Unit {
    const char *name;
    uint64_t usec;
} Unit;

/* Case matters: "M" is a month and "m" a minute. The micro sign has two code points. */
static const Unit units[] = {
    {"seconds", USEC_PER_SEC},
    {"second", USEC_PER_SEC},
    {"sec", USEC_PER_SEC},
    {"s", USEC_PER_SEC},
    {"minutes", USEC_PER_MINUTE},
    {"minute", USEC_PER_MINUTE},
    {"min", USEC_PER_MINUTE},
    {"m", USEC_PER_MINUTE},
    {"months", USEC_PER_MONTH},
    {"month", USEC_PER_MONTH},
    {"M", USEC_PER_MONTH},
    {"msec", USEC_PER_MSEC},
    {"ms", USEC_PER_MSEC},
    {"hours", USEC_PER_HOUR},
    {"hour", USEC_PER_HOUR},
    {"hr", USEC_PER_HOUR},
    {"h", USEC_PER_HOUR},
    {"days", USEC_PER_DAY},
    {"day", USEC_PER_DAY},
    {"d", USEC_PER_DAY},
    {"weeks", USEC_PER_WEEK},
    {"week", USEC_PER_WEEK},
    {"w", USEC_PER_WEEK},
    {"years", USEC_PER_YEAR},
    {"year", USEC_PER_YEAR},
    {"y", USEC_PER_YEAR},
    {"usec", 1},
    {"us", 1},
    {"\xc2\xb5s", 1},
    {"\xce\xbcs", 1},
};

/* isdigit() and isspace() follow the locale; a configuration file does not. */
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_space(const char *text)
{
    return text + strspn(text, " \t\r\n");
}

/* Digits from the start of `text`, perhaps none. `*ret_end` is the first character that is not a digit. */
static int parse_digits(const char *text, const char **ret_end, uint64_t *ret_number)
{
    uint64_t number = 0;

    for (; is_digit(*text); text++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t) (*text - '0'), &number))
            return PARSE_TOO_LARGE;
    *ret_end = text;
    *ret_number = number;
    return 0;
}

int parse_number(const char *text, uint64_t *ret_number)
{
    const char *end;
    uint64_t number;
    int r;

    if (*text == '\0')
        return PARSE_EMPTY;
    /* The form is judged before the size, so that a long wrong number is called wrong and not large. */
    if (text[strspn(text, "0123456789")] != '\0')
        return PARSE_NOT_A_NUMBER;
    r = parse_digits(text, &end, &number);
    if (r != 0)
        return r;
    *ret_number = number;
    return 0;
}

int parse_size(const char *text, uint64_t *ret_bytes)
{
    static const char suffixes[] = "KMGTkmgt";
    const char *suffix, *end;
    unsigned shift = 0;
    uint64_t number;
    int r;

    if (*text == '\0')
        return PARSE_EMPTY;
    end = text + strspn(text, "0123456789");
    if (end == text)
        return PARSE_NOT_A_NUMBER;
    if (*end != '\0') {
        suffix = strchr(suffixes, *end);
        if (suffix == NULL || end[1] != '\0')
            return PARSE_BAD_UNIT;
        shift = 10 * ((unsigned) (suffix - suffixes) % 4 + 1);
    }
    r = parse_digits(text, &end, &number);
    if (r != 0)
        return r;
    if (number > UINT64_MAX >> shift)
        return PARSE_TOO_LARGE;
    *ret_bytes = number << shift;
    return 0;
}

/* The digits after a decimal point, in microseconds; what is finer than a microsecond is dropped. */
static uint64_t parse_fraction(const char *text, uint64_t unit)
{
    uint64_t usec = 0;

    for (; is_digit(*text); text++) {
        unit /= 10;
        usec += unit * (uint64_t) (*text - '0');
    }
    return usec;
}

/* The unit that `text` begins with, up to the next digit, space or point; NULL if there is no such unit. */
static const Unit *find_unit(const char *text, const char **ret_end)
{
    size_t n = strcspn(text, "0123456789. \t\r\n-+");

    for (size_t i = 0; i < N_ELEMENTS(units); i++)
        if (strlen(units[i].name) == n && memcmp(units[i].name, text, n) == 0) {
            *ret_end = text + n;
            return &units[i];
        }
    return NULL;
}

/* One number with its unit. `*ret_end` is what follows, without the space before it. */
static int parse_span_part(const char *text, const char **ret_end, uint64_t *ret_usec)
{
    static const Unit second = {"", USEC_PER_SEC};
    const char *end, *fraction = NULL;
    const Unit *unit = &second;
    uint64_t number, usec;
    int r;

    if (!is_digit(*text) && !(*text == '.' && is_digit(text[1])))
        return PARSE_NOT_A_NUMBER;
    r = parse_digits(text, &end, &number);
    if (r != 0)
        return r;
    if (*end == '.') {
        fraction = end + 1;
        if (!is_digit(*fraction))
            return PARSE_NOT_A_NUMBER;
        end = fraction + strspn(fraction, "0123456789");
        if (*end == '.')
            return PARSE_NOT_A_NUMBER;
    }
    end = skip_space(end);
    if (*end != '\0' && !is_digit(*end) && *end != '.')
        unit = find_unit(end, &end);
    if (unit == NULL)
        return PARSE_BAD_UNIT;
    if (__builtin_mul_overflow(number, unit->usec, &usec))
        return PARSE_TOO_LARGE;
    if (fraction != NULL && __builtin_add_overflow(usec, parse_fraction(fraction, unit->usec), &usec))
        return PARSE_TOO_LARGE;
    *ret_end = skip_space(end);
    *ret_usec = usec;
    return 0;
}

int parse_span(const char *text, uint64_t *ret_usec)
{
    uint64_t part, sum = 0;
    int r;

    text = skip_space(text);
    if (*text == '\0')
        return PARSE_EMPTY;
    if (strncmp(text, "infinity", STRLEN("infinity")) == 0 &&
        *skip_space(text + STRLEN("infinity")) == '\0') {
        *ret_usec = PARSE_FOREVER;
        return 0;
    }
    while (*text != '\0') {
        r = parse_span_part(text, &text, &part);
        if (r != 0)
            return r;
        if (__builtin_add_overflow(sum, part, &sum) || sum == PARSE_FOREVER)
            return PARSE_TOO_LARGE;
    }
    *ret_usec = sum;
    return 0;
}

int parse_boolean(const char *text, uint64_t *ret_value)
{
    static const char *const WORDS[][4] = {{"no", "false", "off", "0"}, {"yes", "true", "on", "1"}};

    for (uint64_t value = 0; value < 2; value++)
        for (size_t i = 0; i < N_ELEMENTS(WORDS[value]); i++)
            if (strcasecmp(text, WORDS[value][i]) == 0) {
                *ret_value = value;
                return 0;
            }
    return *text == '\0' ? PARSE_EMPTY : PARSE_NOT_A_BOOLEAN;
}

static bool is_date(int year, int month, int day)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return year >= 1970 && month >= 1 && month <= 12 && day >= 1 &&
           day <= DAYS[month - 1] + (month == 2 && is_leap);
}

/* "2026-11-22". */
static bool parse_date(const char *text, struct tm *ret_day)
{
    static const char PATTERN[] = "dddd-dd-dd";
    int n[3] = {0}, at = 0;

    for (size_t i = 0; i < sizeof PATTERN; i++) {
        if (PATTERN[i] == 'd' ? !is_digit(text[i]) : text[i] != PATTERN[i])
            return false;
        if (PATTERN[i] == 'd')
            n[at] = 10 * n[at] + (text[i] - '0');
        else
            at++;
    }
    *ret_day = (struct tm){.tm_year = n[0] - 1900, .tm_mon = n[1] - 1, .tm_mday = n[2], .tm_isdst = -1};
    return is_date(n[0], n[1], n[2]);
}

/* Midnight, or the first moment of a day that has none. False: there is no such day. */
static bool day_begins(struct tm day, uint64_t *ret_wall)
{
    time_t seconds = mktime(&day);

    *ret_wall = seconds > 0 ? (uint64_t) seconds * USEC_PER_SEC : 0;
    return seconds >= 0;
}

int parse_day(const char *text, uint64_t now, uint64_t *ret_from, uint64_t *ret_to)
{
    time_t seconds = (time_t) (now / USEC_PER_SEC);
    uint64_t from, to;
    struct tm day;

    if (strcmp(text, "today") == 0 || strcmp(text, "yesterday") == 0) {
        if (localtime_r(&seconds, &day) == NULL)
            return PARSE_NOT_A_DAY;
        day =
            (struct tm){.tm_year = day.tm_year, .tm_mon = day.tm_mon, .tm_mday = day.tm_mday, .tm_isdst = -1};
        day.tm_mday -= text[0] == 'y';
    } else if (!parse_date(text, &day)) {
        return PARSE_NOT_A_DAY;
    }
    if (!day_begins(day, &from))
        return PARSE_NOT_A_DAY;
    day.tm_mday++;
    if (!day_begins(day, &to))
        return PARSE_NOT_A_DAY;
    *ret_from = from;
    *ret_to = to;
    return 0;
}

const char *parse_strerror(int r)
{
    switch (r) {
    case PARSE_EMPTY:
        return "is empty";
    case PARSE_NOT_A_NUMBER:
        return "is not a number";
    case PARSE_BAD_UNIT:
        return "has an unknown unit";
    case PARSE_TOO_LARGE:
        return "is too large";
    case PARSE_NOT_A_BOOLEAN:
        return "is neither yes nor no";
    case PARSE_NOT_A_DAY:
        return "is not a day";
    default:
        return "is not understood";
    }
}

void parse_format_size(char *to, uint64_t bytes)
{
    static const char suffixes[] = {'\0', 'K', 'M', 'G', 'T', '\0'};
    size_t i = 0;

    while (bytes != 0 && bytes % 1024 == 0 && i < 4) {
        bytes /= 1024;
        i++;
    }
    /* A suffix of NUL ends the text. */
    (void) snprintf(to, PARSE_TEXT_MAX, "%" PRIu64 "%c", bytes, suffixes[i]);
}

void parse_format_span(char *to, uint64_t usec)
{
    static const Unit parts[] = {
        {"d", USEC_PER_DAY}, {"h", USEC_PER_HOUR},  {"min", USEC_PER_MINUTE},
        {"s", USEC_PER_SEC}, {"ms", USEC_PER_MSEC}, {"us", 1},
    };
    size_t n = 0;

    if (usec == 0 || usec == PARSE_FOREVER) {
        (void) snprintf(to, PARSE_TEXT_MAX, "%s", usec == 0 ? "0" : "infinity");
        return;
    }
    for (size_t i = 0; i < N_ELEMENTS(parts); i++) {
        if (usec / parts[i].usec == 0)
            continue;
        n += (size_t) snprintf(to + n, PARSE_TEXT_MAX - n, "%s%" PRIu64 "%s", n > 0 ? " " : "",
                               usec / parts[i].usec, parts[i].name);
        usec %= parts[i].usec;
    }
}
