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
#include "core/key.h"
#include "volume/request/routes.h"
#include "volume/volume.h"

/* Finds out whose the store is. */
static int belong(VolumeDaemon *volume) {
        const VolumeConf *conf = &volume->conf;
        uint32_t number;
        int r;

        r = allegiance_new(volume->store, (uint32_t) conf->number, &volume->allegiance, &number);
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

/* So many are named; more say no more. */
#define DAMAGED_PAGES_MAX 16

static void log_pages(const Environment *environment) {
        unsigned repaired = environment_repaired_pages(environment);
        char page[PATH_MAX + 64];

        if (repaired > 0)
                log_notice("%u pages of the databases were torn or damaged and were put right.",
                           repaired);
        for (unsigned i = 0;
             i < DAMAGED_PAGES_MAX && environment_damaged_page(environment, i, page, sizeof(page));
             i++)
                log_event(LOG_ERR, EVENT_CORRUPTION_FOUND, NULL,
                          "The database is damaged: %s cannot be read, nor what is in it.", page);
}

static int open_store(VolumeDaemon *volume) {
        const VolumeConf *conf = &volume->conf;
        ObjectStoreOptions options = {
                .environment = {
                        .directory = conf->directory,
                        .cache_size = conf->cache_size,
                        .checkpoint_size = conf->checkpoint_size,
                        .reserve_size = conf->reserve_size,
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

        r = object_store_open(&options, &volume->store);
        if (r == -ENOMEDIUM) {
                log_event(LOG_CRIT, EVENT_STORE_INCOMPLETE, NULL,
                          "'%s' is missing in '%s', and belongs to this store: is its disk mounted? "
                          "It was not opened, nothing was changed.",
                          environment_missing(), conf->directory);
                return r;
        }
        if (r == -EBADMSG && *environment_last_damage())
                log_event(LOG_CRIT, EVENT_STORE_DAMAGED, NULL,
                          "The store in '%s' is damaged and was not opened, nothing was changed: %s",
                          conf->directory, environment_last_damage());
        if (r < 0)
                return log_error_errno(r, "Failed to open the store in '%s': %m", conf->directory);
        if (environment_was_recovered(object_store_environment(volume->store)))
                log_event(LOG_NOTICE, EVENT_RECOVERED, NULL,
                          "The store was not closed by the last run and was recovered.");
        log_pages(object_store_environment(volume->store));

        r = belong(volume);
        if (r < 0)
                return r;
        r = pending_new(volume->store, &volume->pending);
        if (r < 0)
                return log_error_errno(
                                r, "Failed to read what is pending in '%s': %m", conf->directory);
        r = sweep_new(volume->store, &volume->sweep);
        if (r < 0)
                return log_error_errno(
                                r, "Failed to read what is to be asked about in '%s': %m",
                                conf->directory);
        r = deletions_new(volume->store, &volume->deletions);
        if (r < 0)
                return log_error_errno(
                                r, "Failed to read what was deleted last in '%s': %m",
                                conf->directory);
        return 0;
}

static int start_work(VolumeDaemon *volume) {
        int r;

        r = verify_new(&volume->verify);
        if (r < 0)
                return log_error_errno(r, "Failed to start the verifier: %m");
        r = faults_new(volume, &volume->faults);
        if (r < 0)
                return log_error_errno(r, "Failed to start to test the store: %m");

        r = commit_queue_new(volume, &volume->commits);
        if (r >= 0)
                r = damage_new(volume, &volume->damage);
        if (r >= 0)
                r = report_new(volume, &volume->report);
        if (r >= 0)
                r = settle_new(volume, &volume->settle);
        if (r < 0)
                return log_error_errno(r, "Failed to start to report to the master: %m");
        return 0;
}

static int start_bus(VolumeDaemon *volume) {
        int r;

        r = volume_bus_new(
                        &(VolumeBusOptions){
                                        .event = volume->event,
                                        .address = volume->arguments->bus_address,
                                        .conf = &volume->conf,
                                        .store = volume->store,
                                        .report = volume->report,
                                        .pending = volume->pending,
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
        char unit[sizeof("dkv-volume@18446744073709551615")];
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
                report_reload(volume->report);
        } else
                log_error("All settings stay as they were.");
        conf_done(volume_conf_items, &fresh);
}

static bool on_is_alive(uint64_t timeout_usec, void *userdata) {
        VolumeDaemon *volume = userdata;

        return !environment_is_stuck(object_store_environment(volume->store), timeout_usec);
}

static void on_status(char *ret, size_t size, void *userdata) {
        VolumeDaemon *volume = userdata;
        StoreFault fault = faults_get(volume->faults);
        ObjectStoreCounters counters;
        char error[REPORT_ERROR_SIZE];

        if (object_store_counters(volume->store, &counters) < 0)
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
                        *error ? "" : volume->conf.master);
}

static bool on_stop(void *userdata) {
        VolumeDaemon *volume = userdata;

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
        HttpServer *server;
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
        r = endpoint_serve(&conf->endpoint, volume->secret, volume_routes, volume, &server);
        if (r < 0)
                return r;
        __atomic_store_n(&volume->server, server, __ATOMIC_RELEASE); /* pulls look at it already */
        return start_bus(volume);
}

int volume_daemon_new(const ProgramArguments *arguments, VolumeDaemon **ret) {
        _cleanup_(volume_daemon_freep) VolumeDaemon *volume = NULL;
        int r;

        volume = malloc(sizeof(*volume));
        if (!volume)
                return log_error_errno(-ENOMEM, "Failed to start: %m");

        *volume = (VolumeDaemon){ .arguments = arguments };
        r = start(volume);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(volume);
        return 0;
}

VolumeDaemon *volume_daemon_free(VolumeDaemon *volume) {
        if (!volume)
                return NULL;

        endpoint_cut(volume->server);
        (void) volume_bus_free(volume->bus);
        faults_stop(volume->faults);
        (void) http_client_free(volume->disk);
        (void) http_client_free(volume->bulk);
        (void) http_client_free(volume->client);
        damage_stop(volume->damage);
        (void) http_server_free(volume->server);
        (void) verify_free(volume->verify);
        (void) settle_free(volume->settle);
        (void) report_free(volume->report);
        (void) commit_queue_free(volume->commits);
        (void) damage_free(volume->damage);
        (void) faults_free(volume->faults);
        (void) object_store_free(volume->store);
        (void) allegiance_free(volume->allegiance);
        (void) pending_free(volume->pending);
        (void) deletions_free(volume->deletions);
        (void) sweep_free(volume->sweep);
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

bool volume_daemon_has_clients(const VolumeDaemon *volume) {
        const HttpServer *server = __atomic_load_n(&volume->server, __ATOMIC_ACQUIRE);

        return clock_monotonic() < volume->stored_usec + HTTP_LATELY_USEC ||
               (server && http_server_has_clients(server));
}
