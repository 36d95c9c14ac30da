/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Rebalance: which keys it moves, what it waits for, and when it ends. */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "core/key.h"
#include "master/job/job-fixture.h"

#define N_KEYS 60

/* Where placement wants the only copy of the key. */
static uint32_t place_of(JobFixture *fixture, const char *key) {
        _cleanup_(cluster_freep) Cluster *cluster = NULL;
        uint32_t volumes[COPIES_MAX];

        assert_ok(volumes_snapshot(fixture->volumes, &cluster));
        assert_int_equal(cluster_place(cluster, key_hash(key), 1, NULL, NULL, volumes), 1);
        return volumes[0];
}

static uint32_t another_place(JobFixture *fixture, const char *key) {
        return place_of(fixture, key) % N_VOLUMES + 1;
}

TEST(copies_go_where_placement_wants_them) {
        JobFixture *fixture = *state;
        const JobStatus *status;
        unsigned n_stayed;
        int id;

        write_keys(fixture, N_KEYS, 1);
        id = start_rebalance(fixture);
        assert_int_equal(work(fixture, id), JOB_STEP_DONE);
        n_stayed = count_copies(fixture, 1);
        for (unsigned i = 0; i < N_KEYS; i++) {
                char key[32];

                (void) snprintf(key, sizeof(key), "key/%u", i);
                assert_int_equal(record_of(fixture, key).copies[0], place_of(fixture, key));
        }

        status = &job_of(fixture, id)->status;
        assert_true(n_stayed > 0 && n_stayed < N_KEYS);
        assert_int_equal(status->keys_total, N_KEYS - n_stayed);
        assert_int_equal(status->keys_done, N_KEYS - n_stayed);
        assert_int_equal(status->bytes_done, 100 * (N_KEYS - n_stayed));
        assert_int_equal(fixture->n_pulled, N_KEYS - n_stayed);
        assert_string_equal(status->error, "");
}

TEST(nothing_to_do_is_done_at_once) {
        JobFixture *fixture = *state;
        int id;

        (void) write_key(fixture, "k", place_of(fixture, "k"));
        id = start_rebalance(fixture);
        assert_int_equal(work(fixture, id), JOB_STEP_DONE);
        assert_int_equal(job_of(fixture, id)->status.keys_total, 0);
        assert_int_equal(fixture->n_pulled, 0);
}

TEST(it_waits_for_a_volume_that_is_down) {
        JobFixture *fixture = *state;
        uint32_t place = place_of(fixture, "k");
        Job *job;
        int id;

        (void) write_key(fixture, "k", another_place(fixture, "k"));
        let_down(fixture, place);
        id = start_rebalance(fixture);
        assert_int_equal(work(fixture, id), JOB_STEP_AGAIN);
        job = job_of(fixture, id);
        assert_true(job->not_before_usec > 0);
        assert_non_null(strstr(job->status.error, "which is down."));

        report(fixture, place);
        assert_int_equal(work(fixture, id), JOB_STEP_DONE);
        assert_int_equal(record_of(fixture, "k").copies[0], place);
        assert_string_equal(job->status.error, "");
}

TEST(it_fails_when_a_volume_has_no_room) {
        JobFixture *fixture = *state;
        uint32_t place = place_of(fixture, "k"), other = another_place(fixture, "k");
        char expected[64];
        int id;

        (void) write_key(fixture, "k", other);
        report_free(fixture, place, 50);
        id = start_rebalance(fixture);
        assert_int_equal(work(fixture, id), -ENOSPC);
        (void) snprintf(expected, sizeof(expected), "Volume %u has no room for 1 keys.", place);
        assert_string_equal(job_of(fixture, id)->status.error, expected);
        assert_int_equal(record_of(fixture, "k").copies[0], other);
}

/* A full disk that only the target knows of. */
TEST(a_target_that_refuses_for_lack_of_room_counts_as_full) {
        JobFixture *fixture = *state;
        int id;

        fixture->pull_error = -ENOSPC;
        (void) write_key(fixture, "k", another_place(fixture, "k"));
        id = start_rebalance(fixture);
        assert_int_equal(work(fixture, id), -ENOSPC);
}

