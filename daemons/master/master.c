/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/event-ids.h"
#include "base/file.h"
#include "base/log.h"
#include "master-http.h"
#include "master.h"
#include "net/service.h"

static int open_index(Master *master) {
        const MasterConf *conf = &master->conf;
        int r;

        r = make_directory(conf->directory, 0750);
        if (r < 0)
                return log_error_errno(r, "Failed to make the directory '%s': %m", conf->directory);

        r = index_open(
                        &(EnvironmentOptions){
                                        .directory = conf->directory,
                                        .cache_size = conf->cache_size
                                                                      ?: environment_default_cache(),
                                        .checkpoint_size = conf->checkpoint_size,
                                        .reserve_size = conf->reserve_size,
                                        .before_done = http_replies_hold,
                                        .after_done = http_replies_release,
                        },
                        &master->index);
        if (r < 0)
                return log_error_errno(r, "Failed to open the index in '%s': %m", conf->directory);
        if (environment_was_recovered(index_environment(master->index)))
                log_event(LOG_NOTICE, EVENT_RECOVERED, NULL,
                          "The index was not closed by the last run and was recovered.");

        r = volumes_new(master->index, master->event, conf->volume_timeout_usec,
                        conf->auto_add_volumes, &master->volumes);
        if (r < 0)
                return log_error_errno(r, "Failed to load the cluster map: %m");
        return 0;
}

static int new_client(
                const Master *master,
                const void *secret,
                size_t secret_size,
                unsigned connections_max,
                HttpClient **ret) {
        HttpClientOptions options = {
                .connect_timeout_usec = 2 * USEC_PER_SEC,
                .stall_timeout_usec = master->conf.timeout_usec,
                .connections_max = connections_max,
                .secret = secret,
                .secret_size = secret_size,
        };

        return http_client_new(&options, ret);
}

static int connect_client(Master *master) {
        _cleanup_free_ void *secret = NULL;
        size_t size;
        int r;

        r = service_read_secret(master->conf.secret_file, &secret, &size);
        if (r < 0)
                return log_error_errno(
                                r,
                                "Failed to read the cluster's secret from '%s', which must be readable by its owner only: %m",
                                master->conf.secret_file);

        r = secret_new(secret, size, &master->secret);
        if (r >= 0)
                r = new_client(master, secret, size, 64, &master->client);
        if (r >= 0)
                r = new_client(master, secret, size, (unsigned) master->conf.connections_max,
                               &master->bulk);
        explicit_bzero(secret, size);
        if (r < 0)
                return log_error_errno(r, "Failed to start the HTTP client: %m");

        r = outbox_new(master->client, master->volumes, &master->outbox);
        if (r >= 0)
                r = garbage_collector_new(master, &master->garbage);
        if (r < 0)
                return log_error_errno(r, "Failed to connect to the volumes: %m");
        return 0;
}

static int start_server(Master *master) {
        const MasterConf *conf = &master->conf;
        _cleanup_close_ int fd = -1;
        int r;

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
                                        .routes = master_routes,
                                        .userdata = master,
                        },
                        &master->server);
        if (r < 0)
                return log_error_errno(r, "Failed to start the HTTP server: %m");

        TAKE_FD(fd);
        return 0;
}

int master_new(MasterConf *conf, Master **ret) {
        _cleanup_(master_freep) Master *master = NULL;
        int r;

        master = malloc(sizeof(*master));
        if (!master) {
                conf_done(master_conf_items, conf);
                return log_error_errno(-ENOMEM, "Failed to start: %m");
        }

        *master = (Master){ .conf = *conf };
        *conf = (MasterConf){};

        r = service_new(NULL, NULL, &master->event);
        if (r < 0)
                return log_error_errno(r, "Failed to make the event loop: %m");
        r = open_index(master);
        if (r < 0)
                return r;
        r = connect_client(master);
        if (r < 0)
                return r;
        r = start_server(master);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(master);
        return 0;
}

Master *master_free(Master *master) {
        if (!master)
                return NULL;

        /* Requests that do not end in time are cut by the end of the process: the index needs no
         * orderly end, whereas freeing what other threads still work with would. */
        if (master->server && http_server_drain(master->server, master->conf.stop_usec) < 0) {
                log_warning("%u requests did not end in time and are cut.",
                            http_server_active(master->server));
                _exit(EXIT_SUCCESS);
        }

        (void) http_client_free(master->bulk);
        (void) http_client_free(master->client);
        (void) http_server_free(master->server);
        (void) index_free(master->index);
        (void) garbage_collector_free(master->garbage);
        (void) outbox_free(master->outbox);
        (void) volumes_free(master->volumes);
        (void) secret_free(master->secret);
        (void) sd_event_unref(master->event);
        conf_done(master_conf_items, &master->conf);
        free(master);
        return NULL;
}

int master_run(Master *master) {
        int r;

        log_info("The master serves '%s' on %s.", master->conf.directory, master->conf.listen);
        service_notify("READY=1\nSTATUS=Serving '%s' on %s", master->conf.directory,
                       master->conf.listen);

        r = sd_event_loop(master->event);
        service_notify("STOPPING=1\nSTATUS=Waiting for running requests to end");
        if (r < 0)
                return log_error_errno(r, "The event loop failed: %m");
        return 0;
}

uint64_t master_garbage_due(const Master *master) {
        return clock_realtime() + master->conf.grace_usec;
}

uint64_t master_fence_due(void) {
        return clock_realtime() + MASTER_COMMIT_USEC;
}

void master_log_damage(const char *key, uint64_t version, uint32_t volume) {
        char key_field[sizeof("DKV_KEY=") + KEY_MAX], volume_field[sizeof("DKV_VOLUME=") + 10];

        (void) snprintf(key_field, sizeof(key_field), "DKV_KEY=%s", key);
        (void) snprintf(volume_field, sizeof(volume_field), "DKV_VOLUME=%" PRIu32, volume);
        if (volume == 0)
                log_event(LOG_ERR, EVENT_CORRUPTION_FOUND, (const char *[]){ key_field, NULL },
                          "The index is damaged where key '%s' belongs (last damaged page: %s).",
                          key, *environment_last_damage() ? environment_last_damage() : "none");
        else
                log_event(LOG_ERR, EVENT_CORRUPTION_FOUND,
                          (const char *[]){ key_field, volume_field, NULL },
                          "The copy of version %" PRIu64 " of key '%s' on volume %" PRIu32
                          " is damaged; the client did not get all of it.",
                          version, key, volume);
}

int master_ticket_url(
                Master *master,
                const char *volume_url,
                const char *key,
                const Ticket *ticket,
                char *ret,
                size_t size) {
        Signer *signer = secret_signer(master->secret);
        size_t n = strlen(volume_url);
        int r;

        if (!signer)
                return -ENOMEM;
        if (size < n + KEY_PATH_SIZE + 2)
                return -ENOBUFS;

        memcpy(ret, volume_url, n + 1);
        n += key_to_path(key, ret + n);
        ret[n++] = '?';
        r = ticket_format(ticket, key, signer, ret + n, size - n);
        return r < 0 ? r : 0;
}
