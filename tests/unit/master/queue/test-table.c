/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The table of jobs: what is remembered, who is told, and when it is kept. */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "master/queue/table.h"

typedef struct Fixture {
        JobTable table;

        /* As a keeper. */
        unsigned n_saves, n_lost_saves;
        uint32_t lost_id;
        size_t lost_size;
        bool is_lost_forgotten;

        /* As an observer, and as somebody who waits. */
        unsigned n_new, n_changed, n_forgotten;
        uint32_t last_id;
        unsigned n_told;
        int told_result;
        uint32_t told_number;
        uint64_t told_epoch;
} Fixture;

static void save(void *userdata) {
        Fixture *fixture = userdata;

        fixture->n_saves++;
}

static void save_lost(uint32_t id, const Buffer *names, void *userdata) {
        Fixture *fixture = userdata;

        fixture->n_lost_saves++;
        fixture->lost_id = id;
        fixture->lost_size = names ? names->size : 0;
        fixture->is_lost_forgotten = !names;
}

static int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        job_table_init(&fixture->table);
        fixture->table.keeper = (JobTableKeeper){ save, save_lost, fixture };
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        job_table_done(&fixture->table);
        free(fixture);
        return 0;
}

static void on_change(uint32_t id, JobChange change, void *userdata) {
        Fixture *fixture = userdata;

        fixture->n_new += change == JOB_NEW;
        fixture->n_changed += change == JOB_CHANGED;
        fixture->n_forgotten += change == JOB_FORGOTTEN;
        fixture->last_id = id;
}

static void on_told(int result, uint32_t number, uint64_t epoch, void *userdata) {
        Fixture *fixture = userdata;

        fixture->n_told++;
        fixture->told_result = result;
        fixture->told_number = number;
        fixture->told_epoch = epoch;
}

static JobWaiter *make_waiter(Fixture *fixture, uint64_t epoch) {
        JobWaiter *waiter = malloc(sizeof(*waiter));

        assert_non_null(waiter);
        *waiter = (JobWaiter){ .done = on_told, .userdata = fixture, .epoch = epoch };
        return waiter;
}

static Job *add_job(Fixture *fixture) {
        const JobStatus status = { .type = JOB_REBALANCE, .limits.parallel = 1 };
        Job *job = job_table_begin(&fixture->table, &status, NULL);

        assert_non_null(job);
        job->is_new = false;
        return job;
}

static void tell(Fixture *fixture) {
        fixture->n_new = fixture->n_changed = fixture->n_forgotten = 0;
        job_table_tell_observer(&fixture->table);
}

TEST(ids_count_up_and_are_never_used_again) {
        Fixture *fixture = *state;

        assert_int_equal(add_job(fixture)->status.id, 1);
        assert_int_equal(add_job(fixture)->status.id, 2);
        job_table_remove(&fixture->table, 1);
        assert_null(job_table_find(&fixture->table, 2));
        assert_int_equal(add_job(fixture)->status.id, 3);
        assert_int_equal(fixture->table.n_jobs, 2);
        assert_int_equal(fixture->n_saves, 3);
}

TEST(a_job_is_found_while_it_goes_on) {
        Fixture *fixture = *state;
        Job *job = add_job(fixture), *found = NULL;

        assert_ptr_equal(job_table_find(&fixture->table, 1), job);
        assert_ok(job_table_find_alive(&fixture->table, 1, &found));
        assert_ptr_equal(found, job);
        assert_int_equal(job_table_find_alive(&fixture->table, 2, &found), -ENOENT);

        job->wants_cancel = true;
        assert_int_equal(job_table_find_alive(&fixture->table, 1, &found), -EBUSY);
        job->wants_cancel = false;
        for (JobState i = 0; i < _JOB_STATE_MAX; i++) {
                job->status.state = i;
                assert_int_equal(
                                job_table_find_alive(&fixture->table, 1, &found),
                                job_state_is_final(i) ? -EBUSY : 0);
        }
}

