/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The routes of a master on a server of their own, with a real index and cluster map, and volumes
 * that the test stands in for: they keep what they are sent, and fail as they are told. Include
 * after "test.h". */

#include <limits.h>

#include "base/clock.h"
#include "core/call/wire.h"
#include "http/http.h"
#include "http/record.h"
#include "master/request/requests.h"
#include "master/request/routes.h"
#include "rpc/gate.h"
#include "rpc/rpc.h"
#include "scratch.h"
#include "store/index/index-internal.h"

#define SECRET      "0123456789abcdef"
#define N_VOLUMES   3
#define LARGE       (100 * KIB) /* does not fit WRITE_BUFFER_MAX */
#define OBJECTS_MAX 64
#define GRACE_USEC  USEC_PER_MIN
#define VALUE_MAX   (4 * MIB)

typedef enum GetMode { GET_GOOD, GET_CHUNKED, GET_CORRUPT } GetMode;

/* What the test stands in for. The fields of the first block are the test's to set. */
typedef struct FakeVolume {
        int store_error;        /* for each small value; 0 to keep it */
        atomic_uint n_failing;  /* how many of the next calls fail with it */
        int put_error;          /* for a large value, once it is there; 0 to keep it */
        bool put_at_head;       /* or before it is */
        const char *not_stored; /* what Dkv-Not-Stored says then */
        int get_error;
        GetMode get_mode;

        uint32_t number;
        char url[64];
        HttpServer *server;
        atomic_uint n_stores, n_puts, n_gets;
        pthread_mutex_t lock;
        Buffer objects[OBJECTS_MAX]; /* as they came; by the order in which they did */
        size_t n_objects;
        Buffer put; /* the last large value */
        char put_query[TICKET_QUERY_SIZE];
} FakeVolume;

typedef struct World {
        char *directory;
        sd_event *event;
        Index *index;
        Volumes *volumes;
        Troubles *troubles;
        Stale *stale;
        Prober *prober;
        Outbox *outbox;
        Secret *secret;
        HttpClient *client, *bulk;
        Requests requests;
        Fixture master;
        FakeVolume fakes[N_VOLUMES + 1]; /* by number, from 1 */
} World;

static World world;

static inline int fake_keep(FakeVolume *fake, const void *data, size_t size) {
        if (fake->store_error < 0 && fake->n_failing > 0) {
                fake->n_failing--;
                return fake->store_error;
        }

        (void) pthread_mutex_lock(&fake->lock);
        assert_true(fake->n_objects < OBJECTS_MAX);
        buffer_put(&fake->objects[fake->n_objects++], data, size);
        (void) pthread_mutex_unlock(&fake->lock);
        return 0;
}

static inline int fake_store_finish(HttpRequest *request) {
        FakeVolume *fake = http_request_userdata(request);
        const Buffer *body = rpc_request_body(request);
        Reader reader = READER(body->data, body->size);
        _cleanup_(buffer_done) Buffer answer = {};

        fake->n_stores++;
        for (uint64_t n = reader_get_varint(&reader); n > 0; n--)
                (void) reader_get_u64(&reader);
        for (uint64_t n = reader_get_varint(&reader); n > 0; n--) {
                size_t size;
                const void *data = reader_get_bytes(&reader, &size);

                assert_non_null(data);
                wire_put_error(&answer, fake_keep(fake, data, size));
        }
        assert_int_equal(reader_end(&reader), 0);
        return http_request_reply_data(request, 200, NULL, answer.data, answer.size);
}

static inline int fake_put_refuse(HttpRequest *request) {
        FakeVolume *fake = http_request_userdata(request);

        if (fake->not_stored)
                assert_ok(http_request_add_header(request, "Dkv-Not-Stored", fake->not_stored));
        return http_request_reply_error(request, fake->put_error, "The volume says why.");
}

static inline int fake_put_begin(HttpRequest *request) {
        FakeVolume *fake = http_request_userdata(request);

        fake->n_puts++;
        buffer_clear(&fake->put);
        (void) snprintf(fake->put_query, sizeof(fake->put_query), "%s",
                        http_request_query(request));
        return fake->put_error < 0 && fake->put_at_head ? fake_put_refuse(request) : 0;
}

static inline ssize_t fake_put_body(HttpRequest *request, const void *data, size_t size) {
        FakeVolume *fake = http_request_userdata(request);

        buffer_put(&fake->put, data, size);
        return (ssize_t) size;
}

static inline int fake_put_finish(HttpRequest *request) {
        FakeVolume *fake = http_request_userdata(request);
        Checksum checksum = checksum_of(fake->put.data, fake->put.size);

        if (fake->put_error < 0)
                return fake_put_refuse(request);
        return http_request_reply_written(request, true, 77, &checksum);
}

