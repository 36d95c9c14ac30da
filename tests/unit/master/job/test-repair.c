/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Repair: when it begins, where it makes damaged copies again, and what it waits for. */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "master/job/job-fixture.h"

#define REPAIR 1 /* id of the first job */

static uint64_t count_marks(JobFixture *fixture) {
        IndexDamageCounters counters;

        index_damage_counters(fixture->index, &counters);
        return counters.copies;
}

static void watch(JobFixture *fixture) {
        pass_time(2); /* it looks about each second */
        repair_watch(fixture->repair);
}

/* Two copies on 3 and 4, and the one on 3 is damaged. */
static uint64_t write_damaged(JobFixture *fixture) {
        uint64_t version = write_copies(fixture, "k", 3, 4, 100);

        mark_copy(fixture, "k", version, 3);
        return version;
}

static bool has_copy(const Record *record, uint32_t volume) {
        for (size_t i = 0; i < record->n_copies; i++)
                if (record->copies[i] == volume)
                        return true;
        return false;
}

TEST(it_begins_with_the_first_mark) {
        JobFixture *fixture = *state;

        watch(fixture);
        assert_int_equal(fixture->table.n_jobs, 0);
        (void) write_damaged(fixture);
        watch(fixture);
        assert_int_equal(fixture->table.n_jobs, 1);
        assert_int_equal(job_of(fixture, REPAIR)->status.type, JOB_REPAIR);
        assert_int_equal(job_of(fixture, REPAIR)->status.limits.parallel, JOB_PARALLEL);
}

/* Else what is found while the repair ends would wait for the next mark. */
TEST(it_looks_once_more_after_another_mark) {
        JobFixture *fixture = *state;

        (void) write_damaged(fixture);
        watch(fixture);
        assert_false(job_of(fixture, REPAIR)->is_joined);
        (void) write_damaged(fixture);
        watch(fixture);
        assert_int_equal(fixture->table.n_jobs, 1);
        assert_true(job_of(fixture, REPAIR)->is_joined);
}

TEST(a_cancelled_repair_stays_so_until_there_is_news) {
        JobFixture *fixture = *state;

        (void) write_damaged(fixture);
        watch(fixture);
        assert_ok(cancel(fixture, REPAIR));
        watch(fixture);
        assert_int_equal(fixture->table.n_jobs, 1);

        let_down(fixture, 5); /* other volumes are up than before */
        watch(fixture);
        assert_int_equal(fixture->table.n_jobs, 2);
}

TEST(a_copy_is_made_again_in_its_place) {
        JobFixture *fixture = *state;
        Record record;

        (void) write_damaged(fixture);
        watch(fixture);
        assert_int_equal(work(fixture, REPAIR), JOB_STEP_DONE);
        record = record_of(fixture, "k");
        assert_int_equal(record.n_copies, 2);
        assert_true(has_copy(&record, 3) && has_copy(&record, 4));
        assert_int_equal(count_marks(fixture), 0);
        assert_int_equal(fixture->n_pulled, 1);
        assert_int_equal(job_of(fixture, REPAIR)->status.keys_done, 1);
        assert_int_equal(job_of(fixture, REPAIR)->status.bytes_done, 100);
}

TEST(a_volume_that_cannot_take_it_loses_its_copy) {
        JobFixture *fixture = *state;
        Record record;

        fixture->pull_error = -EIO;
        (void) write_damaged(fixture);
        watch(fixture);
        while (fixture->n_pulled == 0)
                assert_int_equal(step(fixture, REPAIR), JOB_STEP_AGAIN);
        fixture->pull_error = 0;
        assert_int_equal(work(fixture, REPAIR), JOB_STEP_DONE);
        record = record_of(fixture, "k");
        assert_int_equal(record.n_copies, 2);
        assert_false(has_copy(&record, 3));
        assert_true(has_copy(&record, 4));
        assert_int_equal(count_marks(fixture), 0);
}

TEST(a_volume_that_spoils_it_each_time_loses_its_copy) {
        JobFixture *fixture = *state;
        uint64_t version = write_damaged(fixture);
        Record record;
        unsigned n;

        watch(fixture);
        for (n = 0; n < 10; n++) {
                assert_int_equal(work(fixture, REPAIR), JOB_STEP_DONE);
                record = record_of(fixture, "k");
                if (!has_copy(&record, 3))
                        break;
                mark_copy(fixture, "k", version, 3);
        }
        assert_int_equal(n, 3); /* times that it was made again in its place */
        assert_int_equal(record.n_copies, 2);
}

TEST(with_no_good_copy_left_the_copies_are_read_once_more) {
        JobFixture *fixture = *state;
        uint64_t version = write_damaged(fixture);
        const Job *job;

        fixture->look_error = -EBADMSG;
        mark_copy(fixture, "k", version, 4);
        watch(fixture);
        assert_int_equal(work(fixture, REPAIR), JOB_STEP_AGAIN);
        job = job_of(fixture, REPAIR);
        assert_non_null(strstr(job->status.error, "No good copy is left of 1 values"));
        assert_int_equal(job->status.lost_keys, 1);
        assert_string_equal((const char *) job->lost.data, "k");
        assert_true(job->not_before_usec > 0);
        while (fixture->n_looked < 2)
                (void) usleep(1000);
        assert_int_equal(count_marks(fixture), 2);
        assert_int_equal(fixture->n_pulled, 0);
}

