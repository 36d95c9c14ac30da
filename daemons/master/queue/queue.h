/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Queue of jobs: which job goes on, on which thread, and how each one ends.
 *
 * Each kind of job belongs to a lane. A lane has a thread of its own and runs one job at a time,
 * in the order of their ids; a job that waits lets others go first. So a job of one lane never
 * holds up those of another. Nothing runs while this master does not lead. */

#include "master/lead/lead.h"
#include "master/queue/table.h"

typedef enum JobLane {
        JOB_LANE_MOVE,  /* jobs that move copies, which share the mover */
        JOB_LANE_OTHER, /* all others */
        _JOB_LANE_MAX,
} JobLane;

typedef enum JobStep {
        JOB_STEP_AGAIN, /* there is more to do, at once or after job_wait() */
        JOB_STEP_INTERRUPTED,
        JOB_STEP_DONE, /* the job has nothing more to do */
} JobStep;

/* What the jobs of one type do. Thread: the lane's, without the table's lock, but for wake(). */
typedef struct JobKind {
        JobType type;
        JobLane lane;

        /* Does a part of the job, and returns when job_queue_interrupts() says so. Returns a
         * JobStep, or a negative errno if the job has failed; but after INDEX_ERROR_UNKNOWN and
         * -EOWNERDEAD it is called again, a moment later, to take the same step. */
        int (*run)(Job *job, void *userdata);

        /* Undoes what its start did; of a job that has failed, too. Returns 0 or a negative errno,
         * with the same exceptions. Optional, as the next two. */
        int (*cancel)(Job *job, void *userdata);

        /* It is done, or has failed. */
        void (*ended)(Job *job, void *userdata);

        /* A running job got other limits, or it or the daemon has to stop. Returns soon. Thread:
         * any, with the table's lock held. */
        void (*wake)(Job *job, void *userdata);

        void *userdata; /* not owned */
} JobKind;

typedef struct JobQueue JobQueue;

/* TABLE and LEAD are not owned; LEAD may be NULL, as in tests. */
int job_queue_new(JobTable *table, const Lead *lead, JobQueue **ret);

/* Before the start. Copies KIND. */
void job_queue_add_kind(JobQueue *queue, const JobKind *kind);

/* Starts a thread for each lane. Returns 0, or a negative errno: then nothing runs. */
int job_queue_start(JobQueue *queue);

/* Interrupts what runs and waits for the end of the threads. From any thread, more than once. */
void job_queue_stop(JobQueue *queue);

/* After job_queue_stop(). */
JobQueue *job_queue_free(JobQueue *queue);
DEFINE_CLEANUP(JobQueue *, job_queue_free);

/* job_pause(), job_resume() and job_set_limits() in job.h are their contracts. From any thread. */
int job_queue_pause(JobQueue *queue, uint32_t id);
int job_queue_resume(JobQueue *queue, uint32_t id);
int job_queue_set_limits(JobQueue *queue, uint32_t id, const JobLimits *limits);

JobTable *job_queue_table(const JobQueue *queue);

/* Whether the daemon is about to end. From any thread. */
bool job_queue_is_stopping(const JobQueue *queue);

/* Whether run() has to return: the job was paused or cancelled, the daemon stops, or it does not
 * lead any more. Without the lock. */
bool job_queue_interrupts(const JobQueue *queue, Job *job);

/* With the lock held: something has changed about a job, so that another may go on now, or this one
 * otherwise. */
void job_queue_wake(JobQueue *queue, Job *job);

/* Undoes what the start of the job did, with its kind. Thread: the lane's, without the lock. */
int job_queue_cancel(JobQueue *queue, Job *job);
