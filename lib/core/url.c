/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/url.h"

#define HTTP_PORT "80"
#define NO_PORT   "has no port from 1 to 65535"

static int refuse(const char *reason, const char **reterr_reason) {
        *reterr_reason = reason;
        return -EINVAL;
}

const char *url_authority(const char *url) {
        size_t n = strlen(URL_SCHEME);

        return strncasecmp(url, URL_SCHEME, n) == 0 ? url + n : url;
}

int url_format(char **ret, const char *authority, const char *format, ...) {
        _cleanup_free_ char *target = NULL;
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = vasprintf(&target, format, arguments);
        va_end(arguments);
        if (r < 0) {
                target = NULL;
                return -ENOMEM;
        }

        return asprintf(ret, URL_SCHEME "%s%s", authority, target) < 0 ? -ENOMEM : 0;
}

int url_from_address(const Address *address, char **ret) {
        bool is_v6 = strchr(address->host, ':');

        if (asprintf(ret, URL_SCHEME "%s%s%s:%u", is_v6 ? "[" : "", address->host, is_v6 ? "]" : "",
                     address->port) < 0)
                return -ENOMEM;
        return 0;
}

/* Finds the authority in TEXT, all of which must be a URL. */
static int find_authority(
                const char *text, const char **ret, size_t *ret_size, const char **reterr_reason) {
        const char *authority = text, *scheme = strstr(text, "://");
        size_t size;

        if (scheme) {
                if (strncmp(text, URL_SCHEME, strlen(URL_SCHEME)) != 0)
                        return refuse("does not begin with http://, which is all that daemons speak",
                                      reterr_reason);
                authority = scheme + strlen("://");
        }

        size = strcspn(authority, "/?#");
        if (memchr(authority, '@', size))
                return refuse("has a user in it", reterr_reason);
        if (authority[size] == '?' || authority[size] == '#' || strpbrk(authority, "?#"))
                return refuse("has a query in it", reterr_reason);
        if (authority[size] == '/' && authority[size + 1] != '\0')
                return refuse("has a path in it, which no daemon has", reterr_reason);
        if (size == 0)
                return refuse("has no host in it", reterr_reason);
        if (!scheme && !memchr(authority, ':', size))
                return refuse("has neither http:// nor a port", reterr_reason);

        *ret = authority;
        *ret_size = size;
        return 0;
}

/* The port may be missing. Returns 0, -ENOMEM, or -EINVAL with the reason. */
static int parse_authority(const char *authority, Address *ret, const char **reterr_reason) {
        const char *colon = strrchr(authority, ':');
        _cleanup_free_ char *with_port = NULL;

        if (colon && !strchr(colon, ']'))
                return address_parse(authority, ret, reterr_reason);

        if (asprintf(&with_port, "%s:" HTTP_PORT, authority) < 0) {
                with_port = NULL;
                return -ENOMEM;
        }
        return address_parse(with_port, ret, reterr_reason);
}

int url_host(const char *url, Address *ret) {
        const char *authority = url + strlen(URL_SCHEME), *reason;

        if (strncmp(url, URL_SCHEME, strlen(URL_SCHEME)) != 0)
                return -EINVAL;
        return parse_authority(authority, ret, &reason);
}

int url_normalize(const char *text, char **ret, const char **reterr_reason) {
        _cleanup_free_ char *copy = NULL;
        const char *authority;
        Address address;
        size_t size;
        int r;

        r = find_authority(text, &authority, &size, reterr_reason);
        if (r < 0)
                return r;
        copy = strndup(authority, size);
        if (!copy)
                return -ENOMEM;

        r = parse_authority(copy, &address, reterr_reason);
        if (r < 0)
                return r;
        if (address.port == 0)
                return refuse(NO_PORT, reterr_reason);
        if (address.is_any)
                return refuse("names all addresses of a machine, and needs one that others can send to",
                              reterr_reason);

        if (asprintf(ret, URL_SCHEME "%s", copy) < 0)
                return -ENOMEM;
        return 0;
}

const char *url_complain(const char *text) {
        _cleanup_free_ char *url = NULL;
        const char *reason = NULL;

        return url_normalize(text, &url, &reason) == -EINVAL ? reason : NULL;
}

/* The text between two commas, without the spaces around it. */
static char *take_item(const char **text) {
        const char *start = *text, *end = start + strcspn(start, ",");

        *text = *end ? end + 1 : end;
        start += strspn(start, " ");
        while (end > start && end[-1] == ' ')
                end--;
        return strndup(start, (size_t) (end - start));
}

static bool list_has(const char *list, const char *url) {
        size_t size = strlen(url);

        for (const char *item = list; *item; item += strcspn(item, ","), item += *item == ',')
                if (strncmp(item, url, size) == 0 && (!item[size] || item[size] == ','))
                        return true;
        return false;
}

/* Appends URL to LIST, a string. */
static int list_add(char **list, const char *url) {
        char *longer;

        if (asprintf(&longer, "%s%s%s", *list ?: "", *list ? "," : "", url) < 0)
                return -ENOMEM;

        free(*list);
        *list = longer;
        return 0;
}

int url_list_normalize(const char *text, char **ret, const char **reterr_reason) {
        _cleanup_free_ char *list = NULL;
        size_t n = 0;
        bool more;

        do {
                _cleanup_free_ char *url = NULL, *item = NULL;
                int r;

                more = strchr(text, ',');
                item = take_item(&text);
                if (!item)
                        return -ENOMEM;
                r = url_normalize(item, &url, reterr_reason);
                if (r < 0)
                        return r;
                if (list && list_has(list, url))
                        return refuse("names the same daemon twice", reterr_reason);
                if (++n > URLS_MAX)
                        return refuse("names more than 16 daemons", reterr_reason);
                r = list_add(&list, url);
                if (r < 0)
                        return r;
        } while (more);

        *ret = TAKE_PTR(list);
        return 0;
}

const char *url_list_complain(const char *text) {
        _cleanup_free_ char *list = NULL;
        const char *reason = NULL;

        return url_list_normalize(text, &list, &reason) == -EINVAL ? reason : NULL;
}

int url_list_take(const char **list, char **ret) {
        if (!**list)
                return 0;

        *ret = take_item(list);
        return *ret ? 1 : -ENOMEM;
}
