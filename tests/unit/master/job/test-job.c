/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* All of the jobs together, with their threads: started, watched, paused, stopped, and gone on
 * with. */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "master/job/job-fixture.h"
#include "master/job/job.h"

#define N_KEYS 60

static Jobs *jobs;
static unsigned n_new, n_changed, n_forgotten, n_lost;

/* In the place of what the fixture has made of the same parts. */
static void start_jobs(JobFixture *fixture) {
        JobsOptions options = {
                .event = fixture->event,
                .index = fixture->index,
                .volumes = fixture->volumes,
                .troubles = fixture->troubles,
                .outbox = fixture->outbox,
                .peers = fixture->peers,
                .grace_usec = &fixture->grace_usec,
                .ticket_usec = &fixture->ticket_usec,
        };

        assert_ok(jobs_new(&options, &jobs));
}

static int setup(void **state) {
        int r;

        n_new = n_changed = n_forgotten = n_lost = 0;
        r = job_setup(state);
        start_jobs(*state);
        return r;
}

/* As the master ends. */
static int teardown(void **state) {
        JobFixture *fixture = *state;

        jobs_stop(jobs);
        peers_stop(fixture->peers);
        fixture->index = index_free(fixture->index);
        jobs = jobs_free(jobs);
        return job_teardown(state);
}

static void restart(JobFixture *fixture) {
        jobs_stop(jobs);
        peers_stop(fixture->peers);
        fixture->index = index_free(fixture->index);
        jobs = jobs_free(jobs);
        reopen(fixture);
        report_all(fixture);
        start_jobs(fixture);
}

static int run_job(const JobRequest *request) {
        uint32_t refused;
        Start start = {};
        int r;

        assert_ok(sem_init(&start.done, 0, 0));
        r = job_start(jobs, request, on_started, &start, &refused);
        return r < 0 ? r : end(&start);
}

static int run_rebalance(void) {
        const JobRequest request = { .type = JOB_REBALANCE, .epoch = EPOCH_ANY };

        return run_job(&request);
}

static int run_drain(uint32_t number) {
        JobRequest request = drain_of(&number, 1);

        return run_job(&request);
}

static JobStatus get(int id) {
        JobStatus status;

        assert_ok(job_get(jobs, (uint32_t) id, &status));
        return status;
}

static void wait_for_state(int id, JobState state) {
        uint64_t deadline = clock_monotonic() + PATIENCE_SEC * USEC_PER_SEC;

        while (get(id).state != state) {
                assert_true(clock_monotonic() < deadline);
                (void) usleep(1000);
        }
}

static void wait_for_error(int id, const char *error) {
        uint64_t deadline = clock_monotonic() + PATIENCE_SEC * USEC_PER_SEC;

        while (!strstr(get(id).error, error)) {
                assert_true(clock_monotonic() < deadline);
                (void) usleep(1000);
        }
}

static void on_change(uint32_t id, JobChange change, void *userdata) {
        n_new += change == JOB_NEW;
        n_changed += change == JOB_CHANGED;
        n_forgotten += change == JOB_FORGOTTEN;
}

/* Lets the main loop run until the count has got there. */
static void run_loop(JobFixture *fixture, const unsigned *count, unsigned n) {
        uint64_t deadline = clock_monotonic() + PATIENCE_SEC * USEC_PER_SEC;

        while (*count < n) {
                assert_true(clock_monotonic() < deadline);
                assert_ok(sd_event_run(fixture->event, USEC_PER_SEC / 10));
        }
}

static int on_lost(const char *key, void *userdata) {
        n_lost++;
        return 0;
}

TEST(a_job_is_done_without_anybody_doing_anything) {
        JobFixture *fixture = *state;
        JobStatus status;

        write_keys(fixture, N_KEYS, 1);
        assert_int_equal(run_rebalance(), 1);
        wait_for_state(1, JOB_DONE);
        status = get(1);
        assert_true(status.keys_total > 0);
        assert_int_equal(status.keys_done, status.keys_total);
        assert_int_equal(N_KEYS - count_copies(fixture, 1), status.keys_done);
}

