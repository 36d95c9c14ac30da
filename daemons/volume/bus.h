/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The volume on D-Bus: /org/dkv/Volume1, interface org.dkv.Volume1.Store; see org.dkv.Volume1(5).
 */

#include "bus/bus.h"

typedef struct VolumeDaemon VolumeDaemon;
typedef struct VolumeBus VolumeBus;

/* For bus_print_introspection(). */
extern const BusObject volume_bus_objects[];

/* Connects to the bus at ADDRESS ("system", "none", or a D-Bus address), and again whenever that
 * becomes necessary. VOLUME, which is not owned, is complete but for the bus. */
int volume_bus_new(VolumeDaemon *volume, const char *address, VolumeBus **ret);

/* When the loop has ended. */
VolumeBus *volume_bus_free(VolumeBus *bus);
DEFINE_CLEANUP(VolumeBus *, volume_bus_free);
