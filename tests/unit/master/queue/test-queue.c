/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which job goes on, on which thread, and how each one ends; with kinds of jobs of our own. */

#include "test.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "master/queue/queue.h"
#include "store/index/index.h"

#define PATIENCE_SEC 20

#define MOVES     JOB_REBALANCE /* a kind in the lane of the jobs that move copies */
#define MOVES_TOO JOB_DRAIN     /* another one in the same lane */
#define OTHER     JOB_REPAIR    /* a kind in the other lane */

/* What a step of a kind's jobs does. */
typedef struct Script {
        atomic_int result;   /* what run() returns */
        atomic_bool holds;   /* run() goes on until it may go, or is interrupted */
        atomic_bool is_deaf; /* it cannot be interrupted */
        sem_t entered, may_go;
        atomic_uint n_runs, n_running, n_cancelled, n_ended, n_woken;
        atomic_int cancel_result;
        uint64_t wait_first_usec; /* for job_wait(), as it begins */
        uint64_t wait_last_usec;  /* the same, as it ends */
        atomic_uint last;         /* id of the job that ran last */
} Script;

typedef struct Fixture {
        JobTable table;
        JobQueue *queue;
        Script scripts[_JOB_TYPE_MAX];
} Fixture;

static Fixture the_fixture;

static int run(Job *job, void *userdata) {
        Script *script = userdata;
        JobQueue *queue = the_fixture.queue;

        script->n_runs++;
        script->n_running++;
        script->last = job->status.id;
        assert_ok(sem_post(&script->entered));
        if (script->wait_first_usec > 0)
                job_wait(job, script->wait_first_usec);
        while (script->holds && sem_trywait(&script->may_go) < 0) {
                if (!script->is_deaf && job_queue_interrupts(queue, job)) {
                        script->n_running--;
                        return JOB_STEP_INTERRUPTED;
                }
                (void) usleep(1000);
        }
        if (script->wait_last_usec > 0)
                job_wait(job, script->wait_last_usec);
        script->n_running--;
        return script->result;
}

static int cancel(Job *job, void *userdata) {
        Script *script = userdata;

        script->n_cancelled++;
        return script->cancel_result;
}

static void ended(Job *job, void *userdata) {
        Script *script = userdata;

        assert_true(job_state_is_final(job->status.state));
        script->n_ended++;
}

static void wake(Job *job, void *userdata) {
        Script *script = userdata;

        script->n_woken++;
}

static void add_kind(Fixture *fixture, JobType type, JobLane lane) {
        Script *script = fixture->scripts + type;
        JobKind kind = {
                .type = type,
                .lane = lane,
                .run = run,
                .cancel = cancel,
                .ended = ended,
                .wake = wake,
                .userdata = script,
        };

        script->result = JOB_STEP_DONE;
        assert_ok(sem_init(&script->entered, 0, 0));
        assert_ok(sem_init(&script->may_go, 0, 0));
        job_queue_add_kind(fixture->queue, &kind);
}

static int setup(void **state) {
        Fixture *fixture = &the_fixture;

        memset(fixture, 0, sizeof(*fixture));
        job_table_init(&fixture->table);
        assert_ok(job_queue_new(&fixture->table, NULL, &fixture->queue));
        add_kind(fixture, MOVES, JOB_LANE_MOVE);
        add_kind(fixture, MOVES_TOO, JOB_LANE_MOVE);
        add_kind(fixture, OTHER, JOB_LANE_OTHER);
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        job_queue_stop(fixture->queue);
        fixture->queue = job_queue_free(fixture->queue);
        job_table_done(&fixture->table);
        return 0;
}

static Job *add_job(Fixture *fixture, JobType type) {
        const JobStatus status = { .type = type, .limits.parallel = 1 };
        Job *job;

        (void) pthread_mutex_lock(&fixture->table.lock);
        job = job_table_begin(&fixture->table, &status, NULL);
        assert_non_null(job);
        job->is_new = false; /* as if it were durable */
        (void) pthread_cond_broadcast(&fixture->table.changed);
        (void) pthread_mutex_unlock(&fixture->table.lock);
        return job;
}

