/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Passes of jobs over the index. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/job/pass.h"
#include "master/master.h"
#include "store/index/damage.h"

#define SCAN_MAX  1000
#define LOOK_USEC (USEC_PER_SEC / 2) /* how often the map and the volumes are looked at */
#define TICK_USEC USEC_PER_SEC
#define SAVE_USEC (3 * USEC_PER_SEC)

/* What a scan has found, to be moved when the index is not locked any more. */
typedef struct Found {
        struct Found *next;
        Plan plan;
        uint64_t version, size;
        char key[];
} Found;

typedef struct Scan {
        Pass *pass;
        Found *first, **tail;
        size_t n_seen;
} Scan;

void job_explain(Job *job, const char *format, ...) {
        va_list arguments;

        (void) pthread_mutex_lock(&job->jobs->lock);
        va_start(arguments, format);
        (void) vsnprintf(job->status.error, sizeof(job->status.error), format, arguments);
        va_end(arguments);
        job_changed(job);
        (void) pthread_mutex_unlock(&job->jobs->lock);
}

const VolumeStatus *pass_volume(const Pass *pass, uint32_t number) {
        for (size_t i = 0; i < pass->n_volumes; i++)
                if (pass->volumes[i].number == number)
                        return pass->volumes + i;
        return NULL;
}

/* A copy that is damaged is no source, and nobody moves it. */
static bool is_damaged(const Pass *pass, const Volume *volume) {
        return index_damage_kind(pass->jobs->master->index, pass->version, volume->number) !=
               DAMAGE_NONE;
}

PlanAbility pass_ability(const Volume *volume, void *userdata) {
        const Pass *pass = userdata;
        const VolumeStatus *status = pass->volumes + (volume - pass->cluster->volumes);

        if (!status->up || is_damaged(pass, volume))
                return PLAN_DOWN;
        if (status->maintenance_until > 0 || status->disk_free <= pass->size)
                return PLAN_SOURCE;
        return PLAN_TARGET;
}

/* If all volumes were up and had room. */
static PlanAbility ability_ideal(const Volume *volume, void *userdata) {
        const Pass *pass = userdata;
        const VolumeStatus *status = pass->volumes + (volume - pass->cluster->volumes);

        if (is_damaged(pass, volume))
                return PLAN_DOWN;
        return status->maintenance_until > 0 ? PLAN_SOURCE : PLAN_TARGET;
}

/* Makes the pass see the volumes as they are now. The status array is brought into the order of the
 * map, which is also by number; they are from the same map if the epoch is the same. */
static int look(Pass *pass) {
        Volumes *volumes = pass->jobs->master->volumes;
        uint64_t now = clock_monotonic(), epoch;
        int r;

        if (pass->cluster && now < pass->looked_usec + LOOK_USEC)
                return 0;

        do {
                pass->cluster = cluster_free(pass->cluster);
                free(TAKE_PTR(pass->volumes));
                r = volumes_list(volumes, &pass->volumes, &pass->n_volumes, &epoch);
                if (r >= 0)
                        r = volumes_snapshot(volumes, &pass->cluster);
                if (r < 0)
                        return r;
        } while (pass->cluster->epoch != epoch);

        pass->is_constrained = false;
        for (size_t i = 0; i < pass->n_volumes; i++)
                if (pass->volumes[i].state == VOLUME_ACTIVE ||
                    pass->volumes[i].state == VOLUME_DRAINING)
                        pass->is_constrained |= !pass->volumes[i].up ||
                                                pass->volumes[i].nearly_full;
        pass->copies = volumes_copies(volumes);
        pass->looked_usec = now;
        return 0;
}

/* The plan is empty; would it be if all volumes were up and had room? */
static bool look_what_is_missing(Pass *pass, const char *key, const Record *record) {
        Plan ideal;

        if (!pass->is_constrained)
                return false;
        plan_key(pass->cluster, key_hash(key), record, pass->copies, ability_ideal, pass, &ideal);
        if (plan_steps(&ideal) == 0 || ideal.n_sources == 0)
                return false;

        for (size_t i = 0; i < ideal.n_add; i++) {
                const VolumeStatus *status = pass_volume(pass, ideal.add[i]);

                if (status && status->up && status->disk_free <= record->size) {
                        pass->n_full++;
                        pass->full = status->number;
                        return true;
                }
        }
        pass->n_down++;
        return true;
}