static inline const Buffer *fake_find(FakeVolume *fake, uint64_t version, Object *ret) {
        for (size_t i = 0; i < fake->n_objects; i++) {
                assert_ok(object_decode(fake->objects[i].data, fake->objects[i].size, ret));
                if (ret->record.version == version)
                        return fake->objects + i;
        }
        return NULL;
}

/* A value piece by piece, so that nobody is told its length. */
static inline ssize_t fake_read(void *userdata, void *data, size_t size) {
        Buffer *left = userdata;
        size_t n = MIN(size, left->size);

        memcpy(data, left->data, n);
        memmove(left->data, left->data + n, left->size - n);
        left->size -= n;
        return (ssize_t) n;
}

static inline void fake_closed(void *userdata) {
        buffer_done(userdata);
        free(userdata);
}

static inline int fake_reply_chunked(HttpRequest *request, const Object *object) {
        HttpStream stream = { .read = fake_read, .closed = fake_closed };
        Buffer *left = calloc(1, sizeof(*left));

        buffer_put(left, object->value, object->record.size);
        stream.userdata = left;
        return http_request_reply_stream(request, 200, HTTP_SIZE_UNKNOWN, &stream);
}

static inline int fake_get_finish(HttpRequest *request) {
        FakeVolume *fake = http_request_userdata(request);
        char etag[ETAG_SIZE], wrong[KIB] = "";
        Object object;

        fake->n_gets++;
        if (fake->get_error < 0)
                return fake->get_error;
        if (!fake_find(fake, gate_ticket(request)->version, &object))
                return -ENOENT;
        if (fake->get_mode == GET_CHUNKED)
                return fake_reply_chunked(request, &object);

        checksum_to_etag(&object.record.checksum, etag);
        assert_true(object.record.size < sizeof(wrong) || fake->get_mode != GET_CORRUPT);
        return http_request_reply_value(
                        request, fake->get_mode == GET_CORRUPT ? wrong : object.value, NULL,
                        object.record.size, etag, object.record.mtime_usec);
}

/* clang-format off */
static const HttpRoute fake_routes[] = {
        RPC_ROUTE(STORE, NULL, fake_store_finish),
        { "GET",  "/", HTTP_TICKET, .finish = fake_get_finish                        },
        { "PUT",  "/", HTTP_TICKET, fake_put_begin, fake_put_body, fake_put_finish   },
        { "POST", "/", HTTP_TICKET, fake_put_begin, fake_put_body, fake_put_finish   },
        {}
};
/* clang-format on */

static inline HttpServerOptions world_server(const HttpRoute *routes, void *userdata) {
        return (HttpServerOptions){
                .n_threads = 2,
                .connections_max = 400,
                .connections_per_address_max = 400,
                .header_max = 16 * KIB,
                .timeout_usec = NO_TIMEOUT,
                .routes = routes,
                .gate = gate_of(world.secret),
                .userdata = userdata,
        };
}

static inline void fake_start(FakeVolume *fake, uint32_t number) {
        Fixture server;

        *fake = (FakeVolume){ .number = number, .lock = PTHREAD_MUTEX_INITIALIZER };
        fixture_start_with(&server, world_server(fake_routes, fake));
        fake->server = server.server;
        (void) snprintf(fake->url, sizeof(fake->url), "http://127.0.0.1:%i", server.port);
}

static inline void fake_stop(FakeVolume *fake) {
        fake->server = http_server_free(fake->server);
}

static inline void fake_done(FakeVolume *fake) {
        fake_stop(fake);
        for (size_t i = 0; i < fake->n_objects; i++)
                buffer_done(fake->objects + i);
        buffer_done(&fake->put);
}

static inline VolumeReport fake_report(const FakeVolume *fake) {
        static uint64_t sequence;

        return (VolumeReport){
                .number = fake->number,
                .uuid = { (uint8_t) fake->number },
                .run = 1,
                .sequence = ++sequence,
                .url = fake->url,
                .zone = "",
                .disk_free = 100 * GIB,
                .disk_size = 200 * GIB,
        };
}

/* Waits until what was submitted to the index is done. */
static inline void world_settle(void) {
        IndexSet barrier = { .request.done = scratch_answered, .name = "barrier" };

        index_set(world.index, &barrier);
        assert_int_equal(scratch_wait(), 0);
}

static inline void world_report(const FakeVolume *fake) {
        VolumeReport report = fake_report(fake);

        assert_ok(volumes_report(world.volumes, &report));
        world_settle();
}

