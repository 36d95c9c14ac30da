/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <utlist.h>

#include "base/clock.h"
#include "http/drain.h"

/* For requests that are on their way when the server begins to drain */
#define LINGER_USEC (250 * USEC_PER_MSEC)
#define POLL_USEC   (5 * USEC_PER_MSEC)

int http_drain_enter(HttpServer *server) {
        /* Counted first, so that a thread that closes the door sees who is in. */
        (void) atomic_fetch_add(&server->n_active, 1);
        if (!atomic_load(&server->closed))
                return 0;

        http_drain_leave(server);
        return -ESHUTDOWN;
}

void http_drain_leave(HttpServer *server) {
        if (atomic_fetch_sub(&server->n_active, 1) > 1 || !atomic_load(&server->draining))
                return;

        (void) pthread_mutex_lock(&server->lock);
        (void) pthread_cond_broadcast(&server->idle);
        (void) pthread_mutex_unlock(&server->lock);
}

static void begin_drain(HttpServer *server) {
        if (atomic_exchange(&server->draining, true))
                return;

        server->linger_until = clock_monotonic() + LINGER_USEC;
        for (size_t i = 0; i < server->n_threads; i++)
                (void) MHD_quiesce_daemon(server->threads[i].daemon);
}

/* With the lock held. Connections that are kept alive go on bringing requests until there is a
 * moment without any. One that brings none for a while is cut: its client has to be ready for that
 * at any time. */
static bool close_door(HttpServer *server, uint64_t now) {
        if (atomic_load(&server->n_active) > 0)
                return false;
        if (now < server->linger_until && !server->stopping && http_server_connections(server) > 0)
                return false;

        atomic_store(&server->closed, true);
        if (atomic_load(&server->n_active) == 0)
                return true;

        atomic_store(&server->closed, false);
        return false;
}

int http_server_drain(HttpServer *server, uint64_t timeout_usec) {
        uint64_t now = clock_monotonic(), deadline = now + timeout_usec;
        bool is_closed;

        assert(server);

        begin_drain(server);

        (void) pthread_mutex_lock(&server->lock);
        while (!(is_closed = close_door(server, now)) && now < deadline) {
                uint64_t until = MIN(deadline, now + POLL_USEC);
                struct timespec spec = {
                        .tv_sec = (time_t) (until / USEC_PER_SEC),
                        .tv_nsec = (long) (until % USEC_PER_SEC * 1000),
                };

                (void) pthread_cond_timedwait(&server->idle, &server->lock, &spec);
                now = clock_monotonic();
        }
        (void) pthread_mutex_unlock(&server->lock);

        return is_closed ? 0 : -ETIMEDOUT;
}

void http_drain_wake(HttpServer *server) {
        HttpRequest *request;

        (void) pthread_mutex_lock(&server->lock);
        server->stopping = true;
        DL_FOREACH(server->parked, request)
        http_request_wake(request, HTTP_WOKEN);
        (void) pthread_mutex_unlock(&server->lock);
}

unsigned http_server_active(const HttpServer *server) {
        assert(server);

        return atomic_load(&server->n_active);
}
