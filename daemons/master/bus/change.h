/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Changes of the cluster after which values move, over D-Bus: methods of org.dkv.Master1.Manager,
 * see org.dkv.Master1(5). Each has a job started, of which the reply tells; those that change the
 * map as well do that first. What they would move is told by Plan(), see plan-bus.h.
 *
 * All are handlers of methods, with the MasterBus as userdata. */

#include "master/bus/manager.h"

int elastic_bus_add_volumes(sd_bus_message *message, void *userdata, sd_bus_error *error);
int elastic_bus_delete_volumes(sd_bus_message *message, void *userdata, sd_bus_error *error);
int elastic_bus_rebalance(sd_bus_message *message, void *userdata, sd_bus_error *error);
int elastic_bus_set_copies(sd_bus_message *message, void *userdata, sd_bus_error *error);

/* Set ERROR to why a change cannot be: any, of volumes that were to be added or deleted. Return a
 * negative errno. */
int elastic_bus_refuse(MasterBus *bus, int r, sd_bus_error *error);
int elastic_bus_refuse_add(MasterBus *bus, int r, uint32_t number, sd_bus_error *error);
int elastic_bus_refuse_delete(
                MasterBus *bus, int r, uint32_t number, size_t n, sd_bus_error *error);
