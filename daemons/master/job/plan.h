/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Job plan: what a change would move, without moving anything: counted in a pass over the index, on
 * a thread of its own. */

#include "master/cluster/volumes.h"
#include "master/job/status.h"

typedef enum JobPlanWhat {
        JOB_PLAN_REBALANCE,
        JOB_PLAN_ADD,    /* of volumes, with the rebalance after it */
        JOB_PLAN_DELETE, /* of volumes */
        JOB_PLAN_COPIES, /* set to another number, with the rebalance after it */
        _JOB_PLAN_WHAT_MAX,
} JobPlanWhat;

const char *job_plan_what_to_string(JobPlanWhat what) _const_;
int job_plan_what_from_string(const char *string); /* or -EINVAL */

typedef struct JobPlanRequest {
        JobPlanWhat what;
        const uint32_t *numbers; /* to add or to delete */
        size_t n_numbers;        /* at most JOB_VOLUMES_MAX */
        uint32_t copies;         /* for JOB_PLAN_COPIES */
} JobPlanRequest;

typedef struct JobPlanMove {
        uint32_t source, target; /* target 0: surplus copies, deleted on the source */
        uint64_t keys, bytes;
} JobPlanMove;

typedef struct JobPlanVolume {
        uint32_t number;
        uint64_t bytes_before, bytes_after; /* of the values that are current */
        uint64_t disk_free;                 /* now; UINT64_MAX if the volume has not reported */
} JobPlanVolume;

typedef struct JobPlan {
        JobPlanMove *moves; /* ordered by source, then target; each copy is counted */
        size_t n_moves;
        JobPlanVolume *volumes; /* ordered by number */
        size_t n_volumes;
        uint64_t keys, bytes; /* keys that something happens to, and the bytes that are copied */
        uint64_t all_keys;
        uint64_t lost_keys; /* whose only copy is on volumes that are down and to be deleted */
        uint64_t waits_until_usec; /* when old copies are deleted that are in the way; 0 for none */
} JobPlan;

/* PLAN is borrowed; NULL if RESULT is an error. Thread: the planner's; it must not block. */
typedef void (*JobPlanDone)(int result, const JobPlan *plan, void *userdata);

typedef struct JobPlanner JobPlanner;

/* INDEX and VOLUMES are not owned. */
int job_planner_new(Index *index, Volumes *volumes, JobPlanner **ret);

/* Breaks off the plan that is being made, if there is one, and waits for the thread. From one
 * thread at a time; more than once. */
void job_planner_stop(JobPlanner *planner);

/* After job_planner_stop(). */
JobPlanner *job_planner_free(JobPlanner *planner);
DEFINE_CLEANUP(JobPlanner *, job_planner_free);

/* Returns 0 if done() will be called. Else -EAGAIN while another plan is being made, -EINVAL, or
 * what volumes_add(), volumes_drain() or volumes_set_copies() would say; then *RETERR_NUMBER is the
 * volume that it is about, 0 for all. From one thread at a time. */
int job_planner_plan(
                JobPlanner *planner,
                const JobPlanRequest *request,
                JobPlanDone done,
                void *userdata,
                uint32_t *reterr_number);
