/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Settle: asks the master about objects that have been pending for long: what it knows is kept,
 * what it does not becomes garbage that it will have deleted. */

#include "base/macro.h"

typedef struct VolumeDaemon VolumeDaemon;
typedef struct Settle Settle;

/* Starts asking, on the daemon's event loop. VOLUME is not owned. */
int settle_new(VolumeDaemon *volume, Settle **ret);

/* The client must have been freed before. */
Settle *settle_free(Settle *settle);
DEFINE_CLEANUP(Settle *, settle_free);
