/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Origin: what web pages may do with a server, by HttpServerOptions.cors_origins. */

#include <microhttpd.h>

#include "http/route.h"

typedef struct HttpOrigins {
        const char *allowed; /* "" for none; not owned */
        bool redirected;     /* see HttpServerOptions.cors_redirected */
} HttpOrigins;

/* Browsers say from which page a request comes. Returns 0, or -EACCES, explained, if it is a
 * foreign one and would change something. */
int http_check_origin(HttpRequest *request, const HttpOrigins *origins);

/* What allows a page to read the reply, if it may. */
void http_add_origin(
                HttpRequest *request, const HttpOrigins *origins, struct MHD_Response *response);

/* OPTIONS: which methods there are, also as a preflight of browsers asks it. */
int http_reply_options(HttpRequest *request, const HttpRoute *routes);
