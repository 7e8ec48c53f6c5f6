/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/parse.h"
#include "unit/unit.h"

typedef struct Case {
    const char *text;
    int r;
    uint64_t value;
} Case;

static const Case numbers[] = {
    {"", PARSE_EMPTY, 0},
    {" ", PARSE_NOT_A_NUMBER, 0},
    {"-1", PARSE_NOT_A_NUMBER, 0},
    {"+1", PARSE_NOT_A_NUMBER, 0},
    {" 1", PARSE_NOT_A_NUMBER, 0},
    {"1 ", PARSE_NOT_A_NUMBER, 0},
    {"1.0", PARSE_NOT_A_NUMBER, 0},
    {"0x10", PARSE_NOT_A_NUMBER, 0},
    {"1e3", PARSE_NOT_A_NUMBER, 0},
    {"1K", PARSE_NOT_A_NUMBER, 0},
    {"1,000", PARSE_NOT_A_NUMBER, 0},
    {"\xd9\xa1", PARSE_NOT_A_NUMBER, 0}, /* ARABIC-INDIC DIGIT ONE */
    {"18446744073709551616", PARSE_TOO_LARGE, 0},
    {"99999999999999999999999999", PARSE_TOO_LARGE, 0},
    {"99999999999999999999999999x", PARSE_NOT_A_NUMBER, 0},
    {"0", 0, 0},
    {"1", 0, 1},
    {"007", 0, 7},
    {"4294967296", 0, UINT64_C(4294967296)},
    {"18446744073709551615", 0, UINT64_MAX},
};

static const Case sizes[] = {
    {"", PARSE_EMPTY, 0},
    {"K", PARSE_NOT_A_NUMBER, 0},
    {"-1K", PARSE_NOT_A_NUMBER, 0},
    {" 1", PARSE_NOT_A_NUMBER, 0},
    {"1 K", PARSE_BAD_UNIT, 0},
    {"1KB", PARSE_BAD_UNIT, 0},
    {"1Ki", PARSE_BAD_UNIT, 0},
    {"1B", PARSE_BAD_UNIT, 0},
    {"1.5K", PARSE_BAD_UNIT, 0},
    {"1P", PARSE_BAD_UNIT, 0},
    {"18446744073709551616", PARSE_TOO_LARGE, 0},
    {"18014398509481984K", PARSE_TOO_LARGE, 0},
    {"16777216T", PARSE_TOO_LARGE, 0},
    {"0", 0, 0},
    {"0K", 0, 0},
    {"1", 0, 1},
    {"1k", 0, 1024},
    {"1K", 0, 1024},
    {"8K", 0, 8192},
    {"1M", 0, 1048576},
    {"3m", 0, 3145728},
    {"1G", 0, UINT64_C(1) << 30},
    {"1T", 0, UINT64_C(1) << 40},
    {"18014398509481983K", 0, UINT64_MAX - 1023},
    {"18446744073709551615", 0, UINT64_MAX},
};

#define SEC UINT64_C(1000000)

