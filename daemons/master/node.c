/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/store-log.h"
#include "master/health/snapshot.h"
#include "master/node.h"
#include "master/routes.h"
#include "store/index/identity.h"
#include "store/index/storage.h"

/* How long relays are waited for after a signal to stop. */
#define RELAYS_USEC (10 * USEC_PER_SEC)

/* Whether the index is of a group is another thing than whether the master is to be in one. */
static int fail_to_agree(const Node *node, int error) {
        const char *directory = node->conf.directory;

        if (node->seat)
                return log_error_errno(
                                error,
                                "The master in '%s' was to found a group, but its index does not belong to one yet: run "
                                "dkv-master --found-group= again.",
                                directory);
        return log_error_errno(
                        error,
                        "The index in '%s' is of a group, but there is no '%s/seat': either the master has not "
                        "joined it to the end, and the directory is to be emptied before it tries again; or what "
                        "it has promised to the others is lost.",
                        directory, directory);
}

static int open_index(Node *node) {
        const MasterConf *conf = &node->conf;
        int r;

        r = index_open(
                        &(IndexOptions){
                                        .directory = conf->directory,
                                        .cache_size = conf->cache_size ?: index_default_cache(),
                                        .checkpoint_size = conf->checkpoint_size,
                                        .reserve_size = conf->reserve_size,
                                        .group = node->seat ? seat_index_group(node->seat) : NULL,
                                        .before_done = loop_hold,
                                        .after_done = loop_release,
                                        .on_progress = service_recovering,
                        },
                        &node->index);
        if (r == -EXDEV)
                return fail_to_agree(node, r);
        if (r < 0)
                return store_log_failure("index", conf->directory, r);
        store_log_opened("index", index_environment(node->index));
        return 0;
}

static int start_to_lead(Node *node) {
        LeadOptions options = {
                .index = node->index,
                .troubles = node->troubles,
                .directory = node->conf.directory,
                .accept_rollback = node->arguments->accept_rollback,
                .follows = node->seat,
        };
        int r;

        r = lead_new(&options, node->event, &node->lead);
        if (r < 0)
                return log_error_errno(
                                r, "Failed to find out whether the index in '%s' may lead: %m",
                                node->conf.directory);
        return 0;
}

static RequestSettings request_settings(const MasterConf *conf) {
        return (RequestSettings){
                .proxy = conf->proxy,
                .value_size_max = conf->value_size_max,
                .grace_usec = conf->grace_usec,
                .ticket_usec = conf->ticket_usec,
        };
}

static void prepare_requests(Node *node) {
        requests_init(&node->requests, &(RequestsOptions){
                                                       .index = node->index,
                                                       .lead = node->lead,
                                                       .troubles = node->troubles,
                                                       .secret = node->secret,
                                                       .peers = node->peers,
                                                       .bulk = node->bulk,
                                                       .settings = request_settings(&node->conf),
                                       });
}

static int start_bus(Node *node) {
        int r;

        r = master_bus_new(
                        &(MasterBusOptions){
                                        .event = node->event,
                                        .address = node->arguments->bus_address,
                                        .settings = master_conf_items,
                                        .conf = &node->conf,
                                        .directory = node->conf.directory,
                                        .listen = node->conf.endpoint.listen,
                                        .index = node->index,
                                        .lead = node->lead,
                                        .troubles = node->troubles,
                                        .volumes = node->leader->volumes,
                                        .watch = node->leader->watch,
                                        .jobs = node->leader->jobs,
                                        .server = node->server,
                        },
                        &node->bus);
        if (r < 0)
                return log_error_errno(
                                r, "Failed to start on the bus '%s': %m",
                                node->arguments->bus_address);
        return 0;
}

static void on_reload(void *userdata) {
        Node *node = userdata;
        MasterConf *conf = &node->conf, fresh = {};
        int r;

        r = master_conf_load(&fresh, node->arguments);
        if (r >= 0) {
                RequestSettings settings;

                program_apply(master_conf_items, conf, &fresh, "dkv-master");
                if (node->leader)
                        leader_configure(node->leader);
                settings = request_settings(conf);
                requests_configure(&node->requests, &settings);
        } else
                log_error("All settings stay as they were.");
        conf_done(master_conf_items, &fresh);
}

static bool on_is_alive(uint64_t timeout_usec, void *userdata) {
        Node *node = userdata;

        return !index_is_stuck(node->index, timeout_usec);
}

