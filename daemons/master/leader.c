/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/log.h"
#include "master/leader.h"

static VolumesOptions volumes_options(const Leader *leader) {
        const MasterConf *conf = leader->options.conf;

        return (VolumesOptions){
                .timeout_usec = conf->volume_timeout_usec,
                .copies = (uint32_t) conf->copies,
                .auto_add = conf->auto_add_volumes,
                .ticket_usec = conf->ticket_usec,
                .lead = leader->options.lead,
        };
}

static int start_garbage_collector(Leader *leader) {
        GarbageOptions options = {
                .index = leader->options.index,
                .lead = leader->options.lead,
                .volumes = leader->volumes,
                .peers = leader->options.peers,
        };

        return garbage_collector_new(&options, leader->options.event, &leader->garbage);
}

static int start_prober(Leader *leader) {
        ProberOptions options = {
                .index = leader->options.index,
                .directory = leader->options.conf->directory,
                .lead = leader->options.lead,
                .volumes = leader->volumes,
                .troubles = leader->options.troubles,
                .client = leader->options.client,
                .bulk = leader->options.bulk,
                .peers = leader->options.peers,
                .url = leader->options.url,
        };

        return prober_new(&options, leader->options.event, &leader->prober);
}

static int load_stale(Leader *leader) {
        StaleOptions options = {
                .index = leader->options.index,
                .lead = leader->options.lead,
                .volumes = leader->volumes,
                .troubles = leader->options.troubles,
                .peers = leader->options.peers,
        };
        int r;

        r = stale_new(&options, &leader->stale);
        if (r < 0)
                return log_error_errno(r, "Failed to load which volumes went back in time: %m");
        return 0;
}

static int connect_volumes(Leader *leader) {
        VolumesOptions options = volumes_options(leader);
        int r;

        r = volumes_new(leader->options.index, &options, &leader->volumes);
        if (r < 0)
                return log_error_errno(r, "Failed to load the cluster map: %m");

        r = watch_new(leader->volumes, leader->options.event, &leader->watch);
        if (r >= 0)
                r = outbox_new(leader->options.peers, leader->volumes, &leader->outbox);
        if (r >= 0)
                r = start_garbage_collector(leader);
        if (r >= 0)
                r = start_prober(leader);
        if (r < 0)
                return log_error_errno(r, "Failed to connect to the volumes: %m");
        return 0;
}

static int start_jobs(Leader *leader) {
        JobsOptions options = {
                .event = leader->options.event,
                .index = leader->options.index,
                .lead = leader->options.lead,
                .volumes = leader->volumes,
                .troubles = leader->options.troubles,
                .outbox = leader->outbox,
                .peers = leader->options.peers,
                .grace_usec = &leader->options.conf->grace_usec,
                .ticket_usec = &leader->options.conf->ticket_usec,
                .has_clients = leader->options.has_clients,
                .userdata = leader->options.userdata,
        };
        int r;

        r = jobs_new(&options, &leader->jobs);
        if (r < 0)
                return log_error_errno(r, "Failed to load the jobs: %m");
        return 0;
}

int leader_new(const LeaderOptions *options, Leader **ret) {
        Leader *leader = malloc(sizeof(*leader));
        int r;

        if (!leader)
                return log_error_errno(-ENOMEM, "Failed to start: %m");

        *leader = (Leader){ .options = *options };
        *ret = leader; /* what has begun is ended in the node's order, also if the rest fails */
        r = connect_volumes(leader);
        if (r >= 0)
                r = start_jobs(leader);
        if (r >= 0)
                r = load_stale(leader);
        return r;
}

void leader_configure(Leader *leader) {
        VolumesOptions options = volumes_options(leader);

        volumes_configure(leader->volumes, &options);
}

void leader_stop(Leader *leader) {
        if (!leader)
                return;

        jobs_stop(leader->jobs);
        stale_stop(leader->stale);
}

Leader *leader_free(Leader *leader) {
        if (!leader)
                return NULL;

        (void) watch_free(leader->watch);
        (void) garbage_collector_free(leader->garbage);
        (void) prober_free(leader->prober);
        (void) outbox_free(leader->outbox);
        (void) volumes_free(leader->volumes);
        (void) jobs_free(leader->jobs);
        (void) stale_free(leader->stale);
        free(leader);
        return NULL;
}
