/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Jobs: work that the master does with the data by itself. It brings copies to where placement
 * wants them (rebalance) or away from leaving volumes (drain) on request, and it makes damaged
 * copies again (repair) as soon as there are any.
 *
 * In each lane (queue.h) one job runs at a time, in the order of their ids; the others are queued.
 * Jobs are kept in the index: they go on by themselves after a restart, however the master ended.
 * Of those that have ended the last JOBS_ENDED_MAX are remembered.
 *
 * Any thread may call any of this, unless said otherwise. */

#include <systemd/sd-event.h>

#include "master/cluster/volumes.h"
#include "master/job/preview.h"
#include "master/lead/lead.h"
#include "master/link/outbox.h"
#include "master/queue/start.h"
#include "master/queue/status.h"
#include "master/trouble/trouble.h"

typedef struct Jobs Jobs;

/* None of it is owned. */
typedef struct JobsOptions {
        sd_event *event;
        Index *index;
        Lead *lead; /* jobs run only while it leads */
        Volumes *volumes;
        Troubles *troubles;
        Outbox *outbox;
        Peers *peers;
        const _Atomic uint64_t *grace_usec;  /* how long copies that are dropped stay readable */
        const _Atomic uint64_t *ticket_usec; /* how long tickets are valid */
        bool (*has_clients)(void *userdata); /* clients are at work; from any thread; optional */
        void *userdata;                      /* for has_clients() */
} JobsOptions;

/* Loads the jobs, and goes on with those that have not ended. */
int jobs_new(const JobsOptions *options, Jobs **ret);

/* Stops moving, and returns when the threads have ended. What was under way is as after a crash:
 * the next start begins it again. More than once; JOBS may be NULL. */
void jobs_stop(Jobs *jobs);

/* After jobs_stop(), and the end of the clients and the index. */
Jobs *jobs_free(Jobs *jobs);
DEFINE_CLEANUP(Jobs *, jobs_free);

/* Starts a job. Returns 0 if done() will be called: with 0 once the job is durable and, of a drain,
 * the changed map is in force; EPOCH is that of the map. Returns a negative errno if the request is
 * refused at once: -EINVAL, and for a drain what volumes_drain() says; then *RETERR_NUMBER is the
 * volume that is the reason, 0 for all or none.
 *
 * A job under way that does the same is joined; NUMBER is then its id. It takes over the request's
 * limits and accept_loss; a rebalance looks at all keys once more before it ends. A drain is joined
 * if it has all of these volumes; if it has only some of them, or is being cancelled, the request
 * is refused with -EBUSY. */
int job_start(Jobs *jobs,
              const JobRequest *request,
              JobDone done,
              void *userdata,
              uint32_t *reterr_number);

/* These return 0, -ENOENT for an unknown id, -EBUSY for a job that has ended. They take effect
 * soon. Cancelling a drain makes its volumes active again; that also works after it has failed,
 * unless another job drains one of them by now. */
int job_pause(Jobs *jobs, uint32_t id);
int job_resume(Jobs *jobs, uint32_t id);
int job_cancel(Jobs *jobs, uint32_t id);

/* Sets all limits. Returns what the functions above do, or -EINVAL. */
int job_set_limits(Jobs *jobs, uint32_t id, const JobLimits *limits);

/* Returns 0 or -ENOENT. */
int job_get(Jobs *jobs, uint32_t id, JobStatus *ret);

/* Returns a new array, ordered by id; the caller frees it. */
int jobs_list(Jobs *jobs, JobStatus **ret, size_t *ret_n);

/* Calls on_key() for the first JOB_LOST_MAX keys that the job found without a good copy, until it
 * returns non-zero. It runs under a lock: it copies and returns. Returns what on_key() returned
 * last, 0 at the end, or -ENOENT. */
int job_lost_keys(
                Jobs *jobs,
                uint32_t id,
                int (*on_key)(const char *key, void *userdata),
                void *userdata);

/* ON_CHANGE is called on the main loop, soon after a job is new, has changed (its figures: about
 * each second), or is forgotten. There is one observer at most; NULL for none. A new one is told of
 * all jobs as new, at once. Main loop only. */
void jobs_set_observer(Jobs *jobs, JobsObserver on_change, void *userdata);

/* What a change would move; previewer_begin() in preview.h is its contract. Main loop only. */
int job_preview(Jobs *jobs,
                const PreviewRequest *request,
                PreviewDone done,
                void *userdata,
                uint32_t *reterr_number);
