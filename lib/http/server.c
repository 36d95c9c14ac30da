/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "http/server.h"
#include "http/worker.h"

/* For the replies to what was waiting when the server is freed. */
#define STOP_GRACE_USEC (200 * USEC_PER_MSEC)

/* How long the headers may take, if TimeoutSec= is not shorter */
#define HEAD_USEC (10 * USEC_PER_SEC)

struct HttpServer {
        HttpSite site;
        Loops *loops;           /* not owned */
        Loops *own_loops;       /* unless there were some */
        HttpCounters *counters; /* of each worker */
        int *fds;               /* that are listened on */
        size_t n_fds;
};

static int make_workers(HttpServer *server, const HttpServerOptions *options) {
        size_t n = loops_count(server->loops);
        int r = 0;

        server->site.workers = calloc(n, sizeof(*server->site.workers));
        server->counters = aligned_alloc(_Alignof(HttpCounters), n * sizeof(HttpCounters));
        if (!server->site.workers || !server->counters)
                return -ENOMEM;
        memset(server->counters, 0, n * sizeof(HttpCounters));

        while (r >= 0 && server->site.n_workers < n) {
                r = http_worker_init(
                                server->site.workers + server->site.n_workers, &server->site,
                                server->counters + server->site.n_workers,
                                loops_get(server->loops, server->site.n_workers),
                                options->n_more + 1, options->timeout_usec);
                server->site.n_workers++;
        }
        return r;
}

/* Each worker listens on all sockets. */
static int listen_on(HttpServer *server, int fd) {
        int flags = fcntl(fd, F_GETFL), r = 0;

        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
                return -errno;

        for (size_t i = 0; r >= 0 && i < server->site.n_workers; i++)
                r = http_worker_listen(server->site.workers + i, fd);
        return r;
}

static int start(HttpServer *server, const HttpServerOptions *options) {
        size_t n = options->n_more + 1;
        int r;

        server->loops = options->loops;
        if (!server->loops) {
                r = loops_new(options->n_threads, &server->own_loops);
                if (r < 0)
                        return r;
                server->loops = server->own_loops;
        }

        r = make_workers(server, options);
        if (r < 0)
                return r;
        server->fds = calloc(n, sizeof(*server->fds));
        if (!server->fds)
                return -ENOMEM;

        r = listen_on(server, options->listen_fd);
        for (size_t i = 0; r >= 0 && i < options->n_more; i++)
                r = listen_on(server, options->more_fds[i]);
        if (r < 0)
                return r;

        server->fds[server->n_fds++] = options->listen_fd;
        while (server->n_fds < n) {
                server->fds[server->n_fds] = options->more_fds[server->n_fds - 1];
                server->n_fds++;
        }
        return 0;
}

static int start_guard(HttpServer *server, const HttpServerOptions *options) {
        unsigned max = options->connections_max, per_address = options->connections_per_address_max;
        HttpGuardOptions guard_options = {
                .guests_max = max,
                .guests_per_address_max = per_address > 0 ? per_address : MAX(max / 2, 1U),
                .head_usec = MIN(options->timeout_usec, HEAD_USEC),
                .idle_usec = options->timeout_usec,
                .rate_min = options->rate_min,
                .rate_usec = options->timeout_usec,
        };

        return http_guard_new(&guard_options, &server->site.guard);
}

unsigned http_server_descriptors(unsigned connections_max) {
        return http_guard_connections_max(connections_max);
}

/* Whether each route says who may use it, and somebody checks it. */
static bool is_guarded(const HttpServerOptions *options) {
        for (const HttpRoute *route = options->routes; route->method; route++)
                if (route->access < HTTP_PUBLIC ||
                    (route->access > HTTP_CLIENT && !options->gate.enter))
                        return false;
        return true;
}

int http_server_new(const HttpServerOptions *options, HttpServer **ret) {
        _cleanup_(http_server_freep) HttpServer *server = NULL;
        int r;

        assert(options);
        assert(options->listen_fd >= 0);
        assert(options->routes);
        assert(ret);
        assert(is_guarded(options));

        server = malloc(sizeof(*server));
        if (!server)
                return -ENOMEM;

        *server = (HttpServer){
                .site = {
                        .routes = options->routes,
                        .gate = options->gate,
                        .userdata = options->userdata,
                        .origins = { options->cors_origins ?: "", options->cors_redirected },
                        .header_max = options->header_max,
                        .backlog.max = options->backlog_max > 0 ? options->backlog_max
                                                                : HTTP_BACKLOG_MAX,
                },
        };
        http_drain_init(&server->site.drain);

        r = start_guard(server, options);
        if (r >= 0)
                r = start(server, options);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(server);
        return 0;
}

int http_server_drain(HttpServer *server, uint64_t timeout_usec) {
        assert(server);

        if (http_drain_begin(&server->site.drain))
                for (size_t i = 0; i < server->site.n_workers; i++)
                        http_worker_stop_listening(server->site.workers + i);

        return http_drain_wait(&server->site.drain, server->site.guard, timeout_usec);
}

unsigned http_server_active(const HttpServer *server) {
        assert(server);

        return atomic_load(&server->site.drain.n_active);
}

void http_server_counters(const HttpServer *server, Traffic *ret) {
        assert(server);

        http_counters_sum(server->counters, server->site.n_workers, ret);
        ret->active_requests = http_server_active(server);
        ret->connections = http_guard_connections(server->site.guard);
}

void http_server_latency(const HttpServer *server, HttpKind kind, Histogram *ret) {
        http_counters_add_latency(server->counters, server->site.n_workers, kind, ret);
}

bool http_server_has_clients(const HttpServer *server) {
        return http_counters_have_clients(server->counters, server->site.n_workers);
}

/* Ends what waits, with an answer if that can be sent soon. */
static void stop(HttpServer *server) {
        http_drain_hurry(&server->site.drain);
        for (size_t i = 0; i < server->site.n_workers; i++)
                http_worker_hurry(server->site.workers + i);
        (void) http_server_drain(server, STOP_GRACE_USEC); /* the rest is cut off */
}

HttpServer *http_server_free(HttpServer *server) {
        if (!server)
                return NULL;

        if (server->fds) /* all workers are there */
                stop(server);
        for (size_t i = 0; i < server->site.n_workers; i++)
                http_worker_close(server->site.workers + i);
        for (size_t i = 0; i < server->site.n_workers; i++)
                http_worker_done(server->site.workers + i);
        (void) loops_free(server->own_loops);
        free(server->site.workers);
        free(server->counters);
        (void) http_guard_free(server->site.guard);

        for (size_t i = 0; i < server->n_fds; i++)
                closep(server->fds + i);
        free(server->fds);
        http_drain_done(&server->site.drain);
        free(server);
        return NULL;
}
