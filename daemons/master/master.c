/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/event-ids.h"
#include "base/file.h"
#include "base/log.h"
#include "master/cluster/run.h"
#include "master/cluster/watch.h"
#include "master/health/look.h"
#include "master/master.h"
#include "master/request/routes.h"
#include "store/index/identity.h"
#include "store/index/storage.h"

/* For relays, when the master is told to stop. */
#define RELAYS_USEC (10 * USEC_PER_SEC)

/* So many are named; more say no more. */
#define DAMAGED_PAGES_MAX 16

static void log_pages(const Index *index) {
        unsigned repaired = index_repaired_pages(index);
        char page[PATH_MAX + 64];

        if (repaired > 0)
                log_notice("%u pages of the databases were torn or damaged and were put right.",
                           repaired);
        for (unsigned i = 0;
             i < DAMAGED_PAGES_MAX && index_damaged_page(index, i, page, sizeof(page)); i++)
                log_event(LOG_ERR, EVENT_CORRUPTION_FOUND, NULL,
                          "The database is damaged: %s cannot be read, nor what is in it.", page);
}

static int open_index(Master *master) {
        const MasterConf *conf = &master->conf;
        int r;

        r = make_directory(conf->directory, 0750);
        if (r < 0)
                return log_error_errno(r, "Failed to make the directory '%s': %m", conf->directory);

        r = index_open(
                        &(IndexOptions){
                                        .directory = conf->directory,
                                        .cache_size = conf->cache_size ?: index_default_cache(),
                                        .checkpoint_size = conf->checkpoint_size,
                                        .reserve_size = conf->reserve_size,
                                        .before_done = http_replies_hold,
                                        .after_done = http_replies_release,
                                        .on_progress = service_recovering,
                        },
                        &master->index);
        if (r == -ENOMEDIUM) {
                log_event(LOG_CRIT, EVENT_STORE_INCOMPLETE, NULL,
                          "'%s' is missing in '%s', and belongs to this index: is its disk mounted? "
                          "It was not opened, nothing was changed.",
                          index_missing(), conf->directory);
                return r;
        }
        if (r == -EBADMSG && *index_last_damage())
                log_event(LOG_CRIT, EVENT_STORE_DAMAGED, NULL,
                          "The index in '%s' is damaged and was not opened, nothing was changed: %s",
                          conf->directory, index_last_damage());
        if (r < 0)
                return log_error_errno(r, "Failed to open the index in '%s': %m", conf->directory);
        if (index_was_recovered(master->index))
                log_event(LOG_NOTICE, EVENT_RECOVERED, NULL,
                          "The index was not closed by the last run and was recovered.");
        log_pages(master->index);
        return 0;
}

static int start_to_lead(Master *master) {
        LeadOptions options = {
                .index = master->index,
                .troubles = master->troubles,
                .directory = master->conf.directory,
                .accept_rollback = master->arguments->accept_rollback,
        };
        int r;

        r = lead_new(&options, master->event, &master->lead);
        if (r < 0)
                return log_error_errno(
                                r, "Failed to find out whether the index in '%s' may lead: %m",
                                master->conf.directory);
        return 0;
}

static VolumesOptions volumes_options(const Master *master) {
        const MasterConf *conf = &master->conf;

        return (VolumesOptions){
                .timeout_usec = conf->volume_timeout_usec,
                .copies = (uint32_t) conf->copies,
                .auto_add = conf->auto_add_volumes,
                .ticket_usec = conf->ticket_usec,
                .lead = master->lead,
        };
}

static RequestSettings request_settings(const MasterConf *conf) {
        return (RequestSettings){
                .proxy = conf->proxy,
                .value_size_max = conf->value_size_max,
                .grace_usec = conf->grace_usec,
                .ticket_usec = conf->ticket_usec,
        };
}

static void prepare_requests(Master *master) {
        requests_init(&master->requests,
                      &(RequestsOptions){
                                      .index = master->index,
                                      .lead = master->lead,
                                      .volumes = master->volumes,
                                      .troubles = master->troubles,
                                      .stale = master->stale,
                                      .prober = master->prober,
                                      .outbox = master->outbox,
                                      .secret = master->secret,
                                      .client = master->client,
                                      .bulk = master->bulk,
                                      .settings = request_settings(&master->conf),
                      });
}

