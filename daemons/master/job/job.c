/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/event-ids.h"
#include "base/log.h"
#include "master/cluster/settings.h"
#include "master/job/table.h"
#include "master/master.h"

#define WATCH_USEC (USEC_PER_SEC / 4)

const char *job_type_to_string(JobType type) {
        static const char *const names[_JOB_TYPE_MAX] = {
                [JOB_REBALANCE] = "rebalance",
                [JOB_DRAIN] = "drain",
                [JOB_REPAIR] = "repair",
        };

        assert(type >= 0 && type < _JOB_TYPE_MAX);

        return names[type];
}

const char *job_state_to_string(JobState state) {
        static const char *const names[_JOB_STATE_MAX] = {
                [JOB_QUEUED] = "queued", [JOB_RUNNING] = "running", [JOB_PAUSED] = "paused",
                [JOB_DONE] = "done",     [JOB_FAILED] = "failed",   [JOB_CANCELLED] = "cancelled",
        };

        assert(state >= 0 && state < _JOB_STATE_MAX);

        return names[state];
}

bool job_state_is_final(JobState state) {
        return state == JOB_DONE || state == JOB_FAILED || state == JOB_CANCELLED;
}

static Job *job_free(Job *job) {
        if (!job)
                return NULL;

        (void) job_waiters_free(job->waiters);
        (void) job_waiters_free(job->waiters_saving);
        buffer_done(&job->lost);
        free(job);
        return NULL;
}

/* With the lock held. */
static void log_end(const Job *job) {
        const JobStatus *status = &job->status;
        char field[sizeof("DKV_JOB=") + 10];

        (void) snprintf(field, sizeof(field), "DKV_JOB=%" PRIu32, status->id);
        log_event(status->state == JOB_FAILED ? LOG_ERR : LOG_NOTICE, EVENT_JOB_ENDED,
                  (const char *[]){ field, NULL },
                  "Job %" PRIu32 " (%s) is %s: %" PRIu64 " keys, %" PRIu64 " bytes moved.%s%s",
                  status->id, job_type_to_string(status->type), job_state_to_string(status->state),
                  status->keys_done, status->bytes_done, *status->error ? " " : "", status->error);
}

Job *jobs_find(const Jobs *jobs, uint32_t id) {
        for (size_t i = 0; i < jobs->n_jobs; i++)
                if (jobs->jobs[i]->status.id == id)
                        return jobs->jobs[i];
        return NULL;
}

void jobs_remove(Jobs *jobs, size_t i) {
        Job *job = jobs->jobs[i];

        if (job->is_known && jobs->n_forgotten < ELEMENTSOF(jobs->forgotten))
                jobs->forgotten[jobs->n_forgotten++] = job->status.id;
        if (job->status.lost_keys > 0)
                job_save_lost(jobs, job->status.id, NULL);
        memmove(jobs->jobs + i, jobs->jobs + i + 1, (--jobs->n_jobs - i) * sizeof(*jobs->jobs));
        (void) job_free(job);
}

/* Forgets the oldest of those that have ended, once there are too many; but not KEEP, which its
 * caller still looks at: it may have begun long ago. */
static void forget_oldest(Jobs *jobs, const Job *keep) {
        size_t n_ended = 0;

        for (size_t i = 0; i < jobs->n_jobs; i++)
                n_ended += job_state_is_final(jobs->jobs[i]->status.state);

        for (size_t i = 0; n_ended > JOBS_ENDED_MAX && i < jobs->n_jobs;)
                if (jobs->jobs[i] != keep && job_state_is_final(jobs->jobs[i]->status.state) &&
                    !jobs->jobs[i]->wants_cancel) {
                        jobs_remove(jobs, i);
                        n_ended--;
                } else
                        i++;
}

Job *jobs_add(Jobs *jobs) {
        Job **list = reallocarray(jobs->jobs, jobs->n_jobs + 1, sizeof(*list));
        Job *job;

        if (!list)
                return NULL;
        jobs->jobs = list;
        job = calloc(1, sizeof(*job));
        if (!job)
                return NULL;

        job->jobs = jobs;
        jobs->jobs[jobs->n_jobs++] = job;
        return job;
}

void job_changed(Job *job) {
        job->changes++;
}

void job_set_state(Job *job, JobState state) {
        JobStatus *status = &job->status;
        JobState before = status->state;

        if (state == before)
                return;

        status->state = state;
        status->bytes_per_second = 0;
        if (state == JOB_RUNNING && status->started_usec == 0)
                status->started_usec = clock_realtime();
        if (job_state_is_final(state)) {
                status->ended_usec = clock_realtime();
                log_end(job);
        }
        job_changed(job);
        forget_oldest(job->jobs, job);
        jobs_save(job->jobs);
}

