/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Leader: what takes care of the volumes: their map, the calls to them, what is done by itself, and
 * the jobs.
 *
 * A master alone has one from its start, even while it may not lead, because only the volumes'
 * reports and answers show whether it may. Until then nothing here changes anything: map, garbage
 * collector, stale stores and jobs ask the lead (lead/lead.h) first. A master of a group makes one
 * when it is elected, since what is in the index until then is another one's work. A node that is
 * deposed, or loses the lead, ends its process; nothing is handed back. */

#include <systemd/sd-event.h>

#include "master/cluster/watch.h"
#include "master/conf.h"
#include "master/job/job.h"
#include "master/lead/lead.h"
#include "master/link/outbox.h"
#include "master/link/probe.h"
#include "master/upkeep/garbage.h"
#include "master/upkeep/stale.h"

/* None of it is owned; all of it is the node's. */
typedef struct LeaderOptions {
        sd_event *event;
        const MasterConf *conf;
        Index *index;
        Lead *lead;
        Troubles *troubles;
        HttpClient *client, *bulk;
        Peers *peers;
        const char *url;                     /* of this master, in a group; NULL if it is alone */
        bool (*has_clients)(void *userdata); /* whether clients had something done lately; from any
                                                thread */
        void *userdata;
} LeaderOptions;

typedef struct Leader {
        LeaderOptions options;
        Volumes *volumes;
        Watch *watch;
        Outbox *outbox;
        GarbageCollector *garbage;
        Prober *prober;
        Jobs *jobs;
        Stale *stale;
} Leader;

/* Errors are logged. A leader that is only half made is given back as well, to be stopped and
 * freed in the order below. */
int leader_new(const LeaderOptions *options, Leader **ret);

/* The settings have changed. */
void leader_configure(Leader *leader);

/* Ends its threads. Comes before the end of the clients and of the peers. */
void leader_stop(Leader *leader);

/* After the end of the clients, of the peers, and of the index. */
Leader *leader_free(Leader *leader);
DEFINE_CLEANUP(Leader *, leader_free);
