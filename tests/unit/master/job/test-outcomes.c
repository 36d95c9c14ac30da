/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Jobs whose index does not say what became of a request, or says that this master does not lead:
 * each of their requests meets that once. A job takes its step again, loses nothing, and comes to
 * the same end; who has asked for it is told neither that it goes on nor that it was refused. */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "master/cluster/membership.h"
#include "master/job/job-fixture.h"
#include "store/index/move.h"
#include "sweep.h"

#define N_KEYS 3

static bool is_passing(int r) {
        return r == INDEX_ERROR_UNKNOWN || r == -EOWNERDEAD;
}

static void assert_told_of(const Sweep *sweep, int r) {
        assert_int_equal(
                        r, sweep_way(sweep) == INTERCEPT_NOT_LEADER ? -EOWNERDEAD
                                                                    : INDEX_ERROR_UNKNOWN);
}

/* As an operator does who is told that the outcome is unknown: asks once more. */
static int insist_on_rebalance(JobFixture *fixture, const Sweep *sweep) {
        int r;

        r = start_rebalance(fixture);
        if (r >= 0)
                return r;
        assert_told_of(sweep, r);
        r = start_rebalance(fixture);
        assert_ok(r);
        return r;
}

static int insist_on_drain(JobFixture *fixture, const Sweep *sweep) {
        int r;

        r = start_drain(fixture, 3, 0);
        if (r >= 0)
                return r;
        assert_told_of(sweep, r);
        r = start_drain(fixture, 3, 0);
        assert_ok(r);
        return r;
}

/* What the queue does with a kind's errors. */
static void work_to_the_end(JobFixture *fixture, int id) {
        for (unsigned i = 0; i < 20; i++) {
                int r = work(fixture, id);

                if (r == JOB_STEP_DONE) {
                        set_state(fixture, id, JOB_DONE);
                        return;
                }
                assert_true(r == JOB_STEP_AGAIN || is_passing(r));
                pass_time_of_day(TICKET_SEC + 6); /* a drain waits for its tickets */
        }
        fail_msg("the job does not end: %s", job_of(fixture, id)->status.error);
}

/* The master ends before or after the end of the job was saved. */
static void work_after_restart(JobFixture *fixture, int id) {
        reopen(fixture);
        for (uint32_t number = 1; number <= N_VOLUMES; number++)
                if (number != 3)
                        report(fixture, number);
        if (job_of(fixture, id)->status.state != JOB_DONE)
                work_to_the_end(fixture, id);
}

static void assert_all_there(JobFixture *fixture) {
        unsigned n = 0;

        for (uint32_t volume = 1; volume <= N_VOLUMES; volume++)
                n += count_copies(fixture, volume);
        assert_int_equal(n, N_KEYS);
}

static void drain(Sweep *sweep, void *userdata) {
        void *state;
        JobFixture *fixture;
        int id;

        assert_ok(job_setup(&state));
        fixture = state;
        write_keys(fixture, N_KEYS, 3);
        sweep_begin(sweep, fixture->index);
        id = insist_on_drain(fixture, sweep);
        work_to_the_end(fixture, id);
        sweep_end(sweep, fixture->index);

        assert_int_equal(state_of(fixture, 3), VOLUME_REMOVED);
        assert_int_equal(count_copies(fixture, 3), 0);
        assert_all_there(fixture);
        assert_true(write_key(fixture, "late", 3) == 0);
        work_after_restart(fixture, id);
        assert_int_equal(state_of(fixture, 3), VOLUME_REMOVED);
        assert_all_there(fixture);
        assert_ok(job_teardown(&state));
}

TEST(a_drain_comes_to_its_end_whichever_request_is_not_answered) {
        assert_true(sweep_index(drain, NULL) >= 6);
}

static void rebalance(Sweep *sweep, void *userdata) {
        void *state;
        JobFixture *fixture;
        unsigned n_left;
        int id;

        assert_ok(job_setup(&state));
        fixture = state;
        write_keys(fixture, N_KEYS, 1);
        sweep_begin(sweep, fixture->index);
        id = insist_on_rebalance(fixture, sweep);
        work_to_the_end(fixture, id);
        sweep_end(sweep, fixture->index);

        assert_all_there(fixture);
        n_left = count_copies(fixture, 1);
        assert_true(n_left < N_KEYS);

        /* Each key is where it belongs, so there is nothing left for another one. */
        id = start_rebalance(fixture);
        work_to_the_end(fixture, id);
        assert_int_equal(job_of(fixture, id)->status.keys_done, 0);
        assert_int_equal(count_copies(fixture, 1), n_left);
        assert_ok(job_teardown(&state));
}

TEST(a_rebalance_moves_each_key_whichever_request_is_not_answered) {
        assert_true(sweep_index(rebalance, NULL) >= 4);
}

/* What has been submitted is through. */
static void settle(Index *index) {
        (void) index_set_fences(index, NULL, 0);
}

