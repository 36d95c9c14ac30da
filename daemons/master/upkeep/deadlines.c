/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "master/upkeep/deadlines.h"

uint64_t deadline_of_garbage(uint64_t grace_usec) {
        return clock_realtime() + grace_usec;
}

uint64_t deadline_of_tombstone(void) {
        return clock_realtime() + DEADLINE_COMMIT_USEC;
}
