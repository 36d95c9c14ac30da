/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Relay: passes the body of a write on to a volume while it arrives, for a client that was not
 * redirected there, and passes the volume's answer back.
 *
 * If the value was certainly not committed, and its volumes are the reason, it goes to other
 * volumes, provided that all of it is still there: before its first byte was sent, or while it fits
 * into the buffer.
 */

#include <stdatomic.h>

#include "http/pipe.h"
#include "http/request.h"
#include "master/cluster/volumes.h"
#include "master/request/redirect.h"
#include "rpc/client.h"

/* All relays of the master, and what they work with. */
typedef struct Relays {
        Volumes *volumes;   /* not owned */
        HttpClient *bulk;   /* not owned */
        PipeBudget *budget; /* not owned */
        atomic_bool proxy;
        atomic_bool stopping;
        atomic_uint n;
} Relays;

/* PROXY: clients are never redirected, so that values are relayed also while the master stops. */
void relays_configure(Relays *relays, bool proxy);

/* The master stops: relays are refused from now on. Returns how many are under way; may be called
 * again. */
unsigned relays_stop(Relays *relays);

/* How much an empty relay takes at once, in bytes. */
#define RELAY_BUFFER_SIZE (1 * MIB)

typedef struct Relay Relay;

typedef struct RelayTarget {
        uint32_t volume;
        char url[REDIRECT_URL_SIZE]; /* with a ticket */
} RelayTarget;

/* Chooses where the value goes now that the N volumes FAILED have not taken it. On the client's
 * thread, while the request is there. Returns 0 or a negative errno. */
typedef int (*RelayNext)(HttpRequest *request, const uint32_t failed[], size_t n, RelayTarget *ret);

/* Starts sending to TARGET, with the request's headers that concern the value. Returns 0,
 * -ESHUTDOWN if the master is stopping and the client may be redirected instead, -EAGAIN if too
 * many values pass through at the moment, or another negative errno. */
int relay_new(Relays *relays,
              HttpRequest *request,
              const RelayTarget *target,
              RelayNext next,
              Relay **ret);

/* The request is over; gives up if the body was not complete. */
Relay *relay_free(Relay *relay);
DEFINE_CLEANUP(Relay *, relay_free);

/* As HttpRoute.body(). */
ssize_t relay_body(Relay *relay, const void *data, size_t size);

/* The body is complete. Replies, now or later; returns HTTP_LATER. */
int relay_finish(Relay *relay);