static void wait_for(sem_t *semaphore) {
        struct timespec until;

        (void) clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PATIENCE_SEC;
        assert_ok(sem_timedwait(semaphore, &until));
}

static JobState state_of(Fixture *fixture, const Job *job) {
        JobState state;

        (void) pthread_mutex_lock(&fixture->table.lock);
        state = job->status.state;
        (void) pthread_mutex_unlock(&fixture->table.lock);
        return state;
}

static void wait_for_state(Fixture *fixture, const Job *job, JobState state) {
        uint64_t deadline = clock_monotonic() + PATIENCE_SEC * USEC_PER_SEC;

        while (state_of(fixture, job) != state) {
                assert_true(clock_monotonic() < deadline);
                (void) usleep(1000);
        }
}

static void wait_for_count(const atomic_uint *count, unsigned n) {
        uint64_t deadline = clock_monotonic() + PATIENCE_SEC * USEC_PER_SEC;

        while (*count < n) {
                assert_true(clock_monotonic() < deadline);
                (void) usleep(1000);
        }
}

static void want_cancel(Fixture *fixture, Job *job) {
        (void) pthread_mutex_lock(&fixture->table.lock);
        job->wants_cancel = true;
        job_queue_wake(fixture->queue, job);
        (void) pthread_mutex_unlock(&fixture->table.lock);
}

TEST(a_job_runs_until_it_is_done) {
        Fixture *fixture = *state;
        Job *job = add_job(fixture, MOVES);

        assert_ok(job_queue_start(fixture->queue));
        wait_for_state(fixture, job, JOB_DONE);
        wait_for_count(&fixture->scripts[MOVES].n_ended, 1);
        assert_int_equal(fixture->scripts[MOVES].n_runs, 1);
        assert_true(job->status.started_usec > 0);
        assert_true(job->status.ended_usec >= job->status.started_usec);
        assert_string_equal(job->status.error, "");
}

TEST(jobs_of_one_lane_run_one_after_the_other) {
        Fixture *fixture = *state;
        Script *first = fixture->scripts + MOVES, *second = fixture->scripts + MOVES_TOO;
        Job *jobs[] = { add_job(fixture, MOVES), add_job(fixture, MOVES_TOO) };

        first->holds = true;
        assert_ok(job_queue_start(fixture->queue));
        wait_for(&first->entered);
        assert_int_equal(state_of(fixture, jobs[1]), JOB_QUEUED);
        assert_int_equal(second->n_runs, 0);
        assert_ok(sem_post(&first->may_go));
        wait_for(&second->entered);
        assert_int_equal(state_of(fixture, jobs[0]), JOB_DONE);
        wait_for_state(fixture, jobs[1], JOB_DONE);
}

TEST(a_job_of_the_other_lane_waits_for_none_of_them) {
        Fixture *fixture = *state;
        Script *moves = fixture->scripts + MOVES, *other = fixture->scripts + OTHER;
        Job *first = add_job(fixture, MOVES), *second = add_job(fixture, OTHER);

        moves->holds = other->holds = true;
        assert_ok(job_queue_start(fixture->queue));
        wait_for(&moves->entered);
        wait_for(&other->entered);
        assert_int_equal(moves->n_running, 1);
        assert_int_equal(other->n_running, 1);

        assert_ok(sem_post(&other->may_go));
        wait_for_state(fixture, second, JOB_DONE);
        assert_int_equal(state_of(fixture, first), JOB_RUNNING);
        assert_ok(sem_post(&moves->may_go));
        wait_for_state(fixture, first, JOB_DONE);
}

