/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The volume on D-Bus: /org/dkv/Volume1, interface org.dkv.Volume1.Store; see org.dkv.Volume1(5).
 */

#include "bus/bus.h"
#include "http/server.h"
#include "store/object/objects.h"
#include "volume/conf.h"
#include "volume/upkeep/pending.h"
#include "volume/upkeep/report.h"

typedef struct VolumeBus VolumeBus;

/* What it shows; none of it is owned, and all of it stays. */
typedef struct VolumeBusOptions {
        sd_event *event;
        const char *address; /* "system", "none", or a D-Bus address */
        sd_bus *connection;  /* instead of one to a bus; closed at the end */

        const VolumeConf *conf;
        ObjectStore *store;
        Report *report;
        Pending *pending;
        const HttpServer *server; /* whose requests are counted; may be NULL */
} VolumeBusOptions;

/* For bus_print_introspection(). */
extern const BusObject volume_bus_objects[];

/* Connects to the bus, and again whenever the connection is lost. OPTIONS are copied. Returns 0
 * or a negative errno; a bus that is not there is no failure. */
int volume_bus_new(const VolumeBusOptions *options, VolumeBus **ret);

/* When the loop has ended. */
VolumeBus *volume_bus_free(VolumeBus *bus);
DEFINE_CLEANUP(VolumeBus *, volume_bus_free);
