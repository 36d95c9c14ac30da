/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which copies are damaged, over D-Bus: the method GetDamage(). */

#include <systemd/sd-bus.h>

#include "store/index/index.h"

#define DAMAGE_BUS_ITEM "(stusbt)" /* key, version, volume, kind, lost, since when */
#define DAMAGE_BUS_TYPE "a" DAMAGE_BUS_ITEM

/* How many are named at most. */
#define DAMAGE_BUS_MAX 1000

/* Answers MESSAGE. Returns a value for a method handler to return. */
int damage_bus_reply(Index *index, sd_bus_message *message);