static inline HttpClient *world_client(void) {
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

static inline RequestSettings world_settings(void) {
        return (RequestSettings){
                .value_size_max = VALUE_MAX,
                .grace_usec = GRACE_USEC,
                .ticket_usec = USEC_PER_MIN,
        };
}

static inline void world_connect(void) {
        ProberOptions prober = {
                .index = world.index,
                .directory = world.directory,
                .volumes = world.volumes,
                .troubles = world.troubles,
                .client = world.client,
                .bulk = world.bulk,
        };
        StaleOptions stale = {
                .index = world.index,
                .volumes = world.volumes,
                .troubles = world.troubles,
                .client = world.bulk,
        };

        assert_ok(prober_new(&prober, world.event, &world.prober));
        assert_ok(stale_new(&stale, &world.stale));
        assert_ok(outbox_new(world.client, world.volumes, &world.outbox));
        requests_init(&world.requests, &(RequestsOptions){
                                                       .index = world.index,
                                                       .volumes = world.volumes,
                                                       .troubles = world.troubles,
                                                       .stale = world.stale,
                                                       .prober = world.prober,
                                                       .outbox = world.outbox,
                                                       .secret = world.secret,
                                                       .client = world.client,
                                                       .bulk = world.bulk,
                                                       .settings = world_settings(),
                                       });
}

/* COPIES of each value, on volumes 1 to N_VOLUMES. */
static inline void world_start(uint32_t copies) {
        IndexOptions options = { .directory = world.directory = scratch_new() };

        assert_ok(sd_event_new(&world.event));
        assert_ok(secret_new(SECRET, strlen(SECRET), &world.secret));
        assert_ok(index_open(&options, &world.index));
        assert_ok(troubles_new(&world.troubles));
        assert_ok(
                        volumes_new(world.index, world.event,
                                    &(VolumesOptions){
                                                    .timeout_usec = USEC_PER_HOUR,
                                                    .copies = copies,
                                                    .auto_add = true,
                                    },
                                    &world.volumes));
        world.client = world_client();
        world.bulk = world_client();
        world_connect();
        for (uint32_t i = 1; i <= N_VOLUMES; i++) {
                fake_start(world.fakes + i, i);
                world_report(world.fakes + i);
        }
        fixture_start_with(&world.master, world_server(master_routes, &world.requests));
}

static inline int world_setup(void **state) {
        world_start(N_VOLUMES);
        return 0;
}

static inline int world_setup_one_copy(void **state) {
        world_start(1);
        return 0;
}

static inline int world_teardown(void **state) {
        stale_stop(world.stale);
        world.bulk = http_client_free(world.bulk);
        world.client = http_client_free(world.client);
        fixture_stop(&world.master);
        world.index = index_free(world.index);
        world.prober = prober_free(world.prober);
        world.outbox = outbox_free(world.outbox);
        world.volumes = volumes_free(world.volumes);
        world.stale = stale_free(world.stale);
        world.troubles = troubles_free(world.troubles);
        for (uint32_t i = 1; i <= N_VOLUMES; i++)
                fake_done(world.fakes + i);
        world.secret = secret_free(world.secret);
        world.event = sd_event_unref(world.event);
        world.directory = scratch_free(world.directory);
        return 0;
}

/* Asks the master; HEADERS are lines. The answer is good until the next one. */
static inline const char *ask(
                const char *method, const char *target, const char *headers, const char *body) {
        static char request[3 * MIB];

        (void) snprintf(request, sizeof(request),
                        "%s %s HTTP/1.1\r\n" CLOSE "%sContent-Length: %zu\r\n\r\n%s", method,
                        target, headers, strlen(body), body);
        return exchange(&world.master, request);
}

static inline const char *get(const char *target) {
        return exchange_simple(&world.master, "GET", target);
}

static inline const char *put(const char *target, const char *body) {
        return ask("PUT", target, "", body);
}

/* The value of a header of the answer, in a static buffer; NULL if it is not there. */
static inline const char *header_of(const char *answer, const char *name) {
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

/* Which volume a redirect leads to; 0 for none of them. */
static inline uint32_t volume_of(const char *answer) {
        const char *location = header_of(answer, "Location");

        for (uint32_t i = 1; location && i <= N_VOLUMES; i++)
                if (strncmp(location, world.fakes[i].url, strlen(world.fakes[i].url)) == 0 &&
                    location[strlen(world.fakes[i].url)] == '/')
                        return i;
        return 0;
}

/* The record of KEY as it is now; its strings are not to be looked at. */
static inline Record record_of(const char *key) {
        _cleanup_(buffer_done) Buffer scratch = {};
        Record record;

        assert_ok(index_get(world.index, key, &scratch, &record));
        return record;
}

static inline void configure(RequestSettings settings) {
        requests_configure(&world.requests, &settings);
}

/* Each request to the index is answered so from now on. */
static Interception world_interception;

static inline Interception world_on_request(const IndexRequest *request, void *userdata) {
        return world_interception;
}

static inline void intercept(Interception interception) {
        world_interception = interception;
        index_intercept(world.index, world_on_request, NULL);
}
