/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The form in which jobs are kept, and who is told when they are. */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "core/key.h"
#include "master/job/job-fixture.h"

static void get_blob(JobFixture *fixture, const char *name, Buffer *ret) {
        assert_ok(index_get_state(fixture->index, name, ret));
}

static void set_blob(JobFixture *fixture, const char *name, const void *data, size_t size) {
        IndexSet set = {
                .request.done = scratch_answered,
                .name = name,
                .data = data,
                .size = size,
        };

        index_set(fixture->index, &set);
        assert_ok(scratch_wait());
}

/* Loads what is kept into a table of its own. */
static int load(JobFixture *fixture, JobTable *table) {
        JobStore *store = NULL;
        int r;

        job_table_init(table);
        r = job_store_new(fixture->index, table, &store);
        if (r >= 0)
                (void) job_store_free(store);
        return r;
}

static void save(JobFixture *fixture) {
        (void) pthread_mutex_lock(&fixture->table.lock);
        job_table_save(&fixture->table);
        (void) pthread_mutex_unlock(&fixture->table.lock);
        (void) start_rebalance(fixture); /* is told when that is kept, too */
}

TEST(everything_that_is_kept_comes_back) {
        JobFixture *fixture = *state;
        JobStatus *status;
        JobTable table;
        Job *job;

        assert_int_equal(start_drain(fixture, 3, 4), 1);
        job = job_of(fixture, 1);
        status = &job->status;
        status->state = JOB_PAUSED;
        status->accept_loss = true;
        status->limits = (JobLimits){ .rate = 11, .parallel = 12 };
        status->started_by = 13;
        status->started_usec = 14;
        status->ended_usec = 15;
        status->keys_total = 16;
        status->keys_done = 17;
        status->bytes_total = 18;
        status->bytes_done = 19;
        status->skipped = 20;
        (void) strcpy(status->error, "A sentence.");
        job->progress = (JobProgress){ .is_counted = true, .urgency = 2, .n_passes = 3 };
        (void) strcpy(job->progress.cursor, "some/key");
        job->wants_cancel = true;
        save(fixture);

        assert_ok(load(fixture, &table));
        assert_int_equal(table.n_jobs, 2);
        assert_int_equal(table.last_id, 2);
        assert_memory_equal(&table.jobs[0]->status, status, sizeof(*status));
        assert_true(table.jobs[0]->wants_cancel);
        assert_true(table.jobs[0]->progress.is_counted);
        assert_true(table.jobs[0]->progress.is_resumed);
        assert_int_equal(table.jobs[0]->progress.urgency, 2);
        assert_int_equal(table.jobs[0]->progress.n_passes, 3);
        assert_string_equal(table.jobs[0]->progress.cursor, "some/key");
        assert_false(table.jobs[0]->is_new);
        job_table_done(&table);
}

/* A job of the release before: its bytes must never mean anything else. */
TEST(the_form_is_what_it_was) {
        static const uint8_t kept[] = "\x71"
                                      "\x07\0\0\0" /* the last id */
                                      "\x01"       /* jobs */
                                      "\x05\0\0\0"
                                      "\x01\x04\x03"   /* a drain that has failed; losses accepted;
                                                          counted */
                                      "\x01\x09\0\0\0" /* volumes */
                                      "\x0a\0\0\0\0\0\0\0" /* rate */
                                      "\x02\0\0\0"         /* parallel */
                                      "\xe8\x03\0\0"       /* uid */
                                      "\x01\0\0\0\0\0\0\0" /* started */
                                      "\x02\0\0\0\0\0\0\0" /* ended */
                                      "\x03\0\0\0\0\0\0\0" /* keys */
                                      "\x04\0\0\0\0\0\0\0"
                                      "\x05\0\0\0\0\0\0\0" /* bytes */
                                      "\x06\0\0\0\0\0\0\0"
                                      "\x07\0\0\0\0\0\0\0" /* skipped */
                                      "\0\0\0\0\0\0\0\0"   /* lost */
                                      "\x03No."
                                      "\x01\0\0\0\x02\0\0\0" /* urgency, passes */
                                      "\x01k";
        JobFixture *fixture = *state;
        const JobStatus *status;
        JobTable table;

        set_blob(fixture, "jobs", kept, sizeof(kept) - 1);
        assert_ok(load(fixture, &table));
        assert_int_equal(table.last_id, 7);
        assert_int_equal(table.n_jobs, 1);
        status = &table.jobs[0]->status;
        assert_int_equal(status->id, 5);
        assert_int_equal(status->type, JOB_DRAIN);
        assert_int_equal(status->state, JOB_FAILED);
        assert_true(status->accept_loss);
        assert_int_equal(status->numbers[0], 9);
        assert_int_equal(status->limits.rate, 10);
        assert_int_equal(status->started_by, 1000);
        assert_int_equal(status->skipped, 7);
        assert_string_equal(status->error, "No.");
        assert_string_equal(table.jobs[0]->progress.cursor, "k");
        job_table_done(&table);
}

