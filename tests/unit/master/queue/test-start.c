/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Jobs that start, join each other, or are refused. */

#include "test.h"

#include "master/cluster/membership.h"
#include "master/job/job-fixture.h"

/* By its owner, and then by the queue. */
static int cancel_job(JobFixture *fixture, int id) {
        int r;

        r = job_starts_cancel(fixture->starts, (uint32_t) id);
        if (r >= 0) {
                job_of(fixture, id)->wants_cancel = false;
                r = cancel(fixture, id);
        }
        return r;
}

TEST(a_drain_that_is_repeated_joins_the_first) {
        JobFixture *fixture = *state;
        const uint32_t number = 3;
        JobRequest more = drain_of(&number, 1);
        int id = start_drain(fixture, 3, 0);

        assert_int_equal(id, 1);
        assert_int_equal(start_drain(fixture, 3, 0), id);
        assert_false(job_of(fixture, id)->status.accept_loss);

        more.accept_loss = true;
        more.limits.rate = 5000;
        assert_int_equal(start_job(fixture, &more), id);
        assert_true(job_of(fixture, id)->status.accept_loss);
        assert_int_equal(job_of(fixture, id)->status.limits.rate, 5000);
        assert_int_equal(job_of(fixture, id)->status.limits.parallel, JOB_PARALLEL);
        assert_int_equal(fixture->table.n_jobs, 1);
}

TEST(drains_that_are_asked_for_at_once_are_one) {
        JobFixture *fixture = *state;
        const uint32_t numbers[] = { 3, 4 };
        JobRequest both = drain_of(numbers, 2), one = drain_of(numbers, 1);
        Start calls[8];

        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                assert_ok(begin(fixture, i % 2 > 0 ? &one : &both, calls + i));
        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                assert_int_equal(end(calls + i), 1);
        assert_int_equal(fixture->table.n_jobs, 1);
        assert_int_equal(job_of(fixture, 1)->status.n_numbers, 2);
}

TEST(drains_that_overlap_are_refused_and_change_nothing) {
        JobFixture *fixture = *state;

        assert_int_equal(start_drain(fixture, 2, 3), 1);
        assert_int_equal(start_drain(fixture, 3, 2), 1);
        assert_int_equal(start_drain(fixture, 3, 0), 1);
        assert_int_equal(start_drain(fixture, 3, 4), -EBUSY);
        assert_int_equal(state_of(fixture, 4), VOLUME_ACTIVE);
        assert_int_equal(start_drain(fixture, 4, 0), 2);
        assert_int_equal(start_drain(fixture, 2, 4), -EBUSY);
        assert_int_equal(fixture->table.n_jobs, 2);
}

TEST(a_drain_that_is_refused_leaves_nothing) {
        JobFixture *fixture = *state;
        const uint32_t numbers[] = { 1, 2, 3, 4, 5 };
        JobRequest all = drain_of(numbers, 5);

        assert_int_equal(start_job(fixture, &all), -EDQUOT);
        assert_int_equal(start_drain(fixture, 9, 0), -ENOENT);
        assert_int_equal(fixture->table.n_jobs, 0);
        assert_int_equal(start_drain(fixture, 1, 0), 1);
}

TEST(a_drain_does_not_join_one_that_is_being_cancelled) {
        JobFixture *fixture = *state;
        int id = start_drain(fixture, 3, 0);

        assert_ok(job_starts_cancel(fixture->starts, 1));
        assert_ok(job_starts_cancel(fixture->starts, 1)); /* once more is no mistake */
        assert_int_equal(start_drain(fixture, 3, 0), -EBUSY);
        assert_ok(cancel_job(fixture, id));
        assert_int_equal(state_of(fixture, 3), VOLUME_ACTIVE);
        assert_int_equal(job_starts_cancel(fixture->starts, 1), -EBUSY);
        assert_int_equal(start_drain(fixture, 3, 0), 2);
        assert_int_equal(state_of(fixture, 3), VOLUME_DRAINING);
}

TEST(a_failed_drain_is_not_undone_under_another_one) {
        JobFixture *fixture = *state;

        assert_int_equal(start_drain(fixture, 2, 3), 1);
        set_state(fixture, 1, JOB_FAILED);
        assert_int_equal(start_drain(fixture, 3, 0), 2);
        assert_int_equal(job_starts_cancel(fixture->starts, 1), -EBUSY);
        assert_ok(cancel_job(fixture, 2));
        assert_int_equal(state_of(fixture, 3), VOLUME_ACTIVE);
        assert_int_equal(state_of(fixture, 2), VOLUME_DRAINING);
        assert_ok(cancel_job(fixture, 1));
        assert_int_equal(state_of(fixture, 2), VOLUME_ACTIVE);
}

TEST(a_failed_drain_is_undone_though_one_of_its_volumes_is_gone) {
        JobFixture *fixture = *state;
        const uint32_t number = 3;

        assert_int_equal(start_drain(fixture, 2, 3), 1);
        set_state(fixture, 1, JOB_FAILED);
        assert_int_equal(start_drain(fixture, 3, 0), 2);
        change_map(fixture, volumes_remove, &number, 1);
        set_state(fixture, 2, JOB_DONE);
        assert_ok(cancel_job(fixture, 1));
        assert_int_equal(state_of(fixture, 2), VOLUME_ACTIVE);
        assert_int_equal(state_of(fixture, 3), VOLUME_REMOVED);
}

