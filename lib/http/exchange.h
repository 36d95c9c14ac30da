/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Exchange: what becomes of a request, from its head to its answer: the route, the gate, the
 * handlers. It knows no socket; http/connection.h brings it what comes in. For lib/http alone.
 *
 * Thread: the connection's. */

#include "http/origin.h"
#include "http/request-internal.h"
#include "http/route.h"
#include "http/serve/input.h"

/* What all requests of a server have in common. */
typedef struct HttpSite {
        const HttpRoute *routes; /* not owned */
        HttpGate gate;
        void *userdata;
        HttpOrigins origins;
        size_t header_max;
        HttpGuard *guard; /* not owned */
        HttpDrain drain;
        HttpBacklog backlog;
        struct HttpWorker *workers; /* who serve it */
        size_t n_workers;
} HttpSite;

/* The head is complete, or malformed: makes the request as good as new, but for what all of a
 * connection have in common. */
void http_exchange_prepare(HttpRequest *request);

/* The head is complete, and the request prepared. Returns 0, the request may be answered
 * then, or -ESHUTDOWN if the server begins no more requests: there is no answer. */
int http_exchange_begin(HttpRequest *request, HttpSite *site);

/* A piece of the body of a request that is not answered yet. Returns how many bytes were taken:
 * all, unless the request is answered or parked now. */
size_t http_exchange_body(HttpRequest *request, const char *data, size_t size);

/* A field behind the body, of a request that is not answered yet. */
void http_exchange_trailer(HttpRequest *request, const char *name);

/* The message is complete, or its answer is waited for. Returns 0 if it is parked, or 1 if it is
 * answered. */
int http_exchange_finish(HttpRequest *request, const HttpSite *site);

/* The request is over: stream, handler and gate let go of it. */
void http_exchange_end(HttpRequest *request, HttpSite *site);
