/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Origin: what web pages may do with a server, by HttpServerOptions.cors_origins. For
 * http-server.c. */

#include "http/server-internal.h"

/* Browsers say from which page a request comes. Returns 0, or -EACCES, explained, if it is a
 * foreign one and would change something. */
int http_check_origin(HttpRequest *request);

/* What allows a page to read the reply, if it may. */
void http_add_origin(HttpRequest *request, struct MHD_Response *response);

/* OPTIONS: which methods there are, also as a preflight of browsers asks it. */
int http_reply_options(HttpRequest *request);
