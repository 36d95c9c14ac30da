/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Starts: how a job starts or is joined, and how it is cancelled. A request for what a job does
 * already gets that job. A request that contradicts a job under way is refused. */

#include "master/cluster/volumes.h"
#include "master/queue/queue.h"

typedef struct JobRequest {
        JobType type;
        const uint32_t *numbers; /* the volumes to drain; of a rebalance only shown */
        size_t n_numbers;        /* at most JOB_VOLUMES_MAX */
        uint64_t epoch;          /* that the map must have for a drain, or EPOCH_ANY */
        bool accept_loss;        /* go on though some keys have no other copy that can be read */
        JobLimits limits;        /* parallel 0: JOB_PARALLEL */
        uint32_t started_by;     /* uid */
} JobRequest;

typedef struct JobStarts JobStarts;

/* QUEUE and VOLUMES are not owned. */
int job_starts_new(JobQueue *queue, Volumes *volumes, JobStarts **ret);

/* Tells everybody who still waits for the map -ESHUTDOWN. After index_free(). */
JobStarts *job_starts_free(JobStarts *starts);
DEFINE_CLEANUP(JobStarts *, job_starts_free);

/* Starts a job, or joins one; job_start() in job.h is its contract. From any thread. */
int job_starts_begin(
                JobStarts *starts,
                const JobRequest *request,
                JobDone done,
                void *userdata,
                uint32_t *reterr_number);

/* job_cancel() in job.h is its contract. From any thread. */
int job_starts_cancel(JobStarts *starts, uint32_t id);

/* With the table's lock held: whether a drain other than BESIDES, which goes on or is about to
 * begin, wants volume NUMBER to go. */
bool job_starts_want(const JobStarts *starts, uint32_t number, const Job *besides);
