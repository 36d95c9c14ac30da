/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Drain: when volumes may be removed from the map, and what keeps them in it. */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "master/cluster/membership.h"
#include "master/job/job-fixture.h"

#define OLD_TICKETS "Waits until the last ticket for its volumes has expired."

/* Tickets from before the drain have expired then. */
static void let_tickets_expire(void) {
        pass_time_of_day(TICKET_SEC + 6);
}

TEST(volumes_are_removed_once_nothing_is_on_them_and_nothing_can_come) {
        JobFixture *fixture = *state;
        Job *job;
        int id;

        write_keys(fixture, 30, 3);
        id = start_drain(fixture, 3, 0);
        assert_int_equal(work(fixture, id), JOB_STEP_AGAIN);
        job = job_of(fixture, id);
        assert_string_equal(job->status.error, OLD_TICKETS);
        assert_int_equal(count_copies(fixture, 3), 0);
        assert_int_equal(state_of(fixture, 3), VOLUME_DRAINING);
        assert_int_equal(job->status.keys_done, 30);

        let_tickets_expire();
        assert_int_equal(work(fixture, id), JOB_STEP_DONE);
        assert_int_equal(state_of(fixture, 3), VOLUME_REMOVED);
        assert_true(write_key(fixture, "late", 3) == 0);
}

/* Its commit was under way with an old ticket. */
TEST(what_comes_during_the_last_pass_is_moved_too) {
        JobFixture *fixture = *state;
        int id = start_drain(fixture, 3, 0);

        assert_int_equal(work(fixture, id), JOB_STEP_AGAIN);
        assert_true(write_key(fixture, "late", 3) > 0);
        let_tickets_expire();
        assert_int_equal(work(fixture, id), JOB_STEP_DONE);
        assert_int_not_equal(record_of(fixture, "late").copies[0], 3);
        assert_int_equal(fixture->n_pulled, 1);
}

TEST(the_last_pass_begins_after_the_fence) {
        JobFixture *fixture = *state;
        int id = start_drain(fixture, 3, 0);
        Job *job = job_of(fixture, id);

        set_state(fixture, id, JOB_RUNNING);
        let_tickets_expire();
        assert_int_equal(step(fixture, id), JOB_STEP_AGAIN); /* counts */
        assert_false(job->is_fenced);
        assert_true(write_key(fixture, "early", 3) > 0);
        assert_int_equal(step(fixture, id), JOB_STEP_AGAIN); /* moves that */
        assert_int_equal(step(fixture, id), JOB_STEP_AGAIN); /* finds nothing, fences */
        assert_true(job->is_fenced);
        assert_true(write_key(fixture, "late", 3) == 0);
        assert_int_equal(state_of(fixture, 3), VOLUME_DRAINING);
        assert_int_equal(step(fixture, id), JOB_STEP_DONE);
}

TEST(other_keys_stay_where_they_are) {
        JobFixture *fixture = *state;
        int id;

        write_keys(fixture, 30, 1); /* of which most belong elsewhere */
        id = start_drain(fixture, 3, 0);
        assert_int_equal(work(fixture, id), JOB_STEP_AGAIN);
        assert_int_equal(count_copies(fixture, 1), 30);
        assert_int_equal(fixture->n_pulled, 0);
}

TEST(it_waits_for_a_volume_that_was_there_a_moment_ago) {
        JobFixture *fixture = *state;
        int id;

        (void) write_key(fixture, "k", 3);
        id = start_drain(fixture, 3, 0);
        let_down(fixture, 3);
        assert_int_equal(work(fixture, id), JOB_STEP_AGAIN);
        assert_string_equal(job_of(fixture, id)->status.error, "Waits for a volume that is down.");
        report(fixture, 3);
        assert_int_equal(work(fixture, id), JOB_STEP_AGAIN);
        assert_string_equal(job_of(fixture, id)->status.error, OLD_TICKETS);
        assert_int_not_equal(record_of(fixture, "k").copies[0], 3);
}

TEST(values_on_a_dead_volume_only_make_it_fail) {
        JobFixture *fixture = *state;
        const Job *job;
        int id;

        (void) write_key(fixture, "only", 3);
        (void) write_copies(fixture, "both", 3, 4, 100);
        id = start_drain(fixture, 3, 0);
        let_down(fixture, 3);
        pass_time_of_day(20);
        assert_int_equal(work(fixture, id), -EHOSTDOWN);
        job = job_of(fixture, id);
        assert_string_equal(
                        job->status.error,
                        "1 keys have their only good copy on leaving volumes that cannot be "
                        "read.");
        assert_int_equal(job->status.lost_keys, 1);
        assert_string_equal((const char *) job->lost.data, "only");
        assert_int_equal(state_of(fixture, 3), VOLUME_DRAINING);
}

TEST(they_are_given_up_if_the_request_accepts_that) {
        JobFixture *fixture = *state;
        const uint32_t number = 3;
        JobRequest request = drain_of(&number, 1);
        int id;

        request.accept_loss = true;
        (void) write_key(fixture, "only", 3);
        id = start_job(fixture, &request);
        set_state(fixture, id, JOB_RUNNING);
        let_down(fixture, 3);
        let_tickets_expire();
        assert_int_equal(work(fixture, id), JOB_STEP_DONE);
        assert_int_equal(state_of(fixture, 3), VOLUME_REMOVED);
        assert_int_equal(job_of(fixture, id)->status.lost_keys, 1);
}

