/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Drains and the map: which volumes no commit may name, and which ones have to be drained. */

#include <errno.h>

#include "master/job/table.h"
#include "master/master.h"

static bool is_about(const Job *job, uint32_t number) {
        for (size_t i = 0; job->status.type == JOB_DRAIN && i < job->status.n_numbers; i++)
                if (job->status.numbers[i] == number)
                        return true;
        return false;
}

/* With the lock held. */
static bool is_barred(const Jobs *jobs, const VolumeStatus *volume) {
        if (volume->state != VOLUME_DRAINING)
                return volume->state == VOLUME_REMOVED;

        for (size_t i = 0; i < jobs->n_jobs; i++)
                if (jobs->jobs[i]->is_barred && !job_state_is_final(jobs->jobs[i]->status.state) &&
                    is_about(jobs->jobs[i], volume->number))
                        return true;
        return false;
}

int jobs_set_bars(Jobs *jobs) {
        _cleanup_free_ VolumeStatus *volumes = NULL;
        _cleanup_free_ uint32_t *numbers = NULL;
        size_t n, n_numbers = 0;
        uint64_t epoch;
        int r;

        r = volumes_list(jobs->master->volumes, &volumes, &n, &epoch);
        if (r < 0)
                return r;
        numbers = calloc(n + 1, sizeof(*numbers));
        if (!numbers)
                return -ENOMEM;

        (void) pthread_mutex_lock(&jobs->lock);
        for (size_t i = 0; i < n; i++)
                if (is_barred(jobs, volumes + i))
                        numbers[n_numbers++] = volumes[i].number;
        (void) pthread_mutex_unlock(&jobs->lock);
        return index_set_bars(jobs->master->index, numbers, n_numbers);
}

/* The last drain of a volume says what is to become of it. One that has failed leaves it as it is,
 * until somebody decides. */
static bool is_covered(const Jobs *jobs, uint32_t number) {
        const Job *last = NULL;

        for (size_t i = 0; i < jobs->n_jobs; i++)
                if (is_about(jobs->jobs[i], number))
                        last = jobs->jobs[i];
        return last && last->status.state != JOB_DONE && last->status.state != JOB_CANCELLED;
}

/* The master may have ended after it had changed the map, and before the job was durable. */
static int make_up_drain(Jobs *jobs, uint32_t number) {
        Job *job = jobs_add(jobs);

        if (!job)
                return -ENOMEM;
        job->status = (JobStatus){
                .id = ++jobs->last_id,
                .type = JOB_DRAIN,
                .numbers = { number },
                .n_numbers = 1,
                .limits.parallel = JOB_PARALLEL,
        };
        return 0;
}

int jobs_make_up(Jobs *jobs) {
        _cleanup_free_ VolumeStatus *volumes = NULL;
        uint64_t epoch;
        size_t n;
        int r;

        r = volumes_list(jobs->master->volumes, &volumes, &n, &epoch);
        for (size_t i = 0; r >= 0 && i < n; i++)
                if (volumes[i].state == VOLUME_DRAINING && !is_covered(jobs, volumes[i].number))
                        r = make_up_drain(jobs, volumes[i].number);
        return r < 0 ? r : jobs_set_bars(jobs);
}
