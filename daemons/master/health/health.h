/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Health: what state the cluster is in, why, and what an administrator should do about it. A pure
 * function of the volumes' status and of what was noted as trouble. */

#include "master/cluster/volumes.h"
#include "master/trouble/trouble.h"

typedef struct HealthInput {
        const VolumeStatus *volumes;
        size_t n_volumes;
        const Trouble *troubles; /* as troubles_list() gives them */
        size_t n_troubles;
        uint64_t copies;   /* how many of each value there should be */
        uint64_t now_usec; /* since the epoch */
} HealthInput;

typedef struct Health {
        HealthLevel level;
        char reason[1024]; /* a sentence or more, the worst first, never empty */
        char advice[TROUBLE_SENTENCE_SIZE + 16]; /* what to do first, "" if nothing is to be done */
} Health;

void health_of(const HealthInput *input, Health *ret);

/* Calls back for each trouble, noted or found, the worst first; TROUBLE is valid during the call.
 */
void health_each(
                const HealthInput *input,
                void (*on_trouble)(const Trouble *trouble, void *userdata),
                void *userdata);
