/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The master on D-Bus: /org/dkv/Master1, interface org.dkv.Master1.Manager; see org.dkv.Master1(5).
 * Its volumes are in master/bus/volumes.h, its jobs in master/bus/jobs.h, and the methods that
 * change the cluster in master/bus/change.h. All of it belongs to the main loop, unless a comment
 * says otherwise. */

#include "base/conf.h"
#include "bus/bus.h"
#include "http/server.h"
#include "master/cluster/watch.h"
#include "master/job/job.h"
#include "master/lead/lead.h"

/* What it shows and changes. None of it is owned, and all of it outlives the bus. */
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

typedef struct MasterBus MasterBus;

/* The objects; also for bus_print_introspection(). */
extern const BusObject master_bus_objects[];

/* Connects to the bus, and again whenever that becomes necessary. OPTIONS are copied. Returns 0 or
 * a negative errno; a bus that is not there is no failure. */
int master_bus_new(const MasterBusOptions *options, MasterBus **ret);

/* Comes after the end of the loop and of the index. Answers the calls that are still open: those
 * that the index has finished with their result, the others with an error. Volumes and jobs must
 * still be there; they may finish their changes until master_bus_free(), when nobody is told. */
void master_bus_stop(MasterBus *bus);

/* After master_bus_stop(), and after the end of volumes and jobs. */
MasterBus *master_bus_free(MasterBus *bus);
DEFINE_CLEANUP(MasterBus *, master_bus_free);

/* Finds out what has changed, and announces it. This also happens by itself, each second. */
void master_bus_refresh(MasterBus *bus);