/* Whether no copy of it can be read, nor is likely to. */
static bool is_lost(const Pass *pass, const Record *record) {
        unsigned damaged = index_damaged(pass->jobs->master->index, record);

        for (size_t i = 0; i < record->n_copies; i++) {
                const VolumeStatus *status = pass_volume(pass, record->copies[i]);

                if (status && (status->up || status->state == VOLUME_ACTIVE) &&
                    !(damaged & (1U << i)))
                        return false;
        }
        return true;
}

void pass_note_lost(Pass *pass, const char *key) {
        pass->n_lost++;
        if (pass->n_names < JOB_LOST_MAX) {
                buffer_put(&pass->lost, key, strlen(key) + 1);
                pass->n_names++;
        }
}

static void count(Pass *pass, const Record *record, const Plan *plan) {
        pass->n_found++;
        pass->bytes += record->size * plan->n_add;
        if (plan->n_add > 0 && plan->n_sources < pass->copies)
                pass->n_urgent[plan->n_sources]++;
}

static int keep(Scan *scan, const char *key, const Record *record, const Plan *plan) {
        size_t size = strlen(key) + 1;
        Found *found = malloc(sizeof(*found) + size);

        if (!found)
                return -ENOMEM;

        *found = (Found){ .plan = *plan, .version = record->version, .size = record->size };
        memcpy(found->key, key, size);
        *scan->tail = found;
        scan->tail = &found->next;
        return 0;
}

/* Under the index's read lock. */
static int on_entry(const char *key, const Record *record, void *userdata) {
        Scan *scan = userdata;
        Pass *pass = scan->pass;
        Job *job = pass->job;
        Plan plan;

        scan->n_seen++;
        memcpy(pass->cursor, key, strlen(key) + 1);

        pass->size = record->size;
        pass->version = record->version;
        plan_key(pass->cluster, key_hash(key), record, pass->copies,
                 job->is_resumed ? ability_ideal : pass_ability, pass, &plan);
        if (!pass->kind->wants(job, record, &plan))
                return 0;
        if (pass->is_counting) {
                if (plan_steps(&plan) > 0)
                        count(pass, record, &plan);
                return 0;
        }
        if (pass->urgency > 0 && (plan.n_add == 0 || plan.n_sources > pass->urgency))
                return 0;

        if (plan_steps(&plan) > 0 && plan.n_sources > 0) {
                pass->n_found++;
                return keep(scan, key, record, &plan);
        }
        if (plan.n_sources == 0 && is_lost(pass, record))
                pass_note_lost(pass, key);
        else if (!look_what_is_missing(pass, key, record) && pass->kind->is_about_all)
                pass->n_later++;
        return 0;
}

/* Whether a copy is about to be deleted where a new one is wanted. */
static bool is_in_the_way(Pass *pass, uint64_t version, const Plan *plan) {
        for (size_t i = 0; i < plan->n_add; i++) {
                Stray stray = { .version = version, .volume = plan->add[i] };

                if (!stray_is_there(pass->jobs, &stray))
                        continue;
                pass->stray = stray;
                pass->n_strays++;
                return true;
        }
        return false;
}

void pass_submit(Pass *pass, const char *key, const Record *record, const Plan *plan) {
        if (is_in_the_way(pass, record->version, plan) ||
            mover_submit(pass->jobs->mover, key, record, plan) < 0)
                pass->n_later++;
}

static void submit(Pass *pass, const Found *found) {
        Record record = { .version = found->version, .size = found->size };

        pass_submit(pass, found->key, &record, &found->plan);
}

static bool is_interrupted(const Pass *pass) {
        Jobs *jobs = pass->jobs;
        bool interrupted;

        (void) pthread_mutex_lock(&jobs->lock);
        interrupted = jobs->stopping || pass->job->wants_cancel ||
                      !lead_is_leading(jobs->master->lead) ||
                      pass->job->status.state != JOB_RUNNING;
        (void) pthread_mutex_unlock(&jobs->lock);
        return interrupted;
}

