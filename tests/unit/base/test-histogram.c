/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "base/histogram.h"

static Histogram histogram;

static int clear(void **state) {
        histogram = (Histogram){};
        return 0;
}

TEST(empty_is_zero) {
        assert_int_equal(histogram_percentile(&histogram, 50), 0);
        assert_true(histogram_mean(&histogram) == 0);
}

TEST(small_values_are_exact) {
        for (uint64_t i = 1; i <= 200; i++)
                histogram_add(&histogram, i);

        assert_int_equal(histogram_percentile(&histogram, 0), 1);
        assert_int_equal(histogram_percentile(&histogram, 50), 100);
        assert_int_equal(histogram_percentile(&histogram, 99), 198);
        assert_int_equal(histogram_percentile(&histogram, 99.9), 200);
        assert_int_equal(histogram_percentile(&histogram, 100), 200);
        assert_true(histogram_mean(&histogram) == 100.5);
}

TEST(every_value_is_within_one_128th) {
        for (uint64_t value = 1; value < UINT64_C(1) << 39; value = value * 17 / 16 + 1) {
                uint64_t found;

                histogram = (Histogram){};
                histogram_add(&histogram, value);
                histogram_add(&histogram, UINT64_MAX); /* so that the maximum does not help */
                found = histogram_percentile(&histogram, 50);
                assert_true(found >= value);
                assert_true(found - value <= value / 128);
        }
}

TEST(longest_counts_as_the_limit) {
        histogram_add(&histogram, UINT64_MAX);
        assert_int_equal(histogram.max, (UINT64_C(1) << HISTOGRAM_MAX_BITS) - 1);
        assert_int_equal(histogram_percentile(&histogram, 50), histogram.max);
}

TEST(merged_is_as_if_added_to_one) {
        static Histogram a, b;

        for (uint64_t i = 0; i < 100000; i++) {
                uint64_t value = i * i % 99991;

                histogram_add(i % 3 ? &a : &b, value);
                histogram_add(&histogram, value);
        }
        histogram_merge(&a, &b);

        assert_memory_equal(&a, &histogram, sizeof(a));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(empty_is_zero, clear),
                cmocka_unit_test_setup(small_values_are_exact, clear),
                cmocka_unit_test_setup(every_value_is_within_one_128th, clear),
                cmocka_unit_test_setup(longest_counts_as_the_limit, clear),
                cmocka_unit_test_setup(merged_is_as_if_added_to_one, clear),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