TEST(jobs_are_listed_in_order) {
        JobStatus *list;
        size_t n;

        assert_int_equal(run_drain(3), 1);
        assert_int_equal(run_rebalance(), 2);
        assert_ok(jobs_list(jobs, &list, &n));
        assert_int_equal(n, 2);
        assert_int_equal(list[0].id, 1);
        assert_int_equal(list[0].type, JOB_DRAIN);
        assert_int_equal(list[1].type, JOB_REBALANCE);
        free(list);
        assert_int_equal(job_get(jobs, 3, list), -ENOENT);
}

/* The drain waits for tickets to expire, so the rebalance has its turn. */
TEST(a_job_that_waits_holds_up_no_other) {
        JobFixture *fixture = *state;

        write_keys(fixture, N_KEYS, 1);
        assert_int_equal(run_drain(3), 1);
        wait_for_error(1, "last ticket");
        assert_int_equal(run_rebalance(), 2);
        wait_for_state(2, JOB_DONE);
        assert_int_equal(get(1).state, JOB_RUNNING);
}

TEST(a_job_can_be_paused_limited_resumed_and_cancelled) {
        JobFixture *fixture = *state;
        JobLimits limits = { .rate = 5, .parallel = 7 };

        assert_int_equal(run_drain(3), 1);
        wait_for_error(1, "last ticket");
        assert_ok(job_pause(jobs, 1));
        assert_int_equal(get(1).state, JOB_PAUSED);
        assert_ok(job_set_limits(jobs, 1, &limits));
        assert_int_equal(get(1).limits.rate, 5);
        assert_ok(job_resume(jobs, 1));
        wait_for_state(1, JOB_RUNNING);

        assert_ok(job_cancel(jobs, 1));
        wait_for_state(1, JOB_CANCELLED);
        assert_int_equal(state_of(fixture, 3), VOLUME_ACTIVE);
        assert_int_equal(job_pause(jobs, 1), -EBUSY);
        assert_int_equal(job_resume(jobs, 1), -EBUSY);
        assert_int_equal(job_cancel(jobs, 1), -EBUSY);
        assert_int_equal(job_set_limits(jobs, 1, &limits), -EBUSY);
        assert_int_equal(job_cancel(jobs, 2), -ENOENT);
}

TEST(a_job_goes_on_after_a_restart) {
        JobFixture *fixture = *state;

        write_keys(fixture, N_KEYS, 3);
        fixture->pull_error = -ETIMEDOUT;
        assert_int_equal(run_drain(3), 1);
        wait_for_error(1, "trying again");
        restart(fixture);
        assert_int_equal(get(1).keys_total, N_KEYS);
        fixture->pull_error = 0;
        wait_for_error(1, "last ticket");
        assert_int_equal(count_copies(fixture, 3), 0);
}

TEST(a_paused_job_stays_so_over_a_restart) {
        JobFixture *fixture = *state;

        assert_int_equal(run_drain(3), 1);
        wait_for_error(1, "last ticket");
        assert_ok(job_pause(jobs, 1));
        restart(fixture);
        assert_int_equal(get(1).state, JOB_PAUSED);
        assert_ok(job_cancel(jobs, 1));
        wait_for_state(1, JOB_CANCELLED);
}

TEST(the_observer_is_told_on_the_main_loop) {
        JobFixture *fixture = *state;

        jobs_set_observer(jobs, on_change, NULL);
        assert_int_equal(run_rebalance(), 1);
        assert_int_equal(n_new, 0);
        run_loop(fixture, &n_new, 1);
        wait_for_state(1, JOB_DONE);
        assert_int_equal(run_drain(3), 2);
        run_loop(fixture, &n_new, 2);
        wait_for_error(2, "last ticket");
        n_changed = 0;
        assert_ok(job_pause(jobs, 2));
        run_loop(fixture, &n_changed, 1);
        assert_int_equal(n_forgotten, 0);
        jobs_set_observer(jobs, NULL, NULL);
}