/* Each second the figures are told, every few they are saved. */
static void tick(Pass *pass) {
        Jobs *jobs = pass->jobs;
        JobStatus *status = &pass->job->status;
        uint64_t now = clock_monotonic(), elapsed = now - pass->ticked_usec;

        if (elapsed < TICK_USEC)
                return;

        (void) pthread_mutex_lock(&jobs->lock);
        status->bytes_per_second = (status->bytes_per_second +
                                    (status->bytes_done - pass->ticked_bytes) * USEC_PER_SEC /
                                                    elapsed) /
                                   2;
        pass->ticked_usec = now;
        pass->ticked_bytes = status->bytes_done;
        job_changed(pass->job);
        if (now > pass->saved_usec + SAVE_USEC) {
                if (!pass->is_counting)
                        memcpy(pass->job->cursor, pass->cursor, sizeof(pass->cursor));
                pass->saved_usec = now;
                jobs_save(jobs);
        }
        (void) pthread_mutex_unlock(&jobs->lock);
}

static void work(Pass *pass, uint64_t until_usec) {
        mover_work(pass->jobs->mover, until_usec);
        tick(pass);
}

/* Reads on and submits what is found. Returns how many keys were read, or a negative errno. */
static int read_on(Pass *pass) {
        Scan scan = { .pass = pass, .tail = &scan.first };
        char after[KEY_MAX + 1];
        int r;

        r = look(pass);
        if (r < 0)
                return r;
        if (pass->kind->read_on)
                return pass->kind->read_on(pass);

        memcpy(after, pass->cursor, sizeof(after));
        r = index_scan(pass->jobs->master->index, "", after, SCAN_MAX, on_entry, &scan);
        while (scan.first) {
                Found *found = scan.first;

                scan.first = found->next;
                submit(pass, found);
                free(found);
        }
        return r < 0 ? r : (int) scan.n_seen;
}

/* Returns 0 at the end, 1 if it was interrupted, or a negative errno. */
static int read_all(Pass *pass) {
        Mover *mover = pass->jobs->mover;
        bool has_more = true;

        while (has_more || mover_count(mover) > 0) {
                if (has_more && mover_count(mover) < MOVER_ENOUGH) {
                        int r = read_on(pass);

                        if (r < 0)
                                return r;
                        has_more = r > 0;
                }

                work(pass, has_more && mover_count(mover) < MOVER_ENOUGH
                                           ? 0
                                           : clock_monotonic() + TICK_USEC);
                if (is_interrupted(pass))
                        return 1;
        }

        return 0;
}

/* Like read_all(). Nothing is under way any more then, unless the daemon stops. */
static int pass_run(Pass *pass) {
        int r;

        pass->jobs->pass = pass;
        r = read_all(pass);
        if (r != 0 && !__atomic_load_n(&pass->jobs->stopping, __ATOMIC_RELAXED))
                mover_stop(pass->jobs->mover);
        pass->jobs->pass = NULL;
        return r;
}

void job_on_moved(const MoveResult *result, void *userdata) {
        Jobs *jobs = userdata;
        Pass *pass = jobs->pass;
        JobStatus *status = &pass->job->status;
        bool is_through = result->outcome == MOVE_DONE || result->outcome == MOVE_CHANGED;

        pass->n_moved += is_through;
        pass->n_later += result->outcome == MOVE_LATER || result->outcome == MOVE_FAILED;
        if (pass->kind->moved)
                pass->kind->moved(pass, result);
        pass->n_full += result->outcome == MOVE_FULL;
        if (result->outcome == MOVE_FULL)
                pass->full = result->target;
        if (result->outcome == MOVE_DAMAGED)
                pass_note_lost(pass, result->key);

        (void) pthread_mutex_lock(&jobs->lock);
        status->keys_done += is_through;
        status->bytes_done += result->bytes;
        status->skipped += result->outcome == MOVE_CHANGED;
        status->keys_total = MAX(status->keys_total, status->keys_done);
        status->bytes_total = MAX(status->bytes_total, status->bytes_done);
        (void) pthread_mutex_unlock(&jobs->lock);
}

static const JobKind *kind_of(const Job *job) {
        static const JobKind *const kinds[_JOB_TYPE_MAX] = {
                [JOB_REBALANCE] = &job_rebalance,
                [JOB_DRAIN] = &job_drain,
                [JOB_REPAIR] = &job_repair,
        };

        return kinds[job->status.type];
}

