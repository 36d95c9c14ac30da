/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Jobs that begin, join each other, or are refused; without the thread that would do them. */

#include "test.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "master/cluster/settings.h"
#include "master/job/table.h"
#include "master/master.h"
#include "scratch.h"
#include "store/index/damage.h"

int __wrap_jobs_start_thread(Jobs *jobs);
void __wrap_mover_wake(Mover *mover);
Mover *__wrap_mover_free(Mover *mover);

int __wrap_jobs_start_thread(Jobs *jobs) {
        return 0;
}

void __wrap_mover_wake(Mover *mover) {
}

Mover *__wrap_mover_free(Mover *mover) {
        return NULL;
}

typedef struct Fixture {
        char *directory;
        Master master;
} Fixture;

typedef struct Call {
        sem_t done;
        int result;
        uint32_t id, refused;
        uint64_t epoch;
} Call;

static void open_master(Fixture *fixture) {
        EnvironmentOptions options = { .directory = fixture->directory };
        Master *master = &fixture->master;

        assert_ok(index_open(&options, &master->index));
        assert_ok(
                        volumes_new(master->index, master->event,
                                    &(VolumesOptions){ .timeout_usec = 60 * USEC_PER_SEC,
                                                       .copies = 1,
                                                       .auto_add = true },
                                    &master->volumes));
        assert_ok(jobs_new(master, &master->jobs));
}

static void close_master(Fixture *fixture) {
        Master *master = &fixture->master;

        jobs_stop(master->jobs);
        master->index = index_free(master->index);
        master->jobs = jobs_free(master->jobs);
        master->volumes = volumes_free(master->volumes);
}

static bool is_active(Fixture *fixture, uint32_t number) {
        _cleanup_(cluster_freep) Cluster *cluster = NULL;
        const Volume *volume;

        assert_ok(volumes_snapshot(fixture->master.volumes, &cluster));
        volume = cluster_find(cluster, number);
        return volume && volume->state == VOLUME_ACTIVE;
}

static void report(Fixture *fixture, uint32_t number) {
        static uint64_t sequence;
        VolumeReport report = {
                .number = number,
                .run = 1,
                .uuid = { (uint8_t) number },
                .url = "http://127.0.0.1:1",
                .zone = "",
                .disk_free = GIB,
                .disk_size = GIB,
        };

        do {
                report.sequence = ++sequence;
                assert_ok(volumes_report(fixture->master.volumes, &report));
        } while (!is_active(fixture, number));
}

static int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        fixture->directory = scratch_new();
        assert_ok(sd_event_new(&fixture->master.event));
        open_master(fixture);
        for (uint32_t number = 1; number <= 5; number++)
                report(fixture, number);
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        close_master(fixture);
        (void) sd_event_unref(fixture->master.event);
        scratch_free(fixture->directory);
        free(fixture);
        return 0;
}

static void on_started(int result, uint32_t id, uint64_t epoch, void *userdata) {
        Call *call = userdata;

        call->result = result;
        call->id = id;
        call->epoch = epoch;
        (void) sem_post(&call->done);
}

static int begin(Fixture *fixture, const JobRequest *request, Call *call) {
        *call = (Call){};
        assert_ok(sem_init(&call->done, 0, 0));
        return job_start(fixture->master.jobs, request, on_started, call, &call->refused);
}

static uint32_t end(Call *call) {
        while (sem_wait(&call->done) < 0)
                ;
        assert_ok(call->result);
        return call->id;
}

/* Returns the id of the job, or a negative errno. */
static int run(Fixture *fixture, const JobRequest *request) {
        Call call;
        int r;

        r = begin(fixture, request, &call);
        return r < 0 ? r : (int) end(&call);
}

static JobRequest drain_of(const uint32_t numbers[], size_t n) {
        return (JobRequest){
                .type = JOB_DRAIN,
                .numbers = numbers,
                .n_numbers = n,
                .epoch = EPOCH_ANY,
        };
}

static int drain(Fixture *fixture, uint32_t a, uint32_t b) {
        const uint32_t numbers[] = { a, b };
        JobRequest request = drain_of(numbers, b > 0 ? 2 : 1);

        return run(fixture, &request);
}

static JobStatus status_of(Fixture *fixture, int id) {
        JobStatus status;

        assert_ok(job_get(fixture->master.jobs, (uint32_t) id, &status));
        return status;
}