void job_wait(Job *job, uint64_t usec) {
        (void) pthread_mutex_lock(&job->jobs->lock);
        job->not_before_usec = clock_monotonic() + usec;
        (void) pthread_mutex_unlock(&job->jobs->lock);
}

void job_set_lost(Job *job, Buffer *names, uint64_t n) {
        (void) pthread_mutex_lock(&job->jobs->lock);
        buffer_done(&job->lost);
        job->lost = *names;
        *names = (Buffer){};
        job->status.lost_keys = n;
        job_changed(job);
        job_save_lost(job->jobs, job->status.id, &job->lost);
        (void) pthread_mutex_unlock(&job->jobs->lock);
}

/* With the lock held. Returns 0 and the job, or why nothing can be done with it. */
static int find_alive(Jobs *jobs, uint32_t id, Job **ret) {
        Job *job = jobs_find(jobs, id);

        if (!job)
                return -ENOENT;
        if (job_state_is_final(job->status.state) || job->wants_cancel)
                return -EBUSY;
        *ret = job;
        return 0;
}

void jobs_wake(Jobs *jobs) {
        (void) pthread_cond_broadcast(&jobs->changed);
        mover_wake(jobs->mover);
}

int job_pause(Jobs *jobs, uint32_t id) {
        Job *job;
        int r;

        (void) pthread_mutex_lock(&jobs->lock);
        r = find_alive(jobs, id, &job);
        if (r >= 0) {
                job_set_state(job, JOB_PAUSED);
                jobs_wake(jobs);
        }
        (void) pthread_mutex_unlock(&jobs->lock);
        return r;
}

int job_resume(Jobs *jobs, uint32_t id) {
        Job *job;
        int r;

        (void) pthread_mutex_lock(&jobs->lock);
        r = find_alive(jobs, id, &job);
        if (r >= 0 && job->status.state == JOB_PAUSED) {
                job->not_before_usec = 0;
                job_set_state(job, JOB_QUEUED);
                jobs_wake(jobs);
        }
        (void) pthread_mutex_unlock(&jobs->lock);
        return r;
}

/* Of a drain that has failed: unless another job is about the same volumes by now. */
static bool may_be_undone(const Job *job) {
        if (job->status.type != JOB_DRAIN || job->status.state != JOB_FAILED)
                return false;
        for (size_t i = 0; i < job->status.n_numbers; i++)
                if (job_is_wanted_elsewhere(job, job->status.numbers[i]))
                        return false;
        return true;
}

int job_cancel(Jobs *jobs, uint32_t id) {
        Job *job;
        int r;

        (void) pthread_mutex_lock(&jobs->lock);
        job = jobs_find(jobs, id);
        r = find_alive(jobs, id, &job);
        if (r == -EBUSY && (job->wants_cancel || may_be_undone(job)))
                r = 0;
        if (r >= 0) {
                job->wants_cancel = true;
                jobs_save(jobs);
                jobs_wake(jobs);
        }
        (void) pthread_mutex_unlock(&jobs->lock);
        return r;
}

int job_set_limits(Jobs *jobs, uint32_t id, const JobLimits *limits) {
        Job *job;
        int r;

        if (limits->parallel == 0 || limits->parallel > JOB_PARALLEL_MAX)
                return -EINVAL;

        (void) pthread_mutex_lock(&jobs->lock);
        r = find_alive(jobs, id, &job);
        if (r >= 0) {
                job->status.limits = *limits;
                if (job->status.state == JOB_RUNNING)
                        mover_set_limits(jobs->mover, limits);
                job_changed(job);
                jobs_save(jobs);
        }
        (void) pthread_mutex_unlock(&jobs->lock);
        return r;
}

int job_get(Jobs *jobs, uint32_t id, JobStatus *ret) {
        const Job *job;

        (void) pthread_mutex_lock(&jobs->lock);
        job = jobs_find(jobs, id);
        if (job)
                *ret = job->status;
        (void) pthread_mutex_unlock(&jobs->lock);
        return job ? 0 : -ENOENT;
}

int jobs_list(Jobs *jobs, JobStatus **ret, size_t *ret_n) {
        JobStatus *list;

        (void) pthread_mutex_lock(&jobs->lock);
        list = calloc(jobs->n_jobs + 1, sizeof(*list));
        for (size_t i = 0; list && i < jobs->n_jobs; i++)
                list[i] = jobs->jobs[i]->status;
        if (list) {
                *ret = list;
                *ret_n = jobs->n_jobs;
        }
        (void) pthread_mutex_unlock(&jobs->lock);
        return list ? 0 : -ENOMEM;
}

