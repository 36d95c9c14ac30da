/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How jobs begin. What is being done already is not begun again: who asks for it gets the job that
 * does it. What contradicts a job under way is refused. */

#include <errno.h>
#include <string.h>

#include "master/cluster/settings.h"
#include "master/job/table.h"
#include "master/master.h"

/* A drain, from when it is asked for until the map says so; a job that has its volumes already. */
struct JobStart {
        JobStart *next;
        Jobs *jobs; /* not owned */
        VolumesChange change;
        JobStatus status;
        JobWaiter *waiters; /* owned */
};

static JobStart *start_free(JobStart *start) {
        if (!start)
                return NULL;

        (void) job_waiters_free(start->waiters);
        free(start);
        return NULL;
}
DEFINE_CLEANUP(JobStart *, start_free);

JobWaiter *job_waiters_free(JobWaiter *waiters) {
        while (waiters) {
                JobWaiter *waiter = waiters;

                waiters = waiter->next;
                free(waiter);
        }
        return NULL;
}

void job_waiters_tell(JobWaiter *waiters, int result, uint32_t id) {
        for (JobWaiter *waiter = waiters; waiter; waiter = waiter->next)
                waiter->done(result, id, waiter->epoch, waiter->userdata);
        (void) job_waiters_free(waiters);
}

static bool has_number(const JobStatus *status, uint32_t number) {
        for (size_t i = 0; i < status->n_numbers; i++)
                if (status->numbers[i] == number)
                        return true;
        return false;
}

/* How many of the volumes of A are those of B, too; and one of them. */
static size_t count_common(const JobStatus *a, const JobStatus *b, uint32_t *ret_number) {
        size_t n = 0;

        for (size_t i = a->n_numbers; i-- > 0;)
                if (has_number(b, a->numbers[i])) {
                        *ret_number = a->numbers[i];
                        n++;
                }
        return n;
}

static bool goes_on(const Job *job) {
        return job->wants_cancel || !job_state_is_final(job->status.state);
}

bool job_is_wanted_elsewhere(const Job *job, uint32_t number) {
        const Jobs *jobs = job->jobs;

        for (const JobStart *start = jobs->starting; start; start = start->next)
                if (has_number(&start->status, number))
                        return true;
        for (size_t i = 0; i < jobs->n_jobs; i++) {
                const Job *other = jobs->jobs[i];

                if (other != job && other->status.type == JOB_DRAIN && goes_on(other) &&
                    !other->wants_cancel && has_number(&other->status, number))
                        return true;
        }
        return false;
}

/* What the new request wants besides. */
static void merge(JobStatus *status, const JobRequest *request) {
        status->accept_loss |= request->accept_loss;
        if (request->limits.rate > 0)
                status->limits.rate = request->limits.rate;
        if (request->limits.parallel > 0)
                status->limits.parallel = request->limits.parallel;
}

static void add_waiter(JobWaiter **list, JobWaiter *waiter) {
        while (*list)
                list = &(*list)->next;
        *list = waiter;
}

/* With the lock held. Takes WAITER over. */
static void join(Job *job, const JobRequest *request, JobWaiter *waiter) {
        Jobs *jobs = job->jobs;
        JobStatus *status = &job->status;

        merge(status, request);
        if (status->type == JOB_REBALANCE) {
                for (size_t i = 0; i < request->n_numbers; i++)
                        if (status->n_numbers < JOB_VOLUMES_MAX &&
                            !has_number(status, request->numbers[i]))
                                status->numbers[status->n_numbers++] = request->numbers[i];

                /* The map may have changed: all is counted and looked at once more. */
                job->is_joined = true;
                job->is_counted = false;
                job->n_passes = 0;
        }
        job->not_before_usec = 0;
        if (status->state == JOB_RUNNING)
                mover_set_limits(jobs->mover, &status->limits);
        add_waiter(&job->waiters, waiter);
        job_changed(job);
        jobs_save(jobs);
        jobs_wake(jobs);
}

/* With the lock held. Makes the job; takes WAITERS over on success. */
static int add_job(Jobs *jobs, const JobStatus *status, JobWaiter *waiters) {
        Job *job = jobs_add(jobs);

        if (!job)
                return -ENOMEM;

        job->status = *status;
        job->status.id = ++jobs->last_id;
        job->is_new = true;
        job->waiters = waiters;
        jobs_save(jobs);
        return 0;
}

/* With the lock held. */
static void unlink_start(JobStart *start) {
        JobStart **place = &start->jobs->starting;

        while (*place != start)
                place = &(*place)->next;
        *place = start->next;
}

/* On the committer's thread: the map says so now, or never will. */
static void on_drained(VolumesChange *change, int result) {
        _cleanup_(start_freep) JobStart *start = CONTAINER_OF(change, JobStart, change);
        uint32_t refused = change->refused;
        Jobs *jobs = start->jobs;

        (void) pthread_mutex_lock(&jobs->lock);
        unlink_start(start);
        for (JobWaiter *waiter = start->waiters; waiter; waiter = waiter->next)
                waiter->epoch = change->epoch;
        if (result >= 0)
                result = add_job(jobs, &start->status, start->waiters);
        if (result >= 0)
                TAKE_PTR(start->waiters);
        (void) pthread_mutex_unlock(&jobs->lock);

        if (result < 0)
                job_waiters_tell(TAKE_PTR(start->waiters), result, refused);
}

