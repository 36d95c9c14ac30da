/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

/* The table is small; without memory for it there is nothing left to do. */
#define uthash_fatal(message) abort()
#include <uthash.h>

#include "master/cluster/settings.h"
#include "master/job/plan.h"
#include "master/job/table.h"
#include "master/master.h"

#define SCAN_MAX 1000
#define SAMPLES  64

static const char *const what_names[_JOB_PLAN_WHAT_MAX] = {
        [JOB_PLAN_REBALANCE] = "rebalance",
        [JOB_PLAN_ADD] = "add",
        [JOB_PLAN_DELETE] = "delete",
        [JOB_PLAN_COPIES] = "copies",
};

const char *job_plan_what_to_string(JobPlanWhat what) {
        assert(what >= 0 && what < _JOB_PLAN_WHAT_MAX);

        return what_names[what];
}

int job_plan_what_from_string(const char *string) {
        for (int i = 0; i < _JOB_PLAN_WHAT_MAX; i++)
                if (strcmp(string, what_names[i]) == 0)
                        return i;
        return -EINVAL;
}

typedef struct Pair {
        uint64_t id; /* source and target */
        JobPlanMove move;
        UT_hash_handle hh;
} Pair;

typedef struct JobPlanner {
        Jobs *jobs; /* not owned */
        JobPlanDone done;
        void *userdata;
        JobPlanWhat what;
        uint32_t numbers[JOB_VOLUMES_MAX];
        size_t n_numbers;
        uint32_t copies;

        Cluster *cluster;      /* as it would be */
        VolumeStatus *volumes; /* in the same order */
        size_t n_volumes;
        JobPlan plan;
        Pair *pairs;
        char cursor[KEY_MAX + 1];
        size_t n_seen; /* in this scan */

        /* Some of the copies that are to be made, which may have to wait. */
        Stray samples[SAMPLES];
        uint64_t n_samples;
} JobPlanner;

static JobPlanner *planner_free(JobPlanner *planner) {
        Pair *pair, *next;

        if (!planner)
                return NULL;

        HASH_ITER(hh, planner->pairs, pair, next) {
                HASH_DEL(planner->pairs, pair);
                free(pair);
        }
        (void) cluster_free(planner->cluster);
        free(planner->volumes);
        free(planner->plan.moves);
        free(planner->plan.volumes);
        free(planner);
        return NULL;
}
DEFINE_CLEANUP(JobPlanner *, planner_free);

static size_t index_of(const JobPlanner *planner, uint32_t number) {
        return (size_t) (cluster_find(planner->cluster, number) - planner->cluster->volumes);
}

/* As if all volumes were there, but for those that are down and to go. */
static PlanAbility ability(const Volume *volume, void *userdata) {
        const JobPlanner *planner = userdata;
        const VolumeStatus *status = planner->volumes + (volume - planner->cluster->volumes);

        if (!status->up && volume->state == VOLUME_DRAINING)
                return PLAN_DOWN;
        return status->maintenance_until > 0 ? PLAN_SOURCE : PLAN_TARGET;
}

static int add_move(JobPlanner *planner, uint32_t source, uint32_t target, uint64_t size) {
        uint64_t id = (uint64_t) source << 32 | target;
        Pair *pair;

        HASH_FIND(hh, planner->pairs, &id, sizeof(id), pair);
        if (!pair) {
                pair = calloc(1, sizeof(*pair));
                if (!pair)
                        return -ENOMEM;
                pair->id = id;
                pair->move = (JobPlanMove){ .source = source, .target = target };
                HASH_ADD(hh, planner->pairs, id, sizeof(pair->id), pair);
        }
        pair->move.keys++;
        if (target != 0) {
                pair->move.bytes += size;
                planner->plan.volumes[index_of(planner, target)].bytes_after += size;
        }
        return 0;
}

/* Where a new copy would come from: the volume that loses one, if it can be read. */
static uint32_t find_source(const Plan *plan, size_t i) {
        for (size_t j = 0; i < plan->n_drop && j < plan->n_sources; j++)
                if (plan->sources[j] == plan->drop[i])
                        return plan->drop[i];
        return plan->sources[0];
}

