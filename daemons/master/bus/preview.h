/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a change would move, over D-Bus: the method Plan(). */

#include "master/bus/call.h"
#include "master/bus/refusal.h"

/* What the method needs; none of it is owned. */
typedef struct PreviewBus {
        BusCalls *calls;
        const RefusalSource *reasons;
        Jobs *jobs;
        const uint64_t *epoch; /* of the map, as the bus tells it */
} PreviewBus;

/* A handler of the method, with the PreviewBus as userdata. Everybody may look. */
int preview_bus_plan(sd_bus_message *message, void *userdata, sd_bus_error *error);
