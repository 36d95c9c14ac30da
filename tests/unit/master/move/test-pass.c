/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Passes over all keys, with a kind of the test's own; the view and the surplus copies that they
 * look at.
 */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "master/job/job-fixture.h"
#include "store/index/move.h"

/* What the kind of the test does, and sees. */
static struct {
        uint32_t wanted; /* keys with a copy there; 0 for all */
        int result;      /* of ended() */
        unsigned n_ended, n_moved;
        uint32_t urgency;  /* of the last pass that moved something */
        PassCounts counts; /* of the last pass that ended; its buffer is gone */
        bool is_partial;
        MoveOutcome outcome; /* of the last move */
        int read_error;
        unsigned n_reads; /* for how many it has something to read */
} seen;

static bool wants(const Job *job, const Record *record) {
        for (size_t i = 0; i < record->n_copies; i++)
                if (seen.wanted == 0 || record->copies[i] == seen.wanted)
                        return true;
        return false;
}

static void moved(Pass *pass, const MoveResult *result) {
        seen.n_moved++;
        seen.outcome = result->outcome;
        seen.urgency = pass->urgency;
}

static int ended(Pass *pass) {
        seen.n_ended++;
        seen.counts = pass->counts;
        seen.is_partial = pass->is_partial;
        return seen.result;
}

static int read_on(Pass *pass) {
        if (seen.read_error < 0)
                return seen.read_error;
        return seen.n_reads > 0 ? (int) seen.n_reads-- : 0;
}

static const PassKind all_kind = {
        .is_about_all = true,
        .wants = wants,
        .moved = moved,
        .ended = ended,
};
static const PassKind some_kind = { .wants = wants, .moved = moved, .ended = ended };
static const PassKind reading_kind = { .read_on = read_on, .moved = moved, .ended = ended };

static int setup(void **state) {
        memset(&seen, 0, sizeof(seen));
        seen.result = JOB_STEP_DONE;
        return job_setup(state);
}

/* A job that only the test runs. */
static int start_any(JobFixture *fixture) {
        int id = start_rebalance(fixture);

        set_state(fixture, id, JOB_RUNNING);
        return id;
}

static int run(JobFixture *fixture, int id, const PassKind *kind) {
        return passes_run(fixture->passes, job_of(fixture, id), kind, NULL);
}

static void set_copies(JobFixture *fixture, uint32_t copies) {
        VolumesOptions options = {
                .timeout_usec = 60 * USEC_PER_SEC,
                .copies = copies,
                .auto_add = true,
        };

        volumes_configure(fixture->volumes, &options);
}

TEST(it_counts_first_and_moves_then) {
        JobFixture *fixture = *state;
        int id = start_any(fixture);
        const Job *job = job_of(fixture, id);

        write_keys(fixture, 40, 1);
        assert_int_equal(run(fixture, id, &all_kind), JOB_STEP_AGAIN);
        assert_true(job->progress.is_counted);
        assert_true(job->status.keys_total > 0);
        assert_int_equal(job->status.bytes_total, 100 * job->status.keys_total);
        assert_int_equal(seen.n_moved, 0);
        assert_int_equal(seen.n_ended, 0);

        assert_int_equal(run(fixture, id, &all_kind), JOB_STEP_DONE);
        assert_int_equal(seen.n_moved, job->status.keys_total);
        assert_int_equal(seen.counts.n_moved, job->status.keys_total);
        assert_int_equal(job->status.keys_done, job->status.keys_total);
        assert_int_equal(seen.n_ended, 1);
}

TEST(only_what_the_kind_wants_is_moved) {
        JobFixture *fixture = *state;
        int id = start_any(fixture);

        write_keys(fixture, 40, 1);
        seen.wanted = 2;
        assert_int_equal(run(fixture, id, &all_kind), JOB_STEP_AGAIN);
        assert_int_equal(run(fixture, id, &all_kind), JOB_STEP_DONE);
        assert_int_equal(job_of(fixture, id)->status.keys_total, 0);
        assert_int_equal(count_copies(fixture, 1), 40);
}

