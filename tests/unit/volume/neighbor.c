/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "volume/neighbor.h"

#include "core/call/wire.h"

/* An answer of which only the beginning arrives. */
typedef struct Cut {
        uint64_t left;
} Cut;

static ssize_t read_cut(void *userdata, void *data, size_t size) {
        Cut *cut = userdata;
        size_t n = MIN(size, cut->left);

        if (n == 0)
                return -EIO;
        memset(data, 0, n);
        cut->left -= n;
        return (ssize_t) n;
}

static void close_cut(void *userdata) {
        free(userdata);
}

/* A head that promises a value, and zeroes that are less than it. */
static int reply_cut(const Neighbor *neighbor, HttpRequest *request) {
        Cut *cut = malloc(sizeof(*cut));

        *cut = (Cut){ neighbor->cut_after };
        return http_request_reply_stream(
                        request, 200, HTTP_SIZE_UNKNOWN,
                        &(HttpStream){ .read = read_cut, .closed = close_cut, .userdata = cut });
}

static int finish(HttpRequest *request) {
        Neighbor *neighbor = http_request_userdata(request);

        neighbor->n_calls++;
        neighbor->n_asked += (unsigned) (signed_request_body(request)->size / sizeof(uint64_t));
        if (neighbor->error < 0)
                return neighbor->error;
        if (neighbor->cut_after > 0)
                return reply_cut(neighbor, request);
        return fetch_finish(&neighbor->copies, request);
}

void neighbor_start(Neighbor *neighbor, World *world) {
        static const HttpRoute routes[] = { SIGNED_ROUTE(FETCH, NULL, finish), {} };
        ObjectStoreOptions options = {
                .environment.directory = neighbor->directory = scratch_new(),
                .inline_max = WORLD_INLINE_MAX,
        };

        neighbor->copies = (Copies){ .damage = world->copies.damage };
        assert_ok(object_store_open(&options, &neighbor->copies.store));
        fixture_start_with(
                        &neighbor->server, (HttpServerOptions){
                                                           .n_threads = 1,
                                                           .connections_max = 100,
                                                           .header_max = 8 * KIB,
                                                           .timeout_usec = NO_TIMEOUT,
                                                           .routes = routes,
                                                           .gate = gate_of(world->master.secret),
                                                           .userdata = neighbor,
                                           });
        (void) snprintf(neighbor->url, sizeof(neighbor->url), "http://127.0.0.1:%i",
                        neighbor->server.port);
}

void neighbor_stop(Neighbor *neighbor) {
        fixture_stop(&neighbor->server);
        (void) object_store_free(neighbor->copies.store);
        scratch_free(neighbor->directory);
}

void neighbor_put(
                Neighbor *neighbor,
                uint64_t version,
                const char *key,
                const void *value,
                size_t size) {
        store_put(neighbor->copies.store, version, key, value, size);
}

void neighbor_damage(Neighbor *neighbor, const char *mark) {
        store_damage(neighbor->directory, mark);
}

StoreIdentity neighbor_identity(void) {
        return (StoreIdentity){ .number = 9, .uuid = "a neighbor", .run = 1 };
}
