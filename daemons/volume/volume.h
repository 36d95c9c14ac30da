/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The volume daemon: one object store, served over HTTP.
 *
 * Requests run on the HTTP server's threads, changes of the store on its committer, calls to the
 * master and to other volumes on the HTTP client's thread; the main thread has the timers. */

#include <systemd/sd-event.h>

#include "commit-queue.h"
#include "conf.h"
#include "net/http-client.h"
#include "net/http-server.h"
#include "net/secret.h"
#include "pending.h"
#include "report.h"
#include "settle.h"
#include "store/objects.h"
#include "verify.h"

typedef struct VolumeDaemon {
        VolumeConf conf;
        sd_event *event;
        Secret *secret;
        ObjectStore *store;
        Pending *pending;
        HttpClient *client; /* for calls that are short */
        HttpClient *bulk;   /* for values that are passed on, as slowly as they come */
        CommitQueue *commits;
        Report *report;
        Settle *settle;
        Verify *verify;
        HttpServer *server;
} VolumeDaemon;

/* Opens the store, connects everything and starts to serve. Takes the content of CONF over, in any
 * case. Errors are logged. */
int volume_daemon_new(VolumeConf *conf, VolumeDaemon **ret);

/* Lets running requests end, then stops. */
VolumeDaemon *volume_daemon_free(VolumeDaemon *volume);
DEFINE_CLEANUP(VolumeDaemon *, volume_daemon_free);

/* Runs until a signal ends it. */
int volume_daemon_run(VolumeDaemon *volume);

/* Logs that an object is damaged. */
void volume_daemon_log_damage(VolumeDaemon *volume, const char *key, uint64_t version, int error);
