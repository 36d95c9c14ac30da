/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The master on D-Bus: /org/dkv/Master1, interface org.dkv.Master1.Manager; see org.dkv.Master1(5).
 * Its volumes are in master/bus/volumes.h, its jobs in master/bus/jobs.h, and the methods that
 * change the cluster in master/bus/change.h. All of it belongs to the main loop, unless a comment
 * says otherwise. */

#include "base/conf.h"
#include "base/periodic.h"
#include "bus/authorize.h"
#include "bus/family.h"
#include "bus/writer.h"
#include "http/server.h"
#include "master/cluster/watch.h"
#include "master/health/look.h"
#include "master/job/job.h"
#include "master/lead/lead.h"

/* What it shows and changes; none of it is owned, and all of it stays. */
typedef struct MasterBusOptions {
        sd_event *event;
        const char *address; /* "system", "none", or a D-Bus address */
        sd_bus *connection;  /* instead of one to a bus; closed at the end */

        const ConfItem *settings; /* a table, and where the values are */
        const void *conf;
        const char *directory, *listen; /* two of them */

        Index *index;
        Lead *lead; /* NULL if the master leads anyway */
        Troubles *troubles;
        Volumes *volumes;
        Watch *watch; /* the bus becomes its observer, and that of the jobs */
        Jobs *jobs;
        const HttpServer *server; /* whose requests are counted; may be NULL */
} MasterBusOptions;

/* What the properties that announce their changes say of the cluster as a whole. */
typedef struct MasterSummary {
        uint64_t epoch;
        uint32_t copies;
        Health health;
        Checksum troubles; /* a mark that changes with them */
} MasterSummary;

typedef struct MasterBus {
        MasterBusOptions options;
        uint64_t started_usec;
        BusServer *server;
        BusAuthority authority;
        Periodic *refresh;
        struct BusCall *calls; /* that are not answered yet */
        bool is_ending;        /* what is left to be answered is, and nothing else happens */

        /* As told to the bus last. */
        uint64_t refreshed_usec; /* monotonic */
        MasterSummary summary;
        HealthLook look;
        BusFamily *volumes, *jobs;
} MasterBus;

#define MASTER_BUS_PATH      "/org/dkv/Master1"
#define MASTER_BUS_INTERFACE "org.dkv.Master1.Manager"

/* The objects; also for bus_print_introspection(). */
extern const BusObject master_bus_objects[];

/* The polkit action that permits changes. */
#define MASTER_BUS_ACTION "org.dkv.manage-volumes"

/* Connects to the bus, and again whenever that becomes necessary. OPTIONS are copied. Returns 0 or
 * a negative errno; that there is no bus is no failure. */
int master_bus_new(const MasterBusOptions *options, MasterBus **ret);

/* When the loop has ended, and the index with it: answers the calls that are still open, those that
 * the index has finished with what came of them, the others with an error. Volumes and jobs must
 * still be there; they may finish their changes later, as far as master_bus_free(). */
void master_bus_stop(MasterBus *bus);

/* After master_bus_stop(), and after the end of volumes and jobs. */
MasterBus *master_bus_free(MasterBus *bus);
DEFINE_CLEANUP(MasterBus *, master_bus_free);

/* Appends the known troubles of one volume or, for 0, of all: name, level, volume, since when, a
 * sentence and an advice of each. */
#define MASTER_BUS_TROUBLES "a(ssutss)"
int master_bus_append_troubles(const MasterBus *bus, sd_bus_message *message, uint32_t volume);

/* Looks what has changed, and announces it. Also happens by itself. */
void master_bus_refresh(MasterBus *bus);
