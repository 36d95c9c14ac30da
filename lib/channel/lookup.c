/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "channel/lookup.h"

/* Belongs to the thread and to who waits for it, whoever is the last. */
struct Lookup {
        atomic_uint owners;
        int fd;
        Address host;
        _Atomic(struct addrinfo *) found; /* owned; set before the descriptor can be read */
};

Lookup *lookup_free(Lookup *lookup) {
        if (!lookup || atomic_fetch_sub(&lookup->owners, 1) > 1)
                return NULL;

        closep(&lookup->fd);
        if (lookup->found)
                freeaddrinfo(lookup->found);
        free(lookup);
        return NULL;
}

static void look_up(Lookup *lookup) {
        struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
        struct addrinfo *found;
        char port[DECIMAL_SIZE(uint16_t)];
        uint64_t one = 1;

        if (lookup->host.is_numeric)
                hints.ai_flags |= AI_NUMERICHOST;
        (void) snprintf(port, sizeof(port), "%u", lookup->host.port);
        if (getaddrinfo(lookup->host.host, port, &hints, &found) == 0)
                atomic_store(&lookup->found, found);
        (void) !write(lookup->fd, &one, sizeof(one)); /* cannot fail */
}

static void *run(void *userdata) {
        Lookup *lookup = userdata;

        (void) pthread_setname_np(pthread_self(), "lookup");
        look_up(lookup);
        (void) lookup_free(lookup);
        return NULL;
}

static int start_thread(Lookup *lookup) {
        pthread_t thread;
        int r;

        atomic_fetch_add(&lookup->owners, 1);
        r = -pthread_create(&thread, NULL, run, lookup);
        if (r < 0) {
                atomic_fetch_sub(&lookup->owners, 1);
                return r;
        }

        (void) pthread_detach(thread);
        return 0;
}

int lookup_start(const Address *host, Lookup **ret) {
        _cleanup_(lookup_freep) Lookup *lookup = malloc(sizeof(*lookup));
        int r;

        if (!lookup)
                return -ENOMEM;

        *lookup = (Lookup){ .owners = 1, .host = *host };
        lookup->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (lookup->fd < 0)
                return -errno;

        if (host->is_numeric) {
                look_up(lookup);
        } else {
                r = start_thread(lookup);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(lookup);
        return 0;
}

int lookup_fd(const Lookup *lookup) {
        return lookup->fd;
}

const struct addrinfo *lookup_addresses(const Lookup *lookup) {
        return atomic_load(&lookup->found);
}