static const Case spans[] = {
    {"", PARSE_EMPTY, 0},
    {"  ", PARSE_EMPTY, 0},
    {"-1", PARSE_NOT_A_NUMBER, 0},
    {"+1", PARSE_NOT_A_NUMBER, 0},
    {"min", PARSE_NOT_A_NUMBER, 0},
    {"5.", PARSE_NOT_A_NUMBER, 0},
    {"5.s", PARSE_NOT_A_NUMBER, 0},
    {"5. 5", PARSE_NOT_A_NUMBER, 0},
    {"5..5", PARSE_NOT_A_NUMBER, 0},
    {"1.2.3", PARSE_NOT_A_NUMBER, 0},
    {".", PARSE_NOT_A_NUMBER, 0},
    {"3s-1", PARSE_NOT_A_NUMBER, 0},
    {"Infinity", PARSE_NOT_A_NUMBER, 0},
    {"infinity s", PARSE_NOT_A_NUMBER, 0},
    {"infinit", PARSE_NOT_A_NUMBER, 0},
    {"10 fortnights", PARSE_BAD_UNIT, 0},
    {"10S", PARSE_BAD_UNIT, 0},
    {"10Min", PARSE_BAD_UNIT, 0},
    {"10mins", PARSE_BAD_UNIT, 0},
    {"10s,", PARSE_BAD_UNIT, 0},
    {"1e3", PARSE_BAD_UNIT, 0},
    {"1h infinity", PARSE_NOT_A_NUMBER, 0},
    {"10\xc2s", PARSE_BAD_UNIT, 0},
    {"18446744073709551616us", PARSE_TOO_LARGE, 0},
    {"18446744073709551615us", PARSE_TOO_LARGE, 0}, /* it would be infinity */
    {"18446744073710", PARSE_TOO_LARGE, 0},
    {"584555y", PARSE_TOO_LARGE, 0},
    {"18446744073709.551616", PARSE_TOO_LARGE, 0},
    {"18446744073709551614us 1us", PARSE_TOO_LARGE, 0},
    {"18446744073709551614us 2us", PARSE_TOO_LARGE, 0},
    {"0", 0, 0},
    {"0min", 0, 0},
    {"1", 0, SEC},
    {"90", 0, 90 * SEC},
    {" 90 ", 0, 90 * SEC},
    {"2 s", 0, 2 * SEC},
    {"1us", 0, 1},
    {"1usec", 0, 1},
    {"1\xc2\xb5s", 0, 1},
    {"1\xce\xbcs", 0, 1},
    {"1ms", 0, 1000},
    {"1msec", 0, 1000},
    {"1s", 0, SEC},
    {"1sec", 0, SEC},
    {"1second", 0, SEC},
    {"2seconds", 0, 2 * SEC},
    {"1m", 0, 60 * SEC},
    {"10min", 0, 600 * SEC},
    {"1minute", 0, 60 * SEC},
    {"2minutes", 0, 120 * SEC},
    {"1h", 0, 3600 * SEC},
    {"1hr", 0, 3600 * SEC},
    {"1hour", 0, 3600 * SEC},
    {"2hours", 0, 7200 * SEC},
    {"1d", 0, 86400 * SEC},
    {"1day", 0, 86400 * SEC},
    {"2days", 0, 172800 * SEC},
    {"1w", 0, 604800 * SEC},
    {"1week", 0, 604800 * SEC},
    {"2weeks", 0, 1209600 * SEC},
    {"1M", 0, 2629800 * SEC},
    {"1month", 0, 2629800 * SEC},
    {"2months", 0, 5259600 * SEC},
    {"1y", 0, 31557600 * SEC},
    {"1year", 0, 31557600 * SEC},
    {"2years", 0, 63115200 * SEC},
    {"1h 30min", 0, 5400 * SEC},
    {"1h30min", 0, 5400 * SEC},
    {"1h30", 0, 3630 * SEC},
    {"1 h 30 min", 0, 5400 * SEC},
    {"1 2", 0, 3 * SEC},
    {"55s500ms", 0, 55500000},
    {"300ms20s 5day", 0, 432020300000},
    {"2.5s", 0, 2500000},
    {".5", 0, 500000},
    {"1.5h", 0, 5400 * SEC},
    {"5 .5s", 0, 5500000},
    {"0.0000019", 0, 1},
    {"infinity", 0, PARSE_FOREVER},
    {" infinity ", 0, PARSE_FOREVER},
    {"18446744073709551614us", 0, UINT64_MAX - 1},
    {"18446744073709.551614", 0, UINT64_MAX - 1},
    {"18446744073709551613us 1us", 0, UINT64_MAX - 1},
};

