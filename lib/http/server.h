/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* HTTP server: a table of routes, served on loops (loop/loops.h).
 *
 * Its threads run the handlers; a handler never blocks. What has to wait returns HTTP_LATER and is
 * answered by any other thread. Every error reply is application/problem+json, made from
 * base/error.h. What is not understood is refused before a handler sees it (see
 * http/parser/parser.h), and the connection is closed; a PUT or POST that does not say how long its
 * body is gets 411. An answer that comes before the body is complete is sent at once, and the rest
 * of the body is read and thrown away. Requests that come behind one that waits are kept as long as
 * there is room for them; beyond that the connection is closed behind the answer at hand. A client
 * that closes its side gets its answer if it has said all; if it has not, the request ends at once.
 *
 * Which connections may stay, and which give way when there are too many, says http/serve/guard.h.
 */

#include "http/request.h"
#include "http/route.h"
#include "http/serve/counters.h"
#include "loop/loops.h"

/* A client that sends its requests ahead rarely sends more than some kilobytes: room for a thousand
 * of them. */
#define HTTP_BACKLOG_MAX (16 * MIB)

typedef struct HttpServer HttpServer;

typedef struct HttpServerOptions {
        int listen_fd;       /* taken over on success */
        const int *more_fds; /* besides: other sockets to accept on */
        size_t n_more;       /* likewise taken over */
        Loops *loops;        /* to outlive the server; NULL for N_THREADS of its own */
        unsigned n_threads;  /* 0 for one per core */
        unsigned connections_max;
        unsigned connections_per_address_max; /* 0 for half of all */
        size_t header_max;                    /* bytes of request line and headers */
        size_t backlog_max;                   /* bytes behind requests that wait, of all
                                                 connections; 0 for HTTP_BACKLOG_MAX */
        uint64_t timeout_usec;                /* without any progress */
        uint64_t rate_min;                    /* bytes per second, of bodies and replies over
                                                 timeout_usec; 0 for any */
        const char *cors_origins;             /* of pages that may do everything; "*" for all; NULL
                                                 for none but our own; to outlive the server */
        bool cors_redirected; /* requests come by a redirect, and browsers then hide the origin */
        const HttpRoute *routes;
        HttpGate gate;
        void *userdata;
} HttpServerOptions;

int http_server_new(const HttpServerOptions *options, HttpServer **ret);

/* How many descriptors a server with up to CONNECTIONS_MAX connections may take. */
unsigned http_server_descriptors(unsigned connections_max);

/* Stops accepting; answers what comes on the open connections, and has them closed. Returns 0 when
 * no request is left, or -ETIMEDOUT when TIMEOUT_USEC have passed: then it goes on, and may be
 * called again. After 0, no request is begun any more. */
int http_server_drain(HttpServer *server, uint64_t timeout_usec);

/* Ends what is left: requests that wait are answered 503. Everything that might still answer or
 * resume one (committers, an HttpClient) has to be stopped first. Thread: any but a loop's. */
HttpServer *http_server_free(HttpServer *server);
DEFINE_CLEANUP(HttpServer *, http_server_free);

/* Requests begun and not ended. */
unsigned http_server_active(const HttpServer *server);

/* What the server has done since it was started. Requests under way are not counted, except for
 * what they have sent of their bodies. A request to a path under "/-/" counts as a request, not as
 * a read, write or delete. Thread: any. */
void http_server_counters(const HttpServer *server, Traffic *ret);

/* Adds to RET how long the reads, the writes or the deletes took, from their headers to the end of
 * their answers. Thread: any. */
void http_server_latency(const HttpServer *server, HttpKind kind, Histogram *ret);

/* Whether a read, write or delete has ended within HTTP_LATELY_USEC. Thread: any. */
bool http_server_has_clients(const HttpServer *server);