static void repair(Sweep *sweep, void *userdata) {
        IndexDamageCounters counters;
        JobFixture *fixture;
        uint64_t version;
        void *state;

        assert_ok(job_setup(&state));
        fixture = state;
        version = write_copies(fixture, "k", 3, 4, 100);
        mark_copy(fixture, "k", version, 3);
        sweep_begin(sweep, fixture->index);
        for (unsigned i = 0; i < 20 && fixture->table.n_jobs == 0; i++) {
                pass_time(2); /* it looks once a second */
                repair_watch(fixture->repair);
                settle(fixture->index);
        }
        work_to_the_end(fixture, (int) fixture->table.jobs[0]->status.id);
        sweep_end(sweep, fixture->index);

        index_damage_counters(fixture->index, &counters);
        assert_int_equal(counters.copies, 0);
        assert_int_equal(record_of(fixture, "k").n_copies, 2);
        assert_ok(job_teardown(&state));
}

TEST(a_repair_leaves_no_mark_whichever_request_is_not_answered) {
        assert_true(sweep_index(repair, NULL) >= 1);
}

static void cancelled_drain(Sweep *sweep, void *userdata) {
        void *state;
        JobFixture *fixture;
        int id, r;

        assert_ok(job_setup(&state));
        fixture = state;
        id = start_drain(fixture, 3, 0);
        set_state(fixture, id, JOB_RUNNING);
        pass_time_of_day(TICKET_SEC + 6);
        for (unsigned i = 0; i < 20 && !job_of(fixture, id)->is_fenced; i++)
                assert_ok(step(fixture, id));
        assert_true(job_of(fixture, id)->is_fenced);

        sweep_begin(sweep, fixture->index);
        r = job_queue_cancel(fixture->queue, job_of(fixture, id));
        if (r < 0) {
                assert_told_of(sweep, r);
                r = job_queue_cancel(fixture->queue, job_of(fixture, id));
        }
        sweep_end(sweep, fixture->index);
        assert_ok(r);
        assert_int_equal(state_of(fixture, 3), VOLUME_ACTIVE);
        assert_true(write_key(fixture, "welcome", 3) > 0);
        assert_ok(job_teardown(&state));
}

TEST(a_cancelled_drain_leaves_no_fence_whichever_request_is_not_answered) {
        assert_true(sweep_index(cancelled_drain, NULL) >= 2);
}

/* The first request that a rebalance makes is that of its table. */
static void who_asks(Sweep *sweep, void *userdata) {
        const JobRequest request = { .type = JOB_REBALANCE, .epoch = EPOCH_ANY };
        JobFixture *fixture;
        Start first, second;
        bool is_known;
        void *state;
        int r;

        assert_ok(job_setup(&state));
        fixture = state;
        sweep_begin(sweep, fixture->index);
        assert_ok(begin(fixture, &request, &first));
        r = end(&first);
        sweep_end(sweep, fixture->index);

        /* A job that may be durable goes on, since a restart may find it; one that is not is gone.
         */
        is_known = fixture->table.n_jobs == 1;
        if (sweep_met(sweep) != 0)
                assert_told_of(sweep, r);
        assert_int_equal(
                        is_known,
                        sweep_way(sweep) != INTERCEPT_NOT_LEADER || sweep_met(sweep) == 0);
        assert_ok(begin(fixture, &request, &second));
        assert_int_equal(end(&second), is_known ? 1 : 2);

        reopen(fixture);
        assert_int_equal(fixture->table.n_jobs, 1);
        assert_ok(job_teardown(&state));
}

TEST(who_asks_for_a_job_is_told_that_it_is_unknown_and_finds_it_by_asking_again) {
        assert_int_equal(sweep_index(who_asks, NULL), 1);
}

/* A map that may have been stored is not in force, and no job is begun: the restart that finds it
 * finds a drain, too. */
static void drain_of_unknown_map(Sweep *sweep, void *userdata) {
        JobFixture *fixture;
        void *state;
        int r;

        assert_ok(job_setup(&state));
        fixture = state;
        sweep_begin(sweep, fixture->index);
        r = start_drain(fixture, 3, 0);
        sweep_end(sweep, fixture->index);
        if (sweep_met(sweep) != 0)
                assert_told_of(sweep, r);

        reopen(fixture);
        if (state_of(fixture, 3) == VOLUME_DRAINING)
                assert_int_equal(fixture->table.n_jobs, 1);
        else
                assert_int_equal(fixture->table.n_jobs, 0);
        assert_ok(job_teardown(&state));
}

TEST(a_volume_that_is_draining_after_a_restart_has_a_drain) {
        assert_int_equal(sweep_index(drain_of_unknown_map, NULL), 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_drain_comes_to_its_end_whichever_request_is_not_answered),
                cmocka_unit_test(a_rebalance_moves_each_key_whichever_request_is_not_answered),
                cmocka_unit_test(a_repair_leaves_no_mark_whichever_request_is_not_answered),
                cmocka_unit_test(
                                a_cancelled_drain_leaves_no_fence_whichever_request_is_not_answered),
                cmocka_unit_test(
                                who_asks_for_a_job_is_told_that_it_is_unknown_and_finds_it_by_asking_again),
                cmocka_unit_test(a_volume_that_is_draining_after_a_restart_has_a_drain),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