TEST(what_the_kind_says_at_the_end_of_a_pass_counts) {
        JobFixture *fixture = *state;
        int id = start_any(fixture);

        assert_int_equal(run(fixture, id, &all_kind), JOB_STEP_AGAIN);
        seen.result = JOB_STEP_AGAIN;
        assert_int_equal(run(fixture, id, &all_kind), JOB_STEP_AGAIN);
        seen.result = -ENOSPC;
        assert_int_equal(run(fixture, id, &all_kind), -ENOSPC);
        assert_int_equal(seen.n_ended, 2);
}

/* With three copies wanted, keys that have one left come before those that have two. */
TEST(the_most_urgent_keys_come_first) {
        JobFixture *fixture = *state;
        int id = start_any(fixture);
        const Job *job = job_of(fixture, id);
        unsigned n_moved;

        set_copies(fixture, 3);
        write_keys(fixture, 10, 1);
        for (unsigned i = 0; i < 10; i++) {
                char key[32];

                (void) snprintf(key, sizeof(key), "pair/%u", i);
                (void) write_copies(fixture, key, 1, 2, 100);
        }
        assert_int_equal(run(fixture, id, &all_kind), JOB_STEP_AGAIN);
        assert_int_equal(job->progress.urgency, 1);

        assert_int_equal(run(fixture, id, &all_kind), JOB_STEP_AGAIN);
        assert_int_equal(seen.n_moved, 10);
        assert_int_equal(seen.urgency, 1);
        assert_int_equal(record_of(fixture, "key/0").n_copies, 3);
        assert_int_equal(record_of(fixture, "pair/0").n_copies, 2);

        n_moved = seen.n_moved;
        assert_int_equal(run(fixture, id, &all_kind), JOB_STEP_AGAIN);
        assert_int_equal(seen.n_moved, n_moved + 10);
        assert_int_equal(seen.urgency, 2);
        assert_int_equal(record_of(fixture, "pair/0").n_copies, 3);
        assert_int_equal(seen.n_ended, 0); /* only a pass over all keys tells */
        assert_int_equal(run(fixture, id, &all_kind), JOB_STEP_DONE);
        assert_int_equal(seen.n_ended, 1);
}

TEST(a_pass_that_begins_in_the_middle_tells_nothing) {
        JobFixture *fixture = *state;
        int id = start_any(fixture);
        Job *job = job_of(fixture, id);

        write_keys(fixture, 20, 1);
        assert_int_equal(run(fixture, id, &all_kind), JOB_STEP_AGAIN);
        (void) strcpy(job->progress.cursor, "key/5");
        assert_int_equal(run(fixture, id, &all_kind), JOB_STEP_AGAIN);
        assert_int_equal(seen.n_ended, 0);
        assert_string_equal(job->progress.cursor, "");
        assert_int_equal(record_of(fixture, "key/0").copies[0], 1); /* before the cursor */
        assert_int_equal(run(fixture, id, &all_kind), JOB_STEP_DONE);
        assert_false(seen.is_partial);
}

TEST(an_interrupted_pass_remembers_where_it_was) {
        JobFixture *fixture = *state;
        int id = start_any(fixture);
        Job *job = job_of(fixture, id);

        write_keys(fixture, 20, 1);
        assert_int_equal(run(fixture, id, &all_kind), JOB_STEP_AGAIN);
        job->wants_cancel = true;
        assert_int_equal(run(fixture, id, &all_kind), JOB_STEP_INTERRUPTED);
        assert_string_not_equal(job->progress.cursor, "");
        assert_int_equal(seen.n_ended, 0);
        assert_true(seen.n_moved == 0 || seen.outcome != MOVE_DONE);
}

/* What is counted after a start is compared with what there was to do before it. */
TEST(a_resumed_job_counts_what_is_left) {
        JobFixture *fixture = *state;
        int id = start_any(fixture);
        Job *job = job_of(fixture, id);

        write_keys(fixture, 40, 1);
        job->progress.is_counted = job->progress.is_resumed = true;
        job->status.keys_total = 1000;
        job->status.keys_done = 100; /* but more was done than was saved */
        let_down(fixture, 2);        /* it has not reported yet: not a reason to count less */
        assert_int_equal(run(fixture, id, &all_kind), JOB_STEP_AGAIN);
        assert_false(job->progress.is_resumed);
        assert_int_equal(job->status.keys_total, 1000);
        assert_true(job->status.keys_done > 1000 - 40);
        assert_int_equal(seen.n_ended, 0);
}

