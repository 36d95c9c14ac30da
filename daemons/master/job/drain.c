/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/cluster/membership.h"
#include "master/job/drain.h"
#include "master/job/fences.h"

#define WAIT_USEC USEC_PER_SEC

/* For clocks that differ, and for writes that are nearly done. */
#define SLACK_USEC (5 * USEC_PER_SEC)

/* A leaving volume that has been down for this long is dead; a shorter while is a restart. */
#define DEAD_USEC (15 * USEC_PER_SEC)

struct Drain {
        DrainOptions options;
        Index *index;        /* not owned */
        Volumes *volumes;    /* not owned */
        uint64_t began_usec; /* since the epoch */
};

int drain_new(const DrainOptions *options, Drain **ret) {
        Drain *drain = malloc(sizeof(*drain));

        if (!drain)
                return -ENOMEM;

        *drain = (Drain){
                .options = *options,
                .index = passes_index(options->passes),
                .volumes = passes_volumes(options->passes),
                .began_usec = clock_realtime(),
        };
        *ret = drain;
        return 0;
}

Drain *drain_free(Drain *drain) {
        free(drain);
        return NULL;
}

static bool is_leaving(const Job *job, uint32_t number) {
        return job_status_has_volume(&job->status, number);
}

static bool wants(const Job *job, const Record *record) {
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
                const Drain *drain,
                const uint32_t numbers[],
                size_t n,
                int (*function)(Volumes *volumes,
                                const uint32_t numbers[],
                                size_t n,
                                VolumesChange *change)) {
        Waiter waiter = { .change = { .epoch = EPOCH_ANY, .done = on_changed } };
        int r;

        (void) sem_init(&waiter.done, 0, 0);
        r = function(drain->volumes, numbers, n, &waiter.change);
        if (r >= 0) {
                while (sem_wait(&waiter.done) < 0)
                        ;
                r = MIN(waiter.result, 0);
        }
        (void) sem_destroy(&waiter.done);
        return r;
}

/* Whether those of the volumes that are down have been so for long. */
static bool are_dead(const Pass *pass) {
        const Drain *drain = pass->userdata;
        uint64_t now = clock_realtime();

        for (size_t i = 0; i < pass->view.n_volumes; i++) {
                const VolumeStatus *volume = pass->view.volumes + i;

                if (is_leaving(pass->job, volume->number) && !volume->up &&
                    now < MAX(volume->seen_usec, drain->began_usec) + DEAD_USEC)
                        return false;
        }
        return true;
}

static int wait_because(Pass *pass, const char *why) {
        job_explain(pass->job, "%s", why);
        job_wait(pass->job, WAIT_USEC);
        return JOB_STEP_AGAIN;
}

/* The keys that are left have no copy that can be read. Returns JOB_STEP_DONE if they are given
 * up. */
static int handle_lost(Pass *pass) {
        uint64_t n = pass->counts.n_lost;
        Job *job = pass->job;

        if (!are_dead(pass))
                return wait_because(pass, "Waits for a volume that is down.");

        job_set_lost(job, &pass->counts.lost, n);
        if (job->status.accept_loss)
                return JOB_STEP_DONE;
        job_explain(job,
                    "%" PRIu64 " keys have their only good copy on leaving volumes that cannot be "
                    "read.",
                    n);
        return -EHOSTDOWN;
}

static int set_fences(Drain *drain, const Job *job) {
        return fences_set(drain->index, drain->volumes, job->table);
}

static void set_fenced(Job *job, bool is_fenced) {
        (void) pthread_mutex_lock(&job->table->lock);
        job->is_fenced = is_fenced;
        (void) pthread_mutex_unlock(&job->table->lock);
}

/* From now on no commit may name the volumes. The job counts as fenced only if that is certain;
 * what may be in force nevertheless goes with the end of the job. */
static int fence(Drain *drain, Job *job) {
        int r;

        set_fenced(job, true);
        r = set_fences(drain, job);
        if (r < 0)
                set_fenced(job, false);
        return r;
}

static int unbar(Drain *drain, Job *job) {
        set_fenced(job, false);
        return set_fences(drain, job);
}

/* A volume that was made active again must not be removed. */
static int check_leaving(const Pass *pass) {
        for (size_t i = 0; i < pass->view.n_volumes; i++) {
                const VolumeStatus *volume = pass->view.volumes + i;

                if (!is_leaving(pass->job, volume->number) || volume->state == VOLUME_DRAINING ||
                    volume->state == VOLUME_REMOVED)
                        continue;
                job_explain(pass->job, "Volume %" PRIu32 " is no longer to be drained.",
                            volume->number);
                return -EBUSY;
        }
        return 0;
}

