/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Status: what others are told of a job: its type, its state, its limits, and how far it has come.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

#define JOB_VOLUMES_MAX  64
#define JOB_PARALLEL_MAX 64
#define JOB_PARALLEL     2 /* by default */

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

/* Whether a job in this state has ended. */
bool job_state_is_final(JobState state) _const_;

typedef struct JobLimits {
        uint64_t rate;     /* bytes per second, 0 for no limit */
        uint32_t parallel; /* calls at a time in which a volume takes part, as source or target;
                            * counted separately for small values and large ones */
} JobLimits;

/* A job as it is now. */
typedef struct JobStatus {
        uint32_t id; /* from 1 on, never used again */
        JobType type;
        JobState state;
        uint32_t numbers[JOB_VOLUMES_MAX]; /* the volumes that it is about */
        size_t n_numbers;
        bool accept_loss;
        JobLimits limits;
        uint32_t started_by;               /* uid */
        uint64_t started_usec, ended_usec; /* since the epoch; 0 for not yet */
        uint64_t keys_total, keys_done;    /* the total is 0 until counted, and may grow */
        uint64_t bytes_total, bytes_done;
        uint64_t skipped;          /* keys that changed in the meantime, which settled the matter */
        uint64_t bytes_per_second; /* lately */
        uint64_t lost_keys;
        uint64_t waits_until_usec; /* since the epoch; 0 if not known, or if it does not wait */
        char error[256]; /* a sentence: why it failed, or why a running job has to wait; or "" */
} JobStatus;

/* Whether the job is about volume NUMBER. */
bool job_status_has_volume(const JobStatus *status, uint32_t number) _pure_;
