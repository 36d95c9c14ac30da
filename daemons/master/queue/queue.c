/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "master/queue/queue.h"
#include "store/index/index.h"

/* How often it looks whether it leads again. */
#define LEAD_USEC USEC_PER_SEC

/* A job waits this long before it takes a step again whose outcome is unknown. */
#define AGAIN_USEC USEC_PER_SEC

typedef struct Lane {
        JobQueue *queue; /* not owned */
        JobLane id;
        pthread_t thread;
        bool has_thread;
} Lane;

struct JobQueue {
        JobTable *table;  /* not owned */
        const Lead *lead; /* not owned */
        JobKind kinds[_JOB_TYPE_MAX];
        Lane lanes[_JOB_LANE_MAX];
        atomic_bool stopping; /* set with the table's lock held */
};

int job_queue_new(JobTable *table, const Lead *lead, JobQueue **ret) {
        JobQueue *queue = calloc(1, sizeof(*queue));

        if (!queue)
                return -ENOMEM;

        queue->table = table;
        queue->lead = lead;
        for (JobLane id = 0; id < _JOB_LANE_MAX; id++)
                queue->lanes[id] = (Lane){ .queue = queue, .id = id };
        *ret = queue;
        return 0;
}

JobQueue *job_queue_free(JobQueue *queue) {
        if (!queue)
                return NULL;

        for (JobLane id = 0; id < _JOB_LANE_MAX; id++)
                assert(!queue->lanes[id].has_thread);
        free(queue);
        return NULL;
}

void job_queue_add_kind(JobQueue *queue, const JobKind *kind) {
        assert(kind->run);

        queue->kinds[kind->type] = *kind;
}

JobTable *job_queue_table(const JobQueue *queue) {
        return queue->table;
}

bool job_queue_is_stopping(const JobQueue *queue) {
        return atomic_load(&queue->stopping);
}

static const JobKind *kind_of(const JobQueue *queue, const Job *job) {
        return queue->kinds + job->status.type;
}

bool job_queue_interrupts(const JobQueue *queue, Job *job) {
        bool interrupts;

        (void) pthread_mutex_lock(&job->table->lock);
        interrupts = job_queue_is_stopping(queue) || job->wants_cancel ||
                     job->status.state != JOB_RUNNING || !lead_is_leading(queue->lead);
        (void) pthread_mutex_unlock(&job->table->lock);
        return interrupts;
}

void job_queue_wake(JobQueue *queue, Job *job) {
        const JobKind *kind = kind_of(queue, job);

        (void) pthread_cond_broadcast(&queue->table->changed);
        if (kind->wake)
                kind->wake(job, kind->userdata);
}

int job_queue_cancel(JobQueue *queue, Job *job) {
        const JobKind *kind = kind_of(queue, job);

        return kind->cancel ? kind->cancel(job, kind->userdata) : 0;
}

int job_queue_pause(JobQueue *queue, uint32_t id) {
        JobTable *table = queue->table;
        Job *job;
        int r;

        (void) pthread_mutex_lock(&table->lock);
        r = job_table_find_alive(table, id, &job);
        if (r >= 0) {
                job_set_state(job, JOB_PAUSED);
                job_queue_wake(queue, job);
        }
        (void) pthread_mutex_unlock(&table->lock);
        return r;
}

int job_queue_resume(JobQueue *queue, uint32_t id) {
        JobTable *table = queue->table;
        Job *job;
        int r;

        (void) pthread_mutex_lock(&table->lock);
        r = job_table_find_alive(table, id, &job);
        if (r >= 0 && job->status.state == JOB_PAUSED) {
                job->not_before_usec = 0;
                job_set_state(job, JOB_QUEUED);
                job_queue_wake(queue, job);
        }
        (void) pthread_mutex_unlock(&table->lock);
        return r;
}

int job_queue_set_limits(JobQueue *queue, uint32_t id, const JobLimits *limits) {
        JobTable *table = queue->table;
        Job *job;
        int r;

        if (limits->parallel == 0 || limits->parallel > JOB_PARALLEL_MAX)
                return -EINVAL;

        (void) pthread_mutex_lock(&table->lock);
        r = job_table_find_alive(table, id, &job);
        if (r >= 0) {
                job->status.limits = *limits;
                job_changed(job);
                job_table_save(table);
                job_queue_wake(queue, job);
        }
        (void) pthread_mutex_unlock(&table->lock);
        return r;
}

/* With the lock held. A job that was joined in the meantime goes on, since it has to look once
 * more. A request that comes after this is another job, or comes too late; only a drain that
 * has failed can still be cancelled. Returns whether it has ended. */
static bool set_end(Job *job, JobState state) {
        if (state == JOB_DONE && job->is_joined && !job->wants_cancel)
                return false;

        if (state == JOB_DONE)
                job->wants_cancel = false;
        job_set_state(job, state);
        return true;
}

static void end_job(JobQueue *queue, Job *job, JobState state) {
        const JobKind *kind = kind_of(queue, job);
        bool has_ended;

        (void) pthread_mutex_lock(&job->table->lock);
        has_ended = set_end(job, state);
        (void) pthread_mutex_unlock(&job->table->lock);
        if (has_ended && kind->ended)
                kind->ended(job, kind->userdata);
}

/* Whether the error says nothing of the job: it is not known whether its last step was made, or it
 * was not, since this master does not lead at the moment. Each step may be taken again. */
static bool is_passing(int error) {
        return error == INDEX_ERROR_UNKNOWN || error == -EOWNERDEAD;
}