TEST(a_rebalance_that_is_repeated_looks_once_more) {
        JobFixture *fixture = *state;
        const JobRequest request = { .type = JOB_REBALANCE, .epoch = EPOCH_ANY };
        Start calls[4];
        Job *job;

        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                assert_ok(begin(fixture, &request, calls + i));
        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                assert_int_equal(end(calls + i), 1);
        job = job_of(fixture, 1);
        job->is_joined = false;
        job->progress.is_counted = true;
        job->progress.n_passes = 3;
        assert_int_equal(start_job(fixture, &request), 1);
        assert_true(job->is_joined && !job->progress.is_counted);
        assert_int_equal(job->progress.n_passes, 0);

        assert_ok(job_queue_pause(fixture->queue, 1));
        assert_int_equal(start_job(fixture, &request), 1);
        set_state(fixture, 1, JOB_DONE);
        assert_int_equal(start_job(fixture, &request), 2);
        assert_int_equal(start_drain(fixture, 3, 0), 3);
}

TEST(what_cannot_be_is_refused_at_once) {
        JobFixture *fixture = *state;
        uint32_t numbers[JOB_VOLUMES_MAX + 1] = { 3 };
        JobRequest none = drain_of(NULL, 0), many = drain_of(numbers, ELEMENTSOF(numbers)),
                   parallel = drain_of(numbers, 1), late = drain_of(numbers, 1);

        assert_int_equal(start_job(fixture, &none), -EINVAL);
        assert_int_equal(start_job(fixture, &many), -EINVAL);
        parallel.limits.parallel = JOB_PARALLEL_MAX + 1;
        assert_int_equal(start_job(fixture, &parallel), -EINVAL);
        late.epoch = 1;
        assert_int_equal(start_job(fixture, &late), -EREMCHG);
        assert_int_equal(fixture->table.n_jobs, 0);
        assert_int_equal(state_of(fixture, 3), VOLUME_ACTIVE);
}

TEST(a_refusal_names_the_volume_that_is_the_reason) {
        JobFixture *fixture = *state;
        const uint32_t both[] = { 4, 3 }, unknown[] = { 2, 9 };
        JobRequest request = drain_of(both, 2);
        uint32_t refused;
        Start start;

        assert_int_equal(start_drain(fixture, 3, 0), 1);
        assert_int_equal(
                        job_starts_begin(fixture->starts, &request, on_started, &start, &refused),
                        -EBUSY);
        assert_int_equal(refused, 3);
        request = drain_of(unknown, 2);
        assert_int_equal(
                        job_starts_begin(fixture->starts, &request, on_started, &start, &refused),
                        -ENOENT);
        assert_int_equal(refused, 9);
}

TEST(a_rebalance_that_is_joined_shows_all_volumes) {
        JobFixture *fixture = *state;
        const uint32_t first[] = { 1, 2 }, second[] = { 2, 3 };
        JobRequest request = { .type = JOB_REBALANCE, .numbers = first, .n_numbers = 2 };
        const Job *job;

        assert_int_equal(start_job(fixture, &request), 1);
        request.numbers = second;
        assert_int_equal(start_job(fixture, &request), 1);
        job = job_of(fixture, 1);
        assert_int_equal(job->status.n_numbers, 3);
        assert_int_equal(job->status.numbers[2], 3);
}

TEST(a_job_that_is_not_stored_is_none) {
        JobFixture *fixture = *state;
        const JobRequest request = { .type = JOB_REBALANCE, .epoch = EPOCH_ANY };
        Start start;

        assert_ok(begin(fixture, &request, &start));
        close_all(fixture); /* whatever became of it, it is told */
        assert_int_equal(MIN(end(&start), 1), start.result < 0 ? -ESHUTDOWN : 1);
        open_all(fixture);
        assert_int_equal(fixture->table.n_jobs, start.result < 0 ? 0 : 1);
}

TEST(cancelling_takes_a_job_that_goes_on) {
        JobFixture *fixture = *state;

        assert_int_equal(job_starts_cancel(fixture->starts, 1), -ENOENT);
        assert_int_equal(start_rebalance(fixture), 1);
        set_state(fixture, 1, JOB_FAILED);
        assert_int_equal(job_starts_cancel(fixture->starts, 1), -EBUSY); /* nothing to undo */
}

TEST(a_job_that_ends_after_many_others_is_remembered) {
        JobFixture *fixture = *state;
        int id = start_drain(fixture, 3, 0);

        for (int i = 0; i < JOBS_ENDED_MAX; i++)
                set_state(fixture, start_rebalance(fixture), JOB_DONE);
        set_state(fixture, id, JOB_FAILED);
        assert_int_equal(job_of(fixture, id)->status.state, JOB_FAILED);
        assert_int_equal(fixture->table.n_jobs, JOBS_ENDED_MAX);
        assert_ok(cancel_job(fixture, id));
        assert_int_equal(state_of(fixture, 3), VOLUME_ACTIVE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                JOB_TEST(a_drain_that_is_repeated_joins_the_first),
                JOB_TEST(drains_that_are_asked_for_at_once_are_one),
                JOB_TEST(drains_that_overlap_are_refused_and_change_nothing),
                JOB_TEST(a_drain_that_is_refused_leaves_nothing),
                JOB_TEST(a_drain_does_not_join_one_that_is_being_cancelled),
                JOB_TEST(a_failed_drain_is_not_undone_under_another_one),
                JOB_TEST(a_failed_drain_is_undone_though_one_of_its_volumes_is_gone),
                JOB_TEST(a_rebalance_that_is_repeated_looks_once_more),
                JOB_TEST(what_cannot_be_is_refused_at_once),
                JOB_TEST(a_refusal_names_the_volume_that_is_the_reason),
                JOB_TEST(a_rebalance_that_is_joined_shows_all_volumes),
                JOB_TEST(a_job_that_is_not_stored_is_none),
                JOB_TEST(cancelling_takes_a_job_that_goes_on),
                JOB_TEST(a_job_that_ends_after_many_others_is_remembered),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
