/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which copies are damaged, over D-Bus: the method GetDamage(). */

#include <systemd/sd-bus.h>

typedef struct Master Master;

#define DAMAGE_BUS_TYPE "a(stusbt)"

/* How many are named at most. */
#define DAMAGE_BUS_MAX 1000

int damage_bus_reply(Master *master, sd_bus_message *message);
