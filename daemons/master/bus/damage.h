/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which copies are damaged, over D-Bus: the method GetDamage(). */

#include "master/bus/manager.h"

#define DAMAGE_BUS_TYPE "a(stusbt)"

/* How many are named at most. */
#define DAMAGE_BUS_MAX 1000

int damage_bus_reply(const MasterBus *bus, sd_bus_message *message);