TEST(a_state_notes_the_time_and_is_kept) {
        Fixture *fixture = *state;
        Job *job = add_job(fixture);
        uint64_t before = clock_realtime(), started;

        job->status.bytes_per_second = 77;
        job_set_state(job, JOB_RUNNING);
        started = job->status.started_usec;
        assert_true(started >= before);
        assert_int_equal(job->status.ended_usec, 0);
        assert_int_equal(job->status.bytes_per_second, 0);
        assert_int_equal(fixture->n_saves, 2);

        job_set_state(job, JOB_PAUSED);
        job_set_state(job, JOB_RUNNING);
        assert_true(job->status.started_usec == started);
        job_set_state(job, JOB_RUNNING); /* as it is: nothing happens */
        assert_int_equal(fixture->n_saves, 4);

        job_set_state(job, JOB_DONE);
        assert_true(job->status.ended_usec >= started);
        assert_int_equal(fixture->n_saves, 5);
}

TEST(the_oldest_jobs_that_have_ended_are_forgotten) {
        Fixture *fixture = *state;
        Job *first = add_job(fixture), *wants_cancel = add_job(fixture);

        job_set_state(wants_cancel, JOB_FAILED);
        wants_cancel->wants_cancel = true; /* there is something to be undone */
        for (unsigned i = 0; i < JOBS_ENDED_MAX + 10; i++)
                job_set_state(add_job(fixture), JOB_DONE);
        assert_ptr_equal(job_table_find(&fixture->table, 1), first); /* it goes on */
        assert_ptr_equal(job_table_find(&fixture->table, 2), wants_cancel);
        assert_null(job_table_find(&fixture->table, 3));
        assert_int_equal(fixture->table.n_jobs, 1 + JOBS_ENDED_MAX);

        job_set_state(first, JOB_DONE);
        assert_ptr_equal(job_table_find(&fixture->table, 1), first); /* though it is the oldest */
        assert_int_equal(fixture->table.n_jobs, JOBS_ENDED_MAX);
}

TEST(with_a_job_its_lost_keys_are_forgotten) {
        Fixture *fixture = *state;
        Buffer names = {};
        Job *job = add_job(fixture);

        buffer_put(&names, "k\0l", 4);
        job_set_lost(job, &names, 2);
        assert_null(names.data); /* taken over */
        assert_int_equal(job->status.lost_keys, 2);
        assert_int_equal(fixture->n_lost_saves, 1);
        assert_int_equal(fixture->lost_size, 4);

        job_table_remove(&fixture->table, 0);
        assert_int_equal(fixture->n_lost_saves, 2);
        assert_int_equal(fixture->lost_id, 1);
        assert_true(fixture->is_lost_forgotten);

        (void) add_job(fixture);
        job_table_remove(&fixture->table, 0); /* it had none */
        assert_int_equal(fixture->n_lost_saves, 2);
}

TEST(the_observer_is_told_of_what_is_new_has_changed_and_is_gone) {
        Fixture *fixture = *state;
        Job *job = add_job(fixture);

        tell(fixture); /* nobody */
        job_table_set_observer(&fixture->table, on_change, fixture);
        tell(fixture);
        assert_int_equal(fixture->n_new, 1);
        tell(fixture);
        assert_int_equal(fixture->n_new + fixture->n_changed, 0);

        job_changed(job);
        job_changed(job);
        tell(fixture);
        assert_int_equal(fixture->n_changed, 1);

        (void) add_job(fixture);
        job_table_remove(&fixture->table, 0);
        tell(fixture);
        assert_int_equal(fixture->n_forgotten, 1);
        assert_int_equal(fixture->n_new, 1);
        assert_int_equal(fixture->last_id, 2);
}

