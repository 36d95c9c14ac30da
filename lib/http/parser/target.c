/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "http/parser/target.h"
#include "http/parser/text.h"

/* Returns how long the scheme is, with what is behind it; 0 if it is none of ours. */
static size_t span_scheme(const char *target) {
        static const char *const schemes[] = { "http://", "https://" };

        for (size_t i = 0; i < ELEMENTSOF(schemes); i++)
                if (strncasecmp(target, schemes[i], strlen(schemes[i])) == 0)
                        return strlen(schemes[i]);
        return 0;
}

/* Cuts the query off. */
static void set_path(char *path, HttpTarget *ret) {
        char *query = strchr(path, '?');

        ret->path = path;
        ret->query = path + strlen(path);
        if (query) {
                *query = '\0';
                ret->query = query + 1;
        }
}

/* The authority moves over the scheme, which makes room for the end of the string and, where the
 * path is empty, for its "/". */
static int parse_absolute(char *target, HttpTarget *ret) {
        size_t scheme = span_scheme(target);
        char *authority = target + scheme;
        size_t size = strcspn(authority, "/?");
        char *path = authority + size;

        /* Of these schemes, no host is empty (RFC 9110, 4.2.1). */
        if (scheme == 0 || size == 0 || *authority == ':' || !http_is_authority(authority, size))
                return -EINVAL;

        memmove(target, authority, size);
        target[size] = '\0';
        if (*path != '/')
                *--path = '/';
        set_path(path, ret);
        ret->authority = target;
        return 0;
}

/* A host and a port; both must be there. */
static int parse_authority(char *target, HttpTarget *ret) {
        size_t size = strlen(target);

        if (*target == ':' || !http_is_authority(target, size) || !strchr(target, ':') ||
            !http_is_digit(target[size - 1]))
                return -EINVAL;

        ret->path = target;
        ret->query = target + size;
        return 0;
}

int http_target_parse(char *target, const char *method, HttpTarget *ret) {
        *ret = (HttpTarget){};

        if (strcmp(method, "CONNECT") == 0)
                return parse_authority(target, ret);
        if (*target != '/' && !(strcmp(target, "*") == 0 && strcmp(method, "OPTIONS") == 0))
                return parse_absolute(target, ret);

        set_path(target, ret);
        return 0;
}