TEST(what_is_damaged_is_not_loaded) {
        JobFixture *fixture = *state;
        _cleanup_(buffer_done) Buffer blob = {};
        JobTable table;

        assert_int_equal(start_drain(fixture, 3, 4), 1);
        get_blob(fixture, "jobs", &blob);
        for (size_t size = 1; size < blob.size; size++) {
                set_blob(fixture, "jobs", blob.data, size);
                assert_true(load(fixture, &table) < 0);
                job_table_done(&table);
        }
        set_blob(fixture, "jobs", blob.data, blob.size);
        assert_ok(load(fixture, &table));
        job_table_done(&table);
}

TEST(numbers_that_cannot_be_are_refused) {
        static const struct {
                size_t offset; /* behind the blob's head of 6 bytes and the job's id */
                uint8_t value;
        } cases[] = { { 0, _JOB_TYPE_MAX }, { 1, _JOB_STATE_MAX }, { 3, JOB_VOLUMES_MAX + 1 } };
        JobFixture *fixture = *state;
        _cleanup_(buffer_done) Buffer blob = {};
        JobTable table;

        assert_int_equal(start_rebalance(fixture), 1);
        get_blob(fixture, "jobs", &blob);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint8_t *byte = blob.data + 10 + cases[i].offset, before = *byte;

                *byte = cases[i].value;
                set_blob(fixture, "jobs", blob.data, blob.size);
                assert_int_equal(load(fixture, &table), -EBADMSG);
                job_table_done(&table);
                *byte = before;
        }
        blob.data[0]++;
        set_blob(fixture, "jobs", blob.data, blob.size);
        assert_int_equal(load(fixture, &table), -EPROTONOSUPPORT);
        job_table_done(&table);
}

TEST(lost_keys_are_kept_with_their_job_and_go_with_it) {
        JobFixture *fixture = *state;
        _cleanup_(buffer_done) Buffer blob = {};
        Buffer names = {};
        Job *job;

        assert_int_equal(start_rebalance(fixture), 1);
        job = job_of(fixture, 1);
        buffer_put(&names, "a\0b", 4);
        job_set_lost(job, &names, 2);
        save(fixture);
        reopen(fixture);
        job = job_of(fixture, 1);
        assert_int_equal(job->lost.size, 4);
        assert_memory_equal(job->lost.data, "a\0b", 4);

        set_state(fixture, 1, JOB_DONE);
        (void) pthread_mutex_lock(&fixture->table.lock);
        job_table_remove(&fixture->table, 0);
        (void) pthread_mutex_unlock(&fixture->table.lock);
        save(fixture);
        assert_int_equal(index_get_state(fixture->index, "job-lost/1", &blob), -ENOENT);
}

/* As an index whose names were lost. */
TEST(a_job_may_lack_the_names_of_its_lost_keys) {
        JobFixture *fixture = *state;

        assert_int_equal(start_rebalance(fixture), 1);
        job_of(fixture, 1)->status.lost_keys = 7;
        save(fixture);
        reopen(fixture);
        assert_int_equal(job_of(fixture, 1)->status.lost_keys, 7);
        assert_int_equal(job_of(fixture, 1)->lost.size, 0);
}

TEST(all_who_ask_while_a_save_is_under_way_are_told) {
        JobFixture *fixture = *state;
        const JobRequest request = { .type = JOB_REBALANCE, .epoch = EPOCH_ANY };
        Start starts[50];

        for (size_t i = 0; i < ELEMENTSOF(starts); i++)
                assert_ok(begin(fixture, &request, starts + i));
        for (size_t i = 0; i < ELEMENTSOF(starts); i++)
                assert_int_equal(end(starts + i), 1);
        assert_false(job_of(fixture, 1)->is_new);
        reopen(fixture);
        assert_int_equal(fixture->table.n_jobs, 1);
}

TEST(without_jobs_there_is_nothing_to_load) {
        JobFixture *fixture = *state;
        JobTable table;

        assert_ok(load(fixture, &table));
        assert_int_equal(table.n_jobs, 0);
        assert_int_equal(table.last_id, 0);
        job_table_done(&table);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                JOB_TEST(everything_that_is_kept_comes_back),
                JOB_TEST(the_form_is_what_it_was),
                JOB_TEST(what_is_damaged_is_not_loaded),
                JOB_TEST(numbers_that_cannot_be_are_refused),
                JOB_TEST(lost_keys_are_kept_with_their_job_and_go_with_it),
                JOB_TEST(a_job_may_lack_the_names_of_its_lost_keys),
                JOB_TEST(all_who_ask_while_a_save_is_under_way_are_told),
                JOB_TEST(without_jobs_there_is_nothing_to_load),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
