/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Origin: what web pages may do with a server, by HttpServerOptions.cors_origins. */

#include "http/route.h"

typedef struct HttpOrigins {
        const char *allowed; /* "" for none; not owned */
        bool redirected;     /* see HttpServerOptions.cors_redirected */
} HttpOrigins;

/* Browsers say from which page a request comes. Returns 0, or -EACCES, explained, if it is a
 * foreign one and would change something. */
int http_check_origin(HttpRequest *request, const HttpOrigins *origins);

/* The headers of each reply that allow a page to read it, if it may, as lines; "" if there are
 * none. They are followed by the value that RET_VALUE points to, if that is not NULL, and the end
 * of the line. */
const char *http_origin_headers(
                const HttpRequest *request, const HttpOrigins *origins, const char **ret_value);

/* OPTIONS: which methods there are, also as a preflight of browsers asks it. */
int http_reply_options(HttpRequest *request, const HttpRoute *routes);
