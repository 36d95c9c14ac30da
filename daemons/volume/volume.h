/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The volume daemon: one object store, served over HTTP.
 *
 * Requests run on the HTTP server's threads, changes of the store on its committer, calls to the
 * master and to other volumes on the HTTP client's thread; the main thread has the timers. */

#include <stdatomic.h>
#include <systemd/sd-event.h>

#include "daemon/service.h"
#include "http/server.h"
#include "rpc/client.h"
#include "rpc/secret.h"
#include "store/object/objects.h"
#include "volume/bus.h"
#include "volume/conf.h"
#include "volume/link/allegiance.h"
#include "volume/link/commit-queue.h"
#include "volume/upkeep/damage.h"
#include "volume/upkeep/deletions.h"
#include "volume/upkeep/faults.h"
#include "volume/upkeep/pending.h"
#include "volume/upkeep/report.h"
#include "volume/upkeep/resolve.h"
#include "volume/upkeep/sweep.h"
#include "volume/upkeep/verify.h"

typedef struct VolumeDaemon {
        const ProgramArguments *arguments; /* not owned */
        VolumeConf conf;
        Service *service;
        sd_event *event; /* the service's */
        Secret *secret;
        ObjectStore *store;
        Faults *faults;
        Allegiance *allegiance;
        Pending *pending;
        HttpClient *client; /* for calls that are short */
        HttpClient *bulk;   /* for values that are passed on, as slowly as they come */
        HttpClient *disk;   /* for values that are pulled; its thread writes them to files */
        CommitQueue *commits;
        Damage *damage;
        Deletions *deletions;
        Report *report;
        Settle *settle;
        Sweep *sweep;
        Verify *verify;
        HttpServer *server;
        atomic_uint_least64_t stored_usec; /* when clients' values last came by the master */
        VolumeBus *bus;
} VolumeDaemon;

/* Loads the settings, opens the store, connects everything and starts to serve. ARGUMENTS must
 * stay: the settings are loaded again when a signal asks for it. Errors are logged. */
int volume_daemon_new(const ProgramArguments *arguments, VolumeDaemon **ret);

/* Ends the process if there are requests that do not. */
VolumeDaemon *volume_daemon_free(VolumeDaemon *volume);
DEFINE_CLEANUP(VolumeDaemon *, volume_daemon_free);

/* Runs until a signal ends it, and then until running requests have ended. */
int volume_daemon_run(VolumeDaemon *volume);

/* Whether clients had something done here lately, themselves or through the master. */
bool volume_daemon_has_clients(const VolumeDaemon *volume);
