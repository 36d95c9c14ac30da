/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Garbage collector: has volumes delete the copies that are due in the index's garbage table, and
 * forgets those that are gone. What a volume cannot delete, since its database is damaged there, is
 * tried again now and then. */

#include "master/cluster/volumes.h"
#include "master/lead/lead.h"
#include "rpc/client.h"

typedef struct GarbageCollector GarbageCollector;

/* None of it is owned. */
typedef struct GarbageOptions {
        Index *index;
        const Lead *lead; /* nothing is collected unless it leads */
        Volumes *volumes;
        HttpClient *client;
} GarbageOptions;

/* Starts collecting, on EVENT. */
int garbage_collector_new(const GarbageOptions *options, sd_event *event, GarbageCollector **ret);

/* The client must have been freed before. */
GarbageCollector *garbage_collector_free(GarbageCollector *collector);
DEFINE_CLEANUP(GarbageCollector *, garbage_collector_free);
