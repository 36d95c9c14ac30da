/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Surplus copies: copies of current versions that are about to be deleted. No copy of such a
 * version may come to the same volume until the surplus copy is gone, so jobs wait for them. */

#include <stdbool.h>
#include <stdint.h>

#include "store/index/index.h"

typedef struct Surplus {
        uint64_t version;
        uint32_t volume;
} Surplus;

bool surplus_exists(Index *index, const Surplus *surplus);

/* The time at which it may be deleted, in microseconds since the epoch; 0 if it is gone already. If
 * the volume has thousands of copies to delete, the time may be too early. */
uint64_t surplus_due(Index *index, const Surplus *surplus);
