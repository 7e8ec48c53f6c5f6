/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <string.h>

#include "chat/index.h"
#include "unit/harness.h"
#include "unit/unit.h"

START_TEST(test_nothing)
{
    Index index = {0};

    ck_assert_ptr_null(index_find(&index, "alice", 5));
    ck_assert_ptr_null(index_find(&index, "", 0));
    index_done(&index);
    index_done(&index);
}
END_TEST

/* Keys are bytes with a length: a beginning, an end, a NUL and another case make another key. */
START_TEST(test_keys)
{
    static const struct {
        const char *key;
        size_t n;
    } keys[] = {{"alice", 5}, {"alic", 4}, {"alice\0", 6}, {"Alice", 5}, {"\0", 1}, {"\0\0", 2}, {"lice", 4}};
    Index index = {0};

    for (uint32_t i = 0; i < N_ELEMENTS(keys); i++) {
        ck_assert_ptr_null(index_find(&index, keys[i].key, keys[i].n));
        ck_assert_int_eq(index_add(&index, keys[i].key, keys[i].n, i), 0);
    }
    for (uint32_t i = 0; i < N_ELEMENTS(keys); i++)
        ck_assert_uint_eq(*index_find(&index, keys[i].key, keys[i].n), i);
    index_remove(&index, "alice", 5);
    ck_assert_ptr_null(index_find(&index, "alice", 5));
    ck_assert_uint_eq(*index_find(&index, "alic", 4), 1);
    index_done(&index);
}
END_TEST

START_TEST(test_key_is_copied)
{
    char key[] = "alice";
    Index index = {0};

    ck_assert_int_eq(index_add(&index, key, 5, 1), 0);
    (void) strcpy(key, "carol");
    ck_assert_ptr_nonnull(index_find(&index, "alice", 5));
    ck_assert_ptr_null(index_find(&index, "carol", 5));
    index_done(&index);
}
END_TEST

START_TEST(test_value_may_change)
{
    Index index = {0};

    ck_assert_int_eq(index_add(&index, "bob", 3, 1), 0);
    ++*index_find(&index, "bob", 3);
    ck_assert_uint_eq(*index_find(&index, "bob", 3), 2);
    index_done(&index);
}
END_TEST

START_TEST(test_random)
{
    enum { N = 3000 };
    static uint32_t values[N]; /* 0: not there */
    uint64_t seed = 3;
    Index index = {0};

    for (uint32_t i = 1; i < 200000; i++) {
        uint32_t which = random_below(&seed, N), *found;
        char key[8] = {0};
        size_t n = 2 + which % 5;

        memcpy(key, &which, sizeof which);
        found = index_find(&index, key, n);
        ck_assert(found == NULL ? values[which] == 0 : *found == values[which]);
        if (found == NULL) {
            ck_assert_int_eq(index_add(&index, key, n, i), 0);
            values[which] = i;
        } else if (i % 2) {
            index_remove(&index, key, n);
            values[which] = 0;
        }
    }
    index_done(&index);
}
END_TEST

UNIT_MAIN("index", test_nothing, test_keys, test_key_is_copied, test_value_may_change, test_random)
