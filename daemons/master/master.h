/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The master: knows where every key is and who the volumes are.
 *
 * Requests run on the HTTP server's threads, changes on the index's committer, calls to volumes on
 * the HTTP client's thread; the main thread has the timers. */

#include <systemd/sd-event.h>

#include "core/call/ticket.h"
#include "core/key.h"
#include "daemon/service.h"
#include "http/server.h"
#include "master/bus/manager.h"
#include "master/cluster/lead.h"
#include "master/cluster/settings.h"
#include "master/cluster/trouble.h"
#include "master/cluster/watch.h"
#include "master/conf.h"
#include "master/job/job.h"
#include "master/link/outbox.h"
#include "master/link/probe.h"
#include "master/request/requests.h"
#include "master/upkeep/garbage.h"
#include "master/upkeep/stale.h"
#include "rpc/client.h"
#include "rpc/secret.h"
#include "store/index/index.h"

typedef struct Master {
        const ProgramArguments *arguments; /* not owned */
        MasterConf conf;
        Service *service;
        sd_event *event; /* the service's */
        Secret *secret;
        Troubles *troubles;
        Index *index;
        Lead *lead;
        Stale *stale;
        Volumes *volumes;
        Watch *watch;
        HttpClient *client; /* for calls that are short */
        HttpClient *bulk;   /* for values that pass through, as slowly as their clients are */
        Outbox *outbox;
        GarbageCollector *garbage;
        Prober *prober;
        Requests requests;
        Jobs *jobs;
        HttpServer *server;
        MasterBus *bus;
        bool stopping;
        uint64_t relays_until; /* monotonic; once it is stopping, how long they are waited for */
} Master;

/* Loads the settings, opens the index, connects everything and starts to serve. ARGUMENTS must
 * stay: the settings are loaded again when a signal asks for it. Errors are logged. */
int master_new(const ProgramArguments *arguments, Master **ret);

/* Ends the process if there are requests that do not. */
Master *master_free(Master *master);
DEFINE_CLEANUP(Master *, master_free);

/* Runs until a signal ends it, and then until running requests have ended. */
int master_run(Master *master);

/* Whether clients had something done lately. */
bool master_has_clients(const Master *master);
