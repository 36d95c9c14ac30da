/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Clock: what time it is, in µs. Code in core/ never asks; it is told. */

#include <time.h>

#include "base/macro.h"

static inline uint64_t clock_usec(clockid_t clock) {
        struct timespec now;

        (void) clock_gettime(clock, &now); /* cannot fail for the clocks used here */
        return (uint64_t) now.tv_sec * USEC_PER_SEC + (uint64_t) now.tv_nsec / 1000;
}

/* For intervals: never jumps. */
static inline uint64_t clock_monotonic(void) {
        return clock_usec(CLOCK_MONOTONIC);
}

/* The same as of the last tick of the system, which is some ms ago: a tenth of the cost. */
static inline uint64_t clock_monotonic_coarse(void) {
        return clock_usec(CLOCK_MONOTONIC_COARSE);
}

/* Time of day, for what other machines or people read. */
static inline uint64_t clock_realtime(void) {
        return clock_usec(CLOCK_REALTIME);
}

/* The time of the cluster, which is that of its master. Tickets and signatures are checked by it.
 * It is the time of day until clock_set_cluster() is called; afterwards it does not jump when the
 * time of day does. */
uint64_t clock_cluster(void);
void clock_set_cluster(uint64_t now_usec);
