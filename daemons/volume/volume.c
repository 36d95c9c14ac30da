/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/event-ids.h"
#include "base/file.h"
#include "base/log.h"
#include "core/key.h"
#include "net/service.h"
#include "volume-http.h"
#include "volume.h"

static int open_store(VolumeDaemon *volume) {
        const VolumeConf *conf = &volume->conf;
        ObjectStoreOptions options = {
                .environment = {
                        .directory = conf->directory,
                        .cache_size = conf->cache_size,
                        .checkpoint_size = conf->checkpoint_size,
                        .reserve_size = conf->reserve_size,
                },
                .inline_max = conf->inline_max,
        };
        int r;

        r = make_directory(conf->directory, 0750);
        if (r < 0)
                return log_error_errno(r, "Failed to make the directory '%s': %m", conf->directory);

        r = object_store_open(&options, &volume->store);
        if (r < 0)
                return log_error_errno(r, "Failed to open the store in '%s': %m", conf->directory);
        if (environment_was_recovered(object_store_environment(volume->store)))
                log_event(LOG_NOTICE, EVENT_RECOVERED, NULL,
                          "The store was not closed by the last run and was recovered.");

        r = pending_new(volume->store, &volume->pending);
        if (r < 0)
                return log_error_errno(
                                r, "Failed to read what is pending in '%s': %m", conf->directory);
        return 0;
}

static int new_client(
                const VolumeDaemon *volume,
                const void *secret,
                size_t secret_size,
                unsigned connections_max,
                HttpClient **ret) {
        HttpClientOptions options = {
                .connect_timeout_usec = 2 * USEC_PER_SEC,
                .stall_timeout_usec = volume->conf.timeout_usec,
                .connections_max = connections_max,
                .secret = secret,
                .secret_size = secret_size,
        };

        return http_client_new(&options, ret);
}

static int connect_client(VolumeDaemon *volume) {
        _cleanup_free_ void *secret = NULL;
        size_t size;
        int r;

        r = service_read_secret(volume->conf.secret_file, &secret, &size);
        if (r < 0)
                return log_error_errno(
                                r,
                                "Failed to read the cluster's secret from '%s', which must be the master's and readable by its owner only: %m",
                                volume->conf.secret_file);

        r = secret_new(secret, size, &volume->secret);
        if (r >= 0)
                r = new_client(volume, secret, size, 64, &volume->client);
        if (r >= 0)
                r = new_client(volume, secret, size, (unsigned) volume->conf.connections_max,
                               &volume->bulk);
        explicit_bzero(secret, size);
        if (r < 0)
                return log_error_errno(r, "Failed to start the HTTP client: %m");

        r = commit_queue_new(volume->client, volume->conf.master, &volume->commits);
        if (r < 0)
                return log_error_errno(r, "Failed to make the commit queue: %m");
        return 0;
}

static int start_reporting(VolumeDaemon *volume) {
        int r;

        r = report_new(volume, &volume->report);
        if (r >= 0)
                r = settle_new(volume, &volume->settle);
        if (r < 0)
                return log_error_errno(r, "Failed to start to report to the master: %m");
        return 0;
}

static int start_server(VolumeDaemon *volume) {
        const VolumeConf *conf = &volume->conf;
        _cleanup_close_ int fd = -1;
        int r;

        r = verify_new(&volume->verify);
        if (r < 0)
                return log_error_errno(r, "Failed to start the verifier: %m");

        fd = service_listen(conf->listen);
        if (fd < 0)
                return log_error_errno(fd, "Failed to listen on '%s': %m", conf->listen);

        r = http_server_new(
                        &(HttpServerOptions){
                                        .listen_fd = fd,
                                        .n_threads = (unsigned) conf->threads,
                                        .connections_max = (unsigned) conf->connections_max,
                                        .header_max = conf->header_size_max,
                                        .timeout_usec = conf->timeout_usec,
                                        .routes = volume_routes,
                                        .userdata = volume,
                        },
                        &volume->server);
        if (r < 0)
                return log_error_errno(r, "Failed to start the HTTP server: %m");

        TAKE_FD(fd);
        return 0;
}

int volume_daemon_new(VolumeConf *conf, VolumeDaemon **ret) {
        _cleanup_(volume_daemon_freep) VolumeDaemon *volume = NULL;
        int r;

        volume = malloc(sizeof(*volume));
        if (!volume) {
                conf_done(volume_conf_items, conf);
                return log_error_errno(-ENOMEM, "Failed to start: %m");
        }

        *volume = (VolumeDaemon){ .conf = *conf };
        *conf = (VolumeConf){};

        r = service_new(NULL, NULL, &volume->event);
        if (r < 0)
                return log_error_errno(r, "Failed to make the event loop: %m");
        r = open_store(volume);
        if (r < 0)
                return r;
        r = connect_client(volume);
        if (r < 0)
                return r;
        r = start_reporting(volume);
        if (r < 0)
                return r;
        r = start_server(volume);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(volume);
        return 0;
}

VolumeDaemon *volume_daemon_free(VolumeDaemon *volume) {
        if (!volume)
                return NULL;

        /* Requests that do not end in time are cut by the end of the process: a store needs no
         * orderly end, whereas freeing what other threads still work with would. */
        if (volume->server && http_server_drain(volume->server, volume->conf.stop_usec) < 0) {
                log_warning("%u requests did not end in time and are cut.",
                            http_server_active(volume->server));
                _exit(EXIT_SUCCESS);
        }

        (void) http_client_free(volume->bulk);
        (void) http_client_free(volume->client);
        (void) http_server_free(volume->server);
        (void) verify_free(volume->verify);
        (void) settle_free(volume->settle);
        (void) report_free(volume->report);
        (void) commit_queue_free(volume->commits);
        (void) object_store_free(volume->store);
        (void) pending_free(volume->pending);
        (void) secret_free(volume->secret);
        (void) sd_event_unref(volume->event);
        conf_done(volume_conf_items, &volume->conf);
        free(volume);
        return NULL;
}

int volume_daemon_run(VolumeDaemon *volume) {
        int r;

        log_info("Volume %" PRIu64 " serves '%s' on %s.", volume->conf.number,
                 volume->conf.directory, volume->conf.listen);
        service_notify("READY=1\nSTATUS=Serving '%s' on %s", volume->conf.directory,
                       volume->conf.listen);

        r = sd_event_loop(volume->event);
        service_notify("STOPPING=1\nSTATUS=Waiting for running requests to end");
        if (r < 0)
                return log_error_errno(r, "The event loop failed: %m");
        return 0;
}

void volume_daemon_log_damage(VolumeDaemon *volume, const char *key, uint64_t version, int error) {
        char key_field[sizeof("DKV_KEY=") + KEY_MAX], version_field[64], volume_field[64];

        (void) snprintf(key_field, sizeof(key_field), "DKV_KEY=%s", key);
        (void) snprintf(version_field, sizeof(version_field), "DKV_VERSION=%" PRIu64, version);
        (void) snprintf(volume_field, sizeof(volume_field), "DKV_VOLUME=%" PRIu64,
                        volume->conf.number);
        log_event(LOG_ERR, EVENT_CORRUPTION_FOUND,
                  (const char *[]){ key_field, version_field, volume_field, NULL },
                  "The copy of version %" PRIu64 " of key '%s' on volume %" PRIu64 " is %s.",
                  version, key, volume->conf.number, error == -ENOENT ? "lost" : "damaged");
}
