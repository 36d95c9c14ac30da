/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/clock.h"
#include "http/serve/drain.h"

/* For requests that are on their way when the server begins to drain */
#define LINGER_USEC (250 * USEC_PER_MSEC)
#define POLL_USEC   (5 * USEC_PER_MSEC)

void http_drain_init(HttpDrain *drain) {
        pthread_condattr_t attributes;

        *drain = (HttpDrain){};

        /* None of these can fail with glibc. */
        (void) pthread_mutex_init(&drain->lock, NULL);
        (void) pthread_condattr_init(&attributes);
        (void) pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void) pthread_cond_init(&drain->idle, &attributes);
        (void) pthread_condattr_destroy(&attributes);
}

void http_drain_done(HttpDrain *drain) {
        (void) pthread_cond_destroy(&drain->idle);
        (void) pthread_mutex_destroy(&drain->lock);
}

int http_drain_enter(HttpDrain *drain) {
        /* Counted first, so that a thread that closes the door sees who is in. */
        (void) atomic_fetch_add(&drain->n_active, 1);
        if (!atomic_load(&drain->closed))
                return 0;

        http_drain_leave(drain);
        return -ESHUTDOWN;
}

void http_drain_leave(HttpDrain *drain) {
        if (atomic_fetch_sub(&drain->n_active, 1) > 1 || !atomic_load(&drain->draining))
                return;

        (void) pthread_mutex_lock(&drain->lock);
        (void) pthread_cond_broadcast(&drain->idle);
        (void) pthread_mutex_unlock(&drain->lock);
}

bool http_drain_begin(HttpDrain *drain) {
        if (atomic_exchange(&drain->draining, true))
                return false;

        drain->linger_until = clock_monotonic() + LINGER_USEC;
        return true;
}

void http_drain_hurry(HttpDrain *drain) {
        atomic_store(&drain->hurried, true);
}

/* With the lock held. Connections that are kept alive go on bringing requests until there is a
 * moment without any. One that brings none for a while is cut: its client has to be ready for that
 * at any time. */
static bool close_door(HttpDrain *drain, HttpGuard *guard, uint64_t now) {
        if (atomic_load(&drain->n_active) > 0)
                return false;
        if (now < drain->linger_until && !atomic_load(&drain->hurried) &&
            http_guard_connections(guard) > 0)
                return false;

        atomic_store(&drain->closed, true);
        if (atomic_load(&drain->n_active) == 0)
                return true;

        atomic_store(&drain->closed, false);
        return false;
}

int http_drain_wait(HttpDrain *drain, HttpGuard *guard, uint64_t timeout_usec) {
        uint64_t now = clock_monotonic(), deadline = now + timeout_usec;
        bool is_closed;

        (void) pthread_mutex_lock(&drain->lock);
        while (!(is_closed = close_door(drain, guard, now)) && now < deadline) {
                uint64_t until = MIN(deadline, now + POLL_USEC);
                struct timespec spec = {
                        .tv_sec = (time_t) (until / USEC_PER_SEC),
                        .tv_nsec = (long) (until % USEC_PER_SEC * 1000),
                };

                (void) pthread_cond_timedwait(&drain->idle, &drain->lock, &spec);
                now = clock_monotonic();
        }
        (void) pthread_mutex_unlock(&drain->lock);

        return is_closed ? 0 : -ETIMEDOUT;
}
