/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "http/origin.h"
#include "http/request-internal.h"

#define NAME_SIZE         256
#define PREFLIGHT_MAX_AGE "600"

/* Whether the list, with blanks between its members, has this one. */
static bool has_word(const char *list, const char *word) {
        size_t length = strlen(word);

        while (*(list += strspn(list, " \t,"))) {
                size_t n = strcspn(list, " \t,");

                if ((n == length && strncasecmp(list, word, n) == 0) || (n == 1 && *list == '*'))
                        return true;
                list += n;
        }

        return false;
}

/* The name in a Host header, without port. */
static bool get_name(const char *host, char ret[static NAME_SIZE]) {
        size_t length = *host == '[' ? strcspn(host, "]") : strcspn(host, ":");
        size_t start = *host == '[' ? 1 : 0;

        if (length <= start || length - start >= NAME_SIZE)
                return false;
        memcpy(ret, host + start, length - start);
        ret[length - start] = '\0';
        return true;
}

static bool is_address(const char *name) {
        uint8_t address[sizeof(struct in6_addr)];

        return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

/* Whether a name cannot be one that its owner lets point here without being asked. */
static bool is_our_name(const char *host) {
        char found[NAME_SIZE], own[NAME_SIZE];
        size_t own_length;

        if (!get_name(host, found))
                return false;
        if (is_address(found) || strcasecmp(found, "localhost") == 0)
                return true;
        if (gethostname(own, sizeof(own)) < 0)
                return false;

        own[sizeof(own) - 1] = '\0';
        own_length = strcspn(own, ".");
        return strcasecmp(found, own) == 0 ||
               (strlen(found) == own_length && strncasecmp(found, own, own_length) == 0);
}

/* A page that this very server has sent. */
static bool is_same(const char *origin, const char *host) {
        const char *slashes = strstr(origin, "://");

        return slashes && host && strcasecmp(slashes + 3, host) == 0 && is_our_name(host);
}

static bool is_safe(const char *method) {
        return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
               strcmp(method, "OPTIONS") == 0;
}

int http_check_origin(HttpRequest *request, const HttpOrigins *origins) {
        const char *origin = http_request_header(request, "Origin");

        if (!origin)
                return 0;

        request->origin_is_allowed = has_word(origins->allowed, origin) ||
                                     (origins->redirected && *origins->allowed &&
                                      strcmp(origin, "null") == 0);
        if (request->origin_is_allowed || is_safe(request->method) ||
            is_same(origin, http_request_header(request, "Host")))
                return 0;

        http_request_explain(
                        request,
                        "Pages of this origin may not change anything here: see CorsOrigins=.");
        return -EACCES;
}

const char *http_origin_headers(
                const HttpRequest *request, const HttpOrigins *origins, const char **ret_value) {
        *ret_value = NULL;
        if (!*origins->allowed)
                return "";
        if (!request->origin_is_allowed)
                return "Vary: Origin\r\n";

        *ret_value = http_request_header(request, "Origin");
        return "Vary: Origin\r\nAccess-Control-Expose-Headers: *\r\nAccess-Control-Allow-Origin: ";
}

static int add_preflight(HttpRequest *request, const char *allow) {
        const char *headers = http_request_header(request, "Access-Control-Request-Headers");
        int r;

        r = http_request_add_header(request, "Access-Control-Allow-Methods", allow);
        if (r >= 0 && headers)
                r = http_request_add_header(request, "Access-Control-Allow-Headers", headers);
        if (r >= 0)
                r = http_request_add_header(request, "Access-Control-Max-Age", PREFLIGHT_MAX_AGE);
        return r;
}

int http_reply_options(HttpRequest *request, const HttpRoute *routes) {
        char allow[HTTP_ALLOW_SIZE];
        int r;

        if (!http_format_allow(routes, request->path, allow))
                return -ENOENT;

        r = http_request_add_header(request, "Allow", allow);
        if (r >= 0 && request->origin_is_allowed &&
            http_request_header(request, "Access-Control-Request-Method"))
                r = add_preflight(request, allow);
        return r < 0 ? r : http_request_reply(request, 204);
}
