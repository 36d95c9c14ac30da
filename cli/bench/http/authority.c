/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <netdb.h>
#include <stdatomic.h>
#include <string.h>

#include "bench/http/authority.h"

#define SCHEME "http://"

static Authority *authority_free(Authority *authority) {
        if (!authority)
                return NULL;

        free(authority->name);
        free(authority);
        return NULL;
}
DEFINE_CLEANUP(Authority *, authority_free);

void authorities_init(Authorities *authorities) {
        *authorities = (Authorities){ .lock = PTHREAD_MUTEX_INITIALIZER };
}

void authorities_done(Authorities *authorities) {
        for (size_t i = 0; i < authorities->n; i++)
                (void) authority_free(authorities->items[i]);
        authorities->n = 0;
        (void) pthread_mutex_destroy(&authorities->lock);
}

/* Splits "host", "host:port" or "[address]:port"; the port is NULL if there is none. */
static int split(char *name, char **ret_host, char **ret_port) {
        char *host = name, *end;

        if (*name == '[') {
                host++;
                end = strchr(host, ']');
                if (!end)
                        return -EINVAL;
                *end++ = '\0';
                if (*end != ':' && *end != '\0')
                        return -EINVAL;
        } else
                end = name + strcspn(name, ":");

        *ret_port = *end == ':' ? end + 1 : NULL;
        *end = '\0';
        *ret_host = host;
        return *host == '\0' || (*ret_port && **ret_port == '\0') ? -EINVAL : 0;
}

static int resolve(Authority *authority) {
        const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
        _cleanup_free_ char *copy = strdup(authority->name);
        struct addrinfo *info = NULL;
        char *host, *port;
        int r;

        if (!copy)
                return -ENOMEM;

        r = split(copy, &host, &port);
        if (r < 0)
                return r;

        if (getaddrinfo(host, port ?: "80", &hints, &info) != 0)
                return -EHOSTUNREACH;

        memcpy(&authority->address, info->ai_addr, info->ai_addrlen);
        authority->address_size = info->ai_addrlen;
        freeaddrinfo(info);
        return 0;
}

static const Authority *find(const Authorities *authorities, const char *name, size_t length) {
        size_t n = atomic_load_explicit(&authorities->n, memory_order_acquire);

        for (size_t i = 0; i < n; i++) {
                const Authority *authority = authorities->items[i];

                if (strncmp(authority->name, name, length) == 0 && authority->name[length] == '\0')
                        return authority;
        }

        return NULL;
}

static int append(
                Authorities *authorities, const char *name, size_t length, const Authority **ret) {
        _cleanup_(authority_freep) Authority *authority = calloc(1, sizeof(*authority));
        size_t n = authorities->n;
        int r;

        /* Another thread may have been quicker. */
        *ret = find(authorities, name, length);
        if (*ret)
                return 0;

        if (!authority)
                return -ENOMEM;
        if (n >= AUTHORITIES_MAX)
                return -ENFILE;

        authority->name = strndup(name, length);
        if (!authority->name)
                return -ENOMEM;

        r = resolve(authority);
        if (r < 0)
                return r;

        *ret = authorities->items[n] = TAKE_PTR(authority);
        atomic_store_explicit(&authorities->n, n + 1, memory_order_release);
        return 0;
}

int authorities_get(
                Authorities *authorities,
                const char *url,
                const Authority **ret,
                const char **ret_path) {
        const char *name = url + sizeof(SCHEME) - 1;
        const Authority *found;
        size_t length;
        int r = 0;

        if (strncmp(url, SCHEME, sizeof(SCHEME) - 1) != 0)
                return -EINVAL;

        length = strcspn(name, "/?#");
        if (length == 0 || memchr(name, '@', length))
                return -EINVAL;

        found = find(authorities, name, length);
        if (!found) {
                (void) pthread_mutex_lock(&authorities->lock);
                r = append(authorities, name, length, &found);
                (void) pthread_mutex_unlock(&authorities->lock);
        }
        if (r < 0)
                return r;

        *ret = found;
        *ret_path = name + length;
        return 0;
}
