/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <semaphore.h>
#include <stdatomic.h>

#include "store/object/workers.h"

static Workers workers;

typedef struct Job {
        Task task;
        sem_t *begun, *go_on;
        atomic_int runs;
        int at; /* how many had run before */
        bool again;
} Job;

static atomic_int n_run;

static void run(Task *task) {
        Job *job = CONTAINER_OF(task, Job, task);

        if (job->begun)
                assert_ok(sem_post(job->begun));
        if (job->go_on)
                assert_ok(sem_wait(job->go_on));
        job->at = atomic_fetch_add(&n_run, 1);
        job->runs++;
        if (job->again) {
                job->again = false;
                workers_submit(&workers, task);
        }
}

static void submit(Job *job) {
        job->task.run = run;
        workers_submit(&workers, &job->task);
}

static int setup(void **state) {
        n_run = 0;
        workers_init(&workers);
        return 0;
}

TEST(what_was_submitted_is_done_before_the_end) {
        static Job jobs[100];

        assert_ok(workers_start(&workers, 3));
        for (size_t i = 0; i < ELEMENTSOF(jobs); i++)
                submit(jobs + i);
        workers_done(&workers);

        for (size_t i = 0; i < ELEMENTSOF(jobs); i++)
                assert_int_equal(jobs[i].runs, 1);
}

TEST(one_worker_takes_tasks_in_turn) {
        static Job jobs[10];

        for (size_t i = 0; i < ELEMENTSOF(jobs); i++)
                submit(jobs + i); /* they wait for a thread */
        assert_ok(workers_start(&workers, 1));
        workers_done(&workers);

        for (size_t i = 0; i < ELEMENTSOF(jobs); i++)
                assert_int_equal(jobs[i].at, i);
}

TEST(a_slow_task_does_not_hold_up_the_others) {
        sem_t begun, go_on;
        Job slow = { .begun = &begun, .go_on = &go_on }, other = { .begun = &begun };

        assert_ok(sem_init(&begun, 0, 0));
        assert_ok(sem_init(&go_on, 0, 0));
        assert_ok(workers_start(&workers, 2));
        submit(&slow);
        assert_ok(sem_wait(&begun));
        submit(&other);
        assert_ok(sem_wait(&begun)); /* while the slow one sleeps */

        assert_ok(sem_post(&go_on));
        workers_done(&workers);
        assert_int_equal(slow.runs, 1);
        assert_int_equal(other.runs, 1);
}

TEST(a_task_may_submit_itself_again) {
        Job job = { .again = true };

        assert_ok(workers_start(&workers, 2));
        submit(&job);
        workers_done(&workers);
        assert_int_equal(job.runs, 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(what_was_submitted_is_done_before_the_end, setup),
                cmocka_unit_test_setup(one_worker_takes_tasks_in_turn, setup),
                cmocka_unit_test_setup(a_slow_task_does_not_hold_up_the_others, setup),
                cmocka_unit_test_setup(a_task_may_submit_itself_again, setup),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
