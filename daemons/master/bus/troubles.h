/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The known troubles on D-Bus: the property Troubles of the master and of each volume. */

#include <systemd/sd-bus.h>

#include "master/health/snapshot.h"

/* Name, level, volume, since when, a sentence and an advice of each. */
#define TROUBLES_BUS_ITEM "(ssutss)"
#define TROUBLES_BUS_TYPE "a" TROUBLES_BUS_ITEM

/* Appends the troubles of one volume or, for 0, all of them. Returns 0 or a negative errno. */
int troubles_bus_append(const HealthSnapshot *snapshot, sd_bus_message *message, uint32_t volume);
