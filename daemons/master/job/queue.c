/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The thread of the jobs: which one goes on, and how each ends. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/job/table.h"
#include "master/master.h"

#define TICK_USEC USEC_PER_SEC

/* With the lock held. It goes on if somebody has asked for it meanwhile: then it has to look once
 * more. What is asked for from here on is another job, or comes too late, but for a drain that has
 * failed. Returns whether it had barred its volumes. */
static bool set_end(Job *job, JobState state) {
        bool was_barred = job->is_barred;

        if (state == JOB_DONE && job->is_joined && !job->wants_cancel)
                return false;

        if (state == JOB_DONE)
                job->wants_cancel = false;
        job_set_state(job, state);
        job->is_barred = false;
        return was_barred;
}

static void end_job(Job *job, JobState state) {
        bool was_barred;
        int r;

        (void) pthread_mutex_lock(&job->jobs->lock);
        was_barred = set_end(job, state);
        (void) pthread_mutex_unlock(&job->jobs->lock);

        r = was_barred ? jobs_set_bars(job->jobs) : 0;
        if (r < 0)
                (void) log_warning_errno(
                                r, "Job %" PRIu32 " leaves its volumes barred: %m", job->status.id);
}

static void cancel_job(Job *job) {
        int r;

        r = job_cancel_now(job);
        if (r < 0)
                job_explain(job, "The volumes could not be made active again: %s.", strerror(-r));
        (void) pthread_mutex_lock(&job->jobs->lock);
        job->wants_cancel = false;
        job_set_state(job, r < 0 ? JOB_FAILED : JOB_CANCELLED);
        (void) pthread_mutex_unlock(&job->jobs->lock);
}

static void fail_job(Job *job, int error) {
        char path[KEY_PATH_SIZE];

        (void) key_to_path(job->cursor, path); /* for D-Bus, which takes UTF-8 only */
        if (*job->status.error == '\0')
                job_explain(job, "Stopped behind key '%.100s': %s.", path + 1, strerror(-error));
        end_job(job, JOB_FAILED);
}

static void go_on(Job *job) {
        int r = job_step(job);

        if (__atomic_load_n(&job->jobs->stopping, __ATOMIC_RELAXED))
                return;

        if (r < 0)
                fail_job(job, r);
        else if (r == JOB_STEP_DONE)
                end_job(job, JOB_DONE);
}

/* With the lock held. What waits lets others go first; *RET_UNTIL is when the first is to go on. */
static Job *choose(Jobs *jobs, uint64_t *ret_until) {
        uint64_t now = clock_monotonic(), until = now + USEC_PER_HOUR;
        Job *chosen = NULL;

        for (size_t i = 0; i < jobs->n_jobs; i++) {
                Job *job = jobs->jobs[i];

                if (job->is_new)
                        continue;
                if (job->wants_cancel)
                        return job;
                if (job->status.state != JOB_RUNNING && job->status.state != JOB_QUEUED)
                        continue;
                if (job->not_before_usec > now)
                        until = MIN(until, job->not_before_usec);
                else if (!chosen ||
                         (job->status.state == JOB_RUNNING && chosen->status.state == JOB_QUEUED))
                        chosen = job;
        }
        *ret_until = until;
        return chosen;
}

static void wait_for_change(Jobs *jobs, uint64_t until_usec) {
        struct timespec until = {
                .tv_sec = (time_t) (until_usec / USEC_PER_SEC),
                .tv_nsec = (long) (until_usec % USEC_PER_SEC * 1000),
        };

        (void) pthread_cond_timedwait(&jobs->changed, &jobs->lock, &until);
}

static void *run(void *userdata) {
        Jobs *jobs = userdata;
        uint64_t until;

        (void) pthread_mutex_lock(&jobs->lock);
        while (!jobs->stopping) {
                Job *job = NULL;

                /* Where it does not lead, nothing is moved; it may lead again. */
                if (lead_is_leading(jobs->master->lead))
                        job = choose(jobs, &until);
                else
                        until = clock_monotonic() + TICK_USEC;

                if (!job) {
                        wait_for_change(jobs, until);
                        continue;
                }
                if (job->status.state == JOB_QUEUED && !job->wants_cancel)
                        job_set_state(job, JOB_RUNNING);
                (void) pthread_mutex_unlock(&jobs->lock);
                if (job->wants_cancel)
                        cancel_job(job);
                else
                        go_on(job);
                (void) pthread_mutex_lock(&jobs->lock);
        }
        (void) pthread_mutex_unlock(&jobs->lock);
        return NULL;
}

int jobs_start_thread(Jobs *jobs) {
        int r;

        r = mover_new(jobs->master, job_on_moved, jobs, &jobs->mover);
        if (r < 0)
                return r;
        r = pthread_create(&jobs->thread, NULL, run, jobs);
        if (r > 0)
                return -r;
        jobs->has_thread = true;
        return 0;
}