static size_t count_jobs(Fixture *fixture) {
        _cleanup_free_ JobStatus *list = NULL;
        size_t n;

        assert_ok(jobs_list(fixture->master.jobs, &list, &n));
        return n;
}

static VolumeState state_of(Fixture *fixture, uint32_t number) {
        _cleanup_(cluster_freep) Cluster *cluster = NULL;

        assert_ok(volumes_snapshot(fixture->master.volumes, &cluster));
        return cluster_find(cluster, number)->state;
}

static void on_changed(VolumesChange *change, int result) {
        scratch_done(NULL, result);
}

static VolumesChange *ask(void) {
        static VolumesChange change;

        change = (VolumesChange){ .epoch = EPOCH_ANY, .done = on_changed };
        return &change;
}

/* What the thread would do. */
static void set_state(Fixture *fixture, int id, JobState state) {
        Jobs *jobs = fixture->master.jobs;

        (void) pthread_mutex_lock(&jobs->lock);
        job_set_state(jobs_find(jobs, (uint32_t) id), state);
        (void) pthread_mutex_unlock(&jobs->lock);
}

static void cancel(Fixture *fixture, int id) {
        Jobs *jobs = fixture->master.jobs;
        Job *job;

        assert_ok(job_cancel(jobs, (uint32_t) id));
        (void) pthread_mutex_lock(&jobs->lock);
        job = jobs_find(jobs, (uint32_t) id);
        (void) pthread_mutex_unlock(&jobs->lock);
        assert_ok(job_cancel_now(job));
        job->wants_cancel = false;
        set_state(fixture, id, JOB_CANCELLED);
}

TEST(a_drain_that_is_repeated_joins_the_first) {
        Fixture *fixture = *state;
        const uint32_t number = 3;
        JobRequest more = drain_of(&number, 1);
        int id = drain(fixture, 3, 0);

        assert_int_equal(id, 1);
        assert_int_equal(drain(fixture, 3, 0), id);
        assert_false(status_of(fixture, id).accept_loss);

        more.accept_loss = true;
        more.limits.rate = 5000;
        assert_int_equal(run(fixture, &more), id);
        assert_true(status_of(fixture, id).accept_loss);
        assert_int_equal(status_of(fixture, id).limits.rate, 5000);
        assert_int_equal(status_of(fixture, id).limits.parallel, JOB_PARALLEL);
        assert_int_equal(count_jobs(fixture), 1);
}

TEST(drains_that_are_asked_for_at_once_are_one) {
        Fixture *fixture = *state;
        const uint32_t numbers[] = { 3, 4 };
        JobRequest both = drain_of(numbers, 2), one = drain_of(numbers, 1);
        Call calls[8];

        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                assert_ok(begin(fixture, i % 2 > 0 ? &one : &both, calls + i));
        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                assert_int_equal(end(calls + i), 1);
        assert_int_equal(count_jobs(fixture), 1);
        assert_int_equal(status_of(fixture, 1).n_numbers, 2);
}

TEST(drains_that_overlap_are_refused_and_change_nothing) {
        Fixture *fixture = *state;

        assert_int_equal(drain(fixture, 2, 3), 1);
        assert_int_equal(drain(fixture, 3, 2), 1);
        assert_int_equal(drain(fixture, 3, 0), 1);
        assert_int_equal(drain(fixture, 3, 4), -EBUSY);
        assert_int_equal(state_of(fixture, 4), VOLUME_ACTIVE);
        assert_int_equal(drain(fixture, 4, 0), 2);
        assert_int_equal(drain(fixture, 2, 4), -EBUSY);
        assert_int_equal(count_jobs(fixture), 2);
}

TEST(a_drain_that_is_refused_leaves_nothing) {
        Fixture *fixture = *state;
        const uint32_t numbers[] = { 1, 2, 3, 4, 5 };
        JobRequest all = drain_of(numbers, 5);

        assert_int_equal(run(fixture, &all), -EDQUOT);
        assert_int_equal(drain(fixture, 9, 0), -ENOENT);
        assert_int_equal(count_jobs(fixture), 0);
        assert_int_equal(drain(fixture, 1, 0), 1);
}

TEST(a_drain_does_not_join_one_that_is_being_cancelled) {
        Fixture *fixture = *state;
        int id = drain(fixture, 3, 0);

        assert_ok(job_cancel(fixture->master.jobs, 1));
        assert_ok(job_cancel(fixture->master.jobs, 1)); /* once more is no mistake */
        assert_int_equal(drain(fixture, 3, 0), -EBUSY);
        cancel(fixture, id);
        assert_int_equal(state_of(fixture, 3), VOLUME_ACTIVE);
        assert_int_equal(job_cancel(fixture->master.jobs, 1), -EBUSY);
        assert_int_equal(drain(fixture, 3, 0), 2);
        assert_int_equal(state_of(fixture, 3), VOLUME_DRAINING);
}

