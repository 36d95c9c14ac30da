/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Move plan: what has to be done with the copies of one key so that they are where placement wants
 * them.
 *
 * A pure function of the map, the key's record and what the volumes can do right now. It asks for
 * as few moves as there can be: a copy stays if its volume is wanted, and also if the volume wanted
 * instead cannot take it now. Done step by step, a plan never leaves a key with fewer copies, or
 * fewer that can be read, than it had before or should have, whichever is less; when it is done,
 * the same question yields an empty plan. */

#include "core/placement/cluster.h"
#include "core/record.h"

/* What a volume can do right now. */
typedef enum PlanAbility {
        PLAN_DOWN,   /* nothing: what it holds cannot be read, but is not lost */
        PLAN_SOURCE, /* is read, takes nothing: in maintenance, or full */
        PLAN_TARGET, /* is read, and takes copies if it is active */
} PlanAbility;

/* Asked of volumes of the map, whatever their state, but for removed ones: those are down. */
typedef PlanAbility (*PlanAsk)(const Volume *volume, void *userdata);

typedef struct Plan {
        uint32_t add[COPIES_MAX]; /* volumes that get a copy, preferred one first */
        size_t n_add;
        uint32_t drop[COPIES_MAX]; /* volumes that lose theirs */
        size_t n_drop;
        uint32_t sources[COPIES_MAX]; /* volumes whose copy can be read now, as in the record */
        size_t n_sources; /* the fewer, the more urgent; without one nothing can be done */
        size_t n_early;   /* of drop: those that make room for what is added; for plan_step() */
} Plan;

/* HASH is the key's. COPIES is how many there should be, at least 1. NULL for ASK means that each
 * volume can do whatever its state allows. */
void plan_key(const Cluster *cluster,
              uint64_t hash,
              const Record *record,
              size_t copies,
              PlanAsk ask,
              void *userdata,
              Plan *ret);

/* One change of the record: makes one copy known, and forgets others. */
typedef struct PlanStep {
        uint32_t add;         /* 0 for none */
        const uint32_t *drop; /* borrowed from the plan */
        size_t n_drop;
} PlanStep;

/* How many steps there are, 0 if there is nothing to do. The caller makes them in order, each when
 * the one before is durable; the last one drops what may then go. */
size_t plan_steps(const Plan *plan) _pure_;
void plan_step(const Plan *plan, size_t i, PlanStep *ret);
