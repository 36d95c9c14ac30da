/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Map: the cluster map in force, and how it is changed.
 *
 * A change is made on a copy of the map. The copy is stored in the index, and is in force once it
 * is durable. Changes are made one at a time, in the order in which they were submitted; each
 * starts from what the one before it left. */

#include <pthread.h>

#include "core/placement/cluster.h"
#include "master/lead/lead.h"
#include "store/index/index.h"

typedef struct Map Map;
typedef struct MapChange MapChange;

/* Embedded in a struct that knows the details; it belongs to the caller again in done(). */
struct MapChange {
        uint64_t epoch; /* that the map must have, or EPOCH_ANY */

        /* With the lock held for writing. Changes COPY, which is thrown away if it fails. Returns
         * whether there was something to change, or a negative errno. */
        int (*apply)(MapChange *change, Cluster *copy);

        /* On the committer's thread, without the lock. RESULT is 0 or a negative errno; CLUSTER is
         * the map in force, which no other thread replaces. */
        void (*done)(MapChange *change, int result, const Cluster *cluster);

        /* private */
        Map *map;
        MapChange *next;
        IndexSet set;
        Cluster *cluster; /* will be in force */
        Buffer encoded;
        int result;
};

struct Map {
        pthread_rwlock_t lock; /* of all this, and of what the owner has besides */
        Cluster *cluster;      /* in force; read under the lock, not kept */

        /* private */
        Index *index;               /* not owned */
        const Lead *lead;           /* likewise; NULL if it always leads */
        MapChange *changes, **tail; /* the first is being stored, the others wait */
        bool failed;                /* the last change could not be stored */
};

/* Loads the map from INDEX. */
int map_init(Map *map, Index *index, const Lead *lead);

/* The caller frees INDEX first; changes that are not done by then get -ESHUTDOWN. Accepts a map for
 * which map_init() failed. */
void map_done(Map *map);

/* The caller of the following holds the lock for writing. */

/* Returns 0 if done() will be called, or a negative errno if the change is refused at once:
 * -EREMCHG for another epoch, -EOWNERDEAD if the master does not lead, or what apply() says. */
int map_submit(Map *map, MapChange *change);

bool map_is_changing(const Map *map);
