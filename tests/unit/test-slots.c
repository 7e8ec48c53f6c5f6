/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include "base/slots.h"
#include "unit/harness.h"
#include "unit/unit.h"

START_TEST(test_nothing)
{
    Slots slots;

    ck_assert_int_eq(slots_init(&slots, 0), 0);
    ck_assert_uint_eq(slots_take(&slots), SLOT_NONE);
    ck_assert_uint_eq(slots_n_used(&slots), 0);
    slots_done(&slots);
    slots_done(&slots);
}
END_TEST

START_TEST(test_all)
{
    Slots slots;

    ck_assert_int_eq(slots_init(&slots, 3), 0);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_uint_eq(slots_take(&slots), i);
    ck_assert_uint_eq(slots_take(&slots), SLOT_NONE);
    ck_assert_uint_eq(slots_n_used(&slots), 3);
    slots_give(&slots, 1);
    ck_assert_uint_eq(slots_n_used(&slots), 2);
    ck_assert_uint_eq(slots_take(&slots), 1);
    ck_assert_uint_eq(slots_take(&slots), SLOT_NONE);
    slots_done(&slots);
}
END_TEST

/* What was given back goes out again, last first, before a place that was never used. */
START_TEST(test_order)
{
    Slots slots;

    ck_assert_int_eq(slots_init(&slots, 10), 0);
    for (uint32_t i = 0; i < 5; i++)
        (void) slots_take(&slots);
    slots_give(&slots, 4);
    slots_give(&slots, 0);
    slots_give(&slots, 2);
    ck_assert_uint_eq(slots_take(&slots), 2);
    ck_assert_uint_eq(slots_take(&slots), 0);
    ck_assert_uint_eq(slots_take(&slots), 4);
    ck_assert_uint_eq(slots_take(&slots), 5);
    ck_assert_uint_eq(slots.n_touched, 6);
    slots_done(&slots);
}
END_TEST

START_TEST(test_random)
{
    enum { N = 100 };
    uint32_t taken[N], n = 0, most = 0;
    bool is_taken[N] = {false};
    uint64_t seed = 2;
    Slots slots;

    ck_assert_int_eq(slots_init(&slots, N), 0);
    for (unsigned i = 0; i < 100000; i++) {
        /* It goes up and down between none and all. */
        if (random_below(&seed, 100) < (i / 500 % 2 ? 70U : 30U)) {
            uint32_t slot = slots_take(&slots);

            ck_assert(n < N ? slot < N && !is_taken[slot] : slot == SLOT_NONE);
            if (slot == SLOT_NONE)
                continue;
            is_taken[slot] = true;
            taken[n++] = slot;
        } else if (n > 0) {
            uint32_t at = random_below(&seed, n), slot = taken[at];

            taken[at] = taken[--n];
            is_taken[slot] = false;
            slots_give(&slots, slot);
        }
        most = MAX(most, n);
        ck_assert_uint_eq(slots_n_used(&slots), n);
        ck_assert_uint_eq(slots.n_touched, most);
    }
    ck_assert_uint_eq(most, N);
    slots_done(&slots);
}
END_TEST

/* An array that another process left. */
START_TEST(test_counted)
{
    static const bool IS_USED[] = {true, false, true, true, false};
    Slots slots;

    ck_assert_int_eq(slots_init(&slots, 7), 0);
    for (size_t i = 0; i < N_ELEMENTS(IS_USED); i++)
        slots_count(&slots, IS_USED[i]);
    ck_assert_uint_eq(slots.n_touched, 5);
    ck_assert_uint_eq(slots_n_used(&slots), 3);
    ck_assert_uint_eq(slots_take(&slots), 4);
    ck_assert_uint_eq(slots_take(&slots), 1);
    ck_assert_uint_eq(slots_take(&slots), 5);
    slots_give(&slots, 0);
    ck_assert_uint_eq(slots_take(&slots), 0);
    ck_assert_uint_eq(slots_take(&slots), 6);
    ck_assert_uint_eq(slots_take(&slots), SLOT_NONE);
    slots_done(&slots);

    /* All of it, used or not. */
    for (unsigned is_used = 0; is_used < 2; is_used++) {
        ck_assert_int_eq(slots_init(&slots, 3), 0);
        for (unsigned i = 0; i < 3; i++)
            slots_count(&slots, is_used);
        ck_assert_uint_eq(slots_n_used(&slots), 3 * is_used);
        ck_assert_int_eq(slots_take(&slots) == SLOT_NONE, is_used);
        slots_done(&slots);
    }
}
END_TEST

UNIT_MAIN("slots", test_nothing, test_all, test_order, test_random, test_counted)