TEST(the_observer_hears_nothing_of_a_job_that_is_not_durable) {
        Fixture *fixture = *state;
        Job *job = add_job(fixture);

        job_table_set_observer(&fixture->table, on_change, fixture);
        job->is_new = true;
        tell(fixture);
        assert_int_equal(fixture->n_new, 0);
        job_table_remove(&fixture->table, 0); /* it could not be stored */
        tell(fixture);
        assert_int_equal(fixture->n_forgotten, 0);
}

TEST(another_observer_is_told_of_all_jobs) {
        Fixture *fixture = *state;

        (void) add_job(fixture);
        (void) add_job(fixture);
        job_table_set_observer(&fixture->table, on_change, fixture);
        tell(fixture);
        job_table_remove(&fixture->table, 0);
        job_table_set_observer(&fixture->table, on_change, fixture);
        tell(fixture);
        assert_int_equal(fixture->n_new, 1);
        assert_int_equal(fixture->n_forgotten, 0); /* it never knew of that one */
        job_table_set_observer(&fixture->table, NULL, NULL);
        tell(fixture);
        assert_int_equal(fixture->n_new, 0);
}

TEST(an_explanation_that_is_too_long_is_cut) {
        Fixture *fixture = *state;
        Job *job = add_job(fixture);
        char text[1000];

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        job_explain(job, "%s", text);
        assert_int_equal(strlen(job->status.error), sizeof(job->status.error) - 1);
        job_explain(job, "Volume %i.", 3);
        assert_string_equal(job->status.error, "Volume 3.");
        assert_int_equal(job->n_changes, 2);
}

TEST(a_job_waits_from_now_on) {
        Fixture *fixture = *state;
        Job *job = add_job(fixture);
        uint64_t before = clock_monotonic();

        job_wait(job, USEC_PER_SEC);
        assert_true(job->not_before_usec >= before + USEC_PER_SEC);
        assert_true(job->not_before_usec <= clock_monotonic() + USEC_PER_SEC);
}

TEST(all_who_wait_are_told) {
        Fixture *fixture = *state;
        JobWaiter *waiters = NULL;

        job_waiters_add(&waiters, make_waiter(fixture, 5));
        job_waiters_add(&waiters, make_waiter(fixture, 6));
        job_waiters_add(&waiters, NULL);
        job_waiters_tell(waiters, -EDQUOT, 3);
        assert_int_equal(fixture->n_told, 2);
        assert_int_equal(fixture->told_result, -EDQUOT);
        assert_int_equal(fixture->told_number, 3);
        assert_int_equal(fixture->told_epoch, 6); /* in order */

        waiters = make_waiter(fixture, 7);
        assert_null(job_waiters_free(waiters)); /* without a word */
        assert_int_equal(fixture->n_told, 2);
}

TEST(those_who_still_wait_at_the_end_are_told_so) {
        Fixture *fixture = *state;
        Job *job = add_job(fixture);

        job->waiters = make_waiter(fixture, 1);
        job->waiters_saving = make_waiter(fixture, 2);
        job_table_done(&fixture->table);
        assert_int_equal(fixture->n_told, 2);
        assert_int_equal(fixture->told_result, -ESHUTDOWN);
        assert_int_equal(fixture->told_number, 0);
        job_table_init(&fixture->table);
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(ids_count_up_and_are_never_used_again),
                RUN(a_job_is_found_while_it_goes_on),
                RUN(a_state_notes_the_time_and_is_kept),
                RUN(the_oldest_jobs_that_have_ended_are_forgotten),
                RUN(with_a_job_its_lost_keys_are_forgotten),
                RUN(the_observer_is_told_of_what_is_new_has_changed_and_is_gone),
                RUN(the_observer_hears_nothing_of_a_job_that_is_not_durable),
                RUN(another_observer_is_told_of_all_jobs),
                RUN(an_explanation_that_is_too_long_is_cut),
                RUN(a_job_waits_from_now_on),
                RUN(all_who_wait_are_told),
                RUN(those_who_still_wait_at_the_end_are_told_so),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