static int start_garbage_collector(Master *master) {
        GarbageOptions options = {
                .index = master->index,
                .lead = master->lead,
                .volumes = master->volumes,
                .client = master->client,
        };

        return garbage_collector_new(&options, master->event, &master->garbage);
}

static int start_prober(Master *master) {
        ProberOptions options = {
                .index = master->index,
                .directory = master->conf.directory,
                .lead = master->lead,
                .volumes = master->volumes,
                .troubles = master->troubles,
                .client = master->client,
                .bulk = master->bulk,
        };

        return prober_new(&options, master->event, &master->prober);
}

static int load_stale(Master *master) {
        StaleOptions options = {
                .index = master->index,
                .lead = master->lead,
                .volumes = master->volumes,
                .troubles = master->troubles,
                .client = master->bulk,
        };
        int r;

        r = stale_new(&options, &master->stale);
        if (r < 0)
                return log_error_errno(r, "Failed to load which volumes went back in time: %m");
        return 0;
}

static int connect_volumes(Master *master) {
        VolumesOptions options = volumes_options(master);
        int r;

        r = volumes_new(master->index, &options, &master->volumes);
        if (r < 0)
                return log_error_errno(r, "Failed to load the cluster map: %m");

        r = watch_new(master->volumes, master->event, &master->watch);
        if (r >= 0)
                r = outbox_new(master->client, master->volumes, &master->outbox);
        if (r >= 0)
                r = start_garbage_collector(master);
        if (r >= 0)
                r = start_prober(master);
        if (r < 0)
                return log_error_errno(r, "Failed to connect to the volumes: %m");
        return 0;
}

static int start_bus(Master *master) {
        int r;

        r = master_bus_new(
                        &(MasterBusOptions){
                                        .event = master->event,
                                        .address = master->arguments->bus_address,
                                        .settings = master_conf_items,
                                        .conf = &master->conf,
                                        .directory = master->conf.directory,
                                        .listen = master->conf.endpoint.listen,
                                        .index = master->index,
                                        .lead = master->lead,
                                        .troubles = master->troubles,
                                        .volumes = master->volumes,
                                        .watch = master->watch,
                                        .jobs = master->jobs,
                                        .server = master->server,
                        },
                        &master->bus);
        if (r < 0)
                return log_error_errno(
                                r, "Failed to start on the bus '%s': %m",
                                master->arguments->bus_address);
        return 0;
}

static void on_reload(void *userdata) {
        Master *master = userdata;
        MasterConf *conf = &master->conf, fresh = {};
        int r;

        r = master_conf_load(&fresh, master->arguments);
        if (r >= 0) {
                VolumesOptions options;
                RequestSettings settings;

                program_apply(master_conf_items, conf, &fresh, "dkv-master");
                options = volumes_options(master);
                volumes_configure(master->volumes, &options);
                settings = request_settings(conf);
                requests_configure(&master->requests, &settings);
        } else
                log_error("All settings stay as they were.");
        conf_done(master_conf_items, &fresh);
}

static bool on_is_alive(uint64_t timeout_usec, void *userdata) {
        Master *master = userdata;

        return !index_is_stuck(master->index, timeout_usec);
}

static void on_status(char *ret, size_t size, void *userdata) {
        Master *master = userdata;
        _cleanup_(health_look_done) HealthLook look = {};
        IndexCounters counters;
        size_t n_active = 0;
        bool ok;

        if (health_look(master->volumes, master->troubles, &look) < 0)
                return;

        for (size_t i = 0; i < look.input.n_volumes; i++)
                n_active += look.volumes[i].state == VOLUME_ACTIVE;
        index_counters(master->index, &counters);
        ok = look.health.level == HEALTH_OK;

        if (!lead_is_leading(master->lead)) {
                (void) snprintf(ret, size, "Serving nobody. %s", look.health.reason);
                return;
        }
        (void) snprintf(ret, size, "Serving %" PRIu64 " keys on %zu %s%s%s", counters.keys,
                        n_active, n_active == 1 ? "volume" : "volumes", ok ? "" : ". ",
                        ok ? "" : look.health.reason);
}

/* A relay ends when its volume has made a commit, here, for which it may have to connect. So the
 * door stays open until relays have ended; other clients with large values are redirected
 * meanwhile. */
