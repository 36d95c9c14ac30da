/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Drain: makes passes over all keys until one finds nothing on the leaving volumes, and nothing
 * more can arrive there; then it removes them from the map.
 *
 * Nothing more can arrive once every ticket that was valid at the start has expired, and the
 * volumes are fenced (fences.h); so the last pass is one that began after that. */

#include "master/move/pass.h"
#include "master/queue/start.h"

typedef struct DrainOptions {
        Passes *passes;                      /* not owned */
        JobStarts *starts;                   /* not owned */
        const _Atomic uint64_t *ticket_usec; /* how long tickets are valid; not owned */
} DrainOptions;

typedef struct Drain Drain;

int drain_new(const DrainOptions *options, Drain **ret);

/* After job_queue_stop(). */
Drain *drain_free(Drain *drain);
DEFINE_CLEANUP(Drain *, drain_free);

/* The kind, for job_queue_add_kind(). */
JobKind drain_kind(Drain *drain);
