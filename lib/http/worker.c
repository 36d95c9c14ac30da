/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <utlist.h>

#include "http/worker.h"

/* Connections accepted in a row before others have their turn */
#define ACCEPT_MAX 16

/* In percent: a loop that is so busy gets no more to do */
#define LOAD_FULL 80

/* while there is another that is less busy than this, */
#define LOAD_ROOM 50

/* which gets one in so many of its connections, and so many at most at a time, so often. */
#define MOVED_PART   4
#define MOVED_MAX    256U
#define BALANCE_USEC (100 * USEC_PER_MSEC)

/* Before it accepts again once there was no descriptor for a connection */
#define PAUSE_USEC (50 * USEC_PER_MSEC)

/* For a client to read its last answer, and to close */
#define LINGER_USEC (2 * USEC_PER_SEC)

/* The first one that is not full, or else the one that has the fewest connections. */
static HttpWorker *choose_worker(const HttpSite *site) {
        HttpWorker *best = site->workers;

        for (size_t i = 0; i < site->n_workers; i++) {
                HttpWorker *worker = site->workers + i;

                if (loop_load(worker->loop) < LOAD_FULL)
                        return worker;
                if (atomic_load(&worker->n_connections) < atomic_load(&best->n_connections))
                        best = worker;
        }
        return best;
}

static void give(HttpConnection *connection, HttpWorker *worker) {
        http_connection_assign(connection, worker);
        if (loop_current() == worker->loop)
                http_connection_open(connection);
        else
                loop_wake(&connection->later);
}

static void serve(const HttpListener *listener, int fd, const HttpAddress *address) {
        static const int on = 1;
        HttpSite *site = listener->worker->site;
        HttpConnection *connection = http_connection_new(site, fd, address);

        if (!connection)
                return;
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        give(connection, choose_worker(site));
}

static bool is_stopped(const HttpWorker *worker) {
        return atomic_load(&worker->site->drain.draining);
}

/* Of the first N workers, the first other one whose loop is less busy than that, or NULL. */
static HttpWorker *find_room(const HttpWorker *own, size_t n, unsigned load) {
        for (size_t i = 0; i < n; i++) {
                HttpWorker *worker = own->site->workers + i;

                if (worker != own && loop_load(worker->loop) < load)
                        return worker;
        }
        return NULL;
}

/* Returns how many connections should go to RET_HEIR. */
static unsigned choose_move(const HttpWorker *own, HttpWorker **ret_heir) {
        unsigned n = atomic_load(&own->n_connections), load = loop_load(own->loop);

        if (load >= LOAD_FULL && n > 1)
                *ret_heir = find_room(own, own->site->n_workers, LOAD_ROOM);
        else if (load < LOAD_ROOM)
                *ret_heir = find_room(own, (size_t) (own - own->site->workers), LOAD_ROOM - load);
        else
                return 0;

        if (!*ret_heir)
                return 0;
        return MIN(load >= LOAD_FULL ? MAX(n / MOVED_PART, 1U) : n, MOVED_MAX);
}

/* Whether nothing of it is under way. */
static bool is_idle(const HttpConnection *connection) {
        return connection->state == HTTP_CONNECTION_HEAD && !connection->is_queued &&
               connection->input.size == 0 && !http_parser_has_begun(&connection->parser);
}

static void move(HttpConnection *connection, HttpWorker *heir) {
        loop_remove(connection->worker->loop, connection->fd, &connection->source);
        http_connection_leave(connection);
        give(connection, heir);
}

/* All that came in this turn has been looked at. */
static void on_move(LoopWaker *waker) {
        HttpWorker *worker = CONTAINER_OF(waker, HttpWorker, mover);
        HttpConnection *connection, *next;
        unsigned n = worker->n_moving;

        worker->n_moving = 0;
        if (is_stopped(worker)) /* the other worker may be closed */
                return;

        DL_FOREACH_SAFE(worker->connections, connection, next) {
                if (n == 0)
                        return;
                if (!is_idle(connection))
                        continue;
                move(connection, worker->heir);
                n--;
        }
}

void http_worker_balance(HttpWorker *worker) {
        uint64_t now = loop_now(worker->loop);

        if (worker->site->n_workers == 1 || worker->n_moving > 0 ||
            now < worker->balanced_usec + BALANCE_USEC)
                return;

        worker->balanced_usec = now;
        worker->n_moving = choose_move(worker, &worker->heir);
        if (worker->n_moving > 0)
                loop_call_later(&worker->mover);
}

static int add(HttpListener *listener) {
        return loop_add(listener->worker->loop, listener->fd, EPOLLIN | EPOLLEXCLUSIVE,
                        &listener->source);
}

