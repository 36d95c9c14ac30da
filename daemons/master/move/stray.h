/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Strays: copies of current versions that are about to be deleted. No copy of such a version may
 * come to the same volume until the stray is gone, so jobs wait for them. */

#include <stdbool.h>
#include <stdint.h>

#include "store/index/index.h"

typedef struct Stray {
        uint64_t version;
        uint32_t volume;
} Stray;

bool stray_exists(Index *index, const Stray *stray);

/* The time at which it may be deleted, in microseconds since the epoch; 0 if it is gone already. If
 * the volume has thousands of copies to delete, the time may be too early. */
uint64_t stray_due(Index *index, const Stray *stray);
