/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Jobs: what the master does with the data by itself: bring copies to where placement wants them
 * (rebalance), or away from volumes that are to go (drain), after somebody has asked for it; and
 * make copies again that are damaged (repair), as soon as there are any.
 *
 * One job moves at a time, in the order of their ids; the others are queued. Jobs are kept in the
 * index: they go on by themselves after a restart, however the master ended. Of those that have
 * ended the last JOBS_ENDED_MAX are remembered. */

#include "master/cluster/volumes.h"

typedef struct Master Master;
typedef struct Jobs Jobs;

#define JOBS_ENDED_MAX   100
#define JOB_VOLUMES_MAX  64
#define JOB_LOST_MAX     1000 /* keys that are remembered by name */
#define JOB_PARALLEL_MAX 64
#define JOB_PARALLEL     2 /* unless somebody says otherwise */

typedef enum JobType {
        JOB_REBALANCE,
        JOB_DRAIN,
        JOB_REPAIR,
        _JOB_TYPE_MAX,
} JobType;

typedef enum JobState {
        JOB_QUEUED,
        JOB_RUNNING,
        JOB_PAUSED,
        JOB_DONE,
        JOB_FAILED,
        JOB_CANCELLED,
        _JOB_STATE_MAX,
} JobState;

const char *job_type_to_string(JobType type) _const_;
const char *job_state_to_string(JobState state) _const_;
bool job_state_is_final(JobState state) _const_;

typedef struct JobLimits {
        uint64_t rate;     /* bytes per second, 0 for as fast as it goes */
        uint32_t parallel; /* calls at a time that a volume takes part in, as source or target; so
                            * many with small values, so many with a large one */
} JobLimits;

typedef struct JobRequest {
        JobType type;
        const uint32_t *numbers; /* the volumes to drain; for a rebalance just for show */
        size_t n_numbers;        /* at most JOB_VOLUMES_MAX */
        uint64_t epoch;          /* that the map must have to drain, or EPOCH_ANY */
        bool accept_loss;        /* go on though some keys have no other copy that can be read */
        JobLimits limits;        /* parallel 0: JOB_PARALLEL */
        uint32_t started_by;     /* uid */
} JobRequest;

/* A job as it is now. */
typedef struct JobStatus {
        uint32_t id; /* from 1 on, never used again */
        JobType type;
        JobState state;
        uint32_t numbers[JOB_VOLUMES_MAX];
        size_t n_numbers;
        bool accept_loss;
        JobLimits limits;
        uint32_t started_by;
        uint64_t started_usec, ended_usec; /* since the epoch; 0 for not yet */
        uint64_t keys_total, keys_done;    /* the total is 0 until they were counted; it may grow */
        uint64_t bytes_total, bytes_done;
        uint64_t skipped;          /* keys that changed meanwhile, which settled the matter */
        uint64_t bytes_per_second; /* lately */
        uint64_t lost_keys;
        uint64_t waits_until_usec; /* since the epoch; 0 if it is not known, or there is no need */
        char error[256]; /* a sentence; of a failed job, or why one that runs has to wait; or "" */
} JobStatus;

/* Loads the jobs, and goes on with those that have not ended. MASTER is not owned: its index,
 * volumes, clients and outbox must be there. */
int jobs_new(Master *master, Jobs **ret);

/* Stops moving, and returns when the thread has ended. What was under way is as after a crash: it
 * is begun again by the next start. From any thread, more than once. */
void jobs_stop(Jobs *jobs);

/* After jobs_stop(), the clients' and the index's end. */
Jobs *jobs_free(Jobs *jobs);
DEFINE_CLEANUP(Jobs *, jobs_free);

/* The job is durable, and of a drain the map's change is in force, when done() is called with 0, on
 * the committer's thread, where it must not block. Returns a negative errno if the job is refused
 * at once, then there is no done(): -EINVAL, and of a drain what volumes_drain() says. EPOCH is
 * that of the map after it, for a rebalance the one now. NUMBER is the job's id; of a drain that is
 * refused, the volume that is the reason, 0 for all of them.
 *
 * A job under way that does the same is joined: ID is that job's then. It takes over what the
 * request says about limits and losses; a rebalance looks at all keys once more before it ends. A
 * drain does the same if it has all of these volumes; with some of them, or if it is being
 * cancelled, the request is refused with -EBUSY. */
typedef void (*JobDone)(int result, uint32_t number, uint64_t epoch, void *userdata);
int job_start(Jobs *jobs,
              const JobRequest *request,
              JobDone done,
              void *userdata,
              uint32_t *reterr_number);

/* Has the repair that waits go on: something is good again. From any thread; JOBS may be NULL. */
void jobs_wake_repair(Jobs *jobs);

/* These return 0, -ENOENT for an unknown id, -EBUSY for a job that has ended. They take effect
 * soon. Cancelling a drain makes its volumes active again; that works on a failed one, too, unless
 * another job drains one of them by now. */
int job_pause(Jobs *jobs, uint32_t id);
int job_resume(Jobs *jobs, uint32_t id);
int job_cancel(Jobs *jobs, uint32_t id);
int job_set_limits(Jobs *jobs, uint32_t id, const JobLimits *limits); /* all of them */

/* Returns 0 or -ENOENT. */
int job_get(Jobs *jobs, uint32_t id, JobStatus *ret);

/* Returns a new array, ordered by id. */
int jobs_list(Jobs *jobs, JobStatus **ret, size_t *ret_n);

/* Calls on_key() for the first JOB_LOST_MAX keys that cannot be read any more once the drain ends,
 * under a lock: it copies and returns, non-zero to end this. Returns what it returned last, 0 at
 * the end, or -ENOENT. */
int job_lost_keys(
                Jobs *jobs,
                uint32_t id,
                int (*on_key)(const char *key, void *userdata),
                void *userdata);

/* Called on the main loop, soon after a job is new, has changed (its figures: about each second),
 * or is forgotten. One observer at most; NULL for none. When it is set it is told of all jobs that
 * there are as new. */
typedef enum JobChange { JOB_NEW, JOB_CHANGED, JOB_FORGOTTEN } JobChange;
typedef void (*JobsObserver)(uint32_t id, JobChange change, void *userdata);
void jobs_set_observer(Jobs *jobs, JobsObserver on_change, void *userdata);