static void check_cases(const Case *cases, size_t n, int (*parse)(const char *, uint64_t *))
{
    for (size_t i = 0; i < n; i++) {
        uint64_t value = 4711;
        int r = parse(cases[i].text, &value);

        ck_assert_msg(r == cases[i].r, "\"%s\": %d instead of %d", cases[i].text, r, cases[i].r);
        ck_assert_msg(value == (r == 0 ? cases[i].value : 4711), "\"%s\": %" PRIu64, cases[i].text, value);
    }
}

START_TEST(test_numbers)
{
    check_cases(numbers, N_ELEMENTS(numbers), parse_number);
}
END_TEST

START_TEST(test_sizes)
{
    check_cases(sizes, N_ELEMENTS(sizes), parse_size);
}
END_TEST

START_TEST(test_spans)
{
    check_cases(spans, N_ELEMENTS(spans), parse_span);
}
END_TEST

START_TEST(test_reasons_differ)
{
    for (int r = PARSE_EMPTY; r <= PARSE_TOO_LARGE; r++)
        for (int other = r + 1; other <= PARSE_TOO_LARGE + 1; other++)
            ck_assert_str_ne(parse_strerror(r), parse_strerror(other));
}
END_TEST

START_TEST(test_format_exact)
{
    char text[PARSE_TEXT_MAX];

    static const struct {
        uint64_t value;
        const char *size, *span;
    } cases[] = {
        {0, "0", "0"},
        {1, "1", "1us"},
        {1023, "1023", "1ms 23us"},
        {1024, "1K", "1ms 24us"},
        {1025, "1025", "1ms 25us"},
        {2000, "2000", "2ms"},
        {1048576, "1M", "1s 48ms 576us"},
        {600000000, NULL, "10min"},
        {UINT64_C(5400000000), NULL, "1h 30min"},
        {UINT64_C(90061001001), NULL, "1d 1h 1min 1s 1ms 1us"},
        {UINT64_C(1) << 30, "1G", NULL},
        {UINT64_C(3) << 40, "3T", NULL},
        {UINT64_C(1) << 50, "1024T", NULL},
        {UINT64_MAX, "18446744073709551615", "infinity"},
    };

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        parse_format_size(text, cases[i].value);
        if (cases[i].size != NULL)
            ck_assert_str_eq(text, cases[i].size);
        parse_format_span(text, cases[i].value);
        if (cases[i].span != NULL)
            ck_assert_str_eq(text, cases[i].span);
    }
}
END_TEST

/* Whatever is written is read back as the same value. */
START_TEST(test_format_and_back)
{
    char text[PARSE_TEXT_MAX];
    uint64_t x = 88172645463325252, back;

    for (int i = 0; i < 20000; i++) {
        uint64_t value;

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        value = x >> (x % 64);
        parse_format_size(text, value);
        ck_assert_int_eq(parse_size(text, &back), 0);
        ck_assert_uint_eq(back, value);
        parse_format_span(text, value);
        ck_assert_int_eq(parse_span(text, &back), 0);
        ck_assert_uint_eq(back, value);
    }
}
END_TEST

START_TEST(test_boolean)
{
    static const struct {
        const char *text;
        int r;
        uint64_t value;
    } cases[] = {
        {"", PARSE_EMPTY, 9},
        {"y", PARSE_NOT_A_BOOLEAN, 9},
        {"2", PARSE_NOT_A_BOOLEAN, 9},
        {"yes ", PARSE_NOT_A_BOOLEAN, 9},
        {" no", PARSE_NOT_A_BOOLEAN, 9},
        {"00", PARSE_NOT_A_BOOLEAN, 9},
        {"yes", 0, 1},
        {"TRUE", 0, 1},
        {"On", 0, 1},
        {"1", 0, 1},
        {"no", 0, 0},
        {"False", 0, 0},
        {"oFF", 0, 0},
        {"0", 0, 0},
    };

    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        uint64_t value = 9;

        ck_assert_msg(parse_boolean(cases[i].text, &value) == cases[i].r && value == cases[i].value, "\"%s\"",
                      cases[i].text);
    }
}
END_TEST

