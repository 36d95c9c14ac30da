/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Route: which handler a request goes to, and what is said where there is none. For http-server.c.
 */

#include "http/server-internal.h"

/* The first entry that matches, or NULL. */
const HttpRoute *http_find_route(const HttpRoute *routes, const char *method, const char *path);

/* The methods that there are for the request's path. Returns whether there are any. */
#define HTTP_ALLOW_SIZE 128
bool http_format_allow(const HttpRequest *request, char ret[static HTTP_ALLOW_SIZE]);

/* Replies 501 to an unknown method, 405 with the methods of this path, or 404 if it has none. */
int http_reply_no_route(HttpRequest *request);