TEST(damage_is_repaired_without_being_asked_for) {
        JobFixture *fixture = *state;
        uint64_t version = write_copies(fixture, "k", 3, 4, 100);
        IndexDamageCounters counters;

        jobs_set_observer(jobs, on_change, NULL);
        mark_copy(fixture, "k", version, 3);
        run_loop(fixture, &n_new, 1);
        wait_for_state(1, JOB_DONE);
        assert_int_equal(get(1).type, JOB_REPAIR);
        index_damage_counters(fixture->index, &counters);
        assert_int_equal(counters.copies, 0);
        jobs_set_observer(jobs, NULL, NULL);
}

TEST(lost_keys_are_named) {
        JobFixture *fixture = *state;
        uint64_t version = write_copies(fixture, "k", 3, 4, 100);

        mark_copy(fixture, "k", version, 3);
        mark_copy(fixture, "k", version, 4);
        assert_int_equal(run_rebalance(), 1);
        wait_for_state(1, JOB_DONE);
        assert_int_equal(get(1).lost_keys, 1);
        assert_ok(job_lost_keys(jobs, 1, on_lost, NULL));
        assert_int_equal(n_lost, 1);
        assert_int_equal(job_lost_keys(jobs, 2, on_lost, NULL), -ENOENT);
}

TEST(a_stop_in_the_middle_of_a_move_loses_nothing) {
        JobFixture *fixture = *state;

        write_keys(fixture, 2000, 1);
        assert_int_equal(run_rebalance(), 1);
        while (fixture->n_pulled == 0)
                (void) usleep(100);
        jobs_stop(jobs);
        jobs_stop(jobs); /* once more is no mistake */
        restart(fixture);
        wait_for_state(1, JOB_DONE);
        assert_int_equal(
                        count_copies(fixture, 1) + count_copies(fixture, 2) +
                                        count_copies(fixture, 3) + count_copies(fixture, 4) +
                                        count_copies(fixture, 5),
                        2000);
        assert_int_equal(run_rebalance(), 2);
        wait_for_state(2, JOB_DONE);
        assert_int_equal(get(2).keys_total, 0);
}

static int plan_result;

static void on_plan(int result, const Preview *plan, void *userdata) {
        plan_result = result;
        assert_ok(sem_post(userdata));
}

TEST(a_plan_is_made_beside_a_job) {
        const PreviewRequest request = { .what = PREVIEW_REBALANCE };
        uint32_t refused;
        sem_t planned;

        assert_ok(sem_init(&planned, 0, 0));
        assert_int_equal(run_drain(3), 1);
        assert_ok(job_preview(jobs, &request, on_plan, &planned, &refused));
        wait_for(&planned);
        assert_int_equal(plan_result, 0);
}

TEST(without_jobs_there_is_nothing_to_stop) {
        jobs_stop(NULL);
        assert_null(jobs_free(NULL));
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(a_job_is_done_without_anybody_doing_anything),
                RUN(jobs_are_listed_in_order),
                RUN(a_job_that_waits_holds_up_no_other),
                RUN(a_job_can_be_paused_limited_resumed_and_cancelled),
                RUN(a_job_goes_on_after_a_restart),
                RUN(a_paused_job_stays_so_over_a_restart),
                RUN(the_observer_is_told_on_the_main_loop),
                RUN(damage_is_repaired_without_being_asked_for),
                RUN(lost_keys_are_named),
                RUN(a_stop_in_the_middle_of_a_move_loses_nothing),
                RUN(a_plan_is_made_beside_a_job),
                RUN(without_jobs_there_is_nothing_to_stop),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