/* Seconds since the epoch. */
typedef struct Day {
    const char *text;
    int r;
    int64_t from, to;
} Day;

static void check_days(const char *zone, int64_t now, const Day *days, size_t n)
{
    (void) setenv("TZ", zone, 1);
    tzset();
    for (size_t i = 0; i < n; i++) {
        uint64_t from = 0, to = 0;
        int r = parse_day(days[i].text, (uint64_t) now * 1000000, &from, &to);

        ck_assert_msg(r == days[i].r && (int64_t) (from / 1000000) == days[i].from &&
                          (int64_t) (to / 1000000) == days[i].to,
                      "%s in %s: %d, %ju to %ju", days[i].text, zone, r, (uintmax_t) from, (uintmax_t) to);
    }
}

START_TEST(test_days)
{
    static const Day utc[] = {
        {"", PARSE_NOT_A_DAY, 0, 0},
        {"Today", PARSE_NOT_A_DAY, 0, 0},
        {"tomorrow", PARSE_NOT_A_DAY, 0, 0},
        {"2026-11-2", PARSE_NOT_A_DAY, 0, 0},
        {"2026-11-222", PARSE_NOT_A_DAY, 0, 0},
        {"2026/11/22", PARSE_NOT_A_DAY, 0, 0},
        {"+026-11-22", PARSE_NOT_A_DAY, 0, 0},
        {"2026-00-22", PARSE_NOT_A_DAY, 0, 0},
        {"2026-13-22", PARSE_NOT_A_DAY, 0, 0},
        {"2026-11-00", PARSE_NOT_A_DAY, 0, 0},
        {"2026-11-31", PARSE_NOT_A_DAY, 0, 0},
        {"2026-12-32", PARSE_NOT_A_DAY, 0, 0},
        {"2026-02-29", PARSE_NOT_A_DAY, 0, 0},
        {"2100-02-29", PARSE_NOT_A_DAY, 0, 0},
        {"1969-12-31", PARSE_NOT_A_DAY, 0, 0},
        {"1970-01-01", 0, 0, 86400},
        {"2028-02-29", 0, 1835395200, 1835481600},
        {"2000-02-29", 0, 951782400, 951868800},
        {"2026-12-31", 0, 1798675200, 1798761600},
        {"today", 0, 1795305600, 1795392000},
        {"yesterday", 0, 1795219200, 1795305600},
    };
    /* On the first of March, "yesterday" is in February. */
    static const Day march[] = {{"yesterday", 0, 1835395200, 1835481600}};
    /* At midnight of 2018-11-04 the clocks went on to 01:00 in Brazil; on 2018-02-18 there were two 23:00. */
    static const Day brazil[] = {
        {"2018-11-03", 0, 1541214000, 1541300400}, {"2018-11-04", 0, 1541300400, 1541383200},
        {"2018-11-05", 0, 1541383200, 1541469600}, {"2018-02-17", 0, 1518832800, 1518922800},
        {"today", 0, 1541300400, 1541383200},      {"yesterday", 0, 1541214000, 1541300400},
    };
    /* A day that was left out: 2011-12-30 in Samoa. */
    static const Day samoa[] = {{"2011-12-29", 0, 1325152800, 1325239200}};

    check_days("UTC", 1795348984, utc, N_ELEMENTS(utc));
    check_days("UTC", 1835481600, march, N_ELEMENTS(march));
    if (access("/usr/share/zoneinfo/Pacific/Apia", R_OK) != 0)
        return;
    check_days("America/Sao_Paulo", 1541350000, brazil, N_ELEMENTS(brazil));
    check_days("Pacific/Apia", 1541350000, samoa, N_ELEMENTS(samoa));
}
END_TEST

UNIT_MAIN("parse", test_numbers, test_sizes, test_spans, test_reasons_differ, test_format_exact,
          test_format_and_back, test_boolean, test_days)