static void on_status(char *ret, size_t size, void *userdata) {
        Node *node = userdata;
        _cleanup_(health_snapshot_done) HealthSnapshot snapshot = {};
        IndexCounters counters;
        char reason[LEAD_REASON_SIZE];
        size_t n_active = 0;
        bool ok;

        if (lead_is_following(node->lead)) {
                lead_reason(node->lead, reason);
                (void) snprintf(ret, size, "%s", reason);
                return;
        }
        if (health_snapshot(node->leader->volumes, node->troubles, &snapshot) < 0)
                return;

        for (size_t i = 0; i < snapshot.input.n_volumes; i++)
                n_active += snapshot.volumes[i].state == VOLUME_ACTIVE;
        index_counters(node->index, &counters);
        ok = snapshot.health.level == HEALTH_OK;

        if (!lead_is_leading(node->lead)) {
                (void) snprintf(ret, size, "Serving nobody. %s", snapshot.health.reason);
                return;
        }
        (void) snprintf(ret, size, "Serving %" PRIu64 " keys on %zu %s%s%s", counters.keys,
                        n_active, n_active == 1 ? "volume" : "volumes", ok ? "" : ". ",
                        ok ? "" : snapshot.health.reason);
}

/* A relay ends with a commit of its volume, which may have to connect to this master for it. So the
 * door stays open until relays have ended; other clients with large values are redirected
 * meanwhile. Who has lost the lead waits for nobody: its group has one member less until it has
 * started again. */
static bool on_stop(void *userdata) {
        Node *node = userdata;
        uint64_t now = clock_monotonic();
        bool is_lost = lead_state(node->lead) == LEAD_LOST;

        if (!node->stopping) {
                node->stopping = true;
                node->relays_until = now + RELAYS_USEC;
                if (node->leader)
                        jobs_stop(node->leader->jobs);
        }
        if (relays_stop(&node->requests.relays) > 0 && now < node->relays_until && !is_lost)
                return false;
        rpc_service_stop(node->calls);
        return http_server_drain(node->server, 0) == 0 || is_lost;
}

static const ServiceHooks service_hooks = {
        .reload = on_reload,
        .is_alive = on_is_alive,
        .status = on_status,
        .stop = on_stop,
};

/* For the jobs, on their thread. */
static bool has_clients(void *userdata) {
        Node *node = userdata;
        const HttpServer *server = atomic_load_explicit(&node->server, memory_order_acquire);

        return server && http_server_has_clients(server);
}

static int make_leader(Node *node) {
        LeaderOptions options = {
                .event = node->event,
                .conf = &node->conf,
                .index = node->index,
                .lead = node->lead,
                .troubles = node->troubles,
                .client = node->client,
                .bulk = node->bulk,
                .peers = node->peers,
                .url = node->seat ? seat_url(node->seat) : NULL,
                .has_clients = has_clients,
                .userdata = node,
        };

        return leader_new(&options, &node->leader);
}

static int lead(Node *node) {
        int r;

        r = make_leader(node);
        if (r < 0)
                return r;
        requests_lead(&node->requests, &(RequestsLeader){
                                                       .volumes = node->leader->volumes,
                                                       .stale = node->leader->stale,
                                                       .prober = node->leader->prober,
                                                       .outbox = node->leader->outbox,
                                       });
        return 0;
}

/* This master was elected. */
static int begin_to_lead(void *userdata) {
        Node *node = userdata;
        int r;

        r = lead(node);
        if (r < 0)
                return r;
        r = lead_begin(node->lead);
        if (r == -EALREADY) /* the lead was lost meanwhile */
                return 0;
        if (r < 0)
                return log_error_errno(r, "Failed to begin to lead: %m");

        log_notice("This master leads, in term %" PRIu64 ".", index_identity(node->index)->term);
        prober_start(node->leader->prober); /* makes the volumes report at once */
        return start_bus(node);
}

/* A master of a group has a file that says so. */
static int take_seat(Node *node) {
        const char *directory = node->conf.directory;
        SeatOptions options = {
                .directory = directory,
                .event = node->event,
                .peers = node->peers,
                .on_elected = begin_to_lead,
                .userdata = node,
        };
        SeatFile file;
        int r;

        r = make_directory(directory, 0750);
        if (r < 0)
                return log_error_errno(r, "Failed to make the directory '%s': %m", directory);
        r = seat_file_read(directory, &file);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return log_error_errno(r, "Failed to read '%s/seat': %m", directory);
        r = seat_new(&options, &file, &node->seat);
        return r < 0 ? log_error_errno(r, "Failed to start: %m") : 0;
}