static int add_key(JobPlanner *planner, const Record *record, const Plan *plan) {
        JobPlanVolume *volumes = planner->plan.volumes;
        int r = 0;

        for (size_t i = 0; i < plan->n_add && r >= 0; i++) {
                planner->samples[planner->n_samples++ % SAMPLES] = (Stray){
                        .version = record->version,
                        .volume = plan->add[i],
                };
                r = add_move(planner, find_source(plan, i), plan->add[i], record->size);
                planner->plan.bytes += record->size;
        }
        for (size_t i = 0; i < plan->n_drop && r >= 0; i++) {
                if (cluster_find(planner->cluster, plan->drop[i]))
                        volumes[index_of(planner, plan->drop[i])].bytes_after -= record->size;
                if (i >= plan->n_add)
                        r = add_move(planner, plan->drop[i], 0, record->size);
        }
        planner->plan.keys++;
        return r;
}

/* A drain leaves alone what is not on the volumes that are to go, wherever that belongs. */
static bool is_for_job(const JobPlanner *planner, const Record *record) {
        if (planner->what != JOB_PLAN_DELETE)
                return true;

        for (size_t i = 0; i < record->n_copies; i++)
                for (size_t j = 0; j < planner->n_numbers; j++)
                        if (record->copies[i] == planner->numbers[j])
                                return true;
        return false;
}

/* Under the index's lock. */
static int on_entry(const char *key, const Record *record, void *userdata) {
        JobPlanner *planner = userdata;
        Plan plan;

        planner->n_seen++;
        planner->plan.all_keys++;
        memcpy(planner->cursor, key, strlen(key) + 1);
        for (size_t i = 0; i < record->n_copies; i++)
                if (cluster_find(planner->cluster, record->copies[i])) {
                        JobPlanVolume *volume = planner->plan.volumes +
                                                index_of(planner, record->copies[i]);

                        volume->bytes_before += record->size;
                        volume->bytes_after += record->size;
                }

        if (!is_for_job(planner, record))
                return 0;

        plan_key(planner->cluster, key_hash(key), record, planner->copies, ability, planner, &plan);
        if (plan.n_sources == 0) {
                planner->plan.lost_keys++;
                return 0;
        }
        return plan_steps(&plan) > 0 ? add_key(planner, record, &plan) : 0;
}

static int by_source(const void *a, const void *b) {
        const JobPlanMove *x = a, *y = b;

        if (x->source != y->source)
                return x->source < y->source ? -1 : 1;
        return x->target < y->target ? -1 : x->target > y->target;
}

static int list_moves(JobPlanner *planner) {
        JobPlan *plan = &planner->plan;
        Pair *pair, *next;

        plan->moves = calloc(HASH_COUNT(planner->pairs) + 1, sizeof(*plan->moves));
        if (!plan->moves)
                return -ENOMEM;

        HASH_ITER(hh, planner->pairs, pair, next)
        plan->moves[plan->n_moves++] = pair->move;
        qsort(plan->moves, plan->n_moves, sizeof(*plan->moves), by_source);
        return 0;
}

/* What was dropped lately has nearly the same time, so a few tell it. */
static void look_what_waits(JobPlanner *planner) {
        for (size_t i = 0; i < MIN(planner->n_samples, (uint64_t) SAMPLES); i++) {
                const Stray *sample = planner->samples + i;

                if (stray_is_there(planner->jobs, sample))
                        planner->plan.waits_until_usec = MAX(
                                        planner->plan.waits_until_usec,
                                        stray_due(planner->jobs, sample));
        }
}

static int read_all(JobPlanner *planner) {
        char after[KEY_MAX + 1];
        int r;

        do {
                if (__atomic_load_n(&planner->jobs->stopping, __ATOMIC_RELAXED))
                        return -ESHUTDOWN;
                planner->n_seen = 0;
                memcpy(after, planner->cursor, sizeof(after));
                r = index_scan(planner->jobs->master->index, "", after, SCAN_MAX, on_entry,
                               planner);
                if (r < 0)
                        return r;
        } while (planner->n_seen > 0);

        look_what_waits(planner);
        return list_moves(planner);
}

static void *run(void *userdata) {
        JobPlanner *planner = userdata;
        int r;

        r = read_all(planner);
        planner->done(r, r < 0 ? NULL : &planner->plan, planner->userdata);
        __atomic_store_n(&planner->jobs->is_planning, false, __ATOMIC_RELEASE);
        (void) planner_free(planner);
        return NULL;
}