int job_lost_keys(
                Jobs *jobs,
                uint32_t id,
                int (*on_key)(const char *key, void *userdata),
                void *userdata) {
        const Job *job;
        int r = 0;

        (void) pthread_mutex_lock(&jobs->lock);
        job = jobs_find(jobs, id);
        for (size_t i = 0; job && r == 0 && i < job->lost.size;
             i += strlen((const char *) job->lost.data + i) + 1)
                r = on_key((const char *) job->lost.data + i, userdata);
        (void) pthread_mutex_unlock(&jobs->lock);
        return job ? r : -ENOENT;
}

typedef struct Notice {
        uint32_t id;
        JobChange change;
} Notice;

/* With the lock held: the next thing that the observer does not know. */
static bool find_notice(Jobs *jobs, Notice *ret) {
        if (jobs->n_forgotten > 0) {
                *ret = (Notice){ jobs->forgotten[--jobs->n_forgotten], JOB_FORGOTTEN };
                return true;
        }
        for (size_t i = 0; i < jobs->n_jobs; i++) {
                Job *job = jobs->jobs[i];

                if (job->is_new || (job->is_known && job->changes == job->changes_told))
                        continue;
                *ret = (Notice){ job->status.id, job->is_known ? JOB_CHANGED : JOB_NEW };
                job->is_known = true;
                job->changes_told = job->changes;
                return true;
        }
        return false;
}

static void on_watch(void *userdata) {
        Jobs *jobs = userdata;
        Notice notice;
        bool found;

        job_repair_watch(jobs);
        while (jobs->on_change) {
                (void) pthread_mutex_lock(&jobs->lock);
                found = find_notice(jobs, &notice);
                (void) pthread_mutex_unlock(&jobs->lock);
                if (!found)
                        return;
                jobs->on_change(notice.id, notice.change, jobs->userdata);
        }
}

void jobs_set_observer(Jobs *jobs, JobsObserver on_change, void *userdata) {
        (void) pthread_mutex_lock(&jobs->lock);
        jobs->on_change = on_change;
        jobs->userdata = userdata;
        jobs->n_forgotten = 0;
        for (size_t i = 0; i < jobs->n_jobs; i++)
                jobs->jobs[i]->is_known = false;
        (void) pthread_mutex_unlock(&jobs->lock);
}

int jobs_new(Master *master, Jobs **ret) {
        _cleanup_(jobs_freep) Jobs *jobs = calloc(1, sizeof(*jobs));
        pthread_condattr_t attributes;
        int r;

        if (!jobs)
                return -ENOMEM;

        jobs->master = master;
        jobs->began_usec = clock_realtime();
        (void) pthread_mutex_init(&jobs->lock, NULL);
        (void) pthread_condattr_init(&attributes);
        (void) pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void) pthread_cond_init(&jobs->changed, &attributes);
        (void) pthread_condattr_destroy(&attributes);

        r = jobs_load(jobs);
        if (r >= 0)
                r = jobs_make_up(jobs);
        if (r >= 0)
                r = periodic_new(
                                master->event, WATCH_USEC, WATCH_USEC, on_watch, jobs,
                                &jobs->watch);
        if (r >= 0)
                r = jobs_start_thread(jobs);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(jobs);
        return 0;
}

void jobs_stop(Jobs *jobs) {
        if (!jobs)
                return;

        (void) pthread_mutex_lock(&jobs->lock);
        __atomic_store_n(&jobs->stopping, true, __ATOMIC_RELAXED);
        jobs_wake(jobs);
        (void) pthread_mutex_unlock(&jobs->lock);
        if (jobs->has_thread)
                (void) pthread_join(jobs->thread, NULL);
        jobs->has_thread = false;
        job_plan_end(jobs);
}

Jobs *jobs_free(Jobs *jobs) {
        if (!jobs)
                return NULL;

        assert(!jobs->has_thread);
        job_starts_end(jobs);
        for (size_t i = 0; i < jobs->n_jobs; i++) {
                Job *job = jobs->jobs[i];

                job_waiters_tell(TAKE_PTR(job->waiters_saving), -ESHUTDOWN, job->status.id);
                job_waiters_tell(TAKE_PTR(job->waiters), -ESHUTDOWN, job->status.id);
                (void) job_free(job);
        }
        free(jobs->jobs);
        (void) periodic_free(jobs->watch);
        (void) mover_free(jobs->mover);
        buffer_done(&jobs->encoded);
        (void) pthread_cond_destroy(&jobs->changed);
        (void) pthread_mutex_destroy(&jobs->lock);
        free(jobs);
        return NULL;
}