/* Writes that began earlier may still arrive on old tickets until this time. The few that arrive
 * later are refused; their clients retry. */
static uint64_t quiet_usec(const Drain *drain, const Job *job) {
        return job->status.started_usec + *drain->options.ticket_usec + SLACK_USEC;
}

/* A pass has found nothing. That is final if nothing could arrive in the meantime. */
static int remove_volumes(Pass *pass) {
        Drain *drain = pass->userdata;
        Job *job = pass->job;
        uint64_t now = clock_realtime(), quiet = quiet_usec(drain, job);
        int r;

        r = check_leaving(pass);
        if (r < 0)
                return r;
        if (now < quiet) {
                job_wait(job, quiet - now);
                job_explain(job, "Waits until the last ticket for its volumes has expired.");
                return JOB_STEP_AGAIN;
        }
        if (!job->is_fenced) {
                r = fence(drain, job);
                return r < 0 ? r : JOB_STEP_AGAIN;
        }

        r = change(drain, job->status.numbers, job->status.n_numbers, volumes_remove);
        if (r < 0) {
                job_explain(job, "The volumes could not be removed from the map: %s.",
                            strerror(-r));
                return r;
        }
        return JOB_STEP_DONE;
}

static int pass_ended(Pass *pass) {
        const PassCounts *counts = &pass->counts;
        Job *job = pass->job;
        int r;

        if (counts->n_moved > 0) {
                if (counts->n_later > 0)
                        job_wait(job, WAIT_USEC);
                return JOB_STEP_AGAIN;
        }
        if (counts->n_later > 0)
                return wait_because(pass, "Some copies cannot be moved now, trying again.");
        if (counts->n_full > 0) {
                job_explain(job, "Volume %" PRIu32 " has no room for %" PRIu64 " keys.",
                            counts->full, counts->n_full);
                return -ENOSPC;
        }
        if (counts->n_down > 0)
                return wait_because(pass, "Waits for a volume that is down.");
        if (counts->n_lost > 0) {
                r = handle_lost(pass);
                if (r != JOB_STEP_DONE)
                        return r;
        }
        return remove_volumes(pass);
}

static int run(Job *job, void *userdata) {
        static const PassKind kind = {
                .is_about_all = true,
                .wants = wants,
                .ended = pass_ended,
        };
        Drain *drain = userdata;

        return passes_run(drain->options.passes, job, &kind, drain);
}

/* Makes its volumes active again, but for those that were removed or that another drain wants. */
static int cancel(Job *job, void *userdata) {
        Drain *drain = userdata;
        _cleanup_free_ VolumeStatus *volumes = NULL;
        uint32_t numbers[JOB_VOLUMES_MAX];
        size_t n = 0, n_volumes;
        uint64_t epoch;
        int r;

        r = unbar(drain, job);
        if (r >= 0)
                r = volumes_list(drain->volumes, &volumes, &n_volumes, &epoch);
        if (r < 0)
                return r;

        (void) pthread_mutex_lock(&job->table->lock);
        for (size_t i = 0; i < n_volumes && n < ELEMENTSOF(numbers); i++)
                if (volumes[i].state == VOLUME_DRAINING && is_leaving(job, volumes[i].number) &&
                    !job_starts_want(drain->options.starts, volumes[i].number, job))
                        numbers[n++] = volumes[i].number;
        (void) pthread_mutex_unlock(&job->table->lock);
        return n > 0 ? change(drain, numbers, n, volumes_undrain) : 0;
}

static void ended(Job *job, void *userdata) {
        Drain *drain = userdata;
        int r;

        r = unbar(drain, job);
        if (r < 0)
                (void) log_warning_errno(
                                r, "Job %" PRIu32 " may leave its volumes fenced: %m",
                                job->status.id);
}

static void wake(Job *job, void *userdata) {
        Drain *drain = userdata;

        passes_wake(drain->options.passes, job);
}

JobKind drain_kind(Drain *drain) {
        return (JobKind){
                .type = JOB_DRAIN,
                .lane = JOB_LANE_MOVE,
                .run = run,
                .cancel = cancel,
                .ended = ended,
                .wake = wake,
                .userdata = drain,
        };
}
