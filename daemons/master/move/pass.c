/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/move/pass.h"
#include "store/index/damage.h"

#define SCAN_MAX  1000
#define LOOK_USEC (USEC_PER_SEC / 2) /* how often the map and the volumes are looked at */
#define TICK_USEC USEC_PER_SEC       /* how often the figures are told */
#define SAVE_USEC (3 * USEC_PER_SEC) /* how often they are saved */

struct Passes {
        JobQueue *queue;  /* not owned */
        Index *index;     /* not owned */
        Volumes *volumes; /* not owned */
        Mover *mover;
        Pass *pass;     /* the one that runs; of the lane's thread */
        const Job *job; /* its job; under the table's lock */
};

/* What a scan has found, to be moved once the index is not locked any more. */
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

Index *passes_index(const Passes *passes) {
        return passes->index;
}

Volumes *passes_volumes(const Passes *passes) {
        return passes->volumes;
}

/* A damaged copy is no source, and is not moved. */
static bool is_damaged(const Pass *pass, const Volume *volume) {
        return index_damage_kind(pass->passes->index, pass->version, volume->number) != DAMAGE_NONE;
}

PlanAbility pass_ability(const Volume *volume, void *userdata) {
        const Pass *pass = userdata;
        const VolumeStatus *status = cluster_view_status(&pass->view, volume);

        if (!status->up || is_damaged(pass, volume))
                return PLAN_DOWN;
        if (status->maintenance_until > 0 || status->disk_free <= pass->size)
                return PLAN_SOURCE;
        return PLAN_TARGET;
}

/* As if all volumes were up and had room. */
static PlanAbility ability_ideal(const Volume *volume, void *userdata) {
        const Pass *pass = userdata;

        if (is_damaged(pass, volume))
                return PLAN_DOWN;
        return cluster_view_status(&pass->view, volume)->maintenance_until > 0 ? PLAN_SOURCE
                                                                               : PLAN_TARGET;
}

static int look(Pass *pass) {
        if (pass->view.cluster && clock_monotonic() < pass->view.looked_usec + LOOK_USEC)
                return 0;
        return cluster_view_look(&pass->view, pass->passes->volumes);
}

static void plan(const Pass *pass, const char *key, const Record *record, PlanAsk ask, Plan *ret) {
        plan_key(pass->view.cluster, key_hash(key), record, pass->view.copies, ask, (void *) pass,
                 ret);
}

/* The plan is empty. Would it be if all volumes were up and had room? Notes what is missing. */
static bool look_what_is_missing(Pass *pass, const char *key, const Record *record) {
        Plan ideal;

        if (!pass->view.is_constrained)
                return false;
        plan(pass, key, record, ability_ideal, &ideal);
        if (plan_steps(&ideal) == 0 || ideal.n_sources == 0)
                return false;

        for (size_t i = 0; i < ideal.n_add; i++) {
                const VolumeStatus *status = cluster_view_find(&pass->view, ideal.add[i]);

                if (status && status->up && status->disk_free <= record->size) {
                        pass->counts.n_full++;
                        pass->counts.full = status->number;
                        return true;
                }
        }
        pass->counts.n_down++;
        return true;
}

/* Whether no copy of it can be read, nor is likely to become readable. */
static bool is_lost(const Pass *pass, const Record *record) {
        unsigned damaged = index_damaged(pass->passes->index, record);

        for (size_t i = 0; i < record->n_copies; i++) {
                const VolumeStatus *status = cluster_view_find(&pass->view, record->copies[i]);

                if (status && (status->up || status->state == VOLUME_ACTIVE) &&
                    !(damaged & (1U << i)))
                        return false;
        }
        return true;
}

void pass_note_lost(Pass *pass, const char *key) {
        PassCounts *counts = &pass->counts;

        counts->n_lost++;
        if (counts->n_names < JOB_LOST_MAX) {
                buffer_put(&counts->lost, key, strlen(key) + 1);
                counts->n_names++;
        }
}

