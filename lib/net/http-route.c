/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/http-private.h"

static bool has_prefix(const char *string, const char *prefix) {
        return strncmp(string, prefix, strlen(prefix)) == 0;
}

static bool has_head_route(const HttpRoute *routes, const char *prefix) {
        for (const HttpRoute *route = routes; route->method; route++)
                if (strcmp(route->method, "HEAD") == 0 && strcmp(route->prefix, prefix) == 0)
                        return true;

        return false;
}

const HttpRoute *http_find_route(const HttpRoute *routes, const char *method, const char *path) {
        bool head = strcmp(method, "HEAD") == 0;

        for (const HttpRoute *route = routes; route->method; route++) {
                if (!has_prefix(path, route->prefix))
                        continue;
                if (strcmp(route->method, method) == 0)
                        return route;
                if (head && strcmp(route->method, "GET") == 0 &&
                    !has_head_route(routes, route->prefix))
                        return route;
        }

        return NULL;
}

static bool has_earlier(const HttpRoute *routes, const HttpRoute *route, const char *path) {
        for (const HttpRoute *earlier = routes; earlier < route; earlier++)
                if (has_prefix(path, earlier->prefix) &&
                    strcmp(earlier->method, route->method) == 0)
                        return true;

        return false;
}

int http_reply_no_route(HttpRequest *request) {
        const HttpRoute *routes = request->server->routes;
        char allow[128];
        size_t size = 0;
        int r;

        for (const HttpRoute *route = routes; route->method; route++) {
                if (!has_prefix(request->path, route->prefix) ||
                    has_earlier(routes, route, request->path))
                        continue;

                size += (size_t) snprintf(
                                allow + size, sizeof(allow) - size, "%s%s", size > 0 ? ", " : "",
                                route->method);
                assert(size < sizeof(allow));
        }

        if (size == 0)
                return http_request_reply_error(request, ENOENT, NULL);

        r = http_request_add_header(request, "Allow", allow);
        if (r < 0)
                return r;

        return http_request_reply_error(request, EPROTO, NULL);
}
