/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Authority: a host and port to talk to, looked up once; Authorities: all that were met, shared by
 * all threads, and never forgotten. */

#include <pthread.h>
#include <sys/socket.h>

#include "base/macro.h"

#define AUTHORITIES_MAX 4096

typedef struct Authority {
        char *name; /* host:port, as in Host: and in URLs; owned */
        struct sockaddr_storage address;
        socklen_t address_size;
} Authority;

typedef struct Authorities {
        pthread_mutex_t lock; /* held to append */
        _Atomic size_t n;
        Authority *items[AUTHORITIES_MAX]; /* owned */
} Authorities;

void authorities_init(Authorities *authorities);
void authorities_done(Authorities *authorities);

/* Finds or adds the authority of URL ("http://host[:port][/…]") and the rest of it, from the slash
 * on ("" if there is none; points into URL). Blocks on the resolver when it meets a name for the
 * first time.
 *
 * Returns 0, -EINVAL for a URL of another form, -EHOSTUNREACH for a host that cannot be resolved,
 * -ENFILE if there are too many of them, or -ENOMEM. */
int authorities_get(
                Authorities *authorities,
                const char *url,
                const Authority **ret,
                const char **ret_path);