TEST(a_job_that_waits_lets_others_go_first) {
        Fixture *fixture = *state;
        Script *first = fixture->scripts + MOVES, *second = fixture->scripts + MOVES_TOO;
        Job *jobs[] = { add_job(fixture, MOVES), add_job(fixture, MOVES_TOO) };

        first->result = JOB_STEP_AGAIN;
        first->wait_first_usec = USEC_PER_HOUR;
        assert_ok(job_queue_start(fixture->queue));
        wait_for_state(fixture, jobs[1], JOB_DONE);
        assert_int_equal(first->n_runs, 1);
        assert_int_equal(second->n_runs, 1);
        assert_int_equal(state_of(fixture, jobs[0]), JOB_RUNNING);
}

/* Else two that take turns would both be slow. */
TEST(a_job_that_runs_comes_before_one_that_is_queued) {
        Fixture *fixture = *state;
        Script *first = fixture->scripts + MOVES, *second = fixture->scripts + MOVES_TOO;
        Job *jobs[] = { add_job(fixture, MOVES), add_job(fixture, MOVES_TOO) };

        jobs[1]->status.state = JOB_RUNNING;
        second->holds = true;
        assert_ok(job_queue_start(fixture->queue));
        wait_for(&second->entered);
        assert_int_equal(first->n_runs, 0);
        assert_ok(sem_post(&second->may_go));
        wait_for_state(fixture, jobs[0], JOB_DONE);
}

TEST(a_job_that_is_not_durable_does_not_run) {
        Fixture *fixture = *state;
        Job *first, *second;

        first = add_job(fixture, MOVES);
        first->is_new = true;
        second = add_job(fixture, MOVES_TOO);
        assert_ok(job_queue_start(fixture->queue));
        wait_for_state(fixture, second, JOB_DONE);
        assert_int_equal(fixture->scripts[MOVES].n_runs, 0);
}

TEST(a_paused_job_stops_and_goes_on_when_it_is_resumed) {
        Fixture *fixture = *state;
        Script *script = fixture->scripts + MOVES;
        Job *job = add_job(fixture, MOVES);

        script->holds = true;
        assert_ok(job_queue_start(fixture->queue));
        wait_for(&script->entered);
        assert_ok(job_queue_pause(fixture->queue, job->status.id));
        assert_true(script->n_woken > 0);
        while (script->n_running > 0)
                (void) usleep(1000);
        assert_int_equal(state_of(fixture, job), JOB_PAUSED);
        assert_ok(job_queue_pause(fixture->queue, job->status.id)); /* once more is no mistake */

        job->not_before_usec = UINT64_MAX;
        script->holds = false;
        assert_ok(job_queue_resume(fixture->queue, job->status.id));
        wait_for_state(fixture, job, JOB_DONE);
        assert_int_equal(script->n_runs, 2);
}

TEST(a_job_that_is_joined_looks_once_more) {
        Fixture *fixture = *state;
        Script *script = fixture->scripts + MOVES;
        Job *job = add_job(fixture, MOVES);

        script->holds = true;
        assert_ok(job_queue_start(fixture->queue));
        wait_for(&script->entered);
        job->is_joined = true;
        assert_ok(sem_post(&script->may_go));
        wait_for(&script->entered);
        assert_int_equal(state_of(fixture, job), JOB_RUNNING);
        assert_int_equal(script->n_ended, 0);
        job->is_joined = false;
        assert_ok(sem_post(&script->may_go));
        wait_for_state(fixture, job, JOB_DONE);
}

TEST(a_failure_is_explained_and_ends_the_job) {
        Fixture *fixture = *state;
        Job *silent = add_job(fixture, MOVES), *talkative = add_job(fixture, OTHER);

        fixture->scripts[MOVES].result = -ENOSPC;
        fixture->scripts[OTHER].result = -EIO;
        (void) strcpy(talkative->status.error, "The reason.");
        assert_ok(job_queue_start(fixture->queue));
        wait_for_state(fixture, silent, JOB_FAILED);
        wait_for_state(fixture, talkative, JOB_FAILED);
        assert_string_equal(silent->status.error, "Stopped: No space left on device.");
        assert_string_equal(talkative->status.error, "The reason.");
        wait_for_count(&fixture->scripts[MOVES].n_ended, 1);
}

