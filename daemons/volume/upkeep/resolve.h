/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Resolver: asks the master about objects in doubt, those that have been pending for longer than
 * the grace time. What the master knows is kept; the rest becomes garbage that it will have
 * deleted. It asks about what a sweep finds as well. */

#include <systemd/sd-event.h>

#include "volume/link/master-link.h"
#include "volume/upkeep/copies.h"
#include "volume/upkeep/report.h"
#include "volume/upkeep/sweep.h"

typedef struct Resolver Resolver;

/* None of it is owned. */
typedef struct ResolverOptions {
        sd_event *event;
        MasterLink *master;
        const Copies *copies;
        Sweep *sweep;
        const Report *report; /* knows the grace time */
        uint32_t number;      /* of this volume */
} ResolverOptions;

/* Starts asking, each second, on the event loop. Returns 0 or a negative errno. */
int resolver_new(const ResolverOptions *options, Resolver **ret);

/* The HTTP client must have been freed before. Accepts NULL. */
Resolver *resolver_free(Resolver *resolver);
DEFINE_CLEANUP(Resolver *, resolver_free);