TEST(it_waits_until_an_old_copy_is_deleted) {
        JobFixture *fixture = *state;
        uint32_t place = place_of(fixture, "k"), other = another_place(fixture, "k");
        uint64_t version = write_key(fixture, "k", place);
        Job *job;
        int id;

        move_copy(fixture, "k", version, other, place,
                  clock_realtime() + USEC_PER_HOUR); /* leaves a surplus copy where it belongs */
        id = start_rebalance(fixture);
        assert_int_equal(work(fixture, id), JOB_STEP_AGAIN);
        job = job_of(fixture, id);
        assert_int_equal(strncmp(job->status.error, "Waits until ", 12), 0);
        assert_non_null(strstr(job->status.error, ", when old copies are deleted."));
        assert_true(job->status.waits_until_usec > clock_realtime());
        assert_int_equal(fixture->n_pulled, 0);
}

TEST(what_cannot_be_moved_now_is_tried_again) {
        JobFixture *fixture = *state;
        int id;

        fixture->pull_error = -ETIMEDOUT;
        (void) write_key(fixture, "k", another_place(fixture, "k"));
        id = start_rebalance(fixture);
        assert_int_equal(work(fixture, id), JOB_STEP_AGAIN);
        assert_true(job_of(fixture, id)->not_before_usec > 0);
        fixture->pull_error = 0;
        assert_int_equal(work(fixture, id), JOB_STEP_DONE);
}

TEST(clients_who_keep_writing_cannot_keep_it_from_ending) {
        JobFixture *fixture = *state;
        unsigned n = 0;
        int id, r;

        id = start_rebalance(fixture);
        do {
                (void) write_key(fixture, "k", another_place(fixture, "k"));
                r = step(fixture, id);
                assert_true(++n < 20);
        } while (r == JOB_STEP_AGAIN);
        assert_int_equal(r, JOB_STEP_DONE);
        assert_true(n > 5); /* it has tried, though */
}

TEST(keys_without_a_good_copy_are_named) {
        JobFixture *fixture = *state;
        uint32_t other = another_place(fixture, "k");
        uint64_t version = write_key(fixture, "k", other);
        const Job *job;
        int id;

        mark_copy(fixture, "k", version, other);
        id = start_rebalance(fixture);
        assert_int_equal(work(fixture, id), JOB_STEP_DONE);
        job = job_of(fixture, id);
        assert_string_equal(job->status.error, "1 keys have no good copy.");
        assert_int_equal(job->status.lost_keys, 1);
        assert_string_equal((const char *) job->lost.data, "k");
}

TEST(a_surplus_copy_goes) {
        JobFixture *fixture = *state;
        int id;

        (void) write_copies(fixture, "k", place_of(fixture, "k"), another_place(fixture, "k"), 100);
        id = start_rebalance(fixture);
        assert_int_equal(work(fixture, id), JOB_STEP_DONE);
        assert_int_equal(record_of(fixture, "k").n_copies, 1);
        assert_int_equal(record_of(fixture, "k").copies[0], place_of(fixture, "k"));
        assert_int_equal(fixture->n_pulled, 0);
}

TEST(a_paused_job_is_interrupted_and_goes_on_where_it_was) {
        JobFixture *fixture = *state;
        Job *job;
        JobKind kind = rebalance_kind(fixture->passes);
        int id;

        write_keys(fixture, N_KEYS, 1);
        id = start_rebalance(fixture);
        assert_int_equal(step(fixture, id), JOB_STEP_AGAIN); /* counts */
        job = job_of(fixture, id);
        set_state(fixture, id, JOB_PAUSED);
        assert_int_equal(kind.run(job, kind.userdata), JOB_STEP_INTERRUPTED);
        assert_int_equal(work(fixture, id), JOB_STEP_DONE);
        assert_int_equal(job->status.keys_done, job->status.keys_total);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                JOB_TEST(copies_go_where_placement_wants_them),
                JOB_TEST(nothing_to_do_is_done_at_once),
                JOB_TEST(it_waits_for_a_volume_that_is_down),
                JOB_TEST(it_fails_when_a_volume_has_no_room),
                JOB_TEST(a_target_that_refuses_for_lack_of_room_counts_as_full),
                JOB_TEST(it_waits_until_an_old_copy_is_deleted),
                JOB_TEST(what_cannot_be_moved_now_is_tried_again),
                JOB_TEST(clients_who_keep_writing_cannot_keep_it_from_ending),
                JOB_TEST(keys_without_a_good_copy_are_named),
                JOB_TEST(a_surplus_copy_goes),
                JOB_TEST(a_paused_job_is_interrupted_and_goes_on_where_it_was),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
