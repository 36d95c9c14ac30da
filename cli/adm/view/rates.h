/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Rates: what happened in the master per second between two looks. */

#include "adm/view/view.h"

#define RATE_FIELD(field, ...) double field;

typedef struct Rates {
        TRAFFIC_METRICS(RATE_FIELD) /* of counters */
} Rates;

/* All 0 if the master was restarted in between, or if no time has passed. */
Rates rates_between(const View *before, const View *after);

/* The growth of a volume's objects or bytes per second, negative if they became fewer; 0 if no time
 * has passed. */
double rate_of_change(uint64_t before, uint64_t after, uint64_t usec);
