/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Rebalance: passes over all keys until one finds that everything is where placement wants it. */

#include <errno.h>
#include <inttypes.h>

#include "master/job/pass.h"

#define PASSES_MAX 10 /* clients who write all along cannot keep it from ending */
#define WAIT_USEC  USEC_PER_SEC

static bool wants(const Job *job, const Record *record, const Plan *plan) {
        return true;
}

static int wait_for_volumes(Pass *pass) {
        for (size_t i = 0; i < pass->n_volumes; i++) {
                const VolumeStatus *volume = pass->volumes + i;

                if (!volume->up &&
                    (volume->state == VOLUME_ACTIVE || volume->state == VOLUME_DRAINING)) {
                        job_explain(pass->job, "Waits for volume %" PRIu32 ", which is down.",
                                    volume->number);
                        break;
                }
        }
        job_wait(pass->job, WAIT_USEC);
        return 0;
}

static int pass_ended(Pass *pass) {
        Job *job = pass->job;

        if (pass->n_moved > 0)
                job->n_passes++;
        if (pass->n_moved > 0 && job->n_passes < PASSES_MAX) {
                if (pass->n_later > 0)
                        job_wait(job, WAIT_USEC);
                return 0;
        }
        if (pass->n_later > 0) {
                (void) pass_wait_for_strays(pass);
                job_wait(job, WAIT_USEC);
                return 0;
        }
        if (pass->n_down > 0)
                return wait_for_volumes(pass);

        if (pass->n_full > 0) {
                job_explain(job, "Volume %" PRIu32 " has no room for %" PRIu64 " keys.", pass->full,
                            pass->n_full);
                return -ENOSPC;
        }
        if (pass->n_lost > 0) {
                job_set_lost(job, &pass->lost, pass->n_lost);
                job_explain(job, "%" PRIu64 " keys have no good copy.", pass->n_lost);
        }
        return 1;
}

const JobKind job_rebalance = { .wants = wants, .pass_ended = pass_ended };
