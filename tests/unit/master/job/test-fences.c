/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which volumes no commit may name. */

#include "test.h"

#include "master/cluster/membership.h"
#include "master/job/job-fixture.h"

static void set_fences(JobFixture *fixture) {
        assert_ok(fences_set(fixture->index, fixture->volumes, &fixture->table));
}

static void fence(JobFixture *fixture, int id) {
        job_of(fixture, id)->is_fenced = true;
        set_fences(fixture);
}

TEST(no_fence_outlives_its_job) {
        JobFixture *fixture = *state;
        int id;

        id = start_drain(fixture, 3, 0);
        assert_true(write_key(fixture, "k", 3) > 0);
        fence(fixture, id);
        assert_true(write_key(fixture, "k", 3) == 0);
        assert_ok(cancel(fixture, id));
        assert_true(write_key(fixture, "k", 3) > 0);

        /* However it has ended. */
        id = start_drain(fixture, 3, 0);
        fence(fixture, id);
        set_state(fixture, id, JOB_FAILED);
        set_fences(fixture);
        assert_true(write_key(fixture, "k", 3) > 0);

        /* Or the daemon has. */
        id = start_drain(fixture, 3, 0);
        fence(fixture, id);
        assert_true(write_key(fixture, "k", 3) == 0);
        reopen(fixture);
        assert_true(write_key(fixture, "k", 3) > 0);
}

/* The map was changed, and then the master was gone. */
TEST(a_drain_without_a_job_is_made_up_for) {
        JobFixture *fixture = *state;
        const uint32_t numbers[] = { 3, 4 };
        int id = start_drain(fixture, 3, 0);

        assert_ok(cancel(fixture, id));
        change_map(fixture, volumes_drain, numbers, 2);
        reopen(fixture);
        assert_int_equal(fixture->table.n_jobs, 3);
        assert_int_equal(job_of(fixture, 2)->status.numbers[0], 3);
        assert_int_equal(job_of(fixture, 3)->status.numbers[0], 4);
        assert_int_equal(start_drain(fixture, 3, 0), 2);

        /* One that has failed waits for a decision. */
        set_state(fixture, 2, JOB_FAILED);
        reopen(fixture);
        assert_int_equal(fixture->table.n_jobs, 3);
}

TEST(volumes_that_were_removed_are_fenced) {
        JobFixture *fixture = *state;
        const uint32_t number = 3;

        assert_int_equal(start_drain(fixture, 3, 0), 1);
        change_map(fixture, volumes_remove, &number, 1);
        set_state(fixture, 1, JOB_DONE);
        set_fences(fixture);
        assert_true(write_key(fixture, "k", 3) == 0);
        reopen(fixture);
        assert_true(write_key(fixture, "k", 3) == 0);
        assert_int_equal(fixture->table.n_jobs, 1);
}

TEST(a_fence_holds_for_its_own_volumes_only) {
        JobFixture *fixture = *state;
        int id = start_drain(fixture, 3, 4);

        fence(fixture, id);
        assert_true(write_key(fixture, "k", 3) == 0);
        assert_true(write_key(fixture, "k", 4) == 0);
        assert_true(write_key(fixture, "k", 5) > 0);
}

/* Then it is not to go any more, whatever the job says. */
TEST(a_volume_that_is_active_is_not_fenced) {
        JobFixture *fixture = *state;
        const uint32_t number = 3;
        int id = start_drain(fixture, 3, 0);

        fence(fixture, id);
        change_map(fixture, volumes_undrain, &number, 1);
        set_fences(fixture);
        assert_true(write_key(fixture, "k", 3) > 0);
}

/* The first drain was cancelled, so the second one decides. */
TEST(the_last_drain_of_a_volume_decides) {
        JobFixture *fixture = *state;
        int id = start_drain(fixture, 3, 0);

        assert_ok(cancel(fixture, id));
        assert_int_equal(start_drain(fixture, 3, 0), 2);
        reopen(fixture);
        assert_int_equal(fixture->table.n_jobs, 2);
        assert_int_equal(job_of(fixture, 2)->status.state, JOB_QUEUED);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                JOB_TEST(no_fence_outlives_its_job),
                JOB_TEST(a_drain_without_a_job_is_made_up_for),
                JOB_TEST(volumes_that_were_removed_are_fenced),
                JOB_TEST(a_fence_holds_for_its_own_volumes_only),
                JOB_TEST(a_volume_that_is_active_is_not_fenced),
                JOB_TEST(the_last_drain_of_a_volume_decides),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
