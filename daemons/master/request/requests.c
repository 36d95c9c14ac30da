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
                .troubles = options->troubles,
                .secret = options->secret,
                .callers = { .index = options->index, .troubles = options->troubles },
                .replicator = {
                        .index = options->index,
                        .lead = options->lead,
                        .peers = options->peers,
                },
                .budget.max = REQUESTS_PIPES_MAX,
                .relays = { .bulk = options->bulk, .budget = &requests->budget },
                .proxies = {
                        .index = options->index,
                        .secret = options->secret,
                        .bulk = options->bulk,
                        .budget = &requests->budget,
                },
        };
        requests_configure(requests, &options->settings);
}

void requests_lead(Requests *requests, const RequestsLeader *leader) {
        requests->volumes = requests->callers.volumes = requests->replicator.volumes =
                        requests->relays.volumes = requests->proxies.volumes = leader->volumes;
        requests->prober = requests->callers.prober = leader->prober;
        requests->replicator.outbox = leader->outbox;
        requests->stale = leader->stale;
}
