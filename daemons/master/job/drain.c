/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Drain: passes over all keys until one finds nothing any more on the volumes that are to go, and
 * nothing can come any more; then they are removed. */

#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <string.h>

#include "base/clock.h"
#include "master/cluster/settings.h"
#include "master/job/pass.h"
#include "master/master.h"

#define WAIT_USEC USEC_PER_SEC

/* For clocks that differ, and for writes that are nearly through. */
#define SLACK_USEC (5 * USEC_PER_SEC)

/* A volume that has been down for so long is dead, if it is to go; a shorter while is a restart. */
#define DEAD_USEC (15 * USEC_PER_SEC)

static bool is_leaving(const Job *job, uint32_t number) {
        for (size_t i = 0; i < job->status.n_numbers; i++)
                if (job->status.numbers[i] == number)
                        return true;
        return false;
}

static bool wants(const Job *job, const Record *record, const Plan *plan) {
        for (size_t i = 0; i < record->n_copies; i++)
                if (is_leaving(job, record->copies[i]))
                        return true;
        return false;
}

typedef struct Waiter {
        VolumesChange change;
        sem_t done;
        int result;
} Waiter;

static void on_changed(VolumesChange *change, int result) {
        Waiter *waiter = CONTAINER_OF(change, Waiter, change);

        waiter->result = result;
        (void) sem_post(&waiter->done);
}

/* Changes the map for these volumes and waits for it. */
static int change(
                const Job *job,
                const uint32_t numbers[],
                size_t n,
                int (*function)(Volumes *volumes,
                                const uint32_t numbers[],
                                size_t n,
                                VolumesChange *change)) {
        Waiter waiter = { .change = { .epoch = EPOCH_ANY, .done = on_changed } };
        int r;

        (void) sem_init(&waiter.done, 0, 0);
        r = function(job->jobs->master->volumes, numbers, n, &waiter.change);
        if (r >= 0) {
                while (sem_wait(&waiter.done) < 0)
                        ;
                r = MIN(waiter.result, 0);
        }
        (void) sem_destroy(&waiter.done);
        return r;
}

/* Whether the volumes that have not reported lately have not done so for long. */
static bool are_dead(const Pass *pass) {
        uint64_t now = clock_realtime();

        for (size_t i = 0; i < pass->n_volumes; i++) {
                const VolumeStatus *volume = pass->volumes + i;

                if (is_leaving(pass->job, volume->number) && !volume->up &&
                    now < MAX(volume->seen_usec, pass->jobs->began_usec) + DEAD_USEC)
                        return false;
        }
        return true;
}

static int wait_because(Pass *pass, const char *why) {
        job_explain(pass->job, "%s", why);
        job_wait(pass->job, WAIT_USEC);
        return 0;
}

/* The keys that are left have no copy that can be read. */
static int handle_lost(Pass *pass) {
        Job *job = pass->job;

        if (!are_dead(pass))
                return wait_because(pass, "Waits for a volume that is down.");

        job_set_lost(job, &pass->lost, pass->n_lost);
        if (job->status.accept_loss)
                return 1;
        job_explain(job,
                    "%" PRIu64 " keys have their only good copy on volumes that are to go and "
                    "cannot be read.",
                    pass->n_lost);
        return -EHOSTDOWN;
}

/* From now on, or no longer, no commit may name the volumes. */
static int bar(Job *job, bool is_barred) {
        (void) pthread_mutex_lock(&job->jobs->lock);
        job->is_barred = is_barred;
        (void) pthread_mutex_unlock(&job->jobs->lock);
        return jobs_set_bars(job->jobs);
}

/* Whoever has made a volume active again does not want it to be removed. */
static int check_leaving(const Pass *pass) {
        for (size_t i = 0; i < pass->n_volumes; i++) {
                const VolumeStatus *volume = pass->volumes + i;

                if (!is_leaving(pass->job, volume->number) || volume->state == VOLUME_DRAINING ||
                    volume->state == VOLUME_REMOVED)
                        continue;
                job_explain(pass->job, "Volume %" PRIu32 " is not to be drained any more.",
                            volume->number);
                return -EBUSY;
        }
        return 0;
}

/* Until then writes may come that were begun before, with the tickets of then; the few that still
 * come later are refused, and begun anew by their clients. */
static uint64_t quiet_usec(const Job *job) {
        return job->status.started_usec + job->jobs->master->conf.ticket_usec + SLACK_USEC;
}

/* A pass has found nothing. That is final if nothing could come meanwhile. */
static int remove_volumes(Pass *pass) {
        Job *job = pass->job;
        uint64_t now = clock_realtime(), quiet = quiet_usec(job);
        int r;

        r = check_leaving(pass);
        if (r < 0)
                return r;
        if (now < quiet) {
                job_explain(job, "Waits until no ticket for its volumes is valid any more.");
                job_wait(job, quiet - now);
                return 0;
        }
        if (!job->is_barred)
                return MIN(bar(job, true), 0);

        r = change(job, job->status.numbers, job->status.n_numbers, volumes_remove);
        if (r < 0) {
                job_explain(job, "The volumes could not be removed from the map: %s.",
                            strerror(-r));
                return r;
        }
        return 1;
}

static int pass_ended(Pass *pass) {
        Job *job = pass->job;
        int r;

        if (pass->n_moved > 0) {
                if (pass->n_later > 0)
                        job_wait(job, WAIT_USEC);
                return 0;
        }
        if (pass->n_later > 0)
                return wait_because(pass, "Some copies cannot be moved now, trying again.");
        if (pass->n_full > 0) {
                job_explain(job, "Volume %" PRIu32 " has no room for %" PRIu64 " keys.", pass->full,
                            pass->n_full);
                return -ENOSPC;
        }
        if (pass->n_down > 0)
                return wait_because(pass, "Waits for a volume that is down.");
        if (pass->n_lost > 0) {
                r = handle_lost(pass);
                if (r <= 0)
                        return r;
        }
        return remove_volumes(pass);
}

/* Those that another job drains, too, or has removed, stay as they are. */
static int cancel(Job *job) {
        _cleanup_free_ VolumeStatus *volumes = NULL;
        uint32_t numbers[JOB_VOLUMES_MAX];
        size_t n = 0, n_volumes;
        uint64_t epoch;
        int r;

        r = bar(job, false);
        if (r >= 0)
                r = volumes_list(job->jobs->master->volumes, &volumes, &n_volumes, &epoch);
        if (r < 0)
                return r;

        (void) pthread_mutex_lock(&job->jobs->lock);
        for (size_t i = 0; i < n_volumes && n < ELEMENTSOF(numbers); i++)
                if (volumes[i].state == VOLUME_DRAINING && is_leaving(job, volumes[i].number) &&
                    !job_is_wanted_elsewhere(job, volumes[i].number))
                        numbers[n++] = volumes[i].number;
        (void) pthread_mutex_unlock(&job->jobs->lock);
        return n > 0 ? change(job, numbers, n, volumes_undrain) : 0;
}

const JobKind job_drain = {
        .is_about_all = true,
        .wants = wants,
        .pass_ended = pass_ended,
        .cancel = cancel,
};
