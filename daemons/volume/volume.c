/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/event-ids.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/service.h"
#include "daemon/store-log.h"
#include "loop/loops.h"
#include "store/object/workers.h"
#include "volume/bus.h"
#include "volume/conf.h"
#include "volume/routes.h"
#include "volume/upkeep/resolve.h"
#include "volume/volume.h"

struct VolumeDaemon {
        const ProgramArguments *arguments; /* not owned */
        VolumeConf conf;
        Service *service;
        sd_event *event; /* the service's */

        Loops *loops; /* outlive all that runs on them */
        Secret *secret;
        HttpClient *client; /* for calls that are short */
        Peers *peers;
        HttpClient *bulk; /* for values that are passed on, as slowly as they come */
        HttpClient *disk; /* for values that are pulled; its thread writes them to files */

        Copies copies; /* owned, all four */
        Deletions *deletions;
        Sweep *sweep;

        Allegiance *allegiance;
        MasterLink *master;
        Callers callers;
        CommitQueue *commits;
        Report *report;
        Resolver *resolver;
        Workers verifier; /* one thread, which reads whole values */

        Activity activity;
        PipeBudget passed_on; /* of values on their way to other volumes */
        VolumeRoutes routes;
        RpcService *calls; /* takes the master's orders */
        HttpServer *server;
        VolumeBus *bus;
};

/* Finds out whose the store is. */
static int belong(VolumeDaemon *volume) {
        const VolumeConf *conf = &volume->conf;
        uint32_t number;
        int r;

        r = allegiance_new(
                        volume->copies.store, (uint32_t) conf->number, &volume->allegiance,
                        &number);
        if (r == -EREMOTE)
                log_event(LOG_ERR, EVENT_FOREIGN_STORE, NULL,
                          "The store in '%s' belongs to volume %" PRIu32
                          ", and this is volume %" PRIu64
                          ". Give each volume its own directory (or disk) back; nothing was changed.",
                          conf->directory, number, conf->number);
        else if (r < 0)
                (void) log_error_errno(
                                r, "Failed to read whose the store in '%s' is: %m",
                                conf->directory);
        return r;
}

static int open_store(VolumeDaemon *volume) {
        const VolumeConf *conf = &volume->conf;
        ObjectStoreOptions options = {
                .environment = {
                        .directory = conf->directory,
                        .cache_size = conf->cache_size,
                        .checkpoint_size = conf->checkpoint_size,
                        .reserve_size = conf->reserve_size,
                        .before_done = loop_hold,
                        .after_done = loop_release,
                        .on_progress = service_recovering,
                },
                .inline_max = conf->inline_max,
        };
        int r;

        r = make_directory(conf->directory, 0750);
        if (r < 0)
                return log_error_errno(
                                r,
                                "There is no directory '%s', and none can be made (%m): is its disk mounted? "
                                "For a new volume, dkvadm volume create makes one.",
                                conf->directory);

        r = object_store_open(&options, &volume->copies.store);
        if (r < 0)
                return store_log_failure("store", conf->directory, r);
        store_log_opened("store", object_store_environment(volume->copies.store));

        r = belong(volume);
        if (r < 0)
                return r;
        r = pending_new(volume->copies.store, &volume->copies.pending);
        if (r < 0)
                return log_error_errno(
                                r, "Failed to read what is pending in '%s': %m", conf->directory);
        r = sweep_new(volume->copies.store, &volume->sweep);
        if (r < 0)
                return log_error_errno(
                                r, "Failed to read what is to be asked about in '%s': %m",
                                conf->directory);
        r = deletions_new(volume->copies.store, volume->copies.pending, &volume->deletions);
        if (r < 0)
                return log_error_errno(
                                r, "Failed to read what was deleted last in '%s': %m",
                                conf->directory);
        return 0;
}

static int start_master_link(VolumeDaemon *volume) {
        int r;

        r = peers_new(
                        &(PeersOptions){
                                        .loops = volume->loops,
                                        .secret = volume->secret,
                                        .timeout_usec = volume->conf.endpoint.timeout_usec,
                        },
                        &volume->peers);
        if (r < 0)
                return r;
        r = master_link_new(
                        volume->peers, volume->allegiance, volume->conf.master, &volume->master);
        if (r < 0)
                return r;
        volume->callers = (Callers){
                .secret = volume->secret,
                .allegiance = volume->allegiance,
                .store = volume->copies.store,
                .master = volume->master,
        };

        r = commit_queue_new(volume->master, &volume->commits);
        if (r < 0)
                return r;
        return damage_new(volume->master, (uint32_t) volume->conf.number, &volume->copies.damage);
}

