/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Deadlines: how long a request may still arrive that refers to a copy which is gone, or about to
 * go. All are in microseconds since the epoch. */

#include <stdint.h>

#include "base/clock.h"

/* A volume asks for a commit up to a minute after its copy was complete, in calls that are valid
 * for a minute, by a clock that may differ by a minute. */
#define DEADLINE_COMMIT_USEC (3 * USEC_PER_MIN)

/* The earliest time at which what becomes garbage now may be deleted: clients that were redirected
 * to it have GRACE_USEC to read it. */
uint64_t deadline_of_garbage(uint64_t grace_usec);

/* The latest time at which a commit can still arrive that names a copy deleted just now. */
uint64_t deadline_of_tombstone(void);
