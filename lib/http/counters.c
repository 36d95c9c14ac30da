/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "base/clock.h"
#include "http/server-internal.h"

HttpKind http_count_kind(const char *method, const char *path) {
        /* clang-format off */
        static const struct {
                const char *method;
                HttpKind kind;
        } kinds[] = {
                { "GET",    HTTP_READ   },
                { "HEAD",   HTTP_READ   },
                { "PUT",    HTTP_WRITE  },
                { "POST",   HTTP_WRITE  },
                { "DELETE", HTTP_DELETE },
        };
        /* clang-format on */

        if (strncmp(path, "/-/", strlen("/-/")) == 0)
                return HTTP_OTHER;

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (strcmp(method, kinds[i].method) == 0)
                        return kinds[i].kind;

        return HTTP_OTHER;
}

/* There is no other writer, so this takes no locked instruction. */
static void add(HttpThread *thread, size_t which, uint64_t n) {
        atomic_uint_least64_t *count = thread->counts + which;

        atomic_store_explicit(
                        count, atomic_load_explicit(count, memory_order_relaxed) + n,
                        memory_order_relaxed);
}

static void count_client(HttpThread *thread, const HttpRequest *request) {
        static const size_t counts[] = {
                [HTTP_READ] = TRAFFIC_INDEX(reads),
                [HTTP_WRITE] = TRAFFIC_INDEX(writes),
                [HTTP_DELETE] = TRAFFIC_INDEX(deletes),
        };
        uint64_t now = clock_monotonic();

        add(thread, counts[request->kind], 1);
        if (request->status >= 500)
                add(thread, TRAFFIC_INDEX(errors), 1);
        histogram_add(thread->latencies + request->kind, now - request->begun_usec);
        atomic_store_explicit(&thread->client_usec, now, memory_order_relaxed);
}

void http_count(const HttpRequest *request, bool complete) {
        HttpThread *thread = request->thread;

        add(thread, TRAFFIC_INDEX(requests), 1);
        if (request->kind != HTTP_OTHER)
                count_client(thread, request);
        add(thread, TRAFFIC_INDEX(bytes_received), request->received);
        if ((complete || request->stream.read) && strcmp(request->method, "HEAD") != 0)
                add(thread, TRAFFIC_INDEX(bytes_sent), request->reply_size);
}

bool http_server_has_clients(const HttpServer *server) {
        uint64_t since = clock_monotonic() - HTTP_LATELY_USEC;

        for (const HttpThread *thread = server->threads;
             thread < server->threads + server->n_threads; thread++)
                if (atomic_load_explicit(&thread->client_usec, memory_order_relaxed) > since)
                        return true;
        return false;
}

unsigned http_server_connections(const HttpServer *server) {
        unsigned n = 0;

        for (const HttpThread *thread = server->threads;
             thread < server->threads + server->n_threads; thread++)
                n += MHD_get_daemon_info(thread->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)
                                     ->num_connections;
        return n;
}

void http_server_latency(const HttpServer *server, HttpKind kind, Histogram *ret) {
        assert(kind < _HTTP_KIND_MAX);

        for (const HttpThread *thread = server->threads;
             thread < server->threads + server->n_threads; thread++)
                histogram_merge(ret, thread->latencies + kind);
}

void http_server_counters(const HttpServer *server, Traffic *ret) {
        uint64_t sums[TRAFFIC_SIZE] = {};

        assert(server);
        assert(ret);

        for (const HttpThread *thread = server->threads;
             thread < server->threads + server->n_threads; thread++)
                for (size_t i = 0; i < TRAFFIC_SIZE; i++)
                        sums[i] += atomic_load_explicit(thread->counts + i, memory_order_relaxed);

        memcpy(ret, sums, sizeof(*ret));
        ret->active_requests = http_server_active(server);
        ret->connections = http_server_connections(server);
}