static int change_map(JobPlanner *planner) {
        VolumeState state = planner->what == JOB_PLAN_ADD ? VOLUME_ACTIVE : VOLUME_DRAINING;

        if (planner->what != JOB_PLAN_ADD && planner->what != JOB_PLAN_DELETE)
                return 0;

        for (size_t i = 0; i < planner->n_numbers; i++) {
                const Volume *volume = cluster_find(planner->cluster, planner->numbers[i]);
                int r;

                if (!volume)
                        return -ENOENT;
                if (volume->state == state ||
                    (state == VOLUME_DRAINING && volume->state == VOLUME_NEW))
                        continue;
                r = cluster_set_state(planner->cluster, planner->numbers[i], state);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Looks at the map as it is now, and makes it what it would be. */
static int look(JobPlanner *planner) {
        Volumes *volumes = planner->jobs->master->volumes;
        uint64_t epoch;
        int r;

        do {
                planner->cluster = cluster_free(planner->cluster);
                free(TAKE_PTR(planner->volumes));
                r = volumes_list(volumes, &planner->volumes, &planner->n_volumes, &epoch);
                if (r >= 0)
                        r = volumes_snapshot(volumes, &planner->cluster);
                if (r < 0)
                        return r;
        } while (planner->cluster->epoch != epoch);

        planner->plan.n_volumes = planner->n_volumes;
        planner->plan.volumes = calloc(planner->n_volumes + 1, sizeof(*planner->plan.volumes));
        if (!planner->plan.volumes)
                return -ENOMEM;
        for (size_t i = 0; i < planner->n_volumes; i++) {
                planner->plan.volumes[i].number = planner->volumes[i].number;
                planner->plan.volumes[i].disk_free = planner->volumes[i].seen_usec > 0
                                                                     ? planner->volumes[i].disk_free
                                                                     : UINT64_MAX;
        }
        return change_map(planner);
}

static int check(Jobs *jobs, const JobPlanRequest *request, uint32_t *reterr_number) {
        if (request->n_numbers > JOB_VOLUMES_MAX)
                return -EINVAL;

        switch (request->what) {
        case JOB_PLAN_ADD:
                return volumes_check_add(
                                jobs->master->volumes, request->numbers, request->n_numbers,
                                reterr_number);
        case JOB_PLAN_DELETE:
                return volumes_check_drain(
                                jobs->master->volumes, request->numbers, request->n_numbers,
                                reterr_number);
        case JOB_PLAN_COPIES:
                return request->copies >= 1
                                       ? volumes_check_copies(
                                                         jobs->master->volumes, request->copies)
                                       : -EINVAL;
        default:
                return 0;
        }
}

int job_plan(Jobs *jobs,
             const JobPlanRequest *request,
             JobPlanDone done,
             void *userdata,
             uint32_t *reterr_number) {
        _cleanup_(planner_freep) JobPlanner *planner = NULL;
        int r;

        *reterr_number = 0;
        r = check(jobs, request, reterr_number);
        if (r < 0)
                return r;
        if (__atomic_load_n(&jobs->is_planning, __ATOMIC_ACQUIRE))
                return -EAGAIN;

        planner = calloc(1, sizeof(*planner));
        if (!planner)
                return -ENOMEM;
        planner->jobs = jobs;
        planner->done = done;
        planner->userdata = userdata;
        planner->what = request->what;
        planner->n_numbers = request->n_numbers;
        if (request->n_numbers > 0)
                memcpy(planner->numbers, request->numbers,
                       request->n_numbers * sizeof(*request->numbers));
        planner->copies = request->what == JOB_PLAN_COPIES ? request->copies
                                                           : volumes_copies(jobs->master->volumes);
        r = look(planner);
        if (r < 0)
                return r;

        job_plan_end(jobs);
        jobs->is_planning = jobs->has_planner = true;
        r = pthread_create(&jobs->planner, NULL, run, planner);
        if (r > 0) {
                jobs->is_planning = jobs->has_planner = false;
                return -r;
        }
        TAKE_PTR(planner);
        return 0;
}

void job_plan_end(Jobs *jobs) {
        if (jobs->has_planner)
                (void) pthread_join(jobs->planner, NULL);
        jobs->has_planner = false;
}
