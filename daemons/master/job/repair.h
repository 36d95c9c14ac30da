/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Repair: what it remembers from one job to the next, and what has it begin. */

#include <stddef.h>
#include <stdint.h>

typedef struct Jobs Jobs;

#define REPAIR_PLACES_MAX 256

/* A copy that was to be made anew in its place. */
typedef struct RepairPlace {
        uint64_t version;
        uint32_t volume;
        unsigned n; /* times */
} RepairPlace;

typedef struct RepairState {
        /* On the main loop: what it saw last. */
        uint64_t looked_usec, n_made, volumes;

        /* On the thread of the jobs: a ring. */
        RepairPlace places[REPAIR_PLACES_MAX];
        size_t next_place;
} RepairState;

/* On the main loop, now and then: has a repair begin, or go on, when there is reason to. */
void job_repair_watch(Jobs *jobs);
