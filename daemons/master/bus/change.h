/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Changes of the cluster over D-Bus, see org.dkv.Master1(5). Each is answered with the job that it
 * has started, or "/" for none, and with the epoch of the cluster map after it; those that change
 * the map and start a job change the map first. What a change would move is told by Plan().
 *
 * All are handlers of methods: of the manager's, with the MasterBus as userdata, and of a volume's,
 * with its BusMember. */

#include "master/bus/manager.h"

int change_bus_add_volumes(sd_bus_message *message, void *userdata, sd_bus_error *error);
int change_bus_delete_volumes(sd_bus_message *message, void *userdata, sd_bus_error *error);
int change_bus_rebalance(sd_bus_message *message, void *userdata, sd_bus_error *error);
int change_bus_set_copies(sd_bus_message *message, void *userdata, sd_bus_error *error);

int change_bus_set_volume(sd_bus_message *message, void *userdata, sd_bus_error *error);
int change_bus_set_maintenance(sd_bus_message *message, void *userdata, sd_bus_error *error);