TEST(a_failed_drain_is_not_undone_under_another_one) {
        Fixture *fixture = *state;

        assert_int_equal(drain(fixture, 2, 3), 1);
        set_state(fixture, 1, JOB_FAILED);
        assert_int_equal(drain(fixture, 3, 0), 2);
        assert_int_equal(job_cancel(fixture->master.jobs, 1), -EBUSY);
        cancel(fixture, 2);
        assert_int_equal(state_of(fixture, 3), VOLUME_ACTIVE);
        assert_int_equal(state_of(fixture, 2), VOLUME_DRAINING);
        cancel(fixture, 1);
        assert_int_equal(state_of(fixture, 2), VOLUME_ACTIVE);
}

TEST(a_failed_drain_is_undone_though_one_of_its_volumes_is_gone) {
        Fixture *fixture = *state;
        const uint32_t number = 3;

        assert_int_equal(drain(fixture, 2, 3), 1);
        set_state(fixture, 1, JOB_FAILED);
        assert_int_equal(drain(fixture, 3, 0), 2);
        assert_ok(volumes_remove(fixture->master.volumes, &number, 1, ask()));
        assert_ok(scratch_wait());
        set_state(fixture, 2, JOB_DONE);
        cancel(fixture, 1);
        assert_int_equal(state_of(fixture, 2), VOLUME_ACTIVE);
        assert_int_equal(state_of(fixture, 3), VOLUME_REMOVED);
}

TEST(a_rebalance_that_is_repeated_looks_once_more) {
        Fixture *fixture = *state;
        const JobRequest request = { .type = JOB_REBALANCE, .epoch = EPOCH_ANY };
        Call calls[4];
        Job *job;

        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                assert_ok(begin(fixture, &request, calls + i));
        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                assert_int_equal(end(calls + i), 1);
        job = fixture->master.jobs->jobs[0];
        assert_true(job->is_joined && !job->is_counted);

        assert_ok(job_pause(fixture->master.jobs, 1));
        assert_int_equal(run(fixture, &request), 1);
        set_state(fixture, 1, JOB_DONE);
        assert_int_equal(run(fixture, &request), 2);
        assert_int_equal(drain(fixture, 3, 0), 3);
}

TEST(a_job_that_ends_after_many_others_is_remembered) {
        Fixture *fixture = *state;
        const JobRequest request = { .type = JOB_REBALANCE, .epoch = EPOCH_ANY };
        int id = drain(fixture, 3, 0);

        for (int i = 0; i < JOBS_ENDED_MAX; i++)
                set_state(fixture, run(fixture, &request), JOB_DONE);
        set_state(fixture, id, JOB_FAILED);
        assert_int_equal(status_of(fixture, id).state, JOB_FAILED);
        assert_int_equal(count_jobs(fixture), JOBS_ENDED_MAX);
        cancel(fixture, id);
        assert_int_equal(state_of(fixture, 3), VOLUME_ACTIVE);
}

static int commit_on(Fixture *fixture, uint32_t volume) {
        static uint64_t version = 1000;
        IndexCommit commit = {
                .operation.done = scratch_done,
                .key = "k",
                .record = {
                        .version = version += 2,
                        .content_type = "",
                        .metadata = "",
                        .n_copies = 1,
                        .copies = { volume },
                },
        };

        index_commit(fixture->master.index, &commit);
        return scratch_wait();
}

static void mark_copy(Fixture *fixture, uint64_t version, uint32_t volume) {
        IndexDamageItem item = {
                .key = "k", .version = version, .volume = volume, .kind = DAMAGE_CORRUPT
        };
        IndexDamage damage = { .operation.done = scratch_done, .items = &item, .n_items = 1 };

        index_damage(fixture->master.index, &damage);
        assert_ok(scratch_wait());
        assert_true(item.is_new);
        fixture->master.jobs->repair.looked_usec = 0;
        job_repair_watch(fixture->master.jobs);
}

