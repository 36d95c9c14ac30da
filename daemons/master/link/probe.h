/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Prober: greets each volume twice a second, so that the master knows who is there, and whether its
 * calls get through though there may be no requests, and notices when they do again.
 *
 * Ends calls that wait for a volume which does not answer, and notes as trouble what reports alone
 * do not tell. */

#include "base/macro.h"

typedef struct Master Master;
typedef struct Prober Prober;

/* Starts probing, on the daemon's event loop. MASTER is not owned. */
int prober_new(Master *master, Prober **ret);

/* Has a look at once: whom the master greets now need not be waited for. On the loop. */
void prober_start(Prober *prober);

/* Greets a volume now, unless that is under way. From any thread. */
void prober_hurry(Prober *prober, uint32_t volume);

/* The HTTP clients must have been freed before. */
Prober *prober_free(Prober *prober);
DEFINE_CLEANUP(Prober *, prober_free);
