/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* The table is small; without memory for it there is nothing left to do. */
#define uthash_fatal(message) abort()
#include <uthash.h>

#include "core/key.h"
#include "core/placement/move-plan.h"
#include "master/cluster/membership.h"
#include "master/job/preview.h"
#include "master/move/surplus.h"
#include "master/move/view.h"

#define SCAN_MAX 1000
#define SAMPLES  64

static const char *const what_names[_PREVIEW_WHAT_MAX] = {
        [PREVIEW_REBALANCE] = "rebalance",
        [PREVIEW_ADD] = "add",
        [PREVIEW_DELETE] = "delete",
        [PREVIEW_COPIES] = "copies",
};

const char *preview_what_to_string(PreviewWhat what) {
        assert(what >= 0 && what < _PREVIEW_WHAT_MAX);

        return what_names[what];
}

int preview_what_from_string(const char *string) {
        for (int i = 0; i < _PREVIEW_WHAT_MAX; i++)
                if (strcmp(string, what_names[i]) == 0)
                        return i;
        return -EINVAL;
}

typedef struct Pair {
        uint64_t id; /* source and target */
        PreviewMove move;
        UT_hash_handle hh;
} Pair;

struct Previewer {
        Index *index;     /* not owned */
        Volumes *volumes; /* not owned */
        atomic_bool stopping;
        atomic_bool is_planning;
        bool has_thread;
        pthread_t thread;
};

/* A plan that is being made. */
typedef struct Planning {
        Previewer *previewer; /* not owned */
        PreviewDone done;
        void *userdata;
        PreviewWhat what;
        uint32_t numbers[JOB_VOLUMES_MAX];
        size_t n_numbers;

        ClusterView view; /* as it would be */
        Preview plan;
        Pair *pairs;
        char cursor[KEY_MAX + 1];
        size_t n_seen; /* in this scan */

        /* Some of the copies that would be made, which may have to wait. */
        Surplus samples[SAMPLES];
        uint64_t n_samples;
} Planning;

static Planning *planning_free(Planning *planning) {
        Pair *pair, *next;

        if (!planning)
                return NULL;

        HASH_ITER(hh, planning->pairs, pair, next) {
                HASH_DEL(planning->pairs, pair);
                free(pair);
        }
        cluster_view_done(&planning->view);
        free(planning->plan.moves);
        free(planning->plan.volumes);
        free(planning);
        return NULL;
}
DEFINE_CLEANUP(Planning *, planning_free);

/* NULL for a volume that is not in the map. */
static PreviewVolume *find_volume(const Planning *planning, uint32_t number) {
        const Volume *volume = cluster_find(planning->view.cluster, number);

        return volume ? planning->plan.volumes + (volume - planning->view.cluster->volumes) : NULL;
}

/* As if all volumes were there, but for those that are down and to go. */
static PlanAbility ability(const Volume *volume, void *userdata) {
        const Planning *planning = userdata;
        const VolumeStatus *status = cluster_view_status(&planning->view, volume);

        if (!status->up && volume->state == VOLUME_DRAINING)
                return PLAN_DOWN;
        return status->maintenance_until > 0 ? PLAN_SOURCE : PLAN_TARGET;
}

