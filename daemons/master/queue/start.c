/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "master/cluster/membership.h"
#include "master/queue/start.h"

/* A drain, from the request until the map says so. It has its volumes already. */
typedef struct JobStart {
        struct JobStart *next;
        JobStarts *starts; /* not owned */
        VolumesChange change;
        JobStatus status;
        JobWaiter *waiters; /* owned */
} JobStart;

struct JobStarts {
        JobQueue *queue;    /* not owned */
        JobTable *table;    /* not owned; its lock guards the rest */
        Volumes *volumes;   /* not owned */
        JobStart *starting; /* drains for which the map is being changed */
};

static JobStart *start_free(JobStart *start) {
        if (!start)
                return NULL;

        (void) job_waiters_free(start->waiters);
        free(start);
        return NULL;
}
DEFINE_CLEANUP(JobStart *, start_free);

/* Counts the volumes that A and B have in common; *RET_NUMBER is the first of them. */
static size_t count_common(const JobStatus *a, const JobStatus *b, uint32_t *ret_number) {
        size_t n = 0;

        for (size_t i = a->n_numbers; i-- > 0;)
                if (job_status_has_volume(b, a->numbers[i])) {
                        *ret_number = a->numbers[i];
                        n++;
                }
        return n;
}

static bool goes_on(const Job *job) {
        return job->wants_cancel || !job_state_is_final(job->status.state);
}

bool job_starts_want(const JobStarts *starts, uint32_t number, const Job *besides) {
        const JobTable *table = starts->table;

        for (const JobStart *start = starts->starting; start; start = start->next)
                if (job_status_has_volume(&start->status, number))
                        return true;
        for (size_t i = 0; i < table->n_jobs; i++) {
                const Job *job = table->jobs[i];

                if (job != besides && job->status.type == JOB_DRAIN && !job->wants_cancel &&
                    !job_state_is_final(job->status.state) &&
                    job_status_has_volume(&job->status, number))
                        return true;
        }
        return false;
}

/* Adds what the new request wants beyond the earlier one. */
static void merge(JobStatus *status, const JobRequest *request) {
        status->accept_loss |= request->accept_loss;
        if (request->limits.rate > 0)
                status->limits.rate = request->limits.rate;
        if (request->limits.parallel > 0)
                status->limits.parallel = request->limits.parallel;
}

static void add_numbers(JobStatus *status, const JobRequest *request) {
        for (size_t i = 0; i < request->n_numbers; i++)
                if (status->n_numbers < JOB_VOLUMES_MAX &&
                    !job_status_has_volume(status, request->numbers[i]))
                        status->numbers[status->n_numbers++] = request->numbers[i];
}

/* With the lock held. Takes WAITER over. */
static void join(JobStarts *starts, Job *job, const JobRequest *request, JobWaiter *waiter) {
        merge(&job->status, request);
        if (job->status.type == JOB_REBALANCE) {
                add_numbers(&job->status, request);

                /* The map may have changed: all keys are counted and looked at once more. */
                job->is_joined = true;
                job->progress.is_counted = false;
                job->progress.n_passes = 0;
        }
        job->not_before_usec = 0;
        job_waiters_add(&job->waiters, waiter);
        job_changed(job);
        job_table_save(starts->table);
        job_queue_wake(starts->queue, job);
}

/* With the lock held. */
static void unlink_start(JobStart *start) {
        JobStart **place = &start->starts->starting;

        while (*place != start)
                place = &(*place)->next;
        *place = start->next;
}

/* Thread: committer. The map says so now, or never will. */
static void on_drained(VolumesChange *change, int result) {
        _cleanup_(start_freep) JobStart *start = CONTAINER_OF(change, JobStart, change);
        uint32_t refused = change->refused;
        JobTable *table = start->starts->table;

        (void) pthread_mutex_lock(&table->lock);
        unlink_start(start);
        for (JobWaiter *waiter = start->waiters; waiter; waiter = waiter->next)
                waiter->epoch = change->epoch;
        if (result >= 0)
                result = job_table_begin(table, &start->status, start->waiters) ? 0 : -ENOMEM;
        if (result >= 0)
                TAKE_PTR(start->waiters);
        (void) pthread_mutex_unlock(&table->lock);

        if (result < 0)
                job_waiters_tell(TAKE_PTR(start->waiters), result, refused);
}

/* Returns 0 or a negative errno. Everybody who has joined meanwhile is told. */
static int change_map(JobStart *start, const JobRequest *request, uint32_t *reterr_number) {
        JobStarts *starts = start->starts;
        JobWaiter *waiters;
        int r;

        start->change = (VolumesChange){ .epoch = request->epoch, .done = on_drained };
        r = volumes_drain(starts->volumes, request->numbers, request->n_numbers, &start->change);
        if (r >= 0)
                return 0;

        (void) pthread_mutex_lock(&starts->table->lock);
        unlink_start(start);
        waiters = TAKE_PTR(start->waiters->next); /* the first one learns it from what we return */
        (void) pthread_mutex_unlock(&starts->table->lock);
        *reterr_number = start->change.refused;
        (void) start_free(start);
        job_waiters_tell(waiters, r, *reterr_number);
        return r;
}

