/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "master/queue/status.h"

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

bool job_status_has_volume(const JobStatus *status, uint32_t number) {
        for (size_t i = 0; i < status->n_numbers; i++)
                if (status->numbers[i] == number)
                        return true;
        return false;
}
