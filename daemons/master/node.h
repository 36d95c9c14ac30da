/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Node: what every master has, whether it leads or not: its index, its server, its seat in a group.
 * What takes care of volumes is the leader's (leader.h).
 *
 * Requests run on the loops, changes on the index's committer, calls to volumes on
 * the HTTP client's thread; the main thread has the timers. */

#include <stdatomic.h>
#include <systemd/sd-event.h>

#include "core/call/ticket.h"
#include "core/key.h"
#include "daemon/service.h"
#include "http/server.h"
#include "loop/loops.h"
#include "master/bus/manager.h"
#include "master/conf.h"
#include "master/lead/lead.h"
#include "master/leader.h"
#include "master/request/requests.h"
#include "master/seat/seat.h"
#include "master/trouble/trouble.h"
#include "rpc/client.h"
#include "rpc/peers.h"
#include "rpc/secret.h"
#include "store/index/index.h"

typedef struct Node {
        const ProgramArguments *arguments; /* not owned */
        MasterConf conf;
        Service *service;
        sd_event *event; /* the service's */
        Loops *loops;    /* outlive all that runs on them */
        Secret *secret;
        Troubles *troubles;
        Index *index;
        Lead *lead;
        Seat *seat;         /* in a group of masters; NULL if this one is alone */
        Leader *leader;     /* NULL while it follows */
        HttpClient *client; /* for greetings */
        HttpClient *bulk;   /* for values that pass through, as slowly as their clients are */
        Peers *peers;
        RpcService *calls; /* takes those of volumes */
        Requests requests;
        _Atomic(HttpServer *) server; /* the jobs look at it while it is made */
        MasterBus *bus;
        bool stopping;
        uint64_t relays_until; /* monotonic; once it is stopping, how long they are waited for */
} Node;

/* Loads the settings, opens the index, connects everything and starts to serve. ARGUMENTS must
 * stay: the settings are loaded again when a signal asks for it. Errors are logged. */
int node_new(const ProgramArguments *arguments, Node **ret);

/* Ends the process if there are requests that do not. */
Node *node_free(Node *node);
DEFINE_CLEANUP(Node *, node_free);

/* Runs until a signal ends it, and then until running requests have ended. */
int node_run(Node *node);