static int start_report(VolumeDaemon *volume) {
        const VolumeConf *conf = &volume->conf;
        int r;

        r = report_new(
                        &(ReportOptions){
                                        .event = volume->event,
                                        .master = volume->master,
                                        .allegiance = volume->allegiance,
                                        .copies = &volume->copies,
                                        .sweep = volume->sweep,
                                        .deletions = volume->deletions,
                                        .directory = conf->directory,
                                        .url = conf->url,
                                        .zone = conf->zone,
                                        .interval_usec = conf->report_usec,
                        },
                        &volume->report);
        if (r < 0)
                return r;
        return resolver_new(
                        &(ResolverOptions){
                                        .event = volume->event,
                                        .master = volume->master,
                                        .copies = &volume->copies,
                                        .sweep = volume->sweep,
                                        .report = volume->report,
                                        .number = (uint32_t) conf->number,
                        },
                        &volume->resolver);
}

static int start_work(VolumeDaemon *volume) {
        const VolumeConf *conf = &volume->conf;
        int r;

        volume->copies.inline_max = conf->inline_max;
        r = workers_start(&volume->verifier, 1);
        if (r < 0)
                return log_error_errno(r, "Failed to start the verifier: %m");
        r = faults_new(
                        &(FaultsOptions){
                                        .store = volume->copies.store,
                                        .client = volume->client,
                                        .directory = conf->directory,
                                        .number = (uint32_t) conf->number,
                        },
                        &volume->copies.faults);
        if (r < 0)
                return log_error_errno(r, "Failed to start to test the store: %m");

        r = start_master_link(volume);
        if (r >= 0)
                r = start_report(volume);
        if (r < 0)
                return log_error_errno(r, "Failed to start to report to the master: %m");
        return 0;
}

static void fill_routes(VolumeDaemon *volume) {
        const Callers *callers = &volume->callers;
        const Copies *copies = &volume->copies;
        Workers *verifier = &volume->verifier;

        volume->passed_on.max = UPLOAD_PIPES_MAX;
        volume->routes = (VolumeRoutes){
                .callers = callers,
                .health = { copies, volume->allegiance, volume->report },
                .hello = { callers, volume->report },
                .store = { callers, copies, &volume->activity },
                .delete = { callers, volume->deletions, copies->faults },
                .pull = { callers, copies, volume->disk, verifier, &volume->activity },
                .check = { callers, copies, verifier },
                .fetch = copies,
                .get = { callers, copies, verifier },
                .upload = { callers, copies, volume->bulk, &volume->passed_on, volume->commits,
                            volume->report },
        };
}

static int serve(VolumeDaemon *volume) {
        RpcServiceOptions options;
        int r;

        fill_routes(volume);
        options = volume_calls(&volume->routes);
        r = rpc_service_new(&options, &volume->calls);
        if (r < 0)
                return log_error_errno(r, "Failed to start: %m");
        volume->routes.calls = volume->calls;
        r = endpoint_serve(
                        &volume->conf.endpoint, volume->loops, volume->secret, volume_routes,
                        &volume->routes, &volume->server);
        if (r < 0)
                return r;

        activity_set_server(&volume->activity, volume->server); /* pulls look at it already */
        return 0;
}

static int start_bus(VolumeDaemon *volume) {
        int r;

        r = volume_bus_new(
                        &(VolumeBusOptions){
                                        .event = volume->event,
                                        .address = volume->arguments->bus_address,
                                        .conf = &volume->conf,
                                        .store = volume->copies.store,
                                        .report = volume->report,
                                        .pending = volume->copies.pending,
                                        .server = volume->server,
                        },
                        &volume->bus);
        if (r < 0)
                return log_error_errno(
                                r, "Failed to start on the bus '%s': %m",
                                volume->arguments->bus_address);
        return 0;
}

static void on_reload(void *userdata) {
        VolumeDaemon *volume = userdata;
        char unit[sizeof("dkv-volume@") + DECIMAL_SIZE(uint64_t)];
        VolumeConf fresh = {};
        int r;

        (void) snprintf(unit, sizeof(unit), "dkv-volume@%" PRIu64, volume->conf.number);
        r = volume_conf_load(&fresh, volume->arguments);
        if (r >= 0 && !*fresh.url) { /* it was found at the start */
                free(fresh.url);
                fresh.url = strdup(volume->conf.url);
                r = fresh.url ? 0 : -ENOMEM;
        }
        if (r >= 0) {
                program_apply(volume_conf_items, &volume->conf, &fresh, unit);
                report_set(volume->report, volume->conf.zone, volume->conf.report_usec);
        } else
                log_error("All settings stay as they were.");
        conf_done(volume_conf_items, &fresh);
}

