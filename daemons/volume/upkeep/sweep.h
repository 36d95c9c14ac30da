/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Sweep: asks about everything that the store has, page by page, because the master has found that
 * the store went back in time: what was deleted meanwhile is here again, and would stay for ever.
 *
 * The resolver asks (resolve.h), as it does about objects in doubt; the store keeps how far the
 * sweep has come. All of it is for the loop's thread, except sweep_hear() and sweep_done(). */

#include "store/object/objects.h"

typedef struct Sweep Sweep;

/* STORE is not owned. */
int sweep_new(ObjectStore *store, Sweep **ret);
Sweep *sweep_free(Sweep *sweep);
DEFINE_CLEANUP(Sweep *, sweep_free);

/* The master wants a sweep up to VERSION. A TOKEN that was heard before is no news. */
void sweep_hear(Sweep *sweep, uint64_t token, uint64_t version);

/* Writes up to MAX versions to RET, those to ask about next. Returns how many. */
size_t sweep_next(Sweep *sweep, uint64_t *ret, size_t max);

/* Up to this one all of them were asked about and answered; from any thread. */
void sweep_done(Sweep *sweep, uint64_t version);
