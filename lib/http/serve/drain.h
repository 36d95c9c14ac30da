/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Drain: how a server stops. It counts the requests that are under way, and closes the door once
 * there is a moment without one. */

#include <pthread.h>
#include <stdatomic.h>

#include "http/serve/guard.h"

typedef struct HttpDrain {
        atomic_uint n_active;
        atomic_bool draining, closed; /* no more connections; no more requests */
        atomic_bool hurried;          /* requests wait for nobody any more */

        pthread_mutex_t lock; /* for what follows */
        pthread_cond_t idle;
        uint64_t linger_until; /* monotonic: connections without a request are left open so long */
} HttpDrain;

void http_drain_init(HttpDrain *drain);
void http_drain_done(HttpDrain *drain);

/* A request begins. Returns 0, or -ESHUTDOWN if the door is closed. Thread: the connection's. */
int http_drain_enter(HttpDrain *drain);

/* One that http_drain_enter() let in is over. Thread: the connection's. */
void http_drain_leave(HttpDrain *drain);

/* The server takes no more connections. Returns whether that is news. */
bool http_drain_begin(HttpDrain *drain);

/* From now on, connections without a request are not waited for, and no request waits. Thread: any.
 */
void http_drain_hurry(HttpDrain *drain);

/* Closes the door. Returns 0, or -ETIMEDOUT if there were requests all the time: then it is open
 * still. */
int http_drain_wait(HttpDrain *drain, HttpGuard *guard, uint64_t timeout_usec);