/* A cancel waits for this, though not for anything else. */
static void try_again(Job *job, int error) {
        job_explain(job, "Tries its last step again: %s", error_info(error)->title);
        (void) pthread_mutex_lock(&job->table->lock);
        job->not_before_usec = clock_monotonic() + AGAIN_USEC;
        (void) pthread_mutex_unlock(&job->table->lock);
}

static void cancel_job(JobQueue *queue, Job *job) {
        int r;

        r = job_queue_cancel(queue, job);
        if (is_passing(r)) {
                try_again(job, r);
                return;
        }
        if (r < 0)
                job_explain(job, "The volumes could not be made active again: %s.", strerror(-r));
        (void) pthread_mutex_lock(&job->table->lock);
        if (r >= 0)
                job->status.error[0] = '\0'; /* it waits for nothing any more */
        job->wants_cancel = false;
        job_set_state(job, r < 0 ? JOB_FAILED : JOB_CANCELLED);
        (void) pthread_mutex_unlock(&job->table->lock);
}

static void fail_job(JobQueue *queue, Job *job, int error) {
        if (*job->status.error == '\0')
                job_explain(job, "Stopped: %s.", strerror(-error));
        end_job(queue, job, JOB_FAILED);
}

static void go_on(JobQueue *queue, Job *job) {
        const JobKind *kind = kind_of(queue, job);
        int r;

        r = kind->run(job, kind->userdata);
        if (job_queue_is_stopping(queue))
                return; /* as after a crash: the next start goes on with it */

        if (is_passing(r))
                try_again(job, r);
        else if (r < 0)
                fail_job(queue, job, r);
        else if (r == JOB_STEP_DONE)
                end_job(queue, job, JOB_DONE);
}

/* With the lock held. A job that waits lets others go first; *RET_UNTIL is when the first of them
 * may go on. */
static Job *choose(const Lane *lane, uint64_t *ret_until) {
        const JobTable *table = lane->queue->table;
        uint64_t now = clock_monotonic(), until = now + USEC_PER_HOUR;
        Job *chosen = NULL;

        for (size_t i = 0; i < table->n_jobs; i++) {
                Job *job = table->jobs[i];
                const JobKind *kind = kind_of(lane->queue, job);

                if (job->is_new || !kind->run || kind->lane != lane->id)
                        continue;
                if (!job->wants_cancel && job->status.state != JOB_RUNNING &&
                    job->status.state != JOB_QUEUED)
                        continue;
                if (job->not_before_usec > now)
                        until = MIN(until, job->not_before_usec);
                else if (job->wants_cancel)
                        return job;
                else if (!chosen ||
                         (job->status.state == JOB_RUNNING && chosen->status.state == JOB_QUEUED))
                        chosen = job;
        }
        *ret_until = until;
        return chosen;
}

static void wait_for_change(JobTable *table, uint64_t until_usec) {
        struct timespec until = {
                .tv_sec = (time_t) (until_usec / USEC_PER_SEC),
                .tv_nsec = (long) (until_usec % USEC_PER_SEC * 1000),
        };

        (void) pthread_cond_timedwait(&table->changed, &table->lock, &until);
}

/* With the lock held; releases it while the job runs. */
static void handle(JobQueue *queue, Job *job) {
        pthread_mutex_t *lock = &queue->table->lock;
        bool wants_cancel = job->wants_cancel;

        job->is_in_hand = true;
        if (job->status.state == JOB_QUEUED && !wants_cancel)
                job_set_state(job, JOB_RUNNING);
        (void) pthread_mutex_unlock(lock);
        if (wants_cancel)
                cancel_job(queue, job);
        else
                go_on(queue, job);
        (void) pthread_mutex_lock(lock);
        job->is_in_hand = false;
}

static void *run(void *userdata) {
        Lane *lane = userdata;
        JobQueue *queue = lane->queue;
        JobTable *table = queue->table;

        (void) pthread_mutex_lock(&table->lock);
        while (!job_queue_is_stopping(queue)) {
                uint64_t until = clock_monotonic() + LEAD_USEC;
                Job *job = lead_is_leading(queue->lead) ? choose(lane, &until) : NULL;

                if (!job) {
                        wait_for_change(table, until);
                        continue;
                }
                handle(queue, job);
        }
        (void) pthread_mutex_unlock(&table->lock);
        return NULL;
}

/* The threads wait for the lock, so none of them does anything unless all could be started. */
int job_queue_start(JobQueue *queue) {
        int r = 0;

        (void) pthread_mutex_lock(&queue->table->lock);
        for (JobLane id = 0; id < _JOB_LANE_MAX && r == 0; id++) {
                Lane *lane = queue->lanes + id;

                r = pthread_create(&lane->thread, NULL, run, lane);
                lane->has_thread = r == 0;
        }
        if (r > 0)
                atomic_store(&queue->stopping, true);
        (void) pthread_mutex_unlock(&queue->table->lock);
        return -r;
}

/* With the lock held. */
static void wake_all(JobQueue *queue) {
        const JobTable *table = queue->table;

        (void) pthread_cond_broadcast(&queue->table->changed);
        for (size_t i = 0; i < table->n_jobs; i++)
                if (table->jobs[i]->is_in_hand)
                        job_queue_wake(queue, table->jobs[i]);
}

void job_queue_stop(JobQueue *queue) {
        (void) pthread_mutex_lock(&queue->table->lock);
        atomic_store(&queue->stopping, true);
        wake_all(queue);
        (void) pthread_mutex_unlock(&queue->table->lock);

        for (JobLane id = 0; id < _JOB_LANE_MAX; id++) {
                Lane *lane = queue->lanes + id;

                if (lane->has_thread)
                        (void) pthread_join(lane->thread, NULL);
                lane->has_thread = false;
        }
}