/* Returns 0 or a negative errno; of those who have joined meanwhile, each is told. */
static int change_map(JobStart *start, const JobRequest *request, uint32_t *reterr_number) {
        Jobs *jobs = start->jobs;
        JobWaiter *waiters;
        int r;

        start->change = (VolumesChange){ .epoch = request->epoch, .done = on_drained };
        r = volumes_drain(
                        jobs->master->volumes, request->numbers, request->n_numbers,
                        &start->change);
        if (r >= 0)
                return 0;

        (void) pthread_mutex_lock(&jobs->lock);
        unlink_start(start);
        waiters = TAKE_PTR(start->waiters->next); /* the first is who is told by what we return */
        (void) pthread_mutex_unlock(&jobs->lock);
        *reterr_number = start->change.refused;
        (void) start_free(start);
        job_waiters_tell(waiters, r, *reterr_number);
        return r;
}

/* With the lock held: finds who drains any of these volumes already. Returns 1 if it was joined, 0
 * if there is nobody, -EBUSY if it wants something else. */
static int join_drain(
                Jobs *jobs,
                const JobStatus *status,
                const JobRequest *request,
                JobWaiter **waiter,
                uint32_t *reterr_number) {
        uint32_t common = 0;

        for (JobStart *start = jobs->starting; start; start = start->next) {
                size_t n = count_common(status, &start->status, &common);

                if (n == 0)
                        continue;
                if (n < status->n_numbers) {
                        *reterr_number = common;
                        return -EBUSY;
                }
                merge(&start->status, request);
                add_waiter(&start->waiters, TAKE_PTR(*waiter));
                return 1;
        }
        for (size_t i = 0; i < jobs->n_jobs; i++) {
                Job *job = jobs->jobs[i];
                size_t n = count_common(status, &job->status, &common);

                if (job->status.type != JOB_DRAIN || !goes_on(job) || n == 0)
                        continue;
                if (n < status->n_numbers || job->wants_cancel) {
                        *reterr_number = common;
                        return -EBUSY;
                }
                join(job, request, TAKE_PTR(*waiter));
                return 1;
        }
        return 0;
}

static int start_drain(
                Jobs *jobs,
                const JobStatus *status,
                const JobRequest *request,
                JobWaiter **waiter,
                uint32_t *reterr_number) {
        JobStart *start = calloc(1, sizeof(*start));
        int r;

        if (!start)
                return -ENOMEM;
        start->jobs = jobs;
        start->status = *status;

        (void) pthread_mutex_lock(&jobs->lock);
        r = join_drain(jobs, status, request, waiter, reterr_number);
        if (r == 0) {
                start->waiters = TAKE_PTR(*waiter);
                start->next = jobs->starting;
                jobs->starting = start;
        }
        (void) pthread_mutex_unlock(&jobs->lock);
        if (r == 0)
                return change_map(start, request, reterr_number);

        (void) start_free(start);
        return MIN(r, 0);
}

static int start_rebalance(
                Jobs *jobs,
                const JobStatus *status,
                const JobRequest *request,
                JobWaiter **waiter) {
        int r = 0;

        (void) pthread_mutex_lock(&jobs->lock);
        for (size_t i = 0; i < jobs->n_jobs && *waiter; i++) {
                Job *job = jobs->jobs[i];

                if (job->status.type == JOB_REBALANCE && !job->wants_cancel &&
                    !job_state_is_final(job->status.state))
                        join(job, request, TAKE_PTR(*waiter));
        }
        if (*waiter) {
                r = add_job(jobs, status, *waiter);
                if (r >= 0)
                        TAKE_PTR(*waiter);
        }
        (void) pthread_mutex_unlock(&jobs->lock);
        return r;
}

static int waiter_new(Jobs *jobs, JobDone done, void *userdata, JobWaiter **ret) {
        _cleanup_free_ VolumeStatus *volumes = NULL;
        JobWaiter *waiter;
        uint64_t epoch;
        size_t n;
        int r;

        r = volumes_list(jobs->master->volumes, &volumes, &n, &epoch);
        if (r < 0)
                return r;
        waiter = malloc(sizeof(*waiter));
        if (!waiter)
                return -ENOMEM;

        *waiter = (JobWaiter){ .done = done, .userdata = userdata, .epoch = epoch };
        *ret = waiter;
        return 0;
}

static JobStatus status_of(const JobRequest *request) {
        JobStatus status = {
                .type = request->type,
                .state = JOB_QUEUED,
                .n_numbers = request->n_numbers,
                .accept_loss = request->accept_loss,
                .limits = request->limits,
                .started_by = request->started_by,
        };

        if (request->n_numbers > 0)
                memcpy(status.numbers, request->numbers,
                       request->n_numbers * sizeof(*request->numbers));
        if (status.limits.parallel == 0)
                status.limits.parallel = JOB_PARALLEL;
        return status;
}

int job_start(Jobs *jobs,
              const JobRequest *request,
              JobDone done,
              void *userdata,
              uint32_t *reterr_number) {
        _cleanup_free_ JobWaiter *waiter = NULL;
        JobStatus status;
        int r;

        assert(done);
        assert(reterr_number);

        *reterr_number = 0;
        if (request->n_numbers > JOB_VOLUMES_MAX || request->limits.parallel > JOB_PARALLEL_MAX ||
            (request->type == JOB_DRAIN && request->n_numbers == 0))
                return -EINVAL;
        r = waiter_new(jobs, done, userdata, &waiter);
        if (r < 0)
                return r;

        status = status_of(request);
        return request->type == JOB_DRAIN
                               ? start_drain(jobs, &status, request, &waiter, reterr_number)
                               : start_rebalance(jobs, &status, request, &waiter);
}

void job_starts_end(Jobs *jobs) {
        while (jobs->starting) {
                JobStart *start = jobs->starting;

                jobs->starting = start->next;
                job_waiters_tell(TAKE_PTR(start->waiters), -ESHUTDOWN, 0);
                (void) start_free(start);
        }
}
