/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <stdint.h>

#include "base/limits.h"
#include "base/rate.h"
#include "unit/harness.h"
#include "unit/unit.h"

#define SECOND NSEC_PER_SEC
#define T0 (UINT64_C(5000) * SECOND)

typedef struct Case {
    const char *what;
    Rate rate;
    uint64_t due, now, n;
    uint64_t when; /* 0: fits */
} Case;

static const Case cases[] = {
    {"one above the burst", {10, 40}, T0 + 4 * SECOND, T0, 1, T0 + SECOND / 10},
    {"two above the burst", {10, 40}, T0 + 4 * SECOND, T0, 2, T0 + SECOND / 5},
    {"a nanosecond early", {10, 40}, T0 + 4 * SECOND, T0 + SECOND / 10 - 1, 1, T0 + SECOND / 10},
    {"more than a burst, with something owed", {10, 40}, T0 + 1, T0, 41, T0 + 1},
    {"a whole burst, with something owed", {10, 40}, T0 + 1, T0, 40, T0 + 1},
    {"a burst of 0 is 1", {10, 0}, T0 + SECOND / 10, T0, 1, T0 + SECOND / 10},
    {"two with a burst of 0", {10, 0}, T0 + 1, T0, 2, T0 + 1},
    {"a debt from a large charge", {10, 40}, T0 + 100 * SECOND, T0, 1, T0 + 96 * SECOND + SECOND / 10},
    {"the last of the burst", {10, 40}, T0 + 39 * SECOND / 10, T0, 1, 0},
    {"just in time", {10, 40}, T0 + 4 * SECOND, T0 + SECOND / 10, 1, 0},
    {"a bucket never used", {10, 40}, 0, T0, 40, 0},
    {"more than a burst, with nothing owed", {10, 40}, 0, T0, 1000000, 0},
    {"more than a burst, at the moment when nothing is owed", {10, 40}, T0, T0, 41, 0},
    {"a burst of 0 lets one through", {10, 0}, T0, T0, 1, 0},
    {"nothing fits in nothing", {10, 40}, T0 + 4 * SECOND, T0, 0, 0},
    {"no limit", {0, 0}, T0 + 1000 * SECOND, T0, UINT32_MAX, 0},
    {"the largest burst there is", {1, 1 << 30}, T0, T0, 1 << 30, 0},
    {"and one more", {1, 1 << 30}, T0 + (UINT64_C(1) << 30) * SECOND, T0, 1, T0 + SECOND},
};

START_TEST(test_fits)
{
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        const Case *c = &cases[i];
        uint64_t when = 12345;
        bool fits = rate_fits(&c->rate, c->due, c->now, c->n, &when);

        ck_assert_msg(fits == (c->when == 0), "%s", c->what);
        ck_assert_msg(when == (c->when == 0 ? 12345 : c->when), "%s: %llu", c->what,
                      (unsigned long long) when);
    }
}
END_TEST

START_TEST(test_charge)
{
    const Rate rate = {.per_second = 10, .burst = 40}, off = {0};

    /* What was saved up while nothing was owed does not count: the burst is all there is. */
    ck_assert_uint_eq(rate_charge(&rate, 0, T0, 1), T0 + SECOND / 10);
    ck_assert_uint_eq(rate_charge(&rate, T0 - SECOND, T0, 3), T0 + 3 * SECOND / 10);
    ck_assert_uint_eq(rate_charge(&rate, T0 + SECOND, T0, 1), T0 + SECOND + SECOND / 10);
    ck_assert_uint_eq(rate_charge(&rate, T0 + SECOND, T0, 0), T0 + SECOND);
    ck_assert_uint_eq(rate_charge(&rate, T0, T0, 1000), T0 + 100 * SECOND);
    ck_assert_uint_eq(rate_charge(&off, 7, T0, 1000), 7);
}
END_TEST

START_TEST(test_burst_is_exact)
{
    const Rate rate = {.per_second = 10, .burst = 40};
    uint64_t due = 0, when = 0;
    unsigned n = 0;

    while (rate_fits(&rate, due, T0, 1, &when)) {
        due = rate_charge(&rate, due, T0, 1);
        n++;
    }
    ck_assert_uint_eq(n, 40);
    for (unsigned i = 0; i < 100; i++) {
        uint64_t unused;

        ck_assert(!rate_fits(&rate, due, when - 1, 1, &unused));
        ck_assert(rate_fits(&rate, due, when, 1, &unused));
        due = rate_charge(&rate, due, when, 1);
        ck_assert(!rate_fits(&rate, due, when, 1, &when));
    }
}
END_TEST

/* Who always waits as long as told is held to the rate, and never told to wait longer than that takes. */
static void check_random(uint64_t *seed, Rate rate)
{
    const uint64_t unit = SECOND / rate.per_second, burst = MAX(rate.burst, 1U);
    uint64_t due = 0, now = T0, total = 0, when;

    for (unsigned i = 0; i < 2000; i++) {
        uint64_t n = 1 + random_below(seed, (uint32_t) (burst + burst / 4 + 1));

        now += random_below(seed, 3) == 0 ? random_below(seed, (uint32_t) unit * 2) : 0;
        if (!rate_fits(&rate, due, now, n, &when)) {
            ck_assert_uint_gt(when, now);
            ck_assert_uint_le(when - now, due - now);
            ck_assert(!rate_fits(&rate, due, when - 1, n, &(uint64_t){0}));
            now = when;
            ck_assert(rate_fits(&rate, due, now, n, &when));
        }
        due = rate_charge(&rate, due, now, n);
        total += n;
        /* In all never more than the largest single charge ahead of the rate. */
        ck_assert_uint_le(total * unit, now - T0 + (burst + burst / 4 + 1) * unit);
    }
}

START_TEST(test_random)
{
    static const Rate rates[] = {{1, 1}, {1, 0}, {10, 40}, {8000, 32000}, {1000000, 100}, {100, 1}};
    uint64_t seed = 1;

    for (size_t i = 0; i < N_ELEMENTS(rates); i++)
        check_random(&seed, rates[i]);
}
END_TEST

UNIT_MAIN("rate", test_fits, test_charge, test_burst_is_exact, test_random)
