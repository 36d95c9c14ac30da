/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdatomic.h>

#include "base/clock.h"

/* How far the time of the cluster is ahead of the monotonic clock; 0 if it is not known. */
static atomic_uint_least64_t cluster_ahead;

uint64_t clock_cluster(void) {
        uint64_t ahead = atomic_load_explicit(&cluster_ahead, memory_order_relaxed);

        return ahead > 0 ? clock_monotonic() + ahead : clock_realtime();
}

void clock_set_cluster(uint64_t now_usec) {
        uint64_t monotonic = clock_monotonic();

        atomic_store(&cluster_ahead, now_usec > monotonic ? now_usec - monotonic : 0);
}
