/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* On D-Bus: whether the master leads, and the way out for one whose index is older. */

#include "master/bus/call.h"
#include "master/bus/refusal.h"

/* What the method needs; none of it is owned. */
typedef struct LeadBus {
        BusCalls *calls;
        const RefusalSource *reasons;
        Lead *lead;
} LeadBus;

/* A handler of the method AcceptRollback(), with the LeadBus as userdata. */
int lead_bus_accept_rollback(sd_bus_message *message, void *userdata, sd_bus_error *error);

/* Sets ERROR to the reason if the master does not lead. Returns 0 or a negative errno. */
int lead_bus_check(Lead *lead, sd_bus_error *error);
