/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "master/cluster/report.h"
#include "master/routes.h"
#include "master/world.h"

World world;

HttpServerOptions world_server(const HttpRoute *routes, void *userdata) {
        return (HttpServerOptions){
                .loops = world.loops,
                .connections_max = 400,
                .connections_per_address_max = 400,
                .header_max = 16 * KIB,
                .timeout_usec = NO_TIMEOUT,
                .routes = routes,
                .gate = gate_of(world.secret),
                .userdata = userdata,
        };
}

void world_settle(void) {
        IndexSet barrier = { .request.done = scratch_answered, .name = "barrier" };

        index_set(world.index, &barrier);
        assert_int_equal(scratch_wait(), 0);
}

void world_report(const FakeVolume *fake) {
        VolumeReport report = fake_report(fake);

        assert_ok(volumes_report(world.volumes, &report));
        world_settle();
}

static HttpClient *world_client(void) {
        HttpClientOptions options = {
                .connect_timeout_usec = PATIENCE_SEC * USEC_PER_SEC,
                .stall_timeout_usec = NO_TIMEOUT,
                .connections_max = 400,
                .secret = SECRET,
                .secret_size = strlen(SECRET),
        };
        HttpClient *client;

        assert_ok(http_client_new(&options, &client));
        return client;
}

RequestSettings world_settings(void) {
        return (RequestSettings){
                .value_size_max = VALUE_MAX,
                .grace_usec = GRACE_USEC,
                .ticket_usec = USEC_PER_MIN,
        };
}

static void world_connect(void) {
        ProberOptions prober = {
                .index = world.index,
                .directory = world.directory,
                .lead = world.lead,
                .volumes = world.volumes,
                .troubles = world.troubles,
                .client = world.client,
                .bulk = world.bulk,
                .peers = world.peers,
        };
        StaleOptions stale = {
                .index = world.index,
                .lead = world.lead,
                .volumes = world.volumes,
                .troubles = world.troubles,
                .peers = world.peers,
        };

        assert_ok(prober_new(&prober, world.event, &world.prober));
        assert_ok(stale_new(&stale, &world.stale));
        assert_ok(outbox_new(world.peers, world.volumes, &world.outbox));
        requests_init(&world.requests, &(RequestsOptions){
                                                       .index = world.index,
                                                       .lead = world.lead,
                                                       .troubles = world.troubles,
                                                       .secret = world.secret,
                                                       .peers = world.peers,
                                                       .bulk = world.bulk,
                                                       .settings = world_settings(),
                                       });
        requests_lead(&world.requests, &(RequestsLeader){
                                                       .volumes = world.volumes,
                                                       .stale = world.stale,
                                                       .prober = world.prober,
                                                       .outbox = world.outbox,
                                       });
}

static void world_start(uint32_t copies) {
        IndexOptions options = { .directory = world.directory = scratch_new() };
        RpcServiceOptions calls;

        assert_ok(sd_event_new(&world.event));
        assert_ok(secret_new(SECRET, strlen(SECRET), &world.secret));
        assert_ok(index_open(&options, &world.index));
        assert_ok(troubles_new(&world.troubles));
        assert_ok(lead_new(
                        &(LeadOptions){
                                        .index = world.index,
                                        .troubles = world.troubles,
                                        .directory = world.directory,
                        },
                        world.event, &world.lead));
        assert_ok(
                        volumes_new(world.index,
                                    &(VolumesOptions){
                                                    .timeout_usec = USEC_PER_HOUR,
                                                    .copies = copies,
                                                    .auto_add = true,
                                    },
                                    &world.volumes));
        world.client = world_client();
        world.bulk = world_client();
        assert_ok(loops_new(2, &world.loops));
        assert_ok(
                        peers_new(&(PeersOptions){ .loops = world.loops,
                                                   .secret = world.secret,
                                                   .timeout_usec = NO_TIMEOUT },
                                  &world.peers));
        world_connect();
        for (uint32_t i = 1; i <= N_VOLUMES; i++) {
                fake_start(world.fakes + i, i);
                world_report(world.fakes + i);
        }
        calls = master_calls(&world.requests, world.secret);
        assert_ok(rpc_service_new(&calls, &world.calls));
        world.requests.calls = world.calls;
        fixture_start_with(&world.master, world_server(master_routes, &world.requests));
}

int world_setup(void **state) {
        world_start(N_VOLUMES);
        return 0;
}

int world_setup_one_copy(void **state) {
        world_start(1);
        return 0;
}

int world_teardown(void **state) {
        stale_stop(world.stale);
        world.bulk = http_client_free(world.bulk);
        world.client = http_client_free(world.client);
        peers_stop(world.peers);
        fixture_stop(&world.master);
        world.index = index_free(world.index);
        world.prober = prober_free(world.prober);
        world.outbox = outbox_free(world.outbox);
        world.volumes = volumes_free(world.volumes);
        world.stale = stale_free(world.stale);
        world.lead = lead_free(world.lead);
        world.troubles = troubles_free(world.troubles);
        for (uint32_t i = 1; i <= N_VOLUMES; i++)
                fake_done(world.fakes + i);
        world.peers = peers_free(world.peers);
        world.loops = loops_free(world.loops);
        world.calls = rpc_service_free(world.calls);
        for (uint32_t i = 1; i <= N_VOLUMES; i++)
                world.fakes[i].calls = rpc_service_free(world.fakes[i].calls);
        world.secret = secret_free(world.secret);
        world.event = sd_event_unref(world.event);
        world.directory = scratch_free(world.directory);
        return 0;
}

const char *ask(const char *method, const char *target, const char *headers, const char *body) {
        static char request[3 * MIB];

        (void) snprintf(request, sizeof(request),
                        "%s %s HTTP/1.1\r\n" CLOSE "%sContent-Length: %zu\r\n\r\n%s", method,
                        target, headers, strlen(body), body);
        return exchange(&world.master, request);
}

const char *get(const char *target) {
        return exchange_simple(&world.master, "GET", target);
}

const char *put(const char *target, const char *body) {
        return ask("PUT", target, "", body);
}

const char *header_of(const char *answer, const char *name) {
        static char value[2 * TICKET_QUERY_SIZE];
        char start[64];
        const char *found;

        (void) snprintf(start, sizeof(start), "\r\n%s: ", name);
        found = strstr(answer, start);
        if (!found || found > strstr(answer, "\r\n\r\n"))
                return NULL;
        found += strlen(start);
        (void) snprintf(value, sizeof(value), "%.*s", (int) strcspn(found, "\r"), found);
        return value;
}

uint32_t volume_of(const char *answer) {
        const char *location = header_of(answer, "Location");

        for (uint32_t i = 1; location && i <= N_VOLUMES; i++)
                if (strncmp(location, world.fakes[i].url, strlen(world.fakes[i].url)) == 0 &&
                    location[strlen(world.fakes[i].url)] == '/')
                        return i;
        return 0;
}

Record record_of(const char *key) {
        _cleanup_(buffer_done) Buffer scratch = {};
        Record record;

        assert_ok(index_get(world.index, key, &scratch, &record));
        return record;
}

void configure(RequestSettings settings) {
        requests_configure(&world.requests, &settings);
}

static Interception world_interception;

static Interception world_on_request(const IndexRequest *request, void *userdata) {
        return world_interception;
}

void intercept(Interception interception) {
        world_interception = interception;
        submit_intercept(&world.index->submitter, world_on_request, NULL);
}