/* Else what is found while the repair ends would wait for the next mark. */
TEST(a_repair_looks_once_more_after_another_mark) {
        Fixture *fixture = *state;
        Jobs *jobs = fixture->master.jobs;
        _cleanup_(buffer_done) Buffer scratch = {};
        Record record;

        assert_ok(troubles_new(&fixture->master.troubles));
        assert_ok(commit_on(fixture, 3));
        assert_ok(index_get(fixture->master.index, "k", &scratch, &record));
        mark_copy(fixture, record.version, 3);
        assert_int_equal(count_jobs(fixture), 1);
        assert_false(jobs->jobs[0]->is_joined);

        assert_ok(commit_on(fixture, 4));
        assert_ok(index_get(fixture->master.index, "k", &scratch, &record));
        mark_copy(fixture, record.version, 4);
        assert_int_equal(count_jobs(fixture), 1);
        assert_true(jobs->jobs[0]->is_joined);
        fixture->master.troubles = troubles_free(fixture->master.troubles);
}

static void bar(Fixture *fixture, int id) {
        jobs_find(fixture->master.jobs, (uint32_t) id)->is_barred = true;
        assert_ok(jobs_set_bars(fixture->master.jobs));
}

TEST(no_bar_outlives_its_job) {
        Fixture *fixture = *state;
        int id;

        id = drain(fixture, 3, 0);
        assert_ok(commit_on(fixture, 3));
        bar(fixture, id);
        assert_int_equal(commit_on(fixture, 3), -ESTALE);
        cancel(fixture, id);
        assert_ok(commit_on(fixture, 3));

        /* However it has ended. */
        id = drain(fixture, 3, 0);
        bar(fixture, id);
        set_state(fixture, id, JOB_FAILED);
        assert_ok(jobs_set_bars(fixture->master.jobs));
        assert_ok(commit_on(fixture, 3));

        /* Or the daemon has. */
        id = drain(fixture, 3, 0);
        bar(fixture, id);
        assert_int_equal(commit_on(fixture, 3), -ESTALE);
        close_master(fixture);
        open_master(fixture);
        assert_ok(commit_on(fixture, 3));
}

/* The map was changed, and then the master was gone. */
TEST(a_drain_without_a_job_is_made_up_for) {
        Fixture *fixture = *state;
        const uint32_t numbers[] = { 3, 4 };
        int id = drain(fixture, 3, 0);

        cancel(fixture, id);
        assert_ok(volumes_drain(fixture->master.volumes, numbers, 2, ask()));
        assert_ok(scratch_wait());
        close_master(fixture);
        open_master(fixture);
        assert_int_equal(count_jobs(fixture), 3);
        assert_int_equal(status_of(fixture, 2).numbers[0], 3);
        assert_int_equal(status_of(fixture, 3).numbers[0], 4);
        assert_int_equal(drain(fixture, 3, 0), 2);

        /* One that has failed waits for a decision. */
        set_state(fixture, 2, JOB_FAILED);
        close_master(fixture);
        open_master(fixture);
        assert_int_equal(count_jobs(fixture), 3);
}

TEST(volumes_that_were_removed_are_barred) {
        Fixture *fixture = *state;
        const uint32_t number = 3;

        assert_int_equal(drain(fixture, 3, 0), 1);
        assert_ok(volumes_remove(fixture->master.volumes, &number, 1, ask()));
        assert_ok(scratch_wait());
        set_state(fixture, 1, JOB_DONE);
        assert_ok(jobs_set_bars(fixture->master.jobs));
        assert_int_equal(commit_on(fixture, 3), -ESTALE);
        close_master(fixture);
        open_master(fixture);
        assert_int_equal(commit_on(fixture, 3), -ESTALE);
        assert_int_equal(count_jobs(fixture), 1);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_drain_that_is_repeated_joins_the_first),
                RUN(drains_that_are_asked_for_at_once_are_one),
                RUN(drains_that_overlap_are_refused_and_change_nothing),
                RUN(a_drain_that_is_refused_leaves_nothing),
                RUN(a_drain_does_not_join_one_that_is_being_cancelled),
                RUN(a_failed_drain_is_not_undone_under_another_one),
                RUN(a_failed_drain_is_undone_though_one_of_its_volumes_is_gone),
                RUN(a_rebalance_that_is_repeated_looks_once_more),
                RUN(a_job_that_ends_after_many_others_is_remembered),
                RUN(a_repair_looks_once_more_after_another_mark),
                RUN(no_bar_outlives_its_job),
                RUN(a_drain_without_a_job_is_made_up_for),
                RUN(volumes_that_were_removed_are_barred),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
