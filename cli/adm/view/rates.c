/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/view/rates.h"

double rate_of_change(uint64_t before, uint64_t after, uint64_t usec) {
        return usec == 0 ? 0 : ((double) after - (double) before) * USEC_PER_SEC / (double) usec;
}

Rates rates_between(const View *before, const View *after) {
        const Traffic *old = &before->traffic, *new = &after->traffic;
        uint64_t usec = after->taken - before->taken;

        if (before->started_at != after->started_at)
                return (Rates){};

#define RATE(field, ...) .field = rate_of_change(old->field, new->field, usec),
        return (Rates){ TRAFFIC_METRICS(RATE) };
#undef RATE
}