static bool on_stop(void *userdata) {
        Master *master = userdata;
        uint64_t now = clock_monotonic();

        if (!master->stopping) {
                master->stopping = true;
                master->relays_until = now + RELAYS_USEC;
                jobs_stop(master->jobs);
        }
        if (relays_stop(&master->requests.relays) > 0 && now < master->relays_until)
                return false;
        return http_server_drain(master->server, 0) == 0;
}

static const ServiceHooks service_hooks = {
        .reload = on_reload,
        .is_alive = on_is_alive,
        .status = on_status,
        .stop = on_stop,
};

static bool on_has_clients(void *userdata) {
        return master_has_clients(userdata);
}

static int start_jobs(Master *master) {
        JobsOptions options = {
                .event = master->event,
                .index = master->index,
                .lead = master->lead,
                .volumes = master->volumes,
                .troubles = master->troubles,
                .outbox = master->outbox,
                .client = master->client,
                .bulk = master->bulk,
                .grace_usec = &master->conf.grace_usec,
                .ticket_usec = &master->conf.ticket_usec,
                .has_clients = on_has_clients,
                .userdata = master,
        };
        int r;

        r = jobs_new(&options, &master->jobs);
        if (r < 0)
                return log_error_errno(r, "Failed to load the jobs: %m");
        return 0;
}

static int start(Master *master) {
        MasterConf *conf = &master->conf;
        HttpServer *server;
        int r;

        r = master_conf_load(conf, master->arguments);
        if (r < 0)
                return r;
        r = service_new(&service_hooks, master, &master->service);
        if (r < 0)
                return log_error_errno(r, "Failed to make the event loop: %m");
        master->event = service_event(master->service);

        r = endpoint_connect(
                        &conf->endpoint, &master->secret, &master->client, &master->bulk, NULL);
        if (r < 0)
                return r;
        r = troubles_new(&master->troubles);
        if (r < 0)
                return log_error_errno(r, "Failed to start: %m");
        r = open_index(master);
        if (r < 0)
                return r;
        r = start_to_lead(master);
        if (r < 0)
                return r;
        r = connect_volumes(master);
        if (r < 0)
                return r;
        r = start_jobs(master);
        if (r < 0)
                return r;
        r = load_stale(master);
        if (r < 0)
                return r;
        prepare_requests(master);
        r = endpoint_serve(
                        &conf->endpoint, master->secret, master_routes, &master->requests, &server);
        if (r < 0)
                return r;
        __atomic_store_n(&master->server, server, __ATOMIC_RELEASE); /* jobs look at it already */
        prober_start(master->prober); /* the volumes shall report at once */
        return start_bus(master);
}

int master_new(const ProgramArguments *arguments, Master **ret) {
        _cleanup_(master_freep) Master *master = NULL;
        int r;

        master = malloc(sizeof(*master));
        if (!master)
                return log_error_errno(-ENOMEM, "Failed to start: %m");

        *master = (Master){ .arguments = arguments };
        r = start(master);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(master);
        return 0;
}

Master *master_free(Master *master) {
        if (!master)
                return NULL;

        jobs_stop(master->jobs);
        stale_stop(master->stale);
        endpoint_cut(master->server);
        (void) http_client_free(master->bulk);
        (void) http_client_free(master->client);
        (void) http_server_free(master->server);
        (void) index_free(master->index);
        master_bus_stop(master->bus); /* while volumes and jobs are there */
        (void) watch_free(master->watch);
        (void) garbage_collector_free(master->garbage);
        (void) prober_free(master->prober);
        (void) outbox_free(master->outbox);
        (void) volumes_free(master->volumes); /* lets go of what the bus has asked for */
        (void) jobs_free(master->jobs);       /* likewise */
        (void) master_bus_free(master->bus);
        (void) lead_free(master->lead);
        (void) stale_free(master->stale);
        (void) troubles_free(master->troubles);
        (void) secret_free(master->secret);
        (void) service_free(master->service);
        conf_done(master_conf_items, &master->conf);
        free(master);
        return NULL;
}

int master_run(Master *master) {
        int r;

        log_info("The master serves '%s' on %s.", master->conf.directory,
                 master->conf.endpoint.listen);
        r = service_run(master->service, master->conf.endpoint.stop_usec);
        if (r < 0)
                return log_error_errno(r, "The event loop failed: %m");
        return 0;
}

bool master_has_clients(const Master *master) {
        const HttpServer *server = __atomic_load_n(&master->server, __ATOMIC_ACQUIRE);

        return server && http_server_has_clients(server);
}
