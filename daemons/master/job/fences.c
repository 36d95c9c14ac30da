/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "master/job/fences.h"
#include "store/index/move.h"

static bool is_drain_of(const Job *job, uint32_t number) {
        return job->status.type == JOB_DRAIN && job_status_has_volume(&job->status, number);
}

/* With the lock held. */
static bool is_fenced(const JobTable *table, const VolumeStatus *volume) {
        if (volume->state != VOLUME_DRAINING)
                return volume->state == VOLUME_REMOVED;

        for (size_t i = 0; i < table->n_jobs; i++) {
                const Job *job = table->jobs[i];

                if (job->is_fenced && !job_state_is_final(job->status.state) &&
                    is_drain_of(job, volume->number))
                        return true;
        }
        return false;
}

int fences_set(Index *index, Volumes *volumes, JobTable *table) {
        _cleanup_free_ VolumeStatus *list = NULL;
        _cleanup_free_ uint32_t *numbers = NULL;
        size_t n, n_numbers = 0;
        uint64_t epoch;
        int r;

        r = volumes_list(volumes, &list, &n, &epoch);
        if (r < 0)
                return r;
        numbers = calloc(n + 1, sizeof(*numbers));
        if (!numbers)
                return -ENOMEM;

        (void) pthread_mutex_lock(&table->lock);
        for (size_t i = 0; i < n; i++)
                if (is_fenced(table, list + i))
                        numbers[n_numbers++] = list[i].number;
        (void) pthread_mutex_unlock(&table->lock);
        return index_set_fences(index, numbers, n_numbers);
}

/* The last drain of a volume decides what becomes of it. One that has failed leaves the volume as
 * it is until somebody decides. */
static bool is_covered(const JobTable *table, uint32_t number) {
        const Job *last = NULL;

        for (size_t i = 0; i < table->n_jobs; i++)
                if (is_drain_of(table->jobs[i], number))
                        last = table->jobs[i];
        return last && last->status.state != JOB_DONE && last->status.state != JOB_CANCELLED;
}

static int make_up_drain(JobTable *table, uint32_t number) {
        Job *job = job_table_add(table);

        if (!job)
                return -ENOMEM;
        job->status = (JobStatus){
                .id = ++table->last_id,
                .type = JOB_DRAIN,
                .numbers = { number },
                .n_numbers = 1,
                .limits.parallel = JOB_PARALLEL,
        };
        return 0;
}

int fences_make_up(Index *index, Volumes *volumes, JobTable *table) {
        _cleanup_free_ VolumeStatus *list = NULL;
        uint64_t epoch;
        size_t n;
        int r;

        r = volumes_list(volumes, &list, &n, &epoch);
        for (size_t i = 0; r >= 0 && i < n; i++)
                if (list[i].state == VOLUME_DRAINING && !is_covered(table, list[i].number))
                        r = make_up_drain(table, list[i].number);
        return r < 0 ? r : fences_set(index, volumes, table);
}
