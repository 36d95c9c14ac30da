/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <sys/epoll.h>
#include <utlist.h>

#include "http/worker.h"

/* Connections accepted in a row before others have their turn */
#define ACCEPT_MAX 16

/* A smaller difference is not worth a change of threads. */
#define SLACK 1

/* Before it accepts again once there was no descriptor for a connection */
#define PAUSE_USEC (50 * USEC_PER_MSEC)

/* For a client to read its last answer, and to close */
#define LINGER_USEC (2 * USEC_PER_SEC)

static HttpWorker *choose_worker(HttpWorker *own) {
        HttpWorker *best = own;
        unsigned least = atomic_load(&own->n_connections);

        least -= MIN(least, SLACK);
        for (size_t i = 0; i < own->n_workers; i++) {
                HttpWorker *worker = own->workers + i;
                unsigned n = atomic_load(&worker->n_connections);

                if (n < least) {
                        least = n;
                        best = worker;
                }
        }
        return best;
}

static void serve(HttpWorker *own, int fd, const HttpAddress *address) {
        HttpWorker *worker = choose_worker(own);
        HttpConnection *connection = http_connection_new(worker, fd, address);

        if (!connection)
                return;
        if (worker == own)
                http_connection_open(connection);
        else
                http_loop_wake(&connection->later);
}

static bool is_stopped(const HttpListener *listener) {
        return atomic_load(&listener->worker->site->drain.draining);
}

static int add(HttpListener *listener) {
        return http_loop_add(
                        listener->worker->loop, listener->fd, EPOLLIN | EPOLLEXCLUSIVE,
                        &listener->source);
}

/* The socket stays readable while there is no descriptor: it is left alone for a moment. */
static void pause_accepting(HttpListener *listener) {
        http_loop_remove(listener->worker->loop, listener->fd);
        http_timer_set(listener->worker->loop, &listener->timer, HTTP_TIMEOUT_PAUSE);
}

static void on_event(HttpSource *source, uint32_t events) {
        HttpListener *listener = CONTAINER_OF(source, HttpListener, source);

        if (is_stopped(listener))
                http_loop_remove(listener->worker->loop, listener->fd);

        for (size_t i = 0; i < ACCEPT_MAX && !is_stopped(listener); i++) {
                HttpAddress address = {};
                socklen_t size = sizeof(address);
                int fd = accept4(listener->fd, &address.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

                if (fd >= 0)
                        serve(listener->worker, fd, &address);
                else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
                         errno == ENOMEM) {
                        pause_accepting(listener);
                        return;
                } else if (errno == EAGAIN || errno == EWOULDBLOCK)
                        return;
        }
}

static void on_timeout(HttpTimer *timer) {
        HttpListener *listener = CONTAINER_OF(timer, HttpListener, timer);

        if (!is_stopped(listener) && add(listener) < 0)
                http_timer_set(listener->worker->loop, timer, HTTP_TIMEOUT_PAUSE);
}

int http_worker_listen(HttpWorker *worker, int fd, HttpWorker *workers, size_t n_workers) {
        HttpListener *listener = worker->listeners + worker->n_listeners++;

        *listener = (HttpListener){
                .source.on_event = on_event,
                .timer.on_timeout = on_timeout,
                .worker = worker,
                .fd = fd,
        };
        worker->workers = workers;
        worker->n_workers = n_workers;
        return add(listener);
}

void http_worker_stop_listening(HttpWorker *worker) {
        for (size_t i = 0; i < worker->n_listeners; i++)
                http_loop_remove(worker->loop, worker->listeners[i].fd);
}

static void on_hurry(HttpWaker *waker) {
        HttpWorker *worker = CONTAINER_OF(waker, HttpWorker, waker);
        HttpConnection *connection, *next;

        DL_FOREACH_SAFE(worker->connections, connection, next)
        http_connection_hurry(connection);
}

void http_worker_hurry(HttpWorker *worker) {
        http_loop_wake(&worker->waker);
}

int http_worker_init(
                HttpWorker *worker,
                HttpSite *site,
                HttpCounters *counters,
                size_t n_listeners,
                uint64_t silence_usec) {
        const uint64_t timeout_usecs[_HTTP_TIMEOUT_MAX] = {
                [HTTP_TIMEOUT_SILENCE] = silence_usec,
                [HTTP_TIMEOUT_LINGER] = LINGER_USEC,
                [HTTP_TIMEOUT_PAUSE] = PAUSE_USEC,
        };
        int r;

        *worker = (HttpWorker){
                .site = site,
                .counters = counters,
                .input = malloc(HTTP_INPUT_SIZE),
                .listeners = calloc(n_listeners, sizeof(*worker->listeners)),
                .waker.on_wake = on_hurry,
        };
        if (!worker->input || !worker->listeners)
                return -ENOMEM;
        r = http_loop_new(timeout_usecs, &worker->loop);
        worker->waker.loop = worker->loop;
        return r;
}

void http_worker_done(HttpWorker *worker) {
        HttpConnection *connection, *next;

        if (worker->loop)
                http_loop_call_wakers(worker->loop); /* which have come since it stopped */
        DL_FOREACH_SAFE(worker->connections, connection, next)
        (void) http_connection_free(connection);

        worker->loop = http_loop_free(worker->loop);
        free(TAKE_PTR(worker->listeners));
        free(TAKE_PTR(worker->input));
}