static void count(Pass *pass, const Record *record, const Plan *plan) {
        pass->counts.n_found++;
        pass->counts.bytes += record->size * plan->n_add;
        if (plan->n_add > 0 && plan->n_sources < pass->view.copies)
                pass->counts.n_urgent[plan->n_sources]++;
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

static int handle_key(Scan *scan, const char *key, const Record *record, const Plan *plan) {
        Pass *pass = scan->pass;

        if (pass->is_counting) {
                if (plan_steps(plan) > 0)
                        count(pass, record, plan);
                return 0;
        }
        if (pass->urgency > 0 && (plan->n_add == 0 || plan->n_sources > pass->urgency))
                return 0;

        if (plan_steps(plan) > 0 && plan->n_sources > 0) {
                pass->counts.n_found++;
                return keep(scan, key, record, plan);
        }
        if (plan->n_sources == 0 && is_lost(pass, record))
                pass_note_lost(pass, key);
        else if (!look_what_is_missing(pass, key, record) && pass->kind->is_about_all)
                pass->counts.n_later++;
        return 0;
}

/* Under the index's read lock. */
static int on_entry(const char *key, const Record *record, void *userdata) {
        Scan *scan = userdata;
        Pass *pass = scan->pass;
        Plan found;

        scan->n_seen++;
        memcpy(pass->cursor, key, strlen(key) + 1);
        if (!pass->kind->wants(pass->job, record))
                return 0;

        pass->size = record->size;
        pass->version = record->version;
        plan(pass, key, record, pass->job->progress.is_resumed ? ability_ideal : pass_ability,
             &found);
        return handle_key(scan, key, record, &found);
}

/* Whether a surplus copy is where a new copy is wanted. */
static bool is_in_the_way(Pass *pass, uint64_t version, const Plan *plan) {
        for (size_t i = 0; i < plan->n_add; i++) {
                Surplus surplus = { .version = version, .volume = plan->add[i] };

                if (!surplus_exists(pass->passes->index, &surplus))
                        continue;
                pass->counts.surplus = surplus;
                pass->counts.n_surplus++;
                return true;
        }
        return false;
}

void pass_submit(Pass *pass, const char *key, const Record *record, const Plan *plan) {
        if (is_in_the_way(pass, record->version, plan) ||
            mover_submit(pass->passes->mover, key, record, plan) < 0)
                pass->counts.n_later++;
}

const char *pass_format_time(uint64_t usec, char ret[static PASS_TIME_SIZE]) {
        time_t seconds = (time_t) (usec / USEC_PER_SEC);
        struct tm tm;

        if (!localtime_r(&seconds, &tm) || strftime(ret, PASS_TIME_SIZE, "%H:%M:%S", &tm) == 0)
                *ret = '\0';
        return ret;
}

bool pass_explain_surplus(Pass *pass) {
        Job *job = pass->job;
        char time[PASS_TIME_SIZE];
        uint64_t due;

        if (pass->counts.n_surplus == 0)
                return false;

        due = surplus_due(pass->passes->index, &pass->counts.surplus);
        if (due <= clock_realtime() || *pass_format_time(due, time) == '\0')
                return false; /* at any moment */

        job_explain(job, "Waits until %s, when old copies are deleted.", time);
        (void) pthread_mutex_lock(&job->table->lock);
        job->status.waits_until_usec = due;
        (void) pthread_mutex_unlock(&job->table->lock);
        return true;
}

static void submit(Pass *pass, const Found *found) {
        Record record = { .version = found->version, .size = found->size };

        pass_submit(pass, found->key, &record, &found->plan);
}

static void update_speed(Pass *pass, uint64_t elapsed) {
        JobStatus *status = &pass->job->status;
        uint64_t bytes = status->bytes_done - pass->ticked_bytes;

        status->bytes_per_second = (status->bytes_per_second + bytes * USEC_PER_SEC / elapsed) / 2;
        pass->ticked_bytes = status->bytes_done;
}

static void tick(Pass *pass) {
        Job *job = pass->job;
        uint64_t now = clock_monotonic(), elapsed = now - pass->ticked_usec;

        if (elapsed < TICK_USEC)
                return;

        (void) pthread_mutex_lock(&job->table->lock);
        update_speed(pass, elapsed);
        pass->ticked_usec = now;
        job_changed(job);
        if (now > pass->saved_usec + SAVE_USEC) {
                if (!pass->is_counting)
                        memcpy(job->progress.cursor, pass->cursor, sizeof(pass->cursor));
                pass->saved_usec = now;
                job_table_save(job->table);
        }
        (void) pthread_mutex_unlock(&job->table->lock);
}

static void work(Pass *pass, uint64_t until_usec) {
        mover_work(pass->passes->mover, until_usec);
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
        r = index_scan(pass->passes->index, "", after, SCAN_MAX, on_entry, &scan);
        while (scan.first) {
                Found *found = scan.first;

                scan.first = found->next;
                submit(pass, found);
                free(found);
        }
        return r < 0 ? r : (int) scan.n_seen;
}

/* Returns JOB_STEP_DONE, JOB_STEP_INTERRUPTED, or a negative errno. */
static int read_all(Pass *pass) {
        const Mover *mover = pass->passes->mover;
        bool has_more = true;

        while (has_more || mover_count(mover) > 0) {
                bool reads = has_more && mover_count(mover) < MOVER_ENOUGH;

                if (reads) {
                        int r = read_on(pass);

                        if (r < 0)
                                return r;
                        has_more = r > 0;
                        reads = has_more && mover_count(mover) < MOVER_ENOUGH;
                }

                work(pass, reads ? 0 : clock_monotonic() + TICK_USEC);
                if (job_queue_interrupts(pass->passes->queue, pass->job))
                        return JOB_STEP_INTERRUPTED;
        }

        return JOB_STEP_DONE;
}

/* Like read_all(). Afterwards nothing is under way any more, unless the daemon stops. */
static int run(Pass *pass) {
        Passes *passes = pass->passes;
        int r;

        passes->pass = pass;
        r = read_all(pass);
        if (r != JOB_STEP_DONE && !job_queue_is_stopping(passes->queue))
                mover_stop(passes->mover);
        passes->pass = NULL;
        return r;
}

static void on_moved(const MoveResult *result, void *userdata) {
        Passes *passes = userdata;
        Pass *pass = passes->pass;
        PassCounts *counts = &pass->counts;
        JobStatus *status = &pass->job->status;
        bool is_through = result->outcome == MOVE_DONE || result->outcome == MOVE_CHANGED;

        counts->n_moved += is_through;
        counts->n_later += result->outcome == MOVE_LATER || result->outcome == MOVE_FAILED;
        if (pass->kind->moved)
                pass->kind->moved(pass, result);
        counts->n_full += result->outcome == MOVE_FULL;
        if (result->outcome == MOVE_FULL)
                counts->full = result->target;
        if (result->outcome == MOVE_DAMAGED)
                pass_note_lost(pass, result->key);

        (void) pthread_mutex_lock(&pass->job->table->lock);
        status->keys_done += is_through;
        status->bytes_done += result->bytes;
        status->skipped += result->outcome == MOVE_CHANGED;
        status->keys_total = MAX(status->keys_total, status->keys_done);
        status->bytes_total = MAX(status->bytes_total, status->bytes_done);
        (void) pthread_mutex_unlock(&pass->job->table->lock);
}

static void pass_init(Pass *pass, Passes *passes, Job *job, const PassKind *kind, void *userdata) {
        *pass = (Pass){
                .passes = passes,
                .job = job,
                .kind = kind,
                .userdata = userdata,
                .ticked_usec = clock_monotonic(),
                .saved_usec = clock_monotonic(),
                .ticked_bytes = job->status.bytes_done,
        };
}

static void pass_done(Pass *pass) {
        cluster_view_done(&pass->view);
        buffer_done(&pass->counts.lost);
}

/* LEFT is still to be done, of what there was in all. */
static void set_left(uint64_t left, uint64_t *total, uint64_t *done) {
        *done = MAX(*done, *total - MIN(left, *total));
        *total = MAX(*total, *done + left);
}

/* With the lock held. */
static void set_totals(Job *job, const PassCounts *counts) {
        JobProgress *progress = &job->progress;
        JobStatus *status = &job->status;

        set_left(counts->n_found, &status->keys_total, &status->keys_done);
        set_left(counts->bytes, &status->bytes_total, &status->bytes_done);
        job_changed(job);

        /* A pass that has begun goes on with its urgency. */
        for (uint32_t i = COPIES_MAX; !progress->is_resumed && i-- > 1;)
                if (counts->n_urgent[i] > 0)
                        progress->urgency = i;
        progress->is_counted = true;
        progress->is_resumed = false;
        job_table_save(job->table);
}

/* Finds out how much there is to do. After a start of the daemon the volumes have not reported yet,
 * and are taken to be up. */
static int count_all(Pass *pass) {
        Job *job = pass->job;
        int r;

        pass->is_counting = true;
        r = run(pass);
        if (r != JOB_STEP_DONE)
                return r;

        (void) pthread_mutex_lock(&job->table->lock);
        set_totals(job, &pass->counts);
        (void) pthread_mutex_unlock(&job->table->lock);
        return JOB_STEP_AGAIN;
}

/* The most urgent keys have had their pass; now it is the turn of the next ones, and in the end of
 * all. */
static void lower_urgency(Job *job, uint32_t copies) {
        JobProgress *progress = &job->progress;

        (void) pthread_mutex_lock(&job->table->lock);
        progress->urgency = progress->urgency + 1 < copies ? progress->urgency + 1 : 0;
        progress->cursor[0] = '\0';
        (void) pthread_mutex_unlock(&job->table->lock);
}

/* A request that joins the job from now on may want what this pass has already gone by. */
static void begin_moving(Pass *pass) {
        Job *job = pass->job;

        (void) pthread_mutex_lock(&job->table->lock);
        pass->urgency = job->progress.urgency;
        memcpy(pass->cursor, job->progress.cursor, sizeof(pass->cursor));
        pass->is_partial = *pass->cursor != '\0';
        if (!pass->is_partial && pass->urgency == 0)
                job->is_joined = false;
        mover_set_limits(pass->passes->mover, &job->status.limits);
        pass->passes->job = job;
        (void) pthread_mutex_unlock(&job->table->lock);
}

/* Returns what run() did. */
static int end_moving(Pass *pass, int result) {
        Job *job = pass->job;

        (void) pthread_mutex_lock(&job->table->lock);
        pass->passes->job = NULL;
        if (result != JOB_STEP_DONE)
                memcpy(job->progress.cursor, pass->cursor, sizeof(pass->cursor));
        (void) pthread_mutex_unlock(&job->table->lock);
        return result;
}

static int move_all(Pass *pass) {
        Job *job = pass->job;
        int r;

        begin_moving(pass);
        r = end_moving(pass, run(pass));
        if (r != JOB_STEP_DONE)
                return r;
        if (pass->urgency > 0) {
                lower_urgency(job, pass->view.copies);
                return JOB_STEP_AGAIN;
        }

        (void) pthread_mutex_lock(&job->table->lock);
        job->progress.cursor[0] = '\0';
        job->status.error[0] = '\0';
        job->status.waits_until_usec = 0;
        (void) pthread_mutex_unlock(&job->table->lock);
        return pass->is_partial ? JOB_STEP_AGAIN : pass->kind->ended(pass);
}

static void explain_failure(Job *job, int error) {
        char path[KEY_PATH_SIZE];

        (void) key_to_path(job->progress.cursor, path); /* for D-Bus, which takes UTF-8 only */
        if (*job->status.error == '\0')
                job_explain(job, "Stopped behind key '%.100s': %s.", path + 1, strerror(-error));
}

int passes_run(Passes *passes, Job *job, const PassKind *kind, void *userdata) {
        _cleanup_(pass_done) Pass pass;
        bool is_counted;
        int r;

        (void) pthread_mutex_lock(&job->table->lock);
        is_counted = job->progress.is_counted && !job->progress.is_resumed;
        pass_init(&pass, passes, job, kind, userdata);
        (void) pthread_mutex_unlock(&job->table->lock);

        r = is_counted ? move_all(&pass) : count_all(&pass);
        if (r < 0 && !job_queue_is_stopping(passes->queue))
                explain_failure(job, r);
        return r;
}

void passes_wake(Passes *passes, const Job *job) {
        if (job == passes->job)
                mover_set_limits(passes->mover, &job->status.limits);
        mover_wake(passes->mover);
}

int passes_new(JobQueue *queue, const MoverOptions *mover, Passes **ret) {
        Passes *passes = malloc(sizeof(*passes));
        int r;

        if (!passes)
                return -ENOMEM;

        *passes = (Passes){ .queue = queue, .index = mover->index, .volumes = mover->volumes };
        r = mover_new(mover, on_moved, passes, &passes->mover);
        if (r < 0) {
                free(passes);
                return r;
        }
        *ret = passes;
        return 0;
}

Passes *passes_free(Passes *passes) {
        if (!passes)
                return NULL;

        (void) mover_free(passes->mover);
        free(passes);
        return NULL;
}
