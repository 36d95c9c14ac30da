/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* HTTP server: libmicrohttpd behind a table of routes.
 *
 * One thread per core runs handlers; a handler never blocks. What has to wait returns HTTP_LATER
 * and is answered by any other thread. Every error reply is application/problem+json, made from
 * base/error.h. Messages that HTTP leaves ambiguous (two Host or Content-Length headers,
 * Content-Length with Transfer-Encoding) are refused before a handler sees them, header sections
 * over the limit as well. What libmicrohttpd cannot make sense of (a malformed request line or
 * chunk, more headers than fit its memory) it answers itself, in HTML, and closes the connection.
 * Of a client that closes its side in the middle of a body the handler hears within a second.
 *
 * Which connections may stay, and which give way when there are too many, says http/guard.h. */

#include "http/counters.h"
#include "http/request.h"
#include "http/route.h"

typedef struct HttpServer HttpServer;

/* Who decides whether a request may use its route; see rpc/gate.h. Both return 0 or a negative
 * errno, and may leave what they found out with http_request_set_pass(). A server without a gate
 * has no routes but HTTP_PUBLIC and HTTP_CLIENT ones. */
typedef struct HttpGate {
        int (*enter)(HttpRequest *request,
                     const HttpRoute *route,
                     void *userdata); /* before begin() */
        int (*confirm)(HttpRequest *request,
                       const HttpRoute *route,
                       void *userdata); /* before finish() */
        void *userdata;
} HttpGate;

typedef struct HttpServerOptions {
        int listen_fd;       /* taken over on success */
        const int *more_fds; /* besides: other sockets to accept on, each by a thread of its own */
        size_t n_more;       /* likewise taken over */
        unsigned n_threads;  /* 0 for one per core */
        unsigned connections_max;
        unsigned connections_per_address_max; /* 0 for half of all */
        size_t header_max;                    /* bytes of request line and headers */
        uint64_t timeout_usec;                /* without any progress */
        uint64_t rate_min;                    /* bytes per second, of bodies and replies over
                                                 timeout_usec; 0 for any */
        const char *cors_origins;             /* of pages that may do everything; "*" for all; NULL
                                                 for none but our own; to outlive the server */
        bool cors_redirected; /* requests come here by a redirect, of which browsers hide the origin
                               */
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
 * resume one (committers, an HttpClient) has to be stopped first. */
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