TEST(cancelling_interrupts_and_undoes) {
        Fixture *fixture = *state;
        Script *script = fixture->scripts + MOVES;
        Job *job = add_job(fixture, MOVES);

        script->holds = true;
        assert_ok(job_queue_start(fixture->queue));
        wait_for(&script->entered);
        want_cancel(fixture, job);
        wait_for_state(fixture, job, JOB_CANCELLED);
        assert_int_equal(script->n_cancelled, 1);
        assert_false(job->wants_cancel);
        assert_int_equal(job_queue_pause(fixture->queue, job->status.id), -EBUSY);
}

TEST(a_queued_or_paused_job_is_cancelled_without_running) {
        Fixture *fixture = *state;
        Job *queued = add_job(fixture, MOVES), *paused = add_job(fixture, MOVES);

        paused->status.state = JOB_PAUSED;
        queued->wants_cancel = paused->wants_cancel = true;
        assert_ok(job_queue_start(fixture->queue));
        wait_for_state(fixture, queued, JOB_CANCELLED);
        wait_for_state(fixture, paused, JOB_CANCELLED);
        assert_int_equal(fixture->scripts[MOVES].n_runs, 0);
        assert_int_equal(fixture->scripts[MOVES].n_cancelled, 2);
}

TEST(a_job_that_cannot_be_undone_has_failed) {
        Fixture *fixture = *state;
        Job *job = add_job(fixture, MOVES);

        fixture->scripts[MOVES].cancel_result = -EIO;
        job->wants_cancel = true;
        assert_ok(job_queue_start(fixture->queue));
        wait_for_state(fixture, job, JOB_FAILED);
        assert_string_equal(
                        job->status.error,
                        "The volumes could not be made active again: Input/output error.");
        assert_false(job->wants_cancel);
}

/* What was under way is as after a crash. */
TEST(a_stop_interrupts_and_leaves_the_job_as_it_is) {
        Fixture *fixture = *state;
        Job *first = add_job(fixture, MOVES), *second = add_job(fixture, OTHER);

        fixture->scripts[MOVES].holds = fixture->scripts[OTHER].holds = true;
        assert_ok(job_queue_start(fixture->queue));
        wait_for(&fixture->scripts[MOVES].entered);
        wait_for(&fixture->scripts[OTHER].entered);
        job_queue_stop(fixture->queue);
        assert_true(job_queue_is_stopping(fixture->queue));
        assert_int_equal(fixture->scripts[MOVES].n_running, 0);
        assert_int_equal(first->status.state, JOB_RUNNING);
        assert_int_equal(second->status.state, JOB_RUNNING);
        assert_true(fixture->scripts[MOVES].n_woken > 0);
        assert_int_equal(fixture->scripts[MOVES].n_ended, 0);
        job_queue_stop(fixture->queue);
}

/* An error that comes from the stop is no reason for the job to fail. */
TEST(an_error_while_stopping_fails_no_job) {
        Fixture *fixture = *state;
        Script *script = fixture->scripts + MOVES;
        Job *job = add_job(fixture, MOVES);

        script->holds = true;
        script->result = -ECANCELED;
        assert_ok(job_queue_start(fixture->queue));
        wait_for(&script->entered);
        assert_ok(sem_post(&script->may_go));
        script->holds = false;
        job_queue_stop(fixture->queue);
        assert_true(job->status.state == JOB_RUNNING || job->status.state == JOB_FAILED);
        assert_int_equal(job->status.state == JOB_FAILED, script->n_ended);
}

