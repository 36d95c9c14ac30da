/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>

#include "master/job/rebalance.h"

#define PASSES_MAX 10 /* then it ends, even if clients make new work all the time */
#define WAIT_USEC  USEC_PER_SEC

static bool wants(const Job *job, const Record *record) {
        return true;
}

static int wait_for_volumes(Pass *pass) {
        for (size_t i = 0; i < pass->view.n_volumes; i++) {
                const VolumeStatus *volume = pass->view.volumes + i;

                if (!volume->up &&
                    (volume->state == VOLUME_ACTIVE || volume->state == VOLUME_DRAINING)) {
                        job_explain(pass->job, "Waits for volume %" PRIu32 ", which is down.",
                                    volume->number);
                        break;
                }
        }
        job_wait(pass->job, WAIT_USEC);
        return JOB_STEP_AGAIN;
}

static int pass_ended(Pass *pass) {
        PassCounts *counts = &pass->counts;
        Job *job = pass->job;

        if (counts->n_moved > 0)
                job->progress.n_passes++;
        if (counts->n_moved > 0 && job->progress.n_passes < PASSES_MAX) {
                if (counts->n_later > 0)
                        job_wait(job, WAIT_USEC);
                return JOB_STEP_AGAIN;
        }
        if (counts->n_later > 0) {
                (void) pass_explain_surplus(pass);
                job_wait(job, WAIT_USEC);
                return JOB_STEP_AGAIN;
        }
        if (counts->n_down > 0)
                return wait_for_volumes(pass);

        if (counts->n_full > 0) {
                job_explain(job, "Volume %" PRIu32 " has no room for %" PRIu64 " keys.",
                            counts->full, counts->n_full);
                return -ENOSPC;
        }
        if (counts->n_lost > 0) {
                uint64_t n = counts->n_lost;

                job_set_lost(job, &counts->lost, n);
                job_explain(job, "%" PRIu64 " keys have no good copy.", n);
        }
        return JOB_STEP_DONE;
}

static int run(Job *job, void *userdata) {
        static const PassKind kind = { .wants = wants, .ended = pass_ended };

        return passes_run(userdata, job, &kind, NULL);
}

static void wake(Job *job, void *userdata) {
        passes_wake(userdata, job);
}

JobKind rebalance_kind(Passes *passes) {
        return (JobKind){
                .type = JOB_REBALANCE,
                .lane = JOB_LANE_MOVE,
                .run = run,
                .wake = wake,
                .userdata = passes,
        };
}
