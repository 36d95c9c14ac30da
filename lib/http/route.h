/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Route: which handler a request goes to, and what is said where there is none. */

#include <sys/types.h>

#include "base/macro.h"

typedef struct HttpRequest HttpRequest;

/* Who may use a route. */
typedef enum HttpAccess {
        HTTP_PUBLIC = 1, /* everybody, about the daemon itself */
        HTTP_CLIENT,     /* clients */
        HTTP_TICKET,     /* clients that the master has sent here, with a ticket in the query */
        HTTP_DAEMON,     /* daemons of the cluster, with a signature */
} HttpAccess;

/* One entry per method and path prefix; the first match counts; the table ends with an empty entry.
 * A prefix that ends with a slash stands for all paths below it, any other for itself alone. A path
 * that begins with "/-/", however encoded, matches no shorter prefix. One that only matches
 * with another method is answered with 405 and Allow; OPTIONS is answered for all. GET routes
 * answer HEAD too unless there is one for HEAD. */
typedef struct HttpRoute {
        const char *method;
        const char *prefix;
        HttpAccess access;

        /* The headers are in, and the gate lets the request in. Optional. May reply at once: the
         * body is then thrown away, or, if the client waits for 100 Continue, never sent.
         * Must not return HTTP_LATER. */
        int (*begin)(HttpRequest *request);

        /* A piece of the body is in. Optional; without it, a body is refused with 413. Returns how
         * many bytes it took, which may be fewer: then the rest comes again after
         * http_request_resume(). */
        ssize_t (*body)(HttpRequest *request, const void *data, size_t size);

        /* All is in. Replies, or returns HTTP_LATER and sees to it that somebody does. */
        int (*finish)(HttpRequest *request);

        /* The request is over, in success or failure (the client may be gone at any time but
         * between HTTP_LATER and the reply): release http_request_state(). Called exactly once if
         * begin() was, or if the gate refused the request: there is no state then. Optional. */
        void (*end)(HttpRequest *request);

        /* Larger bodies are refused with 413, before begin() where the size is announced. 0 leaves
         * the limit to body(). */
        uint64_t body_max;

        /* The gate does not let the request in, because of ERROR: replies, or returns the error to
         * be replied. Optional; without it, ERROR is. */
        int (*refuse)(HttpRequest *request, int error);
} HttpRoute;

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

/* For lib/http: the first entry that matches, or NULL. */
const HttpRoute *http_find_route(const HttpRoute *routes, const char *method, const char *path);

/* The methods that there are for PATH. Returns whether there are any. */
#define HTTP_ALLOW_SIZE 128
bool http_format_allow(const HttpRoute *routes, const char *path, char ret[static HTTP_ALLOW_SIZE]);

/* Replies 501 to an unknown method, 405 with the methods of this path, or 404 if it has none. */
int http_reply_no_route(HttpRequest *request, const HttpRoute *routes);
