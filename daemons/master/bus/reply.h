/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A change of the cluster map that was asked for over D-Bus: from the call to the reply. */

#include "master/bus/manager.h"
#include "master/cluster/settings.h"

typedef struct BusChange BusChange;

/* Keeps MESSAGE until it can be answered. NUMBER is the volume that it is about, for errors; 0 for
 * several. */
int bus_change_new(MasterBus *bus, sd_bus_message *message, uint32_t number, BusChange **ret);
BusChange *bus_change_free(BusChange *change);
DEFINE_CLEANUP(BusChange *, bus_change_free);

/* What volumes_set() and the like take: replies with the epoch or the error, and frees. */
VolumesChange *bus_change_of(BusChange *change, uint64_t epoch);

/* LeadDone, with a BusChange: the same. */
void bus_change_done(int result, uint64_t epoch, void *userdata);

/* Sets ERROR to what a change of volume NUMBER was refused for. Returns a negative errno. */
int bus_change_refuse(sd_bus_error *error, int r, uint32_t number);