static int follow(Node *node) {
        int r;

        r = seat_start(node->seat, node->index, node->lead);
        if (r >= 0)
                node->requests.group = seat_group(node->seat);
        return r;
}

static int take_calls(Node *node) {
        RpcServiceOptions options = master_calls(&node->requests, node->secret);
        int r;

        r = rpc_service_new(&options, &node->calls);
        if (r < 0)
                return log_error_errno(r, "Failed to start: %m");
        node->requests.calls = node->calls;
        return 0;
}

static int start(Node *node) {
        MasterConf *conf = &node->conf;
        HttpServer *server;
        int r;

        r = master_conf_load(conf, node->arguments);
        if (r < 0)
                return r;
        r = service_new(&service_hooks, node, &node->service);
        if (r < 0)
                return log_error_errno(r, "Failed to make the event loop: %m");
        node->event = service_event(node->service);

        r = loops_new(conf->endpoint.threads, &node->loops);
        if (r < 0)
                return log_error_errno(r, "Failed to start the threads: %m");
        r = endpoint_connect(&conf->endpoint, &node->secret, &node->client, &node->bulk, NULL);
        if (r < 0)
                return r;
        r = peers_new(
                        &(PeersOptions){
                                        .loops = node->loops,
                                        .secret = node->secret,
                                        .timeout_usec = conf->endpoint.timeout_usec,
                        },
                        &node->peers);
        if (r < 0)
                return log_error_errno(r, "Failed to start: %m");
        r = troubles_new(&node->troubles);
        if (r < 0)
                return log_error_errno(r, "Failed to start: %m");
        r = take_seat(node);
        if (r >= 0)
                r = open_index(node);
        if (r >= 0)
                r = start_to_lead(node);
        if (r < 0)
                return r;
        prepare_requests(node);
        r = node->seat ? follow(node) : lead(node);
        if (r < 0)
                return r;
        r = take_calls(node);
        if (r < 0)
                return r;
        r = endpoint_serve(
                        &conf->endpoint, node->loops, node->secret, master_routes, &node->requests,
                        &server);
        if (r < 0)
                return r;
        atomic_store_explicit(&node->server, server, memory_order_release); /* for has_clients() */
        if (node->seat)
                return 0;
        prober_start(node->leader->prober); /* makes the volumes report at once */
        return start_bus(node);
}

int node_new(const ProgramArguments *arguments, Node **ret) {
        _cleanup_(node_freep) Node *node = NULL;
        int r;

        node = malloc(sizeof(*node));
        if (!node)
                return log_error_errno(-ENOMEM, "Failed to start: %m");

        *node = (Node){ .arguments = arguments };
        r = start(node);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(node);
        return 0;
}

Node *node_free(Node *node) {
        if (!node)
                return NULL;

        leader_stop(node->leader);
        endpoint_cut(node->server, lead_exit_status(node->lead));
        (void) http_client_free(node->bulk);
        (void) http_client_free(node->client);
        peers_stop(node->peers);
        (void) http_server_free(node->server);
        seat_stop(node->seat); /* which tells what becomes of what was proposed */
        (void) index_free(node->index);
        master_bus_stop(node->bus);       /* while volumes and jobs are there */
        (void) leader_free(node->leader); /* lets go of what the bus has asked for */
        (void) master_bus_free(node->bus);
        (void) lead_free(node->lead);
        (void) troubles_free(node->troubles);
        (void) peers_free(node->peers);
        (void) loops_free(node->loops);
        (void) seat_free(node->seat);
        (void) rpc_service_free(node->calls);
        (void) secret_free(node->secret);
        (void) service_free(node->service);
        conf_done(master_conf_items, &node->conf);
        free(node);
        return NULL;
}

int node_run(Node *node) {
        int r;

        log_info("The master serves '%s' on %s.", node->conf.directory, node->conf.endpoint.listen);
        r = service_run(node->service, node->conf.endpoint.stop_usec);
        if (r < 0)
                return log_error_errno(r, "The event loop failed: %m");
        return 0;
}
