/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/placement/move-plan.h"

typedef struct Planner {
        const Cluster *cluster;
        const Record *record;
        PlanAsk ask;
        void *userdata;
} Planner;

static bool has(const uint32_t volumes[], size_t n, uint32_t number) {
        for (size_t i = 0; i < n; i++)
                if (volumes[i] == number)
                        return true;
        return false;
}

static PlanAbility find_ability(const Planner *planner, const Volume *volume) {
        if (!volume || volume->state == VOLUME_REMOVED)
                return PLAN_DOWN;
        return planner->ask ? planner->ask(volume, planner->userdata) : PLAN_TARGET;
}

static bool is_holder(const Volume *volume, void *userdata) {
        const Planner *planner = userdata;

        return has(planner->record->copies, planner->record->n_copies, volume->number);
}

static bool is_target(const Volume *volume, void *userdata) {
        return find_ability(userdata, volume) == PLAN_TARGET;
}

/* Where the copies are to be: the volumes of placement; where one of them cannot take a copy now,
 * one that has a copy already, so that nothing is moved there and back; else another one. */
static size_t find_wanted(
                Planner *planner, uint64_t hash, size_t copies, uint32_t ret[static COPIES_MAX]) {
        const Cluster *cluster = planner->cluster;
        uint32_t placed[COPIES_MAX];
        size_t n_placed = cluster_place(cluster, hash, copies, NULL, NULL, placed), n = 0;

        for (size_t i = 0; i < n_placed; i++) {
                const Volume *volume = cluster_find(cluster, placed[i]);

                if (is_holder(volume, planner) || is_target(volume, planner))
                        ret[n++] = placed[i];
        }

        n = cluster_place_more(cluster, hash, copies, is_holder, planner, n, ret);
        return cluster_place_more(cluster, hash, copies, is_target, planner, n, ret);
}

static bool can_be_read(const Planner *planner, uint32_t number) {
        return find_ability(planner, cluster_find(planner->cluster, number)) != PLAN_DOWN;
}

static void find_sources(const Planner *planner, Plan *plan) {
        const Record *record = planner->record;

        for (size_t i = 0; i < record->n_copies; i++)
                if (can_be_read(planner, record->copies[i]))
                        plan->sources[plan->n_sources++] = record->copies[i];
}

/* Whether there is something of a copy on this volume: not on a removed one. */
static bool is_there(const Planner *planner, uint32_t number) {
        const Volume *volume = cluster_find(planner->cluster, number);

        return volume && volume->state != VOLUME_REMOVED;
}

/* Copies stay where nobody wants them while there are too few volumes for all, and while of those
 * that are wanted too few can be read: a volume that is down may never come back. */
static size_t keep_some(
                const Planner *planner,
                size_t copies,
                size_t n_sources,
                size_t n_wanted,
                uint32_t wanted[static COPIES_MAX]) {
        const Record *record = planner->record;
        size_t n_readable = 0;

        for (size_t i = 0; i < n_wanted; i++)
                n_readable += can_be_read(planner, wanted[i]);

        for (size_t i = 0; i < record->n_copies; i++) {
                uint32_t number = record->copies[i];
                bool readable = can_be_read(planner, number);

                if (has(wanted, n_wanted, number) || !is_there(planner, number))
                        continue;
                if (n_wanted < copies || (readable && n_readable < MIN(copies, n_sources))) {
                        wanted[n_wanted++] = number;
                        n_readable += readable;
                }
        }

        return n_wanted;
}

static void compare(const Record *record, const uint32_t wanted[], size_t n_wanted, Plan *plan) {
        for (size_t i = 0; i < n_wanted; i++)
                if (!has(record->copies, record->n_copies, wanted[i]))
                        plan->add[plan->n_add++] = wanted[i];

        for (size_t i = 0; i < record->n_copies; i++)
                if (!has(wanted, n_wanted, record->copies[i]))
                        plan->drop[plan->n_drop++] = record->copies[i];

        if (record->n_copies + plan->n_add > COPIES_MAX)
                plan->n_early = record->n_copies + plan->n_add - COPIES_MAX;
}

void plan_key(const Cluster *cluster,
              uint64_t hash,
              const Record *record,
              size_t copies,
              PlanAsk ask,
              void *userdata,
              Plan *ret) {
        Planner planner = {
                .cluster = cluster,
                .record = record,
                .ask = ask,
                .userdata = userdata,
        };
        uint32_t wanted[COPIES_MAX];
        size_t n;

        assert(cluster);
        assert(record && record->n_copies <= COPIES_MAX);
        assert(copies > 0 && copies <= COPIES_MAX);
        assert(ret);

        *ret = (Plan){};
        find_sources(&planner, ret);
        n = find_wanted(&planner, hash, copies, wanted);
        n = keep_some(&planner, copies, ret->n_sources, n, wanted);
        if (n > 0) /* else there is nowhere to be */
                compare(record, wanted, n, ret);
}

size_t plan_steps(const Plan *plan) {
        return MAX(plan->n_add, (size_t) (plan->n_drop > 0));
}

void plan_step(const Plan *plan, size_t i, PlanStep *ret) {
        size_t n_before; /* drops of the steps before this one */

        assert(plan);
        assert(i < plan_steps(plan));
        assert(ret);

        n_before = MIN(i, plan->n_early);
        *ret = (PlanStep){
                .add = i < plan->n_add ? plan->add[i] : 0,
                .drop = plan->drop + n_before,
                .n_drop = i + 1 >= plan_steps(plan) ? plan->n_drop - n_before : i < plan->n_early,
        };
}