TEST(a_kind_may_read_on_by_itself) {
        JobFixture *fixture = *state;
        int id = start_any(fixture);

        seen.n_reads = 5;
        assert_int_equal(run(fixture, id, &reading_kind), JOB_STEP_AGAIN);
        assert_int_equal(seen.n_reads, 0);
        assert_int_equal(run(fixture, id, &reading_kind), JOB_STEP_DONE);
}

TEST(a_failure_says_how_far_it_came) {
        JobFixture *fixture = *state;
        int id = start_any(fixture);
        Job *job = job_of(fixture, id);

        assert_int_equal(run(fixture, id, &reading_kind), JOB_STEP_AGAIN);
        (void) strcpy(job->progress.cursor, "a/k\xc3\xa4y");
        seen.read_error = -EIO;
        assert_int_equal(run(fixture, id, &reading_kind), -EIO);
        assert_string_equal(
                        job->status.error, "Stopped behind key 'a/k%C3%A4y': Input/output error.");
        seen.read_error = -ENOMEM;
        assert_int_equal(run(fixture, id, &reading_kind), -ENOMEM);
        assert_non_null(strstr(job->status.error, "Input/output")); /* what was said stays */
}

TEST(what_cannot_be_done_is_told_apart) {
        static const struct {
                int error;
                uint64_t later, full;
        } cases[] = { { -ETIMEDOUT, 1, 0 }, { -ENOSPC, 0, 1 }, { -EDQUOT, 0, 1 }, { -EIO, 1, 0 } };
        JobFixture *fixture = *state;
        int id = start_any(fixture);

        write_keys(fixture, 20, 1);
        assert_int_equal(run(fixture, id, &some_kind), JOB_STEP_AGAIN);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                fixture->pull_error = cases[i].error;
                assert_int_equal(run(fixture, id, &some_kind), JOB_STEP_DONE);
                assert_true((seen.counts.n_later > 0) == (cases[i].later > 0));
                assert_true((seen.counts.n_full > 0) == (cases[i].full > 0));
                assert_true(seen.counts.n_found > 0);
                assert_int_equal(seen.counts.n_moved, 0);
        }
}

/* A kind that wants them to go has not done its work then. */
TEST(keys_that_are_in_their_place_may_count_as_left) {
        JobFixture *fixture = *state;
        int id = start_any(fixture);

        write_keys(fixture, 20, 1);
        for (unsigned i = 0; i < 3; i++)
                (void) run(fixture, id, &some_kind);
        assert_int_equal(seen.counts.n_found, 0);
        assert_int_equal(seen.counts.n_later, 0);
        (void) run(fixture, id, &all_kind);
        assert_int_equal(seen.counts.n_found, 0);
        assert_int_equal(seen.counts.n_later, 20);
}

TEST(times_are_shown_in_short) {
        char text[PASS_TIME_SIZE];

        assert_int_equal(strlen(pass_format_time(clock_realtime(), text)), 8);
        assert_true(text[2] == ':' && text[5] == ':');
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, job_teardown)
int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(it_counts_first_and_moves_then),
                RUN(only_what_the_kind_wants_is_moved),
                RUN(what_the_kind_says_at_the_end_of_a_pass_counts),
                RUN(the_most_urgent_keys_come_first),
                RUN(a_pass_that_begins_in_the_middle_tells_nothing),
                RUN(an_interrupted_pass_remembers_where_it_was),
                RUN(a_resumed_job_counts_what_is_left),
                RUN(a_kind_may_read_on_by_itself),
                RUN(a_failure_says_how_far_it_came),
                RUN(what_cannot_be_done_is_told_apart),
                RUN(keys_that_are_in_their_place_may_count_as_left),
                RUN(times_are_shown_in_short),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