static int add_move(Planning *planning, uint32_t source, uint32_t target, uint64_t size) {
        uint64_t id = (uint64_t) source << 32 | target;
        Pair *pair;

        HASH_FIND(hh, planning->pairs, &id, sizeof(id), pair);
        if (!pair) {
                pair = calloc(1, sizeof(*pair));
                if (!pair)
                        return -ENOMEM;
                pair->id = id;
                pair->move = (PreviewMove){ .source = source, .target = target };
                HASH_ADD(hh, planning->pairs, id, sizeof(pair->id), pair);
        }
        pair->move.keys++;
        if (target != 0) {
                pair->move.bytes += size;
                find_volume(planning, target)->bytes_after += size;
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

static int add_key(Planning *planning, const Record *record, const Plan *plan) {
        int r = 0;

        for (size_t i = 0; i < plan->n_add && r >= 0; i++) {
                planning->samples[planning->n_samples++ % SAMPLES] = (Surplus){
                        .version = record->version,
                        .volume = plan->add[i],
                };
                r = add_move(planning, find_source(plan, i), plan->add[i], record->size);
                planning->plan.bytes += record->size;
        }
        for (size_t i = 0; i < plan->n_drop && r >= 0; i++) {
                PreviewVolume *volume = find_volume(planning, plan->drop[i]);

                if (volume)
                        volume->bytes_after -= record->size;
                if (i >= plan->n_add)
                        r = add_move(planning, plan->drop[i], 0, record->size);
        }
        planning->plan.keys++;
        return r;
}

/* A drain leaves alone what is not on the volumes that are to go, wherever it belongs. */
static bool is_for_job(const Planning *planning, const Record *record) {
        if (planning->what != PREVIEW_DELETE)
                return true;

        for (size_t i = 0; i < record->n_copies; i++)
                for (size_t j = 0; j < planning->n_numbers; j++)
                        if (record->copies[i] == planning->numbers[j])
                                return true;
        return false;
}

/* Under the index's lock. */
static int on_entry(const char *key, const Record *record, void *userdata) {
        Planning *planning = userdata;
        Plan plan;

        planning->n_seen++;
        planning->plan.all_keys++;
        memcpy(planning->cursor, key, strlen(key) + 1);
        for (size_t i = 0; i < record->n_copies; i++) {
                PreviewVolume *volume = find_volume(planning, record->copies[i]);

                if (volume) {
                        volume->bytes_before += record->size;
                        volume->bytes_after += record->size;
                }
        }

        if (!is_for_job(planning, record))
                return 0;

        plan_key(planning->view.cluster, key_hash(key), record, planning->view.copies, ability,
                 planning, &plan);
        if (plan.n_sources == 0) {
                planning->plan.lost_keys++;
                return 0;
        }
        return plan_steps(&plan) > 0 ? add_key(planning, record, &plan) : 0;
}

static int by_source(const void *a, const void *b) {
        const PreviewMove *x = a, *y = b;

        if (x->source != y->source)
                return x->source < y->source ? -1 : 1;
        return x->target < y->target ? -1 : x->target > y->target;
}

static int list_moves(Planning *planning) {
        Preview *plan = &planning->plan;
        Pair *pair, *next;

        plan->moves = calloc(HASH_COUNT(planning->pairs) + 1, sizeof(*plan->moves));
        if (!plan->moves)
                return -ENOMEM;

        HASH_ITER(hh, planning->pairs, pair, next)
        plan->moves[plan->n_moves++] = pair->move;
        qsort(plan->moves, plan->n_moves, sizeof(*plan->moves), by_source);
        return 0;
}

/* Copies that were dropped lately are due at nearly the same time, so a few samples suffice. */
static void look_what_waits(Planning *planning) {
        Index *index = planning->previewer->index;

        for (size_t i = 0; i < MIN(planning->n_samples, (uint64_t) SAMPLES); i++) {
                const Surplus *sample = planning->samples + i;

                if (surplus_exists(index, sample))
                        planning->plan.waits_until_usec = MAX(
                                        planning->plan.waits_until_usec,
                                        surplus_due(index, sample));
        }
}

static int read_all(Planning *planning) {
        char after[KEY_MAX + 1];
        int r;

        do {
                if (atomic_load(&planning->previewer->stopping))
                        return -ESHUTDOWN;
                planning->n_seen = 0;
                memcpy(after, planning->cursor, sizeof(after));
                r = index_scan(planning->previewer->index, "", after, SCAN_MAX, on_entry, planning);
                if (r < 0)
                        return r;
        } while (planning->n_seen > 0);

        look_what_waits(planning);
        return list_moves(planning);
}

static void *run(void *userdata) {
        Planning *planning = userdata;
        int r;

        r = read_all(planning);
        atomic_store(&planning->previewer->is_planning, false); /* before anybody can ask again */
        planning->done(r, r < 0 ? NULL : &planning->plan, planning->userdata);
        (void) planning_free(planning);
        return NULL;
}

static int change_map(Planning *planning) {
        VolumeState state = planning->what == PREVIEW_ADD ? VOLUME_ACTIVE : VOLUME_DRAINING;
        Cluster *cluster = planning->view.cluster;

        if (planning->what != PREVIEW_ADD && planning->what != PREVIEW_DELETE)
                return 0;

        for (size_t i = 0; i < planning->n_numbers; i++) {
                const Volume *volume = cluster_find(cluster, planning->numbers[i]);
                int r;

                if (!volume)
                        return -ENOENT;
                if (volume->state == state ||
                    (state == VOLUME_DRAINING && volume->state == VOLUME_NEW))
                        continue;
                r = cluster_set_state(cluster, planning->numbers[i], state);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Looks at the map as it is now, and makes it what it would be. */
static int look(Planning *planning, const PreviewRequest *request) {
        ClusterView *view = &planning->view;
        Preview *plan = &planning->plan;
        int r;

        r = cluster_view_look(view, planning->previewer->volumes);
        if (r < 0)
                return r;
        if (request->what == PREVIEW_COPIES)
                view->copies = request->copies;

        plan->n_volumes = view->n_volumes;
        plan->volumes = calloc(view->n_volumes + 1, sizeof(*plan->volumes));
        if (!plan->volumes)
                return -ENOMEM;
        for (size_t i = 0; i < view->n_volumes; i++) {
                const VolumeStatus *status = view->volumes + i;

                plan->volumes[i].number = status->number;
                plan->volumes[i].disk_free = status->seen_usec > 0 ? status->disk_free : UINT64_MAX;
        }
        return change_map(planning);
}

static int check(Volumes *volumes, const PreviewRequest *request, uint32_t *reterr_number) {
        if (request->n_numbers > JOB_VOLUMES_MAX)
                return -EINVAL;

        switch (request->what) {
        case PREVIEW_ADD:
                return volumes_check_add(
                                volumes, request->numbers, request->n_numbers, reterr_number);
        case PREVIEW_DELETE:
                return volumes_check_drain(
                                volumes, request->numbers, request->n_numbers, reterr_number);
        case PREVIEW_COPIES:
                return request->copies >= 1 ? volumes_check_copies(volumes, request->copies)
                                            : -EINVAL;
        default:
                return 0;
        }
}

static void join_thread(Previewer *previewer) {
        if (previewer->has_thread)
                (void) pthread_join(previewer->thread, NULL);
        previewer->has_thread = false;
}

static int start_thread(Previewer *previewer, Planning *planning) {
        int r;

        join_thread(previewer); /* that of the last plan, which has ended */
        atomic_store(&previewer->is_planning, true);
        r = pthread_create(&previewer->thread, NULL, run, planning);
        previewer->has_thread = r == 0;
        if (r > 0)
                atomic_store(&previewer->is_planning, false);
        return -r;
}

int previewer_begin(
                Previewer *previewer,
                const PreviewRequest *request,
                PreviewDone done,
                void *userdata,
                uint32_t *reterr_number) {
        _cleanup_(planning_freep) Planning *planning = NULL;
        int r;

        *reterr_number = 0;
        r = check(previewer->volumes, request, reterr_number);
        if (r < 0)
                return r;
        if (atomic_load(&previewer->is_planning))
                return -EAGAIN;

        planning = calloc(1, sizeof(*planning));
        if (!planning)
                return -ENOMEM;
        planning->previewer = previewer;
        planning->done = done;
        planning->userdata = userdata;
        planning->what = request->what;
        planning->n_numbers = request->n_numbers;
        if (request->n_numbers > 0)
                memcpy(planning->numbers, request->numbers,
                       request->n_numbers * sizeof(*request->numbers));
        r = look(planning, request);
        if (r < 0)
                return r;

        r = start_thread(previewer, planning);
        if (r < 0)
                return r;
        TAKE_PTR(planning);
        return 0;
}

int previewer_new(Index *index, Volumes *volumes, Previewer **ret) {
        Previewer *previewer = calloc(1, sizeof(*previewer));

        if (!previewer)
                return -ENOMEM;

        previewer->index = index;
        previewer->volumes = volumes;
        *ret = previewer;
        return 0;
}

void previewer_stop(Previewer *previewer) {
        atomic_store(&previewer->stopping, true);
        join_thread(previewer);
}

Previewer *previewer_free(Previewer *previewer) {
        if (!previewer)
                return NULL;

        assert(!previewer->has_thread);
        free(previewer);
        return NULL;
}
