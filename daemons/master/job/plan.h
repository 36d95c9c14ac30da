/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Job plan: what a change would move, without any moving: counted in a pass over the index, on a
 * thread of its own. */

#include "master/job/job.h"

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

/* Returns 0 if done() will be called, on the thread that counted, where it must not block; PLAN is
 * borrowed, NULL on errors. Else -EAGAIN while another plan is being made, or what volumes_add() or
 * volumes_drain() would say, and about which volume, 0 for all. */
typedef void (*JobPlanDone)(int result, const JobPlan *plan, void *userdata);
/* From one thread at a time. */
int job_plan(Jobs *jobs,
             const JobPlanRequest *request,
             JobPlanDone done,
             void *userdata,
             uint32_t *reterr_number);
