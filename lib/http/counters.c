/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "base/clock.h"
#include "http/server-internal.h"

HttpCount http_count_kind(const char *method, const char *path) {
        /* clang-format off */
        static const struct {
                const char *method;
                HttpCount kind;
        } kinds[] = {
                { "GET",    COUNT_READS   },
                { "HEAD",   COUNT_READS   },
                { "PUT",    COUNT_WRITES  },
                { "POST",   COUNT_WRITES  },
                { "DELETE", COUNT_DELETES },
        };
        /* clang-format on */

        if (strncmp(path, "/-/", strlen("/-/")) == 0)
                return COUNT_NONE;

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (strcmp(method, kinds[i].method) == 0)
                        return kinds[i].kind;

        return COUNT_NONE;
}

/* There is no other writer, so this takes no locked instruction. */
static void add(HttpThread *thread, HttpCount which, uint64_t n) {
        atomic_uint_least64_t *count = thread->counts + which;

        atomic_store_explicit(
                        count, atomic_load_explicit(count, memory_order_relaxed) + n,
                        memory_order_relaxed);
}

void http_count(const HttpRequest *request, bool complete) {
        HttpThread *thread = request->thread;

        add(thread, COUNT_REQUESTS, 1);
        if (request->kind != COUNT_NONE) {
                add(thread, request->kind, 1);
                atomic_store_explicit(
                                &thread->client_usec, clock_monotonic(), memory_order_relaxed);
                if (request->status >= 500)
                        add(thread, COUNT_ERRORS, 1);
        }
        add(thread, COUNT_BYTES_IN, request->received);
        if ((complete || request->stream.read) && strcmp(request->method, "HEAD") != 0)
                add(thread, COUNT_BYTES_OUT, request->reply_size);
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

static uint64_t sum(const HttpServer *server, HttpCount which) {
        uint64_t n = 0;

        for (const HttpThread *thread = server->threads;
             thread < server->threads + server->n_threads; thread++)
                n += atomic_load_explicit(thread->counts + which, memory_order_relaxed);
        return n;
}

void http_server_counters(const HttpServer *server, HttpCounters *ret) {
        assert(server);
        assert(ret);

        *ret = (HttpCounters){
                .requests = sum(server, COUNT_REQUESTS),
                .reads = sum(server, COUNT_READS),
                .writes = sum(server, COUNT_WRITES),
                .deletes = sum(server, COUNT_DELETES),
                .errors = sum(server, COUNT_ERRORS),
                .bytes_in = sum(server, COUNT_BYTES_IN),
                .bytes_out = sum(server, COUNT_BYTES_OUT),
                .active = http_server_active(server),
                .connections = http_server_connections(server),
        };
}