/* The socket stays readable while there is no descriptor: it is left alone for a moment. */
static void pause_accepting(HttpListener *listener) {
        loop_remove(listener->worker->loop, listener->fd, &listener->source);
        loop_timer_set(listener->worker->loop, &listener->timer, &listener->worker->pause);
}

static void on_event(LoopSource *source, uint32_t events) {
        HttpListener *listener = CONTAINER_OF(source, HttpListener, source);

        if (is_stopped(listener->worker))
                loop_remove(listener->worker->loop, listener->fd, source);

        for (size_t i = 0; i < ACCEPT_MAX && !is_stopped(listener->worker); i++) {
                HttpAddress address = {};
                socklen_t size = sizeof(address);
                int fd = accept4(listener->fd, &address.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

                if (fd >= 0)
                        serve(listener, fd, &address);
                else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
                         errno == ENOMEM) {
                        pause_accepting(listener);
                        return;
                } else if (errno == EAGAIN || errno == EWOULDBLOCK)
                        return;
        }
}

static void on_timeout(LoopTimer *timer) {
        HttpListener *listener = CONTAINER_OF(timer, HttpListener, timer);

        if (!is_stopped(listener->worker) && add(listener) < 0)
                loop_timer_set(listener->worker->loop, timer, &listener->worker->pause);
}

int http_worker_listen(HttpWorker *worker, int fd) {
        HttpListener *listener = worker->listeners + worker->n_listeners++;

        *listener = (HttpListener){
                .source.on_event = on_event,
                .timer.on_timeout = on_timeout,
                .worker = worker,
                .fd = fd,
        };
        return add(listener);
}

void http_worker_stop_listening(HttpWorker *worker) {
        for (size_t i = 0; i < worker->n_listeners; i++) {
                HttpListener *listener = worker->listeners + i;

                loop_remove(worker->loop, listener->fd, &listener->source);
        }
}

static void on_hurry(LoopWaker *waker) {
        HttpWorker *worker = CONTAINER_OF(waker, HttpWorker, waker);
        HttpConnection *connection, *next;

        DL_FOREACH_SAFE(worker->connections, connection, next)
        http_connection_hurry(connection);
}

void http_worker_hurry(HttpWorker *worker) {
        loop_wake(&worker->waker);
}

static void begin(void *userdata) {
        HttpWorker *worker = userdata;

        loop_timeout_add(worker->loop, &worker->silence);
        loop_timeout_add(worker->loop, &worker->linger);
        loop_timeout_add(worker->loop, &worker->pause);
}

int http_worker_init(
                HttpWorker *worker,
                HttpSite *site,
                HttpCounters *counters,
                Loop *loop,
                size_t n_listeners,
                uint64_t silence_usec) {
        *worker = (HttpWorker){
                .site = site,
                .counters = counters,
                .loop = loop,
                .input = malloc(HTTP_INPUT_SIZE),
                .output = malloc(HTTP_SENDER_ROOM),
                .listeners = calloc(n_listeners, sizeof(*worker->listeners)),
                .waker = { .on_wake = on_hurry, .loop = loop },
                .mover = { .on_wake = on_move, .loop = loop },
                .silence.usec = silence_usec,
                .linger.usec = LINGER_USEC,
                .pause.usec = PAUSE_USEC,
        };
        loop_call(loop, begin, worker);
        return worker->input && worker->output && worker->listeners ? 0 : -ENOMEM;
}

static void close_listeners(void *userdata) {
        HttpWorker *worker = userdata;

        http_worker_stop_listening(worker);
        for (size_t i = 0; i < worker->n_listeners; i++)
                loop_timer_clear(&worker->listeners[i].timer);
}

void http_worker_close(HttpWorker *worker) {
        loop_call(worker->loop, close_listeners, worker);
}

static void end(void *userdata) {
        HttpWorker *worker = userdata;
        HttpConnection *connection, *next;

        DL_FOREACH_SAFE(worker->connections, connection, next)
        (void) http_connection_free(connection);
        http_places_evict(&worker->places);
        loop_cancel(&worker->mover);

        loop_timeout_remove(worker->loop, &worker->silence);
        loop_timeout_remove(worker->loop, &worker->linger);
        loop_timeout_remove(worker->loop, &worker->pause);
}

void http_worker_done(HttpWorker *worker) {
        loop_call(worker->loop, end, worker);
        free(TAKE_PTR(worker->listeners));
        free(TAKE_PTR(worker->input));
        free(TAKE_PTR(worker->output));
}
