/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Requests: what the handlers of the master's routes work with, as the userdata of the routes.
 * The modules below the handlers get single parts of it. */

#include <stdatomic.h>

#include "master/cluster/volumes.h"
#include "master/group/group.h"
#include "master/lead/lead.h"
#include "master/link/caller.h"
#include "master/link/outbox.h"
#include "master/link/probe.h"
#include "master/request/proxy.h"
#include "master/request/relay.h"
#include "master/request/replicate.h"
#include "master/trouble/trouble.h"
#include "master/upkeep/stale.h"
#include "rpc/client.h"
#include "rpc/peers.h"
#include "rpc/rpc-service.h"
#include "rpc/secret.h"
#include "store/index/index.h"

/* The settings that may change at any time. A handler that needs one twice reads it once. */
typedef struct RequestSettings {
        bool proxy;              /* values pass through the master in both directions */
        uint64_t value_size_max; /* bytes */
        uint64_t grace_usec;     /* how long what was replaced stays readable */
        uint64_t ticket_usec;    /* how long a ticket is good */
} RequestSettings;

/* What Requests works with; nothing of it is owned, and all of it has to outlive the server. */
typedef struct RequestsOptions {
        Index *index;
        Lead *lead;
        Troubles *troubles;
        Secret *secret;
        Peers *peers;
        HttpClient *bulk; /* for values that pass through */
        RequestSettings settings;
} RequestsOptions;

/* What only who leads has; likewise. */
typedef struct RequestsLeader {
        Volumes *volumes;
        Stale *stale;
        Prober *prober;
        Outbox *outbox;
} RequestsLeader;

/* What relays and proxies may keep in memory together, however slow their clients and volumes are;
 * beyond that, values do not pass through. */
#define REQUESTS_PIPES_MAX (256 * MIB)

typedef struct Requests {
        Index *index;
        Lead *lead;
        Volumes *volumes; /* NULL while it follows, as are the next two */
        Stale *stale;
        Prober *prober;
        Troubles *troubles;
        Secret *secret;
        RpcService *calls; /* set once it is there; not owned */
        Group *group;      /* likewise; NULL if this master is alone */
        Callers callers;
        Replicator replicator;
        PipeBudget budget; /* of relays and proxies */
        Relays relays;
        Proxies proxies;

        atomic_bool proxy; /* these are RequestSettings */
        _Atomic uint64_t value_size_max;
        _Atomic uint64_t grace_usec;
        _Atomic uint64_t ticket_usec;
} Requests;

void requests_init(Requests *requests, const RequestsOptions *options);

/* Before the first request, or while lead_is_following(): nobody looks at what a leader has then.
 */
void requests_lead(Requests *requests, const RequestsLeader *leader);

/* Changes the settings. Thread: any. */
void requests_configure(Requests *requests, const RequestSettings *settings);

/* That of a request's server, or of a volume's call. */
static inline Requests *requests_of(HttpRequest *request) {
        return http_request_userdata(request);
}

static inline Requests *requests_of_call(const RpcRequest *request) {
        return rpc_request_userdata(request);
}