TEST(limits_are_checked_and_passed_on) {
        Fixture *fixture = *state;
        Script *script = fixture->scripts + MOVES;
        Job *job = add_job(fixture, MOVES);
        JobLimits limits = { .rate = 7, .parallel = 3 };

        assert_int_equal(job_queue_set_limits(fixture->queue, 9, &limits), -ENOENT);
        assert_ok(job_queue_set_limits(fixture->queue, job->status.id, &limits));
        assert_int_equal(job->status.limits.rate, 7);
        assert_int_equal(job->status.limits.parallel, 3);
        assert_int_equal(script->n_woken, 1);

        limits.parallel = 0;
        assert_int_equal(job_queue_set_limits(fixture->queue, job->status.id, &limits), -EINVAL);
        limits.parallel = JOB_PARALLEL_MAX + 1;
        assert_int_equal(job_queue_set_limits(fixture->queue, job->status.id, &limits), -EINVAL);
        assert_int_equal(job->status.limits.parallel, 3);

        job->status.state = JOB_CANCELLED;
        limits.parallel = 1;
        assert_int_equal(job_queue_set_limits(fixture->queue, job->status.id, &limits), -EBUSY);
}

TEST(what_cannot_be_paused_or_resumed_says_so) {
        Fixture *fixture = *state;
        Job *job = add_job(fixture, MOVES);
        uint32_t id = job->status.id;

        assert_int_equal(job_queue_pause(fixture->queue, id + 1), -ENOENT);
        assert_int_equal(job_queue_resume(fixture->queue, id + 1), -ENOENT);
        assert_ok(job_queue_resume(fixture->queue, id)); /* it is not paused: nothing to do */
        assert_int_equal(job->status.state, JOB_QUEUED);
        for (JobState final = JOB_DONE; final <= JOB_CANCELLED; final++) {
                job->status.state = final;
                assert_int_equal(job_queue_pause(fixture->queue, id), -EBUSY);
                assert_int_equal(job_queue_resume(fixture->queue, id), -EBUSY);
        }
}

/* Other jobs end meanwhile, more than are remembered. */
TEST(a_job_that_is_looked_at_is_not_forgotten) {
        Fixture *fixture = *state;
        Script *script = fixture->scripts + OTHER;
        Job *job = add_job(fixture, OTHER), *found;

        script->holds = script->is_deaf = true;
        assert_ok(job_queue_start(fixture->queue));
        wait_for(&script->entered);
        (void) pthread_mutex_lock(&fixture->table.lock);
        job->status.state = JOB_DONE; /* while its thread is not through with it */
        (void) pthread_mutex_unlock(&fixture->table.lock);
        for (unsigned i = 0; i < JOBS_ENDED_MAX + 5; i++)
                wait_for_state(fixture, add_job(fixture, MOVES), JOB_DONE);
        (void) pthread_mutex_lock(&fixture->table.lock);
        found = job_table_find(&fixture->table, 1);
        (void) pthread_mutex_unlock(&fixture->table.lock);
        assert_ptr_equal(found, job);
        assert_ok(sem_post(&script->may_go));
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
static void assert_tries_again(Fixture *fixture, const Job *job, const char *why) {
        uint64_t deadline = clock_monotonic() + PATIENCE_SEC * USEC_PER_SEC;
        bool waits;

        do {
                assert_true(clock_monotonic() < deadline);
                (void) pthread_mutex_lock(&fixture->table.lock);
                waits = job->not_before_usec > 0;
                (void) pthread_mutex_unlock(&fixture->table.lock);
        } while (!waits);
        assert_int_equal(state_of(fixture, job), JOB_RUNNING);
        assert_non_null(strstr(job->status.error, "Tries its last step again: "));
        assert_non_null(strstr(job->status.error, why));
}

/* Whether the index has done what was asked, or who leads, says nothing of the job. */
TEST(a_step_without_an_outcome_is_taken_again) {
        static const struct {
                int error;
                const char *why;
        } table[] = {
                { INDEX_ERROR_UNKNOWN, "not known whether this was done" },
                { -EOWNERDEAD, "does not lead" },
        };
        Fixture *fixture = *state;
        Script *script = fixture->scripts + MOVES;

        assert_ok(job_queue_start(fixture->queue));
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                Job *job;

                script->result = table[i].error;
                job = add_job(fixture, MOVES);
                wait_for(&script->entered);
                assert_tries_again(fixture, job, table[i].why);
                assert_int_equal(script->n_ended, i);

                script->result = JOB_STEP_DONE;
                assert_ok(job_queue_pause(fixture->queue, job->status.id)); /* and go on at once */
                assert_ok(job_queue_resume(fixture->queue, job->status.id));
                wait_for(&script->entered);
                wait_for_state(fixture, job, JOB_DONE);
                wait_for_count(&script->n_ended, (unsigned) i + 1);
        }
}