static bool on_is_alive(uint64_t timeout_usec, void *userdata) {
        VolumeDaemon *volume = userdata;

        return !environment_is_stuck(object_store_environment(volume->copies.store), timeout_usec);
}

static void on_status(char *ret, size_t size, void *userdata) {
        VolumeDaemon *volume = userdata;
        StoreFault fault = faults_get(volume->copies.faults);
        ObjectStoreCounters counters;
        char error[REPORT_ERROR_SIZE];

        if (object_store_counters(volume->copies.store, &counters) < 0)
                return;

        report_error(volume->report, error);
        (void) snprintf(ret, size,
                        "Volume %" PRIu64 ": %" PRIu64 " objects, %.1f GiB free%s%s, %s %s",
                        volume->conf.number, counters.objects,
                        (double) counters.disk_free / (double) GIB,
                        fault == STORE_FAULT_NONE ? "" : ", stores nothing: ",
                        fault == STORE_FAULT_NONE ? "" : store_fault_to_string(fault),
                        report_is_accepted(volume->report) ? "reporting to"
                        : *error                           ? error
                                                           : "about to report to",
                        *error ? "" : report_master(volume->report));
}

static bool on_stop(void *userdata) {
        VolumeDaemon *volume = userdata;

        rpc_service_stop(volume->calls);
        return http_server_drain(volume->server, 0) == 0;
}

static const ServiceHooks service_hooks = {
        .reload = on_reload,
        .is_alive = on_is_alive,
        .status = on_status,
        .stop = on_stop,
};

static int start(VolumeDaemon *volume) {
        VolumeConf *conf = &volume->conf;
        int r;

        r = volume_conf_load(conf, volume->arguments);
        if (r >= 0)
                r = volume_conf_find_url(conf);
        if (r < 0)
                return r;
        r = service_new(&service_hooks, volume, &volume->service);
        if (r < 0)
                return log_error_errno(r, "Failed to make the event loop: %m");
        volume->event = service_event(volume->service);

        r = loops_new(conf->endpoint.threads, &volume->loops);
        if (r < 0)
                return log_error_errno(r, "Failed to start the threads: %m");
        r = endpoint_connect(
                        &conf->endpoint, &volume->secret, &volume->client, &volume->bulk,
                        &volume->disk);
        if (r < 0)
                return r;
        r = open_store(volume);
        if (r < 0)
                return r;
        r = start_work(volume);
        if (r < 0)
                return r;
        r = serve(volume);
        if (r < 0)
                return r;
        return start_bus(volume);
}

int volume_daemon_new(const ProgramArguments *arguments, VolumeDaemon **ret) {
        _cleanup_(volume_daemon_freep) VolumeDaemon *volume = NULL;
        int r;

        volume = malloc(sizeof(*volume));
        if (!volume)
                return log_error_errno(-ENOMEM, "Failed to start: %m");

        *volume = (VolumeDaemon){ .arguments = arguments };
        workers_init(&volume->verifier);
        r = start(volume);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(volume);
        return 0;
}

VolumeDaemon *volume_daemon_free(VolumeDaemon *volume) {
        if (!volume)
                return NULL;

        endpoint_cut(volume->server, EXIT_SUCCESS);
        (void) volume_bus_free(volume->bus);
        faults_stop(volume->copies.faults);
        (void) http_client_free(volume->disk);
        (void) http_client_free(volume->bulk);
        (void) http_client_free(volume->client);
        peers_stop(volume->peers);
        damage_stop(volume->copies.damage);
        (void) http_server_free(volume->server);
        workers_done(&volume->verifier);
        (void) resolver_free(volume->resolver);
        (void) report_free(volume->report);
        (void) commit_queue_free(volume->commits);
        (void) damage_free(volume->copies.damage);
        (void) master_link_free(volume->master);
        (void) faults_free(volume->copies.faults);
        (void) object_store_free(volume->copies.store);
        (void) allegiance_free(volume->allegiance);
        (void) deletions_free(volume->deletions);
        (void) pending_free(volume->copies.pending);
        (void) sweep_free(volume->sweep);
        (void) peers_free(volume->peers);
        (void) loops_free(volume->loops);
        (void) rpc_service_free(volume->calls);
        (void) secret_free(volume->secret);
        (void) service_free(volume->service);
        conf_done(volume_conf_items, &volume->conf);
        free(volume);
        return NULL;
}

int volume_daemon_run(VolumeDaemon *volume) {
        int r;

        log_info("Volume %" PRIu64 " serves '%s' on %s.", volume->conf.number,
                 volume->conf.directory, volume->conf.endpoint.listen);
        r = service_run(volume->service, volume->conf.endpoint.stop_usec);
        if (r < 0)
                return log_error_errno(r, "The event loop failed: %m");
        return 0;
}
