/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The volumes on the master's D-Bus: /org/dkv/Master1/volume/N, interface org.dkv.Master1.Volume;
 * see org.dkv.Master1(5). */

#include "bus/family.h"
#include "master/bus/change.h"
#include "master/health/snapshot.h"

typedef struct VolumesBus {
        ChangeBus *change;              /* not owned, as the next two */
        Index *index;                   /* which knows what is damaged on a volume */
        const HealthSnapshot *snapshot; /* at the troubles */
        BusFamily *family;              /* owned */
} VolumesBus;

extern const sd_bus_vtable volumes_bus_vtable[];

/* Makes the family, without members. Of BUS all is set but the family. Returns 0 or a negative
 * errno. */
int volumes_bus_start(VolumesBus *bus, BusServer *server, sd_event *event);

/* After the end of the server. */
void volumes_bus_done(VolumesBus *bus);

/* These are the volumes now: announces the new ones, and what has changed. */
int volumes_bus_update(VolumesBus *bus, const VolumeStatus volumes[], size_t n);
