/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Counters: what an HTTP server has done since it was started.
 *
 * Thread: any. Each figure is right, but they are not of one moment. */

#include "base/clock.h"
#include "base/histogram.h"
#include "core/traffic.h"

typedef struct HttpServer HttpServer;

/* Requests under way are not counted, except for what they have sent of their bodies. A request to
 * a path under "/-/" counts as a request, not as a read, write or delete. */
void http_server_counters(const HttpServer *server, Traffic *ret);

typedef enum HttpKind {
        HTTP_READ,   /* GET, HEAD */
        HTTP_WRITE,  /* PUT, POST */
        HTTP_DELETE, /* DELETE */
        _HTTP_KIND_MAX,
        HTTP_OTHER = _HTTP_KIND_MAX, /* under "/-/", and other methods */
} HttpKind;

/* Adds to RET how long the reads, the writes or the deletes took, from their headers to the end of
 * their answers. */
void http_server_latency(const HttpServer *server, HttpKind kind, Histogram *ret);

/* Whether a read, write or delete has ended within HTTP_LATELY_USEC. */
#define HTTP_LATELY_USEC USEC_PER_SEC
bool http_server_has_clients(const HttpServer *server);
