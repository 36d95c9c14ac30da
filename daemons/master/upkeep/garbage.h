/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Garbage collector: has volumes delete the copies that are due in the index's garbage table, and
 * forgets those that are gone.
 *
 * When a deletion is tried again: in the next round, half a second later, if the call failed or the
 * volume was down; after GARBAGE_AGAIN_USEC if the volume answers that it cannot delete the copy,
 * because its database is damaged there. What the volume does with a call is in
 * daemons/volume/upkeep/deletions.h. */

#include "master/cluster/volumes.h"
#include "master/lead/lead.h"
#include "rpc/peers.h"

#define GARBAGE_AGAIN_USEC (10 * USEC_PER_MIN)

typedef struct GarbageCollector GarbageCollector;

/* None of it is owned. */
typedef struct GarbageOptions {
        Index *index;
        const Lead *lead; /* nothing is collected unless it leads */
        Volumes *volumes;
        Peers *peers;
} GarbageOptions;

/* Starts collecting, on EVENT. */
int garbage_collector_new(const GarbageOptions *options, sd_event *event, GarbageCollector **ret);

/* The peers must have been freed before. */
GarbageCollector *garbage_collector_free(GarbageCollector *collector);
DEFINE_CLEANUP(GarbageCollector *, garbage_collector_free);
