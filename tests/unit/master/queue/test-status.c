/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "master/queue/status.h"

/* Programs look for these words, and so does dkvadm. */
TEST(names_are_what_the_bus_says) {
        static const char *const types[] = { "rebalance", "drain", "repair" };
        static const char *const states[] = { "queued", "running", "paused",
                                              "done",   "failed",  "cancelled" };

        for (JobType i = 0; i < _JOB_TYPE_MAX; i++)
                assert_string_equal(job_type_to_string(i), types[i]);
        for (JobState i = 0; i < _JOB_STATE_MAX; i++)
                assert_string_equal(job_state_to_string(i), states[i]);
}

TEST(a_job_ends_in_three_ways) {
        for (JobState i = 0; i < _JOB_STATE_MAX; i++)
                assert_int_equal(
                                job_state_is_final(i),
                                i == JOB_DONE || i == JOB_FAILED || i == JOB_CANCELLED);
}

/* They are kept in the index by these numbers. */
TEST(the_numbers_are_what_they_were) {
        assert_int_equal(JOB_REBALANCE, 0);
        assert_int_equal(JOB_DRAIN, 1);
        assert_int_equal(JOB_REPAIR, 2);
        assert_int_equal(JOB_QUEUED, 0);
        assert_int_equal(JOB_RUNNING, 1);
        assert_int_equal(JOB_PAUSED, 2);
        assert_int_equal(JOB_DONE, 3);
        assert_int_equal(JOB_FAILED, 4);
        assert_int_equal(JOB_CANCELLED, 5);
}

TEST(a_job_is_about_the_volumes_that_it_names) {
        JobStatus status = { .numbers = { 3, 9 }, .n_numbers = 2 };

        assert_true(job_status_has_volume(&status, 3));
        assert_true(job_status_has_volume(&status, 9));
        assert_false(job_status_has_volume(&status, 4));
        assert_false(job_status_has_volume(&status, 0)); /* behind the last */
        status.n_numbers = 1;
        assert_false(job_status_has_volume(&status, 9));
        for (uint32_t i = 0; i < JOB_VOLUMES_MAX; i++)
                status.numbers[i] = i + 100;
        status.n_numbers = JOB_VOLUMES_MAX;
        assert_true(job_status_has_volume(&status, 100 + JOB_VOLUMES_MAX - 1));
        assert_false(job_status_has_volume(&status, 100 + JOB_VOLUMES_MAX));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_are_what_the_bus_says),
                cmocka_unit_test(a_job_ends_in_three_ways),
                cmocka_unit_test(the_numbers_are_what_they_were),
                cmocka_unit_test(a_job_is_about_the_volumes_that_it_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
