/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The master on D-Bus: /org/dkv/Master1, interface org.dkv.Master1.Manager; see org.dkv.Master1(5).
 * The volumes are in volumes-bus.h, jobs in job-bus.h, and methods that move values in
 * elastic-bus.h.
 */

#include "base/periodic.h"
#include "bus/authorize.h"
#include "bus/server.h"
#include "master/health/look.h"

typedef struct Master Master;
typedef struct JobBus JobBus;
typedef struct VolumeObject VolumeObject;

/* What the properties that announce their changes say of the cluster as a whole. */
typedef struct MasterSummary {
        uint64_t epoch;
        uint32_t copies;
        Health health;
        Checksum troubles; /* a mark that changes with them */
} MasterSummary;

typedef struct MasterBus {
        Master *master; /* not owned */
        char *address;
        uint64_t started_usec;
        BusServer *server;
        BusAuthority authority;
        Periodic *refresh;

        /* As told to the bus last. */
        uint64_t refreshed_usec; /* monotonic */
        MasterSummary summary;
        HealthLook look;
        VolumeObject **volumes; /* ordered by number; volumes.h never forgets one */
        size_t n_volumes;
        JobBus *jobs;
} MasterBus;

#define MASTER_BUS_PATH      "/org/dkv/Master1"
#define MASTER_BUS_INTERFACE "org.dkv.Master1.Manager"

/* For bus_print_introspection(). */
extern const BusObject master_bus_objects[];

/* What it takes to change something. */
#define MASTER_BUS_ACTION "org.dkv.manage-volumes"

/* Connects to the bus at ADDRESS ("system", "none", or a D-Bus address), and again whenever that
 * becomes necessary. MASTER, which is not owned, is complete but for the bus; the bus becomes the
 * observer of its volumes. */
int master_bus_new(Master *master, const char *address, MasterBus **ret);

/* When the loop has ended, and after jobs_free(), index_free() and volumes_free(): these end the
 * changes that were asked for over the bus. MASTER has NULL for its jobs and volumes then. */
MasterBus *master_bus_free(MasterBus *bus);
DEFINE_CLEANUP(MasterBus *, master_bus_free);

/* Appends what is known to be wrong, of one volume or, for 0, of all: name, level, volume, since
 * when, a sentence and an advice of each. */
#define MASTER_BUS_TROUBLES "a(ssutss)"
int master_bus_append_troubles(const MasterBus *bus, sd_bus_message *message, uint32_t volume);

/* Looks what has changed, and tells. Happens by itself, too. */
void master_bus_refresh(MasterBus *bus);