TEST(a_cancel_without_an_outcome_is_tried_until_it_has_one) {
        Fixture *fixture = *state;
        Script *script = fixture->scripts + MOVES, *other = fixture->scripts + MOVES_TOO;
        Job *job = add_job(fixture, MOVES);

        script->cancel_result = INDEX_ERROR_UNKNOWN;
        want_cancel(fixture, job);
        assert_ok(job_queue_start(fixture->queue));
        wait_for_count(&script->n_cancelled, 2);
        assert_int_equal(state_of(fixture, job), JOB_QUEUED);
        assert_int_equal(script->n_runs, 0);

        /* It holds up no other job of its lane meanwhile. */
        (void) add_job(fixture, MOVES_TOO);
        wait_for(&other->entered);
        script->cancel_result = 0;
        wait_for_state(fixture, job, JOB_CANCELLED);
        assert_false(job->wants_cancel);
        assert_string_equal(job->status.error, "");
}

/* The cancel comes when the job does not look any more, just before it decides to wait. */
TEST(a_wait_that_begins_after_a_cancel_does_not_hold_it_up) {
        Fixture *fixture = *state;
        Script *script = fixture->scripts + MOVES;
        Job *job = add_job(fixture, MOVES);

        script->result = JOB_STEP_AGAIN;
        script->holds = script->is_deaf = true;
        script->wait_last_usec = USEC_PER_HOUR;
        assert_ok(job_queue_start(fixture->queue));
        wait_for(&script->entered);
        want_cancel(fixture, job);
        assert_ok(sem_post(&script->may_go));
        wait_for_state(fixture, job, JOB_CANCELLED);
        assert_int_equal(script->n_runs, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(a_job_runs_until_it_is_done),
                RUN(jobs_of_one_lane_run_one_after_the_other),
                RUN(a_job_of_the_other_lane_waits_for_none_of_them),
                RUN(a_job_that_waits_lets_others_go_first),
                RUN(a_job_that_runs_comes_before_one_that_is_queued),
                RUN(a_job_that_is_not_durable_does_not_run),
                RUN(a_paused_job_stops_and_goes_on_when_it_is_resumed),
                RUN(a_job_that_is_joined_looks_once_more),
                RUN(a_failure_is_explained_and_ends_the_job),
                RUN(cancelling_interrupts_and_undoes),
                RUN(a_queued_or_paused_job_is_cancelled_without_running),
                RUN(a_job_that_cannot_be_undone_has_failed),
                RUN(a_stop_interrupts_and_leaves_the_job_as_it_is),
                RUN(an_error_while_stopping_fails_no_job),
                RUN(limits_are_checked_and_passed_on),
                RUN(what_cannot_be_paused_or_resumed_says_so),
                RUN(a_job_that_is_looked_at_is_not_forgotten),
                RUN(a_step_without_an_outcome_is_taken_again),
                RUN(a_cancel_without_an_outcome_is_tried_until_it_has_one),
                RUN(a_wait_that_begins_after_a_cancel_does_not_hold_it_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