TEST(a_copy_that_turns_out_to_be_good_is_a_source) {
        JobFixture *fixture = *state;
        uint64_t version = write_damaged(fixture), deadline;

        mark_copy(fixture, "k", version, 4);
        watch(fixture);

        /* Both are found to be good, perhaps before the first pass has ended. */
        deadline = clock_monotonic() + PATIENCE_SEC * USEC_PER_SEC;
        while (work(fixture, REPAIR) == JOB_STEP_AGAIN && clock_monotonic() < deadline)
                (void) usleep(1000);
        assert_int_equal(count_marks(fixture), 0);
        assert_int_equal(work(fixture, REPAIR), JOB_STEP_DONE);
        assert_int_equal(job_of(fixture, REPAIR)->status.lost_keys, 0);
}

TEST(it_waits_for_the_volume_with_the_good_copy) {
        JobFixture *fixture = *state;
        const Job *job;

        (void) write_damaged(fixture);
        let_down(fixture, 4);
        watch(fixture);
        assert_int_equal(work(fixture, REPAIR), JOB_STEP_AGAIN);
        job = job_of(fixture, REPAIR);
        assert_non_null(strstr(job->status.error, "Waits for a volume that is down"));
        assert_int_equal(job->status.lost_keys, 0);

        report(fixture, 4);
        watch(fixture);
        assert_int_equal(job->not_before_usec, 0); /* there is news */
        assert_int_equal(work(fixture, REPAIR), JOB_STEP_DONE);
}

TEST(it_waits_for_the_volume_with_the_damaged_copy) {
        JobFixture *fixture = *state;

        (void) write_damaged(fixture);
        let_down(fixture, 3);
        watch(fixture);
        assert_int_equal(work(fixture, REPAIR), JOB_STEP_AGAIN);
        assert_non_null(strstr(job_of(fixture, REPAIR)->status.error, "that is down"));
        assert_int_equal(fixture->n_pulled, 0);
        report(fixture, 3);
        assert_int_equal(work(fixture, REPAIR), JOB_STEP_DONE);
}

TEST(its_patience_grows_while_nothing_can_be_done) {
        JobFixture *fixture = *state;
        Job *job;
        uint64_t last = 0;

        (void) write_damaged(fixture);
        let_down(fixture, 4);
        watch(fixture);
        job = job_of(fixture, REPAIR);
        for (unsigned i = 0; i < 10; i++) {
                uint64_t wait;

                assert_int_equal(work(fixture, REPAIR), JOB_STEP_AGAIN);
                wait = job->not_before_usec - clock_monotonic();
                assert_true(wait + USEC_PER_SEC >= last);
                assert_true(wait <= 10 * USEC_PER_MIN);
                last = wait;
        }
        assert_true(last > 9 * USEC_PER_MIN);
}

TEST(a_value_that_was_written_again_needs_no_repair) {
        JobFixture *fixture = *state;

        (void) write_damaged(fixture);
        watch(fixture);
        (void) write_key(fixture, "k", 5);
        assert_int_equal(work(fixture, REPAIR), JOB_STEP_DONE);
        assert_int_equal(fixture->n_pulled, 0);
        assert_int_equal(record_of(fixture, "k").copies[0], 5);
}

TEST(many_marks_are_handled_in_several_steps) {
        JobFixture *fixture = *state;

        for (unsigned i = 0; i < 600; i++) {
                char key[32];
                uint64_t version;

                (void) snprintf(key, sizeof(key), "key/%u", i);
                version = write_copies(fixture, key, 3, 4, 100);
                mark_copy(fixture, key, version, i % 2 > 0 ? 3 : 4);
        }
        watch(fixture);
        assert_int_equal(work(fixture, REPAIR), JOB_STEP_DONE);
        assert_int_equal(fixture->n_pulled, 600);
        assert_int_equal(count_marks(fixture), 0);
        assert_int_equal(job_of(fixture, REPAIR)->status.keys_total, 600);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                JOB_TEST(it_begins_with_the_first_mark),
                JOB_TEST(it_looks_once_more_after_another_mark),
                JOB_TEST(a_cancelled_repair_stays_so_until_there_is_news),
                JOB_TEST(a_copy_is_made_again_in_its_place),
                JOB_TEST(a_volume_that_cannot_take_it_loses_its_copy),
                JOB_TEST(a_volume_that_spoils_it_each_time_loses_its_copy),
                JOB_TEST(with_no_good_copy_left_the_copies_are_read_once_more),
                JOB_TEST(a_copy_that_turns_out_to_be_good_is_a_source),
                JOB_TEST(it_waits_for_the_volume_with_the_good_copy),
                JOB_TEST(it_waits_for_the_volume_with_the_damaged_copy),
                JOB_TEST(its_patience_grows_while_nothing_can_be_done),
                JOB_TEST(a_value_that_was_written_again_needs_no_repair),
                JOB_TEST(many_marks_are_handled_in_several_steps),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