/* With the lock held: finds a drain of any of these volumes. Returns 1 if it was joined, 0 if there
 * is none, -EBUSY if it does something else: then *RETERR_NUMBER is a volume that is in both. */
static int join_drain(
                JobStarts *starts,
                const JobStatus *status,
                const JobRequest *request,
                JobWaiter **waiter,
                uint32_t *reterr_number) {
        for (JobStart *start = starts->starting; start; start = start->next) {
                size_t n = count_common(status, &start->status, reterr_number);

                if (n == 0)
                        continue;
                if (n < status->n_numbers)
                        return -EBUSY;
                merge(&start->status, request);
                job_waiters_add(&start->waiters, TAKE_PTR(*waiter));
                return 1;
        }
        for (size_t i = 0; i < starts->table->n_jobs; i++) {
                Job *job = starts->table->jobs[i];
                size_t n = count_common(status, &job->status, reterr_number);

                if (job->status.type != JOB_DRAIN || !goes_on(job) || n == 0)
                        continue;
                if (n < status->n_numbers || job->wants_cancel)
                        return -EBUSY;
                join(starts, job, request, TAKE_PTR(*waiter));
                return 1;
        }
        return 0;
}

static int start_drain(
                JobStarts *starts,
                const JobStatus *status,
                const JobRequest *request,
                JobWaiter **waiter,
                uint32_t *reterr_number) {
        JobStart *start = calloc(1, sizeof(*start));
        int r;

        if (!start)
                return -ENOMEM;
        start->starts = starts;
        start->status = *status;

        (void) pthread_mutex_lock(&starts->table->lock);
        r = join_drain(starts, status, request, waiter, reterr_number);
        if (r == 0) {
                start->waiters = TAKE_PTR(*waiter);
                start->next = starts->starting;
                starts->starting = start;
        }
        (void) pthread_mutex_unlock(&starts->table->lock);
        if (r == 0)
                return change_map(start, request, reterr_number);

        (void) start_free(start);
        return MIN(r, 0);
}

static int start_rebalance(
                JobStarts *starts,
                const JobStatus *status,
                const JobRequest *request,
                JobWaiter **waiter) {
        JobTable *table = starts->table;
        int r = 0;

        (void) pthread_mutex_lock(&table->lock);
        for (size_t i = 0; i < table->n_jobs && *waiter; i++) {
                Job *job = table->jobs[i];

                if (job->status.type == JOB_REBALANCE && !job->wants_cancel &&
                    !job_state_is_final(job->status.state))
                        join(starts, job, request, TAKE_PTR(*waiter));
        }
        if (*waiter) {
                r = job_table_begin(table, status, *waiter) ? 0 : -ENOMEM;
                if (r >= 0)
                        TAKE_PTR(*waiter);
        }
        (void) pthread_mutex_unlock(&table->lock);
        return r;
}

static int waiter_new(Volumes *volumes, JobDone done, void *userdata, JobWaiter **ret) {
        _cleanup_free_ VolumeStatus *list = NULL;
        JobWaiter *waiter;
        uint64_t epoch;
        size_t n;
        int r;

        r = volumes_list(volumes, &list, &n, &epoch);
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

int job_starts_begin(
                JobStarts *starts,
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
        r = waiter_new(starts->volumes, done, userdata, &waiter);
        if (r < 0)
                return r;

        status = status_of(request);
        return request->type == JOB_DRAIN
                               ? start_drain(starts, &status, request, &waiter, reterr_number)
                               : start_rebalance(starts, &status, request, &waiter);
}

/* With the lock held: a drain that has failed, unless another one wants its volumes by now. */
static bool may_be_undone(const JobStarts *starts, const Job *job) {
        if (job->status.type != JOB_DRAIN || job->status.state != JOB_FAILED)
                return false;
        for (size_t i = 0; i < job->status.n_numbers; i++)
                if (job_starts_want(starts, job->status.numbers[i], job))
                        return false;
        return true;
}

int job_starts_cancel(JobStarts *starts, uint32_t id) {
        JobTable *table = starts->table;
        Job *job;
        int r;

        (void) pthread_mutex_lock(&table->lock);
        job = job_table_find(table, id);
        r = job_table_find_alive(table, id, &job);
        if (r == -EBUSY && (job->wants_cancel || may_be_undone(starts, job)))
                r = 0;
        if (r >= 0) {
                job->wants_cancel = true;
                job->not_before_usec = 0;
                job_table_save(table);
                job_queue_wake(starts->queue, job);
        }
        (void) pthread_mutex_unlock(&table->lock);
        return r;
}

int job_starts_new(JobQueue *queue, Volumes *volumes, JobStarts **ret) {
        JobStarts *starts = malloc(sizeof(*starts));

        if (!starts)
                return -ENOMEM;

        *starts = (JobStarts){
                .queue = queue,
                .table = job_queue_table(queue),
                .volumes = volumes,
        };
        *ret = starts;
        return 0;
}

JobStarts *job_starts_free(JobStarts *starts) {
        if (!starts)
                return NULL;

        while (starts->starting) {
                JobStart *start = starts->starting;

                starts->starting = start->next;
                job_waiters_tell(TAKE_PTR(start->waiters), -ESHUTDOWN, 0);
                (void) start_free(start);
        }
        free(starts);
        return NULL;
}