static void pass_init(Pass *pass, Job *job) {
        *pass = (Pass){
                .jobs = job->jobs,
                .job = job,
                .kind = kind_of(job),
                .began_usec = clock_realtime(),
                .ticked_usec = clock_monotonic(),
                .saved_usec = clock_monotonic(),
                .ticked_bytes = job->status.bytes_done,
        };
}

static void pass_done(Pass *pass) {
        pass->cluster = cluster_free(pass->cluster);
        free(TAKE_PTR(pass->volumes));
        buffer_done(&pass->lost);
}

/* What is still to be done, of what there was in all. */
static void set_left(uint64_t left, uint64_t *total, uint64_t *done) {
        *done = MAX(*done, *total - MIN(left, *total));
        *total = MAX(*total, *done + left);
}

/* With the lock held. */
static void set_totals(Job *job, const Pass *pass) {
        JobStatus *status = &job->status;

        set_left(pass->n_found, &status->keys_total, &status->keys_done);
        set_left(pass->bytes, &status->bytes_total, &status->bytes_done);
        job_changed(job);

        /* A pass that has begun goes on with its urgency. */
        for (uint32_t i = COPIES_MAX; !job->is_resumed && i-- > 1;)
                if (pass->n_urgent[i] > 0)
                        job->urgency = i;
        job->is_counted = true;
        job->is_resumed = false;
        jobs_save(job->jobs);
}

/* Finds out how much there is to do. After a start of the daemon, the volumes have not reported
 * yet, and are taken to be up. */
static int count_all(Job *job) {
        _cleanup_(pass_done) Pass pass;
        int r;

        pass_init(&pass, job);
        pass.is_counting = true;
        r = pass_run(&pass);
        if (r != 0)
                return r;

        (void) pthread_mutex_lock(&job->jobs->lock);
        set_totals(job, &pass);
        (void) pthread_mutex_unlock(&job->jobs->lock);
        return 0;
}

/* The most urgent keys had their pass; now the next ones, and in the end all. */
static void lower_urgency(Job *job, uint32_t copies) {
        (void) pthread_mutex_lock(&job->jobs->lock);
        job->urgency = job->urgency + 1 < copies ? job->urgency + 1 : 0;
        job->cursor[0] = '\0';
        (void) pthread_mutex_unlock(&job->jobs->lock);
}

/* Who joins the job from now on may want what this pass does not see any more. */
static void begin_moving(Pass *pass) {
        Job *job = pass->job;

        (void) pthread_mutex_lock(&job->jobs->lock);
        pass->urgency = job->urgency;
        memcpy(pass->cursor, job->cursor, sizeof(pass->cursor));
        pass->is_partial = *pass->cursor;
        if (!pass->is_partial && pass->urgency == 0)
                job->is_joined = false;
        mover_set_limits(job->jobs->mover, &job->status.limits);
        (void) pthread_mutex_unlock(&job->jobs->lock);
}

static int move_all(Job *job) {
        _cleanup_(pass_done) Pass pass;
        int r;

        pass_init(&pass, job);
        begin_moving(&pass);

        r = pass_run(&pass);
        if (r != 0) {
                (void) pthread_mutex_lock(&job->jobs->lock);
                memcpy(job->cursor, pass.cursor, sizeof(pass.cursor));
                (void) pthread_mutex_unlock(&job->jobs->lock);
                return r;
        }
        if (pass.urgency > 0) {
                lower_urgency(job, pass.copies);
                return 0;
        }

        (void) pthread_mutex_lock(&job->jobs->lock);
        job->cursor[0] = '\0';
        job->status.error[0] = '\0';
        job->status.waits_until_usec = 0;
        (void) pthread_mutex_unlock(&job->jobs->lock);
        if (pass.is_partial)
                return 0;

        r = pass.kind->pass_ended(&pass);
        return r < 0 ? r : r > 0 ? JOB_STEP_DONE : 0;
}

int job_step(Job *job) {
        bool is_counted;

        (void) pthread_mutex_lock(&job->jobs->lock);
        is_counted = job->is_counted && !job->is_resumed;
        (void) pthread_mutex_unlock(&job->jobs->lock);
        return is_counted ? move_all(job) : count_all(job);
}

int job_cancel_now(Job *job) {
        return kind_of(job)->cancel ? kind_of(job)->cancel(job) : 0;
}
