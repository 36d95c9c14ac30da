/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "shift.h"

/* Nothing here takes so long. */
#define SLACK USEC_PER_MIN

static int teardown(void **state) {
        clock_set_cluster(0);
        return 0;
}

static void assert_about(uint64_t found, uint64_t expected) {
        assert_in_range(found, expected, expected + SLACK);
}

TEST(a_time_has_the_microseconds_of_the_system) {
        struct timespec before, after;
        uint64_t now;

        assert_ok(clock_gettime(CLOCK_MONOTONIC, &before));
        now = clock_usec(CLOCK_MONOTONIC);
        assert_ok(clock_gettime(CLOCK_MONOTONIC, &after));
        assert_in_range(now,
                        (uint64_t) before.tv_sec * USEC_PER_SEC + (uint64_t) before.tv_nsec / 1000,
                        (uint64_t) after.tv_sec * USEC_PER_SEC + (uint64_t) after.tv_nsec / 1000);
}

TEST(until_somebody_has_told_the_cluster_has_the_time_of_day) {
        assert_about(clock_cluster(), clock_realtime() - USEC_PER_SEC);
        shift_realtime(3600);
        assert_about(clock_cluster(), clock_realtime() - USEC_PER_SEC);
}

/* A machine whose clock is set, or wrong, goes by the master's: tickets and signatures depend on
 * it. */
TEST(the_time_of_the_cluster_does_not_jump_with_the_time_of_day) {
        uint64_t told = clock_realtime() + 5 * USEC_PER_DAY;

        clock_set_cluster(told);
        assert_about(clock_cluster(), told);
        shift_realtime(365 * 24 * 3600);
        assert_about(clock_cluster(), told);
}

TEST(the_time_of_the_cluster_goes_on) {
        uint64_t told = clock_realtime() - 30 * USEC_PER_DAY;

        clock_set_cluster(told);
        shift_clock(3600);
        assert_about(clock_cluster(), told + USEC_PER_HOUR);
}

TEST(what_was_told_last_counts) {
        uint64_t told = clock_realtime();

        clock_set_cluster(told + USEC_PER_DAY);
        clock_set_cluster(told);
        assert_about(clock_cluster(), told);
}

/* A master whose clock has lost its battery says 1970, which is before this machine was started. */
TEST(a_time_from_before_the_start_of_the_machine_is_not_believed) {
        clock_set_cluster(USEC_PER_SEC);
        assert_about(clock_cluster(), clock_realtime() - USEC_PER_SEC);
}

int main(void) {
#define RUN(test) cmocka_unit_test_teardown(test, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_time_has_the_microseconds_of_the_system),
                RUN(until_somebody_has_told_the_cluster_has_the_time_of_day),
                RUN(the_time_of_the_cluster_does_not_jump_with_the_time_of_day),
                RUN(the_time_of_the_cluster_goes_on),
                RUN(what_was_told_last_counts),
                RUN(a_time_from_before_the_start_of_the_machine_is_not_believed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
