/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The jobs on the master's D-Bus: /org/dkv/Master1/job/N, interface org.dkv.Master1.Job; see
 * org.dkv.Master1(5).
 *
 * Figures change all the time, so the changes of a job are announced twice a second at most. What a
 * program reads is up to date. */

#include "bus/family.h"
#include "master/bus/call.h"
#include "master/bus/refusal.h"

typedef struct JobsBus {
        BusCalls *calls; /* not owned, as the next two */
        const RefusalSource *reasons;
        Jobs *jobs;
        uint64_t started_usec; /* of the daemon: jobs that ended before it did are old news */
        BusFamily *family;     /* owned */
} JobsBus;

extern const sd_bus_vtable jobs_bus_vtable[];

/* Makes the family, with the jobs of earlier runs, and observes the master's jobs. Of BUS all is
 * set but the family. Returns 0 or a negative errno. */
int jobs_bus_start(JobsBus *bus, sd_event *event);

/* Announces what is still held back, and observes no longer. While the server is there. */
void jobs_bus_stop(JobsBus *bus);

/* After the end of the server. */
void jobs_bus_done(JobsBus *bus);

/* Announces a job that has just been started, ahead of the reply that names it. */
void jobs_bus_add(JobsBus *bus, uint32_t id);
