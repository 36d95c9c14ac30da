/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Clocks that a test moves on. To be linked with -Wl,--wrap=clock_gettime, which leaves shared
 * libraries with the clock of the system: their timers do not notice. */

#include <stdatomic.h>

#include "base/clock.h"

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);

static atomic_uint_least64_t shift_usec, shift_realtime_usec;

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret) {
        bool is_monotonic = clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE;
        uint64_t shift = is_monotonic              ? atomic_load(&shift_usec)
                         : clock == CLOCK_REALTIME ? atomic_load(&shift_realtime_usec)
                                                   : 0;
        int r = __real_clock_gettime(clock, ret);

        ret->tv_sec += (time_t) (shift / USEC_PER_SEC); /* of whole seconds */
        return r;
}

static inline void shift_clock(uint64_t seconds) {
        shift_usec += seconds * USEC_PER_SEC;
}

/* The time of day, which the other one leaves alone. */
static inline void shift_realtime(uint64_t seconds) {
        shift_realtime_usec += seconds * USEC_PER_SEC;
}
