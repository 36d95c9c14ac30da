/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/view/rates.h"

double rate_of_change(uint64_t before, uint64_t after, uint64_t usec) {
        return usec == 0 ? 0 : ((double) after - (double) before) * USEC_PER_SEC / (double) usec;
}

Rates rates_between(const View *before, const View *after) {
        const TrafficView *old = &before->traffic, *new = &after->traffic;
        uint64_t usec = after->taken - before->taken;

        if (before->started_at != after->started_at)
                return (Rates){};

        return (Rates){
                .requests = rate_of_change(old->requests, new->requests, usec),
                .reads = rate_of_change(old->reads, new->reads, usec),
                .writes = rate_of_change(old->writes, new->writes, usec),
                .deletes = rate_of_change(old->deletes, new->deletes, usec),
                .errors = rate_of_change(old->errors, new->errors, usec),
                .bytes_received = rate_of_change(old->bytes_received, new->bytes_received, usec),
                .bytes_sent = rate_of_change(old->bytes_sent, new->bytes_sent, usec),
        };
}
