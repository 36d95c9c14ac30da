/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "adm/view/rates.h"
#include "base/clock.h"

#define NEAR 0.001

static View look_at(uint64_t taken, uint64_t reads, uint64_t bytes_sent) {
        return (View){ .taken = taken,
                       .started_at = 5,
                       .traffic = { .reads = reads, .bytes_sent = bytes_sent } };
}

TEST(rate_is_per_second_however_far_apart_the_looks_are) {
        /* clang-format off */
        static const struct {
                uint64_t usec, before, after;
                double rate;
        } rows[] = {
                { USEC_PER_SEC,      0,    10,     10     },
                { 2 * USEC_PER_SEC,  10,   30,     10     },
                { USEC_PER_SEC / 4,  0,    10,     40     },
                { USEC_PER_HOUR,     0,    3600,   1      },
                { USEC_PER_SEC,      7,    7,      0      },
                { 3 * USEC_PER_SEC,  0,    1,      0.333  },
                { 1,                 0,    1,      1e6    },
        };
        /* clang-format on */

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const View before = look_at(1, rows[i].before, 2 * rows[i].before),
                           after = look_at(1 + rows[i].usec, rows[i].after, 2 * rows[i].after);
                Rates rates = rates_between(&before, &after);

                assert_float_equal(rates.reads, rows[i].rate, NEAR);
                assert_float_equal(rates.bytes_sent, 2 * rows[i].rate, 2 * NEAR);
                assert_float_equal(rates.writes, 0, NEAR); /* each counter has its own */
        }
}

TEST(every_counter_of_the_table_has_a_rate) {
        View before = {}, after = { .taken = USEC_PER_SEC };
        const double *rate;
        Rates rates;

        for (size_t i = 0; i < TRAFFIC_SIZE; i++)
                ((uint64_t *) &after.traffic)[i] = i + 1;
        rates = rates_between(&before, &after);
        rate = (const double *) &rates;
        assert_int_equal(sizeof(rates) / sizeof(*rate), TRAFFIC_SIZE);
        for (size_t i = 0; i < TRAFFIC_SIZE; i++)
                assert_float_equal(rate[i], (double) (i + 1), NEAR);
}

TEST(master_that_was_restarted_counts_from_the_beginning) {
        const View before = look_at(0, 1000, 1000);
        View after = look_at(USEC_PER_SEC, 10, 10);

        after.started_at = 6;
        assert_float_equal(rates_between(&before, &after).reads, 0, NEAR);
        assert_float_equal(rates_between(&before, &after).bytes_sent, 0, NEAR);
}

TEST(no_time_is_no_rate) {
        const View before = look_at(USEC_PER_SEC, 0, 0), after = look_at(USEC_PER_SEC, 10, 10);

        assert_float_equal(rates_between(&before, &after).reads, 0, NEAR);
        assert_float_equal(rate_of_change(0, 10, 0), 0, NEAR);
}

TEST(change_may_be_negative) {
        assert_float_equal(rate_of_change(100, 50, USEC_PER_SEC), -50, NEAR);
        assert_float_equal(rate_of_change(50, 100, USEC_PER_SEC / 2), 100, NEAR);
        assert_float_equal(rate_of_change(UINT64_MAX, 0, USEC_PER_SEC), -0x1p64, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rate_is_per_second_however_far_apart_the_looks_are),
                cmocka_unit_test(every_counter_of_the_table_has_a_rate),
                cmocka_unit_test(master_that_was_restarted_counts_from_the_beginning),
                cmocka_unit_test(no_time_is_no_rate),
                cmocka_unit_test(change_may_be_negative),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
