/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Changes of the cluster over D-Bus, see org.dkv.Master1(5). The answer to each is the job
 * that it has started, or "/" for none, and the epoch of the cluster map after it. A change of the
 * map that also starts a job changes the map first. Plan() tells what a change would move.
 *
 * All are handlers of methods with the ChangeBus as userdata: of the manager's, and of a volume's,
 * which is the one that the message's path names. */

#include "master/bus/call.h"
#include "master/bus/jobs.h"
#include "master/bus/refusal.h"

/* What the methods need; none of it is owned. */
typedef struct ChangeBus {
        BusCalls *calls;
        const RefusalSource *reasons;
        Index *index;
        Lead *lead; /* NULL if the master leads anyway */
        Volumes *volumes;
        Jobs *jobs;
        JobsBus *job_objects;
        const uint64_t *epoch; /* of the map, as the bus tells it */
} ChangeBus;

int change_bus_add_volumes(sd_bus_message *message, void *userdata, sd_bus_error *error);
int change_bus_delete_volumes(sd_bus_message *message, void *userdata, sd_bus_error *error);
int change_bus_rebalance(sd_bus_message *message, void *userdata, sd_bus_error *error);
int change_bus_set_copies(sd_bus_message *message, void *userdata, sd_bus_error *error);

int change_bus_set_volume(sd_bus_message *message, void *userdata, sd_bus_error *error);
int change_bus_set_maintenance(sd_bus_message *message, void *userdata, sd_bus_error *error);
