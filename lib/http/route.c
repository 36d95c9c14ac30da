/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "http/request.h"
#include "http/route.h"

#define OURS "/-/"

static bool has_prefix(const char *string, const char *prefix) {
        return strncmp(string, prefix, strlen(prefix)) == 0;
}

/* Steps over a character of a path, which may be encoded. */
static bool take(const char **path, char c) {
        char encoded[4];

        if (**path == c) {
                *path += 1;
                return true;
        }
        if (**path != '%')
                return false;

        (void) snprintf(encoded, sizeof(encoded), "%%%02x", (unsigned) c);
        if (strncasecmp(*path, encoded, 3) != 0)
                return false;
        *path += 3;
        return true;
}

/* Whether it is the path of a key that nobody can have; see core/key.h. */
static bool is_reserved(const char *path) {
        return take(&path, '/') && take(&path, '-') && take(&path, '/');
}

static bool matches(const HttpRoute *route, const char *path) {
        if (route->prefix[strlen(route->prefix) - 1] != '/')
                return strcmp(path, route->prefix) == 0;
        return has_prefix(path, route->prefix) &&
               (has_prefix(route->prefix, OURS) || !is_reserved(path));
}

static bool has_head_route(const HttpRoute *routes, const char *prefix) {
        for (const HttpRoute *route = routes; route->method; route++)
                if (strcmp(route->method, "HEAD") == 0 && strcmp(route->prefix, prefix) == 0)
                        return true;

        return false;
}

const HttpRoute *http_find_route(const HttpRoute *routes, const char *method, const char *path) {
        bool head = strcmp(method, "HEAD") == 0;

        /* Most routes are of another method, which is told faster than the path. */
        for (const HttpRoute *route = routes; route->method; route++) {
                if (strcmp(route->method, method) == 0 && matches(route, path))
                        return route;
                if (head && strcmp(route->method, "GET") == 0 && matches(route, path) &&
                    !has_head_route(routes, route->prefix))
                        return route;
        }

        return NULL;
}

/* Those that the servers of the web know (RFC 9110, RFC 5789); CONNECT is for proxies. */
static const char *const methods[] = { "GET",     "HEAD",  "PUT",   "POST", "DELETE",
                                       "OPTIONS", "PATCH", "TRACE", NULL };

static bool is_known(const char *method) {
        for (size_t i = 0; methods[i]; i++)
                if (strcmp(methods[i], method) == 0)
                        return true;

        return false;
}

bool http_format_allow(
                const HttpRoute *routes, const char *path, char ret[static HTTP_ALLOW_SIZE]) {
        size_t size = 0;

        for (size_t i = 0; methods[i]; i++)
                if (http_find_route(routes, methods[i], path))
                        size += (size_t) snprintf(
                                        ret + size, HTTP_ALLOW_SIZE - size, "%s, ", methods[i]);
        if (size == 0 && strcmp(path, "*") != 0)
                return false;

        (void) snprintf(ret + size, HTTP_ALLOW_SIZE - size, "OPTIONS");
        return true;
}

int http_reply_no_route(HttpRequest *request, const HttpRoute *routes) {
        char allow[HTTP_ALLOW_SIZE];
        int r;

        if (!is_known(http_request_method(request)))
                return http_request_reply_error(request, EOPNOTSUPP, NULL);
        if (!http_format_allow(routes, http_request_path(request), allow))
                return http_request_reply_error(request, ENOENT, NULL);

        r = http_request_add_header(request, "Allow", allow);
        return r < 0 ? r : http_request_reply_error(request, EPROTO, NULL);
}
