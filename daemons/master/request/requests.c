/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "master/request/requests.h"

void requests_configure(Requests *requests, const RequestSettings *settings) {
        requests->proxy = settings->proxy;
        requests->value_size_max = settings->value_size_max;
        requests->grace_usec = settings->grace_usec;
        requests->ticket_usec = settings->ticket_usec;
        relays_configure(&requests->relays, settings->proxy);
        proxies_configure(&requests->proxies, settings->ticket_usec);
}

void requests_init(Requests *requests, const RequestsOptions *options) {
        *requests = (Requests){
                .index = options->index,
                .lead = options->lead,
                .volumes = options->volumes,
                .troubles = options->troubles,
                .stale = options->stale,
                .prober = options->prober,
                .secret = options->secret,
                .callers = {
                        .index = options->index,
                        .volumes = options->volumes,
                        .troubles = options->troubles,
                        .prober = options->prober,
                },
                .replicator = {
                        .index = options->index,
                        .lead = options->lead,
                        .volumes = options->volumes,
                        .outbox = options->outbox,
                        .peers = options->peers,
                },
                .budget.max = REQUESTS_PIPES_MAX,
                .relays = {
                        .volumes = options->volumes,
                        .bulk = options->bulk,
                        .budget = &requests->budget,
                },
                .proxies = {
                        .index = options->index,
                        .volumes = options->volumes,
                        .secret = options->secret,
                        .bulk = options->bulk,
                        .budget = &requests->budget,
                },
        };
        requests_configure(requests, &options->settings);
}
