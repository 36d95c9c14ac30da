/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Health: what state the cluster is in, why, and what an administrator should do about it. A pure
 * function of the volumes' status. */

#include "volumes.h"

typedef enum HealthLevel {
        HEALTH_OK,       /* everything is stored as often as it should be */
        HEALTH_DEGRADED, /* works, but something needs a look */
        HEALTH_DOWN,     /* nothing can be stored */
        _HEALTH_LEVEL_MAX,
} HealthLevel;

const char *health_level_to_string(HealthLevel level) _const_;

typedef struct Health {
        HealthLevel level;
        char reason[256]; /* a sentence or two, never empty */
        char advice[256]; /* what to do, "" if nothing is to be done */
} Health;

/* COPIES is how many of each value there should be; NOW_USEC is since the epoch. */
void health_of(const VolumeStatus volumes[],
               size_t n,
               uint64_t copies,
               uint64_t now_usec,
               Health *ret);
