/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a change would move, over D-Bus: the method Plan(). */

#include "master/bus/manager.h"

/* A handler of the method, with the MasterBus as userdata. */
int preview_bus_plan(sd_bus_message *message, void *userdata, sd_bus_error *error);
