/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <pthread.h>

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

TEST(no_percentile_is_beyond_what_was_added) {
        histogram_add(&histogram, 1000);
        assert_int_equal(histogram_percentile(&histogram, 0), 1000);
        assert_int_equal(histogram_percentile(&histogram, 100), 1000);
        assert_int_equal(histogram_percentile(&histogram, 1000), 1000);

        for (uint64_t i = 0; i < 10000; i++)
                histogram_add(&histogram, i * i);
        for (double percent = 0, last = 0; percent <= 100; percent += 0.5) {
                uint64_t found = histogram_percentile(&histogram, percent);

                assert_true((double) found >= last); /* and they are in order */
                assert_true(found <= 9999 * 9999);
                last = (double) found;
        }
}

TEST(zero_is_a_value_like_others) {
        histogram_add(&histogram, 0);
        histogram_add(&histogram, 0);
        histogram_add(&histogram, 3);
        assert_int_equal(histogram_percentile(&histogram, 50), 0);
        assert_int_equal(histogram_percentile(&histogram, 100), 3);
        assert_true(histogram_mean(&histogram) == 1);
}

#define ADDED 200000

static void *add_all(void *userdata) {
        for (uint64_t i = 0; i < ADDED; i++)
                histogram_add(userdata, i % 1000);
        return NULL;
}

/* One adds, as a thread of the server does, while another shows what there is so far. */
TEST(one_thread_adds_while_others_read) {
        static Histogram written, seen;
        uint64_t last = 0;
        pthread_t writer;

        assert_int_equal(pthread_create(&writer, NULL, add_all, &written), 0);
        while (last < ADDED) {
                seen = (Histogram){};
                histogram_merge(&seen, &written);
                assert_true(seen.count >= last); /* nothing is taken back */
                assert_true(histogram_percentile(&seen, 99.9) < 1000 + 8);
                last = seen.count;
        }
        assert_int_equal(pthread_join(writer, NULL), 0);
        assert_int_equal(written.count, ADDED);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(empty_is_zero, clear),
                cmocka_unit_test_setup(small_values_are_exact, clear),
                cmocka_unit_test_setup(every_value_is_within_one_128th, clear),
                cmocka_unit_test_setup(longest_counts_as_the_limit, clear),
                cmocka_unit_test_setup(merged_is_as_if_added_to_one, clear),
                cmocka_unit_test_setup(no_percentile_is_beyond_what_was_added, clear),
                cmocka_unit_test_setup(zero_is_a_value_like_others, clear),
                cmocka_unit_test_setup(one_thread_adds_while_others_read, clear),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
