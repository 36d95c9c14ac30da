/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Health: tells everybody who this volume is, how it is, and whom it follows. */

#include "http/request.h"
#include "volume/link/allegiance.h"
#include "volume/upkeep/copies.h"
#include "volume/upkeep/report.h"

/* None of it is owned. */
typedef struct HealthOptions {
        const Copies *copies;
        Allegiance *allegiance;
        const Report *report;
} HealthOptions;

/* For the route table. */
int health_finish(const HealthOptions *options, HttpRequest *request);
