/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the modules that change the volumes share. A change is made on a copy of the map;
 * once it is in force, what it does to each volume is logged as an event, and the watch tells its
 * observer. */

#include "master/cluster/change.h"
#include "master/cluster/volumes-internal.h"

typedef struct Affected {
        uint32_t number;
        unsigned effects;
} Affected;

/* A change that is under way. The module that makes it sets the fields that apply() needs. */
typedef struct Change {
        MapChange map_change;
        Volumes *volumes;                                   /* not owned */
        int (*apply)(struct Change *change, Cluster *copy); /* returns 0 or a negative errno */
        VolumesChange *asked;                               /* not owned; NULL if nobody waits */
        uint32_t refused;                                   /* see there */

        const VolumeReport *report; /* borrowed: applied before the call returns */
        char *url, *zone;           /* owned */
        uint32_t weight;
        uint64_t maintenance_until;
        uint32_t copies;

        bool copies_changed;
        Affected *affected; /* owned; known, as the above, when it has been applied */
        size_t n_affected;

        size_t n_numbers;
        uint32_t numbers[]; /* of the volumes that it is about */
} Change;

/* NUMBERS are copied. Returns NULL for lack of memory. */
Change *change_new(
                Volumes *volumes,
                int (*apply)(Change *change, Cluster *copy),
                const uint32_t numbers[],
                size_t n);
Change *change_free(Change *change);
DEFINE_CLEANUP(Change *, change_free);

/* Takes CHANGE over in any case. */
int change_submit(Change *change, VolumesChange *asked);

/* Returns 0, -ENOENT, or -EBUSY for a removed one. */
int change_find_volume(const Cluster *cluster, uint32_t number, Volume **ret);
