/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* On D-Bus: whether the master leads, and the way out for one whose index is older. */

#include "master/bus/manager.h"

/* The method AcceptRollback. */
int lead_bus_accept_rollback(sd_bus_message *message, void *userdata, sd_bus_error *error);

/* Sets ERROR to the reason if the master does not lead. Returns 0 or a negative errno. */
int lead_bus_check(const MasterBus *bus, sd_bus_error *error);
