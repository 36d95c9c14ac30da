/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Worker: a thread of a server. It accepts connections from sockets that all workers share, gives
 * each to the worker that has the fewest, and serves its own. For lib/http alone. */

#include "http/connection.h"

/* Of a worker and a socket */
typedef struct HttpListener {
        HttpSource source;
        HttpTimer timer;    /* until it tries again */
        HttpWorker *worker; /* not owned */
        int fd;             /* not owned */
} HttpListener;

struct HttpWorker {
        HttpSite *site;         /* not owned */
        HttpCounters *counters; /* not owned */
        HttpWorker *workers;    /* all of them, this one as well; not owned */
        size_t n_workers;
        HttpLoop *loop;
        char *input; /* what has just come in, of whichever connection */
        HttpConnection *connections;
        HttpListener *listeners;
        size_t n_listeners;
        HttpWaker waker;
        atomic_uint n_connections;
};

/* SILENCE_USEC is for how long a connection may neither send nor take anything while nobody waits
 * for us; up to N_LISTENERS sockets can be listened on. Returns 0 or a negative errno;
 * http_worker_done() comes last in any case. */
int http_worker_init(
                HttpWorker *worker,
                HttpSite *site,
                HttpCounters *counters,
                size_t n_listeners,
                uint64_t silence_usec);

/* The loop must have been stopped; cuts what is left. */
void http_worker_done(HttpWorker *worker);

/* Accepts from FD, which must not block, once the loop is started. WORKERS are all that may get
 * what it accepts. Returns 0 or a negative errno. */
int http_worker_listen(HttpWorker *worker, int fd, HttpWorker *workers, size_t n_workers);

/* Accepts no more, but for a connection that it is about to. Thread: any. */
void http_worker_stop_listening(HttpWorker *worker);

/* No request waits for others any more: see http_drain_hurry(), which comes first. Once. Thread:
 * any. */
void http_worker_hurry(HttpWorker *worker);