TEST(it_fails_when_the_others_have_no_room) {
        JobFixture *fixture = *state;
        int id;

        (void) write_key(fixture, "k", 3);
        id = start_drain(fixture, 3, 0);
        for (uint32_t number = 1; number <= N_VOLUMES; number++)
                report_free(fixture, number, 50);
        assert_int_equal(work(fixture, id), -ENOSPC);
        assert_non_null(strstr(job_of(fixture, id)->status.error, " has no room for 1 keys."));
        assert_int_equal(record_of(fixture, "k").copies[0], 3);
}

TEST(what_cannot_be_moved_now_is_tried_again) {
        JobFixture *fixture = *state;
        int id;

        fixture->pull_error = -ETIMEDOUT;
        (void) write_key(fixture, "k", 3);
        id = start_drain(fixture, 3, 0);
        assert_int_equal(work(fixture, id), JOB_STEP_AGAIN);
        assert_string_equal(
                        job_of(fixture, id)->status.error,
                        "Some copies cannot be moved now, trying again.");
        fixture->pull_error = 0;
        assert_int_equal(work(fixture, id), JOB_STEP_AGAIN);
        assert_string_equal(job_of(fixture, id)->status.error, OLD_TICKETS);
}

TEST(a_volume_that_was_made_active_again_is_not_removed) {
        JobFixture *fixture = *state;
        const uint32_t number = 3;
        int id = start_drain(fixture, 3, 4);

        change_map(fixture, volumes_undrain, &number, 1);
        assert_int_equal(work(fixture, id), -EBUSY);
        assert_string_equal(
                        job_of(fixture, id)->status.error, "Volume 3 is no longer to be drained.");
        assert_int_equal(state_of(fixture, 3), VOLUME_ACTIVE);
        assert_int_equal(state_of(fixture, 4), VOLUME_DRAINING);
}

TEST(cancelling_makes_its_volumes_active_and_lifts_the_fence) {
        JobFixture *fixture = *state;
        int id = start_drain(fixture, 3, 4);

        set_state(fixture, id, JOB_RUNNING);
        let_tickets_expire();
        while (!job_of(fixture, id)->is_fenced)
                assert_int_equal(step(fixture, id), JOB_STEP_AGAIN);
        assert_ok(cancel(fixture, id));
        assert_int_equal(state_of(fixture, 3), VOLUME_ACTIVE);
        assert_int_equal(state_of(fixture, 4), VOLUME_ACTIVE);
        assert_true(write_key(fixture, "k", 3) > 0);
}

/* However it ends, others may write to its volumes again. */
TEST(a_failure_lifts_the_fence) {
        JobFixture *fixture = *state;
        JobKind kind = drain_kind(fixture->drain);
        int id = start_drain(fixture, 3, 0);
        Job *job = job_of(fixture, id);

        set_state(fixture, id, JOB_RUNNING);
        let_tickets_expire();
        while (!job->is_fenced)
                assert_int_equal(step(fixture, id), JOB_STEP_AGAIN);
        assert_true(write_key(fixture, "k", 3) == 0);
        set_state(fixture, id, JOB_FAILED);
        kind.ended(job, kind.userdata);
        assert_false(job->is_fenced);
        assert_true(write_key(fixture, "k", 3) > 0);
}

/* It had started before the master did: its volumes have not reported since. */
TEST(it_goes_on_after_a_restart) {
        JobFixture *fixture = *state;
        int id;

        write_keys(fixture, 30, 3);
        id = start_drain(fixture, 3, 0);
        assert_int_equal(step(fixture, id), JOB_STEP_AGAIN); /* counts */
        reopen(fixture);
        report_all(fixture);
        assert_int_equal(job_of(fixture, id)->status.keys_total, 30);
        assert_int_equal(work(fixture, id), JOB_STEP_AGAIN);
        assert_int_equal(job_of(fixture, id)->status.keys_done, 30);
        let_tickets_expire();
        assert_int_equal(work(fixture, id), JOB_STEP_DONE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                JOB_TEST(volumes_are_removed_once_nothing_is_on_them_and_nothing_can_come),
                JOB_TEST(what_comes_during_the_last_pass_is_moved_too),
                JOB_TEST(the_last_pass_begins_after_the_fence),
                JOB_TEST(other_keys_stay_where_they_are),
                JOB_TEST(it_waits_for_a_volume_that_was_there_a_moment_ago),
                JOB_TEST(values_on_a_dead_volume_only_make_it_fail),
                JOB_TEST(they_are_given_up_if_the_request_accepts_that),
                JOB_TEST(it_fails_when_the_others_have_no_room),
                JOB_TEST(what_cannot_be_moved_now_is_tried_again),
                JOB_TEST(a_volume_that_was_made_active_again_is_not_removed),
                JOB_TEST(cancelling_makes_its_volumes_active_and_lifts_the_fence),
                JOB_TEST(a_failure_lifts_the_fence),
                JOB_TEST(it_goes_on_after_a_restart),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
