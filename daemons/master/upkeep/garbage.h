/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Garbage collector: has volumes delete the copies that are due in the index's garbage table, and
 * forgets those that are gone. What a volume cannot delete, since its database is damaged there, is
 * tried again now and then. */

#include "base/macro.h"

typedef struct Master Master;
typedef struct GarbageCollector GarbageCollector;

/* Starts collecting, on the daemon's event loop. MASTER is not owned. */
int garbage_collector_new(Master *master, GarbageCollector **ret);

/* The client must have been freed before. */
GarbageCollector *garbage_collector_free(GarbageCollector *collector);
DEFINE_CLEANUP(GarbageCollector *, garbage_collector_free);
