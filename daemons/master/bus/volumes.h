/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The volumes on the master's D-Bus: /org/dkv/Master1/volume/N, interface org.dkv.Master1.Volume;
 * see org.dkv.Master1(5). */

#include "master/bus/manager.h"

#define VOLUMES_BUS_PATH      "/org/dkv/Master1/volume"
#define VOLUMES_BUS_INTERFACE "org.dkv.Master1.Volume"

extern const sd_bus_vtable volumes_bus_vtable[];

/* For the table of objects. */
int volumes_bus_find(
                sd_bus *bus,
                const char *path,
                const char *interface,
                void *userdata,
                void **ret_object,
                sd_bus_error *error);
int volumes_bus_enumerate(
                sd_bus *bus,
                const char *prefix,
                void *userdata,
                char ***ret_paths,
                sd_bus_error *error);

/* Makes the family, without members. */
int volumes_bus_start(MasterBus *bus);

/* These are the volumes now: announces the new ones, and what has changed. */
int volumes_bus_update(MasterBus *bus, const VolumeStatus volumes[], size_t n);
