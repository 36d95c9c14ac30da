/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <string.h>

#include "store/index/memory/dead.h"

#define VERSIONS 5000

static uint64_t random_state;

static uint64_t next_random(void) {
        random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
        return random_state >> 33;
}

static void assert_same(const Dead *dead, const unsigned *expected) {
        size_t n = 0;

        for (uint64_t version = 1; version < VERSIONS; version++) {
                assert_int_equal(dead_contains(dead, version), expected[version] > 0);
                n += expected[version] > 0;
        }
        assert_int_equal(dead->n, n);
}

/* One transaction of up to 1000 changes, more of one kind than of the other. */
static void change(Dead *dead, unsigned *expected, bool grow) {
        for (size_t n = next_random() % 1000; n > 0; n--) {
                uint64_t version = 1 + next_random() % (VERSIONS - 1);
                bool add = (next_random() % 10 > 0) == grow;

                if (add) {
                        assert_int_equal(dead_add(dead, version), 0);
                        expected[version]++;
                } else if (expected[version] > 0) {
                        assert_int_equal(dead_remove(dead, version), 0);
                        expected[version]--;
                }
        }
}

TEST(a_version_is_dead_as_long_as_it_has_entries) {
        Dead dead = {};

        assert_false(dead_contains(&dead, 7));
        assert_int_equal(dead_add(&dead, 7), 0);
        assert_int_equal(dead_add(&dead, 7), 0);
        assert_int_equal(dead_remove(&dead, 7), 0);
        assert_true(dead_contains(&dead, 7));
        assert_int_equal(dead_remove(&dead, 7), 0);
        assert_false(dead_contains(&dead, 7));
        dead_done(&dead);
}

TEST(transactions_are_kept_or_undone) {
        static unsigned expected[VERSIONS], before[VERSIONS];
        Dead dead = {};

        for (unsigned round = 0; round < 400; round++) {
                memcpy(before, expected, sizeof(before));
                change(&dead, expected, round / 50 % 2 == 0);
                assert_same(&dead, expected);

                if (next_random() % 3 == 0) {
                        dead_undo(&dead);
                        memcpy(expected, before, sizeof(expected));
                } else
                        dead_keep(&dead);
                assert_same(&dead, expected);
        }
        dead_done(&dead);
}

TEST(the_memory_of_what_was_forgotten_is_given_back) {
        Dead dead = {};

        for (uint64_t version = 1; version <= 100000; version++) {
                assert_int_equal(dead_add(&dead, version), 0);
                dead_keep(&dead);
        }
        assert_in_range(dead.n_slots, 100000, 262144);
        for (uint64_t version = 1; version <= 100000; version++) {
                assert_int_equal(dead_remove(&dead, version), 0);
                dead_keep(&dead);
        }
        assert_int_equal(dead.n, 0);
        assert_in_range(dead.n_slots, 0, 1024);
        dead_done(&dead);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_version_is_dead_as_long_as_it_has_entries),
                cmocka_unit_test(transactions_are_kept_or_undone),
                cmocka_unit_test(the_memory_of_what_was_forgotten_is_given_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
